"""Recurrence as Microsoft says it: a pattern and a range, for Exchange and Graph alike.

Adapters read and write these; `to_pattern` and `from_pattern` lead from and to our rules.
Sources: [MS-OXOCAL] 2.2.1.44.1 RecurrencePattern, the EWS schema types.xsd, and the Graph pages
"recurrencePattern resource type" and "recurrenceRange resource type".
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Any, NoReturn

import msgspec
from msgspec import Struct

from accord.formats.errors import Refused
from accord.model.learning import learnt
from accord.model.recurrence import Weekday

EARLIEST = date(1601, 1, 1)
"""Where Microsoft's calendar begins: dates are minutes since then ([MS-OXOCAL] 2.2.1.44.1)."""

LATEST = date(4500, 8, 31)
"""Where every series ends, the endless too ([MS-OXOCAL] 2.2.1.44.1, EndDate 0x5AE980DF)."""

MOST_DAYS = 999
"""The longest interval in days (EWS page "DailyRecurrence")."""

MOST_WEEKS = 99
"""The longest interval in weeks (EWS page "WeeklyRecurrence")."""

MOST_MONTHS = 99
"""The longest interval in months, also of several years (EWS page "AbsoluteMonthlyRecurrence")."""

MOST_COUNTED = 999
"""How many occurrences a range may count (EWS page "NumberOfOccurrences")."""


class PatternType(StrEnum):
    """Name the six patterns, as Graph does."""

    DAILY = "daily"
    WEEKLY = "weekly"
    ABSOLUTE_MONTHLY = "absoluteMonthly"
    RELATIVE_MONTHLY = "relativeMonthly"
    ABSOLUTE_YEARLY = "absoluteYearly"
    RELATIVE_YEARLY = "relativeYearly"


class Index(StrEnum):
    """Say which of the chosen days of a month is meant."""

    FIRST = "first"
    SECOND = "second"
    THIRD = "third"
    FOURTH = "fourth"
    LAST = "last"

    @property
    def position(self) -> int:
        """Return the position from 1, -1 for the last."""
        return -1 if self is Index.LAST else list(Index).index(self) + 1


class Dialect(StrEnum):
    """Name who is spoken to: EWS has no interval of years and no free sets of weekdays."""

    EWS = "ews"
    GRAPH = "graph"


class Pattern(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Say on which days a series falls; only what its type needs is set.

    `interval` counts days, weeks, months or years. `days` are in the order of the week from
    Monday. `day_of_month` beyond the end of a month means its last day (EWS page "DayOfMonth").
    `first_day` matters to weekly patterns alone; Graph's default is Sunday. Raises Refused.
    """

    type: PatternType
    interval: int = 1
    days: tuple[Weekday, ...] = ()
    day_of_month: int = 0
    month: int = 0
    index: Index | None = None
    first_day: Weekday = Weekday.SU

    def __post_init__(self) -> None:
        """Check that the pattern means something."""
        most = MOST_DAYS if self.type is PatternType.DAILY else MOST_WEEKS
        if not 1 <= self.interval <= most:
            _refuse(self.type, f"the interval {self.interval} must be 1 to {most}")
        needed = _NEEDS[self.type]
        for name, empty in _EMPTY.items():
            if name not in needed and getattr(self, name) != empty:
                _refuse(self.type, f"{name} has no meaning here")
        if "days" in needed and not self.days:
            _refuse(self.type, "no day of the week is named")
        if self.days != _ordered(self.days):
            _refuse(self.type, "days of the week must stand once each, from Monday on")
        if "day_of_month" in needed and not 1 <= self.day_of_month <= 31:
            _refuse(self.type, f"the day of the month {self.day_of_month} must be 1 to 31")
        if "month" in needed and not 1 <= self.month <= 12:
            _refuse(self.type, f"the month {self.month} must be 1 to 12")
        if "index" in needed and self.index is None:
            _refuse(self.type, "which day of the month isn't said")

    @property
    def months(self) -> int:
        """Return the interval in months, 0 for daily and weekly patterns."""
        if self.type in (PatternType.DAILY, PatternType.WEEKLY):
            return 0
        return self.interval * (12 if "month" in _NEEDS[self.type] else 1)


class Range(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Say from which day a pattern holds, and how long: until a day, inclusive, or so many times.

    Dates are days in the series' own zone. Without end and count it is endless. Raises Refused.
    """

    start: date
    end: date | None = None
    count: int | None = None

    def __post_init__(self) -> None:
        """Check that the range holds something."""
        if self.end is not None and self.count is not None:
            _refuse("range", "an end and a count exclude each other")
        if self.end is not None and self.end < self.start:
            _refuse("range", f"it ends on {self.end} before it begins on {self.start}")
        if self.count is not None and self.count < 1:
            _refuse("range", f"the count {self.count} must be 1 or more")
        if not EARLIEST <= self.start <= LATEST:
            _refuse("range", f"{self.start} isn't between {EARLIEST} and {LATEST}")


class RegenerationType(StrEnum):
    """Name the four patterns of tasks that come back once they are done."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    YEARLY = "yearly"


class Regeneration(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Be a task that comes back some time after it was done.

    No rule can say this; it is kept as it is, see `kept_text` (types.xsd,
    RegeneratingPatternBaseType).
    """

    type: RegenerationType
    interval: int = 1

    def __post_init__(self) -> None:
        """Check the interval."""
        if self.interval < 1:
            _refuse(self.type, f"the interval {self.interval} must be 1 or more")


class Kept(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Hold a regeneration with its range."""

    pattern: Regeneration
    range: Range


class Unfit(Struct, frozen=True, kw_only=True):
    """Say in plain words why one side's recurrence can't be said on the other."""

    reason: str


def pattern_of(
    type: PatternType,  # noqa: A002
    *,
    interval: int = 1,
    days: Iterable[Weekday] = (),
    day_of_month: int = 0,
    month: int = 0,
    index: Index | None = None,
    first_day: Weekday | None = None,
) -> Pattern:
    """Return a pattern of all that a server said, without what doesn't belong to its type.

    Graph answers `month: 0` and `index: first` with every pattern; the index is first where it
    is left out (Graph page "recurrencePattern resource type"). Raises Refused.
    """
    given: dict[str, Any] = {
        "days": _ordered(days),
        "day_of_month": day_of_month,
        "month": month,
        "index": index or Index.FIRST,
        "first_day": first_day or Weekday.SU,
    }
    needed = {name: value for name, value in given.items() if name in _NEEDS[type]}
    return Pattern(type=type, interval=interval, **needed)


def kept_text(kept: Kept) -> str:
    """Return a regeneration as text, to be kept among an item's own fields."""
    return msgspec.json.encode(kept, order="deterministic").decode()


def kept_of(text: str) -> Kept:
    """Return the regeneration of a text; raises Refused."""
    try:
        return msgspec.json.decode(text, type=learnt(Kept))
    except msgspec.DecodeError as error:
        raise Refused(f"{text[:60]!r} is no kept pattern: {error}") from error


def days_word(days: tuple[Weekday, ...]) -> str | None:
    """Return EWS's one word for a set of weekdays, None where it has none.

    `Monday`, or `Day`, `Weekday`, `WeekendDay` (types.xsd, DayOfWeekType).
    """
    return _WORDS.get(_ordered(days))


def days_of(words: str) -> tuple[Weekday, ...]:
    """Return the weekdays of one or several words of EWS or Graph; raises Refused."""
    known = {word.lower(): days for days, word in _WORDS.items()}
    found: list[Weekday] = []
    for word in words.split():
        if word.lower() not in known:
            _refuse("days", f"{word[:20]!r} is no day of the week")
        found += known[word.lower()]
    return _ordered(found)


def _ordered(days: Iterable[Weekday]) -> tuple[Weekday, ...]:
    given = set(days)
    return tuple(day for day in Weekday if day in given)


def _refuse(what: str, reason: str) -> NoReturn:
    raise Refused(reason, prop=str(what))


WEEK = tuple(Weekday)
WORKDAYS = WEEK[:5]
WEEKEND = WEEK[5:]

_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WORDS: dict[tuple[Weekday, ...], str] = {
    **{(day,): name for day, name in zip(WEEK, _NAMES, strict=True)},
    WEEK: "Day",
    WORKDAYS: "Weekday",
    WEEKEND: "WeekendDay",
}
GROUPS = tuple(_WORDS)
"""The sets of weekdays that both EWS and Graph can say."""

_EMPTY = {"days": (), "day_of_month": 0, "month": 0, "index": None, "first_day": Weekday.SU}
_NEEDS: dict[PatternType, tuple[str, ...]] = {
    PatternType.DAILY: (),
    PatternType.WEEKLY: ("days", "first_day"),
    PatternType.ABSOLUTE_MONTHLY: ("day_of_month",),
    PatternType.RELATIVE_MONTHLY: ("days", "index"),
    PatternType.ABSOLUTE_YEARLY: ("day_of_month", "month"),
    PatternType.RELATIVE_YEARLY: ("days", "index", "month"),
}
