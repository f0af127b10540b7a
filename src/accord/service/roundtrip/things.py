"""What the round trip writes: one of everything, in four weeks' time, with nobody invited.

`mailbox` creates each of these, changes it as `changed` says, and deletes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from accord.model.item import Contact, Event, Item, Mailto, Phone, PostalAddress, Task, kind_of
from accord.model.kinds import Kind
from accord.model.parts import Body, Privacy, Reminder
from accord.model.recurrence import Busy, Frequency, Override, RecurrenceRule
from accord.model.traits import KindTraits, Traits

ZONE = "Europe/Berlin"
TEXT = "Written by `accord check --mailbox`: Größe; Maß, \\ Schrägstrich\n日本語 <b>&amp;</b>"
FOUR_WEEKS = timedelta(days=28)


class Thing(Struct, frozen=True, kw_only=True):
    """Be one item to write: what people call it, the item, and what is changed in it."""

    label: str
    item: Item
    changed: dict[str, Any]

    @property
    def kind(self) -> Kind:
        """Return the kind under which a mailbox stores it."""
        return kind_of(self.item)


def things(title: str, now: datetime, traits: Traits) -> list[Thing]:
    """Return what a target can hold, each under a title that tells where it comes from."""
    held = traits.kinds
    return [each for each in _all(title, now, held) if held[each.kind].fields]


def _all(title: str, now: datetime, held: Mapping[Kind, KindTraits]) -> list[Thing]:
    start = (now + FOUR_WEEKS).replace(hour=9, minute=0, second=0, microsecond=0, tzinfo=None)
    found: list[Thing] = []
    if Kind.EVENT in held:
        found += [_entry(title, start), _absence(title, start)]
        found += [_series(title, start)] if held[Kind.EVENT].series else []
    if Kind.TASK in held:
        found.append(_task(title, start))
    if Kind.CONTACT in held:
        found.append(_contact(title))
    return found


def _entry(title: str, start: datetime) -> Thing:
    item = Event(
        title=title,
        start=start,
        end=start + timedelta(minutes=90),
        time_zone=ZONE,
        body=Body(text=TEXT),
        location="Room 1; left",
        busy=Busy.TENTATIVE,
        privacy=Privacy.PRIVATE,
        categories=("Accord check",),
        reminders=(Reminder(minutes=15),),
    )
    later = {"start": start + timedelta(days=1), "end": start + timedelta(days=1, hours=1)}
    return Thing(label="event", item=item, changed={"title": f"{title}, changed", **later})


def _absence(title: str, start: datetime) -> Thing:
    """Return what an absence is in a mailbox: whole days out of office."""
    first = start.replace(hour=0)
    item = Event(
        title=title,
        start=first,
        end=first + timedelta(days=3),
        all_day=True,
        busy=Busy.OUT_OF_OFFICE,
    )
    return Thing(label="absence", item=item, changed={"end": first + timedelta(days=5)})


def _series(title: str, start: datetime) -> Thing:
    second, third = start + timedelta(days=1), start + timedelta(days=2)
    moved = Override(
        recurrence_id=second,
        start=second + timedelta(hours=2),
        end=second + timedelta(hours=3),
        title=f"{title}, moved",
    )
    item = Event(
        title=title,
        start=start,
        end=start + timedelta(hours=1),
        time_zone=ZONE,
        rule=RecurrenceRule(frequency=Frequency.DAILY, count=5),
        overrides=(moved,),
        exdates=(third,),
    )
    return Thing(label="series", item=item, changed={"title": f"{title}, changed"})


def _task(title: str, start: datetime) -> Thing:
    day = start.replace(hour=0)
    item = Task(title=title, due=day, all_day=True, body=Body(text=TEXT), priority=1)
    return Thing(label="task", item=item, changed={"due": day + timedelta(days=1), "priority": 9})


def _contact(title: str) -> Thing:
    item = Contact(
        full_name=title,
        family=title,
        organization="Accord; Söhne, KG",
        mails=(Mailto(address="nobody@example.com", preferred=True),),
        phones=(Phone(number="+49 30 123456"), Phone(number="+49 171 12345", features=("cell",))),
        addresses=(PostalAddress(street="Am Weg 2", locality="Jena", postcode="07743"),),
        notes=TEXT,
    )
    phones = (Phone(number="+49 30 654321"),)
    return Thing(label="contact", item=item, changed={"phones": phones})
