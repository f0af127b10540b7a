"""Where an adapter keeps a secret that its server replaces now and then, such as a refresh token.

An adapter that needs one has `keep_in`; `service` hands it the installation's own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol, runtime_checkable


class Vault(Protocol):
    """Keep secrets by name, encrypted; one at a time renews each of them."""

    def renew(self, name: str, first: str, exchange: Callable[[str], str]) -> None:
        """Give the newest secret to `exchange` and keep what it returns; nobody else meanwhile.

        `first` is what the settings hold: the newest secret is one that came of it, or itself.
        Raises what `exchange` raises (all stays as it was), Retry where the turn doesn't come.
        """
        ...


@runtime_checkable
class Keeping(Protocol):
    """Be an adapter that has something to keep."""

    def keep_in(self, vault: Vault) -> None:
        """Keep renewed secrets there from now on."""
        ...


@runtime_checkable
class Renewing(Protocol):
    """Be an adapter whose sign-ins can be renewed unasked, lest they expire unused."""

    def sign_ins(self) -> tuple[str, ...]:
        """Return their names, as the vault knows them."""
        ...

    def renew(self, name: str) -> None:
        """Renew one now; raises AuthFailed where somebody has to sign in again, Retry."""
        ...


class MemoryVault:
    """Keep secrets until the process ends, for adapters that are only tried."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._kept: dict[str, tuple[str, str]] = {}
        self._lock = threading.Lock()

    def renew(self, name: str, first: str, exchange: Callable[[str], str]) -> None:
        """Exchange the newest secret, one thread at a time."""
        with self._lock:
            self._kept[name] = (first, exchange(self._newest(name, first)))

    def newest(self, first: str) -> str:
        """Return the newest secret that came of `first`, under whatever name; else itself."""
        with self._lock:
            return next((newest for seed, newest in self._kept.values() if seed == first), first)

    def _newest(self, name: str, first: str) -> str:
        seed, newest = self._kept.get(name, (first, first))
        return newest if seed == first else first
