"""Let what devices have be known, and not only in which version.

Run by `db.migrate`; describes tables as they were then, so it never changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the column: the digest of what device and CRM last both had."""
    op.add_column(
        "state_device_items", sa.Column("base", sa.Text(), nullable=False, server_default="")
    )
