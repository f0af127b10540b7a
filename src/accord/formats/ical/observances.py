"""Time zone definitions as foreign texts carry them (RFC 5545 3.6.5), expanded to transitions.

`zones` compares the transitions with those of IANA zones to learn what a custom name means.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import NamedTuple

from dateutil.rrule import rrulestr

from accord.formats.errors import Refused
from accord.formats.ical.values import format_local, moment, refuse
from accord.formats.limits import LIMITS
from accord.formats.lines import Line, Text
from accord.formats.tree import Component
from accord.formats.tree import parse as parse_tree

MOST_OBSERVANCES = 400
MOST_ONSETS = 2_000


class Observance(NamedTuple):
    """Be one STANDARD or DAYLIGHT block: offsets before and after, and when it sets in."""

    before: timedelta
    after: timedelta
    onset: datetime
    rules: tuple[Line, ...]
    dates: tuple[datetime, ...]


class Transition(NamedTuple):
    """Be one change of the clock: the UTC instant and the offset from then on."""

    at: datetime
    after: timedelta


class Definition:
    """Be one VTIMEZONE, able to tell its offset at any instant of a span of years."""

    def __init__(self, raw: list[str]) -> None:
        """Read the observances of the undivided lines between BEGIN and END."""
        text = Text(b"", ["BEGIN:V", *raw, "END:V"])
        (root,) = parse_tree(text, LIMITS)
        found = [_observance(part) for part in root.children if part.name in _BLOCKS]
        if not found:
            raise Refused("the time zone has neither STANDARD nor DAYLIGHT")
        if len(found) > MOST_OBSERVANCES:
            raise Refused(f"the time zone has more than {MOST_OBSERVANCES} blocks")
        self._observances = sorted(found, key=lambda one: one.onset)

    @property
    def first_offset(self) -> timedelta:
        """Return the offset before the first change."""
        first = self._observances[0]
        return first.after if len(self._observances) == 1 else first.before

    def transitions(self, first_year: int, last_year: int) -> list[Transition]:
        """Return the changes of the clock in a span of years, in order, with some before."""
        changes = [
            Transition((local - one.before).replace(tzinfo=UTC), one.after)
            for one in self._observances
            for local in _onsets(one, first_year - 1, last_year)
        ]
        return sorted(changes)


_BLOCKS = ("STANDARD", "DAYLIGHT")


def _observance(part: Component) -> Observance:
    if part.bad is not None:
        raise part.bad
    lines = {line.name: line for line in part.lines}
    for needed in ("DTSTART", "TZOFFSETFROM", "TZOFFSETTO"):
        if needed not in lines:
            raise Refused(f"{part.name} of the time zone has no {needed}")
    dates = [
        moment(text.strip().split("/")[0], line)[0]
        for line in part.lines
        if line.name == "RDATE"
        for text in line.value.split(",", MOST_ONSETS)
    ]
    if len(dates) > MOST_ONSETS:
        raise Refused(f"the time zone has more than {MOST_ONSETS} changes")
    return Observance(
        before=_offset(lines["TZOFFSETFROM"]),
        after=_offset(lines["TZOFFSETTO"]),
        onset=moment(lines["DTSTART"].value.strip(), lines["DTSTART"])[0],
        rules=tuple(line for line in part.lines if line.name == "RRULE"),
        dates=tuple(dates),
    )


def _offset(line: Line) -> timedelta:
    text = line.value.strip()
    digits = text[1:]
    if text[:1] not in ("+", "-") or len(digits) not in (4, 6) or not digits.isdecimal():
        raise refuse(line, f"{text[:20]!r} is no offset")
    hours, minutes, seconds = int(digits[:2]), int(digits[2:4]), int(digits[4:] or 0)
    if hours > 23 or minutes > 59 or seconds > 59:
        raise refuse(line, f"{text[:20]!r} is no offset")
    offset = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return -offset if text[0] == "-" else offset


def _onsets(one: Observance, first_year: int, last_year: int) -> list[datetime]:
    onsets = {one.onset, *(date for date in one.dates if date.year <= last_year)}
    for line in one.rules:
        onsets.update(_yearly(line, one.onset, first_year, last_year))
    return sorted(onset for onset in onsets if onset.year <= last_year)


def _yearly(line: Line, start: datetime, first_year: int, last_year: int) -> list[datetime]:
    parts = dict(part.partition("=")[::2] for part in line.value.strip().upper().split(";"))
    yearly = parts.get("FREQ") == "YEARLY" and parts.get("INTERVAL", "1") == "1"
    if not yearly or parts.keys() - _YEARLY_PARTS:
        raise refuse(line, "a time zone must change by the year")
    last = datetime(last_year, 12, 31, 23, 59, 59)
    # UNTIL stands in UTC beside a local start, which dateutil refuses to compare.
    until = moment(parts.pop("UNTIL"), line)[0] if "UNTIL" in parts else last
    if start.year < first_year and "BYMONTH" in parts and ("BYDAY" in parts):
        # Definitions of Exchange begin in 1601; only the years asked for are worth the work.
        start = start.replace(year=first_year, month=1, day=1)
    try:
        text = ";".join(f"{key}={value}" for key, value in parts.items())
        rule = rrulestr(f"{text};UNTIL={format_local(min(until, last))}", dtstart=start)
    except (ValueError, TypeError) as error:
        raise refuse(line, f"the rule isn't understood: {error}") from error
    return list(islice(rule, MOST_ONSETS))


_YEARLY_PARTS = frozenset(
    ("FREQ", "INTERVAL", "UNTIL", "BYMONTH", "BYDAY", "BYMONTHDAY", "BYHOUR", "BYMINUTE", "WKST")
)
