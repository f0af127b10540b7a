"""How many bytes a database holds, by whose tables they are in."""

from __future__ import annotations

from sqlalchemy import text

from accord.db import Database

_SQLITE = "SELECT name, sum(pgsize) FROM dbstat GROUP BY name"
_POSTGRES = """SELECT relname, pg_relation_size(oid) FROM pg_class
WHERE relkind IN ('r', 'i', 't') AND relnamespace = 'public'::regnamespace"""


def read(database: Database) -> dict[str, int]:
    """Return the bytes of the CRM's tables and of Accord's own, with their indexes."""
    found = {"crm": 0, "accord": 0}
    with database.read() as tx:
        if database.dialect == "sqlite":
            owners = dict(
                tuple(row) for row in tx.execute(text("SELECT name, tbl_name FROM sqlite_master"))
            )
            rows = tx.execute(text(_SQLITE)).all()
        else:
            owners, rows = {}, tx.execute(text(_POSTGRES)).all()
    for name, size in rows:
        table = str(owners.get(name, name)).removeprefix("ix_").removeprefix("pk_")
        found["crm" if table.startswith("crm_") else "accord"] += int(size)
    return found


def each(before: dict[str, int], after: dict[str, int], count: int) -> dict[str, float]:
    """Return by how many bytes it grew for each of so many changes."""
    return {name: (after[name] - before[name]) / max(count, 1) for name in after}
