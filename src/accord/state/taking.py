"""Take a lease in this process's name, from a process that is gone, too.

A process that was killed gives nothing back; nobody needs to wait until its leases run out.
"""

from __future__ import annotations

from accord.state.holder import is_dead, is_here, myself
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
    processes = Processes(leases.context)
    return processes.silent(holder) and processes.judges(myself())
