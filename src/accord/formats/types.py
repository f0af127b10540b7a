"""Which codec speaks a content type: the one place that SyncML, files and mails ask.

A text is read by what it says of itself, since programs name types carelessly; it is written as
the type and version ask.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from msgspec.structs import replace

from accord.formats import ical, vcalendar, vcard
from accord.formats.errors import Refused
from accord.formats.limits import LIMITS, Limits
from accord.model.diff import diff
from accord.model.item import Contact, Event, Item, Task, kind_of
from accord.model.kinds import Kind


class Format(NamedTuple):
    """Be one content type in one version, as DevInf and Content-Type name it."""

    type: str
    version: str


ICALENDAR = Format("text/calendar", "2.0")
VCALENDAR = Format("text/x-vcalendar", "1.0")
VCARD4 = Format("text/vcard", "4.0")
VCARD3 = Format("text/vcard", "3.0")
VCARD2 = Format("text/x-vcard", "2.1")

FORMATS: dict[Kind, tuple[Format, ...]] = {
    Kind.EVENT: (ICALENDAR, VCALENDAR),
    Kind.TASK: (ICALENDAR, VCALENDAR),
    Kind.CONTACT: (VCARD3, VCARD4, VCARD2),
}
"""What each kind can be written as, the one that says most to most programs first."""

_OLD_CALENDAR = re.compile(rb"(?:\A|[\r\n])VERSION:1\.0[ \t]*(?:[\r\n]|\Z)", re.IGNORECASE)
_VERSION = "vcard:VERSION"


def encode(item: Item, media_type: str, version: str = "", *, marker: str = "") -> bytes:
    """Return an item, which must have a uid, as the text of a content type.

    Without a version it is the first of `FORMATS` of that type. `marker` as in the codecs.
    Raises Refused where the type can't hold the item.
    """
    chosen = find(kind_of(item), media_type, version)
    if isinstance(item, Contact):
        return vcard.encode(item, version=chosen.version, marker=marker)
    assert isinstance(item, Event | Task)
    if chosen == VCALENDAR:
        return vcalendar.encode(item, marker=marker)
    return ical.encode(item, marker=marker)


def decode(
    data: bytes | str, media_type: str, *, zone: str = "", limits: Limits = LIMITS
) -> Contact | Event | Task:
    """Return the item of a text of a content type.

    `zone` is the IANA zone to prefer where the text knows only offsets (`vcalendar.read`).
    Raises Refused for unknown types, and as the codecs do.
    """
    name = _name(media_type)
    if name in (VCARD3.type, VCARD2.type, "text/directory"):
        return vcard.decode(data, limits=limits)
    if name not in (ICALENDAR.type, VCALENDAR.type):
        raise Refused(f"the content type {name[:60]!r} isn't supported")
    head = data[:4000].encode("utf-8", "replace") if isinstance(data, str) else data[:4000]
    if _OLD_CALENDAR.search(head):
        return vcalendar.decode(data, zone=zone, limits=limits)
    return ical.read(data, limits=limits).item


def losses(item: Item, media_type: str, version: str = "") -> tuple[str, ...]:
    """Return the fields that a content type can't hold as they are, in the order of the model.

    These come back different from a peer that changed nothing. Raises Refused as `encode` does.
    """
    zone = item.time_zone if isinstance(item, Event | Task) else None
    found: Item = decode(encode(item, media_type, version), media_type, zone=zone or "")
    if isinstance(found, Contact):
        # Of which version a card was is no part of what it says.
        item, found = _undated(item), _undated(found)
    return diff(item, found)


def find(kind: Kind, media_type: str, version: str = "") -> Format:
    """Return the format of a kind that a type and version name; raises Refused for none."""
    name = _name(media_type)
    for one in FORMATS.get(kind, ()):
        if one.type == name and version in ("", one.version):
            return one
    what = f"{name[:60]} {version[:10]}".strip()
    raise Refused(f"{what!r} can't hold {'an' if kind[0] in 'ae' else 'a'} {kind}")


def _undated(item: Item) -> Item:
    return replace(item, extras={key: x for key, x in item.extras.items() if key != _VERSION})


def _name(media_type: str) -> str:
    return media_type.partition(";")[0].strip().lower()
