"""Open a database by its address; the only place that knows drivers, pragmas and pools.

Called by whoever composes the system, once per process and database.
"""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, create_engine, event, exc, make_url
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from accord.db.database import WAIT_SECONDS, Database
from accord.db.errors import unreachable
from accord.ports.errors import ConfigError
from accord.ports.redact import hide

CONNECTIONS = 10
"""How many connections to PostgreSQL a process has at once, unless somebody says otherwise."""

_KEPT = 5
"""How many of them stay open while there is nothing to do."""

_RESTED = 1.0
"""Seconds after which a connection to PostgreSQL may have been cut unnoticed."""

CUT_OFF = {
    "connect_timeout": f"{WAIT_SECONDS:.0f}",
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
"""When a connection to PostgreSQL that nobody answers, or on which nothing arrives any more, counts
as broken: without, a machine that is cut off waits hours for an answer. Sooner than its leases
run out."""

LEFT_BEHIND = {
    "idle_in_transaction_session_timeout": "60s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "20s",
}
"""When the server ends a session whose machine is gone, or that does nothing in the middle of a
transaction: without, its locks hold up all others for hours. The longest pause that belongs there
is for a program that prints keys: it has 8 seconds, perhaps twice. DBOS waits as long by itself."""

_HINT = "write sqlite:///accord.db or postgresql://user:password@host/name"


def open_database(url: str, connections: int = CONNECTIONS) -> Database:
    """Open `sqlite:///file` or `postgresql://user:password@host/name`.

    A missing SQLite file is made, for its owner's eyes only. PostgreSQL is asked for so many
    `connections` at most; who finds all in use waits. Raises ConfigError for an address that is
    unknown or can't be reached.
    """
    try:
        parsed = make_url(url)
    except exc.ArgumentError as error:
        raise ConfigError("not a database address", field="database", hint=_HINT) from error
    hide(parsed.password)
    kind = parsed.get_backend_name()
    if kind == "sqlite":
        database = _open_sqlite(parsed)
    elif kind in ("postgresql", "postgres"):
        database = _open_postgres(parsed, connections)
    else:
        raise ConfigError(f"no such kind of database: {kind}", field="database", hint=_HINT)
    try:
        database.engine.connect().close()
    except exc.DBAPIError as error:
        raise unreachable(error, parsed.render_as_string(hide_password=True)) from error
    return database


def _open_sqlite(url: URL) -> Database:
    in_memory = url.database in (None, "", ":memory:")
    if not in_memory:
        _make_file(Path(str(url.database)))
    # Threads beyond the pool's size get a connection of their own rather than wait for one.
    pool: dict[str, Any] = {"poolclass": StaticPool} if in_memory else {"max_overflow": -1}
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"),
        connect_args={"timeout": WAIT_SECONDS, "check_same_thread": False},
        hide_parameters=True,
        **pool,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    return Database(engine, engine, in_memory=in_memory, starting=_begin_sqlite)


def _make_file(path: Path) -> None:
    if not path.parent.is_dir():
        raise ConfigError(f"no such folder: {path.parent}", field="database", hint="make it first")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise ConfigError(
            f"can't open the database {path}: {error.strerror}",
            field="database",
            hint="check the rights on the file and its folder",
        ) from error


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not open transactions of its own: `_begin_sqlite` does.
    connection.isolation_level = None
    _switch_to_wal(connection)
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA cache_size = -16000")
    cursor.execute("PRAGMA temp_store = MEMORY")
    cursor.close()


def _switch_to_wal(connection: Any) -> None:
    # SQLite answers BUSY at once, whatever the timeout, while another process switches too.
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorname.startswith("SQLITE_BUSY")
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("accord_write", False):
        # Past SQLAlchemy, which takes ten times as long: it locks nothing, and so can't fail.
        connection.connection.cursor().execute("BEGIN")
        return
    # Neither may be changed inside a transaction.
    _set_pragma(
        connection, "synchronous", "FULL" if options.get("accord_durable", True) else "NORMAL"
    )
    _set_pragma(connection, "foreign_keys", "ON" if options.get("accord_keys", True) else "OFF")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _set_pragma(connection: Connection, name: str, value: str) -> None:
    if connection.info.get(name) != value:
        connection.exec_driver_sql(f"PRAGMA {name} = {value}")
        connection.info[name] = value


def _open_postgres(url: URL, connections: int) -> Database:
    # In the address, for there DBOS finds them, too; what somebody wrote there stands.
    own = {name: value for name, value in CUT_OFF.items() if name not in url.query}
    # Of what is said twice the server takes the last. Between them stand tabs: of a space the
    # address makes a plus, which libpq leaves as it is.
    settings = [f"-c{name}={value}" for name, value in LEFT_BEHIND.items()]
    options = "\t".join([*settings, *url.normalized_query.get("options", ())])
    engine = create_engine(
        url.set(drivername="postgresql+psycopg").update_query_dict({**own, "options": options}),
        pool_size=min(_KEPT, connections),
        max_overflow=connections - min(_KEPT, connections),
        # What a statement that failed was about, such as a title, stands in no traceback.
        hide_parameters=True,
        connect_args={
            "options": f"{options} -c timezone=UTC -c lock_timeout={WAIT_SECONDS:.0f}s",
        },
    )
    event.listen(engine, "connect", _note_use)
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", _ping_after_rest)
    reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return Database(engine, reader)


def _note_use(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info["used"] = time.monotonic()


def _ping_after_rest(connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
    """Make sure that a connection that rested still stands; the pool makes new ones if not.

    To ask each time, as the pool does by itself, costs one of three round trips of a small read.
    """
    if time.monotonic() - record.info["used"] < _RESTED:
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        connection.rollback()
    except connection.OperationalError as error:
        raise exc.InvalidatePoolError from error
