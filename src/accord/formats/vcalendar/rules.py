"""Recurrence rules of vCalendar 1.0 (its Recurrence Rule Grammar) to RRULE text, and back.

`D` days, `W` weeks, `MP` and `MD` months by weekday and by day, `YM` and `YD` years by month and
by day; then how often or until when. `#n` counts intervals, not occurrences, and `#0` is endless
(SyncEvolution reads it so too); so an end is always written as a date, which all understand alike.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice

import msgspec

from accord.formats.errors import Refused
from accord.formats.ical.values import format_date, format_local, refuse
from accord.formats.lines import Line
from accord.formats.vcalendar.stamps import Stamp, stamp
from accord.model.occurrences import TooMany, starts_of
from accord.model.recurrence import Frequency, NthDay, RecurrenceRule, Weekday

_HEAD = re.compile(r"(D|W|MP|MD|YM|YD)(\d{1,4})\Z", re.ASCII)
_NUMBER = re.compile(r"(\d{1,3})([+-]?)\Z", re.ASCII)
_TIMES = re.compile(r"#(\d{1,6})\Z", re.ASCII)
_NTH = re.compile(r"([1-5])([+-]?)\Z", re.ASCII)
_MOST = 400
_LONGEST = 9999
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


def to_old(
    rule: RecurrenceRule,
    start: datetime,
    all_day: bool,
    stamp_of: Callable[[datetime], str],
    uid: str,
) -> str:
    """Return a rule in the grammar of 1.0; `stamp_of` writes its end.

    Raises Refused where the grammar can't say the rule, or readers would understand it in
    different ways.
    """
    text = _pattern(rule, start)
    if text is None:
        raise Refused("vCalendar 1.0 has no such rule", prop="RRULE", uid=uid)
    try:
        if start not in islice(starts_of(rule, start, start, start), 1):
            raise Refused("the start doesn't fit its own rule", prop="RRULE", uid=uid)
        if _depends_on_week_start(rule, start):
            raise Refused("1.0 can't say with which day a week begins", prop="RRULE", uid=uid)
        return f"{text} {_old_end(rule, start, all_day, stamp_of)}"
    except (TooMany, OverflowError) as error:
        raise Refused("the end of the rule can't be told", prop="RRULE", uid=uid) from error


def last_start(rule: RecurrenceRule, start: datetime) -> datetime | None:
    """Return the last start of a rule, None for an endless one; raises TooMany."""
    if rule.count is None:
        return rule.until
    found = deque(starts_of(rule, start, start, datetime.max), maxlen=1)
    return found[0] if found else start


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


def _pattern(rule: RecurrenceRule, start: datetime) -> str | None:
    """Return the rule without its end; None where the grammar has none."""
    finer = rule.by_hour or rule.by_minute or rule.by_second
    if finer or rule.by_week_number or rule.interval > _LONGEST:
        return None
    match rule.frequency:
        case Frequency.DAILY:
            return _daily(rule)
        case Frequency.WEEKLY:
            return _weekly(rule, start)
        case Frequency.MONTHLY if not rule.by_month:
            return _monthly(rule, rule.interval, start)
        case Frequency.YEARLY:
            return _yearly(rule, start)
    return None


def _given(rule: RecurrenceRule) -> set[str]:
    """Return the names of the parts that choose days."""
    return {name for name in _CHOOSING if getattr(rule, name)}


_CHOOSING = ("by_month", "by_year_day", "by_month_day", "by_day", "by_set_position")


def _daily(rule: RecurrenceRule) -> str | None:
    given = _given(rule)
    if not given:
        return f"D{rule.interval}"
    # Every day that is one of some weekdays is every week on them.
    plain = given == {"by_day"} and rule.interval == 1 and not any(x.nth for x in rule.by_day)
    return f"W1 {_names(rule.by_day)}" if plain else None


def _weekly(rule: RecurrenceRule, start: datetime) -> str | None:
    if _given(rule) - {"by_day"} or any(one.nth for one in rule.by_day):
        return None
    days = _names(rule.by_day) or _DAYS[start.weekday()]
    return f"W{rule.interval} {days}"


def _monthly(rule: RecurrenceRule, interval: int, start: datetime) -> str | None:
    """Return a rule by days or weekdays of the month."""
    if interval > _LONGEST:
        return None
    match sorted(_given(rule) - {"by_month"}):
        case []:
            return f"MD{interval} {start.day}"
        case ["by_month_day"]:
            days = (f"{abs(day)}{'-' if day < 0 else ''}" for day in rule.by_month_day)
            return f"MD{interval} {' '.join(days)}"
        case ["by_day"]:
            return _by_weekday(rule.by_day, interval)
        case ["by_day", "by_set_position"] if len(rule.by_day) == 1 and not rule.by_day[0].nth:
            day = rule.by_day[0].day
            return _by_weekday([NthDay(day=day, nth=n) for n in rule.by_set_position], interval)
    return None


def _by_weekday(days: tuple[NthDay, ...] | list[NthDay], interval: int) -> str | None:
    if any(abs(one.nth) > 5 for one in days):
        return None
    each = (n for one in days for n in _every(one))
    texts = (f"{abs(x.nth)}{'-' if x.nth < 0 else '+'} {x.day.value.upper()}" for x in each)
    return f"MP{interval} {' '.join(texts)}"


def _every(one: NthDay) -> Iterator[NthDay]:
    """Yield the day, five times where every such day of the month is meant."""
    yield from [one] if one.nth else [NthDay(day=one.day, nth=n) for n in range(1, 6)]


def _yearly(rule: RecurrenceRule, start: datetime) -> str | None:
    given = _given(rule)
    here = rule.by_month == (start.month,)
    same_day = rule.by_month_day == (start.day,)
    if given <= {"by_month"} or (given == {"by_month", "by_month_day"} and same_day):
        months = rule.by_month or (start.month,)
        return f"YM{rule.interval} {' '.join(map(str, sorted(months)))}"
    if given == {"by_year_day"} and min(rule.by_year_day) > 0:
        return f"YD{rule.interval} {' '.join(map(str, sorted(rule.by_year_day)))}"
    # The days of one month of the year are those of every twelfth month.
    return _monthly(rule, rule.interval * 12, start) if here else None


def _names(days: tuple[NthDay, ...]) -> str:
    return " ".join(dict.fromkeys(one.day.value.upper() for one in days))


def _depends_on_week_start(rule: RecurrenceRule, start: datetime) -> bool:
    if rule.frequency is not Frequency.WEEKLY or rule.interval == 1 or len(rule.by_day) < 2:
        return False
    span = timedelta(days=7 * (rule.interval + 1))
    until = min(start, datetime.max - span) + span
    ways = {
        tuple(
            starts_of(
                msgspec.structs.replace(rule, week_start=day, count=None), start, start, until
            )
        )
        for day in (Weekday.MO, Weekday.SU, rule.week_start)
    }
    return len(ways) > 1


def _old_end(
    rule: RecurrenceRule, start: datetime, all_day: bool, stamp_of: Callable[[datetime], str]
) -> str:
    last = last_start(rule, start)
    if last is None:
        return "#0"
    return stamp_of(last.replace(hour=23, minute=59, second=59) if all_day else last)
