"""Series expand as dateutil and recurring-ical-events say, in wall-clock time, at bounded cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Any

import icalendar
import pytest
import recurring_ical_events
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.formats import ical
from accord.formats.ical.rrule import format_rule
from accord.model import occurrences as expansion
from accord.model.item import Absence, Event, Task
from accord.model.occurrences import TooMany, first_and_last, occurrences, starts_of
from accord.model.recurrence import Frequency, NthDay, Override, RecurrenceRule, Weekday
from tests import strategies

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def at(text: str) -> datetime:
    """Return a wall-clock time."""
    return datetime.fromisoformat(text)


def utc(text: str) -> datetime:
    """Return an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def series(start: str, **more: Any) -> Event:
    """Return a series of one-hour meetings in Berlin."""
    values = {"time_zone": "Europe/Berlin", "rule": RecurrenceRule(frequency=Frequency.WEEKLY)}
    begin = at(start)
    return Event(uid="u", start=begin, end=begin + HOUR, **{**values, **more})


def starts(event: Event | Task, first: str, last: str) -> list[str]:
    """Return the UTC starts in a span, as text."""
    return [f"{one.begins:%Y-%m-%dT%H:%M}" for one in occurrences(event, utc(first), utc(last))]


def test_a_meeting_at_ten_stays_at_ten_when_the_clocks_change():
    found = list(occurrences(series("2026-03-21T10:00"), utc("2026-03-20"), utc("2026-04-06")))
    assert [one.start for one in found] == [
        at("2026-03-21T10:00"),
        at("2026-03-28T10:00"),
        at("2026-04-04T10:00"),
    ]
    assert [one.begins.hour for one in found] == [9, 9, 8]
    assert [one.recurrence_id for one in found] == [one.start for one in found]


def test_an_hour_that_is_skipped_counts_by_the_clock_before():
    event = series("2026-03-22T02:30")
    assert starts(event, "2026-03-28", "2026-03-30") == ["2026-03-29T01:30"]


def test_an_entry_that_does_not_repeat_is_given_where_it_touches_the_span():
    event = series("2026-01-05T10:00", rule=None)
    assert starts(event, "2026-01-05", "2026-01-06") == ["2026-01-05T09:00"]
    assert starts(event, "2026-01-05T09:59", "2026-01-06") == ["2026-01-05T09:00"]
    assert starts(event, "2026-01-05T10:00", "2026-01-06") == []
    assert starts(event, "2026-01-04", "2026-01-05T09:00") == []
    assert next(occurrences(event, utc("2026-01-05"), utc("2026-01-06"))).recurrence_id is None


def test_an_entry_without_length_is_given_at_its_moment():
    event = Event(uid="u", start=at("2026-01-05T10:00"), end=at("2026-01-05T10:00"))
    assert starts(event, "2026-01-05T10:00", "2026-01-05T11:00") == ["2026-01-05T10:00"]
    assert starts(event, "2026-01-05T09:00", "2026-01-05T10:00") == []


def test_left_out_and_extra_dates_are_heard():
    event = series(
        "2026-01-05T10:00",
        exdates=(at("2026-01-12T10:00"),),
        rdates=(at("2026-01-13T15:00"), at("2026-01-19T10:00")),
    )
    assert starts(event, "2026-01-01", "2026-01-27") == [
        "2026-01-05T09:00",
        "2026-01-13T14:00",
        "2026-01-19T09:00",
        "2026-01-26T09:00",
    ]


def test_a_moved_occurrence_stands_where_it_was_moved_to():
    moved = Override(
        recurrence_id=at("2026-01-12T10:00"),
        start=at("2026-02-14T20:00"),
        end=at("2026-02-14T23:00"),
        time_zone="America/New_York",
    )
    event = series("2026-01-05T10:00", overrides=(moved,))
    assert "2026-01-12T09:00" not in starts(event, "2026-01-01", "2026-02-01")
    (found,) = list(occurrences(event, utc("2026-02-15"), utc("2026-02-15T03:00")))
    assert (found.begins, found.ends) == (utc("2026-02-15T01:00"), utc("2026-02-15T04:00"))
    assert found.override is moved
    assert found.recurrence_id == at("2026-01-12T10:00")


def test_a_changed_occurrence_that_was_left_out_stays_out():
    change = Override(recurrence_id=at("2026-01-12T10:00"), title="changed")
    event = series("2026-01-05T10:00", overrides=(change,), exdates=(at("2026-01-12T10:00"),))
    assert starts(event, "2026-01-06", "2026-01-20") == ["2026-01-19T09:00"]


def test_an_occurrence_that_began_before_the_span_is_given():
    rule = RecurrenceRule(frequency=Frequency.DAILY)
    event = Event(
        uid="u", start=at("2020-01-01T00:00"), end=at("2020-01-11T00:00"), all_day=True, rule=rule
    )
    assert len(starts(event, "2026-05-20", "2026-05-21")) == 10


def test_tasks_and_absences_have_occurrences_too():
    task = Task(due=at("2026-01-05T10:00"), rule=RecurrenceRule(frequency=Frequency.DAILY))
    assert len(starts(task, "2026-02-01", "2026-02-04")) == 3
    assert list(occurrences(Task(title="x"), utc("2020-01-01"), utc("2030-01-01"))) == []
    absence = Absence(start=at("2026-01-05"), end=at("2026-01-08"))
    assert len(list(occurrences(absence, utc("2026-01-07"), utc("2026-01-09")))) == 1


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_rule_expands_as_dateutil_expands_it(data: st.DataObject):
    start = data.draw(strategies.moments())
    rule = data.draw(strategies.rules(start, None, False))
    plain = rrulestr(format_rule(rule, None, False), dtstart=start)
    after = start + timedelta(days=data.draw(st.integers(-10, 3000)))
    until = after + timedelta(days=data.draw(st.integers(0, 800)))
    wanted = [
        found
        for found in takewhile(lambda one: one <= until, islice(plain, 4000))
        if found >= after
    ]
    assert list(starts_of(rule, start, after, until)) == wanted


@settings(max_examples=60, deadline=None)
@given(event=strategies.events(series=True, extras=False))
@pytest.mark.filterwarnings("ignore")
def test_a_series_expands_as_the_oracle_expands_it(event: Event):
    if event.end_time_zone is not None:
        # The oracle keeps the exact length across clock changes, we keep both wall clocks.
        return
    first = event.start.replace(tzinfo=UTC) - 3 * DAY
    last = first + timedelta(days=700)
    calendar: Any = icalendar.Calendar.from_ical(ical.encode(event))
    found = recurring_ical_events.of(calendar, components=["VEVENT"]).between(first, last)
    assert sorted(one.begins for one in occurrences(event, first, last)) == sorted(
        _utc(one["DTSTART"].dt) for one in found
    )


def _utc(moment: Any) -> datetime:
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, datetime.min.time())
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def test_first_and_last_of_what_ends():
    event = series("2026-01-05T10:00", rule=None)
    assert first_and_last(event) == (utc("2026-01-05T09:00"), utc("2026-01-05T10:00"))
    counted = RecurrenceRule(frequency=Frequency.WEEKLY, count=3)
    event = series("2026-01-05T10:00", rule=counted)
    assert first_and_last(event) == (utc("2026-01-05T09:00"), utc("2026-01-19T10:00"))
    ending = RecurrenceRule(frequency=Frequency.MONTHLY, until=at("2026-12-24T00:00"))
    event = series("2026-01-05T10:00", rule=ending)
    assert first_and_last(event) == (utc("2026-01-05T09:00"), utc("2026-12-05T10:00"))


def test_first_and_last_hear_of_moved_and_extra_dates():
    moved = Override(
        recurrence_id=at("2026-01-12T10:00"),
        start=at("2025-12-01T10:00"),
        end=at("2027-01-01T10:00"),
    )
    event = series(
        "2026-01-05T10:00",
        rule=RecurrenceRule(frequency=Frequency.WEEKLY, count=2),
        rdates=(at("2026-06-01T10:00"),),
        overrides=(moved,),
    )
    assert first_and_last(event) == (utc("2025-12-01T09:00"), utc("2027-01-01T09:00"))


def test_an_endless_series_has_no_last():
    found = first_and_last(series("2026-01-05T10:00"))
    assert found == (utc("2026-01-05T09:00"), None)
    assert first_and_last(Task(title="x")) is None


@settings(max_examples=40, deadline=None)
@given(event=strategies.events(series=True, extras=False))
def test_nothing_lies_outside_of_first_and_last(event: Event):
    found = first_and_last(event)
    assert found is not None
    first, last = found
    middle = event.start.replace(tzinfo=UTC)
    every = list(occurrences(event, middle - 700 * DAY, middle + 1400 * DAY))
    assert all(one.begins >= first for one in every)
    assert last is None or all(one.ends <= last for one in every)


NEVER = [
    RecurrenceRule(frequency=Frequency.DAILY, by_month=(2,), by_month_day=(30,)),
    RecurrenceRule(frequency=Frequency.YEARLY, by_week_number=(20,), by_month=(1,)),
    RecurrenceRule(frequency=Frequency.SECONDLY, by_month=(2,), by_month_day=(30,)),
    RecurrenceRule(frequency=Frequency.HOURLY, interval=24, by_hour=(3,)),
    RecurrenceRule(
        frequency=Frequency.MONTHLY, by_day=(NthDay(day=Weekday.MO, nth=1),), by_month_day=(20,)
    ),
    RecurrenceRule(frequency=Frequency.WEEKLY, by_set_position=(9,)),
]


@pytest.mark.parametrize("rule", NEVER)
def test_a_rule_that_never_fits_costs_a_bounded_number_of_steps(
    rule: RecurrenceRule, monkeypatch: pytest.MonkeyPatch
):
    asked = _count_steps(monkeypatch)
    event = series("2026-01-05T10:00", rule=rule)
    try:
        assert list(occurrences(event, utc("2026-01-06"), utc("2031-01-01"))) == []
    except TooMany:
        assert rule.frequency is Frequency.SECONDLY
    assert len(asked) <= 2 * expansion.STEPS + 2


def test_an_old_rule_is_not_followed_from_its_start(monkeypatch: pytest.MonkeyPatch):
    """The work follows the span that is asked for, not the age of the series."""
    for frequency, most in (
        (Frequency.SECONDLY, 400_000),
        (Frequency.MINUTELY, 10_000),
        (Frequency.DAILY, 20),
        (Frequency.WEEKLY, 60),
        (Frequency.MONTHLY, 200),
        (Frequency.YEARLY, 1500),
    ):
        asked = _count_steps(monkeypatch)
        event = series("1601-01-01T10:00", rule=RecurrenceRule(frequency=frequency))
        try:
            list(occurrences(event, utc("2026-01-05"), utc("2026-01-05T01:00"), limit=10**6))
        except TooMany:
            assert frequency is Frequency.SECONDLY
        assert len(asked) <= most, frequency


def test_a_million_occurrences_are_refused_in_plain_words():
    rule = RecurrenceRule(frequency=Frequency.SECONDLY, count=1_000_000)
    event = series("2026-01-05T10:00", rule=rule)
    with pytest.raises(TooMany, match="more than"):
        occurrences(event, utc("2026-01-05"), utc("2027-01-05"))
    assert first_and_last(event) == (utc("2026-01-05T09:00"), None)


def test_more_than_the_limit_is_refused():
    event = series("2026-01-05T10:00", rule=RecurrenceRule(frequency=Frequency.DAILY))
    assert len(list(occurrences(event, utc("2026-01-01"), utc("2026-01-16"), limit=11))) == 11
    with pytest.raises(TooMany, match="more than 10 "):
        occurrences(event, utc("2026-01-01"), utc("2026-01-16"), limit=10)


def test_the_ends_of_the_calendar_are_no_trap():
    rule = RecurrenceRule(frequency=Frequency.YEARLY)
    for start in ("0001-01-01T00:00", "9999-12-31T00:00"):
        event = Event(uid="u", start=at(start), end=at(start), rule=rule)
        low, high = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
        try:
            list(occurrences(event, low, high, limit=20_000))
        except TooMany:
            pass
        first_and_last(event)


def _count_steps(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return a list that grows with every day or time that an expansion looks at."""
    asked: list[object] = []
    plain = expansion._Budget.__contains__

    def counted(self: expansion._Budget, number: object) -> bool:
        asked.append(number)
        return plain(self, number)

    monkeypatch.setattr(expansion._Budget, "__contains__", counted)
    return asked
