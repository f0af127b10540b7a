"""The time zone of a vCalendar 1.0: TZ and DAYLIGHT, which know offsets and dates but no names.

Read, they become the IANA zone that has these offsets on these dates; written, they list the
summer times of the years that an entry touches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from accord.formats.errors import Refused
from accord.formats.ical.definitions import Change, changes
from accord.formats.ical.values import format_local, refuse
from accord.formats.ical.zones import agrees, fitting
from accord.formats.lines import Line, split
from accord.formats.vcalendar.stamps import format_offset, offset, stamp
from accord.model.zones import zone

_MOST = 400
_AHEAD = 5
"""For how many years from now on the summer times of an endless series are listed."""

_NONE = timedelta(0)
_SLACK = timedelta(hours=3)
"""Writers differ in which clock shows the hour at which summer begins."""


class Summer(NamedTuple):
    """Be one summer time: its first and last local hour, and its offset."""

    begin: datetime
    end: datetime
    offset: timedelta


class Offsets(NamedTuple):
    """Be what TZ and DAYLIGHT say; `silent` where nothing is said about summer time."""

    standard: timedelta
    summers: tuple[Summer, ...]
    names: str
    silent: bool

    def at(self, moment: datetime) -> timedelta:
        """Return the offset at a UTC instant without zone."""
        for one in self.summers:
            if one.begin - self.standard <= moment < one.end - one.offset:
                return one.offset
        return self.standard

    def of(self, local: datetime) -> timedelta:
        """Return the offset at a local time."""
        for one in self.summers:
            if one.begin <= local < one.end:
                return one.offset
        return self.standard


def read_offsets(lines: Iterable[Line]) -> Offsets | None:
    """Return what the lines of a calendar or an entry say of its zone; None for nothing.

    Raises Refused for what isn't understood.
    """
    standard: timedelta | None = None
    summers: list[Summer] = []
    names: list[str] = []
    silent = True
    for line in lines:
        if line.name == "TZ" and line.value.strip():
            standard = offset(line.value, line)
        elif line.name == "DAYLIGHT":
            silent = False
            fields = [field.strip() for field in split(line.value, ";")]
            if fields[0].upper() == "TRUE":
                summers.append(_summer(fields, line))
                names += fields[4:6]
            if len(summers) > _MOST:
                raise refuse(line, f"there are more than {_MOST} summer times")
    if standard is None:
        return None
    return Offsets(standard, tuple(sorted(summers)), " ".join(names), silent)


def _summer(fields: Sequence[str], line: Line) -> Summer:
    if len(fields) < 4:
        raise refuse(line, "a summer time needs an offset, a begin and an end")
    (begin, _, _), (end, _, _) = stamp(fields[2], line), stamp(fields[3], line)
    if end < begin:
        raise refuse(line, "the summer time ends before it begins")
    return Summer(begin, end, offset(fields[1], line))


def zone_of(offsets: Offsets, start: datetime, recurs: bool, wanted: str) -> str | None:
    """Return the IANA zone of an entry that starts at a time; None where no zone is like this.

    `wanted` is the zone to prefer: where it fits, and where the text leaves summer time open.
    """
    probes = list(_probes(offsets, start, recurs))
    if offsets.standard == _NONE and not offsets.summers and not offsets.silent:
        return "UTC"
    if wanted and (agrees(wanted, probes) or (offsets.silent and _winter(wanted, start, offsets))):
        return wanted
    return fitting(offsets.names, probes)


def _winter(wanted: str, start: datetime, offsets: Offsets) -> bool:
    rules = zone(wanted)
    year = min(max(start.year, 2), 9998)
    months = (datetime(year, month, 15, tzinfo=UTC) for month in range(1, 13))
    return min(at.astimezone(rules).utcoffset() or _NONE for at in months) == offsets.standard


def _probes(
    offsets: Offsets, start: datetime, recurs: bool
) -> Iterator[tuple[datetime, timedelta]]:
    """Yield instants with the offsets that the text gives them: around each change, and monthly."""
    second = timedelta(seconds=1)
    times: set[datetime] = set()
    for one in offsets.summers:
        for at in (one.begin - offsets.standard, one.end - one.offset):
            times |= {at - _SLACK - second, at + _SLACK}
    first, last = (min(times), max(times)) if times else (start, start)
    if not times and recurs:
        last = start + timedelta(days=366) if start.year < 9990 else start
    years = range(first.year, last.year + 1 if last.year - first.year < _MOST else 0)
    monthly = (datetime(year, month, 15) for year in years for month in range(1, 13))
    times |= {at for at in monthly if first <= at <= last} | ({start} if not times else set())
    for at in sorted(times):
        yield at.replace(tzinfo=UTC), offsets.at(at)


def zone_lines(
    name: str, start: datetime, last: datetime, ahead: datetime | None
) -> list[str] | None:
    """Return TZ and DAYLIGHT for what lies between two local times; None where they can't say it.

    `ahead` is the time now for an endless series, which ends for ever later.
    """
    first_year = start.year - 2
    last_year = last.year + 1
    if ahead is not None:
        last_year = max(last_year, ahead.year) + _AHEAD
    if first_year < 1850 or last_year > 9990 or last_year - first_year > _MOST:
        return None
    before = datetime(first_year, 1, 1, tzinfo=UTC).astimezone(zone(name)).utcoffset() or _NONE
    found = list(_changes(name, first_year, last_year + 1))
    known = {before, *(one.after for one in found)}
    if len(known) > 2 or any(one.seconds % 60 for one in known):
        return None
    standard, summer = min(known), max(known)
    texts = _summers(found, standard, summer, datetime(last_year, 1, 1) if ahead else last)
    if texts is None or (before == summer != standard and _never(found, start)):
        return None
    return [f"TZ:{format_offset(standard)}", *(texts or ["DAYLIGHT:FALSE"])]


def _never(found: list[Change], start: datetime) -> bool:
    """Tell whether the first summer time, whose begin isn't known, lasts until after the start."""
    return not found or found[0].local >= start


def _summers(
    found: list[Change], standard: timedelta, summer: timedelta, last: datetime
) -> list[str] | None:
    """Return the DAYLIGHT lines; None where one that matters has no end."""
    texts: list[str] = []
    begin: Change | None = None
    for one in found:
        if one.after == summer:
            begin = one
        elif begin is not None:
            span = f"{format_local(begin.local)};{format_local(one.local)}"
            names = f"{_short(one)};{_short(begin)}"
            texts.append(f"DAYLIGHT:TRUE;{format_offset(summer)};{span};{names}")
            begin = None
    if begin is not None and standard != summer and begin.local <= last:
        return None
    return texts


def _short(change: Change) -> str:
    """Return the short name of the clock after a change."""
    return "".join(c for c in change.name if c.isalnum() or c in "+-")


def same_distance(one: str, other: str, start: datetime, last: datetime) -> bool:
    """Tell whether two zones are equally far from each other all the time."""
    years = (max(start.year - 1, 1850), min(last.year + 2, 9990))
    moments = [start.replace(tzinfo=UTC)]
    for name in (one, other):
        moments += [(x.local - x.before).replace(tzinfo=UTC) for x in _changes(name, *years)]
    first, second = zone(one), zone(other)
    found = {
        (at.astimezone(first).utcoffset() or _NONE) - (at.astimezone(second).utcoffset() or _NONE)
        for at in moments
    }
    return len(found) == 1


def _changes(name: str, first_year: int, end_year: int) -> Iterator[Change]:
    for year in range(first_year, end_year):
        yield from _of_year(name, year)


@lru_cache(maxsize=4096)
def _of_year(name: str, year: int) -> tuple[Change, ...]:
    return tuple(changes(name, year, year + 1))


def unlike(name: str, uid: str) -> Refused:
    """Return the refusal of a series in a zone that TZ and DAYLIGHT can't describe."""
    reason = f"TZ and DAYLIGHT can't say the offsets of {name} during the series"
    return Refused(reason, prop="DAYLIGHT", uid=uid)
