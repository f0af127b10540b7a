"""Accounts, leads, opportunities and notes: what a CRM is for beside the records that travel.

Called by `admin` in the name of a user. Appointments, tasks and contacts on which these hang
are not deleted but cancelled (`removing`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, delete, select, update

from accord.crm.database import counter, outbox, records, rows, scopes
from accord.crm.database.errors import refusal
from accord.crm.database.nouns import NOUNS
from accord.crm.database.rights import Right, Visibility, right
from accord.crm.database.schema import (
    ACCOUNTS,
    CONTACTS,
    LEADS,
    NOTES,
    OPPORTUNITIES,
    OPPORTUNITY_RECORDS,
)
from accord.crm.database.store import Store
from accord.crm.database.viewer import Viewer
from accord.db import Tx
from accord.model.kinds import Kind

TABLES = {
    "account": ACCOUNTS,
    "lead": LEADS,
    "opportunity": OPPORTUNITIES,
    "note": NOTES,
}

Tied = tuple[Kind, str]
"""A record by kind and ref."""


def put_account(
    tx: Tx, store: Store, user: str, ref: str, owner: int | None, values: Mapping[str, Any]
) -> str:
    """Add an account or change one; its owner covers its contacts. Returns its ref."""
    usual = {"name": "", "phone": "", "url": ""}
    before = _owner(tx, ACCOUNTS, ref)
    ref = _put(tx, store, ACCOUNTS, user, ref, owner, values, usual)
    after = _owner(tx, ACCOUNTS, ref)
    if before is not None and before != after:
        _hand_over(tx, store, ref, [one for one in (before, after) if one is not None])
    return ref


def put_lead(tx: Tx, store: Store, user: str, ref: str, values: Mapping[str, Any]) -> str:
    """Add a lead or change one; it may hang on a contact. Returns its ref."""
    _check_ties(tx, store, user, _contact(values))
    usual = {"title": "", "status": "new", "source": ""}
    return _put(tx, store, LEADS, user, ref, None, values, usual)


def put_opportunity(
    tx: Tx,
    store: Store,
    user: str,
    ref: str,
    values: Mapping[str, Any],
    ties: Sequence[Tied] | None,
) -> str:
    """Add an opportunity or change one, with the records it hangs on. Returns its ref."""
    _check_ties(tx, store, user, [*(ties or ()), *_contact(values)])
    usual = {"title": "", "stage": "open", "currency": "EUR"}
    ref = _put(tx, store, OPPORTUNITIES, user, ref, None, values, usual)
    if ties is not None:
        tied = OPPORTUNITY_RECORDS
        tx.execute(delete(tied).where(tied.c.opportunity_id == ref))
        fresh = [{"opportunity_id": ref, "kind": str(kind), "ref": one} for kind, one in ties]
        tx.insert(tied, fresh)
    return ref


def add_note(tx: Tx, store: Store, user: str, about: Tied, text: str) -> str:
    """Write a note about a record that the user may read. Returns its ref."""
    _check_ties(tx, store, user, [about])
    kind, ref = about
    values = {"about_kind": str(kind), "about_ref": ref, "text": text}
    return _put(tx, store, NOTES, user, "", None, values, {})


def notes(tx: Tx, store: Store, user: str, about: Tied) -> tuple[str, ...]:
    """Return the texts of all notes about a record that the user may read, oldest first."""
    _check_ties(tx, store, user, [about])
    kind, ref = about
    query = select(NOTES.c.text).where(
        NOTES.c.about_kind == str(kind), NOTES.c.about_ref == ref, NOTES.c.deleted_at.is_(None)
    )
    return tuple(tx.execute(query.order_by(NOTES.c.id)).scalars())


def remove(tx: Tx, store: Store, table: Table, user: str, ref: str) -> None:
    """Delete an account, lead, opportunity or note softly."""
    revision = counter.take(tx, 1)
    viewer = store.viewer(tx, user)
    _check_owner(tx, table, viewer, ref)
    now = store.clock()
    values = {"revision": revision, "deleted_at": now, "modified_at": now, "modified_by": viewer.id}
    tx.execute(update(table).where(table.c.id == ref).values(values))


def _put(
    tx: Tx,
    store: Store,
    table: Table,
    user: str,
    ref: str,
    owner: int | None,
    values: Mapping[str, Any],
    usual: Mapping[str, Any],
) -> str:
    revision = counter.take(tx, 1)
    viewer = store.viewer(tx, user)
    now = store.clock()
    row = {**values, "revision": revision, "modified_at": now, "modified_by": viewer.id}
    if owner is not None:
        row["owner_id"] = owner
    if ref:
        _check_owner(tx, table, viewer, ref)
        tx.execute(update(table).where(table.c.id == ref).values(row))
        return ref
    fresh = {
        **usual,
        "owner_id": viewer.id,
        "group_writes": False,
        "visibility": str(Visibility.EVERYONE),
        "created_at": now,
        "erased": False,
        **row,
        "id": rows.new_id(),
    }
    tx.insert(table, [fresh])
    return str(fresh["id"])


def _check_owner(tx: Tx, table: Table, viewer: Viewer, ref: str) -> None:
    live = (table.c.id == ref, table.c.deleted_at.is_(None))
    owner = tx.execute(select(table.c.owner_id).where(*live)).scalar()
    if owner is None:
        raise refusal("not-there", f"there is no record {ref}")
    if owner != viewer.id and not viewer.admin:
        raise refusal("no-right", f"{viewer.name} may not change {ref}")


def _check_ties(tx: Tx, store: Store, user: str, ties: Sequence[Tied]) -> None:
    """Refuse to hang anything on a record that the user may not read."""
    viewer = store.viewer(tx, user)
    for kind, ref in ties:
        record = records.load(tx, NOUNS[kind], viewer, [ref]).get(ref)
        if record is None or record.deleted or right(viewer, record) < Right.READ:
            raise refusal("not-there", f"there is no record {ref}")


def _contact(values: Mapping[str, Any]) -> list[Tied]:
    return [(Kind.CONTACT, values["contact_id"])] if values.get("contact_id") else []


def _owner(tx: Tx, table: Table, ref: str) -> int | None:
    return tx.execute(select(table.c.owner_id).where(table.c.id == ref)).scalar() if ref else None


def _hand_over(tx: Tx, store: Store, account: str, owners: Sequence[int]) -> None:
    """Move an account's contacts from the list of its old owner to that of the new one."""
    query = select(CONTACTS.c.id).where(CONTACTS.c.account_id == account).order_by(CONTACTS.c.id)
    refs = list(tx.execute(query).scalars())
    if not refs:
        return
    numbered = list(enumerate(refs, counter.take(tx, len(refs))))
    views = [(user, ref, revision) for revision, ref in numbered for user in owners]
    scopes.touch(tx, Kind.CONTACT, views, scopes.TOUCHED)
    lines = [outbox.Change(revision=at, ref=ref, change="scope") for at, ref in numbered]
    outbox.add(tx, Kind.CONTACT, lines, None, store.clock())
