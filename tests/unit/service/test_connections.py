"""Connections to PostgreSQL: a process has only so many, and none needs two at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from dbos._dbos import _get_dbos_instance
from msgspec.structs import replace
from sqlalchemy import make_url

from accord.db import open_database
from accord.ports.queue import Job
from accord.queue.durable import DurableQueue
from accord.sandbox.postgres import fresh_database
from accord.sandbox.process import until
from accord.service.bootstrap import connections, open_accord, open_queue
from accord.service.identity import own_trouble
from accord.service.init import init
from accord.service.running import RunSettings
from tests.unit.service.kit import World, event

pytestmark = pytest.mark.postgres

WORKERS = 6
FOLDERS = 40


@pytest.fixture
def on_both() -> None:
    """Only PostgreSQL counts connections."""


@pytest.fixture
def url(postgres: str) -> Iterator[str]:
    with fresh_database(postgres) as url:
        yield url


def most(engine: Any) -> int:
    """Return how many connections an engine makes at most."""
    return int(engine.pool.size() + engine.pool._max_overflow)


def counted(url: str) -> int:
    """Return how many are connected to a database, but for who asks."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(False)
    with psycopg.connect(plain) as asking:
        query = "SELECT count(*) - 1 FROM pg_stat_activity WHERE datname = current_database()"
        row = asking.execute(query).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.waits
def test_a_process_has_as_many_as_the_capacity_page_says(url: str, tmp_path: Path) -> None:
    config = replace(init(tmp_path, database=url).config, run=RunSettings(workers=WORKERS))
    done: list[str] = []
    with closing(open_accord(config)) as accord, closing(open_queue(config)) as queue:
        assert isinstance(queue, DurableQueue)

        def work(job: Job) -> float:
            with accord.state.read() as tx:
                tx.links.all()
            done.append(job.folder)
            return 0.0

        queue.serve(work, config.run.workers)
        assert queue._engine is not None
        engines = [
            accord.state.database.engine,
            queue._database.engine,
            _get_dbos_instance()._sys_db.engine,
            queue._engine._client._sys_db.engine,
        ]
        assert sum(map(most, engines)) == connections(WORKERS)
        for number in range(FOLDERS):
            queue.ask(f"folder {number}", "hint")
        assert until(lambda: len(done) >= FOLDERS, 60)
        assert 0 < counted(url) <= connections(WORKERS)


def test_a_visit_and_a_job_get_by_with_one(url: str) -> None:
    """Else those who have one would wait for a second that nobody gives back."""
    with closing(open_database(url, connections=1)) as database:
        database.engine.pool._timeout = 1.0  # type: ignore[attr-defined]
        world = World("alice", database=database)
        world.person("alice").add(event("Review"))
        assert world.sync("alice").error == ""
        assert world.titles("alice") == (["Review"], ["Review"])
        assert own_trouble(world.accord) is None
