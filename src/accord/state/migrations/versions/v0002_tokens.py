"""Make the tables of tokens: keys, uses, revocations, failures and log.

Run by `db.migrate`; describes tables as they were then, so it never changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables."""
    _failures()
    _keys()
    _log()
    _revocations()
    _uses()


def _failures() -> None:
    op.create_table(
        "state_token_failures",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_state_token_failures"),
    )
    op.create_index(
        "ix_state_token_failures_since", "state_token_failures", ["since"], unique=False
    )


def _keys() -> None:
    op.create_table(
        "state_token_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("made", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_state_token_keys"),
    )


def _log() -> None:
    op.create_table(
        "state_token_log",
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("user", sa.Text(), nullable=False),
        sa.Column("peer", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("first", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "hour", "event", "user", "peer", "token", name="pk_state_token_log"
        ),
    )
    op.create_index("ix_state_token_log_last", "state_token_log", ["last"], unique=False)


def _revocations() -> None:
    op.create_table(
        "state_token_revocations",
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("what", "name", name="pk_state_token_revocations"),
    )


def _uses() -> None:
    op.create_table(
        "state_token_uses",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_state_token_uses"),
    )
    op.create_index("ix_state_token_uses_until", "state_token_uses", ["until"], unique=False)
