"""Ids that sort by the time they were made: runs, pairings, intents, pending changes.

Made anywhere, without asking the database.
"""

from __future__ import annotations

import secrets
import threading
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_RANDOM_BITS = 40


def new_id() -> str:
    """Return an id of 20 letters and digits; those of one process strictly ascend.

    60 bits of microseconds since 1970, then 40 random ones, in Crockford's base 32.
    """
    number = (_moments.next() << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(95, -1, -5))


class _Moments:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> int:
        with self._lock:
            self._last = max(self._last + 1, time.time_ns() // 1000)
            return self._last


_moments = _Moments()
