"""Single occurrences of series, written after their series itself.

`write` creates or changes the series first, in one version only; what is in between is silent,
and the last step, which may mail, gives the version that stands.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from msgspec import Struct

from accord.groupware.exchange import kinds, trees
from accord.groupware.exchange.client import UNFINISHED, occurrence, own
from accord.groupware.exchange.reading import Shelf
from accord.groupware.exchange.wire import Message, Node, t
from accord.model.item import Item
from accord.model.kinds import Kind
from accord.ports.errors import AccordError, Gone, Stale

_TURNS = 10
"""How many occurrences of a series are written one after the other, each in its version."""


class Job(Struct, frozen=True):
    """Be one series, and what is to be done with its occurrences in this order.

    With a `version` nothing is changed once somebody else has changed the series, which has that
    version before. Without one whatever stands there is overwritten, and so it is where some are
    deleted, which comes first, and where there are very many.
    """

    ref: str
    changes: Sequence[Any]
    notify: bool
    version: str = ""


def wanted(shelf: Shelf, after: Item, before: Item | None = None) -> Sequence[Any]:
    """Return what is to be done with occurrences; raises Rejected for what Exchange can't say."""
    if shelf.kind is not Kind.EVENT:
        return ()
    codec = import_module("accord.groupware.exchange.codec.series")
    changes: Sequence[Any] = codec.occurrences(after, before, home=shelf.home)
    return changes


def unfinished() -> Node:
    """Return the change that marks a series whose occurrences aren't all written."""
    value = t("ExtendedProperty", own(UNFINISHED), t("Value", "1"))
    return trees.set_path(kinds.model(Kind.EVENT), own(UNFINISHED), value)


def finish(shelf: Shelf, jobs: Sequence[Job], batch: int) -> dict[str, str | AccordError]:
    """Write occurrences and return each series' version then, or what stopped it."""
    failed: dict[str, AccordError] = {}
    deleted = [(job, each) for job in jobs for each in job.changes if each.properties is None]
    for start in range(0, len(deleted), batch):
        some = deleted[start : start + batch]
        nodes = [occurrence(job.ref, each.index) for job, each in some]
        told = shelf.client.delete(nodes, notify=False)
        for (job, _), message in zip(some, told, strict=True):
            # What an earlier try deleted is deleted.
            if message.error is not None and not isinstance(message.error, Gone):
                failed.setdefault(job.ref, message.error)
    cut = {job.ref for job, _ in deleted}
    many = {job.ref for job in jobs if len(job.changes) > _TURNS}
    made = {job.ref: job.version for job in jobs if job.version and job.ref not in cut | many}
    free = [(job, each) for job, each in _changed(jobs, failed) if job.ref not in made]
    for start in range(0, len(free), batch):
        some = free[start : start + batch]
        told = shelf.client.update([_change(*each) for each in some], notify=False, overwrite=True)
        for (job, _), message in zip(some, told, strict=True):
            if message.error is not None:
                failed.setdefault(job.ref, message.error)
    _in_turn(shelf, [job for job in jobs if job.ref in made], made, failed, batch)
    done: dict[str, str | AccordError] = dict(failed)
    for notify in (False, True):
        rest = [job.ref for job in jobs if job.notify is notify and job.ref not in failed]
        done |= _close(shelf, [ref for ref in rest if ref not in made], notify)
        done |= _close(shelf, [ref for ref in rest if ref in made], notify, made)
    return done


def _changed(jobs: Sequence[Job], failed: dict[str, AccordError]) -> Iterator[tuple[Job, Any]]:
    for job in jobs:
        yield from (
            (job, each) for each in job.changes if each.properties and job.ref not in failed
        )


def _in_turn(
    shelf: Shelf,
    jobs: Sequence[Job],
    made: dict[str, str],
    failed: dict[str, AccordError],
    batch: int,
) -> None:
    """Change one occurrence of each series after the other, each in the version `made` last."""
    left = {job.ref: (job, [each for each in job.changes if each.properties]) for job in jobs}
    while turn := [(job, rest.pop(0)) for job, rest in left.values() if rest]:
        for start in range(0, len(turn), batch):
            some = turn[start : start + batch]
            nodes = [_change(job, each, made[job.ref]) for job, each in some]
            told = shelf.client.update(nodes, notify=False)
            for (job, _), message in zip(some, told, strict=True):
                made[job.ref] = _version(message)
                if not made[job.ref]:
                    untold = Stale("the server didn't tell the version that it made")
                    failed.setdefault(job.ref, message.error or untold)
                    left[job.ref][1].clear()


def _close(
    shelf: Shelf, refs: Sequence[str], notify: bool, made: Mapping[str, str] | None = None
) -> dict[str, str | AccordError]:
    """Take the mark off; this is the write whose version is told.

    Where somebody else has changed a series since the version `made` last, that one is told, so
    that what was changed shows as a change.
    """
    if not refs:
        return {}
    updates = t("Updates", trees.clear_path(own(UNFINISHED)))
    nodes = [_closing(ref, made, updates) for ref in refs]
    told = shelf.client.update(nodes, notify, overwrite=made is None)
    done: dict[str, str | AccordError] = {}
    for ref, message in zip(refs, told, strict=True):
        done[ref] = message.error or _version(message)
    if made is not None:
        late = [ref for ref in refs if isinstance(done[ref], Stale)]
        for ref, end in _close(shelf, late, notify).items():
            done[ref] = end if isinstance(end, AccordError) else made[ref]
    return done


def _closing(ref: str, made: Mapping[str, str] | None, updates: Node) -> Node:
    key = {} if made is None else {"ChangeKey": made[ref]}
    return t("ItemChange", t("ItemId", Id=ref, **key), copy.deepcopy(updates))


def _version(message: Message) -> str:
    ids = [] if message.error is not None else message.all("Items", "*", "ItemId")
    return str(ids[0].get("ChangeKey", "")) if ids else ""


def _change(job: Job, each: Any, version: str = "") -> Node:
    updates = trees.updates(kinds.model(Kind.EVENT), each.properties)
    return t("ItemChange", occurrence(job.ref, each.index, version), t("Updates", *updates))
