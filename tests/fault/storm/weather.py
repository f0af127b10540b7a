"""A gateway in front of a server that is overloaded, or has lost its mind."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from msgspec.structs import replace

from accord.sandbox.proxy import Fault, Instead, Proxy, Reply, Request, Spoil, throttle

OFTEN = 0.7
"""How many of the requests are struck: the others meet the server as it is."""

_PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><form></form></body></html>"
_HTML = (("Content-Type", "text/html; charset=utf-8"),)


class Weather(Proxy):
    """Spoil requests at random: `busy` throttles, `mad` answers what no client can read."""

    def __init__(self, upstream: str, dice: random.Random) -> None:
        super().__init__(upstream)
        self._dice = dice
        self._mood = self._busy
        self.struck = 0

    @property
    def port(self) -> int:
        """Return where it listens."""
        return int(self.url.split(":")[2].partition("/")[0])

    def busy(self) -> None:
        """Throttle from now on."""
        self._mood = self._busy

    def mad(self) -> None:
        """Answer nonsense from now on."""
        self._mood = self._mad

    def admit(self, request: Request) -> Fault | None:
        """Return what strikes a request."""
        if self._dice.random() > OFTEN:
            return None
        self.struck += 1
        return self._mood()

    def _busy(self) -> Fault:
        soon = datetime.now(UTC) + timedelta(seconds=2)
        wait = self._dice.choice((1, 2, format_datetime(soon, usegmt=True), None))
        return throttle(self._dice.choice((429, 503)), wait)

    def _mad(self) -> Fault:
        return self._dice.choice(_NONSENSE)


def _instead(status: int, headers: tuple[tuple[str, str], ...], body: bytes) -> Fault:
    return Instead(Reply(status, headers, body))


def _half(reply: Reply) -> Reply:
    return replace(reply, body=reply.body[: len(reply.body) // 2])


def _typed(reply: Reply) -> Reply:
    others = tuple((n, v) for n, v in reply.headers if n.lower() != "content-type")
    return replace(reply, headers=(*others, ("Content-Type", "image/png")))


def _other(body: bytes) -> Callable[[Reply], Reply]:
    return lambda _: Reply(200, _HTML, body)


_NONSENSE: tuple[Fault, ...] = (
    # Without the server's knowing:
    _instead(200, _HTML, _PAGE),
    _instead(200, (), b""),
    _instead(207, (("Content-Type", "text/xml"),), b"<multistatus"),
    _instead(500, _HTML, _PAGE),
    # After the server has acted:
    Spoil(_half),
    Spoil(_typed),
    Spoil(_other(_PAGE)),
    Spoil(_other(b"")),
    Spoil(_other(bytes(range(256)))),
)
