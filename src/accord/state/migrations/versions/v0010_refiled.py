"""Let the guard count the files that agree, and those that were taken off lately.

Run by `db.migrate`; describes tables as they were then, so it never changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the column, and index what the guard asks for."""
    op.add_column(
        "state_files", sa.Column("count", sa.Integer(), nullable=False, server_default="-1")
    )
    condition = sa.text("step IN ('detach', 'replace')")
    op.create_index(
        "ix_state_journal_refiled",
        "state_journal",
        ["at"],
        unique=False,
        sqlite_where=condition,
        postgresql_where=condition,
    )
