"""Items as columns and back: scalars as they are, structures as canonical JSON.

Participants are rows of their own (`participants`); everything else of an item is here.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from accord.model.fields import default_of
from accord.model.item import (
    CLASSES,
    Extras,
    Item,
    Mailto,
    Phone,
    PostalAddress,
    TaskStatus,
)
from accord.model.kinds import Kind
from accord.model.learning import learnt
from accord.model.parts import Attachment, Body, BodyType, Person, Privacy, Reminder
from accord.model.recurrence import Busy, EventStatus, Override, RecurrenceRule


class Part(NamedTuple):
    """Be one field of an item and the columns that hold it."""

    field: str
    columns: tuple[str, ...]
    write: Callable[[Any], tuple[Any, ...]]
    read: Callable[..., Any]


class Layout(NamedTuple):
    """Be the columns of a kind in order: those that are the field itself, others, pairs."""

    plain: tuple[str, ...]
    single: tuple[Part, ...]
    pairs: tuple[Part, ...]


def columns(kind: Kind) -> tuple[str, ...]:
    """Return the names of the columns of a kind, in the order in which `decode` wants them."""
    plain, single, pairs = _LAYOUTS[kind]
    return plain + tuple(name for part in (*single, *pairs) for name in part.columns)


def encode(kind: Kind, item: Item) -> dict[str, Any]:
    """Return the columns of an item."""
    plain, single, pairs = _LAYOUTS[kind]
    row = {name: getattr(item, name) for name in plain}
    for part in (*single, *pairs):
        row.update(zip(part.columns, part.write(getattr(item, part.field)), strict=True))
    return row


def decode(kind: Kind, values: Sequence[Any], **more: Any) -> Item:
    """Return the item in `values`, ordered as `columns`; `more` are fields kept elsewhere."""
    plain, single, pairs = _LAYOUTS[kind]
    more.update(zip(plain, values, strict=False))
    at = len(plain)
    for part in single:
        more[part.field] = part.read(values[at])
        at += 1
    for part in pairs:
        more[part.field] = part.read(values[at], values[at + 1])
        at += 2
    item: Item = CLASSES[kind](**more)
    return item


def pack(value: Any) -> str | None:
    """Return the JSON of a structured value; None where it says nothing."""
    return _ENCODER.encode(value).decode() if value else None


def reminders(text: str | None) -> tuple[Reminder, ...]:
    """Return the reminders in JSON."""
    return _REMINDERS.decode(text) if text else ()


def strings(text: str | None) -> tuple[str, ...]:
    """Return the strings in JSON."""
    return _STRINGS.decode(text) if text else ()


def new_id() -> str:
    """Return a new id; ids sort by the time they were made, so that indexes grow at one end."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


_ENCODER = msgspec.json.Encoder(order="deterministic")
_STRINGS: msgspec.json.Decoder[tuple[str, ...]] = msgspec.json.Decoder(learnt(tuple[str, ...]))
_REMINDERS: msgspec.json.Decoder[tuple[Reminder, ...]] = msgspec.json.Decoder(
    learnt(tuple[Reminder, ...])
)


def _choice(name: str, words: type[StrEnum]) -> Part:
    known = {str(word): word for word in words}
    return Part(name, (name,), lambda value: (str(value),), known.__getitem__)


def _structure(kind: Kind, name: str, type_: Any) -> Part:
    decoder = msgspec.json.Decoder(learnt(type_))
    empty = default_of(kind, name)
    read = decoder.decode

    def unpack(text: str | None) -> Any:
        return empty if text is None else read(text)

    return Part(name, (name,), lambda value: (pack(value),), unpack)


def _body() -> Part:
    types = {str(word): word for word in BodyType}

    def write(body: Body | None) -> tuple[Any, ...]:
        return (None, None) if body is None else (body.text, str(body.type))

    def read(text: str | None, type_: str | None) -> Body | None:
        return None if text is None else Body(text=text, type=types[str(type_)])

    return Part("body", ("body", "body_type"), write, read)


def _person(name: str) -> Part:
    def write(person: Person | None) -> tuple[Any, ...]:
        return (None, None) if person is None else (person.address, person.name)

    def read(address: str | None, title: str | None) -> Person | None:
        return None if address is None else Person(address=address, name=title or "")

    return Part(name, (f"{name}_address", f"{name}_name"), write, read)


def _structures(kind: Kind, **types: Any) -> list[Part]:
    return [_structure(kind, name, type_) for name, type_ in types.items()]


def _layout(kind: Kind) -> Layout:
    plain, parts = _OWN[kind](kind)
    common = _structures(kind, categories=tuple[str, ...], extras=Extras)
    every = [_choice("privacy", Privacy), *common, *parts]
    return Layout(
        ("uid", *plain),
        tuple(part for part in every if len(part.columns) == 1),
        tuple(part for part in every if len(part.columns) == 2),
    )


def _event(kind: Kind) -> tuple[tuple[str, ...], list[Part]]:
    times = ("start", "end", "time_zone", "end_time_zone", "all_day")
    texts = ("title", "location", "online_meeting", "url", "priority", "sequence", "split_from")
    return (*times, *texts), [
        _choice("status", EventStatus),
        _choice("busy", Busy),
        _body(),
        _person("organizer"),
        *_structures(
            kind,
            rule=RecurrenceRule,
            rdates=tuple[datetime, ...],
            exdates=tuple[datetime, ...],
            overrides=tuple[Override, ...],
            reminders=tuple[Reminder, ...],
            attachments=tuple[Attachment, ...],
        ),
    ]


def _task(kind: Kind) -> tuple[tuple[str, ...], list[Part]]:
    times = ("start", "due", "time_zone", "all_day", "completed")
    return (*times, "title", "percent", "priority"), [
        _choice("status", TaskStatus),
        _body(),
        _person("assignee"),
        _person("organizer"),
        *_structures(
            kind,
            rule=RecurrenceRule,
            exdates=tuple[datetime, ...],
            reminders=tuple[Reminder, ...],
            attachments=tuple[Attachment, ...],
        ),
    ]


def _contact(kind: Kind) -> tuple[tuple[str, ...], list[Part]]:
    names = ("full_name", "prefix", "given", "middle", "family", "suffix", "nickname")
    rest = ("organization", "department", "job_title", "birthday", "anniversary", "notes")
    return (*names, *rest), _structures(
        kind,
        mails=tuple[Mailto, ...],
        phones=tuple[Phone, ...],
        addresses=tuple[PostalAddress, ...],
        urls=tuple[str, ...],
        photo=Attachment,
    )


def _absence(_kind: Kind) -> tuple[tuple[str, ...], list[Part]]:
    times = ("start", "end", "time_zone", "all_day")
    return (*times, "title", "absence_kind", "message", "outside_message"), []


_OWN: dict[Kind, Callable[[Kind], tuple[tuple[str, ...], list[Part]]]] = {
    Kind.EVENT: _event,
    Kind.TASK: _task,
    Kind.CONTACT: _contact,
    Kind.ABSENCE: _absence,
}
_LAYOUTS = {kind: _layout(kind) for kind in _OWN}
