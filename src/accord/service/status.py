"""How the whole installation is, from what all processes leave in the database; asks no server.

`accord status` shows it, `web.health` and `web.metrics` serve it. Works while nothing runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from accord import __version__
from accord.ports.queue import Entry, Queue, Stage
from accord.ports.tls import is_readable, is_unchecked
from accord.service.accord import Accord
from accord.service.config import Config
from accord.service.expiries import Expiry, expiries
from accord.service.identity import CRM, OWN, own_trouble_seen
from accord.service.queued import Resting, rests
from accord.service.roster import target_of
from accord.service.speed import Speed, speed
from accord.service.template_waits import TemplateWaits, count
from accord.service.troubles import troubles
from accord.state.records import Cause, Link, Mode, Process
from accord.state.state import Tx

WORKING = "worker"
"""The part of the service that visits folders."""

LISTENING = "listener"

LATE = 300.0
"""A folder that waits for longer, and nobody visits it, is a person's matter."""

_HELD = (Cause.HELD, Cause.UNDO, Cause.FILE)
_FAILED = (Cause.REJECTED, Cause.RETRY)
_EXAMPLES = 3

Counts = Mapping[str, Counter[Cause]]
"""Be how many changes of each link wait for what."""


class Depth(Struct, frozen=True, kw_only=True):
    """Be how many folders are at a stage of the queue, and for how many seconds the first is."""

    count: int = 0
    oldest: float = 0.0


class Watched(Struct, frozen=True, kw_only=True):
    """Say how many mailboxes are watched in a way, and what keeps some from a better one."""

    ways: dict[str, int] = {}
    why: dict[str, int] = {}


class TargetStatus(Struct, frozen=True, kw_only=True):
    """Be a target: `lag` is for how many seconds the first of its folders waits to be visited.

    Of its links that may write, `complete` is since when all of them were listed completely, and
    `never` how many were not yet; `visited` is when the last visit of any ended. `circuit` is
    how it stands with a target that failed of late, `done` how long changes took that were heard
    of in the last hours. `unchecked` says that anybody may pose as its server, `readable` that
    passwords go unencrypted to another machine.
    """

    name: str
    adapter: str
    links: int
    waiting: int = 0
    lag: float = 0.0
    visited: datetime | None = None
    complete: datetime | None = None
    never: int = 0
    streams: Watched = Watched()
    circuit: Resting | None = None
    done: Speed | None = None
    unchecked: bool = False
    readable: bool = False

    @property
    def alone(self) -> bool:
        """Tell whether its folders wait because it is left alone."""
        return self.circuit is not None and self.circuit.alone


class LinkStatus(Struct, frozen=True, kw_only=True):
    """Be a link: its state, and when its last visit that is over ended, and how.

    `mode` is as it was set, whatever keeps the link from its work.
    """

    name: str
    target: str
    state: str
    mode: Mode
    visited: datetime | None = None
    complete: datetime | None = None
    held: int = 0
    action: str = ""
    error: str = ""
    hint: str = ""

    @property
    def writes(self) -> bool:
        """Tell whether it may write; others keep no listing."""
        return self.state != "paused" and self.mode is not Mode.OBSERVE


class Failing(Struct, frozen=True, kw_only=True):
    """Be the links whose last visit ended early for one reaction: how many, where, and why.

    `texts` counts the causes in words, and `hint` says what to do about the most frequent;
    `examples` are some of the links.
    """

    action: str
    links: int
    targets: tuple[str, ...]
    texts: dict[str, int]
    examples: tuple[str, ...]
    hint: str = ""


class Waiting(Struct, frozen=True, kw_only=True):
    """Count what waits for a person: changes and links of which some are held, first plans too.

    `handovers` are offers to leavers' successors, `withdrawals` leavers' links that could not be
    withdrawn. `failed` are all changes that failed, `rejected` those of them that no further try
    will mend.
    """

    changes: int = 0
    links: int = 0
    plans: int = 0
    handovers: int = 0
    withdrawals: int = 0
    conflicts: int = 0
    failed: int = 0
    rejected: int = 0

    @property
    def decisions(self) -> int:
        """Return how much waits for nothing but somebody's word."""
        return self.changes + self.plans + self.handovers + self.withdrawals + self.conflicts


class Status(Struct, frozen=True, kw_only=True):
    """Be everything at one moment; `links` counts them by state, `queue` folders by stage.

    `instance` is where the database is, and `crm` which one the CRM is, as visits found them.
    `strange` says why Accord's own database is another one than that, or an older one.
    """

    version: str
    instance: str
    crm: str
    database: str
    at: datetime
    running: bool
    paused: bool
    processes: tuple[Process, ...]
    links: dict[str, int]
    queue: dict[str, Depth]
    targets: tuple[TargetStatus, ...]
    failing: tuple[Failing, ...]
    waiting: Waiting
    expiries: tuple[Expiry, ...]
    strange: str = ""
    each: tuple[LinkStatus, ...] = ()

    @property
    def served(self) -> bool:
        """Tell whether somebody visits folders."""
        return any(WORKING in one.parts and not one.gone for one in self.processes)

    @property
    def heard(self) -> bool:
        """Tell whether somebody listens."""
        return any(LISTENING in one.parts and not one.gone for one in self.processes)


def status(accord: Accord, queue: Queue, config: Config | None = None) -> Status:
    """Return how all is; of each link, too."""
    entries, circuits = queue.entries(*Stage), queue.circuits()
    strange = own_trouble_seen(accord) or ""
    with accord.state.read() as tx:
        targets, given = tx.targets.all(), tx.given_links.all()
        names = {target.id: target.name for target in targets}
        plans = {one.link for one in given if one.held and one.left is None}
        paused, counts = bool(tx.settings.get("paused", False)), tx.pending.counts()
        each = _links(tx, names, plans, counts, paused)
        processes = tuple(tx.processes.all())
        return Status(
            version=__version__,
            instance=tx.instances.named(OWN),
            crm=tx.instances.named(CRM),
            database=accord.state.database.dialect,
            at=accord.clock(),
            running=any(not one.gone for one in processes),
            paused=paused,
            processes=processes,
            links=dict(Counter(one.state for one in each)),
            queue=depths(entries),
            targets=_targets(targets, each, entries, processes, rests(circuits, names)),
            failing=_failing(each),
            waiting=_waiting(counts, count(tx, given), each),
            expiries=tuple(expiries(accord, config, tx)),
            strange=strange,
            each=each,
        )


def depths(entries: Iterable[Entry]) -> dict[str, Depth]:
    """Return how many folders are at each stage, and for how long the first is."""
    ages: dict[Stage, list[float]] = {stage: [] for stage in Stage}
    for entry in entries:
        ages[entry.stage].append(max(-entry.since, 0.0))
    return {
        str(stage): Depth(count=len(some), oldest=round(max(some, default=0.0), 1))
        for stage, some in ages.items()
    }


def _links(
    tx: Tx,
    names: Mapping[str, str],
    plans: Collection[str],
    counts: Counts,
    stopped: bool,
) -> tuple[LinkStatus, ...]:
    """Return each link; `names` are the targets', `plans` the links whose plan waits as a whole."""
    ended, complete, failing = tx.runs.ended(), tx.cursors.completed(), troubles(tx)
    found = []
    for link in tx.links.all():
        held = sum(counts[link.id][cause] for cause in _HELD if link.id in counts)
        one = LinkStatus(
            name=link.name,
            target=names[link.target],
            state=_state(link, stuck=link.id in failing, stopped=stopped, planned=link.id in plans),
            mode=link.mode,
            visited=ended.get(link.id),
            complete=complete.get(link.id),
            held=held,
            action=failing[link.id].action if link.id in failing else "",
            error=failing[link.id].error if link.id in failing else "",
            hint=failing[link.id].hint if link.id in failing else "",
        )
        found.append(one)
    return tuple(found)


def _state(link: Link, *, stuck: bool, stopped: bool, planned: bool) -> str:
    """Return the one word for how a link is: what keeps it from its work comes first.

    A link is held whose plan as a whole waits for approval.
    """
    if link.paused or stopped:
        return "paused"
    if stuck:
        return "failing"
    if planned:
        return "held"
    return str(link.mode)


def _targets(
    targets: Sequence[Any],
    each: Sequence[LinkStatus],
    entries: Sequence[Entry],
    processes: Sequence[Process],
    circuits: Mapping[str, Resting],
) -> tuple[TargetStatus, ...]:
    ages: dict[str, list[float]] = {}
    for entry in entries:
        if entry.stage is Stage.WAITING:
            ages.setdefault(target_of(entry.folder), []).append(max(-entry.since, 0.0))
    found = []
    for target in targets:
        own = [one for one in each if one.target == target.name]
        working = [one for one in own if one.writes]
        waits = ages.get(target.id, [])
        moments = [one.complete for one in working if one.complete is not None]
        one = TargetStatus(
            name=target.name,
            adapter=target.adapter,
            links=len(own),
            waiting=len(waits),
            lag=round(max(waits, default=0.0), 1),
            visited=max((one.visited for one in own if one.visited is not None), default=None),
            complete=min(moments, default=None),
            never=len(working) - len(moments),
            streams=_watched(target.name, processes),
            circuit=circuits.get(target.id),
            done=speed(_work(target.name, processes)),
            unchecked=is_unchecked(target.settings),
            readable=is_readable(target.settings),
        )
        found.append(one)
    return tuple(found)


def _work(target: str, processes: Iterable[Process]) -> list[Mapping[str, int]]:
    """Return what each process at work counted of a target."""
    return [one.figures.get("work", {}).get(target, {}) for one in processes if not one.gone]


def _watched(target: str, processes: Iterable[Process]) -> Watched:
    """Add up how all listeners at work watch the mailboxes of a target."""
    ways: Counter[str] = Counter()
    why: Counter[str] = Counter()
    for process in processes:
        figures: Mapping[str, Any] = process.figures.get("streams", {}).get(target, {})
        if not process.gone:
            ways.update(figures.get("ways", {}))
            why.update(figures.get("why", {}))
    return Watched(ways=dict(ways), why=dict(why))


def _failing(each: Sequence[LinkStatus]) -> tuple[Failing, ...]:
    """Group links that can't be visited by what is to be done about it; the most first."""
    grouped: dict[str, list[LinkStatus]] = {}
    for one in each:
        if one.state == "failing":
            grouped.setdefault(one.action, []).append(one)
    found = []
    for action, some in grouped.items():
        texts = dict(Counter(one.error for one in some).most_common(_EXAMPLES))
        failing = Failing(
            action=action,
            links=len(some),
            targets=tuple(sorted({one.target for one in some})),
            texts=texts,
            examples=tuple(one.name for one in some[:_EXAMPLES]),
            hint=next(one.hint for one in some if one.error == next(iter(texts))),
        )
        found.append(failing)
    return tuple(sorted(found, key=lambda one: (-one.links, one.action)))


def _waiting(counts: Counts, templates: TemplateWaits, each: Sequence[LinkStatus]) -> Waiting:
    total = Counter[Cause]()
    for some in counts.values():
        total.update(some)
    return Waiting(
        changes=sum(total[cause] for cause in _HELD),
        links=sum(one.held > 0 for one in each),
        plans=templates.plans,
        handovers=templates.handovers,
        withdrawals=templates.withdrawals,
        conflicts=total[Cause.CONFLICT],
        failed=sum(total[cause] for cause in _FAILED),
        rejected=total[Cause.REJECTED],
    )
