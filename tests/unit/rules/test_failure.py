"""What is said of an item that a rule can't be applied to."""

from __future__ import annotations

import pytest

from accord.model.parts import Privacy
from accord.model.zones import UnknownZone
from accord.rules.failure import RuleFailed, unruled
from tests.unit.rules.given import event

SECRET = event(privacy=Privacy.PRIVATE)


@pytest.mark.parametrize(
    ("error", "words", "part"),
    [
        (
            RuleFailed("fields.title", "no 'Visit' here"),
            "fields.title: no 'Visit' here",
            "fields.title",
        ),
        (UnknownZone("'Mars' is no time zone"), "'Mars' is no time zone", "its times"),
    ],
)
def test_a_failure_is_told_whole_but_of_a_private_entry_only_where(
    error: RuleFailed | UnknownZone, words: str, part: str
) -> None:
    assert unruled(error, [event()]) == f"the rule can't be applied: {words}"
    kept = f"{part}; what is wrong with it is not kept, for the entry is private"
    assert unruled(error, [event(), SECRET]) == f"the rule can't be applied: {kept}"
