"""The door at which Exchange's push notifications come in: one small HTTP server.

`watch_push` opens it. Whoever doesn't know a key is told nothing; whoever does can cause a look.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from accord.ports.errors import ConfigError

LONGEST_POST = 1024 * 1024
_PATIENCE = 10.0
_AT_ONCE = 32

Taken = Callable[[str, bytes], tuple[int, bytes]]
"""Take the last part of a path and a body; return a status and what to answer."""


class Listener:
    """Listen on a port until it is closed."""

    def __init__(self, where: str, take: Taken) -> None:
        """Listen at HOST:PORT; port 0 is any free one. Raises ConfigError."""
        host, _, port = where.rpartition(":")
        room = threading.BoundedSemaphore(_AT_ONCE)

        class Handler(_Handler):
            taken = staticmethod(take)
            space = room

        try:
            self._server = _Server((host.strip("[]"), int(port)), Handler)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"can't listen at {where}: {error}",
                field="push_listen",
                hint="name another host or port",
            ) from error
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="exchange-push-door", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of connections that break."""


class _Handler(BaseHTTPRequestHandler):
    taken: Taken
    space: threading.BoundedSemaphore
    timeout = _PATIENCE
    server_version = "Accord"
    sys_version = ""

    def do_POST(self) -> None:
        if not self.space.acquire(blocking=False):
            self._answer(503, b"")
            return
        try:
            size = self.headers.get("Content-Length", "")
            if not size.isdecimal() or int(size[:9]) > LONGEST_POST:
                self._answer(411 if not size else 413, b"")
                return
            self._answer(*self.taken(self.path.rpartition("/")[2], self.rfile.read(int(size))))
        finally:
            self.space.release()

    def log_message(self, *_: object) -> None:
        return

    def _answer(self, status: int, text: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/xml; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
