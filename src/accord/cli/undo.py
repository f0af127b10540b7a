"""`accord undo`: shown as a plan first, then carried out if the person at the terminal agrees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from accord.cli import exits
from accord.cli.ask import agreed
from accord.cli.call import CallArgument
from accord.cli.errors import advise
from accord.cli.show import show_plan, show_replies
from accord.cli.sync import visited
from accord.cli.words import plural

if TYPE_CHECKING:
    from accord.cli.call import Call
    from accord.service.report import Report


def undo(
    what: Annotated[str, Parameter(help="A step's number, a run's id, a user's name, or an item.")],
    /,
    *,
    plan: Annotated[bool, Parameter(help="Only show what would be done.")] = False,
    yes: Annotated[bool, Parameter(help="Don't ask.")] = False,
    include_held: Annotated[
        bool, Parameter(help="Undo also what was edited since, or would send mail.")
    ] = False,
    call: CallArgument,
) -> int:
    """Undo a step, an item, a user or a run, on both sides.

    Undo is a plan like any other: what stood there before is merged over what stands there now,
    on both sides. Fields edited since are held, and so is what would send mail, unless
    --include-held is given; `accord held` lists them, and approving one carries it out. What
    can't be undone is named, and the exit code is 1.
    """
    from accord.service import undo as service
    from accord.service.view import plan_view

    with call.accord() as accord:
        selection = service.select(accord, what)
        reports = service.undo(accord, selection, dry=True, approved=include_held)
        count = plural(len(selection.entries), "step")
        call.say(f"{count} of {selection.what} {what} to undo:", markup=False)
        for report in reports:
            show_plan(call, report.plan, report.name, everything=True)
            show_replies(call, report.replies)
            if plan and report.plan is not None:
                call.data({**report.as_json(), **plan_view(report.plan)})
        codes = _failed(call, reports)
        if plan or codes:
            return exits.worst(codes)
        if not any(_does(report) for report in reports):
            return visited(call, reports)
        writes = any(_does(report) and not report.observed for report in reports)
        if writes and not agreed(call, "Undo this?", yes=yes):
            call.note("Nothing was done.")
            return exits.OK
        return visited(call, service.undo(accord, selection, approved=include_held))


def _does(report: Report) -> bool:
    """Tell whether an undo would do, or ask, anything."""
    steps = report.plan.steps if report.plan is not None else ()
    return report.replies is not None or any(step.name != "skip" for step in steps)


def _failed(call: Call, reports: list[Report]) -> list[int]:
    return [advise(call, report) for report in reports if report.error]
