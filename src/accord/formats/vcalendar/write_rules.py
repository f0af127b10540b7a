"""Recurrence rules to the grammar of vCalendar 1.0; what it can't say is refused.

An end is written as a date, which all readers understand alike; a count isn't.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice

import msgspec

from accord.formats.errors import Refused
from accord.model.occurrences import TooMany, starts_of
from accord.model.recurrence import Frequency, NthDay, RecurrenceRule, Weekday

_LONGEST = 9999
_DAYS = tuple(day.value.upper() for day in Weekday)


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
