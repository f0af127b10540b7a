"""The CRM in memory: the adapter port, the feed and the people over a store in this process.

`session` holds the calls a user's rights decide on.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

from accord.crm.memory.person import Person
from accord.crm.memory.session import MemorySession
from accord.crm.memory.store import Store
from accord.model.item import Contact, kind_of
from accord.model.kinds import Kind
from accord.model.parts import Person as Party
from accord.model.traits import Traits
from accord.ports.adapter import Finding, Hint
from accord.ports.clock import Clock, system_clock
from accord.ports.errors import AccordError, CursorExpired
from accord.ports.users import UserCard


class MemoryCrm:
    """Be a CRM in this process; deep copies are cheap and independent."""

    def __init__(
        self,
        traits: Traits,
        *,
        instance: str = "crm",
        users: dict[str, str] | None = None,
        clock: Clock = system_clock,
    ) -> None:
        """Start without records; `users` maps names to addresses, none means everybody."""
        self._instance = instance
        self.store = Store(traits, dict(users or {}), clock)

    @property
    def traits(self) -> Traits:
        """Return what this CRM can do."""
        return self.store.traits

    @property
    def instance(self) -> str:
        """Return the id given to it."""
        return self._instance

    @property
    def requests(self) -> int:
        """Return how many calls of this thread would have been requests to a CRM."""
        return self.store.requests.own

    def open(self, principal: str) -> MemorySession:
        """Act as a user; raises AuthFailed for a stranger or a locked one."""
        with self.store.lock:
            return MemorySession(self.store, self.store.user(principal))

    def person(self, user: str) -> Person:
        """Return the hand of a CRM user."""
        with self.store.lock:
            return Person(self.store, self.store.user(user))

    def lock_user(self, user: str, locked: bool = True) -> None:
        """Lock a user out, or let them in again."""
        with self.store.lock:
            (self.store.locked.add if locked else self.store.locked.discard)(user)

    def put_group(self, name: str, *members: str) -> None:
        """Make a group, or give it other members."""
        with self.store.lock:
            self.store.groups[name] = tuple(members)

    def remove_group(self, name: str) -> None:
        """Forget a group."""
        with self.store.lock:
            del self.store.groups[name]

    def cards(self) -> tuple[UserCard, ...]:
        """Return all users by name, those who are locked included."""
        with self.store.lock:
            groups = self.store.groups.items()
            return tuple(
                UserCard(
                    name=name,
                    addresses=addresses,
                    groups=tuple(sorted(group for group, some in groups if name in some)),
                    active=name not in self.store.locked,
                )
                for name, addresses in sorted(self.store.addresses.items())
            )

    def group_names(self) -> frozenset[str]:
        """Return the names of all groups."""
        with self.store.lock:
            return frozenset(self.store.groups)

    def expire(self) -> None:
        """Lose every cursor given out so far."""
        self.store.expire()

    def hints(self, cursor: str) -> tuple[tuple[Hint, ...], str]:
        """Return whom changes since `cursor` concern; raises CursorExpired for a lost one."""
        with self.store.lock:
            self.store.requests.count()
            now = self.store.cursor(self.store.number)
            since = self.store.since(cursor)
            if not cursor:
                return (), now
            if since is None:
                raise CursorExpired("the CRM no longer knows this cursor")
            return self.store.hints(since), now

    def identities(self, user: str) -> tuple[Party, ...]:
        """Return a user under each of their addresses, the main one first."""
        with self.store.lock:
            addresses = self.store.addresses.get(user, ())
        return tuple(Party(address=address, name=user) for address in addresses)

    def users(self, addresses: Sequence[str]) -> Mapping[str, str]:
        """Return the user of each known address, casefolded."""
        with self.store.lock:
            self.store.requests.count()
            return self.store.users_of(addresses)

    def contacts(self, addresses: Sequence[str]) -> Mapping[str, str]:
        """Return the one contact that has each address, casefolded."""
        wanted = {address.casefold() for address in addresses}
        found: dict[str, set[str]] = {}
        with self.store.lock:
            self.store.requests.count()
            for record in self.store.records.values():
                if isinstance(record.item, Contact) and not record.deleted:
                    for mail in record.item.mails:
                        found.setdefault(mail.address.casefold(), set()).add(record.ref)
        return {a: next(iter(refs)) for a, refs in found.items() if a in wanted and len(refs) == 1}

    def bearing(self, addresses: Iterable[str], refs: Iterable[str] = ()) -> Mapping[str, Contact]:
        """Return by ref all contacts with one of the addresses, and those of the refs."""
        wanted, named = {address.casefold() for address in addresses}, set(refs)
        with self.store.lock:
            found = {ref: each.item for ref, each in self.store.records.items()}
            gone = set(self.store.erased)
        return {
            ref: item
            for ref, item in found.items()
            if isinstance(item, Contact) and ref not in gone
            if ref in named or any(mail.address.casefold() in wanted for mail in item.mails)
        }

    def erase(self, kind: Kind, *refs: str) -> None:
        """Remove the content of records for good, whoever owns them."""
        with self.store.lock:
            for ref in refs:
                record = self.store.records.get(ref)
                if record is not None and kind_of(record.item) is kind:
                    self.store.erase(record)

    def erase_known(self, kind: Kind, known: Callable[[str], bool]) -> int:
        """Erase all records of a kind that are known so by ref; return how many there were."""
        with self.store.lock:
            refs = [ref for ref in self.store.records.keys() - self.store.erased if known(ref)]
            self.erase(kind, *refs)
        return len(refs)

    def check(self, principal: str = "") -> tuple[Finding, ...]:
        """Say whether the user is there and may sign in."""
        try:
            self.open(principal).close()
        except AccordError as error:
            return (Finding(subject="user", ok=False, detail=str(error)),)
        return (Finding(subject="user", ok=True, detail=f"{principal} may sign in"),)

    def close(self) -> None:
        """Keep everything: a store in memory has no connections."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return an independent copy of the whole CRM."""
        twin = copy.copy(self)
        twin.store = copy.deepcopy(self.store, memo)
        return twin
