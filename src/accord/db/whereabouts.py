"""Where a database is: what tells it from a copy of itself, which its content can't.

`service/identity.py` notes it inside and compares; a database in memory is nowhere.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text

from accord.db.database import Database

_PLACE = text(
    "SELECT (SELECT oid FROM pg_database WHERE datname = current_database()), "
    "CAST(to_regclass(:name) AS oid)"
)


def file_of(database: Database) -> Path | None:
    """Return the file of a database, None where it has none."""
    name = database.engine.url.database
    if database.dialect != "sqlite" or name in (None, "", ":memory:"):
        return None
    return Path(str(name))


def whereabouts(database: Database, table: str) -> str:
    """Return a name that no copy of this database has; empty where there is nothing to go by.

    A file's number goes with the file, whatever it is called. On a server a dump that is read back
    makes every table anew, `table` too, under another number.
    """
    file = file_of(database)
    if file is not None:
        return f"file {file.stat().st_ino}"
    if database.dialect == "sqlite":
        return ""
    with database.read() as tx:
        numbers = tx.execute(_PLACE.bindparams(name=table)).one()
    return "tables " + "/".join(str(number) for number in numbers)
