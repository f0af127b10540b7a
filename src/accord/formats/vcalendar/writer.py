"""An entry or a task to the text of a vCalendar 1.0.

An entry in a zone is written in UTC, with the zone's TZ and DAYLIGHT beside it; a series keeps its
wall-clock times, which TZ and DAYLIGHT give their meaning across summer time.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from accord.formats.errors import Refused
from accord.formats.ical.events import MODELLED as EVENT_NAMES
from accord.formats.ical.events import RECURRENCE_ID, SPLIT
from accord.formats.ical.fields import PRIVACY_NAMES
from accord.formats.ical.props import NAMESPACE
from accord.formats.ical.tasks import MODELLED as TASK_NAMES
from accord.formats.ical.values import BEYOND, format_local, format_utc, moment
from accord.formats.lines import one_line, parse
from accord.formats.old import content_line, escaped, text_of
from accord.formats.vcalendar.alarms import PLAIN
from accord.formats.vcalendar.people import attendee_lines, person_line
from accord.formats.vcalendar.translate import ALL_DAY, looks_all_day
from accord.formats.vcalendar.write_rules import last_start, to_old
from accord.formats.vcalendar.zones import same_distance, unlike, zone_lines
from accord.model.html import to_text
from accord.model.item import Event, Task
from accord.model.occurrences import TooMany
from accord.model.parts import BodyType, Privacy, links
from accord.model.recurrence import Busy, EventStatus
from accord.model.zones import UnknownZone, instant, wall_clock

PRODUCT = "-//Accord//Accord//EN"

_NOT_OTHERS = {
    *EVENT_NAMES,
    *TASK_NAMES,
    "VALARM",
    "VCALENDAR",
    "AALARM",
    "DALARM",
    "TZ",
    "DAYLIGHT",
    "TRANSP",
    ALL_DAY,
    "X-FUNAMBOL-ALLDAY",
    "X-RECURRENCE-ID",
}
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_NONE = timedelta()


def encode(
    item: Event | Task,
    *,
    product: str = PRODUCT,
    marker: str = "",
    now: datetime | None = None,
) -> bytes:
    """Return the text of an item, which must have a uid.

    Raises Refused for what 1.0 can't say without changing its meaning: changed occurrences
    (`split` makes entries of them), rules without a word in its grammar, series in a zone whose
    offsets TZ and DAYLIGHT can't tell. What is left out otherwise, `losses` in `types` names.
    """
    if not item.uid:
        raise ValueError("a calendar object needs a uid")
    if isinstance(item, Event) and item.overrides:
        reason = "vCalendar 1.0 has no changed occurrences: write the parts of the series"
        raise Refused(reason, prop="RECURRENCE-ID", uid=item.uid)
    moment_now = (now or datetime.now(UTC)).astimezone(UTC)
    try:
        pen = _Pen(item, moment_now)
        pen.head(marker, moment_now)
        pen.times()
        pen.texts()
        pen.others()
        return text_of(pen.framed(product))
    except UnknownZone as error:
        raise Refused(str(error), prop="TZ", uid=item.uid) from error
    except OverflowError as error:
        raise Refused(BEYOND, uid=item.uid) from error


class _Pen:
    """Write one entry."""

    def __init__(self, item: Event | Task, now: datetime) -> None:
        self.item = item
        self.lines: list[str] = []
        start = item.start if isinstance(item, Event) else item.start or item.due
        self.start = start
        self.recurs = item.rule is not None or (isinstance(item, Event) and bool(item.rdates))
        # A series stays on the wall clock, all else is told in UTC.
        self.local = item.time_zone is None or (self.recurs and item.time_zone != "UTC")
        self.zone: list[str] = []
        self.last = start
        if start is not None and item.time_zone is not None and not item.all_day:
            self._place(start, item.time_zone, now)

    def _place(self, start: datetime, zone: str, now: datetime) -> None:
        """Find TZ and DAYLIGHT for all times of the entry."""
        endless = False
        if self.recurs:
            try:
                found = last_start(self.item.rule, start) if self.item.rule else start
            except TooMany as error:
                reason = "the end of the rule can't be told"
                raise Refused(reason, prop="RRULE", uid=self.item.uid) from error
            endless = found is None
            dates = self.item.rdates if isinstance(self.item, Event) else ()
            end = self.item.end if isinstance(self.item, Event) else self.item.due or start
            # The last occurrence may end where the clocks have other rules than where it began.
            self.last = max([start, *dates, *([found] if found else [])]) + max(_NONE, end - start)
        assert self.last is not None
        found_lines = zone_lines(zone, start, self.last, now if endless else None)
        if found_lines is None and self.local:
            raise unlike(zone, self.item.uid)
        self.zone = found_lines or []

    def stamp(self, local: datetime) -> str:
        """Return a time of the entry as it stands in the text."""
        if self.local or self.item.all_day:
            return format_local(local)
        return format_local(instant(local, self.item.time_zone).replace(tzinfo=None)) + "Z"

    def put(self, name: str, value: str, params: Iterable[str] = ()) -> None:
        self.lines.append(content_line(name, params, value))

    def text(self, name: str, value: str) -> None:
        if value:
            self.put(name, escaped(value))

    def head(self, marker: str, now: datetime) -> None:
        """Write what identifies the entry."""
        self.put("UID", one_line(self.item.uid))
        self.put("LAST-MODIFIED", format_utc(now))
        if marker:
            self.put("X-ACCORD-ID", escaped(marker))

    def times(self) -> None:
        """Write the times, the recurrence and the alarms."""
        item = self.item
        if isinstance(item, Event):
            self._spell(item)
        else:
            self._due(item)
        if item.rule is not None and self.start is not None:
            text = to_old(item.rule, self.start, item.all_day, self.stamp, item.uid)
            self.put("RRULE", text)
        if self.recurs:
            self._dates("EXDATE", item.exdates)
            self._dates("RDATE", item.rdates if isinstance(item, Event) else ())
        if self.start is not None:
            self._alarms(self.start)

    def _dates(self, name: str, dates: Iterable[datetime]) -> None:
        texts = ";".join(map(self.stamp, dates))
        if texts:
            # Dates are never quoted: whoever can't read a long line can't read this list at all.
            self.lines.append(f"{name}:{texts}")

    def _spell(self, event: Event) -> None:
        start, end = event.start, self._end(event)
        if event.all_day:
            end -= _SECOND
        elif self.local and looks_all_day(start, end):
            self.put(ALL_DAY, "FALSE")
        self.put("DTSTART", self.stamp(start))
        self.put("DTEND", self.stamp(end))
        kept = event.extras.get(RECURRENCE_ID)
        if isinstance(kept, tuple) and kept:
            self._recurrence_id(kept[0])

    def _end(self, event: Event) -> datetime:
        """Return the end in the zone of the start."""
        zone, other = event.time_zone, event.end_time_zone
        if other is None or zone is None or other == zone:
            return event.end
        if self.recurs and not same_distance(zone, other, event.start, self.last or event.start):
            reason = "a series that ends in a zone with another summer time"
            raise Refused(reason, prop="DTEND", uid=event.uid)
        return wall_clock(instant(event.end, other), zone)

    def _recurrence_id(self, text: str) -> None:
        line = parse(text, 0)
        local, is_date, is_utc = moment(line.value.strip(), line)
        zone = "UTC" if is_utc else line.param("TZID") or None
        if not is_date and zone is not None:
            self.put("X-RECURRENCE-ID", format_utc(instant(local, zone)))
        else:
            self.put("X-RECURRENCE-ID", format_local(local))

    def _due(self, task: Task) -> None:
        if self.start and self.local and not task.all_day and looks_all_day(task.start, task.due):
            self.put(ALL_DAY, "FALSE")
        if task.start is not None:
            self.put("DTSTART", self.stamp(task.start))
        if task.due is not None:
            self.put("DUE", self.stamp(task.due))
        if task.completed is not None:
            self.put("COMPLETED", format_utc(task.completed))

    def _alarms(self, start: datetime) -> None:
        item = self.item
        zone = None if item.all_day else item.time_zone
        end = item.end if isinstance(item, Event) else item.due or start
        end_zone = zone if isinstance(item, Task) or item.all_day else item.end_time_zone or zone
        for one in item.reminders:
            base = instant(end, end_zone) if one.before_end else instant(start, zone)
            at = base - timedelta(minutes=one.minutes)
            text = format_local(at) + ("" if zone is None else "Z")
            self.lines.append(f"AALARM:{text};;;")
            self.lines.append(f"DALARM:{text};;;{PLAIN}")

    def texts(self) -> None:
        """Write what isn't a time."""
        item = self.item
        self.text("SUMMARY", item.title)
        if item.body is not None:
            html = item.body.type is BodyType.HTML
            self.text("DESCRIPTION", to_text(item.body.text) if html else item.body.text)
        if item.privacy is not Privacy.PUBLIC:
            self.put("CLASS", PRIVACY_NAMES[item.privacy])
        if item.priority:
            self.put("PRIORITY", str(item.priority))
        if item.categories:
            self.put("CATEGORIES", ";".join(escaped(name, ";,") for name in item.categories))
        for one in links(item.attachments):
            if one.uri:
                self.put("ATTACH", one_line(one.uri), ["VALUE=URL"])
        if isinstance(item, Event):
            self._event(item)
        else:
            self._task(item)

    def _event(self, event: Event) -> None:
        self.text("LOCATION", event.location)
        if event.url:
            self.put("URL", one_line(event.url))
        if event.status is not EventStatus.CONFIRMED:
            self.put("STATUS", event.status.value.upper())
        self.put("TRANSP", "1" if event.busy in (Busy.FREE, Busy.ELSEWHERE) else "0")
        if event.sequence:
            self.put("SEQUENCE", str(event.sequence))
        self.text(SPLIT, event.split_from)
        self.lines += attendee_lines(event.attendees, event.organizer)

    def _task(self, task: Task) -> None:
        self.put("STATUS", task.status.value.upper().replace("-", " "))
        if task.organizer is not None:
            one = task.organizer
            self.lines.append(person_line(one.address, one.name, ["ROLE=ORGANIZER"]))
        if task.assignee is not None:
            one = task.assignee
            self.lines.append(person_line(one.address, one.name, ["ROLE=ATTENDEE"]))

    def others(self) -> None:
        """Write the own fields that are one plain value."""
        for key in sorted(self.item.extras):
            name, value = key.removeprefix(NAMESPACE).upper(), self.item.extras[key]
            if key.startswith(f"{NAMESPACE}X-") and name not in _NOT_OTHERS and _is_name(name):
                if isinstance(value, bool):
                    self.put(name, "TRUE" if value else "FALSE")
                elif isinstance(value, str | int | float):
                    self.put(name, one_line(str(value)))

    def framed(self, product: str) -> list[str]:
        """Return the whole text."""
        name = "VEVENT" if isinstance(self.item, Event) else "VTODO"
        head = ["BEGIN:VCALENDAR", "VERSION:1.0", content_line("PRODID", (), escaped(product))]
        return [*head, *self.zone, f"BEGIN:{name}", *self.lines, f"END:{name}", "END:VCALENDAR"]


def _is_name(name: str) -> bool:
    return name.isascii() and name.replace("-", "").isalnum()
