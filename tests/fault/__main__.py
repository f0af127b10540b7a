"""`python -m tests.fault --kills 500`: the long crash test; prints its figures."""

from __future__ import annotations

import argparse
import sys

from tests.fault.kills import crash_test


def main() -> int:
    """Run the crash test and return 1 if anything was doubled, lost or left open."""
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
    given = parser.parse_args()
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
