"""Turn cases into guarded steps: each under the rule its pair stands under.

`accord plan` shows exactly what `decide` returns; `apply` does exactly that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import msgspec

from accord.engine.fit import fitted
from accord.engine.guard import Waiting, await_approval, fingerprint, guard, subject
from accord.engine.plan import Create, Delete, Hold, Plan, Unpair, Unread, Update
from accord.engine.reconcile import Case, failed, reconcile
from accord.model.item import Event, Item
from accord.model.kinds import Side
from accord.model.observe import Observation, Seen
from accord.ports.errors import AccordError
from accord.ports.fault import contained
from accord.ports.fitting import Fitting
from accord.rules.program import program_of
from accord.rules.rule import Unfit
from accord.service.by_occurrence import ByOccurrence
from accord.service.carrying import together
from accord.service.cases import Gathered
from accord.service.clocks import with_times
from accord.service.discreet import as_told
from accord.service.extent import extent_of
from accord.service.meetings import with_claims
from accord.service.opening import learn
from accord.service.returned import missing, settled
from accord.service.visit import Decided, Visit
from accord.state.codec import decode_step
from accord.state.records import Cause, Mode, Pending

RULE_CHANGED = "rule change: nothing changes before you approve"


def decide(visit: Visit, gathered: Gathered) -> list[Decided]:
    """Return the steps for each case, guarded; `plan` shows exactly these."""
    if not gathered.cases and not gathered.decided:
        return []
    learn(visit, _observations(gathered.cases))
    cases = with_claims(visit, gathered.cases)
    _load_policies(visit, cases)
    cases = with_times(visit, cases)
    with visit.state.read() as tx:
        held = tx.pending.by_link(visit.link.id, Cause.HELD)
    waiting = waiting_of(held)
    approved = waiting.approved | visit.approved
    waiting = msgspec.structs.replace(waiting, approved=approved)
    refs = {(Side.CRM, p.ref_crm) for p in held} | {(Side.GROUPWARE, p.ref_groupware) for p in held}
    gone = missing(held, apart=(RULE_CHANGED,))
    decided = [settled(_kept(visit, case, waiting, refs), gone) for case in cases]
    decided = _fitting(visit, decided)
    decided += gathered.decided
    flat = Plan(link=visit.link.id, steps=tuple(s for d in decided for s in d.steps))
    extent = extent_of(visit, flat, gathered, held)
    pilot = visit.link.mode is Mode.PILOT
    guarded = iter(guard(flat, visit.rule, extent, waiting, pilot=pilot).steps)
    return together(
        [
            msgspec.structs.replace(one, steps=tuple(next(guarded) for _ in one.steps))
            for one in decided
        ]
    )


def _fitting(visit: Visit, decided: list[Decided]) -> list[Decided]:
    """Withhold what the mailbox's server can't hold."""
    session = visit.groupware.session
    if not isinstance(session, Fitting):
        return decided

    def unfit(side: Side, item: Item, changed: Collection[str] | None) -> str:
        if side is Side.CRM:
            return ""
        why = session.unfit(visit.groupware.kind, item, changed)
        if not why or visit.rule.series.unfit is Unfit.WITHHOLD or not isinstance(item, Event):
            return why
        whole = isinstance(visit.crm.session, ByOccurrence) and visit.crm.session.why_whole(item)
        return f"{why}; {whole}" if whole else why

    return [
        msgspec.structs.replace(one, steps=fitted(one.steps, unfit)) if one.steps else one
        for one in decided
    ]


def _observations(cases: Sequence[Case]) -> Iterator[Observation]:
    """Yield everything whose people rules may ask about, the bases of pairs included."""
    for case in cases:
        for observation in (case.crm, case.groupware):
            if observation is not None:
                yield observation
        if case.pairing is not None:
            yield Seen(case.pairing.crm)
            yield Seen(case.pairing.groupware)


def _load_policies(visit: Visit, cases: Sequence[Case]) -> None:
    versions = {case.pairing.rule for case in cases if case.pairing is not None}
    lacking = versions - visit.policies.keys()
    if not lacking:
        return
    with visit.state.read() as tx:
        for version in lacking:
            rule = tx.rules.get(version)
            if rule is not None:
                policy = msgspec.structs.replace(visit.policy, program=program_of(rule))
                visit.policies[version] = policy


def waiting_of(held: Sequence[Pending]) -> Waiting:
    """Return what people have and have not decided about what is held."""
    causes = {}
    for one in held:
        step = decode_step(one.step)
        cause = step.cause if isinstance(step, Hold) else one.why
        causes[subject(step)] = f"{cause} (said no to before)" if one.refused else cause
    return Waiting(
        approved=frozenset(one.fingerprint for one in held if one.approved),
        refused=frozenset(one.fingerprint for one in held if one.refused),
        held=causes,
    )


def _kept(visit: Visit, case: Case, waiting: Waiting, refs: set[tuple[Side, str]]) -> Decided:
    """Decide a case; a fault in doing so is kept to it, and parks it."""
    try:
        return _reconcile(visit, case, waiting, refs)
    except AccordError:
        raise
    except Exception as error:
        # The edge: one item must not stop all others.
        steps = failed(case, str(contained(error, f"deciding about one item of {visit.link.name}")))
        if not steps:
            raise
        unread = tuple(msgspec.structs.replace(step, unread=Unread()) for step in steps)
        return Decided(case=case, steps=unread)


def _reconcile(visit: Visit, case: Case, waiting: Waiting, refs: set[tuple[Side, str]]) -> Decided:
    """Decide a case; a pair made under an older rule moves to the new one only if approved."""
    pairing, told = case.pairing, as_told(visit, case)
    if pairing is None:
        steps = reconcile(case, visit.policy)
        if visit.activating:
            steps = await_approval(steps, waiting.approved, RULE_CHANGED)
        return Decided(case=case, steps=steps)
    if pairing.rule == visit.rule.version or pairing.rule not in visit.policies:
        return Decided(case=case, steps=reconcile(told, visit.policy))
    standing = visit.policies[pairing.rule]
    former = msgspec.structs.replace(visit.policy, former=standing.program)
    steps = reconcile(told, former)
    moved = Decided(case=case, steps=steps, rule=visit.rule.version)
    effects = [s for s in steps if isinstance(s, Create | Update | Delete | Unpair)]
    if all(fingerprint(step) in waiting.approved for step in effects):
        return moved
    held = any((side, pairing.side(side).ref) in refs for side in Side)
    if held and not visit.activating:
        return Decided(case=case, steps=reconcile(told, standing))
    steps = await_approval(steps, waiting.approved, RULE_CHANGED)
    return msgspec.structs.replace(moved, steps=steps)
