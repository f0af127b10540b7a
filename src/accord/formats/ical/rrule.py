"""RRULE text to RecurrenceRule and back (RFC 5545 3.3.10).

What the model can't say (RSCALE, SKIP, parts unknown) is refused, never dropped.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from accord.formats.ical.values import format_date, format_local, format_utc, moment, refuse
from accord.formats.lines import Line
from accord.model.recurrence import (
    COUNT,
    INTERVAL,
    LISTS,
    MOST,
    ZERO_FITS,
    Frequency,
    NthDay,
    RecurrenceRule,
    Weekday,
)
from accord.model.zones import zone

_LISTS = {
    "BYMONTH": "by_month",
    "BYWEEKNO": "by_week_number",
    "BYYEARDAY": "by_year_day",
    "BYMONTHDAY": "by_month_day",
    "BYHOUR": "by_hour",
    "BYMINUTE": "by_minute",
    "BYSECOND": "by_second",
    "BYSETPOS": "by_set_position",
}
_DAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)\Z", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,9}\Z", re.ASCII)


def parse(line: Line, time_zone: str | None, all_day: bool) -> RecurrenceRule:
    """Return the rule of an RRULE line; `until` becomes local time in `time_zone`."""
    fields: dict[str, Any] = {}
    for part in line.value.strip().rstrip(";").upper().split(";"):
        key, _, value = part.partition("=")
        key, value = key.strip(), value.strip()
        name, read = _PARTS.get(key, ("", None))
        if read is None:
            raise refuse(line, f"the part {key[:20]!r} isn't supported")
        if name in fields:
            raise refuse(line, f"{key} stands there twice")
        fields[name] = read(key, value, line)
    if "frequency" not in fields:
        raise refuse(line, "there is no FREQ")
    if "until" in fields:
        if "count" in fields:
            raise refuse(line, "COUNT and UNTIL exclude each other")
        fields["until"] = _local_until(fields["until"], line, time_zone, all_day)
    return RecurrenceRule(**fields)


def format_rule(rule: RecurrenceRule, time_zone: str | None, all_day: bool) -> str:
    """Return the RRULE value of a rule whose item lies in `time_zone`."""
    parts = [f"FREQ={rule.frequency.value.upper()}"]
    if rule.until is not None:
        parts.append(f"UNTIL={_until_text(rule.until, time_zone, all_day)}")
    if rule.count is not None:
        parts.append(f"COUNT={rule.count}")
    if rule.interval != 1:
        parts.append(f"INTERVAL={rule.interval}")
    for key, name in _LISTS.items():
        values = getattr(rule, name)
        if values:
            parts.append(f"{key}={','.join(map(str, values))}")
    if rule.by_day:
        days = (f"{day.nth or ''}{day.day.value.upper()}" for day in rule.by_day)
        parts.append(f"BYDAY={','.join(days)}")
    if rule.week_start is not Weekday.MO:
        parts.append(f"WKST={rule.week_start.value.upper()}")
    return ";".join(parts)


def _local_until(
    value: tuple[datetime, bool, bool], line: Line, time_zone: str | None, all_day: bool
) -> datetime:
    until, is_date, is_utc = value
    if all_day:
        return until.replace(hour=0, minute=0, second=0)
    if is_date:
        # The standard wants a time here; a date means that this day is the last.
        return until.replace(hour=23, minute=59, second=59)
    if is_utc and time_zone is not None:
        try:
            return until.replace(tzinfo=UTC).astimezone(zone(time_zone)).replace(tzinfo=None)
        except OverflowError as error:
            raise refuse(line, "UNTIL lies beyond the calendar") from error
    return until


def _until_text(until: datetime, time_zone: str | None, all_day: bool) -> str:
    if all_day:
        return format_date(until)
    if time_zone is None:
        return format_local(until)
    try:
        return format_utc(_exact(until, time_zone))
    except OverflowError:
        return format_local(until) + "Z"


def _exact(until: datetime, time_zone: str) -> datetime:
    """Return the later instant of a local end that a clock change makes doubtful."""
    here = until.replace(tzinfo=zone(time_zone))
    return max(here.astimezone(UTC), here.replace(fold=1).astimezone(UTC))


def _whole(low: int, high: int) -> Callable[[str, str, Line], int]:
    def read(key: str, value: str, line: Line) -> int:
        if not _NUMBER.match(value) or not low <= int(value) <= high:
            raise refuse(line, f"{key}={value[:20]} must be {low} to {high}")
        return int(value)

    return read


def _numbers(key: str, value: str, line: Line) -> tuple[int, ...]:
    name = _LISTS[key]
    texts = value.split(",", MOST)
    if len(texts) > MOST:
        raise refuse(line, f"{key} has more than {MOST} values")
    read = _whole(*LISTS[name])
    numbers = tuple(read(key, text.strip(), line) for text in texts)
    if 0 in numbers and name not in ZERO_FITS:
        raise refuse(line, f"{key} can't be 0")
    return numbers


def _days(key: str, value: str, line: Line) -> tuple[NthDay, ...]:
    texts = value.split(",", MOST)
    if len(texts) > MOST:
        raise refuse(line, f"{key} has more than {MOST} values")
    days = []
    for text in texts:
        match = _DAY.match(text.strip())
        if match is None or not -53 <= int(match[1] or 1) <= 53 or int(match[1] or 1) == 0:
            raise refuse(line, f"{text[:20]!r} is no day of the week")
        days.append(NthDay(day=Weekday(match[2].lower()), nth=int(match[1] or 0)))
    return tuple(days)


def _frequency(key: str, value: str, line: Line) -> Frequency:
    try:
        return Frequency(value.lower())
    except ValueError as error:
        raise refuse(line, f"{value[:20]!r} is no frequency") from error


def _week_start(key: str, value: str, line: Line) -> Weekday:
    try:
        return Weekday(value.lower())
    except ValueError as error:
        raise refuse(line, f"{value[:20]!r} is no day of the week") from error


def _until(key: str, value: str, line: Line) -> tuple[datetime, bool, bool]:
    return moment(value, line)


_PARTS: dict[str, tuple[str, Callable[[str, str, Line], Any]]] = {
    "FREQ": ("frequency", _frequency),
    "INTERVAL": ("interval", _whole(*INTERVAL)),
    "COUNT": ("count", _whole(*COUNT)),
    "UNTIL": ("until", _until),
    "BYDAY": ("by_day", _days),
    "WKST": ("week_start", _week_start),
    **{key: (name, _numbers) for key, name in _LISTS.items()},
}
