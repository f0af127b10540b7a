"""The properties of a card that have one value, as a table: how each is read and written.

The table serves both ways, so that what is read is what would be written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from accord.formats.lines import escape, split, unescape
from accord.formats.vcard.dates import read_date, write_date
from accord.formats.vcard.kept import (
    NAMESPACE,
    Entry,
    Extras,
    Params,
    Props,
    checksum,
    kept,
    line_of,
    parts,
    structured,
    unchanged,
)
from accord.model.item import Contact
from accord.model.parts import Privacy

Value = tuple[Any, ...]

PRIVACY = {"PUBLIC": Privacy.PUBLIC, "PRIVATE": Privacy.PRIVATE, "CONFIDENTIAL": Privacy.SECRET}
_PRIVACY_NAMES = {value: name for name, value in PRIVACY.items()}


class Single(NamedTuple):
    """Describe a property: its names, the item's fields, reading and writing.

    `write` gives parameters and text for a version, None where there is nothing to say.
    """

    names: tuple[str, ...]
    fields: tuple[str, ...]
    read: Callable[[list[Entry]], Value]
    write: Callable[[Value, str], tuple[Params, str] | None]

    def name(self, version: str) -> str:
        """Return the property's name in a version; 3.0 has no anniversary of its own."""
        return self.names[-1] if version == "3.0" else self.names[0]


def read_singles(props: Props, extras: Extras, version: str) -> dict[str, Any]:
    """Return the fields, and keep the lines that writing the values anew would change."""
    values: dict[str, Any] = {}
    for one in SINGLES:
        entries = [found for name in one.names for found in props.get(name, ())]
        if not entries:
            continue
        value = one.read(entries)
        values |= dict(zip(one.fields, value, strict=True))
        lines = [found.raw for found in entries if not _is_derived(found)]
        if lines != _lines(one, value, version):
            extras[NAMESPACE + one.names[0]] = (checksum(value), *lines)
    return values


def write_singles(contact: Contact, version: str) -> list[str]:
    """Return the content lines; a value that is still the one read gives the lines read."""
    lines: list[str] = []
    for one in SINGLES:
        value = tuple(getattr(contact, field) for field in one.fields)
        key = one.names[0]
        if contact.extras and NAMESPACE + key in contact.extras:
            entries = kept(contact.extras, key)
            if unchanged(contact.extras, key, value):
                lines += [found.raw for found in entries]
            else:
                lines += _edited(one, value, version, entries)
        else:
            lines += _lines(one, value, version)
    return lines


def _lines(one: Single, value: Value, version: str) -> list[str]:
    written = one.write(value, version)
    return [] if written is None else [line_of(one.name(version), *written)]


def _edited(one: Single, value: Value, version: str, entries: Sequence[Entry]) -> list[str]:
    """Return the line of a new value, with the group and the parameters of the old one."""
    written = one.write(value, version)
    if written is None:
        return []
    old = entries[0]
    params = {name: found for name, found in old.params.items() if name not in _OF_THE_VALUE}
    first = line_of(one.name(version), {**params, **written[0]}, written[1], old.group)
    return [first, *(other.raw for other in entries[1:])]


_OF_THE_VALUE = frozenset(
    ("VALUE", "ENCODING", "CHARSET", "DERIVED", "SORT-AS", "X-APPLE-OMIT-YEAR", "CALSCALE")
)


def _text(entries: list[Entry]) -> Value:
    return (unescape(entries[0].value),)


def _put_text(value: Value, version: str) -> tuple[Params, str] | None:
    return ({}, escape(value[0])) if value[0] else None


def _full_name(entries: list[Entry]) -> Value:
    return ("" if _is_derived(entries[0]) else unescape(entries[0].value),)


def _is_derived(found: Entry) -> bool:
    return found.params.get("DERIVED", ("",))[0].lower() == "true"


def _name(entries: list[Entry]) -> Value:
    found = [" ".join(filter(None, parts(x, ","))) for x in split(entries[0].value, ";")]
    return tuple((found + [""] * 5)[:5])


def _put_name(value: Value, version: str) -> tuple[Params, str] | None:
    return ({}, structured(value)) if any(value) or version == "3.0" else None


def _organization(entries: list[Entry]) -> Value:
    found = parts(entries[0].value)
    return found[0], found[1] if len(found) > 1 else ""


def _put_organization(value: Value, version: str) -> tuple[Params, str] | None:
    if not any(value):
        return None
    return {}, structured(value if value[1] else value[:1])


def _list(entries: list[Entry]) -> Value:
    return (", ".join(part for part in parts(entries[0].value, ",") if part),)


def _tags(entries: list[Entry]) -> Value:
    found = (part for one in entries for part in parts(one.value, ",") if part)
    return (tuple(dict.fromkeys(found)),)


def _put_tags(value: Value, version: str) -> tuple[Params, str] | None:
    return ({}, ",".join(map(escape, value[0]))) if value[0] else None


def _date(entries: list[Entry]) -> Value:
    omitted = entries[0].params.get("X-APPLE-OMIT-YEAR", ("",))[0]
    return (read_date(entries[0].value, omitted),)


def _put_date(value: Value, version: str) -> tuple[Params, str] | None:
    return write_date(value[0], version) if value[0] else None


def _privacy(entries: list[Entry]) -> Value:
    return (PRIVACY.get(entries[0].value.strip().upper(), Privacy.PRIVATE),)


def _put_privacy(value: Value, version: str) -> tuple[Params, str] | None:
    return None if value[0] is Privacy.PUBLIC else ({}, _PRIVACY_NAMES[value[0]])


SINGLES = (
    Single(("FN",), ("full_name",), _full_name, _put_text),
    Single(("N",), ("family", "given", "middle", "prefix", "suffix"), _name, _put_name),
    Single(("NICKNAME",), ("nickname",), _list, _put_text),
    Single(("ORG",), ("organization", "department"), _organization, _put_organization),
    Single(("TITLE",), ("job_title",), _text, _put_text),
    Single(("NOTE",), ("notes",), _text, _put_text),
    Single(("BDAY",), ("birthday",), _date, _put_date),
    Single(("ANNIVERSARY", "X-ANNIVERSARY"), ("anniversary",), _date, _put_date),
    Single(("CATEGORIES",), ("categories",), _tags, _put_tags),
    Single(("CLASS",), ("privacy",), _privacy, _put_privacy),
)

NAMES: Mapping[str, Single] = {name: one for one in SINGLES for name in one.names}
