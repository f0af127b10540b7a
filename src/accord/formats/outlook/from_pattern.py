"""Microsoft's patterns to our rules: the rule falls on the very days that Outlook shows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

from accord.formats.outlook.occurrences import days
from accord.formats.outlook.pattern import (
    WEEK,
    Index,
    Pattern,
    PatternType,
    Range,
    Regeneration,
    Unfit,
)
from accord.model.recurrence import Frequency, NthDay, RecurrenceRule, Weekday


class Series(Struct, frozen=True, kw_only=True):
    """Be a rule with the start of its first occurrence."""

    rule: RecurrenceRule
    start: datetime


def from_pattern(pattern: Pattern | Regeneration, span: Range, start: datetime) -> Series | Unfit:
    """Return the rule of a pattern, and its first start.

    `start` gives the time of day, wall-clock in the series' zone; the days are those of the
    pattern alone. A range may begin on a day that isn't one of its pattern's; a rule may not
    (RFC 5545 3.8.5.3), so the first occurrence is the start. What regenerates has no rule.
    """
    if isinstance(pattern, Regeneration):
        return Unfit(reason="the task comes back only once it is done, which no rule can say")
    first = next(days(pattern, span), None)
    if first is None:
        return Unfit(reason="the pattern has no occurrence in its range")
    parts: dict[str, Any] = {"count": span.count}
    if span.end is not None:
        parts["until"] = datetime.combine(span.end, start.time())
    match pattern.type:
        case PatternType.DAILY:
            rule = RecurrenceRule(frequency=Frequency.DAILY, interval=pattern.interval, **parts)
        case PatternType.WEEKLY:
            rule = _weekly(pattern, parts)
        case _:
            rule = _by_month(pattern, first.month, parts)
    return Series(rule=rule, start=datetime.combine(first, start.time()))


def _weekly(pattern: Pattern, parts: dict[str, Any]) -> RecurrenceRule:
    # With which day a week begins matters only where weeks are left out.
    matters = pattern.interval > 1 and len(pattern.days) > 1
    return RecurrenceRule(
        frequency=Frequency.WEEKLY,
        interval=pattern.interval,
        by_day=tuple(NthDay(day=day) for day in pattern.days),
        week_start=pattern.first_day if matters else Weekday.MO,
        **parts,
    )


def _by_month(pattern: Pattern, first_month: int, parts: dict[str, Any]) -> RecurrenceRule:
    """Return a rule of months, or of years where only one month of the year is meant."""
    step = pattern.months
    if step % 12 == 0:
        parts |= {"frequency": Frequency.YEARLY, "interval": step // 12, "by_month": (first_month,)}
    else:
        parts |= {"frequency": Frequency.MONTHLY, "interval": step}
    if pattern.index is None:
        return RecurrenceRule(**parts, **_on_day(pattern.day_of_month, first_month, step))
    return RecurrenceRule(**parts, **_on_weekday(pattern, pattern.index))


def _on_day(day: int, first_month: int, step: int) -> dict[str, Any]:
    """Return the parts for a day that shorter months have as their last."""
    months = {(first_month - 1 + count * step) % 12 + 1 for count in range(12)}
    shortest = min(_SHORTEST.get(month, 31) for month in months)
    longest = max(29 if month == 2 else _SHORTEST.get(month, 31) for month in months)
    if day <= shortest:
        return {"by_month_day": (day,)}
    if day >= longest:
        return {"by_month_day": (-1,)}
    # The last one of those days that a month has.
    return {"by_month_day": tuple(range(shortest, day + 1)), "by_set_position": (-1,)}


def _on_weekday(pattern: Pattern, index: Index) -> dict[str, Any]:
    if pattern.days == WEEK:
        return {"by_month_day": (index.position,)}
    if len(pattern.days) == 1:
        return {"by_day": (NthDay(day=pattern.days[0], nth=index.position),)}
    each = tuple(NthDay(day=day) for day in pattern.days)
    return {"by_day": each, "by_set_position": (index.position,)}


_SHORTEST = {2: 28, 4: 30, 6: 30, 9: 30, 11: 30}
