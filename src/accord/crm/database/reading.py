"""What a user is told about a record: here, deleted, out of scope or denied.

`fetch`, `lookup`, `changes` and the answers of writes all speak through here.
"""

from __future__ import annotations

from collections.abc import Sequence

from accord.crm.database import records, scopes
from accord.crm.database.errors import refusal
from accord.crm.database.nouns import Noun
from accord.crm.database.records import Record
from accord.crm.database.rights import Right, covers, right
from accord.crm.database.viewer import Viewer
from accord.db import Tx
from accord.model.kinds import Kind
from accord.model.observe import (
    Deleted,
    Denied,
    Observation,
    OutOfScope,
    Seen,
    Snapshot,
    Unchanged,
    Unknown,
)


def observe(noun: Noun, viewer: Viewer, record: Record, owned: bool) -> Observation | None:
    """Say what a record is to a user; None where it never was any of their business.

    `owned` says whether tasks that somebody else does belong to their owner's scope, too.
    """
    inside = in_scope(viewer, record, owned)
    granted = right(viewer, record)
    if not inside and not record.state and granted is Right.NONE:
        return None
    if record.deleted:
        return Deleted(record.ref, record.erased)
    if not inside:
        denied = record.state == scopes.DENIED
        return _denied(viewer, record) if denied else OutOfScope(record.ref, _left(noun))
    if granted is Right.NONE:
        return _denied(viewer, record)
    return Seen(record.snapshot(noun.folder, readonly=granted < Right.REPLY))


def in_scope(viewer: Viewer, record: Record, owned: bool) -> bool:
    """Tell whether a record is among those this user synchronizes."""
    if record.kind is Kind.CONTACT:
        return covers(viewer, record)
    return record.state == scopes.IN or (owned and record.state == scopes.OWNED)


def snapshot(noun: Noun, viewer: Viewer, record: Record) -> Snapshot:
    """Return a record as this user sees it."""
    return record.snapshot(noun.folder, readonly=right(viewer, record) < Right.REPLY)


def fetch(
    tx: Tx, noun: Noun, viewer: Viewer, refs: Sequence[str], owned: bool
) -> list[Observation]:
    """Say what each ref is to this user now, in order."""
    found = records.load(tx, noun, viewer, refs)
    return [_fetched(noun, viewer, ref, found.get(ref), owned) for ref in refs]


def seen(
    tx: Tx, noun: Noun, viewer: Viewer, refs: Sequence[str], owned: bool
) -> dict[str, Snapshot]:
    """Return those of the records that are in this user's scope, alive and readable."""
    found = records.load(tx, noun, viewer, refs)
    told = (observe(noun, viewer, record, owned) for record in found.values())
    return {one.ref: one.snapshot for one in told if isinstance(one, Seen)}


def shown(tx: Tx, noun: Noun, viewer: Viewer, ref: str) -> Snapshot:
    """Return a record the user may read, in their scope or not; raises Gone or Denied."""
    record = records.load(tx, noun, viewer, [ref]).get(ref)
    if record is None:
        raise refusal("not-there", f"there is no record {ref}")
    if right(viewer, record) is Right.NONE:
        raise refusal("no-right", f"{viewer.name} may not read {ref}")
    if record.deleted:
        raise refusal("deleted-since", f"{ref} has been deleted")
    return snapshot(noun, viewer, record)


def told(
    noun: Noun, viewer: Viewer, record: Record, owned: bool, version: str | None
) -> Observation | None:
    """Say what a record is to this user, in short where it is in the `version` they know."""
    observation = observe(noun, viewer, record, owned)
    if isinstance(observation, Seen) and version == record.version:
        return Unchanged(record.ref)
    return observation


def _fetched(
    noun: Noun, viewer: Viewer, ref: str, record: Record | None, owned: bool
) -> Observation:
    if record is None:
        # Records are never removed, so nobody deleted this one: the database is an older one,
        # or the ref another CRM's.
        return Unknown(ref, "the CRM has never had this record")
    return observe(noun, viewer, record, owned) or _denied(viewer, record)


def _denied(viewer: Viewer, record: Record) -> Denied:
    return Denied(record.ref, f"{viewer.name} may not read it")


def _left(noun: Noun) -> str:
    match noun.kind:
        case Kind.TASK:
            return "the task is somebody else's now"
        case Kind.CONTACT:
            return "the contact is no longer on this user's list"
        case _:
            return "this user no longer takes part"
