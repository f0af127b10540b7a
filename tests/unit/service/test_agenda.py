"""The agenda: many hints are one visit, none is lost, and nothing hangs on one place."""

from __future__ import annotations

import threading

import pytest

from accord.sandbox.process import until
from accord.service.agenda import SETTLE, Agenda, Errand


@pytest.fixture
def on_both() -> None:
    """Nothing here needs a database."""
    return


class Hours:
    """An agenda whose time stands still until somebody turns it on."""

    def __init__(self, most: int = 100) -> None:
        self.now = 1000.0
        self.agenda = Agenda(lambda key: key[0], lambda: most, lambda: self.now)

    def due(self) -> str:
        """Return what is to be visited now, empty for nothing."""
        found, _ = self.agenda._next()
        return found or ""

    def take(self) -> Errand:
        assert self.due(), "it would wait"
        found = self.agenda.take()
        assert found is not None
        return found


@pytest.fixture
def hours() -> Hours:
    return Hours()


def test_a_hundred_hints_become_one_visit(hours: Hours) -> None:
    for _ in range(100):
        hours.agenda.ask("a", "hint")
    assert hours.due() == "", "what belongs together is waited for"
    hours.now += SETTLE
    assert hours.take() == Errand(key="a", cause="hint")
    hours.agenda.done("a")
    hours.now += 1000
    assert hours.due() == ""


def test_a_hint_during_a_visit_is_visited_after_it(hours: Hours) -> None:
    hours.agenda.ask("a", "hint", after=0)
    hours.take()
    hours.agenda.ask("a", "hint", after=0)
    hours.now += 60
    assert hours.due() == "", "one visit at a time"
    hours.agenda.done("a")
    assert hours.take().key == "a"


def test_hints_do_not_put_a_visit_off(hours: Hours) -> None:
    hours.agenda.ask("a", "interval", after=5, urgent=False)
    hours.agenda.ask("a", "hint", after=300)
    hours.now += 5
    assert hours.take().cause == "interval"


def test_what_was_heard_goes_before_what_is_only_due(hours: Hours) -> None:
    for number in range(50):
        hours.agenda.ask(f"a{number}", "reconnected", urgent=False)
    hours.now += 10
    hours.agenda.ask("b", "hint")
    hours.now += SETTLE
    assert hours.take().key == "b"


def test_a_complete_listing_that_was_asked_for_is_not_forgotten(hours: Hours) -> None:
    hours.agenda.ask("a", "interval", after=0, full=True)
    hours.agenda.ask("a", "hint", after=0)
    assert hours.take().full


def test_whoever_asked_to_be_left_alone_is_whatever_is_heard(hours: Hours) -> None:
    hours.agenda.ask("a", "hint", after=0)
    hours.take()
    hours.agenda.done("a", rest=60)
    hours.agenda.ask("a", "hint")
    hours.now += 59
    assert hours.due() == ""
    hours.now += 1
    assert hours.take().key == "a"
    hours.agenda.done("a", rest=60)
    hours.agenda.ask("a", "changed")
    hours.agenda.wake("a")
    hours.now += SETTLE
    assert hours.take().key == "a"


def test_one_place_does_not_take_all_room() -> None:
    hours = Hours(most=2)
    for key in ("a1", "a2", "a3", "b1"):
        hours.agenda.ask(key, "hint", after=0)
    assert [hours.take().key for _ in range(3)] == ["a1", "a2", "b1"]
    assert hours.due() == ""
    hours.agenda.done("a2")
    assert hours.take().key == "a3"


def test_workers_wait_and_are_let_go_at_the_end() -> None:
    agenda, taken = Agenda(), list[Errand | None]()
    worker = threading.Thread(target=lambda: taken.append(agenda.take()))
    worker.start()
    agenda.ask("a", "hint", after=0)
    assert until(lambda: len(taken) == 1, 20)
    idle = [agenda.idle]
    agenda.done("a")
    assert [*idle, agenda.idle] == [False, True]
    worker.join()
    worker = threading.Thread(target=lambda: taken.append(agenda.take()))
    worker.start()
    agenda.close()
    worker.join(20)
    assert taken[1] is None
