"""The address on this machine to which a browser comes back after a sign-in (RFC 8252 7.3)."""

from __future__ import annotations

import time
from http.server import BaseHTTPRequestHandler, HTTPServer

from accord.cli.errors import Usage

HOST = "127.0.0.1"
_DONE = b"""<!doctype html><title>Accord</title>
<p>Accord has its answer. You can close this window; what came of it is in the terminal.</p>
"""


class Loopback:
    """Listen for one answer; only from this very machine."""

    def __init__(self, port: int) -> None:
        """Listen on a port (0 is any free one). Raises Usage where somebody else does."""
        house = self
        self.came_back = ""

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                if "state=" not in self.path:  # a browser asks for an icon, too
                    self.send_error(404)
                    return
                house.came_back = house.address + self.path
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(_DONE)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(_DONE)

            def log_message(self, *_: object) -> None:
                """Write nothing: the address holds what is secret for a while."""

        try:
            self._server = HTTPServer((HOST, port), Handler)
        except OSError as error:
            raise Usage(
                f"can't listen on port {port}: {error.strerror}", "name another --redirect-port"
            ) from error
        self.port = self._server.server_port
        self.address = f"http://localhost:{self.port}"

    def wait(self, seconds: float) -> str:
        """Return the address a browser came back to. Raises Usage where none does in time."""
        until = time.monotonic() + seconds
        while not self.came_back:
            self._server.timeout = max(until - time.monotonic(), 0.1)
            self._server.handle_request()
            if time.monotonic() >= until and not self.came_back:
                raise Usage(f"nobody signed in for {seconds:.0f} seconds", "begin anew")
        return self.came_back

    def close(self) -> None:
        """Stop listening."""
        self._server.server_close()
