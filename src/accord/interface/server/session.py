"""One message of a conversation answered: from what was remembered and a message to a reply.

`opening`, `incoming`, `outgoing` and `closing` do the packages; here stands whose turn it is.
"""

from __future__ import annotations

from accord.formats.syncml import message as m
from accord.formats.syncml.alerts import AlertCode
from accord.formats.syncml.message import Command, Message
from accord.formats.syncml.status import StatusCode
from accord.interface.server import chunks, closing, incoming, opening, outgoing
from accord.interface.server.house import Turn
from accord.interface.server.talk import Stage

_HEADER = "SyncHdr"


def answer(turn: Turn, code: StatusCode, chal: m.Chal | None = None) -> Message:
    """Return the reply to a message of somebody who is in; the conversation moves on.

    `code` and `chal` are what its header gets.
    """
    header = turn.message.header
    target, source = header.target.uri, header.source.uri
    turn.reply.status("0", _HEADER, code, target=target, source=source, chal=chal)
    heard = closing.Heard(turn)
    for command in turn.message.body:
        if isinstance(command, m.Status):
            heard.status(command)
    heard.store()
    for command in turn.message.body:
        _do(turn, command)
    # Who breaks off has said what it took, and how it names that: a sync is resumed from there.
    return _suspend(turn) if _breaks_off(turn.message) else _reply(turn)


def _do(turn: Turn, command: Command) -> None:
    match command:
        case m.Status():
            pass
        case m.Put():
            opening.put(turn, command)
        case m.Get():
            opening.get(turn, command)
        case m.Results():
            opening.results(turn, command)
        case m.Alert():
            opening.alert(turn, command)
        case m.Sync():
            incoming.sync(turn, command)
        case m.Map():
            closing.map_(turn, command)
        case _:
            opening.unknown(turn, command)


def _reply(turn: Turn) -> Message:
    talk, reply = turn.talk, turn.reply
    opening.ask_devinf(turn)
    opening.announce(turn)
    if turn.message.final:
        _package_ends(turn)
    fitted = reply.settle()
    final = False
    if fitted and talk.stage is Stage.SERVER:
        final = outgoing.fill(turn)
        if final:
            talk.stage = Stage.CLOSING
    elif fitted and talk.final_due:
        final = True
    if final:
        talk.final_due = False
    return reply.message(final=final, asked=not turn.message.final)


def _package_ends(turn: Turn) -> None:
    """Pass the turn on: the peer has finished its package."""
    talk = turn.talk
    match talk.stage:
        case Stage.OPENING:
            talk.final_due = True
            talk.stage = Stage.CLIENT if talk.stores else Stage.OVER
        case Stage.CLIENT:
            chunks.abandon(turn)
            for store in talk.stores.values():
                if not store.heard and not store.failed:
                    # Silence says nothing about its items, least of all in a refresh.
                    store.failed = "the device sent no changes"
            talk.stage = Stage.SERVER
        case Stage.CLOSING:
            talk.final_due = True
            talk.stage = Stage.OVER
            closing.commit(turn)
        case Stage.OVER:
            talk.final_due = True
        case _:
            pass


def _breaks_off(message: Message) -> bool:
    """Tell whether the peer suspends: it says so, or nothing at all (which it hasn't finished)."""
    if message.final:
        return any(isinstance(c, m.Alert) and c.code == AlertCode.SUSPEND for c in message.body)
    bare = all(isinstance(c, m.Status) and c.cmd_ref == "0" for c in message.body)
    return bare or any(isinstance(c, m.Alert) and c.code == AlertCode.SUSPEND for c in message.body)


def _suspend(turn: Turn) -> Message:
    # What was done is answered, so that it isn't sent again; there is no more to ask for.
    turn.talk.owed = [owed for owed in turn.talk.owed if isinstance(owed.command, m.Status)]
    turn.reply.settle()
    if turn.talk.stage is not Stage.OVER:
        turn.talk.stage = Stage.OVER
        closing.suspend(turn, "suspended")
    return turn.reply.message(final=turn.message.final, asked=False)
