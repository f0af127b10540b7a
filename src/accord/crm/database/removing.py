"""Deleting softly, bringing back under the same ref, erasing for good.

A record that others hang on is cancelled instead of deleted, or kept where it can't be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, bindparam, delete, null, select, update

from accord.crm.database import changing, counter, outbox, records, rows, scopes
from accord.crm.database.errors import refusal
from accord.crm.database.nouns import CONTACT, EVENT, Noun
from accord.crm.database.records import Record
from accord.crm.database.rights import Right, right
from accord.crm.database.schema import (
    CONTACT_MAILS,
    FILES,
    FILINGS,
    LEADS,
    MARKERS,
    NOTES,
    OPPORTUNITIES,
    OPPORTUNITY_RECORDS,
    PARTICIPANTS,
    PERSONAL,
)
from accord.crm.database.store import Store
from accord.crm.database.viewer import NOBODY, Viewer
from accord.crm.database.writing import answer
from accord.db import Tx
from accord.db.tx import chunks
from accord.model.diff import patch
from accord.model.item import Absence, Contact, Event, Item, Task, TaskStatus, kind_of
from accord.model.kinds import Kind
from accord.model.recurrence import EventStatus
from accord.ports.adapter import Outcome, Removal, Written
from accord.ports.errors import ItemError


def remove(
    tx: Tx, store: Store, noun: Noun, user: str, removals: Sequence[Removal]
) -> list[Outcome]:
    """Delete records, each in exactly the version given.

    Appointments and tasks on which notes, opportunities or e-mails hang are cancelled: the
    answer then has their snapshot. Other records in that position are Rejected.
    """
    first = counter.take(tx, len(removals))
    viewer = store.viewer(tx, user)
    found = records.load(tx, noun, viewer, [one.ref for one in removals])
    hanging = dependants(tx, noun.kind, list(found))
    outcomes: dict[int, Outcome] = {}
    gone: dict[str, int] = {}
    cancelled: list[changing.Edit] = []
    for at, asked in enumerate(removals):
        try:
            record = changing.current(viewer, found.get(asked.ref), asked.ref, asked.version)
            _check(viewer, record, gone)
            if asked.ref in hanging:
                item = _cancelled(record.item, hanging[asked.ref])
                shared = item != record.item
                cancelled.append(
                    changing.Edit(record=record, revision=first + at, item=item, shared=shared)
                )
            else:
                gone[asked.ref] = first + at
                outcomes[at] = Written(ref=asked.ref)
        except ItemError as error:
            outcomes[at] = error
    _delete(tx, store, noun, viewer, gone)
    changing.write(tx, store, noun, viewer, [edit for edit in cancelled if edit.shared])
    after = records.load(tx, noun, viewer, [edit.record.ref for edit in cancelled])
    return [
        outcomes[at] if at in outcomes else answer(noun, viewer, after[asked.ref])
        for at, asked in enumerate(removals)
    ]


def restore(tx: Tx, store: Store, noun: Noun, user: str, ref: str) -> Outcome:
    """Bring a deleted record back under its own ref; one that is there stays as it is."""
    revision = counter.take(tx, 1)
    viewer = store.viewer(tx, user)
    record = records.load(tx, noun, viewer, [ref]).get(ref)
    if record is None or right(viewer, record) is Right.NONE:
        return refusal("not-there", f"there is no record {ref}")
    if record.erased:
        return refusal("erased", f"{ref} has been erased")
    if record.deleted:
        if right(viewer, record) < Right.OWN:
            return refusal("no-right", f"{viewer.name} may not bring {ref} back")
        _mark(tx, store, noun, viewer, {ref: revision}, None, "restore")
        record = records.load(tx, noun, viewer, [ref])[ref]
    return answer(noun, viewer, record)


def erase(tx: Tx, store: Store, noun: Noun, refs: Sequence[str], by: Viewer = NOBODY) -> None:
    """Delete records together with their content; nothing brings them back."""
    first = counter.take(tx, len(refs))
    found = records.load(tx, noun, by, refs)
    revisions = {ref: first + at for at, ref in enumerate(refs) if ref in found}
    blank = [
        {**{f"new_{n}": v for n, v in _blank(found[ref].item).items()}, "which": ref}
        for ref in revisions
    ]
    if not blank:
        return
    table = noun.table
    names = [name.removeprefix("new_") for name in blank[0] if name != "which"]
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
    values["erased"] = True
    tx.execute(update(table).where(table.c.id == bindparam("which")).values(values), blank)
    if noun is CONTACT:
        tx.execute(update(table).where(table.c.id.in_(list(revisions))).values(primary_mail=""))
    _forget(tx, noun, list(revisions))
    _mark(tx, store, noun, by, revisions, store.clock(), "erase")


def dependants(tx: Tx, kind: Kind, refs: Sequence[str]) -> dict[str, str]:
    """Return what hangs on records: `ref: "notes"`; those on which nothing hangs are left out."""
    found: dict[str, str] = {}
    for some in chunks(refs):
        for what, ref, condition in _hanging(kind):
            rows_ = tx.execute(select(ref).where(ref.in_(some), *condition).distinct())
            found.update((one, what) for one in rows_.scalars())
    return found


def _hanging(kind: Kind) -> list[tuple[str, Any, tuple[ColumnElement[bool], ...]]]:
    tied = OPPORTUNITY_RECORDS
    hanging: list[tuple[str, Any, tuple[ColumnElement[bool], ...]]] = [
        ("an e-mail", FILINGS.c.ref, (FILINGS.c.kind == str(kind),)),
        (
            "a note",
            NOTES.c.about_ref,
            (NOTES.c.about_kind == str(kind), NOTES.c.deleted_at.is_(None)),
        ),
        (
            "an opportunity",
            tied.c.ref,
            (
                tied.c.kind == str(kind),
                tied.c.opportunity_id.in_(
                    select(OPPORTUNITIES.c.id).where(OPPORTUNITIES.c.deleted_at.is_(None))
                ),
            ),
        ),
    ]
    if kind is Kind.CONTACT:
        for what, table in (("a lead", LEADS), ("an opportunity", OPPORTUNITIES)):
            hanging.append((what, table.c.contact_id, (table.c.deleted_at.is_(None),)))
    return hanging


def _check(viewer: Viewer, record: Record, gone: Mapping[str, int]) -> None:
    if right(viewer, record) < Right.OWN:
        raise refusal("no-right", f"{viewer.name} may not delete {record.ref}")
    if record.ref in gone:
        raise refusal("deleted-since", f"{record.ref} has been deleted")


def _cancelled(item: Item, why: str) -> Item:
    match item:
        case Event():
            return patch(item, {"status": EventStatus.CANCELLED})
        case Task():
            return patch(item, {"status": TaskStatus.CANCELLED})
        case _:
            raise refusal("dependants", f"{why} hangs on it")


def _delete(tx: Tx, store: Store, noun: Noun, viewer: Viewer, revisions: Mapping[str, int]) -> None:
    _mark(tx, store, noun, viewer, revisions, store.clock(), "delete")


def _mark(
    tx: Tx,
    store: Store,
    noun: Noun,
    viewer: Viewer,
    revisions: Mapping[str, int],
    deleted_at: Any,
    change: str,
) -> None:
    """Set or clear the deletion of records and tell everybody who had them."""
    if not revisions:
        return
    table, now = noun.table, store.clock()
    statement = (
        update(table)
        .where(table.c.id == bindparam("which"))
        .values(
            revision=bindparam("at"),
            deleted_at=null() if deleted_at is None else deleted_at,
            modified_at=now,
            modified_by=viewer.id or None,
        )
    )
    tx.execute(statement, [{"which": ref, "at": at} for ref, at in revisions.items()])
    scopes.bump(tx, noun.kind, revisions)
    lines = [outbox.Change(revision=at, ref=ref, change=change) for ref, at in revisions.items()]
    outbox.add(tx, noun.kind, lines, viewer.id or None, now)


def _blank(item: Item) -> dict[str, Any]:
    """Return the columns of a record of which nothing is left but that it was."""
    never = datetime(1970, 1, 1)
    match item:
        case Event():
            empty: Item = Event(start=never, end=never, uid=item.uid)
        case Absence():
            empty = Absence(start=never, end=never, uid=item.uid)
        case Task():
            empty = Task(uid=item.uid)
        case _:
            empty = Contact(uid=item.uid)
    return rows.encode(kind_of(empty), empty)


def _forget(tx: Tx, noun: Noun, refs: list[str]) -> None:
    """Remove what lay beside erased records: people, own fields, addresses, markers, files."""
    beside: list[tuple[Table, Any, tuple[Any, ...]]] = [
        (table, table.c.ref, (table.c.kind == str(noun.kind),)) for table in (MARKERS, FILES)
    ]
    if noun is EVENT:
        beside += [(table, table.c.appointment_id, ()) for table in (PARTICIPANTS, PERSONAL)]
    if noun is CONTACT:
        beside += [(CONTACT_MAILS, CONTACT_MAILS.c.contact_id, ())]
    for some in chunks(refs):
        for table, column, condition in beside:
            tx.execute(delete(table).where(column.in_(some), *condition))
