"""Note since when a process is back that was away.

Run by `db.migrate`; describes tables as they were then, so it never changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Make the column."""
    op.add_column("state_processes", sa.Column("back", sa.DateTime(timezone=True), nullable=True))
