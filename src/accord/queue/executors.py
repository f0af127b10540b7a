"""The processes that work on a queue, and which of them are gone."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import delete, func, select, update

from accord.db import Database, Tx
from accord.queue.schema import EXECUTORS
from accord.state.holder import is_dead

LIFE = 20.0
"""Seconds without a sign after which a process counts as gone."""

_E = EXECUTORS.c


class Executors:
    """Keep who works here; names are those of `state.holder`."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        """Keep the database, which has the table."""
        self._database = database
        self._clock = clock

    def live(self, name: str, workers: int) -> None:
        """Give a sign of life."""

        def sign(tx: Tx) -> None:
            row = {"id": name, "workers": workers, "until": self._now(tx) + LIFE}
            tx.upsert(EXECUTORS, [row])

        self._database.run(sign, durable=False)

    def leave(self, name: str) -> None:
        """Be gone, with nothing left under way."""
        query = delete(EXECUTORS).where(_E.id == name)
        self._database.run(lambda tx: tx.execute(query), durable=False)

    def workers(self) -> int:
        """Return how many runs all of them may do at once."""
        with self._database.read() as tx:
            query = select(func.sum(_E.workers)).where(_E.until > self._now(tx))
            return int(tx.execute(query).scalar() or 0)

    def names(self) -> set[str]:
        """Return all who work here, or whose end nobody has taken upon them yet."""
        with self._database.read() as tx:
            return set(tx.execute(select(_E.id)).scalars())

    def dead(self, me: str) -> list[str]:
        """Return those that are gone and that nobody else has taken upon them just now."""
        with self._database.read() as tx:
            now = self._now(tx)
            rows = tx.execute(select(EXECUTORS).where(_E.id != me)).all()
        # Somebody who took it upon them has noted that by 0 workers, and the time they have.
        gone = [r for r in rows if r.until < now or (r.workers > 0 and is_dead(r.id))]
        return [row.id for row in gone if self._claim(row.id, row.until)]

    def _claim(self, name: str, until: float) -> bool:
        """Take somebody's end upon us: another one does where we die of it, too."""

        def claim(tx: Tx) -> bool:
            mine = update(EXECUTORS).where(_E.id == name, _E.until == until)
            return tx.execute(mine.values(until=self._now(tx) + LIFE, workers=0)).rowcount > 0

        return self._database.run(claim, durable=False)

    def _now(self, tx: Tx) -> float:
        # As of leases: machines share a PostgreSQL, and its clock is the one they agree on.
        if self._database.dialect == "postgresql" and self._clock is time.time:
            moment: datetime = tx.execute(select(func.clock_timestamp())).scalar_one()
            return moment.timestamp()
        return self._clock()
