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
    guard,
    subject,
)
from accord.engine.merge import agrees
from accord.engine.plan import (
    WRITES_OVER,
    Conflict,
    Create,
    Hold,
    Pair,
    Pairing,
    Plan,
    Step,
    Unread,
    Update,
)
from accord.engine.policy import Policy
from accord.engine.reconcile import Case, failed, reconcile
from accord.model.item import Event, Item
from accord.model.kinds import Side
from accord.model.observe import Observation, Seen
from accord.model.zones import UnknownZone
from accord.ports.errors import AccordError
from accord.ports.fault import contained
from accord.ports.fitting import Fitting
from accord.rules.failure import RuleFailed
from accord.rules.rule import Unfit
from accord.service.by_occurrence import ByOccurrence
from accord.service.carrying import together
from accord.service.cases import Gathered
from accord.service.clocks import with_times
from accord.service.discreet import as_told, turned_private
from accord.service.extent import extent_of
from accord.service.meetings import with_claims
from accord.service.opening import learn, load_policies
from accord.service.returned import Place, missing, settled
from accord.service.visit import Decided, Visit
from accord.service.waiting import (
    FORMER_LOST,
    RULE_CHANGED,
    RULE_CHANGES,
    of_rule_change,
)
from accord.state.codec import decode_step
from accord.state.records import Cause, Mode, Pending


def decide(visit: Visit, gathered: Gathered) -> list[Decided]:
    """Return the steps for each case, guarded; `plan` shows exactly these."""
    if not gathered.cases and not gathered.decided:
        return []
    learn(visit, _observations(gathered.cases))
    cases = with_claims(visit, gathered.cases)
    versions = {case.pairing.rule for case in cases if case.pairing is not None}
    load_policies(visit, versions | ({visit.settled} if visit.activating else set()))
    cases = with_times(visit, cases)
    with visit.state.read() as tx:
        held = tx.pending.by_link(visit.link.id, Cause.HELD)
    waiting = waiting_of(held)
    approved = waiting.approved | visit.approved
    waiting = _let_reduce(visit, cases, msgspec.structs.replace(waiting, approved=approved))
    refs = {(Side.CRM, p.ref_crm): p.refused for p in held}
    refs |= {(Side.GROUPWARE, p.ref_groupware): p.refused for p in held}
    gone = missing(held, apart=RULE_CHANGES)
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
        if one.refused and of_rule_change(cause) and not creates:
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
        return _unpaired(visit, case, waiting)
    if pairing.rule == visit.rule.version:
        return Decided(case=case, steps=reconcile(told, visit.policy))
    standing = visit.policies.get(pairing.rule)
    if standing is None:
        return _without_former(visit, pairing, case, waiting)
    steps = reconcile(told, msgspec.structs.replace(visit.policy, former=standing.program))
    moved = Decided(case=case, steps=steps, rule=visit.rule.version)
    if not steps and not pairing.contested:
        return moved
    usual = reconcile(told, standing)
    done = effects_under(standing.program.rule, usual)
    agreed = any(effect_of(step) not in done for step in effects(steps))
    steps = await_approval(steps, waiting.approved, RULE_CHANGED, done)
    moved = msgspec.structs.replace(moved, steps=steps)
    held, clashes = _holds(steps), _clashes_otherwise(steps, usual)
    # What is in conflict stays so, unless somebody has approved what the new version brings. Where
    # the older one has nothing to do, a new conflict is opened: nothing is written by that.
    stays = pairing.contested or (clashes and usual)
    if not held and (agreed or not stays):
        return moved
    answers = [refs[place] for side in Side if (place := (side, pairing.side(side).ref)) in refs]
    asked = bool(answers) and not visit.activating
    # What was asked already doesn't keep the older rule from going on, and nothing a reduction.
    turned = turned_private(visit, told) and bool(effects(usual))
    first = clashes or turned or not held
    if first or (asked and (any(answers) or not _covers(steps, usual))):
        anew = _moves_on(usual) and (first or not any(answers))
        # Where the older rule does nothing about a clash, what the new one brings can be asked.
        waits = held if clashes and not any(answers) else ()
        return Decided(case=case, steps=usual or waits, anew=anew)
    return moved


def _unpaired(visit: Visit, case: Case, waiting: Waiting) -> Decided:
    """Decide about what has no pair; two that meet as a rule changes, do so under the older one.

    That is where the rules see clashes otherwise: what the new one brings is planned over that.
    """
    steps = reconcile(case, visit.policy)
    if not visit.activating:
        return Decided(case=case, steps=steps)
    standing = visit.policies.get(visit.settled)
    if standing is None:
        return Decided(case=case, steps=await_approval(steps, waiting.approved, FORMER_LOST))
    usual = reconcile(case, standing)
    done = effects_under(standing.program.rule, usual)
    steps = await_approval(steps, waiting.approved, RULE_CHANGED, done)
    if any(isinstance(step, Pair) for step in usual) and _clashes_otherwise(steps, usual):
        return Decided(case=case, steps=usual, rule=visit.settled, anew=_moves_on(usual))
    return Decided(case=case, steps=steps)


def _without_former(visit: Visit, pairing: Pairing, case: Case, waiting: Waiting) -> Decided:
    """Decide about a pair whose version of the rule can no longer be applied: all of it waits.

    It moves to the new one where that is approved, or brings nothing: both sides are as it says.
    Where that lets neither of two values win, it is a conflict: nothing is written for that.
    """
    told = as_told(visit, case)
    planned = reconcile(told, visit.policy)
    moved = Decided(case=case, steps=planned, rule=visit.rule.version)
    if not effects(planned):
        return moved if _agrees(pairing, visit.policy) else Decided(case=case, steps=planned)
    # A reduction waits for nothing.
    turned = turned_private(visit, told)
    into_crm = [s for s in planned if turned and isinstance(s, Update) and s.side is Side.CRM]
    usual = frozenset(effect_of(step) for step in into_crm)
    steps = await_approval(planned, waiting.approved, FORMER_LOST, usual)
    if not _holds(steps):
        return Decided(case=case, steps=steps) if usual else moved
    # Nor is a clash told of that nobody has approved.
    left = tuple(step for step in steps if not isinstance(step, Pair | Conflict))
    return Decided(case=case, steps=left)


def _agrees(pairing: Pairing, policy: Policy) -> bool:
    try:
        return agrees(pairing, policy)
    except (RuleFailed, UnknownZone, OverflowError):
        return False


def _holds(steps: Sequence[Step]) -> tuple[Step, ...]:
    return tuple(step for step in steps if isinstance(step, Hold))


def _clashes_otherwise(steps: Sequence[Step], usual: Sequence[Step]) -> bool:
    """Tell whether steps open or settle a clash that is not usual, or one together with a wait."""
    told, standing = (
        [(s.field, s.fields, s.winner) for s in some if isinstance(s, Conflict)]
        for some in (steps, usual)
    )
    return told != standing or bool(told and _holds(steps))


def _moves_on(usual: Sequence[Step]) -> bool:
    """Tell whether there is more to decide once these steps are done: they move the pair's bases.

    A deletion leaves nothing to decide.
    """
    updates = all(isinstance(step, Update) for step in effects(usual))
    return updates and any(isinstance(step, Update | Pair) for step in usual)


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
        if what not in reduces or not of_rule_change(cause)
    }
    return msgspec.structs.replace(waiting, held=held)
