"""Finding records by idempotency key, uid or the user's own marker; only what the user may see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Column, select

from accord.crm.database import reading
from accord.crm.database.nouns import Noun
from accord.crm.database.schema import MARKERS
from accord.crm.database.store import Store
from accord.db import Tx
from accord.db.tx import chunks
from accord.model.observe import Snapshot
from accord.ports.adapter import Question


def lookup(
    tx: Tx, store: Store, noun: Noun, user: str, questions: Sequence[Question]
) -> list[tuple[Snapshot, ...]]:
    """Return for each question the records in scope that answer it, oldest first."""
    viewer, table = store.viewer(tx, user), noun.table
    mine = (MARKERS.c.user_id == viewer.id, MARKERS.c.kind == str(noun.kind))
    keys = _find(tx, table.c.key, table.c.id, (q.key for q in questions))
    uids = _find(tx, table.c.uid, table.c.id, (q.uid for q in questions))
    markers = _find(tx, MARKERS.c.marker, MARKERS.c.ref, (q.marker for q in questions), *mine)
    matches = [
        sorted(keys.get(q.key, set()) | uids.get(q.uid, set()) | markers.get(q.marker, set()))
        for q in questions
    ]
    seen = reading.seen(tx, noun, viewer, sorted(set().union(*matches)), store.owned)
    return [tuple(seen[ref] for ref in refs if ref in seen) for refs in matches]


def _find(
    tx: Tx, column: Column[Any], ref: Column[Any], values: Iterable[str], *conditions: Any
) -> dict[str, set[str]]:
    """Return the refs of each value that is there."""
    found: dict[str, set[str]] = {}
    for some in chunks(sorted({value for value in values if value})):
        rows = tx.execute(select(column, ref).where(column.in_(some), *conditions))
        for value, one in rows:
            found.setdefault(value, set()).add(one)
    return found
