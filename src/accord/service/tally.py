"""Count what this process did: its figures in the database.

`presence` leaves them there; they name targets and what became of visits, and nobody.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

from accord.model.kinds import Side
from accord.service.run import Visited
from accord.service.speed import LATELY, SINCE_START, Lately, class_of


class Tally:
    """Count visits by target since this process began; safe to share between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing."""
        self._clock = clock
        self._lock = threading.Lock()
        self._lately: dict[str, Lately] = {}
        self._targets: dict[str, Counter[str]] = {}

    def take(self, visited: Visited) -> None:
        """Count what a visit came to."""
        with self._lock:
            counts = self._targets.setdefault(visited.target, Counter())
            for report in visited.reports:
                counts[f"visits.{report.action if report.error else 'done'}"] += 1
                for side in Side:
                    made = report.side(side)
                    counts[f"writes.{side}"] += made.created + made.updated + made.deleted
                    counts[f"failures.{side}"] += made.failed
                counts["requests"] += report.requests
                counts["milliseconds"] += round(report.seconds * 1000)
            if visited.took is not None:
                counts[f"{SINCE_START}.{class_of(visited.took)}"] += 1
                counts[f"{SINCE_START}_milliseconds"] += round(visited.took * 1000)
                lately = self._lately.setdefault(visited.target, Lately())
                lately.take(visited.took, self._clock())

    def figures(self) -> dict[str, dict[str, int]]:
        """Return all counts by target; those of late, too."""
        with self._lock:
            found = {name: dict(sorted(counts.items())) for name, counts in self._targets.items()}
            for name, lately in self._lately.items():
                for kind, count in lately.counts(self._clock()).items():
                    found[name][f"{LATELY}.{kind}"] = count
            return found
