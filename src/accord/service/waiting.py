"""What stays pending after a batch: what failed is tried again, put off longer each time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from accord.model.kinds import Side
from accord.service.visit import Visit
from accord.state.records import Cause, Pending
from accord.state.state import Tx

RETRY = timedelta(minutes=1)
"""How long after the first failure something is tried again."""

_LONGEST = timedelta(hours=6)


def patient(tx: Tx, visit: Visit, pending: Sequence[Pending]) -> list[Pending]:
    """Return what is to be pending; what failed before waits longer each time."""
    kept = [one for one in pending if one.cause is not Cause.RETRY]
    for one in pending:
        if one.cause is not Cause.RETRY:
            continue
        side = Side.CRM if one.ref_crm else Side.GROUPWARE
        ref = one.ref_crm or one.ref_groupware
        known = tx.pending.by_refs(visit.link.id, side, [ref]).get(ref, [])
        tries = [former.tries for former in known if former.cause is Cause.RETRY]
        kept.append(_again(one, tries[0] + 1) if tries else one)
    return kept


def _again(pending: Pending, tries: int) -> Pending:
    """Return a retry put off longer the more often it was tried."""
    wait = min(RETRY * 2 ** min(tries - 1, 16), _LONGEST)
    return msgspec.structs.replace(pending, tries=tries, due=pending.at + wait)
