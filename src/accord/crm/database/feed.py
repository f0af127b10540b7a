"""The outbox read once for all users: which records changed, and whose links that concerns.

`service` turns the hints into visits; what really changed a session says.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select

from accord.crm.database import contacts, counter, scopes
from accord.crm.database.schema import FACTS, OUTBOX, SCOPES
from accord.crm.database.scopes import IN, OWNED
from accord.db import Tx
from accord.db.tx import chunks
from accord.model.kinds import Kind
from accord.ports.adapter import Hint
from accord.ports.errors import CursorExpired

LINES = 10_000
"""How many lines of the outbox one call reads; the next one goes on from there."""


def hints(tx: Tx, cursor: str) -> tuple[tuple[Hint, ...], str]:
    """Return one hint for each record that changed since `cursor`, and the next cursor.

    An empty ref hints at everything of a kind: what a user covers changed as a whole. Raises
    CursorExpired where the outbox no longer goes back, or never came, so far.
    """
    if not cursor:
        return (), str(counter.highest(tx))
    since = _position(tx, cursor)
    query = select(OUTBOX.c.revision, OUTBOX.c.kind, OUTBOX.c.ref, OUTBOX.c.user_id)
    query = query.where(OUTBOX.c.revision > since).order_by(OUTBOX.c.revision).limit(LINES)
    lines = tx.execute(query).all()
    if not lines:
        return (), cursor
    concerned = _concerned(tx, lines, since)
    names = scopes.names(tx, set().union(*concerned.values()))
    found = tuple(
        Hint(kind=Kind(kind), ref=ref, principals=_named(users, names))
        for (kind, ref), users in concerned.items()
    )
    return tuple(hint for hint in found if hint.principals), str(lines[-1].revision)


def prune(tx: Tx, now: datetime, days: int) -> int:
    """Forget lines older than `days`; cursors before the last of them expire."""
    counter.take(tx, 0)
    old = OUTBOX.c.at < now - timedelta(days=days)
    last = tx.execute(select(func.max(OUTBOX.c.revision)).where(old)).scalar()
    if last is None:
        return 0
    tx.upsert(FACTS, [{"name": counter.PRUNED, "value": str(last)}])
    return int(tx.execute(delete(OUTBOX).where(OUTBOX.c.revision <= last)).rowcount)


def _position(tx: Tx, cursor: str) -> int:
    valid = cursor.isascii() and cursor.isdigit() and len(cursor) < 19
    since = int(cursor) if valid else -1
    if not int(counter.fact(tx, counter.PRUNED) or 0) <= since <= counter.highest(tx):
        raise CursorExpired("the CRM's outbox doesn't reach back to this cursor")
    return since


def _concerned(tx: Tx, lines: Iterable[Any], since: int) -> dict[tuple[str, str], set[int]]:
    """Return the users each changed record concerns, those who just lost it included."""
    concerned: dict[tuple[str, str], set[int]] = {}
    shared: dict[str, dict[str, None]] = {}
    for _, kind, ref, user in lines:
        users = concerned.setdefault((kind, ref), set())
        if user is not None:
            users.add(user)
        else:
            shared.setdefault(kind, {})[ref] = None
    for kind, refs in shared.items():
        for ref, users in _holders(tx, Kind(kind), list(refs), since).items():
            concerned[kind, ref] |= users
    return concerned


def _holders(tx: Tx, kind: Kind, refs: list[str], since: int) -> dict[str, set[int]]:
    found = contacts.watchers(tx, refs) if kind is Kind.CONTACT else {}
    for some in chunks(refs):
        query = select(SCOPES.c.ref, SCOPES.c.user_id).where(
            SCOPES.c.kind == str(kind),
            SCOPES.c.ref.in_(some),
            SCOPES.c.state.in_((IN, OWNED)) | (SCOPES.c.revision > since),
        )
        for ref, user in tx.execute(query):
            found.setdefault(ref, set()).add(user)
    return found


def _named(users: set[int], names: dict[int, str]) -> frozenset[str]:
    return frozenset(names[user] for user in users if user in names)
