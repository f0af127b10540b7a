"""Dates and times as vCalendar 1.0 writes them: ISO 8601, in basic or extended form.

A moment may name an offset or the hour 24, which iCalendar has not.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TypeAlias

from accord.formats.ical.values import BEYOND, moment, refuse
from accord.formats.lines import Line

Stamp: TypeAlias = tuple[datetime, bool, bool]
"""A local time, whether it is a date alone, and whether it is UTC."""

_FORM = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)(?:T(\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,]\d{1,9})?)?)?"
    r"(Z|[+-]\d\d:?(?:\d\d)?)?)?\Z",
    re.ASCII,
)
_OFFSET = re.compile(r"([+-])(\d{1,2}):?(\d\d)?\Z", re.ASCII)


def stamp(text: str, line: Line) -> Stamp:
    """Return (local time, is a date, is UTC) of a date or a time; raises Refused."""
    form = _FORM.match(text.strip().upper())
    if form is None:
        raise refuse(line, f"{text[:40]!r} is neither a date nor a time")
    year, month, day, hour, minute, second, zone = form.groups()
    if hour is None:
        return moment(f"{year}{month}{day}", line)
    midnight = hour == "24" and int(minute or 0) == int(second or 0) == 0
    clock = "000000" if midnight else f"{hour}{minute or '00'}{second or '00'}"
    local, _, _ = moment(f"{year}{month}{day}T{clock}", line)
    try:
        local += timedelta(days=1 if midnight else 0)
        if zone not in (None, "Z"):
            local -= offset(zone, line)
    except OverflowError as error:
        raise refuse(line, BEYOND) from error
    return local, False, zone is not None


def offset(text: str, line: Line) -> timedelta:
    """Return an offset from UTC such as `-05`, `+0530` or `+05:30`; raises Refused."""
    form = _OFFSET.match(text.strip())
    if form is None or int(form[2]) > 14 or int(form[3] or 0) > 59:
        raise refuse(line, f"{text[:20]!r} is no offset")
    size = timedelta(hours=int(form[2]), minutes=int(form[3] or 0))
    return -size if form[1] == "-" else size


def format_offset(size: timedelta) -> str:
    """Return an offset from UTC of whole minutes."""
    minutes = int(size.total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02d}:{rest:02d}"
