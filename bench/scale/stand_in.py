"""The stand-in Exchange of the load: as slow as a real one, and it notes what Accord asks for.

Run as a process of its own by `Slow`, never imported by what is measured. People are answered at
once, for it is Accord that is measured; the account it signs in with waits. Each of its requests is
a line in the log: when it was answered, what it was, how many bytes came and went, and what it
made, changed or deleted. The clock is the system's monotonic one, which all processes share.
"""

from __future__ import annotations

import asyncio
import base64
import os
import random
import re
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from accord.sandbox.exchange.peer import ExchangePeer
from accord.sandbox.exchange.roll import Person, read_file, settle
from accord.sandbox.exchange.server import Exchange
from accord.sandbox.exchange.serving import serve, word_in

ROBOT = Person(address="robot@example.test", password="secret", impersonates=True)

_OPERATION = re.compile(rb"Body>\s*<(?:\w+:)?(\w+)")
_ITEM = re.compile(
    rb"<(?:\w+:)?(CalendarItem|Task|Contact|ItemChange)\b.*?</(?:\w+:)?\1>", re.DOTALL
)
_ANSWER = re.compile(
    rb'ResponseMessage ResponseClass="(\w+)".*?(?:</\w+:\w+ResponseMessage>|$)', re.DOTALL
)
_ID = re.compile(rb'ItemId [^>]*?\bId="([^"]+)"')
_TOKEN = re.compile(rb"~c(\d+)~")
_WRITES = (b"CreateItem", b"UpdateItem", b"DeleteItem")


class Asked(msgspec.Struct, array_like=True, frozen=True):
    """Be one request of Accord's; `done` names items by id, with the change that came with each."""

    at: float
    operation: str
    came: int
    went: int
    done: list[tuple[str, int | None]] = []


class Slow(ExchangePeer):
    """Start such a stand-in; `latency` is the least and the most it takes, in seconds."""

    def __init__(
        self, people: Sequence[Person], folder: Path, latency: tuple[float, float]
    ) -> None:
        super().__init__([*people, ROBOT], folder)
        self.patience = 120.0
        self.latency = latency
        self.asked = self.folder / "asked.log"

    def prepare(self) -> None:
        super().prepare()
        self.asked.touch()

    def command(self) -> Sequence[str]:
        few = [str(self.port), str(self.folder), *map(str, self.latency)]
        return [sys.executable, str(Path(__file__)), *few]

    @property
    def server(self) -> int:
        """Return the process that serves."""
        return int((self.folder / "pid").read_text(encoding="ascii"))


def main(port: int, folder: Path, least: float, most: float) -> None:
    """Serve until a signal ends it; all is kept in memory."""
    from accord.cli.listener import listen_on, stopped_by_signals

    people, limits = read_file(folder / "mailboxes.toml")
    with (folder / "asked.log").open("ab") as log:
        exchange = Exchange(
            witness=_Witness(log.fileno()), limits=limits, control=word_in(folder / "control")
        )
        with exchange.store.writing():
            settle(exchange.people, people)
        exchange.app = _Waiting(exchange.app, least, most)  # type: ignore[assignment]
        (folder / "pid").write_text(str(os.getpid()), encoding="ascii")
        with listen_on("127.0.0.1", port, "port") as listener, stopped_by_signals():
            serve(exchange, listener)


class _Waiting:
    """Let the account of Accord wait for each answer."""

    def __init__(self, app: ASGIApp, least: float, most: float) -> None:
        login = base64.b64encode(f"{ROBOT.address}:{ROBOT.password}".encode())
        self._app, self._login = app, b"Basic " + login
        self._least, self._most = least, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and dict(scope["headers"]).get(b"authorization") == self._login:
            await asyncio.sleep(random.uniform(self._least, self._most))
        await self._app(scope, receive, send)


class _Witness:
    """Note what is asked for in somebody else's name; only Accord does that."""

    def __init__(self, log: int) -> None:
        self._log = log
        self._asked = threading.local()

    def __call__(self, which: Literal["request", "answer"], text: bytes) -> None:
        if which == "request":
            self._asked.text = text if b"ExchangeImpersonation" in text else b""
            return
        asked, self._asked.text = getattr(self._asked, "text", b""), b""
        if not asked:
            return
        found = _OPERATION.search(asked)
        operation = found.group(1) if found else b""
        done = _done(operation, asked, text) if operation in _WRITES else []
        line = Asked(time.monotonic(), operation.decode(), len(asked), len(text), done)
        os.write(self._log, msgspec.json.encode(line) + b"\n")


def _done(operation: bytes, asked: bytes, answer: bytes) -> list[tuple[str, int | None]]:
    """Return the items that were written, each with the number of the change that it shows."""
    answers = [(each.group(1) == b"Success", each.group(0)) for each in _ANSWER.finditer(answer)]
    if operation == b"DeleteItem":
        ids = _ID.findall(asked)
        return [(ref.decode(), None) for ref, (ok, _) in zip(ids, answers, strict=False) if ok]
    done: list[tuple[str, int | None]] = []
    for sent, (ok, text) in zip(_ITEM.finditer(asked), answers, strict=False):
        named, token = _ID.search(text), _TOKEN.search(sent.group(0))
        if ok and named is not None:
            done.append((named.group(1).decode(), int(token.group(1)) if token else -1))
    return done


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
