"""Cursors: what happened in a folder since a client last asked, each thing exactly once.

A cursor names a position among the mailbox's change numbers. While a client pages through one
round, `base` remembers where the round began and `seen` which number was the latest then: what
was reported as new on an earlier page and has not changed since is not reported again. Only the
end of an item that came in this round and went before its page may be told without its beginning.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from dataclasses import dataclass

from accord.sandbox.exchange.errors import EwsError
from accord.sandbox.exchange.store import Item, Store

_FORM = struct.Struct(">BQQQQQ")
_ITEMS, _FOLDERS = 1, 2


@dataclass(frozen=True, slots=True)
class Cursor:
    """Say how far a client has read; `place` is a folder's row, or a mailbox's for folders."""

    place: int
    mailbox: int
    base: int = 0
    position: int = 0
    seen: int = 0
    folders: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened: `kind` is Create, Update, ReadFlagChange or Delete."""

    position: int
    kind: str
    row: int
    item: Item | None = None


def write(cursor: Cursor) -> str:
    """Return a cursor as clients keep it."""
    kind = _FOLDERS if cursor.folders else _ITEMS
    numbers = (cursor.place, cursor.mailbox, cursor.base, cursor.position, cursor.seen)
    body = _FORM.pack(kind, *numbers)
    return base64.b64encode(body + struct.pack(">I", zlib.crc32(body))).decode()


def read(text: str, place: int, mailbox: int, *, folders: bool = False) -> Cursor:
    """Read a cursor of this place. Raises EwsError where it is none."""
    try:
        raw = base64.b64decode(text, validate=True)
        kind, *found = _FORM.unpack(raw[:-4])
        (checked,) = struct.unpack(">I", raw[-4:])
    except (binascii.Error, ValueError, struct.error):
        raise EwsError("ErrorInvalidSyncStateData") from None
    of, box, base, position, seen = found
    cursor = Cursor(of, box, base, position, seen, folders=kind == _FOLDERS)
    if (
        checked != zlib.crc32(raw[:-4])
        or cursor.folders != folders
        or (cursor.place, cursor.mailbox) != (place, mailbox)
    ):
        raise EwsError("ErrorInvalidSyncStateData")
    return cursor


def items_since(store: Store, cursor: Cursor, most: int) -> tuple[list[Change], Cursor, bool]:
    """Return a folder's next changes, the cursor behind them, and whether they are the last."""
    latest = store.last_change(cursor.mailbox)
    first = cursor.base == cursor.position
    seen = latest if first else cursor.seen
    found = sorted(_changes(store, cursor, seen, most + 1), key=lambda each: each.position)
    if len(found) <= most:
        return found, Cursor(cursor.place, cursor.mailbox, latest, latest), True
    page = found[:most]
    position = page[-1].position
    return page, Cursor(cursor.place, cursor.mailbox, cursor.base, position, seen), False


def _changes(store: Store, cursor: Cursor, seen: int, most: int) -> list[Change]:
    folder, position = cursor.place, cursor.position
    created = store.items(
        "folder = ? AND created > ? ORDER BY created LIMIT ?", folder, position, most
    )
    # Known from before the round, or reported as new in it and changed since.
    known = (
        "folder = ? AND {0} > ? AND created <= ? AND (created <= ? OR {0} > ?) ORDER BY {0} LIMIT ?"
    )
    given = (folder, position, position, cursor.base, seen, most)
    updated = store.items(known.format("updated"), *given)
    flagged = store.items(known.format("flagged"), *given)
    gone = store.rows(
        "SELECT id, change FROM item_gone WHERE folder = ? AND change > ? AND created <= ?"
        " AND (created <= ? OR change > ?) ORDER BY change LIMIT ?",
        *given,
    )
    found = [Change(each.created, "Create", each.id, each) for each in created]
    found += [Change(each.updated or 0, "Update", each.id, each) for each in updated]
    whole = {each.id for each in updated}
    found += [
        Change(each.flagged or 0, "ReadFlagChange", each.id, each)
        for each in flagged
        if each.id not in whole
    ]
    found += [Change(int(str(change)), "Delete", int(str(row))) for row, change in gone]
    return found


def folders_since(store: Store, cursor: Cursor) -> tuple[list[tuple[str, int]], Cursor]:
    """Return what happened to a mailbox's folders, as kinds and rows, and the cursor behind it."""
    latest, position = store.last_change(cursor.mailbox), cursor.position
    found = [
        ("Create" if each.created > position else "Update", each.id)
        for each in store.folders(
            "mailbox = ? AND change > ? AND role IS NOT 'root' ORDER BY change",
            *(cursor.mailbox, position),
        )
    ]
    gone = store.rows(
        "SELECT id FROM folder_gone WHERE mailbox = ? AND change > ? AND created <= ?",
        *(cursor.mailbox, position, position),
    )
    found += [("Delete", int(str(row))) for (row,) in gone]
    return found, Cursor(cursor.place, cursor.mailbox, latest, latest, folders=True)
