"""A stand-in Exchange on a port of its own, for tests of what works over a real connection."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import uvicorn

from accord.sandbox.exchange.server import PATH, Exchange, Witness
from accord.sandbox.process import HOST, free_port, until

ROBOT = "robot@example.com"
TARGET = """
[[target]]
name = "company"
adapter = "exchange"
url = "{url}"
auth = "basic"
user = "{robot}"
password = {{ env = "MAIL_PASSWORD" }}
time_zone = "Europe/Berlin"
"""
"""Names a `House` in `accord.toml`; to be given its `url` and the `robot`."""

LINK = """
[[link]]
user = "alice"
target = "company"
principal = "{person}"
kinds = ["event"]
mode = "active"
"""
"""Links alice's appointments to a mailbox of the target; to be given the `person`."""

LINKED = (
    TARGET
    + LINK
    + """
[[rule]]
name = "events"
kind = "event"
scope = "all"
"""
)
"""Links alice's appointments to a mailbox there; to be given the `person`, too."""


@contextmanager
def listening(exchange: Exchange) -> Iterator[str]:
    """Serve on a free port and yield the address."""
    port = free_port()
    config = uvicorn.Config(
        exchange.app, HOST, port, log_level="warning", timeout_graceful_shutdown=5
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert until(lambda: server.started, 20)
        yield f"http://{HOST}:{port}{PATH}"
    finally:
        server.should_exit = True
        thread.join()


class House:
    """An Exchange on a port of its own, with a robot that may act as everybody."""

    def __init__(self, witness: Witness | None = None, **more: Any) -> None:
        self.exchange = Exchange(witness=witness, **more)
        self.exchange.people.add(ROBOT, "secret", impersonates=True)
        self._stack = ExitStack()
        self.url = self._stack.enter_context(listening(self.exchange))

    def person(self) -> str:
        """Return the address of a mailbox that nobody has used yet."""
        address = f"{uuid.uuid4().hex[:12]}@example.com"
        self.exchange.people.add(address, "secret")
        return address

    def close(self) -> None:
        self._stack.close()
        self.exchange.close()
