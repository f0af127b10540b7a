"""When the hostile adapter misbehaves: by chance from a seed, or exactly when a test says so.

`hostile` asks at every opportunity; everything that was done is kept in `log`.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, TypeVar

from msgspec import Struct

T = TypeVar("T")


class Trick(StrEnum):
    """Name what a side may do to us without ever breaking the port's promises.

    truncate: store less text than was sent · lose-answer: do the write, or the first part of
    a batch, and then fail · touch: give an item a new version without any change · reorder
    and duplicate: observations · expire: forget cursors · halve: stop a listing, or lose
    hints · throttle: ask to be left alone, before or between pages · unreadable and deny:
    say `Unknown` or `Denied` about an item that is there, and refuse to write it.
    """

    TRUNCATE = "truncate"
    LOSE_ANSWER = "lose-answer"
    TOUCH = "touch"
    REORDER = "reorder"
    DUPLICATE = "duplicate"
    EXPIRE = "expire"
    HALVE = "halve"
    THROTTLE = "throttle"
    UNREADABLE = "unreadable"
    DENY = "deny"


class Done(Struct, frozen=True):
    """Be one line of the log: which trick, in which call, on what."""

    trick: Trick
    call: str
    detail: str = ""


class Hostility:
    """Decide, at each opportunity, whether a trick is played; thread-safe, repeatable."""

    def __init__(
        self, seed: int = 0, rates: Mapping[Trick, float] | float = 0.0, *, cut: int = 12
    ) -> None:
        """Play each trick with its rate (0 to 1; one number stands for all tricks).

        `cut` is how many characters a truncated text keeps.
        """
        given = dict.fromkeys(Trick, rates) if isinstance(rates, float | int) else rates
        self.rates: dict[Trick, float] = dict(given)
        self.cut = cut
        self.log: list[Done] = []
        self._random = random.Random(seed)  # noqa: S311 (repeatable mischief, no secret)
        self._next: dict[Trick, list[bool]] = {}
        self._quiet = False
        self._lock = threading.RLock()

    def next(self, trick: Trick, times: int = 1, *, after: int = 0) -> None:
        """Play a trick at the next `times` opportunities, letting `after` of them pass first."""
        with self._lock:
            self._next.setdefault(trick, []).extend([False] * after + [True] * times)

    def quiet(self) -> None:
        """Stop all tricks, programmed ones included, until `resume`."""
        with self._lock:
            self._quiet = True
            self._next.clear()

    def resume(self) -> None:
        """Play tricks again."""
        with self._lock:
            self._quiet = False

    @contextmanager
    def calm(self) -> Iterator[None]:
        """Be quiet inside a `with` block; what is programmed waits for its end."""
        with self._lock:
            before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            with self._lock:
                self._quiet = before

    def plays(self, trick: Trick, call: str, detail: str = "") -> bool:
        """Tell whether to play a trick now, and keep it in the log if so."""
        with self._lock:
            if self._quiet:
                return False
            planned = self._next.get(trick)
            if planned:
                yes = planned.pop(0)
            else:
                rate = self.rates.get(trick, 0.0)
                yes = rate > 0 and self._random.random() < rate
            if yes:
                self.log.append(Done(trick, call, detail))
            return yes

    def pick(self, upto: int) -> int:
        """Return a number from 0 to `upto`, both included."""
        with self._lock:
            return self._random.randint(0, max(0, upto))

    def choose(self, among: Sequence[T], most: int) -> list[T]:
        """Return some, but not more than `most`, of the given."""
        with self._lock:
            return self._random.sample(list(among), min(len(among), self._random.randint(1, most)))

    def shuffled(self, given: Sequence[T]) -> list[T]:
        """Return the given in another order."""
        with self._lock:
            return self._random.sample(list(given), len(given))

    def played(self, trick: Trick) -> int:
        """Return how often a trick was played."""
        with self._lock:
            return sum(done.trick is trick for done in self.log)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the lock behind, so that copies and pickles work."""
        with self._lock:
            state = dict(self.__dict__)
            state.update(log=list(self.log), _next={t: list(p) for t, p in self._next.items()})
        del state["_lock"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make a lock of its own."""
        self.__dict__.update(state, _lock=threading.RLock())
