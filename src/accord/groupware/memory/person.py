"""The person in front of the mailbox: adds, edits, moves and deletes as in Outlook.

Tests and the demo use it to change things behind Accord's back.
"""

from __future__ import annotations

from typing import Any

import msgspec

from accord.groupware.memory import scheduling
from accord.groupware.memory.store import DEFAULTS, TRASH, Entry, Mailbox, Store
from accord.model.diff import normalise, patch
from accord.model.item import Item, kind_of
from accord.model.kinds import Kind
from accord.model.observe import Snapshot
from accord.model.parts import Reply
from accord.ports.adapter import Folder


class Person:
    """Be the owner of one mailbox; refs are those that Accord sees. Unknown refs: KeyError."""

    def __init__(self, store: Store, principal: str) -> None:
        """Sit down in front of the mailbox of `principal`."""
        self._store = store
        self.principal = principal

    def add(self, item: Item, folder: str = "", *, marker: str = "") -> Snapshot:
        """Add an item to a folder (by default the one for its kind); invites its attendees."""
        with self._store.lock:
            box, kind = self._box, kind_of(item)
            stored = normalise(item, self._store.traits.kinds[kind])
            if not stored.uid:
                stored = patch(stored, {"uid": f"person-{self._store.number + 1}"})
            entry = self._store.add(
                box, folder or DEFAULTS[kind], stored, self.principal, marker=marker
            )
            scheduling.announce(self._store, box, None, entry)
            return observe(entry)

    def edit(self, ref: str, **values: Any) -> Snapshot:
        """Change fields of an item; mails attendees what they have to know."""
        with self._store.lock:
            box, before = self._box, self._entry(ref)
            item = normalise(patch(before.item, values), self._store.traits.kinds[before.kind])
            silent = before.silent and "attendees" not in values
            entry = msgspec.structs.replace(before, item=item, silent=silent)
            after = self._store.put(box, entry, self.principal)
            scheduling.announce(self._store, box, before, after)
            return observe(after)

    def delete(self, ref: str, *, hard: bool = False) -> None:
        """Delete an item into Deleted Items, or for good; cancels a meeting of one's own."""
        with self._store.lock:
            box, entry = self._box, self._entry(ref)
            if hard:
                self._store.drop(box, entry)
            else:
                self._store.discard(box, entry, self.principal)
            scheduling.announce(self._store, box, entry, None)

    def move(self, ref: str, folder: str) -> str:
        """Move an item to another folder and return its new ref."""
        with self._store.lock:
            return self._store.move(self._box, self._entry(ref), folder, self.principal).ref

    def copy(self, ref: str, folder: str = "") -> str:
        """Copy an item, marker and all, as Outlook does; the copy has a uid of its own."""
        with self._store.lock:
            entry = self._entry(ref)
            item = patch(entry.item, {"uid": f"copy-{self._store.number + 1}"})
            target = folder or entry.folder
            marker = entry.marker
            return self._store.add(self._box, target, item, self.principal, marker=marker).ref

    def restore(self, ref: str, folder: str = "") -> str:
        """Drag an item out of Deleted Items and return its new ref."""
        entry = self._entry(ref)
        return self.move(ref, folder or entry.origin[0] or DEFAULTS[entry.kind])

    def empty_trash(self) -> None:
        """Delete everything in Deleted Items for good."""
        with self._store.lock:
            for entry in [e for e in self._box.entries.values() if e.folder == TRASH]:
                self._store.drop(self._box, entry)

    def reply(self, ref: str, reply: Reply) -> Snapshot:
        """Answer an invitation."""
        with self._store.lock:
            return observe(scheduling.answer(self._store, self._box, self._entry(ref), reply))

    def touch(self, ref: str) -> Snapshot:
        """Give an item a new version without changing it, as servers do at night."""
        with self._store.lock:
            return observe(self._store.put(self._box, self._entry(ref), ""))

    def corrupt(self, ref: str, why: str = "not readable") -> None:
        """Make an item unreadable for programs; an empty `why` mends it."""
        with self._store.lock:
            entry = msgspec.structs.replace(self._entry(ref), broken=why)
            self._store.put(self._box, entry, self.principal)

    def keep(self, ref: str, name: str, value: str) -> None:
        """Store on an item what another program keeps there and Accord has no field for."""
        with self._store.lock:
            entry = self._entry(ref)
            entry = msgspec.structs.replace(entry, others={**entry.others, name: value})
            self._store.put(self._box, entry, self.principal)

    def kept(self, ref: str) -> dict[str, str]:
        """Return what other programs keep on an item."""
        with self._store.lock:
            return self._entry(ref).others

    def get(self, ref: str) -> Snapshot:
        """Return one item, wherever it lies."""
        with self._store.lock:
            return observe(self._entry(ref))

    def list(self, kind: Kind, folder: str = "") -> tuple[Snapshot, ...]:
        """Return all items of a kind, in one folder or in all but Deleted Items."""
        with self._store.lock:
            return tuple(
                observe(e)
                for e in self._box.entries.values()
                if e.kind is kind and (e.folder == folder if folder else e.folder != TRASH)
            )

    def add_folder(self, name: str, kind: Kind, *, writable: bool = True) -> str:
        """Make a folder and return its id."""
        with self._store.lock:
            self._box.folders[name] = Folder(
                id=name, name=name, kinds=frozenset({kind}), writable=writable
            )
            return name

    @property
    def _box(self) -> Mailbox:
        return self._store.mailbox(self.principal)

    def _entry(self, ref: str) -> Entry:
        return self._box.entries[ref]


def observe(entry: Entry) -> Snapshot:
    """Return an entry as Accord sees it."""
    return Snapshot(
        ref=entry.ref,
        version=entry.version,
        item=entry.item,
        marker=entry.marker,
        key=entry.key,
        modified=entry.modified,
        folder=entry.folder,
        by=entry.by,
    )
