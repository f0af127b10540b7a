"""The queue in memory keeps every promise of the queues' contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from accord.queue.memory import MemoryQueue
from accord.testing import QueueContract


class TestMemory(QueueContract):
    @pytest.fixture
    def queue(self) -> Iterator[MemoryQueue]:
        with closing(MemoryQueue()) as made:
            yield made
