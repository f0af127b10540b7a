"""Who holds a lease, and whether that process is still alive.

A process that was killed gives nothing back; on its own machine nobody needs to wait until its
leases run out.
"""

from __future__ import annotations

import os
import socket
import uuid
from pathlib import Path

from accord.state.leases import Leases
from accord.state.processes import Processes
from accord.state.records import Lease


def take(leases: Leases, name: str, seconds: float) -> Lease | None:
    """Take a lease in this process's name, from a dead one, too; None while somebody has it."""
    lease = leases.acquire(name, myself(), seconds)
    if lease is not None:
        return lease
    standing = leases.get(name)
    if standing is None or not _is_gone(leases, standing.holder):
        return None
    leases.release(standing)
    return leases.acquire(name, myself(), seconds)


def _is_gone(leases: Leases, holder: str) -> bool:
    """Tell whether a holder is dead, or on another machine and gives no sign of life any more."""
    if is_here(holder):
        return is_dead(holder)
    return Processes(leases.context).silent(holder)


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


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _namespace() -> str:
    return Path("/proc/self/ns/pid").readlink().name
