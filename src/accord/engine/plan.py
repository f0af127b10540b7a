"""What the engine returns: steps, each with its reason, gathered in a Plan.

Console, `accord plan`, journal and `accord explain` all show this same value.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from msgspec import UNSET, Struct, UnsetType

from accord.model.diff import FieldChange
from accord.model.item import Item
from accord.model.kinds import Side
from accord.model.observe import Snapshot


class Pairing(Struct, frozen=True, kw_only=True):
    """Be the two snapshots last known to agree, and the rule version they agreed under.

    `content` says whether this link's copy gives the content of a shared meeting. `made` is
    the side on which Accord created the copy (None: both were there before). `frozen` says why
    the pair takes no part at present (see `Frozen`); empty means that it does. `contested` are
    the fields in an open conflict: nothing of them travels until both sides agree about them.
    `private` says that both snapshots may be kept only encrypted, whatever they say themselves,
    `refused` that the CRM didn't let this link's user change the record when that was last tried.
    """

    id: str
    crm: Snapshot
    groupware: Snapshot
    rule: str = ""
    content: bool = True
    made: Side | None = None
    frozen: str = ""
    contested: tuple[str, ...] = ()
    private: bool = False
    refused: bool = False

    def side(self, side: Side) -> Snapshot:
        """Return the base of one side."""
        return self.crm if side is Side.CRM else self.groupware


class _Step(Struct, frozen=True, kw_only=True, tag_field="step"):
    why: str

    @property
    def name(self) -> str:
        """Return what plans, journal and decisions call a step of this sort."""
        return str(type(self).__struct_config__.tag)


class _Writing(_Step, frozen=True, kw_only=True):
    """Be a step that writes.

    `undoes` names the journal entries that an undo takes back with it; with `in_part` they are
    undone only once another step is done too.
    """

    undoes: tuple[int, ...] = ()
    in_part: bool = False


class Create(_Writing, tag="create", frozen=True, kw_only=True):
    """Create on `side` the item projected from `source` on the other side.

    `mails` names the addresses that would get mail. `pairing` is set where a copy that was
    deleted comes back because its counterpart was edited. `alone` brings a deleted item back
    that has no counterpart any more: `source` is then its own before-image.
    """

    side: Side
    source: Snapshot
    item: Item
    pairing: str = ""
    mails: tuple[str, ...] = ()
    alone: bool = False


class Update(_Writing, tag="update", frozen=True, kw_only=True):
    """Change the item on `side` from `before` to `after`, if its version still stands.

    Of a copy that can't be read in that version, `before` is what it held before.

    `base` is the snapshot of the other side that this update brings over, but for the
    `contested` fields of the pair.
    """

    side: Side
    pairing: str
    before: Snapshot
    after: Item
    base: Snapshot
    changes: tuple[FieldChange, ...]
    mails: tuple[str, ...] = ()
    contested: tuple[str, ...] = ()


class Delete(_Writing, tag="delete", frozen=True, kw_only=True):
    """Delete the item on `side`, if its version still stands.

    `follows` says that its counterpart is gone already.
    """

    side: Side
    pairing: str
    before: Snapshot
    mails: tuple[str, ...] = ()
    follows: bool = False


class Hung(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Be a file as a step names it: its name and what is in it.

    `kept` is the uri under which the CRM keeps the bytes of one that is taken off; empty where
    nobody is known to keep them.
    """

    name: str
    digest: str
    size: int = 0
    media_type: str = ""
    kept: str = ""


class Refile(_Writing, tag="refile", frozen=True, kw_only=True):
    """Take the file `before` off an item on `side`, or hang `after` on it, or both: replace it.

    `ref` is the item's there, `counterpart` the other side's, `label` what people call it.
    """

    side: Side
    pairing: str
    ref: str
    counterpart: str
    label: str = ""
    before: Hung | None = None
    after: Hung | None = None

    @property
    def name(self) -> str:
        """Return its name in plans and journal: `attach`, `detach` or `replace`."""
        if self.before is None:
            return "attach"
        return "detach" if self.after is None else "replace"

    @property
    def changes(self) -> tuple[FieldChange, ...]:
        """Return what the journal keeps: the file before and after."""
        return (FieldChange(field="file", before=self.before, after=self.after),)


class Pair(_Step, tag="pair", frozen=True, kw_only=True):
    """Record that two snapshots belong together; writes nothing on either side.

    They agree, but for the `contested` fields.
    """

    crm: Snapshot
    groupware: Snapshot
    pairing: str = ""
    content: bool = True
    contested: tuple[str, ...] = ()


class Frozen(StrEnum):
    """Name why a pairing was let go; `scope` and `moved` end by themselves."""

    SCOPE = "scope"
    MOVED = "moved"
    UNLINKED = "unlinked"
    DECLINED = "declined"
    PAST = "past"

    @property
    def returns(self) -> bool:
        """Tell whether the pair takes part again once its items are seen in scope."""
        return self in (Frozen.SCOPE, Frozen.MOVED)


class Unpair(_Step, tag="unpair", frozen=True, kw_only=True):
    """Let go of a pairing; what is left of both items stays as it is.

    The pairing is remembered as `frozen`, so that the item left behind isn't taken for a new
    one. `forget` says that nothing is left on either side and the pairing can go.
    """

    pairing: str
    crm: str
    groupware: str
    cause: Frozen = Frozen.UNLINKED
    forget: bool = False


class Conflict(_Step, tag="conflict", frozen=True, kw_only=True):
    """Say that both sides changed the same field, who won, and keep the losing value.

    `winner` None leaves both sides as they are until somebody decides: only that is open. In
    `fields`, whoever won, `before` is the CRM's value and `after` the mailbox's, both in the
    terms of the side that gives way (of the mailbox while it is open).
    """

    pairing: str
    field: str
    crm: Snapshot
    groupware: Snapshot
    fields: tuple[FieldChange, ...] = ()
    winner: Side | None = None

    @property
    def name(self) -> str:
        """Return its name in journal and decisions: `conflict` is open, a `clash` is settled."""
        return "conflict" if self.winner is None else "clash"


class Unread(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Be what could be made out of an item that can't be read: uid, and what people call it.

    `travels` says that it would be brought to the other side if it could be read.
    """

    uid: str = ""
    label: str = ""
    travels: bool = True


WITHHELD = "withheld"
"""How a skip is parked for what its rule accepts not to be done."""

FAILED = "failed"
"""What a skip is called where the rule can't be applied to the item."""


class Skip(_Step, tag="skip", frozen=True, kw_only=True):
    """Decide to do nothing about a ref, and say why.

    `parked` says that something is left to do: the ref is asked for again (`retry`) or waits
    for somebody to mend it (`rejected`), or the rule accepts that it can't be done (`withheld`).
    `unread` is set where there is something that can't be read, `failed` where the rule can't be
    applied. `label` is what people call the item, where that is told.
    """

    side: Side
    ref: str
    version: str = ""
    pairing: str = ""
    parked: str = ""
    unread: Unread | UnsetType = UNSET
    label: str | UnsetType = UNSET
    failed: bool | UnsetType = UNSET

    @property
    def name(self) -> str:
        """Return its name in plans and decisions: `unreadable`, `failed`, `withheld` or `skip`."""
        if self.unread is not UNSET and self.unread.travels:
            return "unreadable"
        if self.failed is True:
            return FAILED
        return WITHHELD if self.parked == WITHHELD else "skip"


class Hold(_Step, tag="hold", frozen=True, kw_only=True):
    """Wait for approval before the `held` step is done; `cause` names the guard that spoke."""

    held: Create | Update | Delete | Unpair | Refile
    cause: str


WRITES_OVER = (
    "the copy there can't be read: approving writes over it, and what stands there is lost"
)
"""Why an edit is held for a copy that can't be read: somebody's edits may stand there."""


Step: TypeAlias = Create | Update | Delete | Refile | Pair | Unpair | Conflict | Skip | Hold
Writing: TypeAlias = Create | Update | Delete


class Plan(Struct, frozen=True, kw_only=True):
    """Be all steps of one link, in the order in which they are to be done."""

    link: str
    steps: tuple[Step, ...] = ()

    @property
    def writes(self) -> tuple[Writing, ...]:
        """Return the steps that write on a side."""
        return tuple(s for s in self.steps if isinstance(s, Create | Update | Delete))

    @property
    def files(self) -> tuple[Refile, ...]:
        """Return the steps about files on items."""
        return tuple(s for s in self.steps if isinstance(s, Refile))

    @property
    def mails(self) -> tuple[str, ...]:
        """Return every address that would get mail, held steps included, sorted."""
        steps = (s.held if isinstance(s, Hold) else s for s in self.steps)
        return tuple(
            sorted({a for s in steps if isinstance(s, Create | Update | Delete) for a in s.mails})
        )
