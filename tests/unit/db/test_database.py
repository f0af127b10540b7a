"""Transactions mean the same on both databases: what commits, what doesn't, and who waits."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    Table,
    Text,
    exc,
    func,
    make_url,
    select,
    text,
    update,
)

from accord.db import (
    Contended,
    Database,
    InUse,
    Taken,
    Tx,
    new_metadata,
    open_database,
)
from accord.db.errors import translated
from accord.db.open import CUT_OFF, LEFT_BEHIND
from accord.db.tx import chunks
from accord.ports.errors import ConfigError, Retry
from accord.sandbox.postgres import fresh_database
from accord.sandbox.wire import Wire

METADATA = new_metadata()
BOXES = Table("boxes", METADATA, Column("id", Text, primary_key=True), Column("size", Integer))
THINGS = Table(
    "things",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("box", Text, ForeignKey("boxes.id"), nullable=False),
)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = open_database(database_url)
    with database.begin() as tx:
        METADATA.create_all(tx.connection)
    yield database
    database.close()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{tmp_path / 'a.db'}")
    yield database
    database.close()


def sizes(database: Database) -> dict[str, int]:
    with database.read() as tx:
        return tx.mapping(select(BOXES.c.id, BOXES.c.size))


def test_commits_at_the_end(database: Database) -> None:
    with database.begin() as tx:
        tx.insert(BOXES, [{"id": "a", "size": 1}])
    assert sizes(database) == {"a": 1}


def test_rolls_back_on_any_error(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.begin() as tx:  # noqa: PT012
        tx.insert(BOXES, [{"id": "a", "size": 1}])
        raise ZeroDivisionError
    assert sizes(database) == {}


def test_what_is_not_durable_is_committed_too(database: Database) -> None:
    with database.begin(durable=False) as tx:
        tx.insert(BOXES, [{"id": "a", "size": 1}])
    assert sizes(database) == {"a": 1}


def test_a_unique_value_used_twice_is_taken(database: Database) -> None:
    with database.begin() as tx:
        tx.insert(BOXES, [{"id": "a", "size": 1}])
    with pytest.raises(Taken), database.begin() as tx:
        tx.insert(BOXES, [{"id": "b", "size": 2}, {"id": "a", "size": 2}])
    assert sizes(database) == {"a": 1}


def test_references_lead_somewhere(database: Database) -> None:
    with pytest.raises(InUse), database.begin() as tx:
        tx.insert(THINGS, [{"box": "nowhere"}])
    with database.begin() as tx:
        tx.insert(BOXES, [{"id": "a", "size": 1}])
        tx.insert(THINGS, [{"box": "a"}])
    with pytest.raises(InUse), database.begin() as tx:
        tx.execute(BOXES.delete())
    assert sizes(database) == {"a": 1}


def test_upsert_replaces_and_insert_new_leaves(database: Database) -> None:
    with database.begin() as tx:
        tx.upsert(BOXES, [{"id": "a", "size": 1}, {"id": "b", "size": 1}])
        tx.upsert(BOXES, [{"id": "b", "size": 2}, {"id": "c", "size": 2}])
        tx.insert_new(BOXES, [{"id": "c", "size": 3}, {"id": "d", "size": 3}])
    assert sizes(database) == {"a": 1, "b": 2, "c": 2, "d": 3}


def test_nothing_is_a_fine_batch(database: Database) -> None:
    with database.begin() as tx:
        tx.insert(BOXES, [])
        tx.insert_new(BOXES, [])
        tx.upsert(BOXES, [])
    assert sizes(database) == {}


def test_a_reader_sees_one_moment(database: Database) -> None:
    with database.begin() as tx:
        tx.insert(BOXES, [{"id": "a", "size": 1}])
    with database.read() as reader:
        assert reader.execute(select(func.count()).select_from(BOXES)).scalar_one() == 1
        with database.begin() as tx:
            tx.insert(BOXES, [{"id": "b", "size": 1}])
        assert reader.execute(select(func.count()).select_from(BOXES)).scalar_one() == 1
    assert len(sizes(database)) == 2


def test_a_read_modify_write_in_run_is_never_lost(database: Database) -> None:
    with database.begin() as tx:
        tx.insert(BOXES, [{"id": "a", "size": 0}])

    def grow(tx: Tx) -> None:
        size = tx.execute(select(BOXES.c.size).with_for_update()).scalar_one()
        tx.execute(update(BOXES).values(size=size + 1))

    def work(_: int) -> None:
        for _ in range(20):
            database.run(grow, durable=False)

    with ThreadPoolExecutor() as pool:
        list(pool.map(work, range(4)))
    assert sizes(database) == {"a": 80}


def test_deadlocks_are_run_again(database: Database) -> None:
    with database.begin() as tx:
        tx.insert(BOXES, [{"id": "a", "size": 0}, {"id": "b", "size": 0}])
    both = threading.Barrier(2)
    attempts: list[str] = []

    def work(first: str, second: str) -> None:
        def grow(tx: Tx) -> None:
            attempts.append(first)
            grown = update(BOXES).values(size=BOXES.c.size + 1)
            tx.execute(grown.where(BOXES.c.id == first))
            if database.dialect == "postgresql" and attempts.count(first) == 1:
                both.wait(10)
            tx.execute(grown.where(BOXES.c.id == second))

        database.run(grow)

    with ThreadPoolExecutor() as pool:
        list(pool.map(work, "ab", "ba"))
    assert sizes(database) == {"a": 2, "b": 2}
    assert len(attempts) == (3 if database.dialect == "postgresql" else 2)


def test_run_gives_up_at_last(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accord.db.database.time.sleep", lambda _: None)
    attempts: list[int] = []

    def work(_: Tx) -> None:
        attempts.append(1)
        raise Contended("always", after=0)

    with pytest.raises(Contended):
        database.run(work)
    assert len(attempts) > 2


def test_a_value_error_is_not_run_again(database: Database) -> None:
    attempts: list[int] = []

    def work(_: Tx) -> None:
        attempts.append(1)
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        database.run(work)
    assert len(attempts) == 1


def test_sqlite_refuses_a_transaction_inside_another_at_once(sqlite: Database) -> None:
    with sqlite.begin(), pytest.raises(RuntimeError, match="already"), sqlite.begin():
        pass
    with sqlite.begin() as tx:  # and is usable afterwards
        METADATA.create_all(tx.connection)


def test_sqlite_takes_the_write_lock_first(sqlite: Database, tmp_path: Path) -> None:
    """A transaction that begins to read can't find out at its first write that it is too late."""
    other = open_database(f"sqlite:///{tmp_path / 'a.db'}")
    with other.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 1")
    with sqlite.begin(), pytest.raises(Contended), other.begin():
        raise AssertionError("two writers at a time")
    other.close()


def test_sqlite_does_not_wait_for_ever(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accord.db.database.WAIT_SECONDS", 0.01)

    def write() -> None:
        with sqlite.begin():
            pass

    with ThreadPoolExecutor() as pool:
        with sqlite.begin(), pytest.raises(Contended, match="too long"):
            pool.submit(write).result()
        pool.submit(write).result()


def test_sqlite_runs_as_designed(sqlite: Database, tmp_path: Path) -> None:
    def pragma(tx: Tx, name: str) -> object:
        return tx.execute(text(f"PRAGMA {name}")).scalar()

    with sqlite.begin() as tx:
        assert pragma(tx, "journal_mode") == "wal"
        assert pragma(tx, "synchronous") == 2  # FULL
        assert pragma(tx, "foreign_keys") == 1
        assert pragma(tx, "busy_timeout") == 10_000
    with sqlite.begin(durable=False, foreign_keys=False) as tx:
        assert pragma(tx, "synchronous") == 1  # NORMAL
        assert pragma(tx, "foreign_keys") == 0
    with sqlite.begin() as tx:
        assert pragma(tx, "synchronous") == 2
        assert pragma(tx, "foreign_keys") == 1
    assert (tmp_path / "a.db").stat().st_mode & 0o077 == 0


def test_a_database_in_memory_works_for_many_threads() -> None:
    database = open_database("sqlite://")
    with database.begin() as tx:
        METADATA.create_all(tx.connection)

    def work(name: str) -> None:
        for number in range(20):
            with database.begin() as tx:
                tx.insert(BOXES, [{"id": f"{name}{number}", "size": 1}])
            sizes(database)

    with ThreadPoolExecutor() as pool:
        list(pool.map(work, "abc"))
    assert len(sizes(database)) == 60


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense", "not a database address"),
        ("mysql://localhost/x", "no such kind of database"),
        ("sqlite:////nowhere/at/all/a.db", "no such folder"),
        ("postgresql://someone:hidden@127.0.0.1:1/x", "can't open"),
    ],
)
def test_a_wrong_address_says_so(url: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        open_database(url)
    assert caught.value.field == "database"
    assert caught.value.hint
    assert "hidden" not in str(caught.value)


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_text("no database at all, but long enough to be one" * 100)
    with pytest.raises(ConfigError, match="can't open"):
        open_database(f"sqlite:///{path}")


def test_the_password_is_never_shown(database_url: str) -> None:
    database = open_database("sqlite://")
    assert "Database(" in repr(database)
    database.engine.url = database.engine.url.set(username="u", password="hidden", host="h")
    assert "hidden" not in repr(database)


def test_chunks_lose_nothing() -> None:
    assert list(chunks(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(chunks([], 2)) == []


@pytest.fixture
def postgresql(postgres: str) -> Iterator[Database]:
    with fresh_database(postgres) as url, closing(open_database(url)) as database:
        yield database


def cut_off(database: Database, monkeypatch: pytest.MonkeyPatch, *, rested: float) -> None:
    """Cut the connection that a database keeps, which was used last so many seconds ago."""
    with database.read() as tx:
        number = tx.execute(text("SELECT pg_backend_pid()")).scalar_one()
    with psycopg.connect(
        database.engine.url.set(drivername="postgresql").render_as_string(False)
    ) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [number])
    now = time.monotonic() + rested
    monkeypatch.setattr("accord.db.open.time.monotonic", lambda: now)


@pytest.mark.postgres
def test_a_connection_cut_while_it_rested_is_replaced_unnoticed(
    postgresql: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off(postgresql, monkeypatch, rested=60)
    with postgresql.read() as tx:
        assert tx.execute(text("SELECT 1")).scalar_one() == 1


@pytest.mark.postgres
def test_after_a_connection_cut_in_use_the_next_one_stands(
    postgresql: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off(postgresql, monkeypatch, rested=0)
    with pytest.raises(Retry), postgresql.read() as tx:
        tx.execute(text("SELECT 1"))
    with postgresql.read() as tx:
        assert tx.execute(text("SELECT 1")).scalar_one() == 1


@pytest.mark.postgres
def test_postgresql_is_asked_for_so_many_connections_and_no_more(postgres: str) -> None:
    with fresh_database(postgres) as url, closing(open_database(url, connections=2)) as database:
        database.engine.pool._timeout = 0.1  # type: ignore[attr-defined]
        with (
            database.read(),
            database.read(),
            pytest.raises(Retry, match="in use"),
            database.read(),
        ):
            pass
        with database.read() as tx:
            assert tx.execute(text("SELECT 1")).scalar_one() == 1


@pytest.mark.postgres
def test_a_connection_in_use_is_not_asked_whether_it_stands(
    postgresql: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgresql.read() as tx:
        tx.execute(text("SELECT 1"))
    asked: list[object] = []
    real = psycopg.Cursor.execute

    def execute(cursor: Any, query: Any, *given: Any, **more: Any) -> Any:
        asked.append(query)
        return real(cursor, query, *given, **more)

    monkeypatch.setattr(psycopg.Cursor, "execute", execute)
    with postgresql.read() as tx:
        tx.execute(text("SELECT 2"))
    assert asked == ["SELECT 2"]


@pytest.mark.postgres
def test_a_server_that_is_out_of_reach_is_asked_again_later(postgres: str) -> None:
    address = make_url(postgres)
    with Wire(address.port or 5432) as wire:
        database = open_database(address.set(port=wire.port).render_as_string(False))
        with database.read() as tx:
            assert tx.execute(select(1)).scalar_one() == 1
        wire.cut()
        for _ in range(2):
            with pytest.raises(Retry) as refused, database.read() as tx:
                tx.execute(select(1))
        assert refused.value.code == "unreachable"
        wire.mend()
        with database.read() as tx:
            assert tx.execute(select(1)).scalar_one() == 1
        database.close()


@pytest.mark.postgres
@pytest.mark.parametrize("waiting", [False, True], ids=["asking", "waiting"])
def test_a_server_whose_packets_are_lost_is_given_up_soon(
    postgres: str, monkeypatch: pytest.MonkeyPatch, waiting: bool
) -> None:
    quick = {"keepalives_idle": "1", "keepalives_interval": "1", "tcp_user_timeout": "1500"}
    monkeypatch.setattr("accord.db.open.CUT_OFF", {**CUT_OFF, **quick})
    address = make_url(postgres)
    with ExitStack() as stack:
        wire = stack.enter_context(Wire(address.port or 5432))
        database = open_database(address.set(port=wire.port).render_as_string(False))
        stack.enter_context(closing(database))
        with database.read() as tx:
            tx.execute(select(1))
        began = time.monotonic()
        if waiting:
            timer = threading.Timer(0.5, wire.drop)
            timer.start()
            stack.callback(timer.join)
        else:
            wire.drop()
        with pytest.raises(Retry), database.read() as tx:
            tx.execute(text("SELECT pg_sleep(30)"))
        assert time.monotonic() - began < 15
        wire.mend()
        with database.read() as tx:
            assert tx.execute(select(1)).scalar_one() == 1


@pytest.mark.postgres
def test_when_a_connection_is_given_up_may_be_said_in_the_address(postgres: str) -> None:
    address = make_url(postgres).update_query_dict({"keepalives_idle": "7"})
    database = open_database(address.render_as_string(False))
    with closing(database), database.read() as tx:
        made = tx.connection.connection.driver_connection
        assert isinstance(made, psycopg.Connection)
        said = made.info.get_parameters()
    assert said.items() >= {**CUT_OFF, "keepalives_idle": "7"}.items()


@pytest.mark.postgres
def test_the_server_ends_sessions_whose_machine_is_gone(postgres: str) -> None:
    options = "-cwork_mem=5MB\t-ctcp_user_timeout=7s"
    address = make_url(postgres).update_query_dict({"options": options})
    wanted = {**LEFT_BEHIND, "tcp_user_timeout": "7000", "work_mem": "5MB", "TimeZone": "UTC"}
    wanted |= {"idle_in_transaction_session_timeout": "1min", "lock_timeout": "10s"}
    with closing(open_database(address.render_as_string(False))) as database:
        with database.read() as tx:
            show = tx.connection.exec_driver_sql
            assert {name: show(f"SHOW {name}").scalar_one() for name in wanted} == wanted
        given = database.engine.url.set(drivername="postgresql").render_as_string(False)
    # DBOS knows nothing but the address.
    with psycopg.connect(given) as other:
        (idle,) = other.execute("SHOW idle_in_transaction_session_timeout").fetchone() or ()
    assert idle == "1min"


@pytest.mark.postgres
def test_a_transaction_that_is_left_open_ends_and_may_be_tried_again(postgres: str) -> None:
    options = "-c idle_in_transaction_session_timeout=200ms"
    address = make_url(postgres).update_query_dict({"options": options})
    with closing(open_database(address.render_as_string(False))) as database:
        with database.begin() as tx:
            METADATA.create_all(tx.connection)
            tx.insert(BOXES, [{"id": "a", "size": 1}])

        def pause() -> None:
            with database.begin() as tx:
                tx.execute(update(BOXES).values(size=2))
                with database.begin() as other:
                    # Waits for the one around it, and no longer than until that is ended.
                    other.execute(update(BOXES).values(size=BOXES.c.size + 2))
                tx.execute(select(1))

        try:
            with pytest.raises(Retry, match="the database went away"):
                pause()
            with database.read() as tx:
                assert tx.execute(select(BOXES.c.size)).scalar_one() == 3
        finally:
            with database.begin() as tx:
                METADATA.drop_all(tx.connection)


@pytest.mark.parametrize(
    "code", ["SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE", "SQLITE_CANTOPEN"]
)
def test_a_file_that_can_not_be_written_is_tried_again_later(code: str) -> None:
    raised = sqlite3.OperationalError("disk I/O error")
    raised.sqlite_errorname = code
    assert isinstance(translated(exc.OperationalError("COMMIT", {}, raised)), Retry)


@pytest.mark.parametrize(
    "raised",
    [psycopg.errors.OutOfMemory, psycopg.errors.TooManyConnections, psycopg.errors.IoError],
)
def test_a_server_that_is_short_of_something_is_asked_again_later(
    raised: type[psycopg.Error],
) -> None:
    told = translated(exc.OperationalError("SELECT", {}, raised("out of memory\nDETAIL: much")))
    assert isinstance(told, Retry)
    assert str(told) == "the database's server is short of something: out of memory"
