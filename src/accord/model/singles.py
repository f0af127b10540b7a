"""Occurrences of a series as entries of their own, there and back.

For a side that can't say how a series repeats. Each keeps what its override says, and becomes an
override again where it is changed.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from accord.model.fields import same
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.model.occurrences import LIMIT, Occurrence, occurrences
from accord.model.parts import links
from accord.model.recurrence import Override
from accord.model.zones import instant


class Single(Struct, frozen=True, kw_only=True):
    """Be one occurrence as an entry that doesn't repeat.

    `recurrence_id` is its original start in the series' zone: with the series it is its lasting
    identity, whatever its own start.
    """

    recurrence_id: datetime
    item: Event


def singles(
    item: Event, start: datetime, end: datetime, *, limit: int = LIMIT
) -> tuple[Single, ...]:
    """Return the occurrences that touch the aware span from `start` to before `end`, by start.

    An entry that doesn't repeat has none. The uid is that of the series with the recurrence id,
    always the same for the same occurrence; files stay with the series. Raises TooMany
    (model.occurrences).
    """
    if not item.recurs:
        return ()
    found = occurrences(item, start, end, limit=limit)
    return tuple(
        Single(recurrence_id=one.recurrence_id or one.start, item=_single(item, one))
        for one in found
    )


def single(item: Event, recurrence_id: datetime) -> Event | None:
    """Return one occurrence of a series; None where there is none of that name.

    Raises TooMany and UnknownZone.
    """
    override = _overrides(item).get(recurrence_id, Override(recurrence_id=recurrence_id))
    start = recurrence_id if override.start is UNSET else override.start
    zone = item.time_zone if override.time_zone is UNSET else override.time_zone
    at = instant(start, zone)
    found = singles(item, at, at + timedelta(seconds=1))
    return next((one.item for one in found if one.recurrence_id == recurrence_id), None)


def single_uid(uid: str, recurrence_id: datetime) -> str:
    """Return the uid of an occurrence that is an entry of its own."""
    return f"{uid}_{recurrence_id:%Y%m%dT%H%M%S}" if uid else ""


def with_single(
    item: Event, recurrence_id: datetime, after: Event, changed: tuple[str, ...]
) -> Event:
    """Return the series with one occurrence changed in the named fields to what `after` says.

    Files, and fields that all occurrences share, stay as they are.
    """
    known = _overrides(item)
    former = known.pop(recurrence_id, Override(recurrence_id=recurrence_id))
    names = set(changed) & _CHANGEABLE
    values: dict[str, Any] = {
        name: UNSET
        if same(Kind.EVENT, name, getattr(after, name), getattr(item, name))
        else getattr(after, name)
        for name in names - _TIMES
    }
    if "extras" in changed:
        values["extras"] = _own_fields(item, after)
    if not names.isdisjoint(_TIMES):
        values |= _times(item, recurrence_id, after)
    override = msgspec.structs.replace(former, **values)
    if override != Override(recurrence_id=recurrence_id):
        known[recurrence_id] = override
    ordered = tuple(known[when] for when in sorted(known))
    return msgspec.structs.replace(item, overrides=ordered)


def without_single(item: Event, recurrence_id: datetime) -> Event:
    """Return the series without one occurrence."""
    gone = tuple(sorted({*item.exdates, recurrence_id}))
    return msgspec.structs.replace(item, exdates=gone)


def with_single_again(item: Event, recurrence_id: datetime) -> Event:
    """Return the series with an occurrence that had been taken out, as it was."""
    kept = tuple(each for each in item.exdates if each != recurrence_id)
    return msgspec.structs.replace(item, exdates=kept)


def _overrides(item: Event) -> dict[datetime, Override]:
    return {one.recurrence_id: one for one in item.overrides}


def _times(item: Event, recurrence_id: datetime, after: Event) -> dict[str, Any]:
    """Return when an occurrence is; what is unset where it is at its usual time."""
    usual = msgspec.structs.replace(
        item, start=recurrence_id, end=recurrence_id + (item.end - item.start)
    )
    if all(getattr(after, name) == getattr(usual, name) for name in _TIMES):
        return dict.fromkeys(_TIMES, UNSET)
    return {name: getattr(after, name) for name in _TIMES}


def _own_fields(item: Event, after: Event) -> Any:
    """Return what an occurrence's own fields add to those of the series, and take away."""
    values: dict[str, Any] = dict.fromkeys(item.extras.keys() - after.extras.keys())
    values |= {
        name: value for name, value in after.extras.items() if item.extras.get(name) != value
    }
    return values or UNSET


def _single(item: Event, one: Occurrence) -> Event:
    values: dict[str, Any] = {
        "uid": single_uid(item.uid, one.recurrence_id or one.start),
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
    values["attachments"] = links(values.get("attachments", item.attachments))
    return msgspec.structs.replace(item, **values)


def _changes(item: Event, override: Override) -> dict[str, Any]:
    """Return what an override says beside the time, which the occurrence has already."""
    values: dict[str, Any] = {}
    for name in override.__struct_fields__:
        value = getattr(override, name)
        if name in _TIMES or name == "recurrence_id" or value is UNSET:
            continue
        values[name] = value
    if "extras" in values:
        merged = item.extras | values["extras"]
        values["extras"] = {key: value for key, value in merged.items() if value is not None}
    return values


_TIMES = {"start", "end", "time_zone", "end_time_zone", "all_day"}
_CHANGEABLE = set(Override.__struct_fields__) - {"recurrence_id", "attachments", "extras"}
