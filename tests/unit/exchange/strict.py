"""A server that signs connections in by NTLM or Kerberos as IIS does: each one for itself."""

from __future__ import annotations

import base64
import hashlib
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import spnego
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

Answer = Callable[[str, bytes], tuple[int, bytes]]
"""Answers a request of the person who is signed in."""


class StrictServer:
    """Serve over connections that are signed in, with channel bindings over TLS.

    With `each_request` a sign-in holds for one request only.
    """

    def __init__(
        self,
        answer: Answer,
        context: ssl.SSLContext | None = None,
        certificate: bytes = b"",
        *,
        scheme: str = "NTLM",
        each_request: bool = False,
    ) -> None:
        self.answer = answer
        self.scheme = scheme
        self.each_request = each_request
        self.refusals = 0
        self.bound: GssChannelBindings | None = None
        if certificate:
            digest = hashlib.sha256(certificate).digest()
            self.bound = GssChannelBindings(application_data=b"tls-server-end-point:" + digest)
        self.handshakes = 0
        self.connections = 0
        house = self

        class Handler(_Handler):
            server_of = house

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        protocol = "http" if context is None else "https"
        self.url = f"{protocol}://127.0.0.1:{self._server.server_port}/EWS/Exchange.asmx"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_of: StrictServer
    timeout = 5

    def setup(self) -> None:
        super().setup()
        self.context: Any = None
        self.last: bytes | None = None
        self.user = ""
        self.server_of.connections += 1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme == self.server_of.scheme:
            if not self._step(base64.b64decode(token)):
                return
        elif scheme or not self.user:
            self._refuse(self.server_of.scheme)
            return
        user, self.user = self.user, "" if self.server_of.each_request else self.user
        status, text = self.server_of.answer(user, body)
        self.send_response(status)
        self.send_header("Content-Type", "text/xml; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        if self.last:
            told = base64.b64encode(self.last).decode()
            self.send_header("WWW-Authenticate", f"{self.server_of.scheme} {told}")
        self.end_headers()
        self.wfile.write(text)

    def _step(self, token: bytes) -> bool:
        """Go one step; tell whether the connection is signed in now."""
        house, self.last = self.server_of, None
        if house.scheme == "Negotiate" or token[8] == 1:
            house.handshakes += 1
            self.user = ""
            protocol = "ntlm" if house.scheme == "NTLM" else "kerberos"
            self.context = spnego.server(protocol=protocol, channel_bindings=house.bound)
        if self.context is None:
            self._refuse(house.scheme)
            return False
        try:
            answer = self.context.step(token)
        except SpnegoError:
            self.context = None
            self._refuse(house.scheme)
            return False
        if self.context.complete:
            self.user = self.context.client_principal
            self.last = answer if house.scheme == "Negotiate" else None
            return True
        self._refuse(f"{house.scheme} {base64.b64encode(answer).decode()}")
        return False

    def _refuse(self, challenge: str) -> None:
        self.server_of.refusals += 1
        self.send_response(401)
        self.send_header("WWW-Authenticate", challenge)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        return
