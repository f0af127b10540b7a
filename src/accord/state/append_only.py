"""What makes the journal append-only: triggers of the database itself.

Attached to the table by `schema`. Entries below a floor may go (see `Journal.prune`); of the
others only `undone_by` may ever change.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Table, event

REFUSAL = "the journal is append-only"

_SQLITE = (
    (
        "CREATE TRIGGER {name}_no_update BEFORE UPDATE OF {columns} ON {name} "
        "BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
    ),
    (
        "CREATE TRIGGER {name}_no_delete BEFORE DELETE ON {name} "
        "WHEN OLD.id >= COALESCE((SELECT max(floor) FROM {name}_floor), 0) "
        "BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
    ),
)
_POSTGRES = (
    (
        "CREATE FUNCTION {name}_refuse() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN "
        "IF TG_OP = 'DELETE' THEN "
        "IF OLD.id < COALESCE((SELECT max(floor) FROM {name}_floor), 0) THEN RETURN OLD; END IF; "
        "END IF; RAISE EXCEPTION '{refusal}'; END $body$"
    ),
    (
        "CREATE TRIGGER {name}_no_update BEFORE UPDATE OF {columns} ON {name} "
        "FOR EACH ROW EXECUTE FUNCTION {name}_refuse()"
    ),
    (
        "CREATE TRIGGER {name}_no_delete BEFORE DELETE ON {name} "
        "FOR EACH ROW EXECUTE FUNCTION {name}_refuse()"
    ),
    (
        "CREATE TRIGGER {name}_no_truncate BEFORE TRUNCATE ON {name} "
        "FOR EACH STATEMENT EXECUTE FUNCTION {name}_refuse()"
    ),
)


@contextmanager
def changeable(connection: Connection, table: Table, changing: str) -> Iterator[None]:
    """Let this transaction change what stands in the table: only for what the law says must go."""
    name = f"{table.name}_no_update"
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
        yield
        kept = ", ".join(f'"{column.name}"' for column in table.columns if column.name != changing)
        text = _SQLITE[0].format(name=table.name, columns=kept, refusal=REFUSAL)
        connection.exec_driver_sql(text)
        return
    connection.exec_driver_sql(f"ALTER TABLE {table.name} DISABLE TRIGGER {name}")
    yield
    connection.exec_driver_sql(f"ALTER TABLE {table.name} ENABLE TRIGGER {name}")


def attach(table: Table, changing: str) -> None:
    """Let the database refuse changes of `table` but for its column `changing`."""
    kept = ", ".join(f'"{column.name}"' for column in table.columns if column.name != changing)

    def create(_table: Table, connection: Connection, **_: Any) -> None:
        for each in _SQLITE if connection.dialect.name == "sqlite" else _POSTGRES:
            text = each.format(name=table.name, columns=kept, refusal=REFUSAL)
            connection.exec_driver_sql(text)

    event.listen(table, "after_create", create)
