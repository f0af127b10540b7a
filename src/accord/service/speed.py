"""How long a change takes that somebody says there is: from the hint to the end of its visit.

Counted by classes (`BOUNDS`), so that the figures of all processes can be added up. `tally` counts,
`status` tells, `web.metrics` serves.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct

BOUNDS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
"""Up to how many seconds each class goes; one more has no end."""

HEARD = frozenset({"hint", "crm"})
"""What causes a visit that somebody waits for: a change that a server or the CRM told of."""

SINCE_START, LATELY = "heard", "lately"
"""Which counts those of a class are, in the figures of a process."""

HOURS = 3
"""Of so many hours, the one under way included, are those of late."""


class Speed(Struct, frozen=True, kw_only=True):
    """Be how many seconds half of the changes took at most, and 95 of 100; of so many."""

    count: int
    p50: float
    p95: float


class Lately:
    """Count by class what took how long in the last hours."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._hours: dict[int, Counter[str]] = {}

    def take(self, seconds: float, now: float) -> None:
        """Count one; `now` is in seconds, and never goes back."""
        self._hours.setdefault(int(now // 3600), Counter())[class_of(seconds)] += 1

    def counts(self, now: float) -> Counter[str]:
        """Return how many there are of each class, and forget what is older."""
        first = int(now // 3600) - HOURS + 1
        self._hours = {hour: some for hour, some in self._hours.items() if hour >= first}
        return sum(self._hours.values(), Counter[str]())


def class_of(seconds: float) -> str:
    """Return the class of what took so long: up to which bound it goes."""
    at = bisect_left(BOUNDS, seconds)
    return f"{BOUNDS[at]:g}" if at < len(BOUNDS) else "+Inf"


def by_class(counts: Mapping[str, int], which: str) -> list[int]:
    """Return from a process's figures of a target how many there are of each class, in order."""
    names = [*(f"{bound:g}" for bound in BOUNDS), "+Inf"]
    return [counts.get(f"{which}.{name}", 0) for name in names]


def speed(some: Iterable[Mapping[str, int]]) -> Speed | None:
    """Return how quick it was of late by the figures of processes; None where nothing was."""
    counts = [sum(each) for each in zip(*(by_class(one, LATELY) for one in some), strict=True)]
    if not any(counts):
        return None
    return Speed(count=sum(counts), p50=_quantile(counts, 0.5), p95=_quantile(counts, 0.95))


def _quantile(counts: list[int], share: float) -> float:
    """Return how many seconds so large a share took at most, as if each class were even."""
    wanted = share * sum(counts)
    low = 0.0
    for bound, count in zip(BOUNDS, counts, strict=False):
        if count and wanted <= count:
            return round(low + (bound - low) * wanted / count, 2)
        wanted -= count
        low = bound
    return low
