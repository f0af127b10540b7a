"""One message of a connector answered: pulls, questions and writes, all as the token's user.

Every command is whole by itself, so that any process can answer the next message; only what didn't
fit is remembered. The server calls `answer` in place of the devices' session.
"""

from __future__ import annotations

from itertools import groupby

from accord.formats import wire
from accord.formats.syncml import message as m
from accord.formats.syncml.alerts import AlertCode
from accord.formats.syncml.devinf import DevInf
from accord.formats.syncml.message import Command, Message
from accord.formats.syncml.status import StatusCode
from accord.interface.connector import asking, pulling, pushing
from accord.interface.connector.refusing import status_of
from accord.interface.server.house import Turn
from accord.interface.server.reply import name_of
from accord.interface.server.signin import TOKEN

_HEADER = "SyncHdr"
_QUESTIONS = 10
"""So many questions are answered in one message; each may cost the CRM much."""

_NOT_NOW = StatusCode.COMMAND_NOT_ALLOWED
_PULLS = (AlertCode.ONE_WAY_FROM_SERVER, AlertCode.REFRESH_FROM_SERVER)


def introduces(message: Message) -> bool:
    """Tell whether a message says that a connector sent it."""
    put = (item.data for one in message.body if isinstance(one, m.Put) for item in one.items)
    return any(
        isinstance(data, DevInf) and (data.manufacturer, data.model) == (wire.MAKER, wire.MODEL)
        for data in put
    )


def only_asks(message: Message) -> bool:
    """Tell whether a message begins a connector's conversation and changes nothing.

    It needn't be kept apart from others, nor its answer: it may be asked as often as one likes.
    """
    cred = message.header.cred
    by_token = cred is not None and cred.meta is not None and cred.meta.type == TOKEN
    asks = all(isinstance(one, m.Put | m.Get | m.Search | m.Alert) for one in message.body)
    return by_token and asks and message.header.msg_id == "1" and introduces(message)


def answer(turn: Turn, code: StatusCode) -> Message:
    """Return the reply to a message of a connector; `code` is what its header gets.

    Where nothing is left to go on with, the connector is told to sign in again next time, and
    nothing of the conversation is kept.
    """
    header, reply = turn.message.header, turn.reply
    reply.status("0", _HEADER, code, target=header.target.uri, source=header.source.uri)
    asked = 0
    for sort, commands in groupby(turn.message.body, key=type):
        if sort is m.Exec:
            pushing.execute(turn, [one for one in commands if isinstance(one, m.Exec)])
            continue
        for command in commands:
            if isinstance(command, m.Get | m.Search | m.Alert):
                asked += 1
            if asked > _QUESTIONS:
                status_of(turn, command.cmd_id or "0", name_of(command), _NOT_NOW)
                continue
            _do(turn, command)
    final = reply.settle()
    connector = turn.talk.connector
    assert connector is not None
    final = final and connector.rest is None
    connector.stays = connector.stays or not final
    if not connector.stays and code is StatusCode.AUTHENTICATION_ACCEPTED:
        reply.admit_once()
    return reply.message(final=final, asked=False)


def _do(turn: Turn, command: Command) -> None:
    match command:
        case m.Status() | m.Results():
            pass
        case m.Put():
            turn.reply.status(command.cmd_id, "Put", StatusCode.OK)
        case m.Get():
            asking.get(turn, command)
        case m.Search():
            asking.search(turn, command)
        case m.Alert() if command.code in _PULLS:
            pulling.pull(turn, command)
        case m.Alert(code=AlertCode.NEXT_MESSAGE):
            asking.go_on(turn, command)
        case m.Sync():
            pushing.sync(turn, command)
        case _:
            if command.cmd_id:
                code = StatusCode.COMMAND_NOT_IMPLEMENTED
                status_of(turn, command.cmd_id, name_of(command), code)
