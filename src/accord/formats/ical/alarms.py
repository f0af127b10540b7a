"""Reminders: VALARM (RFC 5545 3.6.6, RFC 9074).

The model knows minutes before start or end; all else about an alarm is kept as its text, which
comes back as long as the reminder is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from accord.formats.errors import Refused
from accord.formats.ical.props import NAMESPACE, Extras, balanced, rezoned
from accord.formats.ical.values import duration
from accord.formats.lines import Line, parse
from accord.formats.tree import Component
from accord.model.parts import Reminder

_ALARM = NAMESPACE + "VALARM"
_DESCRIPTION = "Reminder"
_MOST_MINUTES = 100 * 366 * 1440


def read_reminders(
    parts: Sequence[Component], extras: Extras, zoned: Mapping[str, str]
) -> tuple[Reminder, ...]:
    """Return the reminders in order, and keep the alarms that say more than when."""
    kept: list[str] = []
    found: dict[Reminder, list[str]] = {}
    for part in parts:
        for inner in part.walk():
            if inner.bad is not None:
                raise inner.bad
        reminder = _reminder(part.find("TRIGGER"))
        if reminder is None:
            kept.append(rezoned(part, zoned))
        else:
            found.setdefault(reminder, []).append("" if _is_plain(part) else rezoned(part, zoned))
    for reminder, texts in found.items():
        plain = "\n".join(_plain(reminder))
        if texts != [""]:
            kept.extend(text or plain for text in texts)
    if kept:
        # Alarms have no order of their own.
        extras[_ALARM] = tuple(sorted(kept))
    return tuple(sorted(found, key=lambda one: (one.before_end, one.minutes)))


def alarm_lines(reminders: Iterable[Reminder], extras: Mapping[str, object]) -> list[str]:
    """Return the VALARM components as content lines."""
    kept = extras.get(_ALARM)
    lines: list[str] = []
    known: dict[Reminder, list[str]] = {}
    for text in filter(balanced, kept if isinstance(kept, tuple) else ()):
        reminder = _reminder(_trigger(text))
        if reminder is None:
            lines.extend(text.split("\n"))
        else:
            known.setdefault(reminder, []).extend(text.split("\n"))
    for reminder in reminders:
        lines.extend(known.get(reminder) or _plain(reminder))
    return lines


def _is_plain(part: Component) -> bool:
    """Tell whether an alarm says only when; servers spell the same duration in other ways."""
    said = {line.name: line for line in part.lines}
    return (
        not part.children
        and len(part.lines) == len(said) == 3
        and (text := said.get("DESCRIPTION")) is not None
        and (action := said.get("ACTION")) is not None
        and (text.value, action.value) == (_DESCRIPTION, "DISPLAY")
        and not (text.params or action.params or said["TRIGGER"].params.keys() - {"RELATED"})
    )


def _plain(reminder: Reminder) -> list[str]:
    related = ";RELATED=END" if reminder.before_end else ""
    return [
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        f"DESCRIPTION:{_DESCRIPTION}",
        f"TRIGGER{related}:{_span(reminder.minutes)}",
        "END:VALARM",
    ]


def _span(minutes: int) -> str:
    sign, size = ("-", minutes) if minutes > 0 else ("", -minutes)
    days, rest = divmod(size, 1440)
    return f"{sign}P{days}D" if days and not rest else f"{sign}PT{size}M"


def _reminder(trigger: Line | None) -> Reminder | None:
    """Return what the model can say of a trigger; None for a fixed time or for seconds."""
    if trigger is None or trigger.param("VALUE", "DURATION").upper() != "DURATION":
        return None
    try:
        days, exact = duration(trigger.value, trigger)
    except Refused:
        return None
    minutes, seconds = divmod(-(timedelta(days=days) + exact), timedelta(minutes=1))
    if seconds or abs(minutes) > _MOST_MINUTES:
        return None
    return Reminder(minutes=minutes, before_end=trigger.param("RELATED").upper() == "END")


def _trigger(text: str) -> Line | None:
    for line in text.split("\n"):
        if line.startswith("TRIGGER"):
            return parse(line, 0)
    return None
