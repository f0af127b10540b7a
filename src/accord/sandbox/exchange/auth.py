"""Who is asking: the Authorization header of a request, or an NTLM login before it.

With NTLM it is the connection that is logged in, not the request.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from accord.sandbox.exchange import ntlm
from accord.sandbox.exchange.people import People
from accord.sandbox.exchange.store import Mailbox

Way = Literal["basic", "ntlm", "bearer"]
CHALLENGES: dict[Way, str] = {
    "bearer": 'Bearer client_id="00000002-0000-0ff1-ce00-000000000000", '
    'token_types="app_asserted_user_v1 service_asserted_app_v1"',
    "ntlm": "NTLM",
    "basic": 'Basic realm="exchange"',
}
"""What a 401 says of each way to log in, in the order of Microsoft's web server."""
_IDLE = 150.0
"""Seconds after which a connection counts as another one: longer than servers keep them idle."""
Connection = tuple[str, int]
Tokens = Callable[[str], str | None]
"""Tells the account that an authority issued a token for, None for a token that doesn't hold."""


@dataclass(slots=True)
class _Login:
    used: float
    secret: bytes = b""
    mailbox: int | None = None


class Door:
    """Let accounts in by the ways that are open, and remember who came on which connection."""

    def __init__(
        self,
        people: People,
        ways: Sequence[Way] = ("basic",),
        tokens: Tokens = lambda _: None,
    ) -> None:
        self._people, self._ways = people, ways
        self._tokens = tokens
        self._logins: dict[Connection, _Login] = {}

    def enter(self, header: str | None, connection: Connection) -> tuple[Mailbox | None, list[str]]:
        """Return who is asking, or nobody and what a 401 is to say."""
        scheme, _, token = (header or "").partition(" ")
        name = scheme.lower()
        if name == "basic" and name in self._ways:
            return account(self._people, header), self.challenges()
        if name == "bearer" and name in self._ways:
            return self._bearer(token), self.challenges()
        if "ntlm" not in self._ways:
            return None, self.challenges()
        if name == "ntlm":
            return self._ntlm(_bytes(token), connection)
        held = self._held(connection)
        if name or held is None or held.mailbox is None:
            self.leave(connection)
            return None, self.challenges()
        return self._people.by("id = ?", held.mailbox), []

    def leave(self, connection: Connection) -> None:
        """Forget who came on a connection."""
        self._logins.pop(connection, None)

    def challenges(self) -> list[str]:
        """Return what a 401 says of the ways that are open."""
        return [text for way, text in CHALLENGES.items() if way in self._ways]

    def _bearer(self, token: str) -> Mailbox | None:
        login = self._tokens(token.strip())
        return None if login is None else self._people.by("login = ?1 OR address = ?1", login)

    def _ntlm(self, token: bytes, connection: Connection) -> tuple[Mailbox | None, list[str]]:
        held = self._held(connection)
        if ntlm.kind(token) == 1:
            held = self._logins[connection] = _Login(time.monotonic(), secrets.token_bytes(8))
            told = ntlm.challenge(token, held.secret, "example.com", "exchange")
            return None, [f"NTLM {base64.b64encode(told).decode()}"]
        given = ntlm.answer(token)
        self.leave(connection)
        if given is None or held is None or not held.secret:
            return None, self.challenges()
        found = self._people.by("login = ?1 OR address = ?1", given.user.lower())
        if found is None or not ntlm.proves(given, held.secret, found.password):
            return None, self.challenges()
        self._logins[connection] = _Login(time.monotonic(), mailbox=found.id)
        return found, []

    def _held(self, connection: Connection) -> _Login | None:
        now = time.monotonic()
        for each in [each for each, held in self._logins.items() if now - held.used > _IDLE]:
            del self._logins[each]
        held = self._logins.get(connection)
        if held is not None:
            held.used = now
        return held


def account(people: People, header: str | None) -> Mailbox | None:
    """Return the account whose name and password a header carries, if they are right."""
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(token.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    login, colon, password = text.partition(":")
    return people.log_in(login, password) if colon else None


def _bytes(token: str) -> bytes:
    try:
        return base64.b64decode(token.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""
