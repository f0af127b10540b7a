"""Memory that nobody needs any more goes back to the system, once nothing is to be done."""

from __future__ import annotations

import ctypes
import gc
import subprocess
import sys
import weakref

import pytest

from accord.service import memory

GLIBC = hasattr(ctypes.CDLL(None), "malloc_trim")

PROGRAM = """
import threading
from pathlib import Path
from accord.service.memory import give_back, share_arenas

def resident():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

def burst():
    kept.append([bytes(900) for _ in range(40_000)])

share_arenas()
kept, last = [], []
threads = [threading.Thread(target=burst) for _ in range(4)]
for each in threads:
    each.start()
for each in threads:
    each.join()
# The last piece of each burst stays, so that the C library can't simply shrink its heap.
last += [some[-1] for some in kept]
kept.clear()
before = resident()
assert give_back()
print(before - resident())
"""


class Circle:
    """Be garbage that only a look for it finds."""

    itself: Circle | None = None


@pytest.mark.skipif(not GLIBC, reason="only glibc keeps free memory, and gives it back")
def test_what_was_freed_goes_back() -> None:
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) > 50_000, "KiB of about 140,000"


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    memory.share_arenas()
    assert not memory.give_back()


def test_what_runs_for_long_keeps_no_hundred_thousand_dead_objects() -> None:
    before = gc.get_threshold()
    died: list[bool] = []
    try:
        memory.look_for_garbage()
        circle = Circle()
        circle.itself = circle
        weakref.finalize(circle, died.append, True)
        del circle
        kept: list[list[object]] = [[] for _ in range(150_000)]
        assert died, f"{len(kept)} objects later"
    finally:
        gc.set_threshold(*before)
