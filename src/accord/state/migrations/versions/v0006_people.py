"""Make the tables of what is kept for people: their automatic replies, and what they prefer.

Run by `db.migrate`; describes tables as they were then, so it never changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "state_replies",
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("kept", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["link"], ["state_links.id"], name="fk_state_replies_link", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("link", name="pk_state_replies"),
    )
    op.create_table(
        "state_preferences",
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("matter", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user", "matter", name="pk_state_preferences"),
    )
