"""What a device sends: its changes, one batch at a time, each answered with a status of its own.

Writes go to the CRM as the user; the device's names and the versions it has are stored at once,
so that a broken conversation repeats nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from accord.formats.syncml import message as m
from accord.formats.syncml.message import Command, Item
from accord.formats.syncml.status import StatusCode
from accord.interface.server import applying, chunks
from accord.interface.server.change import Op
from accord.interface.server.devinf import bearable
from accord.interface.server.house import Turn
from accord.interface.server.reply import name_of
from accord.interface.server.stores import find
from accord.interface.server.talk import Mode, Stage, StoreTalk
from accord.state.device_items import Shelf
from accord.state.state import Tx

_CHANGES = (m.Add, m.Replace, m.Delete)
_LONGEST = 255
_UNFIT = {
    StatusCode.NOT_FOUND: "no sync of this store was begun",
    StatusCode.COMMAND_NOT_ALLOWED: "it came after the device had said that it was done",
    StatusCode.OPERATION_CANCELLED: "the sync of this store has failed",
}


def sync(turn: Turn, command: m.Sync) -> None:
    """Take the changes of one store."""
    target = command.target.uri if command.target else ""
    source = command.source.uri if command.source else None
    found = find(target, turn.house.crm.traits)
    store = turn.talk.stores.get(found.name) if found else None
    code = _fitness(turn, store)
    turn.reply.status(command.cmd_id, "Sync", code, target=target or None, source=source)
    if store is None or code is not StatusCode.OK:
        _stray(turn, target, _UNFIT[code], command.commands)
        for inner in command.commands:
            if not getattr(inner, "no_resp", False):
                turn.reply.status(inner.cmd_id, name_of(inner), code)
        return
    if not store.heard and (store.slow or store.mode is Mode.REFRESH_FROM_SERVER):
        # From here on nobody can say what the other side has, until this sync is whole: who breaks
        # it off starts from the beginning again.
        shelf = turn.shelf(store)
        turn.house.state.run(lambda tx: _begin_anew(tx, shelf, store))
    turn.talk.stage, store.heard = Stage.CLIENT, True
    batch: list[Op] = []
    size = max(1, min(turn.house.crm.traits.batch, 200))
    store.expected = max(store.expected, command.number_of_changes or 0)
    for op in _ops(turn, store, command.commands):
        store.came += op.code is not StatusCode.CHUNKED_ITEM_ACCEPTED_AND_BUFFERED
        if len(batch) >= size or any(op.luid == other.luid for other in batch):
            _apply(turn, store, batch)
            batch = []
        batch.append(op)
    _apply(turn, store, batch)


def _stray(turn: Turn, store: str, why: str, commands: tuple[Command, ...]) -> None:
    items = (item for each in commands if isinstance(each, _CHANGES) for item in each.items)
    luids = [item.source.uri[:_LONGEST] if item.source else "" for item in items]
    if luids:
        turn.stray(store, why, luids)


def _begin_anew(tx: Tx, shelf: Shelf, store: StoreTalk) -> None:
    tx.device_anchors.drop(shelf)
    if store.before is not None:
        # Names needn't mean any more what they meant then; those of a sync that breaks off do.
        tx.device_items.age(shelf, but=store.mark)


def _fitness(turn: Turn, store: StoreTalk | None) -> StatusCode:
    if store is None:
        return StatusCode.NOT_FOUND
    if turn.talk.stage not in (Stage.OPENING, Stage.CLIENT):
        return StatusCode.COMMAND_NOT_ALLOWED
    if store.failed:
        return StatusCode.OPERATION_CANCELLED
    return StatusCode.OK


def _ops(turn: Turn, store: StoreTalk, commands: tuple[Command, ...]) -> Iterator[Op]:
    """Yield what is asked for; what is no change, or no whole item yet, is an answered one."""
    for command in commands:
        if not isinstance(command, _CHANGES):
            yield Op(command, "", code=StatusCode.COMMAND_NOT_IMPLEMENTED)
            continue
        for item in command.items:
            luid = item.source.uri if item.source else ""
            yield _op(turn, store, command, item, luid)


def _op(
    turn: Turn, store: StoreTalk, command: m.Add | m.Replace | m.Delete, item: Item, luid: str
) -> Op:
    if not luid or len(luid) > _LONGEST or not luid.isprintable():
        code = StatusCode.INCOMPLETE_COMMAND if not luid else StatusCode.URI_TOO_LONG
        return Op(command, luid[:_LONGEST], code=code)
    if not store.mode.receives:
        return Op(command, luid, code=StatusCode.COMMAND_NOT_ALLOWED)
    if isinstance(command, m.Delete):
        if command.soft:
            # The device only wants room: the item itself isn't to go.
            return Op(command, luid, code=StatusCode.OPTIONAL_FEATURE_NOT_SUPPORTED)
        return Op(command, luid, delete=True)
    whole = chunks.take(turn, store, command, item, luid)
    if isinstance(whole, StatusCode):
        return Op(command, luid, code=whole)
    data, media_type = whole
    return Op(command, luid, data=data, type=media_type)


def _apply(turn: Turn, store: StoreTalk, batch: list[Op]) -> None:
    if not batch:
        return
    applying.apply(turn, store, batch)
    for op in batch:
        if getattr(op.command, "no_resp", False):
            continue
        code = bearable(turn.devinf, op.code or StatusCode.PROCESSING_ERROR)
        turn.reply.status(op.command.cmd_id, name_of(op.command), code, source=op.luid or None)
