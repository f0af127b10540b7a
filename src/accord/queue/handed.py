"""What DBOS gave to this process and nobody has begun: the urgent first, and all in turn."""

from __future__ import annotations

import threading

from msgspec import Struct

TURNS = 4
"""Of so many that begin one is whoever waits longest, however urgent the others are."""


class Claimed(Struct, eq=False):
    """Be a run that DBOS gave to this process; `over` ends it there."""

    key: str
    generation: int
    urgency: int
    over: threading.Event


class Handed:
    """Hold them until a worker is free; safe to share between threads. They are few."""

    def __init__(self) -> None:
        """Begin with none."""
        self._changed = threading.Condition()
        self._waiting: list[Claimed] = []
        self._turn = 0
        self._ended = False

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def put(self, claimed: Claimed) -> None:
        """Let one wait for a worker."""
        with self._changed:
            self._waiting.append(claimed)
            self._changed.notify()

    def hurry(self, key: str, urgency: int) -> None:
        """Let a folder's run be as urgent as what is asked for here: it is its run, too."""
        with self._changed:
            for each in self._waiting:
                if each.key == key:
                    each.urgency = min(each.urgency, urgency)

    def take(self) -> Claimed | None:
        """Wait for one and return it; None where there is none and nothing more is to come."""
        with self._changed:
            while not self._waiting:
                if self._ended:
                    return None
                self._changed.wait()
            self._turn = (self._turn + 1) % TURNS
            first = 0
            if self._turn:
                urgencies = [each.urgency for each in self._waiting]
                first = urgencies.index(min(urgencies))
            return self._waiting.pop(first)

    def rest(self) -> list[Claimed]:
        """Return all that wait, and hold them no longer."""
        with self._changed:
            found, self._waiting = self._waiting, []
            return found

    def end(self) -> None:
        """Let those who wait for one go once none is left."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
