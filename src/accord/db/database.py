"""Open databases and the transactions on them; the only place that knows pragmas and pools.

`open_database` is called by whoever composes the system; state and the built-in CRM share one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, make_url
from sqlalchemy.pool import StaticPool

from accord.db.errors import Contended, translated, unreachable
from accord.db.tx import Tx
from accord.ports.errors import ConfigError

T = TypeVar("T")

BUSY_MS = 10_000
ATTEMPTS = 6


class Database:
    """Be one database, shared by threads; transactions are short and never span network I/O."""

    def __init__(self, engine: Engine, *, in_memory: bool = False) -> None:
        """Keep the engine; `in_memory` databases have one connection only."""
        self.engine = engine
        self.dialect = engine.dialect.name
        self._in_memory = in_memory
        # SQLite has one writer. Waiting here is fair and wakes at once; SQLite itself polls.
        self._writer = threading.Lock() if self.dialect == "sqlite" else None
        self._busy = threading.local()

    def __repr__(self) -> str:
        """Name the database without its password."""
        return f"Database({self.engine.url.render_as_string(hide_password=True)})"

    @contextmanager
    def begin(self, *, durable: bool = True) -> Iterator[Tx]:
        """Open a writing transaction; commits at the end, rolls back on any error.

        With `durable` a commit outlasts a power cut; without, SQLite may lose the last
        commits (never part of one). Raises Contended where the same work may be tried again,
        Taken for a unique value used twice, Retry where the database went away.
        """
        with self._writing(), self._open(write=True, durable=durable) as tx:
            yield tx

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """Open a reading transaction, which never waits for writers."""
        guard = self._writing() if self._in_memory else nullcontext()
        with guard, self._open(write=False, durable=False) as tx:
            yield tx

    def run(self, work: Callable[[Tx], T], *, durable: bool = True) -> T:
        """Do `work` in a transaction, again from the start where others were in the way."""
        for attempt in range(ATTEMPTS):
            try:
                with self.begin(durable=durable) as tx:
                    return work(tx)
            except Contended as error:
                if attempt == ATTEMPTS - 1:
                    raise
                time.sleep(error.after * 2**attempt)
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextmanager
    def _open(self, *, write: bool, durable: bool) -> Iterator[Tx]:
        try:
            with self.engine.connect() as connection:
                options = {"accord_write": write, "accord_durable": durable}
                connection = connection.execution_options(**options)
                with connection.begin():
                    yield Tx(connection)
        except exc.DBAPIError as error:
            known = translated(error)
            if known is None:
                raise
            raise known from error

    def _writing(self) -> AbstractContextManager[None]:
        return self._alone() if self._writer is not None else nullcontext()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        assert self._writer is not None
        if getattr(self._busy, "here", False):
            raise RuntimeError("a transaction is open already in this thread")
        with self._writer:
            self._busy.here = True
            try:
                yield
            finally:
                self._busy.here = False


def open_database(url: str) -> Database:
    """Open `sqlite:///file` or `postgresql://user:password@host/name`.

    Raises ConfigError for an address that is unknown or can't be reached.
    """
    try:
        parsed = make_url(url)
    except exc.ArgumentError as error:
        raise ConfigError(f"not a database address: {url}", field="database", hint=_HINT) from error
    kind = parsed.get_backend_name()
    if kind == "sqlite":
        database = _open_sqlite(parsed)
    elif kind in ("postgresql", "postgres"):
        database = _open_postgres(parsed)
    else:
        raise ConfigError(f"no such kind of database: {kind}", field="database", hint=_HINT)
    try:
        database.engine.connect().close()
    except exc.DBAPIError as error:
        raise unreachable(error, parsed.render_as_string(hide_password=True)) from error
    return database


_HINT = "write sqlite:///accord.db or postgresql://user:password@host/name"


def _open_sqlite(url: URL) -> Database:
    in_memory = url.database in (None, "", ":memory:")
    if not in_memory:
        parent = Path(str(url.database)).parent
        if not parent.is_dir():
            raise ConfigError(f"no such folder: {parent}", field="database", hint="make it first")
    options: dict[str, Any] = {"poolclass": StaticPool} if in_memory else {"max_overflow": -1}
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"),
        connect_args={"timeout": BUSY_MS / 1000, "check_same_thread": False},
        **options,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return Database(engine, in_memory=in_memory)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not open transactions of its own: "begin" below does.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA cache_size = -16000")
    cursor.execute("PRAGMA temp_store = MEMORY")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("accord_write", True):
        connection.exec_driver_sql("BEGIN")
        return
    level = "FULL" if options.get("accord_durable", True) else "NORMAL"
    connection.exec_driver_sql(f"PRAGMA synchronous = {level}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _open_postgres(url: URL) -> Database:
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        max_overflow=20,
        connect_args={"options": "-c timezone=UTC -c lock_timeout=10s", "connect_timeout": 10},
    )
    return Database(engine)
