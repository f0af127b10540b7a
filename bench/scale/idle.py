"""What links cost on which nothing happens: CPU and memory, by what causes them.

Three services are measured one after the other: with one mailbox (what the process, the queue's
polling and a stream need at all), with all mailboxes watched but not due, and with all of them
visited on the interval. The differences are what watching and visiting cost.
"""

from __future__ import annotations

import math
import time
from collections import deque
from pathlib import Path
from typing import Any

from msgspec import Struct

from accord.sandbox.process import until
from bench.scale.day import Tell
from bench.scale.office import KINDS, NEVER, PATIENCE, Office, Service
from bench.scale.usage import Watch

QUIET = 5.0
"""Seconds by which is told whether the first visits are over."""

CALM = 80.0
"""Seconds of calm after them: mailboxes are polled after a minute, and that makes second visits."""


class Idle(Struct, frozen=True, kw_only=True):
    """Say how many links, how often they are visited, and for how long each is measured."""

    links: int
    interval: float
    seconds: float
    workers: int


def run(folder: Path, idle: Idle, tell: Tell) -> dict[str, Any]:
    """Measure the three and return the figures."""
    mailboxes = -(-idle.links // len(KINDS))
    links = mailboxes * len(KINDS)
    rows = {
        "one": _measure(folder / "one", 1, NEVER, idle, tell),
        "watched": _measure(folder / "watched", mailboxes, NEVER, idle, tell),
        "visited": _measure(folder / "visited", mailboxes, idle.interval, idle, tell),
    }
    one, watched, visited = rows["one"], rows["watched"], rows["visited"]
    more = max(links - len(KINDS), 1)
    visits = visited["visits"] / visited["seconds"]
    return {
        "links": links,
        "mailboxes": mailboxes,
        "interval": idle.interval,
        "rows": rows,
        "core_percent": 100 * (visited["core"] - one["core"]),
        "core_percent_of_polling": 100 * one["core"],
        "core_percent_of_watching": 100 * (watched["core"] - one["core"]),
        "core_percent_of_visits": 100 * (visited["core"] - watched["core"]),
        "visits_per_second": visits,
        "cpu_ms_per_visit": 1000 * (visited["core"] - watched["core"]) / visits if visits else None,
        "kb_per_link": (visited["resident"] - one["resident"]) / more / 1000,
        "kb_per_link_of_watching": (watched["resident"] - one["resident"]) / more / 1000,
    }


def _measure(
    folder: Path, mailboxes: int, interval: float, idle: Idle, tell: Tell
) -> dict[str, Any]:
    tell(f"{mailboxes} idle mailboxes, visited every {interval:g} s")
    # Visits come together as the first ones did: a part of the interval may have all, or none.
    seconds = idle.seconds if interval == NEVER else max(idle.seconds, interval)
    settings = {"interval": interval, "workers": idle.workers}
    folder.mkdir()
    with (
        Office(folder, mailboxes, latency=(0.0, 0.0), settings=settings) as office,
        office.service() as service,
    ):
        service.until_streamed(mailboxes)
        links = mailboxes * len(KINDS)
        _rest(service, links, interval, min(CALM, seconds, interval / 10), tell)
        visits = service.visits
        watch = Watch(accord=service.usage)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 10.0))
            service.listen()
        return {
            "mailboxes": mailboxes,
            "seconds": watch.seconds,
            "core": watch.cores()["accord"],
            "resident": service.usage.resident,
            "peak": service.usage.peak,
            "visits": service.visits - visits,
            "faults": service.errors,
        }


def _rest(service: Service, links: int, interval: float, calm: float, tell: Tell) -> None:
    """Wait until the first visits are over: until no more come than the interval asks for.

    Over `calm` seconds: visits of one interval come together as those of the last one did.
    """
    rounds = max(round(calm / QUIET), 1)
    lately = deque([math.inf], maxlen=rounds + 1)

    def over() -> bool:
        time.sleep(QUIET)
        service.listen()
        tell(f"first visits: {len(service.visited)} of {links} links")
        lately.append(service.visits if len(service.visited) == links else math.inf)
        usual = max(1.5 * links / interval * rounds * QUIET, 1.0)
        return len(lately) > rounds and lately[-1] - lately[0] <= usual

    if not until(over, PATIENCE):
        raise RuntimeError("the first visits never end")
