"""Changes from one occurrence on (RANGE=THISANDFUTURE) as what they mean for each later occurrence.

`events` reads their components and asks here what follows; only series that end can be told so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice

import msgspec
from msgspec import Struct

from accord.formats.errors import Refused
from accord.formats.ical.props import Extras
from accord.formats.ical.times import Moment, later, moved
from accord.formats.ical.values import refuse
from accord.formats.lines import Line
from accord.model.item import Event
from accord.model.occurrences import TooMany, starts_of

MOST = 400
"""How many occurrences such a change may reach: each becomes one of its own."""

UNSUPPORTED = "a change from one occurrence on (RANGE=THISANDFUTURE)"


class Onward(Struct, frozen=True):
    """Be such a change: the first occurrence it is about, what that becomes, and its extras."""

    when: datetime
    event: Event
    extras: Extras
    line: Line


def is_onward(line: Line) -> bool:
    """Tell whether a RECURRENCE-ID speaks of later occurrences, too; raises Refused for others.

    THISANDPRIOR has been given up (RFC 5545 3.2.13).
    """
    kind = line.param("RANGE").upper()
    if kind not in ("", "THISANDFUTURE"):
        raise refuse(line, f"RANGE={kind[:20]} isn't supported")
    return bool(kind)


def spread(series: Event, changes: Sequence[Onward]) -> Iterator[tuple[datetime, Onward, Event]]:
    """Yield each occurrence that changes reach, the change that counts, and what it becomes.

    The nearest earlier change counts; it moves an occurrence by as much as its first one, and
    gives it the same length (RFC 5545 3.2.13). Raises Refused for what can't be told for each.
    """
    if not changes:
        return
    ordered = [_at_home(series, one) for one in sorted(changes, key=lambda one: one.when)]
    reached = _reached(series, ordered[0])
    for change in ordered:
        if change.when not in reached:
            raise refuse(change.line, f"{UNSUPPORTED} that the series doesn't have")
    for when in reached:
        change = next(one for one in reversed(ordered) if one.when <= when)
        one, zone = change.event, change.event.time_zone
        start = later(when, one.start - change.when, zone, change.line)
        end = later(start, one.end - one.start, zone, change.line)
        yield when, change, msgspec.structs.replace(one, start=start, end=end)


def _reached(series: Event, change: Onward) -> list[datetime]:
    """Return the occurrences from the first changed one on, in order."""
    rule = series.rule
    if rule is not None and rule.count is None and rule.until is None:
        raise refuse(change.line, f"{UNSUPPORTED} of a series without end")
    found = {when for when in (series.start, *series.rdates) if when >= change.when}
    try:
        if rule is not None:
            until = rule.until or datetime.max
            starts = starts_of(rule, series.start, change.when, until)
            found |= set(islice(starts, MOST + len(series.exdates) + 1))
    except (TooMany, OverflowError) as error:
        raise _too_far(change) from error
    found -= set(series.exdates)
    if len(found) > MOST:
        raise _too_far(change)
    return sorted(found)


def _at_home(series: Event, change: Onward) -> Onward:
    """Return a change in the zone of its series: moved by the same time, whatever the clocks do."""
    one = change.event
    if one.all_day == series.all_day and one.time_zone == series.time_zone:
        return change
    timed = not one.all_day and not series.all_day and series.time_zone is not None
    if not timed or one.time_zone != "UTC" or one.end_time_zone is not None:
        raise refuse(change.line, f"{UNSUPPORTED} into another time zone, or to whole days")
    start, end = (
        moved(Moment(local, False, one.time_zone), series.time_zone, change.line)
        for local in (one.start, one.end)
    )
    event = msgspec.structs.replace(one, start=start, end=end, time_zone=series.time_zone)
    return msgspec.structs.replace(change, event=event)


def _too_far(change: Onward) -> Refused:
    return refuse(change.line, f"{UNSUPPORTED} that reaches more than {MOST} occurrences")
