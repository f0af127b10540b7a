"""A contact to the text of a card: 3.0, 4.0, and 2.1, which is made of the lines of 3.0."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from accord.formats.lines import escape, fold, one_line
from accord.formats.old import text_of
from accord.formats.vcard.entries import MANY, write_many
from accord.formats.vcard.kept import NAMESPACE, kept
from accord.formats.vcard.older import older_lines
from accord.formats.vcard.photos import write_photo
from accord.formats.vcard.singles import NAMES, write_singles
from accord.model.item import Contact
from accord.model.names import name_of

PRODUCT = "-//Accord//Accord//EN"

_NAME = re.compile(r"[A-Z0-9-]+\Z")
_GROUP = re.compile(r"([A-Za-z0-9-]+)\.([A-Za-z0-9-]+)[:;]")
_WRITTEN = frozenset({*NAMES, *(one.name for one in MANY), "PHOTO", "VERSION"})


def encode(
    contact: Contact,
    *,
    version: str = "",
    product: str = PRODUCT,
    marker: str = "",
    now: datetime | None = None,
) -> bytes:
    """Return the card of a contact, which must have a uid.

    `version` is 2.1, 3.0 or 4.0; empty means the one that the contact was read from, else 3.0.
    """
    if not contact.uid:
        raise ValueError("a card needs a uid")
    version = version or str(contact.extras.get(NAMESPACE + "VERSION") or "3.0")
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    lines = [f"PRODID:{escape(product)}"]
    lines += [f"UID:{one_line(contact.uid)}", f"REV:{moment:%Y%m%dT%H%M%SZ}"]
    if marker:
        lines.append(f"X-ACCORD-ID:{escape(marker)}")
    lines += _body(contact, "3.0" if version == "2.1" else version)
    if version == "2.1":
        return text_of(["BEGIN:VCARD", "VERSION:2.1", *older_lines(lines), "END:VCARD"])
    return fold(["BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD"])


def _body(contact: Contact, version: str) -> list[str]:
    body = write_singles(contact, version)
    if not any(_is_named(line, "FN") for line in body):
        # Every card needs a formatted name; DERIVED tells that nobody chose it (RFC 9554 4.2).
        body.insert(0, f"FN;DERIVED=TRUE:{escape(name_of(contact) or contact.uid)}")
    body += write_many(contact, version)
    if contact.photo is not None:
        pictures = kept(contact.extras, "PHOTO")
        photo = write_photo(contact.photo, pictures[0] if pictures else None, version)
        body += [photo] if photo else []
        body += [one.raw for one in pictures[1:]]
    if contact.extras:
        body += _others(contact.extras, body)
    return body


def _others(extras: Mapping[str, object], body: list[str]) -> list[str]:
    """Return unknown properties; labels of groups that are gone go with them."""
    lines: list[str] = []
    for key in sorted(extras):
        name = key.removeprefix(NAMESPACE).upper()
        if not key.startswith(NAMESPACE) or name in _WRITTEN or not _NAME.match(name):
            continue
        value = extras[key]
        if isinstance(value, tuple):
            lines += [_line(name, str(text)) for text in value]
        elif isinstance(value, bool):
            lines.append(f"{name}:{'TRUE' if value else 'FALSE'}")
        elif value is not None:
            lines.append(f"{name}:{one_line(str(value))}")
    groups = {match[1].lower() for line in body if (match := _GROUP.match(line))}
    groups |= {match[1].lower() for line in lines if (match := _group_of_value(line))}
    return [line for line in lines if _belongs(line, groups)]


def _group_of_value(line: str) -> re.Match[str] | None:
    match = _GROUP.match(line)
    return None if match is None or match[2].upper() == "X-ABLABEL" else match


def _belongs(line: str, groups: set[str]) -> bool:
    match = _GROUP.match(line)
    return match is None or match[2].upper() != "X-ABLABEL" or match[1].lower() in groups


def _line(name: str, text: str) -> str:
    """Return a kept content line; a text that is none becomes a value."""
    match = _GROUP.match(text)
    if text.startswith((f"{name}:", f"{name};")) or (match and match[2].upper() == name):
        return one_line(text)
    return f"{name}:{one_line(text)}"


def _is_named(line: str, name: str) -> bool:
    match = _GROUP.match(line)
    return line.startswith((f"{name}:", f"{name};")) or bool(match and match[2] == name)
