"""Random patterns, ranges and rules, and the days that both sides show of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile
from typing import Any

import msgspec
from hypothesis import strategies as st

from accord.formats.ical.rrule import parse
from accord.formats.lines import Line
from accord.formats.outlook.occurrences import days
from accord.formats.outlook.pattern import (
    GROUPS,
    WEEK,
    Dialect,
    Index,
    Pattern,
    PatternType,
    Range,
    pattern_of,
)
from accord.formats.outlook.to_pattern import Fit
from accord.model.item import Event
from accord.model.occurrences import occurrences, starts_of
from accord.model.recurrence import Frequency, NthDay, RecurrenceRule, Weekday

DAY = timedelta(days=1)
YEAR = timedelta(days=366)


def at(text: str) -> datetime:
    """Return a wall-clock time."""
    return datetime.fromisoformat(text)


def rrule(text: str) -> RecurrenceRule:
    """Return the rule of RRULE text."""
    return parse(Line("RRULE", {}, text, 1), None, False)


def day_sets() -> st.SearchStrategy[tuple[Weekday, ...]]:
    return st.sets(st.sampled_from(WEEK), min_size=1).map(
        lambda found: tuple(day for day in WEEK if day in found)
    )


@st.composite
def patterns(draw: st.DrawFn, dialect: Dialect = Dialect.EWS) -> Pattern:
    """Return patterns of all six types, as one of the two can say them."""
    kind = draw(st.sampled_from(PatternType))
    yearly = kind in (PatternType.ABSOLUTE_YEARLY, PatternType.RELATIVE_YEARLY)
    if yearly:
        most = 1 if dialect is Dialect.EWS else 8
    else:
        most = 40 if kind is PatternType.DAILY else 26
    chosen: st.SearchStrategy[tuple[Weekday, ...]] = st.sampled_from(GROUPS)
    if kind is PatternType.WEEKLY or dialect is Dialect.GRAPH:
        chosen |= day_sets()
    return pattern_of(
        kind,
        interval=draw(st.integers(1, most)),
        days=draw(chosen),
        day_of_month=draw(st.integers(1, 28) | st.integers(29, 31)),
        month=draw(st.sampled_from((2, *range(1, 13)))),
        index=draw(st.sampled_from(Index)),
        first_day=draw(st.sampled_from(WEEK)),
    )


@st.composite
def ranges(draw: st.DrawFn) -> Range:
    """Return endless ranges, ranges with an end and counted ones."""
    start = draw(st.dates(date(1990, 1, 1), date(2040, 12, 31)))
    end = start + draw(st.integers(0, 4000)) * DAY
    return draw(
        st.sampled_from((Range(start=start), Range(start=start, end=end)))
        | st.integers(1, 80).map(lambda count: Range(start=start, count=count))
    )


def horizon(pattern: Pattern, start: date) -> date:
    """Return how far two expansions are compared: many occurrences, many years."""
    if pattern.months:
        return start + 60 * max(pattern.months // 12, 1) * YEAR
    return start + 40 * 7 * pattern.interval * DAY


def shown(fit: Fit, until: date) -> list[datetime]:
    """Return the starts that Outlook shows of a series."""
    found = (datetime.combine(day, fit.start.time()) for day in days(fit.pattern, fit.range))
    gone = set(fit.deleted)
    return [one for one in takewhile(lambda one: one.date() <= until, found) if one not in gone]


def ours(event: Event, until: date) -> list[datetime]:
    """Return the starts that we show of a series."""
    first = event.start.replace(tzinfo=UTC) - 2 * DAY
    last = datetime(until.year, until.month, until.day, tzinfo=UTC) + 3 * DAY
    found = (one.start for one in occurrences(event, first, last))
    return [one for one in found if one.date() <= until]


def _some(low: int, high: int, most: int = 3) -> st.SearchStrategy[tuple[int, ...]]:
    numbers = st.integers(low, high).filter(bool)
    return st.sets(numbers, min_size=1, max_size=most).map(lambda found: tuple(sorted(found)))


@st.composite
def rules(draw: st.DrawFn) -> RecurrenceRule:
    """Return rules of all kinds, many of which Exchange can say in some way."""
    frequency = draw(
        st.sampled_from(
            (
                Frequency.DAILY,
                Frequency.WEEKLY,
                *(Frequency.MONTHLY, Frequency.YEARLY) * 3,
                Frequency.HOURLY,
            )
        )
    )
    weekdays = draw(
        st.sampled_from(GROUPS).map(lambda days: tuple(NthDay(day=day) for day in days))
        | st.builds(
            lambda day, nth: (NthDay(day=day, nth=nth),),
            st.sampled_from(WEEK),
            st.sampled_from((1, 2, 3, 4, 5, -1, -2)),
        )
        | day_sets().map(lambda days: tuple(NthDay(day=day) for day in days))
    )
    month_days = draw(
        _some(1, 31, 1)
        | st.sampled_from((-1, -2, -31)).map(lambda day: (day,))
        | st.sampled_from(
            ((28, 29, 30, 31), (28, 29, 30), (28, 29), tuple(range(1, 8)), tuple(range(8, 15)))
        )
        | st.integers(1, 24).map(lambda day: tuple(range(day, day + 7)))
        | _some(-31, 31)
    )
    named = draw(st.sampled_from(("", "weekdays", "days", "both")))
    parts: dict[str, Any] = {
        "by_day": weekdays if named in ("weekdays", "both") else (),
        "by_month_day": month_days if named in ("days", "both") else (),
    }
    if draw(st.booleans()) and named and frequency in (Frequency.MONTHLY, Frequency.YEARLY):
        parts["by_set_position"] = draw(
            st.sampled_from((1, 2, 3, 4, -1, -2)).map(lambda one: (one,)) | _some(-3, 3)
        )
    if draw(st.booleans()):
        parts["by_month"] = draw(
            _some(1, 12, 1) | st.sampled_from(((1, 4, 7, 10), (2, 8), (1, 2, 3))) | _some(1, 12)
        )
    if frequency is Frequency.HOURLY:
        parts["by_hour"] = draw(st.sampled_from(((), (9,), (9, 10))))
    intervals = (1, 1, 1, 2, 3, 5, 6, 12, 24) if frequency is not Frequency.DAILY else (1, 1, 2, 7)
    rule = RecurrenceRule(
        frequency=frequency,
        interval=draw(st.sampled_from(intervals)),
        week_start=draw(st.sampled_from(WEEK)),
        **parts,
    )
    if frequency is Frequency.WEEKLY:
        rule = msgspec.structs.replace(rule, by_month_day=())
    if frequency not in (Frequency.MONTHLY, Frequency.YEARLY):
        # Numbers have no meaning here (RFC 5545 3.3.10); we read past them.
        plain = tuple(NthDay(day=one.day) for one in rule.by_day)
        rule = msgspec.structs.replace(rule, by_day=plain)
    return rule


@st.composite
def series(draw: st.DrawFn) -> Event:
    """Return series in Berlin that mostly begin on a day of their own, with excluded days."""
    rule = draw(rules())
    start = draw(st.datetimes(at("2000-01-01"), at("2035-12-31"))).replace(
        second=0, microsecond=0, hour=draw(st.sampled_from((0, 2, 9, 23)))
    )
    # The new start changes what the rule means, where it takes its day from the start.
    # Hourly rules that never fit are looked through hour by hour.
    years = 1 if rule.frequency is Frequency.HOURLY else 30
    first = next(starts_of(rule, start, start, start + years * YEAR), start)
    start = draw(st.sampled_from((first, first, first, first, start)))
    found = list(islice(starts_of(rule, start, start, start + min(years, 9) * YEAR), 8))
    end = draw(st.sampled_from(("", "count", "until", "until before")))
    if end == "count":
        rule = msgspec.structs.replace(rule, count=draw(st.integers(1, 30)))
    elif end:
        until = start + draw(st.integers(0, 3000)) * DAY - (end == "until before") * DAY / 24
        rule = msgspec.structs.replace(rule, until=until)
    exdates = draw(st.sets(st.sampled_from((start, *found)), max_size=3))
    rdates = draw(st.sampled_from(((), (), (), tuple(found[:2]), (start + DAY,))))
    return Event(
        uid="s",
        start=start,
        end=start + timedelta(minutes=30),
        time_zone="Europe/Berlin",
        rule=rule,
        exdates=tuple(sorted(exdates)),
        rdates=rdates,
    )


def spread(found: Iterator[date], count: int) -> list[str]:
    """Return the first days as text."""
    return [str(day) for _, day in zip(range(count), found, strict=False)]
