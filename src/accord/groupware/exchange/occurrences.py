"""Single occurrences of series, written after their series itself.

`write` creates or changes the series first, in one version only; what is in between is silent,
and the last step, which may mail, gives the version that stands.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from msgspec import Struct

from accord.groupware.exchange import kinds, trees
from accord.groupware.exchange.client import UNFINISHED, occurrence, own
from accord.groupware.exchange.reading import Shelf
from accord.groupware.exchange.wire import Node, t
from accord.model.item import Item
from accord.model.kinds import Kind
from accord.ports.errors import AccordError, Gone


class Job(Struct, frozen=True):
    """Be one series, and what is to be done with its occurrences in this order."""

    ref: str
    changes: Sequence[Any]
    notify: bool


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
    changed = [(job, each) for job in jobs for each in job.changes if each.properties]
    for start in range(0, len(changed), batch):
        some = changed[start : start + batch]
        nodes = [_change(job, each) for job, each in some]
        told = shelf.client.update(nodes, notify=False, overwrite=True)
        for (job, _), message in zip(some, told, strict=True):
            if message.error is not None:
                failed.setdefault(job.ref, message.error)
    done: dict[str, str | AccordError] = dict(failed)
    for notify in (False, True):
        rest = [job.ref for job in jobs if job.notify is notify and job.ref not in failed]
        done |= _close(shelf, rest, notify)
    return done


def _close(shelf: Shelf, refs: Sequence[str], notify: bool) -> dict[str, str | AccordError]:
    """Take the mark off; this is the write whose version is told."""
    if not refs:
        return {}
    updates = t("Updates", trees.clear_path(own(UNFINISHED)))
    nodes = [t("ItemChange", t("ItemId", Id=ref), copy.deepcopy(updates)) for ref in refs]
    told = shelf.client.update(nodes, notify, overwrite=True)
    done: dict[str, str | AccordError] = {}
    for ref, message in zip(refs, told, strict=True):
        ids = message.all("Items", "*", "ItemId")
        done[ref] = message.error or (str(ids[0].get("ChangeKey", "")) if ids else "")
    return done


def _change(job: Job, each: Any) -> Node:
    updates = trees.updates(kinds.model(Kind.EVENT), each.properties)
    return t("ItemChange", occurrence(job.ref, each.index), t("Updates", *updates))
