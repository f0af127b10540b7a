"""`python -m tests.fault`: the long crash test, or with `--service` the storm; prints figures.

`--kills 500` kills single visits at every step. With `--service` each kind of fault befalls the
running service `--times` times, while both sides are edited.
"""

from __future__ import annotations

import argparse
import sys

import msgspec

from tests.fault.kills import crash_test
from tests.fault.storm.houses import HOUSES
from tests.fault.storm.kinds import KINDS
from tests.fault.storm.storm import storm, table


def main() -> int:
    """Run the test and return 1 if anything was doubled, lost, left open or didn't recover."""
    parser = argparse.ArgumentParser(prog="tests.fault")
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", default="sqlite:///accord.db", help="where state lives")
    parser.add_argument(
        "--topology",
        choices=("one", "split"),
        default="one",
        help="split: connector and CRM.interface are two processes, and either is killed",
    )
    parser.add_argument(
        "--target",
        choices=("dav", "exchange"),
        default="dav",
        help="dav: Radicale; exchange: the stand-in, whose counter of mails must stay at zero",
    )
    parser.add_argument("--service", action="store_true", help="the storm over the service")
    parser.add_argument("--times", type=int, default=5, help="of each kind of fault and house")
    parser.add_argument("--house", choices=HOUSES, action="append", help="only this one")
    names = [kind.name for kind in KINDS]
    parser.add_argument("--kind", choices=names, action="append", help="only this kind of fault")
    parser.add_argument("--json", action="store_true", help="print the storm's figures as JSON")
    given = parser.parse_args()
    return _storm(given) if given.service else _kills(given)


def _storm(given: argparse.Namespace) -> int:
    figures = storm(given.times, given.seed, given.house or HOUSES, given.kind or ())
    if given.json:
        told = msgspec.to_builtins(figures) | {"clean": figures.clean}
        print(msgspec.json.encode(told).decode())
        return 0 if figures.clean else 1
    print(table(figures))
    print(f"{figures.items} items, {figures.edits} edits, seed {figures.seed}")
    for problem in figures.problems:
        print(problem)
    return 0 if figures.clean else 1


def _kills(given: argparse.Namespace) -> int:
    figures = crash_test(
        given.kills,
        given.seed,
        database=given.database,
        topology=given.topology,
        target=given.target,
    )
    print(figures.coverage())
    for problem in (*figures.duplicates, *figures.losses, *figures.errors):
        print(problem)
    print(
        f"{figures.kills} kills, {figures.items} items, {figures.edits} edits: "
        f"{len(figures.duplicates)} duplicates, {len(figures.losses)} losses, "
        f"{figures.orphans} orphan intents, {figures.restless} passes that never rested, "
        f"{figures.mails} mails"
    )
    if given.topology == "split":
        print(f"{figures.survived} visits came to their end although CRM.interface was killed")
    if figures.missed:
        print(f"no kill hit: {', '.join(figures.missed)}")
    return 0 if figures.clean and not figures.missed and figures.kills >= given.kills else 1


if __name__ == "__main__":
    sys.exit(main())
