"""Times of one item: which zone they lie in, and all of a series in the zone of its start.

Everything becomes wall-clock time plus IANA zone here; text form is `values`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from accord.formats.ical.props import Props, first
from accord.formats.ical.values import BEYOND, EDGES, duration, moment, refuse
from accord.formats.ical.zones import HORIZON, Zones
from accord.formats.limits import Limits
from accord.formats.lines import Line
from accord.model.zones import instant, wall_clock

DAY = timedelta(days=1)
_UNTIL = re.compile(r"UNTIL=(\d{4})", re.IGNORECASE | re.ASCII)


class Moment(NamedTuple):
    """Be one point of time: wall-clock, whether only a date, and the zone (None: floating)."""

    local: datetime
    all_day: bool
    zone: str | None


class Spell(NamedTuple):
    """Be the time an event takes; `end_zone` None is that of the start."""

    start: datetime
    end: datetime
    zone: str | None
    end_zone: str | None
    all_day: bool


class Clock:
    """Read the times of one item."""

    def __init__(self, zones: Zones, limits: Limits, props: Props) -> None:
        """Look at the recurrence of the main component to know which years matter."""
        self._zones = zones
        self._limits = limits
        self.zoned: dict[str, str] = {}
        rule = first(props, "RRULE")
        self._recurs = rule is not None or "RDATE" in props
        until = _UNTIL.search(rule.value) if rule is not None else None
        self._last = int(until[1]) if until else 0

    def read(self, line: Line, text: str = "") -> Moment:
        """Return what a line says, or one of its values `text`.

        Raises Refused, also for a time of the calendar's first or last day that is none
        anywhere else: whoever compares it later would fail.
        """
        local, is_date, is_utc = moment(text or line.value.strip(), line)
        if is_date:
            return Moment(local, True, None)
        if is_utc:
            return Moment(local, False, "UTC")
        tzid = line.param("TZID")
        zone = self.zone(tzid, local, line) if tzid else self._zones.floating
        return Moment(_told(local, zone, line), False, zone)

    def zone(self, tzid: str, at: datetime, line: Line) -> str:
        """Return the IANA zone of a TZID for a local time."""
        found = self.zoned.get(tzid)
        if found is None:
            last = self._last or at.year + (HORIZON if self._recurs else 1)
            found, lasting = self._zones.resolve(tzid, at, last, self._recurs, line)
            if lasting:
                self.zoned[tzid] = found
        return found

    def spell(self, props: Props) -> Spell:
        """Return start and end from DTSTART with DTEND or DURATION; raises Refused."""
        line = first(props, "DTSTART")
        if line is None:
            raise ValueError("DTSTART")
        start = self.read(line)
        end_line, length = first(props, "DTEND"), first(props, "DURATION")
        if end_line is not None:
            return self._until(start, self.read(end_line), end_line)
        if length is not None:
            return lasting(start, length.value, length)
        end = _day_after(start, line) if start.all_day else start.local
        return Spell(start.local, end, start.zone, None, start.all_day)

    def _until(self, start: Moment, end: Moment, line: Line) -> Spell:
        if end.all_day != start.all_day:
            raise refuse(line, "one of start and end is a date, the other a time")
        local, zone = end.local, end.zone
        if start.all_day:
            # Some writers give the last day itself instead of the day after it.
            local = _day_after(start, line) if local == start.local else local
        elif zone is None or start.zone is None:
            local, zone = _told(local, start.zone, line), start.zone
        elif zone == "UTC" != start.zone:
            local, zone = moved(end, start.zone, line), start.zone
        if zone == start.zone:
            early = local < start.local
        else:
            early = instant(local, zone) < instant(start.local, start.zone)
        if early:
            raise refuse(line, "the end lies before the start")
        return Spell(
            start.local, local, start.zone, None if zone == start.zone else zone, start.all_day
        )

    def in_zone(self, found: Moment, start: Moment, line: Line) -> datetime:
        """Return a date of a series as local time in the zone of its start.

        A date in a timed series means the occurrence of that day; a time in an all-day
        series means its day.
        """
        if start.all_day:
            return found.local.replace(hour=0, minute=0, second=0)
        if found.all_day:
            at = datetime.combine(found.local.date(), start.local.time())
            return _told(at, start.zone, line)
        if found.zone is None or start.zone is None or found.zone == start.zone:
            return _told(found.local, start.zone, line)
        return moved(found, start.zone, line)

    def dates(self, lines: list[Line], start: Moment) -> list[datetime]:
        """Return the dates of EXDATE or RDATE lines in the zone of the start."""
        found: list[datetime] = []
        for line in lines:
            for text in line.value.split(",", self._limits.dates):
                if not text.strip():
                    continue
                found.append(self.in_zone(self.read(line, text.strip()), start, line))
                if len(found) > self._limits.dates:
                    raise refuse(line, f"there are more than {self._limits.dates:,} dates")
        return found


def lasting(start: Moment, text: str, line: Line) -> Spell:
    """Return the time from a start on: days are calendar days, the rest is exact time."""
    days, exact = duration(text, line)
    if days < 0 or exact < timedelta(0):
        raise refuse(line, "the duration is negative")
    try:
        end = start.local + timedelta(days=days)
        if start.all_day:
            end = max(start.local + DAY, end + timedelta(days=-(-exact // DAY)))
        elif exact and start.zone not in (None, "UTC"):
            end = wall_clock(instant(end, start.zone).astimezone(UTC) + exact, start.zone)
        else:
            end += exact
    except OverflowError as error:
        raise refuse(line, BEYOND) from error
    return Spell(start.local, _told(end, start.zone, line), start.zone, None, start.all_day)


def later(local: datetime, length: timedelta, zone: str | None, line: Line) -> datetime:
    """Return the local time that lies `length` later; raises Refused beyond the calendar."""
    try:
        found = local + length
    except OverflowError as error:
        raise refuse(line, BEYOND) from error
    return _told(found, zone, line)


def moved(found: Moment, zone: str | None, line: Line) -> datetime:
    """Return the local time of a moment in another zone; raises Refused beyond the calendar."""
    try:
        return wall_clock(instant(found.local, found.zone), zone)
    except OverflowError as error:
        raise refuse(line, BEYOND) from error


def _day_after(start: Moment, line: Line) -> datetime:
    return later(start.local, DAY, start.zone, line)


def _told(local: datetime, zone: str | None, line: Line) -> datetime:
    """Return a local time as it is; raises Refused for one that has no instant."""
    if local.year in EDGES:
        try:
            instant(local, zone)
        except OverflowError as error:
            raise refuse(line, BEYOND) from error
    return local
