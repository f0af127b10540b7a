"""What another version of a rule would change: the part of a plan that isn't planned already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from accord.cli.call import Call
from accord.cli.show import show_plan
from accord.cli.sync import ended, visits, with_plan

if TYPE_CHECKING:
    from accord.service.accord import Accord
    from accord.service.opening import Options
    from accord.service.report import Report
    from accord.state.records import Link

Found = Sequence[tuple["Link", "Report"]]
"""Links with what was planned for them under the rules in force."""


def show_drafts(
    call: Call, accord: Accord, found: Found, options: Options, *, everything: bool = False
) -> list[int]:
    """Show what the drafts of the links' rules would change; return the exit codes."""
    from accord.service.drafts import waiting_drafts

    codes = []
    drafts = waiting_drafts(accord, [link for link, _ in found])
    for name, version in drafts.items():
        call.say(f"\nThe draft of rule {name} ({version}) would change:", markup=False)
        codes += show_trial(call, accord, found, name, version, options, everything=everything)
        say_next(call, name)
    return codes


def show_trial(
    call: Call,
    accord: Accord,
    found: Found,
    name: str,
    version: str,
    options: Options,
    *,
    everything: bool = False,
) -> list[int]:
    """Show per link what a version of a rule would change; return the exit codes."""
    from msgspec.structs import replace

    from accord.service.drafts import beyond

    former = {link.name: report for link, report in found if link.rule == name}
    if not former:
        return []
    codes = []
    for link, report in visits(call, accord, list(former), replace(options, rules={name: version})):
        now = former[link.name]
        if now.plan is not None and report.plan is not None:
            report.plan = beyond(now.plan, report.plan)
        call.data({**with_plan(link, report), "rule": name, "version": version})
        show_plan(call, report.plan, report.name, everything=everything)
        if not now.error:
            codes.append(ended(call, report))
    return codes


def say_next(call: Call, name: str) -> None:
    """Name the command that puts a draft into force."""
    call.say(f"`accord rules activate {name}` puts it into force.", markup=False)
