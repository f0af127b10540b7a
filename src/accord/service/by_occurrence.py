"""Show series that the target has no pattern for by their occurrences, each an entry of its own.

Put around the CRM's session of a link whose rule says so. Nothing is stored: which occurrences
have copies the link's pairings tell. What is changed in such a copy changes its occurrence.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import BinaryIO, TypeVar, cast

import msgspec

from accord.model.diff import diff
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.model.observe import (
    Listing,
    Observation,
    Seen,
    Snapshot,
    Unchanged,
)
from accord.model.parts import Attachment
from accord.model.singles import (
    single,
    with_single,
    with_single_again,
    without_single,
)
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
from accord.ports.attachments import Attachments, KeepsFiles
from accord.ports.clock import Dated, Reading, Timed
from accord.ports.errors import Gone, Rejected, Stale
from accord.ports.session import OpenSession
from accord.service.carrying import Carrying, alone, parse_ref, ref_of

T = TypeVar("T", Revision, Removal, Mark)


def by_occurrence(inner: Session, carrying: Carrying) -> Session:
    """Return a session of events that shows unfit series by their occurrences."""
    if isinstance(inner, Attachments):
        return _WithFiles(inner, carrying)
    return ByOccurrence(inner, carrying)


class ByOccurrence(OpenSession):
    """Be the CRM as a user sees it, with some series taken apart."""

    def __init__(self, inner: Session, carrying: Carrying) -> None:
        """Show what `inner` tells."""
        self._inner, self._carrying = inner, carrying

    def why_whole(self, event: Event) -> str:
        """Return why a series isn't shown by occurrences."""
        return self._carrying.why_whole(event)

    def folders(self) -> tuple[Folder, ...]:
        """Return the folders."""
        return self._inner.folders()

    def changes(self, folder: str, kind: Kind, cursor: str, known: Known) -> Iterator[Listing]:
        """Yield what changed; of a series that is shown by occurrences each of them, or its end."""
        copied: Mapping[str, Collection[datetime]] | None = None
        for page in self._inner.changes(folder, kind, cursor, known):
            if not page.observations:
                yield page
                continue
            copied = self._carrying.copied() if copied is None else copied
            told: list[Observation] = []
            doubtful = []
            for each in page.observations:
                if isinstance(each, Unchanged) and each.ref in copied:
                    doubtful.append(each.ref)
                told += self._taken_apart(each, copied.get(each.ref, ()))
            for each in self._inner.fetch(folder, kind, [Ask(ref=ref) for ref in doubtful]):
                _, *occurrences = self._taken_apart(each, copied[each.ref])
                told += occurrences
            yield msgspec.structs.replace(page, observations=tuple(told))

    def fetch(self, folder: str, kind: Kind, asks: Sequence[Ask]) -> list[Observation]:
        """Say what each ref holds now; an occurrence is what its series says of it."""
        wanted: dict[str, set[datetime]] = {}
        for ask in asks:
            series, when = parse_ref(ask.ref)
            wanted.setdefault(series, set()).update([] if when is None else [when])
        own = {ask.ref: ask for ask in asks}
        whole = [own.get(ref, Ask(ref=ref)) for ref in wanted]
        answers = dict(zip(wanted, self._inner.fetch(folder, kind, whole), strict=True))
        told = {
            each.ref: each
            for series, answer in answers.items()
            for each in self._taken_apart(answer, wanted[series])
        }
        # What was found elsewhere may have another ref.
        return [told.get(ask.ref, answers[parse_ref(ask.ref)[0]]) for ask in asks]

    def lookup(
        self, folder: str, kind: Kind, questions: Sequence[Question]
    ) -> list[tuple[Snapshot, ...]]:
        """Find records by key, marker or uid; none that is shown by its occurrences."""
        found = self._inner.lookup(folder, kind, questions)
        return [tuple(each for each in some if self._is_whole(each)) for some in found]

    def create(self, folder: str, kind: Kind, drafts: Sequence[Draft]) -> list[Outcome]:
        """Create records."""
        return self._inner.create(folder, kind, drafts)

    def update(self, folder: str, kind: Kind, revisions: Sequence[Revision]) -> list[Outcome]:
        """Change records; what changes in an occurrence becomes its series' override."""
        hand = _Hand(self._inner, folder, kind)

        def one(each: Revision) -> Outcome:
            if "rule" in each.changed or "rdates" in each.changed:
                why = "one occurrence of a series can't become a series of its own"
                return Rejected(why, code="occurrence-repeats")
            edit = partial(_edited, revision=each)
            return self._shown(hand.change(each.ref, each.version, edit), each.ref)

        return _apart(revisions, lambda whole: self._inner.update(folder, kind, whole), one)

    def delete(self, folder: str, kind: Kind, removals: Sequence[Removal]) -> list[Outcome]:
        """Delete records; an occurrence is left out of its series."""
        hand = _Hand(self._inner, folder, kind)

        def one(each: Removal) -> Outcome:
            outcome = hand.change(each.ref, each.version, without_single)
            return Written(ref=each.ref) if isinstance(outcome, Written) else outcome

        return _apart(removals, lambda whole: self._inner.delete(folder, kind, whole), one)

    def mark(self, folder: str, kind: Kind, marks: Sequence[Mark]) -> list[Outcome]:
        """Store markers on records; an occurrence has no place for one of its own."""
        return _apart(
            marks,
            lambda whole: self._inner.mark(folder, kind, whole),
            lambda each: Written(ref=each.ref),
        )

    def restore(self, folder: str, kind: Kind, ref: str) -> Outcome:
        """Bring a record back, or an occurrence that was left out of its series."""
        if parse_ref(ref)[1] is None:
            return self._inner.restore(folder, kind, ref)
        outcome = _Hand(self._inner, folder, kind).change(ref, "", with_single_again)
        return self._shown(outcome, ref)

    def clock(self) -> Reading | None:
        """Return what was seen of the CRM's clock; None where it doesn't tell."""
        return self._inner.clock() if isinstance(self._inner, Timed) else None

    def edited(self, snapshots: Sequence[Snapshot]) -> Mapping[str, datetime]:
        """Return when records were edited; an occurrence when its series was."""
        if not isinstance(self._inner, Dated):
            return {each.ref: each.modified for each in snapshots if each.modified is not None}
        whole = {
            series: msgspec.structs.replace(each, ref=series)
            for each in snapshots
            for series in [parse_ref(each.ref)[0]]
        }
        times = self._inner.edited(list(whole.values()))
        return {
            each.ref: times[series]
            for each in snapshots
            for series in [parse_ref(each.ref)[0]]
            if series in times
        }

    def close(self) -> None:
        """Close the session behind it."""
        super().close()
        self._inner.close()

    def _is_whole(self, snapshot: Snapshot) -> bool:
        return isinstance(self._carrying.told(snapshot).whole, Seen)

    def _taken_apart(
        self, observation: Observation, wanted: Collection[datetime]
    ) -> Iterator[Observation]:
        """Yield what is said of a record, and then what of its occurrences."""
        if isinstance(observation, Seen):
            told = self._carrying.told(observation.snapshot, wanted)
            yield told.whole
            yield from told.occurrences.values()
            return
        yield observation
        if isinstance(observation, Unchanged):
            return
        for when in wanted:
            yield msgspec.structs.replace(observation, ref=ref_of(observation.ref, when))

    def _shown(self, outcome: Outcome, ref: str) -> Outcome:
        """Return what a write to a series left behind as said of one occurrence."""
        if not isinstance(outcome, Written):
            return outcome
        (_, when), whole = parse_ref(ref), outcome.snapshot
        if whole is None or when is None or not isinstance(whole.item, Event):
            return Written(ref=ref, version=outcome.version)
        one = single(whole.item, when)
        shown = None if one is None else alone(whole, when, one)
        return Written(ref=ref, version=outcome.version, snapshot=shown)


class _WithFiles(ByOccurrence):
    """Be the same over a CRM that keeps files; those of a series stay with it."""

    @property
    def room(self) -> int:
        """Return how many bytes the files on one record may have together."""
        return self._files.room

    def open_file(self, folder: str, kind: Kind, ref: str, uri: str) -> Iterator[bytes]:
        """Yield the bytes of a file."""
        return self._files.open_file(folder, kind, ref, uri)

    def open_kept(self, folder: str, kind: Kind, ref: str, uri: str) -> Iterator[bytes]:
        """Yield the bytes of a file that hangs on a record, or did so."""
        return cast(KeepsFiles, self._inner).open_kept(folder, kind, ref, uri)

    def attach(self, folder: str, kind: Kind, ref: str, file: Attachment, content: BinaryIO) -> str:
        """Hang a file on a record; raises Rejected for one occurrence."""
        _refuse_files(ref)
        return self._files.attach(folder, kind, ref, file, content)

    def detach(self, folder: str, kind: Kind, ref: str, uri: str, *, forget: bool = False) -> None:
        """Take a file off a record; raises Rejected for one occurrence."""
        _refuse_files(ref)
        self._files.detach(folder, kind, ref, uri, forget=forget)

    @property
    def _files(self) -> Attachments:
        return cast(Attachments, self._inner)


class _Hand:
    """Change series occurrence by occurrence; what was changed just before stands."""

    def __init__(self, inner: Session, folder: str, kind: Kind) -> None:
        self._inner, self._folder, self._kind = inner, folder, kind
        self._moved: dict[str, tuple[str, str]] = {}

    def change(self, ref: str, version: str, edit: Callable[[Event, datetime], Event]) -> Outcome:
        """Edit the series of an occurrence where that version of it stands, whichever if empty."""
        series, when = parse_ref(ref)
        (found,) = self._inner.fetch(self._folder, self._kind, [Ask(ref=series)])
        if not isinstance(found, Seen) or when is None:
            return Gone(f"{series}: there is no such series any more")
        snapshot = found.snapshot
        stands = version in ("", snapshot.version)
        if not stands and self._moved.get(series) != (version, snapshot.version):
            return Stale(f"{series} has changed")
        before = snapshot.item
        if not isinstance(before, Event):
            return Gone(f"{series} is no event any more")
        after = edit(before, when)
        changed = diff(before, after)
        if not changed:
            return Written(ref=series, version=snapshot.version, snapshot=snapshot)
        revision = Revision(
            ref=series,
            version=snapshot.version,
            before=before,
            after=after,
            changed=changed,
        )
        (outcome,) = self._inner.update(self._folder, self._kind, [revision])
        if isinstance(outcome, Written):
            self._moved[series] = (version, outcome.version)
        return outcome


def _apart(
    asked: Sequence[T],
    whole: Callable[[Sequence[T]], list[Outcome]],
    one: Callable[[T], Outcome],
) -> list[Outcome]:
    """Answer what is asked about records together, and about occurrences one by one."""
    records = [each for each in asked if parse_ref(each.ref)[1] is None]
    told = iter(whole(records) if records else ())
    return [next(told) if parse_ref(each.ref)[1] is None else one(each) for each in asked]


def _edited(series: Event, when: datetime, revision: Revision) -> Event:
    return with_single(series, when, cast(Event, revision.after), revision.changed)


def _refuse_files(ref: str) -> None:
    if parse_ref(ref)[1] is not None:
        raise Rejected("files of one occurrence stay with its series", code="files-of-occurrence")
