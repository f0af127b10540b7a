"""One opened mailbox: list, fetch, look up, create, update, delete in batches.

Answers item by item: a refusal is returned for its item and never stops the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec

from accord.groupware.memory import scheduling
from accord.groupware.memory.errors import Refused, translate
from accord.groupware.memory.person import observe
from accord.groupware.memory.store import TRASH, Entry, Mailbox, Store
from accord.model.diff import normalise, patch
from accord.model.item import Event, Item
from accord.model.kinds import Kind
from accord.model.names import name_of
from accord.model.observe import (
    Completeness,
    Deleted,
    Listing,
    Moved,
    Observation,
    Seen,
    Snapshot,
    Unchanged,
    Unknown,
)
from accord.model.parts import Privacy
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
from accord.ports.files_in_memory import FilesInMemory
from accord.ports.session import OpenSession

ACCORD = "accord"
T = TypeVar("T")


class MemorySession(FilesInMemory, OpenSession):
    """Be one mailbox, opened; the store's lock guards every call and every page."""

    _store: Store
    _digests = False

    def __init__(self, store: Store, box: Mailbox) -> None:
        """Speak to `box` in `store`."""
        self._store = store
        self._box = box

    def folders(self) -> tuple[Folder, ...]:
        """Return all folders but Deleted Items, which only `fetch` looks into."""
        self._request()
        return tuple(f for f in self._box.folders.values() if f.id != TRASH)

    def identity(self) -> tuple[tuple[str, str], ...]:
        """Return which mailbox this is, whoever had its address before."""
        return (("mailbox", f"{self._box.principal.casefold()}/{self._box.generation}"),)

    def changes(self, folder: str, kind: Kind, cursor: str, known: Known) -> Iterator[Listing]:
        """Yield pages: everything where the cursor is empty, else what the log holds since."""
        self._box.folder(folder)
        with self._store.lock:
            head = self._cursor(self._store.number)
            since = self._since(cursor)
            if since is None:
                refs = [(entry.ref, 0) for entry in self._box.here(folder, kind)]
            else:
                last = {
                    change.ref: change.number
                    for change in self._box.log
                    if change.number > since and change.folder == folder and change.kind is kind
                }
                refs = sorted(last.items(), key=lambda pair: pair[1])
        if cursor and since is None:
            self._request()
            yield Listing(completeness=Completeness.LOST)
            return
        size = self._store.traits.page
        pages = [refs[at : at + size] for at in range(0, len(refs), size)] or [[]]
        for page in pages:
            final = page is pages[-1]
            seen = self._page(folder, [ref for ref, _ in page], known)
            if since is not None:
                at = head if final else self._cursor(page[-1][1])
                yield Listing(completeness=Completeness.DELTA, observations=seen, cursor=at)
            elif final:
                yield Listing(completeness=Completeness.COMPLETE, observations=seen, cursor=head)
            else:
                yield Listing(completeness=Completeness.PARTIAL, observations=seen)

    def fetch(self, folder: str, kind: Kind, asks: Sequence[Ask]) -> list[Observation]:
        """Say what each ref holds; what left the folder is looked for in all others."""
        self._request()
        with self._store.lock:
            self._box.folder(folder)
            return [self._one(folder, ask) for ask in asks]

    def lookup(
        self, folder: str, kind: Kind, questions: Sequence[Question]
    ) -> list[tuple[Snapshot, ...]]:
        """Find readable items in the folder by key, marker or uid."""
        self._request()
        with self._store.lock:
            self._box.folder(folder)
            here = [e for e in self._box.here(folder, kind) if not e.broken]
            return [tuple(observe(e) for e in here if _answers(e, q)) for q in questions]

    def create(self, folder: str, kind: Kind, drafts: Sequence[Draft]) -> list[Outcome]:
        """Create items; a key that is there already answers with that item."""
        return self._each(drafts, lambda draft: self._create(folder, kind, without_files(draft)))

    def update(self, folder: str, kind: Kind, revisions: Sequence[Revision]) -> list[Outcome]:
        """Change exactly the fields named, in exactly the version given."""
        return self._each(revisions, lambda each: self._update(folder, leaving_files(each)))

    def delete(self, folder: str, kind: Kind, removals: Sequence[Removal]) -> list[Outcome]:
        """Delete items, into Deleted Items where there is one."""
        return self._each(removals, lambda removal: self._delete(folder, removal))

    def mark(self, folder: str, kind: Kind, marks: Sequence[Mark]) -> list[Outcome]:
        """Store the markers, which gives each item a new version."""
        return self._each(marks, lambda mark: self._mark(folder, mark.ref, mark.marker))

    def restore(self, folder: str, kind: Kind, ref: str) -> Outcome:
        """Bring an item back from Deleted Items where the traits say so."""
        return self._each([ref], lambda each: self._restore(folder, kind, each))[0]

    def clock(self) -> Reading | None:
        """Return our own clock: the store is in this process."""
        return OURS

    # what stands behind the calls

    def _request(self) -> None:
        self._check_open()
        self._store.requests.count()

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

    def _cursor(self, number: int) -> str:
        return f"{self._store.epoch}:{number}"

    def _since(self, cursor: str) -> int | None:
        epoch, _, number = cursor.partition(":")
        valid = epoch == str(self._store.epoch) and number.isdigit()
        return int(number) if valid and int(number) <= self._store.number else None

    def _page(self, folder: str, refs: Sequence[str], known: Known) -> tuple[Observation, ...]:
        self._request()
        versions = known(refs) if refs else {}
        with self._store.lock:
            return tuple(self._observe(folder, ref, versions.get(ref)) for ref in refs)

    @contextmanager
    def _filing(self, folder: str, ref: str, *, reading: bool = False) -> Iterator[Any]:
        """Yield the entry whose files are read or changed, under the lock."""
        self._request()
        with self._store.lock:
            try:
                entry = self._box.entries.get(ref)
                if entry is None or entry.folder != folder:
                    raise Refused("not-there", f"{ref} is not in {folder} any more")
                if not reading:
                    self._writable(folder)
                yield entry
            except Refused as refusal:
                raise translate(refusal) from refusal

    def _refile(self, entry: Entry, item: Item) -> None:
        self._store.put(self._box, msgspec.structs.replace(entry, item=item), ACCORD)

    def _observe(self, folder: str, ref: str, version: str | None) -> Observation:
        entry = self._box.entries.get(ref)
        if entry is None or entry.folder != folder:
            return Deleted(ref)
        if entry.version == version:
            return Unchanged(ref)
        if entry.broken:
            item = entry.item
            told = name_of(item) if item.privacy is Privacy.PUBLIC else ""
            ours = bool(entry.key) and entry.silent and item.privacy is Privacy.PUBLIC
            return Unknown(ref, entry.broken, entry.version, item.uid, told, ours=ours)
        return Seen(self._snapshot(entry))

    def _one(self, folder: str, ask: Ask) -> Observation:
        here = self._observe(folder, ask.ref, None)
        if not isinstance(here, Deleted):
            return here
        found = [e for e in self._box.entries.values() if _is_it(e, ask)]
        if not found:
            return here
        found.sort(key=lambda e: (e.folder == TRASH, e.item.uid != ask.uid))
        place = found[0].folder
        return Moved(ask.ref, place, found[0].ref, trash=place == TRASH)

    def _snapshot(self, entry: Entry) -> Snapshot:
        writable = self._box.folder(entry.folder).writable
        silent = entry.silent and self._store.traits.kinds[entry.kind].schedules
        foreign = entry.others.get(self._store.adopt, "")
        return msgspec.structs.replace(
            observe(entry), readonly=not writable, silent=silent, foreign=foreign
        )

    def _written(self, entry: Entry) -> Written:
        return Written(ref=entry.ref, version=entry.version, snapshot=self._snapshot(entry))

    def _writable(self, folder: str) -> None:
        if not self._box.folder(folder).writable:
            raise Refused("read-only", f"{self._box.principal} may not write into {folder}")

    def _current(self, folder: str, ref: str, version: str) -> Entry:
        self._writable(folder)
        entry = self._box.entries.get(ref)
        if entry is None or entry.folder != folder:
            raise Refused("not-there", f"{ref} is not in {folder} any more")
        if entry.version != version:
            raise Refused("changed-meanwhile", f"{ref} is in version {entry.version} by now")
        return entry

    def _create(self, folder: str, kind: Kind, draft: Draft) -> Written:
        self._writable(folder)
        if kind not in self._box.folder(folder).kinds:
            raise Refused("wrong-kind", f"{folder} doesn't hold items of kind {kind}")
        known = self._box.keys.get(draft.key)
        if known is not None:
            entry = self._box.entries.get(known)
            if entry is None or entry.folder != folder:
                raise Refused("deleted-since", f"{known} was created before and is gone again")
            return self._written(entry)
        item = self._accepted(kind, draft.item, None)
        silent = not draft.notify
        entry = self._store.add(
            self._box, folder, item, ACCORD, marker=draft.marker, key=draft.key, silent=silent
        )
        if scheduling.speaks(self._store, silent, draft.notify):
            scheduling.announce(self._store, self._box, None, entry)
        return self._written(entry)

    def _update(self, folder: str, revision: Revision) -> Written:
        before = self._current(folder, revision.ref, revision.version)
        values = {name: getattr(revision.after, name) for name in revision.changed}
        item = self._accepted(before.kind, patch(before.item, values), before.item)
        silent = before.silent and not revision.notify
        entry = msgspec.structs.replace(
            before, item=item, marker=revision.marker or before.marker, silent=silent, broken=""
        )
        entry = self._store.put(self._box, entry, ACCORD)
        if scheduling.speaks(self._store, silent, revision.notify):
            scheduling.announce(self._store, self._box, before, entry)
        return self._written(entry)

    def _delete(self, folder: str, removal: Removal) -> Written:
        entry = self._current(folder, removal.ref, removal.version)
        self._store.discard(self._box, entry, ACCORD)
        if scheduling.speaks(self._store, entry.silent, removal.notify):
            scheduling.announce(self._store, self._box, entry, None)
        return Written(ref=entry.ref)

    def _mark(self, folder: str, ref: str, marker: str) -> Written:
        entry = self._box.entries.get(ref)
        entry = self._current(folder, ref, entry.version if entry else "")
        if entry.marker == marker:
            return self._written(entry)
        marked = msgspec.structs.replace(entry, marker=marker)
        return self._written(self._store.put(self._box, marked, ACCORD))

    def _restore(self, folder: str, kind: Kind, ref: str) -> Written:
        self._writable(folder)
        if not self._store.traits.kinds[kind].restores:
            raise Refused("cannot-restore", "this server gives restored items a new id")
        return self._written(self._store.recall(self._box, folder, ref, ACCORD))

    def _accepted(self, kind: Kind, item: Item, stored: Item | None) -> Item:
        """Return the item as it is stored: normalised, with a uid, read-only fields untouched."""
        traits = self._store.traits.kinds[kind]
        meeting = isinstance(item, Event) and bool(item.attendees)
        if meeting and not traits.foreign_organizer and not scheduling.organizes(self._box, item):
            raise Refused("foreign-organizer", "only the organizer's copy may have attendees")
        fields = traits.fields - traits.readonly
        if stored is None:
            kept = normalise(item, msgspec.structs.replace(traits, fields=fields))
        else:
            values: dict[str, Any] = {name: getattr(stored, name) for name in traits.readonly}
            kept = normalise(patch(item, values), traits)
        uid = stored.uid if stored else item.uid if traits.uid_kept else ""
        return patch(kept, {"uid": uid or f"memory-{self._store.number + 1}"})


def _answers(entry: Entry, question: Question) -> bool:
    given = (
        (question.key, entry.key),
        (question.marker, entry.marker),
        (question.uid, entry.item.uid),
    )
    return any(asked and asked == held for asked, held in given)


def _is_it(entry: Entry, ask: Ask) -> bool:
    if ask.uid and entry.item.uid == ask.uid:
        return True
    return bool(ask.marker) and entry.marker == ask.marker
