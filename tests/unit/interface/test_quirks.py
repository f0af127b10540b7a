"""What devices do to entries that nobody edited changes nothing; what people do, does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from accord.interface.server.stores import STORES
from accord.model.canonical import decode
from accord.model.item import Absence, Event
from accord.model.kinds import Kind
from accord.model.parts import Body, BodyType
from accord.model.recurrence import (
    Frequency,
    NthDay,
    Override,
    RecurrenceRule,
    Weekday,
)
from tests.unit.interface.phone import CALENDAR, Phone, entry
from tests.unit.interface.world import World, make_world

MOVED = Override(
    recurrence_id=datetime(2026, 12, 15, 14),
    start=datetime(2026, 12, 15, 16),
    end=datetime(2026, 12, 15, 17),
    title="Moved",
)
WEEKLY = Event(
    uid="weekly",
    title="Weekly",
    start=datetime(2026, 12, 8, 14),
    end=datetime(2026, 12, 8, 15),
    time_zone="Europe/Berlin",
    rule=RecurrenceRule(frequency=Frequency.WEEKLY, by_day=(NthDay(day=Weekday.TU),)),
    overrides=(MOVED,),
)
DAILY = Event(
    uid="daily",
    title="Standup",
    start=datetime(2026, 12, 7, 9),
    end=datetime(2026, 12, 7, 9, 15),
    time_zone="Europe/Berlin",
    rule=RecurrenceRule(frequency=Frequency.DAILY, count=10),
    body=Body(text="<p>Hello <b>you</b></p>", type=BodyType.HTML),
)


@pytest.fixture
def world() -> Iterator[World]:
    with make_world() as world:
        yield world


def whole(phone: Phone) -> str:
    """Return a phone's name for the only series it has: it came before its occurrences."""
    return min(phone.items)


def edited(world: World, event: Event, *changes: tuple[str, str]) -> Event:
    """Let a device change an entry's text, and return what the CRM has then."""
    ref = world.add(event)
    phone = world.phone(store="calendar", media_type=CALENDAR)
    phone.sync()
    luid = whole(phone)
    for old, new in changes:
        assert old in phone.items[luid], phone.items[luid]
        phone.items[luid] = phone.items[luid].replace(old, new)
    phone.sync()
    assert phone.codes == {luid: 200}
    stored = world.get(ref, Kind.EVENT)
    assert isinstance(stored, Event)
    return stored


def test_a_series_goes_out_without_its_changed_occurrences_and_keeps_them(world: World) -> None:
    stored = edited(world, WEEKLY, ("SUMMARY:Weekly", "SUMMARY:Every week"))
    assert stored.title == "Every week"
    assert (stored.overrides, stored.exdates, stored.rule) == ((MOVED,), (), WEEKLY.rule)


def test_an_occurrence_left_out_on_the_device_is_left_out(world: World) -> None:
    stored = edited(
        world,
        WEEKLY,
        ("SUMMARY:", "EXDATE;TZID=Europe/Berlin:20261222T140000\r\nSUMMARY:"),
    )
    assert stored.exdates == (datetime(2026, 12, 22, 14),)
    assert stored.overrides == (MOVED,)


def only_once(world: World, *changes: tuple[str, str], **options: Any) -> tuple[Phone, str, str]:
    """Let a device send a series as a single entry; return it, our ref and its text."""
    ref = world.add(WEEKLY)
    phone = world.phone(store="calendar", media_type=CALENDAR, **options)
    phone.sync()
    luid = whole(phone)
    lines = phone.items[luid].splitlines()
    text = "\r\n".join(line for line in lines if not line.startswith(("RRULE", "EXDATE")))
    for old, new in changes:
        text = text.replace(old, new)
    phone.items[luid] = text
    phone.sync()
    return phone, ref, text


@pytest.mark.parametrize("changes", [(), [("SUMMARY:Weekly", "SUMMARY:Only once, please")]])
def test_a_series_that_came_back_as_one_entry_is_a_conflict(
    world: World, changes: list[tuple[str, str]]
) -> None:
    phone, ref, _ = only_once(world, *changes)
    luid = whole(phone)
    assert phone.codes == {luid: 419}
    assert world.get(ref, Kind.EVENT) == WEEKLY
    assert "SUMMARY:Weekly" in phone.items[luid]
    assert "RRULE:FREQ=WEEKLY" in phone.items[luid]
    (note,) = world.notes("conflict")
    assert note.why == "a series with changed occurrences came back as a single entry; the CRM won"
    assert note.item is not None
    lost = decode(note.item)
    assert isinstance(lost, Event)
    assert lost.title == (changes[0][1][8:] if changes else "Weekly")
    assert not lost.recurs
    phone.sync()
    assert phone.codes == {}
    assert len(world.notes("conflict")) == 1


def test_a_series_that_came_back_as_one_entry_stays_on_both_sides_as_that_is_wished(
    world: World,
) -> None:
    world.serve(conflict="duplicate")
    phone, ref, _ = only_once(world, ("SUMMARY:Weekly", "SUMMARY:Once"))
    assert list(phone.codes.values()) == [209]
    assert world.get(ref, Kind.EVENT) == WEEKLY
    for code in (200, 201):
        assert world.names(Kind.EVENT) == ["Once", "Weekly"]
        assert phone.names == ["Moved", "Once", "Weekly"]
        phone.sync(code)


@pytest.mark.parametrize("wins", ["duplicate", "server"])
def test_a_series_that_is_one_entry_where_all_is_compared_is_not_there_twice(
    world: World, wins: str
) -> None:
    world.serve(conflict=wins)
    ref = world.add(WEEKLY)
    phone = world.phone(store="calendar", media_type=CALENDAR)
    alone = entry("weekly", "Weekly").replace("20261201T10", "20261208T13")
    phone.items["1"] = alone.replace("20261201T11", "20261208T14")
    phone.sync()
    assert phone.codes == {"1": 419}
    assert world.get(ref, Kind.EVENT) == WEEKLY
    assert phone.names == ["Moved", "Weekly"]
    assert "RRULE" in phone.items["1"]


def test_a_series_is_one_entry_where_the_device_wins(world: World) -> None:
    world.serve(conflict="client")
    phone, ref, text = only_once(world, ("SUMMARY:Weekly", "SUMMARY:Once"))
    assert list(phone.codes.values()) == [208]
    stored = world.get(ref, Kind.EVENT)
    assert isinstance(stored, Event)
    assert (stored.title, stored.rule, stored.exdates, stored.overrides) == ("Once", None, (), ())
    assert list(phone.items.values()) == [text]
    (note,) = world.notes("conflict")
    assert note.item is not None
    assert decode(note.item) == WEEKLY


def test_a_device_that_holds_no_series_changes_what_is_about_the_whole(world: World) -> None:
    keeps = ("SUMMARY", "DTSTART", "DTEND", "DESCRIPTION")
    phone, ref, _ = only_once(world, ("SUMMARY:Weekly", "SUMMARY:Every week"), keeps=keeps)
    ((luid, code),) = phone.codes.items()
    assert code == 200
    assert world.get(ref, Kind.EVENT) == replace(WEEKLY, title="Every week")
    phone.items[luid] = phone.items[luid].replace("20261208T14", "20261208T13")
    phone.sync()
    assert phone.codes == {luid: 419}
    assert world.get(ref, Kind.EVENT) == replace(WEEKLY, title="Every week")


def test_an_end_by_date_that_says_the_same_as_a_count_is_no_change(world: World) -> None:
    until = "UNTIL=20261216T080000Z"
    stored = edited(world, DAILY, ("COUNT=10", until), ("SUMMARY:Standup", "SUMMARY:Daily"))
    assert (stored.title, stored.rule) == ("Daily", DAILY.rule)


@pytest.mark.parametrize("start", [datetime(9950, 1, 1, 9), datetime(9999, 12, 30, 9)])
@pytest.mark.parametrize(
    ("rule", "same"),
    [
        ("FREQ=DAILY;UNTIL={next}", True),
        ("FREQ=DAILY;UNTIL={first}", False),
        ("FREQ=SECONDLY;INTERVAL=1000000;UNTIL={next}", False),
        ("FREQ=YEARLY;INTERVAL=9999;UNTIL={next}", False),
    ],
)
def test_ends_are_compared_up_to_the_end_of_time(
    world: World, start: datetime, rule: str, same: bool
) -> None:
    far = replace(
        DAILY,
        start=start,
        end=start + timedelta(hours=1),
        time_zone="UTC",
        rule=RecurrenceRule(frequency=Frequency.DAILY, count=2),
    )
    form = "%Y%m%dT%H%M%SZ"
    first, second = start.strftime(form), (start + timedelta(days=1)).strftime(form)
    given = rule.format(first=first, next=second)
    stored = edited(world, far, ("FREQ=DAILY;COUNT=2", given))
    assert stored.rule is not None
    assert (stored.rule == far.rule) == same


def test_another_end_is_a_change(world: World) -> None:
    stored = edited(world, DAILY, ("COUNT=10", "COUNT=9"))
    assert stored.rule == RecurrenceRule(frequency=Frequency.DAILY, count=9)


def test_a_text_that_lost_its_markup_is_no_change(world: World) -> None:
    ref = world.add(DAILY)
    phone = world.phone(store="calendar", media_type=CALENDAR)
    phone.sync()
    (luid,) = phone.items
    kept = [one for one in phone.items[luid].splitlines() if not one.startswith("X-ALT-DESC")]
    phone.items[luid] = "\r\n".join(kept).replace("SUMMARY:Standup", "SUMMARY:Daily")
    phone.sync()
    stored = world.get(ref, Kind.EVENT)
    assert isinstance(stored, Event)
    assert (stored.title, stored.body) == ("Daily", DAILY.body)


def test_a_text_that_repeats_the_title_is_none(world: World) -> None:
    plain = Event(title="Lunch", start=DAILY.start, end=DAILY.end)
    stored = edited(world, plain, ("SUMMARY:Lunch", "SUMMARY:Dinner\r\nDESCRIPTION:Dinner"))
    assert (stored.title, stored.body) == ("Dinner", None)


def test_absences_travel_as_entries_and_keep_what_only_the_crm_knows(world: World) -> None:
    away = Absence(
        uid="away",
        title="Leave",
        start=datetime(2026, 12, 21),
        end=datetime(2026, 12, 24),
        absence_kind="sick",
        message="Back on Thursday",
    )
    ref = world.add(away)
    phone = world.phone(store="absence", media_type=CALENDAR)
    phone.sync()
    ((luid, text),) = phone.items.items()
    assert "SUMMARY:Absent" in text
    for word in ("sick", "Leave", "Thursday"):
        assert word not in text, "when, never why"
    phone.items[luid] = text.replace("DTEND;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20261223")
    phone.items["2"] = text.replace("UID:away", "UID:other").replace("Absent", "Again")
    phone.sync()
    stored = world.get(ref, Kind.ABSENCE)
    assert isinstance(stored, Absence)
    assert (stored.absence_kind, stored.end) == ("sick", datetime(2026, 12, 23))
    assert (stored.title, stored.message) == ("Leave", "Back on Thursday")
    assert world.names(Kind.ABSENCE) == ["Again", "Leave"]


def test_stores_are_found_under_many_names(world: World) -> None:
    for name in ("./calendar", "calendar?x=1", "CALENDAR", "events", "cal", "./events/"):
        phone = Phone(world.server, store=name, media_type=CALENDAR)
        phone.begin()
        assert [c for c in phone.reply.body if getattr(c, "code", 0) == 201], name
    assert set(STORES) == {"addressbook", "calendar", "todo", "absence", "mail"}
