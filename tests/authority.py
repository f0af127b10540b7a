"""An authority that issues tokens on a port of its own: metadata, sign-in, tokens, refusals.

It keeps to RFC 6749 and RFC 7636, replaces each refresh token when it is used, and takes none
twice, as strict ones do.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

CLIENT, SECRET = "accord", "geheim"


class Authority:
    """Issue tokens for people who are told by `person`; `down` and `refuses` spoil answers."""

    def __init__(self, person: str = "robot@example.com", port: int = 0) -> None:
        self.person = person
        self.lasts: object = 3600
        self.down = False
        self.says_no = ""
        self.without_refresh = False
        self.public = True
        self.asked: list[dict[str, str]] = []
        self.signed_in: list[dict[str, str]] = []
        self._codes: dict[str, dict[str, str]] = {}
        self._refresh: dict[str, str] = {}
        self._access: dict[str, str] = {}
        self._lock = threading.Lock()
        house = self

        class Handler(_Handler):
            authority = house

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/adfs"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def whose(self, token: str) -> str | None:
        """Tell Exchange whom an access token was issued for."""
        with self._lock:
            return self._access.get(token)

    def revoke(self) -> None:
        """Let no token hold any more that was issued so far."""
        with self._lock:
            self._access.clear()
            self._refresh.clear()

    def expire(self) -> None:
        """Let no access token hold any more."""
        with self._lock:
            self._access.clear()

    def first_refresh(self) -> str:
        """Return a refresh token as a sign-in leaves it."""
        with self._lock:
            return self._new_refresh(self.person)

    def metadata(self) -> dict[str, str]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
        }

    def sign_in(self, asked: dict[str, str]) -> str:
        """Return the address to which the browser is sent back."""
        with self._lock:
            self.signed_in.append(asked)
            back = {"state": asked["state"]}
            if self.says_no:
                back |= {"error": self.says_no, "error_description": "the person pressed Cancel"}
            else:
                code = secrets.token_urlsafe(16)
                self._codes[code] = asked
                back["code"] = code
        return f"{asked['redirect_uri']}/?{urlencode(back)}"

    def token(self, asked: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Answer a question for a token."""
        with self._lock:
            self.asked.append(asked)
            if self.down:
                return 503, {"error": "temporarily_unavailable"}
            secret = asked.get("client_secret")
            if asked.get("client_id") != CLIENT or secret not in (SECRET, None):
                return 401, {"error": "invalid_client"}
            match asked.get("grant_type"):
                case "client_credentials" if secret == SECRET:
                    return 200, self._issued("robot@example.com", refresh=False)
                case "authorization_code" if self._fits(asked):
                    return 200, self._issued(self.person, refresh=not self.without_refresh)
                case "refresh_token":
                    whose = self._refresh.pop(asked.get("refresh_token", ""), None)
                    if whose is not None:
                        return 200, self._issued(whose, refresh=True)
        said = "MSIS9615: The refresh token received in 'refresh_token' parameter has expired."
        return 400, {"error": "invalid_grant", "error_description": said}

    def _fits(self, asked: dict[str, str]) -> bool:
        begun = self._codes.pop(asked.get("code", ""), None)
        if begun is None or begun["redirect_uri"] != asked.get("redirect_uri"):
            return False
        digest = hashlib.sha256(asked.get("code_verifier", "").encode()).digest()
        told = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return begun.get("code_challenge_method") == "S256" and begun["code_challenge"] == told

    def _issued(self, whose: str, *, refresh: bool) -> dict[str, Any]:
        token = secrets.token_urlsafe(16)
        self._access[token] = whose
        found = {"access_token": token, "token_type": "bearer", "expires_in": self.lasts}
        return found | ({"refresh_token": self._new_refresh(whose)} if refresh else {})

    def _new_refresh(self, whose: str) -> str:
        token = secrets.token_urlsafe(16)
        self._refresh[token] = whose
        return token


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    authority: Authority
    timeout = 5

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/adfs/.well-known/openid-configuration":
            self._answer(200, self.authority.metadata())
        elif parts.path == "/adfs/authorize":
            self.send_response(302)
            self.send_header("Location", self.authority.sign_in(_flat(parts.query)))
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._answer(404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        if self.path == "/adfs/expire":
            # For those who run it in another process.
            self.authority.expire()
            self._answer(200, {})
            return
        self._answer(*self.authority.token(_flat(body)))

    def _answer(self, status: int, value: dict[str, Any]) -> None:
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args: object) -> None:
        return


def _flat(text: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text).items()}
