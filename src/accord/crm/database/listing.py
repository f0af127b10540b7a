"""What changed for a user since a cursor, page by page; no transaction stays open between pages.

A page begins with one indexed query that also tells the highest revision and whether the
cursor still holds; when nothing changed, it is the only one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Column,
    Select,
    and_,
    bindparam,
    exists,
    or_,
    select,
    true,
    union_all,
)

from accord.crm.database import reading, records
from accord.crm.database.nouns import CONTACT, NOUNS, Noun
from accord.crm.database.schema import (
    ACCOUNTS,
    CONTACT_CHOICES,
    CONTACTS,
    COUNTER,
    MEMBERS,
    SCOPES,
    USER_KINDS,
    USERS,
)
from accord.crm.database.scopes import IN, OWNED
from accord.crm.database.store import Store
from accord.crm.database.viewer import ALL, OWN
from accord.model.kinds import Kind
from accord.model.observe import Completeness, Listing, Observation
from accord.ports.adapter import Known
from accord.ports.errors import ASK_AGAIN, AuthFailed

LAG = 5000
"""A cursor on which nothing happened moves only after so many revisions of others."""

_INSIDE = "~"
"""Stands in the cursor of a page of a full pull, before the last revision on it."""


class Found(Struct, frozen=True):
    """Be one page of refs with their revisions, in that order, and the CRM's own state."""

    refs: tuple[tuple[str, int], ...]
    highest: int
    since: int


def changes(
    store: Store, noun: Noun, user: str, cursor: str, known: Known, size: int
) -> Iterator[Listing]:
    """Yield what changed for `user`; everything in their scope where `cursor` is empty."""
    begun, inside, behind = cursor.partition(_INSIDE)
    since, at = _position(store, noun, begun), _number(behind) if inside else None
    whole = cursor == "" or at is not None
    found = _find(store, noun, user, (at if whole else since) or 0, whole, size)
    if since is None or (inside and at is None) or _lost(found, since, cursor):
        yield Listing(completeness=Completeness.LOST)
        return
    if whole:
        yield from _everything(store, noun, user, found, known, size, begun)
        return
    if not found.refs and found.highest - since < LAG:
        yield Listing(completeness=Completeness.DELTA, cursor=cursor)
        return
    while True:
        more = len(found.refs) == size
        at = found.refs[-1][1] if more else found.highest
        told = _tell(store, noun, user, [ref for ref, _ in found.refs], known)
        at_end = _cursor(store, noun, at)
        yield Listing(completeness=Completeness.DELTA, observations=told, cursor=at_end)
        if not more:
            return
        found = _find(store, noun, user, at, False, size)


def _everything(
    store: Store, noun: Noun, user: str, found: Found, known: Known, size: int, begun: str
) -> Iterator[Listing]:
    # What changes while this goes on is listed again by the next pull: the cursor is from the
    # beginning. Pages go on to the end all the same, since a changed record moves there.
    at_end = begun or _cursor(store, noun, found.highest)
    while True:
        told = _tell(store, noun, user, [ref for ref, _ in found.refs], known, gone=False)
        if len(found.refs) < size:
            yield Listing(completeness=Completeness.COMPLETE, observations=told, cursor=at_end)
            return
        at = found.refs[-1][1]
        inside = f"{at_end}{_INSIDE}{at}"
        yield Listing(completeness=Completeness.PARTIAL, observations=told, cursor=inside)
        found = _find(store, noun, user, at, True, size)


def _tell(
    store: Store, noun: Noun, user: str, refs: Sequence[str], known: Known, *, gone: bool = True
) -> tuple[Observation, ...]:
    """Say what became of the refs; with `gone` false only of those that are there."""
    if not refs:
        return ()
    versions = known(refs)
    with store.read() as tx:
        viewer = store.viewer(tx, user)
        found = records.load(tx, noun, viewer, refs)
    told = []
    for ref in dict.fromkeys(refs):
        record = found[ref]
        if not gone and (record.deleted or not reading.in_scope(viewer, record, store.owned)):
            continue
        one = reading.told(noun, viewer, record, store.owned, versions.get(ref))
        if one is not None:
            told.append(one)
    return tuple(told)


def _position(store: Store, noun: Noun, cursor: str) -> int | None:
    """Return the revision a cursor stands at; None where it isn't one of ours."""
    if not cursor:
        return 0
    number = _number(cursor.partition("+")[0])
    return number if number is not None and _cursor(store, noun, number) == cursor else None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _cursor(store: Store, noun: Noun, at: int) -> str:
    # Whose tasks an owner follows is a setting: with another one, other tasks were listed.
    return f"{at}+owned" if noun.kind is Kind.TASK and store.owned else str(at)


def _lost(found: Found, since: int, cursor: str) -> bool:
    if not cursor:
        return False
    return not found.since <= since <= found.highest


def _find(store: Store, noun: Noun, user: str, since: int, whole: bool, size: int) -> Found:
    given = {"user": user, "since": since, "size": size}
    with store.read(single=True) as tx:
        rows = tx.connection.execute(_select(noun.kind, whole, store.owned), given).all()
    if not rows:
        raise AuthFailed(
            f"there is no active CRM user {user!r}", after=ASK_AGAIN, code="unknown-user"
        )
    refs = tuple((row.ref, row.revision) for row in rows if row.ref is not None)
    return Found(refs, rows[0].highest, rows[0].since or 0)


@cache
def _select(kind: Kind, whole: bool, owned: bool) -> Select[Any]:
    """Return the query for one page: the changed refs beside the counter and the user."""
    noun = NOUNS[kind]
    page = (_contacts(whole) if noun is CONTACT else _scoped(noun, whole, owned)).subquery("page")
    mine = and_(USER_KINDS.c.user_id == USERS.c.id, USER_KINDS.c.kind == str(kind))
    return (
        select(
            COUNTER.c.value.label("highest"),
            USER_KINDS.c.since,
            page.c.ref,
            page.c.revision,
        )
        .select_from(
            COUNTER.join(USERS, true()).outerjoin(USER_KINDS, mine).outerjoin(page, true())
        )
        .where(USERS.c.name == bindparam("user"), USERS.c.active)
        .order_by(page.c.revision)
    )


def _me(column: Column[Any]) -> Any:
    me = USERS.alias("me")
    return select(me.c[column.name]).where(me.c.name == bindparam("user")).scalar_subquery()


def _since(column: Column[Any]) -> Any:
    return column > bindparam("since", type_=BigInteger)


def _scoped(noun: Noun, whole: bool, owned: bool) -> Select[Any]:
    query = select(SCOPES.c.ref, SCOPES.c.revision).where(
        SCOPES.c.user_id == _me(USERS.c.id),
        SCOPES.c.kind == str(noun.kind),
        _since(SCOPES.c.revision),
    )
    if whole:
        query = query.join(noun.table, noun.table.c.id == SCOPES.c.ref).where(
            noun.table.c.deleted_at.is_(None), SCOPES.c.state.in_((IN, OWNED) if owned else (IN,))
        )
    return query.order_by(SCOPES.c.revision).limit(bindparam("size"))


def _contacts(whole: bool) -> Select[Any]:
    """Return the contacts that may be on the user's list; `rights.covers` decides exactly."""
    me, mode = _me(USERS.c.id), _me(USERS.c.contact_mode)
    mine = MEMBERS.alias("mine")
    chosen = exists().where(
        CONTACT_CHOICES.c.user_id == me, CONTACT_CHOICES.c.contact_id == CONTACTS.c.id
    )
    covered = or_(
        CONTACTS.c.owner_id == me,
        ACCOUNTS.c.owner_id == me,
        CONTACTS.c.group_id.in_(select(mine.c.group_id).where(mine.c.user_id == me)),
    )
    query = (
        select(CONTACTS.c.id.label("ref"), CONTACTS.c.revision)
        .select_from(CONTACTS.outerjoin(ACCOUNTS, ACCOUNTS.c.id == CONTACTS.c.account_id))
        .where(
            _since(CONTACTS.c.revision),
            or_(mode == ALL, chosen, and_(mode == OWN, covered)),
        )
    )
    if whole:
        query = query.where(CONTACTS.c.deleted_at.is_(None))
        return query.order_by(CONTACTS.c.revision).limit(bindparam("size"))
    touched = select(SCOPES.c.ref, SCOPES.c.revision).where(
        SCOPES.c.user_id == me, SCOPES.c.kind == str(Kind.CONTACT), _since(SCOPES.c.revision)
    )
    both = union_all(query, touched).subquery("both")
    return select(both.c.ref, both.c.revision).order_by(both.c.revision).limit(bindparam("size"))
