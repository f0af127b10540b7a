"""Planted faults: each undoes one promise of the engine or the service.

The histories have to notice every one of them, or they prove nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch as planted

import msgspec

from accord.engine import both, merge, settle
from accord.engine.both import Said
from accord.model.kinds import Side
from accord.ports import adapter
from accord.ports.errors import Stale
from accord.service import commit, opening, pull, sync
from accord.service.ends import place_of

Bug = Callable[[], Iterator[None]]
BUGS: dict[str, Any] = {}


def bug(plant: Callable[[], Iterator[None]]) -> Callable[[], Iterator[None]]:
    BUGS[plant.__name__] = contextmanager(plant)
    return plant


@bug
def recover_ignores_intents() -> Iterator[None]:
    """What a killed visit left open is dropped, not looked up."""

    def forget(visit: Any, _report: Any) -> int:
        with visit.state.begin() as tx:
            tx.intents.close_many([intent.id for intent in tx.intents.of_link(visit.link.id)])
        return 0

    with planted("accord.service.begin.recover", forget):
        yield


@bug
def one_shared_base() -> Iterator[None]:
    """Both sides are compared with what the CRM had, not each with its own."""
    real = merge.merge

    def shared(pairing: Any, crm: Any, groupware: Any, policy: Any) -> Any:
        item = policy.program.project(Side.GROUPWARE, pairing.crm.item, policy.facts)
        base = msgspec.structs.replace(pairing.groupware, item=item)
        return real(msgspec.structs.replace(pairing, groupware=base), crm, groupware, policy)

    with planted("accord.engine.reconcile.merge", shared):
        yield


@bug
def cursor_before_commit() -> Iterator[None]:
    """The cursor moves as soon as a side has been read."""
    real = pull.pull

    def eager(end: Any, cursor: str, known: Any, progress: Any) -> Any:
        pulled = real(end, cursor, known, progress)
        state = STATE[-1]
        with state.begin() as tx:
            for link in tx.links.all():
                if end.side is Side.GROUPWARE or link.kind is end.kind:
                    place = place_of(link, end.side, end.folder)
                    tx.cursors.put(link.id, end.side, place, pulled.cursor)
        return pulled

    real_open = opening.open_visit

    def opened(accord: Any, *rest: Any) -> Any:
        STATE.append(accord.state)
        return real_open(accord, *rest)

    with (
        planted("accord.service.reading.pull", eager),
        planted("accord.service.begin.open_visit", opened),
    ):
        yield


STATE: list[Any] = []


@bug
def one_cursor_for_all_links() -> Iterator[None]:
    """The visit of one link moves the folder's cursor of the others, too."""
    real = sync._finish

    def finish(visit: Any, pulled: Any, *rest: Any) -> None:
        real(visit, pulled, *rest)
        with visit.state.begin() as tx:
            for link in tx.links.all():
                place = place_of(link, Side.GROUPWARE, visit.groupware.folder)
                tx.cursors.put(link.id, Side.GROUPWARE, place, pulled[Side.GROUPWARE].cursor)

    with planted("accord.service.sync._finish", finish):
        yield


@bug
def tombstone_believed() -> Iterator[None]:
    """What a listing says is gone is not asked about."""
    with planted("accord.service.cases.tombstones", lambda _: set()):
        yield


@bug
def echo_not_recognised() -> Iterator[None]:
    """Bases stay where they were, so that what was written comes back as news."""

    def stuck(pairing: Any, *_: Any) -> Any:
        return msgspec.structs.replace(pairing, frozen="")

    with planted("accord.service.commit.settle", stuck):
        yield


@bug
def create_without_a_trace() -> Iterator[None]:
    """Copies carry neither key nor marker, so that nobody finds them again."""
    real = adapter.Draft

    def traceless(**values: Any) -> Any:
        return real(**{**values, "marker": "", "key": f"none-{next(NUMBERS)}"})

    with planted("accord.service.writes.Draft", traceless):
        yield


NUMBERS = iter(range(10**9))


@bug
def deletion_beats_edits() -> Iterator[None]:
    """Nothing that was edited stands against a deletion."""
    with planted("accord.engine.depart.shared_edits", lambda *_: ()):
        yield


@bug
def losing_value_forgotten() -> Iterator[None]:
    """A clash overwrites the loser and tells nobody."""
    with planted("accord.service.ledger.Ledger._conflict", lambda *_: None):
        yield


@bug
def a_copy_is_the_original() -> Iterator[None]:
    """A duplicate's marker is believed, whatever became of the original."""

    def believing(_visit: Any, snapshots: Any) -> Any:
        return list(snapshots)

    with planted("accord.service.counterparts.unmarked", believing):
        yield


@bug
def half_a_listing_is_whole() -> Iterator[None]:
    """A listing that broke off counts as complete, and what it lacks as deleted."""
    real = pull._pull_once

    def whole(end: Any, cursor: str, known: Any, progress: Any) -> Any:
        pulled = real(end, cursor, known, progress)
        return pulled and msgspec.structs.replace(pulled, complete=True)

    with (
        planted("accord.service.pull._pull_once", whole),
        planted("accord.service.cases.tombstones", _none),
    ):
        yield


def _none(_: Any) -> set[str]:
    return set()


@bug
def stale_is_done() -> Iterator[None]:
    """An item that changed meanwhile is taken for written."""
    real = commit._failures

    def careless(jobs: Any, outcomes: Any, ledger: Any) -> bool:
        for job in jobs:
            if isinstance(outcomes.get(job.intent), Stale):
                outcomes[job.intent] = adapter.Written(ref=job.step.before.ref)
        return real(jobs, outcomes, ledger)

    with planted("accord.service.commit._failures", careless):
        yield


@bug
def read_back_is_the_base() -> Iterator[None]:
    """What is read after a write is the base, even if somebody was quicker."""

    def blind(ref: str, version: str, sent: Any, found: Any, old: Any = None) -> Any:
        return found or settle.as_written(ref, version, sent, found, old)

    with planted("accord.service.commit.as_written", blind):
        yield


@bug
def blind_means_gone() -> Iterator[None]:
    """What can't be read counts as deleted."""
    real = both.said

    def harsh(base: Any, observation: Any) -> Said:
        answer = real(base, observation)
        return Said.GONE if answer is Said.BLIND else answer

    with planted("accord.engine.reconcile.said", harsh):
        yield


@bug
def retries_forgotten() -> Iterator[None]:
    """What a side refused for the moment is never tried again."""
    with planted("accord.service.ledger.Ledger._park", lambda *_: None):
        yield


@bug
def the_other_base_moves_too() -> Iterator[None]:
    """When one side refuses its update, both bases move nevertheless."""
    real = settle.settle

    def careless(pairing: Any, crm: Any, groupware: Any, done: Any, _failed: Any) -> Any:
        return real(pairing, crm, groupware, done, frozenset())

    with planted("accord.service.commit.settle", careless):
        yield
