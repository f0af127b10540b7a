"""Series there and back: patterns and ranges, what was left out, what was changed in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import exchangelib
import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accord.formats.outlook.events import event_pattern
from accord.formats.outlook.pattern import Unfit
from accord.groupware.exchange.codec import event, series
from accord.model.diff import changes
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.model.occurrences import occurrences
from accord.model.parts import Attendee, Body, Privacy, Reminder
from accord.model.recurrence import (
    Busy,
    EventStatus,
    Frequency,
    NthDay,
    Override,
    RecurrenceRule,
    Weekday,
)
from accord.model.zones import instant, wall_clock
from accord.ports.errors import Rejected
from accord.testing.samples import samples
from accord.testing.strategies import items
from tests.unit.exchange.held import Held
from tests.unit.exchange.post import ALICE, account, parsed
from tests.unit.formats import outlook_series

ZONES = ("Europe/Zurich", "America/Los_Angeles", "Pacific/Auckland", "UTC")
START = datetime(2026, 3, 2, 9)
HOUR = timedelta(hours=1)
WEEK = timedelta(days=7)
NAMED = {
    name: each
    for name, each in samples(Kind.EVENT, ALICE).items()
    if isinstance(each, Event) and each.recurs and not isinstance(event_pattern(each), Unfit)
}


def weekly(**more: Any) -> Event:
    rule = RecurrenceRule(frequency=Frequency.WEEKLY, count=10)
    usual = {"title": "Jour fixe", "time_zone": "Europe/Berlin", "rule": rule}
    return Event(**{**usual, "start": START, "end": START + HOUR, **more})


def changed(item: Event, **values: Any) -> Event:
    return msgspec.structs.replace(item, **values)


def on(week: int, **more: Any) -> Override:
    return Override(recurrence_id=START + week * WEEK, **more)


def moved(week: int, days: int, **more: Any) -> Override:
    start = START + week * WEEK + timedelta(days=days)
    return on(week, start=start, end=start + HOUR, **more)


def expected(item: Event) -> Event:
    """Return a series without changes of occurrences that are left out."""
    shown = tuple(one for one in item.overrides if one.recurrence_id not in item.exdates)
    return changed(item, overrides=shown)


def fitting(item: Any) -> bool:
    return item.recurs and not isinstance(event_pattern(item), Unfit)


SERIES: st.SearchStrategy[Any] = items(Kind.EVENT, ALICE).filter(fitting)


@settings(max_examples=60)
@given(item=SERIES, home=st.sampled_from(ZONES))
def test_whatever_a_series_says_is_read_back(item: Event, home: str) -> None:
    assert changes(expected(item), Held(item, home).read()) == ()


@settings(max_examples=40)
@given(one=SERIES, other=SERIES)
def test_any_series_can_become_any_other(one: Event, other: Event) -> None:
    held = Held(one)
    held.update(other, held.read())
    assert (
        changes(changed(expected(other), organizer=None), changed(held.read(), organizer=None))
        == ()
    )


@settings(max_examples=40)
@given(data=st.data())
def test_occurrences_can_change_in_any_way(data: st.DataObject) -> None:
    first, second = data.draw(_OCCURRENCES), data.draw(_OCCURRENCES)
    one, other = weekly(**first), weekly(**second)
    assume(fitting(one) and fitting(other))
    held = Held(one)
    assert changes(one, held.read()) == ()
    held.update(other, held.read())
    assert changes(other, held.read()) == ()


@settings(max_examples=60)
@given(item=outlook_series.series())
def test_any_rule_is_read_back_or_refused(item: Event) -> None:
    skipped = wall_clock(instant(item.start, item.time_zone), item.time_zone) != item.start
    if isinstance(event_pattern(item), Unfit) or skipped:
        with pytest.raises(Rejected, match="can't say"):
            event.properties(item)
    else:
        assert changes(expected(item), Held(item).read()) == ()


@st.composite
def _occurrences(draw: st.DrawFn) -> dict[str, Any]:
    gone = draw(st.lists(st.integers(0, 8), max_size=3, unique=True))
    others = sorted(set(range(10)) - set(gone))
    chosen = draw(st.lists(st.sampled_from(others), max_size=4, unique=True))
    overrides = []
    for week in chosen:
        day = draw(st.integers(-9, 9))
        what = draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "title": st.sampled_from(["A", ""]),
                    "location": st.just("Elsewhere"),
                    "status": st.just(EventStatus.CANCELLED),
                    "busy": st.just(Busy.FREE),
                    "privacy": st.just(Privacy.PRIVATE),
                    "categories": st.just(("Client",)),
                    "reminders": st.sampled_from([(), (Reminder(minutes=5),)]).filter(bool),
                    "body": st.just(Body(text="Other")),
                    "attendees": st.just((Attendee(address="bea@example.org"),)),
                },
            )
        )
        if day or not what:
            overrides.append(moved(week, day or 1, **what))
        else:
            overrides.append(on(week, **what))
    return {
        "exdates": tuple(START + week * WEEK for week in sorted(gone)),
        "overrides": tuple(sorted(overrides, key=lambda one: one.recurrence_id)),
    }


_OCCURRENCES = _occurrences()


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("home", ZONES)
def test_a_named_series_is_read_back_wherever_the_mailbox_is(name: str, home: str) -> None:
    assert changes(NAMED[name], Held(NAMED[name], home).read()) == ()


# ---- the six patterns and the three ranges ----

RANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "no end": ("<NoEndRecurrence><StartDate>{}</StartDate></NoEndRecurrence>", {}),
    "end date": (
        (
            "<EndDateRecurrence><StartDate>{}</StartDate><EndDate>2027-12-31</EndDate>"
            "</EndDateRecurrence>"
        ),
        {"until": datetime(2027, 12, 31, 9)},
    ),
    "numbered": (
        (
            "<NumberedRecurrence><StartDate>{}</StartDate><NumberOfOccurrences>4"
            "</NumberOfOccurrences></NumberedRecurrence>"
        ),
        {"count": 4},
    ),
}
PATTERNS: dict[str, tuple[str, dict[str, Any]]] = {
    "daily": (
        "<DailyRecurrence><Interval>3</Interval></DailyRecurrence>",
        {"frequency": Frequency.DAILY, "interval": 3},
    ),
    "weekly": (
        (
            "<WeeklyRecurrence><Interval>2</Interval><DaysOfWeek>Monday\n  Thursday</DaysOfWeek>"
            "<FirstDayOfWeek>Sunday</FirstDayOfWeek></WeeklyRecurrence>"
        ),
        {
            "frequency": Frequency.WEEKLY,
            "interval": 2,
            "by_day": (NthDay(day=Weekday.MO), NthDay(day=Weekday.TH)),
            "week_start": Weekday.SU,
        },
    ),
    "absolute monthly": (
        (
            "<AbsoluteMonthlyRecurrence><Interval>2</Interval><DayOfMonth>2</DayOfMonth>"
            "</AbsoluteMonthlyRecurrence>"
        ),
        {"frequency": Frequency.MONTHLY, "interval": 2, "by_month_day": (2,)},
    ),
    "relative monthly": (
        (
            "<RelativeMonthlyRecurrence><Interval>1</Interval><DaysOfWeek>Monday</DaysOfWeek>"
            "<DayOfWeekIndex>First</DayOfWeekIndex></RelativeMonthlyRecurrence>"
        ),
        {"frequency": Frequency.MONTHLY, "by_day": (NthDay(day=Weekday.MO, nth=1),)},
    ),
    "absolute yearly": (
        (
            "<AbsoluteYearlyRecurrence><DayOfMonth>2</DayOfMonth><Month>March</Month>"
            "</AbsoluteYearlyRecurrence>"
        ),
        {"frequency": Frequency.YEARLY, "by_month": (3,), "by_month_day": (2,)},
    ),
    "relative yearly": (
        (
            "<RelativeYearlyRecurrence><DaysOfWeek>Monday</DaysOfWeek><DayOfWeekIndex>First"
            "</DayOfWeekIndex><Month>March</Month></RelativeYearlyRecurrence>"
        ),
        {
            "frequency": Frequency.YEARLY,
            "by_month": (3,),
            "by_day": (NthDay(day=Weekday.MO, nth=1),),
        },
    ),
}
MASTER = (
    "<CalendarItem><Subject>Jour fixe</Subject><Start>2026-03-02T08:00:00Z</Start>"
    "<End>2026-03-02T09:00:00Z</End><Recurrence>{}</Recurrence>{}"
    '<StartTimeZone Id="W. Europe Standard Time"/></CalendarItem>'
)


def master(pattern: str, span: str = RANGES["no end"][0], more: str = "") -> Any:
    text = MASTER.format(pattern + span.format("2026-03-02"), more)
    return parsed(exchangelib.CalendarItem, text)


@pytest.mark.parametrize("span", RANGES)
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("start", ["2026-03-02", "2026-03-02Z", "2026-03-02+01:00"])
def test_a_pattern_and_its_range_are_understood_and_said_again(
    pattern: str, span: str, start: str
) -> None:
    (pattern_text, rule), (span_text, end) = PATTERNS[pattern], RANGES[span]
    text = MASTER.format(pattern_text + span_text.format(start), "")
    found = event.read(parsed(exchangelib.CalendarItem, text))
    assert found.rule == RecurrenceRule(**rule, **end)
    assert (found.start, found.time_zone) == (START, "Europe/Berlin")
    sent = event.properties(found)
    assert "accord_kept" not in sent
    assert Held(found).read() == found


def test_a_series_stays_at_its_hour_when_clocks_change() -> None:
    found = event.read(master(PATTERNS["daily"][0]))
    window = (datetime(2026, 3, 25, tzinfo=UTC), datetime(2026, 4, 5, tzinfo=UTC))
    assert {one.start.hour for one in occurrences(found, *window)} == {9}
    assert {one.begins.hour for one in occurrences(found, *window)} == {7, 8}


@pytest.mark.parametrize(
    "text",
    [
        "<WeeklyRecurrence><Interval>1</Interval><DaysOfWeek>Someday</DaysOfWeek></WeeklyRecurrence>",
        "<AbsoluteMonthlyRecurrence><Interval>1</Interval></AbsoluteMonthlyRecurrence>",
        "<DailyRecurrence><Interval>0</Interval></DailyRecurrence>",
        "<DailyRecurrence/>",
        "<SecretRecurrence/>",
    ],
)
def test_a_pattern_that_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(Rejected, match="recurrence"):
        event.read(master(text))


UNFIT = {
    "hourly": weekly(rule=RecurrenceRule(frequency=Frequency.HOURLY)),
    "single dates": weekly(rule=None, rdates=(START + WEEK,)),
    "a set": weekly(
        rule=RecurrenceRule(
            frequency=Frequency.MONTHLY,
            by_day=(NthDay(day=Weekday.MO), NthDay(day=Weekday.TU)),
            by_set_position=(2,),
        )
    ),
    "neighbours": weekly(overrides=(moved(1, 7),)),
    "nothing left": weekly(exdates=tuple(START + n * WEEK for n in range(10))),
    "an hour that clocks skip": weekly(
        start=datetime(2026, 3, 29, 2), end=datetime(2026, 3, 29, 4)
    ),
    "a zone of its own": weekly(time_zone="Antarctica/Troll"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_what_exchange_cannot_say_is_refused_with_its_reason(name: str) -> None:
    with pytest.raises(Rejected, match="Exchange"):
        event.properties(UNFIT[name])


# ---- occurrences ----


def test_changes_come_in_an_order_that_exchange_takes() -> None:
    item = weekly(
        exdates=(START + 5 * WEEK,),
        overrides=(moved(1, 6), moved(2, 6), moved(7, -1), moved(8, -2)),
    )
    found = series.occurrences(item)
    assert [(each.index, each.properties is None) for each in found] == [
        (6, True),
        (3, False),
        (2, False),
        (8, False),
        (9, False),
    ]


def test_a_changed_occurrence_says_only_what_differs() -> None:
    item = weekly(overrides=(on(2, title="Special"),))
    (found,) = series.occurrences(item)
    assert (found.recurrence_id, found.index) == (START + 2 * WEEK, 3)
    assert found.properties == {"subject": "Special"}
    (again,) = series.occurrences(
        changed(item, overrides=(on(2, title="Special", location="Room 2"),)), item
    )
    assert again.properties == {"location": "Room 2"}
    assert series.occurrences(item, item) == ()


def test_an_occurrence_taken_back_is_like_the_others_again() -> None:
    item = weekly(overrides=(moved(2, 1, title="Special", status=EventStatus.CANCELLED),))
    held = Held(item)
    held.update(weekly(), held.read())
    assert held.read() == weekly()
    assert held.gone == []


def test_an_occurrence_brought_back_means_a_series_written_anew() -> None:
    item = weekly(exdates=(START + WEEK, START + 3 * WEEK), overrides=(moved(5, 1),))
    held = Held(item)
    after = changed(item, exdates=(START + WEEK,))
    sent = held.update(after, held.read())
    assert "recurrence" in sent
    assert held.read() == after


def test_where_changes_would_meet_on_their_way_the_series_is_written_anew() -> None:
    item = weekly(overrides=(moved(2, -3),))
    held = Held(item)
    after = weekly(overrides=(moved(1, 5),))
    assert "recurrence" in held.update(after, held.read())
    assert held.read() == after
    free = weekly(overrides=(moved(1, 5), moved(5, 1)))
    assert held.update(free, held.read()) == {}
    assert held.read() == free


def test_a_title_leaves_the_recurrence_alone() -> None:
    item = weekly(exdates=(START + WEEK,), overrides=(on(4, title="Special"),))
    held = Held(item)
    after = changed(item, title="Weekly", exdates=(*item.exdates, START + 2 * WEEK))
    assert held.update(after, held.read()) == {"subject": "Weekly"}
    assert held.read() == after


def test_days_deleted_and_changed_in_outlook_come_in() -> None:
    item = weekly(exdates=(START + WEEK,), rule=RecurrenceRule(frequency=Frequency.WEEKLY, count=9))
    held = Held(item)
    held.gone.append(START + 3 * WEEK)
    held.changed[START + 4 * WEEK] = {"subject": "Special"}
    assert held.read() == changed(
        item, exdates=(START + WEEK, START + 3 * WEEK), overrides=(on(4, title="Special"),)
    )


def test_what_was_kept_and_makes_no_sense_is_let_go() -> None:
    held = Held(weekly())
    held.master["accord_kept"] = None
    plain = held.read()
    for text in (
        '{"rule":{"frequency":"hourly"}}',
        '{"rule":{"frequency":"sometimes"},"exdates":["soon"]}',
        '{"exdates":5,"title":7}',
        '["rule"]',
        "no text of ours",
    ):
        held.master["accord_kept"] = text
        assert held.read() == plain


def test_days_that_a_rule_leaves_out_by_itself_are_no_exclusions() -> None:
    item = Event(
        start=datetime(2026, 1, 31, 9),
        end=datetime(2026, 1, 31, 10),
        time_zone="Europe/Berlin",
        rule=RecurrenceRule(frequency=Frequency.MONTHLY, by_month_day=(31,), count=5),
    )
    held = Held(item)
    assert held.gone
    assert held.read() == item
    held.gone.append(datetime(2026, 5, 31, 9))
    assert held.read() == changed(item, exdates=(datetime(2026, 5, 31, 9),))


def test_a_series_whose_first_day_is_left_out_begins_where_it_began() -> None:
    item = weekly(
        rule=RecurrenceRule(frequency=Frequency.WEEKLY, by_day=(NthDay(day=Weekday.WE),), count=5),
        exdates=(START,),
    )
    held = Held(item)
    assert held.master["start"].date() == datetime(2026, 3, 4).date()
    assert held.read() == item


def test_seconds_of_a_series_are_kept_aside() -> None:
    item = changed(weekly(), start=START.replace(second=30), end=START.replace(minute=5, second=45))
    held = Held(item)
    assert held.master["start"].second == held.master["end"].second == 0
    assert held.read() == item


def test_an_entry_becomes_a_series_and_one_entry_again() -> None:
    once = weekly(rule=None)
    held = Held(once)
    many = weekly(overrides=(moved(1, 1),), exdates=(START + 2 * WEEK,))
    held.update(many, held.read())
    assert held.read() == many
    held.update(once, held.read())
    assert held.read() == once


def test_this_and_following_are_a_series_cut_short_and_a_new_one() -> None:
    item = weekly(overrides=(moved(1, 1), moved(8, 1)), uid="u-1")
    rule = RecurrenceRule(frequency=Frequency.WEEKLY, until=START + 4 * WEEK)
    head = changed(item, rule=rule, overrides=(moved(1, 1),))
    tail = changed(
        item,
        uid="u-2",
        start=START + 5 * WEEK + HOUR,
        end=START + 5 * WEEK + 2 * HOUR,
        rule=RecurrenceRule(frequency=Frequency.WEEKLY, count=5),
        overrides=(),
        split_from="u-1",
    )
    held = Held(item)
    held.update(head, held.read())
    assert (held.read(), Held(tail).read()) == (head, tail)


EXCEPTION = (
    "<CalendarItem><Subject>{}</Subject><Start>2026-03-17T09:00:00Z</Start>"
    "<End>2026-03-17T11:00:00Z</End>{}</CalendarItem>"
)


def exception(more: str, subject: str = "Jour fixe") -> Any:
    return parsed(exchangelib.CalendarItem, EXCEPTION.format(subject, more))


def test_what_is_kept_of_a_series_is_not_kept_of_an_occurrence_that_differs() -> None:
    item = weekly(
        status=EventStatus.TENTATIVE,
        overrides=(on(2, status=EventStatus.CONFIRMED), on(3, title="Special")),
    )
    held = Held(item)
    assert held.read() == item
    assert held.changed[START + 3 * WEEK] == {"subject": "Special"}


def test_an_exception_without_its_zone_stands_in_that_of_its_series() -> None:
    there = master(PATTERNS["weekly"][0].replace("Interval>2", "Interval>1"))
    there.account = account("Pacific/Auckland")
    for more in (
        "<OriginalStart>2026-03-16T08:00:00Z</OriginalStart>",
        "<RecurrenceId>2026-03-16T08:00:00.000Z</RecurrenceId>",
        "<OriginalStart>2026-03-16T09:00:00+01:00</OriginalStart>",
    ):
        (found,) = event.read(there, [exception(more)]).overrides
        assert found == on(2, start=datetime(2026, 3, 17, 10), end=datetime(2026, 3, 17, 12))


def test_an_exception_told_twice_counts_once_and_one_that_was_deleted_not_at_all() -> None:
    one = "<DeletedOccurrence><Start>{}</Start></DeletedOccurrence>"
    gone = f"<DeletedOccurrences>{one}</DeletedOccurrences>"
    which = "<OriginalStart>2026-03-16T08:00:00Z</OriginalStart>"
    pattern = PATTERNS["weekly"][0].replace("Interval>2", "Interval>1")
    twice = event.read(master(pattern), [exception(which), exception(which, "Special")])
    assert [one.title for one in twice.overrides] == ["Special"]
    deleted = master(pattern, more=gone.format("2026-03-16T08:00:00.5Z"))
    found = event.read(deleted, [exception(which)])
    assert (found.exdates, found.overrides) == ((START + 2 * WEEK,), ())


def test_what_others_made_of_a_series_does_not_bar_other_changes() -> None:
    # Next to its neighbour, where we would move none.
    daily = PATTERNS["daily"][0].replace("Interval>3", "Interval>1")
    which = "<OriginalStart>2026-03-16T08:00:00Z</OriginalStart>"
    before = event.read(master(daily), [exception(which)])
    assert isinstance(event_pattern(before), Unfit)
    after = changed(before, title="Daily", status=EventStatus.TENTATIVE)
    assert event.properties(after, before, ("title", "status")) == {
        "subject": "Daily",
        "accord_kept": '{"status":"tentative"}',
    }
    assert series.occurrences(after, before) == ()
    moved_more = changed(after, overrides=(*before.overrides, on(3, title="Special")))
    with pytest.raises(Rejected, match="neighbour"):
        event.properties(moved_more, before, ("overrides",))
    with pytest.raises(Rejected, match="neighbour"):
        series.occurrences(moved_more, before)
    mended = changed(before, overrides=())
    assert "recurrence" in event.properties(mended, before, ("overrides",))
    assert series.occurrences(mended, before) == ()


def test_an_exception_that_does_not_say_which_one_it_is_is_refused() -> None:
    with pytest.raises(Rejected, match="which one"):
        event.read(master(PATTERNS["weekly"][0]), [exception("")])
