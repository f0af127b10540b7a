"""The tokens a connector signs in with: one for each user, kept while it holds.

Signed with the key that CRM.interface knows, or got from wherever the composition root gets them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeAlias

from accord.formats.token import new_claims, read, read_key, write
from accord.ports.clock import Clock, system_clock
from accord.ports.token import TokenRefused

Tokens: TypeAlias = Callable[[str], str]
"""Return the text of a new token for a user, or for the connector itself."""

_MOST = 0.8
"""So much of a token's time passes before another one takes its place: none is ever refused."""


def signed(key: str, lifetime: timedelta, clock: Clock = system_clock) -> Tokens:
    """Return tokens signed with a key in the form of `accord token key`; raises ConfigError."""
    signer = read_key(key)

    def issue(user: str) -> str:
        return write(new_claims(user, clock(), lifetime), signer)

    return issue


class Kept:
    """Keep each user's token while it holds, or until it is refused; thread-safe."""

    def __init__(self, tokens: Tokens) -> None:
        """Take the place tokens come from."""
        self._tokens = tokens
        self._kept: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def get(self, user: str) -> str:
        """Return a user's token, a new one in good time before the old one expires."""
        with self._lock:
            text, until = self._kept.get(user, ("", 0.0))
        return text if time.monotonic() < until else self.renew(user, text)

    def renew(self, user: str, refused: str) -> str:
        """Return another token than the one that was refused."""
        with self._lock:
            text, until = self._kept.get(user, ("", 0.0))
        if text not in ("", refused) and time.monotonic() < until:
            return text
        made = self._tokens(user)
        with self._lock:
            self._kept[user] = made, time.monotonic() + _lasts(made)
        return made


def _lasts(text: str) -> float:
    """Return for how many seconds a token is used: most of its time, if one can tell."""
    try:
        claims = read(text).claims
    except TokenRefused:
        return float("inf")
    return _MOST * (claims.expires - claims.issued).total_seconds()
