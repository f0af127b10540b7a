"""The page of what a machine holds, and the README's part of it, from figures of `make scale`.

`make scale ARGS="--figures bench/scale/figures.json"` measures, `make docs` writes the page.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from msgspec import Struct

from accord.service.bootstrap import connections
from accord.service.jobs.catalogue import JOBS
from accord.service.jobs.standing import options_of
from accord.service.running import RunSettings
from accord.state.jobs import JobRow

FIGURES = Path(__file__).with_name("figures.json")
README = Path(__file__).parents[2] / "README.md"
SIZES = (1_000, 10_000, 100_000, 1_000_000)

_LINKS = 3
_CHANGES = 50
_HOURS = 8
_PEAK = 3.0
_INTERVAL = 300.0
_FULL = 0.7
"""How much of its core a worker is to use at most, on average over an hour."""

_BUSY = 1.0
_WHOLE = {
    "day": ("the day", "mailboxes", 1_000),
    "workers": ("the worker processes", "mailboxes", 100),
    "idle": ("the idle links", "links", 10_000),
}
"""How much makes a part's run a whole one."""

_FROM, _TO = "<!-- Measured by `make scale`, written by `make docs`. -->", "<!-- So far. -->"
_PER_STREAM = 200
_RETENTION = JOBS["retention"]
_KEPT = int(options_of(_RETENTION, JobRow(name="retention", enabled=True))["days"])
_DEFAULT, _RESERVED = 100, 3
"""PostgreSQL's own `max_connections`, and how many of them it keeps for its administrator."""


class Costs(Struct, frozen=True, kw_only=True):
    """Be what one thing costs, as measured."""

    change: float
    visit: float
    link: float
    base: float
    requests: float
    stored: float
    crm: float
    seconds: float
    workers: int


class Need(Struct, frozen=True, kw_only=True):
    """Be what so many mailboxes need."""

    changes: float
    visits: float
    cores: float
    workers: int
    memory: float
    requests: float
    streams: int
    connections: int
    stored: float
    records: float


def costs(figures: dict[str, Any]) -> Costs:
    """Take out of a run what one change, one idle visit and one idle link cost."""
    day, idle = figures["parts"]["day"], figures["parts"]["idle"]
    return Costs(
        change=day["cpu_ms_per_change"] / 1000,
        visit=(idle["cpu_ms_per_visit"] or 0.0) / 1000,
        link=max(idle["kb_per_link"], 0.0) * 1000,
        base=idle["rows"]["one"]["resident"],
        requests=day["requests_per_change"],
        stored=day["stored_bytes_per_change"]["accord"],
        crm=day["stored_bytes_per_change"]["crm"],
        seconds=day["p95_seconds"],
        workers=day["workers"],
    )


def need(mailboxes: int, cost: Costs) -> Need:
    """Return what so many mailboxes need in the busiest hour of a working day."""
    changes = mailboxes * _CHANGES / (_HOURS * 3600) * _PEAK
    visits = mailboxes * _LINKS / _INTERVAL
    cores = changes * cost.change + visits * cost.visit
    workers = max(_up(cores / _FULL), 1)
    return Need(
        changes=changes,
        visits=visits,
        cores=cores,
        workers=workers,
        memory=workers * cost.base + mailboxes * _LINKS * cost.link,
        requests=changes * cost.requests + visits,
        streams=_up(mailboxes / _PER_STREAM),
        connections=workers * connections(cost.workers),
        stored=mailboxes * _CHANGES * cost.stored * _KEPT,
        records=mailboxes * _CHANGES * cost.crm * _KEPT,
    )


def most(limit: Callable[[Need], bool], cost: Costs) -> int:
    """Return for how many mailboxes a limit still holds."""
    least, beyond = 0, 100_000_000
    while beyond - least > 1:
        middle = (least + beyond) // 2
        if limit(need(middle, cost)):
            least = middle
        else:
            beyond = middle
    return least


def render(file: Path = FIGURES) -> str:
    """Return the page for the figures of a run."""
    figures = json.loads(file.read_text(encoding="utf-8"))
    cost = costs(figures)
    return "\n".join([*_head(figures), *_measured(figures), *_reckoned(cost)]) + "\n"


def readme(file: Path = FIGURES) -> str:
    """Return the README with the figures of a run in their place."""
    figures = json.loads(file.read_text(encoding="utf-8"))
    before, rest = README.read_text(encoding="utf-8").split(_FROM)
    _, after = rest.split(_TO)
    parts = figures["parts"]
    lines = [_FROM, "", *_warned(figures), *_day_table(parts["day"])]
    lines += [*_several_table(parts["workers"]), *_idle_table(parts["idle"]), _TO]
    return before + "\n".join(lines) + after


def _head(figures: dict[str, Any]) -> list[str]:
    machine = figures["machine"]
    days = sorted({part["day"] for part in figures["parts"].values()})
    text = f"""
        What one machine holds, and what more mailboxes take. `make scale` measures it, and this
        page is written from its figures: those of {" and ".join(days)}, on a machine with
        {machine["processors"]} processors and Python {machine["python"]}, on which the mail server
        and those who edit ran, too. `make scale ARGS="--figures bench/scale/figures.json"` measures
        your own machine, and `make docs` writes the page anew."""
    lines = ["# Capacity", "", *_wrapped(text), ""]
    return lines + _warned(figures)


def _warned(figures: dict[str, Any]) -> list[str]:
    """Return for which parts the figures tell the order of magnitude, and no more."""
    parts = figures["parts"]
    rough = [
        what
        for part, (what, size, whole) in _WHOLE.items()
        if parts[part]["load"] > _BUSY or parts[part][size] < whole
    ]
    text = f"""
        **The figures of {" and ".join(rough)} come of a small run, or of a machine that was busy
        with other things: they tell the order of magnitude, and no more.**"""
    return [*_wrapped(text), ""] if rough else []


def _measured(figures: dict[str, Any]) -> list[str]:
    parts = figures["parts"]
    return [
        "## Measured",
        "",
        *_day(parts["day"]),
        *_several(parts["workers"]),
        *_idle(parts["idle"]),
    ]


def _day(day: dict[str, Any]) -> list[str]:
    least, highest = day["latency_ms"]
    text = f"""
        One process with SQLite, through a working day in minutes. The stand-in Exchange answered in
        {least:.0f} to {highest:.0f} ms and throttled as Exchange does by default; `[run]` said
        `workers = {day["workers"]}`."""
    return [*_wrapped(text), "", *_day_table(day)]


def _day_table(day: dict[str, Any]) -> list[str]:
    rows = [
        ("mailboxes, with three links each", f"{day['mailboxes']:,}"),
        ("changes, half of them on either side", f"{day['changes']:,}"),
        ("minutes in which they were made", f"{day['seconds_of_edits'] / 60:.1f}"),
        ("minutes until all had arrived", f"{day['seconds_until_done'] / 60:.1f}"),
        ("lost, doubled, mails sent", f"{day['lost']}, {day['doubled']}, {day['mails']}"),
        ("95 of 100 changes are on the other side after", f"{day['p95_seconds']:.1f} s"),
        ("CPU for each change", f"{day['cpu_ms_per_change']:.0f} ms"),
        ("cores used by `accord run`", f"{day['cores']['accord']:.2f}"),
        ("peak memory", f"{day['peak_mib']:.0f} MiB"),
        ("requests to the mail server for each change", f"{day['requests_per_change']:.1f}"),
        (
            "stored for each change, journal included",
            f"{day['stored_bytes_per_change']['accord'] / 1000:.1f} kB",
        ),
    ]
    return [*_table("a working day in minutes: one process, SQLite", rows), ""]


def _several(several: dict[str, Any]) -> list[str]:
    text = """
        Several processes (`accord run worker`) with PostgreSQL, each held to a part of a core; then
        as fast as this machine lets them go, with all that they work with on the same processors.
        What a process does beside its items (looking after links and jobs, the queue's polling and
        upkeep) goes on for as long as the work takes, and leaves the least of a quarter of a core
        to the one that is alone: an item costs it most, so that several do more than so many times
        as much. That says how weak one is when held, not that several are more than their sum.
        Free, one fills this machine already, together with the mail server, PostgreSQL and those
        who edit: more workers gain nothing here, and need processors of their own.
        """
    if several["fsync"] == "off":
        text += """
            PostgreSQL ran with `fsync = off`, as nobody should let it: it waited for no disk. With
            `fsync = on` fewer items a second are to be expected; how many, the disk decides."""
    return [*_wrapped(text), "", *_several_table(several)]


def _several_table(several: dict[str, Any]) -> list[str]:
    rows = []
    for row in several["rows"]:
        how = f"{row['share']:g} of a core each" if row["share"] else "free"
        times = several["times"].get(f"{row['workers']} {'held' if row['share'] else 'free'}")
        more = "" if times is None else f", {times:.2f} times that of one"
        each = 1000 * sum(row["cores"].values()) / row["per_second"]
        rows.append(
            (
                f"{row['workers']}, {how}",
                f"{row['per_second']:.1f} items/s{more}; CPU for an item {each:.1f} ms",
            )
        )
    how = " with `fsync = off`" if several["fsync"] == "off" else ""
    return [*_table(f"worker processes, PostgreSQL{how}", rows), ""]


def _idle(idle: dict[str, Any]) -> list[str]:
    text = f"""
        Links on which nothing happens, {idle["links"]:,} of them in one process, each visited every
        {idle["interval"]:g} seconds."""
    return [*_wrapped(text), "", *_idle_table(idle)]


def _idle_table(idle: dict[str, Any]) -> list[str]:
    visit = idle["cpu_ms_per_visit"]
    rows = [
        ("of a core, beyond the queue's own polling", f"{idle['core_percent']:.1f} %"),
        ("… by watching their mailboxes", f"{idle['core_percent_of_watching']:.1f} %"),
        ("… by visiting them", f"{idle['core_percent_of_visits']:.1f} %"),
        ("CPU for each visit that finds nothing", "" if visit is None else f"{visit:.1f} ms"),
        ("of a core for a process with three links", f"{idle['core_percent_of_polling']:.1f} %"),
        ("memory for each link", f"{idle['kb_per_link']:.1f} kB"),
    ]
    what = f"{idle['links']:,} idle links, each visited every {idle['interval']:g} s"
    return [*_table(what, rows), ""]


def _reckoned(cost: Costs) -> list[str]:
    text = f"""
        Beyond what was measured this is arithmetic, and nobody has run it. Each mailbox has
        {_LINKS} links and {_CHANGES} changes in a day of {_HOURS} hours, of which the busiest has
        {_PEAK:g} times the usual; links are visited every {_INTERVAL:.0f} s, as shipped; a worker
        may use {_FULL:.0%} of a core; a stream holds {_PER_STREAM} mailboxes and is opened in the
        name of one of them, so that it counts against no account's limit; the journal is kept for
        {_KEPT} days, as shipped, on each of which there are so many changes. What a change takes in
        the database was measured on SQLite; PostgreSQL's own overhead comes on top. What grows
        otherwise than in proportion, such as a database that no longer fits into memory, is not in
        it."""
    usual = RunSettings().workers
    pools = f"""
        A worker process has up to {connections(cost.workers)} connections to PostgreSQL with
        `workers = {cost.workers}`, by which the CPU of a change was measured, and up to
        {connections(usual)} with `workers = {usual}`, as shipped; listeners and web processes have
        fewer, and come on top. Left as it comes, PostgreSQL takes {_DEFAULT} (`max_connections`),
        {_RESERVED} of them for its administrator alone:
        [what to set](deploy.md#connections-to-postgresql)."""
    vendors = f"""
        Exchange counts its budgets for each mailbox (27 requests at once), and so does Microsoft
        Graph (10,000 in ten minutes, 4 at once). An ordinary day of one mailbox takes
        {_CHANGES * cost.requests:,.0f} requests for its changes and at least
        {_LINKS * 86_400 / _INTERVAL:,.0f} for visits, so that more mailboxes break none of them. A
        first load of thousands of items may, and is then slowed down by the server, in that mailbox
        alone."""
    needs = [need(size, cost) for size in SIZES]
    rows: list[tuple[str, ...]] = [
        ("changes a second in the busiest hour", *(f"{n.changes:,.1f}" for n in needs)),
        ("visits a second on the interval", *(f"{n.visits:,.0f}" for n in needs)),
        ("cores", *(f"{n.cores:,.1f}" for n in needs)),
        ("worker processes", *(f"{n.workers:,}" for n in needs)),
        ("memory of all processes, GB", *(f"{n.memory / 1e9:,.1f}" for n in needs)),
        ("connections to PostgreSQL, at most", *(f"{n.connections:,}" for n in needs)),
        ("streams to Exchange", *(f"{n.streams:,}" for n in needs)),
        ("requests a second to the mail servers", *(f"{n.requests:,.0f}" for n in needs)),
        (f"database after {_KEPT} days, GB", *(f"{n.stored / 1e9:,.0f}" for n in needs)),
        (
            "… with the built-in CRM in it, GB",
            *(f"{(n.stored + n.records) / 1e9:,.0f}" for n in needs),
        ),
    ]
    limits = (
        (most(lambda n: n.cores <= _FULL, cost), "one process is at its core: run workers"),
        (most(lambda n: n.cores <= 2 * _FULL, cost), "two cores are full: add a machine"),
        (
            most(lambda n: n.connections <= _DEFAULT - _RESERVED, cost),
            f"PostgreSQL's {_DEFAULT} connections may be used up: raise `max_connections`",
        ),
        (most(lambda n: n.memory <= 4e9, cost), "4 GB of memory, the units' limit, are used"),
    )
    return [
        "## Reckoned",
        "",
        *_wrapped(text),
        "",
        *_table("mailboxes", rows, *(f"{size:,}" for size in SIZES)),
        "",
        "What is reached first, in mailboxes:",
        "",
        *(f"- {_rounded(count)}: {what}." for count, what in sorted(limits)),
        "",
        *_wrapped(pools),
        "",
        *_wrapped(vendors),
    ]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(" ".join(text.split()), 105, break_on_hyphens=False)


def _table(what: str, rows: Iterable[tuple[str, ...]], *heads: str) -> list[str]:
    rows = list(rows)
    columns = heads or ("",) * (len(rows[0]) - 1)
    return [
        f"| {what} | " + " | ".join(columns) + " |",
        "|---|" + "--:|" * len(columns),
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def _rounded(count: int) -> str:
    """Return a number without digits that mean nothing."""
    return f"{float(f'{count:.2g}'):,.0f}"


def _up(number: float) -> int:
    return -int(-number // 1)
