"""Kills in the middle of the day: of Accord's processes, and of the database under them.

What is killed is started again as a service manager does. While the database is away nobody works
in the CRM, which lies in it; the mailboxes are edited all the same. A folder whose own visit was
cut off three times is buried, for it may be what its processes died of: a third try is let end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import Random
from statistics import median
from typing import Any

from msgspec import Struct

from accord.ports.queue import DEATHS, Stage
from accord.sandbox.postgres import Postgres
from bench.scale.office import PAUSE, Office, Service

DATABASE = "database"
_AWAY = (0.5, 4.0)
"""The least and the most seconds that the database is away."""


class Kill(Struct, frozen=True):
    """Be one of them: who was killed and when, and since when it may have gone on."""

    who: str
    at: float
    back: float
    services: Sequence[Service]

    @property
    def seconds(self) -> float | None:
        """Return after how long it went on with its work; None where no work came any more."""
        steps = [at for each in self.services for at in each.steps if at > self.back]
        return min(steps) - self.at if steps else None


class Kills:
    """Kill at random moments, so many times at most."""

    def __init__(
        self, office: Office, services: dict[str, Service], server: Postgres | None, dice: Random
    ) -> None:
        self._office, self._services, self._server, self._dice = office, services, server, dice
        self._next: list[str] = []
        self._thread = threading.Thread(target=self._work)
        self._moments: list[float] = []
        self._over = threading.Event()
        self._failure: BaseException | None = None
        self.done: list[Kill] = []

    @contextmanager
    def during(self, seconds: float, times: int) -> Iterator[None]:
        """Let it happen within these seconds, so many times."""
        began = time.monotonic()
        self._moments = sorted(began + self._dice.uniform(0, seconds) for _ in range(times))
        for each in self._services.values():
            each.kept = True
        self._thread.start()
        try:
            yield
        finally:
            # What is left of them would hit nobody who works.
            self._over.set()
            self._thread.join()
        if self._failure is not None:
            raise RuntimeError(f"could not kill: {self._failure}") from self._failure

    def _work(self) -> None:
        try:
            for moment in self._moments:
                if self._over.wait(max(moment - time.monotonic(), 0)):
                    return
                while not self._kill() and not self._over.wait(0.1):
                    pass
        except BaseException as error:  # noqa: BLE001 (`during` raises it)
            self._failure = error

    def _kill(self) -> bool:
        """Kill one of them; tell whether it was there to be killed."""
        if not self._next:
            # Each has its turn, in any order.
            self._next = [*self._services, *([DATABASE] if self._server else [])]
            self._dice.shuffle(self._next)
        who = self._next[-1]
        at = time.monotonic()
        if who == DATABASE:
            self._kill_database()
            back, services = time.monotonic(), [*self._services.values()]
        else:
            services = [self._services[who]]
            if self._spent() or not services[0].kill():
                return False
            back = at + PAUSE
        self._next.pop()
        self.done.append(Kill(who.partition("-")[0], at, back, services))
        return True

    def _spent(self) -> bool:
        """Tell whether one more death would bury a folder."""
        running = self._office.queue.entries(Stage.RUNNING)
        return any(each.attempts >= DEATHS for each in running)

    def _kill_database(self) -> None:
        assert self._server is not None
        # Who is in the middle of writing there would not know whether it was done.
        with self._office.gate.shut():
            self._server.kill()
            self._over.wait(self._dice.uniform(*_AWAY))
            self._server.start()
            # Its connections of before are of no use.
            self._office.accord.state.database.close()


def told(kills: Sequence[Kill]) -> list[dict[str, Any]]:
    """Return of each who was killed how often, and after how long it went on."""
    rows = []
    for who in sorted({each.who for each in kills}):
        some = [each.seconds for each in kills if each.who == who]
        known = sorted(each for each in some if each is not None)
        rows.append(
            {
                "who": who,
                "times": len(some),
                "seconds": known,
                "p50": median(known) if known else None,
                "longest": known[-1] if known else None,
            }
        )
    return rows
