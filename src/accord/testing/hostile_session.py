"""A session that plays tricks: in listings, in fetches and around writes.

Everything is done by the wrapped session; this one only spoils, repeats, hides and forgets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from accord.model.diff import patch
from accord.model.item import Item
from accord.model.kinds import Kind
from accord.model.observe import (
    Completeness,
    Denied,
    Listing,
    Observation,
    Seen,
    Snapshot,
    Unknown,
)
from accord.model.parts import Body
from accord.model.traits import Traits
from accord.ports import errors
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
from accord.ports.session import OpenSession
from accord.testing.hostility import Hostility, Trick
from accord.testing.versions import Versions

TEXTS = ("title", "full_name", "location", "notes", "message", "body")


class Versioned(Protocol):
    """Be something that names a ref and the version it must be in."""

    @property
    def ref(self) -> str:
        """Return the ref."""
        ...

    @property
    def version(self) -> str:
        """Return the version."""
        ...


T = TypeVar("T")
V = TypeVar("V", bound=Versioned)


class HostileSession(OpenSession):
    """Be a session around another one; Retry stands for timeouts, resets and busy servers."""

    def __init__(
        self,
        session: Session,
        principal: str,
        hostility: Hostility,
        versions: Versions,
        traits: Traits,
    ) -> None:
        """Wrap the `session` opened for `principal`."""
        self._session = session
        self._principal = principal
        self._hostility = hostility
        self._versions = versions
        self._traits = traits

    def folders(self) -> tuple[Folder, ...]:
        """Return the folders, or raise Retry."""
        throttle(self._hostility, "folders")
        return self._session.folders()

    def changes(self, folder: str, kind: Kind, cursor: str, known: Known) -> Iterator[Listing]:
        """Yield the pages: shuffled, repeated, cut short, lost or interrupted by Retry."""
        throttle(self._hostility, "changes")
        if cursor and self._hostility.plays(Trick.EXPIRE, "changes", cursor):
            yield Listing(completeness=Completeness.LOST)
            return
        place = (self._principal, folder, kind)
        if self._hostility.plays(Trick.TOUCH, "changes"):
            for ref in self._hostility.choose(self._versions.seen(place), 3):
                self._touch(place, ref)
        due = self._versions.due(place, cursor)
        pages = self._session.changes(folder, kind, cursor, self._knowing(known))
        pages = self._mixed(pages)
        if self._hostility.plays(Trick.HALVE, "changes"):
            pages = self._halved(pages)
        for number, page in enumerate(pages):
            if number:
                throttle(self._hostility, "page")
            if page.completeness is Completeness.DELTA and number == 0:
                page = self._with_due(folder, kind, page, due)
            yield msgspec.structs.replace(
                page,
                observations=tuple(
                    self._spoiled("changes", place, one) for one in page.observations
                ),
            )

    def fetch(self, folder: str, kind: Kind, asks: Sequence[Ask]) -> list[Observation]:
        """Say what each ref holds, or that it can't be read or may not be seen just now."""
        throttle(self._hostility, "fetch")
        place = (self._principal, folder, kind)
        found = self._session.fetch(folder, kind, asks)
        return [self._spoiled("fetch", place, one) for one in found]

    def lookup(
        self, folder: str, kind: Kind, questions: Sequence[Question]
    ) -> list[tuple[Snapshot, ...]]:
        """Answer truly, or raise Retry: a wrong answer here would be a broken promise."""
        throttle(self._hostility, "lookup")
        found = self._session.lookup(folder, kind, questions)
        return [tuple(self._shown(snapshot) for snapshot in many) for many in found]

    def create(self, folder: str, kind: Kind, drafts: Sequence[Draft]) -> list[Outcome]:
        """Create items: some texts cut, some answers lost, some drafts refused."""

        def act(given: Sequence[Draft]) -> list[Outcome]:
            cut = [
                msgspec.structs.replace(draft, item=self._cut("create", draft.item))
                for draft in given
            ]
            return self._session.create(folder, kind, cut)

        return self._write("create", list(drafts), act)

    def update(self, folder: str, kind: Kind, revisions: Sequence[Revision]) -> list[Outcome]:
        """Change items: some touched just before, some texts cut, some answers lost."""

        def act(given: Sequence[Revision]) -> list[Outcome]:
            cut = [
                msgspec.structs.replace(one, after=self._cut("update", one.after, one.changed))
                for one in given
            ]
            return self._session.update(folder, kind, cut)

        return self._guarded("update", folder, kind, revisions, act)

    def delete(self, folder: str, kind: Kind, removals: Sequence[Removal]) -> list[Outcome]:
        """Delete items: some touched just before, some answers lost."""
        return self._guarded(
            "delete",
            folder,
            kind,
            removals,
            lambda given: self._session.delete(folder, kind, given),
        )

    def mark(self, folder: str, kind: Kind, marks: Sequence[Mark]) -> list[Outcome]:
        """Mark items; some answers may be lost, some marks refused."""
        return self._write("mark", list(marks), lambda m: self._session.mark(folder, kind, m))

    def restore(self, folder: str, kind: Kind, ref: str) -> Outcome:
        """Restore an item; the answer may be lost."""
        return self._write(
            "restore", [ref], lambda refs: [self._session.restore(folder, kind, r) for r in refs]
        )[0]

    def close(self) -> None:
        """Close the wrapped session."""
        super().close()
        self._session.close()

    # listings

    def _knowing(self, known: Known) -> Known:
        def inner(refs: Sequence[str]) -> Mapping[str, str]:
            found = known(refs)
            bare = {r: self._versions.inner(self._principal, r, v) for r, v in found.items()}
            return {ref: version for ref, version in bare.items() if version is not None}

        return inner

    def _mixed(self, pages: Iterator[Listing]) -> Iterator[Listing]:
        """Shuffle and repeat; over all pages of a full listing, within each page of a delta."""
        reorder = self._hostility.plays(Trick.REORDER, "changes")
        again = self._hostility.plays(Trick.DUPLICATE, "changes")
        if not reorder and not again:
            yield from pages
            return
        gathered = list(pages)
        full = gathered[-1].completeness is Completeness.COMPLETE if gathered else False
        groups = [gathered] if full else [[page] for page in gathered]
        for group in groups:
            yield from self._mix(group, reorder, again)

    def _mix(self, group: list[Listing], reorder: bool, again: bool) -> Iterator[Listing]:
        every = [one for page in group for one in page.observations]
        sizes = [len(page.observations) for page in group]
        if reorder:
            every = self._hostility.shuffled(every)
        if again and every:
            repeated = self._hostility.choose(every, 3)
            every += repeated
            sizes[-1] += len(repeated)
        for page, size in zip(group, sizes, strict=True):
            mine, every = every[:size], every[size:]
            yield msgspec.structs.replace(page, observations=tuple(mine))

    def _halved(self, pages: Iterator[Listing]) -> Iterator[Listing]:
        """Stop somewhere; a page that is cut says `partial` and has no cursor."""
        gathered = list(pages)
        stop = self._hostility.pick(len(gathered) - 1)
        yield from gathered[:stop]
        cut = gathered[stop]
        if cut.completeness is not Completeness.LOST:
            half = cut.observations[: len(cut.observations) // 2]
            cut = Listing(completeness=Completeness.PARTIAL, observations=half)
        yield cut

    def _with_due(self, folder: str, kind: Kind, page: Listing, due: Sequence[str]) -> Listing:
        there = {one.ref for one in page.observations}
        asks = [Ask(ref=ref) for ref in due if ref not in there]
        found = self._session.fetch(folder, kind, asks) if asks else []
        more = tuple(one for one in found if isinstance(one, Seen))
        return msgspec.structs.replace(page, observations=page.observations + more)

    def _spoiled(self, call: str, place: tuple[str, str, Kind], one: Observation) -> Observation:
        if not isinstance(one, Seen):
            return one
        self._versions.note(place, one.ref)
        if self._hostility.plays(Trick.UNREADABLE, call, one.ref):
            return Unknown(one.ref, "the hostile side garbled it")
        if self._hostility.plays(Trick.DENY, call, one.ref):
            self._versions.owe(place, one.ref)
            return Denied(one.ref, "the hostile side forbids it for now")
        return Seen(self._shown(one.snapshot))

    # writes

    def _guarded(
        self,
        call: str,
        folder: str,
        kind: Kind,
        given: Sequence[V],
        act: Callable[[Sequence[V]], list[Outcome]],
    ) -> list[Outcome]:
        """Touch some, answer Stale for those whose shown version no longer stands, do the rest."""
        place = (self._principal, folder, kind)
        for one in given:
            if self._hostility.plays(Trick.TOUCH, call, one.ref):
                self._touch(place, one.ref)
        bare: list[Any] = []
        stale: dict[int, Outcome] = {}
        for number, one in enumerate(given):
            version = self._versions.inner(self._principal, one.ref, one.version)
            if version is None:
                stale[number] = errors.Stale(f"{one.ref} got another version meanwhile")
            else:
                bare.append(msgspec.structs.replace(one, version=version))  # type: ignore[type-var]
        answers = iter(self._write(call, bare, act) if bare else [])
        return [stale[n] if n in stale else next(answers) for n in range(len(given))]

    def _write(
        self, call: str, given: list[T], act: Callable[[Sequence[T]], list[Outcome]]
    ) -> list[Outcome]:
        throttle(self._hostility, call)
        if given and self._hostility.plays(Trick.LOSE_ANSWER, call):
            act(given[: 1 + self._hostility.pick(len(given) - 1)])
            raise errors.Retry("the answer got lost", after=0.0, code="lost")
        denied: dict[int, Outcome] = {
            number: errors.Denied("the hostile side forbids it for now")
            for number in range(len(given))
            if self._hostility.plays(Trick.DENY, call)
        }
        allowed = [one for number, one in enumerate(given) if number not in denied]
        answers = iter([self._answered(one) for one in (act(allowed) if allowed else [])])
        return [denied[n] if n in denied else next(answers) for n in range(len(given))]

    def _answered(self, outcome: Outcome) -> Outcome:
        if not isinstance(outcome, Written):
            return outcome
        version = self._versions.outer(self._principal, outcome.ref, outcome.version)
        snapshot = None if outcome.snapshot is None else self._shown(outcome.snapshot)
        return msgspec.structs.replace(outcome, version=version, snapshot=snapshot)

    def _shown(self, snapshot: Snapshot) -> Snapshot:
        version = self._versions.outer(self._principal, snapshot.ref, snapshot.version)
        return msgspec.structs.replace(snapshot, version=version)

    def _touch(self, place: tuple[str, str, Kind], ref: str) -> None:
        self._versions.touch(self._principal, ref)
        self._versions.owe(place, ref)

    def _cut(self, call: str, item: Item, fields: Sequence[str] = TEXTS) -> Item:
        values: dict[str, Any] = {}
        for name in (name for name in TEXTS if name in fields):
            value: Any = getattr(item, name, None)
            text = value.text if isinstance(value, Body) else str(value or "")
            short = text[: self._hostility.cut]
            if short != text and self._hostility.plays(Trick.TRUNCATE, call, name):
                values[name] = Body(text=short, type=value.type) if name == "body" else short
        return patch(item, values)


def throttle(hostility: Hostility, call: str) -> None:
    """Raise Retry where the hostility wants to be left alone."""
    if hostility.plays(Trick.THROTTLE, call):
        raise errors.Retry("the hostile side is busy", after=0.0, code="busy")
