"""What a device gets: changes since its last sync, or everything, as many as fit into a message.

Only refs wait between messages; items are read when their turn comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct

from accord.formats.errors import Refused
from accord.formats.syncml import message as m
from accord.formats.syncml.message import Command, Item, Location, Meta
from accord.formats.syncml.node import clean
from accord.formats.syncml.version import Version
from accord.interface.server import render
from accord.interface.server.change import guid
from accord.interface.server.house import Turn
from accord.interface.server.matching import begin
from accord.interface.server.talk import Candidate, Mode, Out, Part, Sent, StoreTalk
from accord.interface.server.unfolding import series_of
from accord.model import item as model
from accord.model.observe import (
    Completeness,
    Deleted,
    Moved,
    Observation,
    OutOfScope,
    Seen,
    Unknown,
)
from accord.ports.adapter import Removal, Written
from accord.ports.errors import AccordError
from accord.ports.fault import contained
from accord.state.device_items import DeviceItem
from accord.state.state import Tx

_FETCH = 50
_LEAST = 1_500
"""Below so much room an item waits for the next message rather than to be cut up."""

_ENVELOPE = 400
"""Bytes around the text of an item, less than the Sync and its command take."""


class _Pass(Struct):
    """Be what one message takes of one store; `items` are those that went out whole, by ref."""

    commands: list[Command] = []
    sent: list[Sent] = []
    rows: list[DeviceItem] = []
    lacked: dict[str, tuple[str, str]] = {}
    items: dict[str, model.Item] = {}


def fill(turn: Turn) -> bool:
    """Send what fits; tell whether that was all of all stores."""
    for store in turn.talk.stores.values():
        if store.done:
            continue
        if store.queue is None:
            store.queue = _queue(turn, store)
        if not _send(turn, store):
            return False
    return True


def _queue(turn: Turn, store: StoreTalk) -> list[Out]:
    match store.mode:
        case Mode.FROM_CLIENT:
            return []
        case Mode.REFRESH_FROM_CLIENT:
            _sweep(turn, store)
            return []
        case Mode.SLOW:
            return [] if store.repeats else _rest(turn, store)
        case Mode.REFRESH_FROM_SERVER:
            shelf = turn.shelf(store)
            turn.house.state.run(lambda tx: tx.device_items.drop_all(shelf))
            return [Out(ref) for ref in (*begin(turn, store), *store.unread)]
        case _:
            return _changes(turn, store)


def _changes(turn: Turn, store: StoreTalk) -> list[Out]:
    """Return what changed since the last sync, and what is still unsettled from then."""
    shelf, kind = turn.shelf(store), turn.store(store).kind
    cursor = store.before.cursor if store.before else ""
    found: dict[str, Out] = {}
    for since in dict.fromkeys([cursor, ""]):
        lost = False
        for page in turn.crm.changes("", kind, since, lambda refs: turn.known(store, refs)):
            lost = lost or page.completeness is Completeness.LOST
            store.cursor = page.cursor or store.cursor
            _take(turn, store, page.observations, found)
        if not lost:
            if not since:
                _take_missing(turn, store, found)
            break
    with turn.house.state.read() as tx:
        unsettled = tx.device_items.unsettled(shelf)
    for item in unsettled:
        found.setdefault(item.ref, Out(item.ref, item.luid))
    return list(found.values())


def _take(turn: Turn, store: StoreTalk, seen: Iterable[Observation], found: dict[str, Out]) -> None:
    seen = list(seen)
    with turn.house.state.read() as tx:
        rows = tx.device_items.by_ref(turn.shelf(store), [one.ref for one in seen])
    unlinked = []
    for one in seen:
        row = rows.get(one.ref)
        if isinstance(one, Seen):
            if row is None or row.luid is None or row.version != one.snapshot.version:
                found[one.ref] = Out(one.ref, row.luid if row else None)
        elif isinstance(one, Unknown) and not (one.version and row and row.version == one.version):
            vague = row is not None and row.version != "" and not one.version
            found[one.ref] = Out(one.ref, row.luid if row else None, vague=vague)
        elif isinstance(one, Deleted | OutOfScope | Moved):
            found.pop(one.ref, None)
            if row is not None and _stays(one, row):
                unlinked.append(row)
            elif row is not None:
                found[one.ref] = Out(one.ref, row.luid, gone=True)
    _unlink(turn, store, unlinked)


def _stays(seen: Observation, row: DeviceItem) -> bool:
    """Tell whether the device keeps an item that left its user's scope: one that it made."""
    return isinstance(seen, OutOfScope) and row.luid is not None and not row.ours


def _unlink(turn: Turn, store: StoreTalk, rows: Sequence[DeviceItem]) -> None:
    for row in rows:
        why = "it left the user's scope; the device keeps what it made itself"
        turn.note(store, "unlinked", why, luid=row.luid or "", ref=row.ref)
    if rows:
        refs, shelf = [row.ref for row in rows], turn.shelf(store)
        turn.house.state.run(lambda tx: tx.device_items.drop(shelf, refs))


def _take_missing(turn: Turn, store: StoreTalk, found: dict[str, Out]) -> None:
    """After a full listing, ask what became of the items that the device has and it didn't name.

    Silence alone deletes nothing.
    """
    shelf = turn.shelf(store)
    with turn.house.state.read() as tx:
        refs = [ref for ref in tx.device_items.refs(shelf) if ref not in found]
    for at in range(0, len(refs), _FETCH):
        gone = [
            one
            for one in turn.fetch(store, refs[at : at + _FETCH])
            if isinstance(one, Deleted | OutOfScope | Moved)
        ]
        _take(turn, store, gone, found)


def _rest(turn: Turn, store: StoreTalk) -> list[Out]:
    """Return what a slow sync leaves to send: what matched nothing, and what differs."""
    refs = [*begin(turn, store), *store.unread]
    with turn.house.state.read() as tx:
        rows = tx.device_items.by_ref(turn.shelf(store), refs)
        unsettled = tx.device_items.unsettled(turn.shelf(store))
    mine = {ref for ref, row in rows.items() if row.session == store.mark}
    found = {ref: Out(ref) for ref in refs if ref not in mine}
    for item in unsettled:
        if item.session == store.mark and item.ref not in store.unread:
            found[item.ref] = Out(item.ref, item.luid)
    return list(found.values())


def _sweep(turn: Turn, store: StoreTalk) -> None:
    """Delete what a client that refreshes the server doesn't have, if all that it has arrived.

    Else it merges: what stays is offered in the device's next sync that takes anything.
    """
    if store.lacks and not store.merge:
        turn.note(store, "refused", f"nothing was taken away from the CRM: {store.lacks}")
        store.merge = True
    if store.repeats:
        return
    candidates = begin(turn, store)
    with turn.house.state.read() as tx:
        rows = tx.device_items.by_ref(turn.shelf(store), [*candidates, *store.unread])
    mine = {ref for ref, row in rows.items() if row.session == store.mark}
    stays = [*store.unread, *(candidates if store.merge else ())]
    lacked = [_lacked(store, Out(ref)) for ref in stays if ref not in mine]
    turn.house.state.run(lambda tx: tx.device_items.put(turn.shelf(store), lacked))
    if not store.merge:
        # A changed occurrence that this device never had isn't one that it did away with.
        left = [
            ref for ref in candidates if ref not in mine and (ref in rows or not series_of(ref))
        ]
        _take_away(turn, store, [candidates[ref] for ref in left])


def _take_away(turn: Turn, store: StoreTalk, left: Sequence[Candidate]) -> None:
    size = max(1, turn.house.crm.traits.batch)
    for at in range(0, len(left), size):
        some = left[at : at + size]
        removals = [Removal(ref=one.ref, version=one.version) for one in some]
        done = turn.ask(store, turn.crm.delete, removals)
        for one, outcome in zip(some, done, strict=True):
            if isinstance(outcome, Written):
                store.count("deleted")
            else:
                turn.note(store, "refused", f"not deleted: {outcome}", ref=one.ref)


def _send(turn: Turn, store: StoreTalk) -> bool:
    """Send one store's Sync with what fits; tell whether nothing is left of it."""
    reply, queue = turn.reply, store.queue
    assert queue is not None
    number = None
    if not store.announced and turn.message.header.version > Version.V1_0:
        number = len(queue)
    made = m.Sync(
        cmd_id="1",
        target=Location(store.uri),
        source=Location(store.name),
        number_of_changes=number,
    )
    room = reply.left - reply.measure(made) - 50
    if room < 0:
        return False
    taken = _Pass()
    room = _send_part(turn, store, taken, room)
    while store.part is None and queue and room > _LEAST:
        some, rest = queue[:_FETCH], queue[_FETCH:]
        left, room = _send_some(turn, store, some, taken, room)
        queue = left + rest
        if left:
            break
    store.queue = queue
    bases = _remember(turn, store, taken)
    if store.announced and not taken.commands:
        return not queue and store.part is None
    store.announced = True
    made = reply.put(made)
    numbered = tuple(reply.number(command) for command in taken.commands)
    reply.body[-1] = msgspec.structs.replace(made, commands=numbered)
    reply.left = room
    for command, sent in zip(numbered, taken.sent, strict=True):
        base = bases.get(sent.ref, sent.base)
        reply.expect(command.cmd_id, msgspec.structs.replace(sent, base=base))
    reply.expect(made.cmd_id, Sent(store.name, "sync"))
    return not queue and store.part is None


def _remember(turn: Turn, store: StoreTalk, taken: _Pass) -> dict[str, str]:
    """Store what is offered and what the device lacks; return the digests of what goes out."""
    if not (taken.rows or taken.lacked or taken.items):
        return {}
    shelf = turn.shelf(store)

    def work(tx: Tx) -> dict[str, str]:
        tx.device_items.touch(shelf, taken.lacked, store.mark)
        return tx.device_items.put(shelf, taken.rows, taken.items)

    return turn.house.state.run(work)


def _send_some(
    turn: Turn, store: StoreTalk, some: list[Out], taken: _Pass, room: int
) -> tuple[list[Out], int]:
    """Take of some changes what fits; return the others and the room that is left.

    What can't be sent although it is there is tried again in the next sync.
    """
    now = {one.ref: one for one in turn.fetch(store, [o.ref for o in some if not o.gone])}
    has = turn.known(store, [out.ref for out in some if out.vague])
    own = _own(turn, store, now)
    for at, out in enumerate(some):
        if room <= _LEAST:
            return some[at:], room
        found = now.get(out.ref)
        gone = out.gone or isinstance(found, Deleted | OutOfScope | Moved)
        if out.ref in own:
            _unlink(turn, store, [own[out.ref]])
        elif gone:
            room = _send_delete(turn, store, out, taken, room)
        elif isinstance(found, Seen):
            if found.snapshot.version == has.get(out.ref):
                continue
            before = len(taken.commands)
            room = _send_item(turn, store, out, found, taken, room)
            if store.part is not None:
                return some[at + 1 :], room
            if room < 0:
                del taken.commands[before:]
                return some[at:], 0
        elif isinstance(found, Unknown):
            _unread(turn, store, out, taken, f"the CRM can't read it: {found.why}")
    return [], room


def _own(turn: Turn, store: StoreTalk, now: Mapping[str, Observation]) -> dict[str, DeviceItem]:
    """Return, of items that were just read, those that the device keeps out of its user's scope."""
    left = [ref for ref, seen in now.items() if isinstance(seen, OutOfScope)]
    if not left:
        return {}
    with turn.house.state.read() as tx:
        rows = tx.device_items.by_ref(turn.shelf(store), left)
    return {ref: row for ref, row in rows.items() if _stays(now[ref], row)}


def _send_delete(turn: Turn, store: StoreTalk, out: Out, taken: _Pass, room: int) -> int:
    if out.luid is None:
        shelf = turn.shelf(store)
        turn.house.state.run(lambda tx: tx.device_items.drop(shelf, [out.ref]))
        return room
    command = m.Delete(cmd_id="1", items=(Item(target=Location(out.luid)),))
    taken.commands.append(command)
    taken.sent.append(Sent(store.name, "delete", out.ref))
    return room - turn.reply.measure(command)


def _send_item(turn: Turn, store: StoreTalk, out: Out, found: Seen, taken: _Pass, room: int) -> int:
    """Take one item, whole or its first part; a negative room says that it must wait."""
    snapshot = found.snapshot
    try:
        form = turn.form(store)
        text, _ = clean(render.write(snapshot.item, form, out.ref))
        size = len(text.encode())
    except Refused as refusal:
        _unsent(turn, store, out, taken, str(refusal))
        return room
    except AccordError:
        raise
    except Exception as error:  # noqa: BLE001 (the edge: it is reported, and logged)
        fault = contained(error, f"{turn.where(store)}: sending {out.ref}")
        _unsent(turn, store, out, taken, str(fault))
        return room
    if store.max_object is not None and size > store.max_object:
        _unsent(turn, store, out, taken, f"its {size:,} bytes are more than it takes")
        return room
    command = _command(out, form.type, text)
    cost = turn.reply.measure(command)
    if cost <= room:
        taken.items[out.ref] = snapshot.item
        _took(store, out, snapshot.version, command, taken)
        return room - cost
    if taken.commands or room < turn.reply.limit // 2:
        return -1
    if turn.message.header.version is Version.V1_0:
        _unsent(turn, store, out, taken, "it doesn't fit into a message")
        return room
    base = turn.house.state.run(lambda tx: tx.device_items.store({out.ref: snapshot.item}))
    store.part = Part(out, text, snapshot.version, form.type, base=base[out.ref])
    return _send_part(turn, store, taken, room)


def _unread(turn: Turn, store: StoreTalk, out: Out, taken: _Pass, why: str) -> None:
    """Leave an item that the CRM can't read to a later sync."""
    if not out.vague:
        _unsent(turn, store, out, taken, why)
        return
    # It stays known as what the device has, or the device's own change of it would seem to meet
    # another one here.
    turn.note(store, "unsent", why, ref=out.ref)
    store.held = True


def _unsent(turn: Turn, store: StoreTalk, out: Out, taken: _Pass, why: str) -> None:
    turn.note(store, "unsent", why, ref=out.ref)
    if out.luid is None:
        taken.rows.append(_lacked(store, out))
    else:
        taken.lacked[out.ref] = "", ""


def _lacked(store: StoreTalk, out: Out) -> DeviceItem:
    """Return how it is remembered that a device lacks a new item: the next sync tries again."""
    return DeviceItem(ref=out.ref, guid=guid(out.ref), session=store.mark, ours=True)


def _send_part(turn: Turn, store: StoreTalk, taken: _Pass, room: int) -> int:
    """Take the next part of the item that is under way; its end clears it."""
    part = store.part
    if part is None or room <= _LEAST:
        return room
    piece = _piece(turn, part, room - _ENVELOPE)
    end = part.at + len(piece)
    last = end >= len(part.text)
    size = len(part.text.encode()) if part.at == 0 else None
    command = _command(part.out, part.type, piece, size=size, more=not last)
    part.at = end
    if last:
        store.part = None
        _took(store, part.out, part.version, command, taken, part.base)
    else:
        taken.commands.append(command)
        taken.sent.append(Sent(store.name, "part", part.out.ref))
    return room - turn.reply.measure(command)


def _piece(turn: Turn, part: Part, room: int) -> str:
    """Return as much of the rest as fits when written.

    It is cut between two visible characters: some peers lose space at the edges of a part.
    """
    left = len(part.text) - part.at
    low, high = 1, max(1, min(left, room))
    while low < high:
        middle = (low + high + 1) // 2
        if _cost(turn, part.text[part.at : part.at + middle]) <= room:
            low = middle
        else:
            high = middle - 1
    if low == left:
        return part.text[part.at :]
    end = part.at + low
    while end > part.at + low // 2 and (part.text[end - 1].isspace() or part.text[end].isspace()):
        end -= 1
    return part.text[part.at : end]


def _cost(turn: Turn, text: str) -> int:
    return turn.reply.measure(m.Add(cmd_id="1", items=(Item(data=text),)))


def _took(
    store: StoreTalk, out: Out, version: str, command: Command, taken: _Pass, base: str = ""
) -> None:
    taken.commands.append(command)
    what = "add" if out.luid is None else "replace"
    taken.sent.append(Sent(store.name, what, out.ref, version, base))
    if out.luid is None:
        taken.rows.append(
            DeviceItem(
                ref=out.ref,
                guid=guid(out.ref),
                version=version,
                session=store.mark,
                base=base,
                ours=True,
            )
        )


def _command(
    out: Out, media_type: str, text: str, *, size: int | None = None, more: bool = False
) -> m.Add | m.Replace:
    meta = Meta(type=media_type)
    inner = None if size is None or not more else Meta(size=size)
    if out.luid is None:
        item = Item(source=Location(guid(out.ref)), meta=inner, data=text, more_data=more)
        return m.Add(cmd_id="1", meta=meta, items=(item,))
    item = Item(target=Location(out.luid), meta=inner, data=text, more_data=more)
    return m.Replace(cmd_id="1", meta=meta, items=(item,))
