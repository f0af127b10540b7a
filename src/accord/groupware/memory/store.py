"""The server behind the memory adapter: mailboxes, folders, entries, versions and a change log.

`adapter` speaks to it as Accord, `person` as the people do; both go through the same doors.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Self

import msgspec
from msgspec import Struct

from accord.groupware.memory.errors import Refused
from accord.model.item import Item, kind_of
from accord.model.kinds import Kind
from accord.model.traits import Traits
from accord.ports.adapter import Folder
from accord.ports.clock import Clock
from accord.ports.errors import AuthFailed, ConfigError
from accord.ports.requests import Requests

TRASH = "deleted-items"
DEFAULTS = {Kind.EVENT: "calendar", Kind.TASK: "tasks", Kind.CONTACT: "contacts"}


class Entry(Struct, frozen=True, kw_only=True):
    """Be one stored item.

    `silent` marks what Accord created without mails. `broken` is why it can't be read.
    `origin` is the folder and ref it had before it went to Deleted Items, `others` what other
    programs keep on it.
    """

    ref: str
    folder: str
    item: Item
    version: str
    modified: datetime
    marker: str = ""
    key: str = ""
    by: str = ""
    silent: bool = False
    broken: str = ""
    origin: tuple[str, str] = ("", "")
    others: dict[str, str] = {}

    @property
    def kind(self) -> Kind:
        """Return the kind of the item."""
        return kind_of(self.item)


class Change(Struct, frozen=True):
    """Be one line of a mailbox's log: something happened to `ref` in `folder`."""

    number: int
    folder: str
    kind: Kind
    ref: str


class Mail(Struct, frozen=True, kw_only=True):
    """Be one message the server sent: `method` is request, cancel or reply (RFC 5546)."""

    sender: str
    to: str
    method: str
    uid: str
    title: str


class Mailbox:
    """Be one person's folders, entries and log."""

    def __init__(self, principal: str, name: str = "", generation: int = 0) -> None:
        """Start with an empty calendar, task list and contact folder.

        `generation` tells one mailbox from another that had the address before.
        """
        self.principal = principal
        self.generation = generation
        self.name = name
        self.entries: dict[str, Entry] = {}
        self.log: list[Change] = []
        self.keys: dict[str, str] = {}
        self.folders: dict[str, Folder] = {
            name: Folder(id=name, name=name.title(), kinds=frozenset({kind}), default=True)
            for kind, name in DEFAULTS.items()
        }
        self.folders[TRASH] = Folder(id=TRASH, name="Deleted Items", kinds=frozenset())

    def folder(self, name: str) -> Folder:
        """Return a folder; raises ConfigError where there is none of that id."""
        if name not in self.folders:
            raise ConfigError(
                f"{self.principal} has no folder {name!r}",
                field="folder",
                hint=f"use one of: {', '.join(sorted(self.folders))}",
            )
        return self.folders[name]

    def here(self, folder: str, kind: Kind) -> Iterator[Entry]:
        """Yield the entries of one kind in a folder, oldest first."""
        return (e for e in self.entries.values() if e.folder == folder and e.kind is kind)

    def copy(self) -> Mailbox:
        """Return an independent copy; entries are immutable and shared."""
        twin = copy.copy(self)
        twin.entries = dict(self.entries)
        twin.log = list(self.log)
        twin.keys = dict(self.keys)
        twin.folders = dict(self.folders)
        return twin


class Store:
    """Be the whole server. Every use happens under `lock`; copies and pickles are independent."""

    def __init__(self, traits: Traits, people: dict[str, str], clock: Clock) -> None:
        """Prepare a mailbox for each of the `people` (address to name); none means everybody."""
        self.traits = traits
        self.clock = clock
        self.closed = bool(people)
        self.lock = threading.RLock()
        self.number = 0
        self.epoch = 0
        self.requests = Requests()
        self.adopt = ""
        self.outbox: list[Mail] = []
        self.contents: dict[str, bytes] = {}
        self.room = 100_000_000
        self.mailboxes = {a.casefold(): Mailbox(a, name) for a, name in people.items()}

    def mailbox(self, principal: str) -> Mailbox:
        """Return a mailbox; raises AuthFailed for a stranger."""
        found = self.mailboxes.get(principal.casefold())
        if found is None:
            if self.closed or not principal:
                raise AuthFailed(f"there is no mailbox {principal!r}", code="unknown-principal")
            found = self.mailboxes[principal.casefold()] = Mailbox(principal)
        return found

    def reassign(self, principal: str) -> Mailbox:
        """Give an address to somebody else: the mailbox behind it is another one, and empty."""
        with self.lock:
            former = self.mailbox(principal)
            fresh = Mailbox(former.principal, generation=self._next())
            self.mailboxes[principal.casefold()] = fresh
            return fresh

    def put(self, box: Mailbox, entry: Entry, by: str) -> Entry:
        """Store an entry in a new version and log it."""
        number = self._next()
        entry = msgspec.structs.replace(
            entry, version=str(number), modified=self.clock().replace(microsecond=0), by=by
        )
        box.entries[entry.ref] = entry
        if entry.key:
            box.keys[entry.key] = entry.ref
        box.log.append(Change(number, entry.folder, entry.kind, entry.ref))
        return entry

    def add(self, box: Mailbox, folder: str, item: Item, by: str, **more: Any) -> Entry:
        """Store a new item under a new ref."""
        ref = f"item-{self._next()}"
        entry = Entry(
            ref=ref, folder=folder, item=item, version="", modified=self.clock(), by=by, **more
        )
        return self.put(box, entry, by)

    def drop(self, box: Mailbox, entry: Entry) -> None:
        """Remove an entry for good and log that it left."""
        del box.entries[entry.ref]
        box.log.append(Change(self._next(), entry.folder, entry.kind, entry.ref))

    def move(self, box: Mailbox, entry: Entry, folder: str, by: str) -> Entry:
        """Move an entry; as on Exchange and DAV it gets a new ref and its old one is gone."""
        box.folder(folder)
        self.drop(box, entry)
        origin = (entry.folder, entry.ref) if folder == TRASH else ("", "")
        moved = msgspec.structs.replace(
            entry, ref=f"item-{self._next()}", folder=folder, origin=origin
        )
        return self.put(box, moved, by)

    def discard(self, box: Mailbox, entry: Entry, by: str) -> None:
        """Delete an entry, into Deleted Items where the traits say so."""
        if self.traits.kinds[entry.kind].trash and entry.folder != TRASH:
            self.move(box, entry, TRASH, by)
        else:
            self.drop(box, entry)

    def recall(self, box: Mailbox, folder: str, ref: str, by: str) -> Entry:
        """Bring an entry back from Deleted Items under the ref it had."""
        for entry in box.entries.values():
            if entry.origin == (folder, ref):
                self.drop(box, entry)
                back = msgspec.structs.replace(entry, ref=ref, folder=folder, origin=("", ""))
                return self.put(box, back, by)
        raise Refused("not-there", f"{ref} is not in Deleted Items")

    def expire(self) -> None:
        """Forget all logs, so that every cursor given out so far is lost."""
        with self.lock:
            self.epoch += 1
            for box in self.mailboxes.values():
                box.log.clear()

    def _next(self) -> int:
        self.number += 1
        return self.number

    def __getstate__(self) -> dict[str, Any]:
        """Leave the lock behind, and whose requests there were."""
        with self.lock:
            state = dict(self.__dict__)
            state["mailboxes"] = {a: box.copy() for a, box in self.mailboxes.items()}
            state["outbox"] = list(self.outbox)
            state["contents"] = dict(self.contents)
        del state["lock"], state["requests"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make a lock of its own, and count from none."""
        self.__dict__.update(state, lock=threading.RLock(), requests=Requests())

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return an independent copy; cheap, because entries are immutable."""
        twin = type(self).__new__(type(self))
        twin.__setstate__(self.__getstate__())
        return twin
