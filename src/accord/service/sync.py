"""Synchronize: visit folders, pull both sides, decide, guard and apply. The way of one change.

Reading order: `sync` → `_visit_folder` → `_visit_link`; `preview` is the same without writing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack

from msgspec import Struct
from msgspec.structs import replace

from accord.engine.plan import Plan, Skip
from accord.model.kinds import Side
from accord.ports.adapter import Session
from accord.ports.errors import ConfigError
from accord.ports.fault import contained
from accord.service import mailbox_states, troubles
from accord.service.accord import Accord
from accord.service.apply import apply
from accord.service.begin import begin, end, enter
from accord.service.cases import Gathered, again, gather
from accord.service.ends import groupware_kind
from accord.service.files import carry_files
from accord.service.files_plan import foresee_files
from accord.service.fresh import heard
from accord.service.identity import attest
from accord.service.meter import Meter
from accord.service.older import refuse_older
from accord.service.opening import Options, Place, find_folder, settled_key, silent
from accord.service.patience import yielding
from accord.service.planning import decide
from accord.service.pull import Pulled
from accord.service.reading import read_crm, read_folder
from accord.service.replies import answer
from accord.service.report import Report
from accord.service.upkeep import tidy
from accord.service.visit import Decided, Progress, Visit
from accord.service.waiting import tell_refused
from accord.state.records import Lease, Link

ROUNDS = 3


def sync(
    accord: Accord,
    links: Sequence[Link],
    options: Options | None = None,
    progress: Progress = silent,
) -> list[Report]:
    """Synchronize links and return one report each, in the links' order.

    An error on one folder ends the visits of its links, says so in their reports, and leaves
    the others alone; so does a fault of Accord's own, which goes to the log.
    """
    options = options or Options()
    reports: dict[str, Report] = {}
    for some in _by_mailbox(links).values():
        reports |= _visit_mailbox(accord, some, options, progress)
    if not options.dry:
        tidy(accord)
        attest(accord)
    return [reports[link.id] for link in links]


def preview(accord: Accord, links: Sequence[Link], progress: Progress = silent) -> list[Report]:
    """Return what `sync` would do, plans included; nothing is written anywhere."""
    return sync(accord, links, Options(dry=True, cause="plan"), progress)


class _Mailbox(Struct, frozen=True):
    """Hold what all visits to one mailbox share; `charge` says for which links work was done."""

    accord: Accord
    session: Session
    options: Options
    progress: Progress
    reports: dict[str, Report]
    meter: Meter

    def charge(self, *links: Link) -> None:
        self.meter.charge([self.reports[link.id] for link in links])


def _by_mailbox(links: Iterable[Link]) -> dict[tuple[str, str], list[Link]]:
    grouped: dict[tuple[str, str], list[Link]] = {}
    for link in links:
        grouped.setdefault((link.target, link.principal), []).append(link)
    return grouped


def _visit_mailbox(
    accord: Accord, links: Sequence[Link], options: Options, progress: Progress
) -> dict[str, Report]:
    reports = {link.id: Report(link=link.id, name=link.name) for link in links}
    target, principal = links[0].target, links[0].principal
    try:
        adapter = accord.adapter(target)
        meter = Meter(adapter, accord.crm)
        try:
            with adapter.open(principal) as session:
                mailbox = _Mailbox(accord, session, options, progress, reports, meter)
                for folder in _folders(mailbox, links):
                    _visit_folder(mailbox, folder)
        finally:
            meter.charge(list(reports.values()))
    except Exception as error:  # noqa: BLE001 (the edge: it is reported, and logged)
        # The edge: whatever happens in one mailbox, the others are visited.
        trouble = contained(error, f"visiting {principal}")
        for report in reports.values():
            if not report.run and not report.error:
                report.fail(trouble)
    if not options.dry:
        _note(accord, reports)
    return reports


def _note(accord: Accord, reports: Mapping[str, Report]) -> None:
    """Keep what visits found or met, and forget what is over; most find and change nothing."""
    keys = [key(link) for key in (mailbox_states.key_of, troubles.key_of) for link in reports]
    with accord.state.read() as tx:
        kept = tx.settings.some(*keys)
    changed = mailbox_states.news(kept, reports.values(), accord.clock())
    changed |= troubles.news(kept, reports.values())
    if changed:
        with accord.state.begin(durable=accord.state.shared) as tx:
            for key, value in changed.items():
                tx.settings.put(key, value)


def _folders(mailbox: _Mailbox, links: Sequence[Link]) -> list[Place]:
    """Return the folders that links name (or the default ones), with the links on each."""
    grouped: dict[tuple[str, str], list[Link]] = {}
    for link in links:
        try:
            folder = find_folder(mailbox.accord, mailbox.session, link)
        except ConfigError as error:
            mailbox.reports[link.id].fail(error)
            continue
        grouped.setdefault((folder, groupware_kind(link.kind)), []).append(link)
    mailbox.charge(*links)
    return [
        Place(target=some[0].target, principal=some[0].principal, folder=folder, links=tuple(some))
        for (folder, _), some in grouped.items()
    ]


def _visit_folder(mailbox: _Mailbox, folder: Place) -> None:
    accord, reports = mailbox.accord, mailbox.reports
    with ExitStack() as stack:
        # Last of all to be closed, so that it counts what closing costs.
        stack.callback(mailbox.charge, *folder.links)
        try:
            lease = enter(accord, folder, mailbox.options, stack)
            mailbox.charge(*folder.links)
            if lease is not None and mailbox.options.yields:
                progress = yielding(accord.state, lease, mailbox.progress)
                mailbox = replace(mailbox, progress=progress)
            visits = _open(mailbox, folder, lease, stack)
            if visits:
                _serve(mailbox, visits)
        except Exception as error:  # noqa: BLE001 (the edge: it is reported, and logged)
            trouble = contained(error, f"visiting {_names(folder.links)}")
            for link in folder.links:
                if not reports[link.id].error:
                    reports[link.id].fail(trouble)


def _open(mailbox: _Mailbox, folder: Place, lease: Lease | None, stack: ExitStack) -> list[Visit]:
    """Open every link on the folder that can be worked on; the others' reports say why not."""
    visits = []
    for link in folder.links:
        report = mailbox.reports[link.id]
        try:
            visit = begin(
                mailbox.accord,
                mailbox.session,
                folder,
                link,
                mailbox.options,
                lease,
                stack,
                report,
                mailbox.progress,
            )
        except Exception as error:  # noqa: BLE001 (the edge: it is reported, and logged)
            report.fail(contained(error, f"opening {link.name}"))
            continue
        finally:
            mailbox.charge(link)
        visits.append(visit)
    return visits


def _serve(mailbox: _Mailbox, visits: Sequence[Visit]) -> None:
    """Read the folder for all links on it, then bring each of them to agreement."""
    reports = mailbox.reports
    try:
        pulled = read_folder(visits, reports, mailbox.meter)
    except Exception as error:  # noqa: BLE001 (the edge: it is reported, and logged)
        trouble = contained(error, f"reading for {_names(visit.link for visit in visits)}")
        for visit in visits:
            reports[visit.link.id].fail(trouble)
            end(visit, reports[visit.link.id])
        return
    for visit in visits:
        _visit_link(mailbox, visit, pulled[visit.link.id])


def _visit_link(mailbox: _Mailbox, visit: Visit, groupware: Pulled) -> None:
    """Bring one link to agreement; its cursors move with what it commits, and only then."""
    report = mailbox.reports[visit.link.id]
    try:
        crm = read_crm(visit)
        gathered = gather(visit, crm, groupware)
        refuse_older(visit, gathered)
        decided = decide(visit, gathered)
        plan = Plan(link=visit.link.id, steps=tuple(s for d in decided for s in d.steps))
        report.plan = plan
        if visit.writes:
            carry_out(visit, decided, report)
            answer(visit, decided, report)
            mailbox.charge(visit.link)
            _finish(visit, {Side.CRM: crm, Side.GROUPWARE: groupware}, gathered, report)
            carry_files(visit, report)
        else:
            steps = (*plan.steps, *foresee_files(visit, decided))
            report.plan = Plan(link=visit.link.id, steps=steps)
            report.count_planned(report.plan)
            answer(visit, decided, report)
            mailbox.charge(visit.link)
            end(visit, report)
    except Exception as error:  # noqa: BLE001 (the edge: it is reported, and logged)
        mailbox.charge(visit.link)
        report.fail(contained(error, f"visiting {visit.link.name}"))
        end(visit, report)


def _names(links: Iterable[Link]) -> str:
    return ", ".join(link.name for link in links)


def carry_out(visit: Visit, decided: Sequence[Decided], report: Report) -> None:
    """Apply decided cases; items that changed meanwhile are asked for and planned again."""
    stale = apply(visit, decided, report)
    for _ in range(ROUNDS):
        if not stale:
            return
        gathered = again(visit, stale)
        refuse_older(visit, gathered)
        stale = apply(visit, decide(visit, gathered), report)
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


def _finish(visit: Visit, pulled: dict[Side, Pulled], gathered: Gathered, report: Report) -> None:
    link = visit.link.id
    # What was done stands already; all of this the next visit would find once more.
    with visit.state.begin(durable=visit.state.shared) as tx:
        if visit.lease is not None:
            tx.leases.check(visit.lease)
        for side in Side:
            tx.cursors.put(
                link, side, visit.place(side), pulled[side].cursor, complete=pulled[side].complete
            )
        tx.settings.put(settled_key(visit.link), visit.rule.version)
        heard(tx, visit, gathered.entry, report)
        tx.pending.remove_many(gathered.over)
        for side in Side:
            refs = {ref for where, ref in gathered.gone if where is side}
            tx.decisions.end(link, side, refs, f"no longer there in the {side.place}")
        for side, ref in tx.windows.due(link, visit.now):
            if (side, ref) not in gathered.blind:
                tx.windows.remove(link, side, [ref])
        tell_refused(tx, report)
        tx.runs.finish(visit.run, report.as_json(), "")
