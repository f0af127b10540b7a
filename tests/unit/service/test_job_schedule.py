"""When jobs are due: so often, or at an hour of the machine's own time, whatever clocks do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from accord.ports.errors import ConfigError
from accord.service.jobs.schedule import parse

NOW = datetime(2026, 3, 27, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def on_both() -> None:
    """Nothing here has a database."""


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("every 15m", "every 15m"),
        ("15m", "every 15m"),
        ("Every 30 minutes", "every 30m"),
        ("every 120m", "every 2h"),
        ("24h", "every 1d"),
        ("daily 3:05", "daily 03:05"),
        ("23:59", "daily 23:59"),
        ("weekly Sunday 02:00", "weekly sun 02:00"),
        ("mon 7:30", "weekly mon 07:30"),
    ],
)
def test_what_is_written_is_read(text: str, said: str) -> None:
    assert str(parse(text)) == said
    assert parse(said) == parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "every",
        "every 0m",
        "every 32d",
        "every 5 s",
        "every -1h",
        "every 99999999999m",
        "daily 24:00",
        "daily 3",
        "weekly 03:00",
        "weekly abc 03:00",
        "*/5 * * * *",
    ],
)
def test_what_is_no_schedule_is_refused_with_a_way_out(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert caught.value.hint


def test_so_often_counts_from_the_beginning_and_leaves_a_breath() -> None:
    schedule = parse("every 15m")
    assert schedule.first(NOW) == NOW
    assert schedule.next(NOW - timedelta(minutes=5), NOW) == NOW + timedelta(minutes=10)
    assert schedule.next(NOW - timedelta(hours=2), NOW) == NOW + timedelta(minutes=1)


def test_an_hour_is_that_of_the_machine_in_summer_and_in_winter(berlin: None) -> None:
    schedule = parse("daily 03:30")
    assert schedule.first(NOW) == datetime(2026, 3, 28, 2, 30, tzinfo=UTC)
    # On the 29th clocks go forward at two o'clock.
    assert schedule.next(NOW, NOW + timedelta(days=1)) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    skipped = parse("daily 02:30").next(NOW, datetime(2026, 3, 28, 12, tzinfo=UTC))
    assert abs(skipped - datetime(2026, 3, 29, 1, 0, tzinfo=UTC)) <= timedelta(hours=1)


def test_a_day_of_the_week_comes_once_a_week(berlin: None) -> None:
    schedule = parse("weekly sun 04:00")
    first = schedule.first(NOW)
    assert first.astimezone().strftime("%a %H:%M") == "Sun 04:00"
    assert timedelta(days=6) < schedule.next(first, first) - first <= timedelta(days=7)


def test_a_clock_that_was_wrong_delays_nothing_for_long() -> None:
    schedule = parse("every 15m")
    assert schedule.sooner(NOW + timedelta(hours=1), NOW) == NOW + timedelta(minutes=15)
    assert schedule.sooner(NOW - timedelta(hours=1), NOW) == NOW - timedelta(hours=1)
    daily = parse("daily 03:30")
    assert daily.sooner(NOW + timedelta(days=365), NOW) == daily.first(NOW)
    assert daily.sooner(NOW + timedelta(hours=3), NOW) == NOW + timedelta(hours=3)
