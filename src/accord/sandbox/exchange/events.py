"""What happened in a mailbox, in its order, and watermarks: how far a client has read of it."""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from accord.sandbox.exchange import ids
from accord.sandbox.exchange.errors import EwsError
from accord.sandbox.exchange.store import Store
from accord.sandbox.exchange.xml import Node, stamp, t

_FORM = struct.Struct(">QQ")
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to an item or a folder; `old` and `old_parent` tell from where."""

    id: int
    mailbox: int
    at: int
    kind: str
    folder: int
    row: int
    change: int
    parent: int | None
    old: int | None
    old_parent: int | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Say what a subscriber wants to hear of a mailbox; without folders all of them are meant."""

    mailbox: int
    kinds: frozenset[str]
    folders: frozenset[int] | None


def latest(store: Store) -> int:
    """Return the number of the last event of all."""
    found = store.rows("SELECT seq FROM sqlite_sequence WHERE name = 'event'")
    return int(str(found[0][0])) if found else 0


def since(store: Store, wanted: Filter, position: int, most: int) -> tuple[list[Event], int]:
    """Return the next events that are wanted, and up to which number all is known then."""
    found: list[Event] = []
    end = latest(store)
    while True:
        rows = store.rows(
            "SELECT id, mailbox, at, kind, folder, row, change, parent, old, old_parent FROM event"
            " WHERE mailbox = ? AND id > ? AND id <= ? ORDER BY id LIMIT ?",
            *(wanted.mailbox, position, end, _CHUNK),
        )
        for row in rows:
            event = Event(*row)  # type: ignore[arg-type]
            position = event.id
            if _fits(event, wanted):
                found.append(event)
                if len(found) == most:
                    return found, position
        if len(rows) < _CHUNK:
            return found, end


def write(mailbox: int, position: int) -> str:
    """Return a watermark as clients keep it."""
    body = _FORM.pack(mailbox, position)
    return base64.b64encode(body + struct.pack(">I", zlib.crc32(body))).decode()


def read(store: Store, text: str, mailbox: int) -> int:
    """Read a watermark of this mailbox. Raises EwsError where it is none, or too old."""
    try:
        raw = base64.b64decode(text, validate=True)
        box, position = _FORM.unpack(raw[:-4])
        (checked,) = struct.unpack(">I", raw[-4:])
    except (binascii.Error, ValueError, struct.error):
        raise EwsError("ErrorInvalidWatermark") from None
    gone = store.rows("SELECT last FROM event_gone WHERE mailbox = ?", mailbox)
    if (
        checked != zlib.crc32(raw[:-4])
        or box != mailbox
        or position > latest(store)
        or (gone and position < int(str(gone[0][0])))
    ):
        raise EwsError("ErrorInvalidWatermark")
    return int(position)


def view(event: Event, *, marked: bool) -> Node:
    """Return an event as a notification tells it, with its watermark if it is to be `marked`."""
    named = "FolderId" if event.folder else "ItemId"
    key = {} if event.kind == "DeletedEvent" else {"ChangeKey": ids.write_key(event.change)}
    parts: list[Node | None] = [
        t("Watermark", write(event.mailbox, event.id)) if marked else None,
        t("TimeStamp", stamp(datetime.fromtimestamp(event.at, UTC))),
        t(named, Id=_id(event, event.row, folder=bool(event.folder)), **key),
        t("ParentFolderId", Id=_id(event, event.parent or event.row, folder=True)),
    ]
    if event.old is not None:
        parts.append(t(f"Old{named}", Id=_id(event, event.old, folder=bool(event.folder))))
        parts.append(t("OldParentFolderId", Id=_id(event, event.old_parent or 0, folder=True)))
    return t(event.kind, *parts)


def _id(event: Event, row: int, *, folder: bool) -> str:
    return ids.write(ids.Id(event.mailbox, row, folder=folder))


def _fits(event: Event, wanted: Filter) -> bool:
    if event.kind not in wanted.kinds:
        return False
    if wanted.folders is None:
        return True
    places: Collection[int | None] = {event.parent, event.old_parent}
    return bool(wanted.folders & {*places, event.row if event.folder else None})
