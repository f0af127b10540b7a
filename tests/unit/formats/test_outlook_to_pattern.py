"""Rules become patterns that show the same days, or are refused with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from accord.formats.outlook.from_pattern import Series, from_pattern
from accord.formats.outlook.occurrences import days
from accord.formats.outlook.pattern import (
    GROUPS,
    WEEK,
    Dialect,
    Index,
    Pattern,
    PatternType,
    Range,
    Unfit,
    pattern_of,
)
from accord.formats.outlook.to_pattern import MOST_DELETED, Fit, to_pattern
from accord.model.item import Event
from accord.model.occurrences import starts_of
from accord.model.recurrence import Frequency, RecurrenceRule
from tests.unit.formats.outlook_series import DAY, YEAR, at, ours, rrule, rules, series, shown

MONDAY = "2026-01-05T10:00"


def to(text: str, start: str = MONDAY, **more: Any) -> Fit | Unfit:
    return to_pattern(rrule(text), at(start), **more)


def fit(text: str, start: str = MONDAY, **more: Any) -> Fit:
    found = to(text, start, **more)
    assert isinstance(found, Fit), found
    return found


def reason(text: str, start: str = MONDAY, **more: Any) -> str:
    found = to(text, start, **more)
    assert isinstance(found, Unfit), found
    return found.reason


@settings(max_examples=120)
@given(series(), st.sampled_from(Dialect))
def test_what_maps_shows_the_same_days(item: Event, dialect: Dialect):
    found = to_pattern(
        item.rule,
        item.start,
        exdates=item.exdates,
        rdates=item.rdates,
        length=item.end - item.start,
        dialect=dialect,
    )
    event(type(found).__name__)
    if isinstance(found, Unfit):
        assert found.reason
        return
    until = item.start.date() + (30 * YEAR if found.pattern.months else 4 * YEAR)
    assert shown(found, until) == ours(item, until)
    assert set(found.deleted) <= set(_all(found, until))
    back = from_pattern(found.pattern, found.range, found.start)
    assert isinstance(back, Series)
    again = Event(
        start=back.start, end=back.start + DAY / 48, rule=back.rule, exdates=found.deleted
    )
    assert ours(again, until) == ours(item, until)


def _all(found: Fit, until: date) -> Iterator[datetime]:
    last = max((until, *(one.date() for one in found.deleted)))
    for day in days(found.pattern, found.range, until=last):
        yield datetime.combine(day, found.start.time())


@settings(max_examples=80)
@given(rules(), st.datetimes(at("2000-01-01"), at("2030-01-01")), st.sampled_from(Dialect))
def test_what_does_not_map_has_no_pattern(rule: RecurrenceRule, start: datetime, dialect: Dialect):
    start = start.replace(hour=9, minute=0, second=0, microsecond=0)
    years = 1 if rule.frequency is Frequency.HOURLY else 36
    begin = next(starts_of(rule, start, start, start + min(years, 9) * YEAR), start)
    if isinstance(to_pattern(rule, begin, dialect=dialect), Fit):
        return
    found = list(islice(starts_of(rule, begin, begin, begin + years * YEAR), 30))
    if len(found) < 30 or found[0] != begin or any(one.time() != begin.time() for one in found):
        return
    until = max(found[-1], begin + 2 * YEAR)
    wanted = [one.date() for one in starts_of(rule, begin, begin, until)]
    for pattern in _conceivable(wanted, dialect):
        there = days(pattern, Range(start=wanted[0]), until=until.date())
        assert list(there) != wanted, pattern


def _conceivable(wanted: list[date], dialect: Dialect) -> Iterator[Pattern]:
    """Yield all patterns that might fall on these days."""
    first, second = wanted[:2]
    if (second - first).days <= 999:
        yield Pattern(type=PatternType.DAILY, interval=(second - first).days)
    seen = tuple(day for day in WEEK if any(WEEK[one.weekday()] is day for one in wanted))
    for interval in (1, 2, 3, 5, 6, 12, 24):
        for first_day in WEEK:
            yield Pattern(
                type=PatternType.WEEKLY, interval=interval, days=seen, first_day=first_day
            )
    months = (second.year - first.year) * 12 + second.month - first.month
    if not 1 <= months <= 99:
        return
    for day in sorted({first.day, 29, 30, 31}):
        yield Pattern(type=PatternType.ABSOLUTE_MONTHLY, interval=months, day_of_month=day)
    groups = GROUPS if dialect is Dialect.EWS else (*GROUPS, seen)
    for named in groups:
        for index in Index:
            yield Pattern(
                type=PatternType.RELATIVE_MONTHLY, interval=months, days=named, index=index
            )


SAID = [
    # One thing said in several ways.
    ("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", MONDAY, "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
    ("FREQ=DAILY;INTERVAL=2;BYDAY=MO", MONDAY, "FREQ=WEEKLY;INTERVAL=2"),
    ("FREQ=DAILY;INTERVAL=2;BYDAY=MO,TU", MONDAY, "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TU;WKST=TU"),
    ("FREQ=DAILY;BYMONTHDAY=5", MONDAY, "FREQ=MONTHLY"),
    ("FREQ=DAILY;INTERVAL=7;BYMONTHDAY=1,2,3,4,5,6,7", MONDAY, "FREQ=MONTHLY;BYDAY=1MO"),
    ("FREQ=DAILY;BYMONTH=1;BYMONTHDAY=5", MONDAY, "FREQ=YEARLY"),
    ("FREQ=HOURLY;INTERVAL=48", MONDAY, "FREQ=DAILY;INTERVAL=2"),
    ("FREQ=HOURLY;BYHOUR=10", MONDAY, "FREQ=DAILY"),
    ("FREQ=HOURLY;INTERVAL=36;BYHOUR=10", MONDAY, "FREQ=DAILY;INTERVAL=3"),
    ("FREQ=HOURLY;INTERVAL=5;BYHOUR=10;BYDAY=MO", MONDAY, "FREQ=WEEKLY;INTERVAL=5"),
    ("FREQ=MINUTELY;INTERVAL=20;BYHOUR=10;BYMINUTE=0", MONDAY, "FREQ=DAILY"),
    ("FREQ=DAILY;BYHOUR=10;BYMINUTE=0", MONDAY, "FREQ=DAILY"),
    ("FREQ=MONTHLY;INTERVAL=12", MONDAY, "FREQ=YEARLY"),
    ("FREQ=MONTHLY;BYMONTH=1;BYDAY=MO;BYSETPOS=1", MONDAY, "FREQ=YEARLY;BYMONTH=1;BYDAY=1MO"),
    ("FREQ=MONTHLY;BYDAY=MO;BYMONTHDAY=1,2,3,4,5,6,7", MONDAY, "FREQ=MONTHLY;BYDAY=1MO"),
    ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYSETPOS=5", MONDAY, "FREQ=MONTHLY"),
    ("FREQ=MONTHLY;BYDAY=MO", MONDAY, "FREQ=WEEKLY"),
    ("FREQ=YEARLY;BYDAY=MO", MONDAY, "FREQ=WEEKLY"),
    ("FREQ=YEARLY;BYMONTHDAY=5", MONDAY, "FREQ=MONTHLY"),
    ("FREQ=YEARLY;BYMONTH=1,4,7,10", MONDAY, "FREQ=MONTHLY;INTERVAL=3"),
    ("FREQ=MONTHLY;BYMONTH=2,8;BYMONTHDAY=-31", "2026-08-01T10:00", "FREQ=YEARLY"),
    ("FREQ=MONTHLY;BYMONTH=1,4;BYMONTHDAY=31", "2026-01-31T10:00", "FREQ=YEARLY"),
    ("FREQ=YEARLY;BYYEARDAY=5", MONDAY, "FREQ=YEARLY"),
    ("FREQ=YEARLY;BYDAY=1MO", MONDAY, "FREQ=YEARLY;BYMONTH=1;BYDAY=1MO"),
    ("FREQ=YEARLY;BYDAY=-1FR", "2026-12-25T10:00", "FREQ=YEARLY;BYMONTH=12;BYDAY=-1FR"),
    ("FREQ=YEARLY;BYMONTHDAY=5;BYSETPOS=1", MONDAY, "FREQ=YEARLY"),
    ("FREQ=YEARLY;BYMONTHDAY=5;BYSETPOS=1,7", MONDAY, "FREQ=MONTHLY;INTERVAL=6"),
    (
        "FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "2026-12-31T10:00",
        "FREQ=MONTHLY;BYMONTH=12;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    ),
    ("FREQ=YEARLY;BYYEARDAY=-1", "2026-12-31T10:00", "FREQ=YEARLY"),
    ("FREQ=WEEKLY;BYDAY=MO;BYSETPOS=1", MONDAY, "FREQ=WEEKLY"),
    ("FREQ=WEEKLY;INTERVAL=120", MONDAY, "FREQ=DAILY;INTERVAL=840"),
    (
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28,29;BYSETPOS=-1",
        "2026-02-28",
        "FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=-1",
    ),
    ("FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=-3", "2026-04-28", "FREQ=YEARLY"),
]


@pytest.mark.parametrize(("one", "start", "other"), SAID)
@pytest.mark.parametrize("dialect", Dialect)
def test_equal_rules_make_one_pattern(one: str, start: str, other: str, dialect: Dialect):
    found = fit(one, start, dialect=dialect)
    again = fit(other, start, dialect=dialect)
    assert found.range == again.range
    until = date(2066, 1, 1)
    assert shown(found, until) == shown(again, until)


def test_patterns_are_those_that_people_choose():
    assert fit("FREQ=MONTHLY;BYMONTHDAY=-1", "2026-01-31").pattern == pattern_of(
        PatternType.ABSOLUTE_MONTHLY, day_of_month=31
    )
    assert fit("FREQ=YEARLY", "2026-03-05").pattern == pattern_of(
        PatternType.ABSOLUTE_YEARLY, day_of_month=5, month=3
    )
    last = fit("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "2026-01-30").pattern
    assert (last.days, last.index) == (WEEK[:5], Index.LAST)
    assert fit("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=SU").pattern.first_day is WEEK[6]


def test_several_years_are_months_to_ews():
    rule = "FREQ=YEARLY;INTERVAL=2;BYMONTH=1;BYDAY=1MO"
    assert fit(rule).pattern.type is PatternType.RELATIVE_MONTHLY
    assert fit(rule).pattern.interval == 24
    graph = fit(rule, dialect=Dialect.GRAPH).pattern
    assert (graph.type, graph.interval, graph.month) == (PatternType.RELATIVE_YEARLY, 2, 1)


def test_free_sets_of_weekdays_are_for_graph():
    rule = "FREQ=MONTHLY;BYDAY=TH,FR;BYSETPOS=2"
    start = "2026-01-02T10:00"
    assert fit(rule, start, dialect=Dialect.GRAPH).pattern.days == WEEK[3:5]
    assert reason(rule, start) == "no day or weekday of the month says the same"


UNFIT = [
    ("FREQ=HOURLY", MONDAY, "several times of day"),
    ("FREQ=HOURLY;INTERVAL=36", MONDAY, "several times of day"),
    ("FREQ=HOURLY;INTERVAL=5;BYHOUR=9", MONDAY, "isn't that of its start"),
    ("FREQ=DAILY;BYHOUR=10,14", MONDAY, "several times of day"),
    ("FREQ=DAILY;BYHOUR=10;BYMINUTE=0,30", MONDAY, "several times of day"),
    ("FREQ=DAILY;INTERVAL=1000", MONDAY, "999 is the most"),
    ("FREQ=WEEKLY;INTERVAL=100;BYDAY=MO,TU", MONDAY, "99 is the most"),
    ("FREQ=YEARLY;INTERVAL=9", MONDAY, "99 is the most"),
    ("FREQ=DAILY;BYMONTH=1", MONDAY, "all days of some months"),
    ("FREQ=DAILY;INTERVAL=2;BYMONTHDAY=5", MONDAY, "counts days and names"),
    ("FREQ=DAILY;INTERVAL=2;BYDAY=MO,TU,WE", MONDAY, "counts days and leaves out weekdays"),
    ("FREQ=WEEKLY;BYDAY=1MO", MONDAY, "numbers weekdays without a month"),
    ("FREQ=DAILY;BYDAY=1MO;BYMONTHDAY=5", MONDAY, "numbers weekdays without a month"),
    ("FREQ=WEEKLY;BYMONTH=1", MONDAY, "counts weeks and names months"),
    ("FREQ=WEEKLY;BYDAY=MO,WE;BYSETPOS=1", MONDAY, "BYSETPOS"),
    ("FREQ=MONTHLY;BYDAY=MO,WE;BYSETPOS=1,-1", MONDAY, "several days of one month"),
    ("FREQ=MONTHLY;BYMONTHDAY=5,20", MONDAY, "several days of one month"),
    ("FREQ=MONTHLY;BYMONTHDAY=-2", "2026-01-30T10:00", "no day or weekday"),
    ("FREQ=MONTHLY;BYMONTHDAY=31", "2026-01-31T10:00", "months that have no such day"),
    ("FREQ=YEARLY", "2028-02-29T10:00", "months that have no such day"),
    ("FREQ=MONTHLY;BYDAY=5MO", "2026-03-30T10:00", "months that have no such day"),
    ("FREQ=MONTHLY;BYDAY=1MO,TU", MONDAY, "mixes numbered weekdays"),
    ("FREQ=YEARLY;BYDAY=20MO", "2026-05-18T10:00", "no day or weekday"),
    ("FREQ=YEARLY;BYDAY=MO;BYSETPOS=2,20", "2026-01-12T10:00", "differ from month to month"),
    ("FREQ=YEARLY;BYMONTH=1,2", MONDAY, "even distances"),
    ("FREQ=YEARLY;BYWEEKNO=2", MONDAY, "numbers of the weeks"),
    ("FREQ=YEARLY;BYYEARDAY=100", "2026-04-10T10:00", "same date in every year"),
    ("FREQ=YEARLY;BYYEARDAY=5,100", MONDAY, "same date in every year"),
    ("FREQ=WEEKLY;BYDAY=TU", MONDAY, "isn't one of its own days"),
    ("FREQ=MONTHLY;BYMONTHDAY=6", MONDAY, "isn't one of its own days"),
    ("FREQ=DAILY;UNTIL=20260104T100000", MONDAY, "ends before it begins"),
    ("FREQ=DAILY", "1600-12-31T10:00", "before or after Exchange's calendar"),
    ("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30", MONDAY, "never"),
    ("FREQ=DAILY;COUNT=999999999", MONDAY, "can't count"),
]


@pytest.mark.parametrize(("rule", "start", "text"), UNFIT)
def test_what_exchange_cannot_say_has_a_reason(rule: str, start: str, text: str):
    assert text in reason(rule, start)


def test_numbers_that_do_not_exist_are_no_days():
    for rule in (
        RecurrenceRule(frequency=Frequency.YEARLY, by_month=(13,)),
        RecurrenceRule(frequency=Frequency.MONTHLY, by_month_day=(32,)),
        RecurrenceRule(frequency=Frequency.DAILY, interval=0),
    ):
        assert isinstance(to_pattern(rule, at(MONDAY)), Unfit)


def test_days_that_exchange_would_add_are_deleted():
    found = fit("FREQ=MONTHLY;BYMONTHDAY=31;COUNT=4", "2026-01-31T10:00")
    assert found.pattern.day_of_month == 31
    assert found.range == Range(start=date(2026, 1, 31), end=date(2026, 7, 31))
    gone = ["2026-02-28T10:00", "2026-04-30T10:00", "2026-06-30T10:00"]
    assert found.deleted == tuple(map(at, gone))
    leap = fit("FREQ=YEARLY;UNTIL=20400101T000000", "2028-02-29T10:00")
    assert [f"{one:%Y-%m-%d}" for one in shown(leap, date(2050, 1, 1))] == [
        "2028-02-29",
        "2032-02-29",
        "2036-02-29",
    ]
    assert f"more than {MOST_DELETED} months" in reason(
        "FREQ=MONTHLY;BYMONTHDAY=31;COUNT=200", "2026-01-31T10:00"
    )


def test_ends_are_days_of_the_last_occurrence():
    assert fit("FREQ=DAILY;UNTIL=20260110T100000").range.end == date(2026, 1, 10)
    assert fit("FREQ=DAILY;UNTIL=20260110T095959").range.end == date(2026, 1, 9)
    assert fit("FREQ=DAILY;UNTIL=99991231T000000").range == Range(start=date(2026, 1, 5))
    assert fit("FREQ=DAILY;COUNT=999").range.count == 999
    assert fit("FREQ=DAILY;COUNT=1000").range.end == date(2026, 1, 5) + 999 * DAY


def test_excluded_days_are_deleted_and_others_not():
    exdates = [at("2026-01-12T10:00"), at("2026-01-13T10:00"), at("2026-01-19T11:00")]
    assert fit("FREQ=WEEKLY", exdates=exdates).deleted == (at("2026-01-12T10:00"),)
    three = [at("2026-01-05T10:00"), at("2026-01-06T10:00"), at("2026-01-07T10:00")]
    assert "none of its occurrences" in reason("FREQ=DAILY;COUNT=3", exdates=three)
    assert len(fit("FREQ=DAILY;COUNT=4", exdates=three).deleted) == 3


def test_a_start_of_another_day_fits_where_it_is_excluded():
    found = fit("FREQ=WEEKLY;INTERVAL=2;BYDAY=WE", exdates=[at(MONDAY)])
    assert (found.start, found.deleted) == (at("2026-01-07T10:00"), ())
    later = fit("FREQ=DAILY;BYHOUR=12", exdates=[at(MONDAY)])
    assert later.start == at("2026-01-05T12:00")


def test_extra_dates_fit_only_where_the_rule_has_them():
    assert isinstance(fit("FREQ=WEEKLY", rdates=[at("2026-01-12T10:00"), at(MONDAY)]), Fit)
    assert "13 January 2026" in reason("FREQ=WEEKLY", rdates=[at("2026-01-13T10:00")])
    gone = [at("2026-01-13T10:00")]
    assert fit("FREQ=WEEKLY", rdates=gone, exdates=gone).deleted == ()
    many = [at(MONDAY) + number * DAY for number in range(60)]
    assert "many extra dates" in reason("FREQ=DAILY", rdates=many)
    assert to_pattern(None, at(MONDAY), rdates=gone) == Unfit(
        reason="it has single dates and no rule"
    )


def test_an_occurrence_must_be_over_when_the_next_begins():
    long = timedelta(days=3)
    assert fit("FREQ=DAILY;INTERVAL=3", length=long).deleted == ()
    assert "when the next begins" in reason("FREQ=DAILY;INTERVAL=2", length=long)
    assert "when the next begins" in reason("FREQ=WEEKLY;BYDAY=MO,WE", length=long)
    assert fit("FREQ=DAILY;COUNT=1", length=long).range.count == 1


def test_seconds_are_no_days():
    rule = rrule("FREQ=SECONDLY;BYHOUR=10;BYMINUTE=0;BYSECOND=0")
    found = to_pattern(rule, at(MONDAY))
    assert isinstance(found, Fit)
    assert found.pattern == Pattern(type=PatternType.DAILY)
    assert found.start.time() == time(10)
