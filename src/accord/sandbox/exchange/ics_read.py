"""Calendar entries that come in as iCalendar: what Exchange keeps of them ([MS-OXCICAL])."""

from __future__ import annotations

from datetime import date, datetime, timedelta, tzinfo
from typing import Any

import icalendar

from accord.formats import windows_zones
from accord.sandbox.exchange.errors import EwsError
from accord.sandbox.exchange.ics import CLASSES, DAYS, REPLIES
from accord.sandbox.exchange.series import Single
from accord.sandbox.exchange.store import Mailbox
from accord.sandbox.exchange.xml import Node, flag, stamp, t, text_at
from accord.sandbox.exchange.zones import zone_named

_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
_NTH = {1: "First", 2: "Second", 3: "Third", 4: "Fourth", -1: "Last"}
_BUSY = {"FREE": "Free", "TENTATIVE": "Tentative", "OOF": "OOF", "WORKINGELSEWHERE": ""}
_REPLY = {value: key for key, value in REPLIES.items()}
_ROLES = {"OPT-PARTICIPANT": "OptionalAttendees", "NON-PARTICIPANT": "Resources"}


def read(raw: bytes, owner: Mailbox, zone: tzinfo) -> tuple[list[Node], list[Single]]:
    """Return the properties of the entry or series in a text, and its single occurrences.

    Raises EwsError.
    """
    try:
        events: list[Any] = icalendar.Calendar.from_ical(raw).walk("VEVENT")
        mains = [each for each in events if each.get("RECURRENCE-ID") is None]
        if len(mains) != 1:
            raise ValueError(f"{len(mains)} entries")
        main = mains[0]
        if main.get("RRULE") is None:
            return _read(main, owner, zone), []
        place, _ = _zone(main["DTSTART"], main.start, zone)
        gone = [Single(_day(each, place)) for each in _excluded(main)]
        changed = [
            Single(_day(each["RECURRENCE-ID"].dt, place), _read(each, owner, zone))
            for each in events
            if each is not main
        ]
        return _read(main, owner, zone), [*gone, *changed]
    except (ValueError, LookupError, AttributeError, TypeError, OverflowError, OSError):
        # OSError: icalendar opens a zone's file by the name it is told.
        raise EwsError("ErrorMimeContentInvalid", "The iCalendar is not valid.") from None


def _read(event: Any, owner: Mailbox, zone: tzinfo) -> list[Node]:
    start, end = event.start, event.end
    whole = not isinstance(start, datetime) or _says(event, "X-MICROSOFT-CDO-ALLDAYEVENT", "TRUE")
    place, name = _zone(event["DTSTART"], start, zone)
    nodes = [
        t("Subject", str(event.get("SUMMARY", ""))),
        t("Body", str(event.get("DESCRIPTION", "")), BodyType="Text"),
        t("Start", _stamp(start, place)),
        t("End", _stamp(end, place)),
        t("IsAllDayEvent", flag(whole)),
        t("LegacyFreeBusyStatus", _busy(event)),
        t("Sensitivity", CLASSES.get(str(event.get("CLASS", "")).upper(), "Normal")),
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
    return "Free" if _says(event, "TRANSP", "TRANSPARENT") else "Busy"


def _says(event: Any, name: str, word: str) -> bool:
    return str(event.get(name, "")).upper() == word


def _excluded(event: Any) -> list[date]:
    held = event.get("EXDATE", [])
    return [at.dt for each in (held if isinstance(held, list) else [held]) for at in each.dts]


def _day(value: date, zone: tzinfo) -> date:
    if not isinstance(value, datetime):
        return value
    return (value.astimezone(zone) if value.tzinfo else value).date()


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
            last = t("FirstDayOfWeek", _NAMES[DAYS.index(begin)])
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
        days.append(DAYS.index(text[-2:]))
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
