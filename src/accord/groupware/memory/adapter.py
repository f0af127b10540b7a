"""The memory adapter: the port of both sides over a store in this process.

Read this one to learn how an adapter works; `session` holds the calls.
"""

from __future__ import annotations

import copy
from typing import Any, Self

from accord.groupware.memory.person import Person
from accord.groupware.memory.session import MemorySession
from accord.groupware.memory.store import Mail, Store
from accord.model.traits import Traits
from accord.ports.adapter import Finding
from accord.ports.clock import Clock, system_clock
from accord.ports.errors import AccordError


class MemoryGroupware:
    """Be a groupware server in this process; deep copies are cheap and independent."""

    def __init__(
        self,
        traits: Traits,
        *,
        instance: str = "memory",
        people: dict[str, str] | None = None,
        clock: Clock = system_clock,
    ) -> None:
        """Start with empty mailboxes for `people` (address to name); none means everybody."""
        self._instance = instance
        self.store = Store(traits, dict(people or {}), clock)

    @property
    def traits(self) -> Traits:
        """Return what this server can do."""
        return self.store.traits

    @property
    def instance(self) -> str:
        """Return the id given to it."""
        return self._instance

    @property
    def requests(self) -> int:
        """Return how many calls of this thread would have been requests to a server."""
        return self.store.requests.own

    @property
    def outbox(self) -> list[Mail]:
        """Return every message the server has sent, oldest first."""
        return self.store.outbox

    def open(self, principal: str) -> MemorySession:
        """Open a mailbox; raises AuthFailed for a stranger."""
        with self.store.lock:
            return MemorySession(self.store, self.store.mailbox(principal))

    def person(self, principal: str) -> Person:
        """Return the hand of the person who owns a mailbox."""
        with self.store.lock:
            return Person(self.store, self.store.mailbox(principal).principal)

    def reassign(self, principal: str) -> Person:
        """Give an address to somebody else, and return the new owner's hand."""
        self.store.reassign(principal)
        return self.person(principal)

    @property
    def revision(self) -> int:
        """Return the number of the last change; a store put back from a backup shows less."""
        return self.store.number

    def expire(self) -> None:
        """Lose every cursor given out so far."""
        self.store.expire()

    def check(self, principal: str = "") -> tuple[Finding, ...]:
        """Say whether the mailbox is there."""
        try:
            self.open(principal).close()
        except AccordError as error:
            return (Finding(subject="mailbox", ok=False, detail=str(error)),)
        return (Finding(subject="mailbox", ok=True, detail=f"{principal} is there"),)

    def close(self) -> None:
        """Keep everything: a store in memory has no connections."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return an independent copy of the whole server."""
        twin = copy.copy(self)
        twin.store = copy.deepcopy(self.store, memo)
        return twin
