"""Who is who: users and contacts by their addresses, always compared casefolded.

Appointments resolve their participants here; the adapter answers `People` from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from msgspec import Struct
from sqlalchemy import Select, bindparam, func, select

from accord.crm.database.schema import (
    CONTACT_MAILS,
    CONTACTS,
    MEMBERS,
    USER_ADDRESSES,
    USERS,
)
from accord.db import Tx
from accord.db.tx import chunks
from accord.model.parts import Person


class Known(Struct, frozen=True):
    """Be the users (by id) and contacts (by ref) that addresses belong to."""

    users: dict[str, int] = {}
    contacts: dict[str, str] = {}

    def user(self, address: str) -> int | None:
        """Return the user of an address."""
        return self.users.get(address.casefold())

    def contact(self, address: str) -> str | None:
        """Return the one contact of an address that is no user's."""
        folded = address.casefold()
        return None if folded in self.users else self.contacts.get(folded)


def resolve(tx: Tx, addresses: Iterable[str]) -> Known:
    """Return who the addresses belong to; users before contacts, ambiguous contacts left out."""
    wanted = folded(addresses)
    users: dict[str, int] = {}
    for some in chunks(wanted):
        rows = tx.connection.execute(_users(), {"wanted": some})
        users.update((address, user) for address, user, _ in rows)
    rest = [address for address in wanted if address not in users]
    return Known(users, contacts(tx, rest))


def identities(tx: Tx, user: str) -> tuple[Person, ...]:
    """Return a user under each of their addresses, the primary one first."""
    query = (
        select(USER_ADDRESSES.c.shown, USERS.c.display_name, USERS.c.name)
        .join(USERS, USERS.c.id == USER_ADDRESSES.c.user_id)
        .where(USERS.c.name == user)
        .order_by(USER_ADDRESSES.c.position)
    )
    return tuple(
        Person(address=row.shown, name=row.display_name or row.name) for row in tx.execute(query)
    )


def user_names(tx: Tx, addresses: Iterable[str]) -> Mapping[str, str]:
    """Return the name of the active user of each known address, casefolded."""
    found: dict[str, str] = {}
    for some in chunks(folded(addresses)):
        rows = tx.connection.execute(_users(), {"wanted": some})
        found.update((address, name) for address, _, name in rows if name is not None)
    return found


def contacts(tx: Tx, addresses: Iterable[str]) -> dict[str, str]:
    """Return the ref of the one contact of each known address, casefolded."""
    found: dict[str, str] = {}
    for some in chunks(folded(addresses)):
        rows = tx.connection.execute(_contacts(), {"wanted": some})
        found.update((address, ref) for address, ref in rows)
    return found


def bearers(tx: Tx, addresses: Iterable[str], refs: Iterable[str]) -> list[str]:
    """Return the refs of all contacts of these addresses or refs, deleted ones too, none erased."""
    there, found = CONTACTS.c.erased.is_(False), set[str]()
    for some in chunks(folded(addresses)):
        query = select(CONTACT_MAILS.c.contact_id).where(CONTACT_MAILS.c.address.in_(some))
        found.update(tx.execute(query).scalars())
    found.update(refs)
    known: set[str] = set()
    for some in chunks(sorted(found)):
        query = select(CONTACTS.c.id).where(CONTACTS.c.id.in_(some), there)
        known.update(tx.execute(query).scalars())
    return sorted(known)


def folded(addresses: Iterable[str]) -> list[str]:
    """Return the addresses casefolded, each once, without empty ones."""
    return list(dict.fromkeys(address.casefold() for address in addresses if address))


@cache
def _users() -> Select[Any]:
    wanted = USER_ADDRESSES.c.address.in_(bindparam("wanted", expanding=True))
    active = USERS.alias("active")
    source = USER_ADDRESSES.outerjoin(
        active, (active.c.id == USER_ADDRESSES.c.user_id) & active.c.active
    )
    return (
        select(USER_ADDRESSES.c.address, USER_ADDRESSES.c.user_id, active.c.name)
        .select_from(source)
        .where(wanted)
    )


@cache
def _contacts() -> Select[Any]:
    address = CONTACT_MAILS.c.address
    return (
        select(address, func.min(CONTACT_MAILS.c.contact_id))
        .join(CONTACTS, CONTACTS.c.id == CONTACT_MAILS.c.contact_id)
        .where(address.in_(bindparam("wanted", expanding=True)), CONTACTS.c.deleted_at.is_(None))
        .group_by(address)
        .having(func.count() == 1)
    )


def teammates(tx: Tx, user: str) -> frozenset[str]:
    """Return the active users who are in a group with this one."""
    mine = select(MEMBERS.c.group_id).join(USERS).where(USERS.c.name == user)
    query = select(USERS.c.name).join(MEMBERS).where(USERS.c.active, MEMBERS.c.group_id.in_(mine))
    return frozenset(tx.execute(query).scalars()) - {user}
