"""Recurrence rules, as data; semantics are those of RFC 5545 section 3.3.10.

Codecs turn them into RRULE text or a vendor's pattern; `occurrences` expands them.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import UNSET, Struct, UnsetType

from accord.model.parts import Attachment, Attendee, Body, Privacy, Reminder


class Frequency(StrEnum):
    """Name how often a rule repeats."""

    SECONDLY = "secondly"
    MINUTELY = "minutely"
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    YEARLY = "yearly"


class Weekday(StrEnum):
    """Name a day of the week as RFC 5545 does."""

    MO = "mo"
    TU = "tu"
    WE = "we"
    TH = "th"
    FR = "fr"
    SA = "sa"
    SU = "su"


class NthDay(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Be one BYDAY entry; `nth` 0 means every such day, -1 the last."""

    day: Weekday
    nth: int = 0


class RecurrenceRule(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """Be one RRULE; `until` is local time in the item's own zone, inclusive (RFC 8984 4.3.3)."""

    frequency: Frequency
    interval: int = 1
    count: int | None = None
    until: datetime | None = None
    by_month: tuple[int, ...] = ()
    by_week_number: tuple[int, ...] = ()
    by_year_day: tuple[int, ...] = ()
    by_month_day: tuple[int, ...] = ()
    by_day: tuple[NthDay, ...] = ()
    by_hour: tuple[int, ...] = ()
    by_minute: tuple[int, ...] = ()
    by_second: tuple[int, ...] = ()
    by_set_position: tuple[int, ...] = ()
    week_start: Weekday = Weekday.MO


LISTS = {
    "by_month": (1, 12),
    "by_week_number": (-53, 53),
    "by_year_day": (-366, 366),
    "by_month_day": (-31, 31),
    "by_hour": (0, 23),
    "by_minute": (0, 59),
    "by_second": (0, 60),
    "by_set_position": (-366, 366),
}
"""The lowest and the highest number in each list of a rule (RFC 5545 3.3.10)."""

ZERO_FITS = frozenset({"by_hour", "by_minute", "by_second"})
INTERVAL = (1, 1_000_000)
COUNT = (1, 1_000_000_000)
MOST = 400
"""How many values each list of a rule may have."""

_WEEKS = 53


def wrong_with(rule: RecurrenceRule) -> str:
    """Return what no codec could write of a rule, as a sentence; empty where it is sound."""
    for name, value, (low, high) in (
        ("interval", rule.interval, INTERVAL),
        ("count", rule.count, COUNT),
    ):
        if value is not None and not low <= value <= high:
            return f"{name} {value} must be {low} to {high}"
    if rule.count is not None and rule.until is not None:
        return "count and until exclude each other"
    for name, (low, high) in LISTS.items():
        values = getattr(rule, name)
        if len(values) > MOST:
            return f"{name} has more than {MOST} values"
        for value in values:
            if not low <= value <= high:
                return f"{name} {value} must be {low} to {high}"
            if value == 0 and name not in ZERO_FITS:
                return f"{name} can't be 0"
    if len(rule.by_day) > MOST:
        return f"by_day has more than {MOST} values"
    for day in rule.by_day:
        if abs(day.nth) > _WEEKS:
            return f"nth {day.nth} of by_day must be -{_WEEKS} to {_WEEKS}"
    return ""


class EventStatus(StrEnum):
    """Name the state of a calendar entry (RFC 5545 STATUS)."""

    CONFIRMED = "confirmed"
    TENTATIVE = "tentative"
    CANCELLED = "cancelled"


class Busy(StrEnum):
    """Say how an entry counts in free/busy."""

    FREE = "free"
    TENTATIVE = "tentative"
    BUSY = "busy"
    OUT_OF_OFFICE = "out-of-office"
    ELSEWHERE = "elsewhere"


class Override(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Change one occurrence of a series; what is unset is inherited from the series.

    `recurrence_id` is the occurrence's original start, local time in the series' zone
    (midnight for all-day series), whatever the new `start`. `time_zone` is that of the
    new `start` and `end`. `extras` adds to those of the series, key by key; None takes away.
    """

    recurrence_id: datetime
    start: datetime | UnsetType = UNSET
    end: datetime | UnsetType = UNSET
    time_zone: str | UnsetType | None = UNSET
    end_time_zone: str | UnsetType | None = UNSET
    all_day: bool | UnsetType = UNSET
    title: str | UnsetType = UNSET
    body: Body | UnsetType | None = UNSET
    location: str | UnsetType = UNSET
    online_meeting: str | UnsetType = UNSET
    status: EventStatus | UnsetType = UNSET
    busy: Busy | UnsetType = UNSET
    privacy: Privacy | UnsetType = UNSET
    categories: tuple[str, ...] | UnsetType = UNSET
    reminders: tuple[Reminder, ...] | UnsetType = UNSET
    attendees: tuple[Attendee, ...] | UnsetType = UNSET
    attachments: tuple[Attachment, ...] | UnsetType = UNSET
    extras: dict[str, str | int | float | bool | tuple[str, ...] | None] | UnsetType = UNSET
