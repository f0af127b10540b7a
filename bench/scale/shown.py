"""The figures of `make scale` as tables for people."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.table import Table


def show(figures: dict[str, Any]) -> None:
    """Print what was measured, a table for each part."""
    console = Console(width=None if sys.stdout.isatty() else 110, highlight=False)
    for name, part in figures["parts"].items():
        table = Table(title=_TITLES[name], title_justify="left", show_header=False)
        table.add_column("what")
        table.add_column("figure", justify="right")
        for what, figure in _ROWS[name](part):
            table.add_row(what, figure)
        console.print(table)


def _day(part: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [
        ("kept in agreement by", _SEVERAL if part["several"] else _ONE),
        ("mailboxes, links", f"{part['mailboxes']}, {part['links']}"),
        ("changes, in minutes", f"{part['changes']} in {part['seconds_of_edits'] / 60:.1f}"),
        ("minutes until all had arrived", f"{part['seconds_until_done'] / 60:.1f}"),
        ("lost, doubled, mails", f"{part['lost']}, {part['doubled']}, {part['mails']}"),
        ("p95 from the change to the other side, s", f"{part['p95_seconds']:.2f}"),
    ]
    for side, spread in part["hint_to_done"].items():
        one = f"{spread['p50']:.2f} / {spread['p95']:.2f} / {spread['max']:.2f}"
        rows.append((f"  made in the {_PLACES[side]}: p50 / p95 / longest, s", one))
    rows += [(f"cores used by {_WHO[who]}", f"{cores:.2f}") for who, cores in part["cores"].items()]
    rows += [
        ("CPU ms for each change", f"{part['cpu_ms_per_change']:.1f}"),
        ("peak memory, MiB", f"{part['peak_mib']:.0f}"),
        ("requests for each change", f"{part['requests_per_change']:.2f}"),
    ]
    rows += [
        (f"  {name}", f"{count / max(part['changes'], 1):.2f}")
        for name, count in sorted(part["requests"].items(), key=lambda each: -each[1])
    ]
    for kills in part["kills"]:
        rows.append((f"{kills['who']} killed, times", str(kills["times"])))
        if left := kills["times"] - len(kills["seconds"]):
            rows.append(("  others did all that was left to do, times", str(left)))
        if kills["seconds"]:
            one = f"{kills['p50']:.2f} / {kills['longest']:.2f}"
            rows.append(("  until it went on: p50 / longest, s", one))
    rows += [(f"visited no more: {link}", "") for link in part["buried"]]
    rows += [(f"ended by itself with {code}", str(n)) for code, n in part["ends"].items()]
    stored = part["stored_bytes_per_change"]
    rows.append(("stored bytes for each change, Accord's own", f"{stored['accord']:.0f}"))
    rows.append(("  the CRM's records", f"{stored['crm']:.0f}"))
    rows += [(f"visits that failed: {why}", str(count)) for why, count in part["faults"].items()]
    return [*rows, *((f"wrong: {line}", "") for line in part["wrong"])]


def _workers(part: dict[str, Any]) -> list[tuple[str, str]]:
    rows = []
    for row in part["rows"]:
        how = f"{row['share']:g} of a core each ({row['held_by']})" if row["share"] else "uncapped"
        used = sum(row["cores"].values())
        text = f"{row['per_second']:.1f} items/s, {used:.2f} cores"
        rows.append((f"{row['workers']} workers, {how}", text))
    rows += [(f"times the work of one: {which}", f"{n:.2f}") for which, n in part["times"].items()]
    wrong = [sum(row[name] for row in part["rows"]) for name in ("lost", "doubled", "mails")]
    return [*rows, ("lost, doubled, mails", ", ".join(map(str, wrong)))]


def _idle(part: dict[str, Any]) -> list[tuple[str, str]]:
    visit = part["cpu_ms_per_visit"]
    return [
        ("links, mailboxes", f"{part['links']}, {part['mailboxes']}"),
        ("% of a core, beyond that of polling (goal 5)", f"{part['core_percent']:.1f}"),
        ("  of watching", f"{part['core_percent_of_watching']:.1f}"),
        ("  of visits", f"{part['core_percent_of_visits']:.1f}"),
        ("  CPU ms for each visit", "" if visit is None else f"{visit:.1f}"),
        ("% of a core of a process with one mailbox", f"{part['core_percent_of_polling']:.1f}"),
        ("kB for each idle link (goal 20)", f"{part['kb_per_link']:.1f}"),
        ("  of watching", f"{part['kb_per_link_of_watching']:.1f}"),
    ]


_ONE, _SEVERAL = "one process, SQLite", "two workers, a listener, PostgreSQL"
_TITLES = {
    "day": "A working day in minutes",
    "workers": "Several processes on PostgreSQL",
    "idle": "Links on which nothing happens: one process, SQLite",
}
_ROWS = {"day": _day, "workers": _workers, "idle": _idle}
_PLACES = {"crm": "CRM", "groupware": "mailbox"}
_WHO = {"accord": "accord run", "exchange": "the stand-in", "people": "those who edit"}
