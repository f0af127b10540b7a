"""Whose a record is and who may see it: owner, visibility, shares, account, personal lists.

Called by `admin` in the name of a user, who must own the record.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import UNSET, Struct, UnsetType
from sqlalchemy import delete, select, update

from accord.crm.database import contacts, counter, outbox, records, scopes
from accord.crm.database.errors import refusal
from accord.crm.database.nouns import ABSENCE, CONTACT, Noun
from accord.crm.database.records import Record
from accord.crm.database.rights import Right, Visibility, right
from accord.crm.database.schema import CONTACT_CHOICES, MEMBERS, SHARES
from accord.crm.database.store import Store
from accord.crm.database.viewer import Viewer
from accord.db import Tx
from accord.model.kinds import Kind

USER = "user"
GROUP = "group"


class Access(Struct, frozen=True, kw_only=True):
    """Be what is to be changed about whose a record is; what is unset stays.

    `absent` is the user whose absence it is, `account` the one a contact belongs to.
    """

    owner: int | UnsetType = UNSET
    visibility: Visibility | UnsetType = UNSET
    group: int | UnsetType | None = UNSET
    group_writes: bool | UnsetType = UNSET
    account: str | UnsetType | None = UNSET
    absent: int | UnsetType = UNSET


def give(tx: Tx, store: Store, noun: Noun, user: str, ref: str, access: Access) -> None:
    """Change whose a record is and who may see it; raises Gone or Denied."""
    revision = counter.take(tx, 1)
    viewer = store.viewer(tx, user)
    own_record(tx, noun, viewer, ref)
    before = contacts.watchers(tx, [ref]) if noun is CONTACT else {}
    now = store.clock()
    values = {**_columns(noun, access), "modified_at": now, "modified_by": viewer.id}
    table = noun.table
    tx.execute(update(table).where(table.c.id == ref).values(revision=revision, **values))
    if noun is CONTACT:
        watching = before[ref] | contacts.watchers(tx, [ref])[ref]
        touch_all(tx, ref, revision, watching)
    else:
        record = records.load(tx, noun, viewer, [ref])[ref]
        scopes.settle(tx, noun.kind, [scopes.holding(record, revision)])
    line = outbox.Change(revision=revision, ref=ref, change="access")
    outbox.add(tx, noun.kind, [line], viewer.id, now)


def share(
    tx: Tx, store: Store, noun: Noun, user: str, ref: str, grantee: tuple[str, int], writes: bool
) -> None:
    """Let a user or a group read a record, or change it too, beyond its visibility."""
    revision = counter.take(tx, 1)
    viewer = store.viewer(tx, user)
    own_record(tx, noun, viewer, ref)
    what, who = grantee
    row = {"kind": str(noun.kind), "ref": ref, "grantee": what, "grantee_id": who, "writes": writes}
    tx.upsert(SHARES, [row])
    _tell(tx, store, noun, viewer, ref, revision, grantee)


def unshare(
    tx: Tx, store: Store, noun: Noun, user: str, ref: str, grantee: tuple[str, int]
) -> None:
    """Take a share back."""
    revision = counter.take(tx, 1)
    viewer = store.viewer(tx, user)
    own_record(tx, noun, viewer, ref)
    what, who = grantee
    tx.execute(
        delete(SHARES).where(
            SHARES.c.kind == str(noun.kind),
            SHARES.c.ref == ref,
            SHARES.c.grantee == what,
            SHARES.c.grantee_id == who,
        )
    )
    _tell(tx, store, noun, viewer, ref, revision, grantee)


def choose(tx: Tx, store: Store, user: str, ref: str, *, chosen: bool) -> None:
    """Put a contact that a user may read on their own list, or take it off."""
    revision = counter.take(tx, 1)
    viewer = store.viewer(tx, user)
    record = records.load(tx, CONTACT, viewer, [ref]).get(ref)
    if record is None or record.deleted:
        raise refusal("not-there", f"there is no contact {ref}")
    if chosen and right(viewer, record) < Right.READ:
        raise refusal("no-right", f"{user} may not read {ref}")
    if chosen:
        contacts.choose(tx, viewer.id, [ref])
    else:
        c = CONTACT_CHOICES.c
        mine = (c.user_id == viewer.id, c.contact_id == ref)
        tx.execute(delete(CONTACT_CHOICES).where(*mine))
    touch_all(tx, ref, revision, [viewer.id])
    line = outbox.Change(revision=revision, ref=ref, change="scope", user=viewer.id)
    outbox.add(tx, Kind.CONTACT, [line], viewer.id, store.clock())


def own_record(tx: Tx, noun: Noun, viewer: Viewer, ref: str) -> Record:
    """Return a record that the user may give to others; raises Gone or Denied."""
    record = records.load(tx, noun, viewer, [ref]).get(ref)
    if record is None or record.deleted:
        raise refusal("not-there", f"there is no record {ref}")
    if right(viewer, record) < Right.OWN:
        raise refusal("no-right", f"{viewer.name} may not give {ref} to others")
    return record


def touch_all(tx: Tx, ref: str, revision: int, users: Iterable[int]) -> None:
    """Note that some users' view of a contact changed."""
    scopes.touch(tx, Kind.CONTACT, [(user, ref, revision) for user in users], scopes.TOUCHED)


def _columns(noun: Noun, access: Access) -> dict[str, Any]:
    names = {
        "owner_id": access.owner,
        "visibility": access.visibility if access.visibility is UNSET else str(access.visibility),
        "group_id": access.group,
        "group_writes": access.group_writes,
    }
    if noun is CONTACT:
        names["account_id"] = access.account
    if noun is ABSENCE:
        names["user_id"] = access.absent
    return {name: value for name, value in names.items() if value is not UNSET}


def _tell(
    tx: Tx,
    store: Store,
    noun: Noun,
    viewer: Viewer,
    ref: str,
    revision: int,
    grantee: tuple[str, int],
) -> None:
    """Make those who got or lost a share look at the record again."""
    what, who = grantee
    users = [who]
    if what == GROUP:
        users = list(
            tx.execute(select(MEMBERS.c.user_id).where(MEMBERS.c.group_id == who)).scalars()
        )
    if noun is CONTACT:
        touch_all(tx, ref, revision, users)
    else:
        states = scopes.present(tx, noun.kind, [ref]).get(ref, {})
        for user in set(users) & states.keys():
            scopes.touch(tx, noun.kind, [(user, ref, revision)], states[user])
    line = outbox.Change(revision=revision, ref=ref, change="access")
    outbox.add(tx, noun.kind, [line], viewer.id, store.clock())
