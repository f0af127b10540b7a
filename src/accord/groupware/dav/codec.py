"""Texts on the server to items and back, with what Accord writes beside an item.

`sync` and `find` decode with this, `write` encodes. `formats` knows the syntax and the marker;
this adds the key and who mails attendees (`silence`).
"""

from __future__ import annotations

import hashlib
import re
import uuid
from datetime import datetime
from enum import StrEnum

import msgspec
from msgspec import Struct

from accord.formats import ical, vcard
from accord.formats.errors import Refused
from accord.formats.lines import escape, unescape
from accord.groupware.dav import photos, shield, silence
from accord.model.diff import patch
from accord.model.item import Contact, Event, Item, Task
from accord.model.kinds import Kind
from accord.ports.adapter import Revision
from accord.ports.errors import Rejected
from accord.ports.fault import contained

KEY = "X-ACCORD-KEY"
MARKER = "X-ACCORD-ID"

_COMPONENTS = {Kind.EVENT: "VEVENT", Kind.TASK: "VTODO"}
_OTHERS = ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY")
_SUFFIX = {Kind.EVENT: ".ics", Kind.TASK: ".ics", Kind.CONTACT: ".vcf"}
_NAMESPACE = uuid.UUID("6f0d1a52-3b4e-5c1f-9d0a-0d5f9c6f7a11")
_FLAGS = re.MULTILINE | re.IGNORECASE
_UNFOLD = re.compile(r"\r?\n[ \t]")
_CLASS = re.compile(r"^[ \t]*CLASS\b[^:\n]*:?[ \t]*(.*?)\s*$", _FLAGS)
_LONGEST = 400


class Unreadable(Exception):
    """The text is no item that we understand; the message says why."""


class Agent(StrEnum):
    """Say who is to mail attendees: the server, nobody, or whoever does now."""

    SERVER = "server"
    NONE = "none"
    KEEP = "keep"


class Content(Struct, frozen=True):
    """Be what a text holds: the item, and what Accord wrote beside it.

    `silent` says that the server mails nobody about it: no attendee is the server's to mail,
    and where there is no attendee yet, Accord made the item and keeps it so.
    """

    item: Item
    marker: str = ""
    key: str = ""
    modified: datetime | None = None
    silent: bool = False


class Glimpse(Struct, frozen=True):
    """Be what shows of an unreadable text; of one that may be private there is no title.

    `ours` says that it is a copy Accord made which may be written over: it is not private, and
    the server mails nobody about it.
    """

    uid: str
    title: str
    private: bool
    ours: bool


def resource_name(kind: Kind, key: str) -> str:
    """Return the name under which the item of an idempotency key lies."""
    return hashlib.sha256(key.encode()).hexdigest()[:40] + _SUFFIX[kind]


def holds(kind: Kind, text: str) -> bool:
    """Tell whether a text is of this kind; one that is of no kind at all counts as any."""
    if kind is Kind.CONTACT or _begins(text, _COMPONENTS[kind]):
        return True
    return not any(_begins(text, other) for other in _OTHERS)


def value_of(text: str, name: str) -> str:
    """Return the value of the first property of a name, unescaped; empty where there is none."""
    found = re.search(rf"^{re.escape(name)}(?:;[^:\n]*)?:(.*(?:\r?\n[ \t].*)*)", text, _FLAGS)
    return unescape(re.sub(r"\r?\n[ \t]", "", found[1]).strip()) if found else ""


def decode(kind: Kind, text: str) -> Content:
    """Return what a text holds; raises Unreadable, whatever is wrong with the text or with us."""
    try:
        return _decoded(kind, text)
    except Unreadable:
        raise
    except Refused as why:
        raise Unreadable(str(why)) from why
    except Exception as fault:
        # The edge: one item must not stop all others.
        raise Unreadable(str(contained(fault, f"reading one {kind}"))) from fault


def glimpse(text: str) -> Glimpse:
    """Return what can be made out of a text that isn't understood; raises nothing.

    Private is what says so anywhere: in a broken text nobody knows what belongs together.
    """
    told = {each.upper() for each in _CLASS.findall(_UNFOLD.sub("", text))}
    private = bool(told - {"PUBLIC"})
    title = "" if private else value_of(text, "SUMMARY") or value_of(text, "FN")
    ours = bool(value_of(text, KEY)) and not private and _silent(text)
    return Glimpse(value_of(text, "UID")[:_LONGEST], title[:_LONGEST], private, ours)


def new_body(
    kind: Kind,
    item: Item,
    *,
    key: str,
    marker: str,
    agents: Agent,
    own: frozenset[str],
    vcard4: bool,
) -> bytes:
    """Return the text of an item to be created; `own` are the person's addresses.

    An item without a UID gets one that follows from its key. Raises Rejected.
    """
    if not item.uid:
        item = patch(item, {"uid": str(uuid.uuid5(_NAMESPACE, key))})
    text = _encode(kind, item, key, marker, "", vcard4=vcard4)
    if agents is Agent.NONE and kind is not Kind.CONTACT:
        return silence.with_agents(text.decode(), silence.nobody(own)).encode()
    return text


def changed_body(
    kind: Kind,
    stored: str,
    item: Item,
    *,
    key: str,
    marker: str,
    agents: Agent,
    own: frozenset[str],
) -> bytes:
    """Return the text that takes the place of `stored`; raises Rejected."""
    text = _encode(kind, item, key, marker, stored, vcard4=False)
    match agents:
        case _ if kind is Kind.CONTACT:
            return text
        case Agent.KEEP:
            choose = silence.as_before(stored)
        case Agent.NONE:
            choose = silence.nobody(own)
        case Agent.SERVER:
            return text
    return silence.with_agents(text.decode(), choose).encode()


def revised(stands: Item, revision: Revision) -> Item:
    """Return what stands there with the fields of a revision changed, and nothing else."""
    item = patch(stands, {name: getattr(revision.after, name) for name in revision.changed})
    if isinstance(stands, Event) and isinstance(item, Event):
        return ical.revised(stands, item)
    return item


def _decoded(kind: Kind, text: str) -> Content:
    if kind is Kind.CONTACT:
        card = vcard.read(shield.lowered(text), limits=photos.READING)
        item, key = _without_key(photos.named(card.item))
        return Content(item, card.marker, key, card.modified, silent=True)
    document = ical.read(shield.lowered(silence.without_server_state(text)))
    if isinstance(document.item, Event) != (kind is Kind.EVENT):
        raise Unreadable(f"there is no {kind} in it")
    item, key = _without_key(document.item)
    silent = silence.is_silent(text, made_here=bool(key))
    return Content(item, document.marker, key, document.modified, silent)


def _silent(text: str) -> bool:
    try:
        return silence.is_silent(text, made_here=True)
    except Refused:
        return False


def _begins(text: str, component: str) -> bool:
    begin = f"BEGIN:{component}"
    return begin in text or (begin.lower() in text.lower())


def _namespace(item: Item) -> str:
    return "vcard:" if isinstance(item, Contact) else "ical:"


def _without_key(item: Item) -> tuple[Item, str]:
    key = item.extras.get(_namespace(item) + KEY)
    if key is None:
        return item, ""
    extras = {name: value for name, value in item.extras.items() if value is not key}
    return msgspec.structs.replace(item, extras=extras), unescape(str(key))


def _encode(kind: Kind, item: Item, key: str, marker: str, stored: str, *, vcard4: bool) -> bytes:
    if key:
        extras = {**item.extras, _namespace(item) + KEY: escape(key)}
        item = msgspec.structs.replace(item, extras=extras)
    try:
        if isinstance(item, Contact):
            version = "4.0" if vcard4 or value_of(stored, "VERSION") == "4.0" else "3.0"
            item = photos.whole(item, stored)
            return shield.raised(vcard.encode(item, marker=marker, version=version), card=True)
        if isinstance(item, Event | Task):
            body = ical.encode(item, marker=marker, before=stored.encode())
            return shield.raised(body, card=False)
    except Refused as why:
        raise Rejected(str(why), code="format") from why
    raise Rejected(f"a DAV server doesn't hold items of kind {kind}", code="kind")
