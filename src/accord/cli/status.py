"""`accord status`: how the service, its queue, links and targets are, and what to do."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import Parameter

from accord.cli import exits
from accord.cli.call import Call, CallArgument
from accord.cli.errors import ADVICE
from accord.cli.queue import circuit
from accord.cli.words import moment, of_templates, plural
from accord.ports.tls import danger

if TYPE_CHECKING:
    from accord.service.status import LinkStatus, Status, TargetStatus
    from accord.service.verdict import Matter
    from accord.state.records import Process

_NOTHING = (
    "Nothing runs just now. `accord run` keeps all in agreement; "
    "or let a timer run `accord sync --all`."
)


def status(
    *,
    links: Annotated[
        bool, Parameter(help="Also each link: its state and its last visits.")
    ] = False,
    call: CallArgument,
) -> int:
    """Say how the service, its queue, links and targets are, and what needs somebody.

    Reads what all processes leave in the database, and asks no server; it works while nothing
    runs, too. Exit code 0 says that nobody needs to do anything, 1 that somebody does, and 3 that
    only servers don't answer, or items failed for now, which are tried again by themselves. What
    is held or in conflict is no failure.
    """
    from accord.service.bootstrap import open_queue
    from accord.service.status import status as service
    from accord.service.verdict import matters

    config = call.config()
    with call.accord() as accord, closing(open_queue(config)) as queue:
        found = service(accord, queue, config)
    wrong = matters(found)
    call.data(_json(found, wrong, links=links))
    if not call.json:
        _show(call, found, links=links)
        _end(call, found, wrong)
    return _code(wrong)


def _code(wrong: list[Matter]) -> int:
    if not wrong:
        return exits.OK
    return exits.FAILED if any(one.weight == "now" for one in wrong) else exits.UNREACHABLE


def _json(found: Status, wrong: list[Matter], *, links: bool) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(found)
    each = shown.pop("each")
    processes = [_process(one) for one in found.processes]
    said = [{"what": one.what, "do": _advice(one), "action": one.action} for one in wrong]
    return {
        **shown,
        "processes": processes,
        "matters": said,
        **({"each": each} if links else {}),
    }


def _process(one: Process) -> dict[str, Any]:
    names = ("part", "host", "version", "since", "heard", "gone", "figures")
    pid = one.pid
    return {"pid": int(pid) if pid.isdigit() else 0, **{name: getattr(one, name) for name in names}}


def _show(call: Call, found: Status, *, links: bool) -> None:
    call.say(f"Accord {found.version}, {found.database}", style="bold", markup=False)
    if not found.running:
        call.say(_NOTHING)
    for process in found.processes:
        _show_process(call, process, found.version)
    states = ", ".join(f"{count:,} {state}" for state, count in sorted(found.links.items()))
    call.say(f"links: {states or 'none yet; `accord import` makes them'}", markup=False)
    call.say(f"queue: {_queue(found)}", markup=False)
    for target in found.targets:
        _show_target(call, target)
    _show_waiting(call, found)
    for one in found.expiries:
        call.say(f"{one.kind} {one.name}: until {moment(one.at)}", markup=False)
    for link in found.each if links else ():
        _show_link(call, link)


def _show_process(call: Call, one: Process, version: str) -> None:
    other = f", version {one.version}" if one.version != version else ""
    if one.gone:
        heard = moment(one.heard)
        text = f"gone: {one.part} on {one.host}, without a sign of life since {heard}{other}"
        call.say(text, style="red", markup=False)
    else:
        call.say(f"runs: {one.part} on {one.host} since {moment(one.since)}{other}", markup=False)


def _queue(found: Status) -> str:
    words = []
    for stage, verb in (("waiting", "wait"), ("running", "run"), ("buried", "were given up")):
        depth = found.queue[stage]
        if depth.count:
            since = "for" if stage != "buried" else "first"
            age = f" ({since} {depth.oldest:.0f} s{' ago' if stage == 'buried' else ''})"
            words.append(f"{depth.count:,} {verb}{age}")
    planned = found.queue["planned"].count
    return ", ".join(words or ["nothing waits"]) + (f"; {planned:,} planned" if planned else "")


def _show_target(call: Call, one: TargetStatus) -> None:
    late = f"{one.waiting:,} waiting, the first for {one.lag:.0f} s" if one.waiting else "no lag"
    call.say(f"{one.name} ({one.adapter}): {plural(one.links, 'link')}, {late}", markup=False)
    if unsafe := danger(unchecked=one.unchecked, readable=one.readable):
        call.say(f"    {unsafe}", style="bold red", markup=False)
    complete = _complete(one.complete, one.never)
    call.say(f"    last visit {moment(one.visited)}; {complete}", style="dim", markup=False)
    if one.done is not None:
        quick = f"half within {one.done.p50:g} s, 95 % within {one.done.p95:g} s"
        call.say(f"    changes done: {quick}", style="dim", markup=False)
    if one.circuit is not None:
        call.say(f"    {circuit(one.circuit)}", style="yellow", markup=False)
    ways = ", ".join(f"{count:,} by {way}" for way, count in sorted(one.streams.ways.items()))
    if ways:
        call.say(f"    mailboxes watched: {ways}", style="dim", markup=False)
    for why, count in one.streams.why.items():
        call.say(f"        {count:,} because {why}", style="dim", markup=False)


def _complete(since: datetime | None, never: int) -> str:
    words = []
    if since is not None:
        words.append(f"listed completely since {moment(since)}")
    if never:
        words.append(f"{plural(never, 'link')} not yet listed completely")
    return ", ".join(words) or "no link may write"


def _show_waiting(call: Call, found: Status) -> None:
    waiting = found.waiting
    if waiting.changes:
        where = f"{plural(waiting.changes, 'change')} on {plural(waiting.links, 'link')}"
        call.say(f"{where} for approval: `accord held`")
    for line in of_templates(waiting.plans, waiting.handovers, waiting.withdrawals):
        call.say(line)
    if waiting.conflicts:
        call.say(f"{plural(waiting.conflicts, 'item')} in conflict: `accord conflicts`")


def _show_link(call: Call, one: LinkStatus) -> None:
    held = f", {one.held:,} held" if one.held else ""
    times = f"visited {moment(one.visited)}, listed completely {moment(one.complete)}"
    call.say(f"{one.name}: {one.state}{held}; {times}", markup=False)
    if one.error:
        call.say(f"    {one.error}", style="red", markup=False)


def _end(call: Call, found: Status, wrong: list[Matter]) -> None:
    unsafe = ", ".join(one.name for one in found.targets if one.unchecked or one.readable)
    if not wrong and not unsafe:
        if found.waiting.decisions:
            call.say("\nAll goes on; what is told above waits for somebody.", style="yellow")
        else:
            call.say("\nAll is well.", style="green")
        return
    if not wrong:
        # It is set so, and nobody is called for it: but well it is not.
        call.say(f"\nAll goes on, but unsafely: {unsafe}.", style="bold red", markup=False)
        return
    call.say("")
    for one in wrong:
        call.say(f"✗ {one.what}", style="red", markup=False)
        if advice := _advice(one):
            call.say(f"    {advice}", style="yellow", markup=False)


def _advice(one: Matter) -> str:
    return one.do or ADVICE.get(one.action, "")
