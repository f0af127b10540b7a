"""Make the tables of devices: nonces, secrets, anchors, maps, sessions and the log of syncs.

Run by `db.migrate`; describes tables as they were then, so it never changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables."""
    _anchors()
    _device_items()
    _device_nonces()
    _device_secrets()
    _devices()
    _sync_sessions()
    _syncs()
    _sync_notes()


def _anchors() -> None:
    op.create_table(
        "state_anchors",
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("own", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user", "device", "store", name="pk_state_anchors"),
    )


def _device_items() -> None:
    op.create_table(
        "state_device_items",
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("luid", sa.Text(), nullable=True),
        sa.Column("guid", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("user", "device", "store", "ref", name="pk_state_device_items"),
        sa.UniqueConstraint(
            "user", "device", "store", "luid", name="uq_state_device_items_user_device_store_luid"
        ),
    )
    op.create_index(
        "ix_state_device_items_guid",
        "state_device_items",
        ["user", "device", "store", "guid"],
        unique=False,
    )


def _device_nonces() -> None:
    op.create_table(
        "state_device_nonces",
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("proven", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("device", name="pk_state_device_nonces"),
    )
    op.create_index("ix_state_device_nonces_at", "state_device_nonces", ["at"], unique=False)


def _device_secrets() -> None:
    op.create_table(
        "state_device_secrets",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_state_device_secrets"),
    )
    op.create_index("ix_state_device_secrets_user", "state_device_secrets", ["user"], unique=False)


def _devices() -> None:
    op.create_table(
        "state_devices",
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("devinf", sa.LargeBinary(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user", "device", name="pk_state_devices"),
    )


def _sync_sessions() -> None:
    op.create_table(
        "state_sync_sessions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("reply", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_state_sync_sessions"),
    )
    op.create_index("ix_state_sync_sessions_at", "state_sync_sessions", ["at"], unique=False)
    op.create_index(
        "ix_state_sync_sessions_device", "state_sync_sessions", ["device"], unique=False
    )


def _syncs() -> None:
    op.create_table(
        "state_syncs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("counts", sa.LargeBinary(), nullable=False),
        sa.Column("end", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_state_syncs"),
    )
    op.create_index("ix_state_syncs_at", "state_syncs", ["at"], unique=False)
    op.create_index("ix_state_syncs_user", "state_syncs", ["user", "at"], unique=False)


def _sync_notes() -> None:
    op.create_table(
        "state_sync_notes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("sync", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("luid", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("item", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["sync"], ["state_syncs.id"], name="fk_state_sync_notes_sync", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_state_sync_notes"),
    )
    op.create_index("ix_state_sync_notes_sync", "state_sync_notes", ["sync"], unique=False)
