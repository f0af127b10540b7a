"""The figures of the whole installation in Prometheus' text, whichever process is asked.

They come from `service.status` and name targets, states and causes by their kinds: no person, no
mailbox, no link, no title.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from accord.ports.queue import Current
from accord.service.speed import BOUNDS, SINCE_START, by_class
from accord.service.status import Status, TargetStatus
from accord.state.records import Process

KIND = "text/plain; version=0.0.4; charset=utf-8"


def exposition(read: Callable[[], Status]) -> bytes:
    """Return the figures of one moment as text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(read()))
    return generate_latest(registry)


class _Figures(Collector):
    def __init__(self, status: Status) -> None:
        self._status = status

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        status = self._status
        yield _gauge("accord_paused", "1 while everything is paused", {(): float(status.paused)})
        yield _info(status)
        yield from _links(status)
        yield from _queue(status)
        yield from _targets(status)
        yield from _processes(status)
        yield from _work(status.processes)


def _info(status: Status) -> Metric:
    labels = {(status.version, status.database): 1.0}
    return _gauge(
        "accord_build_info", "Version and kind of database", labels, "version", "database"
    )


def _links(status: Status) -> Iterator[Metric]:
    states = ("observe", "pilot", "active", "paused", "held", "failing")
    counts = {(state,): float(status.links.get(state, 0)) for state in states}
    yield _gauge("accord_links", "Links by state", counts, "state")
    failing = {(one.action,): float(one.links) for one in status.failing}
    yield _gauge(
        "accord_links_failing", "Links that can't be visited, by reaction", failing, "reaction"
    )
    waiting = {
        (name,): float(getattr(status.waiting, name))
        for name in ("changes", "plans", "handovers", "withdrawals", "conflicts", "failed")
    }
    yield _gauge("accord_waiting", "What waits for a person", waiting, "what")
    ahead: dict[tuple[str, ...], float] = {}
    for one in status.expiries:
        left = (one.at - status.at).total_seconds()
        ahead[one.kind,] = min(left, ahead.get((one.kind,), left))
    yield _gauge("accord_expiry_seconds", "Time until the first expires", ahead, "kind")


def _queue(status: Status) -> Iterator[Metric]:
    depths = {(stage,): float(depth.count) for stage, depth in status.queue.items()}
    yield _gauge("accord_queue_folders", "Folders in the queue by stage", depths, "stage")
    ages = {(stage,): depth.oldest for stage, depth in status.queue.items() if stage != "planned"}
    yield _gauge("accord_queue_oldest_seconds", "For how long the first is there", ages, "stage")


def _targets(status: Status) -> Iterator[Metric]:
    targets = status.targets
    lag = {(one.name,): one.lag for one in targets}
    yield _gauge("accord_lag_seconds", "For how long a folder waits at most", lag, "target")
    waiting = {(one.name,): float(one.waiting) for one in targets}
    yield _gauge("accord_folders_waiting", "Folders that wait to be visited", waiting, "target")
    visited = {(one.name,): one.visited.timestamp() for one in targets if one.visited is not None}
    yield _gauge("accord_visited_timestamp_seconds", "When a visit ended last", visited, "target")
    complete = {
        (one.name,): one.complete.timestamp() for one in targets if one.complete is not None
    }
    yield _gauge(
        "accord_complete_timestamp_seconds",
        "Since when all links that may write were listed completely",
        complete,
        "target",
    )
    never = {(one.name,): float(one.never) for one in targets}
    yield _gauge(
        "accord_links_never_complete", "Links that may write, never listed yet", never, "target"
    )
    circuits = {
        (one.name, state.value): float(state == _current(one))
        for one in targets
        for state in Current
    }
    yield _gauge(
        "accord_circuit", "1 for the state of its circuit breaker", circuits, "target", "state"
    )
    streams = {
        (one.name, way): float(count)
        for one in targets
        for way, count in sorted(one.streams.ways.items())
    }
    yield _gauge("accord_mailboxes_watched", "Mailboxes by way", streams, "target", "way")


def _current(one: TargetStatus) -> Current:
    return Current.CLOSED if one.circuit is None else one.circuit.state


def _processes(status: Status) -> Iterator[Metric]:
    counts: dict[tuple[str, ...], float] = {}
    for one in status.processes:
        key = (one.part, "gone" if one.gone else "at work")
        counts[key] = counts.get(key, 0.0) + 1
    yield _gauge("accord_processes", "Processes that serve, by part", counts, "part", "state")


def _work(processes: Iterable[Process]) -> Iterator[Metric]:
    """Yield what processes at work have done since each began."""
    visits = _counter("accord_visits", "Visits by how they ended", "target", "outcome", "process")
    writes = _counter("accord_writes", "Items written", "target", "side", "process")
    failures = _counter("accord_item_failures", "Items that failed", "target", "side", "process")
    requests = _counter("accord_requests", "Requests to servers", "target", "process")
    seconds = _counter("accord_visit_seconds", "Time spent in visits", "target", "process")
    took = HistogramMetricFamily(
        "accord_hint_to_done_seconds",
        "From a hint to the end of its visit",
        labels=["target", "process"],
    )
    families = {"visits": visits, "writes": writes, "failures": failures}
    for process in processes:
        if process.gone:
            continue
        name = f"{process.host}/{process.pid}"
        work: Mapping[str, Mapping[str, int]] = process.figures.get("work", {})
        for target, counts in sorted(work.items()):
            for key, count in counts.items():
                family, _, label = key.partition(".")
                if family in families:
                    families[family].add_metric([target, label, name], count)
            requests.add_metric([target, name], counts.get("requests", 0))
            seconds.add_metric([target, name], counts.get("milliseconds", 0) / 1000)
            whole = counts.get(f"{SINCE_START}_milliseconds", 0) / 1000
            took.add_metric([target, name], _buckets(counts), whole)
    yield from (visits, writes, failures, requests, seconds, took)


def _buckets(counts: Mapping[str, int]) -> list[tuple[str, float]]:
    """Return the classes of a histogram, each with all that is in those before."""
    names = [*(str(bound) for bound in BOUNDS), "+Inf"]
    some = accumulate(by_class(counts, SINCE_START))
    return [(name, float(count)) for name, count in zip(names, some, strict=True)]


def _counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, labels=labels)


def _gauge(name: str, text: str, values: Mapping[Any, float], *labels: str) -> GaugeMetricFamily:
    """Return a family; the keys of `values` are tuples of the labels' values."""
    family = GaugeMetricFamily(name, text, labels=labels)
    for key, value in values.items():
        family.add_metric(list(key), value)
    return family
