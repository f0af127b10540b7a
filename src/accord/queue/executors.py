"""The processes that work on a queue, and which of them are gone."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import bindparam, delete, func, select, update

from accord.db import Database, Tx
from accord.queue.schema import EXECUTORS
from accord.state.holder import is_dead

LIFE = 20.0
"""Seconds without a sign after which a process counts as gone."""

_E = EXECUTORS.c
_PRESENT = select(func.count(), func.sum(_E.workers)).where(
    _E.until > bindparam("now"), _E.workers > 0
)


class Executors:
    """Keep who works here; names are those of `state.holder`."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        """Keep the database, which has the table; `clock` is the one that all share."""
        self._database = database
        self._clock = clock

    def live(self, name: str, workers: int) -> bool:
        """Give a sign of life; tell whether somebody had taken this process for gone, or new."""
        until = self._clock() + LIFE

        def sign(tx: Tx) -> bool:
            before = tx.execute(select(_E.workers).where(_E.id == name)).scalar()
            tx.upsert(EXECUTORS, [{"id": name, "workers": workers, "until": until}])
            return not before

        return self._database.run(sign, durable=False)

    def leave(self, name: str) -> None:
        """Be gone, with nothing left under way."""
        query = delete(EXECUTORS).where(_E.id == name)
        self._database.run(lambda tx: tx.execute(query), durable=False)

    def present(self) -> tuple[int, int]:
        """Return how many processes work here, and how many runs all of them may do at once."""
        now = self._clock()
        with self._database.read() as tx:
            processes, workers = tx.execute(_PRESENT, {"now": now}).one()
        return processes, int(workers or 0)

    def names(self) -> set[str]:
        """Return all who work here, or whose end nobody has taken upon them yet."""
        with self._database.read() as tx:
            return set(tx.execute(select(_E.id)).scalars())

    def dead(self, me: str, *, silent: bool = True) -> list[str]:
        """Return those that are gone and that nobody else has taken upon them just now.

        Without `silent` only those that surely are: nothing follows from giving no sign of life.
        """
        now = self._clock()
        with self._database.read() as tx:
            rows = tx.execute(select(EXECUTORS).where(_E.id != me)).all()
        # Somebody who took it upon them has noted that by 0 workers, and the time they have.
        gone = [r for r in rows if (silent and r.until < now) or (r.workers > 0 and is_dead(r.id))]
        return [row.id for row in gone if self._claim(row.id, row.until)]

    def _claim(self, name: str, until: float) -> bool:
        """Take somebody's end upon us: another one does where we die of it, too."""
        mine = update(EXECUTORS).where(_E.id == name, _E.until == until)
        taken = mine.values(until=self._clock() + LIFE, workers=0)
        return self._database.run(lambda tx: tx.execute(taken).rowcount > 0, durable=False)
