"""`accord plan`: what a synchronization would do, and what waiting rules would change."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from accord.cli import exits
from accord.cli.call import CallArgument
from accord.cli.show import show_plan, show_replies
from accord.cli.sync import LINKS, WAITS, ended, visits, with_plan
from accord.cli.trial import show_drafts
from accord.cli.words import plural


def plan(
    *links: Annotated[str, LINKS],
    full: Annotated[bool, Parameter(help="List everything anew.")] = False,
    all_steps: Annotated[bool, Parameter(help="Show what stays as it is, too.")] = False,
    call: CallArgument,
) -> int:
    """Show what a synchronization would do, field by field, and write nothing.

    Each step has its reason; addresses that would get mail are named. Where the draft of a rule
    waits, what it would change follows.
    """
    from accord.service.opening import Options

    found = []
    with call.accord() as accord:
        options = Options(dry=True, full=full, cause="plan")
        for link, report in visits(call, accord, links, options):
            call.data(with_plan(link, report))
            show_plan(call, report.plan, report.name, everything=all_steps)
            show_replies(call, report.replies)
            if report.waiting:
                call.say(f"  [yellow]{plural(report.waiting, *WAITS)}[/]: `accord held`")
            found.append((link, report))
        codes = [ended(call, report) for _, report in found]
        codes += show_drafts(call, accord, found, options, everything=all_steps)
    return exits.worst(codes)
