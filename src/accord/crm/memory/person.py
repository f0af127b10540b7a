"""The person in front of the CRM: keeps records, shares them, reassigns and deletes them.

Tests and the demo use it to change things behind Accord's back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from accord.crm.memory.store import Record, Right, Store
from accord.model.diff import normalise, patch
from accord.model.item import Item, kind_of
from accord.model.kinds import Kind
from accord.model.observe import Snapshot


class Person:
    """Be one CRM user. Refs that aren't there raise KeyError."""

    def __init__(self, store: Store, user: str) -> None:
        """Sign in as `user`."""
        self._store = store
        self.user = user

    def add(self, item: Item, *, sharers: Iterable[str] = (), owner: str = "") -> Snapshot:
        """Add a record; `sharers` are further participants or, for a contact, its sync lists.

        A new contact is on its owner's sync list.
        """
        with self._store.lock:
            kind, owner = kind_of(item), owner or self.user
            stored = normalise(item, self._store.traits.kinds[kind])
            if not stored.uid:
                stored = patch(stored, {"uid": f"crm-{self._store.number + 1}"})
            users = frozenset(sharers) | ({owner} if kind is Kind.CONTACT else frozenset())
            return observe(self._store.add(stored, owner, self.user, sharers=users), self.user)

    def edit(self, ref: str, **values: Any) -> Snapshot:
        """Change fields of a record; events follow the people they name."""
        with self._store.lock:
            record = self._record(ref)
            item = normalise(patch(record.item, values), self._store.traits.kinds[record.kind])
            return self._put(record, item=item)

    def delete(self, ref: str) -> None:
        """Delete a record; it can be restored."""
        with self._store.lock:
            self._put(self._record(ref), deleted=True)

    def restore(self, ref: str) -> Snapshot:
        """Bring a deleted record back."""
        with self._store.lock:
            return self._put(self._record(ref), deleted=False)

    def erase(self, ref: str) -> None:
        """Remove a record for good."""
        with self._store.lock:
            self._store.erase(self._record(ref))

    def reassign(self, ref: str, owner: str) -> Snapshot:
        """Give a record to another owner; the old one keeps it only by taking part."""
        with self._store.lock:
            return self._put(self._record(ref), owner=owner)

    def share(self, ref: str, user: str) -> Snapshot:
        """Let a user take part, or put a contact on their sync list."""
        with self._store.lock:
            record = self._record(ref)
            return self._put(record, sharers=record.sharers | {user})

    def unshare(self, ref: str, user: str) -> Snapshot:
        """Take a user out, or a contact off their sync list."""
        with self._store.lock:
            record = self._record(ref)
            return self._put(record, sharers=record.sharers - {user})

    def allow(self, ref: str, user: str, right: Right) -> None:
        """Give a user an exceptional right; it changes nothing in the record itself."""
        with self._store.lock:
            record = self._record(ref)
            record = msgspec.structs.replace(record, rights={**record.rights, user: right})
            self._store.records[ref] = record
            self._store.tell(record)

    def touch(self, ref: str) -> Snapshot:
        """Give a record a new revision without changing it."""
        with self._store.lock:
            return self._put(self._record(ref))

    def get(self, ref: str) -> Snapshot:
        """Return a record, deleted or not, whatever the rights."""
        with self._store.lock:
            return observe(self._record(ref), self.user)

    def owner(self, ref: str) -> str:
        """Return who owns a record."""
        return self._record(ref).owner

    def list(self, kind: Kind) -> tuple[Snapshot, ...]:
        """Return all live records of a kind in this user's scope."""
        with self._store.lock:
            return tuple(
                observe(r, self.user)
                for r in self._store.records.values()
                if r.kind is kind and not r.deleted and r.concerns(self.user)
            )

    def _record(self, ref: str) -> Record:
        return self._store.records[ref]

    def _put(self, record: Record, **values: Any) -> Snapshot:
        after = msgspec.structs.replace(record, **values)
        return observe(self._store.put(after, self.user, record), self.user)


def observe(record: Record, user: str) -> Snapshot:
    """Return a record as Accord sees it on behalf of a user."""
    return Snapshot(
        ref=record.ref,
        version=str(record.revision),
        item=record.item,
        marker=record.markers.get(user, ""),
        key=record.key,
        modified=record.modified,
        folder=str(record.kind),
        by=record.by,
        readonly=record.right(user) is not Right.WRITE,
    )
