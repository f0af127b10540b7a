"""How many connections to PostgreSQL the queue of one process has at once, at most.

Its transactions are over within milliseconds: who finds all in use waits, and not for long.
"""

from __future__ import annotations

OWN = 4
CLIENT = 2
"""Of DBOS's client: one thread hands over, another one watches."""

_LAUNCH, _MOST = 4, 12


def of_dbos(workers: int) -> int:
    """Return how many DBOS has; to launch and to look for what is late, one thread takes some."""
    return min(workers + _LAUNCH, _MOST)


def most(workers: int) -> int:
    """Return how many there are of all where so many runs are under way at once."""
    return OWN + of_dbos(workers) + CLIENT
