"""The rules of time zones as Exchange tells and reads them."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from typing import NamedTuple

from icalendar import Component, Timezone, TimezoneDaylight, TimezoneStandard
from tzlocal.windows_tz import win_tz

from accord.sandbox.exchange.calendar import duration
from accord.sandbox.exchange.xml import Node, child, t, text_at
from accord.sandbox.exchange.zones import zone_named

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_ZERO = timedelta(0)


class Turn(NamedTuple):
    """A day of the year on which clocks are set: at wall time `at`, to an offset from UTC.

    `nth` counts the weekday (Monday is 0) in its month, 5 being the last.
    """

    month: int
    weekday: int
    nth: int
    at: timedelta
    offset: timedelta
    daylight: bool

    def in_year(self, year: int) -> datetime:
        """Return when it is in a year, by the clock before it."""
        length = calendar.monthrange(year, self.month)[1]
        first = (self.weekday - datetime(year, self.month, 1).weekday()) % 7 + 1
        days = range(first, length + 1, 7)
        day = days[-1] if self.nth >= 5 else days[min(self.nth, len(days)) - 1]
        return datetime(year, self.month, day) + self.at


class Rules(tzinfo):
    """A zone that turns twice a year, or never."""

    def __init__(self, standard: timedelta, turns: tuple[Turn, ...]) -> None:
        self._standard, self._turns = standard, turns

    def utcoffset(self, when: datetime | None) -> timedelta:
        if when is None or len(self._turns) != 2:
            return self._standard
        summer = next(each for each in self._turns if each.daylight)
        winter = next(each for each in self._turns if not each.daylight)
        wall = when.replace(tzinfo=None)
        begin, end = summer.in_year(wall.year), winter.in_year(wall.year)
        inside = begin <= wall < end if begin < end else not end <= wall < begin
        return summer.offset if inside else winter.offset

    def dst(self, when: datetime | None) -> timedelta:
        return self.utcoffset(when) - self._standard

    def tzname(self, when: datetime | None) -> str:
        return "rules"


def names() -> list[str]:
    """Return the Windows names of all zones."""
    return sorted(win_tz)


@cache
def definition(name: str, year: int, *, full: bool) -> Node | None:
    """Return a zone as GetServerTimeZones tells it, by the rules of a year."""
    zone = zone_named(name)
    if zone is None:
        return None
    standard, turns = _rules(zone, year)
    text = _clock(standard)
    title = f"(UTC{text}) {name}" if standard else f"(UTC) {name}"
    if not full:
        return t("TimeZoneDefinition", Id=name, Name=title)
    ids = {each: f"trule:Microsoft/Registry/{name}/1-{each}" for each in ("Standard", "Daylight")}
    offsets = {each.daylight: each.offset for each in turns} | {False: standard}
    periods = [
        t("Period", Bias=_bias(offset), Name=kind, Id=ids[kind])
        for daylight, offset in sorted(offsets.items())
        for kind in ("Daylight" if daylight else "Standard",)
    ]
    steps = [
        t(
            "RecurringDayTransition",
            t("To", ids["Daylight" if each.daylight else "Standard"], Kind="Period"),
            t("TimeOffset", duration(datetime.min, datetime.min + each.at)),
            t("Month", str(each.month)),
            t("DayOfWeek", _DAYS[each.weekday]),
            t("Occurrence", str(-1 if each.nth >= 5 else each.nth)),
        )
        for each in turns
    ] or [t("Transition", t("To", ids["Standard"], Kind="Period"))]
    return t(
        "TimeZoneDefinition",
        t("Periods", *periods),
        t("TransitionsGroups", t("TransitionsGroup", *steps, Id="0")),
        t("Transitions", t("Transition", t("To", "0", Kind="Group"))),
        Id=name,
        Name=title,
    )


def read(node: Node) -> Rules:
    """Read a SerializableTimeZone."""
    bias = timedelta(minutes=int(text_at(node, "Bias") or 0))
    turns = []
    for name in ("StandardTime", "DaylightTime"):
        held = child(node, name)
        assert held is not None
        month, nth = (int(text_at(held, each) or 0) for each in ("Month", "DayOrder"))
        hours, minutes, seconds = map(int, (text_at(held, "Time") or "").split(":"))
        weekday = _DAYS.index(text_at(held, "DayOfWeek") or "Sunday") if month else 0
        extra = timedelta(minutes=int(text_at(held, "Bias") or 0))
        at = timedelta(hours=hours, minutes=minutes, seconds=seconds)
        if month:
            daylight = name == "DaylightTime"
            turns.append(Turn(month, weekday, nth, at, -(bias + extra), daylight))
    return Rules(-bias, tuple(turns))


def write(zone: tzinfo, year: int) -> Node:
    """Return a zone as a SerializableTimeZone, by the rules of a year."""
    standard, turns = _rules(zone, year)
    parts = []
    for name, daylight in (("StandardTime", False), ("DaylightTime", True)):
        turn = next((each for each in turns if each.daylight == daylight), None)
        if turn is None:
            turn = Turn(0, 6, 0, _ZERO, standard, daylight)
        extra = int((standard - turn.offset).total_seconds() // 60)
        parts.append(
            t(
                name,
                t("Bias", str(extra)),
                t("Time", str(datetime.min + turn.at)[11:19]),
                t("DayOrder", str(turn.nth)),
                t("Month", str(turn.month)),
                t("DayOfWeek", _DAYS[turn.weekday]),
            )
        )
    return t("TimeZone", t("Bias", str(int(-standard.total_seconds() // 60))), *parts)


def component(name: str, year: int) -> Component | None:
    """Return a zone as iCalendar has it, under its Windows name as Exchange writes it."""
    zone = zone_named(name)
    if zone is None:
        return None
    standard, turns = _rules(zone, year)
    found = Timezone()
    found.add("tzid", name)
    steps = turns or (Turn(1, 0, 1, _ZERO, standard, daylight=False),)
    for each in steps:
        before = next((other.offset for other in steps if other is not each), each.offset)
        part = TimezoneDaylight() if each.daylight else TimezoneStandard()
        part.add("dtstart", datetime(1601, 1, 1) + each.at)
        part.add("tzoffsetfrom", before)
        part.add("tzoffsetto", each.offset)
        if turns:
            nth = -1 if each.nth >= 5 else each.nth
            day = f"{nth}{_DAYS[each.weekday][:2].upper()}"
            part.add("rrule", {"freq": "YEARLY", "byday": day, "bymonth": each.month})
        found.add_component(part)
    return found


def _rules(zone: tzinfo, year: int) -> tuple[timedelta, tuple[Turn, ...]]:
    """Return a zone's standard offset and its turns; odd ones count as never turning."""

    def offset(at: datetime) -> timedelta:
        return at.astimezone(zone).utcoffset() or _ZERO

    day = datetime(year, 1, 1, tzinfo=UTC)
    before = offset(day)
    turns = []
    while day.year == year:
        day += timedelta(days=1)
        if offset(day) == before:
            continue
        at = day - timedelta(days=1)
        while offset(at) == before:
            at += timedelta(minutes=30)
        wall, before = (at + before).replace(tzinfo=None), offset(at)
        turns.append((wall, before))
    if len(turns) != 2:
        return before, ()
    standard = min(each for _, each in turns)
    return standard, tuple(_turn(wall, each, each > standard) for wall, each in turns)


def _turn(wall: datetime, offset: timedelta, daylight: bool) -> Turn:
    last = wall.day + 7 > calendar.monthrange(wall.year, wall.month)[1]
    nth = 5 if last else (wall.day - 1) // 7 + 1
    at = timedelta(hours=wall.hour, minutes=wall.minute)
    return Turn(wall.month, wall.weekday(), nth, at, offset, daylight)


def _bias(offset: timedelta) -> str:
    text = duration(datetime.min, datetime.min + abs(offset))
    return f"-{text}" if offset > _ZERO else text


def _clock(offset: timedelta) -> str:
    minutes = int(offset.total_seconds() // 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
