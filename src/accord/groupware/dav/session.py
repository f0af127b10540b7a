"""One person's calendars and address books, opened: the port's calls, each a few lines.

`adapter.open` makes it; `sync`, `find` and `write` do the work.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import BinaryIO

from msgspec import Struct

from accord.groupware.dav import find, folders, photos, sync, write
from accord.groupware.dav.discovery import Collection, Place, probe
from accord.groupware.dav.listing import Report, all_by_sync, report
from accord.groupware.dav.server import Server
from accord.groupware.dav.sync import Shelf
from accord.model.kinds import Kind
from accord.model.observe import Completeness, Denied, Listing, Observation, Snapshot
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
from accord.ports.errors import Gone
from accord.ports.folders import Named
from accord.ports.session import OpenSession

FRESH = 30.0
"""Seconds for which one link's report may serve the other links on the same folder."""


class _Shared(Struct):
    """Be a report that each kind may take once, so that one request serves several links."""

    report: Report
    made: float
    writes: int
    taken: set[Kind]


class DavSession(OpenSession):
    """Be a person's collections on one server; belongs to one thread."""

    def __init__(self, server: Server, principal: str) -> None:
        """Speak for `principal`; nothing is asked before the first call.

        Raises ConfigError where no login is set for them.
        """
        self._server = server
        self._principal = principal
        self._client = server.client(principal)
        self._shared: dict[tuple[str, str], _Shared] = {}
        self._others: dict[tuple[str, Kind], dict[str, str]] = {}

    def folders(self) -> tuple[Folder, ...]:
        """Return the calendars and address books, the ones to use by default first.

        Among them are those that the person lacks and the first write makes: the ones that the
        settings name, where they say so, and the book of the CRM's contacts. They are empty.
        """
        config = self._server.config
        return folders.folders(config, folders.planned(config, self._place()))

    def folder_named(self, kind: Kind) -> Named | None:
        """Return the collection that the settings name for a kind, as it is or will be made."""
        return folders.named_in_settings(self._server.config, self._place(), kind)

    def identity(self) -> tuple[tuple[str, str], ...]:
        """Return what tells this person's collections from everybody else's."""
        return self._place().ids

    def make_folder(self, name: str, kind: Kind) -> Folder:
        """Return the folder of that name for items of a kind, made where it isn't there yet.

        Raises Denied or Rejected where the server doesn't allow it.
        """
        place = self._place()
        found = folders.named(place, name, kind)
        if found is None:
            folders.make(self._client, place, name, kind)
            place = self._place(fresh=True)
            found = folders.named(place, name, kind)
        if found is None:
            raise Gone(f"{name!r} was made, but the server doesn't list it")
        listed = folders.folders(self._server.config, place)
        return next(each for each in listed if each.id == found.ref)

    def remove_folder(self, folder: str) -> None:
        """Delete an empty collection that Accord made; DAV has no trash.

        Raises Rejected where something is in it or somebody else made it.
        """
        folders.remove(self._client, folder)
        self._place(fresh=True)

    def changes(self, folder: str, kind: Kind, cursor: str, known: Known) -> Iterator[Listing]:
        """Yield what changed since `cursor`, page by page; one request where nothing did."""
        self._check_open()
        if not cursor and self._planned(folder) is not None:
            yield Listing(completeness=Completeness.COMPLETE)
            return
        syncs = True if cursor else self._collection(folder, kind).syncs
        told = self._report(folder, kind, cursor, syncs)
        shelf = self._shelf(folder, kind, look=bool(told.members))
        yield from sync.pages(self._client, shelf, told, known, self._server.config.page)

    def fetch(self, folder: str, kind: Kind, asks: Sequence[Ask]) -> list[Observation]:
        """Say what each ref holds now; what left the folder is looked for in the others."""
        if self._planned(folder) is not None:
            return [Denied(ask.ref, f"the folder {folder} isn't there") for ask in asks]
        shelf = self._shelf(folder, kind)
        return find.fetch(self._client, self._place(), shelf, asks, self._server.config.page)

    def lookup(
        self, folder: str, kind: Kind, questions: Sequence[Question]
    ) -> list[tuple[Snapshot, ...]]:
        """Find items in the folder by key (their name), marker or uid (a query)."""
        if self._planned(folder) is not None:
            return [() for _ in questions]
        shelf, size = self._shelf(folder, kind), self._server.config.page
        return find.lookup(self._client, self._place(), shelf, questions, size)

    def create(self, folder: str, kind: Kind, drafts: Sequence[Draft]) -> list[Outcome]:
        """Create items; a key that is there already answers with that item."""
        return write.create(self._desk(folder, kind), drafts)

    def update(self, folder: str, kind: Kind, revisions: Sequence[Revision]) -> list[Outcome]:
        """Change the fields named, each item only in the version given."""
        return write.update(self._desk(folder, kind), revisions)

    def delete(self, folder: str, kind: Kind, removals: Sequence[Removal]) -> list[Outcome]:
        """Delete items, each only in the version given; DAV has no trash."""
        return write.delete(self._desk(folder, kind), removals)

    def mark(self, folder: str, kind: Kind, marks: Sequence[Mark]) -> list[Outcome]:
        """Store markers on items Accord made; a person's own items stay as they are."""
        return write.mark(self._desk(folder, kind), marks)

    @property
    def room(self) -> int:
        """Return how many bytes a contact's picture may have; nothing else has files here."""
        return photos.ROOM

    def open_file(self, folder: str, kind: Kind, ref: str, uri: str) -> Iterator[bytes]:
        """Yield the bytes of a contact's picture."""
        shelf = self._shelf(folder, kind, look=False)
        yield write.read_photo(self._client, shelf, ref, uri)

    def attach(self, folder: str, kind: Kind, ref: str, file: Attachment, content: BinaryIO) -> str:
        """Give a contact a picture in place of the one it has, and return its uri."""
        content.seek(0)
        return write.put_photo(self._desk(folder, kind), ref, file, content.read(photos.ROOM + 1))

    def detach(self, folder: str, kind: Kind, ref: str, uri: str, *, forget: bool = False) -> None:
        """Take a contact's picture off; DAV has no trash for it."""
        write.drop_photo(self._desk(folder, kind), ref, uri)

    def restore(self, folder: str, kind: Kind, ref: str) -> Outcome:
        """Answer Gone: what DAV deletes stays deleted."""
        self._check_open()
        return Gone(f"{ref}: a DAV server can't bring back what was deleted")

    def clock(self) -> Reading | None:
        """Return what was seen of the server's clock last."""
        return self._server.clock()

    def edited(self, snapshots: Sequence[Snapshot]) -> Mapping[str, datetime]:
        """Return when the server says that these were edited.

        Some say so only of one item at a time, and what the texts say goes by other clocks.
        """
        self._check_open()
        refs = [snapshot.ref for snapshot in snapshots]
        told = zip(snapshots, self._client.pool.map(self._client.edited, refs), strict=True)
        return {s.ref: at for s, (version, at) in told if version == s.version and at is not None}

    def probe(self, folder: str, kind: Kind) -> bool:
        """Try to read a folder; tell whether it offers sync-collection. Raises ConfigError."""
        told = all_by_sync(self._client, folder) if self._collection(folder, kind).syncs else None
        if told is None:
            report(self._client, folder, "", False)
        return told is not None

    def close(self) -> None:
        """Let go; the connections stay with the adapter for the next session."""
        super().close()
        self._shared.clear()

    def _place(self, *, fresh: bool = False) -> Place:
        self._check_open()
        return self._server.place(self._principal, fresh=fresh)

    def _planned(self, folder: str) -> Collection | None:
        """Return the folder if the first write into it is to make it."""
        config = self._server.config
        if self._place().collection(folder) is not None:
            return None
        return folders.planned(config, self._place()).collection(folder)

    def _collection(self, folder: str, kind: Kind) -> Collection:
        """Return what is known of a folder; one outside the person's home is asked for itself."""
        place = self._place()
        found = place.collection(folder) or self._server.shared.get((self._principal, folder))
        if found is None:
            found = probe(self._server.http, self._client.auth, folder, kind)
            self._server.shared[self._principal, folder] = found
        return found

    def _shelf(self, folder: str, kind: Kind, *, look: bool = True) -> Shelf:
        """Return the folder as this call reads it; without `look` nothing is asked for it."""
        self._check_open()
        readonly = not self._collection(folder, kind).writable if look else False
        others = self._others.setdefault((folder, kind), {})
        adopt = self._server.config.adopt
        return Shelf(folder=folder, kind=kind, readonly=readonly, others=others, adopt=adopt)

    def _desk(self, folder: str, kind: Kind) -> write.Desk:
        lacking = self._planned(folder)
        if lacking is not None:
            folders.make_planned(self._client, self._place(), lacking.name, kind)
            self._place(fresh=True)
        self._server.wrote(folder)
        return write.Desk(
            client=self._client,
            place=self._place(),
            collection=self._collection(folder, kind),
            shelf=self._shelf(folder, kind),
            size=self._server.config.page,
        )

    def _report(self, folder: str, kind: Kind, cursor: str, syncs: bool) -> Report:
        now, writes = time.monotonic(), self._server.writes(folder)
        shared = self._shared.get((folder, cursor))
        if (
            shared is not None
            and kind not in shared.taken
            and shared.writes == writes
            and now - shared.made < FRESH
        ):
            shared.taken.add(kind)
            return shared.report
        told = report(self._client, folder, cursor, syncs)
        self._shared = {(folder, cursor): _Shared(told, now, writes, {kind})}
        return told
