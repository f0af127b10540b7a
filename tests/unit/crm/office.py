"""The people of one test in the built-in CRM: short words for what they do in their own names."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

import msgspec

from accord.crm.database import DatabaseCrm
from accord.crm.database.admin import Administration
from accord.model.diff import diff
from accord.model.item import Absence, Contact, Event, Item, Task, kind_of
from accord.model.kinds import Kind
from accord.model.observe import Listing, Observation, Seen, Snapshot
from accord.model.parts import Attendee, Person
from accord.ports.adapter import Ask, Draft, Outcome, Question, Removal, Revision, Written

START, END = datetime(2026, 3, 2, 9), datetime(2026, 3, 2, 10)


class Office:
    """Be Ann, Bob, Carl and Dora the administrator; no other test knows them."""

    def __init__(self, crm: DatabaseCrm) -> None:
        self.crm = crm
        self.admin = Administration(crm)
        self.tag = secrets.token_hex(4)
        self.ann, self.bob, self.carl, self.dora = (
            f"{name}-{self.tag}" for name in ("ann", "bob", "carl", "dora")
        )
        for name in (self.ann, self.bob, self.carl, self.dora):
            self.admin.add_user(name, address(name), admin=name == self.dora)

    def event(self, *guests: str, **values: Any) -> Event:
        """Return an appointment with users or addresses as guests."""
        given: dict[str, Any] = {
            "title": "talk",
            "start": START,
            "end": END,
            "time_zone": "Europe/Berlin",
            "attendees": tuple(Attendee(address=address(guest)) for guest in guests),
        }
        return Event(**{**given, **values})

    def task(self, assignee: str = "", **values: Any) -> Task:
        """Return a task for a user."""
        person = Person(address=address(assignee)) if assignee else None
        return Task(**{"title": "call", "assignee": person, **values})

    def create(self, user: str, item: Item, **draft: Any) -> Snapshot:
        """Create an item through a user's session."""
        (outcome,) = self.try_create(user, Draft(item=item, **{"key": "", **draft}))
        snapshot = done(outcome).snapshot
        assert snapshot is not None
        return snapshot

    def try_create(self, user: str, *drafts: Draft) -> list[Outcome]:
        with self.crm.open(user) as session:
            return session.create("", kind_of(drafts[0].item), drafts)

    def edit(self, user: str, before: Snapshot, **values: Any) -> Outcome:
        """Change fields through a user's session, from the version in hand."""
        after = msgspec.structs.replace(before.item, **values)
        revision = Revision(
            ref=before.ref,
            version=before.version,
            before=before.item,
            after=after,
            changed=diff(before.item, after),
        )
        with self.crm.open(user) as session:
            return session.update("", kind_of(before.item), [revision])[0]

    def delete(self, user: str, before: Snapshot) -> Outcome:
        removal = Removal(ref=before.ref, version=before.version)
        with self.crm.open(user) as session:
            return session.delete("", kind_of(before.item), [removal])[0]

    def restore(self, user: str, kind: Kind, ref: str) -> Outcome:
        with self.crm.open(user) as session:
            return session.restore("", kind, ref)

    def fetch(self, user: str, kind: Kind, ref: str) -> Observation:
        with self.crm.open(user) as session:
            return session.fetch("", kind, [Ask(ref=ref)])[0]

    def see(self, user: str, kind: Kind, ref: str) -> Snapshot:
        """Return what a user sees in their scope; it must be there."""
        observation = self.fetch(user, kind, ref)
        assert isinstance(observation, Seen), observation
        return observation.snapshot

    def find(self, user: str, kind: Kind, **question: str) -> tuple[str, ...]:
        with self.crm.open(user) as session:
            (found,) = session.lookup("", kind, [Question(**question)])
        return tuple(snapshot.ref for snapshot in found)

    def pull(self, user: str, kind: Kind, cursor: str = "") -> Pulled:
        with self.crm.open(user) as session:
            return Pulled(list(session.changes("", kind, cursor, lambda refs: {})))


class Pulled:
    """Be what one pull returned."""

    def __init__(self, pages: list[Listing]) -> None:
        self.pages = pages
        self.cursor = pages[-1].cursor
        self.completeness = pages[-1].completeness
        self.said = {one.ref: one for page in pages for one in page.observations}

    @property
    def seen(self) -> set[str]:
        return {ref for ref, one in self.said.items() if isinstance(one, Seen)}


def address(user: str) -> str:
    """Return the address of a user of ours; what is an address already stays."""
    return user if "@" in user else f"{user}@example.com"


def done(outcome: Outcome) -> Written:
    assert isinstance(outcome, Written), repr(outcome)
    return outcome


def contact(**values: Any) -> Contact:
    return Contact(**{"full_name": "Cus Tomer", **values})


def absence(**values: Any) -> Absence:
    return Absence(**{"title": "away", "start": START, "end": END, "all_day": False, **values})
