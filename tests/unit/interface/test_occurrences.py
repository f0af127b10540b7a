"""Changed occurrences of a series reach devices as entries of their own, and come back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from accord.crm.memory import MemoryCrm
from accord.interface.server.unfolding import Unfolded, series_of
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.model.observe import Seen
from accord.model.recurrence import EventStatus, Frequency, Override, RecurrenceRule
from accord.ports.adapter import Ask, Question, Removal, Revision, Written
from accord.ports.errors import Gone, Stale
from tests.unit.interface.phone import CALENDAR, Phone
from tests.unit.interface.world import World, make_world

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FIRST = datetime(2026, 12, 7, 9)
MOVED = Override(
    recurrence_id=FIRST + DAY,
    start=FIRST + DAY + 3 * HOUR,
    end=FIRST + DAY + 5 * HOUR,
    title="Moved",
)
RENAMED = Override(recurrence_id=FIRST + 2 * DAY, title="Renamed", location="Cellar")
SERIES = Event(
    uid="daily",
    title="Daily",
    start=FIRST,
    end=FIRST + HOUR,
    time_zone="Europe/Berlin",
    location="Attic",
    rule=RecurrenceRule(frequency=Frequency.DAILY, count=10),
    overrides=(MOVED, RENAMED),
)
ALL = ["Daily", "Moved", "Renamed"]


@pytest.fixture(params=["memory", "database"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with make_world(request.param) as world:
        yield world


def synced(world: World, event: Event = SERIES, **options: Any) -> tuple[Phone, str]:
    """Return a phone that has a series, and our ref of it."""
    ref = world.add(event)
    phone = world.phone(store="calendar", **{"media_type": CALENDAR, **options})
    phone.sync()
    return phone, ref


def stored(world: World, ref: str) -> Event:
    found = world.get(ref, Kind.EVENT)
    assert isinstance(found, Event)
    return found


def rewrite(phone: Phone, name: str, old: str, new: str) -> None:
    luid = phone.luid(name)
    assert old in phone.items[luid], phone.items[luid]
    phone.items[luid] = phone.items[luid].replace(old, new)


def settled(world: World, phone: Phone, names: list[str]) -> None:
    """Sync once more: nothing is left to say, and nothing is there twice."""
    phone.sync()
    before = dict(phone.items)
    phone.sync()
    assert phone.codes == {}
    assert phone.items == before
    assert phone.names == names
    assert world.notes("conflict") == world.notes("unsent") == []


@pytest.mark.parametrize("media_type", [CALENDAR, "text/x-vcalendar"])
def test_each_is_an_entry_of_its_own(world: World, media_type: str) -> None:
    phone, ref = synced(world, media_type=media_type)
    assert phone.names == ALL
    texts = {name: phone.items[phone.luid(name)] for name in ALL}
    assert all(text.count("BEGIN:VEVENT") == 1 for text in texts.values())
    assert "RRULE" in texts["Daily"].partition("BEGIN:VEVENT")[2]
    assert texts["Daily"].count("EXDATE") >= 1
    for name, when in (("Moved", "20261208T"), ("Renamed", "20261209T")):
        entry = texts[name].partition("BEGIN:VEVENT")[2]
        assert f"{when}" in entry
        assert not any(word in entry for word in ("RRULE", "EXDATE", "RECURRENCE-ID"))
    assert "LOCATION:Cellar" in texts["Renamed"]
    assert "LOCATION:Attic" in texts["Moved"]
    uids = {line for text in texts.values() for line in text.splitlines() if line[:3] == "UID"}
    assert len(uids) == 3
    settled(world, phone, ALL)
    assert stored(world, ref) == SERIES


def test_what_a_device_makes_of_one_is_made_of_that_one(world: World) -> None:
    phone, ref = synced(world)
    rewrite(phone, "Moved", "SUMMARY:Moved", "SUMMARY:Once more")
    rewrite(phone, "Renamed", "20261209T090000", "20261209T080000")
    phone.sync()
    assert set(phone.codes.values()) == {200}
    now = stored(world, ref)
    assert now == replace(
        SERIES,
        overrides=(
            replace(MOVED, title="Once more"),
            replace(RENAMED, start=RENAMED.recurrence_id - HOUR, end=RENAMED.recurrence_id + HOUR),
        ),
        sequence=now.sequence,
    )
    settled(world, phone, ["Daily", "Once more", "Renamed"])


def test_series_and_occurrence_may_change_together(world: World) -> None:
    phone, ref = synced(world)
    rewrite(phone, "Moved", "SUMMARY:Moved", "SUMMARY:Once more")
    rewrite(phone, "Daily", "SUMMARY:Daily", "SUMMARY:Each day")
    # The occurrence comes first.
    phone.items = dict(reversed(phone.items.items()))
    phone.sync()
    assert set(phone.codes.values()) == {200}
    now = stored(world, ref)
    assert (now.title, now.overrides[0].title) == ("Each day", "Once more")
    settled(world, phone, ["Each day", "Once more", "Renamed"])


def test_one_that_is_deleted_on_the_device_is_left_out(world: World) -> None:
    phone, ref = synced(world)
    luid = phone.luid("Moved")
    del phone.items[luid]
    phone.sync()
    assert phone.codes == {luid: 200}
    now = stored(world, ref)
    assert (now.overrides, now.exdates) == ((RENAMED,), (MOVED.recurrence_id,))
    settled(world, phone, ["Daily", "Renamed"])


def test_what_becomes_of_one_in_the_crm_becomes_of_it_on_the_device(world: World) -> None:
    phone, ref = synced(world, replace(SERIES, overrides=(RENAMED,)))
    assert phone.names == ["Daily", "Renamed"]
    world.edit(ref, Kind.EVENT, overrides=(MOVED, replace(RENAMED, title="Again")))
    phone.sync()
    assert phone.names == ["Again", "Daily", "Moved"]
    world.edit(ref, Kind.EVENT, overrides=(MOVED,))
    phone.sync()
    assert phone.names == ["Daily", "Moved"]
    off = Override(recurrence_id=MOVED.recurrence_id, status=EventStatus.CANCELLED)
    world.edit(ref, Kind.EVENT, overrides=(off,))
    phone.sync()
    settled(world, phone, ["Daily"])
    assert "20261208T090000" in phone.items[phone.luid("Daily")]


def test_they_go_with_their_series(world: World) -> None:
    phone, ref = synced(world)
    world.delete(ref, Kind.EVENT)
    phone.sync()
    assert phone.names == []


def test_they_go_with_a_series_that_the_device_deletes(world: World) -> None:
    phone, _ = synced(world)
    del phone.items[phone.luid("Daily")]
    phone.sync()
    assert world.names(Kind.EVENT) == phone.names == []


def test_a_device_may_delete_all_at_once(world: World) -> None:
    phone, _ = synced(world)
    phone.items.clear()
    phone.sync()
    assert set(phone.codes.values()) == {200}
    settled(world, phone, [])
    assert world.names(Kind.EVENT) == []


def test_both_sides_may_change_one(world: World) -> None:
    phone, ref = synced(world)
    world.edit(ref, Kind.EVENT, overrides=(replace(MOVED, location="Roof"), RENAMED))
    rewrite(phone, "Moved", "SUMMARY:Moved", "SUMMARY:Once more")
    phone.sync()
    assert list(phone.codes.values()) == [207]
    (one, _) = stored(world, ref).overrides
    assert (one.title, one.location) == ("Once more", "Roof")
    assert "LOCATION:Roof" in phone.items[phone.luid("Once more")]
    settled(world, phone, ["Daily", "Once more", "Renamed"])


@pytest.mark.parametrize("forgotten", [False, True])
def test_where_all_is_compared_they_are_recognized(world: World, forgotten: bool) -> None:
    phone, ref = synced(world)
    if forgotten:
        world.forget()
    phone.sync(201)
    assert set(phone.codes.values()) == {200}
    settled(world, phone, ALL)
    assert stored(world, ref) == SERIES
    assert world.names(Kind.EVENT) == ["Daily"]


def test_one_is_found_by_the_uid_that_it_was_given(world: World) -> None:
    ref = world.add(SERIES)
    uids = ["daily", "daily#occurrence=20261208T090000", "daily#occurrence=20261211T090000"]
    with world.crm.open("anna") as inner:
        crm = Unfolded(inner, lambda: ())
        found = crm.lookup("", Kind.EVENT, [Question(key="none", uid=uid) for uid in uids])
    refs = [[one.ref for one in each] for each in found]
    assert refs == [[ref], [f"{ref}#occurrence=20261208T090000"], []]


def test_one_that_changed_meanwhile_is_left_as_it_is(world: World) -> None:
    ref = f"{world.add(SERIES)}#occurrence=20261208T090000"
    with world.crm.open("anna") as inner:
        crm = Unfolded(inner, lambda: ())
        (seen,) = crm.fetch("", Kind.EVENT, [Ask(ref=ref)])
        assert isinstance(seen, Seen)
        before = seen.snapshot
        after = replace(before.item, title="Again")
        changed = Revision(
            ref=ref, version=before.version, before=before.item, after=after, changed=("title",)
        )
        (first,) = crm.update("", Kind.EVENT, [changed])
        assert isinstance(first, Written)
        assert first.version not in ("", before.version)
        (second,) = crm.update("", Kind.EVENT, [changed])
        (third,) = crm.delete("", Kind.EVENT, [Removal(ref=ref, version=before.version)])
        assert isinstance(second, Stale)
        assert isinstance(third, Stale)
        (gone,) = crm.delete("", Kind.EVENT, [Removal(ref=ref, version=first.version)])
        assert isinstance(gone, Written)
        (late,) = crm.update("", Kind.EVENT, [changed])
        assert isinstance(late, Gone)


def test_what_one_occurrence_alone_can_not_be_comes_back_as_it_was(world: World) -> None:
    phone, ref = synced(world)
    rewrite(phone, "Moved", "SUMMARY:Moved", "URL:https://example.com\r\nSUMMARY:Once more")
    phone.sync()
    assert stored(world, ref).overrides[0].title == "Once more"
    assert "URL:" not in phone.items[phone.luid("Once more")]
    settled(world, phone, ["Daily", "Once more", "Renamed"])


def test_one_that_is_as_the_series_says_again_stays_an_entry(world: World) -> None:
    phone, ref = synced(world, replace(SERIES, overrides=(RENAMED,)))
    rewrite(phone, "Renamed", "LOCATION:Cellar", "LOCATION:Attic")
    rewrite(phone, "Renamed", "SUMMARY:Renamed", "SUMMARY:Daily")
    phone.sync()
    settled(world, phone, ["Daily", "Daily"])
    (one,) = stored(world, ref).overrides
    assert (one.title, one.location) == (UNSET, UNSET)


def test_a_device_that_never_had_them_takes_none_away(world: World) -> None:
    ref = world.add(SERIES)
    phone = world.phone(store="calendar", media_type=CALENDAR)
    phone.sync()
    other = world.phone("phone-2", store="calendar", media_type=CALENDAR)
    other.items = {"1": phone.items[phone.luid("Daily")]}
    other.last = phone.last
    other.sync(203)
    assert stored(world, ref).overrides == SERIES.overrides
    del phone.items[phone.luid("Moved")]
    phone.sync(203)
    assert stored(world, ref).overrides == (RENAMED,)
    assert stored(world, ref).exdates == (MOVED.recurrence_id,)


def test_a_device_that_has_nothing_takes_them_away_with_their_series(world: World) -> None:
    phone, _ = synced(world)
    phone.items.clear()
    phone.sync(203)
    assert world.names(Kind.EVENT) == []
    assert world.notes("refused") == []


def test_two_devices_have_the_same(world: World) -> None:
    one, ref = synced(world)
    other = world.phone("phone-2", store="calendar", media_type=CALENDAR)
    other.sync()
    rewrite(other, "Moved", "SUMMARY:Moved", "SUMMARY:Once more")
    for phone in (other, one, other):
        phone.sync()
    assert one.names == other.names == ["Daily", "Once more", "Renamed"]
    assert stored(world, ref).overrides[0].title == "Once more"


def test_they_leave_the_user_s_scope_with_their_series() -> None:
    with make_world() as world:
        phone, ref = synced(world)
        assert isinstance(world.crm, MemoryCrm)
        world.crm.person("bob")
        world.crm.person("anna").reassign(ref, "bob")
        phone.sync()
        assert phone.names == []


def test_only_what_says_so_is_an_occurrence() -> None:
    assert series_of("r#1#occurrence=20261208T090000") == "r#1"
    for ref in ("", "r1", "#occurrence=20261208T090000", "r1#occurrence=2026", "r1#occurrence="):
        assert series_of(ref) == ""
