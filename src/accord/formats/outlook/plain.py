"""Our rules brought to their plainest form: one time of day, days, weeks or months.

The first half of `to_pattern`; `months` and `to_pattern` find the pattern of what is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time
from itertools import product
from math import gcd

import msgspec

from accord.model.recurrence import Frequency, RecurrenceRule


class Misfit(Exception):
    """Say inside this room that a rule has no pattern; `Unfit` tells it outside."""

    def __init__(self, reason: str) -> None:
        """Keep the reason for people."""
        self.reason = reason
        super().__init__(reason)


SEVERAL = "it comes at several times of day"


def plain(rule: RecurrenceRule, start: datetime) -> tuple[RecurrenceRule, time]:
    """Return an equal rule of days, weeks, months or years, and its time of day.

    Times of day are gone from the rule. Raises Misfit where there are several.
    """
    if rule.interval < 1:
        raise Misfit(f"an interval of {rule.interval} means nothing")
    if rule.by_week_number:
        raise Misfit("it goes by the numbers of the weeks")
    if rule.frequency in _UNITS:
        interval, at = _sub_daily(rule, start)
        if rule.by_set_position:
            raise Misfit(_SETS)
        rule = msgspec.structs.replace(rule, frequency=Frequency.DAILY, interval=interval)
    else:
        at = _only(_times(rule, start, rule.by_hour or (start.hour,)))
    rule = msgspec.structs.replace(rule, by_hour=(), by_minute=(), by_second=())
    return _single_sets(_year_days(rule)), at


def _sub_daily(rule: RecurrenceRule, start: datetime) -> tuple[int, time]:
    """Return the interval in days and the time of a rule that goes by hours or less."""
    unit = _UNITS[rule.frequency]
    a_day = 86_400 // unit
    begins = (start.hour * 3600 + start.minute * 60 + start.second) // unit
    often = gcd(rule.interval, a_day)
    at = _only(_met(rule, start, range(begins % often, a_day, often), unit))
    interval = rule.interval // often
    if interval > 1 and at != start.time():
        raise Misfit("it goes by hours to a time of day that isn't that of its start")
    return interval, at


def _met(rule: RecurrenceRule, start: datetime, met: range, unit: int) -> Iterator[time]:
    """Yield the times of day on which the interval falls, as far as the rule lets them."""
    for number in met:
        hour, minute, second = number * unit // 3600, number * unit // 60 % 60, number * unit % 60
        if rule.by_hour and hour not in rule.by_hour:
            continue
        if unit < 3600 and rule.by_minute and minute not in rule.by_minute:
            continue
        if unit == 1 and rule.by_second and second not in rule.by_second:
            continue
        narrowed = start.replace(
            minute=minute if unit < 3600 else start.minute,
            second=second if unit == 1 else start.second,
        )
        done: dict[str, tuple[int, ...]] = {}
        if unit < 3600:
            done["by_minute"] = ()
        if unit == 1:
            done["by_second"] = ()
        yield from _times(msgspec.structs.replace(rule, **done), narrowed, (hour,))


def _times(rule: RecurrenceRule, start: datetime, hours: tuple[int, ...]) -> Iterator[time]:
    """Yield the times of day of these hours; what isn't said is taken from the start."""
    minutes = set(rule.by_minute) or {start.minute}
    seconds = set(rule.by_second) or {start.second}
    if max(seconds) > 59:
        raise Misfit("it falls on a leap second")
    for hour, minute, second in product(set(hours), minutes, seconds):
        yield time(hour, minute, second)


def _only(found: Iterator[time]) -> time:
    first, second = next(found, None), next(found, None)
    if first is None:
        raise Misfit(NEVER)
    if second is not None:
        raise Misfit(SEVERAL)
    return first


def _year_days(rule: RecurrenceRule) -> RecurrenceRule:
    """Return a rule by days of the year as one by month and day, where the two are the same."""
    if not rule.by_year_day:
        return rule
    others = rule.by_month or rule.by_month_day or rule.by_day or rule.by_set_position
    if rule.frequency is not Frequency.YEARLY or others:
        raise Misfit("it goes by days of the year together with other days")
    places = {_place(number) for number in rule.by_year_day}
    days = {day for _, day in places}
    if len(days) > 1:
        raise Misfit("it goes by several days of the year")
    months = tuple(sorted(month for month, _ in places))
    return msgspec.structs.replace(rule, by_year_day=(), by_month=months, by_month_day=tuple(days))


def _place(number: int) -> tuple[int, int]:
    """Return month and day of a day of the year, if it is the same in every year."""
    if not (1 <= number <= 59 or -306 <= number <= -1):
        raise Misfit(f"day {number} of the year isn't the same date in every year")
    day = datetime(2026, 1, 1).toordinal() + (number - 1 if number > 0 else 365 + number)
    found = datetime.fromordinal(day)
    return found.month, found.day


def _single_sets(rule: RecurrenceRule) -> RecurrenceRule:
    """Return a rule without positions where every set has one day at most (BYSETPOS=1)."""
    if not rule.by_set_position:
        return rule
    single = rule.frequency is Frequency.DAILY or (
        rule.frequency is Frequency.WEEKLY and len({one.day for one in rule.by_day}) < 2
    )
    if not single:
        if rule.frequency is Frequency.WEEKLY:
            raise Misfit(_SETS)
        return rule
    if not {1, -1} & set(rule.by_set_position):
        raise Misfit(NEVER)
    return msgspec.structs.replace(rule, by_set_position=())


NEVER = "it never falls on a day"
_SETS = "it takes positions out of a set (BYSETPOS) that Exchange doesn't have"
_UNITS = {Frequency.HOURLY: 3600, Frequency.MINUTELY: 60, Frequency.SECONDLY: 1}
