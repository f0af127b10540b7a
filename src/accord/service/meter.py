"""Charge what visits cost, requests and time, to the links that it was spent for.

`sync` reads the meter after each thing it did; the links' shares add up to the real numbers.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from accord.ports.adapter import Adapter
from accord.service.report import Report


class Meter:
    """Count what the adapters and the clock say was spent since it was last charged.

    What other threads have made is theirs: it is charged in the thread that made it.
    """

    def __init__(self, *adapters: Adapter) -> None:
        """Begin at what was spent so far."""
        self._adapters = adapters
        self._requests = self._count()
        self._at = time.monotonic()

    def charge(self, reports: Sequence[Report]) -> None:
        """Charge what was spent since the last time in equal parts; the first bear the rest."""
        requests, at = self._count(), time.monotonic()
        share, rest = divmod(requests - self._requests, len(reports))
        for number, report in enumerate(reports):
            report.requests += share + (number < rest)
            report.seconds += (at - self._at) / len(reports)
        self._requests, self._at = requests, at

    def _count(self) -> int:
        return sum(adapter.requests for adapter in self._adapters)
