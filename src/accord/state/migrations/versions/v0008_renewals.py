"""Make the table of secrets that servers replace.

Run by `db.migrate`; describes tables as they were then, so it never changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "state_renewals",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["target"],
            ["state_targets.id"],
            name="fk_state_renewals_target",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_state_renewals"),
    )
    op.create_index("ix_state_renewals_target", "state_renewals", ["target"], unique=False)
