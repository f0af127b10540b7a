"""vCalendar 1.0 promise by promise: rules, zones, whole days, alarms, people, words of old."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from accord.formats import vcalendar
from accord.formats.errors import Refused
from accord.formats.limits import Limits
from accord.model.item import Event, Task, TaskStatus
from accord.model.occurrences import occurrences
from accord.model.parts import Attendee, Person, Privacy, Reminder, Reply, Role
from accord.model.recurrence import (
    Busy,
    EventStatus,
    Frequency,
    NthDay,
    Override,
    RecurrenceRule,
    Weekday,
)

replace = msgspec.structs.replace
NOW = datetime(2026, 1, 1, tzinfo=UTC)
BERLIN = (
    "TZ:+01",
    "DAYLIGHT:TRUE;+02;20240331T020000;20241027T030000;;",
)
EVENT = Event(
    uid="u",
    title="t",
    start=datetime(2024, 3, 1, 10),
    end=datetime(2024, 3, 1, 11),
    time_zone="Europe/Berlin",
)


def text(*lines: str, frame: tuple[str, ...] = (), name: str = "VEVENT") -> bytes:
    """Return a calendar with one entry."""
    head = ("BEGIN:VCALENDAR", "VERSION:1.0", *frame, f"BEGIN:{name}", "UID:u")
    return "\r\n".join((*head, *lines, f"END:{name}", "END:VCALENDAR", "")).encode()


def event(*lines: str, frame: tuple[str, ...] = (), zone: str = "") -> Event:
    """Return the entry of a text."""
    found = vcalendar.decode(text(*lines, frame=frame), zone=zone)
    assert isinstance(found, Event)
    return found


def task(*lines: str, frame: tuple[str, ...] = ()) -> Task:
    """Return the task of a text."""
    found = vcalendar.decode(text(*lines, frame=frame, name="VTODO"))
    assert isinstance(found, Task)
    return found


def written(item: Event | Task) -> list[str]:
    """Return the lines of a text, soft breaks taken back."""
    return vcalendar.encode(item, now=NOW).decode().replace("=\r\n", "").split("\r\n")


def starts(item: Event | Task, years: int = 5) -> list[datetime]:
    """Return the local starts of some years."""
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    span = timedelta(days=366 * years)
    return [one.start for one in occurrences(item, begin, begin + span)]


def days(*texts: str) -> list[datetime]:
    """Return days at ten o'clock."""
    return [datetime.fromisoformat(f"{one}T10:00:00") for one in texts]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("D1 #3", days("2024-03-01", "2024-03-02", "2024-03-03")),
        ("D2", days("2024-03-01", "2024-03-03")),
        ("W1 #3", days("2024-03-01", "2024-03-08", "2024-03-15")),
        # The count is one of weeks: two of them, with all their days.
        ("W1 FR SA #2", days("2024-03-01", "2024-03-02", "2024-03-08", "2024-03-09")),
        ("W2 FR 20240329T100000", days("2024-03-01", "2024-03-15", "2024-03-29")),
        ("MP1 1+ FR #3", days("2024-03-01", "2024-04-05", "2024-05-03")),
        ("MP1 #2", days("2024-03-01", "2024-04-05")),
        ("MP1 1+ 1- FR #2", days("2024-03-01", "2024-03-29", "2024-04-05", "2024-04-26")),
        ("MD1 1 LD #2", days("2024-03-01", "2024-03-31", "2024-04-01", "2024-04-30")),
        ("MD1 1 1- #2", days("2024-03-01", "2024-03-31", "2024-04-01", "2024-04-30")),
        ("MD2 #2", days("2024-03-01", "2024-05-01")),
        ("YM1 #2", days("2024-03-01", "2025-03-01")),
        ("YM1 3 6 #2", days("2024-03-01", "2024-06-01", "2025-03-01", "2025-06-01")),
        ("YD1 61 70 20250401T000000", days("2024-03-01", "2024-03-10", "2025-03-02", "2025-03-11")),
        ("d1 20240302T235959", days("2024-03-01", "2024-03-02")),
    ],
)
def test_a_rule_of_old_gives_these_days(rule: str, expected: list[datetime]):
    found = event("DTSTART:20240301T100000", f"RRULE:{rule}")
    assert starts(found) == expected
    assert starts(vcalendar.decode(vcalendar.encode(found))) == expected


def test_a_rule_without_end_says_so():
    found = event("DTSTART:20240301T100000", "RRULE:W1 FR #0")
    assert found.rule is not None
    assert (found.rule.count, found.rule.until) == (None, None)
    assert "RRULE:W1 FR #0" in written(found)


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("FREQ=DAILY", "is no rule of vCalendar 1.0"),
        ("X1 #2", "is no rule of vCalendar 1.0"),
        ("D0 #2", "interval is 0"),
        ("D1 0600 1200 #5", "times of the day"),
        ("YM1 6 MP1 1+ MO #5", "isn't supported"),
        ("MP1 1+ #5", "a weekday is missing"),
        ("MD1 32 #5", "must be 1 to 31"),
        ("YM1 13 #5", "must be 1 to 12"),
        ("D1 tomorrow", "neither a date"),
        ("D1 20241399T000000", "is no date"),
        ("YM9999 3 4 #9", "beyond the calendar"),
        ("W1 " + "MO " * 500, "more than 400 words"),
    ],
)
def test_a_rule_that_nobody_can_keep_is_refused(rule: str, reason: str):
    with pytest.raises(Refused, match=reason) as refused:
        event("DTSTART:20240301T100000", f"RRULE:{rule}")
    assert (refused.value.prop, refused.value.line) == ("RRULE", 6)


MO, FR = NthDay(day=Weekday.MO), NthDay(day=Weekday.FR)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (RecurrenceRule(frequency=Frequency.DAILY, interval=3), "D3 #0"),
        (RecurrenceRule(frequency=Frequency.DAILY, by_day=(MO, FR)), "W1 MO FR #0"),
        (RecurrenceRule(frequency=Frequency.DAILY, count=3), "D1 20240303T100000"),
        (RecurrenceRule(frequency=Frequency.WEEKLY), "W1 FR #0"),
        (RecurrenceRule(frequency=Frequency.MONTHLY), "MD1 1 #0"),
        (RecurrenceRule(frequency=Frequency.MONTHLY, by_month_day=(1, -1)), "MD1 1 1- #0"),
        (
            RecurrenceRule(frequency=Frequency.MONTHLY, by_day=(FR,), by_set_position=(1, -1)),
            "MP1 1+ FR 1- FR #0",
        ),
        (
            RecurrenceRule(frequency=Frequency.MONTHLY, by_day=(FR,)),
            "MP1 1+ FR 2+ FR 3+ FR 4+ FR 5+ FR #0",
        ),
        (RecurrenceRule(frequency=Frequency.YEARLY), "YM1 3 #0"),
        (RecurrenceRule(frequency=Frequency.YEARLY, by_month=(6, 3)), "YM1 3 6 #0"),
        (
            RecurrenceRule(
                frequency=Frequency.YEARLY,
                by_month=(3,),
                by_day=(NthDay(day=Weekday.FR, nth=1),),
            ),
            "MP12 1+ FR #0",
        ),
        (RecurrenceRule(frequency=Frequency.YEARLY, by_year_day=(61,)), "YD1 61 #0"),
    ],
)
def test_a_rule_is_written_in_the_grammar_of_old(rule: RecurrenceRule, expected: str):
    item = replace(EVENT, rule=rule)
    assert f"RRULE:{expected}" in written(item)
    found = vcalendar.decode(vcalendar.encode(item))
    assert starts(found) == starts(item)


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (RecurrenceRule(frequency=Frequency.HOURLY), "no such rule"),
        (RecurrenceRule(frequency=Frequency.DAILY, by_month=(3,)), "no such rule"),
        (RecurrenceRule(frequency=Frequency.DAILY, by_hour=(10, 12)), "no such rule"),
        (RecurrenceRule(frequency=Frequency.YEARLY, by_week_number=(9,)), "no such rule"),
        (
            RecurrenceRule(frequency=Frequency.MONTHLY, by_day=(MO, FR), by_set_position=(-1,)),
            "no such rule",
        ),
        (RecurrenceRule(frequency=Frequency.WEEKLY, by_day=(MO,)), "start doesn't fit"),
        (
            RecurrenceRule(
                frequency=Frequency.WEEKLY, interval=2, by_day=(FR, NthDay(day=Weekday.SU))
            ),
            "with which day a week begins",
        ),
        (RecurrenceRule(frequency=Frequency.DAILY, count=1_000_000), "end of the rule"),
    ],
)
def test_a_rule_that_would_change_its_meaning_is_refused(rule: RecurrenceRule, reason: str):
    with pytest.raises(Refused, match=reason):
        vcalendar.encode(replace(EVENT, rule=rule))


def test_a_single_entry_is_written_in_utc_with_its_zone_beside_it():
    lines = written(EVENT)
    assert {"DTSTART:20240301T090000Z", "DTEND:20240301T100000Z", "TZ:+01:00"} <= set(lines)
    assert "DAYLIGHT:TRUE;+02:00;20240331T020000;20241027T030000;CET;CEST" in lines
    assert vcalendar.decode(vcalendar.encode(EVENT)) == EVENT


def test_a_series_keeps_its_wall_clock_across_summer_time():
    item = replace(EVENT, rule=RecurrenceRule(frequency=Frequency.WEEKLY, by_day=(FR,)))
    assert {"DTSTART:20240301T100000", "TZ:+01:00"} <= set(written(item))
    found = vcalendar.decode(vcalendar.encode(item))
    assert found == item
    assert {one.hour for one in starts(found)} == {10}


@pytest.mark.parametrize("start", ["20240301T090000Z", "20240301T100000", "20240301T100000+0100"])
def test_tz_and_daylight_tell_the_zone_of_all_times(start: str):
    found = event(f"DTSTART:{start}", "RRULE:W1 FR #0", frame=BERLIN)
    assert (found.start, found.time_zone) == (datetime(2024, 3, 1, 10), "Europe/Berlin")
    inside = event(*BERLIN, f"DTSTART:{start}", "RRULE:W1 FR #0")
    assert inside.time_zone == "Europe/Berlin"


def test_the_zone_that_is_wanted_wins_where_it_fits():
    lines = ("DTSTART:20240301T090000Z", "RRULE:W1 FR #0")
    assert event(*lines, frame=BERLIN, zone="Europe/Paris").time_zone == "Europe/Paris"
    assert event(*lines, frame=BERLIN, zone="Asia/Tokyo").time_zone == "Europe/Berlin"
    # Nothing is said of summer time, so the user's own zone of that offset is meant.
    assert event(*lines, frame=("TZ:+01",), zone="Europe/Paris").time_zone == "Europe/Paris"
    assert event(*lines, frame=("TZ:+01",)).time_zone == "Etc/GMT-1"


def test_offsets_that_no_zone_has_matter_only_to_a_series():
    odd = ("TZ:+01:17", "DAYLIGHT:FALSE")
    found = event("DTSTART:20240301T100000", frame=odd)
    assert (found.start, found.time_zone) == (datetime(2024, 3, 1, 8, 43), "UTC")
    series = ("DTSTART:20240301T100000", "RRULE:W1 FR #0")
    with pytest.raises(Refused, match="no time zone has the offsets"):
        event(*series, frame=odd)
    assert event(*series, frame=odd, zone="Europe/Berlin").time_zone == "Europe/Berlin"


def test_a_series_in_a_zone_that_offsets_can_not_tell_is_refused():
    weekly = RecurrenceRule(frequency=Frequency.WEEKLY, count=60)
    samoa = replace(EVENT, time_zone="Pacific/Apia", start=datetime(2011, 6, 3, 10), rule=weekly)
    samoa = replace(samoa, end=datetime(2011, 6, 3, 11))
    with pytest.raises(Refused, match="Pacific/Apia"):
        vcalendar.encode(samoa)
    alone = vcalendar.decode(vcalendar.encode(replace(samoa, rule=None)))
    assert (alone.start, alone.time_zone) == (datetime(2011, 6, 3, 21), "UTC")


@pytest.mark.parametrize("count", [None, 90])
def test_a_summer_time_that_never_ended_can_not_be_told(count: int | None):
    """Turkey stayed on summer time in 2016."""
    weekly = RecurrenceRule(frequency=Frequency.WEEKLY, count=count)
    item = replace(EVENT, time_zone="Europe/Istanbul", rule=weekly)
    begun = replace(item, start=datetime(2015, 1, 5, 10), end=datetime(2015, 1, 5, 11))
    with pytest.raises(Refused, match="Europe/Istanbul"):
        vcalendar.encode(begun)
    assert starts(vcalendar.decode(vcalendar.encode(item)), 1) == starts(item, 1)


@pytest.mark.parametrize(
    "item",
    [
        replace(EVENT, start=datetime(1978, 1, 1), end=datetime(1981, 4, 1)),
        Task(
            uid="1",
            start=datetime(1978, 1, 1),
            due=datetime(1981, 4, 1),
            time_zone="Europe/Berlin",
        ),
    ],
    ids=["event", "task"],
)
def test_what_ends_under_other_clock_rules_than_it_began_keeps_its_end(item: Event | Task):
    """Berlin had no summer time before 1980."""
    once = RecurrenceRule(frequency=Frequency.DAILY, count=1)
    found = vcalendar.decode(vcalendar.encode(replace(item, rule=once)))
    assert found.time_zone == "Europe/Berlin"
    end = found.end if isinstance(found, Event) else found.due
    assert end == datetime(1981, 4, 1)


def test_an_end_in_another_zone_keeps_its_moment_or_is_refused():
    def ending(zone: str, hour: int) -> Event:
        return replace(EVENT, end=datetime(2024, 3, 1, hour), end_time_zone=zone)

    flight = vcalendar.decode(vcalendar.encode(ending("America/New_York", 12)))
    assert isinstance(flight, Event)
    assert (flight.end, flight.end_time_zone) == (datetime(2024, 3, 1, 18), None)
    weekly = RecurrenceRule(frequency=Frequency.WEEKLY, by_day=(FR,))
    near = replace(ending("Europe/London", 11), rule=weekly)
    shown = vcalendar.decode(vcalendar.encode(near))
    assert isinstance(shown, Event)
    assert shown.end == datetime(2024, 3, 1, 12)
    with pytest.raises(Refused, match="another summer time"):
        vcalendar.encode(replace(ending("America/New_York", 12), rule=weekly))


@pytest.mark.parametrize(
    ("lines", "end"),
    [
        (("DTSTART:20240301T000000", "DTEND:20240302T000000"), 2),
        (("DTSTART:20240301T000000", "DTEND:20240301T240000"), 2),
        (("DTSTART:20240301T000000", "DTEND:20240302T235900"), 3),
        (("DTSTART:20240301T000000", "DTEND:20240301T235959"), 2),
        (("DTSTART:20240301", "DTEND:20240303"), 3),
        (("DTSTART:20240301",), 2),
        (("DTSTART:20240229T230000Z", "DTEND:20240301T230000Z", "X-FUNAMBOL-ALLDAY:1", *BERLIN), 2),
    ],
)
def test_the_ways_of_saying_whole_days(lines: tuple[str, ...], end: int):
    found = event(*lines)
    assert (found.start, found.end) == (datetime(2024, 3, 1), datetime(2024, 3, end))
    assert found.all_day
    assert found.time_zone is None
    assert vcalendar.decode(vcalendar.encode(found)) == found


def test_a_timed_entry_from_midnight_to_midnight_stays_one():
    item = replace(EVENT, start=datetime(2024, 3, 1), end=datetime(2024, 3, 2), time_zone=None)
    assert vcalendar.decode(vcalendar.encode(item)) == item
    assert not event("DTSTART:20240301T000000Z", "DTEND:20240302T000000Z").all_day
    weekly = RecurrenceRule(frequency=Frequency.WEEKLY, by_day=(FR,))
    item = replace(item, time_zone="Europe/Berlin", rule=weekly)
    assert vcalendar.decode(vcalendar.encode(item)) == item


def test_dates_left_out_added_and_excepted_by_rule():
    found = event(
        "DTSTART:20240301T100000",
        "RRULE:D1 20240310T100000",
        "EXDATE:20240302T100000;20240303T100000",
        "EXDATE:20240304",
        "RDATE:20240401T100000,20240402T100000",
        "EXRULE:W1 SA #2",
    )
    left = [1, 5, 6, 7, 8, 10]
    assert starts(found) == [
        *(datetime(2024, 3, day, 10) for day in left),
        *days("2024-04-01", "2024-04-02"),
    ]
    with pytest.raises(Refused, match="without end"):
        event("DTSTART:20240301T100000", "RRULE:D1 #0", "EXRULE:W1 SA #0")


def test_a_changed_occurrence_is_an_entry_of_its_own():
    weekly = RecurrenceRule(frequency=Frequency.WEEKLY, by_day=(FR,))
    eighth, fifteenth = datetime(2024, 3, 8, 10), datetime(2024, 3, 15, 10)
    changed = Override(recurrence_id=eighth, title="other", location="here")
    moved = Override(
        recurrence_id=fifteenth, start=datetime(2024, 3, 16, 9), end=datetime(2024, 3, 16, 10)
    )
    item = replace(EVENT, rule=weekly, overrides=(changed, moved))
    with pytest.raises(Refused, match="no changed occurrences"):
        vcalendar.encode(item)
    series, *others = vcalendar.split(item)
    assert series.exdates == (eighth, fifteenth)
    assert "X-RECURRENCE-ID:20240308T090000Z" in written(others[0])
    back = vcalendar.decode(vcalendar.encode(series))
    assert isinstance(back, Event)
    for one in others:
        part = vcalendar.decode(vcalendar.encode(one))
        assert isinstance(part, Event)
        back = vcalendar.join(back, part)
    assert back == item
    with pytest.raises(Refused, match="doesn't say which"):
        vcalendar.join(series, EVENT)


def test_one_text_may_hold_a_series_and_its_changes():
    one = text("DTSTART:20240301T100000", "RRULE:W1 FR #0", frame=BERLIN)
    other = (
        b"BEGIN:VEVENT\r\nUID:u\r\nX-RECURRENCE-ID:20240308T090000Z\r\nSUMMARY:other\r\n"
        b"DTSTART:20240308T100000\r\nDTEND:20240308T100000\r\nEND:VEVENT\r\nEND:VCALENDAR"
    )
    found = vcalendar.decode(one.replace(b"END:VCALENDAR", other))
    assert isinstance(found, Event)
    (override,) = found.overrides
    assert (override.recurrence_id, override.title) == (datetime(2024, 3, 8, 10), "other")


def test_alarms_are_reminders():
    times = ("DTSTART:20240301T100000", "DTEND:20240301T110000")
    found = event(
        *times,
        "AALARM;TYPE=WAVE:20240301T084500Z;PT5M;3;",
        "DALARM:20240301T084500Z;;;",
        "DALARM:20240301T101000;;;",
        "AALARM:;;;",
        frame=BERLIN,
    )
    assert found.reminders == (Reminder(minutes=-10), Reminder(minutes=15))
    assert found.extras == {}
    texts = written(found)
    assert {"AALARM:20240301T084500Z;;;", "DALARM:20240301T084500Z;;;Reminder"} <= set(texts)
    spoken = event(*times, "DALARM:20240301T093000;;;Take the\\; stairs")
    assert "DESCRIPTION:Take the\\; stairs" in str(spoken.extras["ical:VALARM"][0])  # type: ignore[index]
    end = replace(EVENT, reminders=(Reminder(minutes=0, before_end=True),))
    assert vcalendar.decode(vcalendar.encode(end)).reminders == (Reminder(minutes=-60),)


def test_people_and_what_is_expected_of_them():
    found = event(
        "DTSTART:20240301T100000Z",
        "ATTENDEE;ROLE=ORGANIZER:Ann <ann@x.example>",
        "ATTENDEE;STATUS=NEEDS ACTION;EXPECT=REQUEST;RSVP=YES:bob@x.example",
        'ATTENDEE;ROLE=ATTENDEE;STATUS=CONFIRMED;EXPECT=FYI:"Eve <e>" <MAILTO:eve@x.example>',
        "ATTENDEE;ROLE=OWNER;STATUS=ACCEPTED;EXPECT=REQUIRE:mailto:own@x.example",
    )
    assert found.organizer == Person(address="ann@x.example", name="Ann")
    assert found.attendees == (
        Attendee(address="bob@x.example", role=Role.OPTIONAL, rsvp=True),
        Attendee(
            address="eve@x.example",
            name="Eve <e>",
            role=Role.INFORMATIONAL,
            reply=Reply.ACCEPTED,
        ),
        Attendee(address="own@x.example", reply=Reply.ACCEPTED),
    )
    assert vcalendar.decode(vcalendar.encode(found)).attendees == found.attendees  # type: ignore[union-attr]
    owned = event("DTSTART:20240301T100000Z", "ATTENDEE;ROLE=OWNER;STATUS=ACCEPTED:o@x.example")
    assert owned.organizer == Person(address="o@x.example")
    assert owned.attendees == (Attendee(address="o@x.example", reply=Reply.ACCEPTED),)


def test_words_of_old_have_their_meaning():
    found = event(
        "DTSTART:1996-04-01T03:30:00Z",
        "SUMMARY;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:Gr=FC=DFe; =",
        "an alle",
        "DESCRIPTION;ENCODING=QUOTED-PRINTABLE:one=0D=0Atwo",
        "CATEGORIES:BUSINESS;HUMAN, RESOURCES",
        "CLASS:CONFIDENTIAL",
        "STATUS:TENTATIVE",
        "TRANSP:3",
        "PRIORITY:12",
        "DCREATED:19960329T083000",
        "X-OWN:kept",
    )
    assert found.title == "Grüße; an alle"
    assert found.body is not None
    assert found.body.text == "one\ntwo"
    assert found.categories == ("BUSINESS", "HUMAN, RESOURCES")
    assert found.privacy is Privacy.SECRET
    assert found.status is EventStatus.TENTATIVE
    assert found.busy is Busy.OUT_OF_OFFICE
    assert found.priority == 9
    assert found.extras == {"ical:X-OWN": "kept"}
    assert event("DTSTART:20240301T100000Z", "CATEGORIES:a,b", "TRANSP:1").categories == ("a", "b")
    assert event("DTSTART:20240301T100000Z", "TRANSP:1").busy is Busy.FREE
    assert event("DTSTART:20240301T100000Z", "STATUS:NEEDS ACTION").extras == {}


def test_a_task_of_old():
    found = task(
        "DUE:20240401T000000",
        "STATUS:NEEDS ACTION",
        "PRIORITY:1",
        "AALARM:20240331T230000;;;",
    )
    assert (found.due, found.all_day) == (datetime(2024, 4, 1), True)
    assert (found.status, found.priority) == (TaskStatus.NEEDS_ACTION, 1)
    assert found.reminders == (Reminder(minutes=60),)
    assert "STATUS:NEEDS ACTION" in written(found)
    done = task("STATUS:COMPLETED", "COMPLETED:20240401T120000", "DUE:20240401T120000", *BERLIN)
    assert done.completed == datetime(2024, 4, 1, 10, tzinfo=UTC)
    assert done.status is TaskStatus.COMPLETED
    assert vcalendar.decode(vcalendar.encode(done)) == done


def test_marker_and_last_change_stand_where_they_belong():
    found = vcalendar.read(vcalendar.encode(EVENT, marker="main/event/7", now=NOW))
    assert (found.marker, found.modified) == ("main/event/7", NOW)


def test_a_refusal_names_the_line_that_an_editor_shows():
    folded = ("DESCRIPTION;ENCODING=QUOTED-PRINTABLE:a=", "b=", "c", "SUMMARY:x", " y")
    with pytest.raises(Refused) as refused:
        event(*folded, "DTSTART:never")
    assert (refused.value.prop, refused.value.line) == ("DTSTART", 5 + len(folded))


def test_a_value_can_not_break_out_of_its_line():
    evil = "x\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nSUMMARY:evil\n"
    people = (Attendee(address=evil, name=evil),)
    extras = {"ical:X-A": evil, "ical:X-B\r\nSUMMARY": "evil", "ical:X-C": (evil,)}
    item = replace(
        EVENT, uid=evil, title=evil, url=evil, location=evil, attendees=people, extras=extras
    )
    lines = vcalendar.encode(replace(item, categories=(evil,)), marker=evil).split(b"\r\n")
    assert [lines.count(line) for line in (b"BEGIN:VEVENT", b"END:VEVENT")] == [1, 1]
    assert b"SUMMARY:evil" not in lines


def test_more_dates_than_allowed_are_refused():
    dates = ";".join(["20240301T100000"] * 30)
    with pytest.raises(Refused, match="more than 20 dates"):
        vcalendar.read(text("DTSTART:20240301T100000", f"EXDATE:{dates}"), limits=Limits(dates=20))
    long = text("DTSTART:20240301T100000", "RRULE:D1 #0", "EXRULE:D1 #30")
    with pytest.raises(Refused, match="more than 20 dates"):
        vcalendar.read(long, limits=Limits(dates=20))
