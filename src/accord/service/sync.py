"""Synchronize: visit folders, pull both sides, decide, guard and apply. The way of one change.

Reading order: `sync` → `_visit_folder` → `_visit_link`; `preview` is the same without writing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack

import msgspec

from accord.engine.guard import guard
from accord.engine.plan import Plan, Skip, Step
from accord.engine.reconcile import Case, reconcile
from accord.model.kinds import Side
from accord.ports.adapter import Known, Session
from accord.ports.errors import AccordError, ConfigError
from accord.rules.program import program_of
from accord.service.accord import Accord
from accord.service.apply import apply
from accord.service.cases import Gathered, again, gather
from accord.service.ends import groupware_kind
from accord.service.meetings import with_claims
from accord.service.opening import (
    Options,
    Place,
    find_folder,
    learn,
    open_visit,
    settled_key,
    silent,
    take_lease,
)
from accord.service.pull import Pulled, pull
from accord.service.recover import recover
from accord.service.report import Report
from accord.service.visit import Decided, Progress, Visit
from accord.state.records import Cause, Lease, Link
from accord.state.state import Tx

ROUNDS = 3


def sync(
    accord: Accord,
    links: Sequence[Link],
    options: Options | None = None,
    progress: Progress = silent,
) -> list[Report]:
    """Synchronize links and return one report each, in the links' order.

    An error on one folder ends the visits of its links, says so in their reports, and leaves
    the others alone.
    """
    options = options or Options()
    reports: dict[str, Report] = {}
    for (target, principal), some in _by_mailbox(links).items():
        reports |= _visit_mailbox(accord, target, principal, some, options, progress)
    return [reports[link.id] for link in links]


def preview(accord: Accord, links: Sequence[Link], progress: Progress = silent) -> list[Report]:
    """Return what `sync` would do, plans included; nothing is written anywhere."""
    return sync(accord, links, Options(dry=True, cause="plan"), progress)


def _by_mailbox(links: Iterable[Link]) -> dict[tuple[str, str], list[Link]]:
    grouped: dict[tuple[str, str], list[Link]] = {}
    for link in links:
        grouped.setdefault((link.target, link.principal), []).append(link)
    return grouped


def _visit_mailbox(
    accord: Accord,
    target: str,
    principal: str,
    links: Sequence[Link],
    options: Options,
    progress: Progress,
) -> dict[str, Report]:
    reports = {link.id: Report(link=link.id, name=link.name) for link in links}
    try:
        with accord.adapter(target).open(principal) as session:
            for folder in _folders(session, target, principal, links, reports):
                _visit_folder(accord, session, folder, options, progress, reports)
    except AccordError as error:
        for report in reports.values():
            if not report.run and not report.error:
                fail(report, error)
    return reports


def _folders(
    session: Session,
    target: str,
    principal: str,
    links: Sequence[Link],
    reports: dict[str, Report],
) -> list[Place]:
    """Return the folders that links name (or the default ones), with the links on each."""
    grouped: dict[tuple[str, str], list[Link]] = {}
    for link in links:
        try:
            folder = find_folder(session, link)
        except ConfigError as error:
            fail(reports[link.id], error)
            continue
        grouped.setdefault((folder, groupware_kind(link.kind)), []).append(link)
    return [
        Place(target=target, principal=principal, folder=folder, links=tuple(some))
        for (folder, _), some in grouped.items()
    ]


def _visit_folder(
    accord: Accord,
    session: Session,
    folder: Place,
    options: Options,
    progress: Progress,
    reports: dict[str, Report],
) -> None:
    started = time.monotonic()
    adapter = accord.adapter(folder.target)
    before = adapter.requests + accord.crm.requests
    with ExitStack() as stack:
        try:
            lease = None if options.dry else take_lease(accord, folder, stack)
            _serve(accord, session, folder, options, progress, reports, lease, stack)
        except AccordError as error:
            for link in folder.links:
                if not reports[link.id].error:
                    fail(reports[link.id], error)
    for link in folder.links:
        reports[link.id].seconds = time.monotonic() - started
        reports[link.id].requests = adapter.requests + accord.crm.requests - before


def _serve(
    accord: Accord,
    session: Session,
    folder: Place,
    options: Options,
    progress: Progress,
    reports: dict[str, Report],
    lease: Lease | None,
    stack: ExitStack,
) -> None:
    """Pull the folder once and bring every link on it to agreement."""
    visits = []
    for link in folder.links:
        try:
            visit = open_visit(accord, session, folder, link, options, progress, lease, stack)
        except ConfigError as error:
            fail(reports[link.id], error)
            continue
        reports[link.id].run = visit.run
        visits.append(visit)
    if not visits:
        return
    if lease is not None:
        for visit in visits:
            recover(visit, reports[visit.link.id])
    activating = any(visit.activating for visit in visits)
    with accord.state.read() as tx:
        cursor = tx.cursors.get(folder.scope, Side.GROUPWARE)
    anew = options.full or activating or any(visit.policy.first for visit in visits)
    known = _known(accord, visits, Side.GROUPWARE, nothing=activating)
    pulled = pull(
        visits[0].groupware, "" if anew else cursor, known, _counting(progress, "reading")
    )
    failed = False
    for visit in visits:
        failed |= not _visit_link(accord, visit, pulled, options, reports[visit.link.id])
    if lease is not None and not failed and all(_writes(visit) for visit in visits):
        with accord.state.begin() as tx:
            tx.leases.check(lease)
            tx.cursors.put(folder.scope, Side.GROUPWARE, pulled.cursor)


def _known(accord: Accord, visits: Sequence[Visit], side: Side, *, nothing: bool) -> Known:
    """Return the lookup of versions already decided about."""

    def known(refs: Sequence[str]) -> dict[str, str]:
        if nothing:
            return {}
        found: dict[str, str] = {}
        with accord.state.read() as tx:
            for visit in visits:
                found |= tx.pairings.versions(visit.link.id, side, refs)
                found |= {
                    ref: version
                    for ref, version in tx.decisions.versions(visit.link.id, side, refs).items()
                    if version
                }
        return found

    return known


def _counting(progress: Progress, phase: str) -> Callable[[int], None]:
    count = 0

    def more(number: int) -> None:
        nonlocal count
        count += number
        progress(phase, count, 0)

    return more


def _writes(visit: Visit) -> bool:
    return visit.lease is not None


def _visit_link(
    accord: Accord, visit: Visit, groupware: Pulled, options: Options, report: Report
) -> bool:
    """Bring one link to agreement; tell whether its part of the folder is committed."""
    try:
        with accord.state.read() as tx:
            cursor = tx.cursors.get(visit.link.id, Side.CRM)
        anew = options.full or visit.activating
        known = _known(accord, [visit], Side.CRM, nothing=visit.activating)
        crm = pull(visit.crm, "" if anew else cursor, known, _counting(visit.progress, "reading"))
        learn(accord, visit, (*crm.observations.values(), *groupware.observations.values()))
        decided = decide(visit, gather(visit, crm, groupware))
        plan = Plan(link=visit.link.id, steps=tuple(s for d in decided for s in d.steps))
        report.plan = plan
        if not _writes(visit):
            report.count_planned(plan)
            return False
        carry_out(visit, decided, report)
        _finish(visit, crm, report)
    except AccordError as error:
        fail(report, error)
        if visit.lease is not None:
            with visit.state.begin() as tx:
                tx.runs.finish(visit.run, report.as_json(), report.error)
        return False
    return True


def decide(visit: Visit, gathered: Gathered) -> list[Decided]:
    """Return the steps for each case, guarded; `plan` shows exactly these."""
    cases = with_claims(visit, gathered.cases)
    _load_policies(visit, cases)
    decided = [Decided(case=case, steps=_reconcile(visit, case)) for case in cases]
    decided += gathered.decided
    with visit.state.read() as tx:
        count = tx.pairings.count(visit.link.id)
        approved = {
            p.fingerprint for p in tx.pending.by_link(visit.link.id, Cause.HELD) if p.approved
        }
    flat = Plan(link=visit.link.id, steps=tuple(s for d in decided for s in d.steps))
    guarded = iter(guard(flat, visit.rule, count, approved, activating=visit.activating).steps)
    return [
        Decided(case=one.case, steps=tuple(next(guarded) for _ in one.steps)) for one in decided
    ]


def _load_policies(visit: Visit, cases: Sequence[Case]) -> None:
    versions = {case.pairing.rule for case in cases if case.pairing is not None}
    with visit.state.read() as tx:
        for version in versions - visit.policies.keys():
            rule = tx.rules.get(version)
            if rule is not None:
                policy = msgspec.structs.replace(visit.policy, program=program_of(rule))
                visit.policies[version] = policy


def _reconcile(visit: Visit, case: Case) -> tuple[Step, ...]:
    if case.pairing is None:
        return reconcile(case, visit.policy)
    standing = visit.policy_of(case.pairing.rule)
    if visit.activating and case.pairing.rule != visit.rule.version:
        policy = msgspec.structs.replace(visit.policy, former=standing.program)
        return reconcile(case, policy)
    return reconcile(case, standing)


def carry_out(visit: Visit, decided: Sequence[Decided], report: Report) -> None:
    """Apply decided cases; items that changed meanwhile are asked for and planned again."""
    stale = apply(visit, decided, report)
    for _ in range(ROUNDS):
        if not stale:
            return
        stale = apply(visit, decide(visit, again(visit, stale)), report)
    for one in stale:
        park(visit, one, report)


def park(visit: Visit, decided: Decided, report: Report) -> None:
    """Leave a case that keeps changing under our hands for the next visit."""
    steps = []
    for side in Side:
        observation = decided.case.crm if side is Side.CRM else decided.case.groupware
        base = decided.case.pairing.side(side) if decided.case.pairing else None
        ref = observation.ref if observation is not None else (base.ref if base else "")
        if ref:
            why = "it keeps changing while being synchronized; tried again soon"
            pairing = decided.case.pairing.id if decided.case.pairing else ""
            steps.append(Skip(side=side, ref=ref, pairing=pairing, parked="retry", why=why))
            break
    apply(visit, [Decided(case=decided.case, steps=tuple(steps))], report)


def _finish(visit: Visit, crm: Pulled, report: Report) -> None:
    link = visit.link.id
    with visit.state.begin() as tx:
        if visit.lease is not None:
            tx.leases.check(visit.lease)
        tx.cursors.put(link, Side.CRM, crm.cursor)
        tx.settings.put(settled_key(visit.link), visit.rule.version)
        _clear_due(tx, visit)
        tx.runs.finish(visit.run, report.as_json(), "")


def _clear_due(tx: Tx, visit: Visit) -> None:
    for side, ref in tx.windows.due(visit.link.id, visit.now):
        tx.windows.remove(visit.link.id, side, [ref])


def fail(report: Report, error: AccordError) -> None:
    """Say in a report why its visit ended, and what to do about it."""
    report.error = str(error)
    report.action = error.action
