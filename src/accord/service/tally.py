"""Count what this process did: its figures in the database.

`presence` leaves them there; they name targets and what became of visits, and nobody.
"""

from __future__ import annotations

import threading
from collections import Counter

from accord.model.kinds import Side
from accord.service.run import Visited


class Tally:
    """Count visits by target since this process began; safe to share between threads."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._lock = threading.Lock()
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

    def figures(self) -> dict[str, dict[str, int]]:
        """Return all counts by target."""
        with self._lock:
            return {name: dict(sorted(counts.items())) for name, counts in self._targets.items()}
