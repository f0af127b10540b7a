"""Series that are split "from here on", and items that time alone brings in and takes out."""

from __future__ import annotations

from datetime import datetime, timedelta

import icalendar
import pytest
import recurring_ical_events

from accord.model.recurrence import Frequency, RecurrenceRule
from accord.service.explain import explain
from tests.scenario.conftest import Enter
from tests.scenario.stage import MONDAY, Stage, entry, meeting, steps, value

NEAR, FAR = 10.0, 13 * 24 + 10.0  # hours from Monday, 7 January: that day, and Sunday in two weeks
WEEKLY = RecurrenceRule(frequency=Frequency.WEEKLY)


def test_a_calendar_program_splits_a_series(enter: Enter) -> None:
    stage = enter("anna")
    box = stage.boxes["anna"]
    box.put("series.ics", entry("Stand-up", 10, "RRULE:FREQ=WEEKLY"))
    stage.sync()
    box.edit("Stand-up", RRULE="FREQ=WEEKLY;UNTIL=20300121T090000Z")
    box.put("rest.ics", entry("Stand-up later", 3 * 7 * 24 + 14, "RRULE:FREQ=WEEKLY"))
    (report,) = stage.sync()
    assert (report.crm.created, report.crm.updated, report.crm.deleted) == (1, 1, 0)
    begun = stage.event("anna", "Stand-up")
    assert begun.rule is not None and begun.rule.until == MONDAY + timedelta(days=14, hours=10)
    rest = stage.event("anna", "Stand-up later")
    assert (rest.start, rest.rule) == (MONDAY + timedelta(days=21, hours=14), WEEKLY)
    stage.quiet()


@pytest.mark.split
def test_the_crm_splits_a_series(enter: Enter) -> None:
    stage = enter("anna")
    desk, box = stage.desks["anna"], stage.boxes["anna"]
    made = desk.add(meeting("Stand-up", rule=WEEKLY))
    stage.sync()
    last = MONDAY + timedelta(days=14, hours=10)
    desk.set("Stand-up", rule=RecurrenceRule(frequency=Frequency.WEEKLY, until=last))
    later = 3 * 7 * 24 + 14
    desk.add(meeting("Stand-up later", later, rule=WEEKLY, split_from=made.item.uid))
    (report,) = stage.sync()
    assert (report.groupware.created, report.groupware.updated, report.groupware.deleted) == (
        1,
        1,
        0,
    )
    assert "UNTIL=20300121T090000Z" in value(box.text("Stand-up"), "RRULE")
    assert value(box.text("Stand-up later"), "DTSTART") == "20300128T140000"
    box.edit("Stand-up later", LOCATION="Room 2")
    stage.sync()
    rest = stage.event("anna", "Stand-up later")
    assert (rest.location, rest.split_from) == ("Room 2", made.item.uid)
    stage.quiet()


def test_a_change_from_one_occurrence_on_reaches_each_of_them(enter: Enter) -> None:
    stage = enter("anna")
    box = stage.boxes["anna"]
    box.put("series.ics", entry("Stand-up", 10, "RRULE:FREQ=WEEKLY;COUNT=4"))
    stage.sync()
    href, stored = _changed_on(stage)
    stage.sync()
    assert box.texts()[href] == stored, "reading writes nothing"
    moved = [datetime(2030, 1, day, 14) for day in (21, 28)]
    assert [one.start for one in stage.event("anna", "Stand-up").overrides] == moved
    stage.desks["anna"].set("Stand-up", location="Room 1")
    stage.sync()
    assert [one.start for one in stage.event("anna", "Stand-up").overrides] == moved
    query = recurring_ical_events.of(icalendar.Calendar.from_ical(box.texts()[href]))
    found = list(query.between(datetime(2030, 1, 1), datetime(2030, 3, 1)))
    days = sorted(one["DTSTART"].dt.replace(tzinfo=None) for one in found)
    assert days == [datetime(2030, 1, 7, 10), datetime(2030, 1, 14, 10), *moved]
    assert {str(one.get("LOCATION", "")) for one in found} == {"Room 1"}
    stage.quiet()


def test_an_endless_change_from_one_occurrence_on_is_left_to_people(enter: Enter) -> None:
    stage = enter("anna")
    box = stage.boxes["anna"]
    box.put("series.ics", entry("Stand-up", 10, "RRULE:FREQ=WEEKLY"))
    stage.sync()
    href, stored = _changed_on(stage)
    stage.desks["anna"].set("Stand-up", location="Room 1")
    for _ in range(2):
        (report,) = stage.attempt()
        assert report.writes == 0 and report.unpaired == 0, steps([report])
        stage.clock.pass_by(hours=7)
    assert box.texts()[href] == stored
    (told,) = explain(stage.accord, stage.desks["anna"].find("Stand-up").ref)
    assert "from one occurrence on" in told.why


def test_time_brings_items_into_the_window(enter: Enter) -> None:
    stage = _with_window(enter, "keep")
    assert stage.boxes["anna"].titles() == ["Far in", "Near in", "Near out"]
    assert _crm(stage) == ["Far out", "Near in", "Near out"]
    stage.clock.now = datetime(2030, 1, 11, 8, tzinfo=stage.clock.now.tzinfo)
    (report,) = stage.sync()  # nobody has changed anything
    assert (report.crm.created, report.groupware.created, report.writes) == (1, 1, 2)
    assert stage.boxes["anna"].titles() == _crm(stage) == _all()
    stage.quiet()


def test_time_takes_items_out_of_the_window_and_their_copies_stay(enter: Enter) -> None:
    stage = _with_window(enter, "keep")
    stage.clock.now = datetime(2030, 1, 13, 8, tzinfo=stage.clock.now.tzinfo)
    stage.sync()
    assert stage.boxes["anna"].titles() == _crm(stage) == _all()
    stage.desks["anna"].set("Near out", location="Room 1")
    stage.boxes["anna"].edit("Near in", LOCATION="Room 2")
    (report,) = stage.sync()
    assert report.writes == 0, "what lies behind takes no part"
    (told,) = explain(stage.accord, stage.desks["anna"].find("Near out").ref)
    assert "ended more than 5 days ago" in told.why
    stage.quiet()


def test_time_takes_items_out_of_the_window_and_withdraws_copies(enter: Enter) -> None:
    stage = _with_window(enter, "delete-copy")
    stage.clock.now = datetime(2030, 1, 13, 8, tzinfo=stage.clock.now.tzinfo)
    stage.sync()
    assert "Near out" not in stage.boxes["anna"].titles(), "the unedited copy is withdrawn"
    assert "Near in" in stage.boxes["anna"].titles(), "what people made stays"
    assert {"Near in", "Near out"} <= set(_crm(stage)), "and past records stay"
    stage.quiet()


def _with_window(enter: Enter, leaving: str) -> Stage:
    window = f'window = {{ past = 5, future = 10, leaving = "{leaving}" }}'
    stage = enter("anna", rules={"event": f'scope = "all"\n{window}'})
    for when, hours in (("Near", NEAR), ("Far", FAR)):
        stage.desks["anna"].add(meeting(f"{when} out", hours))
        stage.boxes["anna"].put(f"{when}.ics", entry(f"{when} in", hours + 1))
    stage.sync()
    stage.quiet()
    return stage


def _crm(stage: Stage) -> list[str]:
    return sorted(event.title for event in stage.events("anna"))


def _all() -> list[str]:
    return ["Far in", "Far out", "Near in", "Near out"]


def _changed_on(stage: Stage) -> tuple[str, str]:
    """Move a series from its third occurrence on; return its address and what stands there."""
    box = stage.boxes["anna"]
    ((href, text),) = box.all("Stand-up").items()
    zone = ";TZID=Europe/Berlin"
    part = (
        f"BEGIN:VEVENT\r\nUID:{value(text, 'UID')}\r\nDTSTAMP:20260101T000000Z\r\n"
        f"RECURRENCE-ID;RANGE=THISANDFUTURE{zone}:20300121T100000\r\nSUMMARY:Stand-up\r\n"
        f"DTSTART{zone}:20300121T140000\r\nDTEND{zone}:20300121T150000\r\nEND:VEVENT\r\n"
    )
    box.put(href, text.replace("END:VCALENDAR", f"{part}END:VCALENDAR"))
    return href, box.texts()[href]
