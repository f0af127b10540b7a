"""Who takes part in an appointment, as rows: users, contacts and plain addresses.

`records` reads them with the appointment, `writing` replaces them when the people change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, delete, select

from accord.crm.database.people import Known
from accord.crm.database.schema import PARTICIPANTS
from accord.db import Tx
from accord.db.tx import chunks
from accord.model.item import Event
from accord.model.parts import Attendee, AttendeeKind, Person, Reply, Role


class Present(NamedTuple):
    """Be the people of one appointment, and the CRM users among them."""

    attendees: tuple[Attendee, ...] = ()
    people: tuple[Person, ...] = ()
    users: frozenset[int] = frozenset()


NOBODY = Present()


def load(tx: Tx, refs: Sequence[str]) -> dict[str, Present]:
    """Return the people of appointments; those without any are left out."""
    gathered: dict[str, tuple[list[Attendee], list[Person], set[int]]] = {}
    made: dict[Any, Attendee | Person] = {}  # the same people come again and again
    for ref, user, *values in tx.connection.execute(_select(), {"refs": list(refs)}).all():
        here = gathered.get(ref)
        if here is None:
            here = gathered[ref] = ([], [], set())
        key = tuple(values)
        one = made.get(key)
        if one is None:
            one = made[key] = _decode(*values)
        if isinstance(one, Attendee):
            here[0].append(one)
        else:
            here[1].append(one)
        if user is not None:
            here[2].add(user)
    return {
        ref: Present(tuple(attendees), tuple(people), frozenset(users))
        for ref, (attendees, people, users) in gathered.items()
    }


def encode(ref: str, item: Event, known: Known) -> list[dict[str, Any]]:
    """Return the rows for the people of an appointment."""
    named = [(one, True) for one in item.attendees]
    named += [(Attendee(address=one.address, name=one.name), False) for one in item.people]
    return [_row(ref, at, one, invited, known) for at, (one, invited) in enumerate(named)]


def users(item: Event, known: Known) -> frozenset[int]:
    """Return the CRM users among the people of an appointment."""
    addresses = [one.address for one in item.attendees] + [one.address for one in item.people]
    found = (known.user(address) for address in addresses)
    return frozenset(user for user in found if user is not None)


def replace(tx: Tx, refs: Iterable[str], fresh: Sequence[dict[str, Any]]) -> None:
    """Put `fresh` rows in the place of all that the appointments had."""
    for some in chunks(refs):
        tx.execute(delete(PARTICIPANTS).where(PARTICIPANTS.c.appointment_id.in_(some)))
    tx.insert(PARTICIPANTS, fresh)


_ROLES = {str(word): word for word in Role}
_REPLIES = {str(word): word for word in Reply}
_KINDS = {str(word): word for word in AttendeeKind}


def _decode(
    invited: bool, address: str, name: str, role: str, reply: str, kind: str, rsvp: bool
) -> Attendee | Person:
    if not invited:
        return Person(address=address, name=name)
    return Attendee(
        address=address,
        name=name,
        role=_ROLES[role],
        reply=_REPLIES[reply],
        attendee_kind=_KINDS[kind],
        rsvp=bool(rsvp),
    )


def _row(ref: str, at: int, one: Attendee, invited: bool, known: Known) -> dict[str, Any]:
    return {
        "appointment_id": ref,
        "position": at,
        "invited": invited,
        "address": one.address,
        "folded": one.address.casefold(),
        "name": one.name,
        "role": str(one.role),
        "reply": str(one.reply),
        "attendee_kind": str(one.attendee_kind),
        "rsvp": one.rsvp,
        "user_id": known.user(one.address),
        "contact_id": known.contact(one.address),
    }


@cache
def _select() -> Select[Any]:
    c = PARTICIPANTS.c
    return (
        select(
            c.appointment_id,
            c.user_id,
            c.invited,
            c.address,
            c.name,
            c.role,
            c.reply,
            c.attendee_kind,
            c.rsvp,
        )
        .where(c.appointment_id.in_(bindparam("refs", expanding=True)))
        .order_by(c.appointment_id, c.position)
    )
