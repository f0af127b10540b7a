"""VTODO components of one UID to a Task.

Changed occurrences and extra dates of repeating tasks have no place in the model: they are
kept as text and come back as they were.
"""

from __future__ import annotations

from typing import Any

from accord.formats.errors import Refused
from accord.formats.ical import fields
from accord.formats.ical.alarms import read_reminders
from accord.formats.ical.attachments import read_attachments
from accord.formats.ical.bodies import read_body
from accord.formats.ical.people import read_person
from accord.formats.ical.props import (
    NAMESPACE,
    Extras,
    Props,
    components,
    first,
    gather,
    keep,
    raw,
    rezoned,
)
from accord.formats.ical.rrule import parse as parse_rule
from accord.formats.ical.times import Clock, Moment, lasting
from accord.formats.ical.values import refuse, utc_moment
from accord.formats.ical.zones import Zones
from accord.formats.limits import Limits
from accord.formats.tree import Component
from accord.model.item import Task, TaskStatus
from accord.model.parts import Person

MODELLED = frozenset(
    [
        "SUMMARY",
        "PRIORITY",
        "STATUS",
        "CLASS",
        "CATEGORIES",
        "DESCRIPTION",
        "X-ALT-DESC",
        "ORGANIZER",
        "ATTENDEE",
        "ATTACH",
        "DTSTART",
        "DUE",
        "DURATION",
        "RRULE",
        "EXDATE",
        "PERCENT-COMPLETE",
        "COMPLETED",
    ]
)
OCCURRENCES = NAMESPACE + "VTODO"
DEFAULT = TaskStatus.NEEDS_ACTION
STATUS = {status.value.upper(): status for status in TaskStatus}


def read_task(parts: list[Component], zones: Zones, limits: Limits) -> tuple[Task, Props]:
    """Return the task of all components of one UID, and the properties of the main one."""
    sorted_parts = [(part, gather(part)) for part in parts]
    masters = [one for one in sorted_parts if "RECURRENCE-ID" not in one[1]]
    changed = [part for part, props in sorted_parts if "RECURRENCE-ID" in props]
    if not masters:
        line = sorted_parts[0][1]["RECURRENCE-ID"][0]
        raise refuse(line, "an occurrence of a repeating task that isn't there")
    if len(masters) > 1:
        line_number = masters[1][0].number
        raise Refused("two tasks have the same UID", prop="UID", line=line_number)
    component, props = masters[0]
    clock = Clock(zones, limits, props)
    extras: Extras = {}
    values = _schedule(props, clock, extras)
    values |= _content(component, props, clock, extras, limits)
    if changed:
        for part in changed:
            _learn_zones(part, clock)
        extras[OCCURRENCES] = tuple(rezoned(part, clock.zoned) for part in changed)
    return Task(extras=extras, **values), props


def _content(
    component: Component, props: Props, clock: Clock, extras: Extras, limits: Limits
) -> dict[str, Any]:
    values: dict[str, Any] = {
        "title": fields.text(props, "SUMMARY", extras),
        "body": read_body(props, extras),
        "percent": fields.number(props, "PERCENT-COMPLETE", 100, extras),
        "priority": fields.number(props, "PRIORITY", 9, extras),
        "privacy": fields.privacy(props, extras),
        "categories": fields.categories(props, extras),
        "organizer": read_person(first(props, "ORGANIZER"), extras),
        "assignee": _assignee(props, extras),
        "attachments": read_attachments(props, extras, limits),
    }
    done = keep(extras, props, "COMPLETED", ("VALUE",))
    values["completed"] = utc_moment(done) if done is not None else None
    if done is not None and values["completed"] is None:
        extras[NAMESPACE + "COMPLETED"] = ("=", raw(done))
    values["status"] = _status(props, values, extras)
    fields.others(props, MODELLED, extras, clock.zone)
    alarms = [part for part in component.children if part.name == "VALARM"]
    if alarms:
        values["reminders"] = read_reminders(alarms, extras, clock.zoned)
    others = [part for part in component.children if part.name != "VALARM"]
    if others:
        extras.update(components(others, clock.zoned))
    return values


def _status(props: Props, values: dict[str, Any], extras: Extras) -> TaskStatus:
    """Return the status; where none is given, percent and completion date tell."""
    if "STATUS" in props:
        return fields.word(props, "STATUS", STATUS, TaskStatus.NEEDS_ACTION, extras)
    if values["completed"] is not None or values["percent"] == 100:
        return TaskStatus.COMPLETED
    return TaskStatus.IN_PROCESS if values["percent"] else TaskStatus.NEEDS_ACTION


def _assignee(props: Props, extras: Extras) -> Person | None:
    """Return the first attendee; further ones, and what the line says besides, are kept."""
    lines = props.get("ATTENDEE")
    if not lines:
        return None
    person = read_person(lines[0], extras)
    if len(lines) > 1:
        key = NAMESPACE + "ATTENDEE"
        mine = extras.get(key)
        own = mine if isinstance(mine, tuple) else (f"ATTENDEE:{lines[0].value.strip()}",)
        extras[key] = (*own, *(raw(line) for line in lines[1:]))
    return person


def _schedule(props: Props, clock: Clock, extras: Extras) -> dict[str, Any]:
    """Return start, due, zone and recurrence; both times come into the zone of the first."""
    start_line, due_line = first(props, "DTSTART"), first(props, "DUE")
    start = clock.read(start_line) if start_line is not None else None
    due = clock.read(due_line) if due_line is not None else None
    length = first(props, "DURATION")
    if start is not None and due is None and length is not None:
        spell = lasting(start, length.value, length)
        due = Moment(spell.end, spell.all_day, spell.zone)
    if start is not None and due is not None and start.all_day != due.all_day:
        # A date beside a time: the time decides, the date is kept beside it.
        assert start_line is not None
        extras[NAMESPACE + "DTSTART"] = ("=", raw(start_line))
        start = None
        if "RRULE" in props:
            raise refuse(start_line, "one of start and due is a date, the other a time")
    for name in ("DTSTART", "DUE"):
        if NAMESPACE + name not in extras:
            keep(extras, props, name, ("TZID", "VALUE"))
    anchor = start or due
    if anchor is None:
        if "RRULE" in props:
            raise refuse(props["RRULE"][0], "a repeating task has neither start nor due date")
        return {}
    values: dict[str, Any] = {"time_zone": anchor.zone, "all_day": anchor.all_day}
    if start is not None:
        values["start"] = start.local
    if due is not None:
        values["due"] = clock.in_zone(due, anchor, due_line or props["DURATION"][0])
    rule = keep(extras, props, "RRULE")
    if rule is not None:
        values["rule"] = parse_rule(rule, anchor.zone, anchor.all_day)
    if "EXDATE" in props:
        keep(extras, {"EXDATE": props["EXDATE"][:1]}, "EXDATE", ("TZID", "VALUE"))
        values["exdates"] = tuple(sorted(set(clock.dates(props["EXDATE"], anchor))))
    return values


def _learn_zones(part: Component, clock: Clock) -> None:
    for line in part.lines:
        if "TZID" in line.params:
            clock.read(line, line.value.split(",")[0].split("/")[0].strip())
