"""An item to the text of a calendar object, the frame and its time zones included."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import msgspec

from accord.formats.errors import Refused
from accord.formats.ical.definitions import definition
from accord.formats.ical.people import stated
from accord.formats.ical.sheet import Sheet
from accord.formats.ical.values import BEYOND, format_utc
from accord.formats.ical.write import event_sheets, task_sheets
from accord.formats.ical.zones import by_name
from accord.formats.lines import escape, fold, one_line
from accord.model.diff import diff
from accord.model.fields import FIELDS
from accord.model.item import Event, Task
from accord.model.kinds import Kind
from accord.model.zones import UnknownZone

PRODUCT = "-//Accord//Accord//EN"

_ENTRIES = ("VEVENT", "VTODO", "VTIMEZONE")
_CREATED = re.compile(rb"^CREATED[^:\r\n]{0,80}:(\d{8}T\d{6}Z)\s*$", re.MULTILINE)


def encode(
    item: Event | Task,
    *,
    product: str = PRODUCT,
    marker: str = "",
    before: bytes = b"",
    silent: bool = False,
    now: datetime | None = None,
) -> bytes:
    """Return the calendar object of an item, which must have a uid.

    `before` is the text it replaces, if any; its CREATED lives on, and so does what it left out
    of its attendees. `silent` writes
    SCHEDULE-AGENT=NONE to each attendee that has no agent yet: only for objects that Accord
    creates, and for those where `silenced` says that it did (RFC 6638 3.2.1.2). Raises
    Refused for a time zone that nobody knows, and for times beyond the calendar.
    """
    if not item.uid:
        raise ValueError("a calendar object needs a uid")
    stamp = format_utc(now or datetime.now(UTC))
    head = [f"UID:{one_line(item.uid)}", f"DTSTAMP:{stamp}", f"LAST-MODIFIED:{stamp}"]
    created = _CREATED.search(before) if before else None
    if created is not None:
        head.append(f"CREATED:{created[1].decode()}")
    elif not before:
        head.append(f"CREATED:{stamp}")
    if marker:
        head.append(f"X-ACCORD-ID:{escape(marker)}")
    if isinstance(item, Event) and item.sequence:
        head.append(f"SEQUENCE:{item.sequence}")
    try:
        if isinstance(item, Event):
            sheets = event_sheets(item, head, silent, stated(before))
        else:
            sheets = task_sheets(item, head, silent)
        return fold(_framed(item, sheets, product))
    except UnknownZone as error:
        raise Refused(str(error), prop="TZID", uid=item.uid) from error
    except OverflowError as error:
        raise Refused(BEYOND, uid=item.uid) from error


def revised(before: Event, after: Event) -> Event:
    """Return `after` with a higher sequence where attendees would see the change (RFC 5546)."""
    seen = {name for name, spec in FIELDS[Kind.EVENT].items() if spec.group == "schedule"}
    if not diff(before, after, seen | {"exdates", "overrides", "location", "status"}):
        return after
    return msgspec.structs.replace(after, sequence=max(before.sequence, after.sequence) + 1)


def _framed(item: Event | Task, sheets: list[Sheet], product: str) -> list[str]:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:{escape(product)}"]
    frame = Sheet(item.extras)
    for text in frame.kept("VCALENDAR") if item.extras else ():
        name = re.split("[:;\n]", text.removeprefix("BEGIN:"), maxsplit=1)[0]
        if name not in _ENTRIES:
            frame.raw(name, text)
    lines += frame.lines
    year = _first_year(item)
    named = set().union(*(sheet.named_zones() for sheet in sheets))
    own = set().union(*(sheet.zones for sheet in sheets))
    for name in sorted(named):
        if name in own or by_name(name) == name:
            lines += definition(name, year)
    for sheet in sheets:
        lines += sheet.lines
    lines.append("END:VCALENDAR")
    return lines


def _first_year(item: Event | Task) -> int:
    if isinstance(item, Task):
        dates = [date for date in (item.start, item.due) if date is not None]
        return min(date.year for date in dates) if dates else datetime.now(UTC).year
    if not item.overrides and not item.rdates:
        return item.start.year
    changed = (one.start for one in item.overrides if isinstance(one.start, datetime))
    dates = [*item.rdates, *changed, *(one.recurrence_id for one in item.overrides)]
    return min(item.start.year, *(date.year for date in dates))
