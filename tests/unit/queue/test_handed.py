"""What waits in one process for a worker: who goes first, and that nobody waits for ever."""

from __future__ import annotations

import threading

from accord.ports.queue import Urgency
from accord.queue.handed import TURNS, Claimed, Handed


def claimed(key: str, urgency: Urgency = Urgency.EDIT) -> Claimed:
    return Claimed(key, 1, int(urgency), threading.Event())


def test_the_urgent_go_first_in_the_order_of_their_coming() -> None:
    handed = Handed()
    for one in (claimed("load", Urgency.LOAD), claimed("due", Urgency.DUE), claimed("edit")):
        handed.put(one)
    assert [handed.take().key for _ in range(3)] == ["edit", "due", "load"]  # type: ignore[union-attr]


def test_who_is_less_urgent_waits_for_a_few_and_not_for_ever() -> None:
    handed = Handed()
    handed.put(claimed("calm", Urgency.DUE))
    begun = []
    for number in range(2 * TURNS):
        handed.put(claimed(f"edit{number}"))
        one = handed.take()
        assert one is not None
        begun.append(one.key)
    assert begun.index("calm") < TURNS


def test_what_is_asked_for_meanwhile_hurries_what_waits() -> None:
    handed = Handed()
    for key in ("one", "other"):
        handed.put(claimed(key, Urgency.LOAD))
    handed.hurry("other", int(Urgency.EDIT))
    handed.hurry("other", int(Urgency.DUE))
    handed.put(claimed("third", Urgency.DUE))
    assert [handed.take().key for _ in range(3)] == ["other", "third", "one"]  # type: ignore[union-attr]


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
