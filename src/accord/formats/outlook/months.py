"""Rules of months and years to Microsoft's patterns, by trying every shape that a month has.

A month is told by its length and the weekday of its first: 28 shapes at most. A pattern that
falls on the rule's day in each of them is the rule's pattern, however the rule is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from math import lcm
from typing import TypeAlias, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from accord.formats.outlook.occurrences import day_in_month
from accord.formats.outlook.pattern import (
    GROUPS,
    MOST_MONTHS,
    WEEK,
    Dialect,
    Index,
    Pattern,
    PatternType,
)
from accord.formats.outlook.plain import NEVER, Misfit
from accord.model.recurrence import Frequency, RecurrenceRule, Weekday

_Shapes: TypeAlias = dict[tuple[int, int], tuple[int, ...]]
_Day = TypeVar("_Day")


class Found(Struct, frozen=True, kw_only=True):
    """Be a pattern; it isn't `exact` where it has days that the rule leaves out."""

    pattern: Pattern
    exact: bool = True


def by_month(rule: RecurrenceRule, month: int, day: int, dialect: Dialect) -> Found:
    """Return the pattern of a rule of months or years that begins on a day of a month.

    A rule of days that names days of the month counts as one of months. Raises Misfit.
    """
    rule = _spelled(rule, month, day)
    chosen = _Chosen(rule)
    shapes, months = chosen.in_years() if _goes_by_years(rule) else chosen.in_months()
    if not any(shapes.values()):
        raise Misfit(NEVER)
    # Months that never have such a day, the 31st of February, needn't be named.
    having = {one for one in months if any(_of_month(shapes, one).values())}
    try:
        return _found(rule, month, having, shapes, chosen.weekdays, dialect)
    except Misfit:
        return _found(rule, month, months, shapes, chosen.weekdays, dialect)


def _found(
    rule: RecurrenceRule,
    month: int,
    months: set[int],
    shapes: _Shapes,
    weekdays: tuple[Weekday, ...],
    dialect: Dialect,
) -> Found:
    """Return the pattern with these days in these months; raises Misfit."""
    step, met = _step(rule, month, months)
    everyday = _everyday(shapes) if step == 1 else None
    if everyday is not None:
        return Found(pattern=everyday)
    given = {shape: days for one in met for shape, days in _of_month(shapes, one).items()}
    if any(len(days) > 1 for days in given.values()):
        raise Misfit("it falls on several days of one month")
    wanted = {shape: days[0] for shape, days in given.items() if days}
    found = _fitting(wanted, weekdays, dialect) if wanted else None
    if found is None:
        raise Misfit("no day or weekday of the month says the same")
    return Found(pattern=_stepped(found, step, met, dialect), exact=len(wanted) == len(given))


def _of_month(shapes: _Shapes, month: int) -> _Shapes:
    """Return the shapes that a month of the year may have."""
    return {shape: days for shape, days in shapes.items() if shape[0] in _LENGTHS[month - 1]}


def _spelled(rule: RecurrenceRule, month: int, day: int) -> RecurrenceRule:
    """Return the rule with what it takes from its start (RFC 5545 3.3.10)."""
    if rule.by_month_day or rule.by_day:
        return rule
    if rule.frequency is Frequency.YEARLY and not rule.by_month:
        rule = replace(rule, by_month=(month,))
    return replace(rule, by_month_day=(day,))


def _goes_by_years(rule: RecurrenceRule) -> bool:
    """Tell whether days are counted among those of a whole year."""
    if rule.frequency is not Frequency.YEARLY:
        return False
    numbered = any(one.nth for one in rule.by_day) and not rule.by_month
    return numbered or (bool(rule.by_set_position) and len(set(rule.by_month)) != 1)


def _step(rule: RecurrenceRule, month: int, chosen: set[int]) -> tuple[int, set[int]]:
    """Return how many months lie between two, and the months of the year that are met.

    Raises Misfit where the months don't follow at even distances.
    """
    if rule.frequency is Frequency.YEARLY:
        cycle = 12 * rule.interval
        met = {(one - month) % cycle for one in chosen}
    else:
        cycle = lcm(rule.interval, 12)
        met = set(range(0, cycle, rule.interval))
        met = {one for one in met if (month - 1 + one) % 12 + 1 in chosen}
    if not met:
        raise Misfit(NEVER)
    step, rest = divmod(cycle, len(met))
    if rest or len({one % step for one in met}) > 1:
        raise Misfit("its months don't follow each other at even distances")
    if step > MOST_MONTHS:
        raise Misfit(f"{step} months lie between two, and {MOST_MONTHS} is the most")
    return step, {(month - 1 + one) % 12 + 1 for one in met}


class _Chosen:
    """Tell the days of a rule in a month or year of some shape (RFC 5545 3.3.10)."""

    def __init__(self, rule: RecurrenceRule) -> None:
        numbered = [one for one in rule.by_day if one.nth]
        if numbered and len(numbered) < len(rule.by_day):
            raise Misfit("it mixes numbered weekdays with plain ones")
        if numbered and rule.frequency is Frequency.DAILY:
            raise Misfit("it numbers weekdays without a month to count them in")
        if not set(rule.by_month) <= set(range(1, 13)):
            raise Misfit(NEVER)
        self._months = set(rule.by_month)
        self._days = set(rule.by_month_day)
        self._weekdays = {(WEEK.index(one.day), one.nth) for one in rule.by_day}
        self._positions = set(rule.by_set_position)

    @property
    def weekdays(self) -> tuple[Weekday, ...]:
        """Return the weekdays that the rule names."""
        return tuple(day for number, day in enumerate(WEEK) if number in dict(self._weekdays))

    def in_months(self) -> tuple[_Shapes, set[int]]:
        """Return the days in months of every shape, and the months that are named."""
        months = self._months or set(range(1, 13))
        lengths = {length for one in months for length in _LENGTHS[one - 1]}
        found: _Shapes = {}
        for length, first in product(sorted(lengths), range(7)):
            days = [
                day
                for day in range(1, length + 1)
                if self._on_day(day, length) and self._on_weekday(first + day - 1, day, length)
            ]
            found[length, first] = self._positioned(days)
        return found, months

    def in_years(self) -> tuple[_Shapes, set[int]]:
        """Return the same where days are counted in years; raises Misfit where months differ."""
        found: dict[int, _Shapes] = {}
        for leap, first in product((False, True), range(7)):
            for month, (length, begin, days) in self._in_year(leap, first).items():
                found.setdefault(month, {})[length, (first + begin) % 7] = days
        months = {month for month, shapes in found.items() if any(shapes.values())}
        merged: _Shapes = {}
        for month in sorted(months):
            for shape, days in found[month].items():
                if merged.setdefault(shape, days) != days:
                    raise Misfit("its days differ from month to month")
        return merged, months

    def _in_year(self, leap: bool, first: int) -> dict[int, tuple[int, int, tuple[int, ...]]]:
        """Return each month's length, the days before it, and its days of the rule."""
        lengths = [all_lengths[-1 if leap else 0] for all_lengths in _LENGTHS]
        days = [
            (month, day)
            for month, length in enumerate(lengths, 1)
            if not self._months or month in self._months
            for day in range(1, length + 1)
            if self._on_day(day, length)
            and self._counted(sum(lengths[: month - 1]), day, length, first, sum(lengths))
        ]
        positioned = self._positioned(days)
        return {
            month: (
                length,
                sum(lengths[: month - 1]),
                tuple(day for one, day in positioned if one == month),
            )
            for month, length in enumerate(lengths, 1)
        }

    def _counted(self, begin: int, day: int, length: int, first: int, year: int) -> bool:
        """Tell whether a day fits its weekday, counted in its month where months are named."""
        weekday = first + begin + day - 1
        if self._months:
            return self._on_weekday(weekday, day, length)
        return self._on_weekday(weekday, begin + day, year)

    def _positioned(self, days: list[_Day]) -> tuple[_Day, ...]:
        if not self._positions:
            return tuple(days)
        places = {at - 1 if at > 0 else len(days) + at for at in self._positions}
        return tuple(day for place, day in enumerate(days) if place in places)

    def _on_day(self, day: int, length: int) -> bool:
        return not self._days or not self._days.isdisjoint((day, day - length - 1))

    def _on_weekday(self, weekday: int, day: int, length: int) -> bool:
        """Tell whether a day of a month or year of this length is one of the weekdays named."""
        numbers = (0, (day + 6) // 7, -((length - day + 7) // 7))
        return not self._weekdays or not self._weekdays.isdisjoint(
            (weekday % 7, number) for number in numbers
        )


def _everyday(shapes: _Shapes) -> Pattern | None:
    """Return the pattern of a rule that falls on some weekdays of every week, else None."""
    chosen = {(first + day - 1) % 7 for (_, first), days in shapes.items() for day in days}
    for (length, first), days in shapes.items():
        if days != tuple(d for d in range(1, length + 1) if (first + d - 1) % 7 in chosen):
            return None
    if not chosen or len(shapes) < 28:
        return None
    if len(chosen) == 7:
        return Pattern(type=PatternType.DAILY)
    return Pattern(type=PatternType.WEEKLY, days=tuple(WEEK[number] for number in sorted(chosen)))


def _fitting(
    wanted: dict[tuple[int, int], int], weekdays: tuple[Weekday, ...], dialect: Dialect
) -> Pattern | None:
    """Return the first monthly pattern that falls on the day wanted in every shape."""
    groups = GROUPS
    if dialect is Dialect.GRAPH and weekdays and weekdays not in GROUPS:
        groups = (*GROUPS, weekdays)
    for pattern, falls in _candidates(groups):
        if all(falls[shape] == day for shape, day in wanted.items()):
            return pattern
    return None


@lru_cache(maxsize=200)
def _candidates(
    groups: tuple[tuple[Weekday, ...], ...],
) -> tuple[tuple[Pattern, dict[tuple[int, int], int]], ...]:
    """Return all monthly patterns with the days on which they fall, the plainest first."""
    shapes = [(length, first) for length in range(28, 32) for first in range(7)]
    return tuple(
        (pattern, {shape: day_in_month(pattern, *shape) for shape in shapes})
        for pattern in _patterns(groups)
    )


def _patterns(groups: tuple[tuple[Weekday, ...], ...]) -> Iterator[Pattern]:
    for day in range(1, 32):
        yield Pattern(type=PatternType.ABSOLUTE_MONTHLY, day_of_month=day)
    for days in groups:
        for index in Index:
            yield Pattern(type=PatternType.RELATIVE_MONTHLY, days=days, index=index)


def _stepped(found: Pattern, step: int, months: set[int], dialect: Dialect) -> Pattern:
    """Return the pattern with its interval, by years where one month of the year is meant.

    EWS has no interval of years; as many months say the same (types.xsd).
    """
    if step % 12 or (dialect is Dialect.EWS and step > 12):
        return Pattern(
            type=found.type,
            interval=step,
            days=found.days,
            day_of_month=found.day_of_month,
            index=found.index,
        )
    absolute = found.type is PatternType.ABSOLUTE_MONTHLY
    return Pattern(
        type=PatternType.ABSOLUTE_YEARLY if absolute else PatternType.RELATIVE_YEARLY,
        interval=step // 12,
        days=found.days,
        day_of_month=found.day_of_month,
        index=found.index,
        month=min(months),
    )


_LENGTHS = ((31,), (28, 29), (31,), (30,), (31,), (30,), (31,), (31,), (30,), (31,), (30,), (31,))
