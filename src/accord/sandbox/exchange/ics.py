"""Calendar entries as iCalendar, as Exchange writes them ([MS-OXCICAL]); `ics_read` reads them."""

from __future__ import annotations

import copy
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

import icalendar

from accord.sandbox.exchange import recurrence, series, zone_rules
from accord.sandbox.exchange.recurrence import Rule
from accord.sandbox.exchange.store import Item, Store
from accord.sandbox.exchange.xml import Node, child, is_true, moment, t, text_at

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
CLASSES = {"PRIVATE": "Private", "CONFIDENTIAL": "Confidential", "PUBLIC": "Normal"}
REPLIES = {"Accept": "ACCEPTED", "Tentative": "TENTATIVE", "Decline": "DECLINED"}
_SHOWN = {"Free": "FREE", "Tentative": "TENTATIVE", "OOF": "OOF"}


def write(store: Store, item: Item, known: dict[str, list[Node]]) -> bytes:
    """Return an entry, or a series with what was changed in it, as a text."""
    found = icalendar.Calendar()
    found.add("prodid", "-//Accord//Stand-in Exchange//EN")
    found.add("version", "2.0")
    found.add("method", "PUBLISH")
    _add_zone(found, item)
    held = series.of(store, item)
    main = _event(item, known, published=True)
    found.add_component(main)
    if held is not None:
        main.add("rrule", _rrule(held.rule, held.master, held.zone))
        whole = is_true(text_at(item.content, "IsAllDayEvent"))
        kept = sorted(held.changed.values(), key=lambda each: each.original)
        gone = [each.original for each in kept if each.content is None]
        if gone:
            _add_times(main, "exdate", [_utc(each) for each in gone], item, whole=whole)
        for each in kept:
            if each.content is None:
                continue
            own = held.occurrence(each.original)
            nodes: dict[str, list[Node]] = {}
            for node in own.content:
                nodes.setdefault(str(node.tag).rpartition("}")[2], []).append(node)
            organizer = {"Organizer": known.get("Organizer", [])}
            changed = _event(own, nodes | organizer, published=True)
            _add_time(changed, "recurrence-id", _utc(each.original), item, whole=whole)
            found.add_component(changed)
    return bytes(found.to_ical())


METHODS = {
    "MeetingRequest": "REQUEST",
    "MeetingResponse": "REPLY",
    "MeetingCancellation": "CANCEL",
}
"""What messages about meetings are called in iCalendar (RFC 5546)."""


def write_message(item: Item, known: dict[str, list[Node]]) -> bytes:
    """Return what a message about a meeting says, as a text."""
    found = icalendar.Calendar()
    found.add("prodid", "-//Accord//Stand-in Exchange//EN")
    found.add("version", "2.0")
    found.add("method", METHODS[item.kind])
    _add_zone(found, item)
    told = dict(known)
    senders = [one for held in known.get("From", []) for one in held]
    if item.kind == "MeetingResponse":
        reply = t("ResponseType", text_at(item.content, "ResponseType") or "Unknown")
        people = [t("Attendee", copy.deepcopy(each), copy.deepcopy(reply)) for each in senders]
        told["RequiredAttendees"] = [t("RequiredAttendees", *people)]
        told["Organizer"] = known.get("ToRecipients", [])
    elif item.kind == "MeetingCancellation":
        told["RequiredAttendees"] = [
            t("RequiredAttendees", *[t("Attendee", copy.deepcopy(each)) for each in held])
            for held in known.get("ToRecipients", [])
        ]
        told["Organizer"] = known.get("From", [])
    event = _event(item, told)
    if item.kind == "MeetingCancellation":
        event.add("status", "CANCELLED")
    rule = recurrence.of(item.content)
    if rule is not None:
        event.add("rrule", _rrule(rule, item, series.zone(item)))
    if at := text_at(item.content, "RecurrenceId"):
        whole = is_true(text_at(item.content, "IsAllDayEvent"))
        _add_time(event, "recurrence-id", moment(at), item, whole=whole)
    found.add_component(event)
    return bytes(found.to_ical())


def _event(item: Item, known: dict[str, list[Node]], *, published: bool = False) -> Any:
    """Return an entry; one that is `published` names no attendees (RFC 5546 3.2.1)."""
    event = icalendar.Event()

    def text(name: str) -> str:
        held = known.get(name)
        return held[0].text or "" if held else ""

    for name, key in (("UID", "uid"), ("Subject", "summary"), ("Location", "location")):
        if text(name):
            event.add(key, text(name))
    body = child(item.content, "Body")
    if body is not None and body.text:
        shown = known.get("TextBody") or [body]
        event.add("description", shown[0].text or "")
    whole = text("IsAllDayEvent") == "true"
    for name, key in (("Start", "dtstart"), ("End", "dtend")):
        _add_time(event, key, moment(text(name)), item, whole=whole)
    event.add("dtstamp", moment(item.modified))
    event.add("last-modified", moment(item.modified))
    event.add("sequence", int(text("AppointmentSequenceNumber") or 0))
    status = text("LegacyFreeBusyStatus") or "Busy"
    event.add("transp", "TRANSPARENT" if status == "Free" else "OPAQUE")
    event.add("x-microsoft-cdo-busystatus", _SHOWN.get(status, "BUSY"))
    classes = {value: key for key, value in CLASSES.items()}
    event.add("class", classes.get(text("Sensitivity") or "Normal", "PRIVATE"))
    event.add("priority", {"High": 1, "Low": 9}.get(text("Importance"), 5))
    for held in known.get("Categories", []):
        event.add("categories", [each.text or "" for each in held])
    if text("ReminderIsSet") == "true":
        alarm = icalendar.Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", "REMINDER")
        alarm.add("trigger", -timedelta(minutes=int(text("ReminderMinutesBeforeStart") or 15)))
        event.add_component(alarm)
    _add_people(event, known, published=published)
    return event


def _add_people(event: Any, known: dict[str, list[Node]], *, published: bool) -> None:
    roles = {"RequiredAttendees": "REQ-PARTICIPANT", "OptionalAttendees": "OPT-PARTICIPANT"}
    any_ = False
    for name in (*roles, "Resources"):
        for each in [one for held in known.get(name, []) for one in held]:
            any_ = True
            if published:
                continue
            who = icalendar.vCalAddress(f"mailto:{text_at(each, 'Mailbox', 'EmailAddress') or ''}")
            who.params["CN"] = text_at(each, "Mailbox", "Name") or ""
            who.params["ROLE"] = roles.get(name, "NON-PARTICIPANT")
            reply = text_at(each, "ResponseType") or ""
            who.params["PARTSTAT"] = REPLIES.get(reply, "NEEDS-ACTION")
            event.add("attendee", who)
    for held in known.get("Organizer", []) if any_ else []:
        who = icalendar.vCalAddress(f"mailto:{text_at(held, 'Mailbox', 'EmailAddress') or ''}")
        who.params["CN"] = text_at(held, "Mailbox", "Name") or ""
        event.add("organizer", who)


def _zone_name(item: Item) -> str:
    """Return the Windows name of an entry's zone; nothing for UTC."""
    held = child(item.content, "StartTimeZone")
    name = "" if held is None else held.get("Id", "")
    return "" if name == "UTC" else name


def _add_zone(found: icalendar.Calendar, item: Item) -> None:
    name = _zone_name(item)
    rules = zone_rules.component(name, moment(item.modified).year) if name else None
    if rules is not None:
        found.add_component(rules)


def _add_time(event: Any, key: str, at: datetime, item: Item, *, whole: bool) -> None:
    """Add a moment by the clock of the entry's zone, or the day that it begins there."""
    event.add(key, _local(at, item, whole=whole), parameters=_zoned(item, whole=whole))


def _add_times(event: Any, key: str, every: list[datetime], item: Item, *, whole: bool) -> None:
    """Add moments as one property of many values."""
    given = [_local(at, item, whole=whole) for at in every]
    event.add(key, given, parameters=_zoned(item, whole=whole))


def _local(at: datetime, item: Item, *, whole: bool) -> date:
    local = at.astimezone(series.zone(item))
    if whole:
        return local.date()
    return local.replace(tzinfo=None) if _zone_name(item) else at


def _zoned(item: Item, *, whole: bool) -> dict[str, str]:
    name = _zone_name(item)
    return {"TZID": name} if name and not whole else {}


def _utc(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _rrule(rule: Rule, master: Item, zone: tzinfo) -> dict[str, Any]:
    found: dict[str, Any] = {"freq": "DAILY" if rule.kind == "Daily" else ""}
    days = [DAYS[each] for each in sorted(rule.days)]
    match rule.kind:
        case "Weekly":
            found |= {"freq": "WEEKLY", "byday": days, "wkst": DAYS[rule.first_day]}
        case "AbsoluteMonthly" | "RelativeMonthly":
            found["freq"] = "MONTHLY"
        case "AbsoluteYearly" | "RelativeYearly":
            found |= {"freq": "YEARLY", "bymonth": rule.month}
    if rule.kind.startswith("Absolute"):
        found["bymonthday"] = rule.day_of_month
    if rule.kind.startswith("Relative"):
        nth = rule.nth + 1 if rule.nth >= 0 else -1
        found |= {"byday": days, "bysetpos": nth} if len(days) > 1 else {"byday": f"{nth}{days[0]}"}
    if rule.interval > 1:
        found["interval"] = rule.interval
    if rule.number is not None:
        found["count"] = rule.number
    if rule.until is not None:
        time = moment(text_at(master.content, "Start") or "").astimezone(zone).time()
        found["until"] = datetime.combine(rule.until, time, zone).astimezone(UTC)
        if is_true(text_at(master.content, "IsAllDayEvent")):
            found["until"] = rule.until
    return found
