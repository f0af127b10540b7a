"""The durable queue keeps every promise of the queues' contract, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from accord.queue.durable import DurableQueue
from accord.sandbox.postgres import fresh_database
from accord.testing import QueueContract

pytestmark = pytest.mark.waits


class TestSqlite(QueueContract):
    @pytest.fixture
    def queue(self, tmp_path: Path) -> Iterator[DurableQueue]:
        with closing(DurableQueue(f"sqlite:///{tmp_path}/queue.db")) as made:
            yield made


@pytest.mark.postgres
class TestPostgres(QueueContract):
    @pytest.fixture
    def queue(self, postgres: str) -> Iterator[DurableQueue]:
        with fresh_database(postgres) as url, closing(DurableQueue(url)) as made:
            yield made
