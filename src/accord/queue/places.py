"""The places of the durable queue with which something is wrong; every call is one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from sqlalchemy import bindparam, delete, select

from accord.db import Database, Tx
from accord.ports.queue import Circuit
from accord.queue.circuits import Standing
from accord.queue.schema import PLACES

_P = PLACES.c
_ALL = select(PLACES)
_ONE = _ALL.where(_P.place == bindparam("one")).with_for_update()


class Places:
    """Keep how places stand; `clock` is the one that all share who work on them."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        """Keep the database, which has the table."""
        self._database = database
        self._clock = clock

    def trouble(self, place: str, who: str, why: str, after: float) -> Standing:
        """Note that a place failed; return how it stands now."""
        now = self._clock()
        # Mailboxes are people's addresses.
        digest = hashlib.sha256(who.encode()).hexdigest()[:16]

        def note(tx: Tx) -> Standing:
            known = _read(tx, place).get(place, Standing())
            new = known.failed(digest, why, after, now)
            tx.upsert(PLACES, [{"place": place, **_row(new)}])
            return new

        return self._database.run(note, durable=False)

    def mended(self, place: str) -> None:
        """Forget what was wrong with a place."""
        query = delete(PLACES).where(_P.place == place)
        self._database.run(lambda tx: tx.execute(query), durable=False)

    def well(self, place: str) -> None:
        """Note that a place answered."""
        now = self._clock()

        def note(tx: Tx) -> None:
            known = _read(tx, place).get(place)
            if known is not None and known.heals(now):
                tx.execute(delete(PLACES).where(_P.place == place))

        self._database.run(note, durable=False)

    def circuits(self) -> list[Circuit]:
        """Return those with which something is wrong."""
        now = self._clock()
        with self._database.read() as tx:
            found = standings(tx)
        return [each.shown(place, now) for place, each in sorted(found.items())]


def standings(tx: Tx) -> dict[str, Standing]:
    """Return how those places stand with which something is wrong."""
    return _read(tx)


def _read(tx: Tx, place: str | None = None) -> dict[str, Standing]:
    rows = tx.execute(_ALL) if place is None else tx.execute(_ONE, {"one": place})
    return {
        row.place: Standing(
            failures=row.failures,
            who=row.who,
            opened=row.opened,
            since=row.since,
            until=row.until,
            why=row.why,
        )
        for row in rows
    }


def _row(standing: Standing) -> dict[str, object]:
    return {name: getattr(standing, name) for name in Standing.__struct_fields__}
