"""An Event or Task to the lines of its components (RFC 5545 3.6); `ical` puts the frame around.

The counterpart of `events` and `tasks`: what they keep in extras comes back here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET

from accord.formats.errors import Refused
from accord.formats.ical import events, fields, tasks
from accord.formats.ical.alarms import alarm_lines
from accord.formats.ical.attachments import attachment_lines
from accord.formats.ical.bodies import body_lines
from accord.formats.ical.meetings import meeting_lines
from accord.formats.ical.people import NOTHING_STATED, PERSON, Stated, attendee_lines, person_line
from accord.formats.ical.props import NAMESPACE, Extras
from accord.formats.ical.rrule import format_rule
from accord.formats.ical.sheet import Sheet
from accord.formats.ical.values import BEYOND, format_utc
from accord.formats.lines import escape, one_line
from accord.model.item import Event, Task
from accord.model.parts import Privacy
from accord.model.recurrence import EventStatus, Override

_KEPT = frozenset({"VALARM", "VCALENDAR", "RECURRENCE-ID", "VTODO"})
_NOT_OTHERS = (events.MODELLED | _KEPT, tasks.MODELLED | _KEPT)
_SAME_END = "PT0S"


def event_sheets(
    event: Event, head: list[str], silent: bool, before: Stated = NOTHING_STATED
) -> list[Sheet]:
    """Return one sheet for the series and one for each changed occurrence.

    `head` are the lines that every component begins with (UID, DTSTAMP, marker, …), `before`
    says what attendees said in the text that is replaced.
    """
    sheet = Sheet(event.extras, silent=silent, before=before)
    _event(sheet, event, head, ())
    _recurrence(sheet, event)
    occurrences = (_occurrence(event, one, head, silent, before) for one in event.overrides)
    return [_end(sheet, event), *occurrences]


def task_sheets(task: Task, head: list[str], silent: bool) -> list[Sheet]:
    """Return the sheet of a task; its kept occurrences are lines of their own."""
    sheet = Sheet(task.extras, silent=silent)
    sheet.lines += ["BEGIN:VTODO", *head]
    _task_times(sheet, task)
    _shared(sheet, task)
    sheet.put("STATUS", task.status.value.upper(), default=task.status is tasks.DEFAULT)
    if task.percent or sheet.kept("PERCENT-COMPLETE"):
        sheet.put("PERCENT-COMPLETE", str(task.percent), default=not task.percent)
    if task.completed is not None:
        sheet.put("COMPLETED", format_utc(task.completed))
    elif sheet.kept("COMPLETED")[:1] == ("=",):
        sheet.lines += sheet.kept("COMPLETED")[1:]
    if task.organizer is not None:
        sheet.lines.append(person_line("ORGANIZER", task.organizer, sheet.kept("ORGANIZER")))
    _assignee(sheet, task)
    sheet.others(_NOT_OTHERS[1])
    sheet.lines += alarm_lines(task.reminders, sheet.extras)
    sheet.lines.append("END:VTODO")
    for text in sheet.kept("VTODO"):
        sheet.raw("VTODO", text)
    return [sheet]


def _event(sheet: Sheet, event: Event, head: list[str], replaced: tuple[str, ...]) -> None:
    """Start a VEVENT; `replaced` names properties that the occurrence has lines of its own for."""
    sheet.lines += ["BEGIN:VEVENT", *head]
    sheet.time("DTSTART", event.start, event.time_zone, event.all_day)
    zone = event.end_time_zone or event.time_zone
    if event.start == event.end and zone == event.time_zone:
        # DTEND must be later than DTSTART (RFC 5545 3.8.2.2), a duration may be nothing.
        sheet.lines.append(f"DURATION:{_SAME_END}")
    else:
        sheet.time("DTEND", event.end, zone, event.all_day)
    _shared(sheet, event)
    if event.location:
        sheet.text("LOCATION", event.location)
    sheet.put("STATUS", event.status.value.upper(), default=event.status is EventStatus.CONFIRMED)
    for line in fields.busy_lines(event.busy):
        sheet.lines.append(line)
    if event.online_meeting:
        sheet.lines += meeting_lines(event.online_meeting, sheet.extras)
    _links(sheet, event, replaced)
    if event.attendees:
        kept = sheet.kept("ATTENDEE")
        sheet.lines += attendee_lines(event.attendees, kept, sheet.silent, sheet.before)


def _links(sheet: Sheet, event: Event, replaced: tuple[str, ...]) -> None:
    """Write what an occurrence can't change in the model."""
    if event.url and "URL" not in replaced:
        sheet.put("URL", one_line(event.url))
    if event.organizer is not None and "ORGANIZER" not in replaced:
        sheet.lines.append(person_line("ORGANIZER", event.organizer, sheet.kept("ORGANIZER")))
    if PERSON not in replaced:
        sheet.lines += [person_line(PERSON, one) for one in event.people]
    for name in replaced:
        sheet.lines += sheet.kept(f"={name}")


def _shared(sheet: Sheet, item: Event | Task) -> None:
    """Write what entries and tasks have in common."""
    sheet.text("SUMMARY", item.title)
    if item.body is not None or sheet.extras:
        sheet.lines += body_lines(item.body, sheet.extras)
    if item.privacy is not Privacy.PUBLIC or sheet.kept("CLASS"):
        name = fields.PRIVACY_NAMES[item.privacy]
        sheet.put("CLASS", name, default=item.privacy is Privacy.PRIVATE)
    if item.priority or sheet.kept("PRIORITY"):
        sheet.put("PRIORITY", str(item.priority), default=not item.priority)
    if item.categories:
        sheet.put("CATEGORIES", ",".join(map(escape, item.categories)))
    if item.attachments:
        sheet.lines += attachment_lines(item.attachments, sheet.extras)


def _end(sheet: Sheet, event: Event) -> Sheet:
    sheet.others(_NOT_OTHERS[0])
    sheet.lines += alarm_lines(event.reminders, sheet.extras)
    sheet.lines.append("END:VEVENT")
    return sheet


def _recurrence(sheet: Sheet, event: Event) -> None:
    zone, all_day = event.time_zone, event.all_day
    if event.rule is not None:
        sheet.put("RRULE", format_rule(event.rule, zone, all_day))
    if event.exdates:
        sheet.put("EXDATE", *sheet.stamp(event.exdates, zone, all_day))
    if event.rdates:
        sheet.put("RDATE", *sheet.stamp(event.rdates, zone, all_day))
    if event.split_from:
        sheet.text(events.SPLIT, event.split_from)
    sheet.lines += sheet.kept("RECURRENCE-ID")


def _occurrence(
    series: Event, override: Override, head: list[str], silent: bool, before: Stated
) -> Sheet:
    event, extras = occurrence_of(series, override)
    replaced = tuple(n for n in events.SERIES_ONLY if f"{NAMESPACE}={n}" in extras)
    sheet = Sheet(extras, silent=silent, before=before)
    _event(sheet, event, head, replaced)
    when = override.recurrence_id
    value, params = sheet.stamp([when], series.time_zone, series.all_day)
    sheet.lines.append(f"RECURRENCE-ID{params}:{value}")
    return _end(sheet, event)


def occurrence_of(series: Event, override: Override) -> tuple[Event, Extras]:
    """Return a changed occurrence as an event of its own, and its extras; raises Refused."""
    values: dict[str, Any] = {
        name: value for name in _CHANGEABLE if (value := getattr(override, name)) is not UNSET
    }
    start: datetime = values.setdefault("start", override.recurrence_id)
    if "end" not in values:
        try:
            values["end"] = start + (series.end - series.start)
        except OverflowError as error:
            raise Refused(BEYOND, uid=series.uid) from error
    extras: Extras = series.extras
    if override.extras is not UNSET:
        extras = {**extras, **override.extras}
        extras = {key: value for key, value in extras.items() if value is not None}
    return msgspec.structs.replace(series, **values), extras


_CHANGEABLE = tuple(
    name for name in Override.__struct_fields__ if name not in ("recurrence_id", "extras")
)


def _task_times(sheet: Sheet, task: Task) -> None:
    if task.start is not None:
        sheet.time("DTSTART", task.start, task.time_zone, task.all_day)
    elif sheet.kept("DTSTART")[:1] == ("=",):
        sheet.lines += sheet.kept("DTSTART")[1:]
    if task.due is not None:
        sheet.time("DUE", task.due, task.time_zone, task.all_day)
    if task.rule is not None:
        sheet.put("RRULE", format_rule(task.rule, task.time_zone, task.all_day))
    if task.exdates:
        sheet.put("EXDATE", *sheet.stamp(task.exdates, task.time_zone, task.all_day))


def _assignee(sheet: Sheet, task: Task) -> None:
    kept = sheet.kept("ATTENDEE")
    if task.assignee is not None:
        line = person_line("ATTENDEE", task.assignee, kept[:1])
        if sheet.silent and "SCHEDULE-AGENT=" not in line:
            line = line.replace("ATTENDEE", "ATTENDEE;SCHEDULE-AGENT=NONE", 1)
        sheet.lines.append(line)
    sheet.lines += kept[1:]
