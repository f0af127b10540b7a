"""Large objects: items that come in parts, put together again, and the room that parts need.

OMA-TS-DS_Protocol-V1_2, section 6.10: the size stands in the first part, counted with CRLF.
"""

from __future__ import annotations

from accord.formats.syncml import message as m
from accord.formats.syncml.alerts import AlertCode
from accord.formats.syncml.message import Binary, Item
from accord.formats.syncml.status import StatusCode
from accord.interface.server.house import Turn
from accord.interface.server.reply import name_of
from accord.interface.server.talk import Coming, StoreTalk


def take(
    turn: Turn, store: StoreTalk, command: m.Add | m.Replace, item: Item, luid: str
) -> tuple[str | bytes, str] | StatusCode:
    """Return an item's whole data with its type, or the status of a part of it."""
    coming = turn.talk.coming
    if coming is not None and not _continues(coming, store, command, luid):
        _lost(turn, coming)
        coming = None
    if coming is None and not item.more_data:
        return _text(item), _type(command, item)
    if coming is None:
        coming = Coming(
            store.name, name_of(command), luid, _type(command, item), _size(command, item)
        )
        turn.talk.coming = coming
    piece = _text(item)
    coming.take(piece.encode() if isinstance(piece, str) else piece)
    most = turn.house.settings.max_object
    if coming.length > most or (coming.size or 0) > most:
        # What follows of it isn't kept either: each part is refused.
        coming.pieces, coming.size = [], most + 1
        if not item.more_data:
            turn.talk.coming = None
        return StatusCode.REQUESTED_SIZE_TOO_BIG
    if item.more_data:
        return StatusCode.CHUNKED_ITEM_ACCEPTED_AND_BUFFERED
    turn.talk.coming = None
    data = b"".join(coming.pieces)
    if coming.size is not None and not _fits(data, coming.size):
        return StatusCode.SIZE_MISMATCH
    try:
        return data.decode(), coming.type
    except UnicodeDecodeError:
        return data, coming.type


def abandon(turn: Turn) -> None:
    """Give up an item whose end can't come any more."""
    if turn.talk.coming is not None:
        _lost(turn, turn.talk.coming)


def _lost(turn: Turn, coming: Coming) -> None:
    turn.talk.coming = None
    store = turn.talk.stores.get(coming.store)
    source = m.Location(coming.luid)
    target = m.Location(store.name if store else coming.store)
    item = Item(target=target, source=source)
    turn.reply.owe(m.Alert(cmd_id="1", code=AlertCode.NO_END_OF_DATA, items=(item,)))
    if store is not None:
        store.doubt = "the end of an item never came"
        turn.note(store, "refused", "its end never came", luid=coming.luid)


def _continues(coming: Coming, store: StoreTalk, command: m.Add | m.Replace, luid: str) -> bool:
    return (coming.store, coming.command, coming.luid) == (store.name, name_of(command), luid)


def _fits(data: bytes, size: int) -> bool:
    """Tell whether a size is that of a text, whose CR a parser of XML has taken out."""
    return size in (len(data), len(data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")))


def _text(item: Item) -> str | bytes:
    if isinstance(item.data, Binary):
        return item.data.data
    return item.data if isinstance(item.data, str) else ""


def _type(command: m.Add | m.Replace, item: Item) -> str:
    for meta in (item.meta, command.meta):
        if meta is not None and meta.type:
            return meta.type
    return ""


def _size(command: m.Add | m.Replace, item: Item) -> int | None:
    for meta in (item.meta, command.meta):
        if meta is not None and meta.size is not None:
            return meta.size
    return None
