"""A device made by hand: it speaks SyncML with the server message by message, over XML or WBXML.

`sync` plays a whole session as phones do; tests that need one odd message send it themselves.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec

from accord.formats.syncml import message as m
from accord.formats.syncml.devinf import Capability, ContentType, DevInf, Property
from accord.formats.syncml.devinf import Store as Described
from accord.formats.syncml.media import Media
from accord.formats.syncml.message import Anchor, Item, Location, Meta
from accord.formats.syncml.version import Version
from accord.interface.server.house import House
from accord.interface.server.server import Answer, Request, Server
from accord.interface.server.settings import InterfaceSettings
from accord.interface.server.signin import SignIn
from accord.interface.tokens.desk import Desk
from accord.interface.tokens.hmac import HmacTokens
from accord.interface.tokens.settings import TokenSettings
from accord.ports.adapter import Adapter
from accord.state import State
from accord.state.devices import DeviceSecret

URL = "http://crm.example/CRM.interface"
CARD = "text/vcard"
CALENDAR = "text/calendar"
LETTER = "message/rfc822"
PASSWORD = "kq3zf-correct"


def card(name: str, mail: str = "", **more: str) -> str:
    """Return a vCard as phones write it."""
    given, _, family = name.partition(" ")
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"N:{family};{given};;;", f"FN:{name}"]
    lines += [f"EMAIL;TYPE=WORK:{mail}"] * bool(mail)
    lines += [f"{key}:{value}" for key, value in more.items()]
    return "\r\n".join([*lines, "END:VCARD", ""])


def entry(uid: str, title: str, day: int = 1) -> str:
    """Return a calendar entry."""
    return "\r\n".join(
        [
            "BEGIN:VCALENDAR",
            "VERSION:2.0",
            "BEGIN:VEVENT",
            f"UID:{uid}",
            f"SUMMARY:{title}",
            f"DTSTART:202612{day:02}T100000Z",
            f"DTEND:202612{day:02}T110000Z",
            "END:VEVENT",
            "END:VCALENDAR",
            "",
        ]
    )


def letter(uid: str, subject: str, text: str = "Hello", **more: str) -> str:
    """Return an e-mail."""
    lines = [f"Message-ID: <{uid}>", "Date: Mon, 02 Mar 2026 09:00:00 +0000"]
    lines += ["From: Zoe <zoe@example.com>", "To: anna@example.com", f"Subject: {subject}"]
    lines += [f"{key.replace('_', '-')}: {value}" for key, value in more.items()]
    return "\r\n".join([*lines, "", text, ""])


def serve(state: State, crm: Adapter, **settings: Any) -> Server:
    """Open a server for a CRM."""

    def enter(user: str) -> None:
        crm.open(user).close()

    desk = Desk(state, HmacTokens(state), enter, TokenSettings())
    told = msgspec.convert(settings, InterfaceSettings)
    return Server(House(state, crm, SignIn(state, desk), told))


def give_password(server: Server, user: str, password: str = PASSWORD) -> str:
    """Make a password for a user's devices; return the id of its token."""
    state = server._house.state
    token = server._house.sign_in._desk.issue(user, timedelta(hours=8))
    secret = DeviceSecret(
        id=token.claims.id,
        user=user,
        text=token.text,
        password=password,
        until=token.claims.expires,
    )
    state.run(lambda tx: tx.device_secrets.add(secret))
    return token.claims.id


class Phone:
    """Hold contacts (or whatever a store holds) under names of its own, and sync them."""

    def __init__(
        self,
        server: Server | None,
        user: str = "anna",
        device: str = "phone-1",
        *,
        store: str = "addressbook",
        media: Media = Media.XML,
        version: Version = Version.V1_2,
        media_type: str = CARD,
        max_message: int = 150_000,
        max_object: int | None = None,
        devinf: bool = True,
        keeps: tuple[str, ...] = (),
    ) -> None:
        self.server = server
        self.user, self.device, self.store = user, device, store
        self.password = PASSWORD
        self.media, self.version, self.media_type = media, version, media_type
        self.max_message, self.max_object = max_message, max_object
        self.tells, self.keeps = devinf, keeps
        self.oem: str | None = None
        self.items: dict[str, str] = {}
        self.before: dict[str, str] = {}
        self.last: str | None = None
        self.syncs = 0
        self.session = 0
        self.number = 0
        self.url = URL
        self.seen: list[m.Message] = []
        self.sent: list[m.Message] = []
        self.nonce = b""
        self.maps: dict[str, str] = {}
        self.fresh = 100
        self.codes: dict[str, int] = {}
        self.part = ""
        self.challenge = "syncml:auth-md5"

    # ---- one message ----

    def post(self, *body: m.Command, final: bool = True, **header: Any) -> m.Message:
        """Send one message and return the reply."""
        self.number += 1
        return self.again(self.message(*body, final=final, **header))

    def message(self, *body: m.Command, final: bool = True, **header: Any) -> m.Message:
        large = self.version > Version.V1_0
        meta = Meta(max_msg_size=self.max_message, max_obj_size=self.max_object if large else None)
        numbered = []
        for number, command in enumerate(body, 1):
            kept = {name: getattr(command, name) for name in command.__struct_fields__}
            numbered.append(type(command)(**{**kept, "cmd_id": str(number * 100)}))
        return m.Message(
            header=m.Header(
                **{
                    "version": self.version,
                    "session_id": str(self.session),
                    "msg_id": str(self.number),
                    "target": Location(self.url),
                    "source": Location(self.device, self.user),
                    "meta": meta,
                    **header,
                }
            ),
            body=tuple(numbered),
            final=final,
        )

    def again(self, message: m.Message, signature: str = "") -> m.Message:
        self.sent.append(message)
        data = self.media.encode(message)
        answer = self.raw(data, signature)
        assert answer.status == 200, answer
        assert answer.content_type == self.media.value
        # A peer with small buffers must never get more than it takes.
        assert len(answer.body) <= self.max_message, len(answer.body)
        reply = self.media.decode(answer.body)
        self.seen.append(reply)
        if reply.header.resp_uri:
            self.url = reply.header.resp_uri
        return reply

    def raw(self, data: bytes, signature: str = "") -> Answer:
        assert self.server is not None, "a phone without a server of its own says how it sends"
        query = urlsplit(self.url).query
        return self.server.answer(
            Request(
                body=data,
                content_type=self.media.value,
                query=query,
                peer="192.0.2.7",
                signature=signature,
            )
        )

    # ---- the first package ----

    def cred(self) -> m.Cred:
        if self.challenge == "syncml:auth-basic":
            data = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        else:
            data = md5(self.version, self.user, self.password, self.nonce)
        return m.Cred(data, Meta(format="b64", type=self.challenge))

    def begin(
        self, code: int = 200, *more: m.Command, last: str | None = "", final: bool = True
    ) -> m.Message:
        """Sign in (again where challenged) and alert the store; return the last reply."""
        self.session += 1
        self.number, self.url = 0, URL
        self.following = f"next-{self.device}-{self.session}"
        anchor = Anchor(self.following, self.last if last == "" else last)
        item = Item(
            target=Location(self.store),
            source=Location(f"./{self.store}"),
            meta=Meta(anchor=anchor),
        )
        alert = m.Alert(cmd_id="1", code=code, items=(item,))
        get = m.Get(cmd_id="1", items=(Item(target=Location(self.version.devinf)),))
        put = m.Put(cmd_id="1", items=(Item(source=Location("./devinf"), data=self.devinf()),))
        body = [put] * self.tells + [get, alert, *more]
        reply = self.post(*body, final=final, cred=self.cred())
        for _ in range(3):
            chal = header_status(reply).chal
            if chal is not None:
                self.challenge = chal.meta.type or self.challenge
                self.nonce = base64.b64decode(chal.meta.next_nonce or "")
            if header_status(reply).code not in (401, 407):
                break
            self.session += 1
            self.number = 0
            reply = self.post(*body, final=final, cred=self.cred())
        self.reply = reply
        return reply

    def devinf(self) -> DevInf:
        kind = ContentType(self.media_type, "2.1" if "x-v" in self.media_type else "3.0")
        if "calendar" in self.media_type:
            kind = ContentType(self.media_type, "1.0" if "x-v" in self.media_type else "2.0")
        if self.media_type == LETTER:
            kind = ContentType(self.media_type, "1.0")
        kept = Capability(
            type=kind.type,
            version=kind.version,
            properties=tuple(Property(name=name) for name in self.keeps),
        )
        capabilities = (kept,) if self.keeps and self.version is Version.V1_2 else ()
        store = Described(
            source_ref=f"./{self.store}", rx_pref=kind, tx_pref=kind, capabilities=capabilities
        )
        return DevInf(
            version=self.version,
            device_id=self.device,
            device_type="phone",
            oem=self.oem,
            stores=(store,),
            large_objects=self.version > Version.V1_0,
        )

    # ---- a whole session ----

    def sync(self, code: int = 200, *, last: str | None = "", lose_map: bool = False) -> int:
        """Play a session; return the mode that was agreed on."""
        reply = self.begin(code, last=last)
        assert header_status(reply).code == 212, header_status(reply)
        mode = alert_of(reply).code or 0
        assert reply.final
        reply = self.send_changes(mode)
        reply = self.take_changes(reply)
        if lose_map:
            return mode
        reply = self.post(*self.statuses, *([self.map_of(self.maps)] if self.maps else []))
        assert reply.final
        self.maps = {}
        self.last = self.following
        self.before = dict(self.items)
        return mode

    def changes(self, mode: int) -> list[m.Command]:
        """Return what this device has to say in a mode."""
        if mode in (204, 205):
            if mode == 205:
                self.items, self.before = {}, {}
            return []
        made: list[m.Command] = []
        slow = mode in (201, 203)
        meta = Meta(type=self.media_type)
        for luid, data in self.items.items():
            item = Item(source=Location(luid), data=data)
            if slow or luid not in self.before:
                made.append(m.Add(cmd_id="1", meta=meta, items=(item,)))
            elif self.before[luid] != data:
                made.append(m.Replace(cmd_id="1", meta=meta, items=(item,)))
        if not slow:
            made += [
                m.Delete(cmd_id="1", items=(Item(source=Location(luid)),))
                for luid in self.before.keys() - self.items.keys()
            ]
        return made

    def send_changes(self, mode: int) -> m.Message:
        commands = self.changes(mode)
        reply = self.post(*status_for(self.reply), self.sync_of(commands))
        self.codes = {
            status.source_refs[0]: status.code
            for status in reply.body
            if isinstance(status, m.Status)
            and status.cmd in ("Add", "Replace", "Delete")
            and status.source_refs
        }
        return reply

    def sync_of(self, commands: Iterable[m.Command]) -> m.Sync:
        numbered = []
        for number, command in enumerate(commands, 1):
            kept = {name: getattr(command, name) for name in command.__struct_fields__}
            numbered.append(type(command)(**{**kept, "cmd_id": str(number)}))
        return m.Sync(
            cmd_id="1",
            target=Location(self.store),
            source=Location(f"./{self.store}"),
            commands=tuple(numbered),
        )

    def map_of(self, names: dict[str, str]) -> m.Map:
        pairs = (m.MapItem(Location(guid), Location(luid)) for guid, luid in names.items())
        return m.Map(
            cmd_id="1",
            target=Location(self.store),
            source=Location(f"./{self.store}"),
            items=tuple(pairs),
        )

    def take_changes(
        self, reply: m.Message, refuse: Callable[[m.Command], int | None] = lambda _: None
    ) -> m.Message:
        """Take the server's package, asking for more until it is whole."""
        for _ in range(500):
            self.statuses = [*self._apply(reply, refuse)]
            if reply.final:
                return reply
            more = m.Alert(cmd_id="1", code=222)
            reply = self.post(
                *self.statuses, *([] if len(self.statuses) > 1 else [more]), final=False
            )
        raise AssertionError("the server never ends")

    def _apply(
        self, reply: m.Message, refuse: Callable[[m.Command], int | None]
    ) -> Iterable[m.Status]:
        yield from status_for(reply)
        for sync in reply.body:
            if not isinstance(sync, m.Sync):
                continue
            for command in sync.commands:
                refused = refuse(command)
                code = refused if refused is not None else self._take(command)
                yield m.Status(
                    cmd_id="1",
                    msg_ref=reply.header.msg_id,
                    cmd_ref=command.cmd_id,
                    cmd=type(command).__name__,
                    code=code,
                )

    def _take(self, command: m.Command) -> int:
        assert isinstance(command, m.Add | m.Replace | m.Delete)
        (item,) = command.items
        if isinstance(command, m.Delete):
            assert item.target is not None
            return 200 if self.items.pop(item.target.uri, None) is not None else 211
        self.part += str(item.data)
        if item.more_data:
            return 213
        data, self.part = self.part, ""
        if isinstance(command, m.Replace):
            assert item.target is not None
            if item.target.uri not in self.items:
                return 404
            self.items[item.target.uri] = data
            return 200
        assert item.source is not None
        self.fresh += 1
        self.items[str(self.fresh)] = data
        self.maps[item.source.uri] = str(self.fresh)
        return 201

    @property
    def names(self) -> list[str]:
        """Return the names (or titles) of all items."""
        lines = (line for data in self.items.values() for line in data.splitlines())
        return sorted(
            line.partition(":")[2].strip()
            for line in lines
            if line.startswith(("FN:", "SUMMARY:", "Subject:"))
        )

    def luid(self, name: str) -> str:
        (found,) = [
            luid for luid, data in self.items.items() if f":{name}" in data or f": {name}" in data
        ]
        return found


def md5(version: Version, user: str, password: str, nonce: bytes) -> str:
    def digest(data: bytes) -> str:
        return base64.b64encode(hashlib.md5(data).digest()).decode()

    if version is Version.V1_0:
        return digest(f"{user}:{password}:".encode() + nonce)
    return digest(digest(f"{user}:{password}".encode()).encode() + b":" + nonce)


def status_for(reply: m.Message) -> list[m.Status]:
    """Return statuses for the header and all commands of a reply but what is inside of Syncs."""
    head = m.Status(cmd_id="1", msg_ref=reply.header.msg_id, cmd_ref="0", cmd="SyncHdr", code=200)
    others = [
        m.Status(
            cmd_id="1",
            msg_ref=reply.header.msg_id,
            cmd_ref=command.cmd_id,
            cmd=type(command).__name__,
            code=200,
        )
        for command in reply.body
        if not isinstance(command, m.Status)
    ]
    return [head, *others]


def header_status(reply: m.Message) -> m.Status:
    (found,) = [s for s in reply.body if isinstance(s, m.Status) and s.cmd_ref == "0"]
    return found


def alert_of(reply: m.Message) -> m.Alert:
    (found,) = [a for a in reply.body if isinstance(a, m.Alert)]
    return found


def codes(reply: m.Message, command: str) -> list[int]:
    """Return the statuses of all commands of a name, in order."""
    return [s.code for s in reply.body if isinstance(s, m.Status) and s.cmd == command]


class Calling(Phone):
    """Send over HTTP."""

    address = ""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(None, *given, **more)
        self.headers: dict[str, str] = {}

    def raw(self, data: bytes, signature: str = "") -> Answer:
        to = urlsplit(self.url if self.number > 1 else self.address)
        there = urlsplit(self.address)
        where = to._replace(scheme="", netloc="").geturl()
        headers = {"Content-Type": self.media.value, **self.headers}
        host, port = there.hostname or "", there.port
        with closing(http.client.HTTPConnection(host, port, timeout=30)) as connection:
            connection.request("POST", where, data, headers)
            answer = connection.getresponse()
            kind = answer.headers.get_content_type()
            return Answer(body=answer.read(), content_type=kind, status=answer.status)
