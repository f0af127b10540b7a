"""Make all tables of the first release.

Run by `db.migrate`; describes tables as they were then, so it never changes.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "queue_folders",
        sa.Column("id", sa.Text(), nullable=False),
        _text("folder"),
        _text("place"),
        _number("generation"),
        _number("admitted"),
        sa.Column("admitted_at", sa.Double()),
        sa.Column("due", sa.Double()),
        _number("urgency"),
        _text("cause"),
        _flag("full"),
        sa.Column("rest", sa.Double()),
        _number("running"),
        _text("holder"),
        _number("attempts"),
        sa.Column("began", sa.Double()),
        sa.Column("before", sa.Double()),
        _text("running_cause"),
        _flag("running_full"),
        _number("faults"),
        sa.Column("buried", sa.Double()),
        _text("why"),
        sa.PrimaryKeyConstraint("id", name="pk_queue_folders"),
    )
    op.create_index("ix_queue_folders_due", "queue_folders", ["urgency", "due"], unique=False)
    op.create_index("ix_queue_folders_running", "queue_folders", ["running"], unique=False)
    waiting = sa.text("admitted = generation")
    op.create_index(
        "ix_queue_folders_waiting",
        "queue_folders",
        ["id"],
        unique=False,
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.create_table(
        "queue_executors",
        sa.Column("id", sa.Text(), nullable=False),
        _number("workers"),
        sa.Column("until", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_queue_executors"),
    )


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False, server_default="")


def _number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), nullable=False, server_default="0")


def _flag(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false())
