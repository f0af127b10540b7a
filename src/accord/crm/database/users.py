"""Users, their addresses, groups and general rights: what an administrator of the CRM keeps.

Called by `admin`. An address that changes hands moves appointments and tasks along with it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from typing import Any
from zoneinfo import available_timezones

from msgspec import UNSET, Struct, UnsetType
from sqlalchemy import delete, func, select, update

from accord.crm.database import counter, outbox, people, records, scopes
from accord.crm.database.nouns import EVENT, TASK, Noun
from accord.crm.database.schema import (
    APPOINTMENTS,
    GROUPS,
    MEMBERS,
    PARTICIPANTS,
    TASKS,
    USER_ADDRESSES,
    USER_KINDS,
    USERS,
)
from accord.crm.database.store import Store
from accord.crm.database.viewer import CONTACT_MODES, LEVELS, NOBODY, OWN, WRITE
from accord.db import Tx
from accord.db.tx import chunks
from accord.model.kinds import Kind
from accord.model.zones import UnknownZone, zone
from accord.ports.errors import ConfigError


class User(Struct, frozen=True, kw_only=True):
    """Be one CRM user; the first address is the primary one.

    `contacts` is own, all or list (`viewer.CONTACT_MODES`). `levels` says for a kind where the
    user may only read, or not even that.
    """

    name: str
    display_name: str = ""
    addresses: tuple[str, ...] = ()
    time_zone: str = "UTC"
    active: bool = True
    admin: bool = False
    contacts: str = OWN
    groups: tuple[str, ...] = ()
    levels: dict[str, str] = {}


class Changes(Struct, frozen=True, kw_only=True):
    """Be what is to be changed about a user; what is unset stays."""

    display_name: str | UnsetType = UNSET
    addresses: tuple[str, ...] | UnsetType = UNSET
    time_zone: str | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    admin: bool | UnsetType = UNSET
    contacts: str | UnsetType = UNSET


def users(tx: Tx, names: Collection[str] | None = None) -> tuple[User, ...]:
    """Return users by name; None returns all."""
    query = select(USERS).order_by(USERS.c.name)
    if names is not None:
        query = query.where(USERS.c.name.in_(list(names)))
    addresses = _gather(
        tx,
        select(USER_ADDRESSES.c.user_id, USER_ADDRESSES.c.shown).order_by(
            USER_ADDRESSES.c.user_id, USER_ADDRESSES.c.position
        ),
    )
    member = select(MEMBERS.c.user_id, GROUPS.c.name).join(GROUPS).order_by(GROUPS.c.name)
    groups = _gather(tx, member)
    levels: dict[int, dict[str, str]] = {}
    for row in tx.execute(select(USER_KINDS).where(USER_KINDS.c.level != WRITE)):
        levels.setdefault(row.user_id, {})[row.kind] = row.level
    return tuple(
        User(
            name=row.name,
            display_name=row.display_name,
            addresses=tuple(addresses.get(row.id, ())),
            time_zone=row.time_zone,
            active=bool(row.active),
            admin=bool(row.admin),
            contacts=row.contact_mode,
            groups=tuple(groups.get(row.id, ())),
            levels=levels.get(row.id, {}),
        )
        for row in tx.execute(query)
    )


def put_user(tx: Tx, store: Store, name: str, changes: Changes) -> None:
    """Add a user or change one; raises ConfigError for values that can't be."""
    if changes.contacts is not UNSET and changes.contacts not in CONTACT_MODES:
        hint = f"use one of: {', '.join(CONTACT_MODES)}"
        raise ConfigError(f"there is no such list: {changes.contacts}", field="contacts", hint=hint)
    if not name or name != name.strip():
        raise ConfigError(f"not a user name: {name!r}", field="name")
    if changes.time_zone is not UNSET:
        _check_zone(changes.time_zone)
    if changes.addresses is not UNSET:
        _check_addresses(changes.addresses)
    counter.take(tx, 0)
    values = {
        column: value
        for column, value in (
            ("display_name", changes.display_name),
            ("time_zone", changes.time_zone),
            ("active", changes.active),
            ("admin", changes.admin),
            ("contact_mode", changes.contacts),
        )
        if value is not UNSET
    }
    before = tx.execute(select(USERS).where(USERS.c.name == name)).one_or_none()
    changed = before is None or any(values[each] != getattr(before, each) for each in values)
    if before is None:
        usual = {"display_name": "", "time_zone": "UTC", "active": True, "admin": False}
        fresh = {"name": name, "contact_mode": OWN, **usual, **values}
        user = int(tx.execute(USERS.insert().values(fresh).returning(USERS.c.id)).scalar_one())
    else:
        user = int(before.id)
        if values:
            tx.execute(update(USERS).where(USERS.c.id == user).values(values))
        decisive = ("admin", "contact_mode")
        if any(name in values and values[name] != getattr(before, name) for name in decisive):
            refresh(tx, store, [user], Kind.CONTACT)
    if changes.addresses is not UNSET:
        changed |= _put_addresses(tx, store, user, changes.addresses)
    if changed:
        counter.note_users(tx)


def put_group(tx: Tx, store: Store, name: str, members: Collection[str]) -> None:
    """Make a group, or give it other members."""
    counter.take(tx, 0)
    known = tx.execute(select(GROUPS.c.id).where(GROUPS.c.name == name)).scalar() is not None
    tx.insert_new(GROUPS, [{"name": name}])
    group = group_id(tx, name)
    before = set(tx.execute(select(MEMBERS.c.user_id).where(MEMBERS.c.group_id == group)).scalars())
    after = {user_id(tx, member) for member in members}
    tx.execute(delete(MEMBERS).where(MEMBERS.c.group_id == group))
    tx.insert(MEMBERS, [{"group_id": group, "user_id": user} for user in sorted(after)])
    refresh(tx, store, sorted(before ^ after), Kind.CONTACT)
    if not known or before != after:
        counter.note_users(tx)
    if before != after:
        _rescope(tx, store, TASK, _done_by(tx, group))


def groups(tx: Tx) -> dict[str, tuple[str, ...]]:
    """Return the names of all groups with those of their members."""
    found: dict[str, list[str]] = {name: [] for name in tx.execute(select(GROUPS.c.name)).scalars()}
    query = (
        select(GROUPS.c.name, USERS.c.name)
        .select_from(GROUPS.join(MEMBERS).join(USERS))
        .order_by(GROUPS.c.name, USERS.c.name)
    )
    for group, user in tx.execute(query):
        found[group].append(user)
    return {name: tuple(found[name]) for name in sorted(found)}


def set_level(tx: Tx, store: Store, user: str, kind: Kind, level: str) -> None:
    """Say what a user may do at all with records of a kind: none, read or write."""
    if level not in LEVELS:
        hint = f"use one of: {', '.join(LEVELS)}"
        raise ConfigError(f"there is no such right: {level}", field="level", hint=hint)
    counter.take(tx, 0)
    who = user_id(tx, user)
    row = {"user_id": who, "kind": str(kind), "level": level, "since": 0}
    tx.upsert(USER_KINDS, [row])
    refresh(tx, store, [who], kind)


def refresh(tx: Tx, store: Store, who: Sequence[int], kind: Kind) -> None:
    """Make users list a kind anew, because what they see of it changed as a whole."""
    if not who:
        return
    first = counter.take(tx, len(who))
    query = select(USER_KINDS.c.user_id, USER_KINDS.c.level).where(
        USER_KINDS.c.kind == str(kind), USER_KINDS.c.user_id.in_(who)
    )
    levels = {row.user_id: row.level for row in tx.execute(query)}
    rows, lines = [], []
    for revision, user in enumerate(who, first):
        level = levels.get(user, WRITE)
        rows.append({"user_id": user, "kind": str(kind), "level": level, "since": revision})
        lines.append(outbox.Change(revision=revision, ref="", change="scope", user=user))
    tx.upsert(USER_KINDS, rows)
    outbox.add(tx, kind, lines, None, store.clock())


def user_id(tx: Tx, name: str) -> int:
    """Return the id of a user; raises ConfigError for strangers."""
    found = tx.execute(select(USERS.c.id).where(USERS.c.name == name)).scalar()
    if found is None:
        raise ConfigError(
            f"there is no CRM user {name!r}", field="user", hint="see: accord crm users"
        )
    return int(found)


def group_id(tx: Tx, name: str) -> int:
    """Return the id of a group; raises ConfigError where there is none of that name."""
    found = tx.execute(select(GROUPS.c.id).where(GROUPS.c.name == name)).scalar()
    if found is None:
        raise ConfigError(f"there is no group {name!r}", field="group")
    return int(found)


def _check_zone(name: str) -> None:
    try:
        zone(name)
    except UnknownZone as error:
        close = get_close_matches(name[:60], sorted(available_timezones()), 1)
        hint = f"did you mean {close[0]}?" if close else "name it as IANA does: Europe/Berlin"
        raise ConfigError(str(error), field="time_zone", hint=hint) from error


def _check_addresses(addresses: Iterable[str]) -> None:
    for address in addresses:
        if address and not _ADDRESS.fullmatch(address):
            hint = "write it as anna@example.com"
            detail = f"{address[:60]!r} is no mail address"
            raise ConfigError(detail, field="addresses", hint=hint)


_ADDRESS = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")


def _gather(tx: Tx, query: Any) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for user, value in tx.execute(query):
        found.setdefault(user, []).append(value)
    return found


def _put_addresses(tx: Tx, store: Store, user: int, addresses: Iterable[str]) -> bool:
    """Give a user these addresses; tell whether they are others than before, or in another order.

    Raises ConfigError for one that somebody else has.
    """
    wanted = {address.casefold(): address for address in addresses if address}
    mine = USER_ADDRESSES.c.user_id == user
    query = select(USER_ADDRESSES.c.address, USER_ADDRESSES.c.shown).where(mine)
    had = {row.address: row.shown for row in tx.execute(query.order_by(USER_ADDRESSES.c.position))}
    taken = select(USER_ADDRESSES.c.address).where(
        USER_ADDRESSES.c.address.in_(list(wanted)), ~mine
    )
    others = tx.execute(taken).scalars().all()
    if others:
        raise ConfigError(
            f"{', '.join(others)} belongs to another user",
            field="addresses",
            hint="take it from them first",
        )
    tx.execute(delete(USER_ADDRESSES).where(mine))
    rows = [
        {"address": folded, "user_id": user, "shown": shown, "position": at}
        for at, (folded, shown) in enumerate(wanted.items())
    ]
    tx.insert(USER_ADDRESSES, rows)
    _hand_over(tx, store, sorted(had.keys() ^ wanted.keys()))
    return list(had.items()) != list(wanted.items())


def _hand_over(tx: Tx, store: Store, addresses: Sequence[str]) -> None:
    """Give appointments and tasks that name these addresses to whoever has them now."""
    known = people.resolve(tx, addresses)
    for address in addresses:
        user = known.user(address)
        values = {"user_id": user, "contact_id": known.contact(address)}
        tx.execute(update(PARTICIPANTS).where(PARTICIPANTS.c.folded == address).values(values))
        for table, column, second in (
            (APPOINTMENTS, APPOINTMENTS.c.organizer_address, "organizer_id"),
            (TASKS, TASKS.c.assignee_address, "assignee_id"),
        ):
            named = func.lower(column) == address.lower()
            tx.execute(update(table).where(named).values({second: user}))
    for some in chunks(addresses):
        named = PARTICIPANTS.c.folded.in_(some)
        organized = func.lower(APPOINTMENTS.c.organizer_address).in_(some)
        assigned = func.lower(TASKS.c.assignee_address).in_(some)
        refs = set(tx.execute(select(PARTICIPANTS.c.appointment_id).where(named)).scalars())
        refs.update(tx.execute(select(APPOINTMENTS.c.id).where(organized)).scalars())
        _rescope(tx, store, EVENT, sorted(refs))
        tasks = tx.execute(select(TASKS.c.id).where(assigned)).scalars()
        _rescope(tx, store, TASK, sorted(tasks))


def _done_by(tx: Tx, group: int) -> list[str]:
    """Return the tasks that the members of a group do."""
    named = (TASKS.c.group_id == group, TASKS.c.group_writes, TASKS.c.assignee_id.is_(None))
    return sorted(tx.execute(select(TASKS.c.id).where(*named)).scalars())


def _rescope(tx: Tx, store: Store, noun: Noun, refs: Sequence[str]) -> None:
    if not refs:
        return
    first = counter.take(tx, len(refs))
    found = records.load(tx, noun, NOBODY, refs)
    held = [scopes.holding(found[ref], revision) for revision, ref in enumerate(refs, first)]
    scopes.settle(tx, noun.kind, held)
    lines = [outbox.Change(revision=one.revision, ref=one.ref, change="scope") for one in held]
    outbox.add(tx, noun.kind, lines, None, store.clock())
