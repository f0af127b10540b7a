"""The outbox: every change in the order of its revision, for the feed and for people who ask."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from accord.crm.database.schema import OUTBOX
from accord.db import Tx
from accord.model.kinds import Kind


class Change(Struct, frozen=True, kw_only=True):
    """Be one line: `change` is create, update, delete, restore, erase, access or scope.

    `user` is set where it concerns one user only; an empty `ref` concerns all of a kind.
    """

    revision: int
    ref: str
    change: str
    user: int | None = None


def add(tx: Tx, kind: Kind, changes: Iterable[Change], by: int | None, at: datetime) -> None:
    """Write lines into the outbox."""
    rows = [
        {
            "revision": one.revision,
            "kind": str(kind),
            "ref": one.ref,
            "change": one.change,
            "user_id": one.user,
            "by_id": by,
            "at": at,
        }
        for one in changes
    ]
    tx.insert(OUTBOX, rows)
