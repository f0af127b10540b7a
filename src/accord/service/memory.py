"""Give memory back to the system that a burst of visits took and nobody needs any more.

The C library keeps what was freed, for each thread apart; of a service that watches hundreds of
mailboxes most of the memory would be that.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable

_ARENAS = -8
"""M_ARENA_MAX of glibc's malloc.h."""

_NEW = 100_000
"""New objects that may be garbage before somebody looks."""


def look_for_garbage() -> None:
    """Look for garbage as often as what runs for long needs; one command needs it less."""
    gc.set_threshold(_NEW)


def share_arenas(most: int = 2) -> None:
    """Let all threads take memory from so few places; to be called before they start."""
    if (mallopt := _of_libc("mallopt")) is not None:
        mallopt(_ARENAS, most)


def give_back() -> bool:
    """Return free memory to the system; tell whether any was. Only glibc knows how."""
    trim = _of_libc("malloc_trim")
    return trim is not None and bool(trim(0))


def _of_libc(name: str) -> Callable[..., int] | None:
    try:
        found: Callable[..., int] = getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError):
        return None
    return found
