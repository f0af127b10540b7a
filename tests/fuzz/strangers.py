"""Who speaks with CRM.interface and means no good: strangers, and a user who may sign in.

Strangers show nothing genuine, or what they have stolen; what they send must change nothing.
mallory signs in as herself: what she sends may change her own records, and nobody else's.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from random import Random
from typing import Any

from msgspec.structs import replace

from accord.formats.errors import Refused
from accord.formats.syncml import message as m
from accord.formats.syncml.media import Media
from accord.formats.syncml.message import Anchor, Item, Location, Meta
from accord.formats.syncml.node import Node
from accord.formats.syncml.version import Version
from accord.interface.server.server import Answer, Request, Server
from accord.model.item import Contact
from accord.model.kinds import Kind
from accord.ports.adapter import Ask, Draft, Mark, Question, Removal, Revision, Written
from tests.connector import Endpoint
from tests.fuzz.mangle import Mangler, parse
from tests.unit.formats.messages import RECORDED, RECORDED_WBXML
from tests.unit.interface.phone import (
    CALENDAR,
    CARD,
    LETTER,
    URL,
    Phone,
    card,
    entry,
    letter,
    status_for,
)

Sending = tuple[Request, Answer]
TYPES = {
    "addressbook": CARD,
    "calendar": CALENDAR,
    "todo": CALENDAR,
    "absence": CALENDAR,
    "mail": LETTER,
}
STORES = list(TYPES)
FIELDS = [
    "X-Mailer: mine",
    "Message-ID: <a@[",
    "Date: Fri, 31 Dec 9999 23:59:59 -0500",
    "To: " + "(" * 3000,
    "Cc: " + "a:" * 600,
    "Bcc: " + "a@b," * 2_000,
    "Bcc: =?punycode?q?" + "a" * 500 + "?= <zoe@example.com>",
    "Subject: " + "=?utf-8?b?4pyT?= " * 300,
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b" * 30,
    "Content-Type: text/html; charset=utf-7",
    "Content-Transfer-Encoding: base64",
    "",
]
"""What a mail may say beside the usual."""

ON_ITEMS: list[type[m.Add | m.Replace | m.Copy]] = [m.Add, m.Replace, m.Copy]
MODES = [200, 200, 200, 201, 202, 203, 204, 205, 225, 206, 210, 999]
_CAPTURES = [
    (path.read_bytes(), media)
    for media, paths in ((Media.XML, RECORDED), (Media.WBXML, RECORDED_WBXML))
    for path in paths
    if "1req" in path.name
]


def donors() -> list[Node]:
    """Return messages of real conversations, so that parts of them turn up in others."""
    return [parse(data, media) for data, media in _CAPTURES[::5]]


class Stranger:
    """Send recorded, stolen and senseless messages, and never anything genuine."""

    def __init__(self, server: Server, rng: Random, mangler: Mangler, stolen: list[str]) -> None:
        self.server = server
        self.rng = rng
        self.mangler = mangler
        self.stolen = stolen
        self.heard: list[m.Message] = []
        """What others have sent, credentials and all."""

    def act(self) -> Sending:
        """Send one message."""
        data, media = self.rng.choice([self._recorded, self._replayed, self._stolen])()
        if self.rng.random() < 0.8:
            data = self.mangler.mangle(data, media)
        content_type = media.value
        if self.rng.random() < 0.05:
            odd = ["", "text/html", "application/vnd.syncml+xml; charset=utf-16", Media.WBXML.value]
            content_type = self.rng.choice(odd)
        query = self.rng.choice(
            ["", "s=", "s=guessed", "s=%00", "s=%C3%A9", "s=" + "A" * 24, "tenant=7"]
        )
        mac = 'algorithm=MD5, username="anna", mac=AAAA'
        signature = self.rng.choice([""] * 9 + [mac])
        request = Request(
            body=data,
            content_type=content_type,
            query=query,
            peer=f"198.51.100.{self.rng.randrange(9)}",
            signature=signature,
        )
        return request, self.server.answer(request)

    def _recorded(self) -> tuple[bytes, Media]:
        return self.rng.choice(_CAPTURES) if _CAPTURES else self._stolen()

    def _replayed(self) -> tuple[bytes, Media]:
        media = self.rng.choice(list(Media))
        return media.encode(self.rng.choice(self.heard)), media

    def _stolen(self) -> tuple[bytes, Media]:
        media = self.rng.choice(list(Media))
        name, device = self.rng.choice(["anna", "mallory", "bob", ""]), f"d{self.rng.randrange(9)}"
        text = self.rng.choice([*self.stolen, "", "a1.x.y", "x" * 500])
        plain = base64.b64encode(f"{name}:{text}".encode()).decode()
        kind, data = self.rng.choice([("syncml:auth-basic", plain), ("accord:token", text)])
        form = "b64" if kind == "syncml:auth-basic" else "chr"
        header = m.Header(
            version=self.rng.choice(list(Version)),
            session_id=str(self.rng.randrange(5)),
            msg_id=str(self.rng.randrange(1, 4)),
            target=Location(URL),
            source=Location(self.rng.choice([device, "phone-1"]), name),
            cred=m.Cred(data, Meta(format=form, type=kind)),
            meta=Meta(max_msg_size=self.rng.choice([None, 5_000, 100])),
        )
        clear = Item(target=Location("addressbook"), source=Location("./c"), meta=_anchor("1"))
        body: list[m.Command] = [m.Alert(cmd_id="1", code=203, items=(clear,))]
        body.append(m.Sync(cmd_id="2", target=Location("addressbook"), source=Location("./c")))
        body *= self.rng.choice([1, 1, 1, 20])
        return media.encode(m.Message(header=header, body=tuple(body), final=True)), media


class Mallory:
    """Hold conversations as a user of her own, most of whose messages are spoilt."""

    def __init__(self, server: Server, rng: Random, mangler: Mangler) -> None:
        self.rng = rng
        self.mangler = mangler
        self.server = server
        self.phone = self._another()
        self.open = False
        self.seen: list[str] = []
        """Names that the server gave its items."""

    def _another(self) -> Phone:
        phone = Phone(
            self.server,
            "mallory",
            f"rogue-{self.rng.randrange(3)}",
            # In mails most can be wrong.
            store=self.rng.choice([*STORES, "mail", "mail", "mail"]),
            media=self.rng.choice(list(Media)),
            version=self.rng.choice([Version.V1_2, Version.V1_2, Version.V1_1, Version.V1_0]),
            max_message=self.rng.choice([150_000, 20_000, 5_000]),
        )
        phone.media_type = TYPES[phone.store]
        phone.challenge = "syncml:auth-basic"
        phone.session = self.rng.randrange(1000)
        return phone

    def act(self) -> Sending:
        """Send one message of a conversation, or begin another."""
        if not self.open or self.rng.random() < 0.12:
            self.phone = self._another()
            self.open = True
            return self._begin()
        commands = [self._command() for _ in range(self.rng.choice([*[1] * 10, 2, 2, 2, 4, 0]))]
        said = status_for(self.phone.seen[-1]) if self.phone.seen else []
        self.phone.number += self.rng.choice([1, 1, 1, 1, 0, 5])
        message = self.phone.message(*said, *commands, final=self.rng.random() < 0.2)
        return self._send(message, spoil=0.6)

    def _begin(self) -> Sending:
        phone = self.phone
        phone.session += 1
        phone.number, phone.url = 1, URL
        items = tuple(
            Item(
                target=Location(store),
                source=Location(f"./{store}"),
                meta=_anchor(self.rng.choice(["n1", "n2"]), self.rng.choice([None, "n1", "n2"])),
            )
            for store in dict.fromkeys([phone.store, phone.store, self.rng.choice(STORES)])
        )
        alerts = [m.Alert(cmd_id="1", code=self.rng.choice(MODES), items=(item,)) for item in items]
        put = m.Put(cmd_id="1", items=(Item(source=Location("./devinf"), data=phone.devinf()),))
        get = m.Get(cmd_id="1", items=(Item(target=Location(phone.version.devinf)),))
        message = phone.message(put, get, *alerts, cred=phone.cred())
        return self._send(message, spoil=0.3)

    def _send(self, message: m.Message, spoil: float) -> Sending:
        phone = self.phone
        data = phone.media.encode(message)
        if self.rng.random() < spoil:
            data = self.mangler.mangle(data, phone.media)
        request = Request(
            body=data,
            content_type=phone.media.value,
            query=phone.url.partition("?")[2],
            peer="192.0.2.66",
        )
        answer = self.server.answer(request)
        try:
            reply = phone.media.decode(answer.body)
        except Refused:
            return request, answer
        phone.seen.append(reply)
        phone.url = reply.header.resp_uri or phone.url
        for sync in reply.body:
            if isinstance(sync, m.Sync):
                for command in sync.commands:
                    self._remember(command)
        return request, answer

    def _remember(self, command: m.Command) -> None:
        for item in getattr(command, "items", ()):
            if item.source is not None:
                self.seen.append(item.source.uri)

    def _command(self) -> m.Command:
        rng, phone = self.rng, self.phone
        kind = rng.choice(["sync"] * 5 + ["map", "alert", "atomic", "status"])
        if kind == "map":
            guids = [rng.choice([*self.seen, "1", "crm-1"]) for _ in range(rng.randrange(4))]
            return phone.map_of({guid: str(rng.randrange(12)) for guid in guids})
        if kind == "alert":
            return m.Alert(cmd_id="1", code=rng.choice([*[222] * 9, 223, 223, 224, 225, 200, 100]))
        if kind == "atomic":
            inner = (self._change(),)
            if rng.random() < 0.5:
                return m.Atomic(cmd_id="1", commands=inner)
            return m.Sequence(cmd_id="1", commands=inner)
        if kind == "status":
            return m.Status(
                cmd_id="1",
                msg_ref=str(rng.randrange(5)),
                cmd_ref=str(rng.randrange(9)),
                cmd="Add",
                code=rng.choice([200, 201, 211, 404, 420, 500, 999]),
            )
        return phone.sync_of([self._change() for _ in range(rng.choice([0, 1, 3, 8]))])

    def _change(self) -> m.Command:
        rng = self.rng
        luid, what = str(rng.randrange(12)), rng.choice([*ON_ITEMS, m.Add, None])
        if what is None:
            soft = rng.random() < 0.2
            return m.Delete(cmd_id="1", soft=soft, items=(Item(source=Location(luid)),))
        number, more, size = rng.randrange(30), rng.random() < 0.2, None
        if self.phone.store == "addressbook":
            data = card(f"Number{number} Name", f"n{number}@example.com")
        elif self.phone.store == "mail":
            data = f"{rng.choice(FIELDS)}\r\n{letter(f'{number}@example.com', f'About {number}')}"
        else:
            data = entry(f"uid-{number}", f"Title {number}")
        if more:
            data, size = data[: rng.randrange(len(data))], rng.choice([len(data), 10**9, 0])
            more = self.phone.version > Version.V1_0
        given: dict[str, Any] = {"meta": Meta(size=size)} if size is not None else {}
        item = Item(source=Location(luid), data=data, more_data=more, **given)
        return what(cmd_id="1", meta=Meta(type=self.phone.media_type), items=(item,))


class Forger:
    """Send what mallory's connector has sent, spoilt: it acts for her, and for nobody else."""

    def __init__(self, endpoint: Endpoint, rng: Random, mangler: Mangler) -> None:
        self.endpoint = endpoint
        self.rng = rng
        self.mangler = mangler
        self.sent: list[Request] = []

    def listen(self, token: Callable[[str], str]) -> None:
        """Let the connector do one of each thing, and keep what it sends."""
        crm = self.endpoint.direct(token)
        with crm.open("mallory") as session:
            kind, item = Kind.CONTACT, Contact(full_name="Forged", notes="x " * 200)
            pages = list(session.changes("", kind, "", lambda _: {}))
            list(session.changes("", kind, pages[-1].cursor, lambda _: {}))
            (made,) = session.create("", kind, [Draft(item=item, key="forged-1", marker="m/1")])
            assert isinstance(made, Written)
            assert made.snapshot is not None
            after = Contact(full_name="Forged anew")
            change = Revision(
                ref=made.ref,
                version=made.version,
                before=made.snapshot.item,
                after=after,
                changed=("full_name",),
            )
            session.update("", kind, [change])
            session.fetch("", kind, [Ask(ref=made.ref), Ask(ref="contact-1")])
            session.lookup("", kind, [Question(key="forged-1"), Question(uid="x")])
            session.mark("", kind, [Mark(ref=made.ref, marker="m/2")])
            session.delete("", kind, [Removal(ref=made.ref, version="3")])
        self.sent = list(self.endpoint.seen)

    def act(self) -> Sending:
        """Send one message."""
        request = self.rng.choice(self.sent)
        if self.rng.random() < 0.8:
            body = self.mangler.mangle(request.body, Media(request.content_type))
            request = replace(request, body=body)
        assert self.endpoint.server is not None
        return request, self.endpoint.server.answer(request)


def _anchor(following: str, last: str | None = None) -> Meta:
    return Meta(anchor=Anchor(following, last))
