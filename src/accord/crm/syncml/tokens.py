"""The tokens a connector signs in with: one for each user, kept while it holds.

Signed with the key that CRM.interface knows, or got from wherever the composition root gets them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TypeAlias

from accord.formats.token import new_claims, read_key, write
from accord.ports.clock import Clock, system_clock

Tokens: TypeAlias = Callable[[str], str]
"""Return the text of a new token for a user, or for the connector itself."""


def signed(key: str, lifetime: timedelta, clock: Clock = system_clock) -> Tokens:
    """Return tokens signed with a key in the form of `accord token key`; raises ConfigError."""
    signer = read_key(key)

    def issue(user: str) -> str:
        return write(new_claims(user, clock(), lifetime), signer)

    return issue


class Kept:
    """Keep each user's token until it is refused; thread-safe."""

    def __init__(self, tokens: Tokens) -> None:
        """Take the place tokens come from."""
        self._tokens = tokens
        self._kept: dict[str, str] = {}
        self._lock = threading.Lock()

    def get(self, user: str) -> str:
        """Return a user's token."""
        with self._lock:
            found = self._kept.get(user)
        return found if found is not None else self.renew(user, "")

    def renew(self, user: str, refused: str) -> str:
        """Return another token than the one that was refused."""
        with self._lock:
            found = self._kept.get(user)
            if found is not None and found != refused:
                return found
        made = self._tokens(user)
        with self._lock:
            self._kept[user] = made
        return made
