"""When a series takes place: Exchange's six patterns and three ranges, as Microsoft counts them.

A month without the day (29 to 31) has its occurrence on its last day, unlike in iCalendar.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count, islice

from accord.sandbox.exchange.errors import EwsError
from accord.sandbox.exchange.xml import Node, child, day, local, text_at

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SETS = {"Day": range(7), "Weekday": range(5), "WeekendDay": range(5, 7)}
_MONTHS = list(calendar.month_name)
_NTH = {"First": 0, "Second": 1, "Third": 2, "Fourth": 3, "Last": -1}
_LAST_YEAR = 4500
_MOST = 999
"""Occurrences that a numbered series can have."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern with its range: `days` are weekdays from Monday as 0, `nth` is -1 for the last."""

    kind: str
    start: date
    interval: int = 1
    days: frozenset[int] = frozenset()
    first_day: int = 6
    day_of_month: int = 0
    month: int = 0
    nth: int = 0
    until: date | None = None
    number: int | None = None

    def dates(self) -> Iterator[date]:
        """Yield the days on which the series takes place, in order, deleted ones included."""
        if self.number is not None:
            yield from islice(self._all(), self.number)
            return
        for each in self._all():
            if self.until is not None and each > self.until:
                return
            yield each

    def last(self) -> date | None:
        """Return the last day; None where the series has no end."""
        if self.number is None and self.until is None:
            return None
        found = None
        for each in self.dates():
            found = each
        return found

    def _all(self) -> Iterator[date]:
        match self.kind:
            case "Daily":
                return self._daily()
            case "Weekly":
                return self._weekly()
            case "AbsoluteMonthly" | "RelativeMonthly":
                return self._monthly(self.start.month, self.interval)
            case _:
                return self._monthly(self.month, 12)

    def _daily(self) -> Iterator[date]:
        found = self.start
        while found.year < _LAST_YEAR:
            yield found
            found += timedelta(days=self.interval)

    def _weekly(self) -> Iterator[date]:
        week = self.start - timedelta(days=(self.start.weekday() - self.first_day) % 7)
        while week.year < _LAST_YEAR:
            for offset in range(7):
                found = week + timedelta(days=offset)
                if found >= self.start and found.weekday() in self.days:
                    yield found
            week += timedelta(weeks=self.interval)

    def _monthly(self, first: int, step: int) -> Iterator[date]:
        for number in count(self.start.year * 12 + first - 1, step):
            year, month = divmod(number, 12)
            if year >= _LAST_YEAR:
                return
            found = self._in(year, month + 1)
            if found >= self.start:
                yield found

    def _in(self, year: int, month: int) -> date:
        length = calendar.monthrange(year, month)[1]
        if self.day_of_month:
            return date(year, month, min(self.day_of_month, length))
        fitting = [
            each
            for number in range(1, length + 1)
            if (each := date(year, month, number)).weekday() in self.days
        ]
        return fitting[self.nth]


def read(node: Node) -> Rule:
    """Read a Recurrence. Raises EwsError where it never takes place or can't be kept."""
    pattern, span = node[0], node[1]
    kind = local(pattern).removesuffix("Recurrence")
    interval = int(text_at(pattern, "Interval") or 1)
    names = (text_at(pattern, "DaysOfWeek") or "").split()
    days = frozenset(number for name in names for number in _numbers(name))
    first = text_at(pattern, "FirstDayOfWeek")
    month = text_at(pattern, "Month")
    number = text_at(span, "NumberOfOccurrences")
    until = text_at(span, "EndDate")
    rule = Rule(
        kind,
        day(text_at(span, "StartDate") or ""),
        interval,
        days,
        6 if first is None else _DAYS.index(first),
        int(text_at(pattern, "DayOfMonth") or 0),
        0 if month is None else _MONTHS.index(month),
        _NTH[text_at(pattern, "DayOfWeekIndex") or "First"],
        None if until is None else day(until),
        None if number is None else int(number),
    )
    if kind == "Weekly" and {*names} & {*_SETS}:
        raise EwsError("ErrorCalendarInvalidDayForWeeklyRecurrence")
    if interval < 1 or (number is not None and not 1 <= int(number) <= _MOST):
        raise EwsError("ErrorCalendarInvalidRecurrence")
    if rule.until is not None and rule.until < rule.start:
        raise EwsError("ErrorCalendarEndDateIsEarlierThanStartDate")
    if next(rule.dates(), None) is None:
        raise EwsError("ErrorRecurrenceHasNoOccurrence")
    return rule


def of(content: Node) -> Rule | None:
    """Return the rule of an item's content, if it is a series."""
    node = child(content, "Recurrence")
    return None if node is None else read(node)


def _numbers(name: str) -> range:
    if name in _SETS:
        return _SETS[name]
    number = _DAYS.index(name)
    return range(number, number + 1)
