"""Conversations with CRM.interface: one per pull and per push, several at once in lanes.

Each question is one message, and as many more as its answer takes.
"""

from __future__ import annotations

import base64
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
from msgspec import Struct, field

from accord import __version__
from accord.crm.syncml.errors import of_session
from accord.crm.syncml.http import Http
from accord.crm.syncml.settings import Config
from accord.crm.syncml.tokens import Kept
from accord.formats import wire
from accord.formats.syncml import message as m
from accord.formats.syncml.alerts import AlertCode
from accord.formats.syncml.devinf import ContentType, DevInf, Store
from accord.formats.syncml.errors import Malformed
from accord.formats.syncml.limits import Limits
from accord.formats.syncml.media import Media
from accord.formats.syncml.message import Command, Cred, Header, Item, Location, Message, Meta
from accord.formats.syncml.status import StatusCode
from accord.formats.syncml.version import Version
from accord.formats.wire import Told
from accord.ports.errors import ConfigError, Retry

_SMALL = 30_000
"""How large a message may be before the server said how large."""

_UNAUTHORIZED = (StatusCode.INVALID_CREDENTIALS, StatusCode.MISSING_CREDENTIALS)


class _Forgotten(Exception):
    """The server no longer knows the conversation."""


class Answer(Struct, frozen=True):
    """Be what a question was answered with: a name, and what is told of it."""

    ref: str
    told: Told


class Heard(Struct):
    """Be everything that one question brought: `statuses` by command, in order."""

    statuses: list[m.Status | None]
    results: list[m.Results] = field(default_factory=list)
    syncs: list[m.Sync] = field(default_factory=list)

    def answers(self) -> list[Answer]:
        """Return the items of all results, those that came in parts put together."""
        found: list[Answer] = []
        pieces: list[str] = []
        size: int | None = None
        for item in (item for one in self.results for item in one.items):
            if not pieces:
                size = item.meta.size if item.meta else None
            pieces.append(text_of(item))
            if item.more_data:
                continue
            text, whole = "".join(pieces), len(pieces) > 1
            pieces = []
            if whole and size not in (None, len(text.encode())):
                raise Retry("an item arrived in another size than announced", code="size")
            found.append(Answer(ref_of(item), told_of(item, text if whole else None)))
        if pieces:
            raise Retry("the end of an item didn't arrive", code="size")
        return found


class Lane(Struct):
    """Be one of the devices that a connector is to CRM.interface: one message at a time."""

    device: str
    sessions: int = 0


class Link:
    """Hold what all conversations share; thread-safe."""

    def __init__(self, config: Config, http: Http, tokens: Kept, media: Media) -> None:
        """Begin without a word."""
        self.config, self.http, self.tokens, self.media = config, http, tokens, media
        self.limits = Limits(size=2 * config.max_message + 100_000)
        self.most = _SMALL
        self.biggest = config.max_object
        self.instance, self.heard = "", 0.0
        self.files: wire.Keeping | None = None
        self._lanes: list[Lane] = []
        self._lock = threading.Lock()

    @contextmanager
    def talk(self, user: str) -> Iterator[Talk]:
        """Begin a conversation as a user, in a lane that is free."""
        with self._lock:
            lane = self._lanes.pop() if self._lanes else Lane(f"accord-{secrets.token_hex(8)}")
        try:
            yield Talk(self, lane, user)
        finally:
            with self._lock:
                self._lanes.append(lane)


class Talk:
    """Be one conversation; belongs to one thread."""

    def __init__(self, link: Link, lane: Lane, user: str) -> None:
        """Begin; nothing is sent yet."""
        self.link, self._lane, self._user = link, lane, user
        self._begin()

    @property
    def room(self) -> int:
        """Return how many bytes of commands a message may have."""
        return min(self.link.most, self.link.config.max_message) - 3_000

    def ask(self, *commands: Command) -> Heard:
        """Send commands and return all that is answered, however many messages it takes.

        Raises what the message as a whole was answered with.
        """
        try:
            return self._ask(commands)
        except _Forgotten:
            self._begin()
            return self._ask(commands)

    def _begin(self) -> None:
        self._lane.sessions += 1
        self._number = 0
        self._url = self.link.config.url

    def _ask(self, commands: Sequence[Command]) -> Heard:
        reply, names = self._send(commands)
        heard = Heard([None] * len(names))
        self._hear(reply, names, heard)
        most = 2 + self.link.config.max_object // 1_000
        for _ in range(most):
            if reply.final:
                return heard
            item = Item(target=Location(self._url), source=Location(self._lane.device))
            alert = m.Alert(cmd_id="1", code=AlertCode.NEXT_MESSAGE, items=(item,))
            reply, _ = self._send((alert,))
            if not self._hear(reply, names, heard):
                break
        raise Retry("CRM.interface comes to no end", after=60.0, code="endless")

    def _hear(self, reply: Message, names: list[str], heard: Heard) -> bool:
        """Take in what a message brings; tell whether that is anything."""
        before = len(heard.results) + len(heard.syncs)
        news = False
        for command in reply.body:
            match command:
                case m.Status():
                    name = f"{command.msg_ref}/{command.cmd_ref}"
                    if name in names and heard.statuses[names.index(name)] is None:
                        heard.statuses[names.index(name)] = command
                        news = True
                case m.Results():
                    heard.results.append(command)
                case m.Sync():
                    heard.syncs.append(command)
                case _:
                    pass
        return news or len(heard.results) + len(heard.syncs) > before

    def _send(self, commands: Sequence[Command]) -> tuple[Message, list[str]]:
        """Send one message; return the reply and the names of its commands in statuses."""
        token, renewed = self.link.tokens.get(self._user), False
        while True:
            reply, names = self._exchange(commands, token)
            code, text = _header_status(reply)
            if code in (StatusCode.OK, StatusCode.AUTHENTICATION_ACCEPTED):
                self._learn(reply.header)
                if self._number == 1 and code == StatusCode.OK:
                    # In for this message only.
                    self._begin()
                return reply, names
            if code in _UNAUTHORIZED and self._number > 1:
                raise _Forgotten
            if code not in _UNAUTHORIZED or renewed:
                raise of_session(code, text, f"as {self._user}")
            token, renewed = self.link.tokens.renew(self._user, token), True
            self._begin()

    def _exchange(self, commands: Sequence[Command], token: str) -> tuple[Message, list[str]]:
        self._number += 1
        first = self._number == 1
        link, lane = self.link, self._lane
        body, names = _numbered([_introduction(lane.device), *commands] if first else commands)
        header = Header(
            version=Version.V1_2,
            session_id=str(lane.sessions),
            msg_id=str(self._number),
            target=Location(self._url),
            source=Location(lane.device, self._user),
            cred=_cred(token) if first else None,
            meta=Meta(max_msg_size=link.config.max_message, max_obj_size=link.config.max_object),
        )
        try:
            data = link.media.encode(Message(header=header, body=body, final=True))
            answer = link.http.post(self._url, data)
            reply = link.media.decode(answer, link.limits)
        except Malformed as error:
            raise Retry(
                f"the conversation broke off: {error}", after=60.0, code="malformed"
            ) from error
        if (reply.header.session_id, reply.header.target.uri) != (header.session_id, lane.device):
            raise Retry("the answer belongs to another conversation", after=60.0, code="mixed-up")
        said = [f"{header.msg_id}/{name}" for name in names]
        return reply, said[1:] if first else said

    def _learn(self, header: Header) -> None:
        link, meta = self.link, header.meta or Meta()
        link.most = meta.max_msg_size or link.most
        link.biggest = min(meta.max_obj_size or link.biggest, link.config.max_object)
        link.instance, link.heard = header.source.name or link.instance, time.monotonic()
        self._url = header.resp_uri or self._url


def text_of(item: Item) -> str:
    """Return an item's data."""
    return item.data if isinstance(item.data, str) else ""


def ref_of(item: Item) -> str:
    """Return what an item's name stands for."""
    return wire.unname(item.source.uri) if item.source else ""


def told_of(item: Item, text: str | None = None) -> Told:
    """Return what is told of an item."""
    meta = item.meta or Meta()
    data = item.data if isinstance(item.data, str) else None
    return Told(meta.mark or "", wire.unname(meta.version or ""), data if text is None else text)


def outcome_text(status: m.Status) -> str:
    """Return the outcome that a status carries."""
    return text_of(status.items[0]) if status.items else ""


def _header_status(reply: Message) -> tuple[int, str]:
    for command in reply.body:
        if isinstance(command, m.Status) and command.cmd_ref == "0":
            return command.code, outcome_text(command)
    raise ConfigError("the answer says nothing about the message", field="url")


def _numbered(commands: Sequence[Command]) -> tuple[tuple[Command, ...], list[str]]:
    """Number commands, those inside a Sync too; return them with the numbers of the innermost."""
    number, names = 0, []
    body: list[Command] = []
    for command in commands:
        number += 1
        outer = msgspec.structs.replace(command, cmd_id=str(number))
        if isinstance(outer, m.Sync):
            inner = []
            for each in outer.commands:
                number += 1
                names.append(str(number))
                inner.append(msgspec.structs.replace(each, cmd_id=str(number)))
            outer = msgspec.structs.replace(outer, commands=tuple(inner))
        else:
            names.append(str(number))
        body.append(outer)
    return tuple(body), names


def _cred(token: str) -> Cred:
    data = base64.b64encode(token.encode()).decode()
    return Cred(data, Meta(format="b64", type="accord:token"))


def _introduction(device: str) -> m.Put:
    kind = ContentType(wire.TYPE)
    store = Store(source_ref="./item", rx_pref=kind, tx_pref=kind, sync_types=(1, 2, 3, 4, 5, 6))
    devinf = DevInf(
        version=Version.V1_2,
        device_id=device,
        device_type="server",
        manufacturer=wire.MAKER,
        model=wire.MODEL,
        software=__version__,
        hardware="-",
        firmware=__version__,
        utc=True,
        large_objects=True,
        stores=(store,),
    )
    item = Item(source=Location(Version.V1_2.devinf), data=devinf)
    return m.Put(cmd_id="1", meta=Meta(type=Media.XML.devinf), items=(item,))
