"""A whole series is written as a pattern, or carried by all of its occurrences: none is lost."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from accord.formats.outlook.events import event_pattern
from accord.formats.outlook.from_pattern import Series, from_pattern
from accord.formats.outlook.pattern import Dialect, Unfit
from accord.formats.outlook.to_pattern import Fit
from accord.model.item import Event
from accord.model.occurrences import occurrences
from accord.model.recurrence import Override
from accord.model.singles import singles
from tests import strategies
from tests.unit.formats.outlook_series import DAY, at, rrule, series


def weekly(**more: Any) -> Event:
    start = at("2026-01-05T10:00")
    values = {"rule": rrule("FREQ=WEEKLY"), "time_zone": "Europe/Berlin", **more}
    return Event(start=start, end=start + DAY / 24, **values)


def test_changes_exclusions_and_length_are_asked_about():
    gone = at("2026-01-12T10:00")
    found = event_pattern(weekly(exdates=(gone,)))
    assert isinstance(found, Fit)
    assert found.deleted == (gone,)
    change = Override(recurrence_id=gone, start=at("2026-01-19T12:00"))
    assert "12 January 2026" in unfit(weekly(overrides=(change,)))
    abroad = Override(
        recurrence_id=gone, start=at("2026-01-18T23:00"), time_zone="America/New_York"
    )
    assert "beyond it" in unfit(weekly(overrides=(abroad,)))
    both = event_pattern(weekly(exdates=(gone,), overrides=(change,)))
    assert isinstance(both, Fit)
    lone = Override(recurrence_id=gone + DAY / 24)
    assert "none of its occurrences" in unfit(weekly(exdates=(gone,), overrides=(lone,)))
    assert "single dates" in unfit(weekly(rule=None, rdates=(gone,)))
    assert "extra dates" in unfit(weekly(rdates=(at("2026-01-13T10:00"),)))
    assert "several times of day" in unfit(weekly(rule=rrule("FREQ=HOURLY")))
    tuesdays = weekly(rule=rrule("FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=1"))
    assert isinstance(event_pattern(tuesdays, Dialect.GRAPH), Fit)
    assert "no day or weekday" in unfit(tuesdays)
    long = weekly(rule=rrule("FREQ=DAILY"))
    assert "next begins" in unfit(
        Event(start=long.start, end=long.start + timedelta(hours=25), rule=long.rule)
    )


def test_a_change_of_a_day_that_only_exchange_has_is_not_lost():
    months = Event(
        start=at("2026-01-31T10:00"),
        end=at("2026-01-31T11:00"),
        rule=rrule("FREQ=MONTHLY;BYMONTHDAY=31;COUNT=4"),
    )
    assert isinstance(event_pattern(months), Fit)
    lone = Override(recurrence_id=at("2026-02-28T10:00"), title="Extra")
    assert "28 February 2026" in unfit(replace(months, overrides=(lone,)))


def unfit(event: Event) -> str:
    found = event_pattern(event)
    assert isinstance(found, Unfit), found
    return found.reason


@st.composite
def changed(draw: st.DrawFn) -> Event:
    """Return series with some occurrences moved, a few of them too far."""
    item = draw(series())
    overrides = []
    first = item.start.replace(tzinfo=UTC) - DAY
    for one in singles(item, first, first + 120 * DAY)[:4]:
        if draw(st.booleans()):
            start = one.recurrence_id + draw(st.integers(-3, 3)) * DAY / 2
            end = start + timedelta(minutes=draw(st.sampled_from((30, 600))))
            overrides.append(Override(recurrence_id=one.recurrence_id, start=start, end=end))
    return replace(item, overrides=tuple(overrides))


@settings(max_examples=60)
@given(changed() | strategies.events(series=True), st.sampled_from(Dialect))
def test_every_occurrence_reaches_the_other_side(item: Event, dialect: Dialect):
    first = item.start.replace(tzinfo=UTC) - 2 * DAY
    last = first + 300 * DAY
    wanted = sorted((one.begins, one.ends) for one in occurrences(item, first, last))
    found = event_pattern(item, dialect)
    note(f"{type(found).__name__}, {'changed' if item.overrides else 'plain'}")
    if isinstance(found, Unfit):
        carried = [one.item for one in singles(item, first, last)]
        assert all(one.rule is None for one in carried)
        shown = [
            (one.begins, one.ends)
            for alone in carried
            for one in occurrences(alone, first - 900 * DAY, last + 900 * DAY)
        ]
    else:
        back = from_pattern(found.pattern, found.range, found.start)
        assert isinstance(back, Series)
        again = Event(
            start=back.start,
            end=back.start + (item.end - item.start),
            time_zone=item.time_zone,
            end_time_zone=item.end_time_zone,
            all_day=item.all_day,
            rule=back.rule,
            exdates=found.deleted,
            overrides=tuple(x for x in item.overrides if x.recurrence_id not in item.exdates),
        )
        shown = [(one.begins, one.ends) for one in occurrences(again, first, last)]
    assert sorted(shown) == wanted
