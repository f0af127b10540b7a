"""Gather the numbers that the guard judges a plan by.

Called by `planning` once the steps are known; what would neither delete, change nor mail anything
asks nothing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from weakref import WeakKeyDictionary

from accord.engine.extent import Extent, allowed
from accord.engine.plan import Delete, Plan, Update
from accord.engine.reconcile import Case
from accord.model.kinds import Side
from accord.model.observe import Deleted, Moved, OutOfScope
from accord.service.cases import Gathered
from accord.service.opening import FIRST
from accord.service.returned import missing
from accord.service.visit import Visit
from accord.state.records import Pending
from accord.state.state import State, Tx

HOUR = timedelta(hours=1)
COUNTED = 60.0
"""Seconds for which the number of a target's mailboxes stands: to count them takes longer the more
there are, and few come within a minute."""

WANTED = ("approval", "undo", "withdrawal", FIRST)
"""Causes of runs whose writes somebody asked for: they don't count as what happens by itself."""


def extent_of(visit: Visit, plan: Plan, gathered: Gathered, held: Sequence[Pending]) -> Extent:
    """Return what a plan adds up to, together with what was done within the hour before."""
    deletes = any(isinstance(step, Delete) for step in plan.writes)
    updates = sum(isinstance(step, Update) for step in plan.writes)
    mails = any(step.mails for step in plan.writes)
    if not deletes and not updates and not mails:
        return Extent(pairings=0)
    link, target, since = visit.link.id, visit.link.target, visit.now - HOUR
    with visit.state.read() as tx:
        known = tx.pairings.live(link) if deletes else 0
        deleted = tx.journal.deleted(target, since, WANTED) if deletes else {}
        mailboxes, updated = _updated(visit, tx, updates) if updates else (1, {})
        mailed = tx.journal.mailed(target, since, WANTED) if mails else {}
    return Extent(
        pairings=known,
        gone={side: len(_gone(side, gathered.cases, held)) for side in Side},
        lost=gathered.lost,
        deletes={side: deleted.get((link, side), 0) for side in Side},
        mails=sum(mailed.get((link, side), 0) for side in Side),
        all_deletes=_by_side(deleted),
        all_updates=_by_side(updated),
        all_mails=sum(mailed.values()),
        mailboxes=mailboxes,
    )


def _updated(visit: Visit, tx: Tx, planned: int) -> tuple[int, Mapping[tuple[str, Side], int]]:
    """Return the target's mailboxes and what was changed within the hour, where they matter.

    To count by target and cause is dear where thousands work, and next to never needed.
    """
    since, limits = visit.now - HOUR, visit.rule.guard
    # A first visit is no part of the hour, so the hour is nothing to it either.
    most = planned + (0 if visit.policy.first else tx.journal.written(since))
    if most <= limits.target_updates:
        return 1, {}
    mailboxes = _mailboxes(visit.state, tx, visit.link.target)
    if visit.policy.first or most <= allowed(limits, mailboxes):
        return mailboxes, {}
    return mailboxes, tx.journal.updated(visit.link.target, since, WANTED)


def _mailboxes(state: State, tx: Tx, target: str) -> int:
    """Return how many mailboxes a target has, as counted within the last minute."""
    known = _MAILBOXES.setdefault(state, {})
    at, count = known.get(target, (0.0, 0))
    if not count or time.monotonic() - at > COUNTED:
        count = tx.links.mailboxes(target)
        known[target] = time.monotonic(), count
    return count


def _by_side(counts: Mapping[tuple[str, Side], int]) -> dict[Side, int]:
    return {side: sum(n for (_, where), n in counts.items() if where is side) for side in Side}


def _gone(side: Side, cases: Sequence[Case], held: Sequence[Pending]) -> set[str]:
    """Return the refs of live pairs that are missing on a side, found so now or held since."""
    gone = set()
    for case in cases:
        pairing = case.pairing
        said = case.crm if side is Side.CRM else case.groupware
        if pairing and not pairing.frozen and isinstance(said, Deleted | Moved | OutOfScope):
            gone.add(pairing.side(side).ref)
    gone |= {ref for where, ref in missing(held) if where is side}
    return gone - {""}


_MAILBOXES: WeakKeyDictionary[State, dict[str, tuple[float, int]]] = WeakKeyDictionary()
