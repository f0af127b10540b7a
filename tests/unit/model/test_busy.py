"""Taken and free times: spans put together, and hours in which several people are free."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from accord.model.busy import Hours, Span, common, merged
from accord.model.recurrence import Busy

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def at(hour: float, day: int = 0) -> datetime:
    return MONDAY + day * DAY + hour * HOUR


def span(start: float, end: float, busy: Busy = Busy.BUSY) -> Span:
    return Span(at(start), at(end), busy)


def test_of_spans_over_each_other_the_stronger_counts() -> None:
    spans = [
        *(span(9, 12, Busy.TENTATIVE), span(10, 11), span(11, 11.5), span(13, 14, Busy.FREE)),
        *(span(-5, 1, Busy.OUT_OF_OFFICE), span(23, 30)),
    ]
    assert merged(spans, at(0), at(24)) == (
        span(0, 1, Busy.OUT_OF_OFFICE),
        span(9, 10, Busy.TENTATIVE),
        span(10, 11.5),
        span(11.5, 12, Busy.TENTATIVE),
        span(23, 24),
    )


SPANS = st.lists(
    st.builds(
        lambda start, length, busy: span(start / 4, (start + length) / 4, busy),
        st.integers(-8, 100),
        st.integers(0, 30),
        st.sampled_from(Busy),
    ),
    max_size=8,
)


@given(spans=SPANS)
def test_whoever_is_taken_at_a_moment_is_taken_after_merging(spans: list[Span]) -> None:
    found = merged(spans, at(0), at(24))
    assert all(one.end <= other.start for one, other in pairwise(found))
    for quarter in range(96):
        moment = at(quarter / 4) + timedelta(minutes=1)
        over = {s.busy for s in spans if s.start <= moment < s.end} - {Busy.FREE}
        told = [s.busy for s in found if s.start <= moment < s.end]
        assert len(told) == bool(over)
        assert set(told) <= over


@given(spans=SPANS, minutes=st.sampled_from([15, 60, 180]))
def test_free_times_are_free_long_enough_and_none_is_left_out(
    spans: list[Span], minutes: int
) -> None:
    duration = timedelta(minutes=minutes)
    found = common(spans, at(0), at(24), duration, Hours())
    away = [s for s in spans if s.busy not in (Busy.FREE, Busy.ELSEWHERE) and s.start < s.end]
    for start, end in found:
        assert end - start >= duration
        assert at(9) <= start
        assert end <= at(17)
        assert not any(s.start < end and start < s.end for s in away)
    for quarter in range(36, 69 - minutes // 15):
        start = at(quarter / 4)
        if not any(s.start < start + duration and start < s.end for s in away):
            assert any(one <= start and start + duration <= other for one, other in found)


def test_hours_are_those_of_the_zone_on_working_days() -> None:
    hours = Hours(begin=time(9), end=time(12), zone="Europe/Berlin")
    friday = datetime(2026, 3, 27, tzinfo=UTC)
    found = common([], friday, friday + 4 * DAY, HOUR, hours)
    assert found == (
        (friday + 8 * HOUR, friday + 11 * HOUR),
        (friday + 3 * DAY + 7 * HOUR, friday + 3 * DAY + 10 * HOUR),  # summer time begins between
    )
    late = Hours(begin=time(22), end=time(2), days=frozenset({0}))
    assert common([span(23, 24)], at(0), at(48), HOUR, late) == (
        (at(22), at(23)),
        (at(24), at(26)),
    )
