"""The CRM user in whose name a session acts: groups, addresses, and which contacts they want.

Loaded afresh in every call, so that a right taken away is gone at once.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from msgspec import Struct
from sqlalchemy import Select, bindparam, select

from accord.crm.database.schema import MEMBERS, USER_ADDRESSES, USER_KINDS, USERS
from accord.db import Tx
from accord.model.parts import Person
from accord.ports.errors import ASK_AGAIN, AuthFailed

OWN = "own"
ALL = "all"
LIST = "list"
CONTACT_MODES = (OWN, ALL, LIST)
"""own: contacts the user covers or has chosen · all: all they may read · list: the chosen ones."""


NONE = "none"
READ = "read"
WRITE = "write"
LEVELS = (NONE, READ, WRITE)


class Viewer(Struct, frozen=True, kw_only=True):
    """Be one user; `addresses` are casefolded, `person` is the user by their primary address.

    `levels` says for a kind where the user may do less than `WRITE` with any of its records.
    """

    id: int
    name: str
    admin: bool = False
    groups: frozenset[int] = frozenset()
    addresses: frozenset[str] = frozenset()
    person: Person = Person()
    contact_mode: str = OWN
    levels: dict[str, str] = {}


NOBODY = Viewer(id=0, name="")
"""Look without a user's eyes: no rights, no scope, nothing of their own."""


def viewer(tx: Tx, user: str) -> Viewer:
    """Return the user of that name; raises AuthFailed for strangers and inactive users."""
    return _viewer(tx, user, USERS.c.name == user, active_only=True)


def person_of(tx: Tx, user: int) -> Viewer:
    """Return the user of that id, active or not."""
    return _viewer(tx, str(user), USERS.c.id == user, active_only=False)


def _viewer(tx: Tx, name: str, condition: Any, *, active_only: bool) -> Viewer:
    row = tx.execute(select(USERS).where(condition)).one_or_none()
    if row is None:
        raise AuthFailed(f"there is no CRM user {name!r}", after=ASK_AGAIN, code="unknown-user")
    if active_only and not row.active:
        raise AuthFailed(
            f"the CRM user {name!r} is not active", after=ASK_AGAIN, code="inactive-user"
        )
    addresses = tx.connection.execute(_addresses(), {"user": row.id}).all()
    groups = tx.connection.execute(_groups(), {"user": row.id}).scalars()
    levels = tx.connection.execute(_levels(), {"user": row.id}).all()
    primary = addresses[0].shown if addresses else ""
    return Viewer(
        id=row.id,
        name=row.name,
        admin=bool(row.admin),
        groups=frozenset(groups),
        addresses=frozenset(one.address for one in addresses),
        person=Person(address=primary, name=row.display_name or row.name),
        contact_mode=row.contact_mode,
        levels={row.kind: row.level for row in levels},
    )


@cache
def _addresses() -> Select[Any]:
    return (
        select(USER_ADDRESSES.c.address, USER_ADDRESSES.c.shown)
        .where(USER_ADDRESSES.c.user_id == bindparam("user"))
        .order_by(USER_ADDRESSES.c.position)
    )


@cache
def _groups() -> Select[Any]:
    return select(MEMBERS.c.group_id).where(MEMBERS.c.user_id == bindparam("user"))


@cache
def _levels() -> Select[Any]:
    return select(USER_KINDS.c.kind, USER_KINDS.c.level).where(
        USER_KINDS.c.user_id == bindparam("user"), USER_KINDS.c.level != WRITE
    )
