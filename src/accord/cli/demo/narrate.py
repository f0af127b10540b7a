"""How the demo speaks: rich on a terminal, plain when piped, one JSON object for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from accord.engine.plan import Conflict, Create, Delete, Hold, Pair, Step, Unpair, Update
from accord.model.item import Item
from accord.model.names import name_of
from accord.service.report import Report

_WIDTH = 120
"""The width of what is piped: wide enough for the tables."""


class Narrator:
    """Tell the story; everything told is also kept for `--json`."""

    def __init__(self, *, machine: bool) -> None:
        """Speak to people, or (`machine`) keep silent until `finish`."""
        self._machine = machine
        width = None if sys.stdout.isatty() else _WIDTH
        self._console = Console(quiet=machine, highlight=False, width=width)
        self.told: list[dict[str, Any]] = []

    def scene(self, title: str, text: str = "") -> None:
        """Open a scene."""
        self.told.append({"scene": title})
        self._console.print()
        self._console.rule(f"[bold]{title}", align="left")
        if text:
            self._console.print(text)

    def say(self, text: str) -> None:
        """Tell one thing."""
        self.told[-1].setdefault("said", []).append(text)
        self._console.print(f"  · {text}")

    def steps(self, steps: Sequence[Step], most: int = 8) -> None:
        """Show steps of a plan, field by field."""
        shown = [line for step in steps for line in _lines(step)]
        self.told[-1].setdefault("plan", []).extend(shown)
        for line in shown[:most]:
            self._console.print(f"    {line}", markup=False)
        if len(shown) > most:
            self._console.print(f"    … and {len(shown) - most} more lines")

    def table(self, title: str, reports: Sequence[Report]) -> None:
        """Show what visits did, a row a link."""
        self.told[-1]["reports"] = [report.as_json() for report in reports]
        table = Table(title=title, title_justify="left")
        for name in ("link", "created", "updated", "deleted", "skipped"):
            table.add_column(name, justify="left" if name == "link" else "right")
        for name in ("held", "conflicts", "clashes", "failed", "requests", "seconds"):
            table.add_column(name, justify="right")
        for report in reports:
            table.add_row(*_row(report))
        self._console.print(table)

    def waiting(self, what: str) -> Progress:
        """Return a progress display for long work."""
        progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=self._machine or not sys.stdout.isatty(),
        )
        progress.add_task(what, total=None)
        return progress

    def finish(self, *, ok: bool, error: str = "") -> None:
        """End the story."""
        if self._machine:
            print(json.dumps({"ok": ok, "error": error, "scenes": self.told}, default=str))
        elif ok:
            self._console.print("\n[bold green]Everything turned out as told.")
        else:
            self._console.print(f"\n[bold red]It did not turn out as told:[/] {error}")


def _row(report: Report) -> list[str]:
    names = ("created", "updated", "deleted", "skipped")
    counted = [f"{getattr(report.crm, n)} / {getattr(report.groupware, n)}" for n in names]
    rest = (report.held, report.conflicts, report.clashes, report.failed, report.requests)
    return [report.name, *counted, *(str(number) for number in rest), f"{report.seconds:.1f}"]


def _lines(step: Step) -> list[str]:
    match step:
        case Create(side=side, item=item, why=why):
            return [f"create in the {side.place}: {_title(item)} ({why})"]
        case Update(side=side, after=after, changes=changes, why=why):
            fields = (f"    {c.field}: {c.before!s:.40} → {c.after!s:.40}" for c in changes)
            return [f"change in the {side.place}: {_title(after)} ({why})", *fields]
        case Delete(side=side, before=before, why=why):
            return [f"delete in the {side.place}: {_title(before.item)} ({why})"]
        case Hold(held=held, cause=cause):
            return [f"held: {line}" for line in _lines(held)] + [f"    because of {cause}"]
        case Conflict(why=why):
            return [f"{step.name}: {why}"]
        case Unpair(why=why) | Pair(why=why):
            return [why]
        case _:
            return []


def _title(item: Item) -> str:
    return repr(name_of(item))
