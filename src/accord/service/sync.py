"""Synchronize: visit folders, pull both sides, decide, guard and apply. The way of one change.

Reading order: `sync` → `_visit_folder` → `_visit_link`; `preview` is the same without writing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack

from accord.engine.plan import Plan, Skip
from accord.model.kinds import Side
from accord.ports.adapter import Known, Session
from accord.ports.errors import AccordError, ConfigError
from accord.service.accord import Accord
from accord.service.apply import apply
from accord.service.cases import Gathered, again, gather
from accord.service.ends import groupware_kind
from accord.service.identity import verify
from accord.service.opening import (
    Options,
    Place,
    find_folder,
    open_visit,
    settled_key,
    silent,
    take_lease,
)
from accord.service.planning import decide
from accord.service.pull import Pulled, pull
from accord.service.recover import recover
from accord.service.report import Report
from accord.service.upkeep import tidy
from accord.service.visit import Decided, Progress, Visit
from accord.state.records import Lease, Link
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
    if not options.dry:
        tidy(accord)
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
            for folder in _folders(accord, session, target, principal, links, reports):
                _visit_folder(accord, session, folder, options, progress, reports)
    except AccordError as error:
        for report in reports.values():
            if not report.run and not report.error:
                fail(report, error)
    return reports


def _folders(
    accord: Accord,
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
            folder = find_folder(accord, session, link)
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
            if lease is not None:
                verify(accord)
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
            if _writes(visit):
                recover(visit, reports[visit.link.id])
    activating = any(visit.activating for visit in visits)
    with accord.state.read() as tx:
        cursor = tx.cursors.get(folder.scope, Side.GROUPWARE)
    anew = options.full or activating or any(visit.policy.first for visit in visits)
    known = _known(accord, visits, Side.GROUPWARE)
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


def _known(accord: Accord, visits: Sequence[Visit], side: Side) -> Known:
    """Return the lookup of versions that every link on the folder has decided about.

    A full visit decides anew about what it skipped, an activating one about everything.
    """

    def known(refs: Sequence[str]) -> dict[str, str]:
        common: dict[str, str] | None = None
        with accord.state.read() as tx:
            for visit in visits:
                found = _decided_about(tx, visit, side, refs)
                if common is not None:
                    found = {r: v for r, v in found.items() if common.get(r) == v}
                common = found
        return common or {}

    return known


def _decided_about(tx: Tx, visit: Visit, side: Side, refs: Sequence[str]) -> dict[str, str]:
    if visit.activating:
        return {}
    found = tx.pairings.versions(visit.link.id, side, refs)
    if not visit.full:
        decisions = tx.decisions.versions(visit.link.id, side, refs)
        found |= {ref: version for ref, version in decisions.items() if version}
    return found


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
        known = _known(accord, [visit], Side.CRM)
        crm = pull(visit.crm, "" if anew else cursor, known, _counting(visit.progress, "reading"))
        gathered = gather(visit, crm, groupware)
        decided = decide(visit, gathered)
        plan = Plan(link=visit.link.id, steps=tuple(s for d in decided for s in d.steps))
        report.plan = plan
        if not _writes(visit):
            report.count_planned(plan)
            _close(visit, report, options)
            return False
        carry_out(visit, decided, report)
        _finish(visit, crm, gathered, report)
    except AccordError as error:
        fail(report, error)
        _close(visit, report, options)
        return False
    return True


def _close(visit: Visit, report: Report, options: Options) -> None:
    """End the run of a visit that came to nothing, or that only looks; previews have none."""
    if not options.dry:
        with visit.state.begin() as tx:
            tx.runs.finish(visit.run, report.as_json(), report.error)


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


def _finish(visit: Visit, crm: Pulled, gathered: Gathered, report: Report) -> None:
    link = visit.link.id
    with visit.state.begin() as tx:
        if visit.lease is not None:
            tx.leases.check(visit.lease)
        tx.cursors.put(link, Side.CRM, crm.cursor)
        tx.settings.put(settled_key(visit.link), visit.rule.version)
        tx.pending.remove_many(gathered.over)
        for side, ref in tx.windows.due(link, visit.now):
            if (side, ref) not in gathered.blind:
                tx.windows.remove(link, side, [ref])
        tx.runs.finish(visit.run, report.as_json(), "")


def fail(report: Report, error: AccordError) -> None:
    """Say in a report why its visit ended, and what to do about it."""
    report.error = str(error)
    report.action = error.action
    report.hint = error.hint if isinstance(error, ConfigError) else ""
