"""The decision: what both sides say about one item in, the steps to take out.

`TABLE` is total over what the two sides can say of a pair; read it first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec
from msgspec import UNSET

from accord.engine.both import OVER_UNREAD, Both, Case, Said, conflict, pair, said, skip, update
from accord.engine.depart import (
    deleted_in_crm,
    deleted_in_groupware,
    forget,
    left,
    moved,
    outside,
)
from accord.engine.first import meet, newcomer
from accord.engine.fit import title_of
from accord.engine.merge import merge
from accord.engine.plan import (
    WRITES_OVER,
    Frozen,
    Hold,
    Pairing,
    Skip,
    Step,
    Unread,
    Update,
)
from accord.engine.policy import Policy
from accord.engine.stays import stays
from accord.model.kinds import Side
from accord.model.observe import Deleted, Denied, Observation, Seen, Snapshot, Unknown
from accord.model.zones import UnknownZone
from accord.rules.failure import RuleFailed, unruled

__all__ = ["TABLE", "Both", "Case", "Said", "failed", "reconcile", "said"]


def reconcile(case: Case, policy: Policy) -> tuple[Step, ...]:
    """Return the steps that bring one item to agreement; none where nothing is to be done."""
    try:
        if case.pairing is None:
            return _unpaired(case, policy)
        return _paired(case.pairing, case, policy)
    except (RuleFailed, UnknownZone, OverflowError) as error:
        why = unruled(error, case.items)
        return tuple(msgspec.structs.replace(step, failed=True) for step in failed(case, why))


def failed(case: Case, why: str) -> tuple[Skip, ...]:
    """Return what leaves an item alone that nothing could be decided about, and says why.

    It has no label where the item is private on a side, or was when both agreed.
    """
    private = any(title_of(item) is UNSET for item in case.items)
    for side, observation in ((Side.CRM, case.crm), (Side.GROUPWARE, case.groupware)):
        if isinstance(observation, Seen):
            snapshot = observation.snapshot
            return (
                Skip(
                    side=side,
                    ref=snapshot.ref,
                    version=snapshot.version,
                    pairing=case.pairing.id if case.pairing else "",
                    parked="rejected",
                    why=why,
                    label=UNSET if private else title_of(snapshot.item),
                ),
            )
    return ()


def _unpaired(case: Case, policy: Policy) -> tuple[Step, ...]:
    match case.crm, case.groupware:
        case Seen(crm), Seen(groupware):
            return meet(crm, groupware, policy, content=not case.claimed)
        case Seen(crm), None:
            return newcomer(Side.CRM, crm, policy)
        case None, Seen(groupware):
            return newcomer(Side.GROUPWARE, groupware, policy, claimed=bool(case.claimed))
        case _:
            return tuple(
                _noted(side, observation, policy)
                for side, observation in ((Side.CRM, case.crm), (Side.GROUPWARE, case.groupware))
                if isinstance(observation, Unknown | Denied)
            )


def _noted(side: Side, observation: Unknown | Denied, policy: Policy) -> Skip:
    """Record that a ref nobody has paired can't be read, so that `explain` can tell.

    What has no version to wait for is asked again, or it would never be seen. What has one
    waits for somebody to mend it, where it would travel if it could be read.
    """
    travels = policy.program.creates(side.other)
    noted = Skip(side=side, ref=observation.ref, why=f"can't be read: {observation.why}")
    if isinstance(observation, Denied):
        return msgspec.structs.replace(noted, unread=Unread(travels=travels))
    lasting = "rejected" if travels else ""
    return msgspec.structs.replace(
        noted,
        version=observation.version,
        parked="retry" if _fleeting(observation) else lasting,
        unread=Unread(uid=observation.uid, label=observation.title, travels=travels),
    )


def _fleeting(observation: Observation | None) -> bool:
    return isinstance(observation, Unknown) and not observation.version


def _garbled(observation: Observation | None) -> bool:
    """Tell whether it can't be read for what it is: it stays so until somebody changes it."""
    return isinstance(observation, Unknown) and bool(observation.version)


def _ours(observation: Observation | None) -> str:
    return observation.version if isinstance(observation, Unknown) and observation.ours else ""


def _paired(pairing: Pairing, case: Case, policy: Policy) -> tuple[Step, ...]:
    both = Both(
        pairing=pairing,
        crm=_present(pairing.crm, case.crm),
        groupware=_present(pairing.groupware, case.groupware),
        said={
            Side.CRM: said(pairing.crm, case.crm),
            Side.GROUPWARE: said(pairing.groupware, case.groupware),
        },
        erased=any(isinstance(o, Deleted) and o.erased for o in (case.crm, case.groupware)),
        fleeting=_fleeting(case.crm) or _fleeting(case.groupware),
        garbled=_garbled(case.crm) or _garbled(case.groupware),
        why=_reason(case),
        policy=policy,
        ours=_ours(case.groupware),
    )
    frozen = Frozen(pairing.frozen) if pairing.frozen else None
    if frozen is not None and (not frozen.returns or Said.GONE in both.said.values()):
        return _rest(both, frozen)
    return TABLE[both.said[Side.CRM], both.said[Side.GROUPWARE]](both)


def _present(base: Snapshot, observation: Observation | None) -> Snapshot:
    return observation.snapshot if isinstance(observation, Seen) else base


def _reason(case: Case) -> str:
    reasons = (getattr(o, "why", None) for o in (case.crm, case.groupware))
    return "; ".join(reason for reason in reasons if reason)


def _rest(both: Both, frozen: Frozen) -> tuple[Step, ...]:
    """Leave a pair alone that was let go; forget it when nothing is left of it.

    Deleting what is left on one side says nothing about the other any more.
    """
    words = both.said
    tidied = frozen in (Frozen.PAST, Frozen.DECLINED) and words[Side.GROUPWARE] is not Said.CHANGED
    if words[Side.CRM] is Said.GONE and (tidied or words[Side.GROUPWARE] is Said.GONE):
        return () if frozen is Frozen.DECLINED and _may_return(both) else forget(both)
    changed = next((side for side in Side if words[side] is Said.CHANGED), None)
    if changed is None:
        return ()
    return (skip(both, changed, f"this pair was let go ({frozen}) and is left alone"),)


def _may_return(both: Both) -> bool:
    """Tell whether a record that is gone may be restored, and its meeting still lies ahead."""
    return not both.erased and not both.policy.past(both.pairing.crm.item)


def _stay(both: Both) -> tuple[Step, ...]:
    """Both sides can be read: check the scope, then merge."""
    out = outside(both)
    if out is not None:
        return out
    merged = merge(both.pairing, both.crm, both.groupware, both.policy)
    steps: list[Step] = [conflict(both, clash) for clash in merged.clashes]
    why = stays(both.pairing, both.crm, both.groupware, both.policy)
    if why and both.said[Side.CRM] is Said.CHANGED:
        steps.append(skip(both, Side.CRM, why))
    for side in (Side.GROUPWARE, Side.CRM):
        values = merged.side(side)
        if values and both.now(side).readonly:
            why = f"this user may read but not change it in the {side.place}"
            steps.append(skip(both, side, why, "rejected"))
        elif values:
            steps.append(update(both, side, values, merged.restored, merged.contested))
    if not any(isinstance(step, Update) or _parked(step) for step in steps) and _moved_on(both):
        steps.append(pair(both, merged.contested))
    return tuple(steps)


def _parked(step: Step) -> bool:
    return isinstance(step, Skip) and bool(step.parked)


def _moved_on(both: Both) -> bool:
    changed = any(word is Said.CHANGED for word in both.said.values())
    return changed or bool(both.pairing.frozen)


def _wait(both: Both) -> tuple[Step, ...]:
    """One side can't be read: nothing follows from that, and nothing is forgotten."""
    side = next(side for side in Side if both.said[side] is Said.BLIND)
    why = f"can't be read at present: {both.why or 'no reason given'}"
    if both.ours and both.said[Side.CRM] is Said.SAME and both.policy.program.creates(side):
        why += "; an edit in the CRM waits for approval to be written over it"
    waiting = both.said[side.other] not in (Said.SAME, Said.BLIND)
    lasting = "rejected" if both.garbled else ""
    parked = "retry" if waiting or both.fleeting else lasting
    return (msgspec.structs.replace(skip(both, side, why, parked), unread=Unread()),)


def _mend(both: Both) -> tuple[Step, ...]:
    """Hold the CRM's edit over a copy of ours that can't be read, as one that last held its base.

    Approved, it is written over what somebody made of the copy. Anything more than that one write
    waits until the copy can be read.
    """
    if not both.ours or both.pairing.frozen:
        return _wait(both)
    copy = msgspec.structs.replace(both.groupware, version=both.ours)
    steps = _stay(msgspec.structs.replace(both, groupware=copy))
    match steps:
        case (Update(side=Side.GROUPWARE, mails=(), why=why) as step,):
            over = msgspec.structs.replace(step, why=why + OVER_UNREAD)
            return (Hold(held=over, cause=WRITES_OVER, why=over.why),)
        case _:
            return _wait(both)


_Handler: TypeAlias = Callable[[Both], tuple[Step, ...]]

TABLE: dict[tuple[Said, Said], _Handler] = {
    # CRM            mailbox
    (Said.SAME, Said.SAME): _stay,
    (Said.SAME, Said.CHANGED): _stay,
    (Said.SAME, Said.GONE): deleted_in_groupware,
    (Said.SAME, Said.MOVED): moved,
    (Said.SAME, Said.LEFT): moved,
    (Said.SAME, Said.BLIND): _wait,
    (Said.CHANGED, Said.SAME): _stay,
    (Said.CHANGED, Said.CHANGED): _stay,
    (Said.CHANGED, Said.GONE): deleted_in_groupware,
    (Said.CHANGED, Said.MOVED): moved,
    (Said.CHANGED, Said.LEFT): moved,
    (Said.CHANGED, Said.BLIND): _mend,
    (Said.GONE, Said.SAME): deleted_in_crm,
    (Said.GONE, Said.CHANGED): deleted_in_crm,
    (Said.GONE, Said.GONE): forget,
    (Said.GONE, Said.MOVED): forget,
    (Said.GONE, Said.LEFT): forget,
    (Said.GONE, Said.BLIND): _wait,
    (Said.MOVED, Said.SAME): moved,
    (Said.MOVED, Said.CHANGED): moved,
    (Said.MOVED, Said.GONE): forget,
    (Said.MOVED, Said.MOVED): moved,
    (Said.MOVED, Said.LEFT): moved,
    (Said.MOVED, Said.BLIND): _wait,
    (Said.LEFT, Said.SAME): left,
    (Said.LEFT, Said.CHANGED): left,
    (Said.LEFT, Said.GONE): forget,
    (Said.LEFT, Said.MOVED): moved,
    (Said.LEFT, Said.LEFT): left,
    (Said.LEFT, Said.BLIND): _wait,
    (Said.BLIND, Said.SAME): _wait,
    (Said.BLIND, Said.CHANGED): _wait,
    (Said.BLIND, Said.GONE): _wait,
    (Said.BLIND, Said.MOVED): _wait,
    (Said.BLIND, Said.LEFT): _wait,
    (Said.BLIND, Said.BLIND): _wait,
}
"""What to do, by what the CRM and the mailbox say of a pair."""
