"""What the CRM takes in: a check of every item before it is stored, and its completion.

Refusals are `Rejected`, with a sentence that says what to change.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, time
from typing import Any

from msgspec import UNSET

from accord.crm.database.errors import refusal
from accord.crm.database.traits import TRAITS
from accord.model.canonical import encode
from accord.model.diff import normalise, patch
from accord.model.item import Absence, Event, Item, Task, kind_of
from accord.model.kinds import Kind
from accord.model.parts import Person
from accord.model.recurrence import RecurrenceRule, wrong_with
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
            _check_rule(item.rule)
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
    if item.all_day:
        _check_days(item.start, item.end)
        if item.start == item.end:
            raise refusal("times", f"all day: the end is the day after the last, not {item.end}")
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
        if event.all_day if one.all_day is UNSET else one.all_day:
            _check_days(*(each for each in (one.start, one.end) if each is not UNSET))
        start = one.recurrence_id if one.start is UNSET else one.start
        if one.end is not UNSET and _instant(one.end, end_zone or zone) < _instant(start, zone):
            text = f"the occurrence of {one.recurrence_id} ends ({one.end}) before it begins"
            raise refusal("times", text)
    if event.overrides and not event.recurs:
        raise refusal("times", "an occurrence is changed of an entry that doesn't repeat")


def _check_task(task: Task) -> None:
    for value in (task.start, task.due):
        if value is not None:
            _check_local(value)
    if task.completed is not None and task.completed.tzinfo is None:
        text = f"the time of completion needs a time zone; write {task.completed.isoformat()}Z"
        raise refusal("times", text)
    if task.completed is not None:
        _in_utc(task.completed)
    if not 0 <= task.percent <= 100:
        raise refusal("number", f"{task.percent} percent done")
    _check_zone(task.time_zone)
    for value in (task.start, task.due):
        if value is not None:
            _instant(value, task.time_zone)
    if task.all_day:
        _check_days(*(each for each in (task.start, task.due) if each is not None))
    if task.rule is not None and task.start is None and task.due is None:
        raise refusal("times", "a task that repeats needs a start or a due date")
    _check_rule(task.rule)


def _check_rule(rule: RecurrenceRule | None) -> None:
    if rule is None:
        return
    why = wrong_with(rule)
    if why:
        raise refusal("rule", f"the recurrence: {why}")
    if rule.until is not None:
        _check_local(rule.until)


def _check_days(*values: datetime) -> None:
    for value in values:
        if value.time() != time.min:
            raise refusal("times", f"all day: {value} must be midnight, its date alone counts")


def _check_local(value: Any) -> None:
    if value.tzinfo is not None:
        written = value.replace(tzinfo=None).isoformat()
        text = f"{value} is not a wall-clock time; write {written}, the zone in time_zone"
        raise refusal("times", text)


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
