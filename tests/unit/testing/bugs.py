"""Faults that real adapters had, each planted into an adapter that is right without it.

A bug is a session around a memory session with one call spoiled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from accord.model.diff import patch
from accord.model.files import files_of
from accord.model.item import Event, Item
from accord.model.kinds import Kind
from accord.model.observe import (
    Completeness,
    Deleted,
    Denied,
    Listing,
    Moved,
    Observation,
    OutOfScope,
    Seen,
    Snapshot,
    Unchanged,
    Unknown,
)
from accord.ports import errors
from accord.ports.adapter import (
    Ask,
    Draft,
    Hint,
    Known,
    Mark,
    Outcome,
    Question,
    Removal,
    Revision,
    Written,
)
from accord.ports.clock import Reading

replace = msgspec.structs.replace


class Bug:
    """Be the session itself; subclasses spoil one call of it."""

    def __init__(self, inner: Any, adapter: Any) -> None:
        self.inner = inner
        self.adapter = adapter

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.inner.close()

    def one(self, folder: str, kind: Kind, ref: str) -> Snapshot | None:
        (found,) = self.inner.fetch(folder, kind, [Ask(ref=ref)])
        return found.snapshot if isinstance(found, Seen) else None


class Buggy:
    """Be an adapter whose sessions have a bug."""

    def __init__(self, inner: Any, bug: type[Bug]) -> None:
        self.inner = inner
        self.bug = bug
        self.extra = 0
        self.memory: dict[Any, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @property
    def requests(self) -> int:
        return int(self.inner.requests) + self.extra

    def open(self, principal: str) -> Any:
        return self.bug(self.inner.open(principal), self)


# files


class FilesAreCutShort(Bug):
    def open_file(self, *given: Any) -> Iterator[bytes]:
        yield next(self.inner.open_file(*given))[:1_000_000]


class FilesLoseTheirNames(Bug):
    def attach(self, *given: Any) -> str:
        file = replace(given[3], name=given[3].name.encode("ascii", "ignore").decode())
        return str(self.inner.attach(*given[:3], file, given[4]))


class AnEditTakesFilesOff(Bug):
    def update(self, folder: str, kind: Kind, revisions: Sequence[Revision]) -> list[Outcome]:
        answers = list(self.inner.update(folder, kind, revisions))
        for one in revisions:
            for file in getattr(one.before, "attachments", ()):
                self.inner.detach(folder, kind, one.ref, file.uri)
        return answers


class OneTakenOffTakesAll(Bug):
    def detach(self, folder: str, kind: Kind, ref: str, uri: str) -> None:
        found = self.one(folder, kind, ref)
        for file in getattr(found.item, "attachments", ()) if found else ():
            self.inner.detach(folder, kind, ref, file.uri)


class WhatIsGoneTakesFiles(Bug):
    def attach(self, *given: Any) -> str:
        try:
            return str(self.inner.attach(*given))
        except errors.Gone:
            return ""


class AFileIsNoChange(Bug):
    """Its versions forget the files: an update in the former one is taken."""

    def update(self, folder: str, kind: Kind, revisions: Sequence[Revision]) -> list[Outcome]:
        return list(
            self.inner.update(folder, kind, [self._now(folder, kind, r) for r in revisions])
        )

    def _now(self, folder: str, kind: Kind, revision: Revision) -> Revision:
        found = self.one(folder, kind, revision.ref)
        return revision if found is None else replace(revision, version=found.version)


class PhotosLoseTheirEnds(Bug):
    def open_file(self, *given: Any) -> Iterator[bytes]:
        yield b"".join(self.inner.open_file(*given))[:-1]


class TheFirstPhotoStays(Bug):
    def attach(self, *given: Any) -> str:
        found = self.one(*given[:3])
        held = files_of(found.item) if found else ()
        return held[0].uri if held else str(self.inner.attach(*given))


class AnEditTakesThePhotoOff(Bug):
    def update(self, folder: str, kind: Kind, revisions: Sequence[Revision]) -> list[Outcome]:
        answers = list(self.inner.update(folder, kind, revisions))
        for one in revisions:
            for file in files_of(one.before):
                self.inner.detach(folder, kind, one.ref, file.uri)
        return answers


class PhotosStayForEver(Bug):
    def detach(self, *given: Any) -> None:
        pass


# writes


class CreateIgnoresTheKey(Bug):
    count = 0

    def create(self, folder: str, kind: Kind, drafts: Sequence[Draft]) -> list[Outcome]:
        CreateIgnoresTheKey.count += 1
        drafts = [replace(d, key=f"{d.key}-{self.count}-{n}") for n, d in enumerate(drafts)]
        return list(self.inner.create(folder, kind, drafts))


class KeyIsKnownOnlyInItsSession(Bug):
    def create(self, folder: str, kind: Kind, drafts: Sequence[Draft]) -> list[Outcome]:
        drafts = [replace(d, key=f"{d.key}-{id(self)}") for d in drafts]
        return list(self.inner.create(folder, kind, drafts))


class KeyIsForgottenWithinABatch(Bug):
    def create(self, folder: str, kind: Kind, drafts: Sequence[Draft]) -> list[Outcome]:
        keys = [d.key for d in drafts]
        drafts = [
            replace(d, key=f"{d.key}-{n}") if d.key in keys[:n] else d for n, d in enumerate(drafts)
        ]
        return list(self.inner.create(folder, kind, drafts))


class SecondCreateOverwrites(Bug):
    def create(self, folder: str, kind: Kind, drafts: Sequence[Draft]) -> list[Outcome]:
        answers = []
        for draft in drafts:
            (answer,) = self.inner.create(folder, kind, [draft])
            if isinstance(answer, Written) and answer.snapshot:
                title = "full_name" if kind is Kind.CONTACT else "title"
                revision = Revision(
                    ref=answer.ref,
                    version=answer.version,
                    before=answer.snapshot.item,
                    after=draft.item,
                    changed=(title,),
                )
                (answer,) = self.inner.update(folder, kind, [revision])
            answers.append(answer)
        return answers


class EqualItemsAreOne(Bug):
    def create(self, folder: str, kind: Kind, drafts: Sequence[Draft]) -> list[Outcome]:
        keys = self.adapter.memory
        drafts = [replace(d, key=keys.setdefault(repr(d.item), d.key)) for d in drafts]
        return list(self.inner.create(folder, kind, drafts))


class BatchStopsAtTheFirstError(Bug):
    def update(self, folder: str, kind: Kind, revisions: Sequence[Revision]) -> list[Outcome]:
        answers: list[Outcome] = []
        for revision in revisions:
            if answers and not isinstance(answers[-1], Written):
                answers.append(errors.Rejected("not tried"))
            else:
                answers += self.inner.update(folder, kind, [revision])
        return answers


class BatchRaisesItsError(Bug):
    def update(self, folder: str, kind: Kind, revisions: Sequence[Revision]) -> list[Outcome]:
        answers = self.inner.update(folder, kind, revisions)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return list(answers)


class BatchLeavesErrorsOut(Bug):
    def delete(self, folder: str, kind: Kind, removals: Sequence[Removal]) -> list[Outcome]:
        answers = self.inner.delete(folder, kind, removals)
        return [answer for answer in answers if isinstance(answer, Written)]


class EmptyBatchFails(Bug):
    def update(self, folder: str, kind: Kind, revisions: Sequence[Revision]) -> list[Outcome]:
        assert revisions[0].ref
        return list(self.inner.update(folder, kind, revisions))


class UpdateIgnoresTheVersion(Bug):
    def update(self, folder: str, kind: Kind, revisions: Sequence[Revision]) -> list[Outcome]:
        now = [self.one(folder, kind, r.ref) for r in revisions]
        fresh = [
            replace(r, version=n.version if n else "") for r, n in zip(revisions, now, strict=True)
        ]
        return list(self.inner.update(folder, kind, fresh))


class DeleteIgnoresTheVersion(Bug):
    def delete(self, folder: str, kind: Kind, removals: Sequence[Removal]) -> list[Outcome]:
        now = [self.one(folder, kind, r.ref) for r in removals]
        fresh = [
            replace(r, version=n.version if n else "") for r, n in zip(removals, now, strict=True)
        ]
        return list(self.inner.delete(folder, kind, fresh))


class DeletingWhatIsGoneSucceeds(Bug):
    def delete(self, folder: str, kind: Kind, removals: Sequence[Removal]) -> list[Outcome]:
        answers = self.inner.delete(folder, kind, removals)
        return [
            Written(ref=r.ref) if isinstance(a, errors.Gone) else a
            for r, a in zip(removals, answers, strict=True)
        ]


class UpdateRecreatesWhatIsGone(Bug):
    def update(self, folder: str, kind: Kind, revisions: Sequence[Revision]) -> list[Outcome]:
        answers: list[Outcome] = []
        for revision in revisions:
            (answer,) = self.inner.update(folder, kind, [revision])
            if isinstance(answer, errors.Gone):
                draft = Draft(item=revision.after, key=f"again-{revision.ref}")
                (answer,) = self.inner.create(folder, kind, [draft])
            answers.append(answer)
        return answers


class UpdateDropsOwnFields(Bug):
    def update(self, folder: str, kind: Kind, revisions: Sequence[Revision]) -> list[Outcome]:
        bare = [
            replace(r, after=patch(r.after, {"extras": {}}), changed=(*r.changed, "extras"))
            for r in revisions
        ]
        return list(self.inner.update(folder, kind, bare))


class UpdateResetsCategories(Bug):
    def update(self, folder: str, kind: Kind, revisions: Sequence[Revision]) -> list[Outcome]:
        bare = [
            replace(r, after=patch(r.after, {"categories": ()}), changed=(*r.changed, "categories"))
            for r in revisions
        ]
        return list(self.inner.update(folder, kind, bare))


class UpdateNeverEmptiesAField(Bug):
    def update(self, folder: str, kind: Kind, revisions: Sequence[Revision]) -> list[Outcome]:
        filled = [
            replace(r, changed=tuple(n for n in r.changed if getattr(r.after, n)))
            for r in revisions
        ]
        return list(self.inner.update(folder, kind, filled))


class UpdateForgetsOtherPrograms(Bug):
    def update(self, folder: str, kind: Kind, revisions: Sequence[Revision]) -> list[Outcome]:
        entries = self.inner._box.entries
        for ref in [revision.ref for revision in revisions]:
            entries[ref] = replace(entries[ref], others={})
        return list(self.inner.update(folder, kind, revisions))


class UpdateSaysTheOldVersion(Bug):
    def update(self, folder: str, kind: Kind, revisions: Sequence[Revision]) -> list[Outcome]:
        answers = self.inner.update(folder, kind, revisions)
        return [
            replace(a, version=r.version) if isinstance(a, Written) else a
            for r, a in zip(revisions, answers, strict=True)
        ]


class UpdateLosesTheMarker(Bug):
    def update(self, folder: str, kind: Kind, revisions: Sequence[Revision]) -> list[Outcome]:
        lost = [replace(r, marker=r.marker or "none") for r in revisions]
        return list(self.inner.update(folder, kind, lost))


class MarkSaysAVersionThatNeverWas(Bug):
    def mark(self, folder: str, kind: Kind, marks: Sequence[Mark]) -> list[Outcome]:
        answers = self.inner.mark(folder, kind, marks)
        return [replace(a, version="0") if isinstance(a, Written) else a for a in answers]


class MarkWritesIntoTheCategories(Bug):
    def mark(self, folder: str, kind: Kind, marks: Sequence[Mark]) -> list[Outcome]:
        for mark in marks:
            now = self.one(folder, kind, mark.ref)
            if now:
                after = patch(now.item, {"categories": (*now.item.categories, mark.marker)})
                revision = Revision(
                    ref=now.ref,
                    version=now.version,
                    before=now.item,
                    after=after,
                    changed=("categories",),
                )
                self.inner.update(folder, kind, [revision])
        return list(self.inner.mark(folder, kind, marks))


class TheClockIsAskedFor(Bug):
    def clock(self) -> Reading | None:
        self.inner.folders()
        told: Reading | None = self.inner.clock()
        return told


class WhenItWasEditedIsToldOfAnyVersion(Bug):
    def edited(self, snapshots: Sequence[Snapshot]) -> dict[str, datetime]:
        return {snapshot.ref: datetime.now(UTC) for snapshot in snapshots}


class RestoreGivesANewRef(Bug):
    def restore(self, folder: str, kind: Kind, ref: str) -> Outcome:
        back: Outcome = self.inner.restore(folder, kind, ref)
        return replace(back, ref=f"{ref}-new") if isinstance(back, Written) else back


def storing(change: Callable[[Item], Item]) -> type[Bug]:
    """Return the bug of storing something else than what was given."""

    class StoresSomethingElse(Bug):
        def create(self, folder: str, kind: Kind, drafts: Sequence[Draft]) -> list[Outcome]:
            changed = [replace(d, item=change(d.item)) for d in drafts]
            return list(self.inner.create(folder, kind, changed))

        def update(self, folder: str, kind: Kind, revisions: Sequence[Revision]) -> list[Outcome]:
            changed = [replace(r, after=change(r.after)) for r in revisions]
            return list(self.inner.update(folder, kind, changed))

    StoresSomethingElse.__qualname__ = f"Stores_{change.__name__}"
    return StoresSomethingElse


def without(*fields: str) -> type[Bug]:
    """Return the bug of not storing some fields."""

    def drop(item: Item) -> Item:
        names = [name for name in fields if hasattr(item, name)]
        return patch(item, {name: getattr(_empty(item), name) for name in names})

    drop.__name__ = f"without_{'_'.join(fields)}"
    return storing(drop)


def _empty(item: Item) -> Item:
    required = {n: getattr(item, n) for n in ("start", "end") if getattr(item, n, None)}
    return type(item)(**required)


def cut_title(item: Item) -> Item:
    name = "full_name" if hasattr(item, "full_name") else "title"
    return patch(item, {name: getattr(item, name)[:64]})


def a_day_late(item: Item) -> Item:
    if not isinstance(item, Event) or not item.all_day:
        return item
    day = timedelta(days=1)
    return patch(item, {"start": item.start + day, "end": item.end + day})


def no_seconds(item: Item) -> Item:
    if not isinstance(item, Event):
        return item
    return patch(item, {n: getattr(item, n).replace(second=0) for n in ("start", "end")})


def in_utc(item: Item) -> Item:
    zone = getattr(item, "time_zone", None)
    return patch(item, {"time_zone": "UTC"}) if zone else item


def no_line_breaks(item: Item) -> Item:
    body = getattr(item, "body", None)
    if body is None:
        return item
    return patch(item, {"body": replace(body, text=body.text.replace("\n", " "))})


def no_backslashes(item: Item) -> Item:
    name = "full_name" if hasattr(item, "full_name") else "title"
    return patch(item, {name: getattr(item, name).replace("\\", "")})


def own_uid(item: Item) -> Item:
    return patch(item, {"uid": ""})


# listings


class _Pages(Bug):
    """Change the pages of a pull."""

    def changes(self, folder: str, kind: Kind, cursor: str, known: Known) -> Iterator[Listing]:
        yield from self.spoil(list(self.inner.changes(folder, kind, cursor, known)), cursor)

    def spoil(self, pages: list[Listing], cursor: str) -> list[Listing]:
        return pages

    def keep(self, pages: list[Listing], test: Callable[[Observation], bool]) -> list[Listing]:
        return [
            replace(page, observations=tuple(one for one in page.observations if test(one)))
            for page in pages
        ]


class TombstonesAreLost(_Pages):
    def spoil(self, pages: list[Listing], cursor: str) -> list[Listing]:
        return self.keep(pages, lambda one: not isinstance(one, Deleted | OutOfScope))


class UnreadableItemsAreLeftOut(_Pages):
    def spoil(self, pages: list[Listing], cursor: str) -> list[Listing]:
        return self.keep(pages, lambda one: not isinstance(one, Unknown))


class AdditionsAreLost(_Pages):
    def spoil(self, pages: list[Listing], cursor: str) -> list[Listing]:
        if cursor:
            return self.keep(pages, lambda one: not isinstance(one, Seen))
        return pages


class APageIsMissing(_Pages):
    def spoil(self, pages: list[Listing], cursor: str) -> list[Listing]:
        return pages[1:] if len(pages) > 1 else pages


class PagesOverlap(_Pages):
    def spoil(self, pages: list[Listing], cursor: str) -> list[Listing]:
        for at in range(1, len(pages)):
            last = pages[at - 1].observations[-1:]
            pages[at] = replace(pages[at], observations=last + pages[at].observations)
        return pages


class EveryPageSaysComplete(_Pages):
    def spoil(self, pages: list[Listing], cursor: str) -> list[Listing]:
        return [
            replace(page, completeness=Completeness.COMPLETE)
            if page.completeness is Completeness.PARTIAL
            else page
            for page in pages
        ]


class NoPageSaysComplete(_Pages):
    def spoil(self, pages: list[Listing], cursor: str) -> list[Listing]:
        return [
            replace(page, completeness=Completeness.PARTIAL)
            if page.completeness is Completeness.COMPLETE
            else page
            for page in pages
        ]


class EveryDeltaCursorIsTheLast(_Pages):
    def spoil(self, pages: list[Listing], cursor: str) -> list[Listing]:
        if pages[-1].completeness is not Completeness.DELTA:
            return pages
        return [replace(page, cursor=pages[-1].cursor) for page in pages]


class CursorIsTakenAtTheEnd(Bug):
    def changes(self, folder: str, kind: Kind, cursor: str, known: Known) -> Iterator[Listing]:
        for page in self.inner.changes(folder, kind, cursor, known):
            if page.completeness is Completeness.COMPLETE:
                late = list(self.inner.changes(folder, kind, "", known))[-1].cursor
                page = replace(page, cursor=late)
            yield page


class DeletionsDuringAPullAreForgotten(Bug):
    def changes(self, folder: str, kind: Kind, cursor: str, known: Known) -> Iterator[Listing]:
        hidden = self.adapter.memory.setdefault("hidden", set())
        during = 0
        for page in self.inner.changes(folder, kind, cursor, known):
            if cursor and hidden:
                page = replace(
                    page,
                    observations=tuple(o for o in page.observations if o.ref not in hidden),
                )
            yield page
            if page.completeness is Completeness.PARTIAL and not during:
                during = 1
                seen = [one.ref for one in page.observations]
                asked = self.inner.fetch(folder, kind, [Ask(ref=ref) for ref in seen])
                hidden.update(one.ref for one in asked if not isinstance(one, Seen))


class ExpiredCursorListsEverything(Bug):
    def changes(self, folder: str, kind: Kind, cursor: str, known: Known) -> Iterator[Listing]:
        pages = list(self.inner.changes(folder, kind, cursor, known))
        if pages[0].completeness is Completeness.LOST:
            pages = list(self.inner.changes(folder, kind, "", known))
        yield from pages


class ExpiredCursorIsSilence(_Pages):
    def spoil(self, pages: list[Listing], cursor: str) -> list[Listing]:
        return [
            Listing(completeness=Completeness.DELTA, cursor=cursor)
            if page.completeness is Completeness.LOST
            else page
            for page in pages
        ]


class ExpiredCursorRaises(_Pages):
    def spoil(self, pages: list[Listing], cursor: str) -> list[Listing]:
        if pages[0].completeness is Completeness.LOST:
            raise errors.CursorExpired
        return pages


class CursorsWorkOnce(_Pages):
    def spoil(self, pages: list[Listing], cursor: str) -> list[Listing]:
        used = self.adapter.memory
        if cursor and cursor in used:
            pages = self.keep(pages, lambda one: one.ref not in used[cursor])
        elif cursor:
            used[cursor] = {one.ref for page in pages for one in page.observations}
        return pages


class UnchangedIsSaidOfAllThatIsKnown(Bug):
    def changes(self, folder: str, kind: Kind, cursor: str, known: Known) -> Iterator[Listing]:
        for page in self.inner.changes(folder, kind, cursor, lambda refs: {}):
            have = known([one.ref for one in page.observations])
            yield replace(
                page,
                observations=tuple(
                    Unchanged(one.ref) if isinstance(one, Seen) and one.ref in have else one
                    for one in page.observations
                ),
            )


class ADeltaNamesEverything(Bug):
    def changes(self, folder: str, kind: Kind, cursor: str, known: Known) -> Iterator[Listing]:
        pages = list(self.inner.changes(folder, kind, cursor, known))
        if pages[-1].completeness is Completeness.DELTA:
            everything = self.inner.changes(folder, kind, "", lambda refs: {})
            for page in everything:
                yield Listing(
                    completeness=Completeness.DELTA,
                    observations=page.observations,
                    cursor=pages[-1].cursor,
                )
            return
        yield from pages


class WhatADeltaDoesNotNameIsDeleted(Bug):
    def changes(self, folder: str, kind: Kind, cursor: str, known: Known) -> Iterator[Listing]:
        for page in self.inner.changes(folder, kind, cursor, known):
            if page.completeness is Completeness.DELTA:
                named = {one.ref for one in page.observations}
                rest = [
                    one.ref
                    for each in self.inner.changes(folder, kind, "", known)
                    for one in each.observations
                    if one.ref not in named
                ]
                gone = tuple(Deleted(ref) for ref in rest)
                page = replace(page, observations=page.observations + gone)
            yield page


class APullCostsARequestForEachItem(Bug):
    def changes(self, folder: str, kind: Kind, cursor: str, known: Known) -> Iterator[Listing]:
        for page in self.inner.changes(folder, kind, "", known):
            self.adapter.extra += len(page.observations)
        yield from self.inner.changes(folder, kind, cursor, known)


class OnePaysForAll(Bug):
    def changes(self, folder: str, kind: Kind, cursor: str, known: Known) -> Iterator[Listing]:
        self.adapter.extra += 1
        yield from self.inner.changes(folder, kind, cursor, known)


class ListingShowsOldVersions(_Pages):
    def spoil(self, pages: list[Listing], cursor: str) -> list[Listing]:
        return [
            replace(
                page,
                observations=tuple(
                    Seen(replace(one.snapshot, version="1")) if isinstance(one, Seen) else one
                    for one in page.observations
                ),
            )
            for page in pages
        ]


# single items


class _Found(Bug):
    """Change what a fetch finds."""

    def fetch(self, folder: str, kind: Kind, asks: Sequence[Ask]) -> list[Observation]:
        return self.spoil(list(self.inner.fetch(folder, kind, asks)))

    def spoil(self, found: list[Observation]) -> list[Observation]:
        return found


class FetchLeavesOutWhatIsMissing(_Found):
    def spoil(self, found: list[Observation]) -> list[Observation]:
        return [one for one in found if isinstance(one, Seen)]


class FetchAnswersInItsOwnOrder(_Found):
    def spoil(self, found: list[Observation]) -> list[Observation]:
        return sorted(found, key=lambda one: one.ref)


class FetchRaisesForWhatIsMissing(_Found):
    def spoil(self, found: list[Observation]) -> list[Observation]:
        for one in found:
            if isinstance(one, Deleted):
                raise errors.Gone
        return found


class MovedIsSaidToBeDeleted(_Found):
    def spoil(self, found: list[Observation]) -> list[Observation]:
        return [Deleted(one.ref) if isinstance(one, Moved) else one for one in found]


class UnreadableIsSaidToBeDeleted(_Found):
    def spoil(self, found: list[Observation]) -> list[Observation]:
        return [Deleted(one.ref) if isinstance(one, Unknown) else one for one in found]


class DeniedIsSaidToBeDeleted(_Found):
    def spoil(self, found: list[Observation]) -> list[Observation]:
        return [Deleted(one.ref) if isinstance(one, Denied) else one for one in found]


class OutOfScopeIsSaidToBeDeleted(_Found):
    def spoil(self, found: list[Observation]) -> list[Observation]:
        return [Deleted(one.ref) if isinstance(one, OutOfScope) else one for one in found]


class OutOfScopeIsListedAsDeleted(_Pages):
    def spoil(self, pages: list[Listing], cursor: str) -> list[Listing]:
        return [
            replace(
                page,
                observations=tuple(
                    Deleted(one.ref) if isinstance(one, OutOfScope) else one
                    for one in page.observations
                ),
            )
            for page in pages
        ]


class FetchShowsNoMarker(_Found):
    def spoil(self, found: list[Observation]) -> list[Observation]:
        return [
            Seen(replace(one.snapshot, marker="")) if isinstance(one, Seen) else one
            for one in found
        ]


class LookupIgnoresTheUid(Bug):
    def lookup(
        self, folder: str, kind: Kind, questions: Sequence[Question]
    ) -> list[tuple[Snapshot, ...]]:
        bare = [replace(question, uid="") for question in questions]
        return list(self.inner.lookup(folder, kind, bare))


class LookupFindsOnlyTheFirst(Bug):
    def lookup(
        self, folder: str, kind: Kind, questions: Sequence[Question]
    ) -> list[tuple[Snapshot, ...]]:
        return [many[:1] for many in self.inner.lookup(folder, kind, questions)]


class LookupLeavesOutWhatItDoesNotFind(Bug):
    def lookup(
        self, folder: str, kind: Kind, questions: Sequence[Question]
    ) -> list[tuple[Snapshot, ...]]:
        return [many for many in self.inner.lookup(folder, kind, questions) if many]


class LookupRemembersWhatWasDeleted(Bug):
    def lookup(
        self, folder: str, kind: Kind, questions: Sequence[Question]
    ) -> list[tuple[Snapshot, ...]]:
        found = list(self.inner.lookup(folder, kind, questions))
        return [
            many or self.adapter.memory.get(q, ()) for many, q in zip(found, questions, strict=True)
        ]

    def delete(self, folder: str, kind: Kind, removals: Sequence[Removal]) -> list[Outcome]:
        for removal in removals:
            now = self.one(folder, kind, removal.ref)
            if now:
                for question in (Question(key=now.key), Question(uid=now.item.uid)):
                    self.adapter.memory[question] = (now,)
        return list(self.inner.delete(folder, kind, removals))


class ClosedSessionsAnswer(Bug):
    def close(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


class EveryCreateMails(Bug):
    def create(self, folder: str, kind: Kind, drafts: Sequence[Draft]) -> list[Outcome]:
        return list(self.inner.create(folder, kind, [replace(d, notify=True) for d in drafts]))


class NothingEverMails(Bug):
    def create(self, folder: str, kind: Kind, drafts: Sequence[Draft]) -> list[Outcome]:
        return list(self.inner.create(folder, kind, [replace(d, notify=False) for d in drafts]))


# the CRM


class LostHintsAreSilence(Buggy):
    def hints(self, cursor: str) -> tuple[tuple[Hint, ...], str]:
        try:
            return self.inner.hints(cursor)
        except errors.CursorExpired:
            return (), self.inner.hints("")[1]


class HintsForgetWhoLeft(Buggy):
    def hints(self, cursor: str) -> tuple[tuple[Hint, ...], str]:
        hints, after = self.inner.hints(cursor)
        live = self.inner.store.records
        return tuple(
            replace(h, principals=h.principals & live[h.ref].users) for h in hints if h.ref in live
        ), after


class HintsComeTwice(Buggy):
    def hints(self, cursor: str) -> tuple[tuple[Hint, ...], str]:
        return self.inner.hints(cursor)[0], cursor or self.inner.hints("")[1]


class AddressesAreComparedLiterally(Buggy):
    def users(self, addresses: Sequence[str]) -> Mapping[str, str]:
        found = self.inner.users(addresses)
        return {address: found[address] for address in addresses if address in found}


class AmbiguousContactsAreGuessed(Buggy):
    def contacts(self, addresses: Sequence[str]) -> Mapping[str, str]:
        guessed = dict.fromkeys((a.casefold() for a in addresses if "nobody" not in a), "contact-1")
        return {**guessed, **self.inner.contacts(addresses)}


class WritingNeedsNoRight(Bug):
    def update(self, folder: str, kind: Kind, revisions: Sequence[Revision]) -> list[Outcome]:
        return [Written(ref=r.ref, version=r.version) for r in revisions]


class EverybodySeesEverything(_Pages):
    def spoil(self, pages: list[Listing], cursor: str) -> list[Listing]:
        with self.adapter.inner.open("ann") as other:
            every = list(other.changes("", Kind.TASK, "", lambda refs: {}))
        return every if not cursor else pages


class MarkersAreShared(Bug):
    def mark(self, folder: str, kind: Kind, marks: Sequence[Mark]) -> list[Outcome]:
        for user in ("ann", "bob"):
            with self.adapter.inner.open(user) as other:
                other.mark(folder, kind, marks)
        return list(self.inner.mark(folder, kind, marks))


class AMarkIsARevision(Bug):
    def mark(self, folder: str, kind: Kind, marks: Sequence[Mark]) -> list[Outcome]:
        for mark in marks:
            self.adapter.inner.person("ann").touch(mark.ref)
        return list(self.inner.mark(folder, kind, marks))
