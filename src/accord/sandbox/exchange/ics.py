"""Calendar entries as iCalendar, to and from what Exchange keeps of them."""

from __future__ import annotations

import copy
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

import icalendar

from accord.formats import windows_zones
from accord.sandbox.exchange import recurrence, series, zone_rules
from accord.sandbox.exchange.errors import EwsError
from accord.sandbox.exchange.recurrence import Rule
from accord.sandbox.exchange.store import Item, Mailbox, Store
from accord.sandbox.exchange.xml import Node, child, flag, is_true, moment, stamp, t, text_at
from accord.sandbox.exchange.zones import zone_named

_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
_NTH = {1: "First", 2: "Second", 3: "Third", 4: "Fourth", -1: "Last"}
_BUSY = {"FREE": "Free", "TENTATIVE": "Tentative", "OOF": "OOF", "WORKINGELSEWHERE": ""}
_SHOWN = {"Free": "FREE", "Tentative": "TENTATIVE", "OOF": "OOF"}
_CLASS = {"PRIVATE": "Private", "CONFIDENTIAL": "Confidential", "PUBLIC": "Normal"}
_PART = {"Accept": "ACCEPTED", "Tentative": "TENTATIVE", "Decline": "DECLINED"}
_REPLY = {value: key for key, value in _PART.items()}
_ROLES = {"OPT-PARTICIPANT": "OptionalAttendees", "NON-PARTICIPANT": "Resources"}


def read(raw: bytes, owner: Mailbox, zone: tzinfo) -> list[Node]:
    """Return the properties of the entry or series in a text. Raises EwsError."""
    try:
        found = icalendar.Calendar.from_ical(raw)
        events = [each for each in found.walk("VEVENT") if each.get("RECURRENCE-ID") is None]
        if len(events) != 1:
            raise ValueError(f"{len(events)} entries")
        return _read(events[0], owner, zone)
    except (ValueError, LookupError, AttributeError, TypeError, OverflowError, OSError):
        # OSError: icalendar opens a zone's file by the name it is told.
        raise EwsError("ErrorMimeContentInvalid", "The iCalendar is not valid.") from None


def write(store: Store, item: Item, known: dict[str, list[Node]]) -> bytes:
    """Return an entry, or a series with what was changed in it, as a text."""
    found = icalendar.Calendar()
    found.add("prodid", "-//Accord//Stand-in Exchange//EN")
    found.add("version", "2.0")
    found.add("method", "PUBLISH")
    _add_zone(found, item)
    held = series.of(store, item)
    main = _event(item, known)
    found.add_component(main)
    if held is not None:
        main.add("rrule", _rrule(held.rule, held.master, held.zone))
        whole = is_true(text_at(item.content, "IsAllDayEvent"))
        for each in sorted(held.changed.values(), key=lambda each: each.original):
            at = datetime.fromtimestamp(each.original, UTC)
            if each.content is None:
                _add_time(main, "exdate", at, item, whole=whole)
                continue
            own = held.occurrence(each.original)
            nodes: dict[str, list[Node]] = {}
            for node in own.content:
                nodes.setdefault(str(node.tag).rpartition("}")[2], []).append(node)
            changed = _event(own, nodes | {"Organizer": known.get("Organizer", [])})
            _add_time(changed, "recurrence-id", at, item, whole=whole)
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


# ---- reading ----


def _read(event: Any, owner: Mailbox, zone: tzinfo) -> list[Node]:
    start, end = event.start, event.end
    whole = not isinstance(start, datetime)
    place, name = _zone(event["DTSTART"], start, zone)
    nodes = [
        t("Subject", str(event.get("SUMMARY", ""))),
        t("Body", str(event.get("DESCRIPTION", "")), BodyType="Text"),
        t("Start", _stamp(start, place)),
        t("End", _stamp(end, place)),
        t("IsAllDayEvent", flag(whole)),
        t("LegacyFreeBusyStatus", _busy(event)),
        t("Sensitivity", _CLASS.get(str(event.get("CLASS", "")).upper(), "Normal")),
    ]
    if event.get("UID"):
        nodes.append(t("UID", str(event["UID"])))
    if event.get("LOCATION"):
        nodes.append(t("Location", str(event["LOCATION"])))
    if name:
        nodes += [t(f"{each}TimeZone", Id=name, Name=name) for each in ("Start", "End")]
    if event.categories:
        nodes.append(t("Categories", *[t("String", str(each)) for each in event.categories]))
    priority = int(event.get("PRIORITY", 0))
    if priority:
        nodes.append(
            t("Importance", "High" if priority < 5 else "Low" if priority > 5 else "Normal")
        )
    nodes += _reminder(event)
    nodes += _people(event, owner)
    if event.get("RRULE") is not None:
        nodes.append(_recurrence(event["RRULE"], start, place))
    return nodes


def _zone(held: Any, start: date, zone: tzinfo) -> tuple[tzinfo, str]:
    named = str(held.params.get("TZID", ""))
    windows = windows_zones.windows(named) or (named if zone_named(named) is not None else "")
    if isinstance(start, datetime) and start.tzinfo is not None:
        return zone_named(windows) or start.tzinfo, windows
    return zone_named(windows) or zone, windows


def _stamp(value: date, zone: tzinfo) -> str:
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    return stamp(value if value.tzinfo else value.replace(tzinfo=zone))


def _busy(event: Any) -> str:
    said = str(event.get("X-MICROSOFT-CDO-BUSYSTATUS", "")).upper()
    if said in _BUSY:
        return _BUSY[said] or "WorkingElsewhere"
    return "Free" if str(event.get("TRANSP", "")).upper() == "TRANSPARENT" else "Busy"


def _reminder(event: Any) -> list[Node]:
    for alarm in event.walk("VALARM"):
        before = alarm.get("TRIGGER")
        if before is not None and isinstance(before.dt, timedelta):
            minutes = max(-int(before.dt.total_seconds() // 60), 0)
            told = t("ReminderMinutesBeforeStart", str(minutes))
            return [t("ReminderIsSet", "true"), told]
    return [t("ReminderIsSet", "false")]


def _people(event: Any, owner: Mailbox) -> list[Node]:
    lists: dict[str, list[Node]] = {}
    mine = "NoResponseReceived"
    held = event.get("ATTENDEE", [])
    for each in held if isinstance(held, list) else [held]:
        address = _address(each)
        if not address:
            continue
        reply = _REPLY.get(str(each.params.get("PARTSTAT", "")), "Unknown")
        if address.lower() == owner.address:
            mine = reply if reply != "Unknown" else mine
        name = str(each.params.get("CN", "")) or address
        mailbox = t(
            "Mailbox", t("Name", name), t("EmailAddress", address), t("RoutingType", "SMTP")
        )
        where = _ROLES.get(str(each.params.get("ROLE", "")).upper(), "RequiredAttendees")
        lists.setdefault(where, []).append(t("Attendee", mailbox, t("ResponseType", reply)))
    organizer = _address(event["ORGANIZER"]) if event.get("ORGANIZER") else ""
    if not lists:
        return []
    if organizer.lower() in ("", owner.address):
        found = {
            name: [e for e in each if (text_at(e, "Mailbox", "EmailAddress") or "") != organizer]
            for name, each in lists.items()
        }
        return [t(name, *each) for name, each in found.items() if each]
    name = str(event["ORGANIZER"].params.get("CN", "")) or organizer
    mailbox = t("Mailbox", t("Name", name), t("EmailAddress", organizer), t("RoutingType", "SMTP"))
    theirs = [t("Organizer", mailbox), t("IsOrganizer", "false"), t("MyResponseType", mine)]
    return [
        *(t(each, *people) for each, people in lists.items()),
        *theirs,
        t("AppointmentState", "3"),
    ]


def _address(held: Any) -> str:
    text = "".join(str(held).split())
    return text[7:] if text.lower().startswith("mailto:") else text


def _recurrence(rule: Any, start: date, zone: tzinfo) -> Node:
    first = start.date() if isinstance(start, datetime) else start
    if isinstance(start, datetime) and start.tzinfo is not None:
        first = start.astimezone(zone).date()
    freq = str(rule["FREQ"][0]).upper()
    interval = t("Interval", str(rule.get("INTERVAL", [1])[0]))
    days, nth = _by_day(rule)
    day = t("DayOfMonth", str(rule.get("BYMONTHDAY", [first.day])[0]))
    month = t("Month", _MONTHS[int(rule.get("BYMONTH", [first.month])[0]) - 1])
    weekdays = " ".join(_NAMES[each] for each in days or [first.weekday()])
    which = t("DayOfWeekIndex", _NTH.get(nth, ""))
    relative = bool(days)
    if relative and freq in ("MONTHLY", "YEARLY"):
        weekdays = _set_of(days)
    match freq:
        case "DAILY" if not days:
            pattern = t("DailyRecurrence", interval)
        case "WEEKLY":
            begin = str(rule.get("WKST", ["MO"])[0])
            last = t("FirstDayOfWeek", _NAMES[_DAYS.index(begin)])
            pattern = t("WeeklyRecurrence", interval, t("DaysOfWeek", weekdays), last)
        case "MONTHLY" if relative and which.text:
            pattern = t("RelativeMonthlyRecurrence", interval, t("DaysOfWeek", weekdays), which)
        case "MONTHLY" if not relative:
            pattern = t("AbsoluteMonthlyRecurrence", interval, day)
        case "YEARLY" if relative and which.text:
            pattern = t("RelativeYearlyRecurrence", t("DaysOfWeek", weekdays), which, month)
        case "YEARLY" if not relative:
            pattern = t("AbsoluteYearlyRecurrence", day, month)
        case _:
            raise ValueError("Exchange knows no such recurrence")
    return t("Recurrence", pattern, _range(rule, first, zone))


def _by_day(rule: Any) -> tuple[list[int], int]:
    days, nth = [], int(rule.get("BYSETPOS", [0])[0])
    for each in rule.get("BYDAY", []):
        text = str(each)
        days.append(_DAYS.index(text[-2:]))
        nth = int(text[:-2]) if text[:-2] else nth
    return days, nth


def _set_of(days: list[int]) -> str:
    sets = {frozenset(range(7)): "Day", frozenset(range(5)): "Weekday"}
    sets[frozenset((5, 6))] = "WeekendDay"
    if len(days) == 1:
        return _NAMES[days[0]]
    return sets[frozenset(days)]


def _range(rule: Any, first: date, zone: tzinfo) -> Node:
    start = t("StartDate", first.isoformat())
    if "COUNT" in rule:
        number = t("NumberOfOccurrences", str(rule["COUNT"][0]))
        return t("NumberedRecurrence", start, number)
    if "UNTIL" in rule:
        until = rule["UNTIL"][0]
        if isinstance(until, datetime):
            until = (until.astimezone(zone) if until.tzinfo else until).date()
        return t("EndDateRecurrence", start, t("EndDate", until.isoformat()))
    return t("NoEndRecurrence", start)


# ---- writing ----


def _event(item: Item, known: dict[str, list[Node]]) -> Any:
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
    classes = {value: key for key, value in _CLASS.items()}
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
    _add_people(event, known)
    return event


def _add_people(event: Any, known: dict[str, list[Node]]) -> None:
    roles = {"RequiredAttendees": "REQ-PARTICIPANT", "OptionalAttendees": "OPT-PARTICIPANT"}
    any_ = False
    for name in (*roles, "Resources"):
        for each in [one for held in known.get(name, []) for one in held]:
            any_ = True
            who = icalendar.vCalAddress(f"mailto:{text_at(each, 'Mailbox', 'EmailAddress') or ''}")
            who.params["CN"] = text_at(each, "Mailbox", "Name") or ""
            who.params["ROLE"] = roles.get(name, "NON-PARTICIPANT")
            reply = text_at(each, "ResponseType") or ""
            who.params["PARTSTAT"] = _PART.get(reply, "NEEDS-ACTION")
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
    local = at.astimezone(series.zone(item))
    if whole:
        event.add(key, local.date())
    elif name := _zone_name(item):
        event.add(key, local.replace(tzinfo=None), parameters={"TZID": name})
    else:
        event.add(key, at)


def _rrule(rule: Rule, master: Item, zone: tzinfo) -> dict[str, Any]:
    found: dict[str, Any] = {"freq": "DAILY" if rule.kind == "Daily" else ""}
    days = [_DAYS[each] for each in sorted(rule.days)]
    match rule.kind:
        case "Weekly":
            found |= {"freq": "WEEKLY", "byday": days, "wkst": _DAYS[rule.first_day]}
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
