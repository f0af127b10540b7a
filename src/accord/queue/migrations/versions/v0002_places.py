"""Make the tables of places and clocks, and index what may be handed over by its place.

Run by `db.migrate`; describes tables as they were then, so it never changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables and the index, and keep no moment by which a folder is to be left alone
    beyond the one that is planned.
    """
    op.create_table(
        "queue_places",
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("who", sa.Text(), nullable=False, server_default=""),
        sa.Column("opened", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("since", sa.Double()),
        sa.Column("until", sa.Double()),
        sa.Column("why", sa.Text(), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("place", name="pk_queue_places"),
    )
    op.create_table(
        "queue_clocks",
        sa.Column("boot", sa.Text(), nullable=False),
        sa.Column("ahead", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("boot", name="pk_queue_clocks"),
    )
    op.execute("UPDATE queue_folders SET due = rest WHERE rest > due")
    op.drop_index("ix_queue_folders_due", table_name="queue_folders")
    op.drop_index("ix_queue_folders_running", table_name="queue_folders")
    running = sa.text("running > 0")
    op.create_index(
        "ix_queue_folders_running",
        "queue_folders",
        ["running"],
        unique=False,
        sqlite_where=running,
        postgresql_where=running,
    )
    ready = sa.text("buried IS NULL AND running = 0 AND admitted < generation AND due IS NOT NULL")
    op.create_index(
        "ix_queue_folders_ready",
        "queue_folders",
        ["place", "urgency", "due"],
        unique=False,
        sqlite_where=ready,
        postgresql_where=ready,
    )
