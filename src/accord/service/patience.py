"""How long a command waits for a folder in which a visit is under way, and how it is let in.

Whoever waits leaves word on the folder's lease; a visit that `yields` sees it between two of its
steps and ends there.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress

from accord.ports.errors import AccordError, Busy
from accord.service.visit import Progress
from accord.state.holder import myself
from accord.state.records import Lease
from accord.state.state import State

LOOK = 0.25
"""Seconds between two tries to get a folder."""

WORD = 5.0
"""Seconds for which word that somebody waits stands: who was killed waits no longer."""

HEED = 1.0
"""Seconds after which a visit looks again whether somebody waits."""

Tell = Callable[[str], None]


def _nobody(_text: str) -> None:
    """Tell nobody."""


class Patience:
    """Be the seconds that one command waits in all, by default none."""

    def __init__(self, seconds: float = 0.0, tell: Tell = _nobody, *, asks: bool = True) -> None:
        """Keep who is to `tell` what is waited for; without `asks` visits go on to their end."""
        self.seconds = seconds
        self._left = seconds
        self._tell = tell
        self._asks = asks

    def wait(
        self, state: State, name: str, where: str, take: Callable[[], Lease | None]
    ) -> Lease | None:
        """Return what `take` gets of the lease `name` before the time is over, else None."""
        if self._left <= 0:
            return None
        self._tell(f"waiting for the visit that is under way in {where}")
        until, word = time.monotonic() + self._left, -math.inf
        try:
            while (now := time.monotonic()) < until:
                if self._asks and now - word > WORD / 2:
                    with state.begin(durable=False) as tx:
                        tx.leases.want(name, myself(), WORD)
                    word = now
                time.sleep(min(LOOK, until - now))
                if (lease := take()) is not None:
                    return lease
            return None
        finally:
            self._left = max(until - time.monotonic(), 0.0)
            if self._asks:
                # Where that fails the word soon stands no longer.
                with suppress(AccordError), state.begin(durable=False) as tx:
                    tx.leases.unwant(name)


def yielding(state: State, lease: Lease, progress: Progress) -> Progress:
    """Return `progress` that ends a visit once somebody waits for its folder; raises Busy then.

    What the visit did is whole, and the rest is for the next one.
    """
    looked, wanted = time.monotonic(), False

    def go_on(phase: str, done: int, total: int) -> None:
        nonlocal looked, wanted
        progress(phase, done, total)
        # Most visits are over before, and ask nothing.
        if not wanted and time.monotonic() - looked > HEED:
            looked = time.monotonic()
            with state.read() as tx:
                wanted = tx.leases.wanted(lease.name)
        if wanted:
            raise Busy("somebody waits for this folder", after=LOOK)

    return go_on
