"""Accord's adapter in a mailbox where other people's clients work: what it writes and sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from accord.groupware.exchange import ExchangeAdapter, ExchangeSession, build
from accord.model.diff import patch
from accord.model.item import (
    Contact,
    Event,
    Item,
    Mailto,
    Phone,
    PostalAddress,
    Task,
    TaskStatus,
)
from accord.model.kinds import Kind
from accord.model.observe import Completeness, Deleted, Observation, Seen, Snapshot
from accord.model.parts import Attendee, Body, Person, Privacy, Reminder, Role
from accord.model.recurrence import Busy, Frequency, NthDay, Override, RecurrenceRule, Weekday
from accord.ports.adapter import Written
from accord.testing.place import Place, done
from accord.testing.samples import BERLIN, at
from tests.exchange import ROBOT
from tests.unit.exchange.bridge import place_of

NEW_YORK = "America/New_York"


class Desk:
    """A folder that Accord writes into and follows, from one look to the next."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._cursor = place.pull().cursor

    def create(self, item: Item) -> Snapshot:
        (made,) = self.place.create(item)
        assert self.changed() == made
        return made

    def edit(self, before: Snapshot, **values: Any) -> Snapshot:
        written = self.place.edit(before, **values)
        seen = self.changed()
        assert (seen.ref, seen.version) == (before.ref, written.version)
        return seen

    def remove(self, there: Snapshot) -> Written:
        answer = done(self.place.remove(there)[0])
        assert self.deleted() == there.ref
        return answer

    def look(self) -> list[Observation]:
        """Return what changed since the last look, and nothing else."""
        pull = self.place.pull(self._cursor)
        assert {page.completeness for page in pull.pages} == {Completeness.DELTA}
        self._cursor = pull.cursor
        return list(pull.observations.values())

    def changed(self) -> Snapshot:
        """Return the only thing that changed."""
        (only,) = self.look()
        assert isinstance(only, Seen), only
        return only.snapshot

    def deleted(self) -> str:
        """Return the ref of what was deleted, the only thing that changed."""
        (only,) = self.look()
        assert isinstance(only, Deleted), only
        return only.ref


class Desks:
    """A person's desks: those in their own folders, and in any other."""

    def __init__(self, session: ExchangeSession, adapter: ExchangeAdapter) -> None:
        self.session = session
        self._traits = adapter.traits.kinds
        self.events, self.tasks, self.contacts = (
            Desk(place_of(session, adapter, kind)) for kind in (Kind.EVENT, Kind.TASK, Kind.CONTACT)
        )

    def at(self, folder: str, kind: Kind) -> Desk:
        return Desk(Place(self.session, folder, kind, self._traits[kind]))


@contextmanager
def seated(url: str, address: str) -> Iterator[Desks]:
    """Open Accord's adapter in somebody's mailbox."""
    adapter = build(
        {
            "url": url,
            "auth": "basic",
            "user": ROBOT,
            "password": "secret",
            "address_book": "Contacts",
            "time_zone": BERLIN,
        }
    )
    try:
        with adapter.open(address) as session:
            yield Desks(session, adapter)
    finally:
        adapter.close()


# ---- what is compared ----


def moment(text: str, zone: str = BERLIN) -> datetime:
    return at(text).replace(tzinfo=ZoneInfo(zone))


def says(seen: Mapping[str, Any], **expected: Any) -> None:
    others = {name: seen.get(name) for name in expected if seen.get(name) != expected[name]}
    assert not others, f"{others!r} should be { ({name: expected[name] for name in others})!r}"


def same(seen: Item, wanted: Item, **changed: Any) -> None:
    """Hold an item against another, of which so much has changed."""
    expected = patch(wanted, changed)
    says(msgspec.structs.asdict(seen), **msgspec.structs.asdict(expected))
    assert seen == expected


# ---- what Accord writes ----


def meeting(own: str) -> Event:
    return Event(
        uid="meeting@accord.example",
        title="Größe; Maß, und mehr",
        start=at("2026-07-06T10:00"),
        end=at("2026-07-06T11:30"),
        time_zone=BERLIN,
        location="Raum 1, Haus B",
        body=Body(text="Dear all,\nsee you <there> & then"),
        busy=Busy.TENTATIVE,
        priority=1,
        privacy=Privacy.PRIVATE,
        categories=("Kunde", "Besuch"),
        reminders=(Reminder(minutes=30),),
        organizer=Person(address=own),
        attendees=(
            Attendee(address="bea@example.org", name="Bea Berg"),
            Attendee(address="carl@example.org", name="Carl", role=Role.OPTIONAL),
        ),
    )


MEETING_CHANGED: dict[str, Any] = {
    "title": "Second",
    "start": at("2026-07-07T14:15"),
    "end": at("2026-07-07T15:00"),
    "time_zone": NEW_YORK,
    "location": "",
    "body": Body(text="Otherwise"),
    "busy": Busy.FREE,
    "privacy": Privacy.PUBLIC,
    "reminders": (),
    "attendees": (Attendee(address="dora@example.org", name="Dora"),),
}


def fair() -> Event:
    """Return whole days, on one of which clocks are put back."""
    return Event(
        uid="fair@accord.example",
        title="Fair",
        start=at("2026-10-24"),
        end=at("2026-10-26"),
        all_day=True,
        categories=("Kunde", "Besuch"),
        busy=Busy.FREE,
    )


FAIR_CHANGED: dict[str, Any] = {
    "title": "Longer fair",
    "start": at("2026-10-25"),
    "end": at("2026-10-28"),
    "busy": Busy.OUT_OF_OFFICE,
}


def weekly() -> Event:
    """Return Mondays at nine, also after clocks are put back; one moved, one left out."""
    return Event(
        uid="weekly@accord.example",
        title="Weekly",
        start=at("2026-10-05T09:00"),
        end=at("2026-10-05T10:00"),
        time_zone=BERLIN,
        location="Room 1",
        rule=RecurrenceRule(frequency=Frequency.WEEKLY, by_day=(NthDay(day=Weekday.MO),), count=6),
        exdates=(at("2026-10-19T09:00"),),
        overrides=(MOVED,),
    )


MOVED = Override(
    recurrence_id=at("2026-10-26T09:00"),
    start=at("2026-10-27T14:00"),
    end=at("2026-10-27T16:00"),
    title="Special",
)
MOVED_AGAIN = Override(
    recurrence_id=at("2026-10-26T09:00"),
    start=at("2026-10-28T08:00"),
    end=at("2026-10-28T09:00"),
    title="Special",
    location="Room 2",
)
SINGLES_CHANGED: dict[str, Any] = {
    "exdates": (at("2026-10-12T09:00"), at("2026-10-19T09:00")),
    "overrides": (MOVED_AGAIN,),
}
SERIES_CHANGED: dict[str, Any] = {
    "title": "Fortnightly",
    "rule": RecurrenceRule(
        frequency=Frequency.WEEKLY, interval=2, by_day=(NthDay(day=Weekday.MO),), count=4
    ),
    "exdates": (at("2026-10-19T09:00"),),
    "overrides": (
        Override(
            recurrence_id=at("2026-11-02T09:00"),
            start=at("2026-11-03T09:00"),
            end=at("2026-11-03T10:00"),
        ),
    ),
}


def errand() -> Task:
    return Task(
        uid="errand@accord.example",
        title="Call Eve; soon",
        start=at("2026-10-24"),
        due=at("2026-10-25"),
        all_day=True,
        body=Body(text="About the offer,\nand the rest"),
        status=TaskStatus.IN_PROCESS,
        percent=25,
        priority=1,
        categories=("Kunde",),
    )


ERRAND_CHANGED: dict[str, Any] = {"title": "Call Eva", "due": at("2026-11-02"), "percent": 75}


def customer() -> Contact:
    return Contact(
        uid="customer@accord.example",
        full_name="Dr. Eve Maria Größe",
        prefix="Dr.",
        given="Eve",
        middle="Maria",
        family="Größe",
        nickname="Evie",
        organization="Acme, Söhne",
        department="Sales; North",
        job_title="Head",
        mails=(
            Mailto(address="eve@example.org"),
            Mailto(address="eve.home@example.net"),
            Mailto(address="eve.third@example.com"),
        ),
        phones=(
            Phone(number="+49 30 1"),
            Phone(number="+49 30 2", type="home"),
            Phone(number="+49 171 3", features=("cell",)),
            Phone(number="+49 30 4", features=("fax",)),
        ),
        addresses=(
            PostalAddress(
                street="Große Straße 1",
                locality="Berlin",
                region="BE",
                postcode="10115",
                country="Germany",
            ),
            PostalAddress(type="home", street="Am Weg 2", locality="Jena", postcode="07743"),
        ),
        urls=("https://example.com/eve",),
        birthday="1970-02-28",
        notes="Likes tea,\nand coffee",
        categories=("Kunde",),
    )


CUSTOMER_CHANGED: dict[str, Any] = {
    "full_name": "Eva Klein",
    "prefix": "",
    "given": "Eva",
    "middle": "",
    "family": "Klein",
    "organization": "Other",
    "mails": (Mailto(address="eva@example.org"), Mailto(address="eve.home@example.net")),
    "phones": (
        Phone(number="+49 30 9"),
        Phone(number="+49 171 3", features=("cell",)),
    ),
    "addresses": (
        PostalAddress(type="home", street="Am Weg 3", locality="Weimar", postcode="99423"),
    ),
    "birthday": "",
}
