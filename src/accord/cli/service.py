"""`accord run`: synchronize whenever something changes on either side, until a signal ends it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from enum import StrEnum
from types import FrameType
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from accord.cli import exits
from accord.cli.call import Call, CallArgument
from accord.cli.errors import advise
from accord.cli.sync import show_report

if TYPE_CHECKING:
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
        Parameter(help="Do only this: visit folders, hear of changes, or serve CRM.interface."),
    ] = None,
    /,
    *,
    interface: Annotated[
        bool | None,
        Parameter(help="Serve CRM.interface, too; accord.toml says it otherwise."),
    ] = None,
    call: CallArgument,
) -> int:
    """Synchronize whenever something changes, until stopped.

    Mailboxes that can be watched are, the CRM is asked what changed there, and every folder is
    visited on an interval besides (`[run]` in accord.toml). Links, rules and targets may be
    changed meanwhile. SIGTERM and Ctrl-C let visits that are under way end; a second time ends
    them, too, and what was begun is settled by the next run. Prints what was done; with --json
    every visit, and how each mailbox is watched.

    With --interface, or `interface = true` in `[run]`, devices and connectors can sync with the CRM
    meanwhile, as `accord interface` lets them.

    What is to be visited stands in a queue that outlasts this process (`accord queue`). Several
    processes share the work: with `worker` one only visits folders and does what `accord jobs`
    lists, with `listener` it hears of changes for the others, and with `web` it serves
    CRM.interface.
    """
    config = call.config()
    serving = config.run.interface if interface is None else interface
    with call.accord() as accord:
        if part is Part.WEB:
            _serve(call, accord, config)
        else:
            # Of several processes one serves: the one that is told to.
            serves = serving if part is None else bool(interface)
            with _interface(call, accord, config) if serves else nullcontext():
                _run(call, accord, config, part)
    return exits.OK


def _run(call: Call, accord: Accord, config: Config, part: Part | None) -> None:
    from accord.cli.jobs import told as job_told
    from accord.service import run as running
    from accord.service.bootstrap import open_queue
    from accord.service.jobs.clockwork import Clockwork

    def tell(what: Visited | Watching) -> None:
        if isinstance(what, running.Watching):
            _watching(call, what)
        else:
            for report in what.reports:
                _visited(call, what.cause, report)

    parts = tuple(running.Part) if part is None else (running.Part(part.value),)
    with closing(open_queue(config)) as queue:
        jobs = Clockwork(accord, config, queue, lambda *what: job_told(call, *what))
        service = running.Run(accord, config.run, tell, queue, parts, jobs)
        with _stopping(service.stop):
            _announce(call, part)
            service.run()
    call.data({"running": False})
    call.say("Stopped.")


def _serve(call: Call, accord: Accord, config: Config) -> None:
    """Serve CRM.interface until a signal ends it."""
    ended = threading.Event()
    with _interface(call, accord, config), _stopping(ended.set):
        _announce(call, Part.WEB)
        while not ended.wait(0.2):
            pass
    call.data({"running": False})
    call.say("Stopped.")


def _announce(call: Call, part: Part | None) -> None:
    call.data({"running": True} if part is None else {"running": True, "part": part.value})
    what = f"Running as {part.value}" if part is not None else "Running"
    call.say(f"{what}. Ctrl-C ends it.")


@contextmanager
def _interface(call: Call, accord: Accord, config: Config) -> Iterator[None]:
    """Serve CRM.interface meanwhile. Raises ConfigError where the CRM isn't here."""
    from accord.cli.endpoint import announce, endpoint
    from accord.service.bootstrap import require_near

    require_near(config, "CRM.interface answers there")
    with endpoint(accord, config) as made, made.beside():
        announce(call, made)
        yield


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
