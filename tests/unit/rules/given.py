"""What the tests of the rules share: facts, items, traits of two adapters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from accord.model.fields import FIELDS
from accord.model.item import Absence, Contact, Event, Task
from accord.model.kinds import Kind
from accord.model.parts import Person
from accord.model.traits import KindTraits, Traits
from accord.rules.facts import Facts
from accord.rules.program import Program
from accord.rules.rule import Rule

NOW = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)
ANNA = Person(address="anna@firm.example", name="Anna")
EVA = Person(address="eva@client.example", name="Eva Client")
BOB = Person(address="bob@firm.example", name="Bob")
ZOE = Person(address="zoe@elsewhere.example", name="Zoe")

FACTS = Facts(
    now=NOW,
    owner=ANNA,
    user="anna",
    addresses=frozenset({"anna@firm.example", "a.smith@firm.example"}),
    contacts={"eva@client.example": "contact-1"},
    users={"anna@firm.example": "anna", "bob@firm.example": "bob", "bb@firm.example": "bob"},
)


def event(**values: Any) -> Event:
    base = {
        "title": "Visit",
        "start": datetime(2026, 3, 12, 9),
        "end": datetime(2026, 3, 12, 10),
        "time_zone": "Europe/Berlin",
    }
    return Event(**{**base, **values})


def task(**values: Any) -> Task:
    return Task(**{"title": "Call", "due": datetime(2026, 3, 12, 9), **values})


def contact(**values: Any) -> Contact:
    return Contact(**{"full_name": "Eva Client", **values})


def absence(**values: Any) -> Absence:
    base = {"title": "Flu", "start": datetime(2026, 3, 12), "end": datetime(2026, 3, 14)}
    return Absence(**{**base, "absence_kind": "sick", "message": "Back soon", **values})


def program(kind: Kind = Kind.EVENT, **values: Any) -> Any:
    """Return a Program, untyped: what it projects has the fields of its kind."""
    return Program(Rule(name="test", kind=kind, **values))


def traits(adapter: str, missing: set[str], kinds: tuple[Kind, ...], **more: Any) -> Traits:
    return Traits(
        adapter=adapter,
        kinds={
            kind: KindTraits(fields=frozenset(FIELDS[kind]) - missing, **more) for kind in kinds
        },
    )


CRM = traits(
    "database",
    {"url", "extras"},
    (Kind.EVENT, Kind.TASK, Kind.CONTACT, Kind.ABSENCE),
    extras=frozenset({"crm"}),
    readonly=frozenset({"split_from"}),
)
PLAIN = traits(
    "dav",
    {"online_meeting", "extras"},
    (Kind.EVENT, Kind.TASK, Kind.CONTACT),
    extras=frozenset({"ical", "vcard"}),
)
CALENDAR_ONLY = traits("calendar", set(), (Kind.EVENT,), schedules=True)
REPLYING = replace(PLAIN, replies=True)

HOLDS_NOTHING = Traits(adapter="empty", kinds={})
PEOPLE_ONLY = traits("people", set(), (Kind.CONTACT, Kind.TASK))
