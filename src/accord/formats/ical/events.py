"""VEVENT components of one UID to an Event: the series, its dates and its changed occurrences."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec

from accord.formats.errors import Refused
from accord.formats.ical import fields
from accord.formats.ical.alarms import read_reminders
from accord.formats.ical.attachments import read_attachments
from accord.formats.ical.bodies import read_body
from accord.formats.ical.meetings import NAMES as MEETING_NAMES
from accord.formats.ical.meetings import read_meeting
from accord.formats.ical.people import PERSON, read_attendees, read_people, read_person
from accord.formats.ical.props import (
    NAMESPACE,
    Extras,
    Props,
    components,
    first,
    gather,
    keep,
    raw,
)
from accord.formats.ical.ranges import UNSUPPORTED, Onward, is_onward, spread
from accord.formats.ical.rrule import parse as parse_rule
from accord.formats.ical.times import Clock, Moment, Spell, lasting
from accord.formats.ical.values import BEYOND, refuse
from accord.formats.ical.zones import Zones
from accord.formats.limits import Limits
from accord.formats.lines import Line
from accord.formats.tree import Component
from accord.model.item import Event
from accord.model.occurrences import TooMany, starts_of
from accord.model.recurrence import EventStatus, Override

SPLIT = "X-ACCORD-SPLIT-FROM"
"""Holds the UID of the series that this one was cut off from."""

RECURRENCE_ID = NAMESPACE + "RECURRENCE-ID"

MODELLED = frozenset(
    [
        "SUMMARY",
        "LOCATION",
        "URL",
        "PRIORITY",
        "STATUS",
        "CLASS",
        "CATEGORIES",
        "TRANSP",
        "DESCRIPTION",
        "X-ALT-DESC",
        "ATTENDEE",
        "ORGANIZER",
        "ATTACH",
        "DTSTART",
        "DTEND",
        "DURATION",
        "RRULE",
        "RDATE",
        "EXDATE",
        "RECURRENCE-ID",
    ]
) | {fields.OUTLOOK_BUSY, PERSON, SPLIT, *MEETING_NAMES}

SERIES_ONLY = ("ORGANIZER", "URL", "PRIORITY", PERSON)
"""What the model can't change in one occurrence; a difference is kept as lines (`ical:=URL`)."""

_OVERRIDABLE = (
    "title",
    "body",
    "location",
    "online_meeting",
    "status",
    "busy",
    "privacy",
    "categories",
    "reminders",
    "attendees",
    "attachments",
)


def read_event(parts: list[Component], zones: Zones, limits: Limits) -> tuple[Event, Props]:
    """Return the event of all components of one UID, and the properties of the main one.

    Raises Refused for what the model can't hold without changing its meaning.
    """
    masters, changed = _sort(parts)
    if not masters:
        return _lone_occurrence(changed, zones, limits)
    component, props = masters[0]
    clock = Clock(zones, limits, props)
    event = _one(component, props, clock, limits, _spell(component, props, clock))
    if not changed and not ("RRULE" in props or "RDATE" in props or "EXDATE" in props):
        return event, props
    series = _recurring(event, props, clock)
    return _overridden(series, changed, clock, limits), props


def _sort(
    parts: list[Component],
) -> tuple[list[tuple[Component, Props]], list[tuple[Component, Props]]]:
    """Return the main component and the changed occurrences, the latest revision of each."""
    masters: list[tuple[Component, Props]] = []
    changed: list[tuple[Component, Props]] = []
    for component in parts:
        props = gather(component)
        (changed if "RECURRENCE-ID" in props else masters).append((component, props))
    if len(masters) > 1:
        # Copies of one revision may differ in nothing; else nobody can say which one holds.
        masters.sort(key=lambda one: fields.sequence(one[1]), reverse=True)
        if fields.sequence(masters[0][1]) == fields.sequence(masters[1][1]):
            line = masters[1][0].number
            raise Refused("two entries have the same UID", prop="UID", line=line)
    return masters[:1], changed


def _spell(component: Component, props: Props, clock: Clock) -> Spell:
    if "DTSTART" not in props:
        raise Refused("the entry has no start", prop="DTSTART", line=component.number)
    return clock.spell(props)


def _one(component: Component, props: Props, clock: Clock, limits: Limits, spell: Spell) -> Event:
    """Return what one VEVENT says by itself, without recurrence."""
    extras: Extras = {}
    for name in ("DTSTART", "DTEND"):
        keep(extras, props, name, ("TZID", "VALUE"))
    alarms = [part for part in component.children if part.name == "VALARM"]
    others = [part for part in component.children if part.name != "VALARM"]
    values: dict[str, Any] = {
        "title": fields.text(props, "SUMMARY", extras),
        "body": read_body(props, extras),
        "location": fields.text(props, "LOCATION", extras),
        "online_meeting": read_meeting(props, extras),
        "url": fields.uri(props, "URL", extras),
        "status": fields.word(props, "STATUS", fields.STATUS, EventStatus.CONFIRMED, extras),
        "busy": fields.busy(props),
        "priority": fields.number(props, "PRIORITY", 9, extras),
        "privacy": fields.privacy(props, extras),
        "categories": fields.categories(props, extras),
        "organizer": read_person(first(props, "ORGANIZER"), extras),
        "attendees": read_attendees(props, extras),
        "people": read_people(props),
        "attachments": read_attachments(props, extras, limits),
        "split_from": fields.text(props, SPLIT, {}),
        "sequence": fields.sequence(props),
    }
    fields.others(props, MODELLED, extras, clock.zone)
    if alarms:
        values["reminders"] = read_reminders(alarms, extras, clock.zoned)
    if others:
        extras.update(components(others, clock.zoned))
    return Event(
        start=spell.start,
        end=spell.end,
        time_zone=spell.zone,
        end_time_zone=spell.end_zone,
        all_day=spell.all_day,
        extras=extras,
        **values,
    )


def _recurring(event: Event, props: Props, clock: Clock) -> Event:
    """Return the event with its rule and dates."""
    start = Moment(event.start, event.all_day, event.time_zone)
    extras = dict(event.extras)
    values: dict[str, Any] = {}
    rules = [line for line in props.get("RRULE", ()) if line.value.strip()]
    if len(rules) > 1:
        raise refuse(rules[1], "more than one rule in an entry isn't supported")
    if rules:
        values["rule"] = parse_rule(rules[0], event.time_zone, event.all_day)
        keep(extras, props, "RRULE")
    if "EXRULE" in props:
        raise refuse(props["EXRULE"][0], "rules of exception (EXRULE) aren't supported")
    excluded = clock.dates(props.get("EXDATE", []), start)
    values["exdates"] = tuple(sorted(set(excluded)))
    added, periods = _extra_dates(props.get("RDATE", []), start, event, clock)
    values["rdates"] = tuple(sorted(set(added)))
    values["overrides"] = tuple(periods)
    for name in ("EXDATE", "RDATE"):
        keep(extras, {name: props[name][:1]} if name in props else {}, name, ("TZID", "VALUE"))
    return msgspec.structs.replace(event, extras=extras, **values)


def _extra_dates(
    lines: list[Line], start: Moment, event: Event, clock: Clock
) -> tuple[list[datetime], list[Override]]:
    """Return the dates of RDATE lines; a period of another length becomes a changed occurrence."""
    plain = [line for line in lines if line.param("VALUE").upper() != "PERIOD"]
    dates = clock.dates(plain, start)
    periods: list[Override] = []
    for line in lines:
        if line.param("VALUE").upper() != "PERIOD":
            continue
        if any("T" not in text.partition("/")[0].upper() for text in line.value.split(",")):
            raise refuse(line, "a period must have times")
        starts = line._replace(value=",".join(x.partition("/")[0] for x in line.value.split(",")))
        for local, text in zip(clock.dates([starts], start), line.value.split(","), strict=True):
            dates.append(local)
            end = _period_end(line, local, text.strip().partition("/")[2], start, clock)
            if end - local != event.end - event.start or event.end_time_zone:
                periods.append(Override(recurrence_id=local, start=local, end=end))
    return dates, periods


def _period_end(line: Line, local: datetime, text: str, start: Moment, clock: Clock) -> datetime:
    if not text:
        raise refuse(line, "a period has no end")
    if text[:1] in "+-P":
        return lasting(start._replace(local=local), text, line).end
    end = clock.in_zone(clock.read(line, text), start, line)
    if end < local:
        raise refuse(line, "a period ends before it starts")
    return end


def _overridden(
    series: Event,
    changed: list[tuple[Component, Props]],
    clock: Clock,
    limits: Limits,
) -> Event:
    if not series.recurs and changed:
        line = changed[0][1]["RECURRENCE-ID"][0]
        raise refuse(line, "it changes an occurrence of an entry that doesn't repeat")
    found = {one.recurrence_id: one for one in series.overrides}
    highest = series.sequence
    latest: dict[datetime, int] = {}
    onward: list[Onward] = []
    for component, props in changed:
        line = props["RECURRENCE-ID"][0]
        when, one = _changed(series, component, props, clock, limits)
        if is_onward(line):
            sequence = one.sequence
            if sequence >= series.sequence or _occurs(series, when):
                onward.append(Onward(when, one, _extras_patch(series, one, props), line))
                highest = max(highest, sequence)
            continue
        override, sequence = _override(series, one, when, props), one.sequence
        if sequence < series.sequence and not _occurs(series, when):
            # The series was changed later, and no longer has this occurrence.
            continue
        if sequence >= latest.get(when, -1):
            latest[when] = sequence
            found[when] = override
        highest = max(highest, sequence)
    _spread(series, onward, found, latest.keys())
    overrides = tuple(found[when] for when in sorted(found))
    return msgspec.structs.replace(series, overrides=overrides, sequence=highest)


def _occurs(series: Event, when: datetime) -> bool:
    if when == series.start or when in series.rdates:
        return True
    try:
        found = starts_of(series.rule, series.start, when, when) if series.rule else ()
        return when in found
    except (TooMany, OverflowError):
        return True


def _spread(
    series: Event,
    onward: Sequence[Onward],
    found: dict[datetime, Override],
    named: Collection[datetime],
) -> None:
    """Add what changes from one occurrence on do to those that have no change of their own."""
    if onward and found.keys() - named:
        raise refuse(onward[0].line, f"{UNSUPPORTED} beside periods")
    for when, change, one in spread(series, onward):
        if when in named:
            continue
        values = changes_of(series, one, when)
        if change.extras:
            values["extras"] = change.extras
        if values:
            found[when] = Override(recurrence_id=when, **values)


def _changed(
    series: Event, component: Component, props: Props, clock: Clock, limits: Limits
) -> tuple[datetime, Event]:
    """Return which occurrence a component changes, and what it says by itself."""
    line = props["RECURRENCE-ID"][0]
    start = Moment(series.start, series.all_day, series.time_zone)
    when = clock.in_zone(clock.read(line), start, line)
    spell = clock.spell(props) if "DTSTART" in props else _inherited(series, when)
    return when, _one(component, props, clock, limits, spell)


def _override(series: Event, one: Event, when: datetime, props: Props) -> Override:
    values = changes_of(series, one, when)
    extras = _extras_patch(series, one, props)
    if extras:
        values["extras"] = extras
    return Override(recurrence_id=when, **values)


def changes_of(series: Event, one: Event, when: datetime) -> dict[str, Any]:
    """Return the fields in which an event differs from an occurrence of a series, extras apart.

    Raises Refused for an occurrence that ends beyond the calendar.
    """
    inherited = _inherited(series, when)
    values: dict[str, Any] = {}
    if (one.start, one.end, one.time_zone, one.end_time_zone, one.all_day) != inherited:
        values |= {"start": one.start, "end": one.end}
        for name in ("time_zone", "end_time_zone", "all_day"):
            if getattr(one, name) != getattr(series, name):
                values[name] = getattr(one, name)
    for name in _OVERRIDABLE:
        value = getattr(one, name)
        if value != getattr(series, name):
            values[name] = value
    return values


def _inherited(series: Event, when: datetime) -> Spell:
    try:
        end = when + (series.end - series.start)
    except OverflowError as error:
        raise Refused(BEYOND, prop="RECURRENCE-ID") from error
    return Spell(when, end, series.time_zone, series.end_time_zone, series.all_day)


def _extras_patch(series: Event, one: Event, props: Props) -> Extras:
    """Return what the extras of one occurrence add to those of its series, or take away."""
    patch: Extras = {key: None for key in series.extras if key not in one.extras}
    for name in _SERIES_PROPS:
        patch.pop(NAMESPACE + name, None)
    for key, value in one.extras.items():
        if key not in series.extras or series.extras[key] != value:
            patch[key] = value
    for name, field in zip(SERIES_ONLY, ("organizer", "url", "priority", "people"), strict=True):
        value = getattr(one, field)
        if name == "ORGANIZER" and value is None:
            patch.pop(NAMESPACE + name, None)
        elif value != getattr(series, field):
            patch[f"{NAMESPACE}={name}"] = tuple(raw(line) for line in props.get(name, ()))
            patch.pop(NAMESPACE + name, None)
    return patch


_SERIES_PROPS = ("RRULE", "EXDATE", "RDATE")


def _lone_occurrence(
    changed: list[tuple[Component, Props]], zones: Zones, limits: Limits
) -> tuple[Event, Props]:
    """Return the event of an invitation to a single occurrence of somebody else's series."""
    component, props = changed[0]
    line = props["RECURRENCE-ID"][0]
    if is_onward(line):
        raise refuse(line, f"{UNSUPPORTED} of a series that isn't there")
    if len(changed) > 1:
        raise refuse(line, f"{len(changed)} single occurrences of a series that isn't there")
    clock = Clock(zones, limits, props)
    event = _one(component, props, clock, limits, _spell(component, props, clock))
    tzid = line.param("TZID")
    found = clock.read(line)
    kept = (raw(line, found.zone or "" if tzid else ""),)
    return msgspec.structs.replace(event, extras={**event.extras, RECURRENCE_ID: kept}), props
