"""The text of a calendar to items: one stored object, or all entries of a file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime

import msgspec
from msgspec import Struct

from accord.formats.errors import Refused
from accord.formats.ical import fields
from accord.formats.ical.events import read_event
from accord.formats.ical.props import DROPPED, NAMESPACE, components, raw
from accord.formats.ical.tasks import read_task
from accord.formats.ical.values import BEYOND
from accord.formats.ical.zones import Zones, by_name
from accord.formats.limits import IMPORT, LIMITS, Limits
from accord.formats.lines import Text, unfold
from accord.formats.tree import Component, parse
from accord.model.item import Event, Task
from accord.model.kinds import Kind

_KINDS = {"VEVENT": Kind.EVENT, "VTODO": Kind.TASK}
_FRAME = frozenset({"VERSION", "PRODID", "CALSCALE", "METHOD"}) | DROPPED
_MESSAGES = frozenset({"REPLY", "ADD", "CANCEL", "REFRESH", "COUNTER", "DECLINECOUNTER"})


class Document(Struct, frozen=True, kw_only=True):
    """Be what a calendar object says: the item, Accord's marker on it, and its last change."""

    item: Event | Task
    marker: str = ""
    modified: datetime | None = None


def read(data: bytes | str, *, limits: Limits = LIMITS) -> Document:
    """Return the one entry of a calendar object (RFC 4791 4.1): all components of one UID.

    Raises Refused with the property and line, for texts and meanings that can't be kept.
    """
    text = unfold(data, limits)
    try:
        return document(parse(text, limits), limits)
    except Refused as error:
        raise text.placed(error) from error


def document(roots: list[Component], limits: Limits) -> Document:
    """Return what the components of a calendar object say; raises Refused."""
    groups = _groups(roots)
    if not groups:
        raise Refused("there is neither an entry nor a task in it")
    if len(groups) > 1:
        raise Refused("there are several entries in it, where one is expected")
    return _with_frame(_document(groups[0], _zones(roots, limits), limits), roots)


def decode(data: bytes | str, kind: Kind, *, limits: Limits = LIMITS) -> Event | Task:
    """Return the item of a calendar object, which must be of `kind`; raises Refused."""
    item = read(data, limits=limits).item
    if isinstance(item, Event) != (kind is Kind.EVENT):
        raise Refused(f"there is no {kind} in it")
    return item


def read_all(data: bytes | str, *, limits: Limits = IMPORT) -> list[Document | Refused]:
    """Return all entries of a file by UID, and a refusal in the place of what can't be taken.

    Raises Refused where the file as a whole isn't a calendar.
    """
    text = unfold(data, limits)
    try:
        roots = parse(text, limits)
        zones = _zones(roots, limits, _calendar_zone(roots))
        return list(_documents(roots, zones, limits, text))
    except Refused as error:
        raise text.placed(error) from error


def decode_all(data: bytes | str, *, limits: Limits = IMPORT) -> list[Event | Task | Refused]:
    """Return the items of a file; see `read_all`."""
    return [
        found.item if isinstance(found, Document) else found
        for found in read_all(data, limits=limits)
    ]


def _documents(
    roots: list[Component], zones: Zones, limits: Limits, text: Text
) -> Iterator[Document | Refused]:
    for root in roots:
        if root.name == "VCALENDAR" and root.bad is not None:
            yield text.placed(root.bad)
    for part in (part for root in roots for part in _parts(root)):
        if part.name not in _KINDS and part.name not in _HELPERS:
            reason = f"{part.name} is neither an entry nor a task"
            yield Refused(reason, line=text.physical(part.number))
    for group in _groups(roots):
        try:
            yield _document(group, zones, limits)
        except Refused as error:
            placed = text.placed(error)
            placed.uid = _uid(group[0])
            yield placed


_HELPERS = frozenset({"VTIMEZONE"})


def _parts(root: Component) -> list[Component]:
    """Return the entries of a calendar; a bare entry without a calendar counts as its own."""
    return root.children if root.name == "VCALENDAR" else [root]


def _groups(roots: list[Component]) -> list[list[Component]]:
    """Return the components of entries and tasks by UID, in the order they first appear."""
    groups: dict[tuple[str, str], list[Component]] = {}
    for root in roots:
        method = root.find("METHOD")
        if method is not None and method.value.strip().upper() in _MESSAGES:
            reason = f"a scheduling message ({method.value.strip()[:20]}) is no entry"
            raise Refused(reason, prop="METHOD", line=method.number)
        for part in _parts(root):
            if part.name in _KINDS:
                uid = _uid(part)
                groups.setdefault((part.name, uid or str(part.number)), []).append(part)
    return list(groups.values())


def _uid(part: Component) -> str:
    line = part.find("UID")
    return line.value.strip() if line is not None else ""


def _document(group: list[Component], zones: Zones, limits: Limits) -> Document:
    reader = read_event if group[0].name == "VEVENT" else read_task
    try:
        item, props = reader(group, zones, limits)
    except OverflowError as error:
        # Times are told and added up in many places; whatever leaves the calendar ends here.
        raise Refused(BEYOND, line=group[0].number) from error
    uid = _uid(group[0]) or _made_uid(group[0])
    return Document(
        item=msgspec.structs.replace(item, uid=uid),
        marker=fields.marker(props),
        modified=fields.modified(props),
    )


def _made_uid(part: Component) -> str:
    """Return a UID for an entry without one: the same text gives the same UID."""
    text = "\n".join(raw(line) for line in part.lines if line.name not in DROPPED)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _calendar_zone(roots: list[Component]) -> str | None:
    """Return the zone that an exported calendar as a whole lies in (X-WR-TIMEZONE)."""
    for root in roots:
        line = root.find("X-WR-TIMEZONE")
        if line is not None:
            return by_name(line.value)
    return None


def _zones(roots: list[Component], limits: Limits, floating: str | None = None) -> Zones:
    found = (part.raw for root in roots for part in root.children if part.name == "VTIMEZONE")
    return Zones(found, limits.zones, floating)


def _with_frame(found: Document, roots: list[Component]) -> Document:
    """Keep what the calendar around the entry says besides, its lines and other components."""
    for root in roots:
        if root.bad is not None:
            raise root.bad
    lines = [raw(line) for root in roots for line in root.lines if line.name not in _FRAME]
    others = [
        part
        for root in roots
        if root.name == "VCALENDAR"
        for part in root.children
        if part.name not in _KINDS and part.name not in _HELPERS
    ]
    texts = [text for found in components(others, {}).values() for text in found]
    if roots[0].name != "VCALENDAR" or not (lines or texts):
        return found
    extras = {**found.item.extras, NAMESPACE + "VCALENDAR": (*lines, *texts)}
    item = msgspec.structs.replace(found.item, extras=extras)
    return msgspec.structs.replace(found, item=item)
