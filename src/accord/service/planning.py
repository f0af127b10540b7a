"""Turn cases into guarded steps: each under the rule its pair stands under.

`accord plan` shows exactly what `decide` returns; `apply` does exactly that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from accord.engine.fit import fitted
from accord.engine.guard import (
    Waiting,
    await_approval,
    effect_of,
    effects,
    effects_under,
    fingerprint,
    guard,
    subject,
)
from accord.engine.plan import WRITES_OVER, Create, Hold, Plan, Step, Unread, Update
from accord.engine.policy import Policy
from accord.engine.reconcile import Case, failed, reconcile
from accord.model.item import Event, Item
from accord.model.kinds import Side
from accord.model.observe import Observation, Seen
from accord.ports.errors import AccordError
from accord.ports.fault import contained
from accord.ports.fitting import Fitting
from accord.rules.program import former_of
from accord.rules.rule import Unfit
from accord.service.by_occurrence import ByOccurrence
from accord.service.carrying import together
from accord.service.cases import Gathered
from accord.service.clocks import with_times
from accord.service.discreet import as_told, turned_private
from accord.service.extent import extent_of
from accord.service.meetings import with_claims
from accord.service.opening import learn
from accord.service.returned import Place, missing, settled
from accord.service.visit import Decided, Visit
from accord.service.waiting import RULE_CHANGED
from accord.state.codec import decode_step
from accord.state.records import Cause, Mode, Pending


def decide(visit: Visit, gathered: Gathered) -> list[Decided]:
    """Return the steps for each case, guarded; `plan` shows exactly these."""
    if not gathered.cases and not gathered.decided:
        return []
    learn(visit, _observations(gathered.cases))
    cases = with_claims(visit, gathered.cases)
    load_policies(visit, cases)
    cases = with_times(visit, cases)
    with visit.state.read() as tx:
        held = tx.pending.by_link(visit.link.id, Cause.HELD)
    waiting = waiting_of(held)
    approved = waiting.approved | visit.approved
    waiting = _let_reduce(visit, cases, msgspec.structs.replace(waiting, approved=approved))
    refs = {(Side.CRM, p.ref_crm): p.refused for p in held}
    refs |= {(Side.GROUPWARE, p.ref_groupware): p.refused for p in held}
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


def load_policies(visit: Visit, cases: Sequence[Case]) -> None:
    """Let the visit know the policies of all versions that these cases' pairs stand under.

    A version that is unknown or works no longer has none.
    """
    versions = {case.pairing.rule for case in cases if case.pairing is not None}
    versions |= {visit.settled} if visit.activating else set()
    lacking = versions - visit.policies.keys()
    if not lacking:
        return
    with visit.state.read() as tx:
        for version in lacking:
            rule = tx.rules.get(version)
            program = former_of(rule) if rule is not None else None
            if program is not None:
                visit.policies[version] = msgspec.structs.replace(visit.policy, program=program)


def waiting_of(held: Sequence[Pending]) -> Waiting:
    """Return what people have and have not decided about what is held.

    A no to what a changed rule brings to a pair holds nothing else: edits go on.
    """
    causes = {}
    for one in held:
        step = decode_step(one.step)
        cause = step.cause if isinstance(step, Hold) else one.why
        if cause == WRITES_OVER:
            continue  # The engine says it anew for as long as the copy can't be read.
        creates = isinstance(step, Hold) and isinstance(step.held, Create)
        if one.refused and cause.startswith(RULE_CHANGED) and not creates:
            continue
        causes[subject(step)] = f"{cause} (said no to before)" if one.refused else cause
    return Waiting(
        approved=frozenset(one.fingerprint for one in held if one.approved),
        refused=frozenset(one.fingerprint for one in held if one.refused),
        held=causes,
    )


def _kept(visit: Visit, case: Case, waiting: Waiting, refs: Mapping[Place, bool]) -> Decided:
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


def _reconcile(visit: Visit, case: Case, waiting: Waiting, refs: Mapping[Place, bool]) -> Decided:
    """Decide a case; a pair made under an older rule moves to the new one only if approved.

    What the older rule would do just so doesn't come of the change, and isn't held for it.
    `refs` are those about which something is held, and whether somebody said no to that.
    """
    pairing, told = case.pairing, as_told(visit, case)
    if pairing is None:
        steps = reconcile(case, visit.policy)
        if visit.activating:
            standing = visit.policies.get(visit.settled)
            usual = reconcile(case, standing) if standing is not None else ()
            steps = _await(steps, waiting, standing, usual)
        return Decided(case=case, steps=steps)
    if pairing.rule == visit.rule.version or pairing.rule not in visit.policies:
        return Decided(case=case, steps=reconcile(told, visit.policy))
    standing = visit.policies[pairing.rule]
    former = msgspec.structs.replace(visit.policy, former=standing.program)
    steps = reconcile(told, former)
    moved = Decided(case=case, steps=steps, rule=visit.rule.version)
    if all(fingerprint(step) in waiting.approved for step in effects(steps)):
        return moved
    usual = reconcile(told, standing)
    steps = _await(steps, waiting, standing, usual)
    if not any(isinstance(step, Hold) for step in steps):
        return msgspec.structs.replace(moved, steps=steps)
    answers = [refs[place] for side in Side if (place := (side, pairing.side(side).ref)) in refs]
    asked = bool(answers) and not visit.activating
    # What was asked already doesn't keep the older rule from going on, and nothing a reduction.
    turned = turned_private(visit, told) and bool(effects(usual))
    if turned or (asked and (any(answers) or not _covers(steps, usual))):
        updates = all(isinstance(step, Update) for step in effects(usual))
        return Decided(case=case, steps=usual, anew=updates and (turned or not any(answers)))
    return msgspec.structs.replace(moved, steps=steps)


def _await(
    steps: Sequence[Step], waiting: Waiting, standing: Policy | None, usual: Sequence[Step]
) -> tuple[Step, ...]:
    """Hold what follows from the changed rule alone; `usual` is done under the `standing` one."""
    done = effects_under(standing.program.rule, usual) if standing is not None else frozenset()
    return await_approval(steps, waiting.approved, RULE_CHANGED, done)


def _covers(steps: Sequence[Step], usual: Sequence[Step]) -> bool:
    """Tell whether all that is usual is done at once by these steps."""
    return {effect_of(step) for step in effects(usual)} <= {effect_of(s) for s in effects(steps)}


def _let_reduce(visit: Visit, cases: Sequence[Case], waiting: Waiting) -> Waiting:
    """Return what waits, without changes by a rule that would keep an item from being reduced."""
    turned = [case.pairing for case in cases if turned_private(visit, as_told(visit, case))]
    reduces = {f"update {Side.CRM} {pairing.crm.ref}" for pairing in turned if pairing is not None}
    held = {
        what: cause
        for what, cause in waiting.held.items()
        if what not in reduces or not cause.startswith(RULE_CHANGED)
    }
    return msgspec.structs.replace(waiting, held=held)
