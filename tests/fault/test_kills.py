"""Killed anywhere, nothing is doubled, nothing lost, nothing left open."""

from __future__ import annotations

import pytest

from tests.fault.kills import crash_test


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_fifty_kills_while_both_sides_are_edited_leave_no_trace() -> None:
    figures = crash_test(50)
    assert (figures.duplicates, figures.losses, figures.errors) == ([], [], [])
    assert (figures.orphans, figures.restless) == (0, 0)
    assert figures.kills == 50
