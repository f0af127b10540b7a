"""When people are taken, and when several of them are free together; times only, no content.

Busy sources give spans, `service/busy.py` gathers them, `accord busy` shows what comes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from itertools import pairwise

from msgspec import Struct

from accord.model.recurrence import Busy
from accord.model.zones import instant, wall_clock

_STRENGTH = (Busy.FREE, Busy.ELSEWHERE, Busy.TENTATIVE, Busy.BUSY, Busy.OUT_OF_OFFICE)
_DAY = timedelta(days=1)


class Span(Struct, frozen=True):
    """Be a time that somebody is taken: from start to before end, UTC, and how."""

    start: datetime
    end: datetime
    busy: Busy = Busy.BUSY


class Hours(Struct, frozen=True, kw_only=True):
    """Be the hours in which people meet: wall-clock times in a zone, on these weekdays.

    Monday is 0; hours that end before they begin end on the next day.
    """

    begin: time = time(9)
    end: time = time(17)
    zone: str = "UTC"
    days: frozenset[int] = frozenset(range(5))


def merged(spans: Iterable[Span], start: datetime, end: datetime) -> tuple[Span, ...]:
    """Return spans within a time in order, none over another: of two the stronger one counts.

    Free time is left out.
    """
    cut = [Span(max(s.start, start), min(s.end, end), s.busy) for s in spans]
    taken = [s for s in cut if s.start < s.end and s.busy is not Busy.FREE]
    edges = sorted({s.start for s in taken} | {s.end for s in taken})
    waiting = sorted(taken, key=lambda s: s.start)[::-1]
    active: list[Span] = []
    found: list[Span] = []
    for begin, until in pairwise(edges):
        while waiting and waiting[-1].start <= begin:
            active.append(waiting.pop())
        active = [s for s in active if s.end > begin]
        if not active:
            continue
        busy = max((s.busy for s in active), key=_STRENGTH.index)
        last = found[-1] if found else None
        if last is not None and last.end == begin and last.busy is busy:
            found[-1] = Span(last.start, until, busy)
        else:
            found.append(Span(begin, until, busy))
    return tuple(found)


def common(
    taken: Iterable[Span], start: datetime, end: datetime, duration: timedelta, hours: Hours
) -> tuple[tuple[datetime, datetime], ...]:
    """Return the times of at least `duration` within the hours in which nobody is taken.

    Who works elsewhere can meet; who is tentatively taken can't. Raises UnknownZone.
    """
    away = [s for s in taken if s.busy is not Busy.ELSEWHERE]
    spans = merged(away, start, end)
    found = []
    for begin, until in _meeting(start, end, hours):
        at = begin
        for span in spans:
            if span.end <= at:
                continue
            if span.start >= until:
                break
            if span.start - at >= duration:
                found.append((at, span.start))
            at = span.end
        if until - at >= duration:
            found.append((at, until))
    return tuple(found)


def _meeting(start: datetime, end: datetime, hours: Hours) -> Iterator[tuple[datetime, datetime]]:
    """Yield the hours of each day between two instants."""
    day = wall_clock(start, hours.zone).date() - _DAY
    final = wall_clock(end, hours.zone).date()
    over = _DAY if hours.end <= hours.begin else timedelta(0)
    while day <= final:
        begin = max(_at(day, hours.begin, hours.zone), start)
        until = min(_at(day + over, hours.end, hours.zone), end)
        if day.weekday() in hours.days and begin < until:
            yield begin, until
        day += _DAY


def _at(day: date, clock: time, zone: str) -> datetime:
    return instant(datetime.combine(day, clock), zone)
