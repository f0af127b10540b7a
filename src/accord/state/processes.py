"""Processes: which parts of the service are at work where, and their figures.

Each gives a sign of life now and then; `service.presence` writes, `accord status` reads.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct
from sqlalchemy import delete, func, select

from accord.ports.clock import system_clock
from accord.state.context import Repository
from accord.state.holder import is_dead
from accord.state.process_tables import PROCESSES

KEPT = timedelta(days=1)
"""How long it is kept in mind that a process ended without a word."""

_P = PROCESSES.c


class Process(Struct, frozen=True, kw_only=True):
    """Be one process: what it does (`part`), where, since when, and its figures.

    `id` is what `state.holder.myself` says. Who is `gone` gave no sign of life in time, or is known
    to have ended; `until` is how long its last one held.
    """

    id: str
    part: str
    host: str
    version: str
    started: datetime
    until: datetime
    figures: dict[str, Any] = {}
    gone: bool = False


class Processes(Repository):
    """Keep processes."""

    def live(self, process: Process, seconds: float) -> None:
        """Give a sign of life that holds for so long."""
        row = {
            "id": process.id,
            "part": process.part,
            "host": process.host,
            "version": process.version,
            "started": process.started,
            "until": self._now() + timedelta(seconds=seconds),
            "figures": process.figures,
        }
        self.db.upsert(PROCESSES, [row])

    def leave(self, key: str) -> None:
        """Be gone, in good order."""
        self.db.execute(delete(PROCESSES).where(_P.id == key))

    def supersede(self, process: Process) -> None:
        """Forget who ended without a word and did the same here, and who did so long ago."""
        now = self._now()
        mine = (_P.host == process.host, _P.part == process.part, _P.id != process.id)
        for row in self.db.execute(select(_P.id, _P.until).where(*mine)).all():
            if row.until <= now or is_dead(row.id):
                self.leave(row.id)
        self.db.execute(delete(PROCESSES).where(_P.until <= now - KEPT))

    def all(self) -> list[Process]:
        """Return all, by what they do, those that are gone last."""
        now = self._now()
        rows = self.db.execute(select(PROCESSES).order_by(_P.part, _P.started, _P.id))
        found = [
            Process(
                **{**row._mapping, "figures": row.figures or {}},
                gone=row.until <= now or is_dead(row.id),
            )
            for row in rows
        ]
        return sorted(found, key=lambda one: one.gone)

    def _now(self) -> datetime:
        # As of leases: machines share a PostgreSQL, and its clock is the one they agree on.
        if self.db.dialect == "postgresql" and self.context.clock is system_clock:
            moment: datetime = self.db.execute(select(func.clock_timestamp())).scalar_one()
            return moment.astimezone(UTC)
        return self.context.now()
