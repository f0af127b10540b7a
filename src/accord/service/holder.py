"""Who holds a folder's lease, and whether that process is still alive.

A process that was killed gives nothing back; on its own machine its folders needn't wait until
the lease runs out.
"""

from __future__ import annotations

import os
import socket
import uuid
from pathlib import Path


def myself() -> str:
    """Return a name for this holder: the machine's boot, the process, and a part of its own."""
    return f"{_place()}/{os.getpid()}/{uuid.uuid4().hex[:8]}"


def is_dead(holder: str) -> bool:
    """Tell whether a holder is surely gone: a process of this very boot that no longer runs."""
    place, _, rest = holder.rpartition("/")[0].rpartition("/")
    if place != _place() or not rest.isdigit():
        return False
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


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _namespace() -> str:
    return Path("/proc/self/ns/pid").readlink().name
