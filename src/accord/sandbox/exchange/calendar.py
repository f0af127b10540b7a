"""Times of calendar entries: zones, whole days and what follows from start and end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from accord.sandbox.exchange.errors import EwsError
from accord.sandbox.exchange.schema import TYPES
from accord.sandbox.exchange.xml import Node, child, is_true, moment, stamp, t, text_at
from accord.sandbox.exchange.zones import zone_named

_LONGEST = timedelta(days=1825)


def settle(content: Node, now: datetime, zone: tzinfo, zone_name: str) -> tuple[int, int]:
    """Bring an entry's times into order and return start and end in seconds since 1970.

    A whole-day entry reaches from midnight to midnight in its own zone. Raises EwsError where
    it ends before it starts or lasts longer than five years.
    """
    _name_zones(content, zone_name)
    own = zone_named(_attribute(content, "StartTimeZone", "Id")) or zone
    start = _read(content, "Start") or _half_hour(now)
    end = _read(content, "End") or start + timedelta(minutes=30)
    if is_true(text_at(content, "IsAllDayEvent")):
        start, end = _whole_days(start, end, own)
    if end < start:
        raise EwsError("ErrorCalendarEndDateIsEarlierThanStartDate")
    if end - start > _LONGEST:
        raise EwsError("ErrorCalendarDurationIsTooLong")
    put(content, t("Start", stamp(start)))
    put(content, t("End", stamp(end)))
    return int(start.timestamp()), int(end.timestamp())


def put(content: Node, new: Node) -> None:
    """Set a property, in the place of what stood there under its name."""
    remove(content, str(new.tag))
    content.append(new)


def remove(content: Node, tag: str) -> None:
    """Take a property away."""
    for old in content.findall(tag):
        content.remove(old)


def duration(start: datetime, end: datetime) -> str:
    """Return a length of time as Exchange writes it."""
    seconds = int((end - start).total_seconds())
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = ((hours, "H"), (minutes, "M"), (seconds, "S"))
    time = "".join(f"{count}{unit}" for count, unit in parts if count)
    text = (f"{days}D" if days else "") + (f"T{time}" if time else "")
    return f"P{text or 'T0S'}"


def _whole_days(start: datetime, end: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    first, last = start.astimezone(zone), end.astimezone(zone)
    begin = datetime(first.year, first.month, first.day, tzinfo=zone)
    finish = datetime(last.year, last.month, last.day, tzinfo=zone)
    if last != finish or finish <= begin:
        after = last.date() + timedelta(days=1) if last != finish else first.date() + _DAY
        finish = datetime(after.year, after.month, after.day, tzinfo=zone)
    return begin.astimezone(UTC), finish.astimezone(UTC)


_DAY = timedelta(days=1)


def _name_zones(content: Node, default: str) -> None:
    """Let both ends have a zone; what only old clients send stands for both."""
    old = _attribute(content, "MeetingTimeZone", "TimeZoneName")
    start = _attribute(content, "StartTimeZone", "Id") or old or default
    end = _attribute(content, "EndTimeZone", "Id") or start
    for name, value in (("StartTimeZone", start), ("EndTimeZone", end)):
        if zone_named(value) is None:
            raise EwsError("ErrorTimeZone", "The time zone is not known.")
        if child(content, name) is None:
            content.append(t(name, Id=value, Name=value))
    remove(content, f"{{{TYPES}}}MeetingTimeZone")


def _attribute(content: Node, name: str, attribute: str) -> str:
    found = child(content, name)
    return "" if found is None else found.get(attribute, "")


def _read(content: Node, name: str) -> datetime | None:
    text = text_at(content, name)
    return moment(text) if text else None


def _half_hour(now: datetime) -> datetime:
    full = now.replace(minute=0, second=0, microsecond=0)
    return full + timedelta(minutes=30 if now.minute < 30 else 60)
