"""Call the sides: the writes of one batch, side by side, each answered item by item.

Called by `apply` once the intents are recorded; whatever isn't answered stays an open intent.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from accord.engine.plan import Create, Delete, Update
from accord.model.kinds import Side
from accord.ports.adapter import Draft, Mark, Outcome, Removal, Revision, Written
from accord.ports.errors import AccordError
from accord.service.ends import back_marker, marker_of
from accord.service.keeping import kept
from accord.service.visit import Decided, Visit


class Job(Struct, frozen=True, kw_only=True):
    """Be one write of a batch, with the intent recorded for it."""

    intent: str
    step: Create | Update | Delete
    decided: Decided
    generation: int = 0


def write(visit: Visit, jobs: Sequence[Job], outcomes: dict[str, Outcome]) -> None:
    """Do the jobs and put each answer into `outcomes`, by intent.

    Raises what ends the whole batch; the answers so far are kept.
    """
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
    known = [(job, each) for job in jobs if (each := job.decided.case.pairing) is not None]
    for job, pairing in known:
        step = job.step
        assert isinstance(step, Create)
        with kept(visit):
            outcome = _revive(visit, step, pairing.side(side).ref)
        if outcome is not None:
            outcomes[job.intent] = outcome
            revived.add(job.intent)
    return revived


def _revive(visit: Visit, step: Create, ref: str) -> Outcome | None:
    end = visit.end(step.side)
    back = end.session.restore(end.folder, end.kind, ref)
    if not isinstance(back, Written) or back.snapshot is None:
        return None
    changed = visit.policy.changed_by(step.side, back.snapshot.item, step.item)
    if not changed:
        return back
    revision = Revision(
        ref=back.ref,
        version=back.snapshot.version,
        before=back.snapshot.item,
        after=msgspec.structs.replace(
            back.snapshot.item, **{name: getattr(step.item, name) for name in changed}
        ),
        changed=changed,
    )
    (outcome,) = end.session.update(end.folder, end.kind, [revision])
    return outcome


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
    if drafts:
        with kept(visit):
            made = end.session.create(end.folder, end.kind, drafts)
        _answer(jobs, made, outcomes)
    _mark(visit, side, jobs, outcomes)


def _mark(visit: Visit, side: Side, jobs: Sequence[Job], outcomes: dict[str, Outcome]) -> None:
    """Store the new copies' refs on what they were made from.

    A CRM record always tells; a mailbox item only where Accord marked it before.
    """
    marks = []
    for job in jobs:
        outcome = outcomes.get(job.intent)
        if not isinstance(job.step, Create) or not isinstance(outcome, Written):
            continue
        source = job.step.source
        if side is Side.GROUPWARE:
            marks.append(Mark(ref=source.ref, marker=back_marker(visit.link, outcome.ref)))
        elif source.marker:
            marker = marker_of(visit.instance, visit.link.kind, outcome.ref)
            marks.append(Mark(ref=source.ref, marker=marker))
    if not marks:
        return
    end = visit.end(side.other)
    try:
        with kept(visit):
            end.session.mark(end.folder, end.kind, marks)
    except AccordError:
        # Their intents stay open: the next visit finds the copies and stores the refs.
        for job in jobs:
            del outcomes[job.intent]
        raise


def _update(visit: Visit, side: Side, jobs: Sequence[Job], outcomes: dict[str, Outcome]) -> None:
    end = visit.end(side)
    revisions = []
    for job in jobs:
        step = job.step
        assert isinstance(step, Update)
        revisions.append(revision_of(visit, step))
    if revisions:
        with kept(visit):
            done = end.session.update(end.folder, end.kind, revisions)
        _answer(jobs, done, outcomes)


def revision_of(visit: Visit, step: Update) -> Revision:
    """Return what a side is asked for."""
    return Revision(
        ref=step.before.ref,
        version=step.before.version,
        before=step.before.item,
        after=step.after,
        changed=tuple(change.field for change in step.changes),
        marker=_marker(visit, step),
        notify=bool(step.mails),
    )


def _marker(visit: Visit, step: Update) -> str:
    """Return the marker to write along: the counterpart's present ref, where there is one."""
    if step.side is Side.CRM:
        return back_marker(visit.link, step.base.ref)
    if not step.before.marker:
        return ""
    return marker_of(visit.instance, visit.link.kind, step.base.ref)


def _delete(visit: Visit, side: Side, jobs: Sequence[Job], outcomes: dict[str, Outcome]) -> None:
    end = visit.end(side)
    removals = []
    for job in jobs:
        step = job.step
        assert isinstance(step, Delete)
        removals.append(
            Removal(ref=step.before.ref, version=step.before.version, notify=bool(step.mails))
        )
    if removals:
        with kept(visit):
            done = end.session.delete(end.folder, end.kind, removals)
        _answer(jobs, done, outcomes)


def _answer(jobs: Sequence[Job], answers: Sequence[Outcome], outcomes: dict[str, Outcome]) -> None:
    for job, outcome in zip(jobs, answers, strict=True):
        outcomes[job.intent] = outcome
