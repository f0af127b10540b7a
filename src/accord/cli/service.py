"""`accord run`: synchronize whenever something changes on either side, until a signal ends it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
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


def run(
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
    """
    from accord.queue.memory import MemoryQueue
    from accord.service.run import Run, Watching

    config = call.config()
    with call.accord() as accord:

        def tell(what: Visited | Watching) -> None:
            if isinstance(what, Watching):
                _watching(call, what)
            else:
                for report in what.reports:
                    _visited(call, what.cause, report)

        service = Run(accord, config.run, tell, MemoryQueue())
        serving = config.run.interface if interface is None else interface
        with (
            _interface(call, accord, config) if serving else nullcontext(),
            _stopping(service.stop),
        ):
            call.data({"running": True})
            call.say("Running. Ctrl-C ends it.")
            service.run()
        call.data({"running": False})
        call.say("Stopped.")
    return exits.OK


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
