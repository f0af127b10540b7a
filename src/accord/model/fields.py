"""The field table: for every field of every kind, how it compares and how it merges.

Rules, engine and documentation read it; a new field is not part of Accord until it stands here.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from accord.model.item import CLASSES, Item, kind_of
from accord.model.kinds import Kind
from accord.model.parts import Body, Person, links


class Merge(StrEnum):
    """Name how two changes of one field come together.

    replace: they clash · set: values added and removed on either side · keyed: entry by entry
    under a key · overrides: occurrence by occurrence while the schedule is unchanged ·
    extras: own field by own field.
    """

    REPLACE = "replace"
    SET = "set"
    KEYED = "keyed"
    OVERRIDES = "overrides"
    EXTRAS = "extras"


class Compare(StrEnum):
    """Name what counts as equal.

    links: attachments by their addresses; files that a side keeps itself travel by themselves.
    link: one attachment, likewise.
    """

    EXACT = "exact"
    TEXT = "text"
    CASEFOLD = "casefold"
    BODY = "body"
    UNORDERED = "unordered"
    PERSON = "person"
    PEOPLE = "people"
    EXTRAS = "extras"
    LINKS = "links"
    LINK = "link"


class FieldSpec(Struct, frozen=True, kw_only=True):
    """Describe one field.

    `group` names fields that clash and win together because halves make nonsense. `personal`
    fields belong to one mailbox: editing them doesn't beat a deletion. `visible` fields are
    those whose change a scheduling server mails to attendees. `occurrence` fields may differ
    in one occurrence of a series.
    """

    name: str
    label: str
    compare: Compare = Compare.EXACT
    merge: Merge = Merge.REPLACE
    group: str = ""
    personal: bool = False
    visible: bool = False
    occurrence: bool = False

    @property
    def clash_group(self) -> str:
        """Return the name under which this field clashes: its group, else its own name."""
        return self.group or self.name


def _spec(name: str, label: str, compare: Compare = Compare.EXACT, **more: Any) -> FieldSpec:
    return FieldSpec(name=name, label=label, compare=compare, **more)


_COMMON = (
    _spec("categories", "Categories", Compare.UNORDERED, merge=Merge.SET, personal=True),
    _spec("privacy", "Privacy"),
    _spec("extras", "Own fields", Compare.EXTRAS, merge=Merge.EXTRAS),
)

_SCHEDULE: dict[str, Any] = {"group": "schedule", "visible": True, "occurrence": True}
_NAME: dict[str, Any] = {"group": "name"}
_STATUS: dict[str, Any] = {"group": "status"}

_EVENT = (
    _spec("title", "Title", Compare.TEXT, visible=True, occurrence=True),
    _spec("start", "Start", **_SCHEDULE),
    _spec("end", "End", **_SCHEDULE),
    _spec("time_zone", "Time zone", **_SCHEDULE),
    _spec("end_time_zone", "Time zone of the end", **_SCHEDULE),
    _spec("all_day", "All day", **_SCHEDULE),
    _spec("rule", "Recurrence", group="schedule", visible=True),
    _spec("rdates", "Extra dates", Compare.UNORDERED, group="schedule", visible=True),
    _spec("exdates", "Left-out dates", Compare.UNORDERED, merge=Merge.SET, visible=True),
    _spec(
        "overrides", "Changed occurrences", Compare.UNORDERED, merge=Merge.OVERRIDES, visible=True
    ),
    _spec("body", "Text", Compare.BODY, occurrence=True),
    _spec("location", "Place", Compare.TEXT, visible=True, occurrence=True),
    _spec("online_meeting", "Online meeting", occurrence=True),
    _spec("url", "Link"),
    _spec("status", "Status", visible=True, occurrence=True),
    _spec("busy", "Show as", personal=True, occurrence=True),
    _spec("priority", "Priority"),
    _spec("reminders", "Reminders", Compare.UNORDERED, personal=True, occurrence=True),
    _spec("organizer", "Organizer", Compare.PERSON, visible=True),
    _spec(
        "attendees", "Attendees", Compare.PEOPLE, merge=Merge.KEYED, visible=True, occurrence=True
    ),
    _spec("people", "People", Compare.PEOPLE, merge=Merge.KEYED),
    _spec("attachments", "Attachments", Compare.LINKS, merge=Merge.SET, occurrence=True),
    _spec("split_from", "Split from"),
)

_TASK = (
    _spec("title", "Title", Compare.TEXT),
    _spec("start", "Start", group="schedule"),
    _spec("due", "Due", group="schedule"),
    _spec("time_zone", "Time zone", group="schedule"),
    _spec("all_day", "All day", group="schedule"),
    _spec("rule", "Recurrence", group="schedule"),
    _spec("exdates", "Left-out dates", Compare.UNORDERED, merge=Merge.SET),
    _spec("body", "Text", Compare.BODY),
    _spec("status", "Status", **_STATUS),
    _spec("percent", "Percent done", **_STATUS),
    _spec("completed", "Completed at", **_STATUS),
    _spec("priority", "Priority"),
    _spec("reminders", "Reminders", Compare.UNORDERED, personal=True),
    _spec("assignee", "Assignee", Compare.PERSON),
    _spec("organizer", "Assigned by", Compare.PERSON),
    _spec("attachments", "Attachments", Compare.LINKS, merge=Merge.SET),
)

_CONTACT = (
    _spec("full_name", "Full name", Compare.TEXT, **_NAME),
    _spec("prefix", "Title before the name", Compare.TEXT, **_NAME),
    _spec("given", "Given name", Compare.TEXT, **_NAME),
    _spec("middle", "Middle names", Compare.TEXT, **_NAME),
    _spec("family", "Family name", Compare.TEXT, **_NAME),
    _spec("suffix", "Suffix", Compare.TEXT, **_NAME),
    _spec("nickname", "Nickname", Compare.TEXT),
    _spec("organization", "Organization", Compare.TEXT),
    _spec("department", "Department", Compare.TEXT),
    _spec("job_title", "Job title", Compare.TEXT),
    _spec("mails", "E-mail addresses", Compare.UNORDERED, merge=Merge.KEYED),
    _spec("phones", "Phone numbers", Compare.UNORDERED, merge=Merge.KEYED),
    _spec("addresses", "Postal addresses", Compare.UNORDERED, merge=Merge.KEYED),
    _spec("urls", "Web pages", Compare.UNORDERED, merge=Merge.SET),
    _spec("birthday", "Birthday"),
    _spec("anniversary", "Anniversary"),
    _spec("notes", "Notes", Compare.TEXT),
    _spec("photo", "Photo", Compare.LINK),
)

_ABSENCE = (
    _spec("title", "Title", Compare.TEXT),
    _spec("start", "Start", group="schedule"),
    _spec("end", "End", group="schedule"),
    _spec("time_zone", "Time zone", group="schedule"),
    _spec("all_day", "All day", group="schedule"),
    _spec("absence_kind", "Kind of absence", Compare.CASEFOLD),
    _spec("message", "Message to colleagues", Compare.TEXT),
    _spec("outside_message", "Message to others", Compare.TEXT),
)

_MAIL = (
    _spec("subject", "Subject"),
    _spec("sent", "Sent"),
    _spec("received", "Received"),
    _spec("sender", "From", Compare.PERSON),
    _spec("to", "To", Compare.PEOPLE),
    _spec("cc", "Cc", Compare.PEOPLE),
    _spec("bcc", "Bcc", Compare.PEOPLE),
    _spec("in_reply_to", "In reply to"),
    _spec("references", "References"),
    _spec("body", "Text", Compare.BODY),
    _spec("attachments", "Attachments", Compare.UNORDERED),
    _spec("mime", "Original"),
    _spec("size", "Size"),
)

FIELDS: dict[Kind, dict[str, FieldSpec]] = {
    kind: {spec.name: spec for spec in (*specs, *_COMMON)}
    for kind, specs in {
        Kind.EVENT: _EVENT,
        Kind.TASK: _TASK,
        Kind.CONTACT: _CONTACT,
        Kind.ABSENCE: _ABSENCE,
        Kind.MAIL: _MAIL,
    }.items()
}
"""Every synchronized field by kind and name. `uid` and `sequence` identify and are never merged."""


def default_of(kind: Kind, field: str) -> Any:
    """Return the value of a field that says nothing; None for required ones."""
    return _DEFAULTS[kind][field]


def is_empty(item: Item, field: str) -> bool:
    """Tell whether `field` of `item` says nothing."""
    return bool(same(kind_of(item), field, getattr(item, field), default_of(kind_of(item), field)))


def same(kind: Kind, field: str, one: Any, other: Any) -> bool:
    """Tell whether two values of a field count as equal."""
    canonical = _CANONICAL[FIELDS[kind][field].compare]
    return bool(one == other or canonical(one) == canonical(other))


def entry_key(field: str, entry: Any) -> str:
    """Return the key under which one entry of a keyed field merges."""
    match field:
        case "attendees" | "people":
            return str(entry.address or entry.name).casefold()
        case "mails":
            return str(entry.address).casefold()
        case "phones":
            digits = "".join(c for c in entry.number if c.isdigit() or c in "+*#")
            return digits or str(entry.number)
        case "addresses":
            return str(entry.type)
        case _:
            return repr(entry)


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default is not msgspec.NODEFAULT:
        return field.default
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return None


def _text(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    lines = (line.rstrip() for line in value.replace("\r\n", "\n").split("\n"))
    return "\n".join(lines).strip("\n")


def _body(value: Any) -> Any:
    if value is None or not value.text.strip():
        return None
    return Body(text=_text(value.text), type=value.type)


def _person(value: Any) -> Any:
    if value is None or value == Person():
        return None
    return value.address.casefold() or value.name


def _people(value: Any) -> Any:
    return frozenset(_one_person(entry) for entry in value)


def _one_person(entry: Any) -> Any:
    if isinstance(entry, Person):
        return _person(entry)
    role = (entry.role, entry.reply, entry.attendee_kind)
    return (entry.address.casefold(), *role)


_CANONICAL: dict[Compare, Callable[[Any], Any]] = {
    Compare.EXACT: lambda value: value,
    Compare.TEXT: _text,
    Compare.CASEFOLD: lambda value: value.casefold() if isinstance(value, str) else value,
    Compare.BODY: _body,
    Compare.UNORDERED: lambda value: sorted(map(repr, value)) if value else [],
    Compare.PERSON: _person,
    Compare.PEOPLE: _people,
    Compare.LINKS: lambda value: sorted(map(repr, links(value))) if value else [],
    Compare.LINK: lambda value: value if value and value.uri and not value.stored else None,
    Compare.EXTRAS: lambda value: {k: v for k, v in value.items() if v is not None},
}

_DEFAULTS: dict[Kind, dict[str, Any]] = {
    kind: {field.name: _default(field) for field in msgspec.structs.fields(cls)}
    for kind, cls in CLASSES.items()
}
