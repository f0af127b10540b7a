"""The folders of the durable queue: what is planned for each, what is under way, what is buried.

Every call is one short transaction. `durable` hands over to DBOS what `admit` lets through.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from functools import cache
from typing import Any

from msgspec import Struct
from sqlalchemy import (
    Executable,
    and_,
    bindparam,
    case,
    delete,
    literal_column,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.sql import ColumnElement

from accord.db import Database, Tx
from accord.db.tx import chunks, inserting
from accord.ports.queue import DEATHS, FAULTS, Entry, Job, Stage, Urgency
from accord.queue.backoff import backoff
from accord.queue.rows import BURIED, ENDED, entry_of, job_of, outlived, replanned, taken
from accord.queue.schema import EXECUTORS, FOLDERS

_F = FOLDERS.c
_FORGET = 7 * 86_400.0

_ONE = select(FOLDERS).where(_F.id == bindparam("key")).with_for_update()
_MINE = _ONE.where(_F.running == bindparam("run"), _F.holder == bindparam("by"))
_ADMITTED = (
    update(FOLDERS)
    .where(_F.id == bindparam("key"), _F.generation == bindparam("run"))
    .values(admitted=bindparam("run"), admitted_at=bindparam("now"))
)

GONE = "gone "
"""Before a holder's name: that one seems to be gone, and its run may be begun by another."""


class Admitted(Struct, frozen=True):
    """Be a run that may be handed to DBOS: of which folder, and which generation of it."""

    id: str
    generation: int
    urgency: int = int(Urgency.DUE)


class Folders:
    """Keep the folders; `clock` is the one that all share who work on them."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        """Keep the database, which has the tables."""
        self._database = database
        self._clock = clock

    def ask(
        self, folder: str, cause: str, place: str, after: float, urgency: Urgency, *, full: bool
    ) -> None:
        """Plan a run; one that is planned sooner stands."""
        row = {
            "id": key_of(folder),
            "folder": folder,
            "place": place,
            "generation": 1,
            "due": self._clock() + after,
            "urgency": int(urgency),
            "cause": cause,
            "full": full,
        }

        self._database.run(lambda tx: tx.execute(_asking(tx.dialect), [row]), durable=False)

    def wake(self, folder: str) -> None:
        """Let a folder be left alone no longer."""
        now = self._clock()
        stood = and_(_F.rest > now, _F.due >= _F.rest)
        query = update(FOLDERS).where(_F.id == key_of(folder), _F.rest.is_not(None))
        values = {"rest": None, "due": case((stood, now), else_=_F.due)}
        self._database.run(lambda tx: tx.execute(query.values(values)), durable=False)

    # what is handed over

    def admitted(self, some: Sequence[Admitted]) -> None:
        """Note what was handed over."""
        now = self._clock()

        rows = [{"key": each.id, "run": each.generation, "now": now} for each in some]
        if rows:
            self._database.run(lambda tx: tx.execute(_ADMITTED, rows), durable=False)

    def waiting(self, seconds: float, most: int) -> list[Admitted]:
        """Return what was handed over so long ago and hasn't begun, the most urgent first."""
        before = self._clock() - seconds
        query = select(_F.id, _F.generation, _F.urgency)
        query = query.where(WAITING, _F.running == 0, _F.admitted_at < before)
        with self._database.read() as tx:
            rows = tx.execute(query.order_by(_F.urgency, _F.admitted_at).limit(most))
            return [Admitted(*row) for row in rows]

    def stale(self, seconds: float) -> list[Admitted]:
        """Return what was handed over so long ago and hasn't begun."""
        query = select(_F.id, _F.generation).where(
            WAITING, _F.running == 0, _F.admitted_at < self._clock() - seconds
        )
        with self._database.read() as tx:
            return [Admitted(*row) for row in tx.execute(query)]

    def take_back(self, each: Admitted) -> None:
        """Let what was handed over, and won't begin, be handed over anew."""
        mine = (_F.id == each.id, _F.generation == each.generation, _F.admitted == each.generation)
        values = {"generation": each.generation + 1, "admitted": 0}
        query = update(FOLDERS).where(*mine).values(values)
        self._database.run(lambda tx: tx.execute(query), durable=False)

    # runs

    def begin(self, key: str, generation: int, holder: str) -> Job | None:
        """Begin a run and return it; None for one that is over, or was its workers' death.

        One that somebody has begun is begun again only where that one is gone (`orphan`). One that
        workers died in is put off while its holder is at another such.
        """
        now = self._clock()

        def take(tx: Tx) -> Job | None:
            row = tx.execute(_ONE, {"key": key}).first()
            if row is None or row.buried is not None:
                return None
            since = row.began
            if generation == row.generation and not row.running:
                values, since = taken(row, now), row.due
            elif generation == row.running and row.holder.startswith(GONE):
                values = {"attempts": row.attempts + 1}
            else:
                return None
            if row.attempts >= DEATHS:
                died = f"{row.attempts} workers died in the same run of it"
                over = {"generation": max(row.generation, generation + 1)}
                self._put(tx, key, BURIED | over | {"buried": now, "why": died})
                return None
            if row.running and row.attempts > 1:
                self._put(tx, key, outlived(row, now))
                return None
            if row.attempts and _at_suspect(tx, holder):
                # As it was planned it keeps its turn.
                back = {"generation": row.generation + 1, "admitted": 0}
                self._put(tx, key, outlived(row, now) if row.running else back)
                return None
            self._put(tx, key, values | {"holder": holder})
            after = {**row._mapping, **values}
            return job_of(after, now, since)

        return self._database.run(take)

    def done(
        self, job: Job, holder: str, *, rest: float = 0.0, why: str = "", busy: bool = False
    ) -> bool:
        """End a run, as it should end or by a fault; tell whether it was still this holder's.

        Whoever found another one at work, `busy`, knows nothing of what workers died of before.
        """
        key, now = key_of(job.folder), self._clock()

        def end(tx: Tx) -> bool:
            row = tx.execute(_MINE, {"key": key, "run": job.generation, "by": holder}).first()
            if row is None:
                return False
            faults = row.faults + bool(why) if why or busy else 0
            left = now + (backoff(faults) if why else rest) if why or rest > 0 else None
            values: dict[str, Any] = ENDED | {"faults": faults, "rest": left}
            if busy:
                values["attempts"] = job.attempt - 1
            due = row.due
            if faults >= FAULTS:
                values |= {"buried": now, "why": why}
            elif why:
                values["full"] = row.full or job.full
                if row.due is None:
                    due = now
                    values |= {"urgency": int(Urgency.DUE), "cause": job.cause}
            values["due"] = left if due is not None and left is not None and due < left else due
            self._put(tx, key, values)
            return True

        # DBOS does a run that was ended once: were the end forgotten, nobody would note it again.
        return self._database.run(end)

    def holders(self) -> set[str]:
        """Return those who have something under way."""
        with self._database.read() as tx:
            query = select(_F.holder).where(RUNNING).distinct()
            return set(tx.execute(query).scalars())

    def held(self, holder: str) -> list[Admitted]:
        """Return what somebody has under way."""
        with self._database.read() as tx:
            query = select(_F.id, _F.running).where(RUNNING, _F.holder == holder)
            return [Admitted(*row) for row in tx.execute(query)]

    def orphan(self, holder: str) -> None:
        """Let others begin what somebody has under way who seems to be gone.

        That counts against the one that workers died in before, and against all where none did.
        """
        mine = and_(RUNNING, _F.holder == holder)
        suspect = select(_F.id).where(mine, SUSPECT).limit(1)
        others = update(FOLDERS).where(mine, not_(SUSPECT)).values(attempts=0)
        gone = update(FOLDERS).where(mine).values(holder=GONE + holder)

        def leave(tx: Tx) -> None:
            if tx.execute(suspect).first() is not None:
                tx.execute(others)
            tx.execute(gone)

        self._database.run(leave)

    def reclaim(self, holder: str, some: Collection[Admitted]) -> set[Admitted]:
        """Take back what was taken from somebody who isn't gone, and is at these runs.

        What others have begun meanwhile, which is returned, stays theirs; that nobody died of it
        is noted.
        """

        def mend(tx: Tx) -> set[Admitted]:
            mended: set[Admitted] = set()
            for each in some:
                mine = (_F.id == each.id, _F.running == each.generation)
                back = update(FOLDERS).where(*mine, _F.holder == GONE + holder)
                if tx.execute(back.values(holder=holder, attempts=_ONCE)).rowcount:
                    continue
                again = and_(_F.running == 0, _F.generation == each.generation + 1)
                theirs = or_(_F.running == each.generation, again)
                other = update(FOLDERS).where(_F.id == each.id, theirs, _F.attempts > 0)
                fewer = case((or_(SUSPECT, _F.running == 0), _F.attempts - 1), else_=_F.attempts)
                less = other.where(_F.holder != holder).values(attempts=fewer)
                if tx.execute(less).rowcount:
                    mended.add(each)
            return mended

        return self._database.run(mend) if some else set()

    def abandoned(self, holder: str, alive: Collection[str] = (), *, died: bool = False) -> None:
        """Plan anew the runs of a holder who is gone, but for those that DBOS begins again.

        Where they `died` of one, that counts.
        """
        some = [each for each in self.held(holder) if each.id not in alive]
        self.give_up(holder, some, died=died)

    def give_up(self, holder: str, some: Sequence[Admitted], *, died: bool = False) -> None:
        """Plan these runs of a holder anew, where they aren't over."""
        now = self._clock()

        def again(tx: Tx) -> None:
            for each in some:
                given = {"key": each.id, "run": each.generation, "by": holder}
                row = tx.execute(_MINE, given).first()
                if row is not None:
                    before = {"attempts": max(row.attempts - 1, 0)}
                    values = outlived(row, now) if died else ENDED | before | replanned(row, now)
                    self._put(tx, each.id, values)

        if some:
            self._database.run(again)

    # to be looked at

    def entries(self, stages: Collection[Stage]) -> list[Entry]:
        """Return the folders at these stages, longest waiting first."""
        now = self._clock()
        wanted = [_STAGES[stage](now) for stage in stages]
        with self._database.read() as tx:
            rows = tx.execute(select(FOLDERS).where(or_(*wanted))).all() if wanted else []
        found = [entry_of(row._mapping, now) for row in rows]
        return sorted(found, key=lambda entry: (entry.since, entry.folder))

    def idle(self) -> bool:
        """Tell whether nothing is under way and nothing to be done now."""
        busy = or_(RUNNING, and_(_F.due <= self._clock(), _F.buried.is_(None)))
        with self._database.read() as tx:
            return tx.execute(select(_F.id).where(busy).limit(1)).first() is None

    def revive(self, folders: Sequence[str]) -> list[str]:
        """Plan buried ones anew, all where none is named; return which were."""
        now = self._clock()
        keys = [key_of(folder) for folder in folders]

        def dig(tx: Tx) -> list[str]:
            query = select(_F.id, _F.folder).where(_F.buried.is_not(None))
            rows = tx.execute(query.where(_F.id.in_(keys)) if keys else query).all()
            plan = {"due": now, "urgency": int(Urgency.EDIT), "cause": "revived", "rest": None}
            well = {"buried": None, "why": "", "faults": 0, "attempts": 0}
            for row in rows:
                self._put(tx, row.id, plan | well)
            return sorted(row.folder for row in rows)

        return self._database.run(dig)

    def forget(self) -> None:
        """Let go of folders for which nothing was planned for long."""
        old = _F.began < self._clock() - _FORGET
        query = delete(FOLDERS).where(_F.due.is_(None), _F.running == 0, _F.buried.is_(None), old)
        self._database.run(lambda tx: tx.execute(query), durable=False)

    def drop(self, gone: Callable[[str], bool]) -> int:
        """Let go of folders that are `gone`, but for runs under way; return how many there were."""
        with self._database.read() as tx:
            names = tx.mapping(select(_F.id, _F.folder).where(_F.running == 0))
        some = [key for key, folder in names.items() if gone(folder)]

        def go(tx: Tx) -> int:
            if tx.dialect == "sqlite":
                # Names hold addresses: nothing of them is to be left in the file.
                tx.connection.exec_driver_sql("PRAGMA secure_delete = ON")
            still = delete(FOLDERS).where(_F.running == 0)
            return sum(tx.execute(still.where(_F.id.in_(p))).rowcount for p in chunks(some))

        count = self._database.run(go) if some else 0
        self._database.empty_log()
        return count

    # rows

    @staticmethod
    def _put(tx: Tx, key: str, values: dict[str, Any]) -> None:
        new = {f"new_{name}": value for name, value in values.items()}
        tx.execute(_putting(tuple(values)), {"key": key, **new})


@cache
def _putting(names: tuple[str, ...]) -> Executable:
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
    return update(FOLDERS).where(_F.id == bindparam("key")).values(values)


@cache
def _asking(dialect: str) -> Executable:
    """Return what plans a run."""
    insert = inserting(FOLDERS, dialect)
    new = insert.excluded
    # Never due before it may be begun, so that nobody looks at those in vain.
    due = case((_F.rest > new.due, _F.rest), else_=new.due)
    sooner = or_(_F.due.is_(None), due < _F.due)
    more = or_(_F.due.is_(None), new.urgency < _F.urgency)
    return insert.on_conflict_do_update(
        index_elements=["id"],
        set_={
            "place": new.place,
            "due": case((sooner, due), else_=_F.due),
            "cause": case((sooner, new.cause), else_=_F.cause),
            "urgency": case((more, new.urgency), else_=_F.urgency),
            "full": or_(_F.full, new.full),
        },
        where=or_(sooner, more, and_(new.full, not_(_F.full)), new.place != _F.place),
    )


def key_of(folder: str) -> str:
    """Return the name under which a folder is known to DBOS, which says nothing about it."""
    return hashlib.sha256(folder.encode()).hexdigest()[:32]


RUNNING: ColumnElement[bool] = _F.running > literal_column("0")
"""What is under way; its index wants to see the number."""

WAITING: ColumnElement[bool] = and_(_F.admitted == _F.generation, _F.buried.is_(None))
"""What was handed over and hasn't begun, or runs and was handed over once more."""

SUSPECT: ColumnElement[bool] = _F.attempts > case((RUNNING, literal_column("1")), else_=0)
"""What workers died in: it may be what they died of, so one process is at one of these at once."""

# Beside a suspect, what its worker's death left has none.
_ONCE = case((_F.attempts > 0, _F.attempts), else_=1)
_STAGES: dict[Stage, Callable[[float], ColumnElement[bool]]] = {
    Stage.BURIED: lambda _: _F.buried.is_not(None),
    Stage.RUNNING: lambda _: and_(_F.buried.is_(None), RUNNING),
    Stage.WAITING: lambda now: and_(
        _F.buried.is_(None),
        _F.running == 0,
        _F.due <= now,
        or_(_F.rest.is_(None), _F.rest <= now),
    ),
    Stage.PLANNED: lambda now: and_(
        _F.buried.is_(None),
        _F.running == 0,
        _F.due.is_not(None),
        or_(_F.due > now, _F.rest > now),
    ),
}


def _at_suspect(tx: Tx, holder: str) -> bool:
    # Its threads wait here for each other: else two of them would find none.
    tx.execute(select(EXECUTORS.c.id).where(EXECUTORS.c.id == holder).with_for_update())
    query = select(_F.id).where(RUNNING, _F.holder == holder, SUSPECT).limit(1)
    return tx.execute(query).first() is not None
