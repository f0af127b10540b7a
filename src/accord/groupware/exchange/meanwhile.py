"""What people did to a series while its occurrences were being written, as what stands there shows.

A series is written in several requests, and not all of them can name the version they change.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import UNSET
from msgspec.structs import replace

from accord.model.diff import diff
from accord.model.fields import FIELDS, same
from accord.model.item import Event, Item
from accord.model.kinds import Kind
from accord.model.recurrence import Override
from accord.ports.adapter import Outcome, Revision, Written

_TIMES = frozenset({"start", "end", "time_zone", "end_time_zone", "all_day", "rule"})
_SINGLE = frozenset({"overrides", "exdates"})

State = Override | bool | None
"""What a series says of one occurrence: None is nothing, False that it is off."""


def honest(revision: Revision, outcome: Outcome) -> Outcome:
    """Return the outcome of a series' change without its version where people changed more.

    What was sent is then what is known of it, and what they did shows as a change.
    """
    if not isinstance(outcome, Written) or outcome.snapshot is None:
        return outcome
    seen = outcome.snapshot
    if seen.version != outcome.version or not touched(revision, seen.item):
        return outcome
    return replace(outcome, version="")


def touched(revision: Revision, now: Item) -> bool:
    """Tell whether something that a change leaves alone isn't as it was before."""
    before, after = revision.before, revision.after
    if not (isinstance(before, Event) and isinstance(after, Event) and isinstance(now, Event)):
        return False
    left = FIELDS[Kind.EVENT].keys() - set(revision.changed) - _SINGLE
    if diff(before, now, left):
        return True
    if _TIMES.intersection(revision.changed):
        return False  # all occurrences are others then
    named = {*before.exdates, *now.exdates}
    named |= {one.recurrence_id for item in (before, now) for one in item.overrides}
    alone = (
        each for each in named if alike(occurrence_at(before, each), occurrence_at(after, each))
    )
    return any(not alike(occurrence_at(before, each), occurrence_at(now, each)) for each in alone)


def occurrence_at(item: Item, recurrence_id: datetime) -> State:
    """Return what a series says of one occurrence."""
    if not isinstance(item, Event):
        return None
    if recurrence_id in item.exdates:
        return False
    found = (one for one in item.overrides if one.recurrence_id == recurrence_id)
    return next(found, None)


def alike(one: State, other: State) -> bool:
    """Tell whether two states of an occurrence count as equal."""
    if not (isinstance(one, Override) and isinstance(other, Override)):
        return one == other
    names = set(Override.__struct_fields__)
    return all(
        _same(name, getattr(one, name), getattr(other, name)) for name in names - {"recurrence_id"}
    )


def _same(name: str, one: object, other: object) -> bool:
    if one is UNSET or other is UNSET or name not in FIELDS[Kind.EVENT]:
        return one == other
    return same(Kind.EVENT, name, one, other)
