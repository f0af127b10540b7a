"""The names of processes, and whether one of this machine is still alive.

By them leases, processes and runs of the queue say whose they are.
"""

from __future__ import annotations

import os
import socket
import uuid
from functools import cache
from pathlib import Path


def myself() -> str:
    """Return a name for this holder: the machine's boot, the process, and a part of its own."""
    return f"{_place()}/{os.getpid()}/{uuid.uuid4().hex[:8]}"


def is_here(holder: str) -> bool:
    """Tell whether a holder is, or was, a process of this very boot."""
    place, _, rest = holder.rpartition("/")[0].rpartition("/")
    return place == _place() and rest.isdigit()


def is_dead(holder: str) -> bool:
    """Tell whether a holder is surely gone: a process of this very boot that no longer runs."""
    if not is_here(holder):
        return False
    rest = holder.rpartition("/")[0].rpartition("/")[2]
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _place() -> str:
    """Return what tells processes with one number apart: host, boot and process namespace."""
    parts = [socket.gethostname()]
    for read in (_boot, _namespace):
        try:
            parts.append(read())
        except OSError:  # not Linux: the host's name has to do
            parts.append("-")
    return ":".join(parts)


@cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


@cache
def _namespace() -> str:
    return Path("/proc/self/ns/pid").readlink().name
