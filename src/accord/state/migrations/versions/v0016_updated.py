"""Let the guard count what was changed lately.

Run by `db.migrate`; describes tables as they were then, so it never changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Index what the guard asks for."""
    condition = sa.text("step = 'update'")
    op.create_index(
        "ix_state_journal_updated",
        "state_journal",
        ["at"],
        unique=False,
        sqlite_where=condition,
        postgresql_where=condition,
    )
