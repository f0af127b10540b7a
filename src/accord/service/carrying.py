"""Which series are shown by their occurrences, how far ahead, and under which refs.

`by_occurrence` shows them so; a link's rule says whether.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import UNSET, Struct
from msgspec.structs import replace

from accord.engine.plan import Create, Delete, Hold, Step
from accord.engine.reconcile import Case
from accord.model.item import Event
from accord.model.observe import Deleted, Observation, OutOfScope, Seen, Snapshot
from accord.model.occurrences import TooMany
from accord.model.singles import single, singles
from accord.model.zones import UnknownZone
from accord.rules.rule import Meetings, Rule, Unfit
from accord.service.visit import Decided

MOST = 366
"""Occurrences of a series ahead at most: one for each day of a year."""

_COPIED = 10_000
_OWN = "the mailbox had the series before"
_DAY = timedelta(days=1)
_REF = re.compile(r"(?P<series>.+)#(?P<when>\d{8}T\d{6})", re.DOTALL)
_WHEN = "%Y%m%dT%H%M%S"


class Carrying(Struct, frozen=True, kw_only=True):
    """Say which series are shown by occurrences, and how far.

    `unfit` returns why the target can't hold an event, `copied` which occurrences of series have
    copies, by the series' refs, `theirs` whether a series itself is paired with a mailbox item
    that Accord didn't make.
    """

    rule: Rule
    now: datetime
    unfit: Callable[[Event], str]
    copied: Callable[[], Mapping[str, set[datetime]]]
    theirs: Callable[[str], bool]

    def why_whole(self, event: Event) -> str:
        """Return why a series isn't shown by occurrences; empty where it may be."""
        said = self.rule.series
        if said.unfit is not Unfit.OCCURRENCES:
            return "the rule writes no occurrences"
        changed = (each.attendees for each in event.overrides if each.attendees is not UNSET)
        if self.rule.meetings is Meetings.INVITE and (event.attendees or any(changed)):
            return "each occurrence would be an invitation of its own"
        try:
            self._ahead(event)
        except (TooMany, UnknownZone, OverflowError) as error:
            return f"within {said.days} days {error}"
        return ""

    def told(self, snapshot: Snapshot, wanted: Collection[datetime] = ()) -> Told:
        """Return what is said of a record and its occurrences: those ahead, and those `wanted`."""
        item, whole, wanted = snapshot.item, Seen(snapshot), set(wanted)
        if not isinstance(item, Event) or not item.recurs or not self.unfit(item):
            # What was changed in a copy becomes the series' own before the copy goes.
            return Told(whole, {when: Deleted(ref_of(snapshot.ref, when)) for when in wanted})
        why = (
            "the series is the mailbox's own" if self.theirs(snapshot.ref) else self.why_whole(item)
        )
        if why:
            return Told(whole, _gone(snapshot.ref, wanted, _found(item, wanted), why))
        ahead = self._ahead(item)
        found = ahead | _found(item, wanted - ahead.keys())
        seen: dict[datetime, Observation] = {
            when: Seen(alone(snapshot, when, one)) for when, one in found.items()
        }
        missing = {when: Deleted(ref_of(snapshot.ref, when)) for when in wanted - found.keys()}
        apart = OutOfScope(snapshot.ref, "it is written by its occurrences")
        return Told(apart, seen | missing)

    def _ahead(self, event: Event) -> dict[datetime, Event]:
        start, end = self.now - _DAY, self.now + timedelta(days=self.rule.series.days)
        found = singles(event, start, end, limit=MOST)
        return {each.recurrence_id: each.item for each in found}


class Told(Struct, frozen=True):
    """Be what is said of a record itself, and of its occurrences."""

    whole: Observation
    occurrences: Mapping[datetime, Observation]


def _found(item: Event, wanted: Collection[datetime]) -> dict[datetime, Event]:
    """Return those of the wanted occurrences that there are, at the cost of one expansion."""
    if not wanted or not item.recurs:
        return {}
    start = min(wanted).replace(tzinfo=UTC) - 2 * _DAY
    end = max(wanted).replace(tzinfo=UTC) + 2 * _DAY
    try:
        known = {each.recurrence_id: each.item for each in singles(item, start, end, limit=_COPIED)}
    except (TooMany, UnknownZone, OverflowError):
        known = {}
    found = {when: known[when] for when in wanted if when in known}
    # What was moved far away.
    moved = {each.recurrence_id for each in item.overrides} & set(wanted) - found.keys()
    return found | {when: one for when in moved if (one := single(item, when)) is not None}


def _gone(
    ref: str, wanted: Collection[datetime], found: Mapping[datetime, Event], why: str
) -> dict[datetime, Observation]:
    """Return what is said of occurrences that aren't shown: which are, and which aren't there."""
    return {
        when: OutOfScope(ref_of(ref, when), why) if when in found else Deleted(ref_of(ref, when))
        for when in wanted
    }


def alone(snapshot: Snapshot, when: datetime, item: Event) -> Snapshot:
    """Return the snapshot of one occurrence, whose series' snapshot is given."""
    ref = ref_of(snapshot.ref, when)
    return replace(snapshot, ref=ref, item=item, marker="", key="", foreign="")


def ref_of(series: str, recurrence_id: datetime) -> str:
    """Return the ref of an occurrence."""
    return f"{series}#{recurrence_id:{_WHEN}}"


def parse_ref(ref: str) -> tuple[str, datetime | None]:
    """Return the record's own ref, and which occurrence is meant; None for the record itself."""
    found = _REF.fullmatch(ref)
    if found is None:
        return ref, None
    try:
        # Local to the series' zone.
        return found["series"], datetime.strptime(found["when"], _WHEN)
    except ValueError:
        return ref, None


def together(decided: Sequence[Decided]) -> list[Decided]:
    """Hold what is created of a series while a deletion of it is held: no day stands twice."""
    held = {_series(one.case): cause for one in decided if (cause := _held(one.steps))}
    if not held:
        return list(decided)
    return [
        replace(one, steps=tuple(_hold(step, held[_series(one.case)]) for step in one.steps))
        if _series(one.case) in held
        else one
        for one in decided
    ]


def _held(steps: Sequence[Step]) -> str:
    """Return why a deletion in a mailbox is held; empty where none is."""
    found = (s.cause for s in steps if isinstance(s, Hold) and isinstance(s.held, Delete))
    return next(found, "")


def _hold(step: Step, cause: str) -> Step:
    return Hold(held=step, cause=cause, why=step.why) if isinstance(step, Create) else step


def _series(case: Case) -> str:
    ref = case.pairing.crm.ref if case.pairing is not None else ""
    if not ref and case.crm is not None:
        ref = case.crm.ref
    return parse_ref(ref)[0]
