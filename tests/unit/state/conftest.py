"""State on both databases in turn, with keys, a clock that stands still and two links.

On PostgreSQL all tests of a process share one database, emptied after each: making one takes
longer than most tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from accord.db import Database, Tx, migrate, open_database
from accord.sandbox.postgres import fresh_database
from accord.state import State
from accord.state.schema import METADATA
from tests.unit.state.build import Clock, furnish


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "accord.key"


@pytest.fixture(scope="session")
def state_in_postgres(postgres: str) -> Iterator[str]:
    with fresh_database(postgres) as url:
        with closing(open_database(url)) as database:
            migrate(database, "accord.state")
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def state_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'state.sqlite'}"
        return
    url = request.getfixturevalue("state_in_postgres")
    yield url
    with closing(open_database(url)) as database, database.begin(durable=False) as tx:
        empty(tx)


@pytest.fixture
def database(state_url: str) -> Iterator[Database]:
    with closing(open_database(state_url)) as database:
        yield database


@pytest.fixture
def state(database: Database, key_file: Path, clock: Clock) -> State:
    state = State(database, key_file, clock)
    furnish(state, "a", "b")
    return state


def empty(tx: Tx) -> None:
    """Take all rows away, the journal's too, and count from 1 again."""
    deletes = "; ".join(f"DELETE FROM {table}" for table in reversed(METADATA.sorted_tables))
    tx.connection.exec_driver_sql(
        "ALTER TABLE state_journal DISABLE TRIGGER USER; "
        f"{deletes}; ALTER SEQUENCE state_journal_id_seq RESTART; "
        "ALTER TABLE state_journal ENABLE TRIGGER USER"
    )
    assert tx.execute(text("SELECT count(*) FROM state_blobs")).scalar() == 0
