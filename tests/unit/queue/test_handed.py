"""What waits in one process for a worker: who goes first, and that nobody waits for ever."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest

from accord.ports.errors import Retry
from accord.ports.queue import Urgency
from accord.queue.durable import DurableQueue
from accord.queue.folders import key_of
from accord.queue.handed import TURNS, Claimed, Handed


def claimed(key: str, urgency: Urgency = Urgency.EDIT) -> Claimed:
    return Claimed(key, 1, int(urgency), threading.Event())


def taken(handed: Handed) -> str:
    one = handed.take()
    assert one is not None
    return one.key


def test_the_urgent_go_first_in_the_order_of_their_coming() -> None:
    handed = Handed()
    for one in (claimed("load", Urgency.LOAD), claimed("due", Urgency.DUE), claimed("edit")):
        handed.put(one)
    assert [taken(handed) for _ in range(3)] == ["edit", "due", "load"]


def test_who_is_less_urgent_waits_for_a_few_and_not_for_ever() -> None:
    handed = Handed()
    handed.put(claimed("calm", Urgency.DUE))
    begun = []
    for number in range(2 * TURNS):
        handed.put(claimed(f"edit{number}"))
        begun.append(taken(handed))
    assert begun.index("calm") < TURNS


def test_what_is_asked_for_meanwhile_hurries_what_waits() -> None:
    handed = Handed()
    for key in ("one", "other"):
        handed.put(claimed(key, Urgency.LOAD))
    handed.hurry("other", int(Urgency.EDIT))
    handed.hurry("other", int(Urgency.DUE))
    handed.put(claimed("third", Urgency.DUE))
    assert [taken(handed) for _ in range(3)] == ["other", "third", "one"]


def test_at_the_end_nobody_waits_and_what_is_left_is_told() -> None:
    handed = Handed()
    waiting = [threading.Thread(target=handed.take) for _ in range(3)]
    for each in waiting:
        each.start()
    handed.end()
    for each in waiting:
        each.join(10)
        assert not each.is_alive()
    handed.put(claimed("late"))
    assert len(handed) == 1
    assert [each.key for each in handed.rest()] == ["late"]
    assert handed.take() is None


def test_a_hint_hurries_what_was_claimed_for_less() -> None:
    with closing(DurableQueue("sqlite://")) as queue:
        for folder in ("one", "other"):
            queue._handed.put(claimed(key_of(folder), Urgency.LOAD))
        queue.ask("other", "hint")
        assert taken(queue._handed) == key_of("other")


def test_what_can_not_be_given_back_holds_up_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(*_: object) -> None:
        raise Retry("the database is away")

    with closing(DurableQueue("sqlite://")) as queue:
        some = [claimed("one"), claimed("other")]
        for each in some:
            queue._handed.put(each)
        monkeypatch.setattr(queue._folders, "take_back", away)
        queue._let_go()
        assert all(each.over.is_set() for each in some)
