"""A series without a pattern is carried by its occurrences, each with all that it says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from accord.model.item import Event
from accord.model.occurrences import TooMany, occurrences
from accord.model.parts import Attendee, Reminder
from accord.model.recurrence import EventStatus, Override
from accord.model.singles import (
    single,
    single_uid,
    singles,
    with_single,
    with_single_again,
    without_single,
)
from tests import strategies
from tests.unit.formats.outlook_series import DAY, at, rrule

FIRST, LAST = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 20, tzinfo=UTC)


def event(**more: Any) -> Event:
    return Event(
        uid="u",
        title="Visit",
        start=at("2026-01-05T10:00"),
        end=at("2026-01-05T11:00"),
        time_zone="Europe/Berlin",
        rule=rrule("FREQ=MONTHLY;BYMONTHDAY=5,12,16,19"),
        **more,
    )


def test_occurrences_are_entries_of_their_own():
    found = singles(event(categories=("a",)), FIRST, LAST)
    assert [one.recurrence_id.day for one in found] == [5, 12, 16, 19]
    second = found[1].item
    assert second == Event(
        uid="u_20260112T100000",
        title="Visit",
        start=at("2026-01-12T10:00"),
        end=at("2026-01-12T11:00"),
        time_zone="Europe/Berlin",
        categories=("a",),
    )
    assert singles(event(), LAST, LAST + DAY) == ()


def test_exclusions_and_changes_count():
    change = Override(
        recurrence_id=at("2026-01-12T10:00"),
        start=at("2026-01-13T08:00"),
        end=at("2026-01-13T12:00"),
        time_zone="America/New_York",
        title="Long visit",
        status=EventStatus.TENTATIVE,
        reminders=(Reminder(minutes=5),),
        attendees=(Attendee(address="a@example.org"),),
        body=None,
        extras={"x:a": None, "x:b": "new"},
    )
    item = event(
        exdates=(at("2026-01-16T10:00"),),
        overrides=(change,),
        location="Here",
        extras={"x:a": "old", "x:c": 1},
    )
    found = singles(item, FIRST, LAST)
    assert [one.recurrence_id.day for one in found] == [5, 12, 19]
    assert found[1].item == Event(
        uid="u_20260112T100000",
        title="Long visit",
        start=at("2026-01-13T08:00"),
        end=at("2026-01-13T12:00"),
        time_zone="America/New_York",
        location="Here",
        status=EventStatus.TENTATIVE,
        reminders=(Reminder(minutes=5),),
        attendees=(Attendee(address="a@example.org"),),
        extras={"x:b": "new", "x:c": 1},
    )
    assert found[0].item.extras == {"x:a": "old", "x:c": 1}


def test_single_dates_are_occurrences_too():
    plain = Event(uid="u", start=at("2026-01-05T10:00"), end=at("2026-01-05T11:00"))
    assert singles(plain, FIRST, LAST) == ()
    dates = Event(uid="", start=plain.start, end=plain.end, rdates=(at("2026-01-07T15:00"),))
    assert [one.item.uid for one in singles(dates, FIRST, LAST)] == ["", ""]
    assert [one.item.start.day for one in singles(dates, FIRST, LAST)]
    assert single_uid("u", at("2026-01-07T15:00")) == "u_20260107T150000"


def test_all_day_series_stay_on_their_days():
    item = Event(
        uid="u",
        start=at("2026-01-05"),
        end=at("2026-01-07"),
        all_day=True,
        rule=rrule("FREQ=DAILY;INTERVAL=5;BYDAY=MO,SA"),
    )
    found = [one.item for one in singles(item, FIRST, LAST)]
    assert [(one.start, one.end, one.all_day) for one in found] == [
        (at("2026-01-05"), at("2026-01-07"), True),
        (at("2026-01-10"), at("2026-01-12"), True),
    ]


def test_too_many_are_told():
    hourly = event()
    hourly = Event(uid="u", start=hourly.start, end=hourly.end, rule=rrule("FREQ=HOURLY"))
    with pytest.raises(TooMany):
        singles(hourly, FIRST, LAST, limit=50)


@settings(max_examples=25)
@given(strategies.events(series=True))
def test_no_occurrence_is_lost_or_shown_elsewhere(item: Event):
    first = item.start.replace(tzinfo=UTC) - 2 * DAY
    last = first + 200 * DAY
    wanted = list(occurrences(item, first, last))
    found = singles(item, first, last)
    assert [one.recurrence_id for one in found] == [one.recurrence_id for one in wanted]
    assert len({one.item.uid for one in found}) == len(found)
    for each, one in zip(found, wanted, strict=True):
        alone = list(occurrences(each.item, first - 400 * DAY, last + 400 * DAY))
        assert [(x.begins, x.ends, x.all_day) for x in alone] == [
            (one.begins, one.ends, one.all_day)
        ]


@settings(max_examples=25)
@given(strategies.events(series=True))
def test_each_is_found_by_its_name(item: Event):
    first = item.start.replace(tzinfo=UTC) - 2 * DAY
    for one in singles(item, first, first + 60 * DAY)[:5]:
        assert single(item, one.recurrence_id) == one.item
        without = without_single(item, one.recurrence_id)
        assert single(without, one.recurrence_id) is None
        assert single(with_single_again(without, one.recurrence_id), one.recurrence_id) == one.item
    assert single(item, item.start - 400 * DAY) is None


@settings(max_examples=25)
@given(strategies.events(series=True), strategies.events())
def test_a_changed_one_becomes_an_override_and_back(item: Event, other: Event):
    first = item.start.replace(tzinfo=UTC) - 2 * DAY
    found = singles(item, first, first + 60 * DAY)[:3]
    for one in found:
        said = ("title", "location", "categories", "busy", "start", "end", "time_zone", "extras")
        times = ("end_time_zone", "all_day")
        after = replace(one.item, **{name: getattr(other, name) for name in (*said, *times)})
        changed = with_single(item, one.recurrence_id, after, said)
        shown = single(changed, one.recurrence_id)
        assert shown is not None
        assert [getattr(shown, name) for name in said] == [getattr(after, name) for name in said]
        others = [each for each in found if each is not one]
        assert [single(changed, each.recurrence_id) for each in others] == [
            each.item for each in others
        ]


def test_what_is_as_usual_again_is_no_override():
    item = event()
    second = singles(item, FIRST, LAST)[1]
    moved = replace(second.item, title="Other", start=at("2026-01-13T08:00"))
    changed = with_single(item, second.recurrence_id, moved, ("title", "start"))
    assert changed.overrides[0].title == "Other"
    assert with_single(changed, second.recurrence_id, second.item, ("title", "start")) == item
