"""The days of a pattern as Exchange and Outlook show them, by Microsoft's own reckoning.

Independent of our own expansion, so that each can be checked by the other. Follows [MS-OXOCAL]
2.2.1.44.1.1 "Calculating the Value of the FirstDateTime Field" and 2.2.1.44.1.2 "Finding Valid
Recurrence Dates", with days instead of minutes since 1601.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import chain, count, takewhile

from accord.formats.outlook.pattern import (
    EARLIEST,
    LATEST,
    WEEK,
    Index,
    Pattern,
    PatternType,
    Range,
)


def days(
    pattern: Pattern, span: Range, *, after: date | None = None, until: date | None = None
) -> Iterator[date]:
    """Yield the days of a series in order, from `after` to `until`, both included.

    Lazy; ends on the last day of Microsoft's calendar at the latest. Deleted and changed
    occurrences count like all others: a range counts what the pattern gives.
    """
    last = min(day for day in (LATEST, span.end, until) if day is not None)
    begin = span.start if after is None else max(after, span.start)
    if span.count is None:
        found = _from(pattern, span, begin)
        yield from takewhile(lambda day: day <= last, found)
        return
    for _, day in zip(range(span.count), _from(pattern, span, span.start), strict=False):
        if day > last:
            return
        if day >= begin:
            yield day


def day_in_month(pattern: Pattern, length: int, first_weekday: int) -> int:
    """Return the day on which a monthly or yearly pattern falls in a month of this shape.

    `first_weekday` is that of the first, Monday is 0. "If for a particular month this value is
    larger than the number of days in the month, the last day of the month is assumed" (EWS page
    "DayOfMonth"); an index counts among the days chosen ([MS-OXOCAL] 2.2.1.44.1.6 MonthNth).
    """
    if pattern.index is None:
        return min(pattern.day_of_month, length)
    chosen = {WEEK.index(day) for day in pattern.days}
    fitting = [day for day in range(1, length + 1) if (first_weekday + day - 1) % 7 in chosen]
    return fitting[-1] if pattern.index is Index.LAST else fitting[pattern.index.position - 1]


def _from(pattern: Pattern, span: Range, begin: date) -> Iterator[date]:
    """Yield all days from `begin` on, without an end but that of the calendar."""
    try:
        match pattern.type:
            case PatternType.DAILY:
                found = _daily(pattern, span, begin)
            case PatternType.WEEKLY:
                found = _weekly(pattern, span, begin)
            case _:
                found = _monthly(pattern, span, begin)
        for day in found:
            if day >= begin:
                yield day
    except (OverflowError, ValueError):
        # The calendar of the language ends.
        return


def _daily(pattern: Pattern, span: Range, begin: date) -> Iterator[date]:
    first = _number(span.start) % pattern.interval
    number = _number(begin)
    number += -(number - first) % pattern.interval
    return (_day(found) for found in count(number, pattern.interval))


def _weekly(pattern: Pattern, span: Range, begin: date) -> Iterator[date]:
    period = 7 * pattern.interval
    first_day = WEEK.index(pattern.first_day)
    first = _week(span.start, first_day) % period
    week = _week(begin, first_day)
    week += -(week - first) % period
    chosen = sorted((WEEK.index(day) - first_day) % 7 for day in pattern.days)
    # Weeks may begin before the calendar does; none of its days is asked for.
    return chain.from_iterable(
        (_day(found + offset) for offset in chosen) for found in count(week, period)
    )


def _monthly(pattern: Pattern, span: Range, begin: date) -> Iterator[date]:
    anchor = _month(span.start)
    if pattern.month:
        # Years are counted from the first such month at or after the start.
        anchor += (pattern.month - 1 - anchor) % 12
    first = anchor % pattern.months
    month = max(_month(begin), anchor)
    month += -(month - first) % pattern.months
    return (_in_month(pattern, found) for found in count(month, pattern.months))


def _in_month(pattern: Pattern, month: int) -> date:
    year, index = divmod(month, 12)
    year += EARLIEST.year
    first_weekday, length = monthrange(year, index + 1)
    return date(year, index + 1, day_in_month(pattern, length, first_weekday))


def _number(day: date) -> int:
    """Return a day as the number of days since the calendar begins."""
    return (day - EARLIEST).days


def _day(number: int) -> date:
    return EARLIEST + timedelta(days=number)


def _week(day: date, first_day: int) -> int:
    """Return the first day of a week as a number."""
    return _number(day) - (day.weekday() - first_day) % 7


def _month(day: date) -> int:
    return (day.year - EARLIEST.year) * 12 + day.month - 1
