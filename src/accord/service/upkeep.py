"""Keep state small: once a day what nothing refers to any more is removed.

Called at the end of a synchronization, so that an installation needs no job of its own for it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from accord.service.accord import Accord

_EVERY = timedelta(days=1)
_IDLE_RUNS = timedelta(days=7)
"""For how long visits that did nothing are remembered."""

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
        tx.settings.put(_KEY, now.isoformat())
        tx.runs.prune(now - _IDLE_RUNS)
        return tx.blobs.collect()
