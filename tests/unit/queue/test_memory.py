"""The queue in memory, while time stands still; the rest of its promises is in its contract."""

from __future__ import annotations

import pytest

from accord.ports.queue import SETTLE, Job, Urgency
from accord.queue.memory import MemoryQueue


class Hours:
    """A queue whose time stands still until somebody turns it on."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.queue = MemoryQueue(lambda: self.now)

    def due(self) -> str:
        """Return what is to be visited now, empty for nothing."""
        return self.queue.next()[0] or ""

    def take(self) -> Job:
        assert self.due(), "it would wait"
        found = self.queue.take()
        assert found is not None
        return found


@pytest.fixture
def hours() -> Hours:
    return Hours()


def test_what_belongs_together_is_waited_for(hours: Hours) -> None:
    for _ in range(100):
        hours.queue.ask("a", "hint")
    assert hours.due() == ""
    hours.now += SETTLE
    job = hours.take()
    assert job == Job(folder="a", generation=1, cause="hint")
    hours.queue.done(job)
    hours.now += 1000
    assert hours.due() == ""


def test_hints_do_not_put_a_visit_off(hours: Hours) -> None:
    hours.queue.ask("a", "interval", after=5, urgency=Urgency.DUE)
    hours.queue.ask("a", "hint", after=300)
    hours.now += 5
    assert hours.take().cause == "interval"


def test_whoever_asked_to_be_left_alone_is_for_as_long(hours: Hours) -> None:
    hours.queue.ask("a", "hint", after=0)
    hours.queue.done(hours.take(), rest=60)
    hours.queue.ask("a", "hint")
    hours.now += 59
    assert hours.due() == ""
    hours.now += 1
    job = hours.take()
    assert (job.generation, job.last) == (2, 60.0)


def test_what_failed_comes_back_later_each_time(hours: Hours) -> None:
    hours.queue.ask("a", "hint", after=0)
    hours.queue.done(hours.take(), why="a fault")
    hours.now += 5
    hours.queue.done(hours.take(), why="a fault")
    hours.now += 5
    assert hours.due() == ""
    hours.now += 5
    hours.queue.done(hours.take())
    assert hours.due() == ""
