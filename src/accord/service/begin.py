"""Begin a visit that may write, and visit one link by itself: always in the same order.

Lease, acquaintance, opening, recovery: `sync` begins so for whole folders, `attend` for the one
link that an undo, a decision or a withdrawal is about. What may be done, the visit's stance says.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

from accord.ports.adapter import Session
from accord.ports.fault import contained
from accord.service.accord import Accord
from accord.service.identity import verify
from accord.service.meter import Meter
from accord.service.opening import Options, Place, find_folder, open_visit, silent, take_lease
from accord.service.recover import recover
from accord.service.report import Report
from accord.service.visit import Progress, Stance, Visit
from accord.service.waiting import tell_waiting
from accord.state.records import Lease, Link, Mode

D = TypeVar("D")


def enter(accord: Accord, folder: Place, options: Options, stack: ExitStack) -> Lease | None:
    """Take a folder's lease until `stack` closes, and make sure of who CRM and target are.

    A dry visit needs neither and gets None. Raises Busy and ConfigError.
    """
    if options.dry:
        return None
    lease = take_lease(accord, folder, stack)
    verify(accord, folder.target)
    return lease


def begin(
    accord: Accord,
    session: Session,
    folder: Place,
    link: Link,
    options: Options,
    lease: Lease | None,
    stack: ExitStack,
    report: Report,
    progress: Progress = silent,
) -> Visit:
    """Open a link in an entered folder and settle what an earlier visit of it left open."""
    visit = open_visit(accord, session, folder, link, options, progress, lease, stack)
    report.run = visit.run
    report.observed = link.mode is Mode.OBSERVE
    if visit.writes:
        try:
            recover(visit, report)
        except Exception as error:  # noqa: BLE001 (the edge: it is reported, and logged)
            trouble = contained(error, f"recovering {link.name}")
            report.fail(trouble)
            end(visit, report)
            raise trouble from error.__cause__
    return visit


def end(visit: Visit, report: Report) -> None:
    """End a visit's run with what it came to; dry ones have none."""
    with visit.state.read() as tx:
        tell_waiting(tx, report)
    if visit.stance is not Stance.DRY:
        with visit.state.begin(durable=visit.state.shared) as tx:
            tx.runs.finish(visit.run, report.as_json(), report.error)


def attend(
    accord: Accord,
    link: Link,
    options: Options,
    decide: Callable[[Visit, Report], D],
    carry_out: Callable[[Visit, D, Report], None],
    progress: Progress = silent,
) -> Report:
    """Visit one link by itself and report.

    `decide` puts its plan into the report. Only a visit that writes is carried out; of any other
    the report counts what would be done. Errors end the visit and stand in the report.
    """
    report = Report(link=link.id, name=link.name)
    try:
        adapter = accord.adapter(link.target)
        meter = Meter(adapter, accord.crm)
        try:
            with ExitStack() as stack:
                session = stack.enter_context(adapter.open(link.principal))
                place = Place(
                    target=link.target,
                    principal=link.principal,
                    folder=find_folder(accord, session, link, stays=options.stays),
                    links=(link,),
                )
                lease = enter(accord, place, options, stack)
                visit = begin(accord, session, place, link, options, lease, stack, report, progress)
                _work(visit, report, decide, carry_out)
                meter.charge([report])
                end(visit, report)
        finally:
            meter.charge([report])
    except Exception as error:  # noqa: BLE001 (the edge: it is reported, and logged)
        report.fail(contained(error, f"visiting {link.name}"))
    return report


def _work(
    visit: Visit,
    report: Report,
    decide: Callable[[Visit, Report], D],
    carry_out: Callable[[Visit, D, Report], None],
) -> None:
    try:
        decided = decide(visit, report)
        if visit.writes:
            carry_out(visit, decided, report)
        elif report.plan is not None:
            report.count_planned(report.plan)
    except Exception as error:  # noqa: BLE001 (the edge: it is reported, and logged)
        report.fail(contained(error, f"visiting {visit.link.name}"))
