"""The crash test: kill at every step of apply while both sides are edited, restart, compare."""

from __future__ import annotations

import multiprocessing
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

from accord.sandbox.radicale import Radicale
from tests.fault import victim
from tests.fault.world import World, _line

_ROUND = 10
_PATIENCE = 120


class Figures(Struct, kw_only=True):
    """Be what a crash test found; `points` counts the kills by where they hit."""

    kills: int = 0
    points: dict[str, int] = {}
    items: int = 0
    edits: int = 0
    duplicates: list[str] = []
    losses: list[str] = []
    orphans: int = 0
    restless: int = 0
    errors: list[str] = []

    @property
    def clean(self) -> bool:
        """Tell whether nothing went wrong."""
        return not (self.duplicates or self.losses or self.orphans or self.restless or self.errors)

    @property
    def missed(self) -> list[str]:
        """Return the steps of apply at which no kill has hit."""
        return [cell for cell in victim.CELLS if not self.points.get(cell)]

    def coverage(self) -> str:
        """Return how often each point was hit, a line for each."""
        return "\n".join(f"{hits:5} {name}" for name, hits in sorted(self.points.items()))


def crash_test(
    kills: int,
    seed: int = 1,
    tell: Callable[[str], None] = print,
    database: str = "sqlite:///accord.db",
) -> Figures:
    """Kill a synchronization `kills` times and return what is left of both sides."""
    figures = Figures()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.fault.victim"])
    with (
        tempfile.TemporaryDirectory(prefix="accord-fault-") as folder,
        Radicale({"anna": "secret"}) as server,
    ):
        world = World(server, Path(folder), seed, database)
        try:
            while figures.kills < kills and figures.clean:
                _round(world, context, figures, min(_ROUND, kills - figures.kills))
                tell(
                    f"{figures.kills} kills at {len(figures.points)} kinds of points, "
                    f"{len(figures.missed)} not hit yet, {figures.items} items, "
                    f"{len(figures.duplicates)} duplicates, {len(figures.losses)} losses, "
                    f"{figures.orphans} orphan intents"
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
        if tries % 2:
            fatal = min(
                victim.CELLS, key=lambda cell: figures.points.get(cell, world.dice.random())
            )
        outcome = _sync(world, context, fatal, edits=2)
        if isinstance(outcome, str):
            done += 1
            figures.points[outcome] = figures.points.get(outcome, 0) + 1
        elif outcome[2]:
            figures.errors += outcome[2]
            return
    figures.kills += done
    for _ in range(4):
        outcome = _sync(world, context, 0, edits=0)
        if isinstance(outcome, str):
            figures.errors.append("killed without being told to")
            return
        if outcome[2]:
            figures.errors += outcome[2]
            return
        if outcome[1] == 0:
            break
    else:
        figures.restless += 1
    _compare(world, figures)


def _sync(
    world: World, context: Any, fatal: int | str, edits: int
) -> tuple[int, int, list[str]] | str:
    """Run the victim, editing both sides meanwhile; where it was killed, if it was."""
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=victim.run, args=(str(world.folder), fatal, theirs))
    process.start()
    theirs.close()
    world.edit(edits)
    process.join(_PATIENCE)
    if process.is_alive():
        process.kill()
        process.join()
        return 0, 0, [f"it did not end within {_PATIENCE} seconds"]
    try:
        answer: tuple[int, int, list[str]] | str = ours.recv()
    except EOFError:
        return 0, 0, [f"it ended with {process.exitcode} and without a word"]
    finally:
        ours.close()
    if isinstance(answer, str) and process.exitcode != -signal.SIGKILL:
        return 0, 0, [f"it lived on after the kill {answer}"]
    return answer


def _compare(world: World, figures: Figures) -> None:
    records, entries = world.both()
    figures.items, figures.edits = len(world.born), sum(map(len, world.places.values()))
    figures.orphans = world.open_intents()
    kept = world.kept()
    for name in sorted(world.born):
        here, there = records.get(name, []), entries.get(name, [])
        if len(here) > 1 or len(there) > 1:
            figures.duplicates.append(f"{name}: {len(here)} in the CRM, {len(there)} mailbox")
        elif bool(here) != bool(there):
            figures.losses.append(f"{name}: only on the {'CRM' if here else 'mailbox'} side")
        elif not here and name not in world.deleted:
            figures.losses.append(f"{name}: gone from both sides, and nobody deleted it")
        elif here:
            _compare_places(world, figures, name, here[0].location, there[0], kept)
    strangers = (records.keys() | entries.keys()) - world.born
    figures.duplicates += [f"{name}: nobody made it" for name in sorted(strangers)]


def _compare_places(
    world: World, figures: Figures, name: str, here: str, text: str, kept: str
) -> None:
    """Both sides show the same place; the last one written shows, or lost a clash and is kept."""
    there, written = _line(text, "LOCATION"), world.places.get(name, [""])
    if here != there:
        figures.losses.append(f"{name}: {here!r} in the CRM, {there!r} in the mailbox")
    elif here not in written:
        figures.losses.append(f"{name}: shows {here!r}, which nobody wrote last: {written}")
    elif here != written[-1] and written[-1] not in kept:
        figures.losses.append(f"{name}: {written[-1]!r} is nowhere, {here!r} shows")
