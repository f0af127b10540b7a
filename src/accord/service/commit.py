"""Enter what a batch of writes achieved: pairings, journal, what failed, what is over.

`apply` and `recover` gather it here in a ledger, which is written in one transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from accord.engine.plan import (
    Conflict,
    Create,
    Delete,
    Frozen,
    Hold,
    Pair,
    Pairing,
    Skip,
    Step,
    Unpair,
    Update,
)
from accord.engine.policy import pairing_id
from accord.engine.reconcile import Case
from accord.engine.settle import as_written, settle
from accord.model.kinds import Kind, Side
from accord.model.observe import Seen, Snapshot
from accord.ports.adapter import Outcome, Written
from accord.ports.errors import Denied, Gone, ItemError, Rejected, Stale
from accord.service.discreet import in_words
from accord.service.ledger import Ledger, lives_on
from accord.service.visit import Decided, Visit
from accord.service.writes import Job
from accord.state.records import Cause


def commit(
    visit: Visit,
    decided: Decided,
    jobs: Sequence[Job],
    outcomes: dict[str, Outcome],
    ledger: Ledger,
) -> bool:
    """Enter one case's outcome; tell whether it has to be planned again."""
    mine = [job for job in jobs if job.decided is decided]
    stale = _failures(mine, outcomes, ledger)
    paired = decided.case.pairing is not None or not _unmet(decided, mine, outcomes)
    written = any(
        isinstance(job.step, Update) and isinstance(outcomes.get(job.intent), Written)
        for job in mine
    )
    for step in decided.steps:
        if is_settled(step) and decided.case.pairing is not None:
            # By any update the base of the side that lost moves past its value, though the next
            # plan may be another one: nobody would hear of it any more.
            told = written
        else:
            known = isinstance(step, Hold | Skip) or (paired and isinstance(step, Pair | Conflict))
            told = known and not stale
        if told:
            ledger.note(step, decided.case)
    for job in mine:
        outcome = outcomes.get(job.intent)
        if isinstance(outcome, Written):
            if isinstance(job.step, Create):
                enter_create(visit, job.step, outcome, decided.case, ledger)
            elif isinstance(job.step, Delete):
                enter_delete(job.step, outcome, decided.case, ledger)
    _enter_updates(decided, mine, outcomes, ledger, paired=paired)
    done = all(isinstance(outcomes.get(job.intent), Written) for job in mine)
    for step in decided.steps:
        if isinstance(step, Unpair) and done:
            ledger.note(step, decided.case)
    if done:
        advance(decided, ledger)
    return stale or (done and leads_on(decided))


def _unmet(decided: Decided, jobs: Sequence[Job], outcomes: dict[str, Outcome]) -> bool:
    """Tell whether a first meeting has to be repeated because not all of it could be done."""
    waits = any(isinstance(step, Hold) for step in decided.steps)
    return waits or any(
        not isinstance(outcomes.get(job.intent), Written | Rejected) for job in jobs
    )


def advance(decided: Decided, ledger: Ledger) -> None:
    """Let a pair stand under another rule, once nothing of the way there waits any more."""
    if not decided.rule or _waits(decided):
        return
    met = (ledger.entered(step.pairing) for step in decided.steps if isinstance(step, Pair))
    pairing = decided.case.pairing or next(met, None)
    if pairing is not None:
        ledger.advance(pairing, decided.rule)


def leads_on(decided: Decided) -> bool:
    """Tell whether a case is to be planned again now that its steps are done.

    Where the guard left none that moves a pair, because somebody said no, it is as it was.
    """
    moves = any(isinstance(step, Update | Pair) for step in decided.steps)
    return decided.anew and moves and not _waits(decided)


def is_settled(step: Step) -> bool:
    """Tell whether a step is a clash that one side won: an update of the other says it there."""
    return isinstance(step, Conflict) and step.winner is not None


def _waits(decided: Decided) -> bool:
    return any(isinstance(s, Hold) or (isinstance(s, Skip) and s.parked) for s in decided.steps)


def _failures(jobs: Sequence[Job], outcomes: dict[str, Outcome], ledger: Ledger) -> bool:
    """Close the intents whose outcome is known; park refusals; tell whether any was stale."""
    for job in jobs:
        outcome = outcomes.get(job.intent)
        if outcome is not None:
            ledger.close_intent(job.intent)
        if not isinstance(outcome, ItemError) or isinstance(outcome, Stale | Gone):
            continue
        case = job.decided.case
        why = in_words(outcome, job.step.side, case)
        if isinstance(outcome, Denied):
            ledger.denied(job.step, case, why)
        else:
            cause = Cause.REJECTED if isinstance(outcome, Rejected) else Cause.RETRY
            ledger.failed(job.step, case, why, cause)
    return any(isinstance(outcomes.get(job.intent), Stale | Gone) for job in jobs)


def enter_create(visit: Visit, step: Create, written: Written, case: Case, ledger: Ledger) -> None:
    """Pair what was created with what it was made from."""
    copy = as_written(written.ref, written.version, step.item, written.snapshot)
    if step.alone:
        ledger.wrote(step, copy.ref, None, copy, "", "")
        ledger.doubt(step.side, copy.ref)
        return
    crm, groupware = (copy, step.source) if step.side is Side.CRM else (step.source, copy)
    pairing = Pairing(
        id=pairing_id(visit.link.id, crm.ref, groupware.ref),
        crm=crm,
        groupware=groupware,
        rule=case.pairing.rule if case.pairing is not None else visit.rule.version,
        content=case.pairing.content if case.pairing is not None else not case.claimed,
        made=case.pairing.made if case.pairing is not None else step.side,
    )
    if step.pairing and step.pairing != pairing.id:
        ledger.forget(step.pairing)
    ledger.pair(pairing)
    ledger.settle(crm.ref, groupware.ref)
    if step.side is Side.CRM and visit.link.kind is Kind.EVENT and step.item.uid:
        ledger.claim_ref(step.item.uid, crm.ref)
    ledger.wrote(step, copy.ref, None, copy, step.source.ref, pairing.id)


def enter_delete(step: Delete, written: Written, case: Case, ledger: Ledger) -> None:
    """Forget the pairing of what was deleted; where a record lives on, mark that instead."""
    pairing = case.pairing
    counterpart = pairing.side(step.side.other).ref if pairing is not None else ""
    if pairing is not None and written.snapshot is not None:
        kept = written.snapshot
        sides = {str(step.side): kept}
        ledger.pair(msgspec.structs.replace(pairing, frozen=str(Frozen.UNLINKED), **sides))
    elif pairing is not None and (step.side is Side.CRM or not lives_on(case)):
        ledger.end(pairing)
    else:
        ledger.forget(step.pairing)
        if pairing is not None:
            ledger.leave(pairing)
    if pairing is not None:
        ledger.watch(step.side.other, _now(case, step.side.other))
    crm, groupware = (
        (step.before.ref, counterpart) if step.side is Side.CRM else (counterpart, step.before.ref)
    )
    ledger.settle(crm, groupware)
    ledger.wrote(step, step.before.ref, step.before, written.snapshot, counterpart, step.pairing)


def _enter_updates(
    decided: Decided,
    jobs: Sequence[Job],
    outcomes: dict[str, Outcome],
    ledger: Ledger,
    *,
    paired: bool,
) -> None:
    """Move a pairing's bases by what its updates achieved; what waits has not travelled."""
    updates = [(job, job.step) for job in jobs if isinstance(job.step, Update)]
    done: dict[Side, tuple[Update, Snapshot]] = {}
    failed: set[Side] = {
        step.held.side
        for step in decided.steps
        if isinstance(step, Hold) and isinstance(step.held, Update)
    }
    failed |= {step.side for step in decided.steps if isinstance(step, Skip) and step.parked}
    for job, step in updates:
        outcome = outcomes.get(job.intent)
        if isinstance(outcome, Written):
            old = step.before
            after = as_written(outcome.ref, outcome.version, step.after, outcome.snapshot, old)
            done[step.side] = (step, after)
        else:
            failed.add(step.side)
    if not paired or undone_apart(decided.case.pairing, done, failed):
        for step, after in done.values():
            pair = step.pairing if paired else ""
            ledger.wrote(step, after.ref, step.before, after, step.base.ref, pair)
            if paired and failed:
                ledger.doubt(step.side, after.ref)
        return
    known = decided.case.pairing
    met = [step.pairing for step in decided.steps if isinstance(step, Pair)]
    pairing = next(map(ledger.entered, met), None) or known
    if pairing is None or not done:
        return
    crm, groupware = (_now(decided.case, side) for side in Side)
    settled = settle(pairing, crm, groupware, done, frozenset(failed))
    ledger.pair(settled)
    for job, step in updates:
        if job.intent not in outcomes:
            # Uncertain yet: what it brings over is the other side as it stands now.
            after = done[step.side.other][1]
            ledger.reopen(job.intent, msgspec.structs.replace(step, base=after))
    if not failed:
        ledger.settle(pairing.crm.ref, pairing.groupware.ref)
    stale = any(isinstance(outcomes.get(job.intent), Stale | Gone) for job, _ in updates)
    for side, (step, after) in done.items():
        other = settled.side(side.other).ref
        ledger.wrote(step, after.ref, step.before, after, other, settled.id)
        if stale:
            # What is still to be brought over from there is planned again: should this visit
            # break off before, whoever lists all must not take it for decided.
            ledger.doubt(side, after.ref)


def undone_apart(
    pairing: Pairing | None,
    done: dict[Side, tuple[Update, Snapshot]],
    failed: Collection[Side],
) -> bool:
    """Tell whether what an undo wrote leaves the bases where they are.

    What it couldn't put back on both sides then travels as an edit does; a pair that was let go
    stays so.
    """
    apart = pairing is None or bool(pairing.frozen) or bool(failed)
    return apart and any(step.undoes for step, _ in done.values())


def _now(case: Case, side: Side) -> Snapshot:
    observation = case.crm if side is Side.CRM else case.groupware
    if isinstance(observation, Seen):
        return observation.snapshot
    assert case.pairing is not None
    return case.pairing.side(side)
