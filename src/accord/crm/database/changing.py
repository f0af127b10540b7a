"""Changing records: in the revision expected, within the user's rights, everyone's own kept apart.

What a participant sets for themselves (reminders, show-as, categories) goes into a row of their
own and concerns nobody else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from msgspec import Struct
from sqlalchemy import Update, bindparam, update

from accord.crm.database import (
    contacts,
    counter,
    markers,
    outbox,
    participants,
    personal,
    records,
    scopes,
)
from accord.crm.database.checks import accepted
from accord.crm.database.errors import refusal
from accord.crm.database.nouns import CONTACT, EVENT, NOUNS, Noun
from accord.crm.database.records import Record
from accord.crm.database.rights import PERSONAL, Right, only_answers, right
from accord.crm.database.store import Store
from accord.crm.database.viewer import Viewer, person_of
from accord.crm.database.writing import answer, content, known_people, second
from accord.db import Tx
from accord.model.diff import patch
from accord.model.item import Event, Item, kind_of
from accord.model.kinds import Kind
from accord.ports.adapter import Outcome, Revision
from accord.ports.errors import ItemError


class Edit(Struct, frozen=True, kw_only=True):
    """Be one change ready to be written: the new item, whether it differs, the user's own part."""

    record: Record
    revision: int
    item: Item
    shared: bool
    own: Mapping[str, Any] = {}


def change(
    tx: Tx, store: Store, noun: Noun, user: str, revisions: Sequence[Revision]
) -> list[Outcome]:
    """Change the fields named, each record in exactly the version given."""
    first = counter.take(tx, len(revisions))
    viewer = store.viewer(tx, user)
    found = records.load(tx, noun, viewer, [one.ref for one in revisions])
    outcomes: dict[int, Outcome] = {}
    edits: dict[str, Edit] = {}
    for at, asked in enumerate(revisions):
        try:
            record = current(viewer, found.get(asked.ref), asked.ref, asked.version)
            if asked.ref in edits:
                raise refusal("changed-meanwhile", f"{asked.ref} is changed twice in one batch")
            edits[asked.ref] = _edit(tx, noun, viewer, record, asked, first + at)
        except ItemError as error:
            outcomes[at] = error
    write(tx, store, noun, viewer, [edit for edit in edits.values() if edit.shared])
    _write_own(tx, store, noun, viewer, [edit for edit in edits.values() if edit.own])
    wanted = {a.ref: a.marker for at, a in enumerate(revisions) if at not in outcomes}
    markers.put(tx, noun.kind, viewer.id, wanted)
    after = records.load(tx, noun, viewer, list(edits))
    return [
        outcomes[at] if at in outcomes else answer(noun, viewer, after[asked.ref])
        for at, asked in enumerate(revisions)
    ]


def current(viewer: Viewer, record: Record | None, ref: str, version: str) -> Record:
    """Return a live record in the version expected; raises Gone, Denied or Stale."""
    if record is None:
        raise refusal("not-there", f"there is no record {ref}")
    if right(viewer, record) is Right.NONE:
        raise refusal("no-right", f"{viewer.name} may not read {ref}")
    if record.deleted:
        raise refusal("deleted-since", f"{ref} has been deleted")
    if record.version != version:
        raise refusal("changed-meanwhile", f"{ref} is in revision {record.version} by now")
    return record


def write(tx: Tx, store: Store, noun: Noun, viewer: Viewer, edits: Sequence[Edit]) -> None:
    """Write changed records with their people, scopes and lines in the outbox."""
    if not edits:
        return
    now = store.clock()
    known = known_people(tx, [edit.item for edit in edits])
    changed, held, moved, fresh = [], [], [], []
    for edit in edits:
        record = edit.record
        who = second(noun, edit.item, known, record.second or 0)
        row = content(noun, edit.item, who)
        row.update(id=record.ref, revision=edit.revision, modified_at=now, modified_by=viewer.id)
        changed.append(row)
        users = record.users
        if isinstance(edit.item, Event) and _people_differ(record.item, edit.item):
            users = participants.users(edit.item, known)
            moved.append(record.ref)
            fresh += participants.encode(record.ref, edit.item, known)
        held.append(
            scopes.Holding(
                ref=record.ref,
                revision=edit.revision,
                owner=record.owner,
                second=who,
                users=users,
                visibility=record.visibility,
                group=scopes.team_of(record.group, record.group_writes, record.visibility),
            )
        )
    _update(tx, noun, changed)
    if noun is EVENT:
        participants.replace(tx, moved, fresh)
    if noun is CONTACT:
        _write_contacts(tx, edits)
    else:
        scopes.settle(tx, noun.kind, held)
    lines = [outbox.Change(revision=e.revision, ref=e.record.ref, change="update") for e in edits]
    outbox.add(tx, noun.kind, lines, viewer.id, now)


def _update(tx: Tx, noun: Noun, changed: Sequence[dict[str, Any]]) -> None:
    rows = [{f"new_{name}": value for name, value in row.items()} for row in changed]
    tx.execute(_statement(noun.kind, tuple(changed[0])), rows)


@cache
def _statement(kind: Kind, names: tuple[str, ...]) -> Update:
    table = NOUNS[kind].table
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names if name != "id"}
    return update(table).where(table.c.id == bindparam("new_id")).values(values)


def _edit(
    tx: Tx, noun: Noun, viewer: Viewer, record: Record, asked: Revision, revision: int
) -> Edit:
    after = asked.after
    if kind_of(after) is not noun.kind:
        raise refusal("wrong-kind", f"this is {kind_of(after)}, not {noun.kind}")
    values = {
        name: getattr(after, name)
        for name in asked.changed
        if getattr(after, name) != getattr(record.seen, name)
    }
    _check_rights(viewer, record, values)
    own: dict[str, Any] = {}
    if noun is EVENT and viewer.id != record.owner and viewer.id in _taking_part(record):
        own = {name: values.pop(name) for name in PERSONAL & values.keys()}
    item = patch(record.item, values)
    if values and isinstance(item, Event) and isinstance(after, Event):
        item = _completed(tx, record, item, after)
    item = accepted(noun.kind, item) if values else item
    return Edit(record=record, revision=revision, item=item, shared=item != record.item, own=own)


def _completed(tx: Tx, record: Record, item: Event, after: Event) -> Item:
    values: dict[str, Any] = {"sequence": max(item.sequence, after.sequence)}
    if item.attendees and item.organizer is None:
        values["organizer"] = person_of(tx, record.owner).person
    return patch(item, values)


def _check_rights(viewer: Viewer, record: Record, values: Mapping[str, Any]) -> None:
    granted = right(viewer, record)
    if granted >= Right.EDIT:
        return
    after = patch(record.seen, dict(values))
    if granted is Right.REPLY and only_answers(record.seen, after, values, viewer.addresses):
        return
    raise refusal("no-right", f"{viewer.name} may not change {', '.join(sorted(values))}")


def _taking_part(record: Record) -> frozenset[int]:
    return record.users | ({record.second} if record.second is not None else frozenset())


def _people_differ(before: Item, after: Event) -> bool:
    assert isinstance(before, Event)
    return (before.attendees, before.people) != (after.attendees, after.people)


def _write_own(tx: Tx, store: Store, noun: Noun, viewer: Viewer, edits: Sequence[Edit]) -> None:
    if not edits:
        return
    personal.put(tx, viewer.id, {edit.record.ref: (edit.revision, edit.own) for edit in edits})
    alone = [edit for edit in edits if not edit.shared]
    views = [(viewer.id, edit.record.ref, edit.revision) for edit in alone]
    scopes.touch(tx, noun.kind, views, scopes.IN)
    lines = [
        outbox.Change(revision=e.revision, ref=e.record.ref, change="update", user=viewer.id)
        for e in alone
    ]
    outbox.add(tx, noun.kind, lines, viewer.id, store.clock())


def _write_contacts(tx: Tx, edits: Sequence[Edit]) -> None:
    contacts.index(tx, {edit.record.ref: edit.item for edit in edits})
    hidden = {e.record.ref: e for e in edits if e.item.privacy != e.record.item.privacy}
    watching = contacts.watchers(tx, list(hidden))
    views = [(user, ref, hidden[ref].revision) for ref, users in watching.items() for user in users]
    scopes.touch(tx, CONTACT.kind, views, scopes.TOUCHED)
