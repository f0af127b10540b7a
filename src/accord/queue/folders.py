"""The folders of the durable queue: what is planned for each, what is under way, what is buried.

Every call is one short transaction. `durable` hands over to DBOS what `admit` lets through.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Executable, and_, case, delete, func, not_, or_, select, update
from sqlalchemy.sql import ColumnElement

from accord.db import Database, Tx
from accord.ports.queue import DEATHS, FAULTS, Entry, Job, Stage, Urgency
from accord.queue.backoff import backoff
from accord.queue.memory import room
from accord.queue.schema import FOLDERS

_F = FOLDERS.c
_FORGET = 7 * 86_400.0
_KNOWN = 1.0

AHEAD = 2
"""How many runs wait for each worker: DBOS looks for them only so often."""


class Admitted(Struct, frozen=True):
    """Be a run that may be handed to DBOS: of which folder, and which generation of it."""

    id: str
    generation: int
    urgency: int = int(Urgency.DUE)


class Folders:
    """Keep the folders; `clock` tells seconds since 1970."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        """Keep the database, which has the tables."""
        self._database = database
        self._clock = clock
        self._known: tuple[set[str], float] = (set(), 0.0)

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

        self._database.run(lambda tx: tx.execute(_asking(tx), [row]), durable=False)

    def wake(self, folder: str) -> None:
        """Let a folder be left alone no longer."""
        query = update(FOLDERS).where(_F.id == key_of(folder), _F.rest.is_not(None))
        self._database.run(lambda tx: tx.execute(query.values(rest=None)), durable=False)

    # what is handed over

    def admit(self, workers: int) -> list[Admitted]:
        """Return runs to hand over now, the most urgent first: as many as may begin soon.

        DBOS minds priorities only within a partition, so few runs wait there, AHEAD for each
        worker, and what is urgent waits for those alone.
        """
        now = self._clock()
        found: list[Admitted] = []
        with self._database.read() as tx:
            under_way, waiting = self._under_way(tx)
            places = self._places(tx)
            most = room(workers, places) if len(places) > 1 else (AHEAD + 1) * workers
            for urgency in Urgency:
                while (left := AHEAD * workers - waiting - len(found)) > 0:
                    full = [place for place, count in under_way.items() if count >= most]
                    some = self._next(tx, now, urgency, full, [each.id for each in found], left)
                    for row in some:
                        if under_way[row.place] < most:
                            under_way[row.place] += 1
                            found.append(Admitted(row.id, row.generation, int(urgency)))
                    if len(some) < left:
                        break
        return found

    def admitted(self, some: Sequence[Admitted]) -> None:
        """Note what was handed over."""
        now = self._clock()

        def note(tx: Tx) -> None:
            for each in some:
                mine = (_F.id == each.id, _F.generation == each.generation)
                values = {"admitted": each.generation, "admitted_at": now}
                tx.execute(update(FOLDERS).where(*mine).values(values))

        self._database.run(note, durable=False)

    def stale(self, seconds: float) -> list[Admitted]:
        """Return what was handed over so long ago and hasn't begun."""
        query = select(_F.id, _F.generation).where(
            _WAITING, _F.running == 0, _F.admitted_at < self._clock() - seconds
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
        """Begin a run and return it; None for one that is over, or was its workers' death."""
        now = self._clock()

        def take(tx: Tx) -> Job | None:
            row = tx.execute(select(FOLDERS).where(_F.id == key).with_for_update()).first()
            if row is None or row.buried is not None:
                return None
            if generation == row.generation:
                values = _taken(row, now)
            elif generation == row.running and row.attempts >= DEATHS:
                died = f"{row.attempts} workers died in the same run of it"
                self._put(tx, key, _BURIED | {"buried": now, "why": died})
                return None
            elif generation == row.running:
                values = {"attempts": row.attempts + 1}
            else:
                return None
            self._put(tx, key, values | {"holder": holder})
            after = {**row._mapping, **values}
            return _job(after, now)

        return self._database.run(take)

    def done(
        self, job: Job, holder: str, *, rest: float = 0.0, why: str = "", busy: bool = False
    ) -> bool:
        """End a run, as it should end or by a fault; tell whether it was still this holder's.

        Whoever found another one at work, `busy`, knows nothing of what workers died of before.
        """
        key, now = key_of(job.folder), self._clock()

        def end(tx: Tx) -> bool:
            mine = (_F.id == key, _F.running == job.generation, _F.holder == holder)
            row = tx.execute(select(FOLDERS).where(*mine).with_for_update()).first()
            if row is None:
                return False
            faults = row.faults + bool(why) if why or busy else 0
            left = now + (backoff(faults) if why else rest) if why or rest > 0 else None
            values: dict[str, Any] = _ENDED | {"faults": faults, "rest": left}
            if busy:
                values["attempts"] = job.attempt - 1
            if faults >= FAULTS:
                values |= {"buried": now, "why": why}
            elif why:
                values["full"] = row.full or job.full
                if row.due is None:
                    values |= {"due": now, "urgency": int(Urgency.DUE), "cause": job.cause}
            self._put(tx, key, values)
            return True

        # DBOS does a run that was ended once: were the end forgotten, nobody would note it again.
        return self._database.run(end)

    def holders(self) -> set[str]:
        """Return those who have something under way."""
        with self._database.read() as tx:
            query = select(_F.holder).where(_F.running > 0).distinct()
            return set(tx.execute(query).scalars())

    def held(self, holder: str) -> list[Admitted]:
        """Return what somebody has under way."""
        with self._database.read() as tx:
            query = select(_F.id, _F.running).where(_F.running > 0, _F.holder == holder)
            return [Admitted(*row) for row in tx.execute(query)]

    def abandoned(self, holder: str, alive: Collection[str] = ()) -> None:
        """Plan anew the runs of a holder who is gone, but for those that DBOS begins again."""
        self.give_up(holder, [each for each in self.held(holder) if each.id not in alive])

    def give_up(self, holder: str, some: Sequence[Admitted]) -> None:
        """Plan these runs of a holder anew, where they aren't over."""
        now = self._clock()

        def again(tx: Tx) -> None:
            for each in some:
                mine = (_F.id == each.id, _F.running == each.generation, _F.holder == holder)
                row = tx.execute(select(FOLDERS).where(*mine).with_for_update()).first()
                if row is not None:
                    self._put(tx, each.id, _ENDED | _again(row, now))

        if some:
            self._database.run(again)

    # to be looked at

    def entries(self, stages: Collection[Stage]) -> list[Entry]:
        """Return the folders at these stages, longest waiting first."""
        now = self._clock()
        wanted = [_STAGES[stage](now) for stage in stages]
        with self._database.read() as tx:
            rows = tx.execute(select(FOLDERS).where(or_(*wanted))).all() if wanted else []
        found = [_entry(row._mapping, now) for row in rows]
        return sorted(found, key=lambda entry: (entry.since, entry.folder))

    def idle(self) -> bool:
        """Tell whether nothing is under way and nothing to be done now."""
        busy = or_(_F.running > 0, and_(_F.due <= self._clock(), _F.buried.is_(None)))
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

    # rows

    @staticmethod
    def _put(tx: Tx, key: str, values: dict[str, Any]) -> None:
        tx.execute(update(FOLDERS).where(_F.id == key).values(values))

    @staticmethod
    def _under_way(tx: Tx) -> tuple[Counter[str], int]:
        """Return how many runs each place has at once, and how many haven't begun."""
        counted: Counter[str] = Counter()
        waiting = 0
        for condition in (_F.running > 0, and_(_WAITING, _F.running == 0)):
            query = select(_F.place, func.count()).where(condition).group_by(_F.place)
            waiting = 0
            for place, count in tx.execute(query):
                counted[place] += count
                waiting += count
        return counted, waiting

    def _places(self, tx: Tx) -> set[str]:
        """Return two places, or all: so many are looked at that it isn't done each time."""
        places, until = self._known
        if time.monotonic() > until:
            planned = or_(_F.due.is_not(None), _F.running > 0)
            query = select(_F.place).where(planned).distinct().limit(2)
            places = set(tx.execute(query).scalars())
            self._known = places, time.monotonic() + _KNOWN
        return places

    @staticmethod
    def _next(
        tx: Tx,
        now: float,
        urgency: Urgency,
        full: Collection[str],
        known: Collection[str],
        limit: int,
    ) -> Sequence[Any]:
        query = (
            select(_F.id, _F.generation, _F.place)
            .where(_F.urgency == int(urgency), _F.due <= now, *_IDLE)
            .where(or_(_F.rest.is_(None), _F.rest <= now))
            .where(_F.place.not_in(full), _F.id.not_in(known))
            .order_by(_F.due, _F.id)
            .limit(limit)
        )
        return tx.execute(query).all()


_ASKING: dict[str, Executable] = {}


def _asking(tx: Tx) -> Executable:
    """Return what plans a run; kept, since making it takes longer than executing it."""
    if tx.dialect not in _ASKING:
        insert = tx.inserting(FOLDERS)
        new = insert.excluded
        sooner = or_(_F.due.is_(None), new.due < _F.due)
        more = or_(_F.due.is_(None), new.urgency < _F.urgency)
        _ASKING[tx.dialect] = insert.on_conflict_do_update(
            index_elements=["id"],
            set_={
                "place": new.place,
                "due": case((sooner, new.due), else_=_F.due),
                "cause": case((sooner, new.cause), else_=_F.cause),
                "urgency": case((more, new.urgency), else_=_F.urgency),
                "full": or_(_F.full, new.full),
            },
            where=or_(sooner, more, and_(new.full, not_(_F.full)), new.place != _F.place),
        )
    return _ASKING[tx.dialect]


def key_of(folder: str) -> str:
    """Return the name under which a folder is known to DBOS, which says nothing about it."""
    return hashlib.sha256(folder.encode()).hexdigest()[:32]


_WAITING: ColumnElement[bool] = and_(_F.admitted == _F.generation, _F.buried.is_(None))
_IDLE: tuple[ColumnElement[bool], ...] = (
    _F.buried.is_(None),
    _F.running == 0,
    _F.admitted < _F.generation,
)
_ENDED: dict[str, Any] = {"running": 0, "holder": "", "attempts": 0}
_BURIED: dict[str, Any] = {"running": 0, "holder": ""}
_STAGES: dict[Stage, Callable[[float], ColumnElement[bool]]] = {
    Stage.BURIED: lambda _: _F.buried.is_not(None),
    Stage.RUNNING: lambda _: and_(_F.buried.is_(None), _F.running > 0),
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


def _taken(row: Any, now: float) -> dict[str, Any]:
    """Return what to change where a run begins: what was planned is its own now."""
    return {
        "generation": row.generation + 1,
        "running": row.generation,
        "attempts": 1 + (0 if row.running else row.attempts),
        "began": now,
        "before": row.began,
        "running_cause": row.cause,
        "running_full": row.full,
        "due": None,
        "cause": "",
        "full": False,
    }


def _again(row: Any, now: float) -> dict[str, Any]:
    """Return what to change where a run is planned anew: it is as if it had not begun."""
    planned = row.due is not None and row.due <= now
    return {
        "due": now,
        "cause": row.cause if planned else row.running_cause,
        "full": row.full or row.running_full,
        "began": row.before,
    }


def _job(row: Any, now: float) -> Job:
    return Job(
        folder=row["folder"],
        generation=row["running"],
        cause=row["running_cause"],
        full=row["running_full"],
        attempt=row["attempts"],
        last=None if row["before"] is None else max(now - row["before"], 0.0),
    )


def _entry(row: Any, now: float) -> Entry:
    due = max(row["due"] or 0.0, row["rest"] or 0.0)
    stage, cause, when, attempts = Stage.PLANNED, row["cause"], due, 0
    if row["buried"] is not None:
        attempts = max(row["faults"], row["attempts"])
        stage, cause, when = Stage.BURIED, row["running_cause"], row["buried"]
    elif row["running"]:
        attempts = row["attempts"]
        stage, cause, when = Stage.RUNNING, row["running_cause"], row["began"]
    elif due <= now:
        stage = Stage.WAITING
    return Entry(
        folder=row["folder"],
        stage=stage,
        cause=cause,
        since=when - now,
        urgency=row["urgency"],
        attempts=attempts,
        why=row["why"],
    )
