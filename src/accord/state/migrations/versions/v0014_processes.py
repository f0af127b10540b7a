"""Make the tables of the service's processes and watches; note complete listings of a side.

Run by `db.migrate`; describes tables as they were then, so it never changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Make the tables and the column."""
    op.create_table(
        "state_processes",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("parts", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("figures", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_state_processes"),
    )
    op.create_table(
        "state_watches",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("process", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("target", "principal", name="pk_state_watches"),
    )
    op.create_index("ix_state_watches_process", "state_watches", ["process"], unique=False)
    op.add_column("state_cursors", sa.Column("complete", sa.DateTime(timezone=True), nullable=True))
