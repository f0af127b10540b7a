"""One CRM user's session: the port's calls, each in one transaction with this user's rights.

What the calls mean is in `listing`, `reading`, `lookup`, `writing`, `changing` and `removing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, TypeVar

from sqlalchemy import exc

from accord.crm.database import (
    changing,
    errors,
    files,
    listing,
    lookup,
    markers,
    reading,
    records,
    removing,
    writing,
)
from accord.crm.database.errors import refusal
from accord.crm.database.nouns import NOUNS, Noun, noun_of
from accord.crm.database.rights import Right, right
from accord.crm.database.store import Store
from accord.db import Taken, Tx
from accord.model.kinds import Kind
from accord.model.observe import Listing, Observation, Snapshot
from accord.model.parts import Attachment
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
)
from accord.ports.attachments import leaving_files, without_files
from accord.ports.session import OpenSession

T = TypeVar("T")


class DatabaseSession(OpenSession):
    """Be one user's view of the CRM; it has one folder per kind."""

    def __init__(self, store: Store, user: str) -> None:
        """Act as `user`, who must be there and active."""
        self._store = store
        self._user = user

    def folders(self) -> tuple[Folder, ...]:
        """Return one folder for each kind."""
        self._check_open()
        return tuple(
            Folder(id=noun.folder, name=noun.title, kinds=frozenset({kind}), default=True)
            for kind, noun in NOUNS.items()
        )

    def changes(self, folder: str, kind: Kind, cursor: str, known: Known) -> Iterator[Listing]:
        """Yield what changed since `cursor`; everything in scope where it is empty."""
        self._check_open()
        noun = noun_of(folder, kind)
        return listing.changes(self._store, noun, self._user, cursor, known, self._store.page)

    def fetch(self, folder: str, kind: Kind, asks: Sequence[Ask]) -> list[Observation]:
        """Say what each record is to this user now: here, deleted, out of scope or denied."""
        noun = self._noun(folder, kind)
        with self._store.read() as tx:
            viewer = self._store.viewer(tx, self._user)
            refs = [ask.ref for ask in asks]
            return reading.fetch(tx, noun, viewer, refs, self._store.owned)

    def lookup(
        self, folder: str, kind: Kind, questions: Sequence[Question]
    ) -> list[tuple[Snapshot, ...]]:
        """Find records in this user's scope by key, uid or this user's marker."""
        noun = self._noun(folder, kind)
        with self._store.read() as tx:
            return lookup.lookup(tx, self._store, noun, self._user, questions)

    def create(self, folder: str, kind: Kind, drafts: Sequence[Draft]) -> list[Outcome]:
        """Create records owned by this user; a key already there answers with its record."""
        noun = self._noun(folder, kind)
        drafts = [without_files(draft) for draft in drafts]
        return self._write(
            drafts, lambda tx, some: writing.create(tx, self._store, noun, self._user, some)
        )

    def update(self, folder: str, kind: Kind, revisions: Sequence[Revision]) -> list[Outcome]:
        """Change exactly the fields named, in exactly the revision given; files stay."""
        noun = self._noun(folder, kind)
        revisions = [leaving_files(revision) for revision in revisions]
        return self._write(
            revisions, lambda tx, some: changing.change(tx, self._store, noun, self._user, some)
        )

    def delete(self, folder: str, kind: Kind, removals: Sequence[Removal]) -> list[Outcome]:
        """Delete records softly; what others hang on is cancelled, which its snapshot says."""
        noun = self._noun(folder, kind)
        return self._write(
            removals, lambda tx, some: removing.remove(tx, self._store, noun, self._user, some)
        )

    def mark(self, folder: str, kind: Kind, marks: Sequence[Mark]) -> list[Outcome]:
        """Store this user's markers; the records keep their revision and nobody is told."""
        noun = self._noun(folder, kind)
        return self._write(marks, lambda tx, some: self._mark(tx, noun, some))

    @property
    def room(self) -> int:
        """Return how many bytes the files on one record may have together."""
        return files.ROOM

    def open_file(self, folder: str, kind: Kind, ref: str, uri: str) -> Iterator[bytes]:
        """Yield the bytes of a file on a record that this user may read."""
        return files.read(self._store, self._noun(folder, kind), self._user, ref, uri)

    def open_kept(self, folder: str, kind: Kind, ref: str, uri: str) -> Iterator[bytes]:
        """Yield the bytes of a file that is on a record, or was taken off it."""
        return files.read_kept(self._store, self._noun(folder, kind), self._user, ref, uri)

    def attach(self, folder: str, kind: Kind, ref: str, file: Attachment, content: BinaryIO) -> str:
        """Hang a file on a record; one of the same name and content hangs there once."""
        noun = self._noun(folder, kind)
        return files.attach(self._store, noun, self._user, ref, file, content)

    def detach(self, folder: str, kind: Kind, ref: str, uri: str, *, forget: bool = False) -> None:
        """Take a file off a record; its bytes stay until the record is erased, or go at once."""
        files.detach(self._store, self._noun(folder, kind), self._user, ref, uri, forget=forget)

    def restore(self, folder: str, kind: Kind, ref: str) -> Outcome:
        """Bring a deleted record back under its own ref; Gone for an erased one."""
        noun = self._noun(folder, kind)
        return self._write(
            [ref],
            lambda tx, some: [removing.restore(tx, self._store, noun, self._user, some[0])],
        )[0]

    def _noun(self, folder: str, kind: Kind) -> Noun:
        self._check_open()
        return noun_of(folder, kind)

    def _write(
        self, batch: Sequence[T], work: Callable[[Tx, Sequence[T]], list[Outcome]]
    ) -> list[Outcome]:
        """Do a batch in one transaction; where the database refuses one item, find that one."""
        if not batch:
            return []
        try:
            return self._store.run(lambda tx: work(tx, batch))
        except (exc.DBAPIError, OverflowError, Taken) as error:
            refused = errors.rejected(error)
            if refused is None:
                raise
            if len(batch) == 1:
                return [refused]
            return [outcome for one in batch for outcome in self._write([one], work)]

    def _mark(self, tx: Tx, noun: Noun, marks: Sequence[Mark]) -> list[Outcome]:
        viewer = self._store.viewer(tx, self._user)
        refs = [mark.ref for mark in marks]
        found = records.load(tx, noun, viewer, refs)
        refused: dict[int, Outcome] = {}
        wanted: dict[str, str] = {}
        for at, mark in enumerate(marks):
            record = found.get(mark.ref)
            if record is None or record.deleted:
                refused[at] = refusal("not-there", f"there is no record {mark.ref}")
            elif right(viewer, record) is Right.NONE:
                refused[at] = refusal("no-right", f"{viewer.name} may not read {mark.ref}")
            else:
                wanted[mark.ref] = mark.marker
        markers.put(tx, noun.kind, viewer.id, wanted)
        markers.drop(tx, noun.kind, viewer.id, [ref for ref, text in wanted.items() if not text])
        after = records.load(tx, noun, viewer, list(wanted))
        return [
            refused[at] if at in refused else writing.answer(noun, viewer, after[mark.ref])
            for at, mark in enumerate(marks)
        ]
