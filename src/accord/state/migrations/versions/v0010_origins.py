"""Let it be known which items a device has from us.

Run by `db.migrate`; describes tables as they were then, so it never changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the column; of what is there already nobody knows, so nothing is taken for ours."""
    op.add_column(
        "state_device_items",
        sa.Column("ours", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
