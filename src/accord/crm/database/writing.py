"""Creating records: checks, idempotency keys, participants, scopes and outbox in few statements.

`changing` does the same for changes; both run inside one transaction that holds the counter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import select

from accord.crm.database import (
    contacts,
    counter,
    markers,
    outbox,
    participants,
    people,
    reading,
    records,
    rows,
    scopes,
)
from accord.crm.database.checks import accepted, organized
from accord.crm.database.errors import refusal
from accord.crm.database.nouns import ABSENCE, CONTACT, EVENT, TASK, Noun
from accord.crm.database.people import Known
from accord.crm.database.rights import Right, Visibility, right
from accord.crm.database.schema import PARTICIPANTS
from accord.crm.database.store import Store
from accord.crm.database.viewer import LIST, Viewer, person_of
from accord.db import Tx
from accord.db.tx import chunks
from accord.model.item import Event, Item, Task
from accord.ports.adapter import Draft, Outcome, Written
from accord.ports.errors import Rejected


class Place(Struct, frozen=True, kw_only=True):
    """Say where a new record belongs: to whom, who may see it; None means as usual."""

    owner: int | None = None
    visibility: Visibility | None = None
    group: int | None = None
    group_writes: bool = False
    account: str | None = None
    absent: int | None = None


USUAL = Place()


class Fresh(Struct, frozen=True, kw_only=True):
    """Be one record about to be inserted."""

    ref: str
    revision: int
    item: Item
    draft: Draft


VISIBILITY = {
    EVENT.kind: Visibility.PARTICIPANTS,
    TASK.kind: Visibility.PARTICIPANTS,
    ABSENCE.kind: Visibility.PARTICIPANTS,
    CONTACT.kind: Visibility.EVERYONE,
}


def create(
    tx: Tx,
    store: Store,
    noun: Noun,
    user: str,
    drafts: Sequence[Draft],
    place: Place = USUAL,
) -> list[Outcome]:
    """Create records; a key that is there already answers with its record, gone or not."""
    first = counter.take(tx, len(drafts))
    viewer = store.viewer(tx, user)
    owner = viewer if place.owner is None else person_of(tx, place.owner)
    keys = _taken(tx, noun, [draft.key for draft in drafts])
    refused: dict[int, Outcome] = {}
    refs: list[str] = []
    fresh: list[Fresh] = []
    for at, draft in enumerate(drafts):
        ref = keys.get(draft.key, "")
        if not ref:
            try:
                item = organized(accepted(noun.kind, draft.item), owner.person)
            except Rejected as error:
                refused[at] = error
            else:
                ref = rows.new_id()
                fresh.append(Fresh(ref=ref, revision=first + at, item=item, draft=draft))
                if draft.key:
                    keys[draft.key] = ref
        refs.append(ref)
    _insert(tx, store, noun, viewer, owner, fresh, place)
    found = records.load(tx, noun, viewer, [ref for ref in refs if ref])
    return [
        refused[at] if at in refused else answer(noun, viewer, found[ref])
        for at, ref in enumerate(refs)
    ]


def answer(noun: Noun, viewer: Viewer, record: records.Record) -> Outcome:
    """Return what a write left behind, as far as the user may know."""
    if record.deleted:
        return refusal("deleted-since", "it was there and has been deleted since")
    if right(viewer, record) is Right.NONE:
        return refusal("no-right", f"{viewer.name} may not read it")
    snapshot = reading.snapshot(noun, viewer, record)
    return Written(ref=record.ref, version=snapshot.version, snapshot=snapshot)


def known_people(tx: Tx, items: Sequence[Item]) -> Known:
    """Return who all the addresses in some items belong to."""
    return people.resolve(tx, (address for item in items for address in _addresses(item)))


def second(noun: Noun, item: Item, known: Known, absent: int) -> int | None:
    """Return the user beside the owner whom an item names; `absent` for absences."""
    match item:
        case Event(organizer=person) | Task(assignee=person):
            return None if person is None else known.user(person.address)
        case _:
            return absent if noun is ABSENCE else None


def content(noun: Noun, item: Item, second_id: int | None) -> dict[str, Any]:
    """Return the columns that follow from the item."""
    row = rows.encode(noun.kind, item)
    if noun is CONTACT:
        row["primary_mail"] = contacts.primary_mail(item)
    else:
        row[noun.second.name] = second_id
    return row


def _addresses(item: Item) -> tuple[str, ...]:
    match item:
        case Event(organizer=organizer, attendees=attendees, people=named):
            return (
                organizer.address if organizer else "",
                *(one.address for one in attendees),
                *(one.address for one in named),
            )
        case Task(assignee=assignee):
            return (assignee.address if assignee else "",)
        case _:
            return ()


def _taken(tx: Tx, noun: Noun, keys: Sequence[str]) -> dict[str, str]:
    table = noun.table
    found: dict[str, str] = {}
    for some in chunks(key for key in keys if key):
        rows_ = tx.execute(select(table.c.key, table.c.id).where(table.c.key.in_(some)))
        found.update((key, ref) for key, ref in rows_)
    return found


def _insert(
    tx: Tx,
    store: Store,
    noun: Noun,
    viewer: Viewer,
    owner: Viewer,
    fresh: Sequence[Fresh],
    place: Place,
) -> None:
    known = known_people(tx, [one.item for one in fresh])
    seconds = [second(noun, one.item, known, place.absent or owner.id) for one in fresh]
    now, refs = store.clock(), [one.ref for one in fresh]
    common = _placed(noun, place, owner.id)
    common.update(created_at=now, modified_at=now, modified_by=viewer.id, erased=False)
    pairs = list(zip(fresh, seconds, strict=True))
    tx.insert(noun.table, [_row(noun, one, who, common) for one, who in pairs])
    tx.insert(PARTICIPANTS, [row for one in fresh for row in _people(one, known)])
    scopes.enter(tx, noun.kind, [_held(one, who, known, common) for one, who in pairs])
    if noun is CONTACT:
        contacts.index(tx, {one.ref: one.item for one in fresh}, fresh=True)
        if owner.contact_mode == LIST:
            contacts.choose(tx, owner.id, refs)
    markers.put(tx, noun.kind, viewer.id, {one.ref: one.draft.marker for one in fresh})
    made = [outbox.Change(revision=o.revision, ref=o.ref, change="create") for o in fresh]
    outbox.add(tx, noun.kind, made, viewer.id, now)


def _placed(noun: Noun, place: Place, owner: int) -> dict[str, Any]:
    row: dict[str, Any] = {
        "owner_id": owner,
        "group_id": place.group,
        "group_writes": place.group_writes,
        "visibility": str(place.visibility or VISIBILITY[noun.kind]),
    }
    if noun is CONTACT:
        row["account_id"] = place.account
    return row


def _row(noun: Noun, one: Fresh, who: int | None, common: dict[str, Any]) -> dict[str, Any]:
    key = one.draft.key or None
    own = {"id": one.ref, "revision": one.revision, "key": key}
    return {**own, **common, **content(noun, one.item, who)}


def _people(one: Fresh, known: Known) -> list[dict[str, Any]]:
    return participants.encode(one.ref, one.item, known) if isinstance(one.item, Event) else []


def _held(one: Fresh, who: int | None, known: Known, common: dict[str, Any]) -> scopes.Holding:
    users = participants.users(one.item, known) if isinstance(one.item, Event) else frozenset()
    return scopes.Holding(
        ref=one.ref,
        revision=one.revision,
        owner=common["owner_id"],
        second=who,
        users=users,
        visibility=common["visibility"],
        group=scopes.team_of(common["group_id"], common["group_writes"], common["visibility"]),
    )
