"""Gather the numbers that the guard judges a plan by.

Called by `planning` once the steps are known; what would delete or mail nothing asks nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from accord.engine.extent import Extent
from accord.engine.plan import Delete, Plan
from accord.engine.reconcile import Case
from accord.model.kinds import Side
from accord.model.observe import Deleted, Moved, OutOfScope
from accord.service.cases import Gathered
from accord.service.returned import missing
from accord.service.visit import Visit
from accord.state.records import Pending

HOUR = timedelta(hours=1)
WANTED = ("approval", "undo", "withdrawal")
"""Causes of runs whose writes somebody asked for: they don't count as what happens by itself."""


def extent_of(visit: Visit, plan: Plan, gathered: Gathered, held: Sequence[Pending]) -> Extent:
    """Return what a plan adds up to, together with what was done within the hour before."""
    deletes = any(isinstance(step, Delete) for step in plan.writes)
    mails = any(step.mails for step in plan.writes)
    if not deletes and not mails:
        return Extent(pairings=0)
    link, target, since = visit.link.id, visit.link.target, visit.now - HOUR
    with visit.state.read() as tx:
        known = tx.pairings.live(link) if deletes else 0
        deleted = tx.journal.deleted(target, since, WANTED) if deletes else {}
        mailed = tx.journal.mailed(target, since, WANTED) if mails else {}
    return Extent(
        pairings=known,
        gone={side: len(_gone(side, gathered.cases, held)) for side in Side},
        lost=gathered.lost,
        deletes={side: deleted.get((link, side), 0) for side in Side},
        mails=sum(mailed.get((link, side), 0) for side in Side),
        all_deletes={
            side: sum(n for (_, where), n in deleted.items() if where is side) for side in Side
        },
        all_mails=sum(mailed.values()),
    )


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
