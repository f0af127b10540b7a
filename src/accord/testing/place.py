"""One folder under test: short words for what the cases do, and what they compare.

`base` builds one for each kind; `hand` is the other program that works in the same folder.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from accord.model.diff import normalise, patch
from accord.model.item import Item, kind_of
from accord.model.kinds import Kind
from accord.model.observe import (
    Completeness,
    Deleted,
    Listing,
    Moved,
    Observation,
    OutOfScope,
    Seen,
    Snapshot,
)
from accord.model.traits import KindTraits
from accord.ports.adapter import (
    Adapter,
    Ask,
    Draft,
    Outcome,
    Removal,
    Revision,
    Session,
    Written,
)


class Pull:
    """Be everything one pull returned."""

    def __init__(self, pages: Sequence[Listing]) -> None:
        """Gather the `pages` of one pull."""
        self.pages = list(pages)
        self.refs = [one.ref for page in pages for one in page.observations]
        self.observations = {one.ref: one for page in pages for one in page.observations}

    @property
    def last(self) -> Listing:
        """Return the last page."""
        return self.pages[-1]

    @property
    def cursor(self) -> str:
        """Return the cursor to go on from."""
        return self.last.cursor

    def snapshot(self, ref: str) -> Snapshot | None:
        """Return what was seen under a ref."""
        one = self.observations.get(ref)
        return one.snapshot if isinstance(one, Seen) else None

    def left(self, ref: str) -> bool:
        """Tell whether the pull says that the ref left the folder, in any of the ways there are."""
        if ref in self.observations:
            return isinstance(self.observations[ref], Deleted | Moved | OutOfScope)
        return self.last.completeness is Completeness.COMPLETE


class Place:
    """Be a folder, opened for one principal."""

    def __init__(self, session: Session, folder: str, kind: Kind, traits: KindTraits) -> None:
        """Work with items of one `kind` in `folder`."""
        self.session = session
        self.folder = folder
        self.kind = kind
        self.traits = traits

    @property
    def writable(self) -> frozenset[str]:
        """Return the fields that can be written."""
        return self.traits.fields - self.traits.readonly

    def stored(self, item: Item) -> Item:
        """Return what the traits say will be stored of a new item."""
        return normalise(item, msgspec.structs.replace(self.traits, fields=self.writable))

    def create(self, *items: Item, marker: str = "", notify: bool = False) -> list[Snapshot]:
        """Create items, each under a key of its own, and return them as they are stored."""
        drafts = [Draft(item=i, key=new_key(), marker=marker, notify=notify) for i in items]
        return [self.read(done(one).ref) for one in self.write(*drafts)]

    def write(self, *drafts: Draft) -> list[Outcome]:
        """Create drafts and return the answers."""
        answers = self.session.create(self.folder, self.kind, drafts)
        assert len(answers) == len(drafts)
        return answers

    def read(self, ref: str) -> Snapshot:
        """Return what the ref holds; it must be there."""
        found = self.fetch(Ask(ref=ref))[0]
        assert isinstance(found, Seen), f"{ref} should be there, but: {found}"
        return found.snapshot

    def fetch(self, *asks: Ask) -> list[Observation]:
        """Return what became of refs."""
        found = self.session.fetch(self.folder, self.kind, asks)
        assert [one.ref for one in found] == [ask.ref for ask in asks]
        return found

    def update(self, *revisions: Revision) -> list[Outcome]:
        """Make changes and return the answers."""
        answers = self.session.update(self.folder, self.kind, revisions)
        assert len(answers) == len(revisions)
        return answers

    def edit(self, before: Snapshot, **values: Any) -> Written:
        """Change fields of an item, which must succeed."""
        return done(self.update(revise(before, **values))[0])

    def remove(self, *snapshots: Snapshot) -> list[Outcome]:
        """Delete items in the versions given and return the answers."""
        removals = [Removal(ref=one.ref, version=one.version) for one in snapshots]
        answers = self.session.delete(self.folder, self.kind, removals)
        assert len(answers) == len(removals)
        return answers

    def pages(self, cursor: str = "", known: Mapping[str, str] | None = None) -> Iterator[Listing]:
        """Start a pull; `known` are the versions we claim to have."""
        have = dict(known or {})
        return self.session.changes(
            self.folder, self.kind, cursor, lambda refs: {r: have[r] for r in refs if r in have}
        )

    def pull(self, cursor: str = "", known: Mapping[str, str] | None = None) -> Pull:
        """Pull all pages."""
        return Pull(list(self.pages(cursor, known)))


class Hand(Protocol):
    """Be another program, or a person, that works in the same folder.

    A hand that can do more offers more methods; see the contracts that use them.
    """

    def add(self, folder: str, item: Item) -> str:
        """Add an item and return its ref."""
        ...

    def edit(self, folder: str, kind: Kind, ref: str, **values: Any) -> None:
        """Change fields of an item."""
        ...

    def delete(self, folder: str, kind: Kind, ref: str) -> None:
        """Delete an item as a person would."""
        ...


class SecondSession:
    """Be a hand that uses the adapter itself, through a session of its own."""

    def __init__(self, adapter: Adapter, principal: str) -> None:
        """Open a session as `principal` whenever there is something to do."""
        self.adapter = adapter
        self.principal = principal

    def add(self, folder: str, item: Item) -> str:
        """Add an item and return its ref."""
        with self.adapter.open(self.principal) as session:
            return self._place(session, folder, kind_of(item)).create(item)[0].ref

    def edit(self, folder: str, kind: Kind, ref: str, **values: Any) -> None:
        """Change fields of an item."""
        with self.adapter.open(self.principal) as session:
            place = self._place(session, folder, kind)
            place.edit(place.read(ref), **values)

    def delete(self, folder: str, kind: Kind, ref: str) -> None:
        """Delete an item."""
        with self.adapter.open(self.principal) as session:
            place = self._place(session, folder, kind)
            done(place.remove(place.read(ref))[0])

    def _place(self, session: Session, folder: str, kind: Kind) -> Place:
        return Place(session, folder, kind, self.adapter.traits.kinds[kind])


def new_key() -> str:
    """Return an idempotency key that was never used before."""
    return f"accord-{uuid.uuid4().hex}"


def new_uid() -> str:
    """Return a uid that was never used before."""
    return f"{uuid.uuid4()}@accord.example"


def done(outcome: Outcome) -> Written:
    """Return the answer to a write that must have succeeded."""
    assert isinstance(outcome, Written), f"should have been written, but: {outcome!r}"
    return outcome


def revise(before: Snapshot, marker: str = "", **values: Any) -> Revision:
    """Return the wish to change fields of an item in the version it was read in."""
    return Revision(
        ref=before.ref,
        version=before.version,
        before=before.item,
        after=patch(before.item, values),
        changed=tuple(values),
        marker=marker,
    )
