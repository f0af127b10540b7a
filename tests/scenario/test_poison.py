"""One entry that nobody can tell the time of stops nobody: it is named, and all else goes on.

A server takes such entries without a word, so anybody may put one into their own calendar.
"""

from __future__ import annotations

from accord.engine.plan import Skip
from accord.service.check import check
from accord.service.explain import explain
from accord.service.report import Report
from tests.scenario.conftest import Enter
from tests.scenario.stage import Stage, bare_entry, entry, meeting, steps

WEST = "America/New_York"
POISON = (f"DTSTART;TZID={WEST}:99991231T230000", f"DTEND;TZID={WEST}:99991231T233000")


def test_one_entry_beyond_the_calendar_stops_nobody(enter: Enter) -> None:
    stage = enter("anna", "bob", "carl")
    for name in ("anna", "bob", "carl"):
        stage.boxes[name].put("lunch.ics", entry(f"Lunch of {name}", uid=f"lunch-{name}@hand"))
    stage.boxes["anna"].put(
        "poison.ics", bare_entry("Party at the end", *POISON, uid="poison@hand")
    )
    assert [report.unreadable for report in stage.plan()] == [1, 0, 0]
    reports = stage.sync()
    assert [report.unreadable for report in reports] == [1, 0, 0], steps(reports)
    assert _arrived(stage) == {name: [f"Lunch of {name}"] for name in stage.boxes}
    _is_told(stage, reports[0])
    # It stays so, hinders nobody's changes either way, and is left as it is.
    stage.desks["anna"].add(meeting("Dinner", 20))
    stage.boxes["anna"].edit("Lunch of anna", SUMMARY="Brunch")
    stage.sync()
    stage.sync(full=True)
    assert _arrived(stage)["anna"] == ["Brunch", "Dinner"]
    assert stage.boxes["anna"].titles() == ["Brunch", "Dinner", "Party at the end"]
    assert "9999" in stage.boxes["anna"].text("Party at the end")
    assert _faults(stage) == 1
    stage.boxes["anna"].delete("Party at the end")
    stage.sync()
    assert _faults(stage) == 0
    stage.quiet()


def _arrived(stage: Stage) -> dict[str, list[str]]:
    return {name: sorted(event.title for event in stage.events(name)) for name in stage.boxes}


def _is_told(stage: Stage, report: Report) -> None:
    """Require that sync, check and explain name the entry by title and uid, and say why."""
    assert report.plan is not None
    (skip,) = [step for step in report.plan.steps if isinstance(step, Skip)]
    assert "beyond the calendar" in skip.why
    assert skip.unread and (skip.unread.uid, skip.unread.label) == (
        "poison@hand",
        "Party at the end",
    )
    (told,) = [one for one in check(stage.accord) if not one.ok]
    assert "unreadable item on anna-event" in told.subject
    assert "'Party at the end'" in told.detail and "beyond the calendar" in told.detail
    for words in ("Party at the end", "poison@hand"):
        (explained,) = explain(stage.accord, words)
        assert "beyond the calendar" in explained.why and explained.link == "anna-event"


def _faults(stage: Stage) -> int:
    return sum(not one.ok for one in check(stage.accord))
