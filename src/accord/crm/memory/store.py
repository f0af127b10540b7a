"""The CRM behind the adapter: users, records, rights, revisions and one change log for all.

`session` speaks to it as Accord on behalf of a user, `person` as the users do.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

import msgspec
from msgspec import Struct

from accord.crm.memory.errors import Refused
from accord.model.item import Item, kind_of
from accord.model.kinds import Kind
from accord.model.parts import Attendee, Person
from accord.model.traits import Traits
from accord.ports.adapter import Hint
from accord.ports.clock import Clock
from accord.ports.errors import ASK_AGAIN, AuthFailed
from accord.ports.requests import Requests


class Right(StrEnum):
    """Say what a user may do with a record."""

    WRITE = "write"
    READ = "read"
    NONE = "none"


class Record(Struct, frozen=True, kw_only=True):
    """Be one record.

    `sharers` are the participants of an event or, for a contact, the users who cover or chose
    it (their sync lists). `rights` hold exceptions, by user. `markers` are kept per user.
    """

    ref: str
    item: Item
    owner: str
    revision: int
    modified: datetime
    sharers: frozenset[str] = frozenset()
    rights: dict[str, Right] = {}
    markers: dict[str, str] = {}
    key: str = ""
    by: str = ""
    deleted: bool = False

    @property
    def kind(self) -> Kind:
        """Return the kind of the item."""
        return kind_of(self.item)

    def concerns(self, user: str) -> bool:
        """Tell whether the record is in the scope of a user."""
        if self.kind is Kind.CONTACT:
            return user in self.sharers
        return user == self.owner or user in self.sharers

    def right(self, user: str) -> Right:
        """Return what a user may do with it."""
        return self.rights.get(user, Right.WRITE)

    @property
    def users(self) -> frozenset[str]:
        """Return everybody in whose scope it is."""
        return self.sharers if self.kind is Kind.CONTACT else self.sharers | {self.owner}


class Change(Struct, frozen=True):
    """Be one line of the log: a record changed, and everybody it concerned before or after."""

    number: int
    kind: Kind
    ref: str
    users: frozenset[str]


class Store:
    """Be the whole CRM. Every use happens under `lock`; copies and pickles are independent."""

    def __init__(self, traits: Traits, users: dict[str, str], clock: Clock) -> None:
        """Know `users` by name and addresses (separated by spaces); none means everybody."""
        self.traits = traits
        self.clock = clock
        self.closed = bool(users)
        self.addresses = {name: tuple(text.split()) for name, text in users.items()}
        self.locked: set[str] = set()
        self.groups: dict[str, tuple[str, ...]] = {}
        self.lock = threading.RLock()
        self.number = 0
        self.epoch = 0
        self.requests = Requests()
        self.records: dict[str, Record] = {}
        self.keys: dict[str, str] = {}
        self.erased: set[str] = set()
        self.log: list[Change] = []
        self.contents: dict[str, bytes] = {}
        self.room = 100_000_000

    def user(self, name: str) -> str:
        """Return the name of a user; raises AuthFailed for a stranger or a locked one."""
        if name in self.locked:
            raise AuthFailed(f"the user {name!r} is locked", after=ASK_AGAIN, code="locked")
        if name not in self.addresses:
            if self.closed or not name:
                raise AuthFailed(f"there is no user {name!r}", after=ASK_AGAIN, code="unknown-user")
            self.addresses[name] = (name,) if "@" in name else ()
        return name

    def users_of(self, addresses: Iterable[str]) -> dict[str, str]:
        """Return the user of each known address, casefolded."""
        known = {a.casefold(): name for name, many in self.addresses.items() for a in many}
        return {a.casefold(): known[a.casefold()] for a in addresses if a.casefold() in known}

    def add(self, item: Item, owner: str, by: str, **more: Any) -> Record:
        """Store a new record; an event is shared with all users among its people."""
        self.number += 1
        record = Record(
            ref=f"{kind_of(item)}-{self.number}",
            item=item,
            owner=owner,
            revision=0,
            modified=self.clock(),
            **more,
        )
        return self.put(record, by)

    def put(self, record: Record, by: str, before: Record | None = None) -> Record:
        """Store a record in a new revision and log whom it concerns, before and after."""
        sharers = record.sharers
        if record.kind is not Kind.CONTACT:
            named = frozenset(self.users_of(addresses(record.item)).values())
            old = frozenset(self.users_of(addresses(before.item)).values()) if before else named
            sharers = (sharers - (old - named)) | named
        record = msgspec.structs.replace(
            record,
            sharers=sharers,
            revision=record.revision + 1,
            modified=self.clock().replace(microsecond=0),
            by=by,
        )
        self.records[record.ref] = record
        if record.key:
            self.keys[record.key] = record.ref
        self.tell(record, before.users if before else frozenset())
        return record

    def tell(self, record: Record, others: frozenset[str] = frozenset()) -> None:
        """Log a change, also for users in whose scope the record was until now."""
        self.number += 1
        users = record.users | others | frozenset(record.rights)
        self.log.append(Change(self.number, record.kind, record.ref, users))

    def erase(self, record: Record) -> None:
        """Remove a record for good, as the law asks for."""
        del self.records[record.ref]
        self.erased.add(record.ref)
        self.tell(record)

    def get(self, ref: str) -> Record:
        """Return a live record; raises Refused for others."""
        record = self.records.get(ref)
        if record is None or record.deleted:
            raise Refused("not-there", f"there is no record {ref} any more")
        return record

    def hints(self, since: int) -> tuple[Hint, ...]:
        """Return what changed after a number, each record once."""
        last: dict[str, Hint] = {}
        for change in self.log:
            if change.number > since:
                before = last.pop(change.ref, None)
                users = change.users | (before.principals if before else frozenset())
                last[change.ref] = Hint(kind=change.kind, ref=change.ref, principals=users)
        return tuple(last.values())

    def expire(self) -> None:
        """Forget the log, so that every cursor given out so far is lost."""
        with self.lock:
            self.epoch += 1
            self.log.clear()

    def cursor(self, number: int) -> str:
        """Return the cursor that stands at a number of the log."""
        return f"{self.epoch}:{number}"

    def since(self, cursor: str) -> int | None:
        """Return the number a cursor stands at; None where it is empty or no longer valid."""
        epoch, _, number = cursor.partition(":")
        valid = epoch == str(self.epoch) and number.isdigit()
        return int(number) if valid and int(number) <= self.number else None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the lock behind, and whose requests there were."""
        with self.lock:
            state = dict(self.__dict__)
            for name in (
                "addresses",
                "locked",
                "groups",
                "records",
                "keys",
                "erased",
                "log",
                "contents",
            ):
                state[name] = state[name].copy()
        del state["lock"], state["requests"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make a lock of its own, and count from none."""
        self.__dict__.update(state, lock=threading.RLock(), requests=Requests())

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return an independent copy; cheap, because records are immutable."""
        twin = type(self).__new__(type(self))
        twin.__setstate__(self.__getstate__())
        return twin


def addresses(item: Item) -> tuple[str, ...]:
    """Return the addresses of everybody who takes part in an item."""
    named: list[Person | Attendee | None] = [
        getattr(item, field, None) for field in ("organizer", "assignee")
    ]
    for field in ("attendees", "people"):
        named.extend(getattr(item, field, ()))
    return tuple(one.address for one in named if one is not None and one.address)
