"""Keep state small: once a day what nothing refers to any more is removed.

Called at the end of a synchronization, for installations without `accord run`; where that runs,
its housekeeping does it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from accord.service.accord import Accord

_EVERY = timedelta(days=1)
IDLE_RUNS = timedelta(days=7)
"""For how long visits that did nothing are remembered."""

SLICE = 500
"""How many blobs go in one transaction, so that nobody waits for long."""

_KEY = "upkeep"


def tidy(accord: Accord) -> int:
    """Remove unreferenced blobs, and visits that did nothing, if a day has passed since then.

    Return how many blobs went.
    """
    now = accord.clock()
    with accord.state.read() as tx:
        last = tx.settings.get(_KEY, "")
    if last and now - datetime.fromisoformat(last) < _EVERY:
        return 0
    with accord.state.begin() as tx:
        # First, so that no other visit does it, too.
        tx.settings.put(_KEY, now.isoformat())
        tx.runs.prune(now - IDLE_RUNS)
    return collect(accord)


def collect(accord: Accord, step: Callable[[], None] = lambda: None) -> int:
    """Remove unreferenced blobs, some at a time; return how many went.

    They are looked for without keeping writers away, and asked for again when they go.
    """
    with accord.state.begin() as tx:
        tx.settings.put(_KEY, accord.clock().isoformat())
    with accord.state.read() as tx:
        found = tx.blobs.unused()
    gone = 0
    for start in range(0, len(found), SLICE):
        step()
        some = found[start : start + SLICE]
        gone += accord.state.run(lambda tx: tx.blobs.discard(some))  # noqa: B023
    return gone
