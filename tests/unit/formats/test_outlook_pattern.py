"""Patterns and ranges mean something or are refused; what regenerates is kept as it is."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given

from accord.formats.errors import Refused
from accord.formats.outlook.pattern import (
    GROUPS,
    WEEK,
    Dialect,
    Index,
    Kept,
    Pattern,
    PatternType,
    Range,
    Regeneration,
    RegenerationType,
    days_of,
    days_word,
    kept_of,
    kept_text,
    pattern_of,
)
from accord.model.recurrence import Weekday
from tests.unit.formats.outlook_series import patterns

MONDAY = (Weekday.MO,)
DAY = date(2026, 1, 5)

WRONG: list[tuple[PatternType, dict[str, Any], str]] = [
    (PatternType.DAILY, {"interval": 0}, "the interval 0 must be 1 to 999"),
    (PatternType.DAILY, {"interval": 1000}, "the interval 1000 must be 1 to 999"),
    (PatternType.DAILY, {"days": MONDAY}, "days has no meaning here"),
    (PatternType.WEEKLY, {"interval": 100, "days": MONDAY}, "must be 1 to 99"),
    (PatternType.WEEKLY, {}, "no day of the week is named"),
    (PatternType.WEEKLY, {"days": (Weekday.TU, Weekday.MO)}, "from Monday on"),
    (PatternType.WEEKLY, {"days": MONDAY * 2}, "once each"),
    (PatternType.ABSOLUTE_MONTHLY, {}, "the day of the month 0 must be 1 to 31"),
    (PatternType.ABSOLUTE_MONTHLY, {"day_of_month": 32}, "must be 1 to 31"),
    (PatternType.ABSOLUTE_MONTHLY, {"day_of_month": 1, "month": 1}, "month has no meaning"),
    (PatternType.RELATIVE_MONTHLY, {"days": MONDAY}, "which day of the month isn't said"),
    (PatternType.RELATIVE_MONTHLY, {"index": Index.LAST}, "no day of the week"),
    (PatternType.ABSOLUTE_YEARLY, {"day_of_month": 1}, "the month 0 must be 1 to 12"),
    (
        PatternType.RELATIVE_YEARLY,
        {"days": MONDAY, "index": Index.LAST, "month": 13},
        "the month 13 must be 1 to 12",
    ),
]


@pytest.mark.parametrize(("kind", "parts", "text"), WRONG)
def test_patterns_without_meaning_are_refused(kind: PatternType, parts: dict[str, Any], text: str):
    with pytest.raises(Refused, match=text) as caught:
        Pattern(type=kind, **parts)
    assert caught.value.prop == kind


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"end": DAY, "count": 1}, "exclude each other"),
        ({"end": date(2026, 1, 4)}, "ends on 2026-01-04 before it begins on 2026-01-05"),
        ({"count": 0}, "the count 0 must be 1 or more"),
        ({"start": date(1600, 1, 1)}, "isn't between 1601-01-01 and 4500-08-31"),
        ({"start": date(4500, 9, 1)}, "isn't between"),
    ],
)
def test_ranges_without_meaning_are_refused(parts: dict[str, Any], text: str):
    with pytest.raises(Refused, match=text):
        Range(**{"start": DAY, **parts})


def test_what_does_not_belong_to_a_type_is_left_out():
    said: dict[str, Any] = {"month": 0, "day_of_month": 0, "first_day": Weekday.MO}
    daily = pattern_of(PatternType.DAILY, index=Index.FIRST, **said)
    assert daily == Pattern(type=PatternType.DAILY)
    nth = pattern_of(PatternType.RELATIVE_MONTHLY, days=[Weekday.SU, Weekday.MO, Weekday.SU])
    assert (nth.days, nth.index) == ((Weekday.MO, Weekday.SU), Index.FIRST)
    assert pattern_of(PatternType.WEEKLY, days=MONDAY).first_day is Weekday.SU
    with pytest.raises(Refused, match="the day of the month 0"):
        pattern_of(PatternType.ABSOLUTE_YEARLY, month=3)


@given(patterns() | patterns(Dialect.GRAPH))
def test_patterns_survive_as_text(pattern: Pattern):
    assert msgspec.json.decode(msgspec.json.encode(pattern), type=Pattern) == pattern


def test_days_have_the_words_of_ews_and_graph():
    assert [days_word(days) for days in GROUPS[7:]] == ["Day", "Weekday", "WeekendDay"]
    assert days_word((Weekday.WE,)) == "Wednesday"
    assert days_word((Weekday.MO, Weekday.TU)) is None
    assert all(days_of(days_word(days) or "") == days for days in GROUPS)
    assert days_of("sunday monday") == (Weekday.MO, Weekday.SU)
    assert days_of("Weekday WeekendDay") == WEEK
    with pytest.raises(Refused, match="'Moonday' is no day of the week"):
        days_of("Moonday")


def test_regeneration_is_kept_as_it_is():
    pattern = Regeneration(type=RegenerationType.MONTHLY, interval=2)
    for span in (
        Range(start=DAY),
        Range(start=DAY, count=5),
        Range(start=DAY, end=date(2027, 1, 1)),
    ):
        kept = Kept(pattern=pattern, range=span)
        assert kept_of(kept_text(kept)) == kept
        assert kept_text(kept_of(kept_text(kept))) == kept_text(kept)
    never = kept_text(kept).replace('"interval":2', '"interval":0')
    for text in ("", "{}", '{"pattern":{"type":"hourly"}}', never):
        with pytest.raises(Refused):
            kept_of(text)
    with pytest.raises(Refused, match="must be 1 or more"):
        Regeneration(type=RegenerationType.DAILY, interval=0)
