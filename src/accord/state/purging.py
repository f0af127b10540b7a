"""Purge a person: take what state tells of them out of every table, the journal's texts too.

`service/erasing.py` calls it, once for an erasure and again for each one that a backup missed.
What names them is looked for beside the work of others, and goes in many short transactions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Column, Select, Table, delete, or_, select, update

from accord.db.tx import AnyRow, chunks
from accord.model.item import Contact
from accord.model.kinds import Kind
from accord.model.learning import learnt
from accord.model.observe import Snapshot
from accord.state.append_only import changeable
from accord.state.blobs import Blobs
from accord.state.codec import unpack
from accord.state.context import SEALED, Context
from accord.state.job_tables import CAUSES, JOBS
from accord.state.leases import Leases
from accord.state.schema import (
    BLOBS,
    DECISIONS,
    DEVICE_ITEMS,
    FILES,
    INTENTS,
    JOURNAL,
    LEASES,
    LINKS,
    PAIRINGS,
    PENDING,
    RUNS,
    SETTINGS,
    SYNC_NOTES,
    SYNC_SESSIONS,
)
from accord.state.template_tables import HANDOVERS
from accord.state.templates import Handover

T = TypeVar("T")

ERASED = "what was said here is erased"
SLICE = 500
"""How many rows are read, or go, in one transaction: then others have their turn."""

_TROUBLE = ("trouble/", "mailbox/")
"""How the settings begin that say what servers answered last to visits of a link."""

_REFS = ("ref", "counterpart", "crm", "groupware")
"""What steps call the refs of items (`engine.plan`)."""

_ADDRESS = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)*")

Opening = Callable[[], AbstractContextManager[Context]]
Known = Callable[[str], bool]


class Purged(Struct, frozen=True, kw_only=True):
    """Say what was taken out; `kept` are snapshots of items on which both sides agree now.

    They say what stands in CRM and mailbox, where the person who was asked for is named, too.
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


class Purge:
    """Take a person out of one database; `known` tells which addresses and refs are theirs.

    `read` opens what only reads, `begin` what writes. Of snapshots that stay, and of entries, those
    are counted that are about whom `asked` tells, by default all that are known. Whatever breaks
    off, doing it again completes it. With `empty` pairs of theirs stay without their content, so
    that a visit finds and deletes a copy that may still stand; it is for records that are erased.
    """

    def __init__(
        self,
        read: Opening,
        begin: Opening,
        known: Known,
        asked: Known | None = None,
        *,
        empty: bool = False,
    ) -> None:
        """Keep the ways in."""
        self._read, self._begin, self._known = read, begin, known
        self._asked, self._empty = asked or known, empty

    def purge(self) -> Purged:
        """Take everything out that names them, and what is about a record of theirs."""
        pairs, digests = self._pairs()
        naming, asked = self._naming()
        entries, more = self._entries()
        images = naming | digests | more
        decisions = self._decisions()
        waiting = self._steps(PENDING.c.id, PENDING.c.step, "pending:")
        waiting += self._steps(INTENTS.c.id, INTENTS.c.step, "intent:")
        waiting += self._worded(select(PENDING.c.id, PENDING.c.why), PENDING.c.id)
        gone, kept = self._images(images)
        devices = self._devices(images - kept)
        runs = self._runs()
        begins = or_(*(SETTINGS.c.key.startswith(each) for each in _TROUBLE))
        troubles = select(SETTINGS.c.key, SETTINGS.c.value).where(begins)
        self._worded(troubles, SETTINGS.c.key)
        self._offers()
        self._leases()
        return Purged(
            pairs=pairs,
            images=gone,
            entries=entries,
            decisions=decisions,
            waiting=waiting,
            devices=devices,
            runs=runs,
            kept=len(kept & asked),
        )

    def _pairs(self) -> tuple[int, set[str]]:
        """Let go of pairs that are about a record of theirs; return their snapshots' digests.

        Or empty them; of pairs that were let go before no visit deletes the copy.
        """
        row = PAIRINGS.c
        query = select(row.id, row.crm_ref, row.groupware_ref, row.crm_blob, row.groupware_blob)
        query = query.add_columns(row.frozen, LINKS.c.kind)
        query = query.join(LINKS, LINKS.c.id == row.link, isouter=True)
        theirs = [e for e in self._rows(query, row.id) if self._known(e[1]) or self._known(e[2])]
        stay, gone = list[str](), list[str]()
        for each in theirs:
            stays = self._empty and not each.frozen and each.kind == Kind.CONTACT
            (stay if stays else gone).append(each.id)

        def remove(context: Context, some: list[str]) -> int:
            context.db.execute(delete(FILES).where(FILES.c.pairing.in_(some)))
            return context.db.execute(delete(PAIRINGS).where(row.id.in_(some))).rowcount

        def empty(context: Context, some: list[str]) -> int:
            context.db.execute(delete(FILES).where(FILES.c.pairing.in_(some)))
            blobs = Blobs(context)
            for column in (row.crm_blob, row.groupware_blob):
                found = context.db.execute(select(row.id, column).where(row.id.in_(some))).all()
                known = blobs.get_items(digest for _, digest in found)
                for key, digest in found:
                    if digest not in known:
                        continue
                    (blank,) = blobs.put_items([_emptied(known[digest])])
                    change = update(PAIRINGS).where(row.id == key, column == digest)
                    context.db.execute(change.values({column: blank}))
            return len(some)

        count = self._slices(gone, remove) + self._slices(stay, empty)
        return count, {digest for each in theirs for digest in (each[3], each[4])}

    def _naming(self) -> tuple[set[str], set[str]]:
        """Return the digests of the images that name them, and of those who is asked for."""
        naming, asked = set[str](), set[str]()
        for digest, data in self._rows(select(BLOBS.c.digest, BLOBS.c.data), BLOBS.c.digest):
            named = addresses_in(self._text(data, digest))
            if any(map(self._known, named)):
                naming.add(digest)
            if any(map(self._asked, named)):
                asked.add(digest)
        return naming, asked

    def _images(self, images: set[str]) -> tuple[int, set[str]]:
        """Remove images but those that pairs stand on; return how many went, and which stay."""
        kept: set[str] = set()

        def remove(context: Context, some: list[str]) -> int:
            # A visit may be pairing one of these just now: it is waited for, and asked.
            Blobs(context).freeze(some)
            columns = (PAIRINGS.c.crm_blob, PAIRINGS.c.groupware_blob)
            stand = {
                each
                for column in columns
                for each in context.db.execute(select(column).where(column.in_(some))).scalars()
            }
            kept.update(stand)
            gone = delete(BLOBS).where(BLOBS.c.digest.in_(sorted(set(some) - stand)))
            return context.db.execute(gone).rowcount

        return self._slices(sorted(images), remove), kept

    def _entries(self) -> tuple[int, set[str]]:
        """Blank the journal's texts that name them; return of entries about them the images."""
        row, images, texts, count = JOURNAL.c, set[str](), dict[int, list[str]](), 0
        query = select(
            row.id, row.ref, row.counterpart, row.fields, row.before, row.after
        ).add_columns(row.why, row.actor, row.error, row.link)
        with self._read() as context:
            links = set(context.db.execute(select(LINKS.c.id)).scalars())
        for each in self._rows(query, row.id, 0):
            about = self._known(each.ref) or self._known(each.counterpart)
            naming = [n for n in ("why", "actor", "error") if self._named(getattr(each, n))]
            for name in ("ref", "counterpart"):
                ref = getattr(each, name)
                # A ref that holds an address is needed as long as its step can be undone; where a
                # mailbox was meant and no item, an address stands in place of a ref.
                if self._named(ref) and (each.link not in links or _is_address(ref)):
                    naming.append(name)
            if about:
                images.update(d for d in (each.fields, each.before, each.after) if d)
            if naming:
                texts[each.id] = naming
            # Of others, who were erased before, nothing is left to be counted.
            count += bool(naming) or self._asked(each.ref) or self._asked(each.counterpart)

        def blank(context: Context, some: list[int]) -> int:
            with changeable(context.db.connection, JOURNAL, "undone_by"):
                for number in some:
                    values = {name: ERASED if name == "why" else "" for name in texts[number]}
                    change = update(JOURNAL).where(row.id == number).values(values)
                    context.db.execute(change)
            return len(some)

        self._slices(list(texts), blank)
        return count, images

    def _decisions(self) -> int:
        row = DECISIONS.c
        query = select(row.link, row.side, row.ref, row.label, row.why, row.uid)
        with self._read() as context:
            gone = [
                each[:3]
                for each in context.db.execute(query)
                if self._known(each.ref) or any(self._named(str(text)) for text in each[3:])
            ]

        def remove(context: Context, some: list[tuple[str, str, str]]) -> int:
            for link, side, ref in some:
                which = (row.link == link, row.side == side, row.ref == ref)
                context.db.execute(delete(DECISIONS).where(*which))
            return len(some)

        return self._slices([tuple(each) for each in gone], remove)

    def _devices(self, images: set[str]) -> int:
        """Take out what is kept of phones' conversations and lost edits."""
        count = self._sealed(SYNC_NOTES.c.id, SYNC_NOTES.c.item, "sync-note:")
        for column in (SYNC_SESSIONS.c.data, SYNC_SESSIONS.c.reply):
            count += self._sealed(SYNC_SESSIONS.c.id, column, "sync-session:")

        def forget(context: Context, some: list[str]) -> int:
            change = update(DEVICE_ITEMS).where(DEVICE_ITEMS.c.base.in_(some)).values(base="")
            return context.db.execute(change).rowcount

        return count + self._slices(sorted(images), forget)

    def _runs(self) -> int:
        """Blank the reports of visits and of jobs that name them; forget such causes of trouble."""
        runs = select(RUNS.c.id, RUNS.c.error, RUNS.c.counts)
        jobs = select(JOBS.c.name, JOBS.c.words, JOBS.c.hint)
        causes = select(CAUSES.c.id, CAUSES.c.words, CAUSES.c.hint, CAUSES.c.names)

        def naming(query: Select[*tuple[str, *tuple[object, ...]]], key: Column[str]) -> list[str]:
            found = self._rows(query, key)
            return [e[0] for e in found if self._named(" ".join(map(str, e[1:])))]

        def blank(table: Table, key: Column[str], **values: object) -> Callable[..., int]:
            def change(context: Context, some: list[str]) -> int:
                query = update(table).where(key.in_(some)).values(**values)
                return context.db.execute(query).rowcount

            return change

        def remove(context: Context, some: list[str]) -> int:
            return context.db.execute(delete(CAUSES).where(CAUSES.c.id.in_(some))).rowcount

        count = self._slices(naming(runs, RUNS.c.id), blank(RUNS, RUNS.c.id, error="", counts={}))
        self._slices(naming(jobs, JOBS.c.name), blank(JOBS, JOBS.c.name, words=ERASED, hint=""))
        self._slices(naming(causes, CAUSES.c.id), remove)
        return count

    def _offers(self) -> None:
        """Take them out of the titles of appointments that leavers' successors were offered."""
        row = HANDOVERS.c
        found = self._rows(select(row.user, row.body), row.user)
        naming = [user for user, body in found if self._named(bytes(body).decode())]

        def blank(context: Context, some: list[str]) -> int:
            for user, body in context.db.execute(
                select(row.user, row.body).where(row.user.in_(some))
            ).all():
                offer = msgspec.json.decode(body, type=learnt(Handover))
                kept = tuple(
                    replace(one, title="") if self._named(one.title) else one
                    for one in offer.appointments
                )
                fresh = msgspec.json.encode(replace(offer, appointments=kept))
                change = update(HANDOVERS).where(row.user == user).values(body=fresh)
                context.db.execute(change)
            return len(some)

        self._slices(naming, blank)

    def _leases(self) -> None:
        """Forget free leases on mailboxes of theirs that no link is on any more."""
        name = LEASES.c.name
        theirs = [each[0] for each in self._rows(select(name), name) if self._named(each[0])]

        def remove(context: Context, some: list[str]) -> int:
            links = context.db.execute(select(LINKS.c.target, LINKS.c.principal).distinct())
            linked = tuple(f"{target}/{principal}/" for target, principal in links)
            gone = [one for one in some if not f"{one.partition(':')[2]}/".startswith(linked)]
            return Leases(context).forget(gone)

        self._slices(theirs, remove)

    # how it is read and written

    def _worded(self, query: Select[*tuple[str, object]], key: Column[str]) -> int:
        """Remove the rows whose words name them; return how many."""
        gone = [each[0] for each in self._rows(query, key) if self._named(str(each[1]))]

        def remove(context: Context, some: list[str]) -> int:
            return context.db.execute(delete(key.table).where(key.in_(some))).rowcount

        return self._slices(gone, remove)

    def _steps(self, key: Column[str], data: Column[bytes], record: str) -> int:
        """Remove the rows whose steps name them or are about a record of theirs; return how many.

        By ref, too: a contact may have no address by which it would be found.
        """

        def told(text: str) -> bool:
            return self._named(text) or any(map(self._known, _refs(msgspec.json.decode(text))))

        return self._sealed(key, data, record, told)

    def _sealed(
        self, key: Column[str], data: Column[bytes], record: str, told: Known | None = None
    ) -> int:
        """Remove the rows whose data name them, or what `told` says; return how many."""
        rows = self._rows(select(key, data).where(data.is_not(None)), key)
        told = told or self._named
        gone = [id_ for id_, content in rows if told(self._text(content, record + id_))]

        def remove(context: Context, some: list[str]) -> int:
            return context.db.execute(delete(key.table).where(key.in_(some))).rowcount

        return self._slices(gone, remove)

    def _rows(
        self, query: Select[*tuple[object, ...]], key: Column[T], first: object = ""
    ) -> Iterator[AnyRow]:
        """Yield rows in the order of a key; between two pages nothing is open."""
        last = first
        while True:
            page = query.where(key > last).order_by(key).limit(SLICE)
            with self._read() as context:
                rows = context.db.execute(page).all()
                self._keys = context
            yield from rows
            if len(rows) < SLICE:
                return
            last = rows[-1][0]

    def _slices(self, keys: Iterable[T], work: Callable[[Context, list[T]], int]) -> int:
        """Do some at a time, each in a transaction of its own; return what they come to."""
        count = 0
        for some in chunks(keys, SLICE):
            with self._begin() as context:
                if context.db.dialect == "sqlite":
                    # What is deleted leaves its bytes in the file otherwise.
                    context.db.connection.exec_driver_sql("PRAGMA secure_delete = ON")
                count += work(context, some)
        return count

    def _text(self, data: bytes, record: str) -> str:
        if data[:1] == SEALED:
            data = self._keys.require_keys().open(data[1:], record)
        return unpack(data).decode("utf-8", "replace")

    def _named(self, text: str) -> bool:
        return any(self._known(address) for address in addresses_in(text))


def _emptied(snapshot: Snapshot) -> Snapshot:
    """Return a contact's snapshot with nothing but what finds the contact on its side."""
    return replace(snapshot, item=Contact(uid=snapshot.item.uid), modified=None, by="")


def _is_address(text: str) -> bool:
    """Tell whether a text is an address and nothing else."""
    return addresses_in(text) == {text.casefold()}


def _refs(told: object) -> Iterator[str]:
    """Yield what a step tells of items by ref: where it names one, and within its snapshots."""
    if isinstance(told, dict):
        for name, value in told.items():
            if name in _REFS and isinstance(value, str):
                yield value
            else:
                yield from _refs(value)
    elif isinstance(told, list):
        for value in told:
            yield from _refs(value)
