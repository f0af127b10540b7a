"""A working day in minutes: people edit both sides while Accord keeps them in agreement.

`run` sets up, lets the first load pass, plays the day, waits until all has arrived, and compares
both sides with what people did. One process with SQLite does the work, or several with PostgreSQL;
they may be killed meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from queue import Queue
from random import Random
from statistics import quantiles
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from accord.model.kinds import Kind, Side
from accord.ports.queue import Stage
from accord.sandbox.postgres import Postgres, fresh_database
from accord.service.init import DATABASE
from bench.scale import stored
from bench.scale.desk import Arrivals, Desk, in_crm, in_mailboxes
from bench.scale.hands import Hands
from bench.scale.kills import Kills, told
from bench.scale.ledger import Item, Ledger, compare
from bench.scale.office import KINDS, Office, Service, address
from bench.scale.stand_in import Asked
from bench.scale.usage import Process, Together, Watch

_FIRST = datetime(2030, 1, 7, 9)
_ALONE: dict[str, tuple[str, ...]] = {"service": ()}
_SEVERAL: dict[str, tuple[str, ...]] = {
    "worker-1": ("worker",),
    "worker-2": ("worker",),
    "listener": ("listener",),
}
_PEOPLE = 16
_LOOK = 0.25

Tell = Callable[[str], None]
T = TypeVar("T")


class Day(Struct, frozen=True, kw_only=True):
    """Say how much of it there is; `latency` in seconds, the least and the most.

    With `several` two workers and a listener share a PostgreSQL. So many `kills` come during it.
    """

    mailboxes: int
    changes: int
    minutes: float
    latency: tuple[float, float]
    workers: int
    items: int
    seed: int
    patience: float
    several: bool = False
    kills: int = 0


def run(folder: Path, day: Day, tell: Tell) -> dict[str, Any]:
    """Play it and return its figures."""
    settings = {"workers": day.workers}
    tell(f"setting up {day.mailboxes} mailboxes with {len(KINDS)} links each")
    with ExitStack() as stack:
        server = stack.enter_context(Postgres(lasting=True)) if day.several else None
        database = stack.enter_context(fresh_database(server.url)) if server else DATABASE
        office = stack.enter_context(
            Office(folder, day.mailboxes, latency=day.latency, settings=settings, database=database)
        )
        ledger = Ledger()
        people = stack.enter_context(closing(_People(office, ledger, day)))
        people.fill()
        services = {
            name: stack.enter_context(office.service(*words, name=name))
            for name, words in (_SEVERAL if day.several else _ALONE).items()
        }
        return _play(office, services, server, ledger, people, day, tell)


def _play(
    office: Office,
    services: dict[str, Service],
    server: Postgres | None,
    ledger: Ledger,
    people: _People,
    day: Day,
    tell: Tell,
) -> dict[str, Any]:
    all_of_them = [*services.values()]
    watch = Watch(
        accord=Together([each.usage for each in all_of_them]),
        exchange=Process(office.exchange.server),
        people=Process.own(),
    )
    kills = Kills(office, services, server, Random(f"{day.seed}-kills"))

    def watched() -> bool:
        streamed = set().union(*(each.streamed for each in all_of_them))
        return streamed >= set(map(address, office.users))

    with Following(office, ledger, day.patience, *all_of_them) as following:
        loaded = ledger.open
        following.wait(watched, tell, "watched")
        following.wait(lambda: not ledger.open, tell, "first load")
        first = {"items": loaded, "seconds": watch.seconds, "cpu": watch.used()["accord"]}
        ledger.forget_times()
        before, visits = stored.read(office.accord.state.database), following.visits
        following.requests.clear()
        watch.restart()
        with kills.during(day.minutes * 60, day.kills):
            late = people.play(tell)
        played = watch.seconds
        following.wait(lambda: not ledger.open, tell, "the rest")
        seconds, cpu = watch.seconds, watch.used()
        after = stored.read(office.accord.state.database)
        requests, visits = dict(following.requests), following.visits - visits
        verdict = _verdict(office, ledger, tell)
        return {
            "mailboxes": day.mailboxes,
            "links": day.mailboxes * len(KINDS),
            "several": day.several,
            "changes": people.done,
            "minutes": day.minutes,
            "workers": day.workers,
            "latency_ms": [1000 * each for each in day.latency],
            "first_load": first,
            "seconds_of_edits": played,
            "seconds_until_done": seconds,
            "late_seconds": late,
            "lost": len(verdict.lost),
            "doubled": len(verdict.doubled),
            "mails": office.exchange.mail_count,
            "open": ledger.open,
            "wrong": [*verdict.lost, *verdict.doubled][:50],
            "hint_to_done": {side.value: _spread(ledger.seconds[side]) for side in Side},
            "p95_seconds": _spread([s for side in Side for s in ledger.seconds[side]])["p95"],
            "cores": {name: used / seconds for name, used in cpu.items()},
            "cpu_ms_per_change": 1000 * cpu["accord"] / max(people.done, 1),
            "peak_mib": max(each.usage.peak for each in all_of_them) / 2**20,
            "visits": visits,
            "faults": _sums([each.errors for each in all_of_them]),
            "told": _sums([each.told for each in all_of_them]),
            "kills": told(kills.done),
            "buried": office.links(Stage.BURIED),
            "ends": _sums([each.ends for each in all_of_them]),
            "requests": requests,
            "requests_per_change": sum(requests.values()) / max(people.done, 1),
            "stored_bytes_per_change": stored.each(before, after, people.done),
        }


def _verdict(office: Office, ledger: Ledger, tell: Tell) -> Any:
    tell("comparing both sides with what people did")
    shown = {
        Side.CRM: in_crm(office.crm),
        Side.GROUPWARE: in_mailboxes(office.exchange.url, office.users),
    }
    return compare(ledger, shown)


def _sums(several: Sequence[Mapping[T, int]]) -> dict[T, int]:
    found: dict[T, int] = {}
    for each in several:
        for what, count in each.items():
            found[what] = found.get(what, 0) + count
    return found


class Following:
    """Read, beside all else, what comes on both sides and what the service says."""

    def __init__(self, office: Office, ledger: Ledger, patience: float, *services: Service) -> None:
        self._office, self._ledger = office, ledger
        self._patience, self._services = patience, services
        self._arrivals = Arrivals(office.crm, ledger)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow)
        self._failure: BaseException | None = None
        self._read, self._rest = 0, b""
        self.requests: dict[str, int] = {}

    def __enter__(self) -> Following:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def wait(self, met: Callable[[], bool], tell: Tell, what: str) -> None:
        """Wait until something is so, for as long as anything comes; raises what went wrong."""
        moved, last, told = time.monotonic(), (-1, -1), 0.0
        while not met():
            if self._failure is not None:
                raise RuntimeError(str(self._failure)) from self._failure
            now = time.monotonic()
            state = (self._ledger.open, sum(len(each.streamed) for each in self._services))
            if state != last:
                moved, last = now, state
            if now - moved > self._patience:
                tell(f"{what}: nothing comes any more, {self._ledger.missing()}")
                return
            if now - told > 10:
                tell(f"{what}: {self._ledger.open} changes under way, {self.visits} visits")
                told = now
            time.sleep(_LOOK)

    @property
    def visits(self) -> int:
        """Return how many visits came to an end so far."""
        return sum(each.visits for each in self._services)

    def _follow(self) -> None:
        try:
            while not self._ended.wait(_LOOK):
                for each in self._services:
                    each.listen()
                with self._office.gate.passed():
                    self._arrivals.look()
                self._take()
        except BaseException as error:  # noqa: BLE001 (who waits raises it)
            self._failure = error

    def _take(self) -> None:
        with self._office.exchange.asked.open("rb") as file:
            file.seek(self._read)
            text = self._rest + file.read()
            self._read = file.tell()
        *lines, self._rest = text.split(b"\n")
        for line in lines:
            asked = msgspec.json.decode(line, type=Asked)
            self.requests[asked.operation] = self.requests.get(asked.operation, 0) + 1
            for ref, number in asked.done:
                if number is None:
                    self._ledger.left(Side.GROUPWARE, ref, asked.at)
                elif number >= 0:
                    self._ledger.seen(Side.GROUPWARE, ref, number, asked.at)


class _People:
    """Be all people on both sides."""

    def __init__(self, office: Office, ledger: Ledger, day: Day) -> None:
        self._office, self._ledger, self._day = office, ledger, day
        self._desk = Desk(office.crm)
        self._hands = Hands(office.exchange.url)
        self.close = self._hands.close
        self.done = 0
        self._lock = threading.Lock()
        self._failure: BaseException | None = None

    def fill(self) -> None:
        """Give everybody some items in the CRM."""
        for user in self._office.users:
            for kind in KINDS:
                items = [self._ledger.fresh(user, kind) for _ in range(self._day.items)]
                if not items:
                    continue
                things = [(each.name, self._ledger.begin(each, Side.CRM)) for each in items]
                refs = self._desk.create(user, kind, things, _FIRST)
                for item, ref in zip(items, refs, strict=True):
                    self._ledger.end(item, Side.CRM, ref)

    def play(self, tell: Tell) -> float:
        """Edit both sides, evenly over the time; return by how much the last one was late."""
        tasks: Queue[tuple[int, float] | None] = Queue()
        threads = [threading.Thread(target=self._work, args=(tasks,)) for _ in range(_PEOPLE)]
        for each in threads:
            each.start()
        dice = Random(self._day.seed)
        span = self._day.minutes * 60
        moments = sorted(dice.uniform(0, span) for _ in range(self._day.changes))
        began, told = time.monotonic(), 0.0
        for number, moment in enumerate(moments):
            wait = began + moment - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            if self._failure is not None:
                break
            tasks.put((number, began + moment))
            if time.monotonic() - told > 10:
                told = time.monotonic()
                tell(
                    f"{self.done} of {self._day.changes} changes made, "
                    f"{self._ledger.open} under way"
                )
        for _ in threads:
            tasks.put(None)
        for each in threads:
            each.join()
        if self._failure is not None:
            raise RuntimeError(f"somebody could not write: {self._failure}") from self._failure
        return time.monotonic() - began - span

    def _work(self, tasks: Queue[tuple[int, float] | None]) -> None:
        while (task := tasks.get()) is not None:
            if self._failure is not None:
                continue
            try:
                self._act(Random(f"{self._day.seed}-{task[0]}"))
            except BaseException as error:  # noqa: BLE001 (`play` raises it)
                self._failure = error
                continue
            with self._lock:
                self.done += 1

    def _act(self, dice: Random) -> None:
        """Make one change: four in ten are new items, one in ten goes."""
        user = dice.choice(self._office.users)
        kind = dice.choices(KINDS, (6, 2, 2))[0]
        side = dice.choice(list(Side))
        what = dice.random()
        # Who deletes looks, too, whether anything is under way.
        with self._office.gate.passed() if side is Side.CRM or what < 0.1 else nullcontext():
            self._change(user, kind, side, what, dice)

    def _change(self, user: str, kind: Kind, side: Side, what: float, dice: Random) -> None:
        if what < 0.1:
            item = self._ledger.some(user, kind, side, dice, last=True)
            if item is not None and self._rests(item):
                self._delete(item, side)
                return
            if item is not None:
                self._ledger.keep(item)
        if what < 0.6:
            item = self._ledger.some(user, kind, side, dice, last=False)
            if item is not None:
                self._write(item, side)
                return
        self._create(user, kind, side, dice)

    def _rests(self, item: Item) -> bool:
        """Tell whether what came of an item is settled.

        Where Accord was killed before that, it can't know that who deletes has seen the last edit:
        for it they clash, and the edit stands.
        """
        with self._office.accord.state.read() as tx:
            return not tx.intents.of_link(f"{item.user}-{item.kind}")

    def _create(self, user: str, kind: Kind, side: Side, dice: Random) -> None:
        item = self._ledger.fresh(user, kind)
        number = self._ledger.begin(item, side)
        day = _FIRST + timedelta(days=dice.randrange(300))
        if side is Side.CRM:
            (ref,) = self._desk.create(user, kind, [(item.name, number)], day)
        else:
            text = f"~m{number}~"
            ref = self._hands.create(address(user), kind, item.name, text, f"{day:%Y-%m-%d}")
        self._ledger.end(item, side, ref)

    def _write(self, item: Item, side: Side) -> None:
        number = self._ledger.begin(item, side)
        ref = item.refs[side]
        if side is Side.CRM:
            self._desk.write(item.user, item.kind, ref, number)
        else:
            self._hands.write(address(item.user), item.kind, ref, f"~m{number}~")
        self._ledger.end(item, side)

    def _delete(self, item: Item, side: Side) -> None:
        self._ledger.drop(item)
        ref = item.refs[side]
        if side is Side.CRM:
            self._desk.delete(item.user, item.kind, ref)
        else:
            self._hands.delete(address(item.user), ref)
        self._ledger.end(item, side)


def _spread(seconds: list[float]) -> dict[str, float]:
    """Return how long it took: half of them, 95 of a hundred, and the longest."""
    if len(seconds) < 2:
        only = seconds[0] if seconds else 0.0
        return {"count": len(seconds), "p50": only, "p95": only, "max": only}
    cut = quantiles(seconds, n=100, method="inclusive")
    return {"count": len(seconds), "p50": cut[49], "p95": cut[94], "max": max(seconds)}
