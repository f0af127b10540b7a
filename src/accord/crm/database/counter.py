"""The one counter behind all revisions, and what the database knows of itself.

A writing transaction takes its numbers first and keeps the counter locked until it commits, so
revisions become visible in their order and "greater than my cursor" can't miss a change.
"""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path

from sqlalchemy import select, text, update

from accord.crm.database.schema import COUNTER, FACTS
from accord.db import Database, Tx

INSTANCE = "instance"
HOME = "home"
PRUNED = "pruned"
USERS = "users"


def take(tx: Tx, count: int) -> int:
    """Reserve `count` revisions, return the first, and keep every other writer waiting."""
    statement = update(COUNTER).values(value=COUNTER.c.value + count).returning(COUNTER.c.value)
    return int(tx.execute(statement).scalar_one()) - count + 1


def highest(tx: Tx) -> int:
    """Return the highest revision that was committed."""
    return int(tx.execute(select(COUNTER.c.value)).scalar_one())


def prepare(database: Database) -> str:
    """Make the counter and the instance id of a new database; return the instance id.

    A copy of a database that lives elsewhere has the same id inside. It answers with another
    one until `settle` says that it has moved and nothing else goes by its name.
    """
    with database.begin() as tx:
        tx.insert_new(COUNTER, [{"id": 1, "value": 0}])
        home = _home(database, tx)
        tx.insert_new(FACTS, [{"name": INSTANCE, "value": uuid.uuid4().hex}])
        tx.insert_new(FACTS, [{"name": HOME, "value": home}])
        instance, lived = fact(tx, INSTANCE), fact(tx, HOME)
    if lived == home:
        return instance
    return hashlib.sha256(f"{instance} {home}".encode()).hexdigest()[:32]


def settle(database: Database) -> str:
    """Record that the database has moved to where it is now; return its own instance id."""
    with database.begin() as tx:
        tx.upsert(FACTS, [{"name": HOME, "value": _home(database, tx)}])
        return fact(tx, INSTANCE)


def note_users(tx: Tx) -> None:
    """Record that users or groups have changed."""
    # No number: where an older database is put back, one that is known would come again.
    tx.upsert(FACTS, [{"name": USERS, "value": uuid.uuid4().hex}])


def fact(tx: Tx, name: str) -> str:
    """Return what is recorded under a name, or nothing."""
    return str(tx.execute(select(FACTS.c.value).where(FACTS.c.name == name)).scalar() or "")


def _home(database: Database, tx: Tx) -> str:
    """Return where the database lives: its file, or its server's identity and its name there."""
    if database.dialect == "sqlite":
        name = database.engine.url.database
        return str(Path(name).resolve()) if name and name != ":memory:" else ":memory:"
    allowed = text("SELECT has_function_privilege('pg_control_system()', 'execute')")
    server = ""
    if tx.execute(allowed).scalar():
        server = str(tx.execute(text("SELECT system_identifier FROM pg_control_system()")).scalar())
    return f"{server}/{database.engine.url.database}"
