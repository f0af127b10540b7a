"""The hostile adapter: any adapter, made as difficult as servers and networks really are.

But for undeclared limits on texts it keeps the port's promises, so everything above must come
out right in the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from accord.model.parts import Person
from accord.model.traits import Traits
from accord.ports.adapter import Adapter, Feed, Finding, Hint, People
from accord.ports.errors import CursorExpired
from accord.testing.hostile_session import HostileSession, throttle
from accord.testing.hostility import Done, Hostility, Trick
from accord.testing.versions import Versions

__all__ = ["Done", "Hostile", "HostileCrm", "Hostility", "Trick", "hostile"]


class Hostile:
    """Be an adapter around another one that plays tricks as its `hostility` decides."""

    def __init__(self, adapter: Adapter, hostility: Hostility) -> None:
        """Wrap `adapter`, which stays usable by itself."""
        self.adapter = adapter
        self.hostility = hostility
        self.versions = Versions()

    @property
    def traits(self) -> Traits:
        """Return the wrapped adapter's traits; truncation is not announced."""
        return self.adapter.traits

    @property
    def instance(self) -> str:
        """Return the wrapped adapter's instance."""
        return self.adapter.instance

    @property
    def requests(self) -> int:
        """Return how many requests of this thread reached the wrapped adapter's system."""
        return self.adapter.requests

    def open(self, principal: str) -> HostileSession:
        """Open a session that may play tricks in every call."""
        throttle(self.hostility, "open")
        session = self.adapter.open(principal)
        return HostileSession(session, principal, self.hostility, self.versions, self.traits)

    def check(self, principal: str = "") -> tuple[Finding, ...]:
        """Return the wrapped adapter's findings."""
        return self.adapter.check(principal)

    def close(self) -> None:
        """Close the wrapped adapter."""
        self.adapter.close()


class Crm(Adapter, Feed, People, Protocol):
    """Be a CRM adapter with its feed and its people."""


class HostileCrm(Hostile):
    """Be a hostile CRM: its feed repeats, loses and forgets hints, its people are true."""

    def __init__(self, adapter: Crm, hostility: Hostility) -> None:
        """Wrap a CRM adapter."""
        super().__init__(adapter, hostility)
        self._crm = adapter

    def hints(self, cursor: str) -> tuple[tuple[Hint, ...], str]:
        """Return the hints since `cursor`, some lost or twice; raises CursorExpired and Retry."""
        throttle(self.hostility, "hints")
        if cursor and self.hostility.plays(Trick.EXPIRE, "hints", cursor):
            raise CursorExpired("the hostile side forgot this cursor")
        hints, after = self._crm.hints(cursor)
        if hints and self.hostility.plays(Trick.HALVE, "hints"):
            hints = hints[: len(hints) // 2]
        if hints and self.hostility.plays(Trick.DUPLICATE, "hints"):
            hints = hints * 2
        if hints and self.hostility.plays(Trick.REORDER, "hints"):
            hints = tuple(self.hostility.shuffled(hints))
        return hints, after

    def identities(self, user: str) -> tuple[Person, ...]:
        """Return a user's addresses, always: they are read from what is at hand."""
        return self._crm.identities(user)

    def users(self, addresses: Sequence[str]) -> Mapping[str, str]:
        """Return the users; raises Retry now and then."""
        throttle(self.hostility, "users")
        return self._crm.users(addresses)

    def contacts(self, addresses: Sequence[str]) -> Mapping[str, str]:
        """Return the contacts; raises Retry now and then."""
        throttle(self.hostility, "contacts")
        return self._crm.contacts(addresses)


def hostile(adapter: Adapter, hostility: Hostility) -> Hostile:
    """Wrap an adapter, with its feed where it has one."""
    if isinstance(adapter, Feed):
        crm: Any = adapter
        return HostileCrm(crm, hostility)
    return Hostile(adapter, hostility)
