"""Writes of a connector: each item answered with a status of its own that carries the outcome.

A batch is done as the CRM's port does it; what is refused stops nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TypeVar

from msgspec import Struct

from accord.formats import wire
from accord.formats.syncml import message as m
from accord.formats.syncml.message import Command, Item
from accord.formats.syncml.status import StatusCode
from accord.interface.connector import files
from accord.interface.connector.places import Place, find
from accord.interface.connector.refusing import code_of, count, note, status_of
from accord.interface.server.house import Turn
from accord.interface.server.reply import name_of
from accord.interface.server.talk import Coming
from accord.model.canonical import InvalidItem
from accord.model.item import kind_of
from accord.model.observe import Deleted, Moved, Seen, Snapshot, Unknown
from accord.ports.adapter import Ask, Draft, Mark, Outcome, Removal, Revision, Written
from accord.ports.errors import AccordError, Denied, Gone, ItemError, Rejected, Stale
from accord.ports.token import CONNECTOR

_DONE = {"Add": "added", "Replace": "changed", "Delete": "deleted"}
_CHANGES = (m.Add, m.Replace, m.Delete)
_EXECUTED = ("mark", "restore", "attach", "detach")
_LONGEST = 200

T = TypeVar("T")


class Op(Struct):
    """Be one write on its way: the command it answers, what it is about, and what became of it.

    `name` is the command, or what to execute. `ref` is the item's, of a new one its key.
    """

    number: str
    command: str
    name: str
    ref: str
    version: str
    text: str
    made: Outcome | AccordError | None = None


def sync(turn: Turn, command: m.Sync) -> None:
    """Make the changes of one store."""
    uri = command.target.uri if command.target else ""
    place = _place(turn, uri)
    if place is None:
        for one in (command, *command.commands):
            status_of(turn, one.cmd_id or "0", name_of(one), StatusCode.NOT_FOUND)
        note(turn, uri[:100], "refused", "there is no such store")
        return
    status_of(turn, command.cmd_id, "Sync", StatusCode.OK)
    ops = [op for one in command.commands for op in _ops(turn, place, one)]
    for _, some in groupby(ops, lambda op: op.name):
        _apply(turn, place, list(some))


def execute(turn: Turn, commands: Sequence[m.Exec]) -> None:
    """Mark or restore items, hang files on them or take them off."""
    ops = []
    for command in commands:
        item = command.items[0] if command.items else Item()
        uri = item.target.uri if item.target else ""
        place = _place(turn, uri)
        if place is None or place.more.get("do") not in _EXECUTED:
            status_of(turn, command.cmd_id, "Exec", StatusCode.NOT_FOUND)
            continue
        whole = _whole(turn, place, command, item, uri)
        if isinstance(whole, StatusCode):
            status_of(turn, command.cmd_id, "Exec", whole)
            continue
        op = Op(command.cmd_id, "Exec", place.more["do"], place.ref, "", whole)
        ops.append((place.kind, place.folder, op, place))
    for _, some in groupby(ops, lambda one: (one[0], one[1], one[2].name)):
        listed = list(some)
        _apply(turn, listed[0][3], [op for _, _, op, _ in listed])


def _place(turn: Turn, uri: str) -> Place | None:
    try:
        return None if turn.talk.user == CONNECTOR else find(uri, turn.house.crm.traits)
    except InvalidItem:
        return None


def _ops(turn: Turn, place: Place, command: Command) -> Iterator[Op]:
    if not isinstance(command, _CHANGES) or len(command.items) != 1:
        code = StatusCode.COMMAND_NOT_IMPLEMENTED
        status_of(turn, command.cmd_id or "0", name_of(command), code)
        return
    item, name = command.items[0], name_of(command)
    where = item.source if isinstance(command, m.Add) else item.target
    whole = _whole(turn, place, command, item, where.uri if where else "")
    if isinstance(whole, StatusCode):
        status_of(turn, command.cmd_id, name, whole)
        return
    try:
        ref = wire.unname(where.uri) if where else ""
        version = wire.unname(item.meta.version or "") if item.meta else ""
    except InvalidItem as error:
        rejected = Op(command.cmd_id, name, name, "", "", "", Rejected(str(error)))
        _answer(turn, place, rejected)
        return
    yield Op(command.cmd_id, name, name, ref, version, whole)


def _whole(turn: Turn, place: Place, command: Command, item: Item, uri: str) -> str | StatusCode:
    """Return the whole text of an item, or the answer to a part of it."""
    connector, most = turn.talk.connector, turn.house.settings.max_object
    assert connector is not None
    coming, text = connector.coming, _text(item)
    about = (place.store, name_of(command), uri)
    if coming is not None and (coming.store, coming.command, coming.luid) != about:
        coming = connector.coming = None
    if coming is None:
        size = item.meta.size if item.meta else None
        if not item.more_data:
            return text if len(text.encode()) <= most else _too_big(turn, place, uri)
        coming = connector.coming = Coming(*about, wire.TYPE, size)
    coming.take(text.encode())
    if coming.length > most or (coming.size or 0) > most:
        known, coming.pieces, coming.size = coming.size == most + 1, [], most + 1
        if not item.more_data:
            connector.coming = None
        return StatusCode.REQUESTED_SIZE_TOO_BIG if known else _too_big(turn, place, uri)
    if item.more_data:
        connector.stays = True
        return StatusCode.CHUNKED_ITEM_ACCEPTED_AND_BUFFERED
    connector.coming = None
    if coming.size not in (None, coming.length):
        why = f"it has {coming.length:,} bytes instead of the {coming.size:,} that were announced"
        note(turn, place.store, "refused", why, luid=uri[:_LONGEST])
        return StatusCode.SIZE_MISMATCH
    return b"".join(coming.pieces).decode(errors="replace")


def _too_big(turn: Turn, place: Place, uri: str) -> StatusCode:
    most = turn.house.settings.max_object
    note(turn, place.store, "refused", f"it has more than {most:,} bytes", luid=uri[:_LONGEST])
    return StatusCode.REQUESTED_SIZE_TOO_BIG


def _text(item: Item) -> str:
    return item.data if isinstance(item.data, str) else ""


def _apply(turn: Turn, place: Place, ops: list[Op]) -> None:
    assert turn.talk.connector is not None
    turn.talk.connector.stays = True
    size = max(1, turn.house.crm.traits.batch)
    for at in range(0, len(ops), size):
        some = ops[at : at + size]
        try:
            _WORK[some[0].name](turn, place, some)
        except AccordError as error:
            # The CRM as a whole can't now: what it did of this batch, a second try finds out.
            for op in some:
                op.made = op.made or error
        for op in some:
            _answer(turn, place, op)
        counts: dict[str, int] = {}
        for op in some:
            if isinstance(op.made, Written) and op.name in _DONE:
                counts[_DONE[op.name]] = counts.get(_DONE[op.name], 0) + 1
        if counts:
            count(turn, place.store, counts)


def _answer(turn: Turn, place: Place, op: Op) -> None:
    made = op.made or Rejected("nothing was done", code="nothing")
    if isinstance(made, Written):
        code = StatusCode.ITEM_ADDED if op.name == "Add" else StatusCode.OK
        text = wire.outcome(made)
        if len(text) > turn.reply.limit // 4 or turn.talk.owed:
            # The connector reads what doesn't fit beside other answers: what is owed stays small.
            text = wire.outcome(Written(ref=made.ref, version=made.version))
        status_of(turn, op.number, op.command, code, ref=made.ref, text=text)
        if not turn.talk.owed:
            turn.reply.settle()
        return
    status_of(turn, op.number, op.command, code_of(made), text=wire.outcome(made))
    if isinstance(made, Denied | Rejected):
        key = {"luid": op.ref} if op.name == "Add" else {"ref": op.ref}
        note(turn, place.store, "refused", f"not {_DONE.get(op.name, op.name)}: {made}", **key)


def _add(turn: Turn, place: Place, ops: Sequence[Op]) -> None:
    def draft(op: Op) -> Draft:
        made = wire.draft(op.ref, op.text)
        if kind_of(made.item) is not place.kind:
            raise InvalidItem(f"it is a {kind_of(made.item)}, and the store has {place.kind}s")
        return made

    _each(ops, draft, lambda drafts: turn.crm.create(place.folder, place.kind, drafts))


def _replace(turn: Turn, place: Place, ops: Sequence[Op]) -> None:
    asks = [Ask(ref=op.ref) for op in ops]
    stand: dict[str, Snapshot] = {}
    for op, one in zip(ops, turn.crm.fetch(place.folder, place.kind, asks), strict=True):
        match one:
            case Seen(snapshot=snapshot) if snapshot.version == op.version:
                stand[op.ref] = snapshot
            case Seen(snapshot=snapshot):
                made = f"{op.ref} is in version {snapshot.version} by now, not in {op.version}"
                op.made = Stale(made, code="version")
            case Deleted() | Moved():
                op.made = Gone(f"{op.ref} isn't there any more", code="gone")
            case Unknown(why=why):
                op.made = Rejected(f"{op.ref} can't be read: {why}", code="unreadable")
            case _:
                op.made = Denied(f"{turn.talk.user} may not change {op.ref}", code="no-right")

    def revision(op: Op) -> Revision:
        return wire.revision(stand[op.ref], op.text)

    open_ = [op for op in ops if op.made is None]
    _each(open_, revision, lambda some: turn.crm.update(place.folder, place.kind, some))


def _delete(turn: Turn, place: Place, ops: Sequence[Op]) -> None:
    def removal(op: Op) -> Removal:
        return wire.removal(op.ref, op.version, op.text)

    _each(ops, removal, lambda some: turn.crm.delete(place.folder, place.kind, some))


def _mark(turn: Turn, place: Place, ops: Sequence[Op]) -> None:
    def mark(op: Op) -> Mark:
        marker = wire.decode(op.text, wire.Wish).marker if op.text else ""
        return Mark(ref=op.ref, marker=marker)

    _each(ops, mark, lambda some: turn.crm.mark(place.folder, place.kind, some))


def _restore(turn: Turn, place: Place, ops: Sequence[Op]) -> None:
    for op in ops:
        op.made = turn.crm.restore(place.folder, place.kind, op.ref)


def _refile(turn: Turn, place: Place, ops: Sequence[Op]) -> None:
    act = files.attach if ops[0].name == "attach" else files.detach
    for op in ops:
        try:
            op.made = act(turn, place, op.ref, op.text)
        except InvalidItem as error:
            op.made = Rejected(f"the file can't be read: {error}", code="malformed")
        except ItemError as error:
            op.made = error


def _each(
    ops: Sequence[Op], read: Callable[[Op], T], do: Callable[[list[T]], list[Outcome]]
) -> None:
    """Do what can be understood, in one call; refuse the rest item by item."""
    understood: list[tuple[Op, T]] = []
    for op in ops:
        try:
            understood.append((op, read(op)))
        except InvalidItem as error:
            op.made = Rejected(f"the item can't be read: {error}", code="malformed")
    if understood:
        made = do([wish for _, wish in understood])
        for (op, _), outcome in zip(understood, made, strict=True):
            op.made = outcome


_WORK: dict[str, Callable[[Turn, Place, Sequence[Op]], None]] = {
    "Add": _add,
    "Replace": _replace,
    "Delete": _delete,
    "mark": _mark,
    "restore": _restore,
    "attach": _refile,
    "detach": _refile,
}
