"""`accord queue`: what `accord run` is to visit, what it is at, and what it gave up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from accord.cli import exits
from accord.cli.call import Call, CallArgument
from accord.cli.errors import Usage
from accord.cli.words import lasting, plural
from accord.ports.queue import Current, Stage

if TYPE_CHECKING:
    from accord.ports.queue import Queue
    from accord.service.accord import Accord
    from accord.service.queued import Queued, Resting

queue = App(name="queue", help="Show what waits to be visited; revive what was buried.")

Names = Annotated[str, Parameter(help="Links or mailboxes, as the list shows them.")]


@queue.default
@queue.command(name="list")
def list_(
    *,
    planned: Annotated[bool, Parameter(help="Also what is to be visited later.")] = False,
    call: CallArgument,
) -> int:
    """List the folders that wait to be visited, are being visited, or were buried.

    Whoever waits longest comes first. A folder is buried, and visited no more, after five visits in
    a row that ended in a fault of Accord's own, or three that ended the process.

    Before the folders stand the targets that failed of late. After five failures in a row, to more
    than one mailbox, or where it asks for that, a target is left alone for a while (open); then one
    visit tries it (half-open).
    """
    stages = [stage for stage in Stage if planned or stage is not Stage.PLANNED]
    _list(call, stages, "Nothing waits.", targets=True)
    return exits.OK


@queue.command
def buried(*, call: CallArgument) -> int:
    """List the folders that are visited no more, and why."""
    _list(call, [Stage.BURIED], "Nothing is buried.")
    return exits.OK


@queue.command
def revive(
    *names: Names,
    everything: Annotated[bool, Parameter(name="--all", help="All that are buried.")] = False,
    call: CallArgument,
) -> int:
    """Visit buried folders again, soon."""
    from accord.service import queued

    if bool(names) is everything:
        raise Usage("which ones?", "name links or mailboxes, or say --all")
    with _opened(call) as (accord, found):
        revived = queued.revive(accord, found, names)
    if names and not revived:
        raise Usage("nothing of that is buried", "`accord queue buried` lists what is")
    for folder in revived:
        call.data({"revived": folder})
    call.say(f"{plural(len(revived), 'folder')} will be visited again.")
    return exits.OK


@contextmanager
def _opened(call: Call) -> Iterator[tuple[Accord, Queue]]:
    from accord.service.bootstrap import open_queue

    with call.accord() as accord, closing(open_queue(call.config())) as found:
        yield accord, found


def _list(call: Call, stages: list[Stage], none: str, *, targets: bool = False) -> None:
    from accord.service.queued import queued, resting

    with _opened(call) as (accord, found):
        rows = queued(accord, found, stages)
        places = resting(accord, found) if targets else []
    for place in places:
        call.data(place)
        call.say(f"target {place.target} {circuit(place)}", style="yellow", markup=False)
    for row in rows:
        call.data(row)
        call.say(_line(row), markup=False)
    if not rows:
        call.say(none)


def _line(row: Queued) -> str:
    where = ", ".join(row.links) or row.folder
    whose = f" of {row.principal} on {row.target}" if row.principal else ""
    count = f", attempt {row.attempts}" if row.attempts > 1 else ""
    if row.stage is Stage.PLANNED:
        when = f"in {lasting(-row.seconds)}"
    elif row.stage is Stage.BURIED:
        when, count = f"{lasting(row.seconds)} ago", ""
    else:
        when = f"for {lasting(row.seconds)}"
    cause = f" ({row.cause})" if row.cause else ""
    why = f": {row.why}" if row.why else ""
    return f"{row.stage} {when}: {where}{whose}{cause}{count}{why}"


def circuit(place: Resting) -> str:
    """Return how it stands with a target that failed, in a line."""
    again = {
        Current.CLOSED: "visited on",
        Current.OPEN: f"left alone for {lasting(place.after)} more",
        Current.HALF_OPEN: "one visit tries it",
    }[place.state]
    since = "" if place.state is Current.CLOSED else f" for {lasting(place.seconds)}"
    count = f"{plural(place.failures, 'failure')} in a row"
    return f"{place.state}{since}, {again}, {count}: {place.why}"
