"""The port's own values as canonical JSON: what connector and CRM.interface say to each other.

`crm/syncml` writes what `interface/connector` reads, and the other way round. Texts are fit for XML
as they are, names fit for LocURI, Version and Anchor.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, TypeVar
from urllib.parse import quote, unquote

import msgspec
from msgspec import Raw, Struct

from accord.model.canonical import InvalidItem
from accord.model.item import Item
from accord.model.learning import learnt
from accord.model.observe import (
    Deleted,
    Denied,
    Moved,
    Observation,
    OutOfScope,
    Seen,
    Snapshot,
    Unchanged,
    Unknown,
)
from accord.ports import errors
from accord.ports.adapter import Draft, Removal, Revision, Written

TYPE = "application/vnd.accord.item+json"

MAKER = "Accord"
MODEL = "connector"
"""Who a peer says it is (Man and Mod of its device information) to be offered these stores."""

SEEN = "seen"

PIECE = "piece"
LAST_PIECE = "last"
"""The sorts of the pieces of a file: what follows on it, or nothing."""

T = TypeVar("T")
_ENCODER = msgspec.json.Encoder(order="deterministic")


class Told(Struct, frozen=True):
    """Be an observation on the way: its sort (Meta/Mark), its version (Meta/Version), its text.

    Of an item that is there only sort and version may be told; then `text` is None.
    """

    sort: str
    version: str
    text: str | None


class Content(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Be what a snapshot holds beside ref and version, which stand around it."""

    item: Item
    marker: str = ""
    key: str = ""
    modified: datetime | None = None
    folder: str = ""
    by: str = ""
    readonly: bool = False
    silent: bool = False


class NewItem(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Be a draft; its key stands beside it, as the name the peer has for the item."""

    item: Item
    marker: str = ""
    notify: bool = False


class Edit(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Be a revision: the new value of each field that changes, an emptied one as its empty value.

    What isn't named stays as it is. The ref and the version that must stand are beside it.
    """

    values: dict[str, Raw]
    marker: str = ""
    notify: bool = False


class Wish(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Be what else is wished of an item: a marker to store, or that a removal may send mail."""

    marker: str = ""
    notify: bool = False


class Keeping(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Say how many bytes the files on one item may have together."""

    room: int


class NewFile(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Be a file to hang on an item; `content` is in base64."""

    name: str
    content: str
    media_type: str = ""
    digest: str = ""


class OldFile(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Be a file to take off an item; `forget` its bytes, too, where they are kept."""

    uri: str
    forget: bool = False


class Failure(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Be an error by reaction (`ports.errors`), with what its kind adds."""

    error: str
    message: str
    code: str = ""
    after: float = 0.0
    field: str = ""
    hint: str = ""


class Self(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Say which CRM it is, and its highest revision where it counts them."""

    instance: str
    revision: int = 0


ERRORS: dict[str, type[errors.AccordError]] = {
    "retry": errors.Retry,
    "sign-in": errors.AuthFailed,
    "configuration": errors.ConfigError,
    "cursor": errors.CursorExpired,
    "stale": errors.Stale,
    "gone": errors.Gone,
    "denied": errors.Denied,
    "rejected": errors.Rejected,
}
"""The errors by the names they have on the way."""

_OTHERS: dict[str, Any] = {
    str(one.__struct_config__.tag): one
    for one in (Unchanged, Deleted, Moved, OutOfScope, Denied, Unknown)
}


def encode(value: Any) -> str:
    """Return a value of the port, or several, as JSON."""
    return _text(_ENCODER.encode(value))


def decode(text: str, type_: type[T]) -> T:
    """Return the value of a type in JSON; raises InvalidItem naming the field."""
    try:
        return msgspec.json.decode(text, type=learnt(type_))
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeError) as error:
        raise InvalidItem(str(error)) from error


def name(text: str) -> str:
    """Return any text as a name that survives as LocURI, Version or Anchor; never empty."""
    quoted = quote(text, safe=_PLAIN)
    return {"": ".", ".": "%2E"}.get(quoted, quoted)


def unname(text: str) -> str:
    """Return the text that a name stands for; raises InvalidItem."""
    try:
        return "" if text == "." else unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidItem(f"{text[:40]!r} is no name") from error


def tell(one: Observation, *, brief: bool = False) -> Told:
    """Return an observation to send; with `brief` only the version of an item that is there."""
    if isinstance(one, Seen):
        text = None if brief else encode(_content(one.snapshot))
        return Told(SEEN, one.snapshot.version, text)
    return Told(str(type(one).__struct_config__.tag), "", encode(one))


def hear(ref: str, told: Told) -> Observation:
    """Return the observation that was sent of a ref; raises InvalidItem."""
    text = told.text or ""
    if told.sort == SEEN:
        content = decode(text, Content)
        return Seen(Snapshot(ref=ref, version=told.version, **msgspec.structs.asdict(content)))
    if told.sort not in _OTHERS:
        raise InvalidItem(f"{told.sort[:40]!r} is nothing that is said of an item")
    found: Observation = decode(text, _OTHERS[told.sort])
    return found


def new_item(draft: Draft) -> str:
    """Return a draft to send; its key goes beside it."""
    return encode(NewItem(item=draft.item, marker=draft.marker, notify=draft.notify))


def draft(key: str, text: str) -> Draft:
    """Return the draft that was sent; raises InvalidItem."""
    new = decode(text, NewItem)
    return Draft(item=new.item, key=key, marker=new.marker, notify=new.notify)


def edit(revision: Revision) -> str:
    """Return a revision to send: the values of its changed fields, cleared ones included."""
    values = {
        field: Raw(_ENCODER.encode(getattr(revision.after, field))) for field in revision.changed
    }
    return encode(Edit(values=values, marker=revision.marker, notify=revision.notify))


def revision(before: Snapshot, text: str) -> Revision:
    """Return the revision that was sent of an item as it stands; raises InvalidItem."""
    made = decode(text, Edit)
    values = _values(before.item, made.values)
    return Revision(
        ref=before.ref,
        version=before.version,
        before=before.item,
        after=msgspec.structs.replace(before.item, **values),
        changed=tuple(values),
        marker=made.marker,
        notify=made.notify,
    )


def wish(*, marker: str = "", notify: bool = False) -> str | None:
    """Return what else is wished, to send; None where there is nothing to say."""
    return encode(Wish(marker=marker, notify=notify)) if marker or notify else None


def removal(ref: str, version: str, text: str) -> Removal:
    """Return the removal that was sent; raises InvalidItem."""
    wanted = decode(text, Wish) if text else Wish()
    return Removal(ref=ref, version=version, notify=wanted.notify)


def outcome(made: Written | errors.AccordError) -> str:
    """Return the answer for one item to send, or an error for all."""
    if isinstance(made, Written):
        return encode(made)
    return encode(
        Failure(
            error=_name_of(made),
            message=str(made),
            code=made.code,
            after=getattr(made, "after", 0.0),
            field=getattr(made, "field", ""),
            hint=getattr(made, "hint", ""),
        )
    )


def written(text: str) -> Written:
    """Return the answer to a write that was done; raises InvalidItem."""
    return decode(text, Written)


def failure(text: str) -> errors.AccordError:
    """Return the error that was sent; raises InvalidItem."""
    said = decode(text, Failure)
    made = ERRORS.get(said.error)
    if made is None:
        raise InvalidItem(f"{said.error[:40]!r} is no error of the port")
    more: dict[str, Any] = {"code": said.code}
    if issubclass(made, errors.Retry):
        more["after"] = said.after
    if issubclass(made, errors.ConfigError):
        more |= {"field": said.field, "hint": said.hint}
    return made(said.message, **more)


def weight(text: str) -> int:
    """Return how many bytes a text takes in XML; in WBXML it is less."""
    escaped = 4 * text.count("&") + 3 * (text.count("<") + text.count(">"))
    return len(text.encode()) + escaped


def piece(text: str, at: int, room: int) -> str:
    """Return as much of a text from `at` on as fits; never nothing."""
    part = text[at : at + max(room, 1)]
    while len(part) > 1 and (size := weight(part)) > room:
        part = part[: max(1, min(len(part) - 1, len(part) * room // size))]
    return part


_PLAIN = "/:@!$'()*,;=~+[]{}|^<>&"


def _text(data: bytes) -> str:
    """Return JSON without the two characters that XML can't hold; they only occur in strings."""
    return data.decode().replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


def _content(snapshot: Snapshot) -> Content:
    return Content(
        item=snapshot.item,
        marker=snapshot.marker,
        key=snapshot.key,
        modified=snapshot.modified,
        folder=snapshot.folder,
        by=snapshot.by,
        readonly=snapshot.readonly,
        silent=snapshot.silent,
    )


def _values(before: Item, given: Mapping[str, Raw]) -> dict[str, Any]:
    types = _types(type(before))
    values = {}
    for field, raw in given.items():
        if field not in types:
            raise InvalidItem(f"there is no field {field[:40]!r}")
        try:
            values[field] = msgspec.json.decode(raw, type=learnt(types[field]))
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            raise InvalidItem(f"{field}: {error}") from error
    return values


@cache
def _types(class_: Any) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(class_)}


def _name_of(error: errors.AccordError) -> str:
    for one, made in ERRORS.items():
        if isinstance(error, made):
            return one
    return "rejected" if isinstance(error, errors.ItemError) else "retry"
