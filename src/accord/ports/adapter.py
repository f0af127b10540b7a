"""The port both sides implement: an adapter, opened for a principal, is a session.

`service` calls these; `groupware/*` and `crm/*` answer; `accord.testing` proves that they do.
Every method may raise Retry, AuthFailed or ConfigError for the whole session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self, TypeAlias, runtime_checkable

from msgspec import Struct

from accord.model.item import Item
from accord.model.kinds import Kind
from accord.model.observe import Listing, Observation, Snapshot
from accord.model.parts import Person
from accord.model.traits import Traits
from accord.ports.errors import ItemError

Known: TypeAlias = Callable[[Sequence[str]], Mapping[str, str]]
"""Tell the stored version of those of the given refs that are known."""


class Folder(Struct, frozen=True, kw_only=True):
    """Be a place that holds items: its own id, its name for people, and what it may hold.

    `default` marks the one to use where nobody chose; `writable` says whether this principal
    may write into it.
    """

    id: str
    name: str
    kinds: frozenset[Kind]
    default: bool = False
    writable: bool = True


class Ask(Struct, frozen=True, kw_only=True):
    """Ask what became of a ref; uid and marker let the adapter look for it elsewhere."""

    ref: str
    uid: str = ""
    marker: str = ""


class Question(Struct, frozen=True, kw_only=True):
    """Look an item up by whichever of these is given: key, marker, uid."""

    key: str = ""
    marker: str = ""
    uid: str = ""


class Draft(Struct, frozen=True, kw_only=True):
    """Ask for an item to be created.

    `key` is the idempotency key, embedded so that `lookup` finds the item by it: creating
    twice under one key gives one item. `marker` is the other side's id, stored on the item.
    `notify` allows the server to mail attendees.
    """

    item: Item
    key: str
    marker: str = ""
    notify: bool = False


class Revision(Struct, frozen=True, kw_only=True):
    """Ask for an item to be changed from `before` (as this side stores it) to `after`.

    `version` is the one that must still stand, else the answer is Stale. `changed` names the
    fields that differ. `marker` is written along where it differs from what is there.
    With `half` an earlier try of the same was cut off, and what is missing is to be done.
    """

    ref: str
    version: str
    before: Item
    after: Item
    changed: tuple[str, ...]
    marker: str = ""
    notify: bool = False
    half: bool = False


class Removal(Struct, frozen=True, kw_only=True):
    """Ask for an item to be deleted (into the trash where the side has one).

    `version` must still stand, else the answer is Stale.
    """

    ref: str
    version: str
    notify: bool = False


class Mark(Struct, frozen=True, kw_only=True):
    """Ask for the other side's id to be stored on an item; an empty one takes it off."""

    ref: str
    marker: str


class Written(Struct, frozen=True, kw_only=True):
    """Say what a write left behind.

    `version` is the one that this very write produced, empty where the side doesn't tell;
    `snapshot` what a read just after it found (None after a delete or where not read back).
    """

    ref: str
    version: str = ""
    snapshot: Snapshot | None = None


Outcome: TypeAlias = Written | ItemError
"""The answer for one item of a batch: an ItemError is returned, never raised, in a batch."""


class Finding(Struct, frozen=True, kw_only=True):
    """Be one result of `accord check`: what was tried, whether it works, how to mend it."""

    subject: str
    ok: bool
    detail: str = ""
    hint: str = ""


class Session(Protocol):
    """Be an adapter opened for one principal: a mailbox, or a CRM user whose rights decide.

    A session belongs to one thread.
    """

    def folders(self) -> tuple[Folder, ...]:
        """Return the folders this principal can reach."""
        ...

    def changes(self, folder: str, kind: Kind, cursor: str, known: Known) -> Iterator[Listing]:
        """Yield what changed since `cursor`, page by page; an empty cursor lists everything.

        Of refs whose version `known` reports unchanged, a page may say `Unchanged`. A cursor
        that is no longer valid yields one page that says `lost`. Items that can't be read
        are `Unknown` with the reason, never left out.

        The cursor of a full pull stands where the pull began, so that what changed meanwhile is
        in the next one; a cursor may be used again. A side without deltas answers a cursor with
        a full pull, `Unchanged` for what `known` reports. A `partial` page may have a cursor, too:
        given that one, the same full pull goes on behind the page, to the same end.
        """
        ...

    def fetch(self, folder: str, kind: Kind, asks: Sequence[Ask]) -> list[Observation]:
        """Say what each ref holds now, in order; what left the folder is looked for elsewhere.

        By uid first, then by marker, in the trash last. A ref that was never there is `Deleted`
        or `Unknown`, never an error.
        """
        ...

    def lookup(
        self, folder: str, kind: Kind, questions: Sequence[Question]
    ) -> list[tuple[Snapshot, ...]]:
        """Find items by key, marker or uid: for each question, in order, all that match.

        Only in the folder; nothing that was deleted, even where the trash still has it.
        """
        ...

    def create(self, folder: str, kind: Kind, drafts: Sequence[Draft]) -> list[Outcome]:
        """Create items; a draft whose key is already there returns that item unchanged.

        Where that item was deleted since, the answer is Gone if the side can tell.
        """
        ...

    def update(self, folder: str, kind: Kind, revisions: Sequence[Revision]) -> list[Outcome]:
        """Change items, each only in the version given and only the fields in `changed`."""
        ...

    def delete(self, folder: str, kind: Kind, removals: Sequence[Removal]) -> list[Outcome]:
        """Delete items, each only in the version given; what is gone already answers Gone."""
        ...

    def mark(self, folder: str, kind: Kind, marks: Sequence[Mark]) -> list[Outcome]:
        """Store the other side's ids on items, where that doesn't disturb anybody.

        A side that can only do so by rewriting a person's own item leaves it and returns the
        item as it stands. The version returned is the one that stands afterwards.
        """
        ...

    def restore(self, folder: str, kind: Kind, ref: str) -> Outcome:
        """Bring a deleted item back under its own ref; Gone where the side can't."""
        ...

    def close(self) -> None:
        """Let go of connections; further calls are errors."""
        ...

    def __enter__(self) -> Self:
        """Return the session itself."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the session."""
        ...


class Adapter(Protocol):
    """Be one configured target or CRM."""

    @property
    def traits(self) -> Traits:
        """Return what this adapter can do."""
        ...

    @property
    def instance(self) -> str:
        """Return the lasting id of the very system behind it (a cloned database differs)."""
        ...

    @property
    def requests(self) -> int:
        """Return how many requests to the system the calling thread has had made so far.

        Other visits may be under way at the same time; `ports/requests` counts so.
        """
        ...

    def open(self, principal: str) -> Session:
        """Open a session as `principal`: a mailbox address, a CRM user's name."""
        ...

    def check(self, principal: str = "") -> tuple[Finding, ...]:
        """Test connection and rights, and say what is wrong and how to mend it."""
        ...

    def close(self) -> None:
        """Let go of everything held for all sessions."""
        ...


class Hint(Struct, frozen=True, kw_only=True):
    """Say "look here": a kind and ref that changed and the principals it concerns."""

    kind: Kind
    ref: str
    principals: frozenset[str]


@runtime_checkable
class Feed(Protocol):
    """Be a CRM that tells, read once for all users, what changed."""

    def hints(self, cursor: str) -> tuple[tuple[Hint, ...], str]:
        """Return the hints since `cursor` and the next one; an empty cursor gives no hints."""
        ...


@runtime_checkable
class Limited(Protocol):
    """Be an adapter whose target allows only so much at once, or in a time."""

    @property
    def visits(self) -> int:
        """Return how many visits may be under way at once, of all processes; 0 for any number."""
        ...

    def share(self, processes: int) -> None:
        """Use one part of so many of what is allowed in a time."""
        ...


class People(Protocol):
    """Know who is who: CRM users by their addresses, contacts by theirs."""

    def identities(self, user: str) -> tuple[Person, ...]:
        """Return a CRM user under each of their addresses, the main one first."""
        ...

    def users(self, addresses: Sequence[str]) -> Mapping[str, str]:
        """Return the CRM user of each known address (compared casefolded)."""
        ...

    def contacts(self, addresses: Sequence[str]) -> Mapping[str, str]:
        """Return the CRM contact ref of each known address; ambiguous ones are left out."""
        ...
