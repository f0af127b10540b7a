"""Killed anywhere, nothing is doubled, nothing lost, nothing left open."""

from __future__ import annotations

import pytest

from tests.databases import POSTGRES, Databases
from tests.fault.kills import Figures, crash_test


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("target", "topology"), [("dav", "one"), ("dav", "split"), ("exchange", "one")]
)
def test_fifty_kills_while_both_sides_are_edited_leave_no_trace(target: str, topology: str) -> None:
    figures = crash_test(50, topology=topology, target=target)
    _leave_no_trace(figures, 50)
    assert figures.missed == []
    if topology == "split":
        assert figures.survived, "what the next process was asked again went through"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("databases", [POSTGRES], indirect=True)
def test_ten_kills_leave_no_trace_in_postgresql(databases: Databases) -> None:
    _leave_no_trace(crash_test(10, seed=2, database=databases.url()), 10)


def _leave_no_trace(figures: Figures, kills: int) -> None:
    assert (figures.duplicates, figures.losses, figures.errors) == ([], [], [])
    assert (figures.orphans, figures.restless, figures.mails) == (0, 0, 0)
    assert figures.kills == kills
