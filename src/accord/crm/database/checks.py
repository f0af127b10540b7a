"""What the CRM takes in: a check of every item before it is stored, and its completion.

Refusals are `Rejected`, with a sentence that says what to change.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from msgspec import UNSET

from accord.crm.database.errors import refusal
from accord.crm.database.traits import TRAITS
from accord.model.canonical import encode
from accord.model.diff import normalise, patch
from accord.model.item import Absence, Event, Item, Task, kind_of
from accord.model.kinds import Kind
from accord.model.parts import Person
from accord.model.zones import UnknownZone, instant, zone

LARGEST = 8_000_000
"""The most bytes of canonical JSON one record may have."""

_NUMBERS = range(-(2**31), 2**31)


def accepted(kind: Kind, item: Item) -> Item:
    """Return the item as the CRM stores it, with a uid; raises Rejected for what it can't."""
    if kind_of(item) is not kind:
        raise refusal("wrong-kind", f"this is {kind_of(item)}, not {kind}")
    _check_size(item)
    match item:
        case Event():
            _check_zone(item.end_time_zone)
            _check_times(item, item.end_time_zone or item.time_zone)
            _check_overrides(item)
        case Absence():
            _check_times(item, item.time_zone)
        case Task():
            _check_task(item)
        case _:
            pass
    for name in ("priority", "sequence"):
        if getattr(item, name, 0) not in _NUMBERS:
            raise refusal("number", f"{name} is out of range")
    stored = normalise(item, TRAITS.kinds[kind])
    return stored if stored.uid else patch(stored, {"uid": f"{uuid.uuid4()}@accord"})


def organized(item: Item, owner: Person) -> Item:
    """Return a meeting with its organizer: the record's owner where nobody is named."""
    if isinstance(item, Event) and item.attendees and item.organizer is None and owner.address:
        return patch(item, {"organizer": owner})
    return item


def _check_size(item: Item) -> None:
    try:
        size = len(encode(item))
    except UnicodeEncodeError as error:
        raise refusal("text", "a text holds half a character") from error
    if size > LARGEST:
        raise refusal("too-large", f"the record would have {size:,} bytes of {LARGEST:,}")


def _check_times(item: Event | Absence, end_zone: str | None) -> None:
    for value in (item.start, item.end):
        _check_local(value)
    _check_zone(item.time_zone)
    if _instant(item.end, end_zone) < _instant(item.start, item.time_zone):
        raise refusal("times", f"it ends ({item.end}) before it begins ({item.start})")


def _check_overrides(event: Event) -> None:
    """Look at the times of changed and extra occurrences, each in the zone that it is told in."""
    for when in (*event.rdates, *event.exdates):
        _check_local(when)
        _instant(when, event.time_zone)
    for one in event.overrides:
        zone = event.time_zone if one.time_zone is UNSET else one.time_zone
        end_zone = event.end_time_zone if one.end_time_zone is UNSET else one.end_time_zone
        _check_zone(zone)
        _check_zone(end_zone)
        _check_local(one.recurrence_id)
        _instant(one.recurrence_id, event.time_zone)
        for value, where in ((one.start, zone), (one.end, end_zone or zone)):
            if value is not UNSET:
                _check_local(value)
                _instant(value, where)


def _check_task(task: Task) -> None:
    for value in (task.start, task.due):
        if value is not None:
            _check_local(value)
    if task.completed is not None and task.completed.tzinfo is None:
        raise refusal("times", "the time of completion needs a time zone")
    if task.completed is not None:
        _in_utc(task.completed)
    if not 0 <= task.percent <= 100:
        raise refusal("number", f"{task.percent} percent done")
    _check_zone(task.time_zone)
    for value in (task.start, task.due):
        if value is not None:
            _instant(value, task.time_zone)


def _check_local(value: Any) -> None:
    if value.tzinfo is not None:
        raise refusal("times", f"{value} is not a wall-clock time")


def _instant(local: datetime, time_zone: str | None) -> datetime:
    try:
        return instant(local, time_zone)
    except OverflowError as error:
        text = f"{local} in {time_zone} lies beyond the calendar"
        raise refusal("times", text) from error


def _in_utc(moment: datetime) -> None:
    try:
        moment.astimezone(UTC)
    except OverflowError as error:
        raise refusal("times", f"{moment} lies beyond the calendar") from error


def _check_zone(name: str | None) -> None:
    if name is None:
        return
    try:
        zone(name)
    except UnknownZone as error:
        raise refusal("zone", str(error)) from error
