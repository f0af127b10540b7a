"""The text of address cards to contacts: one stored card, or all cards of a file."""

from __future__ import annotations

import hashlib
import quopri
from datetime import UTC, datetime

from msgspec import Struct

from accord.formats.errors import Refused
from accord.formats.limits import IMPORT, LIMITS, Limits
from accord.formats.lines import Line, Text, unescape, unfold
from accord.formats.tree import Component, parse
from accord.formats.vcard.entries import MANY, read_many
from accord.formats.vcard.kept import NAMESPACE, Entry, Extras, Props, entry
from accord.formats.vcard.photos import read_photo, write_photo
from accord.formats.vcard.singles import NAMES, read_singles
from accord.model.item import Contact

_ENCODINGS = {"utf-8": "utf-8", "us-ascii": "cp1252", "windows-1252": "cp1252"}
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
    text = _unfold(data, limits)
    try:
        roots = parse(text, limits, bare=True)
        if len(roots) != 1:
            raise Refused(f"there are {len(roots)} cards in it, where one is expected")
        return _card(roots[0], limits)
    except Refused as error:
        raise _placed(error, text) from error


def decode(data: bytes | str, *, limits: Limits = LIMITS) -> Contact:
    """Return the contact of a card; raises Refused."""
    return read(data, limits=limits).item


def read_all(data: bytes | str, *, limits: Limits = IMPORT) -> list[Card | Refused]:
    """Return all cards of a file, and a refusal in the place of what can't be taken.

    Raises Refused where the file as a whole isn't made of cards.
    """
    text = _unfold(data, limits)
    try:
        roots = parse(text, limits, bare=True)
    except Refused as error:
        raise _placed(error, text) from error
    found: list[Card | Refused] = []
    for root in roots:
        try:
            found.append(_card(root, limits))
        except Refused as error:
            uid = root.find("UID")
            refused = _placed(error, text)
            refused.uid = uid.value.strip() if uid is not None else ""
            found.append(refused)
    return found


def decode_all(data: bytes | str, *, limits: Limits = IMPORT) -> list[Contact | Refused]:
    """Return the contacts of a file; see `read_all`."""
    return [
        found.item if isinstance(found, Card) else found for found in read_all(data, limits=limits)
    ]


def _unfold(data: bytes | str, limits: Limits) -> Text:
    """Unfold a text; old cards break quoted-printable lines with `=` and use other encodings."""
    if isinstance(data, str) and len(data) <= limits.size:
        data = data.encode("utf-8", "replace")
    if isinstance(data, str) or len(data) > limits.size or b"QUOTED-PRINTABLE" not in data.upper():
        return unfold(data, limits, fallback="cp1252")
    lines: list[bytes] = []
    soft = False
    for line in data.replace(b"\r\n", b"\n").split(b"\n"):
        if soft:
            lines[-1] += b"=\x1a" + line
        else:
            lines.append(line)
        head = lines[-1][:200].upper()
        soft = line.endswith(b"=") and b"QUOTED-PRINTABLE" in head
        if soft:
            lines[-1] = lines[-1][:-1]
    joined = b"\n".join(line.replace(b"=\x1a", b"") for line in lines)
    return unfold(joined, limits, fallback="cp1252")


def _card(root: Component, limits: Limits) -> Card:
    if root.name != "VCARD":
        raise Refused(f"{root.name} is no card", line=root.number)
    if root.bad is not None:
        raise root.bad
    if root.children:
        raise Refused("a card inside a card isn't supported", line=root.children[0].number)
    props: Props = {}
    for line in root.lines:
        one = entry(_plain(line))
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
        if lines != [write_photo(photo, None, ours, limits)]:
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


def _plain(line: Line) -> Line:
    """Return a line of an old card with its value decoded (vCard 2.1 section 2.1.1)."""
    encoding = line.param("ENCODING").upper()
    bare = "QUOTED-PRINTABLE" in (kind.upper() for kind in line.params.get("TYPE", ()))
    if encoding != "QUOTED-PRINTABLE" and not bare:
        if "CHARSET" not in line.params:
            return line
        return line._replace(params={k: v for k, v in line.params.items() if k != "CHARSET"})
    charset = line.param("CHARSET", "utf-8").lower()
    value = quopri.decodestring(line.value.encode("utf-8", "replace"))
    text = _decoded(value, charset).replace("\r\n", "\n").replace("\r", "\n")
    params = {k: v for k, v in line.params.items() if k not in ("ENCODING", "CHARSET")}
    if bare:
        kinds = tuple(kind for kind in params["TYPE"] if kind.upper() != "QUOTED-PRINTABLE")
        params["TYPE"] = kinds
    clean = "".join(c for c in text if c in "\n\t" or ord(c) >= 32)
    return line._replace(value=clean.replace("\n", "\\n"), params=params)


def _decoded(value: bytes, charset: str) -> str:
    for name in (_ENCODINGS.get(charset, charset), "utf-8"):
        try:
            return value.decode(name)
        except (LookupError, UnicodeDecodeError, ValueError):
            continue
    return value.decode("cp1252", "replace")


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


def _placed(error: Refused, text: Text) -> Refused:
    line = text.physical(error.line) if error.line else 0
    return Refused(error.reason, prop=error.prop, line=line, uid=error.uid)
