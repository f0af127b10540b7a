"""The first package: device information both ways, and how each store is to be synced.

Anchors decide: who doesn't remember the same last sync as we do starts from the beginning.
OMA-TS-DS_Protocol-V1_2, sections 6 and 7.
"""

from __future__ import annotations

import secrets

from accord.formats.syncml import message as m
from accord.formats.syncml.alerts import AlertCode
from accord.formats.syncml.devinf import DevInf
from accord.formats.syncml.message import Anchor, Item, Location, Meta
from accord.formats.syncml.status import StatusCode
from accord.interface.server import chunks, resuming
from accord.interface.server import devinf as info
from accord.interface.server.house import Turn
from accord.interface.server.reply import name_of
from accord.interface.server.stores import find
from accord.interface.server.talk import Mode, Stage, StoreTalk
from accord.state.device_items import Shelf
from accord.state.ids import new_id

STARTS = {mode.code: mode for mode in Mode}
_SLOWER = {
    Mode.TWO_WAY: Mode.SLOW,
    Mode.FROM_CLIENT: Mode.REFRESH_FROM_CLIENT,
    Mode.FROM_SERVER: Mode.REFRESH_FROM_SERVER,
}
_BY_SERVER = range(AlertCode.TWO_WAY_BY_SERVER, AlertCode.REFRESH_FROM_SERVER_BY_SERVER + 1)
_WORDS = (
    AlertCode.DISPLAY,
    AlertCode.RESULT_ALERT,
    AlertCode.NEXT_MESSAGE,
    AlertCode.NO_END_OF_DATA,
    AlertCode.SUSPEND,
)

_MOST_DESCRIBED = 5
"""How often one message may ask what we are; our answer is much larger than the question."""


def put(turn: Turn, command: m.Put) -> None:
    """Take a device's description of itself."""
    for item in command.items:
        if isinstance(item.data, DevInf):
            turn.learn(item.data)
    source = _uri(command.items[0].source) if command.items else None
    turn.reply.status(command.cmd_id, "Put", StatusCode.OK, source=source)


def results(turn: Turn, command: m.Results) -> None:
    """Take a device's answer to what we asked it."""
    for item in command.items:
        if isinstance(item.data, DevInf):
            turn.learn(item.data)
    turn.reply.status(command.cmd_id, "Results", StatusCode.OK, source=command.source_ref)


def get(turn: Turn, command: m.Get) -> None:
    """Describe ourselves."""
    reply = turn.reply
    for item in command.items:
        uri = _uri(item.target) or ""
        if uri.strip("./").casefold() not in {name.strip("./") for name in info.NAMES}:
            reply.status(command.cmd_id, "Get", StatusCode.NOT_FOUND, target=uri)
            continue
        if turn.described >= _MOST_DESCRIBED:
            reply.status(command.cmd_id, "Get", StatusCode.REQUEST_ENTITY_TOO_LARGE, target=uri)
            continue
        turn.described += 1
        reply.status(command.cmd_id, "Get", StatusCode.OK, target=uri)
        own = info.own(turn.message.header.version, turn.house.crm.traits)
        reply.owe(
            m.Results(
                cmd_id="1",
                msg_ref=turn.message.header.msg_id,
                cmd_ref=command.cmd_id,
                meta=Meta(type=reply.media.devinf),
                items=(Item(source=Location(own.version.devinf), data=own),),
            )
        )


def alert(turn: Turn, command: m.Alert) -> None:
    """Agree on how to sync a store, or hear what else there is to say."""
    code = command.code
    if code in STARTS or code == AlertCode.RESUME:
        _start(turn, command)
    elif code in _WORDS:
        if code == AlertCode.NO_END_OF_DATA:
            chunks.abandon(turn)
        turn.reply.status(command.cmd_id, "Alert", StatusCode.OK)
    else:
        known = code in _BY_SERVER
        status = StatusCode.OPTIONAL_FEATURE_NOT_SUPPORTED if known else StatusCode.BAD_REQUEST
        turn.reply.status(command.cmd_id, "Alert", status)


def ask_devinf(turn: Turn) -> None:
    """Ask a device that never said what it is."""
    if turn.devinf is not None or turn.talk.asked or not turn.talk.stores:
        return
    turn.talk.asked = True
    item = Item(target=Location(turn.message.header.version.devinf))
    meta = Meta(type=turn.reply.media.devinf)
    turn.reply.owe(m.Get(cmd_id="1", meta=meta, items=(item,)))


def _start(turn: Turn, command: m.Alert) -> None:
    item = command.items[0] if command.items else Item()
    target, source = _uri(item.target) or "", _uri(item.source) or ""
    anchor = item.meta.anchor if item.meta else None
    found = find(target, turn.house.crm.traits)
    code, echo = StatusCode.OK, []
    if command.code == AlertCode.RESUME and not resuming.understood(turn):
        code = StatusCode.OPTIONAL_FEATURE_NOT_SUPPORTED
    elif turn.talk.stage is not Stage.OPENING:
        code = StatusCode.COMMAND_NOT_ALLOWED
    elif found is None:
        code = StatusCode.NOT_FOUND
    elif anchor is None or not anchor.next or not source or found.name in turn.talk.stores:
        code = StatusCode.INCOMPLETE_COMMAND
    else:
        code, store = _agree(turn, found.name, command.code or 0, anchor)
        meta = item.meta or Meta()
        store.uri = source
        store.max_object = meta.max_obj_size or turn.talk.peer_object or None
        turn.talk.stores[found.name] = store
        turn.house.state.run(lambda tx: tx.sync_log.put(turn.log(store)), durable=False)
        echo = [Item(data=Anchor(next=anchor.next))]
    turn.reply.status(command.cmd_id, "Alert", code, target=target, source=source, items=echo)


def _agree(turn: Turn, name: str, code: int, anchor: Anchor) -> tuple[StatusCode, StoreTalk]:
    """Return how a store is synced, by what both sides remember, and what to answer."""
    shelf = Shelf(turn.talk.user, turn.talk.device, name)
    with turn.house.state.read() as tx:
        before = tx.device_anchors.get(shelf)
    agreed = before is not None and anchor.last == before.client != ""
    own_next = f"{turn.house.now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    left = resuming.left_off(turn, name) if code == AlertCode.RESUME else None
    if left is not None and resuming.goes_on(left, anchor):
        return StatusCode.OK, resuming.go_on(turn, left, anchor, own_next)
    wanted = left.store.mode if left is not None else STARTS.get(code, Mode.TWO_WAY)
    status, mode = StatusCode.OK, wanted
    merge = False
    if wanted in _SLOWER and not agreed:
        status, mode = StatusCode.REFRESH_REQUIRED, _SLOWER[wanted]
        merge = mode is Mode.REFRESH_FROM_CLIENT
    elif code == AlertCode.RESUME and wanted not in _SLOWER:
        # A sync of everything that can't be gone on with begins anew, and takes nothing away.
        status, merge = StatusCode.REFRESH_REQUIRED, mode is Mode.REFRESH_FROM_CLIENT
    elif code == AlertCode.RESUME and left is None:
        status = StatusCode.RESERVED_509
    elif left is not None and left.coming is not None:
        # Its first parts were answered, so they don't come again.
        turn.talk.coming = left.coming
    return status, StoreTalk(
        id=new_id(),
        name=name,
        uri="",
        mode=mode,
        client_next=anchor.next,
        own_next=own_next,
        before=before,
        merge=merge,
        mark=turn.talk.key,
    )


def announce(turn: Turn) -> None:
    """Alert the stores that were agreed on in this message."""
    for store in turn.talk.stores.values():
        if store.alerted:
            continue
        store.alerted = True
        last = store.before.own if store.before and store.mode in _SLOWER else None
        meta = Meta(anchor=Anchor(store.own_next, last))
        item = Item(target=Location(store.uri), source=Location(store.name), meta=meta)
        made = m.Alert(cmd_id="1", code=store.mode.code, items=(item,))
        turn.reply.owe(made, store.name)


def unknown(turn: Turn, command: m.Command) -> None:
    """Answer a command that has no place here, or none at all."""
    if not getattr(command, "no_resp", False):
        turn.reply.status(command.cmd_id, name_of(command), StatusCode.COMMAND_NOT_IMPLEMENTED)


def _uri(location: Location | None) -> str | None:
    return None if location is None else location.uri
