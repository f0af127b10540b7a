"""Make the table of processes at work, and note when a side was last listed completely.

Run by `db.migrate`; describes tables as they were then, so it never changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Make the table and the column."""
    op.create_table(
        "state_processes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("figures", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_state_processes"),
    )
    op.add_column("state_cursors", sa.Column("complete", sa.DateTime(timezone=True), nullable=True))
