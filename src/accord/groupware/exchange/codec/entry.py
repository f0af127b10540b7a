"""One calendar entry that doesn't repeat, or one occurrence: what Exchange itself says of it.

`event` and `series` read and write entries and whole series with this; `kept` adds the rest.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from exchangelib.items import CalendarItem

from accord.groupware.exchange.codec import parts, people, quick
from accord.model.item import Event
from accord.model.parts import Reminder
from accord.model.recurrence import Busy, EventStatus
from accord.model.zones import UnknownZone
from accord.ports.errors import Rejected

PROPERTIES = (
    *("subject", "sensitivity", "body", "text_body", "attachments", "has_attachments"),
    *("categories", "importance"),
    *("reminder_is_set", "reminder_minutes_before_start", "uid", "start", "end", "is_all_day"),
    *("legacy_free_busy_status", "location", "is_meeting", "is_cancelled", "my_response_type"),
    *("organizer", "required_attendees", "optional_attendees", "resources"),
    *("appointment_sequence_number", "net_show_url", "meeting_workspace_url"),
    *("_start_timezone", "_end_timezone", "teams_link", "conference_link", "type"),
    *("recurrence_id", "original_start"),
    *("accord_uid", "accord_kept", "accord_key", "accord_marker"),
)
"""The fields of exchangelib's CalendarItem that tell of one entry."""

TIMES = ("start", "end", "_start_timezone", "_end_timezone", "is_all_day")

WRITTEN: dict[str, tuple[str, ...]] = {
    "title": ("subject",),
    "body": ("body",),
    "location": ("location",),
    "online_meeting": ("net_show_url",),
    "url": ("meeting_workspace_url",),
    "busy": ("legacy_free_busy_status",),
    "privacy": ("sensitivity",),
    "priority": ("importance",),
    "categories": ("categories",),
    "reminders": ("reminder_is_set", "reminder_minutes_before_start"),
    "attendees": ("required_attendees", "optional_attendees", "resources"),
    **dict.fromkeys(("start", "end", "time_zone", "end_time_zone", "all_day"), TIMES),
}
"""Which of exchangelib's fields carry a field of ours."""

BUSY = {
    Busy.FREE: "Free",
    Busy.TENTATIVE: "Tentative",
    Busy.BUSY: "Busy",
    Busy.OUT_OF_OFFICE: "OOF",
    Busy.ELSEWHERE: "WorkingElsewhere",
}
_MODEL = quick.narrowed(CalendarItem, PROPERTIES)
_SHOWN = {word: busy for busy, word in BUSY.items()}
_DAY = timedelta(days=1)


def seen(event: Event, home: str) -> Event:
    """Return an entry as it would be read back from Exchange alone; raises Rejected."""
    return read(_MODEL(**sent(event, home)), home)


def read(item: Any, home: str, own: str = "") -> Event:
    """Return what an entry says, its recurrence left aside; raises Rejected."""
    attendees = people.attendees_of(item, own)
    return Event(
        uid=str(item.uid or item.accord_uid or ""),
        title=parts.text_of(item.subject),
        **_times(item, home),
        body=parts.body_of(item),
        location=parts.text_of(item.location),
        online_meeting=_link(item),
        url=parts.text_of(item.meeting_workspace_url),
        status=EventStatus.CANCELLED if item.is_cancelled else EventStatus.CONFIRMED,
        busy=_SHOWN.get(item.legacy_free_busy_status or "", Busy.BUSY),
        priority=parts.priority_of(item),
        privacy=parts.privacy_of(item),
        categories=parts.categories_of(item),
        reminders=_reminders(item),
        organizer=people.organizer_of(item, attendees),
        attendees=attendees,
        attachments=parts.attachments_of(item),
        sequence=item.appointment_sequence_number or 0,
    )


def sent(event: Event, home: str) -> dict[str, Any]:
    """Return all fields of an entry but its recurrence; raises Rejected."""
    minutes = [each.minutes for each in event.reminders if not each.before_end]
    first = next((each for each in minutes if each >= 0), None)
    return {
        "subject": parts.sent_text(event.title, parts.SHORT),
        "sensitivity": parts.sent_privacy(event.privacy),
        "body": parts.sent_body(event.body),
        "categories": parts.sent_categories(event.categories),
        "importance": parts.sent_importance(event.priority),
        "reminder_is_set": first is not None,
        "reminder_minutes_before_start": first,
        **_sent_times(event, home),
        "legacy_free_busy_status": BUSY[event.busy],
        "location": parts.sent_text(event.location, parts.SHORT),
        **people.sent_attendees(event.attendees),
        "net_show_url": parts.sent_text(event.online_meeting),
        "meeting_workspace_url": parts.sent_text(event.url),
    }


def zone_of(item: Any, home: str) -> str:
    """Return the zone in which an entry stands; the mailbox's where it names none."""
    named = item._start_timezone
    return home if named is None else parts.utc_named(str(named.key))


# ---- reading ----


def _times(item: Any, home: str) -> dict[str, Any]:
    if item.start is None:
        raise Rejected("the entry doesn't say when it begins", code="start")
    if item.is_all_day:
        return _days(item, home)
    zone = zone_of(item, home)
    named = item._end_timezone
    end_zone = zone if named is None else parts.utc_named(str(named.key))
    start = parts.local_of(_moment(item.start), zone)
    end = start if item.end is None else parts.local_of(_moment(item.end), end_zone)
    other = end_zone if end_zone != zone else None
    return {"start": start, "end": end, "time_zone": zone, "end_time_zone": other}


def _moment(value: Any) -> datetime:
    """Return a moment; a bare day is its midnight."""
    if isinstance(value, datetime):
        return value
    return datetime(value.year, value.month, value.day)


def _days(item: Any, home: str) -> dict[str, Any]:
    start = parts.day_of(item.start, home)
    last = parts.day_of(item.end, home)
    assert start is not None
    return {"start": start, "end": max(last or start, start) + _DAY, "all_day": True}


def _link(item: Any) -> str:
    return parts.text_of(item.net_show_url or item.teams_link or item.conference_link)


def _reminders(item: Any) -> tuple[Reminder, ...]:
    if not item.reminder_is_set:
        return ()
    return (Reminder(minutes=item.reminder_minutes_before_start or 0),)


# ---- writing ----


def _sent_times(event: Event, home: str) -> dict[str, Any]:
    if event.all_day:
        last = max(event.start, event.end - _DAY)
        zone = parts.sent_zone(home)
        ends = {"start": parts.sent_day(event.start), "end": parts.sent_day(last)}
        return {**ends, "_start_timezone": zone, "_end_timezone": zone, "is_all_day": True}
    zone_name = event.time_zone or home
    end_name = event.end_time_zone or zone_name
    try:
        return {
            "start": parts.sent_moment(event.start, zone_name),
            "end": parts.sent_moment(event.end, end_name),
            "_start_timezone": parts.sent_zone(zone_name),
            "_end_timezone": parts.sent_zone(end_name),
            "is_all_day": False,
        }
    except (UnknownZone, OverflowError) as why:
        raise Rejected(f"Exchange can't hold these times: {why}", code="zone") from why
