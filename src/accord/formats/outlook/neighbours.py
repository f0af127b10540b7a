"""Changed occurrences, held against the limits that Exchange sets them.

"An occurrence cannot be moved to or before the day of the previous occurrence, and cannot be
moved to or after the day of the following occurrence" (Graph page "Update event"); "multiple
instances must not start on the same day", "occurrences must not overlap" (MAPI page
"PidLidAppointmentRecur Canonical Property").
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta
from itertools import pairwise

from msgspec import UNSET, Struct

from accord.formats.outlook.occurrences import days
from accord.formats.outlook.pattern import EARLIEST, Unfit
from accord.formats.outlook.to_pattern import Fit
from accord.model.recurrence import Override
from accord.model.zones import UnknownZone, instant, wall_clock


def fits_neighbours(
    fit: Fit,
    overrides: Collection[Override],
    *,
    length: timedelta,
    time_zone: str | None = None,
) -> Unfit | None:
    """Return why these changes can't be written into a series, None if they can.

    Days are those of the series' zone. A deleted occurrence still holds its day, where no other
    may move, and has no change itself: what is excluded mustn't be among the overrides.
    """
    changed = {one.recurrence_id: one for one in overrides}
    if not changed:
        return None
    try:
        moved = {when.date(): _place(fit, one, length, time_zone) for when, one in changed.items()}
    except UnknownZone as error:
        return Unfit(reason=str(error))
    shown = _around(fit, moved)
    deleted = {one.date() for one in fit.deleted}
    for when in sorted(changed):
        known = when.date() in shown and when.date() not in deleted
        if not known or when.time() != fit.start.time():
            return Unfit(reason=f"{when:%d %B %Y %H:%M} is none of its occurrences")
    for one, following in pairwise(shown):
        if one in moved or following in moved:
            places = [
                moved.get(day) or _usual(fit, day, length, gone=day in deleted)
                for day in (one, following)
            ]
            reason = _clash(*places)
            if reason:
                blamed = following if following in moved else one
                return Unfit(reason=f"the occurrence of {blamed:%d %B %Y} {reason}")
    return None


def writing_order(overrides: Iterable[Override]) -> tuple[Override, ...]:
    """Return changes in an order in which no one meets another on the way.

    Exchange looks at every single write: what moves to later days goes first and from the end,
    what moves to earlier ones follows from the beginning.
    """
    later: list[Override] = []
    earlier: list[Override] = []
    for one in sorted(overrides, key=lambda change: change.recurrence_id):
        start = one.recurrence_id if one.start is UNSET else one.start
        (later if start > one.recurrence_id else earlier).append(one)
    return (*reversed(later), *earlier)


class _Place(Struct, frozen=True):
    """Be where an occurrence lies; a deleted one has no length."""

    start: datetime
    end: datetime


def _clash(one: _Place, following: _Place) -> str:
    if following.start.date() <= one.start.date():
        return "would lie on the day of its neighbour, or beyond it"
    if following.start < one.end:
        return "would reach into its neighbour"
    return ""


def _usual(fit: Fit, day: date, length: timedelta, *, gone: bool) -> _Place:
    start = datetime.combine(day, fit.start.time())
    return _Place(start, start if gone else start + length)


def _place(fit: Fit, one: Override, length: timedelta, time_zone: str | None) -> _Place:
    """Return where an override puts its occurrence, in the zone of the series."""
    start = one.recurrence_id if one.start is UNSET else one.start
    end = start + length if one.end is UNSET else one.end
    zone = time_zone if one.time_zone is UNSET else one.time_zone
    end_zone = zone if one.end_time_zone in (UNSET, None) else one.end_time_zone
    return _Place(_there(start, zone, time_zone), _there(end, end_zone, time_zone))


def _there(local: datetime, zone: object, series_zone: str | None) -> datetime:
    if zone == series_zone or not isinstance(zone, str) or series_zone is None:
        return local
    return wall_clock(instant(local, zone), series_zone)


def _around(fit: Fit, moved: Collection[date]) -> list[date]:
    """Return the days of the series around those that are changed, one more on each side."""
    pattern = fit.pattern
    reach = timedelta(days=31 * pattern.months + 7 * pattern.interval + 31)
    low = max(min(moved), EARLIEST + reach) - reach
    high = min(max(moved), date.max - reach) + reach
    return list(days(pattern, fit.range, after=low, until=high))
