"""Do what a plan says: record the intents, write, read back, commit; batch by batch.

The only place that writes to either side. Killed anywhere, the next visit settles what is open.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from accord.engine.guard import fingerprint
from accord.engine.plan import (
    Conflict,
    Create,
    Delete,
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
from accord.model.item import Event
from accord.model.kinds import Kind, Side
from accord.model.observe import Seen, Snapshot
from accord.ports.adapter import Draft, Mark, Outcome, Removal, Revision, Written
from accord.ports.errors import AccordError, Denied, Gone, ItemError, Rejected, Stale
from accord.service.ends import back_marker, marker_of
from accord.service.ledger import Ledger
from accord.service.report import Report
from accord.service.visit import Decided, Visit, chunks
from accord.state.codec import encode_step
from accord.state.records import Cause, Intent

_SETTLED_CHUNK = 500


class Job(Struct, frozen=True, kw_only=True):
    """Be one write of a batch, with the intent recorded for it."""

    intent: str
    step: Create | Update | Delete
    decided: Decided


def apply(visit: Visit, decided: Sequence[Decided], report: Report) -> list[Decided]:
    """Carry out decided cases; return those whose items changed meanwhile, to be planned again.

    Raises Retry, AuthFailed or ConfigError where a side can't go on; what was done by then is
    committed, what is uncertain stays an open intent.
    """
    quiet = [d for d in decided if not _writes(d)]
    busy = [d for d in decided if _writes(d)]
    for some in chunks(quiet, _SETTLED_CHUNK):
        _note(visit, some, report)
    again: list[Decided] = []
    done = 0
    for some in chunks(busy, min(visit.crm.batch, visit.groupware.batch)):
        visit.progress("writing", done, len(busy))
        again += _batch(visit, some, report)
        done += len(some)
    if busy:
        visit.progress("writing", len(busy), len(busy))
    return again


def create_key(link: str, step: Create) -> str:
    """Return the idempotency key of a create: the same for the same copy, however often tried."""
    again = f"{step.pairing}/{step.source.version}" if step.pairing else ""
    text = f"{link}\0{step.side}\0{step.source.ref}\0{again}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _writes(decided: Decided) -> list[Create | Update | Delete]:
    return [s for s in decided.steps if isinstance(s, Create | Update | Delete)]


def _note(visit: Visit, decided: Sequence[Decided], report: Report) -> None:
    ledger = Ledger(visit, report)
    for one in decided:
        for step in one.steps:
            ledger.note(step, one.case)
        if not one.steps and one.case.pairing is not None:
            ledger.settle(one.case.pairing.crm.ref, one.case.pairing.groupware.ref)
    with visit.state.begin() as tx:
        ledger.flush(tx)


def _batch(visit: Visit, decided: Sequence[Decided], report: Report) -> list[Decided]:
    jobs = [_job(visit, one, step) for one in decided for step in _writes(one)]
    refused = _open(visit, jobs)
    outcomes: dict[str, Outcome] = dict(refused)
    trouble: AccordError | None = None
    live = [job for job in jobs if job.intent not in refused]
    try:
        _write(visit, live, outcomes)
    except ItemError:
        raise
    except AccordError as error:
        trouble = error
    ledger = Ledger(visit, report)
    again = [one for one in decided if _commit(visit, one, jobs, outcomes, ledger)]
    with visit.state.begin() as tx:
        ledger.flush(tx)
    if trouble is not None:
        raise trouble
    return again


def _job(visit: Visit, decided: Decided, step: Create | Update | Delete) -> Job:
    if isinstance(step, Create):
        key = create_key(visit.link.id, step)
    else:
        text = f"{visit.link.id}\0{fingerprint(step)}"
        key = hashlib.sha256(text.encode()).hexdigest()[:32]
    return Job(intent=key, step=step, decided=decided)


def _open(visit: Visit, jobs: Sequence[Job]) -> dict[str, Outcome]:
    """Record the intents; return refusals for meetings that another link has claimed."""
    intents = [
        Intent(
            id=job.intent,
            link=visit.link.id,
            run=visit.run,
            side=job.step.side,
            ref="" if isinstance(job.step, Create) else job.step.before.ref,
            pairing=job.step.pairing,
            step=encode_step(job.step),
            at=visit.now,
        )
        for job in jobs
    ]
    meetings = {
        job.step.item.uid: job
        for job in jobs
        if isinstance(job.step, Create)
        and job.step.side is Side.CRM
        and isinstance(job.step.item, Event)
        and job.step.item.uid
    }
    refused: dict[str, Outcome] = {}
    with visit.state.begin() as tx:
        if visit.lease is not None:
            tx.leases.check(visit.lease)
        claims = tx.claims.claim_many(visit.instance, dict.fromkeys(meetings, ""), visit.link.id)
        for uid, claim in claims.items():
            if claim.link != visit.link.id:
                why = "this meeting is brought into the CRM by another participant's calendar"
                refused[meetings[uid].intent] = Rejected(why)
        tx.intents.open_many([i for i in intents if i.id not in refused])
    return refused


def _write(visit: Visit, jobs: Sequence[Job], outcomes: dict[str, Outcome]) -> None:
    for side in (Side.GROUPWARE, Side.CRM):
        here = [job for job in jobs if job.step.side is side]
        creates = [job for job in here if isinstance(job.step, Create)]
        revived = _restore(visit, side, creates, outcomes)
        _create(visit, side, [job for job in creates if job.intent not in revived], outcomes)
        _update(visit, side, [job for job in here if isinstance(job.step, Update)], outcomes)
        _delete(visit, side, [job for job in here if isinstance(job.step, Delete)], outcomes)


def _restore(
    visit: Visit, side: Side, jobs: Sequence[Job], outcomes: dict[str, Outcome]
) -> set[str]:
    """Bring deleted records back under their own refs where the side can, and update them."""
    end = visit.end(side)
    revived: set[str] = set()
    if not end.traits.restores:
        return revived
    for job in jobs:
        pairing, step = job.decided.case.pairing, job.step
        if pairing is None or not isinstance(step, Create):
            continue
        back = end.session.restore(end.folder, end.kind, pairing.side(side).ref)
        if not isinstance(back, Written) or back.snapshot is None:
            continue
        revived.add(job.intent)
        outcomes[job.intent] = back
        changed = visit.policy.changed_by(side, back.snapshot.item, step.item)
        if changed:
            revision = Revision(
                ref=back.ref,
                version=back.snapshot.version,
                before=back.snapshot.item,
                after=msgspec.structs.replace(
                    back.snapshot.item, **{name: getattr(step.item, name) for name in changed}
                ),
                changed=changed,
            )
            (outcomes[job.intent],) = end.session.update(end.folder, end.kind, [revision])
    return revived


def _create(visit: Visit, side: Side, jobs: Sequence[Job], outcomes: dict[str, Outcome]) -> None:
    end = visit.end(side)
    drafts = []
    for job in jobs:
        assert isinstance(job.step, Create)
        ref = job.step.source.ref
        if side is Side.GROUPWARE:
            marker = marker_of(visit.instance, visit.link.kind, ref)
        else:
            marker = back_marker(visit.link, ref)
        drafts.append(
            Draft(item=job.step.item, key=job.intent, marker=marker, notify=bool(job.step.mails))
        )
    for job, outcome in zip(
        jobs, end.session.create(end.folder, end.kind, drafts) if drafts else [], strict=True
    ):
        outcomes[job.intent] = outcome
    _mark(visit, side, jobs, outcomes)


def _mark(visit: Visit, side: Side, jobs: Sequence[Job], outcomes: dict[str, Outcome]) -> None:
    """Store the new copies' refs on the CRM records they were made from."""
    if side is not Side.GROUPWARE:
        return
    marks = []
    for job in jobs:
        outcome = outcomes.get(job.intent)
        if isinstance(job.step, Create) and isinstance(outcome, Written):
            marker = back_marker(visit.link, outcome.ref)
            marks.append(Mark(ref=job.step.source.ref, marker=marker))
    if marks:
        visit.crm.session.mark(visit.crm.folder, visit.crm.kind, marks)


def _update(visit: Visit, side: Side, jobs: Sequence[Job], outcomes: dict[str, Outcome]) -> None:
    end = visit.end(side)
    revisions = []
    for job in jobs:
        step = job.step
        assert isinstance(step, Update)
        revisions.append(
            Revision(
                ref=step.before.ref,
                version=step.before.version,
                before=step.before.item,
                after=step.after,
                changed=tuple(change.field for change in step.changes),
                marker=step.before.marker,
                notify=bool(step.mails),
            )
        )
    for job, outcome in zip(
        jobs,
        end.session.update(end.folder, end.kind, revisions) if revisions else [],
        strict=True,
    ):
        outcomes[job.intent] = outcome


def _delete(visit: Visit, side: Side, jobs: Sequence[Job], outcomes: dict[str, Outcome]) -> None:
    end = visit.end(side)
    removals = []
    for job in jobs:
        step = job.step
        assert isinstance(step, Delete)
        removals.append(
            Removal(ref=step.before.ref, version=step.before.version, notify=bool(step.mails))
        )
    for job, outcome in zip(
        jobs, end.session.delete(end.folder, end.kind, removals) if removals else [], strict=True
    ):
        outcomes[job.intent] = outcome


def _commit(
    visit: Visit,
    decided: Decided,
    jobs: Sequence[Job],
    outcomes: dict[str, Outcome],
    ledger: Ledger,
) -> bool:
    """Enter one case's outcome; tell whether it has to be planned again."""
    mine = [job for job in jobs if job.decided is decided]
    for step in decided.steps:
        if not isinstance(step, Create | Update | Delete | Unpair):
            ledger.note(step, decided.case)
    stale = _failures(mine, outcomes, ledger)
    for job in mine:
        outcome = outcomes.get(job.intent)
        if isinstance(outcome, Written):
            if isinstance(job.step, Create):
                enter_create(visit, job.step, outcome, decided.case, ledger)
            elif isinstance(job.step, Delete):
                enter_delete(job.step, outcome, decided.case, ledger)
    _enter_updates(visit, decided, mine, outcomes, ledger)
    for step in decided.steps:
        if isinstance(step, Unpair) and not stale:
            ledger.note(step, decided.case)
    return stale


def _failures(jobs: Sequence[Job], outcomes: dict[str, Outcome], ledger: Ledger) -> bool:
    """Close the intents whose outcome is known; park refusals; tell whether any was stale."""
    stale = False
    for job in jobs:
        outcome = outcomes.get(job.intent)
        if outcome is None:
            continue
        ledger.close_intent(job.intent)
        match outcome:
            case Stale() | Gone():
                stale = True
            case Denied() | Rejected():
                ledger.failed(job.step, job.decided.case, str(outcome), Cause.REJECTED)
            case ItemError():
                ledger.failed(job.step, job.decided.case, str(outcome), Cause.RETRY)
    return stale


def enter_create(visit: Visit, step: Create, written: Written, case: Case, ledger: Ledger) -> None:
    """Pair what was created with what it was made from."""
    copy = as_written(written.ref, written.version, step.item, written.snapshot)
    if step.alone:
        ledger.wrote(step, copy.ref, None, copy, "", "")
        return
    crm, groupware = (copy, step.source) if step.side is Side.CRM else (step.source, copy)
    pairing = Pairing(
        id=pairing_id(visit.link.id, crm.ref, groupware.ref),
        crm=crm,
        groupware=groupware,
        rule=visit.rule.version,
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
        ledger.pair(msgspec.structs.replace(pairing, frozen="unlinked", **sides))
    else:
        ledger.forget(step.pairing)
    crm, groupware = (
        (step.before.ref, counterpart) if step.side is Side.CRM else (counterpart, step.before.ref)
    )
    ledger.settle(crm, groupware)
    ledger.wrote(step, step.before.ref, step.before, written.snapshot, counterpart, step.pairing)


def _enter_updates(
    visit: Visit,
    decided: Decided,
    jobs: Sequence[Job],
    outcomes: dict[str, Outcome],
    ledger: Ledger,
) -> None:
    """Move a pairing's bases by what its updates achieved."""
    pairing = _standing(visit, decided)
    done: dict[Side, tuple[Update, Snapshot]] = {}
    failed: set[Side] = {
        step.held.side
        for step in decided.steps
        if isinstance(step, Hold) and isinstance(step.held, Update)
    }
    for job in jobs:
        if not isinstance(job.step, Update):
            continue
        outcome = outcomes.get(job.intent)
        if isinstance(outcome, Written):
            old = job.step.before
            after = as_written(outcome.ref, outcome.version, job.step.after, outcome.snapshot, old)
            done[job.step.side] = (job.step, after)
        else:
            failed.add(job.step.side)
    if pairing is None or not done:
        return
    crm, groupware = (_now(decided.case, side) for side in Side)
    settled = settle(pairing, crm, groupware, done, frozenset(failed))
    if visit.activating and not failed:
        settled = msgspec.structs.replace(settled, rule=visit.rule.version)
    ledger.pair(settled)
    if not failed:
        ledger.settle(pairing.crm.ref, pairing.groupware.ref)
    for side, (step, after) in done.items():
        other = settled.side(side.other).ref
        ledger.wrote(step, after.ref, step.before, after, other, settled.id)


def _standing(visit: Visit, decided: Decided) -> Pairing | None:
    """Return the case's pairing, or the one that its first meeting has just made."""
    if decided.case.pairing is not None:
        return decided.case.pairing
    for step in decided.steps:
        if isinstance(step, Pair):
            return Pairing(
                id=step.pairing,
                crm=step.crm,
                groupware=step.groupware,
                rule=visit.rule.version,
                content=step.content,
            )
    return None


def _now(case: Case, side: Side) -> Snapshot:
    observation = case.crm if side is Side.CRM else case.groupware
    if isinstance(observation, Seen):
        return observation.snapshot
    if case.pairing is None:
        raise LookupError(f"an update without a snapshot on the {side} side")
    return case.pairing.side(side)


def unsettled(steps: Sequence[Step]) -> bool:
    """Tell whether steps leave something to do: a write, a hold, an open clash, a parked skip."""
    return any(
        isinstance(s, Create | Update | Delete | Hold)
        or (isinstance(s, Conflict) and s.winner is None)
        or (isinstance(s, Skip) and s.parked)
        for s in steps
    )
