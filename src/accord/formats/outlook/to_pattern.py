"""Our rules to Microsoft's patterns, or the reason why there is none.

What maps falls on the same days: where Exchange would show a day more, that day is deleted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, datetime, time, timedelta
from itertools import islice, pairwise
from math import gcd

from msgspec import Struct
from msgspec.structs import replace

from accord.formats.outlook.months import Found, by_month
from accord.formats.outlook.occurrences import days
from accord.formats.outlook.pattern import (
    EARLIEST,
    LATEST,
    MOST_COUNTED,
    MOST_DAYS,
    MOST_WEEKS,
    WEEK,
    Dialect,
    Pattern,
    PatternType,
    Range,
    Unfit,
)
from accord.formats.outlook.plain import NEVER, Misfit, plain
from accord.model.occurrences import TooMany, starts_of
from accord.model.recurrence import Frequency, NthDay, RecurrenceRule, Weekday

MOST_DELETED = 60
"""How many days are deleted at most to make a pattern fall on the days of a rule."""

MOST_EXTRA = 50
"""How many extra dates are looked at, at most, whether the rule has them anyway."""

_GAPS = 400
_LAST_COUNTED = 200_000
_SEARCH = timedelta(days=40 * 366)
_DAY = timedelta(days=1)


class Fit(Struct, frozen=True, kw_only=True):
    """Be a series as Microsoft says it.

    `start` is that of the first occurrence, deleted or not; `deleted` are the original starts
    of occurrences that aren't shown, in order. Both are wall-clock in the series' zone.
    """

    pattern: Pattern
    range: Range
    start: datetime
    deleted: tuple[datetime, ...] = ()


def to_pattern(
    rule: RecurrenceRule | None,
    start: datetime,
    *,
    exdates: Collection[datetime] = (),
    rdates: Collection[datetime] = (),
    length: timedelta = timedelta(0),
    dialect: Dialect = Dialect.EWS,
) -> Fit | Unfit:
    """Return the pattern of a series, or why it has none.

    All times are wall-clock in the series' zone, all-day ones at midnight: a pattern knows days
    alone, so clock changes don't matter. `length` is that of one occurrence. A start that isn't
    one of the rule's own days counts as an occurrence with us and not at Microsoft's: it fits
    only where it is excluded.
    """
    try:
        return _fit(rule, start, set(exdates), set(rdates), length, dialect)
    except Misfit as misfit:
        return Unfit(reason=misfit.reason)
    except (TooMany, OverflowError):
        return Unfit(reason="it takes too long to tell its days")


def _fit(
    rule: RecurrenceRule | None,
    start: datetime,
    exdates: set[datetime],
    rdates: set[datetime],
    length: timedelta,
    dialect: Dialect,
) -> Fit:
    if rule is None:
        raise Misfit("it has single dates and no rule")
    if not EARLIEST <= start.date() <= LATEST:
        raise Misfit(f"it begins on {start.date()}, before or after Exchange's calendar")
    if rule.until is not None and rule.until < start:
        raise Misfit("it ends before it begins")
    _check_extra(rule, start, rdates - exdates)
    plainest, at = plain(rule, start)
    found = _found(plainest, start, dialect)
    first = _first(rule, start, exdates)
    if first.time() != at:
        raise Misfit(NEVER)
    if found.exact:
        span, deleted = _range(rule, found.pattern, first), set[date]()
    else:
        span, deleted = _without_extra(rule, found.pattern, start, first)
    _check_length(found.pattern, span, length)
    deleted |= _deleted(found.pattern, span, at, exdates)
    if len(list(islice(days(found.pattern, span), len(deleted) + 1))) <= len(deleted):
        raise Misfit("none of its occurrences is left")
    return Fit(
        pattern=found.pattern,
        range=span,
        start=first,
        deleted=tuple(datetime.combine(day, at) for day in sorted(deleted)),
    )


def _found(rule: RecurrenceRule, start: datetime, dialect: Dialect) -> Found:
    """Return the pattern of a plain rule, not yet tied to its first day."""
    if rule.frequency is Frequency.WEEKLY:
        return Found(pattern=_weekly(rule, start))
    if rule.frequency is Frequency.DAILY and not rule.by_month_day:
        return Found(pattern=_daily(rule, start))
    if rule.frequency is Frequency.DAILY and rule.interval == 7:
        # Every seventh day is every day that is the weekday of the start.
        weekday = WEEK[start.weekday()]
        if weekday not in (_plain_weekdays(rule) or WEEK):
            raise Misfit(NEVER)
        rule = replace(rule, interval=1, by_day=(NthDay(day=weekday),))
    if rule.frequency is Frequency.DAILY and rule.interval > 1:
        raise Misfit("it counts days and names days of the month as well")
    return by_month(rule, start.month, start.day, dialect)


def _weekly(rule: RecurrenceRule, start: datetime) -> Pattern:
    if rule.by_month_day or not _all_months(rule):
        raise Misfit("it counts weeks and names months or their days as well")
    chosen = _plain_weekdays(rule) or (WEEK[start.weekday()],)
    if rule.interval > MOST_WEEKS and len(chosen) == 1:
        return _every(rule.interval * 7)
    if rule.interval > MOST_WEEKS:
        raise Misfit(f"{rule.interval} weeks lie between two, and {MOST_WEEKS} is the most")
    return Pattern(
        type=PatternType.WEEKLY, interval=rule.interval, days=chosen, first_day=rule.week_start
    )


def _daily(rule: RecurrenceRule, start: datetime) -> Pattern:
    """Return a pattern of days, or of the weeks in which the days come that the rule names."""
    if not _all_months(rule):
        raise Misfit("it falls on all days of some months")
    chosen = _plain_weekdays(rule)
    if not chosen or len(chosen) == 7:
        return _every(rule.interval)
    cycle = rule.interval * 7 // gcd(rule.interval, 7)
    weekday = start.weekday()
    met = [at for at in range(0, cycle, rule.interval) if WEEK[(weekday + at) % 7] in chosen]
    if not met:
        raise Misfit(NEVER)
    if len(met) == 1:
        if cycle // 7 > MOST_WEEKS:
            return _every(cycle)
        only = WEEK[(weekday + met[0]) % 7]
        return Pattern(type=PatternType.WEEKLY, interval=cycle // 7, days=(only,))
    named = tuple(day for at, day in enumerate(WEEK) if (at - weekday) % 7 in {m % 7 for m in met})
    for first_day in WEEK:
        behind = (weekday - WEEK.index(first_day)) % 7
        weeks = {(behind + at) // 7 % (cycle // 7) for at in met}
        if len(weeks) == 1 and cycle // 7 <= MOST_WEEKS:
            return Pattern(
                type=PatternType.WEEKLY, interval=cycle // 7, days=named, first_day=first_day
            )
    raise Misfit("it counts days and leaves out weekdays")


def _every(interval: int) -> Pattern:
    if interval > MOST_DAYS:
        raise Misfit(f"{interval} days lie between two, and {MOST_DAYS} is the most")
    return Pattern(type=PatternType.DAILY, interval=interval)


def _all_months(rule: RecurrenceRule) -> bool:
    return not rule.by_month or set(rule.by_month) >= set(range(1, 13))


def _plain_weekdays(rule: RecurrenceRule) -> tuple[Weekday, ...]:
    if any(one.nth for one in rule.by_day):
        raise Misfit("it numbers weekdays without a month to count them in")
    named = {one.day for one in rule.by_day}
    return tuple(day for day in WEEK if day in named)


def _check_extra(rule: RecurrenceRule, start: datetime, rdates: set[datetime]) -> None:
    """Check that extra dates are days of the rule anyway."""
    if len(rdates) > MOST_EXTRA:
        raise Misfit("it has many extra dates (RDATE)")
    for extra in sorted(rdates - {start}):
        if extra < start or extra not in starts_of(rule, start, extra, extra):
            raise Misfit(f"it has extra dates (RDATE) beside its rule: {extra:%d %B %Y}")


def _first(rule: RecurrenceRule, start: datetime, exdates: set[datetime]) -> datetime:
    """Return the first day of the rule; the start itself, unless that is excluded."""
    if start in starts_of(rule, start, start, start):
        return start
    if start not in exdates:
        raise Misfit("its start isn't one of its own days, and Exchange wouldn't show it")
    until = min(start, datetime.max - _SEARCH) + _SEARCH
    first = next(starts_of(rule, start, start, until), None)
    if first is None:
        raise Misfit(NEVER)
    return first


def _range(rule: RecurrenceRule, pattern: Pattern, first: datetime) -> Range:
    """Return the range of a pattern that has just the days of the rule."""
    begin = first.date()
    if rule.until is not None:
        whole = first.time() <= rule.until.time()
        last = rule.until.date() - (timedelta(0) if whole else _DAY)
        return Range(start=begin, end=last if last <= LATEST else None)
    if rule.count is None or 1 <= rule.count <= MOST_COUNTED:
        return Range(start=begin, count=rule.count)
    if not 1 <= rule.count <= _LAST_COUNTED:
        raise Misfit(f"it comes {rule.count:,} times, which Exchange can't count")
    # More than Exchange counts: the day of the last says the same.
    found: Iterator[date] = days(pattern, Range(start=begin))
    last_day = next(islice(found, rule.count - 1, None), None)
    return Range(start=begin, end=last_day)


def _without_extra(
    rule: RecurrenceRule, pattern: Pattern, start: datetime, first: datetime
) -> tuple[Range, set[date]]:
    """Return the range of a pattern with days that the rule leaves out, and these days."""
    if rule.count is None and rule.until is None:
        raise Misfit(
            "it leaves out months that have no such day, for ever; Exchange takes another day then"
        )
    until = min(rule.until or datetime.max, datetime.combine(LATEST, time.max))
    shown = {one.date() for one in islice(starts_of(rule, start, start, until), MOST_COUNTED + 1)}
    if len(shown) > MOST_COUNTED:
        raise Misfit("it leaves out months that have no such day, over too long a time")
    span = Range(start=first.date(), end=max(shown))
    extra = set(islice(days(pattern, span), len(shown) + MOST_DELETED + 1)) - shown
    if len(extra) > MOST_DELETED:
        raise Misfit(
            f"it leaves out more than {MOST_DELETED} months in which Exchange takes another day"
        )
    return span, extra


def _deleted(pattern: Pattern, span: Range, at: time, exdates: set[datetime]) -> set[date]:
    """Return the days of the pattern that are excluded; other exclusions exclude nothing."""
    wanted = {one.date() for one in exdates if one.time() == at}
    if not wanted:
        return set()
    return wanted & set(days(pattern, span, after=min(wanted), until=max(wanted)))


def _check_length(pattern: Pattern, span: Range, length: timedelta) -> None:
    """Check that no occurrence reaches into the next (EWS ErrorOccurrenceTimeSpanTooBig)."""
    if length <= _DAY:
        return
    for one, following in pairwise(islice(days(pattern, span), _GAPS)):
        if following - one < length:
            raise Misfit("an occurrence is still on when the next begins")
