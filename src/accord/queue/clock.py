"""The clock of a queue: one for all who share it, however wrong the clocks of their machines are.

On PostgreSQL it is the server's, which all machines agree on. Those who share a file share a
machine: there it is the time since the machine's start, which nobody sets. Either goes on evenly
where somebody sets a machine's clock, so that nothing is due an hour late, and nobody seems gone.
"""

from __future__ import annotations

import threading
import time
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select

from accord.db import Database, Tx
from accord.ports.errors import Retry
from accord.queue.schema import CLOCKS

LOOK = 10.0
"""Seconds between two looks at the server's clock."""


class SharedClock:
    """Tell seconds since 1970 as all who share a database do; its tables must be there.

    Never called within a transaction: it may need one of its own.
    """

    def __init__(self, database: Database) -> None:
        """Look at no clock yet."""
        self._database = database
        self._lock = threading.Lock()
        self._ahead = 0.0
        self._until = float("-inf")
        self._failed: tuple[float, Retry] | None = None

    def __call__(self) -> float:
        """Return the present moment.

        Raises `Retry` where the database is away: once for all who waited for the same look.
        """
        now = since_start()
        if now >= self._until:
            with self._lock:
                if self._failed and now <= self._failed[0]:
                    fault = self._failed[1]
                    raise Retry(str(fault), after=fault.after, code=fault.code) from fault
                if now >= self._until:
                    try:
                        self._ahead, self._until = self._look(now)
                    except Retry as fault:
                        self._failed = since_start(), fault
                        raise
        return since_start() + self._ahead

    def _look(self, now: float) -> tuple[float, float]:
        """Return how far it is ahead of this machine's seconds, and until when that holds."""
        if self._database.dialect == "postgresql":
            with self._database.read() as tx:
                asked = since_start()
                moment: datetime = tx.execute(select(func.clock_timestamp())).scalar_one()
                answered = since_start()
            return moment.timestamp() - (asked + answered) / 2, answered + LOOK
        if not (boot := _boot()):
            return time.time() - now, now + 1.0
        return self._database.run(lambda tx: _kept(tx, boot), durable=False), float("inf")


def since_start() -> float:
    """Return the seconds since this machine's start, those in which it was suspended included."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def _kept(tx: Tx, boot: str) -> float:
    """Return what holds since this machine's start: what the first of its processes noted."""
    tx.insert_new(CLOCKS, [{"boot": boot, "ahead": time.time() - since_start()}])
    return float(tx.execute(select(CLOCKS.c.ahead).where(CLOCKS.c.boot == boot)).scalar_one())


def _boot() -> str:
    """Return what tells the starts of machines apart, and containers with clocks of their own."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/time').readlink().name}"
    except OSError:  # not Linux: the clock on the wall has to do
        return ""
