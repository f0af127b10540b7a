"""People at their desks in the CRM, what the CRM shows, and what the mailboxes show."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Any

from msgspec.structs import replace
from sqlalchemy import func, select

from accord.crm.database import DatabaseCrm
from accord.crm.database.nouns import NOUNS
from accord.crm.database.schema import USERS
from accord.model.item import Contact, Event, Item, Task
from accord.model.kinds import Kind, Side
from accord.model.observe import Seen, Snapshot
from accord.ports.adapter import Ask, Draft, Removal, Revision, Session, Written
from accord.ports.errors import ItemError, Stale
from accord.sandbox.exchange.hand import Hand, Thing
from bench.scale.hands import FOLDERS, PASSWORD
from bench.scale.ledger import Ledger, Shown
from bench.scale.office import KINDS, address

_CRM, _MAILBOX = re.compile(r"~c(\d+)~"), re.compile(r"~m(\d+)~")
_TRIES = 100


class Desk:
    """Be everybody in the CRM, by its own sessions; safe to share between threads."""

    def __init__(self, crm: DatabaseCrm) -> None:
        self._crm = crm

    def create(
        self, user: str, kind: Kind, things: list[tuple[str, int]], day: datetime
    ) -> list[str]:
        """Make items, given by name and number; return their ids."""
        drafts = [
            Draft(item=_new(kind, name, number, day), key=f"scale-{name}")
            for name, number in things
        ]
        with self._crm.open(user) as session:
            return [_written(each).ref for each in session.create("", kind, drafts)]

    def write(self, user: str, kind: Kind, ref: str, number: int) -> None:
        """Write the field that people write here, in the version that stands."""
        for _ in range(_TRIES):
            with self._crm.open(user) as session:
                before = self._read(session, kind, ref)
                (field, value) = _edit(before.item, number)
                asked = Revision(
                    ref=ref,
                    version=before.version,
                    before=before.item,
                    after=replace(before.item, **{field: value}),
                    changed=(field,),
                )
                (outcome,) = session.update("", kind, [asked])
            if not isinstance(outcome, Stale):
                _written(outcome)
                return
        raise RuntimeError(f"{ref} is written all the time")

    def delete(self, user: str, kind: Kind, ref: str) -> None:
        """Delete an item in the version that stands."""
        for _ in range(_TRIES):
            with self._crm.open(user) as session:
                version = self._read(session, kind, ref).version
                (outcome,) = session.delete("", kind, [Removal(ref=ref, version=version)])
            if not isinstance(outcome, Stale):
                _written(outcome)
                return
        raise RuntimeError(f"{ref} is written all the time")

    @staticmethod
    def _read(session: Session, kind: Kind, ref: str) -> Snapshot:
        (found,) = session.fetch("", kind, [Ask(ref=ref)])
        assert isinstance(found, Seen), found
        return found.snapshot


class Arrivals:
    """Tell the ledger what comes into the CRM."""

    def __init__(self, crm: DatabaseCrm, ledger: Ledger) -> None:
        self._store, self._ledger = crm.store, ledger
        with self._store.read() as tx:
            self._since = {
                kind: int(tx.execute(select(func.max(NOUNS[kind].table.c.revision))).scalar() or 0)
                for kind in KINDS
            }

    def look(self) -> None:
        """Look at what was changed since the last time."""
        for kind in KINDS:
            table = NOUNS[kind].table.c
            query = (
                select(table.id, table.revision, table.deleted_at, _field(kind))
                .where(table.revision > self._since[kind])
                .order_by(table.revision)
            )
            with self._store.read(single=True) as tx:
                rows = tx.execute(query).all()
            now = time.monotonic()
            for ref, revision, deleted, text in rows:
                self._since[kind] = revision
                found = _MAILBOX.search(text or "")
                if found is not None:
                    self._ledger.seen(Side.CRM, ref, int(found.group(1)), now)
                if deleted is not None:
                    self._ledger.left(Side.CRM, ref, now)


def in_crm(crm: DatabaseCrm) -> dict[str, list[Shown]]:
    """Return what the CRM shows, by user and name."""
    found: dict[str, list[Shown]] = {}
    for kind in KINDS:
        noun = NOUNS[kind].table.c
        title, own = _titles(kind)
        query = select(USERS.c.name, noun[title], noun[own], _field(kind))
        query = query.join_from(NOUNS[kind].table, USERS, USERS.c.id == noun.owner_id)
        with crm.store.read() as tx:
            for user, named, mine, theirs in tx.execute(query.where(noun.deleted_at.is_(None))):
                shown = Shown(
                    named.partition(" ")[0], _number(_CRM, mine), _number(_MAILBOX, theirs)
                )
                found.setdefault(f"{user} {shown.name}", []).append(shown)
    return found


def in_mailboxes(url: str, users: list[str]) -> dict[str, list[Shown]]:
    """Return what the mailboxes show, by user and name."""
    found: dict[str, list[Shown]] = {}
    for user in users:
        with Hand(url, address(user), PASSWORD) as hand:
            for kind in KINDS:
                for thing in hand.things(FOLDERS[kind]):
                    shown = _of(thing, kind)
                    found.setdefault(f"{user} {shown.name}", []).append(shown)
    return found


def _of(thing: Thing, kind: Kind) -> Shown:
    if kind is Kind.CONTACT:
        mine, theirs = thing.text("JobTitle"), thing.text("CompanyName")
        name = thing.text("GivenName")
    else:
        mine, theirs = thing.title, thing.text("Location" if kind is Kind.EVENT else "Body")
        name = thing.title.partition(" ")[0]
    return Shown(name, _number(_CRM, mine), _number(_MAILBOX, theirs))


def _new(kind: Kind, name: str, number: int, day: datetime) -> Item:
    title = f"{name} ~c{number}~"
    if kind is Kind.EVENT:
        end = day.replace(minute=30)
        return Event(title=title, start=day, end=end, time_zone="Europe/Berlin")
    if kind is Kind.TASK:
        return Task(title=title)
    return Contact(full_name=name, given=name, job_title=f"~c{number}~")


def _edit(item: Item, number: int) -> tuple[str, str]:
    if isinstance(item, Contact):
        return "job_title", f"~c{number}~"
    assert isinstance(item, Event | Task)
    return "title", f"{item.title.partition(' ')[0]} ~c{number}~"


def _titles(kind: Kind) -> tuple[str, str]:
    return ("given", "job_title") if kind is Kind.CONTACT else ("title", "title")


def _field(kind: Kind) -> Any:
    """Return the column that holds what people write in their mailboxes."""
    names = {Kind.EVENT: "location", Kind.TASK: "body", Kind.CONTACT: "organization"}
    return NOUNS[kind].table.c[names[kind]]


def _number(pattern: re.Pattern[str], text: str | None) -> int:
    found = pattern.search(text or "")
    return int(found.group(1)) if found else 0


def _written(outcome: Written | ItemError) -> Written:
    if isinstance(outcome, ItemError):
        raise outcome
    return outcome
