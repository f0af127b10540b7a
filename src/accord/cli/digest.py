"""`accord digest`: which edits were lost, put back or refused, person by person."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from cyclopts import Parameter

from accord.cli import exits
from accord.cli.call import CallArgument
from accord.cli.errors import Usage
from accord.cli.words import moment


def digest(
    *,
    user: Annotated[str, Parameter(help="One CRM user only.")] = "",
    days: Annotated[int, Parameter(help="How far to look back.")] = 7,
    call: CallArgument,
) -> int:
    """Show which edits didn't come through: lost to another one, put back, or refused.

    One digest for each person who has any, with the address to send it to. It names items and
    fields, never what stood in them.
    """
    from accord.service.digest import digests

    if days < 1:
        raise Usage("--days looks back at least one day")
    with call.accord() as accord:
        found = digests(accord, user=user, since=accord.clock() - timedelta(days=days))
    for one in found:
        call.data(one)
        call.say(f"{one.user} <{one.address}>", style="bold", markup=False)
        for line in one.lines:
            what = f"{line.kind} {line.label!r}" if line.label else f"a {line.kind}"
            named = f" ({', '.join(line.fields)})" if line.fields else ""
            call.say(f"- {line.fate}, {moment(line.at)}: {what}{named}", markup=False)
            call.say(f"      {line.why}", style="dim", markup=False)
            if line.hint:
                call.say(f"      {line.hint}", style="yellow", markup=False)
    if not found:
        call.say("Every edit came through.")
    return exits.OK
