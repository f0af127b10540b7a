"""Do what a plan says: record the intents, write, read back, commit; batch by batch.

The only place that writes to either side. Killed anywhere, the next visit settles what is open.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import msgspec

from accord.engine.guard import fingerprint
from accord.engine.plan import (
    Conflict,
    Create,
    Delete,
    Hold,
    Pair,
    Skip,
    Update,
)
from accord.model.kinds import Side
from accord.ports.adapter import Outcome
from accord.ports.errors import AccordError, Denied, Gone, ItemError
from accord.service.commit import advance, commit, is_settled, leads_on
from accord.service.ledger import Ledger
from accord.service.meetings import is_meeting
from accord.service.opening import LEASE_SECONDS
from accord.service.pausing import require_going
from accord.service.report import Report
from accord.service.visit import Decided, Visit, chunks
from accord.service.writes import Job, write
from accord.state.codec import encode_step
from accord.state.records import Intent

_SETTLED_CHUNK = 500
_GENERATIONS = 20
"""How often a copy may be created, deleted and created anew before it is given up."""


def apply(visit: Visit, decided: Sequence[Decided], report: Report) -> list[Decided]:
    """Carry out decided cases; return those to be planned again: changed meanwhile, or `anew`.

    Raises Retry, AuthFailed or ConfigError where a side can't go on; what was done by then is
    committed, what is uncertain stays an open intent.
    """
    if not visit.writes:
        raise RuntimeError(f"a {visit.stance} visit was asked to write")
    quiet = [d for d in decided if not _writes(d)]
    busy = [d for d in decided if _writes(d)]
    for some in chunks(quiet, _SETTLED_CHUNK):
        _note(visit, some, report)
    again = [one for one in quiet if leads_on(one)]
    done = 0
    for some in chunks(busy, min(visit.crm.batch, visit.groupware.batch)):
        visit.progress("writing", done, len(busy))
        again += _batch(visit, some, report)
        done += len(some)
    if busy:
        visit.progress("writing", len(busy), len(busy))
    return again


def create_keys(link: str, step: Create) -> Iterator[str]:
    """Yield the idempotency keys of a create: the same for the same copy, however often tried.

    The first one is used unless what was created under it has been deleted since.
    """
    again = f"{step.pairing}/{step.source.version}" if step.pairing else ""
    text = f"{link}\0{step.side}\0{step.source.ref}\0{again}"
    for number in range(_GENERATIONS):
        former = f"\0{number}" if number else ""
        yield _digest(f"{text}{former}")


def _writes(decided: Decided) -> list[Create | Update | Delete]:
    return [s for s in decided.steps if isinstance(s, Create | Update | Delete)]


def _note(visit: Visit, decided: Sequence[Decided], report: Report) -> None:
    ledger = Ledger(visit, report)
    for one in decided:
        ledger.see(one.case)
        meets = one.case.pairing is None and any(isinstance(s, Hold) for s in one.steps)
        # Of a clash whose update waits, or somebody said no to, both values stand as before.
        stopped = any(isinstance(step, Hold | Skip) for step in one.steps)
        for step in one.steps:
            early = (meets and isinstance(step, Pair | Conflict)) or (stopped and is_settled(step))
            if not early:
                ledger.note(step, one.case)
        if not one.steps and one.case.pairing is not None:
            ledger.settle(one.case.pairing.crm.ref, one.case.pairing.groupware.ref)
        advance(one, ledger)
    with visit.state.begin() as tx:
        ledger.flush(tx)


def _batch(visit: Visit, decided: Sequence[Decided], report: Report) -> list[Decided]:
    jobs = [_job(visit, one, step) for one in decided for step in _writes(one)]
    outcomes: dict[str, Outcome] = {}
    ledger = Ledger(visit, report)
    for one in decided:
        ledger.see(one.case)
    trouble = _attempt(visit, jobs, outcomes)
    while trouble is None and any(_spent(job, outcomes) for job in jobs):
        renewed = [_renewed(visit, job, ledger) if _spent(job, outcomes) else job for job in jobs]
        fresh = [job for job in renewed if job.intent not in outcomes]
        trouble = _attempt(visit, fresh, outcomes)
        jobs = renewed
    again = [one for one in decided if commit(visit, one, jobs, outcomes, ledger)]
    with visit.state.begin() as tx:
        ledger.flush(tx)
    if trouble is not None:
        raise trouble
    return again


def _attempt(visit: Visit, jobs: Sequence[Job], outcomes: dict[str, Outcome]) -> AccordError | None:
    """Record the intents and write; return the error that ended it, if one did."""
    outcomes |= _open(visit, jobs)
    try:
        write(visit, [job for job in jobs if job.intent not in outcomes], outcomes)
    except ItemError:
        raise
    except AccordError as error:
        return error
    return None


def _job(visit: Visit, decided: Decided, step: Create | Update | Delete) -> Job:
    if isinstance(step, Create):
        key = next(create_keys(visit.link.id, step))
    else:
        key = _digest(f"{visit.link.id}\0{fingerprint(step)}")
    return Job(intent=key, step=step, decided=decided)


def _spent(job: Job, outcomes: dict[str, Outcome]) -> bool:
    """Tell whether what was once created under this key is gone, so that it makes no more."""
    used_up = isinstance(job.step, Create) and isinstance(outcomes.get(job.intent), Gone)
    return used_up and job.generation < _GENERATIONS - 1


def _renewed(visit: Visit, job: Job, ledger: Ledger) -> Job:
    assert isinstance(job.step, Create)
    ledger.close_intent(job.intent)
    keys = list(create_keys(visit.link.id, job.step))
    generation = job.generation + 1
    return msgspec.structs.replace(job, intent=keys[generation], generation=generation)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


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
        and job.step.item.uid
        and is_meeting(job.step.item)
    }
    refused: dict[str, Outcome] = {}
    with visit.state.begin() as tx:
        if visit.lease is not None:
            visit.lease = tx.leases.renew(visit.lease, LEASE_SECONDS)
        require_going(visit, tx)
        claims = tx.claims.claim_many(visit.instance, dict.fromkeys(meetings, ""), visit.link.id)
        for uid, claim in claims.items():
            if claim.link != visit.link.id:
                why = "this meeting is brought into the CRM by another participant's calendar"
                refused[meetings[uid].intent] = Denied(why)
        tx.intents.open_many([i for i in intents if i.id not in refused])
    return refused
