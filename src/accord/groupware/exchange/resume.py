"""Series whose change was cut off between the series itself and its occurrences.

A series that gets another time or pattern loses all its changed and deleted occurrences, so it
is marked in the same write, and nobody takes it for what a person wanted; `write` completes it
here when the change is sent again, or at once where somebody has deleted an occurrence meanwhile,
and takes it back where one is refused.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from accord.groupware.exchange import kinds, occurrences, trees
from accord.groupware.exchange.client import UNFINISHED, own
from accord.groupware.exchange.desk import Answer, Desk, Sent, standing
from accord.groupware.exchange.meanwhile import alike, occurrence_at, touched
from accord.groupware.exchange.reading import Loaded, load, snapshots
from accord.groupware.exchange.wire import t
from accord.model.item import Event, Item
from accord.model.observe import Snapshot
from accord.ports.adapter import Revision
from accord.ports.errors import AccordError, Gone, ItemError, Rejected, Stale

_SERIES = ("rule", "start", "end", "time_zone", "end_time_zone", "all_day")


def complete(desk: Desk, revision: Revision) -> Answer:
    """Write the occurrences that are still missing, and take the mark off.

    What stands there as an occurrence of its own was written by then, or by a person since, and
    is left. So is a series that somebody has given other times.
    """
    there = load(desk.shelf, [revision.ref])[revision.ref]
    if not isinstance(there, Loaded):
        return there or Gone(f"{revision.ref}: it holds another kind of item now")
    whole = {revision.ref: replace(there, unfinished=False)}
    seen = snapshots(desk.shelf, whole)[revision.ref]
    if not isinstance(seen, Snapshot):
        return seen
    if not there.unfinished:
        return standing(there, seen)
    missing = _missing(desk, revision.after, seen.item)
    job = occurrences.Job(revision.ref, missing or (), revision.notify)
    end = occurrences.finish(desk.shelf, [job], desk.batch)[revision.ref]
    if isinstance(end, ItemError) and not isinstance(end, Gone):
        return take_back(desk, revision, end)
    if isinstance(end, AccordError):
        return end
    # Without a version what was sent is what is known, and what people did shows as a change.
    return Sent(revision.ref, end if _as_sent(revision.after, seen.item, missing) else "")


def go_on(desk: Desk, revision: Revision, job: occurrences.Job, *, rewritten: bool) -> Answer:
    """Write what is left of a series that isn't in the version any more that was made before.

    Where an occurrence is neither as it was nor as it is to be, a person was quicker: all is
    planned again. Where none is, the server merely counts its versions in another way.
    """
    if rewritten:
        return complete(desk, revision)
    there = load(desk.shelf, [revision.ref])[revision.ref]
    if not isinstance(there, Loaded):
        return there or Gone(f"{revision.ref}: it holds another kind of item now")
    seen = snapshots(desk.shelf, {revision.ref: there})[revision.ref]
    if not isinstance(seen, Snapshot):
        return seen
    if touched(revision, seen.item):
        return Stale(f"{revision.ref}: it was changed meanwhile")
    left = []
    for each in job.changes:
        now, was, wanted = (
            occurrence_at(item, each.recurrence_id)
            for item in (seen.item, revision.before, revision.after)
        )
        if not alike(now, was) and not alike(now, wanted):
            return Stale(f"{revision.ref}: an occurrence of it was changed meanwhile")
        if not alike(now, wanted):
            left.append(each)
    again = replace(job, changes=left, version="")
    end = occurrences.finish(desk.shelf, [again], desk.batch)[revision.ref]
    return end if isinstance(end, AccordError) else Sent(revision.ref, end)


def take_back(desk: Desk, revision: Revision, why: ItemError) -> AccordError:
    """Make a series again what it was before a change whose occurrences are refused.

    Where that is refused, too, it stays as it is, and people can see that.
    """
    refused = Rejected(f"an occurrence of the series is refused: {why}", code=why.code)
    kind, ref = desk.shelf.kind, revision.ref
    values: dict[str, Any] = kinds.codec(kind).properties(
        revision.before, revision.after, revision.changed, home=desk.shelf.home
    )
    updates = trees.updates(kinds.model(kind), values) if values else []
    updates = updates or [trees.clear_path(own(UNFINISHED))]
    change = t("ItemChange", t("ItemId", Id=ref), t("Updates", *updates))
    (told,) = desk.shelf.client.update([change], notify=False, overwrite=True)
    wanted = () if told.error else occurrences.wanted(desk.shelf, revision.before)
    for some in (wanted, ()):
        job = occurrences.Job(ref, some, notify=False)
        end = occurrences.finish(desk.shelf, [job], desk.batch)[ref]
        if not isinstance(end, ItemError):
            break
    return refused if isinstance(end, str | ItemError) else end


def _missing(desk: Desk, after: Item, there: Item) -> tuple[Any, ...] | None:
    """Return what is still to be done with occurrences of a series; None if it has other times."""
    if not (isinstance(after, Event) and isinstance(there, Event)):
        return None
    if any(getattr(after, name) != getattr(there, name) for name in _SERIES):
        return None
    done = {*there.exdates, *(one.recurrence_id for one in there.overrides)}
    wanted = occurrences.wanted(desk.shelf, after)
    return tuple(each for each in wanted if each.recurrence_id not in done)


def _as_sent(after: Item, there: Item, missing: tuple[Any, ...] | None) -> bool:
    """Tell whether what stands there of occurrences already is what is to stand there."""
    if missing is None or not isinstance(there, Event):
        return False
    done = [*there.exdates, *(one.recurrence_id for one in there.overrides)]
    return all(alike(occurrence_at(after, each), occurrence_at(there, each)) for each in done)
