"""Occurrences as entries of their own, for series that Exchange has no pattern for.

An adapter writes those of a window and moves the window on; each keeps what its override says.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from accord.model.item import Event, Task
from accord.model.occurrences import LIMIT, Occurrence, occurrences
from accord.model.recurrence import Override


class Single(Struct, frozen=True, kw_only=True):
    """Be one occurrence as an item that doesn't repeat.

    `recurrence_id` is its original start in the series' zone: with the series it is its lasting
    identity, whatever its own start.
    """

    recurrence_id: datetime
    item: Event | Task


def singles(
    item: Event | Task, start: datetime, end: datetime, *, limit: int = LIMIT
) -> tuple[Single, ...]:
    """Return the occurrences that touch the aware span from `start` to before `end`, by start.

    An item that doesn't repeat has none. The uid is that of the series with the recurrence id,
    always the same for the same occurrence. Raises TooMany (model.occurrences).
    """
    if item.rule is None and not (isinstance(item, Event) and item.rdates):
        return ()
    found = occurrences(item, start, end, limit=limit)
    return tuple(
        Single(recurrence_id=one.recurrence_id or one.start, item=_single(item, one))
        for one in found
    )


def single_uid(uid: str, recurrence_id: datetime) -> str:
    """Return the uid of an occurrence that is an entry of its own."""
    return f"{uid}_{recurrence_id:%Y%m%dT%H%M%S}" if uid else ""


def _single(item: Event | Task, one: Occurrence) -> Event | Task:
    uid = single_uid(item.uid, one.recurrence_id or one.start)
    if isinstance(item, Task):
        return _single_task(item, one, uid)
    values: dict[str, Any] = {
        "uid": uid,
        "start": one.start,
        "end": one.end,
        "time_zone": one.time_zone,
        "end_time_zone": one.end_time_zone,
        "all_day": one.all_day,
        "rule": None,
        "rdates": (),
        "exdates": (),
        "overrides": (),
    }
    if one.override is not None:
        values |= _changes(item, one.override)
    return msgspec.structs.replace(item, **values)


def _single_task(task: Task, one: Occurrence, uid: str) -> Task:
    """Return the task of one occurrence: what it hasn't, start or due date, it doesn't get."""
    length: timedelta = one.end - one.start
    start = one.start if task.start is not None else None
    due = one.start + length if task.due is not None else None
    return msgspec.structs.replace(task, uid=uid, start=start, due=due, rule=None, exdates=())


def _changes(item: Event, override: Override) -> dict[str, Any]:
    """Return what an override says beside the time, which the occurrence has already."""
    values: dict[str, Any] = {}
    for name in override.__struct_fields__:
        value = getattr(override, name)
        if name in _TIMES or value is UNSET:
            continue
        values[name] = value
    if "extras" in values:
        merged = item.extras | values["extras"]
        values["extras"] = {key: value for key, value in merged.items() if value is not None}
    return values


_TIMES = {"recurrence_id", "start", "end", "time_zone", "end_time_zone", "all_day"}
