"""Whose requests they are: one adapter serves many visits at once, and each pays for its own.

A thread that visits asks for itself; `Helpers` ask for whoever handed them something to do.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_ASKS_FOR: ContextVar[int | None] = ContextVar("asks_for", default=None)


class Requests:
    """Count requests, by the thread that had them made; safe to share between threads."""

    def __init__(self) -> None:
        """Begin with none."""
        self._lock = threading.Lock()
        self._made: Counter[int] = Counter()

    def count(self) -> None:
        """Count one more of whoever has it made."""
        with self._lock:
            self._made[_asker()] += 1

    @property
    def own(self) -> int:
        """Return how many the calling thread has had made."""
        with self._lock:
            return self._made[_asker()]

    @property
    def all(self) -> int:
        """Return how many there were, whoever had them made."""
        with self._lock:
            return self._made.total()


class Helpers(ThreadPoolExecutor):
    """Be threads that do things for others, whose requests these are."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have something done in the name of the calling thread."""
        context = copy_context()
        context.run(_ASKS_FOR.set, _asker())
        return super().submit(partial(context.run, fn, *args, **kwargs))


def _asker() -> int:
    asked_for = _ASKS_FOR.get()
    return threading.get_ident() if asked_for is None else asked_for
