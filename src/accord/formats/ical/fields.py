"""The plain fields that entries and tasks share, both ways: texts, numbers, words of a closed set.

A word that the model doesn't know is kept in extras and comes back while its field is default.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from typing import TypeVar

from accord.formats.ical.props import (
    DROPPED,
    NAMESPACE,
    Extras,
    Props,
    first,
    keep,
    raw,
    unknown,
)
from accord.formats.ical.values import moment, utc_moment
from accord.formats.lines import Line, split, unescape
from accord.model.parts import Privacy
from accord.model.recurrence import Busy, EventStatus

_E = TypeVar("_E", bound=Enum)

PRIVACY = {
    "PUBLIC": Privacy.PUBLIC,
    "PRIVATE": Privacy.PRIVATE,
    "CONFIDENTIAL": Privacy.SECRET,
}
PRIVACY_NAMES = {value: name for name, value in PRIVACY.items()}

STATUS = {status.value.upper(): status for status in EventStatus}

OUTLOOK_BUSY = "X-MICROSOFT-CDO-BUSYSTATUS"
_BUSY = {
    "FREE": Busy.FREE,
    "TENTATIVE": Busy.TENTATIVE,
    "BUSY": Busy.BUSY,
    "OOF": Busy.OUT_OF_OFFICE,
    "WORKINGELSEWHERE": Busy.ELSEWHERE,
}
BUSY_NAMES = {value: name for name, value in _BUSY.items()}


def text(props: Props, name: str, extras: Extras) -> str:
    """Return a TEXT property."""
    line = keep(extras, props, name)
    return unescape(line.value) if line is not None else ""


def uri(props: Props, name: str, extras: Extras) -> str:
    """Return a URI property."""
    line = keep(extras, props, name, ("VALUE",))
    return line.value.strip() if line is not None else ""


def number(props: Props, name: str, most: int, extras: Extras) -> int:
    """Return a whole number from 0 to `most`; what isn't one is kept and counts as 0."""
    line = keep(extras, props, name)
    if line is None:
        return 0
    value = line.value.strip()
    if value.isascii() and value.isdigit() and len(value) < 9 and int(value) <= most:
        return int(value)
    extras[NAMESPACE + name] = ("=", raw(line))
    return 0


def word(props: Props, name: str, table: Mapping[str, _E], default: _E, extras: Extras) -> _E:
    """Return what a word of a closed set means; an unknown one is kept and counts as default."""
    line = keep(extras, props, name)
    if line is None:
        return default
    found = table.get(line.value.strip().upper())
    if found is None:
        extras[NAMESPACE + name] = ("=", raw(line))
        return default
    return found


def privacy(props: Props, extras: Extras) -> Privacy:
    """Return who may see it; an unknown CLASS counts as private (RFC 5545 3.8.1.3)."""
    if "CLASS" not in props:
        return Privacy.PUBLIC
    return word(props, "CLASS", PRIVACY, Privacy.PRIVATE, extras)


def categories(props: Props, extras: Extras) -> tuple[str, ...]:
    """Return the categories of all lines, each once, in order."""
    lines = props.get("CATEGORIES")
    if not lines:
        return ()
    keep(extras, {"CATEGORIES": lines[:1]}, "CATEGORIES")
    names = (unescape(part).strip() for line in lines for part in split(line.value, ","))
    return tuple(dict.fromkeys(name for name in names if name))


def busy(props: Props) -> Busy:
    """Return how the entry counts: TRANSP says whether, Outlook's word says how."""
    transparent = first(props, "TRANSP")
    outlook = first(props, OUTLOOK_BUSY)
    said = _BUSY.get(outlook.value.strip().upper()) if outlook is not None else None
    if transparent is not None and transparent.value.strip().upper() == "TRANSPARENT":
        return Busy.ELSEWHERE if said is Busy.ELSEWHERE else Busy.FREE
    if said is None or (said is Busy.FREE and transparent is not None):
        return Busy.BUSY
    return said


def busy_lines(value: Busy) -> list[str]:
    """Return TRANSP, and Outlook's word where TRANSP doesn't say it all (MS-OXCICAL)."""
    free = value in (Busy.FREE, Busy.ELSEWHERE)
    lines = [f"TRANSP:{'TRANSPARENT' if free else 'OPAQUE'}"]
    if value not in (Busy.FREE, Busy.BUSY):
        lines.append(f"{OUTLOOK_BUSY}:{BUSY_NAMES[value]}")
    return lines


def others(
    props: Props,
    modelled: frozenset[str],
    extras: Extras,
    zone: Callable[[str, datetime, Line], str],
) -> None:
    """Keep every property that neither the item nor the reader has a use for."""
    for name, lines in props.items():
        if name in modelled or name in DROPPED:
            continue
        extras[NAMESPACE + name] = (
            tuple(_zoned(line, zone) for line in lines)
            if any("TZID" in line.params for line in lines)
            else unknown(lines)
        )


def modified(props: Props) -> datetime | None:
    """Return the time of the last change that the component itself tells, in UTC."""
    line = first(props, "LAST-MODIFIED")
    return utc_moment(line) if line is not None else None


def marker(props: Props) -> str:
    """Return the other side's id that Accord wrote."""
    line = first(props, "X-ACCORD-ID")
    return unescape(line.value) if line is not None else ""


def sequence(props: Props) -> int:
    """Return the number of the revision (RFC 5545 3.8.7.4)."""
    line = first(props, "SEQUENCE")
    value = line.value.strip() if line is not None else ""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else 0


def _zoned(line: Line, zone: Callable[[str, datetime, Line], str]) -> str:
    tzid = line.param("TZID")
    if not tzid:
        return raw(line)
    at, _, _ = moment(line.value.split(",")[0].split("/")[0].strip(), line)
    return raw(line, zone(tzid, at, line))
