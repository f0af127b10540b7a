"""One CRM user's session over CRM.interface: the port's calls, each a conversation of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

from accord.crm.syncml import files, reading, writing
from accord.crm.syncml.talk import Link
from accord.crm.syncml.writing import Op, Wrap
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
from accord.ports.clock import Reading
from accord.ports.session import OpenSession


class SyncmlSession(OpenSession):
    """Be one user's view of the CRM; the user's rights decide there."""

    def __init__(self, link: Link, user: str) -> None:
        """Act as `user`; nothing is asked yet."""
        self._link = link
        self._user = user

    def folders(self) -> tuple[Folder, ...]:
        """Return the folders this user can reach."""
        self._check_open()
        with self._link.talk(self._user) as talk:
            return reading.read(talk, "./folders", tuple[Folder, ...])

    def changes(self, folder: str, kind: Kind, cursor: str, known: Known) -> Iterator[Listing]:
        """Yield what changed since `cursor`, each page as it comes; everything where it's empty."""
        self._check_open()
        return self._changes(folder, kind, cursor, known)

    def fetch(self, folder: str, kind: Kind, asks: Sequence[Ask]) -> list[Observation]:
        """Say what each ref is to this user now."""
        self._check_open()
        if not asks:
            return []
        with self._link.talk(self._user) as talk:
            return reading.fetch(talk, folder, kind, asks)

    def lookup(
        self, folder: str, kind: Kind, questions: Sequence[Question]
    ) -> list[tuple[Snapshot, ...]]:
        """Find items by key, marker or uid."""
        self._check_open()
        if not questions:
            return []
        with self._link.talk(self._user) as talk:
            return reading.lookup(talk, folder, kind, questions)

    def create(self, folder: str, kind: Kind, drafts: Sequence[Draft]) -> list[Outcome]:
        """Create items; a key that is already there answers with its item."""
        return self._push([writing.create(one) for one in drafts], writing.sync(kind, folder))

    def update(self, folder: str, kind: Kind, revisions: Sequence[Revision]) -> list[Outcome]:
        """Change exactly the fields named, in exactly the version given."""
        return self._push([writing.update(one) for one in revisions], writing.sync(kind, folder))

    def delete(self, folder: str, kind: Kind, removals: Sequence[Removal]) -> list[Outcome]:
        """Delete items in exactly the version given."""
        return self._push([writing.delete(one) for one in removals], writing.sync(kind, folder))

    def mark(self, folder: str, kind: Kind, marks: Sequence[Mark]) -> list[Outcome]:
        """Store the other side's ids."""
        return self._push([writing.mark(one, kind, folder) for one in marks], None)

    def restore(self, folder: str, kind: Kind, ref: str) -> Outcome:
        """Bring a deleted item back under its own ref."""
        return self._push([writing.restore(ref, kind, folder)], None)[0]

    @property
    def room(self) -> int:
        """Return how many bytes of files on one item fit through CRM.interface."""
        self._check_open()
        return files.keeping(self._link, self._user).room

    def open_file(self, folder: str, kind: Kind, ref: str, uri: str) -> Iterator[bytes]:
        """Yield the bytes of a file, a message's worth each time."""
        self._check_open()
        return files.pieces(self._link, self._user, (folder, kind, ref), uri)

    def open_kept(self, folder: str, kind: Kind, ref: str, uri: str) -> Iterator[bytes]:
        """Yield the bytes of a file that hangs on an item, or did so; Gone if none are kept."""
        self._check_open()
        return files.pieces(self._link, self._user, (folder, kind, ref), uri, kept=True)

    def attach(self, folder: str, kind: Kind, ref: str, file: Attachment, content: BinaryIO) -> str:
        """Hang a file on an item."""
        self._check_open()
        return files.attach(self._link, self._user, (folder, kind, ref), file, content)

    def detach(self, folder: str, kind: Kind, ref: str, uri: str, *, forget: bool = False) -> None:
        """Take a file off an item."""
        self._check_open()
        files.detach(self._link, self._user, (folder, kind, ref), uri, forget=forget)

    def clock(self) -> Reading | None:
        """Return what was seen last of the clock where CRM.interface is."""
        return self._link.http.clocks.reading()

    def _changes(self, folder: str, kind: Kind, cursor: str, known: Known) -> Iterator[Listing]:
        with self._link.talk(self._user) as talk:
            yield from reading.pages(talk, folder, kind, cursor, known)

    def _push(self, ops: list[Op], wrap: Wrap | None) -> list[Outcome]:
        self._check_open()
        if not ops:
            return []
        with self._link.talk(self._user) as talk:
            return writing.push(talk, ops, wrap)
