"""Patterns expand as Microsoft's text says, and the rules made of them fall on the same days."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import icalendar
import pytest
import recurring_ical_events
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.formats import ical
from accord.formats.ical.rrule import format_rule
from accord.formats.outlook.from_pattern import Series, from_pattern
from accord.formats.outlook.occurrences import days
from accord.formats.outlook.pattern import (
    LATEST,
    Dialect,
    Index,
    Pattern,
    PatternType,
    Range,
    Regeneration,
    RegenerationType,
    Unfit,
    days_of,
    pattern_of,
)
from accord.formats.outlook.to_pattern import Fit, to_pattern
from accord.model.item import Event
from accord.model.occurrences import occurrences
from accord.model.recurrence import Weekday
from tests.unit.formats.outlook_series import (
    DAY,
    at,
    horizon,
    ours,
    patterns,
    ranges,
    spread,
)

MONTHLY, YEARLY = PatternType.ABSOLUTE_MONTHLY, PatternType.ABSOLUTE_YEARLY


def weekly(words: str, interval: int, first_day: Weekday) -> Pattern:
    return pattern_of(
        PatternType.WEEKLY, interval=interval, days=days_of(words), first_day=first_day
    )


def nth(index: Index, words: str, interval: int = 1, month: int = 0) -> Pattern:
    kind = PatternType.RELATIVE_YEARLY if month else PatternType.RELATIVE_MONTHLY
    return pattern_of(kind, interval=interval, days=days_of(words), index=index, month=month)


SHOWN = [
    (Pattern(type=PatternType.DAILY, interval=3), "2026-02-26", "2026-02-26 2026-03-01"),
    # The first day of a week decides which of two weeks is left out.
    (weekly("Monday Sunday", 2, Weekday.MO), "2026-01-05", "2026-01-05 2026-01-11 2026-01-19"),
    (weekly("Monday Sunday", 2, Weekday.SU), "2026-01-05", "2026-01-05 2026-01-18 2026-01-19"),
    (weekly("Tuesday", 2, Weekday.MO), "2026-01-07", "2026-01-20 2026-02-03"),
    (pattern_of(MONTHLY, day_of_month=31), "2026-01-31", "2026-01-31 2026-02-28 2026-03-31"),
    (pattern_of(MONTHLY, day_of_month=29), "2028-01-30", "2028-02-29 2028-03-29"),
    (pattern_of(MONTHLY, day_of_month=15, interval=2), "2026-01-20", "2026-03-15 2026-05-15"),
    (
        pattern_of(YEARLY, day_of_month=29, month=2),
        "2027-02-28",
        "2027-02-28 2028-02-29 2029-02-28",
    ),
    (pattern_of(YEARLY, day_of_month=1, month=5), "2026-05-02", "2027-05-01 2028-05-01"),
    (
        pattern_of(YEARLY, day_of_month=1, month=5, interval=3),
        "2026-06-01",
        "2027-05-01 2030-05-01",
    ),
    (nth(Index.SECOND, "Thursday"), "2026-01-01", "2026-01-08 2026-02-12"),
    (nth(Index.LAST, "Weekday"), "2026-01-31", "2026-02-27 2026-03-31"),
    (nth(Index.FIRST, "WeekendDay", 3), "2026-01-01", "2026-01-03 2026-04-04"),
    (nth(Index.SECOND, "Thursday Friday"), "2026-01-01", "2026-01-02 2026-02-06"),
    (nth(Index.FOURTH, "Thursday", month=11), "2026-01-01", "2026-11-26 2027-11-25"),
    (nth(Index.THIRD, "Day"), "2026-01-01", "2026-01-03 2026-02-03"),
]


@pytest.mark.parametrize(("pattern", "start", "expected"), SHOWN)
def test_days_are_those_that_outlook_shows(pattern: Pattern, start: str, expected: str):
    wanted = expected.split()
    assert spread(days(pattern, Range(start=date.fromisoformat(start))), len(wanted)) == wanted


def test_a_series_on_the_30th_ends_where_outlook_says():
    # Stored by Outlook for ten times every other month: 30 August 2012 to 28 February 2014.
    span = Range(start=date(2012, 8, 30), count=10)
    found = spread(days(pattern_of(MONTHLY, day_of_month=30, interval=2), span), 20)
    assert (len(found), found[3], found[-1]) == (10, "2013-02-28", "2014-02-28")


def test_an_end_is_inclusive_and_a_count_counts_from_the_start():
    third = Pattern(type=PatternType.DAILY, interval=3)
    span = Range(start=date(2026, 1, 1), end=date(2026, 1, 7))
    assert spread(days(third, span), 9) == ["2026-01-01", "2026-01-04", "2026-01-07"]
    counted = Range(start=date(2026, 1, 1), count=3)
    after = days(third, counted, after=date(2026, 1, 3), until=date(2026, 2, 1))
    assert spread(after, 9) == ["2026-01-04", "2026-01-07"]


def test_expansion_is_lazy_and_ends_with_microsofts_calendar():
    daily = Pattern(type=PatternType.DAILY)
    assert spread(days(daily, Range(start=date(2026, 1, 1))), 1) == ["2026-01-01"]
    assert list(days(daily, Range(start=LATEST - DAY))) == [LATEST - DAY, LATEST]
    late = Range(start=date(2026, 1, 1))
    assert list(days(daily, late, after=date(9999, 12, 30))) == []
    sunday = weekly("Sunday Monday", 99, Weekday.SU)
    assert spread(days(sunday, Range(start=date(1601, 1, 1))), 1) == ["1601-01-01"]


@given(patterns() | patterns(Dialect.GRAPH), ranges(), st.integers(0, 9000))
def test_a_later_part_is_a_part_of_the_whole(pattern: Pattern, span: Range, later: int):
    until = span.start + 10_000 * DAY
    after = span.start + later * DAY
    whole = list(days(pattern, span, until=until))
    assert list(days(pattern, span, after=after, until=until)) == [d for d in whole if d >= after]


@settings(max_examples=120)
@given(
    patterns() | patterns(Dialect.GRAPH), ranges(), st.sampled_from((0, 2, 10, 23)), st.booleans()
)
def test_rules_fall_on_the_days_of_their_patterns(
    pattern: Pattern, span: Range, hour: int, all_day: bool
):
    hour = 0 if all_day else hour
    until = horizon(pattern, span.start)
    wanted = list(days(pattern, span, until=until))
    series = from_pattern(pattern, span, datetime.combine(span.start, time(hour)))
    if isinstance(series, Unfit):
        assert not list(days(pattern, span))
        return
    event = Event(
        start=series.start,
        end=series.start + timedelta(minutes=30),
        time_zone=None if all_day else "America/New_York",
        all_day=all_day,
        rule=series.rule,
    )
    assert ours(event, until) == [datetime.combine(day, time(hour)) for day in wanted]
    assert span.count is None or series.rule.count == span.count


@settings(max_examples=25)
@given(patterns() | patterns(Dialect.GRAPH), ranges())
def test_other_peoples_calendars_show_the_same_days(pattern: Pattern, span: Range):
    series = from_pattern(pattern, span, datetime.combine(span.start, time(10)))
    if isinstance(series, Unfit):
        return
    until = min(horizon(pattern, span.start), series.start.date() + 4000 * DAY)
    event = Event(
        uid="u",
        start=series.start,
        end=series.start + timedelta(hours=1),
        time_zone="Europe/Berlin",
        rule=series.rule,
    )
    calendar = icalendar.Calendar.from_ical(ical.encode(event))
    query = recurring_ical_events.of(calendar, components=["VEVENT"])
    found = query.between(span.start - DAY, until)
    shown = sorted(one["DTSTART"].dt.replace(tzinfo=None) for one in found)
    wanted = days(pattern, span, until=until - DAY)
    assert shown == [datetime.combine(day, time(10)) for day in wanted]


@settings(max_examples=120)
@given(st.data(), ranges(), st.sampled_from(Dialect))
def test_a_pattern_comes_back_the_same(data: st.DataObject, span: Range, dialect: Dialect):
    pattern = data.draw(patterns(dialect))
    series = from_pattern(pattern, span, datetime.combine(span.start, time(10)))
    if isinstance(series, Unfit):
        return
    back = to_pattern(series.rule, series.start, dialect=dialect)
    assert isinstance(back, Fit), back
    assert back.deleted == ()
    assert back.range == Range(start=series.start.date(), end=span.end, count=span.count)
    until = horizon(pattern, span.start)
    wanted = list(days(pattern, span, until=until))
    assert list(days(back.pattern, back.range, until=until)) == wanted


NAMED = [
    (pattern_of(MONTHLY, day_of_month=31), "FREQ=MONTHLY;BYMONTHDAY=-1"),
    (pattern_of(MONTHLY, day_of_month=30), "FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1"),
    (pattern_of(MONTHLY, day_of_month=31, interval=12), "FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=31"),
    (pattern_of(YEARLY, day_of_month=29, month=2), "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1"),
    (pattern_of(YEARLY, day_of_month=28, month=2), "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28"),
    (nth(Index.LAST, "Weekday"), "FREQ=MONTHLY;BYSETPOS=-1;BYDAY=MO,TU,WE,TH,FR"),
    (nth(Index.FIRST, "Monday", month=10), "FREQ=YEARLY;BYMONTH=10;BYDAY=1MO"),
    (nth(Index.LAST, "Day", 2), "FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=-1"),
    (weekly("Weekday", 1, Weekday.SU), "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
    (weekly("WeekendDay", 2, Weekday.SU), "FREQ=WEEKLY;INTERVAL=2;BYDAY=SA,SU;WKST=SU"),
]


@pytest.mark.parametrize(("pattern", "rule"), NAMED)
def test_rules_are_written_plainly(pattern: Pattern, rule: str):
    series = from_pattern(pattern, Range(start=date(2026, 1, 31)), at("2026-01-31T10:00"))
    assert isinstance(series, Series)
    assert format_rule(series.rule, "Europe/Berlin", False) == rule


def test_an_end_holds_the_last_occurrence_in_the_zone_of_the_series():
    span = Range(start=date(2026, 3, 1), end=date(2026, 3, 8))
    series = from_pattern(Pattern(type=PatternType.DAILY), span, at("2026-03-01T23:30"))
    assert isinstance(series, Series)
    assert series.rule.until == at("2026-03-08T23:30")
    event = Event(
        start=series.start, end=series.start + DAY / 48, time_zone="Pacific/Apia", rule=series.rule
    )
    assert ours(event, date(2026, 4, 1))[-1] == at("2026-03-08T23:30")


def test_what_regenerates_or_never_comes_has_no_rule():
    kept = Regeneration(type=RegenerationType.WEEKLY, interval=2)
    start = at("2026-01-01T10:00")
    assert isinstance(from_pattern(kept, Range(start=start.date()), start), Unfit)
    never = Range(start=date(2026, 1, 2), end=date(2026, 1, 30))
    found = from_pattern(pattern_of(MONTHLY, day_of_month=1), never, start)
    assert found == Unfit(reason="the pattern has no occurrence in its range")


def test_the_clock_stays_when_it_changes():
    span = Range(start=date(2026, 3, 27))
    series = from_pattern(Pattern(type=PatternType.DAILY), span, at("2026-03-27T10:00"))
    assert isinstance(series, Series)
    event = Event(
        start=series.start, end=series.start + DAY / 24, time_zone="Europe/Berlin", rule=series.rule
    )
    first = datetime(2026, 3, 27, tzinfo=UTC)
    found = list(occurrences(event, first, first + 4 * DAY))
    assert [one.start.hour for one in found] == [10, 10, 10, 10]
    assert [one.begins.hour for one in found] == [9, 9, 8, 8]
