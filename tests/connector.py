"""CRM.interface on loopback, in a thread, in front of any CRM, and the connector's client of it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import uvicorn

from accord.crm.syncml import SyncmlCrm, Tokens, build, signed
from accord.crm.syncml.settings import configure
from accord.formats.token import key_text
from accord.interface.server.app import PATH, make_app
from accord.interface.server.house import House
from accord.interface.server.server import Answer, Request, Server
from accord.interface.server.settings import InterfaceSettings
from accord.interface.server.signin import SignIn
from accord.interface.tokens.desk import Desk
from accord.interface.tokens.hmac import HmacTokens
from accord.interface.tokens.settings import TokenSettings
from accord.ports.adapter import Adapter
from accord.ports.clock import system_clock
from accord.ports.token import CONNECTOR
from accord.state import State
from tests.databases import Sqlite

HOST = "127.0.0.1"


class Endpoint:
    """Be one address; `serve` puts a CRM behind it, from then on as another process would."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.tokens = HmacTokens(state)
        self.url = ""
        self.seen: list[Request] = []
        self.told: list[bytes] = []
        self.server: Server | None = None

    def serve(self, crm: Adapter, **settings: Any) -> Server:
        def enter(user: str) -> None:
            crm.open(user).close()

        desk = Desk(self.state, self.tokens, enter, TokenSettings())
        sign_in = SignIn(self.state, desk)
        house = House(self.state, crm, sign_in, InterfaceSettings(**settings))
        self.server = Server(house)
        return self.server

    @property
    def key(self) -> str:
        return key_text(self.tokens.key())

    def client(self, url: str = "", **settings: Any) -> SyncmlCrm:
        return build({"url": url or self.url, "token_key": self.key, **settings})

    def direct(self, tokens: Tokens | None = None, **settings: Any) -> SyncmlCrm:
        """Return a client whose messages come here without a network."""

        def handle(request: httpx2.Request) -> httpx2.Response:
            asked = Request(
                body=request.content,
                content_type=request.headers["content-type"],
                query=request.url.query.decode(),
                peer=HOST,
            )
            made = self.answer(asked)
            self.told.append(made.body)
            headers = {"content-type": made.content_type}
            return httpx2.Response(made.status, content=made.body, headers=headers)

        config = configure({"url": f"http://{HOST}{PATH}", **settings})
        signer = tokens or signed(self.key, timedelta(hours=1))
        return SyncmlCrm(config, signer, httpx2.MockTransport(handle))

    def token(self, user: str = CONNECTOR) -> str:
        return self.tokens.issue(user, timedelta(hours=1)).text

    # what the application asks of a server

    @property
    def most(self) -> int:
        assert self.server is not None
        return self.server.most

    def answer(self, request: Request) -> Answer:
        assert self.server is not None
        self.seen.append(request)
        return self.server.answer(request)


@contextmanager
def endpoint(folder: Path) -> Iterator[Endpoint]:
    with closing(Sqlite().blank()) as database:
        made = Endpoint(State(database, folder / "accord.key", system_clock))
        with listening(made) as made.url:
            yield made


@contextmanager
def listening(made: Endpoint) -> Iterator[str]:
    app = make_app(made)  # type: ignore[arg-type]
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    # Named as TCP, asyncio sends each answer at once; else every message waits for 40 ms.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind((HOST, 0))
        listener.listen()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://{HOST}:{listener.getsockname()[1]}{PATH}"
        finally:
            server.should_exit = True
            thread.join(10)
