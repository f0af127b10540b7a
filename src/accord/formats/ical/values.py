"""Dates, times and durations as iCalendar writes them (RFC 5545 3.3).

Pure text to value and back; zones are applied in `times`.
"""

from __future__ import annotations

import re
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, timedelta

from accord.formats.errors import Refused
from accord.formats.lines import Line

BEYOND = "a time lies beyond the calendar, which ends with the years 1 and 9999"

EDGES = (MINYEAR, MAXYEAR)
"""The years in which a local time may have no instant."""

_DURATION = re.compile(
    r"([+-])?P(?:(\d{1,6})W)?(?:(\d{1,7})D)?"
    r"(?:T(?:(\d{1,8})H)?(?:(\d{1,9})M)?(?:(\d{1,10})S)?)?\Z",
    re.ASCII,
)


def moment(text: str, line: Line) -> tuple[datetime, bool, bool]:
    """Return (local time, is a date, is UTC) of a DATE or DATE-TIME value.

    Raises Refused naming the property.
    """
    size = len(text)
    try:
        if size == 8 and text.isdigit() and text.isascii():
            return datetime(int(text[:4]), int(text[4:6]), int(text[6:8])), True, False
        utc = size == 16 and text[15] in "Zz"
        if (size == 15 or utc) and text[8] in "Tt" and text.isascii():
            day, clock = text[:8], text[9:15]
            if day.isdigit() and clock.isdigit():
                value = datetime(
                    int(day[:4]),
                    int(day[4:6]),
                    int(day[6:8]),
                    int(clock[:2]),
                    int(clock[2:4]),
                    # A leap second is the last second that a calendar can name.
                    min(int(clock[4:6]), 59) if clock[4:6] == "60" else int(clock[4:6]),
                )
                return value, False, utc
    except ValueError as error:
        raise refuse(line, f"{text!r} is no date: {error}") from error
    raise refuse(line, f"{text[:40]!r} is neither a date nor a time")


def duration(text: str, line: Line) -> tuple[int, timedelta]:
    """Return a duration as (calendar days, exact time), both with its sign."""
    match = _DURATION.match(text.strip().upper())
    if match is None or not any(match.groups()[1:]):
        raise refuse(line, f"{text[:40]!r} is no duration")
    sign = -1 if match[1] == "-" else 1
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[1:])
    exact = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return sign * (weeks * 7 + days), sign * exact


def utc_moment(line: Line) -> datetime | None:
    """Return the aware UTC time of a property such as DTSTAMP; None where it isn't one."""
    try:
        value, is_date, _ = moment(line.value.strip(), line)
    except Refused:
        return None
    return None if is_date else value.replace(tzinfo=UTC)


def format_date(value: date) -> str:
    """Return YYYYMMDD."""
    return f"{value.year:04d}{value.month:02d}{value.day:02d}"


def format_local(value: datetime) -> str:
    """Return YYYYMMDDTHHMMSS."""
    return (
        f"{value.year:04d}{value.month:02d}{value.day:02d}"
        f"T{value.hour:02d}{value.minute:02d}{value.second:02d}"
    )


def format_utc(value: datetime) -> str:
    """Return YYYYMMDDTHHMMSSZ of an aware time."""
    return format_local(value.astimezone(UTC)) + "Z"


def refuse(line: Line, reason: str) -> Refused:
    """Return the error that blames a line."""
    return Refused(reason, prop=line.name, line=line.number)
