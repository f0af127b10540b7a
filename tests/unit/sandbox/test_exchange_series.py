"""Series in the stand-in Exchange: patterns and ranges, occurrences read, changed and deleted."""

from __future__ import annotations

from datetime import date, datetime
from itertools import islice

import pytest
from dateutil.rrule import rrulestr
from lxml import etree

from accord.sandbox.exchange import recurrence
from tests.unit.sandbox.ews import SPACES, Answer, Desk, event, named, set_field

SUBJECT = '<t:FieldURI FieldURI="item:Subject"/>'


def pattern(kind: str, inner: str, span: str = "", start: str = "2026-01-05") -> str:
    """Return a Recurrence; `span` is a number, a last day or nothing."""
    name, end = "NoEnd", ""
    if span.isdecimal():
        name, end = "Numbered", f"<t:NumberOfOccurrences>{span}</t:NumberOfOccurrences>"
    elif span:
        name, end = "EndDate", f"<t:EndDate>{span}</t:EndDate>"
    parts = "".join(
        f"<t:{key}>{value}</t:{key}>" for key, value in (e.split("=") for e in inner.split(","))
    )
    return (
        f"<t:Recurrence><t:{kind}Recurrence>{parts}</t:{kind}Recurrence>"
        f"<t:{name}Recurrence><t:StartDate>{start}</t:StartDate>{end}</t:{name}Recurrence>"
        "</t:Recurrence>"
    )


def days(text: str, most: int = 12) -> list[date]:
    node = etree.fromstring(
        text.replace("<t:Recurrence>", f'<t:Recurrence xmlns:t="{SPACES["t"]}">', 1)
    )
    return list(islice(recurrence.read(node).dates(), most))


@pytest.mark.parametrize(
    ("kind", "inner", "rule"),
    [
        ("Daily", "Interval=3", "FREQ=DAILY;INTERVAL=3"),
        (
            "Weekly",
            "Interval=2,DaysOfWeek=Monday Sunday",
            "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=MO,SU",
        ),
        (
            "Weekly",
            "Interval=2,DaysOfWeek=Monday Sunday,FirstDayOfWeek=Monday",
            "FREQ=WEEKLY;INTERVAL=2;WKST=MO;BYDAY=MO,SU",
        ),
        ("AbsoluteMonthly", "Interval=2,DayOfMonth=3", "FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=3"),
        (
            "RelativeMonthly",
            "Interval=1,DaysOfWeek=Tuesday,DayOfWeekIndex=Last",
            "FREQ=MONTHLY;BYDAY=-1TU",
        ),
        (
            "RelativeMonthly",
            "Interval=3,DaysOfWeek=Weekday,DayOfWeekIndex=Second",
            "FREQ=MONTHLY;INTERVAL=3;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=2",
        ),
        (
            "RelativeMonthly",
            "Interval=1,DaysOfWeek=WeekendDay,DayOfWeekIndex=Last",
            "FREQ=MONTHLY;BYDAY=SA,SU;BYSETPOS=-1",
        ),
        (
            "RelativeMonthly",
            "Interval=1,DaysOfWeek=Day,DayOfWeekIndex=Last",
            "FREQ=MONTHLY;BYMONTHDAY=-1",
        ),
        ("AbsoluteYearly", "DayOfMonth=3,Month=March", "FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=3"),
        (
            "RelativeYearly",
            "DaysOfWeek=Friday,DayOfWeekIndex=Fourth,Month=November",
            "FREQ=YEARLY;BYMONTH=11;BYDAY=4FR",
        ),
    ],
)
def test_the_patterns_fall_on_the_days_icalendar_gives(kind: str, inner: str, rule: str) -> None:
    start = datetime(2026, 1, 5)
    expected = [each.date() for each in islice(rrulestr(rule, dtstart=start), 12)]
    assert days(pattern(kind, inner)) == expected
    assert days(pattern(kind, inner, "5")) == expected[:5]
    assert days(pattern(kind, inner, str(expected[6]))) == expected[:7]


def test_a_month_without_the_day_ends_on_its_last() -> None:
    found = days(pattern("AbsoluteMonthly", "Interval=1,DayOfMonth=31"), 4)
    assert [f"{each:%m-%d}" for each in found] == ["01-31", "02-28", "03-31", "04-30"]
    leap = days(pattern("AbsoluteYearly", "DayOfMonth=29,Month=February"), 3)
    assert [str(each) for each in leap] == ["2026-02-28", "2027-02-28", "2028-02-29"]


@pytest.mark.parametrize(
    ("kind", "inner", "span", "code"),
    [
        (
            "Weekly",
            "Interval=1,DaysOfWeek=Weekday",
            "",
            "ErrorCalendarInvalidDayForWeeklyRecurrence",
        ),
        ("Daily", "Interval=1", "1000", "ErrorCalendarInvalidRecurrence"),
        ("Daily", "Interval=1", "2025-01-01", "ErrorCalendarEndDateIsEarlierThanStartDate"),
        (
            "AbsoluteYearly",
            "DayOfMonth=1,Month=May",
            "2026-04-01",
            "ErrorRecurrenceHasNoOccurrence",
        ),
    ],
)
def test_impossible_series(desk: Desk, kind: str, inner: str, span: str, code: str) -> None:
    assert desk.create(event(more=pattern(kind, inner, span))).code == code


def weekly(desk: Desk, span: str = "4", head: str = "") -> str:
    """Create a talk on four Mondays at ten and return its id."""
    rule = pattern("Weekly", "Interval=1,DaysOfWeek=Monday", span, "2026-03-16")
    entry = event(more=rule, day="2026-03-16")
    if head:
        entry = entry.replace("00Z", "00")
    return desk.create(entry, head=head).ids[0]


def nth(item: str, index: int) -> str:
    row = etree.fromstring(item.replace("t:", "")).get("Id")
    return f'<t:OccurrenceItemId RecurringMasterId="{row}" InstanceIndex="{index}"/>'


def view(desk: Desk, start: str = "2026-03-01", end: str = "2026-05-01") -> Answer:
    span = f'<m:CalendarView StartDate="{start}T00:00:00Z" EndDate="{end}T00:00:00Z"/>'
    more = (
        SUBJECT
        + '<t:FieldURI FieldURI="calendar:Start"/>'
        + '<t:FieldURI FieldURI="calendar:CalendarItemType"/>'
    )
    return desk.find("calendar", span, more=more)


def starts(answer: Answer) -> list[str]:
    return [(each.text or "")[5:16] for each in answer.all("t:CalendarItem/t:Start")]


def test_a_master_tells_of_its_occurrences(desk: Desk) -> None:
    master = desk.get(weekly(desk))
    assert master.text("t:CalendarItemType") == "RecurringMaster"
    assert master.text("t:IsRecurring") == "false"  # as Exchange has it: that's the occurrences
    assert master.text("t:FirstOccurrence/t:Start") == "2026-03-16T10:00:00Z"
    assert master.text("t:LastOccurrence/t:Start") == "2026-04-06T10:00:00Z"
    assert master.text("t:LastOccurrence/t:End") == "2026-04-06T11:00:00Z"
    first = desk.get(named(master.one("t:FirstOccurrence/t:ItemId")))
    assert first.text("t:CalendarItemType") == "Occurrence"
    assert first.all("t:Recurrence") == []
    endless = desk.get(weekly(desk, ""))
    assert endless.all("t:LastOccurrence") == []
    assert len(desk.find("calendar").ids) == 2  # only masters stand in a plain list


def test_a_series_keeps_its_wall_time_across_the_change_of_clocks(desk: Desk) -> None:
    head = (
        '<t:TimeZoneContext><t:TimeZoneDefinition Id="W. Europe Standard Time"/>'
        "</t:TimeZoneContext>"
    )
    weekly(desk, head=head)
    assert starts(view(desk)) == ["03-16T09:00", "03-23T09:00", "03-30T08:00", "04-06T08:00"]


def test_a_series_begins_on_the_first_day_of_its_pattern(desk: Desk) -> None:
    rule = pattern("Weekly", "Interval=1,DaysOfWeek=Friday", "2", "2026-03-16")
    item = desk.create(event(more=rule, day="2026-03-16")).ids[0]
    assert desk.get(item).text("t:CalendarItem/t:Start") == "2026-03-20T10:00:00Z"
    assert starts(view(desk)) == ["03-20T10:00", "03-27T10:00"]


def test_views_show_the_part_of_a_series_that_lies_in_them(desk: Desk) -> None:
    weekly(desk, "")
    assert starts(view(desk, "2026-03-23", "2026-03-31")) == ["03-23T10:00", "03-30T10:00"]
    assert starts(view(desk, "2036-03-23", "2036-03-31")) == ["03-24T10:00"]
    assert {each.text for each in view(desk).all("t:CalendarItemType")} == {"Occurrence"}


def test_an_occurrence_is_changed_by_itself(desk: Desk) -> None:
    item = weekly(desk)
    second = desk.get(nth(item, 2)).ids[0]
    title = set_field("item:Subject", "CalendarItem", "<t:Subject>Special</t:Subject>")
    later = set_field("calendar:Start", "CalendarItem", "<t:Start>2026-03-24T10:00:00Z</t:Start>")
    until = set_field("calendar:End", "CalendarItem", "<t:End>2026-03-24T12:00:00Z</t:End>")
    changed = desk.update(second, title + later + until)
    assert changed.code == "NoError"
    seen = desk.get(changed.ids[0])
    assert seen.text("t:CalendarItemType") == "Exception"
    assert seen.text("t:OriginalStart") == "2026-03-23T10:00:00Z"
    assert starts(view(desk)) == ["03-16T10:00", "03-24T10:00", "03-30T10:00", "04-06T10:00"]
    master = desk.get(f'<t:RecurringMasterItemId OccurrenceId="{id_of(changed)}"/>')
    assert master.text("t:CalendarItem/t:Subject") == "Talk"
    assert master.text("t:ModifiedOccurrences/t:Occurrence/t:End") == "2026-03-24T12:00:00Z"
    assert master.text("t:ModifiedOccurrences/t:Occurrence/t:OriginalStart") == (
        "2026-03-23T10:00:00Z"
    )
    # What the occurrence has of its own stays, the rest follows the series.
    place = "<t:Location>Hall</t:Location>"
    other = "<t:Subject>Lecture</t:Subject>"
    desk.update(
        master.ids[0],
        set_field("calendar:Location", "CalendarItem", place)
        + set_field("item:Subject", "CalendarItem", other),
    )
    seen = desk.get(nth(item, 2))
    assert (seen.text("t:Subject"), seen.text("t:Location")) == ("Special", "Hall")
    assert desk.get(nth(item, 3)).text("t:Subject") == "Lecture"


def id_of(answer: Answer) -> str:
    return answer.one("t:ItemId").get("Id") or ""


def test_an_occurrence_is_deleted_by_itself(desk: Desk) -> None:
    item = weekly(desk)
    second = desk.get(nth(item, 2)).ids[0]
    assert desk.delete(nth(item, 2)).code == "NoError"
    assert starts(view(desk)) == ["03-16T10:00", "03-30T10:00", "04-06T10:00"]
    assert desk.get(second).code == "ErrorItemNotFound"
    assert desk.get(nth(item, 2)).code == "ErrorCalendarOccurrenceIsDeletedFromRecurrence"
    assert desk.get(nth(item, 3)).text("t:CalendarItem/t:Start") == "2026-03-30T10:00:00Z"
    out = "ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange"
    assert [desk.get(nth(item, each)).code for each in (0, 5)] == [out, out]
    master = desk.get(named(desk.find("calendar").one("t:ItemId")))
    gone = master.text("t:DeletedOccurrences/t:DeletedOccurrence/t:Start")
    assert gone == "2026-03-23T10:00:00Z"
    assert desk.find("deleteditems").ids == []


def test_an_occurrence_can_take_the_whole_day(desk: Desk) -> None:
    item = weekly(desk)
    whole = "<t:IsAllDayEvent>true</t:IsAllDayEvent>"
    desk.update(
        desk.get(nth(item, 2)).ids[0], set_field("calendar:IsAllDayEvent", "CalendarItem", whole)
    )
    seen = desk.get(nth(item, 2))
    assert seen.text("t:CalendarItem/t:Start") == "2026-03-23T00:00:00Z"
    assert seen.text("t:CalendarItem/t:End") == "2026-03-24T00:00:00Z"
    assert desk.get(nth(item, 3)).text("t:IsAllDayEvent") == "false"


def test_an_occurrence_passes_none_beside_it(desk: Desk) -> None:
    item = weekly(desk)

    def move(index: int, day: str) -> str:
        start = f"<t:Start>{day}T10:00:00Z</t:Start>"
        end = f"<t:End>{day}T11:00:00Z</t:End>"
        return desk.update(
            desk.get(nth(item, index)).ids[0],
            set_field("calendar:Start", "CalendarItem", start)
            + set_field("calendar:End", "CalendarItem", end),
        ).code

    assert move(2, "2026-03-30") == "ErrorOccurrenceCrossingBoundary"
    assert move(2, "2026-03-16") == "ErrorOccurrenceCrossingBoundary"
    assert move(2, "2026-03-29") == "NoError"
    assert move(3, "2026-03-29") == "ErrorOccurrenceCrossingBoundary"
    assert move(4, "2026-12-01") == "NoError"
    assert starts(view(desk, "2026-11-30", "2026-12-02")) == ["12-01T10:00"]


def test_another_schedule_forgets_what_was_changed(desk: Desk) -> None:
    item = weekly(desk)
    desk.delete(nth(item, 2))
    master = desk.find("calendar").ids[0]
    rule = pattern("Weekly", "Interval=1,DaysOfWeek=Tuesday", "3", "2026-03-16")
    assert desk.update(master, set_field("calendar:Recurrence", "CalendarItem", rule)).code == (
        "NoError"
    )
    assert starts(view(desk)) == ["03-17T10:00", "03-24T10:00", "03-31T10:00"]
    cut = '<t:DeleteItemField><t:FieldURI FieldURI="calendar:Recurrence"/></t:DeleteItemField>'
    master = desk.update(desk.find("calendar").ids[0], cut).ids[0]
    assert desk.get(master).text("t:CalendarItemType") == "Single"
    assert starts(view(desk)) == ["03-17T10:00"]


def test_a_cursor_names_the_series_when_an_occurrence_changes(desk: Desk) -> None:
    item = weekly(desk)
    state = desk.sync("calendar").text("m:SyncState")
    desk.delete(nth(item, 2))
    answer = desk.sync("calendar", state)
    assert [etree.QName(each).localname for each in answer.one("m:Changes")] == ["Update"]
    assert answer.ids[0].partition("ChangeKey")[0] == item.partition("ChangeKey")[0]


def test_a_moved_series_keeps_what_was_changed_in_it(desk: Desk) -> None:
    item = weekly(desk)
    desk.delete(nth(item, 2))
    desk.delete(desk.find("calendar").ids[0])
    master = desk.get(desk.find("deleteditems").ids[0])
    assert len(master.all("t:DeletedOccurrence")) == 1
    move = (
        '<m:MoveItem><m:ToFolderId><t:DistinguishedFolderId Id="inbox"/></m:ToFolderId>'
        f"<m:ItemIds>{nth(master.ids[0], 3)}</m:ItemIds></m:MoveItem>"
    )
    assert desk.ask(move).code == "ErrorCalendarCannotMoveOrCopyOccurrence"


def test_ids_of_one_kind_are_not_taken_for_the_other(desk: Desk) -> None:
    single = desk.create(event()).ids[0]
    row = etree.fromstring(single.replace("t:", "")).get("Id")
    assert desk.get(nth(single, 1)).code == "ErrorCalendarCannotUseIdForOccurrenceId"
    master = f'<t:RecurringMasterItemId OccurrenceId="{row}"/>'
    assert desk.get(master).code == "ErrorCalendarCannotUseIdForRecurringMasterId"
