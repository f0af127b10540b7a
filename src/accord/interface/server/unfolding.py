"""The CRM as devices see it: each changed occurrence of a series is an entry of its own.

Clients hold one entry per item (of several, libsynthesis makes one that is none of them), so the
series goes out without its changed occurrences, and these beside it. A ref says which one is meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from accord.formats.errors import Refused
from accord.formats.ical.events import RECURRENCE_ID
from accord.formats.vcalendar import join, split
from accord.model import canonical
from accord.model.diff import diff
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.model.observe import (
    Deleted,
    Listing,
    Moved,
    Observation,
    OutOfScope,
    Seen,
    Snapshot,
)
from accord.model.recurrence import EventStatus, Override
from accord.ports.adapter import (
    Ask,
    Draft,
    Folder,
    Known,
    Mark,
    Outcome,
    Question,
    Removal,
    Revision,
    Session,
    Written,
)
from accord.ports.errors import Gone, ItemError, Rejected, Stale
from accord.ports.session import OpenSession

MARK = "#occurrence="
"""What stands in a ref, and in a uid, between the series and the moment of an occurrence."""

_STAMP = "%Y%m%dT%H%M%S"
_NAME = re.compile(rf"(?P<series>.+){MARK}(?P<when>[0-9]{{8}}T[0-9]{{6}})", re.DOTALL)


def series_of(ref: str) -> str:
    """Return the series that a ref, or a uid, means an occurrence of; empty for anything else."""
    found = _NAME.fullmatch(ref)
    return found["series"] if found else ""


def unfolded(snapshot: Snapshot) -> dict[str, Snapshot]:
    """Return the changed occurrences of a series as entries of their own, by their refs.

    Their version is their content, so that one stays as it is when another one changes. What was
    called off is none.
    """
    event = snapshot.item
    if not isinstance(event, Event) or not event.overrides:
        return {}
    try:
        _, *alone = split(event)
    except Refused:
        return {}
    found: dict[str, Snapshot] = {}
    for override, one in zip(_shown(event), alone, strict=True):
        if one.status is EventStatus.CANCELLED:
            continue
        name = f"{MARK}{override.recurrence_id:{_STAMP}}"
        extras = {key: value for key, value in one.extras.items() if key != RECURRENCE_ID}
        entry = replace(one, uid=f"{event.uid or snapshot.ref}{name}", extras=extras)
        ref = f"{snapshot.ref}{name}"
        found[ref] = Snapshot(ref=ref, version=canonical.digest(entry), item=entry)
    return found


class Unfolded(OpenSession):
    """Be a user's CRM in which changed occurrences have refs; what changes one changes its series.

    `held` tells which of them a device has.
    """

    def __init__(self, inner: Session, held: Callable[[], Collection[str]]) -> None:
        """Stand before the CRM's own session."""
        self._inner = inner
        self._held = held

    def changes(self, folder: str, kind: Kind, cursor: str, known: Known) -> Iterator[Listing]:
        """Yield the CRM's pages, with what became of changed occurrences behind each series."""
        if kind is not Kind.EVENT:
            yield from self._inner.changes(folder, kind, cursor, known)
            return
        held: dict[str, list[str]] = {}
        for ref in self._held():
            held.setdefault(series_of(ref), []).append(ref)

        def whole(refs: Sequence[str]) -> Mapping[str, str]:
            # What a device made of a series, it hasn't made of the occurrences.
            return {ref: version for ref, version in known(refs).items() if ref not in held}

        for page in self._inner.changes(folder, kind, cursor, whole):
            seen: list[Observation] = []
            for one in page.observations:
                seen += (one, *_after(one, held.get(one.ref, ())))
            yield replace(page, observations=tuple(seen))

    def fetch(self, folder: str, kind: Kind, asks: Sequence[Ask]) -> list[Observation]:
        """Say what each ref holds now; an occurrence is what its series says of it."""
        refs = dict.fromkeys(series_of(ask.ref) for ask in asks)
        more = [Ask(ref=ref) for ref in refs if ref and not any(a.ref == ref for a in asks)]
        whole = [ask for ask in asks if not series_of(ask.ref)] + more
        now = {
            ask.ref: one
            for ask, one in zip(whole, self._inner.fetch(folder, kind, whole), strict=True)
        }
        return [
            _of_series(now[series], ask.ref) if (series := series_of(ask.ref)) else now[ask.ref]
            for ask in asks
        ]

    def lookup(
        self, folder: str, kind: Kind, questions: Sequence[Question]
    ) -> list[tuple[Snapshot, ...]]:
        """Find items; an occurrence by the uid that it was given here."""
        asked = [replace(one, uid=series_of(one.uid) or one.uid) for one in questions]
        answers = self._inner.lookup(folder, kind, asked)
        return [
            tuple(_meant(question, found)) if series_of(question.uid) else found
            for question, found in zip(questions, answers, strict=True)
        ]

    def create(self, folder: str, kind: Kind, drafts: Sequence[Draft]) -> list[Outcome]:
        """Create items."""
        return self._inner.create(folder, kind, drafts)

    def update(self, folder: str, kind: Kind, revisions: Sequence[Revision]) -> list[Outcome]:
        """Change items, and then occurrences: each gives its series another version."""
        whole = [one for one in revisions if not series_of(one.ref)]
        done = iter(self._inner.update(folder, kind, whole) if whole else ())
        first = {one.ref: next(done) for one in whole}
        return [
            first[one.ref] if one.ref in first else self._change(folder, kind, one)
            for one in revisions
        ]

    def delete(self, folder: str, kind: Kind, removals: Sequence[Removal]) -> list[Outcome]:
        """Delete items, and then leave out occurrences of the series that are still there."""
        whole = [one for one in removals if not series_of(one.ref)]
        done = iter(self._inner.delete(folder, kind, whole) if whole else ())
        first = {one.ref: next(done) for one in whole}
        return [
            first[one.ref] if one.ref in first else self._leave_out(folder, kind, one)
            for one in removals
        ]

    def _change(self, folder: str, kind: Kind, revision: Revision) -> Outcome:
        now = self._now(folder, kind, revision.ref, revision.version)
        if isinstance(now, ItemError):
            return now
        series, wanted = now.item, revision.after
        assert isinstance(series, Event)
        assert isinstance(wanted, Event)
        try:
            after = join(series, _named(series, wanted, _when(revision.ref)))
        except Refused as refusal:
            return Rejected(str(refusal))
        outcome = self._write(folder, kind, now, after)
        if not isinstance(outcome, Written):
            return outcome
        read = outcome.snapshot or replace(now, item=after)
        made = unfolded(read).get(revision.ref)
        # What can't be said of one occurrence alone the device gets back.
        whole = made is not None and not diff(made.item, wanted)
        return Written(ref=revision.ref, version=made.version if made and whole else "")

    def _leave_out(self, folder: str, kind: Kind, removal: Removal) -> Outcome:
        now = self._now(folder, kind, removal.ref, removal.version)
        if isinstance(now, Gone):
            return Written(ref=removal.ref)
        if isinstance(now, ItemError):
            return now
        series = now.item
        assert isinstance(series, Event)
        when = _when(removal.ref)
        rest = tuple(one for one in series.overrides if one.recurrence_id != when)
        exdates = tuple(sorted({*series.exdates, when}))
        outcome = self._write(folder, kind, now, replace(series, overrides=rest, exdates=exdates))
        return Written(ref=removal.ref) if isinstance(outcome, Written) else outcome

    def _now(self, folder: str, kind: Kind, ref: str, version: str) -> Snapshot | ItemError:
        """Return a series whose occurrence still has this version."""
        (now,) = self._inner.fetch(folder, kind, [Ask(ref=series_of(ref))])
        if not isinstance(now, Seen):
            return Gone("the series isn't there any more")
        one = unfolded(now.snapshot).get(ref)
        if one is None:
            return Gone("the occurrence isn't a changed one any more")
        return now.snapshot if one.version == version else Stale()

    def _write(self, folder: str, kind: Kind, now: Snapshot, after: Event) -> Outcome:
        changed = diff(now.item, after)
        if not changed:
            return Written(ref=now.ref, version=now.version, snapshot=now)
        revision = Revision(
            ref=now.ref, version=now.version, before=now.item, after=after, changed=changed
        )
        (outcome,) = self._inner.update(folder, kind, [revision])
        return outcome

    def folders(self) -> tuple[Folder, ...]:
        """Return the folders this principal can reach."""
        return self._inner.folders()

    def mark(self, folder: str, kind: Kind, marks: Sequence[Mark]) -> list[Outcome]:
        """Store the other side's ids on items."""
        return self._inner.mark(folder, kind, marks)

    def restore(self, folder: str, kind: Kind, ref: str) -> Outcome:
        """Bring a deleted item back under its own ref."""
        return self._inner.restore(folder, kind, ref)

    def close(self) -> None:
        """Let go of the CRM."""
        super().close()
        self._inner.close()


def _after(seen: Observation, held: Sequence[str]) -> Iterator[Observation]:
    """Yield what follows for the occurrences of a series; `held` are those that a device has."""
    if isinstance(seen, Deleted | Moved | OutOfScope):
        yield from (_of_series(seen, ref) for ref in held)
    elif isinstance(seen, Seen):
        now = unfolded(seen.snapshot)
        yield from map(Seen, now.values())
        yield from (Deleted(ref) for ref in held if ref not in now)


def _of_series(seen: Observation, ref: str) -> Observation:
    """Return what an observation of a series says of one occurrence."""
    if not isinstance(seen, Seen):
        return replace(seen, ref=ref)
    found = unfolded(seen.snapshot).get(ref)
    return Deleted(ref) if found is None else Seen(found)


def _meant(question: Question, found: Iterable[Snapshot]) -> Iterator[Snapshot]:
    """Yield what was made under a question's key, and the occurrence that its uid means."""
    for one in found:
        if question.key and one.key == question.key:
            yield one
            continue
        alone = unfolded(one).values()
        yield from (each for each in alone if each.item.uid == question.uid)


def _named(series: Event, entry: Event, when: datetime) -> Event:
    """Return an entry that says which occurrence of its series it is."""
    alone = dict(zip((one.recurrence_id for one in _shown(series)), split(series)[1:], strict=True))
    return replace(entry, extras={**entry.extras, RECURRENCE_ID: alone[when].extras[RECURRENCE_ID]})


def _shown(series: Event) -> list[Override]:
    return [one for one in series.overrides if one.recurrence_id not in series.exdates]


def _when(ref: str) -> datetime:
    found = _NAME.fullmatch(ref)
    assert found is not None
    return datetime.strptime(found["when"], _STAMP)
