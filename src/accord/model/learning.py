"""Let msgspec learn types in one thread at a time.

It learns how to read a type when it first meets it, and what it learns it shows before it is whole:
another thread that meets the type in that moment ends the process with a SIGSEGV (msgspec 0.22).
"""

from __future__ import annotations

import threading
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_LEARNING = threading.Lock()
_LEARNT: set[Any] = set()


def learnt(wanted: T) -> T:
    """Return a type that msgspec may read values of now; every type it reads passes here."""
    if wanted not in _LEARNT:
        with _LEARNING:
            msgspec.msgpack.Decoder(wanted)
        _LEARNT.add(wanted)
    return wanted
