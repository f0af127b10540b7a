"""Which records each user synchronizes: kept in the table of scopes as records are written.

`listing` and `feed` read it. Contacts are different: who covers a contact follows from the
contact itself, and the table only notes that one user's view of it changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from msgspec import Struct
from sqlalchemy import Select, Update, bindparam, or_, select, update

from accord.crm.database.records import Record
from accord.crm.database.rights import Visibility
from accord.crm.database.schema import MEMBERS, SCOPES, USERS
from accord.db import Tx
from accord.db.tx import chunks
from accord.model.kinds import Kind

IN = "in"
OWNED = "owned"
OUT = "out"
DENIED = "denied"
TOUCHED = "touched"


class Holding(Struct, frozen=True, kw_only=True):
    """Be what decides whose a record is, and the revision in which that was settled.

    `group` is the one whose members a task is for while nobody is assigned (`team_of`).
    """

    ref: str
    revision: int
    owner: int
    second: int | None
    users: frozenset[int]
    visibility: str
    group: int | None = None


def team_of(group: int | None, group_writes: bool, visibility: str) -> int | None:
    """Return the group that does a task: one whose members see it and may change it."""
    return group if group_writes and visibility == Visibility.GROUP else None


def holding(record: Record, revision: int) -> Holding:
    """Return whose a record is as it stands, to be settled in `revision`."""
    return Holding(
        ref=record.ref,
        revision=revision,
        owner=record.owner,
        second=record.second,
        users=record.users,
        visibility=record.visibility,
        group=team_of(record.group, record.group_writes, record.visibility),
    )


def audience(kind: Kind, held: Holding, team: frozenset[int] = frozenset()) -> dict[int, str]:
    """Return the users in whose scope a record is, and how; empty for contacts.

    `team` are the members of the holding's group: whose task it is while nobody is assigned.
    """
    match kind:
        case Kind.EVENT:
            seconds = frozenset() if held.second is None else frozenset({held.second})
            states = dict.fromkeys(held.users | seconds, IN)
        case Kind.TASK if held.second is None and team:
            return {held.owner: OWNED, **dict.fromkeys(team, IN)}
        case Kind.TASK:
            states = {held.owner: OWNED}
            states[held.owner if held.second is None else held.second] = IN
        case Kind.ABSENCE:
            assert held.second is not None
            return {held.second: _if_readable(held, held.second)}
        case _:
            return {}
    if kind is Kind.EVENT:
        states[held.owner] = IN
    return {
        user: DENIED if state == IN and _if_readable(held, user) == DENIED else state
        for user, state in states.items()
    }


def enter(tx: Tx, kind: Kind, held: Sequence[Holding]) -> None:
    """Put new records into the scopes of their users."""
    teams = _teams(tx, kind, held)
    rows = [_rows(kind, one, audience(kind, one, _team(one, teams))) for one in held]
    tx.insert(SCOPES, [row for some in rows for row in some])


def settle(tx: Tx, kind: Kind, held: Sequence[Holding]) -> None:
    """Bring the scopes of changed records up to date; whoever lost one keeps a trace of it."""
    before = present(tx, kind, [one.ref for one in held])
    teams = _teams(tx, kind, held)
    rows = []
    for one in held:
        now = audience(kind, one, _team(one, teams))
        lost = {
            user: OUT
            for user, state in before.get(one.ref, {}).items()
            if user not in now and state != OUT
        }
        rows += _rows(kind, one, {**now, **lost})
    tx.upsert(SCOPES, rows)


def bump(tx: Tx, kind: Kind, revisions: Mapping[str, int]) -> None:
    """Tell everybody in whose scope the records are that they changed (deleted, restored)."""
    given = [{"which": ref, "at": revision} for ref, revision in revisions.items()]
    if given:
        tx.execute(_bump(kind), given)


def touch(tx: Tx, kind: Kind, views: Iterable[tuple[int, str, int]], state: str) -> None:
    """Note that a user's view of a record changed: (user, ref, revision).

    No two refs may share a revision, or a page might end between them.
    """
    rows = [
        {"user_id": user, "kind": str(kind), "ref": ref, "revision": revision, "state": state}
        for user, ref, revision in dict.fromkeys(views)
    ]
    tx.upsert(SCOPES, rows)


def present(tx: Tx, kind: Kind, refs: Sequence[str]) -> dict[str, dict[int, str]]:
    """Return the state of each user who has or had the records in their scope."""
    found: dict[str, dict[int, str]] = {}
    for some in chunks(refs):
        for ref, user, state in tx.connection.execute(_present(kind), {"refs": some}):
            found.setdefault(ref, {})[user] = state
    return found


def names(tx: Tx, users: Iterable[int]) -> dict[int, str]:
    """Return the names of active users."""
    found: dict[int, str] = {}
    for some in chunks(dict.fromkeys(users)):
        rows = tx.execute(
            select(USERS.c.id, USERS.c.name).where(USERS.c.id.in_(some), USERS.c.active)
        )
        found.update((user, name) for user, name in rows)
    return found


def _teams(tx: Tx, kind: Kind, held: Sequence[Holding]) -> dict[int, frozenset[int]]:
    """Return the members of the groups that do tasks."""
    wanted = {one.group for one in held if one.group is not None} if kind is Kind.TASK else set()
    found: dict[int, set[int]] = {}
    for some in chunks(sorted(wanted)):
        query = select(MEMBERS.c.group_id, MEMBERS.c.user_id)
        for group, user in tx.execute(query.where(MEMBERS.c.group_id.in_(some))):
            found.setdefault(group, set()).add(user)
    return {group: frozenset(users) for group, users in found.items()}


def _team(held: Holding, teams: Mapping[int, frozenset[int]]) -> frozenset[int]:
    return frozenset() if held.group is None else teams.get(held.group, frozenset())


def _if_readable(held: Holding, user: int) -> str:
    private = held.visibility == Visibility.PRIVATE and user != held.owner
    return DENIED if private else IN


def _rows(kind: Kind, held: Holding, states: Mapping[int, str]) -> list[dict[str, Any]]:
    return [
        {
            "user_id": user,
            "kind": str(kind),
            "ref": held.ref,
            "revision": held.revision,
            "state": state,
        }
        for user, state in states.items()
    ]


@cache
def _present(kind: Kind) -> Select[Any]:
    return select(SCOPES.c.ref, SCOPES.c.user_id, SCOPES.c.state).where(
        SCOPES.c.kind == str(kind), SCOPES.c.ref.in_(bindparam("refs", expanding=True))
    )


@cache
def _bump(kind: Kind) -> Update:
    return (
        update(SCOPES)
        .where(
            SCOPES.c.kind == str(kind),
            SCOPES.c.ref == bindparam("which"),
            or_(SCOPES.c.state == IN, SCOPES.c.state == OWNED),
        )
        .values(revision=bindparam("at"))
    )
