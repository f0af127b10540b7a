"""How long to leave alone what failed."""

from __future__ import annotations

import random

FIRST, LONGEST = 5.0, 900.0


def backoff(failures: int, first: float | None = None, longest: float | None = None) -> float:
    """Return the seconds to wait after so many failures in a row: twice as long each time.

    A part of it is chance, so that what failed together doesn't come back together.
    """
    first = FIRST if first is None else first
    longest = LONGEST if longest is None else longest
    whole = min(first * 2.0 ** min(max(failures, 1) - 1, 20), longest)
    return whole * random.uniform(0.75, 1.0)  # noqa: S311 (nothing secret)
