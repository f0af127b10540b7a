"""Databases for tests: whatever opens Accord's state runs on SQLite and on PostgreSQL.

On PostgreSQL the tests of a process share a few databases with all tables, emptied after each
use: making one takes longer than most tests.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
from psycopg import Connection as Psycopg
from sqlalchemy import URL, Connection, Dialect, Engine, MetaData, create_engine, event

from accord.crm.database import schema as crm_schema
from accord.db import Database, migrate, open_database
from accord.db import open as opening
from accord.queue import schema as queue_schema
from accord.sandbox.postgres import drop_database, fresh_database, template_database
from accord.state import State
from accord.state import schema as state_schema

POSTGRES = pytest.param("postgres", marks=pytest.mark.postgres)
_CONNECTED = 3
"""How many databases of a pool stay connected while nobody uses them."""


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
        fresh = open_database("sqlite://")
        source, target = _TEMPLATE[0].engine.raw_connection(), fresh.engine.raw_connection()
        source.driver_connection.backup(target.driver_connection)  # type: ignore[union-attr]
        target.close()
        source.close()
        return fresh


class Pool:
    """Keep databases with the tables of state and CRM on a server, for one test after another.

    They are copies of one that all processes of a run share: making the tables takes far longer.
    """

    def __init__(self, server: str) -> None:
        self._server = server
        run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or secrets.token_hex(16)
        self._template = f"accord_tables_{run}"
        self._stack = ExitStack()
        self._free: list[Database] = []
        if "ACCORD_TEST_POSTGRES" in os.environ:
            # A server of our own forgets everything when it ends.
            self._stack.callback(drop_database, server, self._template)

    def take(self) -> Database:
        """Return an empty database."""
        if self._free:
            return self._free.pop()
        template = template_database(self._server, self._template, _with_tables)
        url = self._stack.enter_context(fresh_database(self._server, template))
        with _OPENED.for_long():
            return self._stack.enter_context(closing(open_database(url)))

    def put_back(self, database: Database) -> None:
        """Empty a database that nobody uses any more."""
        empty(database)
        if len(self._free) >= _CONNECTED:
            database.engine.dispose()
        self._free.append(database)

    def close(self) -> None:
        self._stack.close()


def _with_tables(url: str) -> None:
    with _OPENED.for_long(), closing(open_database(url)) as database:
        for package in ("accord.state", "accord.crm.database", "accord.queue"):
            migrate(database, package)


class Postgres:
    """Be databases on a PostgreSQL server, out of a pool that starts when somebody asks."""

    name = "postgres"

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._request = request
        self._taken: list[Database] = []

    def url(self, name: str = "accord") -> str:
        return self.blank().engine.url.render_as_string(hide_password=False)

    def blank(self) -> Database:
        self._taken.append(self._pool().take())
        return self._taken[-1]

    def close(self) -> None:
        """Give everything back."""
        for database in self._taken:
            self._pool().put_back(database)

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


@pytest.fixture(scope="session", autouse=True)
def _statements_are_compiled_once() -> Iterator[None]:
    """Let all databases of a kind share compiled statements: each alone takes longer to compile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "create_engine", _sharing)
        yield


@pytest.fixture(scope="session", autouse=True)
def _tables_are_compiled_once() -> Iterator[None]:
    """Make tables on SQLite from the text of those made before: compiling that takes far longer."""
    with pytest.MonkeyPatch.context() as patch:
        for schema in (crm_schema, state_schema):
            patch.setattr(schema.METADATA, "create_all", _Making(schema.METADATA).create_all)
        yield


class _Making:
    """Make the tables of a schema in one database after the other."""

    def __init__(self, metadata: MetaData) -> None:
        self._compile = metadata.create_all
        self._texts: list[str] = []

    def create_all(self, connection: Connection, **options: Any) -> None:
        if connection.dialect.name != "sqlite":
            self._compile(connection, **options)
            return
        driver = connection.connection.driver_connection
        assert driver is not None
        if not self._texts:
            before = set(driver.execute(_TEXTS))
            self._compile(connection, **options)
            self._texts = [text for (text,) in driver.execute(_TEXTS) if (text,) not in before]
            return
        for text in self._texts:
            driver.execute(text)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
    """Know which databases are opened for more than one test."""
    if fixturedef.scope == "function":
        return (yield)
    with _OPENED.for_long():
        return (yield)


@pytest.fixture(autouse=True)
def _no_connection_outlives_its_test(_statements_are_compiled_once: None) -> Iterator[None]:
    """Fail where a connection was left open: the warning would strike some later test."""
    _OPENED.connections.clear()
    yield
    if left := [str(each) for each in _OPENED.connections if not each.closed]:
        pytest.fail(f"left open: {left}", pytrace=False)


class _Opened:
    """The connections to PostgreSQL that tests opened, without those that last."""

    def __init__(self) -> None:
        self.connections: list[Psycopg[Any]] = []
        self.lasting = False

    @contextmanager
    def for_long(self) -> Iterator[None]:
        """Leave alone what is opened meanwhile."""
        before, self.lasting = self.lasting, True
        try:
            yield
        finally:
            self.lasting = before

    def watch(self, engine: Engine) -> None:
        if engine.dialect.name == "postgresql" and not self.lasting:
            event.listen(engine, "connect", lambda made, _: self.connections.append(made))


def _sharing(url: URL, **options: Any) -> Engine:
    engine = create_engine(url, **options)
    _OPENED.watch(engine)
    # What is compiled is kept for a dialect object.
    engine.dialect = _DIALECTS.setdefault(engine.dialect.name, engine.dialect)
    return engine.execution_options(compiled_cache=_COMPILED)


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
            + "".join(f"SELECT setval('{name}', 1, false);" for name in counters)
            + "ALTER TABLE state_journal ENABLE TRIGGER USER"
        )


def _tables() -> list[str]:
    schemas = (crm_schema.METADATA, state_schema.METADATA, queue_schema.METADATA)
    return [table.name for schema in schemas for table in reversed(schema.sorted_tables)]


_TEXTS = """SELECT sql FROM sqlite_master
WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%' ORDER BY rowid"""
_TEMPLATE: list[Database] = []
_DIALECTS: dict[str, Dialect] = {}
_COMPILED: dict[Any, Any] = {}
_OPENED = _Opened()
