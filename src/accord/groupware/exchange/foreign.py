"""The property in which another connector kept the CRM record's id on items.

`settings` reads how it is called, `reading` asks for it beside Accord's own.
"""

from __future__ import annotations

import re

from msgspec import Struct

from accord.groupware.exchange import wire
from accord.groupware.exchange.wire import Node, t

_SETS = {
    "6ed8da90-450b-101b-98da-00aa003f1305": "Meeting",
    "00062002-0000-0000-c000-000000000046": "Appointment",
    "00062008-0000-0000-c000-000000000046": "Common",
    "00020329-0000-0000-c000-000000000046": "PublicStrings",
    "00062004-0000-0000-c000-000000000046": "Address",
    "00020386-0000-0000-c000-000000000046": "InternetHeaders",
    "11000e07-b51b-40d6-af21-caa85edab1d0": "CalendarAssistant",
    "4442858e-a9e3-4e80-b900-317a210cc15b": "UnifiedMessaging",
    "00062003-0000-0000-c000-000000000046": "Task",
    "00062040-0000-0000-c000-000000000046": "Sharing",
}
"""Sets that have a name in the schema, by their ids ([MS-OXPROPS] 1.3.2): answers use either."""

_NAMES = {name.casefold(): name for name in _SETS.values()}
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TYPE = "String"
_TAGS = range(0x1, 0x8000)
_NUMBERS = range(0x1, 0x8000_0000)
_LONGEST = 255


class Property(Struct, frozen=True):
    """Be a text on items: one of a set, by name or number, or one that has a tag."""

    space: str = ""
    name: str = ""
    number: int = 0
    tag: int = 0


def property_named(text: str) -> Property | None:
    """Return the property that a setting names: SET/NAME, SET/#NUMBER or 0xTAG; None for none."""
    first, slash, rest = text.strip().partition("/")
    if not slash:
        tag = _number(first)
        return Property(tag=tag) if tag in _TAGS else None
    space = _space(first)
    if not space or not 0 < len(rest) <= _LONGEST:
        return None
    if not rest.startswith("#"):
        return Property(space, name=rest)
    number = _number(rest[1:])
    return Property(space, number=number) if number in _NUMBERS else None


def path(wanted: Property) -> Node:
    """Return the path by which a request asks for the property."""
    if wanted.tag:
        return t("ExtendedFieldURI", PropertyTag=f"0x{wanted.tag:x}", PropertyType=_TYPE)
    known = wanted.space in _SETS.values()
    said = {"DistinguishedPropertySetId" if known else "PropertySetId": wanted.space}
    said |= {"PropertyName": wanted.name} if wanted.name else {"PropertyId": str(wanted.number)}
    return t("ExtendedFieldURI", **said, PropertyType=_TYPE)


def value(wanted: Property, item: Node) -> str:
    """Return what an item of an answer holds there, empty where there is nothing."""
    for each in wire.children(item, "ExtendedProperty"):
        at = wire.child(each, "ExtendedFieldURI")
        if at is not None and at.get("PropertyType") == _TYPE and _of(at) == wanted:
            return wire.text_at(each, "Value")
    return ""


def _of(at: Node) -> Property:
    return Property(
        space=_space(at.get("DistinguishedPropertySetId") or at.get("PropertySetId") or ""),
        name=at.get("PropertyName") or "",
        number=_number(at.get("PropertyId") or "0"),
        tag=_number(at.get("PropertyTag") or "0"),
    )


def _space(text: str) -> str:
    """Return a set's name in the schema, else its id; empty for what is neither."""
    plain = text.strip().strip("{}").casefold()
    if plain in _NAMES:
        return _NAMES[plain]
    return _SETS.get(plain, plain) if _ID.fullmatch(plain) else ""


def _number(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        return -1
