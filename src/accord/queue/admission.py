"""Which runs are handed over next: by urgency, by how long they wait, and none takes all.

`durable` asks; what it hands over is begun soon after. Every look is by an index, for folders are
many and looks are frequent.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import and_, bindparam, case, func, select, text

from accord.db import Database, Tx
from accord.ports.queue import DEATHS, Urgency
from accord.queue.circuits import Standing
from accord.queue.folders import RUNNING, SUSPECT, WAITING, Admitted
from accord.queue.handed import TURNS
from accord.queue.memory import room
from accord.queue.places import standings
from accord.queue.schema import FOLDERS, READY

AHEAD = 2
"""How many runs wait for each worker: DBOS looks for them only so often."""

PATIENCE = 60.0
"""Seconds after which what is less urgent has its turn, too: each fourth run is one of those."""

_F = FOLDERS.c
_KNOWN = 1.0
_READY = text(READY)
_FIRST_PLACE = select(_F.place).where(_READY).order_by(_F.place).limit(1)
_NEXT_PLACE = _FIRST_PLACE.where(_F.place > bindparam("last"))
_DUE = (
    select(_F.id, _F.generation, _F.urgency, _F.place, _F.due, _F.attempts)
    .where(
        _READY,
        _F.place == bindparam("place"),
        _F.urgency == bindparam("urgency"),
        _F.due <= bindparam("now"),
        _F.attempts <= bindparam("deaths"),
    )
    .order_by(_F.due)
    .limit(bindparam("most"))
)
_COUNTS = [
    select(_F.place, func.count(), func.sum(case((SUSPECT, 1), else_=0)))
    .where(condition)
    .group_by(_F.place)
    for condition in (RUNNING, and_(WAITING, _F.running == 0))
]


class Admission:
    """Choose what is handed over next; `clock` is the one that all share who work on it."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        """Keep the database, which has the tables."""
        self._database = database
        self._clock = clock
        self._known: tuple[set[str], float] = (set(), 0.0)
        self._turn = 0
        self.limits: Mapping[str, int] = {}
        self.troubled: Mapping[str, Standing] = {}

    def admit(self, workers: int, processes: int = 1) -> list[Admitted]:
        """Return runs to hand over now, the most urgent first: as many as may begin soon.

        DBOS minds priorities only within a partition, so few runs wait there, AHEAD for each
        worker, and what is urgent waits for those alone. Of suspects each process begins one.
        """
        now = self._clock()
        found: list[Any] = []
        with self._database.read() as tx:
            under_way, waiting, suspects = _under_way(tx)
            alone = processes - suspects
            places = self._places(tx) | under_way.keys()
            most = room(workers, places) if len(places) > 1 else (AHEAD + 1) * workers
            left = {place: self._most(place, most) - under_way[place] for place in places}
            self.troubled = standings(tx)
            for place in self.troubled.keys() & left.keys():
                at_once = self._most(place, most)
                left[place] = self.troubled[place].room(under_way[place], at_once, now)
            wanted = AHEAD * workers - waiting
            if (owed := min(self._turn // TURNS, wanted)) > 0:
                late: list[Any] = []
                for urgency in (Urgency.DUE, Urgency.LOAD):
                    free = alone - _suspects(late)
                    late += _ready(tx, now - PATIENCE, urgency, left, owed, free)
                found += _let_in(sorted(late, key=lambda row: row.due)[:owed], left)
            for urgency in Urgency:
                if (more := wanted - len(found)) <= 0:
                    break
                known = {each.id for each in found}
                free = alone - _suspects(found)
                some = _ready(tx, now, urgency, left, more + len(known), free)
                found += _let_in([row for row in some if row.id not in known][:more], left)
        self._turn = self._turn % TURNS + len(found)
        return [Admitted(row.id, row.generation, row.urgency) for row in found]

    def _most(self, place: str, most: int) -> int:
        return min(most, self.limits.get(place, most))

    def know(self, place: str) -> None:
        """Note a place for which something was asked just now."""
        places, until = self._known
        if place not in places:
            self._known = {*places, place}, until

    def _places(self, tx: Tx) -> set[str]:
        """Return all places for which anything is planned; they are not looked for each time."""
        places, until = self._known
        if time.monotonic() > until:
            places = set()
            # From one to the next: to read all folders for it would take far longer.
            found = tx.execute(_FIRST_PLACE).scalar()
            while found is not None:
                places.add(found)
                found = tx.execute(_NEXT_PLACE, {"last": found}).scalar()
            self._known = places, time.monotonic() + _KNOWN
        return places


def _under_way(tx: Tx) -> tuple[Counter[str], int, int]:
    """Return how many runs each place has at once, how many haven't begun, and of suspects."""
    counted: Counter[str] = Counter()
    waiting = suspects = 0
    for query in _COUNTS:
        waiting = 0
        for place, count, some in tx.execute(query):
            counted[place] += count
            waiting += count
            suspects += some
    return counted, waiting, suspects


def _ready(
    tx: Tx, now: float, urgency: Urgency, left: Mapping[str, int], limit: int, suspects: int
) -> list[Any]:
    """Return what is due of an urgency, who waits longest first; of suspects no more than those."""
    found = _due(tx, now, urgency, left, limit, DEATHS if suspects > 0 else 0)
    some = [row for row in found if row.attempts]
    first = some[:suspects]
    if len(some) > len(first):
        # Those beyond stand before others, and hold up none of them.
        taken = Counter(row.place for row in first)
        less = {place: most - taken[place] for place, most in left.items()}
        found = first + _due(tx, now, urgency, less, limit - len(first), 0)
    return sorted(found, key=_turn)


def _suspects(rows: list[Any]) -> int:
    return sum(1 for row in rows if row.attempts)


def _turn(row: Any) -> tuple[float, str]:
    return row.due, row.id


def _due(
    tx: Tx, now: float, urgency: Urgency, left: Mapping[str, int], limit: int, deaths: int
) -> list[Any]:
    """Return what is due and had no more deaths than that; of no place more than it may."""
    found: list[Any] = []
    given: dict[str, Any] = {"urgency": int(urgency), "now": now, "deaths": deaths}
    for place, most in left.items():
        if most > 0:
            found += tx.execute(_DUE, given | {"place": place, "most": min(most, limit)}).all()
    return sorted(found, key=_turn)[:limit]


def _let_in(some: list[Any], left: dict[str, int]) -> list[Any]:
    for row in some:
        left[row.place] -= 1
    return some
