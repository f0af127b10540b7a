"""Databases for tests: whatever opens Accord's state runs on SQLite and on PostgreSQL.

On PostgreSQL the tests of a process share a few databases with all tables, emptied after each
use: making one takes longer than most tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Protocol

import pytest

from accord.crm.database import schema as crm_schema
from accord.db import Database, migrate, open_database
from accord.sandbox.postgres import fresh_database
from accord.state import State
from accord.state import schema as state_schema

POSTGRES = pytest.param("postgres", marks=pytest.mark.postgres)


class Databases(Protocol):
    """Give a test empty databases of one kind; they are its own until it ends."""

    name: str

    def url(self, name: str = "accord") -> str:
        """Return the address of another empty database, `name` for those who look at files."""

    def blank(self) -> Database:
        """Return another empty database with state's tables, opened, as quickly as can be."""


class Sqlite:
    """Be databases in files of a folder, or in memory where nobody asks for the address."""

    name = "sqlite"

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._count = 0

    def url(self, name: str = "accord") -> str:
        assert self._folder is not None
        self._count += 1
        number = f"-{self._count}" if self._count > 1 else ""
        return f"sqlite:///{self._folder}/{name}{number}.db"

    def blank(self) -> Database:
        if not _TEMPLATE:
            _TEMPLATE.append(State(open_database("sqlite://")).database)
        template, fresh = _TEMPLATE[0].engine, open_database("sqlite://").engine
        source, target = template.raw_connection(), fresh.raw_connection()
        source.driver_connection.backup(target.driver_connection)  # type: ignore[union-attr]
        target.close()
        source.close()
        # Statements are compiled for a dialect object; that takes longer than most tests run.
        fresh.dialect = template.dialect
        engine = fresh.execution_options(compiled_cache=_COMPILED)
        return Database(engine, engine, in_memory=True)


class Pool:
    """Keep databases with the tables of state and CRM on a server, for one test after another."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._stack = ExitStack()
        self._free: list[str] = []

    def take(self) -> str:
        """Return the address of an empty database."""
        if self._free:
            return self._free.pop()
        url = self._stack.enter_context(fresh_database(self._server))
        with closing(open_database(url)) as database:
            for package in ("accord.state", "accord.crm.database"):
                migrate(database, package)
        return url

    def put_back(self, url: str) -> None:
        """Empty a database that nobody uses any more."""
        with closing(open_database(url)) as database:
            empty(database)
        self._free.append(url)

    def close(self) -> None:
        self._stack.close()


class Postgres:
    """Be databases on a PostgreSQL server, out of a pool that starts when somebody asks."""

    name = "postgres"

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._request = request
        self._taken: list[str] = []
        self._open: list[Database] = []

    def url(self, name: str = "accord") -> str:
        self._taken.append(self._pool().take())
        return self._taken[-1]

    def blank(self) -> Database:
        self._open.append(open_database(self.url()))
        return self._open[-1]

    def close(self) -> None:
        """Give everything back."""
        for database in self._open:
            database.close()
        for url in self._taken:
            self._pool().put_back(url)

    def _pool(self) -> Pool:
        pool: Pool = self._request.getfixturevalue("pool")
        return pool


@pytest.fixture(scope="session")
def pool(postgres: str) -> Iterator[Pool]:
    """The databases of this process on PostgreSQL."""
    with closing(Pool(postgres)) as pool:
        yield pool


@pytest.fixture(params=["sqlite", POSTGRES])
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Databases]:
    """Empty databases, on SQLite and on PostgreSQL in turn."""
    if request.param == "sqlite":
        yield Sqlite(tmp_path)
        return
    with closing(Postgres(request)) as found:
        yield found


def empty(database: Database) -> None:
    """Take all rows out of a PostgreSQL database, the journal's too, and count from 1 again."""
    with database.begin(durable=False) as tx:
        run = tx.connection.exec_driver_sql
        counters = run(
            "SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'"
        ).scalars()
        run(
            "ALTER TABLE state_journal DISABLE TRIGGER USER;"
            + "".join(f"DELETE FROM {table};" for table in _tables())
            + "".join(f"ALTER SEQUENCE {name} RESTART;" for name in counters)
            + "ALTER TABLE state_journal ENABLE TRIGGER USER"
        )


def _tables() -> list[str]:
    schemas = (crm_schema.METADATA, state_schema.METADATA)
    return [table.name for schema in schemas for table in reversed(schema.sorted_tables)]


_TEMPLATE: list[Database] = []
_COMPILED: dict[Any, Any] = {}
"""Statements that some test's database in memory had compiled, for all others."""
