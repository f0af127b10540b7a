"""What stays pending after a batch: retries, put off longer each time, and conflicts still open."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta

import msgspec

from accord.engine.plan import Conflict, Pairing
from accord.engine.policy import Policy
from accord.model.diff import diff
from accord.model.kinds import Side
from accord.rules.failure import RuleFailed
from accord.service.visit import Visit
from accord.state.codec import decode_step
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


def close_conflicts(tx: Tx, visit: Visit, pairings: Collection[Pairing]) -> None:
    """Drop open conflicts about fields that have come to agree."""
    refs = {pairing.crm.ref: pairing for pairing in pairings}
    for ref, found in tx.pending.by_refs(visit.link.id, Side.CRM, refs).items():
        for pending in found:
            if pending.cause is not Cause.CONFLICT:
                continue
            step = decode_step(pending.step)
            fields = {c.field for c in step.fields} if isinstance(step, Conflict) else set()
            if not _still_open(refs[ref], fields, visit.policy):
                tx.pending.remove(pending.id)


def open_fields(pairing: Pairing, fields: set[str], policy: Policy) -> tuple[str, ...]:
    """Return which of `fields` still differ between the two sides of a pair."""
    wanted = policy.carried(Side.GROUPWARE, pairing.crm.item)
    back = policy.carried(Side.CRM, pairing.groupware.item)
    here = diff(pairing.groupware.item, wanted, policy.flows(Side.GROUPWARE) & fields)
    there = diff(pairing.crm.item, back, policy.flows(Side.CRM) & fields)
    return tuple(dict.fromkeys((*here, *there)))


def _still_open(pairing: Pairing, fields: set[str], policy: Policy) -> bool:
    try:
        return bool(open_fields(pairing, fields, policy))
    except RuleFailed:
        return True


def _again(pending: Pending, tries: int) -> Pending:
    """Return a retry put off longer the more often it was tried."""
    wait = min(RETRY * 2 ** min(tries - 1, 16), _LONGEST)
    return msgspec.structs.replace(pending, tries=tries, due=pending.at + wait)
