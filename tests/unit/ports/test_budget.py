"""Requests in a minute: as many as are allowed, evenly, and each process has its part."""

from __future__ import annotations

from accord.ports.http import BURST, Budget


def sent(budget: Budget, begin: float, seconds: float) -> int:
    """Return how many requests go out in so many seconds where somebody always waits."""
    now, count = begin, 0
    while (pause := budget._turn(now)) + now - begin < seconds:
        now, count = now + max(pause, 0.0), count + 1
    return count


def test_no_more_go_out_than_are_allowed() -> None:
    budget = Budget(120)
    made_up = BURST * 2
    assert 120 <= sent(budget, 1000.0, 60.0) <= 121 + made_up
    assert 118 <= sent(budget, 1060.0, 60.0) <= 121, "nothing is left to be made up for"


def test_each_process_has_its_part() -> None:
    budget = Budget(120)
    budget.share(4)
    sent(budget, 1000.0, 60.0)
    assert 28 <= sent(budget, 1060.0, 60.0) <= 31
    budget.share(0)
    assert 118 <= sent(budget, 1200.0, 60.0) <= 121 + BURST * 2


def test_without_a_limit_nobody_waits() -> None:
    budget = Budget(0)
    budget.share(9)
    assert {budget._turn(1000.0) for _ in range(1000)} == {0.0}
