"""VTIMEZONE texts for IANA zones, as we write them; each is made once and known by heart.

Zones that follow a yearly rule are written as such; what came before is listed date by date.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

from accord.formats.ical.values import format_local
from accord.model.zones import zone

_RULE_YEARS = range(2040, 2068)
"""A whole cycle of the calendar, in which a zone either shows a yearly rule or has none."""

_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_ZERO = timedelta(0)
_FIRST_YEAR, _LAST_YEAR = 1850, 9950


class Change(NamedTuple):
    """Be one change of the clock: its local time before it, and the offsets around it."""

    local: datetime
    before: timedelta
    after: timedelta
    name: str
    daylight: bool


class Yearly(NamedTuple):
    """Be a change that comes every year: on the weekday that falls on `first` to `first` + 6."""

    like: Change
    first: int

    @property
    def last_week(self) -> bool:
        """Tell whether this is the last such weekday of the month."""
        following = self.like.local.replace(day=28) + timedelta(days=4)
        return self.first == (following - timedelta(days=following.day)).day - 6

    def on(self, year: int) -> datetime:
        """Return the local time of the change in a year."""
        start = self.like.local.replace(year=year, day=self.first)
        return start + timedelta(days=(self.like.local.weekday() - start.weekday()) % 7)

    @property
    def rule(self) -> str:
        """Return the RRULE of the change."""
        day = _DAYS[self.like.local.weekday()]
        month = f"FREQ=YEARLY;BYMONTH={self.like.local.month}"
        if self.last_week:
            return f"{month};BYDAY=-1{day}"
        if self.first % 7 == 1:
            return f"{month};BYDAY={self.first // 7 + 1}{day}"
        days = ",".join(str(self.first + n) for n in range(7))
        return f"{month};BYMONTHDAY={days};BYDAY={day}"


def definition(name: str, year: int) -> tuple[str, ...]:
    """Return the content lines of a VTIMEZONE that holds from the start of `year` on."""
    since, rules = _regular(name)
    if rules and year > since:
        return _lines(name, 0)
    return _lines(name, min(max(year - year % 10, _FIRST_YEAR), _LAST_YEAR))


@lru_cache(maxsize=1024)
def _lines(name: str, from_year: int) -> tuple[str, ...]:
    """Return a definition by rule alone (`from_year` 0), or with all changes since a year."""
    since, rules = _regular(name)
    blocks: list[str] = []
    if from_year:
        until = since if rules else from_year + 40
        start = datetime(from_year, 1, 1, tzinfo=UTC)
        blocks += _block(_initial(name, start), ())
        listed = sorted(changes(name, from_year, until), key=_kind)
        for _, group in groupby(listed, key=_kind):
            first, *others = group
            blocks += _block(first, [f"RDATE:{format_local(x.local)}" for x in others])
        since = until
    for one in rules:
        blocks += _block(one.like._replace(local=one.on(since)), [f"RRULE:{one.rule}"])
    if not blocks:
        blocks += _block(_initial(name, datetime(1970, 1, 1, tzinfo=UTC)), ())
    return ("BEGIN:VTIMEZONE", f"TZID:{name}", *blocks, "END:VTIMEZONE")


def _kind(change: Change) -> tuple[timedelta, timedelta, str, bool]:
    return change[1:]


def _block(change: Change, repeats: tuple[str, ...] | list[str]) -> list[str]:
    kind = "DAYLIGHT" if change.daylight else "STANDARD"
    return [
        f"BEGIN:{kind}",
        f"TZNAME:{change.name}",
        f"TZOFFSETFROM:{_offset(change.before)}",
        f"TZOFFSETTO:{_offset(change.after)}",
        f"DTSTART:{format_local(change.local)}",
        *repeats,
        f"END:{kind}",
    ]


def _offset(offset: timedelta) -> str:
    seconds = int(offset.total_seconds())
    hours, rest = divmod(abs(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    return f"{'-' if seconds < 0 else '+'}{hours:02d}{minutes:02d}{f'{rest:02d}' if rest else ''}"


def _initial(name: str, start: datetime) -> Change:
    here = start.astimezone(zone(name))
    offset = here.utcoffset() or _ZERO
    daylight = (here.dst() or _ZERO) > _ZERO
    return Change(start.replace(tzinfo=None), offset, offset, here.tzname() or name, daylight)


@lru_cache(maxsize=1024)
def _regular(name: str) -> tuple[int, tuple[Yearly, ...]]:
    """Return the yearly changes of a zone and the first year they all hold; none: (0, ())."""
    ahead = sorted(changes(name, _RULE_YEARS.start, _RULE_YEARS.stop), key=_kind)
    rules: list[Yearly] = []
    for _, group in groupby(ahead, key=_kind):
        found = _yearly(list(group))
        if found is None:
            return 0, ()
        rules.append(found)
    if not rules:
        return 0, ()
    known = {(c.local, c.before, c.after) for c in changes(name, 1960, _RULE_YEARS.start)}
    year = _RULE_YEARS.start
    while year > 1960:
        predicted = {(r.on(year - 1), r.like.before, r.like.after) for r in rules}
        if predicted != {change for change in known if change[0].year == year - 1}:
            break
        year -= 1
    return year, tuple(rules)


def _yearly(changes: list[Change]) -> Yearly | None:
    days = [change.local.day for change in changes]
    one = Yearly(changes[0], min(days))
    fits = len(changes) == len(_RULE_YEARS) and max(days) - min(days) == 6
    return one if fits and all(one.on(c.local.year) == c.local for c in changes) else None


def changes(name: str, first_year: int, end_year: int) -> Iterator[Change]:
    """Yield the changes of the clock from the start of a year up to the start of another."""
    rules = zone(name)
    step = timedelta(days=5)
    at, end = datetime(first_year, 1, 1, tzinfo=UTC), datetime(end_year, 1, 1, tzinfo=UTC)
    here = at.astimezone(rules)
    while at < end:
        there = min(at + step, end).astimezone(rules)
        if (here.utcoffset(), here.tzname()) != (there.utcoffset(), there.tzname()):
            exact = _bisect(at, min(at + step, end), name)
            change = _change(exact, name)
            if change.before != change.after:
                yield change
        at, here = at + step, there


def _bisect(low: datetime, high: datetime, name: str) -> datetime:
    """Return the first second after `low` with another offset or name."""
    rules = zone(name)
    old = low.astimezone(rules)
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        now = middle.astimezone(rules)
        if (now.utcoffset(), now.tzname()) == (old.utcoffset(), old.tzname()):
            low = middle
        else:
            high = middle
    return high


def _change(at: datetime, name: str) -> Change:
    before = (at - timedelta(seconds=1)).astimezone(zone(name))
    after = at.astimezone(zone(name))
    old, new = before.utcoffset() or _ZERO, after.utcoffset() or _ZERO
    dst_old, dst_new = before.dst() or _ZERO, after.dst() or _ZERO
    # Ireland calls winter the exception; programs expect the later clock to be DAYLIGHT.
    daylight = dst_new > dst_old if min(dst_old, dst_new) < _ZERO else dst_new > _ZERO
    local = (at + old).replace(tzinfo=None)
    return Change(local, old, new, after.tzname() or name, daylight)
