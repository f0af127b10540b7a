"""One CRM user's session: what they may see and do, and what left their scope, by name.

Answers item by item: a refusal is returned for its item and never stops the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec

from accord.crm.memory.errors import Refused, translate
from accord.crm.memory.person import observe
from accord.crm.memory.store import Record, Right, Store
from accord.model.diff import normalise, patch
from accord.model.item import Item
from accord.model.kinds import Kind
from accord.model.observe import (
    Completeness,
    Deleted,
    Denied,
    Listing,
    Observation,
    OutOfScope,
    Seen,
    Snapshot,
    Unchanged,
)
from accord.ports.adapter import (
    Ask,
    Draft,
    Folder,
    Known,
    Mark,
    Outcome,
    Question,
    Removal,
    Revision,
    Written,
)
from accord.ports.attachments import leaving_files, without_files
from accord.ports.clock import OURS, Reading
from accord.ports.errors import ConfigError
from accord.ports.files_in_memory import FilesInMemory
from accord.ports.session import OpenSession

T = TypeVar("T")
NAMES = {
    Kind.EVENT: "Appointments",
    Kind.TASK: "Tasks",
    Kind.CONTACT: "Contacts",
    Kind.ABSENCE: "Absences",
}
_INSIDE = "~"
"""Stands in the cursor of a page of a full pull, before the number of its last record."""


class MemorySession(FilesInMemory, OpenSession):
    """Be one user's view; a CRM has one folder per kind, named like it."""

    _store: Store

    def __init__(self, store: Store, user: str) -> None:
        """Act as `user`."""
        self._store = store
        self._user = user

    def folders(self) -> tuple[Folder, ...]:
        """Return one folder for each kind."""
        self._request()
        return tuple(
            Folder(id=str(kind), name=NAMES[kind], kinds=frozenset({kind}), default=True)
            for kind in self._store.traits.kinds
        )

    def changes(self, folder: str, kind: Kind, cursor: str, known: Known) -> Iterator[Listing]:
        """Yield pages: all records in scope where the cursor is empty, else what changed."""
        _right_folder(folder, kind)
        begun, inside, behind = cursor.partition(_INSIDE)
        with self._store.lock:
            head = begun if inside else self._store.cursor(self._store.number)
            since = self._store.since(begun)
            lost = cursor != "" and (since is None or bool(inside and not behind.isdigit()))
            if inside and not lost:
                since, refs = None, [pair for pair in self._all(kind) if pair[1] > int(behind)]
            else:
                refs = self._all(kind) if since is None else self._changed(kind, since)
        if lost:
            self._request()
            yield Listing(completeness=Completeness.LOST)
            return
        size = self._store.traits.page
        pages = [refs[at : at + size] for at in range(0, len(refs), size)] or [[]]
        for page in pages:
            final = page is pages[-1]
            seen = self._page([ref for ref, _ in page], known)
            if since is not None:
                at = head if final else self._store.cursor(page[-1][1])
                yield Listing(completeness=Completeness.DELTA, observations=seen, cursor=at)
            elif final:
                yield Listing(completeness=Completeness.COMPLETE, observations=seen, cursor=head)
            else:
                at = f"{head}{_INSIDE}{page[-1][1]}"
                yield Listing(completeness=Completeness.PARTIAL, observations=seen, cursor=at)

    def fetch(self, folder: str, kind: Kind, asks: Sequence[Ask]) -> list[Observation]:
        """Say what each record is now: here, deleted, out of scope or denied."""
        _right_folder(folder, kind)
        self._request()
        with self._store.lock:
            return [self._observe(ask.ref, None) for ask in asks]

    def lookup(
        self, folder: str, kind: Kind, questions: Sequence[Question]
    ) -> list[tuple[Snapshot, ...]]:
        """Find records in scope by key, by this user's marker, or by uid."""
        _right_folder(folder, kind)
        self._request()
        with self._store.lock:
            seen = [self._observe(ref, None) for ref, _ in self._all(kind)]
            here = [one.snapshot for one in seen if isinstance(one, Seen)]
            return [tuple(s for s in here if _answers(s, q)) for q in questions]

    def create(self, folder: str, kind: Kind, drafts: Sequence[Draft]) -> list[Outcome]:
        """Create records owned by this user; a key already there answers with its record."""
        _right_folder(folder, kind)
        return self._each(drafts, lambda draft: self._create(kind, without_files(draft)))

    def update(self, folder: str, kind: Kind, revisions: Sequence[Revision]) -> list[Outcome]:
        """Change exactly the fields named, in exactly the revision given."""
        _right_folder(folder, kind)
        return self._each([leaving_files(each) for each in revisions], self._update)

    def delete(self, folder: str, kind: Kind, removals: Sequence[Removal]) -> list[Outcome]:
        """Delete records softly."""
        _right_folder(folder, kind)
        return self._each(removals, self._delete)

    def mark(self, folder: str, kind: Kind, marks: Sequence[Mark]) -> list[Outcome]:
        """Store this user's markers; the records keep their revisions."""
        _right_folder(folder, kind)
        return self._each(marks, lambda mark: self._mark(mark.ref, mark.marker))

    def restore(self, folder: str, kind: Kind, ref: str) -> Outcome:
        """Bring a deleted record back under its own ref."""
        _right_folder(folder, kind)
        return self._each([ref], self._restore)[0]

    def clock(self) -> Reading | None:
        """Return our own clock: the store is in this process."""
        return OURS

    def open_kept(self, folder: str, kind: Kind, ref: str, uri: str) -> Iterator[bytes]:
        """Yield the bytes of a file that is on a record, or was taken off it."""
        with self._filing(folder, ref, reading=True):
            found = self._store.contents.get(uri)
            if found is None:
                raise Refused("not-there", f"no such file is kept for {ref}")
        yield found

    # what stands behind the calls

    def _request(self) -> None:
        self._check_open()
        self._store.requests.count()

    @contextmanager
    def _filing(self, folder: str, ref: str, *, reading: bool = False) -> Iterator[Any]:
        """Yield the record whose files are read or changed, under the lock."""
        self._request()
        with self._store.lock:
            try:
                record = self._store.get(ref)
                self._may(record, Right.READ if reading else Right.WRITE)
                yield record
            except Refused as refusal:
                raise translate(refusal) from refusal

    def _refile(self, record: Record, item: Item) -> None:
        self._store.put(msgspec.structs.replace(record, item=item), self._user, record)

    def _each(self, asked: Sequence[T], act: Callable[[T], Written]) -> list[Outcome]:
        self._request()
        answers: list[Outcome] = []
        with self._store.lock:
            for one in asked:
                try:
                    answers.append(act(one))
                except Refused as refusal:
                    answers.append(translate(refusal))
        return answers

    def _all(self, kind: Kind) -> list[tuple[str, int]]:
        records = self._store.records.values()
        return [
            (r.ref, int(r.ref.rpartition("-")[2]))
            for r in records
            if r.kind is kind and not r.deleted and r.concerns(self._user)
        ]

    def _changed(self, kind: Kind, since: int) -> list[tuple[str, int]]:
        last = {
            change.ref: change.number
            for change in self._store.log
            if change.number > since and change.kind is kind and self._user in change.users
        }
        return sorted(last.items(), key=lambda pair: pair[1])

    def _page(self, refs: Sequence[str], known: Known) -> tuple[Observation, ...]:
        self._request()
        versions = known(refs) if refs else {}
        with self._store.lock:
            return tuple(self._observe(ref, versions.get(ref)) for ref in refs)

    def _observe(self, ref: str, version: str | None) -> Observation:
        record = self._store.records.get(ref)
        if record is None or record.deleted:
            return Deleted(ref, ref in self._store.erased)
        if not record.concerns(self._user):
            return OutOfScope(ref, f"the record belongs to {record.owner}")
        if record.right(self._user) is Right.NONE:
            return Denied(ref, f"{self._user} may not read the record")
        if version == str(record.revision):
            return Unchanged(ref)
        return Seen(observe(record, self._user))

    def _written(self, record: Record) -> Written:
        seen = observe(record, self._user)
        return Written(ref=seen.ref, version=seen.version, snapshot=seen)

    def _current(self, ref: str, version: str) -> Record:
        record = self._store.get(ref)
        self._may(record, Right.WRITE)
        if str(record.revision) != version:
            raise Refused("changed-meanwhile", f"{ref} is in revision {record.revision} by now")
        return record

    def _may(self, record: Record, right: Right) -> None:
        held = record.right(self._user) if record.concerns(self._user) else Right.NONE
        if held is Right.NONE or (right is Right.WRITE and held is Right.READ):
            raise Refused("no-right", f"{self._user} may not {right} {record.ref}")

    def _create(self, kind: Kind, draft: Draft) -> Written:
        ref = self._store.keys.get(draft.key)
        if ref is not None:
            record = self._store.records.get(ref)
            if record is None or record.deleted:
                raise Refused("deleted-since", f"{ref} was created before and is gone again")
            self._may(record, Right.READ)
            return self._written(record)
        item = normalise(draft.item, self._store.traits.kinds[kind])
        if not item.uid:
            item = patch(item, {"uid": f"crm-{self._store.number + 1}"})
        record = self._store.add(
            item,
            self._user,
            self._user,
            key=draft.key,
            sharers=frozenset({self._user}) if kind is Kind.CONTACT else frozenset(),
            markers={self._user: draft.marker} if draft.marker else {},
        )
        return self._written(record)

    def _update(self, revision: Revision) -> Written:
        before = self._current(revision.ref, revision.version)
        values = {name: getattr(revision.after, name) for name in revision.changed}
        item = normalise(patch(before.item, values), self._store.traits.kinds[before.kind])
        markers = before.markers
        if revision.marker:
            markers = {**markers, self._user: revision.marker}
        after = msgspec.structs.replace(before, item=item, markers=markers)
        return self._written(self._store.put(after, self._user, before))

    def _delete(self, removal: Removal) -> Written:
        before = self._current(removal.ref, removal.version)
        after = msgspec.structs.replace(before, deleted=True)
        return Written(ref=self._store.put(after, self._user, before).ref)

    def _mark(self, ref: str, marker: str) -> Written:
        record = self._store.get(ref)
        self._may(record, Right.READ)
        markers = {**record.markers, self._user: marker}
        record = msgspec.structs.replace(record, markers=markers)
        self._store.records[ref] = record
        return self._written(record)

    def _restore(self, ref: str) -> Written:
        record = self._store.records.get(ref)
        if record is None or not self._store.traits.kinds[record.kind].restores:
            raise Refused("not-there", f"{ref} can't be brought back")
        self._may(record, Right.WRITE)
        if not record.deleted:
            return self._written(record)
        after = msgspec.structs.replace(record, deleted=False)
        return self._written(self._store.put(after, self._user, record))


def _right_folder(folder: str, kind: Kind) -> None:
    if folder not in ("", str(kind)):
        raise ConfigError(
            f"the CRM has no folder {folder!r} for {kind}",
            field="folder",
            hint=f"use {str(kind)!r} or leave it empty",
        )


def _answers(snapshot: Snapshot, question: Question) -> bool:
    given = (
        (question.key, snapshot.key),
        (question.marker, snapshot.marker),
        (question.uid, snapshot.item.uid),
    )
    return any(asked and asked == held for asked, held in given)
