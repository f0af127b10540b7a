"""Items as a device has them, and what a device's text changes in the item that the CRM has.

A device never takes away what its type, or the device itself, can't hold: what counts as changed
is the difference to what the device had been sent.
"""

from __future__ import annotations

import uuid
from typing import Any

from msgspec.structs import replace

from accord.formats import mime, types
from accord.formats.errors import Refused
from accord.formats.types import Format
from accord.interface.server import quirks
from accord.interface.server.stores import MAIL
from accord.model.diff import diff, patch
from accord.model.fields import is_empty
from accord.model.item import Absence, Contact, Event, Item, Mail, PostalAddress, kind_of
from accord.model.kinds import Kind
from accord.rules.shape import absence_of, out_of_office

_NOWHERE = PostalAddress(type="")


def write(item: Item, form: Format, ref: str = "") -> str:
    """Return an item as the text of a type; raises Refused where the type can't hold it."""
    if not item.uid:
        item = patch(item, {"uid": ref or uuid.uuid4().hex})
    if isinstance(item, Mail):
        return mime.write(item)
    if isinstance(item, Absence):
        item = out_of_office(item)
    return types.encode(quirks.shown(item), form.type, form.version).decode()


def read(data: str | bytes, media_type: str, kind: Kind) -> Item:
    """Return the item of a kind in a device's text; raises Refused."""
    if kind is Kind.MAIL:
        if media_type.partition(";")[0].strip().lower() != MAIL.type:
            raise Refused(f"mails come as {MAIL.type}")
        return mime.read(data)
    item: Item = types.decode(data, media_type)
    if kind is Kind.ABSENCE and isinstance(item, Event):
        item = _absence(item)
    if isinstance(item, Contact):
        item = _without_blanks(item)
    if kind_of(item) is not kind:
        raise Refused(f"that is no {kind} but a {kind_of(item)}")
    return quirks.plain(item)


def supported(kind: Kind, properties: frozenset[str]) -> frozenset[str]:
    """Return the fields that a device keeps, by its properties; without those it keeps all."""
    table = _PROPERTIES.get(kind, {})
    lost = {name for name, needed in table.items() if properties and not properties & needed}
    return frozenset(name for name in _fields(kind) if name not in lost)


def changed(stored: Item, given: Item, form: Format, keeps: frozenset[str]) -> dict[str, Any]:
    """Return the fields that a device's item changes in the stored one, with their new values.

    `form` is the type that the device had it in, `keeps` the fields that the device keeps.
    """
    kind = kind_of(stored)
    seen = read(write(stored, form), form.type, kind)
    values: dict[str, Any] = {}
    for name in diff(seen, given):
        if name == "extras" or (name not in keeps and is_empty(given, name)):
            continue
        old, new = getattr(stored, name), getattr(given, name)
        values[name] = _entries(old, getattr(seen, name), new)
    if kind is Kind.ABSENCE:
        values.pop("absence_kind", None)
        values.pop("outside_message", None)
    return quirks.settle(stored, given, values)


def fresh(given: Item) -> Item:
    """Return a device's item as one to create."""
    return given if given.uid else patch(given, {"uid": str(uuid.uuid4())})


def _entries(stored: Any, seen: Any, given: Any) -> Any:
    """Keep of a list what the device left alone as it is stored, not as the device had it."""
    lists = all(isinstance(each, tuple) for each in (stored, seen, given))
    if not lists or len(stored) != len(seen):
        return given
    # By their texts, since some hold what has no hash; of equal ones the first stays first.
    left: dict[str, list[Any]] = {}
    for was, now in zip(reversed(seen), reversed(stored), strict=True):
        left.setdefault(repr(was), []).append(now)
    found = ((entry, left.get(repr(entry))) for entry in given)
    return tuple(kept.pop() if kept else entry for entry, kept in found)


def _without_blanks(contact: Contact) -> Contact:
    """Return a contact without the empty properties that many devices send for all they know."""
    photo = contact.photo
    return replace(
        contact,
        mails=tuple(one for one in contact.mails if one.address),
        phones=tuple(one for one in contact.phones if one.number),
        addresses=tuple(
            one for one in contact.addresses if replace(one, type="", preferred=False) != _NOWHERE
        ),
        urls=tuple(one for one in contact.urls if one),
        photo=photo if photo is not None and (photo.uri or photo.digest) else None,
    )


def _absence(event: Event) -> Absence:
    if event.recurs:
        raise Refused("an absence doesn't repeat")
    message = event.body.text if event.body else ""
    more = {"categories": event.categories, "privacy": event.privacy, "message": message}
    return replace(absence_of(event), **more)


def _fields(kind: Kind) -> tuple[str, ...]:
    from accord.model.fields import FIELDS

    return tuple(FIELDS[kind])


_CONTACT = {
    "nickname": {"NICKNAME"},
    "organization": {"ORG"},
    "department": {"ORG"},
    "job_title": {"TITLE", "ROLE"},
    "mails": {"EMAIL"},
    "phones": {"TEL"},
    "addresses": {"ADR"},
    "urls": {"URL"},
    "birthday": {"BDAY"},
    "anniversary": {"ANNIVERSARY", "X-ANNIVERSARY", "X-EVOLUTION-ANNIVERSARY"},
    "notes": {"NOTE"},
    "photo": {"PHOTO"},
    "categories": {"CATEGORIES"},
    "privacy": {"CLASS"},
}
_BOTH = {
    "title": {"SUMMARY"},
    "body": {"DESCRIPTION"},
    "rule": {"RRULE"},
    "exdates": {"EXDATE"},
    "status": {"STATUS"},
    "priority": {"PRIORITY"},
    "reminders": {"VALARM", "AALARM", "DALARM", "MALARM"},
    "attachments": {"ATTACH"},
    "categories": {"CATEGORIES"},
    "privacy": {"CLASS"},
    "organizer": {"ORGANIZER"},
}
_PROPERTIES: dict[Kind, dict[str, set[str]]] = {
    Kind.CONTACT: _CONTACT,
    Kind.EVENT: {
        **_BOTH,
        "rdates": {"RDATE"},
        "overrides": {"RECURRENCE-ID"},
        "location": {"LOCATION"},
        "url": {"URL"},
        "busy": {"TRANSP"},
        "attendees": {"ATTENDEE"},
        "people": {"X-ACCORD-PEOPLE"},
        "online_meeting": {"CONFERENCE", "X-ACCORD-CONFERENCE"},
        "split_from": {"RELATED-TO"},
    },
    Kind.TASK: {
        **_BOTH,
        "start": {"DTSTART"},
        "due": {"DUE"},
        "percent": {"PERCENT-COMPLETE"},
        "completed": {"COMPLETED"},
        "assignee": {"ATTENDEE"},
    },
    Kind.ABSENCE: {"message": {"DESCRIPTION"}, "categories": {"CATEGORIES"}, "privacy": {"CLASS"}},
}
