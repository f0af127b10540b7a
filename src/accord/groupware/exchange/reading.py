"""What the server's items are to us: snapshots of those we understand, observations of all.

`sync`, `find` and `write` read items with these.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from msgspec import Struct

from accord.groupware.exchange import foreign, kinds, trees, wire
from accord.groupware.exchange.client import (
    UNFINISHED,
    Client,
    Shape,
    field,
    id_of,
    kept,
    own,
    tagged,
)
from accord.groupware.exchange.folders import Found
from accord.groupware.exchange.foreign import Property
from accord.groupware.exchange.kinds import FORMS
from accord.groupware.exchange.wire import Message, Node, t
from accord.model.diff import patch
from accord.model.kinds import Kind
from accord.model.observe import Deleted, Denied, Observation, Seen, Snapshot, Unknown
from accord.ports.errors import (
    AccordError,
    AuthFailed,
    ConfigError,
    Gone,
    ItemError,
    Rejected,
    Retry,
)
from accord.ports.errors import Denied as DeniedError
from accord.ports.fault import contained
from accord.ports.http import TooLarge

SEARCH_KEY = 0x300B
"""PidTagSearchKey: stays with an item wherever it is moved."""

BY_KEY = "search-key:"
"""Begins the uid of an item that has none of its own but keeps its search key."""

_COMMON = ("item:LastModifiedTime", "item:LastModifiedName")
_OF_ALL = frozenset(
    """
    ErrorServerBusy ErrorMailboxMoveInProgress ErrorMailboxFailover ErrorMailboxStoreUnavailable
    ErrorBatchProcessingStopped ErrorExceededConnectionCount ErrorServiceUnavailable
    ErrorADUnavailable ErrorQuotaExceeded
    """.split()  # noqa: SIM905 (names in a row read better)
)
"""What a message of one item says about the whole mailbox."""


class Shelf(Struct, frozen=True):
    """Be one folder as one link reads it.

    `adopt` is the property in which another connector kept the CRM record's id.
    """

    client: Client
    folder: Found
    kind: Kind
    size: int
    home: str = "UTC"
    adopt: Property | None = None


class Loaded(Struct, frozen=True):
    """Be one item of an answer as exchangelib has it, and what stands around it."""

    ref: str
    version: str
    modified: datetime | None
    by: str
    search_key: str
    unfinished: bool
    foreign: str
    item: Any


def load(shelf: Shelf, refs: Sequence[str]) -> dict[str, Loaded | AccordError | None]:
    """Return each ref's item, why there is none, or None where it is of another kind.

    Raises what concerns the whole mailbox.
    """
    once = list(dict.fromkeys(refs))
    found: dict[str, Loaded | AccordError | None] = {}
    for start in range(0, len(once), shelf.size):
        found |= _some(shelf, once[start : start + shelf.size])
    return found


def _some(shelf: Shelf, refs: Sequence[str]) -> dict[str, Loaded | AccordError | None]:
    """Return a few items; an answer that would be too large is asked for in halves."""
    try:
        told = shelf.client.get(refs, _shape(shelf.kind, shelf.adopt))
    except TooLarge as error:
        if len(refs) == 1:
            return {refs[0]: Rejected(f"the item is too large to be read: {error}", code="large")}
        middle = len(refs) // 2
        return _some(shelf, refs[:middle]) | _some(shelf, refs[middle:])
    return {ref: _loaded(shelf, ref, each) for ref, each in zip(refs, told, strict=True)}


def snapshots(
    shelf: Shelf, loaded: Mapping[str, Loaded | AccordError | None]
) -> dict[str, Snapshot | AccordError]:
    """Return the snapshots of loaded items, or why an item can't be understood."""
    items = [each for each in loaded.values() if isinstance(each, Loaded)]
    exceptions = _exceptions(shelf, items)
    return {each.ref: _snapshot(shelf, each, exceptions.get(each.ref, ())) for each in items}


def observe(
    shelf: Shelf, refs: Sequence[str], versions: Mapping[str, str] | None = None
) -> dict[str, Observation | None]:
    """Say what each ref holds, None where that is of another kind.

    `versions` are those in which the server has just named them, as far as it did.
    """
    loaded = load(shelf, refs)
    read = snapshots(shelf, loaded)
    answers: dict[str, Observation | None] = {}
    for ref, each in loaded.items():
        if each is None:
            answers[ref] = None
        elif isinstance(each, Loaded):
            seen = read[ref]
            answers[ref] = (
                Seen(seen) if isinstance(seen, Snapshot) else _unreadable(shelf.kind, each, seen)
            )
        else:
            answers[ref] = _trouble(ref, each, (versions or {}).get(ref, ""))
    return answers


def concerns_all(error: AccordError) -> bool:
    """Tell whether what an answer says of one item holds for the whole mailbox."""
    if isinstance(error, Retry):
        return error.code in _OF_ALL
    return isinstance(error, AuthFailed | ConfigError)


def spoiled(error: Exception, where: str) -> Rejected:
    """Return a fault of ours as the trouble of the one item that met it; the log has the rest."""
    fault = contained(error, where)
    return Rejected(str(fault), code=fault.code)


@cache
def _shape(kind: Kind, adopt: Property | None) -> Shape:
    asked = [*trees.paths(kinds.model(kind), kinds.codec(kind).PROPERTIES)]
    there = {each.get("FieldURI") for each in asked}
    asked += [field(uri) for uri in _COMMON if uri not in there]
    if kind is Kind.EVENT:
        asked.append(own(UNFINISHED))
    else:
        asked.append(t("ExtendedFieldURI", PropertyTag=f"0x{SEARCH_KEY:x}", PropertyType="Binary"))
    if adopt is not None:
        asked.append(foreign.path(adopt))
    return Shape(tuple(asked))


def _loaded(shelf: Shelf, ref: str, message: Message) -> Loaded | AccordError | None:
    if message.error is not None:
        if concerns_all(message.error):
            raise message.error
        return message.error
    node = next(iter(message.all("Items", "*")), None)
    if node is None:
        return Gone(f"{ref}: the answer holds no item")
    if wire.local(node) != FORMS[shelf.kind].element:
        return None
    try:
        return _opened(shelf, ref, node)
    except ItemError as error:
        return error


def _opened(shelf: Shelf, ref: str, node: Node) -> Loaded:
    _, version = id_of(node)
    by, modified = wire.text_at(node, "LastModifiedName"), wire.text_at(node, "LastModifiedTime")
    key, unfinished = tagged(node, SEARCH_KEY), bool(kept(node, UNFINISHED))
    theirs = foreign.value(shelf.adopt, node) if shelf.adopt is not None else ""
    # Reading takes the element apart, so that it must come last.
    item = trees.read(kinds.narrowed(shelf.kind), node)
    return Loaded(ref, version, _moment(modified), by, key, unfinished, theirs, item)


def _exceptions(shelf: Shelf, items: Iterable[Loaded]) -> dict[str, tuple[Any, ...]]:
    """Return the changed occurrences of all series among some items, in as few answers as fit."""
    if shelf.kind is not Kind.EVENT:
        return {}
    named = {
        each.id: master.ref for master in items for each in (master.item.modified_occurrences or ())
    }
    found: dict[str, list[Any]] = {}
    for ref, each in load(shelf, list(named)).items():
        if isinstance(each, Loaded):
            found.setdefault(named[ref], []).append(each.item)
        else:
            found.setdefault(named[ref], []).append(each)
    return {ref: tuple(each) for ref, each in found.items()}


def _snapshot(shelf: Shelf, each: Loaded, exceptions: tuple[Any, ...]) -> Snapshot | AccordError:
    missing = [one for one in exceptions if one is None or isinstance(one, AccordError)]
    if missing:
        # An occurrence that can't be read is not one that was deleted.
        return Rejected(f"an occurrence of the series can't be read: {missing[0]}")
    if each.unfinished:
        return Rejected("its occurrences aren't all written yet", code=UNFINISHED)
    codec = kinds.codec(shelf.kind)
    try:
        if shelf.kind is Kind.EVENT:
            own_address = shelf.client.principal
            item = codec.read(each.item, exceptions, home=shelf.home, own=own_address)
        else:
            item = codec.read(each.item, home=shelf.home)
    except ItemError as error:
        return error
    except Exception as error:  # noqa: BLE001 (one item must not stop the others)
        return spoiled(error, f"reading one {shelf.kind}")
    if not item.uid:
        item = patch(item, {"uid": _uid(each)})
    return Snapshot(
        ref=each.ref,
        version=each.version,
        item=item,
        marker=each.item.accord_marker or "",
        foreign=each.foreign,
        key=each.item.accord_key or "",
        modified=each.modified,
        folder=shelf.folder.ref,
        by=each.by,
        readonly=not shelf.folder.writable,
    )


def _uid(each: Loaded) -> str:
    """Return a lasting identity for an item that says none."""
    if each.search_key:
        return BY_KEY + each.search_key
    return f"id:{hashlib.sha256(each.ref.encode()).hexdigest()[:32]}"


def _unreadable(kind: Kind, each: Loaded, why: AccordError) -> Unknown:
    private = (getattr(each.item, "sensitivity", None) or "Normal") != "Normal"
    title = "" if private else str(each.item.subject or "")
    uid = str(getattr(each.item, "uid", None) or each.item.accord_uid or "")
    return Unknown(each.ref, str(why), each.version, uid, title, half=each.unfinished)


def _trouble(ref: str, error: AccordError, version: str) -> Observation:
    """Return what a refusal says about a ref; what may pass is asked again.

    What will not pass stays as it is in this version, and is read again once there is another.
    """
    match error:
        case Gone():
            return Deleted(ref)
        case DeniedError():
            return Denied(ref, str(error))
        case Rejected():
            return Unknown(ref, str(error), version)
        case _:
            return Unknown(ref, str(error))


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return found.astimezone(UTC).replace(microsecond=0)
