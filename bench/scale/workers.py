"""Several processes on PostgreSQL: how much more two and four of them do than one.

The same work each time: everybody's first load. A listener asks for it, and only the workers are
held to a part of a core. Counted is what arrives between the first tenth and the last, so that
neither the start of the processes nor the last stragglers count. Nobody hears of what was written:
those who are slower would look again at more of it meanwhile.
"""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec import Struct

from accord.model.kinds import Side
from accord.sandbox.postgres import Postgres, fresh_database
from accord.sandbox.process import until
from bench.scale.day import Following, Tell
from bench.scale.desk import Desk, in_crm, in_mailboxes
from bench.scale.ledger import Ledger, compare
from bench.scale.office import KINDS, NEVER, PATIENCE, Office
from bench.scale.usage import Watch, held_to

_DAY = datetime(2030, 1, 7, 9)
_FROM, _TO = 0.1, 0.9


class Load(Struct, frozen=True, kw_only=True):
    """Say how much there is to do; `share` is the part of a core each worker is held to."""

    mailboxes: int
    items: int
    counts: tuple[int, ...]
    share: float
    latency: float
    workers: int
    patience: float


def run(folder: Path, load: Load, tell: Tell) -> dict[str, Any]:
    """Do the work with each number of processes, held and not; return the figures."""
    rows: list[dict[str, Any]] = []
    with Postgres() as server:
        for share in (load.share, 0.0):
            for count in load.counts:
                place = folder / f"{count}-{'held' if share else 'free'}"
                place.mkdir()
                with fresh_database(server.url) as url:
                    rows.append(_measure(place, url, load, count, share, tell))
    return {"rows": rows, "times": _times(rows), "fsync": "off", "mailboxes": load.mailboxes}


def _measure(
    folder: Path, url: str, load: Load, count: int, share: float, tell: Tell
) -> dict[str, Any]:
    how = f"each held to {share:g} of a core" if share else "as fast as they go"
    tell(f"{count} of `accord run worker`, {how}")
    office = Office(
        folder,
        load.mailboxes,
        latency=(load.latency, load.latency),
        settings={"workers": load.workers, "interval": NEVER, "poll": NEVER},
        database=url,
        streamed=False,
    )
    ledger = Ledger()
    with office, ExitStack() as stack:
        _fill(office, ledger, load.items)
        total = ledger.open
        services = [
            stack.enter_context(office.service("worker", name=f"worker-{number}"))
            for number in range(count)
        ]
        for each in services:
            until(lambda each=each: each.listen() or each.running, PATIENCE)  # type: ignore[misc]
        ways = set[str]()
        if share:
            ways = {stack.enter_context(held_to(share, each.pid)) for each in services}
        listener = stack.enter_context(office.service("listener", name="listener"))
        watch = Watch(**{f"worker{n}": each.usage for n, each in enumerate(services)})
        with Following(office, ledger, load.patience, listener, *services) as following:
            following.wait(lambda: ledger.open <= total * (1 - _FROM), tell, "first tenth")
            done = total - ledger.open
            watch.restart()
            following.wait(lambda: ledger.open <= total * (1 - _TO), tell, "until nine tenths")
            done, seconds, cores = total - ledger.open - done, watch.seconds, watch.cores()
            following.wait(lambda: not ledger.open, tell, "the rest")
        for each in (listener, *services):
            each.end()
        shown = {
            Side.CRM: in_crm(office.crm),
            Side.GROUPWARE: in_mailboxes(office.exchange.url, office.users),
        }
        verdict = compare(ledger, shown)
        return {
            "workers": count,
            "share": share,
            "held_by": ", ".join(sorted(ways)),
            "items": total,
            "per_second": done / seconds,
            "cores": cores,
            "lost": len(verdict.lost),
            "doubled": len(verdict.doubled),
            "mails": office.exchange.mail_count,
        }


def _fill(office: Office, ledger: Ledger, items: int) -> None:
    desk = Desk(office.crm)
    for user in office.users:
        for kind in KINDS:
            fresh = [ledger.fresh(user, kind) for _ in range(items)]
            things = [(each.name, ledger.begin(each, Side.CRM)) for each in fresh]
            for item, ref in zip(fresh, desk.create(user, kind, things, _DAY), strict=True):
                ledger.end(item, Side.CRM, ref)


def _times(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return how many times the work of one process several do."""
    found: dict[str, float] = {}
    for held in (True, False):
        some = [row for row in rows if bool(row["share"]) is held]
        alone = next((row["per_second"] for row in some if row["workers"] == 1), 0.0)
        for row in some:
            if alone and row["workers"] > 1:
                found[f"{row['workers']} {'held' if held else 'free'}"] = row["per_second"] / alone
    return found
