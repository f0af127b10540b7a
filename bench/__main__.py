"""`make bench`: Accord beside its peers, each part in one run (`--only PART` leaves the rest out).

dav: `accord sync`, a bare loop and vdirsyncer, against one Radicale; each is a process of its own,
and its figures are those of that process. syncml: one real device against `accord interface` and
SyncEvolution's own server; seconds are the device's, CPU and memory the server's. Before it the
connector against `accord interface`, beside the same calls on the CRM at hand.
exchange_latency: how soon `accord run` brings a change to the other side, beside no peer.
exchange: `accord sync` and a bare loop on exchangelib that makes the same calls, against one
stand-in Exchange, each a process of its own.

Prints seconds, CPU, peak memory and requests, then the ratios and which goals are reached.
"""

from __future__ import annotations

import argparse
import compileall
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import accord as product
from accord.sandbox.process import PeerMissing
from bench.rows import Rows

PARTS = ("dav", "syncml", "exchange", "exchange_latency")


def main() -> int:
    """Run the benchmark; the exit code tells whether all peers were there, nothing of figures."""
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--events", type=int, default=1_000)
    parser.add_argument("--many", type=int, default=10_000)
    parser.add_argument("--contacts", type=int, default=1_000)
    parser.add_argument("--mailboxes", type=int, default=200)
    parser.add_argument("--changes", type=int, default=500)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    _compile()
    rows, goals = Rows(), dict[str, float]()
    missing = False
    for part in given.only or PARTS:
        with tempfile.TemporaryDirectory(prefix="accord-bench-") as folder:
            try:
                goals |= _part(part, given)(Path(folder), rows)
            except PeerMissing as peer:
                print(f"  {part}: {peer}", file=sys.stderr)
                missing = True
    if given.json:
        print(json.dumps({"rows": rows.rows, "goals": goals}))
    else:
        rows.show("One run, each in processes of its own")
        for what, figure in goals.items():
            print(f"{what}: {figure:.2f}")
    return int(missing)


def _part(name: str, given: argparse.Namespace) -> Callable[[Path, Rows], dict[str, float]]:
    """Return what runs a part; each loads its peers' modules only when it is wanted."""
    if name == "dav":
        from bench import dav

        return lambda work, rows: dav.run(work, rows, events=given.events, many=given.many)
    if name == "exchange_latency":
        from bench import exchange_latency

        return lambda work, rows: exchange_latency.run(
            work, rows, mailboxes=given.mailboxes, changes=given.changes
        )
    if name == "exchange":
        from bench import exchange

        return lambda work, rows: exchange.run(work, rows, events=given.events)
    from bench import syncml

    return lambda work, rows: syncml.run(work, rows, contacts=given.contacts)


def _compile() -> None:
    """Write the bytecode that an installed package has, and the peers have."""
    compileall.compile_dir(str(Path(product.__file__).parent), quiet=1)


if __name__ == "__main__":
    sys.exit(main())
