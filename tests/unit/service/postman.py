"""A mail server and a webhook on this machine that note what they get, with or without TLS."""

from __future__ import annotations

import base64
import json
import socketserver
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class MailServer:
    """An SMTP server of one account; `refused` are recipients it doesn't take."""

    def __init__(self, context: ssl.SSLContext | None = None, *, at_once: bool = False) -> None:
        self.context, self.at_once = context, at_once
        self.mails: list[tuple[list[str], str]] = []
        self.refused: dict[str, str] = {}
        self.logins: list[tuple[str, str]] = []
        self.secure: list[bool] = []
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                try:
                    outer._talk(self)
                except (OSError, ssl.SSLError):
                    pass

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _talk(self, handler: Any) -> None:
        connection = handler.connection
        if not self.at_once and self._plain(connection) != "STARTTLS":
            return
        assert self.context is not None
        with self.context.wrap_socket(connection, server_side=True) as stream:
            if self.at_once:
                stream.sendall(b"220 test\r\n")
            self._serve(stream, secure=True)

    def _plain(self, connection: Any) -> str:
        connection.sendall(b"220 test\r\n")
        return self._serve(connection, secure=False)

    def _serve(self, stream: Any, *, secure: bool) -> str:
        """Answer until the end, or until TLS is asked for."""
        to: list[str] = []

        def say(text: str) -> None:
            stream.sendall(text.encode() + b"\r\n")

        # Unbuffered: what follows STARTTLS is not for this file.
        with stream.makefile("rb", buffering=0) as raw:
            while words := _line(raw):
                verb = words[:4].upper()
                if verb == "STAR":
                    say("220 go on")
                    return "STARTTLS"
                if verb == "QUIT":
                    say("221 bye")
                    return verb
                if verb == "RCPT":
                    to.append(words.partition("<")[2].partition(">")[0])
                if verb == "DATA":
                    say("354 go on")
                    text = "".join(iter(lambda: _line(raw, keep=True), ".\r\n"))
                    self.mails.append((to, text))
                    self.secure.append(secure)
                    to = []
                say(self._answer(verb, words, to, secure=secure))
        return ""

    def _answer(self, verb: str, words: str, to: list[str], *, secure: bool) -> str:
        if verb == "EHLO":
            tls = "250-STARTTLS\r\n" if self.context is not None and not secure else ""
            return f"250-test\r\n{tls}250 AUTH PLAIN"
        if verb == "AUTH":
            _, user, password = base64.b64decode(words.split()[2]).decode().split("\0")
            self.logins.append((user, password))
            return "235 welcome" if password == "geheim" else "535 no such login"
        if verb == "RCPT":
            return self.refused.get(to[-1], "250 ok")
        return "250 ok"


def _line(raw: Any, *, keep: bool = False) -> str:
    line = raw.readline().decode()
    return str(line if keep else line.strip())


class Hook:
    """A webhook that notes what is posted, and answers `status`."""

    def __init__(self) -> None:
        self.posted: list[Any] = []
        self.tokens: list[str | None] = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.posted.append(json.loads(body))
                outer.tokens.append(self.headers.get("Authorization"))
                self.send_response(outer.status)
                if outer.status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
