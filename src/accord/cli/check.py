"""`accord check`: everything tested, each fault with the way to mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from accord.cli import exits
from accord.cli.call import Call, CallArgument
from accord.cli.words import plural

if TYPE_CHECKING:
    from accord.service.check import Checked


def check(
    *,
    accept: Annotated[
        bool,
        Parameter(
            help="Accept a restored or copied CRM, and targets that moved, as those to work with."
        ),
    ] = False,
    call: CallArgument,
) -> int:
    """Test every connection and say what is wrong and how to mend it.

    Configuration, key file, database, CRM, every target and mailbox, folders, clocks, rules and
    what was left open. Writes on no side. Exit code 1 says that something is wrong.
    """
    from accord.service.check import check as service
    from accord.service.identity import accept as accept_crm

    faults, area = 0, ""
    config = call.config()
    with call.accord() as accord:
        if accept:
            accept_crm(accord)
        for one in service(accord, config):
            call.data(one)
            if one.area != area:
                area = one.area
                call.say(area, style="bold", markup=False)
            _show(call, one)
            faults += not one.ok
    if faults:
        call.say(f"\n{plural(faults, 'fault')} found.", style="red")
        return exits.FAILED
    call.say("\nAll is well.", style="green")
    if accept:
        call.say(
            "CRM and targets are accepted as they are now. Look at `accord plan --all-steps` "
            "before you synchronize: what they lack, or have in older versions, is told there."
        )
    return exits.OK


def _show(call: Call, one: Checked) -> None:
    sign, style = ("✓", "green") if one.ok else ("✗", "bold red")
    call.say(f"  {sign} ", style=style, end="")
    call.say(f"{one.subject}: {one.detail}" if one.detail else one.subject, markup=False)
    if one.hint:
        call.say(f"      {one.hint}", style="yellow", markup=False)
