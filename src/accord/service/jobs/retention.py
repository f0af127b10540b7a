"""The job `retention`: the journal keeps what was done for so many days, and no longer.

What is removed can't be undone or explained any more. The images go with the housekeeping.
"""

from __future__ import annotations

from datetime import timedelta

from accord.service.jobs.job import Outcome, Work

SLICE = 1_000
"""How many entries go in one transaction, so that nobody waits for long."""


def purge_journal(work: Work) -> Outcome:
    """Remove entries that are older than the option says."""
    days = int(work.options["days"])
    if days == 0:
        return Outcome(words="the journal keeps everything")
    state = work.accord.state
    before = work.accord.clock() - timedelta(days=days)
    with state.read() as tx:
        floor = tx.journal.floor(before)
        count = tx.journal.below(floor)
    if work.dry:
        return Outcome(words=f"{_entries(count)} older than {days} days would go")
    gone = 0
    while gone < count:
        work.step("removing", gone, count)
        some = state.run(lambda tx: tx.journal.cut(floor, SLICE))
        gone += some
        if not some:
            break
    words = f"{_entries(gone)} older than {days} days removed"
    return Outcome(words=words, counts={"entries": gone}, changed=gone > 0)


def _entries(count: int) -> str:
    return f"{count:,} journal {'entry' if count == 1 else 'entries'}"
