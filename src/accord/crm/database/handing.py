"""What somebody who leaves goes on owning, and how it gets a new owner; above users' own rights.

`adapter` offers it to the service. Private appointments stay whose they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select, update

from accord.crm.database import counter, outbox, reading, records, scopes, users
from accord.crm.database.errors import refusal
from accord.crm.database.nouns import EVENT
from accord.crm.database.records import Record
from accord.crm.database.rights import Visibility
from accord.crm.database.schema import APPOINTMENTS
from accord.crm.database.store import Store
from accord.crm.database.viewer import person_of
from accord.db import Tx
from accord.model.item import Event
from accord.model.observe import Snapshot
from accord.model.occurrences import first_and_last
from accord.model.parts import Privacy
from accord.ports.adapter import Outcome, Written
from accord.ports.errors import ItemError


def ahead(tx: Tx, user: str, since: datetime) -> tuple[Snapshot, ...]:
    """Return the appointments a user owns that aren't over at `since`, in the order of refs."""
    viewer = person_of(tx, users.user_id(tx, user))
    mine = (APPOINTMENTS.c.owner_id == viewer.id, APPOINTMENTS.c.deleted_at.is_(None))
    refs = list(tx.execute(select(APPOINTMENTS.c.id).where(*mine)).scalars())
    found = records.load(tx, EVENT, viewer, sorted(refs))
    return tuple(
        reading.snapshot(EVENT, viewer, record)
        for record in found.values()
        if not _personal(record) and _lasts(record, since)
    )


def hand_over(
    tx: Tx, store: Store, user: str, to: str, versions: Mapping[str, str]
) -> list[Outcome]:
    """Make `to` the owner of a user's appointments, each only in the version given."""
    first = counter.take(tx, len(versions))
    viewer, heir = person_of(tx, users.user_id(tx, user)), store.viewer(tx, to)
    found = records.load(tx, EVENT, viewer, list(versions))
    outcomes: list[Outcome] = []
    given: dict[str, int] = {}
    for revision, (ref, version) in enumerate(versions.items(), first):
        problem = _problem(found.get(ref), ref, version, viewer.id)
        outcomes.append(problem or Written(ref=ref, version=str(revision)))
        if problem is None:
            given[ref] = revision
    now = store.clock()
    for ref, revision in given.items():
        values = {"owner_id": heir.id, "revision": revision, "modified_at": now}
        tx.execute(update(APPOINTMENTS).where(APPOINTMENTS.c.id == ref).values(values))
    after = records.load(tx, EVENT, heir, list(given))
    held = [scopes.holding(after[ref], revision) for ref, revision in given.items()]
    scopes.settle(tx, EVENT.kind, held)
    lines = [outbox.Change(revision=at, ref=ref, change="access") for ref, at in given.items()]
    outbox.add(tx, EVENT.kind, lines, None, now)
    return outcomes


def _personal(record: Record) -> bool:
    return (
        record.visibility == Visibility.PRIVATE
        or record.erased
        or record.item.privacy is not Privacy.PUBLIC
    )


def _lasts(record: Record, since: datetime) -> bool:
    assert isinstance(record.item, Event)
    span = first_and_last(record.item)
    return span is not None and (span[1] is None or span[1] > since)


def _problem(record: Record | None, ref: str, version: str, owner: int) -> ItemError | None:
    if record is None or record.deleted:
        return refusal("not-there", f"there is no appointment {ref}")
    if record.owner != owner:
        return refusal("changed-meanwhile", f"{ref} belongs to somebody else by now")
    if record.version != version:
        return refusal("changed-meanwhile", f"{ref} is in revision {record.version} by now")
    return None
