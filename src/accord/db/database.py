"""Databases and the transactions on them; retries, locks and what their failures mean.

Opened by `open.open_database`; state and the built-in CRM share one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TypeVar

from sqlalchemy import Connection, Engine, exc, text

from accord.db.errors import Contended, translated
from accord.db.tx import Tx
from accord.ports.errors import Retry

T = TypeVar("T")

_SOON = text("SET LOCAL synchronous_commit TO off")

_log = logging.getLogger("accord.db")

ATTEMPTS = 6
WAIT_SECONDS = 10.0


class Database:
    """Be one database, shared by threads; transactions are short and never span network I/O."""

    def __init__(
        self,
        engine: Engine,
        reader: Engine,
        *,
        in_memory: bool = False,
        starting: Callable[[Connection], None] | None = None,
    ) -> None:
        """Keep the engine and the one for reading; `in_memory` has one connection only.

        `starting` begins a transaction where the driver doesn't.
        """
        self.engine = engine
        self.dialect = engine.dialect.name
        self._reader = reader
        self._in_memory = in_memory
        self._starting = starting
        self._writers = {
            (durable, keys): engine.execution_options(
                accord_write=True, accord_durable=durable, accord_keys=keys
            )
            for durable in (True, False)
            for keys in (True, False)
        }
        # SQLite has one writer. Waiting here is fair and wakes at once; SQLite itself polls.
        self._writer = threading.Lock() if self.dialect == "sqlite" else None
        self._busy = threading.local()

    def __repr__(self) -> str:
        """Name the database without its password."""
        return f"Database({self.engine.url.render_as_string(hide_password=True)})"

    @contextmanager
    def begin(self, *, durable: bool = True, foreign_keys: bool = True) -> Iterator[Tx]:
        """Open a writing transaction; commits at the end, rolls back on any error.

        With `durable` a commit outlasts a power cut; without, the last commits may be lost
        (never part of one). `foreign_keys` false lets migrations rebuild tables on SQLite.
        Raises Contended where the same work may be tried again, Taken for a unique value used
        twice, InUse for a reference that would lead nowhere, Retry where the database went
        away, RuntimeError inside another transaction of the same thread on SQLite.
        """
        engine = self._writers[durable, foreign_keys]
        with self._writing(), self._transaction(engine) as connection:
            if self.dialect == "postgresql" and not durable:
                connection.execute(_SOON)
            yield Tx(connection)

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """Open a reading transaction: one moment's view, never waiting for writers."""
        alone = self._writing() if self._in_memory else nullcontext()
        with alone, self._transaction(self._reader) as connection:
            yield Tx(connection)

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

    def empty_log(self) -> None:
        """Leave nothing in SQLite's log of what was written over: all of it is in the file now.

        As long as anybody has the file open, the log keeps the pages as they were before, too.
        """
        if self._writer is None or self._in_memory:
            return
        with translating(), self._writing(), self.engine.connect() as connection:
            busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar_one()
        if busy:
            _log.warning("database.log", extra={"why": "somebody reads for long: it stays for now"})

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        with translating(), engine.connect() as connection, connection.begin():
            # No listener to the engine's events: one makes every statement a third slower.
            if self._starting is not None:
                self._starting(connection)
            yield connection

    def _writing(self) -> AbstractContextManager[None]:
        return nullcontext() if self._writer is None else self._alone(self._writer)

    @contextmanager
    def _alone(self, writer: threading.Lock) -> Iterator[None]:
        if getattr(self._busy, "here", False):
            raise RuntimeError("a transaction is open already in this thread")
        if not writer.acquire(timeout=WAIT_SECONDS):
            raise Contended("another thread writes for too long", after=1)
        self._busy.here = True
        try:
            yield
        finally:
            self._busy.here = False
            writer.release()


@contextmanager
def translating() -> Iterator[None]:
    """Raise what a database answers as errors by reaction; also around what others ask of it."""
    try:
        yield
    except exc.DBAPIError as error:
        known = translated(error)
        if known is None:
            raise
        raise known from error
    except exc.TimeoutError as error:
        raise Retry("all connections to the database are in use", after=1) from error
