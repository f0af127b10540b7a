"""A series that gets other times loses its changed occurrences; cut off then, they come back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx2
import msgspec
import pytest

from accord.groupware.exchange.client import field, occurrence
from accord.groupware.exchange.session import ExchangeSession
from accord.groupware.exchange.wire import t
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.model.observe import Seen, Snapshot, Unknown
from accord.model.recurrence import Frequency, Override, RecurrenceRule
from accord.ports.adapter import Ask, Revision
from accord.ports.errors import Rejected, Stale
from accord.ports.http import Unanswered
from accord.testing.place import Place, done, revise
from accord.testing.samples import BERLIN, at
from tests.unit.exchange.bridge import Rig, said

BEGIN = at("2026-03-02T09:00")
DAYS = [BEGIN + timedelta(weeks=number) for number in range(4)]
LATER = timedelta(hours=2)


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    monkeypatch.setattr("accord.groupware.exchange.http.ATTEMPTS", 1)
    made = Rig()
    yield made
    made.close()


def series(begin: timedelta = timedelta()) -> Event:
    """Return a series with a changed occurrence, a deleted and another changed one."""
    return Event(
        title="Stand-up",
        start=BEGIN + begin,
        end=BEGIN + begin + timedelta(hours=1),
        time_zone=BERLIN,
        rule=RecurrenceRule(frequency=Frequency.WEEKLY, count=4),
        exdates=(DAYS[2] + begin,),
        overrides=(
            Override(recurrence_id=DAYS[1] + begin, location="Room 1"),
            Override(recurrence_id=DAYS[3] + begin, location="Room 3"),
        ),
    )


def moved(before: Snapshot) -> Revision:
    """Ask for the whole series to be two hours later, with all its occurrences."""
    names = ("start", "end", "exdates", "overrides")
    return revise(before, **{name: getattr(series(LATER), name) for name in names})


def cut_off(rig: Rig, place: Place, writes: int) -> tuple[Snapshot, Revision]:
    """Return a series whose change was cut off after so many writes."""
    (before,) = place.create(series())
    left = [writes]

    def dead(name: str, body: bytes) -> httpx2.Response | None:
        if name in ("UpdateItem", "DeleteItem"):
            left[0] -= 1
            if left[0] < 0:
                raise httpx2.ReadError("the connection is gone")
        return None

    rig.bridge.before.append(dead)
    revision = moved(before)
    with pytest.raises(Unanswered):
        place.update(revision)
    rig.bridge.before.clear()
    return before, revision


def shape(item: Any) -> tuple[Any, ...]:
    names = ("start", "end", "rule", "exdates", "overrides")
    return tuple(getattr(item, name) for name in names)


@pytest.mark.parametrize("writes", [1, 2, 3])
def test_a_move_cut_off_is_completed(rig: Rig, writes: int) -> None:
    with rig.place(Kind.EVENT) as place:
        before, revision = cut_off(rig, place, writes)
        (there,) = place.fetch(Ask(ref=before.ref))
        assert isinstance(there, Unknown) and there.half, "nobody takes it for a person's wish"
        again = msgspec.structs.replace(revision, version=there.version, half=True)
        written = done(place.update(again)[0])
        assert written.snapshot is not None
        assert shape(written.snapshot.item) == shape(series(LATER))
        (there,) = place.fetch(Ask(ref=before.ref))
        assert isinstance(there, Seen) and there.snapshot.version == written.version
    assert rig.exchange.mails() == []


def test_what_a_person_did_meanwhile_stays(rig: Rig) -> None:
    with rig.place(Kind.EVENT) as place:
        before, revision = cut_off(rig, place, 1)
        _by_hand(place, before.ref, 4, "By hand")
        (there,) = place.fetch(Ask(ref=before.ref))
        assert isinstance(there, Unknown)
        again = msgspec.structs.replace(revision, version=there.version, half=True)
        item = done(place.update(again)[0]).snapshot
        assert item is not None and isinstance(item.item, Event)
        assert [one.location for one in item.item.overrides] == ["Room 1", "By hand"]
        assert item.item.exdates == series(LATER).exdates


@pytest.mark.parametrize("half", [False, True])
def test_a_move_whose_occurrence_is_refused_is_taken_back(rig: Rig, half: bool) -> None:
    with rig.place(Kind.EVENT) as place:
        if half:
            before, revision = cut_off(rig, place, 1)
            (there,) = place.fetch(Ask(ref=before.ref))
            assert isinstance(there, Unknown)
            revision = msgspec.structs.replace(revision, version=there.version, half=True)
        else:
            (before,) = place.create(series())
            revision = moved(before)
        rig.bridge.before.append(_once(b"OccurrenceItemId", "UpdateItem"))
        (answer,) = place.update(revision)
        assert isinstance(answer, Rejected), answer
        (there,) = place.fetch(Ask(ref=before.ref))
        assert isinstance(there, Seen)
        assert shape(there.snapshot.item) == shape(series())
    assert rig.exchange.mails() == []


# What somebody does to an occurrence between the writes of one change.


def placed(before: Snapshot) -> Revision:
    """Ask for other places of two occurrences."""
    there = {1: "Room 1b", 3: "Room 3b"}
    overrides = tuple(Override(recurrence_id=DAYS[n], location=there[n]) for n in there)
    return revise(before, overrides=overrides)


def quicker(rig: Rig, place: Place, ref: str, part: bytes, number: int, turn: int = 1) -> None:
    """Let a person change an occurrence right before a write that holds `part` for that time."""
    first(rig, part, lambda: _by_hand(place, ref, number, "By hand"), turn)


def first(rig: Rig, part: bytes, act: Callable[[], None], turn: int = 1) -> None:
    """Let something happen right before a write that holds `part` for that time."""
    left = [turn]

    def meanwhile(name: str, body: bytes) -> httpx2.Response | None:
        if name == "UpdateItem" and part in body:
            left[0] -= 1
            if left[0] == 0:
                act()
        return None

    rig.bridge.before.append(meanwhile)


def locations(place: Place, ref: str) -> list[Any]:
    item = place.read(ref).item
    assert isinstance(item, Event)
    return [one.location for one in item.overrides]


@pytest.mark.parametrize(
    ("turn", "number", "there"),
    [
        (1, 2, ["By hand", "Room 3"]),
        (1, 4, ["Room 1", "By hand"]),
        (2, 4, ["Room 1b", "By hand"]),
    ],
)
def test_an_occurrence_changed_between_the_writes_is_not_overwritten(
    rig: Rig, turn: int, number: int, there: list[str]
) -> None:
    with rig.place(Kind.EVENT) as place:
        (before,) = place.create(series())
        quicker(rig, place, before.ref, b"OccurrenceItemId", number, turn)
        (answer,) = place.update(placed(before))
        assert isinstance(answer, Stale), answer
        assert locations(place, before.ref) == there


def test_an_occurrence_changed_before_the_last_write_shows_as_changed(rig: Rig) -> None:
    with rig.place(Kind.EVENT) as place:
        (before,) = place.create(series())
        quicker(rig, place, before.ref, b"DeleteItemField", 2, turn=2)
        written = done(place.update(placed(before))[0])
        assert locations(place, before.ref) == ["By hand", "Room 3b"]
        assert written.version not in ("", place.read(before.ref).version)


def test_an_occurrence_of_a_moved_series_changed_between_the_writes_stays(rig: Rig) -> None:
    with rig.place(Kind.EVENT) as place:
        item = msgspec.structs.replace(series(), exdates=())
        (before,) = place.create(item)
        quicker(rig, place, before.ref, b"OccurrenceItemId", 4)
        later = msgspec.structs.replace(series(LATER), exdates=())
        changed = revise(before, start=later.start, end=later.end, overrides=later.overrides)
        written = done(place.update(changed)[0])
        assert locations(place, before.ref) == ["Room 1", "By hand"]
        assert written.version != place.read(before.ref).version


@pytest.mark.parametrize("exdates", [(), (DAYS[2],)])
def test_an_occurrence_of_a_moved_series_deleted_between_the_writes_shows_as_deleted(
    rig: Rig, exdates: tuple[datetime, ...]
) -> None:
    with rig.place(Kind.EVENT) as place:
        (before,) = place.create(msgspec.structs.replace(series(), exdates=exdates))
        gone = tuple(day + LATER for day in exdates)
        later = msgspec.structs.replace(series(LATER), exdates=gone)
        first(rig, b"OccurrenceItemId", lambda: _deleted_by_hand(place, before.ref, 4))
        changed = revise(
            before, start=later.start, end=later.end, overrides=later.overrides, exdates=gone
        )
        written = done(place.update(changed)[0])
        there = place.read(before.ref)
        assert isinstance(there.item, Event)
        assert there.item.exdates == (*gone, DAYS[3] + LATER)
        assert locations(place, before.ref) == ["Room 1"]
        assert written.version != there.version


@pytest.mark.parametrize("number", [0, 2])
def test_what_else_is_changed_between_the_writes_shows_as_changed(rig: Rig, number: int) -> None:
    """Where an occurrence is deleted there is no version to go by from then on."""
    with rig.place(Kind.EVENT) as place:
        (before,) = place.create(series())
        quicker(rig, place, before.ref, b"DeleteItemField", number, turn=2)
        asked = revise(before, exdates=(DAYS[0], DAYS[2]))
        written = done(place.update(asked)[0])
        assert written.version != place.read(before.ref).version
        assert locations(place, before.ref)[0] == ("By hand" if number else "Room 1")


def test_a_series_renamed_between_the_writes_is_planned_again(rig: Rig) -> None:
    with rig.place(Kind.EVENT) as place:
        (before,) = place.create(series())
        quicker(rig, place, before.ref, b"OccurrenceItemId", 0)
        (answer,) = place.update(placed(before))
        assert isinstance(answer, Stale), answer
        assert place.read(before.ref).item.title == "By hand"  # type: ignore[union-attr]
        assert locations(place, before.ref) == ["Room 1", "Room 3"]


def test_a_series_moved_by_hand_while_it_was_cut_off_shows_as_changed(rig: Rig) -> None:
    with rig.place(Kind.EVENT) as place:
        before, revision = cut_off(rig, place, 1)
        _moved_by_hand(place, before.ref)
        (there,) = place.fetch(Ask(ref=before.ref))
        assert isinstance(there, Unknown)
        again = msgspec.structs.replace(revision, version=there.version, half=True)
        written = done(place.update(again)[0])
        assert written.version != place.read(before.ref).version


def test_very_many_occurrences_are_written_at_once(rig: Rig) -> None:
    days = [BEGIN + timedelta(days=number) for number in range(30)]
    rule = RecurrenceRule(frequency=Frequency.DAILY, count=30)
    with rig.place(Kind.EVENT) as place:
        plain = msgspec.structs.replace(series(), rule=rule, exdates=(), overrides=())
        (before,) = place.create(plain)
        sent = rig.bridge.names().count("UpdateItem")
        rooms = tuple(Override(recurrence_id=day, location=f"Room {day.day}") for day in days)
        done(place.update(revise(before, overrides=rooms))[0])
        assert len(locations(place, before.ref)) == 30
        assert rig.bridge.names().count("UpdateItem") - sent < 10


def test_a_server_that_counts_occurrences_in_another_way_is_written_to_all_the_same(
    rig: Rig,
) -> None:
    def conflict(name: str, body: bytes) -> httpx2.Response | None:
        if name == "UpdateItem" and b"OccurrenceItemId" in body and b"NeverOverwrite" in body:
            return httpx2.Response(200, content=said("ErrorIrresolvableConflict", name))
        return None

    with rig.place(Kind.EVENT) as place:
        (before,) = place.create(series())
        rig.bridge.before.append(conflict)
        written = done(place.update(placed(before))[0])
        assert locations(place, before.ref) == ["Room 1b", "Room 3b"]
        assert written.version == place.read(before.ref).version


def _moved_by_hand(place: Place, ref: str) -> None:
    """Let the whole series be half an hour longer, as a person does."""
    assert isinstance(place.session, ExchangeSession)
    end = (BEGIN + LATER + timedelta(hours=1, minutes=30)).isoformat() + "+01:00"
    value = t("SetItemField", field("calendar:End"))
    value.append(t("CalendarItem", t("End", end)))
    change = t("ItemChange", t("ItemId", Id=ref), t("Updates", value))
    (answer,) = place.session._client.update([change], notify=False, overwrite=True)
    assert answer.error is None


def _by_hand(place: Place, ref: str, number: int, text: str) -> None:
    """Write a place into an occurrence, as a person does, or a title into the series (number 0)."""
    assert isinstance(place.session, ExchangeSession)
    name, path = ("Location", "calendar:Location") if number else ("Subject", "item:Subject")
    value = t("SetItemField", field(path))
    value.append(t("CalendarItem", t(name, text)))
    which = occurrence(ref, number) if number else t("ItemId", Id=ref)
    change = t("ItemChange", which, t("Updates", value))
    (answer,) = place.session._client.update([change], notify=False, overwrite=True)
    assert answer.error is None


def _deleted_by_hand(place: Place, ref: str, number: int) -> None:
    """Delete an occurrence, as a person does."""
    assert isinstance(place.session, ExchangeSession)
    (answer,) = place.session._client.delete([occurrence(ref, number)], notify=False)
    assert answer.error is None


def _once(part: bytes, operation: str) -> Callable[[str, bytes], httpx2.Response | None]:
    """Refuse the next request of that kind, whatever it holds."""
    left = [1]

    def refuse(name: str, body: bytes) -> httpx2.Response | None:
        if name == operation and part in body and left[0]:
            left[0] -= 1
            count = body.count(b"<t:ItemChange>")
            answer = said("ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange", operation)
            one = answer[answer.index(b"<m:UpdateItemResponseMessage ") :]
            one = one[: one.index(b"</m:ResponseMessages>")]
            return httpx2.Response(200, content=answer.replace(one, one * count))
        return None

    return refuse
