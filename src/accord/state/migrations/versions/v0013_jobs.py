"""Make the tables of the service's jobs, and of what is wrong and was told.

Run by `db.migrate`; describes tables as they were then, so it never changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Make the tables."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "state_jobs",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("options", sa.LargeBinary(), nullable=False),
        sa.Column("due", moment, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("started", moment, nullable=True),
        sa.Column("ended", moment, nullable=True),
        sa.Column("ending", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("counts", sa.LargeBinary(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("mark", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_state_jobs"),
    )
    op.create_table(
        "state_causes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("names", sa.LargeBinary(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("passing", sa.Boolean(), nullable=False),
        sa.Column("since", moment, nullable=False),
        sa.Column("gone", moment, nullable=True),
        sa.Column("told", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_state_causes"),
    )
