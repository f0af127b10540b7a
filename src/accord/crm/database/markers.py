"""The groupware's ids, kept per record and per user whose mailbox holds the copy.

They are nobody's change: a marker moves neither a revision nor the outbox.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import delete

from accord.crm.database.schema import MARKERS
from accord.db import Tx
from accord.db.tx import chunks
from accord.model.kinds import Kind


def put(tx: Tx, kind: Kind, user: int, markers: Mapping[str, str]) -> None:
    """Store a user's markers by ref; empty ones are left as they are."""
    rows = [
        {"user_id": user, "kind": str(kind), "ref": ref, "marker": marker}
        for ref, marker in markers.items()
        if marker
    ]
    tx.upsert(MARKERS, rows)


def drop(tx: Tx, kind: Kind, user: int, refs: list[str]) -> None:
    """Take a user's markers off records."""
    for some in chunks(refs):
        tx.execute(
            delete(MARKERS).where(
                MARKERS.c.user_id == user, MARKERS.c.kind == str(kind), MARKERS.c.ref.in_(some)
            )
        )
