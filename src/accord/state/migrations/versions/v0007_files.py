"""Keep what is known of the files on paired items.

Run by `db.migrate`; describes the table as it was then, so it never changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "state_files",
        sa.Column("pairing", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("due", sa.Boolean(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["link"], ["state_links.id"], name="fk_state_files_link", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("pairing", name="pk_state_files"),
    )
    op.create_index("ix_state_files_due", "state_files", ["link", "due"], unique=False)
