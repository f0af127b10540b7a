"""One question for the engine made ready, and the steps that answer it, each with its reason.

`reconcile` and `depart` decide; here is what they decide about and what they return.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from accord.engine.clash import Clashed
from accord.engine.plan import Conflict, Delete, Frozen, Pair, Pairing, Skip, Step, Unpair, Update
from accord.engine.policy import Policy
from accord.model.diff import changes, patch
from accord.model.fields import FIELDS
from accord.model.item import Item, kind_of
from accord.model.kinds import Side
from accord.model.observe import (
    Deleted,
    Denied,
    Moved,
    Observation,
    OutOfScope,
    Seen,
    Snapshot,
    Unchanged,
    Unknown,
)

PUT_BACK = " put back: only "
"""In the reason of every write that takes back what somebody changed and may not."""
OVER_UNREAD = ", over a copy that couldn't be read"
"""In the reason of every write under which edits may be lost that nobody could read."""


class Said(StrEnum):
    """Name what a side says of a paired item, as far as the decision cares."""

    SAME = "same"
    CHANGED = "changed"
    GONE = "gone"
    MOVED = "moved"
    LEFT = "left"
    BLIND = "blind"


class Case(Struct, frozen=True, kw_only=True):
    """Be one question: a pairing (or none yet) and what each side says now.

    Without a pairing, None means that the side has no counterpart. `claimed` names the link
    whose copy gives the content, where that is another one.
    """

    pairing: Pairing | None = None
    crm: Observation | None = None
    groupware: Observation | None = None
    claimed: str = ""

    @property
    def items(self) -> tuple[Item, ...]:
        """Return everything that is known of it: what the sides hold now, and what they agreed."""
        seen = (one.snapshot for one in (self.crm, self.groupware) if isinstance(one, Seen))
        known = (self.pairing.side(side) for side in Side) if self.pairing is not None else ()
        return tuple(snapshot.item for snapshot in (*seen, *known))


class Both(Struct, frozen=True, kw_only=True):
    """Be a paired case made ready: present snapshots, and what was said.

    `fleeting` says that a side could not be read this time and won't tell when it can, `garbled`
    that what it holds can't be read until somebody changes it. `ours` is the version of a copy in
    the mailbox that can't be read and may be written over once somebody approves; empty where
    there is none.
    """

    pairing: Pairing
    crm: Snapshot
    groupware: Snapshot
    said: dict[Side, Said]
    erased: bool
    fleeting: bool
    garbled: bool
    why: str
    policy: Policy
    ours: str = ""

    def now(self, side: Side) -> Snapshot:
        """Return one side's present snapshot (its base where it reports nothing new)."""
        return self.crm if side is Side.CRM else self.groupware


def said(base: Snapshot, observation: Observation | None) -> Said:
    """Return what `observation` means beside the base."""
    match observation:
        case None | Unchanged():
            return Said.SAME
        case Seen(snapshot):
            return Said.SAME if snapshot.version == base.version else Said.CHANGED
        case Deleted():
            return Said.GONE
        case Moved(trash=trash):
            return Said.GONE if trash else Said.MOVED
        case OutOfScope():
            return Said.LEFT
        case Denied() | Unknown():
            return Said.BLIND


def pair(both: Both, contested: tuple[str, ...]) -> Pair:
    """Return the step that moves both bases on without a write."""
    return Pair(
        pairing=both.pairing.id,
        crm=both.crm,
        groupware=both.groupware,
        content=both.pairing.content,
        contested=contested,
        why="nothing that the other side shares has changed",
    )


def update(
    both: Both,
    side: Side,
    values: dict[str, object],
    restored: frozenset[str],
    contested: tuple[str, ...],
) -> Step:
    """Return the step that writes `values` on one side; `restored` are those put back."""
    before = both.now(side)
    after = patch(before.item, values)
    mails: tuple[str, ...] = ()
    if side is Side.GROUPWARE:
        mails = _mails(both, after)
    put_back = restored.intersection(values)
    why = f"changed in the {side.other.place}"
    if put_back:
        names = ", ".join(sorted(put_back))
        why = f"{names}{PUT_BACK}the {side.other.place} may change that"
        if len(put_back) < len(values):
            why += f"; the rest changed in the {side.other.place}"
    return Update(
        side=side,
        pairing=both.pairing.id,
        before=before,
        after=after,
        base=both.now(side.other),
        changes=changes(before.item, after),
        mails=mails,
        contested=contested,
        why=why,
    )


def _mails(both: Both, after: Item) -> tuple[str, ...]:
    """Return who would get mail: a scheduling server mails what attendees see."""
    specs = FIELDS[kind_of(after)]
    changed = changes(both.groupware.item, after)
    if not any(specs[change.field].visible for change in changed):
        return ()
    return both.policy.mails(both.groupware, after)


def conflict(both: Both, clash: Clashed) -> Conflict:
    """Return the step that tells of a clash and keeps the losing values."""
    return Conflict(
        pairing=both.pairing.id,
        field=clash.group,
        crm=both.crm,
        groupware=both.groupware,
        fields=clash.fields,
        winner=clash.winner,
        why=f"both sides changed {clash.group}: {clash.why}",
    )


def unpair(both: Both, cause: Frozen, why: str, forget: bool = False) -> Unpair:
    """Return the step that lets go of the pair."""
    pairing = both.pairing
    return Unpair(
        pairing=pairing.id,
        crm=pairing.crm.ref,
        groupware=pairing.groupware.ref,
        cause=cause,
        forget=forget,
        why=why,
    )


def delete(both: Both, side: Side, why: str) -> Delete:
    """Return the step that deletes the item of one side."""
    mails = both.policy.mails(both.groupware, None) if side is Side.GROUPWARE else ()
    return Delete(
        side=side,
        pairing=both.pairing.id,
        before=both.now(side),
        mails=mails,
        follows=both.said[side.other] is Said.GONE,
        why=why,
    )


def skip(both: Both, side: Side, why: str, parked: str = "") -> Skip:
    """Return the step that says why nothing is done about the item of one side."""
    now = both.now(side)
    return Skip(
        side=side,
        ref=now.ref,
        version=now.version,
        pairing=both.pairing.id,
        parked=parked,
        why=why,
    )
