"""Recurrence rules of vCalendar 1.0 (its Recurrence Rule Grammar) to RRULE text.

`D` days, `W` weeks, `MP` and `MD` months by weekday and by day, `YM` and `YD` years by month and
by day; then how often or until when. `#n` counts intervals, not occurrences, and `#0` is endless
(SyncEvolution reads it so too).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from accord.formats.ical.values import format_date, format_local, refuse
from accord.formats.lines import Line
from accord.formats.vcalendar.stamps import Stamp, stamp
from accord.model.recurrence import Weekday

_HEAD = re.compile(r"(D|W|MP|MD|YM|YD)(\d{1,4})\Z", re.ASCII)
_NUMBER = re.compile(r"(\d{1,3})([+-]?)\Z", re.ASCII)
_TIMES = re.compile(r"#(\d{1,6})\Z", re.ASCII)
_NTH = re.compile(r"([1-5])([+-]?)\Z", re.ASCII)
_MOST = 400
_TWICE = 2
"""How often a rule repeats that doesn't say it."""

_DAYS = tuple(day.value.upper() for day in Weekday)
_FREQ = {"D": "DAILY", "W": "WEEKLY", "M": "MONTHLY", "Y": "YEARLY"}


class Texts:
    """Be the words of a rule, taken one after the other."""

    def __init__(self, line: Line, text: str) -> None:
        """Cut the rule at white space; raises Refused for too many words."""
        self.line = line
        self.left = text.upper().split(None, _MOST)[::-1]
        if len(self.left) > _MOST:
            raise refuse(line, f"the rule has more than {_MOST} words")

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Return the next word if it fits, and go on to the one behind it."""
        found = pattern.match(self.left[-1]) if self.left else None
        if found is not None:
            self.left.pop()
        return found


def to_rrule(
    line: Line, start: datetime, all_day: bool, local_of: Callable[[Stamp], datetime]
) -> str:
    """Return the RRULE value of a rule of old; raises Refused for what none can say.

    `local_of` gives the end of the rule in the zone of its entry.
    """
    words = Texts(line, line.value)
    head = words.take(_HEAD)
    if head is None:
        raise refuse(line, f"{line.value[:40]!r} is no rule of vCalendar 1.0")
    kind, interval = head[1], int(head[2])
    if interval == 0:
        raise refuse(line, "its interval is 0")
    parts = [f"FREQ={_FREQ[kind[0]]}", f"INTERVAL={interval}"]
    chosen = _CHOICES[kind](words, start)
    parts += chosen
    parts += _end(words, interval, _once(kind, chosen, start), start, all_day, local_of)
    if words.left:
        raise refuse(line, f"the rule's {words.left[-1][:20]!r} isn't supported")
    return ";".join(parts)


def _nothing(words: Texts, start: datetime) -> list[str]:
    if words.take(_CLOCK) is not None:
        raise refuse(words.line, "times of the day in a rule aren't supported")
    return []


_CLOCK = re.compile(r"\d{4}\Z", re.ASCII)
_DAY = re.compile(rf"({'|'.join(_DAYS)})\Z")


def _weekdays(words: Texts, start: datetime) -> list[str]:
    found = []
    while day := words.take(_DAY):
        found.append(day[1])
    return [f"BYDAY={','.join(dict.fromkeys(found))}"] if found else []


def _positions(words: Texts, start: datetime) -> list[str]:
    """Read `1+ 3+ TU 2- FR`: the numbers hold for all weekdays behind them."""
    found: list[str] = []
    while True:
        numbers = []
        while number := words.take(_NTH):
            numbers.append(f"{'-' if number[2] == '-' else ''}{number[1]}")
        days = []
        while day := words.take(_DAY):
            days.append(day[1])
        if not days:
            if numbers:
                raise refuse(words.line, "a weekday is missing in the rule")
            break
        found += [f"{number}{day}" for number in (numbers or [""]) for day in days]
    if not found:
        nth = (start.day - 1) // 7 + 1
        found = [f"{nth}{_DAYS[start.weekday()]}"]
    return [f"BYDAY={','.join(dict.fromkeys(found))}"]


def _numbers(name: str, most: int) -> Callable[[Texts, datetime], list[str]]:
    def read(words: Texts, start: datetime) -> list[str]:
        found: list[int] = []
        while True:
            if name == "BYMONTHDAY" and words.take(_LAST_DAY):
                found.append(-1)
                continue
            number = words.take(_NUMBER)
            if number is None:
                break
            value = int(number[1])
            if not 1 <= value <= most or (number[2] and name == "BYMONTH"):
                raise refuse(words.line, f"the rule's {number[0]} must be 1 to {most}")
            found.append(-value if number[2] == "-" else value)
        values = dict.fromkeys(found)
        return [f"{name}={','.join(map(str, values))}"] if values else []

    return read


_LAST_DAY = re.compile(r"LD\Z")
_CHOICES = {
    "D": _nothing,
    "W": _weekdays,
    "MP": _positions,
    "MD": _numbers("BYMONTHDAY", 31),
    "YM": _numbers("BYMONTH", 12),
    "YD": _numbers("BYYEARDAY", 366),
}


def _once(kind: str, chosen: list[str], start: datetime) -> str:
    """Return the unit of a rule, in small where each has exactly one occurrence."""
    only = {
        "D": chosen == [],
        "W": chosen in ([], [f"BYDAY={_DAYS[start.weekday()]}"]),
        "MP": len(chosen[:1]) == 1 and bool(_ONE_NTH.match(chosen[0])),
        "MD": start.day <= 28 and chosen in ([], [f"BYMONTHDAY={start.day}"]),
        "YM": start.day <= 28 and chosen in ([], [f"BYMONTH={start.month}"]),
        "YD": start.day <= 28 and not chosen,
    }
    return kind[0].lower() if only[kind] else kind[0]


_ONE_NTH = re.compile(r"BYDAY=-?[1-4][A-Z]{2}\Z")


def _end(
    words: Texts,
    interval: int,
    unit: str,
    start: datetime,
    all_day: bool,
    local_of: Callable[[Stamp], datetime],
) -> list[str]:
    """Return what ends the rule: `#n`, a date, or nothing, which means twice."""
    times = words.take(_TIMES)
    if times is None and words.left and len(words.left[-1]) >= 8:
        found = stamp(words.left.pop(), words.line)
        local = local_of(found)
        return [f"UNTIL={format_date(local) if all_day or found[1] else format_local(local)}"]
    count = int(times[1]) if times is not None else _TWICE
    if count == 0:
        return []
    if unit.islower():
        return [f"COUNT={count}"]
    last = _last_day(unit, interval * (count - 1), start)
    if last is None:
        raise refuse(words.line, "the rule ends beyond the calendar")
    return [f"UNTIL={format_date(last)}" + ("" if all_day else "T235959")]


def _last_day(unit: str, later: int, start: datetime) -> datetime | None:
    """Return the last day of the week, month or year that lies so many `later`."""
    try:
        if unit == "W":
            # Weeks end on Saturday where `#n` was thought up.
            return start + timedelta(days=7 * later + (5 - start.weekday()) % 7)
        if unit == "M":
            year, month = divmod(start.year * 12 + start.month + later, 12)
            return datetime(year, month + 1, 1) - timedelta(days=1)
        return datetime(start.year + later, 12, 31)
    except (OverflowError, ValueError):
        return None
