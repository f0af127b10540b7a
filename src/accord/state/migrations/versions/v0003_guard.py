"""Let the journal count mailing writes, and what the guard counts be found fast.

Run by `db.migrate`; describes tables as they were then, so it never changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column, protect it like the others, and index what the guard asks for."""
    op.add_column(
        "state_journal", sa.Column("mails", sa.Integer(), nullable=False, server_default="0")
    )
    for statement in _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRES:
        op.execute(statement)
    for name, condition in (("deleted", "step = 'delete'"), ("mailed", "mails > 0")):
        op.create_index(
            f"ix_state_journal_{name}",
            "state_journal",
            ["at"],
            unique=False,
            sqlite_where=sa.text(condition),
            postgresql_where=sa.text(condition),
        )


_KEPT = (
    '"id", "at", "run", "link", "user", "side", "kind", "ref", "counterpart", "pairing", "step", '
    '"why", "actor", "rule", "version", "error", "fields", "before", "after", "mails"'
)
_SQLITE = (
    "DROP TRIGGER state_journal_no_update",
    (
        f"CREATE TRIGGER state_journal_no_update BEFORE UPDATE OF {_KEPT} ON state_journal "
        "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"
    ),
)
_POSTGRES = (
    "DROP TRIGGER state_journal_no_update ON state_journal",
    (
        f"CREATE TRIGGER state_journal_no_update BEFORE UPDATE OF {_KEPT} ON state_journal "
        "FOR EACH ROW EXECUTE FUNCTION state_journal_refuse()"
    ),
)
