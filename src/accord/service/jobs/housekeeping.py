"""The job `housekeeping`: what nothing refers to any more goes, in short transactions.

What visits and CRM.interface tidy up by the way goes here, too, where those seldom run.
"""

from __future__ import annotations

from collections.abc import Callable

from accord.service.jobs.job import Outcome, Work
from accord.service.upkeep import IDLE_RUNS, collect
from accord.state.state import Tx


def tidy_up(work: Work) -> Outcome:
    """Remove unreferenced blobs, visits that did nothing, and what has expired."""
    accord, now = work.accord, work.accord.clock()
    rested = now - 2 * work.config.interface.patience
    parts: dict[str, Callable[[Tx], int]] = {
        "runs": lambda tx: tx.runs.prune(now - IDLE_RUNS),
        "conversations": lambda tx: tx.sync_sessions.prune(rested),
        "syncs": lambda tx: tx.sync_log.prune(),
        "tokens": lambda tx: tx.token_uses.prune() + tx.revocations.prune(),
        "keys": lambda tx: tx.token_keys.prune(),
        "processes": lambda tx: tx.processes.prune(),
        "leases": lambda tx: tx.leases.prune({target.id for target in tx.targets.all()}),
    }
    counts = {}
    for name, remove in parts.items():
        work.step(f"removing {name}")
        counts[name] = accord.state.run(remove, durable=False)
    counts["blobs"] = collect(accord, lambda: work.step("removing blobs"))
    gone = {name: count for name, count in counts.items() if count}
    words = ", ".join(f"{count:,} {name}" for name, count in gone.items())
    return Outcome(words=f"{words} removed" if gone else "nothing to remove", counts=counts)
