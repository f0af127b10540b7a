"""How much the server takes and gives at once; what is not said is as Exchange 2019 comes."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct

from accord.sandbox.exchange.errors import SoapFault


class Limits(Struct, frozen=True, kw_only=True):
    """Say what is too much; 0 means that nothing is.

    `attachment` and `item` are bytes, of an item with all that hangs on it. `found` items come
    in one answer of FindItem, `searched` ones where it has a restriction, `synced` changes in
    one of SyncFolderItems, `things` in one request. An account holds `subscriptions`; a mailbox has
    open `streams` and is served `at_once` and `per_minute` so many requests, whoever makes them in
    its owner's name.
    """

    attachment: int = 25 * 1024 * 1024
    item: int = 25 * 1024 * 1024
    found: int = 1000
    searched: int = 250
    synced: int = 512
    things: int = 0
    subscriptions: int = 5000
    streams: int = 10
    at_once: int = 27
    per_minute: int = 0


USUAL = Limits()
"""What Exchange comes with."""


class Budgets:
    """Count what is asked for in each mailbox's name, now and in the last minute."""

    def __init__(self, limits: Limits, minute: float) -> None:
        self._limits, self._minute = limits, minute
        self._lock = threading.Lock()
        self._open = Counter[int]()
        self._lately: dict[int, deque[float]] = {}

    @contextmanager
    def spend(self, mailbox: int) -> Iterator[None]:
        """Count a request for as long as it lasts. Raises SoapFault where it is one too many."""
        with self._lock:
            self._check(mailbox)
            self._open[mailbox] += 1
        try:
            yield
        finally:
            with self._lock:
                self._open[mailbox] -= 1

    def _check(self, mailbox: int) -> None:
        limits, now = self._limits, time.monotonic()
        if limits.at_once and self._open[mailbox] >= limits.at_once:
            raise SoapFault("ErrorExceededConnectionCount")
        if not limits.per_minute:
            return
        lately = self._lately.setdefault(mailbox, deque())
        while lately and lately[0] <= now - self._minute:
            lately.popleft()
        if len(lately) >= limits.per_minute:
            wait = str(max(int((lately[0] + self._minute - now) * 1000), 1))
            raise SoapFault("ErrorServerBusy", details={"BackOffMilliseconds": wait})
        lately.append(now)
