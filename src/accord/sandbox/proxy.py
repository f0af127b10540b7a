"""A reverse proxy on loopback that injects faults between a client and a real server.

Tests, the crash test and safe trials put it in front of a peer: it loses answers after the server
has acted, delays, truncates, spoils, refuses, throttles, repeats, shows another time, and counts
what went through.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import struct
import sys
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime, formatdate, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec

from accord.sandbox.process import HOST

_LIMIT = 64 * 2**20  # bytes of one request body; more is refused with 413
_HOP = {"connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"}
_BODYLESS = {204, 304}


class Request(msgspec.Struct, frozen=True):
    """One request as the client sent it, and the fault it met."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    fault: Fault | None = None


class Reply(msgspec.Struct, frozen=True):
    """One answer, from the server or made up here."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class Lose(msgspec.Struct, frozen=True):
    """Let the server act, then close the connection without its answer."""

    reset: bool = False  # end with a TCP reset instead of an orderly close


class Refuse(msgspec.Struct, frozen=True):
    """Close the connection before the server hears of the request."""

    reset: bool = False


class Delay(msgspec.Struct, frozen=True):
    """Hold the answer back after the server has acted."""

    seconds: float


class Truncate(msgspec.Struct, frozen=True):
    """Announce the whole body, send only its first bytes, and close the connection."""

    keep: int = 0


class Instead(msgspec.Struct, frozen=True):
    """Answer without asking the server; see `throttle` for the usual case."""

    reply: Reply


class Twice(msgspec.Struct, frozen=True):
    """Send the request to the server twice and pass on the second answer.

    A gateway that tries again after a lost answer does this.
    """


class Meanwhile(msgspec.Struct, frozen=True):
    """Run something first (somebody edits, a process is killed), then pass the request on."""

    act: Callable[[Request], object]


class Redate(msgspec.Struct, frozen=True):
    """Pass the answer on as if the server's clock were ahead by so much; None: it tells no Date."""

    seconds: float | None


class Spoil(msgspec.Struct, frozen=True):
    """Pass on what becomes of the server's answer, as a gateway in between makes it."""

    into: Callable[[Reply], Reply]


Fault = Lose | Refuse | Delay | Truncate | Instead | Twice | Meanwhile | Redate | Spoil


def throttle(status: int = 503, retry_after: int | str | None = None) -> Instead:
    """Return a fault that answers 429 or 503, with Retry-After in seconds or as an HTTP date."""
    headers = [("Date", formatdate(usegmt=True))]
    if retry_after is not None:
        headers.append(("Retry-After", str(retry_after)))
    return Instead(Reply(status, tuple(headers), b"busy\n"))


class _Rule:
    """A fault and the requests that it strikes."""

    def __init__(self, fault: Fault, method: str, path: str, skip: int, times: int | None) -> None:
        self.fault, self.skip, self.times = fault, skip, times
        self.method, self.path = re.compile(method), re.compile(path)

    def strikes(self, request: Request) -> bool:
        if not (self.method.fullmatch(request.method) and self.path.search(request.path)):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times == 0:
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Proxy:
    """Stand between clients and the server at `upstream`; a context manager with a `url`.

    `url` has the path of `upstream`. The server sees the proxy's Host, so the links that it makes
    lead back here. Faults strike in the order they were added, one per request. While the server
    is down the proxy answers 502.
    """

    def __init__(self, upstream: str) -> None:
        there = urlsplit(upstream)
        if there.scheme != "http" or there.hostname is None:
            raise ValueError(f"a plain http URL is needed, not {upstream}")
        self.upstream = (there.hostname, there.port or 80)
        self._rules: list[_Rule] = []
        self._seen: list[Request] = []
        self._lock = threading.Lock()
        self.closing = threading.Event()
        self._server = _Server(self)
        self.url = f"http://{HOST}:{self._server.server_port}{there.path or '/'}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def add(
        self,
        fault: Fault,
        method: str = ".*",
        path: str = "",
        *,
        skip: int = 0,
        times: int | None = 1,
    ) -> None:
        """Let a fault strike requests whose method and path match these regular expressions.

        The method must match as a whole. The first `skip` matching requests are spared, then
        `times` are struck, or all where `times` is None.
        """
        with self._lock:
            self._rules.append(_Rule(fault, method, path, skip, times))

    def clear(self) -> None:
        """Forget all faults and all requests seen."""
        with self._lock:
            self._rules.clear()
            self._seen.clear()

    @property
    def requests(self) -> tuple[Request, ...]:
        """Return all requests since the start or `clear`, in the order of their arrival."""
        with self._lock:
            return tuple(self._seen)

    @property
    def counts(self) -> Counter[str]:
        """Return how many requests of each method came."""
        return Counter(request.method for request in self.requests)

    def admit(self, request: Request) -> Fault | None:
        """Note a request and return the fault that strikes it."""
        with self._lock:
            rule = next((rule for rule in self._rules if rule.strikes(request)), None)
            fault = None if rule is None else rule.fault
            self._seen.append(msgspec.structs.replace(request, fault=fault))
            return fault

    def forward(self, request: Request) -> Reply:
        """Ask the server; 502 when it can't be reached."""
        connection = http.client.HTTPConnection(*self.upstream, timeout=120)
        with contextlib.closing(connection):
            headers = {n: v for n, v in request.headers.items() if n not in _HOP}
            headers |= {"content-length": str(len(request.body)), "connection": "close"}
            try:
                connection.request(request.method, request.path, request.body, headers)
                answer = connection.getresponse()
                return Reply(answer.status, tuple(answer.getheaders()), answer.read())
            except (OSError, http.client.HTTPException) as error:
                return Reply(502, (), f"the server does not answer: {error}\n".encode())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        super().__init__((HOST, 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing when a client has gone; anything else is a bug and is printed."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (inherited name)
        """Say nothing: `requests` tells more."""

    def _serve(self) -> None:
        proxy = self.server.proxy
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self._body()
        if body is None:
            self._send(Reply(413))
            self.close_connection = True
            return
        request = Request(self.command, self.path, headers, body)
        match proxy.admit(request):
            case Refuse(reset=reset):
                self._close(reset)
            case Lose(reset=reset):
                proxy.forward(request)
                self._close(reset)
            case Delay(seconds=seconds):
                reply = proxy.forward(request)
                proxy.closing.wait(seconds)
                self._send(reply)
            case Truncate(keep=keep):
                self._send(proxy.forward(request), keep)
                self._close(reset=False)
            case Instead(reply=reply):
                self._send(reply)
            case Twice():
                proxy.forward(request)
                self._send(proxy.forward(request))
            case Meanwhile(act=act):
                act(request)
                self._send(proxy.forward(request))
            case Redate(seconds=seconds):
                self._send(_redated(proxy.forward(request), seconds))
            case Spoil(into=into):
                self._send(into(proxy.forward(request)))
            case None:
                self._send(proxy.forward(request))

    def _body(self) -> bytes | None:
        """Read the request's body; None if it is too large."""
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            length = int(self.headers.get("Content-Length") or 0)
            return None if length > _LIMIT else self.rfile.read(length)
        body = b""
        while size := int(self.rfile.readline(100).split(b";")[0], 16):
            if len(body) + size > _LIMIT:
                return None
            body += self.rfile.read(size)
            self.rfile.readline(100)
        while self.rfile.readline(2**16).strip():
            pass  # trailers
        return body

    def _send(self, reply: Reply, keep: int | None = None) -> None:
        lines = [f"HTTP/1.1 {reply.status} {self.responses.get(reply.status, ('?',))[0]}"]
        lines += [f"{n}: {v}" for n, v in reply.headers if n.lower() not in _HOP | {_LENGTH}]
        if self.command == "HEAD":
            lines += [f"{n}: {v}" for n, v in reply.headers if n.lower() == _LENGTH]
        elif reply.status not in _BODYLESS:
            lines.append(f"{_LENGTH}: {len(reply.body)}")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        with contextlib.suppress(OSError):  # the client has gone
            self.connection.sendall(head + reply.body[:keep])

    def _close(self, reset: bool) -> None:
        self.close_connection = True
        if reset:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()


_LENGTH = "content-length"


def _redated(reply: Reply, seconds: float | None) -> Reply:
    """Return an answer with another Date, or none."""
    headers = []
    for name, value in reply.headers:
        if name.lower() != "date":
            headers.append((name, value))
        elif seconds is not None:
            shown = parsedate_to_datetime(value) + timedelta(seconds=seconds)
            headers.append((name, format_datetime(shown, usegmt=True)))
    return msgspec.structs.replace(reply, headers=tuple(headers))
