"""Which folders are to be visited, and when: a hundred hints become one visit, and none is lost.

`listen` and `run` put folders on it, workers take them off. It lives in this process; whoever
replaces it by a durable queue keeps to these calls.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

from msgspec import Struct

SETTLE = 0.1
"""Seconds between the first hint and the visit: what belongs together arrives together."""


class Errand(Struct, frozen=True, kw_only=True):
    """Be a folder to visit now: its name, what caused that, and whether to list it completely."""

    key: str
    cause: str
    full: bool = False


class _Entry(Struct, eq=False):
    """Be what is planned for a folder; what is `urgent` goes before what is only due."""

    due: float
    urgent: bool
    cause: str
    full: bool


class Agenda:
    """Hold what is planned; safe to share between threads.

    One visit at a time per folder: what is asked for during a visit is done after it. `most`
    visits at once may be under way in one place, so that one that hangs leaves room for others.
    """

    def __init__(
        self,
        place: Callable[[str], str] = lambda _: "",
        most: Callable[[], int] = lambda: 1_000_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with nothing planned; `place` tells where a folder is."""
        self._place, self._most, self._clock = place, most, clock
        self._changed = threading.Condition()
        self._planned: dict[str, _Entry] = {}
        self._rests: dict[str, float] = {}
        self._under_way: dict[str, str] = {}
        self._ended = False

    def ask(
        self,
        key: str,
        cause: str,
        *,
        after: float = SETTLE,
        urgent: bool = True,
        full: bool = False,
    ) -> None:
        """Plan a visit in so many seconds; one that is planned sooner stands."""
        with self._changed:
            due = self._clock() + after
            known = self._planned.get(key)
            if known is None:
                self._planned[key] = _Entry(due, urgent, cause, full)
            else:
                known.full |= full
                known.urgent |= urgent
                if due < known.due:
                    known.due, known.cause = due, cause
            self._changed.notify()

    def take(self) -> Errand | None:
        """Wait for a folder that is due and return it; None once the agenda is closed.

        Whoever takes one says `done` afterwards.
        """
        with self._changed:
            while not self._ended:
                found, wait = self._next()
                if found is not None:
                    entry = self._planned.pop(found)
                    self._under_way[found] = self._place(found)
                    return Errand(key=found, cause=entry.cause, full=entry.full)
                self._changed.wait(wait)
            return None

    def done(self, key: str, *, rest: float = 0.0) -> None:
        """End a visit; for `rest` seconds no other one of this folder begins, whatever is asked."""
        with self._changed:
            self._under_way.pop(key, None)
            self._rests.pop(key, None)
            if rest > 0:
                self._rests[key] = self._clock() + rest
            self._changed.notify_all()

    def wake(self, key: str) -> None:
        """Let a folder rest no longer: what stood against it may be mended."""
        with self._changed:
            self._rests.pop(key, None)
            self._changed.notify()

    @property
    def idle(self) -> bool:
        """Tell whether nothing is under way and nothing due now."""
        with self._changed:
            now = self._clock()
            return not self._under_way and all(e.due > now for e in self._planned.values())

    def close(self) -> None:
        """Give out nothing more; whoever waits gets None."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _next(self) -> tuple[str | None, float | None]:
        """Return what to visit now, or None and how long to wait."""
        now, most = self._clock(), self._most()
        busy = Counter(self._under_way.values())
        best: tuple[bool, float, str] | None = None
        soonest: float | None = None
        for key, entry in self._planned.items():
            if key in self._under_way or busy[self._place(key)] >= most:
                continue
            due = max(entry.due, self._rests.get(key, 0.0))
            if due > now:
                soonest = due if soonest is None else min(soonest, due)
                continue
            rank = (not entry.urgent, due, key)
            best = rank if best is None else min(best, rank)
        if best is not None:
            return best[2], None
        return None, None if soonest is None else soonest - now
