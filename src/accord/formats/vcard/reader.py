"""The text of address cards to contacts: one stored card, or all cards of a file."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from msgspec import Struct

from accord.formats.errors import Refused
from accord.formats.limits import IMPORT, LIMITS, Limits
from accord.formats.lines import Line, unescape
from accord.formats.old import decoded, modern, unfold
from accord.formats.tree import Component, parse
from accord.formats.vcard.entries import MANY, read_many
from accord.formats.vcard.kept import NAMESPACE, Entry, Extras, Props, entry
from accord.formats.vcard.older import SEPARATORS, TEXTS
from accord.formats.vcard.photos import read_photo, write_photo
from accord.formats.vcard.singles import NAMES, read_singles
from accord.model.item import Contact

_DROPPED = frozenset({"VERSION", "PRODID", "REV", "UID", "X-ACCORD-ID"})
_MODELLED = _DROPPED | NAMES.keys() | {one.name for one in MANY} | {"PHOTO"}


class Card(Struct, frozen=True, kw_only=True):
    """Be what a card says: the contact, Accord's marker on it, its last change and version."""

    item: Contact
    marker: str = ""
    modified: datetime | None = None
    version: str = ""


def read(data: bytes | str, *, limits: Limits = LIMITS) -> Card:
    """Return the one card of a text; raises Refused with the property and line."""
    text = unfold(data, limits)
    try:
        roots = parse(text, limits, bare=True)
        if len(roots) != 1:
            raise Refused(f"there are {len(roots)} cards in it, where one is expected")
        return _card(roots[0], limits)
    except Refused as error:
        raise text.placed(error) from error


def decode(data: bytes | str, *, limits: Limits = LIMITS) -> Contact:
    """Return the contact of a card; raises Refused."""
    return read(data, limits=limits).item


def read_all(data: bytes | str, *, limits: Limits = IMPORT) -> list[Card | Refused]:
    """Return all cards of a file, and a refusal in the place of what can't be taken.

    Raises Refused where the file as a whole isn't made of cards.
    """
    text = unfold(data, limits)
    try:
        roots = parse(text, limits, bare=True)
    except Refused as error:
        raise text.placed(error) from error
    found: list[Card | Refused] = []
    for root in roots:
        try:
            found.append(_card(root, limits))
        except Refused as error:
            uid = root.find("UID")
            refused = text.placed(error)
            refused.uid = uid.value.strip() if uid is not None else ""
            found.append(refused)
    return found


def decode_all(data: bytes | str, *, limits: Limits = IMPORT) -> list[Contact | Refused]:
    """Return the contacts of a file; see `read_all`."""
    return [
        found.item if isinstance(found, Card) else found for found in read_all(data, limits=limits)
    ]


def _card(root: Component, limits: Limits) -> Card:
    if root.name != "VCARD":
        raise Refused(f"{root.name} is no card", line=root.number)
    if root.bad is not None:
        raise root.bad
    if root.children:
        raise Refused("a card inside a card isn't supported", line=root.children[0].number)
    props: Props = {}
    stated = root.find("VERSION")
    old = stated is not None and stated.value.strip() == "2.1"
    for line in root.lines:
        one = _line(line, old)
        props.setdefault(one.name, []).append(one)
    extras: Extras = {}
    version = _value(props, "VERSION").strip()
    ours = version if version == "4.0" else "3.0"
    values = read_singles(props, extras, ours) | read_many(props, extras, ours)
    pictures = props.get("PHOTO")
    if pictures:
        photo = read_photo(pictures[0], limits)
        values["photo"] = photo
        lines = [one.raw for one in pictures]
        if lines != [write_photo(photo, None, ours)]:
            extras[NAMESPACE + "PHOTO"] = tuple(lines)
    for name, entries in props.items():
        if name not in _MODELLED:
            extras[NAMESPACE + name] = _unknown(entries)
    if version == "4.0":
        extras[NAMESPACE + "VERSION"] = version
    return Card(
        item=Contact(uid=_value(props, "UID").strip() or _made_uid(root), extras=extras, **values),
        marker=unescape(_value(props, "X-ACCORD-ID")),
        modified=_revision(_value(props, "REV")),
        version=version,
    )


def _line(line: Line, old: bool) -> Entry:
    """Return a line as an entry, one of an old card as a newer card would have it."""
    one = entry(decoded(line))
    if one.name == "ORG":
        # Some writers end it with the empty parts of departments that aren't there.
        bare = one.value.rstrip(";")
        escaped = ";" if bare != one.value and bare.endswith("\\") else ""
        one = one._replace(value=bare + escaped)
    if old and one.params.get("VALUE", ("",))[0].upper() == "URL":
        one = one._replace(params={**one.params, "VALUE": ("uri",)})
    if old and one.name in TEXTS:
        return one._replace(value=modern(one.value, SEPARATORS.get(one.name, "")))
    return one


def _unknown(entries: list[Entry]) -> str | tuple[str, ...]:
    if len(entries) == 1 and not entries[0].params and not entries[0].group:
        return entries[0].value
    return tuple(one.raw for one in entries)


def _value(props: Props, name: str) -> str:
    entries = props.get(name)
    return entries[0].value if entries else ""


def _revision(value: str) -> datetime | None:
    text = value.strip().replace("-", "").replace(":", "").removesuffix("Z")
    try:
        return datetime.strptime(text[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _made_uid(root: Component) -> str:
    """Return a UID for a card without one: the same text gives the same UID."""
    lines = (entry(line).raw for line in root.lines if line.name not in _DROPPED)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]
