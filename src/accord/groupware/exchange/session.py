"""One person's mailbox, opened: the port's calls, each a few lines.

`adapter.open` makes it; `sync`, `find`, `create` and `write` do the work.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import BinaryIO

from accord.groupware.exchange import (
    busy,
    create,
    files,
    find,
    folders,
    kinds,
    mail,
    replies,
    sync,
    write,
)
from accord.groupware.exchange.desk import Desk
from accord.groupware.exchange.folders import Found, Place
from accord.groupware.exchange.reading import Shelf
from accord.groupware.exchange.server import Server
from accord.model.item import Event, Item, Task
from accord.model.kinds import Kind
from accord.model.observe import Completeness, Denied, Listing, Observation, Snapshot
from accord.model.parts import Attachment
from accord.model.replies import Replies
from accord.ports import errors
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
from accord.ports.busy import Seen as BusySeen
from accord.ports.clock import Reading
from accord.ports.errors import ConfigError, Gone
from accord.ports.folders import Named
from accord.ports.mailbox import Letter, MailFolder, Original
from accord.ports.session import OpenSession


class ExchangeSession(OpenSession):
    """Be a person's folders on one server; belongs to one thread."""

    def __init__(self, server: Server, principal: str) -> None:
        """Speak for `principal`; nothing is asked before the first call.

        Raises ConfigError where no login is set for them.
        """
        self._server = server
        self._principal = principal
        self._client = server.client(principal)
        self._looked = False

    def folders(self) -> tuple[Folder, ...]:
        """Return the calendars, task and contact folders, the ones to use by default first.

        Among them are those that the person lacks and the first write makes: the ones that the
        settings name, where they say so, and the folder of the CRM's contacts. They are empty.
        """
        return folders.folders(self._server.config, self._place())

    def folder_named(self, kind: Kind) -> Named | None:
        """Return the folder that the settings name for a kind, as it is or will be made."""
        return folders.named_in_settings(self._server.config, self._place(), kind)

    def identity(self) -> tuple[tuple[str, str], ...]:
        """Return the ids of the folders that a mailbox has from its making to its end."""
        return folders.identity(self._place())

    def make_folder(self, name: str, kind: Kind) -> Folder:
        """Return the folder of that name for items of a kind, made where it isn't there yet.

        Raises Denied or Rejected where the server doesn't allow it.
        """
        found = folders.named(self._place(), name, kind)
        if found is None:
            folders.make(self._client, name, kind)
            found = folders.named(self._place(fresh=True), name, kind)
        if found is None:
            raise Gone(f"{name!r} was made, but the server doesn't list it")
        return next(each for each in self.folders() if each.id == found.ref)

    def remove_folder(self, folder: str) -> None:
        """Move an empty folder of a person, but none of their own ones, into Deleted Items.

        Raises Rejected where something is in it, Denied where the server doesn't allow it.
        """
        self._place(fresh=True)
        found = self._found(folder)
        folders.remove(self._client, found.place, found.name)
        self._place(fresh=True)

    def changes(self, folder: str, kind: Kind, cursor: str, known: Known) -> Iterator[Listing]:
        """Yield what changed since `cursor`, page by page; one request where nothing did."""
        self._check_open()
        if not cursor and self._lacking(folder) is not None:
            yield Listing(completeness=Completeness.COMPLETE)
            return
        yield from sync.pages(self._shelf(folder, kind), cursor, known)

    def fetch(self, folder: str, kind: Kind, asks: Sequence[Ask]) -> list[Observation]:
        """Say what each ref holds now; what left the folder is looked for in the others."""
        if self._lacking(folder) is not None:
            return [Denied(ask.ref, f"the folder {folder} isn't there") for ask in asks]
        shelf = self._shelf(folder, kind)
        return find.fetch(shelf, lambda: self._place(fresh=True), asks)

    def lookup(
        self, folder: str, kind: Kind, questions: Sequence[Question]
    ) -> list[tuple[Snapshot, ...]]:
        """Find items in the folder by key, marker or uid."""
        if self._lacking(folder) is not None:
            return [() for _ in questions]
        return find.lookup(self._shelf(folder, kind), questions)

    def create(self, folder: str, kind: Kind, drafts: Sequence[Draft]) -> list[Outcome]:
        """Create items; a key that is there already answers with that item."""
        return create.create(self._desk(folder, kind), drafts)

    def update(self, folder: str, kind: Kind, revisions: Sequence[Revision]) -> list[Outcome]:
        """Change the fields named, each item only in the version given."""
        return write.update(self._desk(folder, kind), revisions)

    def delete(self, folder: str, kind: Kind, removals: Sequence[Removal]) -> list[Outcome]:
        """Move items into Deleted Items, each only in the version given."""
        return write.delete(self._desk(folder, kind), removals)

    def mark(self, folder: str, kind: Kind, marks: Sequence[Mark]) -> list[Outcome]:
        """Store markers in a property that people don't see."""
        return write.mark(self._desk(folder, kind), marks)

    def unfit(self, kind: Kind, item: Item, changed: Collection[str] | None = None) -> str:
        """Return why Exchange has no pattern for a series; empty where it has one."""
        if not isinstance(item, Event | Task):
            return ""
        home = self._server.config.time_zone
        return str(kinds.codec(kind).unfit(item, changed, home=home))

    @property
    def room(self) -> int:
        """Return how many bytes the files on one item may have together, as the settings say."""
        return self._server.config.attachment_bytes

    def open_file(self, folder: str, kind: Kind, ref: str, uri: str) -> Iterator[bytes]:
        """Yield the bytes of a file; raises Rejected where an item is attached, not a file."""
        self._check_open()
        return files.read(self._client, uri)

    def attach(self, folder: str, kind: Kind, ref: str, file: Attachment, content: BinaryIO) -> str:
        """Hang a file on an item and return its uri; nothing is mailed. A contact has a picture."""
        if not self._found(folder).writable:
            raise errors.Denied(f"{folder}: this account may only read here", code="read-only")
        hang = files.picture if kind is Kind.CONTACT else files.attach
        return hang(self._client, ref, file, content)

    def detach(self, folder: str, kind: Kind, ref: str, uri: str, *, forget: bool = False) -> None:
        """Take a file off an item; Exchange has no trash for files."""
        if not self._found(folder).writable:
            raise errors.Denied(f"{folder}: this account may only read here", code="read-only")
        files.detach(self._client, uri)

    def restore(self, folder: str, kind: Kind, ref: str) -> Outcome:
        """Answer Gone: Exchange gives what is moved, out of Deleted Items too, another id."""
        self._check_open()
        return Gone(f"{ref}: Exchange brings an item back only under another id")

    def clock(self) -> Reading | None:
        """Return what was seen of the clock at this mailbox last."""
        return self._server.clock(self._principal)

    @property
    def time_zone(self) -> str:
        """Return the zone in which whole days of the person begin."""
        return self._server.config.time_zone

    def replies(self) -> Replies:
        """Return how the mailbox answers by itself."""
        self._check_open()
        return replies.get(self._client)

    def set_replies(self, wanted: Replies) -> None:
        """Let the mailbox answer so by itself."""
        self._check_open()
        replies.put(self._client, wanted)

    def busy(self, people: Sequence[str], start: datetime, end: datetime) -> list[BusySeen]:
        """Return when people of the server are taken, as far as this person may see it."""
        self._check_open()
        return busy.busy(self._client, people, start, end)

    def mail_folders(self) -> tuple[MailFolder, ...]:
        """Return the folders that hold e-mails."""
        self._check_open()
        return mail.folders(self._client)

    def letters(self, folder: str, *, unread: bool = False) -> Iterator[Letter]:
        """Yield a folder's e-mails, newest first, page by page, without their bodies."""
        self._check_open()
        return mail.letters(self._client, folder, self._server.config.page, unread=unread)

    def letter(self, ref: str) -> Original:
        """Return one e-mail with its original."""
        self._check_open()
        return mail.letter(self._client, ref, self._server.config.max_bytes)

    def mark_letters(self, refs: Sequence[str], *, read: bool = True) -> list[Outcome]:
        """Mark e-mails as read or unread, without receipts."""
        self._check_open()
        return mail.mark(self._client, refs, self._server.config.batch, read=read)

    def move_letters(self, refs: Sequence[str], folder: str) -> list[Outcome]:
        """Move e-mails into another folder."""
        self._check_open()
        return mail.move(self._client, refs, folder, self._server.config.batch)

    def make_mail_folder(self, name: str) -> MailFolder:
        """Return the folder of that name at the top of the mailbox, for e-mails."""
        self._check_open()
        return mail.make_folder(self._client, name)

    def store_letter(self, folder: str, raw: bytes) -> str:
        """Lay an e-mail into a folder, sending nothing."""
        self._check_open()
        return mail.store(self._client, folder, raw)

    def discard_letters(self, refs: Sequence[str]) -> list[Outcome]:
        """Move e-mails into Deleted Items, without receipts."""
        self._check_open()
        return mail.discard(self._client, refs, self._server.config.batch)

    def remove_mail_folder(self, folder: str) -> None:
        """Move an empty folder into Deleted Items."""
        self._check_open()
        folders.remove(self._client, folder, "the folder for e-mails")

    def probe(self, folder: str) -> None:
        """Try to read a folder's changes; raises what forbids it."""
        found = self._found(folder)
        self._client.sync(found.place, "", 1)

    def _place(self, *, fresh: bool = False) -> Place:
        self._check_open()
        return self._server.place(self._principal, fresh=fresh)

    def _lacking(self, folder: str) -> Found | None:
        """Return the folder if the first write into it is to make it.

        Another process may have made it since this one last looked: what isn't there is looked
        for once more, or all in it would seem to be nowhere.
        """
        found = self._place().lack(folder)
        if found is not None and not self._looked:
            self._looked = True
            found = self._place(fresh=True).lack(folder)
        return found

    def _found(self, folder: str) -> Found:
        """Return a folder; raises ConfigError where the person has none of this id."""
        found = self._place().folder(folder)
        if found is None or found.trash:
            found = self._place(fresh=True).folder(folder)
        if found is None or found.trash:
            raise ConfigError(
                f"{self._principal} has no folder {folder!r:.200}",
                field="folder",
                hint="choose another folder for the link; its items count as neither deleted nor "
                "moved",
            )
        return found

    def _shelf(self, folder: str, kind: Kind) -> Shelf:
        self._check_open()
        config = self._server.config
        found, adopt = self._found(folder), config.adopt
        return Shelf(self._client, found, kind, config.page, config.time_zone, adopt)

    def _desk(self, folder: str, kind: Kind) -> Desk:
        lacking = self._lacking(folder)
        if lacking is not None:
            folders.make_planned(self._client, lacking)
            self._place(fresh=True)
        shelf = self._shelf(folder, kind)
        return Desk(shelf, self._principal, self._server.config.batch)
