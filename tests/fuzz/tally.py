"""How many histories were played, on which database; printed at the end of the tests."""

from __future__ import annotations

from collections import Counter

COUNTS: Counter[str] = Counter()


def count(database: str) -> None:
    COUNTS[database] += 1
