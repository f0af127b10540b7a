"""`accord run`: synchronize whenever something changes on either side, until a signal ends it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from enum import StrEnum
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NamedTuple

from cyclopts import Parameter
from msgspec.structs import replace

from accord.cli import exits
from accord.cli.call import Call, CallArgument
from accord.cli.errors import advise
from accord.cli.sync import show_report

if TYPE_CHECKING:
    from accord.cli.listener import Taken
    from accord.ports.queue import Queue
    from accord.service.accord import Accord
    from accord.service.config import Config
    from accord.service.report import Report
    from accord.service.run import Visited, Watching

_STOPPING = (signal.SIGTERM, signal.SIGINT)


class Part(StrEnum):
    """Be a part of the service that one process may do alone."""

    WORKER = "worker"
    LISTENER = "listener"
    WEB = "web"


def run(
    part: Annotated[
        Part | None,
        Parameter(help="Do only this: visit folders, hear of changes, or serve over HTTP."),
    ] = None,
    /,
    *,
    interface: Annotated[
        bool | None,
        Parameter(help="Serve CRM.interface, too; accord.toml says it otherwise."),
    ] = None,
    web: Annotated[
        str,
        Parameter(help="HOST:PORT for /healthz, /readyz and /metrics; accord.toml otherwise."),
    ] = "",
    call: CallArgument,
) -> int:
    """Synchronize whenever something changes, until stopped.

    Mailboxes that can be watched are, the CRM is asked what changed there, and every folder is
    visited on an interval besides (`[run]` in accord.toml). Links, rules and targets may be
    changed meanwhile. SIGTERM and Ctrl-C let visits that are under way end, after a minute at
    their next step; a second time ends them at once, and what was begun is settled by the next
    run. Prints what was done; with --json every visit, and how each mailbox is watched.

    With --interface, or `interface = true` in `[run]`, devices and connectors can sync with the CRM
    meanwhile, as `accord interface` lets them.

    What is to be visited stands in a queue that outlasts this process (`accord queue`). Several
    processes share the work: with `worker` one only visits folders and does what `accord jobs`
    lists, with `listener` it hears of changes for the others, and with `web` it serves
    CRM.interface. `accord status` sees them all.

    With --web, or `listen` in `[web]`, it also answers whether it lives and is ready, and tells
    its figures; of several processes those with --web do, and `web`. Where somebody else has the
    port that `[web]` names, it says so and works without; with --web it ends.
    """
    # DBOS imports it later: a thread that asks a database in the middle of that fails.
    import sqlalchemy.orm  # noqa: F401

    from accord.cli.logs import threads_logged
    from accord.service.bootstrap import open_queue

    config = call.config()
    # Of several processes one serves: the one that is told to.
    serving = Serving(
        interface=(part is None and config.run.interface) if interface is None else interface,
        web=web or (config.web.listen if part in (None, Part.WEB) else ""),
        told=bool(web),
    )
    with (
        threads_logged(),
        call.accord(waits=False) as accord,
        closing(open_queue(config)) as queue,
        ExitStack() as stack,
    ):
        house = House(call, accord, config, queue)
        if part is Part.WEB:
            _serve(house, serving, stack)
        else:
            _open(house, serving, stack)
            _run(house, part)
    return exits.OK


class House(NamedTuple):
    """Be what all parts of the service work with."""

    call: Call
    accord: Accord
    config: Config
    queue: Queue


class Serving(NamedTuple):
    """Say what a process serves over HTTP: CRM.interface, and at `web` how it is.

    `told` is whether it was told so on the command line, and has to.
    """

    interface: bool
    web: str
    told: bool = False


def _run(house: House, part: Part | None) -> None:
    from accord.cli.jobs import told as job_told
    from accord.service import run as running
    from accord.service.jobs.clockwork import Clockwork
    from accord.service.tally import Tally

    call, tally = house.call, Tally()

    def tell(what: Visited | Watching) -> None:
        if isinstance(what, running.Watching):
            _watching(call, what)
        else:
            tally.take(what)
            for report in what.reports:
                _visited(call, what.cause, report)

    parts = tuple(running.Part) if part is None else (running.Part(part.value),)
    accord, config, queue = house.accord, house.config, house.queue
    jobs = Clockwork(accord, config, queue, lambda *what: job_told(call, *what))
    service = running.Run(accord, config.run, tell, queue, parts, jobs, tally.figures)
    with _stopping(service.stop):
        _announce(call, part)
        service.run()
    call.data({"running": False})
    call.say("Stopped.")


def _serve(house: House, serving: Serving, stack: ExitStack) -> None:
    """Serve over HTTP until a signal ends it."""
    from accord.service.connector import is_elsewhere
    from accord.service.presence import Presence

    call, ended = house.call, threading.Event()
    # Where the CRM is on another machine, so is CRM.interface.
    near = not is_elsewhere(house.config.crm)
    interface = near or not serving.web
    # Where it is all there is to serve, nothing is done without it.
    _open(house, Serving(interface, serving.web, serving.told or not interface), stack)
    presence = Presence(house.accord.state, [Part.WEB.value])
    presence.begin()
    with closing(presence), _stopping(ended.set):
        _announce(call, Part.WEB)
        while not ended.wait(0.2):
            pass
    call.data({"running": False})
    call.say("Stopped.")


def _open(house: House, serving: Serving, stack: ExitStack) -> None:
    """Answer meanwhile over HTTP. Raises ConfigError where the CRM isn't here."""
    from accord.cli.endpoint import announce, endpoint, health
    from accord.cli.listener import Taken
    from accord.service.bootstrap import require_near

    if serving.web:
        try:
            made = health(house.accord, house.queue, house.config, serving.web)
            found = stack.enter_context(made)
        except Taken as error:
            # Another installation's, perhaps: no reason to let mailboxes wait.
            if serving.told:
                raise
            found = None
            _untold(house.call, error)
        if found is not None:
            stack.enter_context(found.beside())
            announce(house.call, found, "How it is", "web")
    if serving.interface:
        require_near(house.config, "CRM.interface answers there")
        served = stack.enter_context(endpoint(house.accord, house.config))
        stack.enter_context(served.beside())
        announce(house.call, served)


def _untold(call: Call, error: Taken) -> None:
    call.data({"web": "", "why": str(error)})
    hint = (
        "name another port as listen in [web], and start this anew; until then it goes on without"
    )
    call.note(f"Nobody can ask how it is: {error}\n    {hint}", style="yellow", markup=False)


def _announce(call: Call, part: Part | None) -> None:
    call.data({"running": True} if part is None else {"running": True, "part": part.value})
    what = f"Running as {part.value}" if part is not None else "Running"
    call.say(f"{what}. Ctrl-C ends it.")


def _watching(call: Call, what: Watching) -> None:
    call.data(what)
    why = f", because {what.why}" if what.why else ""
    text = f"{what.target}: {what.principal} is watched by {what.way}{why}"
    call.say(text, style="yellow" if what.why else "dim", markup=False)


def _visited(call: Call, cause: str, report: Report) -> None:
    call.data({**report.as_json(), "cause": cause})
    if report.busy:
        return
    if report.error:
        advise(call, report)
    elif _telling(report):
        if report.replies is not None:
            # This is a log, and a mailbox's own texts have no place in it.
            report = replace(report, replies=replace(report.replies, fields=()))
        show_report(call, report)


def _telling(report: Report) -> bool:
    """Tell whether a person would want to read of a visit."""
    counts = (report.writes, report.paired, report.unpaired, report.held, report.conflicts)
    return any((*counts, report.clashes, report.failed, report.left))


@contextmanager
def _stopping(stop: Callable[[], None]) -> Iterator[None]:
    """Let the first signal stop, and the second one interrupt."""
    asked = False

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        stop()

    before = {each: signal.signal(each, handle) for each in _STOPPING}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
