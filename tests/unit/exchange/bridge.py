"""The adapter and the stand-in in one process, without a port, and hands that spoil answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
from lxml import etree
from starlette.testclient import TestClient

from accord.groupware.exchange.adapter import ExchangeAdapter
from accord.groupware.exchange.session import ExchangeSession
from accord.groupware.exchange.settings import configure
from accord.model.kinds import Kind
from accord.sandbox.exchange.server import PATH, Exchange
from accord.sandbox.exchange.streaming import Pace
from accord.testing.place import Place
from tests.unit.sandbox.ews import Judge

ALICE, BOB, ROBOT = "alice@example.com", "bob@example.com", "robot@example.com"
URL = f"http://127.0.0.1{PATH}"
Trick = Callable[[str, bytes], httpx2.Response | None]
Change = Callable[[str, bytes], bytes]


class Bridge(httpx2.BaseTransport):
    """Carry requests to the stand-in; `before` may answer first, `after` may change answers."""

    def __init__(self, exchange: Exchange) -> None:
        self.asked: list[tuple[str, bytes]] = []
        self.before: list[Trick] = []
        self.after: list[Change] = []
        self.headers: list[dict[str, str]] = []
        self._client = TestClient(exchange.app)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        body = request.read()
        name = operation(body)
        self.asked.append((name, body))
        self.headers.append(dict(request.headers))
        for trick in list(self.before):
            if (answer := trick(name, body)) is not None:
                return answer
        named = ("authorization", "content-type", "x-anchormailbox")
        kept = {key: value for key, value in request.headers.items() if key.lower() in named}
        reply = self._client.post(PATH, content=body, headers=kept)
        text = reply.content
        for change in list(self.after):
            text = change(name, text)
        headers = {k: v for k, v in reply.headers.items() if k.lower() != "content-length"}
        return httpx2.Response(reply.status_code, headers=headers, content=text)

    def names(self) -> list[str]:
        """Return the operations asked for so far."""
        return [name for name, _ in self.asked]

    def lose(self, wanted: str, times: int = 1) -> None:
        """Let the server do its work and lose the answer."""
        left = [times]

        def lost(name: str, text: bytes) -> bytes:
            if name == wanted and left[0]:
                left[0] -= 1
                raise httpx2.ReadError("the connection is gone")
            return text

        self.after.append(lost)


class Rig:
    """Alice's and Bob's mailboxes, and the adapter that acts there through a robot."""

    def __init__(self, **settings: Any) -> None:
        # Without a port answers come whole, streams at their end; so a minute is short.
        self.exchange = Exchange(witness=Judge(lambda what: None), pace=Pace(minute=0.01))
        people = self.exchange.people
        self.alice = people.add(ALICE, "secret", name="Alice Adams")
        self.bob = people.add(BOB, "secret")
        self.robot = people.add(ROBOT, "secret", impersonates=True)
        self.bridge = Bridge(self.exchange)
        given = {"url": URL, "auth": "basic", "user": ROBOT, "password": "secret"}
        given |= {"address_book": "Contacts", "time_zone": "Europe/Berlin", **settings}
        self._config = configure(given)
        self.adapter = self.another()

    def another(self) -> ExchangeAdapter:
        """Return an adapter as another process has it."""
        return ExchangeAdapter(self._config, self.bridge)

    @contextmanager
    def place(self, kind: Kind, principal: str = ALICE) -> Iterator[Place]:
        """Open the folder that is used by default for a kind."""
        with self.adapter.open(principal) as session:
            yield place_of(session, self.adapter, kind)

    def close(self) -> None:
        self.adapter.close()
        self.exchange.close()


def place_of(session: ExchangeSession, adapter: ExchangeAdapter, kind: Kind) -> Place:
    folder = next(f for f in session.folders() if kind in f.kinds and f.default)
    return Place(session, folder.id, kind, adapter.traits.kinds[kind])


def operation(body: bytes) -> str:
    """Return the name of the operation a request asks for."""
    root = etree.fromstring(body)
    inner = root.find("{*}Body")
    return etree.QName(inner[0]).localname if inner is not None else etree.QName(root).localname


def said(code: str, operation: str, *, details: str = "") -> bytes:
    """Return an answer whose only message is this error."""
    space = "http://schemas.microsoft.com/exchange/services/2006"
    return (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
        f'xmlns:m="{space}/messages" xmlns:t="{space}/types"><s:Body><m:{operation}Response>'
        f"<m:ResponseMessages><m:{operation}ResponseMessage ResponseClass='Error'>"
        f"<m:MessageText>said so</m:MessageText><m:ResponseCode>{code}</m:ResponseCode>{details}"
        f"</m:{operation}ResponseMessage></m:ResponseMessages></m:{operation}Response></s:Body>"
        "</s:Envelope>"
    ).encode()
