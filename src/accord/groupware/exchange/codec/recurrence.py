"""exchangelib's recurrence objects to Microsoft's patterns as `formats.outlook` has them, and back.

`task` and `series` use this; what a pattern means in rules is told by `formats.outlook`.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from exchangelib import recurrence as library
from exchangelib.fields import MONTHS, WEEK_NUMBERS, WEEKDAYS

from accord.formats.errors import Refused
from accord.formats.outlook.from_pattern import Series, from_pattern
from accord.formats.outlook.pattern import (
    Index,
    Pattern,
    PatternType,
    Range,
    Regeneration,
    RegenerationType,
    Unfit,
    days_of,
    days_word,
    pattern_of,
)
from accord.groupware.exchange.codec import parts
from accord.ports.errors import Rejected

_TYPES = {
    library.DailyPattern: PatternType.DAILY,
    library.WeeklyPattern: PatternType.WEEKLY,
    library.AbsoluteMonthlyPattern: PatternType.ABSOLUTE_MONTHLY,
    library.RelativeMonthlyPattern: PatternType.RELATIVE_MONTHLY,
    library.AbsoluteYearlyPattern: PatternType.ABSOLUTE_YEARLY,
    library.RelativeYearlyPattern: PatternType.RELATIVE_YEARLY,
}
_CLASSES = {type_: cls for cls, type_ in _TYPES.items()}
_REGENERATIONS = {
    library.DailyRegeneration: RegenerationType.DAILY,
    library.WeeklyRegeneration: RegenerationType.WEEKLY,
    library.MonthlyRegeneration: RegenerationType.MONTHLY,
    library.YearlyRegeneration: RegenerationType.YEARLY,
}
_INDICES = list(Index)
_WEEK = list(WEEKDAYS)


def read(recurrence: Any) -> tuple[Pattern | Regeneration, Range]:
    """Return a pattern and its range; raises Rejected."""
    pattern, boundary = recurrence.pattern, recurrence.boundary
    if pattern is None or boundary is None:
        raise Rejected("its recurrence has no pattern or no range", code="recurrence")
    try:
        return _pattern(pattern), _range(boundary)
    except Refused as why:
        raise Rejected(f"its recurrence can't be understood: {why}", code="recurrence") from why


def rule_of(pattern: Pattern | Regeneration, span: Range, start: datetime) -> Series:
    """Return the rule of a pattern with its first start; raises Rejected."""
    found = from_pattern(pattern, span, start)
    if isinstance(found, Unfit):
        raise Rejected(f"its recurrence has no rule: {found.reason}", code="recurrence")
    return found


def sent(pattern: Pattern, span: Range) -> Any:
    """Return exchangelib's recurrence of a calendar entry."""
    return library.Recurrence(pattern=_sent_pattern(pattern), boundary=_boundary(span))


def sent_for_task(pattern: Pattern, span: Range) -> Any:
    """Return exchangelib's recurrence of a task."""
    return library.TaskRecurrence(pattern=_sent_pattern(pattern), boundary=_boundary(span))


def _pattern(pattern: Any) -> Pattern | Regeneration:
    interval = getattr(pattern, "interval", 1)
    if interval is None:
        raise Refused("how much lies between two isn't said")
    if type(pattern) in _REGENERATIONS:
        return Regeneration(type=_REGENERATIONS[type(pattern)], interval=interval)
    named = getattr(pattern, "weekdays", None) or [getattr(pattern, "weekday", None)]
    words = " ".join(_WEEK[number - 1] for number in named if number)
    index = getattr(pattern, "week_number", None)
    if hasattr(pattern, "week_number") and index is None:
        raise Refused("which day of the month isn't said")
    first = getattr(pattern, "first_day_of_week", None)
    return pattern_of(
        _TYPES[type(pattern)],
        interval=interval,
        days=days_of(words),
        day_of_month=getattr(pattern, "day_of_month", None) or 0,
        month=getattr(pattern, "month", None) or 0,
        index=_INDICES[index - 1] if index else None,
        first_day=days_of(_WEEK[first - 1])[0] if first else None,
    )


def _range(boundary: Any) -> Range:
    start = _day(boundary.start)
    if start is None:
        raise Refused("the day on which it begins isn't said")
    if isinstance(boundary, library.NumberedPattern):
        return Range(start=start, count=boundary.number or 0)
    if isinstance(boundary, library.EndDatePattern):
        end = _day(boundary.end)
        if end is None:
            raise Refused("the day on which it ends isn't said")
        return Range(start=start, end=end)
    return Range(start=start)


def _day(value: Any) -> date | None:
    return None if value is None else parts.plain_day(value)


def _sent_pattern(pattern: Pattern) -> Any:
    given: dict[str, Any] = {}
    match pattern.type:
        case PatternType.WEEKLY:
            given["weekdays"] = [days_word((day,)) for day in pattern.days]
            given["first_day_of_week"] = days_word((pattern.first_day,))
        case PatternType.RELATIVE_MONTHLY | PatternType.RELATIVE_YEARLY:
            assert pattern.index is not None
            word = days_word(pattern.days)
            if word is None:
                raise Rejected("Exchange has no word for these weekdays", code="recurrence")
            given["weekday"] = word
            given["week_number"] = WEEK_NUMBERS[_INDICES.index(pattern.index)]
        case PatternType.ABSOLUTE_MONTHLY | PatternType.ABSOLUTE_YEARLY:
            given["day_of_month"] = pattern.day_of_month
        case PatternType.DAILY:
            pass
    if pattern.month:
        given["month"] = MONTHS[pattern.month - 1]
    else:
        given["interval"] = pattern.interval
    made = _CLASSES[pattern.type](**given)
    made.clean()  # words become the numbers that a server's answer has
    return made


def _boundary(span: Range) -> Any:
    start = parts.sent_day(datetime.combine(span.start, datetime.min.time()))
    if span.count is not None:
        return library.NumberedPattern(start=start, number=span.count)
    if span.end is not None:
        end = parts.sent_day(datetime.combine(span.end, datetime.min.time()))
        return library.EndDatePattern(start=start, end=end)
    return library.NoEndPattern(start=start)
