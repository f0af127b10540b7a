"""Encrypt anew what was encrypted under older keys.

Called by `State.rotate_keys`, in many short transactions, while the service goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

from sqlalchemy import Column, LargeBinary, bindparam, select, update

from accord.state.context import SEALED, Context
from accord.state.schema import (
    BLOBS,
    DEVICE_SECRETS,
    FILES,
    INTENTS,
    PENDING,
    RENEWALS,
    REPLIES,
    SYNC_NOTES,
    SYNC_SESSIONS,
    TARGETS,
    TOKEN_KEYS,
)

_PAGE = 500


class _Place(NamedTuple):
    key: Column[str]
    data: Column[bytes]
    record: str  # what stands before the key in the record's name


_PLACES = (
    _Place(TARGETS.c.id, TARGETS.c.secrets, "target:"),
    _Place(RENEWALS.c.id, RENEWALS.c.secret, "renewal:"),
    _Place(INTENTS.c.id, INTENTS.c.step, "intent:"),
    _Place(TOKEN_KEYS.c.id, TOKEN_KEYS.c.secret, "token-key:"),
    _Place(DEVICE_SECRETS.c.id, DEVICE_SECRETS.c.secret, "device-secret:"),
    _Place(SYNC_SESSIONS.c.id, SYNC_SESSIONS.c.data, "sync-session:"),
    _Place(SYNC_SESSIONS.c.id, SYNC_SESSIONS.c.reply, "sync-session:"),
    _Place(SYNC_NOTES.c.id, SYNC_NOTES.c.item, "sync-note:"),
    _Place(FILES.c.pairing, FILES.c.data, "files:"),
    _Place(PENDING.c.id, PENDING.c.step, "pending:"),
    _Place(REPLIES.c.link, REPLIES.c.kept, "replies:"),
    _Place(BLOBS.c.digest, BLOBS.c.data, ""),
)


def reseal(begin: Callable[[], AbstractContextManager[Context]]) -> int:
    """Encrypt every value under the newest key; return how many weren't yet."""
    count = 0
    for place in _PLACES:
        last: str | None = ""
        while last is not None:
            with begin() as context:
                last, changed = _page(context, place, last)
                count += changed
    return count


def _page(context: Context, place: _Place, last: str) -> tuple[str | None, int]:
    keys = context.require_keys()
    query = select(place.key, place.data).where(place.key > last).order_by(place.key)
    rows = context.db.execute(query.limit(_PAGE)).all()
    fresh = [
        {"its_key": key, "fresh": SEALED + keys.seal(keys.open(data[1:], record), record)}
        for key, data in rows
        if data is not None and data[:1] == SEALED and not keys.is_current(data[1:])
        for record in [place.record + key]
    ]
    if fresh:
        change = update(place.key.table).where(place.key == bindparam("its_key"))
        value = bindparam("fresh", type_=LargeBinary())
        context.db.execute(change.values({place.data: value}), fresh)
    return (rows[-1][0] if rows else None), len(fresh)
