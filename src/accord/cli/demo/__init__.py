"""`accord demo`: a CRM, three mailboxes on a server, and a week of changes on both sides.

Everything goes through the code that real use takes; the server is a process of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from accord.cli import exits
from accord.cli.call import CallArgument
from accord.cli.errors import Usage


def demo(
    *,
    keep: Annotated[
        Path | None, Parameter(help="A new folder to leave configuration and database in.")
    ] = None,
    entries: Annotated[int, Parameter(help="Past entries in the three mailboxes.")] = 600,
    series: Annotated[int, Parameter(help="Past series in the three mailboxes.")] = 300,
    target: Annotated[
        Literal["exchange", "dav"],
        Parameter(help="exchange is the stand-in Exchange, dav is Radicale."),
    ] = "exchange",
    topology: Annotated[
        Literal["one", "split"],
        Parameter(help="split puts the CRM behind CRM.interface, in a process of its own."),
    ] = "one",
    call: CallArgument,
) -> int:
    """Play a week against the stand-in Exchange, or a real CalDAV server, on this machine.

    Fills the built-in CRM and three mailboxes, synchronizes, changes things on both sides, and
    checks every claim it makes. Needs exchangelib or Radicale; both come with the extra `demo`.
    """
    for name, number in (("--entries", entries), ("--series", series)):
        if number < 0:
            raise Usage(f"{name} can't be {number}", "give 0 or more")
    from accord.cli.demo.hands import DemoFailed
    from accord.cli.demo.narrate import Narrator
    from accord.cli.demo.story import Size, play
    from accord.cli.logs import log_to_errors
    from accord.sandbox.process import PeerFailed, PeerMissing

    log_to_errors(verbose=call.verbose)
    narrator = Narrator(machine=call.json)
    try:
        play(narrator, Size(entries, series), keep, target=target, split=topology == "split")
    except (DemoFailed, PeerFailed, PeerMissing) as error:
        narrator.finish(ok=False, error=str(error))
        return exits.FAILED
    narrator.finish(ok=True)
    return exits.OK
