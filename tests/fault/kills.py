"""The crash test: kill at every step of apply while both sides are edited, restart, compare."""

from __future__ import annotations

import signal
import tempfile
import threading
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from msgspec import Struct

from tests.elsewhere import Elsewhere, forkserver
from tests.fault import victim
from tests.fault.mailboxes import mailbox_on
from tests.fault.reckoning import compare, open_intents
from tests.fault.world import World

_ROUND = 10
_PATIENCE = 120


class Figures(Struct, kw_only=True):
    """Be what a crash test found; `points` counts the kills by where they hit.

    `survived` counts the visits that came to their end although CRM.interface was killed: what was
    under way there was asked of the next process again.
    """

    topology: str = "one"
    target: str = "dav"
    kills: int = 0
    survived: int = 0
    points: dict[str, int] = {}
    items: int = 0
    edits: int = 0
    duplicates: list[str] = []
    losses: list[str] = []
    orphans: int = 0
    restless: int = 0
    mails: int = 0
    errors: list[str] = []

    @property
    def clean(self) -> bool:
        """Tell whether nothing went wrong."""
        found = (self.duplicates, self.losses, self.errors)
        return not (any(found) or self.orphans or self.restless or self.mails)

    @property
    def missed(self) -> list[str]:
        """Return the steps of apply at which no kill has hit."""
        return [
            cell for cell in victim.cells(self.topology, self.target) if not self.points.get(cell)
        ]

    def coverage(self) -> str:
        """Return how often each point was hit, a line for each."""
        return "\n".join(f"{hits:5} {name}" for name, hits in sorted(self.points.items()))


def crash_test(
    kills: int,
    seed: int = 1,
    tell: Callable[[str], None] = print,
    database: str = "sqlite:///accord.db",
    topology: str = "one",
    target: str = "dav",
) -> Figures:
    """Kill a synchronization `kills` times and return what is left of both sides.

    In the topology `split` it is a connector, and CRM.interface is killed as often as it is.
    The target `dav` is Radicale, `exchange` the stand-in, which counts its mails.
    """
    figures = Figures(topology=topology, target=target)
    context = forkserver()
    with (
        tempfile.TemporaryDirectory(prefix="accord-fault-") as folder,
        mailbox_on(target) as mailbox,
    ):
        world = World(mailbox, Path(folder), seed, database, split=topology == "split")
        try:
            while figures.kills < kills and figures.clean:
                _round(world, context, figures, min(_ROUND, kills - figures.kills))
                tell(
                    f"{figures.kills} kills at {len(figures.points)} kinds of points, "
                    f"{len(figures.missed)} not hit yet, {figures.items} items, "
                    f"{len(figures.duplicates)} duplicates, {len(figures.losses)} losses, "
                    f"{figures.orphans} orphan intents, {figures.mails} mails"
                )
        finally:
            world.close()
    return figures


def _round(world: World, context: Any, figures: Figures, kills: int) -> None:
    """Kill so many times at ever other steps, then let it finish and compare both sides.

    Every other kill is meant for the step that was hit least; the others fall where they may.
    """
    done = tries = 0
    while done < kills and tries < 5 * kills:
        tries += 1
        world.edit(6)
        fatal: int | str = 1 + world.dice.randrange(60)
        there = world.machine is not None and world.dice.random() < 0.5
        if tries % 2:
            fatal = min(
                victim.cells(figures.topology, figures.target),
                key=lambda cell: figures.points.get(cell, world.dice.random()),
            )
            there = fatal.startswith(victim.INTERFACE)
        if there:
            outcome, died = _sync_with_fatal_interface(world, context, fatal, edits=2)
        else:
            outcome = _sync(world, context, fatal, edits=2)
            died = outcome if isinstance(outcome, str) else ""
        if died:
            done += 1
            figures.points[died] = figures.points.get(died, 0) + 1
        if isinstance(outcome, str):
            continue
        figures.survived += bool(there and died and not outcome[2])
        wrong = [text for action, text in outcome[2] if not died or action != "retry"]
        if wrong:
            figures.errors += wrong
            return
    figures.kills += done
    for _ in range(4):
        outcome = _sync(world, context, 0, edits=0)
        if isinstance(outcome, str):
            figures.errors.append("killed without being told to")
            return
        if outcome[2]:
            figures.errors += [text for _, text in outcome[2]]
            return
        if outcome[1] == 0:
            break
    else:
        figures.restless += 1
    _compare(world, figures)


Outcome = tuple[int, int, list[tuple[str, str]]] | str
"""Where the process was killed; else the points it passed, its writes, and errors by reaction."""


def _sync(world: World, context: Any, fatal: int | str, edits: int) -> Outcome:
    """Run the victim, editing both sides meanwhile."""
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=victim.run, args=(str(world.folder), fatal, theirs))
    process.start()
    theirs.close()
    world.edit(edits)
    process.join(_PATIENCE)
    if process.is_alive():
        process.kill()
        process.join()
        return 0, 0, [("", f"it did not end within {_PATIENCE} seconds")]
    try:
        answer: Outcome = ours.recv()
    except EOFError:
        return 0, 0, [("", f"it ended with {process.exitcode} and without a word")]
    finally:
        ours.close()
    if isinstance(answer, str) and process.exitcode != -signal.SIGKILL:
        return 0, 0, [("", f"it lived on after the kill {answer}")]
    return answer


def _sync_with_fatal_interface(
    world: World, context: Any, fatal: int | str, edits: int
) -> tuple[Outcome, str]:
    """Run a connector while CRM.interface dies; return what came of it, and where that died.

    Another process takes its place, by the dice at once or when the connector has given up.
    """
    machine = world.machine
    assert machine is not None
    ours, theirs = context.Pipe(duplex=False)
    machine.stop()
    machine.start(victim.expose, fatal, theirs)
    theirs.close()
    doomed = machine.process
    assert doomed is not None
    over = threading.Event()
    watch = threading.Thread(target=_replace, args=(machine, doomed, over))
    if at_once := world.dice.random() < 0.5:
        watch.start()
    outcome = _sync(world, context, 0, edits)
    died = ours.recv() if ours.poll() else ""
    ours.close()
    if at_once:
        over.set()
        watch.join()
    if not (at_once and died):
        machine.kill()
        machine.start()
    return outcome, died


def _replace(machine: Elsewhere, doomed: BaseProcess, over: threading.Event) -> None:
    """Start CRM.interface anew as soon as it has died, as a service manager does."""
    while not over.is_set():
        if wait([doomed.sentinel], 0.02):
            machine.kill()
            machine.start()
            return


def _compare(world: World, figures: Figures) -> None:
    figures.items, figures.edits = len(world.born), sum(map(len, world.places.values()))
    figures.orphans, figures.mails = open_intents(world.accord), world.mailbox.mails
    figures.duplicates, figures.losses = compare(world.accord, world)
