"""Purge a person: take what state tells of them out of every table, the journal's texts too.

`service/erasing.py` calls it, once for an erasure and again for each one that a backup missed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from msgspec import Struct
from sqlalchemy import ColumnElement, Table, delete, select, update

from accord.db.tx import chunks
from accord.state.append_only import changeable
from accord.state.blobs import Blobs
from accord.state.codec import unpack
from accord.state.context import SEALED, Repository
from accord.state.schema import (
    BLOBS,
    DECISIONS,
    DEVICE_ITEMS,
    FILES,
    INTENTS,
    JOURNAL,
    PAIRINGS,
    PENDING,
    RUNS,
    SYNC_NOTES,
    SYNC_SESSIONS,
)

ERASED = "what was said here is erased"
_ADDRESS = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)*")
_PAGE = 500


class Purged(Struct, frozen=True, kw_only=True):
    """Say what was taken out; `kept` are snapshots of items on which both sides agree now.

    They say what stands in CRM and mailbox, where the person is named, too.
    """

    pairs: int = 0
    images: int = 0
    entries: int = 0
    decisions: int = 0
    waiting: int = 0
    devices: int = 0
    runs: int = 0
    kept: int = 0


def addresses_in(text: str) -> set[str]:
    """Return all e-mail addresses in a text, casefolded."""
    return {each.casefold() for each in _ADDRESS.findall(text)}


class Purging(Repository):
    """Take a person out of one database; `known` tells which addresses and refs are theirs."""

    def purge(self, known: Callable[[str], bool]) -> Purged:
        """Take everything out that names them, and what is about a record of theirs."""
        if self.db.dialect == "sqlite":
            # What is deleted leaves its bytes in the file otherwise.
            self.db.connection.exec_driver_sql("PRAGMA secure_delete = ON")
        pairs, digests = self._pairs(known)
        kept, images = self._images(known)
        entries, more = self._entries(known)
        images |= (digests | more) - kept
        decisions = self._decisions(known)
        waiting = self._waiting(known, PENDING, "pending:") + self._waiting(
            known, INTENTS, "intent:"
        )
        devices = self._devices(known, images)
        runs = self._runs(known)
        # A visit may be pairing one of these just now: its transaction is waited for, and asked.
        Blobs(self.context).freeze(images)
        now_kept = self._standing() & images
        kept |= now_kept
        images -= now_kept
        gone = sum(
            self.db.execute(delete(BLOBS).where(BLOBS.c.digest.in_(part))).rowcount
            for part in chunks(sorted(images))
        )
        return Purged(
            pairs=pairs,
            images=gone,
            entries=entries,
            decisions=decisions,
            waiting=waiting,
            devices=devices,
            runs=runs,
            kept=len(kept & self._naming),
        )

    def _pairs(self, known: Callable[[str], bool]) -> tuple[int, set[str]]:
        """Let go of pairs that are about a record of theirs; return their snapshots' digests."""
        row = PAIRINGS.c
        query = select(row.id, row.crm_ref, row.groupware_ref, row.crm_blob, row.groupware_blob)
        gone = [each for each in self.db.execute(query) if known(each[1]) or known(each[2])]
        for part in chunks([each[0] for each in gone]):
            self.db.execute(delete(PAIRINGS).where(PAIRINGS.c.id.in_(part)))
            self.db.execute(delete(FILES).where(FILES.c.pairing.in_(part)))
        return len(gone), {digest for each in gone for digest in each[3:]}

    def _images(self, known: Callable[[str], bool]) -> tuple[set[str], set[str]]:
        """Return the digests that pairs stand on, and of the others those that name the person."""
        kept = self._standing()
        self._naming = {
            digest
            for digest, data in self._pages(BLOBS.c.digest, BLOBS.c.data)
            if self._names(known, data, digest)
        }
        return kept, self._naming - kept

    def _standing(self) -> set[str]:
        """Return the digests that pairs stand on at this moment."""
        columns = (PAIRINGS.c.crm_blob, PAIRINGS.c.groupware_blob)
        return {each for c in columns for each in self.db.execute(select(c)).scalars()}

    def _entries(self, known: Callable[[str], bool]) -> tuple[int, set[str]]:
        """Blank the journal's texts that name them; return of entries about them the images."""
        row, images, texts, count = JOURNAL.c, set[str](), [], 0
        query = select(
            row.id, row.ref, row.counterpart, row.fields, row.before, row.after
        ).add_columns(row.why, row.actor, row.error)
        for each in self.db.execute(query):
            about = known(each.ref) or known(each.counterpart)
            naming = [n for n in ("why", "actor", "error") if _named(known, getattr(each, n))]
            if about:
                images.update(d for d in (each.fields, each.before, each.after) if d)
            if naming:
                texts.append((each.id, naming))
            count += bool(about or naming)
        if texts:
            with changeable(self.db.connection, JOURNAL, "undone_by"):
                for number, names in texts:
                    blank = {name: ERASED if name == "why" else "" for name in names}
                    self.db.execute(update(JOURNAL).where(row.id == number).values(blank))
        return count, images

    def _decisions(self, known: Callable[[str], bool]) -> int:
        row = DECISIONS.c
        query = select(row.link, row.side, row.ref, row.label, row.why, row.uid)
        gone = [
            each
            for each in self.db.execute(query)
            if known(each.ref) or any(_named(known, str(text)) for text in each[3:])
        ]
        for link, side, ref, *_ in gone:
            which = (row.link == link, row.side == side, row.ref == ref)
            self.db.execute(delete(DECISIONS).where(*which))
        return len(gone)

    def _waiting(self, known: Callable[[str], bool], table: Table, record: str) -> int:
        gone = [
            key
            for key, data in self._pages(table.c.id, table.c.step)
            if self._names(known, data, record + key)
        ]
        return self._delete(table.c.id, gone)

    def _devices(self, known: Callable[[str], bool], images: set[str]) -> int:
        """Take out what is kept of phones' conversations and lost edits."""
        count = 0
        for table, columns, record in (
            (SYNC_NOTES, (SYNC_NOTES.c.item,), "sync-note:"),
            (SYNC_SESSIONS, (SYNC_SESSIONS.c.data, SYNC_SESSIONS.c.reply), "sync-session:"),
        ):
            gone = {
                key
                for column in columns
                for key, data in self._pages(table.c.id, column)
                if self._names(known, data, record + key)
            }
            count += self._delete(table.c.id, sorted(gone))
        for part in chunks(sorted(images)):
            change = update(DEVICE_ITEMS).where(DEVICE_ITEMS.c.base.in_(part)).values(base="")
            count += self.db.execute(change).rowcount
        return count

    def _runs(self, known: Callable[[str], bool]) -> int:
        gone = [
            each.id
            for each in self.db.execute(select(RUNS.c.id, RUNS.c.error, RUNS.c.counts))
            if _named(known, f"{each.error} {each.counts}")
        ]
        for part in chunks(gone):
            blank = update(RUNS).where(RUNS.c.id.in_(part)).values(error="", counts={})
            self.db.execute(blank)
        return len(gone)

    def _delete(self, column: ColumnElement[str], keys: list[str]) -> int:
        table = column.table
        return sum(
            self.db.execute(delete(table).where(column.in_(part))).rowcount for part in chunks(keys)
        )

    def _pages(
        self, key: ColumnElement[str], data: ColumnElement[bytes]
    ) -> Iterator[tuple[str, bytes]]:
        last = ""
        while rows := self.db.execute(
            select(key, data).where(key > last).order_by(key).limit(_PAGE)
        ).all():
            yield from ((row[0], row[1]) for row in rows if row[1] is not None)
            last = rows[-1][0]

    def _names(self, known: Callable[[str], bool], data: bytes, record: str) -> bool:
        if data[:1] == SEALED:
            data = self.context.require_keys().open(data[1:], record)
        return _named(known, unpack(data).decode("utf-8", "replace"))


def _named(known: Callable[[str], bool], text: str) -> bool:
    return any(known(address) for address in addresses_in(text))
