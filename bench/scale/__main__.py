"""`make scale`: one process through a working day, several on PostgreSQL, and many idle links.

`python -m bench.scale --only day --mailboxes 20 --changes 200 --minutes 0.5` is a small one; with
`--kills 5` Accord is killed so many times meanwhile, with `--several` the database is, too.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from accord.cli import exits
from accord.sandbox.process import PeerMissing

PARTS = ("day", "workers", "idle")


def main(words: list[str] | None = None) -> int:
    """Run the parts and print their figures; 1 where anything was lost, doubled or mailed.

    So it is where a process ended by itself, or folders were given up.
    """
    given = _given(words)
    figures: dict[str, Any] = {"machine": _machine(), "parts": {}}
    when = _when()
    missing = False
    for part in given.only or PARTS:
        with _folder(part, given.keep) as folder:
            try:
                figures["parts"][part] = _part(part, given)(folder) | when
            except PeerMissing as peer:
                print(f"{part}: {peer}", file=sys.stderr)
                missing = True
        if given.figures is not None:
            # After each part, for the next one takes long.
            whole = json.dumps(_beside(figures, given.figures), indent=1)
            given.figures.write_text(whole + "\n", encoding="utf-8")
    if given.json:
        print(json.dumps(figures, indent=1))
    else:
        from bench.scale.shown import show

        show(figures)
    return int(missing or not _clean(figures))


@contextmanager
def _folder(part: str, keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        (keep / part).mkdir(parents=True)
        yield keep / part
        return
    with tempfile.TemporaryDirectory(prefix="accord-scale-") as folder:
        yield Path(folder)


def _given(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.scale")
    parser.add_argument("--only", action="append", choices=PARTS)
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--figures",
        type=Path,
        metavar="FILE",
        help="write the JSON there, too, beside what this machine measured of other parts",
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave all files there")
    parser.add_argument(
        "--patience", type=float, default=600, help="seconds in which nothing comes"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=24, help="`workers` in [run]")
    day = parser.add_argument_group("day: one process, SQLite, three links for each mailbox")
    day.add_argument("--mailboxes", type=int, default=1_000)
    day.add_argument("--changes", type=int, default=50_000)
    day.add_argument("--minutes", type=float, default=10.0)
    day.add_argument("--items", type=int, default=1, help="in each folder, before the day")
    day.add_argument("--latency", type=float, nargs=2, default=(100, 300), metavar="MS")
    day.add_argument("--kills", type=int, default=0, help="at random moments of the day")
    day.add_argument(
        "--several",
        action="store_true",
        help="two workers and a listener on PostgreSQL, which is killed, too",
    )
    several = parser.add_argument_group("workers: several processes on PostgreSQL")
    several.add_argument("--worker-mailboxes", type=int, default=100)
    several.add_argument("--worker-items", type=int, default=10, help="in each folder")
    several.add_argument("--worker-latency", type=float, default=50, metavar="MS")
    several.add_argument("--counts", type=int, nargs="+", default=(1, 2, 4))
    several.add_argument("--share", type=float, default=0.25, help="of a core, for each worker")
    idle = parser.add_argument_group("idle: links on which nothing happens")
    idle.add_argument("--links", type=int, default=10_000)
    idle.add_argument("--interval", type=float, default=900, metavar="SECONDS")
    idle.add_argument(
        "--idle-minutes",
        type=float,
        default=15.0,
        help="that each is measured; visits for a whole interval at least",
    )
    given = parser.parse_args(words)
    if given.figures is not None and (given.kills or given.several):
        # Those that stand there are compared with each other, and the capacity is reckoned by them.
        parser.error("--figures keeps those of a day in one process without kills; use --json")
    return given


def _part(name: str, given: argparse.Namespace) -> Callable[[Path], dict[str, Any]]:
    """Return what runs a part."""
    began = time.monotonic()

    def tell(text: str) -> None:
        print(f"{name} {time.monotonic() - began:7.1f} s  {text}", file=sys.stderr, flush=True)

    if name == "day":
        from bench.scale import day

        played = day.Day(
            mailboxes=given.mailboxes,
            changes=given.changes,
            minutes=given.minutes,
            latency=(given.latency[0] / 1000, given.latency[1] / 1000),
            workers=given.workers,
            items=given.items,
            seed=given.seed,
            patience=given.patience,
            several=given.several,
            kills=given.kills,
        )
        return lambda folder: day.run(folder, played, tell)
    if name == "workers":
        from bench.scale import workers

        load = workers.Load(
            mailboxes=given.worker_mailboxes,
            items=given.worker_items,
            counts=tuple(given.counts),
            share=given.share,
            latency=given.worker_latency / 1000,
            workers=given.workers,
            patience=given.patience,
        )
        return lambda folder: workers.run(folder, load, tell)
    from bench.scale import idle

    still = idle.Idle(
        links=given.links,
        interval=given.interval,
        seconds=given.idle_minutes * 60,
        workers=given.workers,
    )
    return lambda folder: idle.run(folder, still, tell)


def _beside(figures: dict[str, Any], file: Path) -> dict[str, Any]:
    """Return figures with those that a file holds of other parts: one may be run alone, for hours.

    Only those of the same kind of machine count.
    """
    before = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
    if before is None or before["machine"] != figures["machine"]:
        return figures
    return figures | {"parts": before["parts"] | figures["parts"]}


def _clean(figures: dict[str, Any]) -> bool:
    parts = figures["parts"]
    rows = [*parts.get("workers", {}).get("rows", ()), *([parts["day"]] if "day" in parts else ())]
    if any(row.get("buried") or any(map(_faulty, row.get("ends", ()))) for row in rows):
        return False
    return not any(row["lost"] or row["doubled"] or row["mails"] for row in rows)


def _faulty(code: int) -> bool:
    """Tell whether a process ended as none should; without its database it may."""
    return code < 0 or code == exits.BUG


def _machine() -> dict[str, Any]:
    return {
        "processors": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "system": platform.system(),
    }


def _when() -> dict[str, Any]:
    """Return when something is measured, and how busy the machine is with other things."""
    return {
        "load": round(os.getloadavg()[0], 2),
        "day": time.strftime("%Y-%m-%d", time.gmtime()),
    }


if __name__ == "__main__":
    sys.exit(main())
