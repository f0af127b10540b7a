"""Alarms of vCalendar 1.0 as VALARM components: AALARM and DALARM name the moment itself.

Of both at one moment there is one alarm. Sounds, mails and programs to run aren't reminders.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from accord.formats.errors import Refused
from accord.formats.ical.values import duration, format_local
from accord.formats.lines import NO_PARAMS, Line, escape, split, unescape
from accord.formats.tree import Component
from accord.formats.vcalendar.stamps import Stamp, stamp

PLAIN = "Reminder"
_MOST = 1_000


def alarms(
    lines: list[Line],
    start: datetime | None,
    exact: Callable[[Stamp], datetime | None],
) -> list[Component]:
    """Return the alarms of an entry that starts at a UTC time.

    `exact` turns a moment into UTC, or gives None where it can't be compared with the start.
    Raises Refused for moments that aren't understood.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for line in lines:
        if line.name not in ("AALARM", "DALARM"):
            continue
        fields = [unescape(field).strip() for field in split(line.value, ";")]
        if fields[0]:
            texts = found.setdefault(_trigger(fields[0], line, start, exact), [])
            texts += fields[3:4] if line.name == "DALARM" else []
        if len(found) > _MOST:
            raise Refused(f"there are more than {_MOST:,} alarms", prop=line.name)
    return [_alarm(trigger, texts) for trigger, texts in found.items()]


def _trigger(
    text: str,
    line: Line,
    start: datetime | None,
    exact: Callable[[Stamp], datetime | None],
) -> tuple[str, str]:
    """Return the kind of trigger, and the trigger."""
    if text[:1] in "+-Pp":
        duration(text, line)
        return "DURATION", text
    found = stamp(text, line)
    at = exact(found)
    if start is None or at is None:
        return "DATE-TIME", f"{format_local(found[0])}Z"
    seconds = int((start - at).total_seconds())
    size = f"{abs(seconds) // 60}M" if seconds % 60 == 0 else f"{abs(seconds)}S"
    return "DURATION", f"{'-' if seconds > 0 else ''}PT{size}"


def _alarm(trigger: tuple[str, str], texts: list[str]) -> Component:
    kind, value = trigger
    part = Component("VALARM", 0)
    text = next(filter(None, texts), PLAIN)
    params = {"VALUE": (kind,)} if kind == "DATE-TIME" else NO_PARAMS
    part.lines = [
        Line("ACTION", NO_PARAMS, "DISPLAY", 0),
        Line("DESCRIPTION", NO_PARAMS, escape(text), 0),
        Line("TRIGGER", params, value, 0),
    ]
    return part
