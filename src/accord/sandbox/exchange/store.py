"""What the server remembers: mailboxes, folders, items and change numbers, in one SQLite file.

Every mailbox counts its own changes; a folder's cursor is such a number. What happened is written
down as events, too, for those who subscribed to them.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from lxml import etree

from accord.sandbox.exchange import xml

_TABLES = """
CREATE TABLE IF NOT EXISTS mailbox (
  id INTEGER PRIMARY KEY, address TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
  login TEXT NOT NULL UNIQUE, password TEXT NOT NULL, sid TEXT NOT NULL UNIQUE,
  impersonates INTEGER NOT NULL DEFAULT 0, change INTEGER NOT NULL DEFAULT 1);
CREATE TABLE IF NOT EXISTS proxy (address TEXT PRIMARY KEY, mailbox INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS access (
  mailbox INTEGER NOT NULL, grantee INTEGER NOT NULL, level TEXT NOT NULL,
  PRIMARY KEY (mailbox, grantee));
CREATE TABLE IF NOT EXISTS folder (
  id INTEGER PRIMARY KEY AUTOINCREMENT, mailbox INTEGER NOT NULL, parent INTEGER,
  name TEXT NOT NULL, class TEXT, role TEXT,
  created INTEGER NOT NULL, change INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS folder_parent ON folder (parent);
CREATE INDEX IF NOT EXISTS folder_change ON folder (mailbox, change);
CREATE INDEX IF NOT EXISTS folder_role ON folder (mailbox, role);
CREATE TABLE IF NOT EXISTS folder_gone (
  id INTEGER PRIMARY KEY, mailbox INTEGER NOT NULL, created INTEGER NOT NULL,
  change INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS folder_property (
  folder INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (folder, key));
CREATE TABLE IF NOT EXISTS item (
  id INTEGER PRIMARY KEY AUTOINCREMENT, mailbox INTEGER NOT NULL, folder INTEGER NOT NULL,
  kind TEXT NOT NULL, made TEXT NOT NULL, modified TEXT NOT NULL,
  created INTEGER NOT NULL, updated INTEGER, flagged INTEGER, change INTEGER NOT NULL,
  uid TEXT, first INTEGER, last INTEGER, touched TEXT NOT NULL, content BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS item_created ON item (folder, created);
CREATE INDEX IF NOT EXISTS item_updated ON item (folder, updated) WHERE updated IS NOT NULL;
CREATE INDEX IF NOT EXISTS item_flagged ON item (folder, flagged) WHERE flagged IS NOT NULL;
CREATE INDEX IF NOT EXISTS item_uid ON item (uid) WHERE uid IS NOT NULL;
CREATE INDEX IF NOT EXISTS item_span ON item (folder, last, first) WHERE last IS NOT NULL;
CREATE TABLE IF NOT EXISTS item_gone (
  id INTEGER PRIMARY KEY, folder INTEGER NOT NULL, created INTEGER NOT NULL,
  change INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS item_gone_change ON item_gone (folder, change);
CREATE TABLE IF NOT EXISTS property (
  item INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS property_value ON property (key, value);
CREATE INDEX IF NOT EXISTS property_item ON property (item);
CREATE TABLE IF NOT EXISTS occurrence (
  item INTEGER NOT NULL, original INTEGER NOT NULL, content BLOB, names TEXT NOT NULL,
  PRIMARY KEY (item, original));
CREATE TABLE IF NOT EXISTS attachment (
  id INTEGER PRIMARY KEY AUTOINCREMENT, item INTEGER NOT NULL, original INTEGER NOT NULL,
  name TEXT NOT NULL, type TEXT, cid TEXT, location TEXT, inline INTEGER NOT NULL,
  photo INTEGER NOT NULL, at TEXT NOT NULL, kind TEXT NOT NULL, size INTEGER NOT NULL,
  content BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS attachment_item ON attachment (item);
CREATE TABLE IF NOT EXISTS oof (mailbox INTEGER PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS mail (
  id INTEGER PRIMARY KEY AUTOINCREMENT, mailbox INTEGER NOT NULL, recipient TEXT NOT NULL,
  kind TEXT NOT NULL, subject TEXT NOT NULL, at TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS mail_mailbox ON mail (mailbox);
CREATE TABLE IF NOT EXISTS event (
  id INTEGER PRIMARY KEY AUTOINCREMENT, mailbox INTEGER NOT NULL, at INTEGER NOT NULL,
  kind TEXT NOT NULL, folder INTEGER NOT NULL, row INTEGER NOT NULL, change INTEGER NOT NULL,
  parent INTEGER, old INTEGER, old_parent INTEGER);
CREATE INDEX IF NOT EXISTS event_mailbox ON event (mailbox, id);
CREATE TABLE IF NOT EXISTS event_gone (mailbox INTEGER PRIMARY KEY, last INTEGER NOT NULL);
"""
EVENTS_KEPT = 7 * 86_400
"""Seconds for which a mailbox remembers what happened, as Exchange does."""


@dataclass(slots=True)
class Mailbox:
    """A mailbox with its owner's account; `impersonates` is the application's role."""

    id: int
    address: str
    name: str
    login: str
    password: str = field(repr=False)
    sid: str
    impersonates: bool


@dataclass(slots=True)
class Folder:
    """A folder; `role` is its distinguished name. `created` and `change` are change numbers."""

    id: int
    mailbox: int
    parent: int | None
    name: str
    kind: str | None
    role: str | None
    created: int
    change: int


@dataclass(slots=True)
class Item:
    """An item as kept: `content` has only what was set, `change` is its current change number.

    `created`, `updated` and `flagged` are the numbers of its first change, its last one, and
    the last one that touched only the read mark. `first` and `last` are seconds since 1970
    between which it stands in a calendar. `touched` tells the last change of each property.
    """

    mailbox: int
    folder: int
    kind: str
    content: etree._Element
    made: str
    modified: str
    id: int = 0
    created: int = 0
    updated: int | None = None
    flagged: int | None = None
    change: int = 0
    uid: str | None = None
    first: int | None = None
    last: int | None = None
    touched: dict[str, int] = field(default_factory=dict)
    original: int = 0  # seconds since 1970 where this is an occurrence of the item
    form: str = "Single"  # or Occurrence, Exception

    @property
    def is_meeting(self) -> bool:
        """Tell whether this is a message about a meeting."""
        return self.kind.startswith("Meeting")


@dataclass(frozen=True, slots=True)
class Occurrence:
    """What was changed in an occurrence: its content and which properties of it are its own.

    Without content it was deleted.
    """

    original: int
    content: etree._Element | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that left a mailbox.

    `kind` is request, update, cancellation, response, message or receipt.
    """

    sender: str
    recipient: str
    kind: str
    subject: str
    at: str


_COLUMNS = (
    "mailbox, folder, kind, content, made, modified, id, created, updated, flagged, change, uid,"
    " first, last, touched"
)


class Store:
    """Keep the state of all mailboxes; without a path it lives in memory.

    One writer at a time: every request that changes something holds `writing()` to its end.
    """

    def __init__(
        self,
        path: Path | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        heard: Callable[[set[int]], None] = lambda mailboxes: None,
    ) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._clock = clock
        self._heard = heard
        self._touched: set[int] = set()
        self._base = sqlite3.connect(
            str(path or ":memory:"), check_same_thread=False, isolation_level=None
        )
        self._base.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + _TABLES)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._base.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Make all that is done inside one transaction; an inner one can fail by itself."""
        with self._lock:
            name = f"depth{self._depth}"
            self._depth += 1
            self._base.execute("BEGIN IMMEDIATE" if name == "depth0" else f"SAVEPOINT {name}")
            try:
                yield
            except BaseException:
                self._base.execute("ROLLBACK" if name == "depth0" else f"ROLLBACK TO {name}")
                if name != "depth0":
                    self._base.execute(f"RELEASE {name}")
                else:
                    self._touched = set()
                raise
            else:
                self._base.execute("COMMIT" if name == "depth0" else f"RELEASE {name}")
                if name == "depth0" and self._touched:
                    touched, self._touched = self._touched, set()
                    self._heard(touched)
            finally:
                self._depth -= 1

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """Run a query and return all its rows."""
        with self._lock:
            return self._base.execute(query, values).fetchall()

    def run(self, query: str, *values: object) -> int:
        """Run a statement and return the id of the row it made."""
        with self._lock:
            return self._base.execute(query, values).lastrowid or 0

    def next_change(self, mailbox: int) -> int:
        """Count one more change of a mailbox and return its number."""
        self.run("UPDATE mailbox SET change = change + 1 WHERE id = ?", mailbox)
        self._touched.add(mailbox)
        return self.last_change(mailbox)

    def last_change(self, mailbox: int) -> int:
        """Return the number of a mailbox's latest change."""
        return int(str(self.rows("SELECT change FROM mailbox WHERE id = ?", mailbox)[0][0]))

    # ---- folders ----

    def folders(self, where: str, *values: object) -> list[Folder]:
        """Return the folders that a condition holds for."""
        query = "SELECT id, mailbox, parent, name, class, role, created, change FROM folder WHERE "
        return [Folder(*row) for row in self.rows(query + where, *values)]  # type: ignore[arg-type]

    def add_folder(
        self, mailbox: int, parent: int | None, name: str, kind: str | None, role: str | None = None
    ) -> Folder:
        """Add a folder to a mailbox."""
        change = self.next_change(mailbox)
        row = self.run(
            "INSERT INTO folder (mailbox, parent, name, class, role, created, change)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            *(mailbox, parent, name, kind, role, change, change),
        )
        made = Folder(row, mailbox, parent, name, kind, role, change, change)
        if role is None:
            self.tell_folder("CreatedEvent", made)
        return made

    def put_folder_property(self, folder: int, key: str, value: str) -> None:
        """Keep an extended property of a folder."""
        self.run("INSERT OR REPLACE INTO folder_property VALUES (?, ?, ?)", folder, key, value)

    def folder_property(self, folder: int, key: str) -> str:
        """Return an extended property of a folder; empty where it has none."""
        query = "SELECT value FROM folder_property WHERE folder = ? AND key = ?"
        return str(next((row[0] for row in self.rows(query, folder, key)), ""))

    def remove_folder(self, folder: Folder) -> None:
        """Remove a folder, which must be empty, and remember that it was there."""
        change = self.next_change(folder.mailbox)
        self.run("DELETE FROM folder WHERE id = ?", folder.id)
        self.run("DELETE FROM folder_property WHERE folder = ?", folder.id)
        self.run(
            "INSERT INTO folder_gone (id, mailbox, created, change) VALUES (?, ?, ?, ?)",
            *(folder.id, folder.mailbox, folder.created, change),
        )
        self.tell_folder("DeletedEvent", folder)

    # ---- items ----

    def items(self, where: str, *values: object) -> list[Item]:
        """Return the items that a condition (and an order, and a limit) holds for."""
        query = f"SELECT {_COLUMNS} FROM item WHERE {where}"  # noqa: S608 - of our own making
        return [_item(row) for row in self.rows(query, *values)]

    def count_items(self, folder: int) -> int:
        """Return how many items a folder holds."""
        return int(str(self.rows("SELECT count(*) FROM item WHERE folder = ?", folder)[0][0]))

    def last_in(self, folder: Folder) -> int:
        """Return the number of the latest change of a folder or of what is in it."""
        latest = (
            "SELECT max(max(created), coalesce(max(updated), 0), coalesce(max(flagged), 0))"
            " FROM item WHERE folder = ?"
        )
        gone = "SELECT max(change) FROM item_gone WHERE folder = ?"
        rows = (*self.rows(latest, folder.id), *self.rows(gone, folder.id))
        return max(folder.change, *[int(str(row[0] or 0)) for row in rows])

    def count_unread(self, folder: int) -> int:
        """Return how many messages of a folder nobody has read."""
        query = "SELECT count(*) FROM item WHERE folder = ? AND instr(content, ?) > 0"
        return int(str(self.rows(query, folder, b"<t:IsRead>false</t:IsRead>")[0][0]))

    def item(self, mailbox: int, row: int) -> Item | None:
        """Return an item of a mailbox."""
        found = self.items("id = ? AND mailbox = ?", row, mailbox)
        return found[0] if found else None

    def add_item(
        self,
        item: Item,
        properties: Sequence[tuple[str, str]],
        event: str = "CreatedEvent",
        old: Item | None = None,
    ) -> Item:
        """Add an item with the extended properties by which it can be found.

        `old` is what it was moved or copied from, `event` the name of what happened.
        """
        item.created = item.change = self.next_change(item.mailbox)
        item.updated = item.flagged = None
        item.touched = {}
        item.id = 0
        item.id = self.run(
            f"INSERT INTO item ({_COLUMNS}) VALUES ({', '.join('?' * 15)})",  # noqa: S608
            *_row(item),
        )
        self._index(item.id, properties)
        self.tell_item(event, item, old)
        return item

    def change_item(
        self, item: Item, paths: Sequence[str], properties: Sequence[tuple[str, str]]
    ) -> None:
        """Write an item back whose properties at these paths have changed."""
        item.change = self.next_change(item.mailbox)
        if list(paths) == ["message:IsRead"]:
            item.flagged = item.change
        else:
            item.updated = item.change
        item.touched.update(dict.fromkeys(paths, item.change))
        pairs = [f"{name.strip()} = ?" for name in _COLUMNS.split(",")]
        self.run(
            f"UPDATE item SET {', '.join(pairs)} WHERE id = ?",  # noqa: S608
            *_row(item),
            item.id,
        )
        self.run("DELETE FROM property WHERE item = ?", item.id)
        self._index(item.id, properties)
        self.tell_item("ModifiedEvent", item)

    def remove_item(self, item: Item, *, moved: bool = False) -> None:
        """Remove an item from its folder and remember that it was there.

        One that `moved` within its mailbox is not told to be deleted.
        """
        change = self.next_change(item.mailbox)
        self.run("DELETE FROM item WHERE id = ?", item.id)
        self.run("DELETE FROM property WHERE item = ?", item.id)
        self.run("DELETE FROM attachment WHERE item = ?", item.id)
        self.drop_occurrences(item.id)
        self.run(
            "INSERT INTO item_gone (id, folder, created, change) VALUES (?, ?, ?, ?)",
            *(item.id, item.folder, item.created, change),
        )
        if not moved:
            self.tell_item("DeletedEvent", item)

    # ---- events ----

    def tell_item(self, kind: str, item: Item, old: Item | None = None) -> None:
        """Write down what happened to an item, and that its folder is not what it was."""
        before = (None, None) if old is None else (old.id, old.folder)
        self._tell(item.mailbox, kind, False, item.id, item.change, item.folder, *before)
        for folder in {item.folder, before[1] or item.folder}:
            for each in self.folders("id = ?", folder):
                self.tell_folder("ModifiedEvent", each)

    def tell_folder(self, kind: str, folder: Folder, old_parent: int | None = None) -> None:
        """Write down what happened to a folder; `old_parent` is where it was moved from."""
        old = None if old_parent is None else folder.id
        given = (folder.id, folder.change, folder.parent, old, old_parent)
        self._tell(folder.mailbox, kind, True, *given)

    def _tell(self, mailbox: int, kind: str, folder: bool, *given: int | None) -> None:
        now = int(self._clock().timestamp())
        row = self.run(
            "INSERT INTO event (mailbox, at, kind, folder, row, change, parent, old, old_parent)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            *(mailbox, now, kind, folder, *given),
        )
        if row % 1000 == 0:
            self.forget_events(now - EVENTS_KEPT)

    def forget_events(self, before: int) -> None:
        """Drop the events from before a moment, in seconds since 1970, and remember up to where."""
        self.run(
            "REPLACE INTO event_gone SELECT mailbox, max(id) FROM event WHERE at < ?"
            " GROUP BY mailbox",
            before,
        )
        self.run("DELETE FROM event WHERE at < ?", before)

    # ---- occurrences ----

    def occurrences(self, item: int) -> dict[int, Occurrence]:
        """Return the changed and deleted occurrences of a series by their original starts."""
        query = "SELECT original, content, names FROM occurrence WHERE item = ?"
        found = {}
        for original, content, names in self.rows(query, item):
            node = None if content is None else xml.parse(content)  # type: ignore[arg-type]
            number = int(str(original))
            found[number] = Occurrence(number, node, tuple(str(names).split()))
        return found

    def put_occurrence(self, item: int, changed: Occurrence) -> None:
        """Keep what was changed in an occurrence, or that it is gone."""
        content = None if changed.content is None else etree.tostring(changed.content)
        self.run(
            "REPLACE INTO occurrence (item, original, content, names) VALUES (?, ?, ?, ?)",
            *(item, changed.original, content, " ".join(changed.names)),
        )

    def drop_occurrences(self, item: int) -> None:
        """Forget what was changed in the occurrences of a series."""
        self.run("DELETE FROM attachment WHERE item = ? AND original != 0", item)
        self.run("DELETE FROM occurrence WHERE item = ?", item)

    # ---- mail ----

    def send(self, sender: Mailbox, recipient: str, kind: str, subject: str, at: str) -> None:
        """Count a mail that leaves a mailbox."""
        self.run(
            "INSERT INTO mail (mailbox, recipient, kind, subject, at) VALUES (?, ?, ?, ?, ?)",
            *(sender.id, recipient, kind, subject, at),
        )

    def mails(self, sender: str | None = None) -> list[Mail]:
        """Return the mails that left all mailboxes or one, in their order."""
        query = (
            "SELECT address, recipient, kind, subject, at FROM mail JOIN mailbox"
            " ON mailbox.id = mail.mailbox WHERE ? IS NULL OR address = ? ORDER BY mail.id"
        )
        return [Mail(*map(str, row)) for row in self.rows(query, sender, sender)]

    def _index(self, item: int, properties: Sequence[tuple[str, str]]) -> None:
        for key, value in properties:
            self.run("INSERT INTO property (item, key, value) VALUES (?, ?, ?)", item, key, value)


def _item(row: tuple[object, ...]) -> Item:
    found = Item(*row)  # type: ignore[arg-type]
    found.content = xml.parse(row[3])  # type: ignore[arg-type]
    found.touched = json.loads(str(row[14]))
    return found


def _row(item: Item) -> tuple[object, ...]:
    return (
        *(item.mailbox, item.folder, item.kind, etree.tostring(item.content), item.made),
        *(item.modified, item.id or None, item.created, item.updated, item.flagged, item.change),
        *(item.uid, item.first, item.last, json.dumps(item.touched)),
    )
