"""Conversations under way, so that any process can go on with them, and answer twice alike.

Written once per message by the server; the log beside it says what syncs did and refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct
from sqlalchemy import delete, select

from accord.db.tx import AnyRow, chunks
from accord.state.context import Repository
from accord.state.ids import new_id
from accord.state.schema import SYNC_NOTES, SYNC_SESSIONS, SYNCS

KEPT = timedelta(days=365)
"""How long the log of syncs goes back."""

MOST = 100
"""How many conversations of one user are kept."""

_NOTES_SHOWN = 1000


class StoredSession(Struct, frozen=True, kw_only=True):
    """Be a conversation: its state, and the last message's digest with the reply to it."""

    device: str
    session: str
    user: str
    data: bytes
    digest: str
    reply: bytes
    at: datetime


class SyncSessions(Repository):
    """Keep conversations; all of it is encrypted, since parts of items may be in it."""

    def of(self, device: str, session: str, since: datetime) -> list[StoredSession]:
        """Return the conversations under a name that went on after `since`: at most one a user.

        Devices choose both names, so those of different people may be alike.
        """
        query = select(SYNC_SESSIONS).where(
            SYNC_SESSIONS.c.device == device, SYNC_SESSIONS.c.at > since
        )
        rows = self.db.execute(query).all()
        return [
            StoredSession(
                device=device,
                session=session,
                user=row.user,
                data=self.context.unwrap(row.data, _record(row.id)),
                digest=row.digest,
                reply=self.context.unwrap(row.reply, _record(row.id)),
                at=row.at,
            )
            for row in rows
            if row.id == _id(device, session, row.user)
        ]

    def latest(self, device: str, user: str) -> bytes | None:
        """Return the state of a user's last conversation with a device, while it is kept."""
        query = select(SYNC_SESSIONS.c.id, SYNC_SESSIONS.c.data).where(
            SYNC_SESSIONS.c.device == device, SYNC_SESSIONS.c.user == user
        )
        row = self.db.execute(query.order_by(SYNC_SESSIONS.c.at.desc()).limit(1)).first()
        return None if row is None else self.context.unwrap(row.data, _record(row.id))

    def put(
        self, device: str, session: str, user: str, data: bytes, digest: str, reply: bytes
    ) -> None:
        """Store how a conversation stands; a user's other ones with the device are over."""
        others = (SYNC_SESSIONS.c.device == device, SYNC_SESSIONS.c.user == user)
        id_ = _id(device, session, user)
        self.db.execute(delete(SYNC_SESSIONS).where(*others, SYNC_SESSIONS.c.id != id_))
        record = _record(id_)
        row = {
            "id": id_,
            "device": device,
            "user": user,
            "data": self.context.wrap(data, record, private=True),
            "digest": digest,
            "reply": self.context.wrap(reply, record, private=True),
            "at": self.context.now(),
        }
        self.db.upsert(SYNC_SESSIONS, [row])

    def trim(self, user: str) -> None:
        """Forget a user's oldest conversations, where there are more than any user has devices."""
        query = select(SYNC_SESSIONS.c.id).where(SYNC_SESSIONS.c.user == user)
        many = query.order_by(SYNC_SESSIONS.c.at.desc(), SYNC_SESSIONS.c.id).offset(MOST - 1)
        for some in chunks(self.db.execute(many).scalars().all()):
            self.db.execute(delete(SYNC_SESSIONS).where(SYNC_SESSIONS.c.id.in_(some)))

    def prune(self, before: datetime) -> int:
        """Forget conversations that nobody went on with; return how many."""
        gone = delete(SYNC_SESSIONS).where(SYNC_SESSIONS.c.at <= before)
        return self.db.execute(gone).rowcount


class Sync(Struct, frozen=True, kw_only=True):
    """Be one sync of one store in the log: who, when, how, what was done, how it ended."""

    id: str
    at: datetime
    user: str
    device: str
    store: str
    mode: str
    counts: dict[str, int] = {}
    end: str = ""


class SyncNote(Struct, frozen=True, kw_only=True):
    """Be one item that was refused or lost a conflict; `item` is the loser as canonical JSON.

    The log gives it an `id` when it takes it.
    """

    id: str = ""
    what: str
    luid: str = ""
    ref: str = ""
    why: str = ""
    item: bytes | None = None


class SyncLog(Repository):
    """Keep what syncs did, for people to read."""

    def put(self, sync: Sync) -> None:
        """Store a sync as it stands."""
        self.db.upsert(SYNCS, [msgspec.structs.asdict(sync)])

    def add(self, sync: Sync) -> None:
        """Add what was counted to the line of that id, which begins with it where there is none."""
        query = select(SYNCS.c.counts).where(SYNCS.c.id == sync.id).with_for_update()
        counts = dict(self.db.execute(query).scalar() or {})
        for what, number in sync.counts.items():
            counts[what] = counts.get(what, 0) + number
        self.put(msgspec.structs.replace(sync, counts=counts))

    def note(self, notes: Sequence[tuple[str, SyncNote]]) -> None:
        """Add items that were refused or lost, each with the id of its sync."""
        self.db.insert(SYNC_NOTES, [self._row(sync, note) for sync, note in notes])

    def query(self, *, user: str = "", limit: int = 50) -> list[Sync]:
        """Return syncs, newest first."""
        query = select(SYNCS).order_by(SYNCS.c.at.desc(), SYNCS.c.id.desc()).limit(limit)
        if user:
            query = query.where(SYNCS.c.user == user)
        return [_sync(row) for row in self.db.execute(query)]

    def notes(self, sync: str) -> list[SyncNote]:
        """Return what was refused or lost in a sync."""
        query = select(SYNC_NOTES).where(SYNC_NOTES.c.sync == sync).order_by(SYNC_NOTES.c.id)
        return [self._noted(row) for row in self.db.execute(query.limit(_NOTES_SHOWN))]

    def lost(self, note: str) -> tuple[Sync, SyncNote] | None:
        """Return what is noted under an id, and in which sync that was."""
        row = self.db.execute(select(SYNC_NOTES).where(SYNC_NOTES.c.id == note)).first()
        if row is None:
            return None
        sync = self.db.execute(select(SYNCS).where(SYNCS.c.id == row.sync)).one()
        return _sync(sync), self._noted(row)

    def _noted(self, row: AnyRow) -> SyncNote:
        item = row.item
        if item is not None:
            item = self.context.unwrap(item, f"sync-note:{row.id}")
        return SyncNote(
            id=row.id, what=row.what, luid=row.luid, ref=row.ref, why=row.why, item=item
        )

    def refused(
        self,
        *,
        user: str | None = None,
        ref: str | None = None,
        before: datetime | None = None,
        limit: int = 100,
    ) -> list[tuple[Sync, SyncNote]]:
        """Return items that were refused, without themselves, those of the newest sync first."""
        query = select(*SYNCS.c, *(SYNC_NOTES.c[name] for name in ("what", "luid", "ref", "why")))
        query = query.join_from(SYNC_NOTES, SYNCS).where(SYNC_NOTES.c.what == "refused")
        if user is not None:
            query = query.where(SYNCS.c.user == user)
        if ref is not None:
            query = query.where(SYNC_NOTES.c.ref == ref)
        if before is not None:
            query = query.where(SYNCS.c.at < before)
        query = query.order_by(SYNCS.c.at.desc(), SYNC_NOTES.c.id.desc()).limit(limit)
        return [
            (_sync(row), SyncNote(what=row.what, luid=row.luid, ref=row.ref, why=row.why))
            for row in self.db.execute(query)
        ]

    def _row(self, sync: str, note: SyncNote) -> dict[str, str | bytes | None]:
        id_, item = new_id(), note.item
        if item is not None:
            item = self.context.wrap(item, f"sync-note:{id_}", private=True)
        values = {"what": note.what, "luid": note.luid[:200], "ref": note.ref}
        return {"id": id_, "sync": sync, **values, "why": note.why[:500], "item": item}

    def prune(self) -> int:
        """Remove what is older than a year; return how many syncs."""
        gone = delete(SYNCS).where(SYNCS.c.at <= self.context.now() - KEPT)
        return self.db.execute(gone).rowcount


def _id(device: str, session: str, user: str) -> str:
    names = f"{device}\0{session}\0{user}"
    return hashlib.sha256(names.encode("utf-8", "replace")).hexdigest()


def _record(id_: str) -> str:
    return f"sync-session:{id_}"


def _sync(row: AnyRow) -> Sync:
    return Sync(
        id=row.id,
        at=row.at,
        user=row.user,
        device=row.device,
        store=row.store,
        mode=row.mode,
        counts=row.counts,
        end=row.end,
    )
