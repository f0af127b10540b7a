"""Changed occurrences keep their place between their neighbours, or are told apart."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.formats.outlook.neighbours import fits_neighbours, writing_order
from accord.formats.outlook.to_pattern import Fit, to_pattern
from accord.model.recurrence import Override
from tests.unit.formats.outlook_series import DAY, at, rrule

HOUR = timedelta(hours=1)


def weekly(*exdates: str, rule: str = "FREQ=WEEKLY") -> Fit:
    found = to_pattern(rrule(rule), at("2026-01-05T10:00"), exdates=[at(one) for one in exdates])
    assert isinstance(found, Fit)
    return found


def moved(original: str, start: str, **more: Any) -> Override:
    return Override(recurrence_id=at(original), start=at(start), **more)


def why(fit: Fit, *overrides: Override, zone: str | None = "Europe/Berlin") -> str:
    found = fits_neighbours(fit, overrides, length=HOUR, time_zone=zone)
    return found.reason if found else ""


@pytest.mark.parametrize(
    ("start", "fits"),
    [
        ("2026-01-06T08:00", True),
        ("2026-01-18T22:00", True),
        ("2026-01-05T23:00", False),
        ("2026-01-04T10:00", False),
        ("2026-01-19T06:00", False),
        ("2026-01-20T10:00", False),
        ("2027-01-20T10:00", False),
    ],
)
def test_an_occurrence_stays_between_the_days_of_its_neighbours(start: str, fits: bool):
    said = why(weekly(), moved("2026-01-12T10:00", start))
    wanted = "the occurrence of 12 January 2026 would lie on the day of its neighbour, or beyond it"
    assert said == ("" if fits else wanted)


def test_it_may_not_reach_into_its_neighbour():
    long = moved("2026-01-12T10:00", "2026-01-18T10:00", end=at("2026-01-19T10:01"))
    assert why(weekly(), long).endswith("would reach into its neighbour")
    just = moved("2026-01-12T10:00", "2026-01-18T10:00", end=at("2026-01-19T10:00"))
    assert why(weekly(), just) == ""
    later = moved("2026-01-12T10:00", "2026-01-18T23:30")
    earlier = moved("2026-01-19T10:00", "2026-01-19T00:15")
    assert "reach into" in why(weekly(), later, earlier)


def test_neighbours_count_where_they_were_moved_to():
    first = moved("2026-01-12T10:00", "2026-01-20T10:00")
    second = moved("2026-01-19T10:00", "2026-01-23T10:00")
    assert why(weekly(), first) != ""
    assert why(weekly(), first, second) == ""
    onto = moved("2026-01-12T10:00", "2026-01-23T18:00")
    assert "19 January 2026" in why(weekly(), onto, second)


def test_a_deleted_neighbour_holds_its_day():
    series = weekly("2026-01-19T10:00")
    assert why(series, moved("2026-01-12T10:00", "2026-01-19T15:00")) != ""
    reaching = moved("2026-01-12T10:00", "2026-01-18T10:00", end=at("2026-01-19T12:00"))
    assert why(series, reaching) != ""
    assert "none of its occurrences" in why(series, moved("2026-01-19T10:00", "2026-01-20T10:00"))


def test_a_deleted_neighbour_takes_no_time():
    early = moved("2026-01-12T10:00", "2026-01-06T00:30", end=at("2026-01-06T02:00"))
    for series, fits in ((weekly(), False), (weekly("2026-01-05T10:00"), True)):
        found = fits_neighbours(series, [early], length=15 * HOUR, time_zone="Europe/Berlin")
        assert (found is None) == fits


def test_changes_to_later_days_are_written_from_the_end():
    first = moved("2026-01-12T10:00", "2026-01-20T10:00")
    second = moved("2026-01-19T10:00", "2026-01-24T10:00")
    earlier = moved("2026-02-02T10:00", "2026-01-30T10:00")
    assert writing_order([earlier, first, second]) == (second, first, earlier)


def test_the_ends_of_a_series_have_one_neighbour():
    series = weekly(rule="FREQ=WEEKLY;COUNT=3")
    assert why(series, moved("2026-01-05T10:00", "2020-01-05T10:00")) == ""
    assert why(series, moved("2026-01-19T10:00", "2030-01-05T10:00")) == ""
    assert why(series, moved("2026-01-05T10:00", "2026-01-12T10:00")) != ""


def test_days_are_those_of_the_series_zone():
    # Half past eleven in the evening in New York is the next morning in Berlin.
    change = moved("2026-01-12T10:00", "2026-01-18T23:30", time_zone="America/New_York")
    assert why(weekly(), change) != ""
    assert why(weekly(), change, zone="America/New_York") == ""
    assert "no time zone" in why(weekly(), moved("2026-01-12T10:00", "2026-01-13", time_zone="X"))


def test_changes_of_what_is_no_occurrence_are_told():
    assert why(weekly(), moved("2026-01-13T10:00", "2026-01-14T10:00")) == (
        "13 January 2026 10:00 is none of its occurrences"
    )
    assert "none of its occurrences" in why(
        weekly(), Override(recurrence_id=at("2026-01-12T11:00"))
    )
    assert why(weekly(), Override(recurrence_id=at("2026-01-12T10:00"), title="x")) == ""
    late = Override(recurrence_id=at("2040-01-02T10:00"), title="x")
    assert why(weekly(), late) == ""
    assert why(weekly(rule="FREQ=WEEKLY;COUNT=3"), late) != ""


@given(st.lists(st.integers(-20, 20), min_size=1, max_size=6))
def test_changes_are_written_without_meeting_each_other(shifts: list[int]):
    originals = [at("2026-01-05T10:00") + 7 * number * DAY for number in range(len(shifts))]
    overrides = [
        Override(recurrence_id=one, start=one + shift * DAY)
        for one, shift in zip(originals, shifts, strict=True)
    ]
    series = weekly()
    wanted = [one + shift * DAY for one, shift in zip(originals, shifts, strict=True)]
    fits = why(series, *overrides) == ""
    after = originals[-1] + 7 * DAY
    assert fits == all(
        one.date() < following.date() for one, following in pairwise((*wanted, after))
    )
    if not fits:
        return
    placed: dict[datetime, Override] = {}
    for change in writing_order(overrides):
        placed[change.recurrence_id] = change
        assert why(series, *placed.values()) == ""
    assert len(placed) == len(overrides)
