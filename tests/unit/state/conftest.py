"""State on both databases in turn, with keys, a clock that stands still and two links."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from accord.db import Database, open_database
from accord.state import State
from tests.databases import Databases
from tests.unit.state.build import Clock, furnish


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "accord.key"


@pytest.fixture
def state_url(databases: Databases) -> str:
    return databases.url("state")


@pytest.fixture
def database(state_url: str) -> Iterator[Database]:
    with closing(open_database(state_url)) as database:
        yield database


@pytest.fixture
def state(database: Database, key_file: Path, clock: Clock) -> State:
    state = State(database, key_file, clock)
    furnish(state, "a", "b")
    return state
