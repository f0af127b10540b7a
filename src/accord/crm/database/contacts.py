"""What only contacts have: addresses by which they are found, and users who watch them.

`writing` keeps the addresses, `feed` and `access` ask who watches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, delete, literal, select, union

from accord.crm.database.schema import (
    ACCOUNTS,
    CONTACT_CHOICES,
    CONTACT_MAILS,
    CONTACTS,
    MEMBERS,
    USERS,
)
from accord.crm.database.viewer import ALL, LIST
from accord.db import Tx
from accord.db.tx import chunks
from accord.model.item import Contact, Item


def primary_mail(item: Item) -> str:
    """Return the preferred address of a contact, else the first."""
    assert isinstance(item, Contact)
    mails = sorted(item.mails, key=lambda mail: not mail.preferred)
    return mails[0].address if mails else ""


def index(tx: Tx, items: Mapping[str, Item], *, fresh: bool = False) -> None:
    """Make contacts findable by all their addresses; `fresh` ones have none yet."""
    if not fresh:
        for some in chunks(items):
            tx.execute(delete(CONTACT_MAILS).where(CONTACT_MAILS.c.contact_id.in_(some)))
    rows = [
        {"contact_id": ref, "address": address}
        for ref, item in items.items()
        if isinstance(item, Contact)
        for address in {mail.address.casefold() for mail in item.mails if mail.address}
    ]
    tx.insert(CONTACT_MAILS, rows)


def choose(tx: Tx, user: int, refs: Sequence[str]) -> None:
    """Put contacts on a user's list."""
    tx.insert_new(CONTACT_CHOICES, [{"user_id": user, "contact_id": ref} for ref in refs])


def watchers(tx: Tx, refs: Sequence[str]) -> dict[str, set[int]]:
    """Return the active users on whose list the contacts may be; `rights.covers` is exact."""
    everything = frozenset(
        tx.execute(select(USERS.c.id).where(USERS.c.contact_mode == ALL, USERS.c.active)).scalars()
    )
    found = {ref: set(everything) for ref in refs}
    for some in chunks(refs):
        for ref, user, chosen, mode in tx.connection.execute(_watchers(), {"refs": some}):
            if chosen or mode != LIST:
                found[ref].add(user)
    return found


@cache
def _watchers() -> Select[Any]:
    def wanted(column: Any) -> Any:
        return column.in_(bindparam("refs", expanding=True))

    contact, no, yes = CONTACTS.c.id, literal(0).label("chosen"), literal(1).label("chosen")
    covering = union(
        select(contact.label("ref"), CONTACTS.c.owner_id.label("user_id"), no).where(
            wanted(contact)
        ),
        select(contact, ACCOUNTS.c.owner_id, no)
        .join(ACCOUNTS, ACCOUNTS.c.id == CONTACTS.c.account_id)
        .where(wanted(contact)),
        select(contact, MEMBERS.c.user_id, no)
        .join(MEMBERS, MEMBERS.c.group_id == CONTACTS.c.group_id)
        .where(wanted(contact)),
        select(CONTACT_CHOICES.c.contact_id, CONTACT_CHOICES.c.user_id, yes).where(
            wanted(CONTACT_CHOICES.c.contact_id)
        ),
    ).subquery("covering")
    return select(covering.c.ref, covering.c.user_id, covering.c.chosen, USERS.c.contact_mode).join(
        USERS, (USERS.c.id == covering.c.user_id) & USERS.c.active
    )
