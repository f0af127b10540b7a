"""One reply under construction: statuses first, and never more than the peer takes.

What doesn't fit stays owed; the peer asks for it with its next message.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from accord.formats.syncml import message as m
from accord.formats.syncml.alerts import AlertCode
from accord.formats.syncml.media import Media
from accord.formats.syncml.message import Command, Header, Message
from accord.formats.syncml.status import StatusCode
from accord.interface.server.talk import Owed, Sent, Talk

C = TypeVar("C", bound=Command)

_DIGITS = 4
"""How much longer a number may become than the one that commands are measured with."""

OVERHEAD = 700
"""Bytes kept free for what a codec adds around commands."""


class Reply:
    """Collect the commands of a reply within its size; `final` is decided in the end."""

    def __init__(self, media: Media, to: Header, talk: Talk, limit: int, head: Header) -> None:
        """Begin; `limit` is how many bytes the peer takes, or we want to send."""
        self.media = media
        self.to = to
        self.talk = talk
        self.head = head
        self.version = to.version
        self.limit = limit
        self.left = limit - OVERHEAD
        self.body: list[Command] = []
        self.late: list[Owed] = []
        self._number = 0
        self.left -= len(media.encode(Message(header=head)))

    def status(
        self,
        to: str,
        name: str,
        code: int,
        *,
        target: str | None = None,
        source: str | None = None,
        items: Sequence[m.Item] = (),
        chal: m.Chal | None = None,
    ) -> None:
        """Answer a command of this message; one without a number can't be answered."""
        if self.to.no_resp or not to:
            return
        self.owe(
            m.Status(
                cmd_id="1",
                msg_ref=self.to.msg_id,
                cmd_ref=to,
                cmd=name,
                code=code,
                target_refs=() if target is None else (target,),
                source_refs=() if source is None else (source,),
                items=tuple(items),
                chal=chal,
            )
        )

    def owe(self, command: Command, alert: str = "") -> None:
        """Send a command, now if it fits and else later."""
        self.late.append(Owed(command, alert))

    def settle(self) -> bool:
        """Take in what is owed from before and what was added; tell whether all of it fitted."""
        waiting = self.talk.owed + self.late
        self.talk.owed, self.late = [], []
        # The header's own status belongs in front whatever is owed from before.
        waiting.sort(key=_is_header_status, reverse=True)
        for at, each in enumerate(waiting):
            made = each.command
            size = self.measure(made)
            if size > self.left and self._bare:
                # No later message has more room: who waited for it would wait for ever.
                made = _slim(made)
                size = self.measure(made)
            elif size > self.left:
                self.talk.owed = waiting[at:]
                return False
            command = self.put(made, size)
            if each.alert:
                self.expect(command.cmd_id, Sent(each.alert, "alert"))
        return True

    @property
    def _bare(self) -> bool:
        """Tell whether nothing is in it but, at most, the answer to the header."""
        return all(isinstance(each, m.Status) and each.cmd_ref == "0" for each in self.body)

    def measure(self, command: Command) -> int:
        """Return how many bytes a command takes at most, whatever its number will be."""
        return self.media.measure(command, self.version) + _DIGITS

    def number(self, command: C) -> C:
        """Return a command with the next number."""
        self._number += 1
        return msgspec.structs.replace(command, cmd_id=str(self._number))

    def put(self, command: C, size: int | None = None) -> C:
        """Add a command, whatever room there is; return it with its number."""
        self.left -= self.measure(command) if size is None else size
        command = self.number(command)
        self.body.append(command)
        return command

    def expect(self, number: str, sent: Sent) -> None:
        """Remember what a command was, for when its status comes."""
        self.talk.sent[f"{self.head.msg_id}/{number}"] = sent

    def admit_once(self) -> None:
        """Let the peer in for this message only: the next one needs credentials again."""
        self.head = msgspec.structs.replace(self.head, resp_uri=None)
        for at, each in enumerate(self.body):
            if isinstance(each, m.Status) and each.cmd_ref == "0":
                self.body[at] = msgspec.structs.replace(each, code=int(StatusCode.OK))

    def message(self, *, final: bool, asked: bool) -> Message:
        """Return the reply; asks for the next message where there is nothing else to say."""
        if asked and self._bare and not final:
            item = m.Item(target=self.head.target, source=self.head.source)
            self.put(m.Alert(cmd_id="1", code=AlertCode.NEXT_MESSAGE, items=(item,)))
        return Message(header=self.head, body=tuple(self.body), final=final)


def refusal(
    media: Media,
    message: Message,
    head: Header,
    code: StatusCode,
    chal: m.Chal | None,
    limit: int,
) -> Message:
    """Return the answer to a message none of which is done: one code for all commands.

    Of more commands than fit into `limit` bytes only the first are answered, and the header's
    answer repeats both sides' names only where they fit.
    """
    body: list[Command] = []
    left = limit - OVERHEAD - len(media.encode(Message(header=head)))
    if not message.header.no_resp:
        named = m.Status(
            cmd_id="1",
            msg_ref=head.msg_id,
            cmd_ref="0",
            cmd="SyncHdr",
            code=int(code),
            target_refs=(head.source.uri,),
            source_refs=(head.target.uri,),
            chal=chal,
        )
        fits = media.measure(named, head.version) <= left
        body.append(named if fits else _slim(named))
        left -= media.measure(body[0], head.version)
        commands = [
            command
            for command in message.body
            if command.cmd_id and not isinstance(command, m.Status | m.Results)
        ]
        for number, command in enumerate(commands, 2):
            made = m.Status(
                cmd_id=str(number),
                msg_ref=head.msg_id,
                cmd_ref=command.cmd_id,
                cmd=name_of(command),
                code=int(code),
            )
            left -= media.measure(made, head.version)
            if left < 0:
                break
            body.append(made)
    return Message(header=head, body=tuple(body), final=True)


def name_of(command: Command) -> str:
    """Return a command's name as messages spell it."""
    return command.name if isinstance(command, m.Unknown) else type(command).__name__


def _slim(command: Command) -> Command:
    """Return a command without what it repeats of the one that it answers, which may be long."""
    if not isinstance(command, m.Status):
        return command
    return msgspec.structs.replace(command, target_refs=(), source_refs=(), items=())


def _is_header_status(owed: Owed) -> bool:
    return isinstance(owed.command, m.Status) and owed.command.cmd_ref == "0"
