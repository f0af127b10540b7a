"""The decision: what both sides say about one item in, the steps to take out.

`TABLE` is total over what the two sides can say of a pair; read it first.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias

import msgspec
from msgspec import Struct

from accord.engine.first import meet, newcomer
from accord.engine.merge import Clashed, merge, shared_edits
from accord.engine.plan import (
    Conflict,
    Create,
    Delete,
    Frozen,
    Pair,
    Pairing,
    Skip,
    Step,
    Unpair,
    Update,
)
from accord.engine.policy import Policy
from accord.model.diff import changes, patch
from accord.model.fields import FIELDS
from accord.model.item import Event, Item, kind_of
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
from accord.model.occurrences import first_and_last
from accord.model.parts import Reply
from accord.rules.program import RuleFailed
from accord.rules.rule import Deletion, Leaving


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


class Both(Struct, frozen=True, kw_only=True):
    """Be a paired case made ready: present snapshots, and what was said."""

    pairing: Pairing
    crm: Snapshot
    groupware: Snapshot
    said: dict[Side, Said]
    erased: bool
    why: str
    policy: Policy

    def now(self, side: Side) -> Snapshot:
        """Return one side's present snapshot (its base where it reports nothing new)."""
        return self.crm if side is Side.CRM else self.groupware


def reconcile(case: Case, policy: Policy) -> tuple[Step, ...]:
    """Return the steps that bring one item to agreement; none where nothing is to be done."""
    try:
        if case.pairing is None:
            return _unpaired(case, policy)
        return _paired(case.pairing, case, policy)
    except RuleFailed as error:
        return _failed(case, str(error))


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


def _unpaired(case: Case, policy: Policy) -> tuple[Step, ...]:
    match case.crm, case.groupware:
        case Seen(crm), Seen(groupware):
            return meet(crm, groupware, policy, content=not case.claimed)
        case Seen(crm), None:
            return newcomer(Side.CRM, crm, policy)
        case None, Seen(groupware):
            return newcomer(Side.GROUPWARE, groupware, policy)
        case _:
            return tuple(
                _noted(side, observation)
                for side, observation in ((Side.CRM, case.crm), (Side.GROUPWARE, case.groupware))
                if isinstance(observation, Unknown | Denied)
            )


def _noted(side: Side, observation: Unknown | Denied) -> Skip:
    """Record that a ref nobody has paired can't be read, so that `explain` can tell."""
    version = observation.version if isinstance(observation, Unknown) else ""
    return Skip(
        side=side, ref=observation.ref, version=version, why=f"can't be read: {observation.why}"
    )


def _failed(case: Case, why: str) -> tuple[Step, ...]:
    for side, observation in ((Side.CRM, case.crm), (Side.GROUPWARE, case.groupware)):
        if isinstance(observation, Seen):
            snapshot = observation.snapshot
            return (
                Skip(
                    side=side,
                    ref=snapshot.ref,
                    version=snapshot.version,
                    pairing=case.pairing.id if case.pairing else "",
                    parked="rejected",
                    why=f"the rule can't be applied: {why}",
                ),
            )
    return ()


def _paired(pairing: Pairing, case: Case, policy: Policy) -> tuple[Step, ...]:
    both = Both(
        pairing=pairing,
        crm=_present(pairing.crm, case.crm),
        groupware=_present(pairing.groupware, case.groupware),
        said={
            Side.CRM: said(pairing.crm, case.crm),
            Side.GROUPWARE: said(pairing.groupware, case.groupware),
        },
        erased=any(isinstance(o, Deleted) and o.erased for o in (case.crm, case.groupware)),
        why=_reason(case),
        policy=policy,
    )
    frozen = Frozen(pairing.frozen) if pairing.frozen else None
    if frozen is not None and not frozen.returns:
        return _rest(both, frozen)
    return TABLE[both.said[Side.CRM], both.said[Side.GROUPWARE]](both)


def _present(base: Snapshot, observation: Observation | None) -> Snapshot:
    return observation.snapshot if isinstance(observation, Seen) else base


def _reason(case: Case) -> str:
    reasons = (getattr(o, "why", "") for o in (case.crm, case.groupware))
    return "; ".join(reason for reason in reasons if reason)


def _rest(both: Both, frozen: Frozen) -> tuple[Step, ...]:
    """Leave a pair alone that was let go for good; forget it when nothing is left of it."""
    words = both.said
    if words[Side.CRM] is Said.GONE and words[Side.GROUPWARE] is Said.GONE:
        return _forget(both)
    if frozen is not Frozen.UNLINKED and Said.GONE in words.values():
        return _forget(both)
    changed = next((side for side in Side if words[side] is Said.CHANGED), None)
    if changed is None:
        return ()
    return (_skip(both, changed, f"this pair was let go ({frozen}) and is left alone"),)


def _stay(both: Both) -> tuple[Step, ...]:
    """Both sides can be read: check the scope, then merge."""
    out = _outside(both)
    if out is not None:
        return out
    merged = merge(both.pairing, both.crm, both.groupware, both.policy)
    steps: list[Step] = [_conflict(both, clash) for clash in merged.clashes]
    for side in (Side.GROUPWARE, Side.CRM):
        values = merged.side(side)
        if values and both.now(side).readonly:
            why = f"this user may read but not change it in the {_place(side)}"
            steps.append(_skip(both, side, why, "rejected"))
        elif values:
            steps.append(_update(both, side, values, merged.restored))
    if not any(isinstance(step, Update | Skip) for step in steps) and _moved_on(both):
        steps.append(_pair(both))
    return tuple(steps)


def _moved_on(both: Both) -> bool:
    changed = any(word is Said.CHANGED for word in both.said.values())
    return changed or bool(both.pairing.frozen)


def _pair(both: Both) -> Pair:
    return Pair(
        pairing=both.pairing.id,
        crm=both.crm,
        groupware=both.groupware,
        content=both.pairing.content,
        why="nothing that the other side shares has changed",
    )


def _update(both: Both, side: Side, values: dict[str, object], restored: frozenset[str]) -> Step:
    before = both.now(side)
    after = patch(before.item, values)
    mails: tuple[str, ...] = ()
    if side is Side.GROUPWARE:
        mails = _mails(both, after)
    put_back = restored.intersection(values)
    why = f"changed in the {_place(side.other)}"
    if put_back:
        names = ", ".join(sorted(put_back))
        why = f"{names} put back: only the {_place(side.other)} may change that"
        if len(put_back) < len(values):
            why += f"; the rest changed in the {_place(side.other)}"
    return Update(
        side=side,
        pairing=both.pairing.id,
        before=before,
        after=after,
        base=both.now(side.other),
        changes=changes(before.item, after, values),
        mails=mails,
        why=why,
    )


def _mails(both: Both, after: Item) -> tuple[str, ...]:
    """Return who would get mail: a scheduling server mails what attendees see."""
    specs = FIELDS[kind_of(after)]
    changed = changes(both.groupware.item, after)
    if not any(specs[change.field].visible for change in changed):
        return ()
    return both.policy.mails(both.groupware, after)


def _conflict(both: Both, clash: Clashed) -> Conflict:
    return Conflict(
        pairing=both.pairing.id,
        field=clash.group,
        crm=both.crm,
        groupware=both.groupware,
        fields=clash.fields,
        winner=clash.winner,
        why=f"both sides changed {clash.group}: {clash.why}",
    )


def _outside(both: Both) -> tuple[Step, ...] | None:
    """Return what to do where the pair has left filter, scope or window; None where it hasn't."""
    program, facts = both.policy.program, both.policy.facts
    for side in Side:
        verdict = program.scope(side, both.now(side), facts, paired=True)
        if verdict.inside:
            continue
        if both.pairing.frozen:
            return _still(both, f"still outside: {verdict.why}")
        match verdict.leaving:
            case Leaving.KEEP:
                return _still(both, f"outside: {verdict.why}; the copy stays as it is")
            case Leaving.UNLINK:
                return (_unpair(both, Frozen.SCOPE, f"outside: {verdict.why}"),)
            case Leaving.DELETE_COPY:
                return _withdraw(both, f"outside: {verdict.why}")
    return None


def _still(both: Both, why: str) -> tuple[Step, ...]:
    changed = next((side for side in Side if both.said[side] is Said.CHANGED), None)
    return () if changed is None else (_skip(both, changed, why),)


def _withdraw(both: Both, why: str) -> tuple[Step, ...]:
    """Remove the copy Accord made if nobody edited it; else let go of the pair."""
    made = both.pairing.made
    if made is None:
        return (_unpair(both, Frozen.SCOPE, f"{why}; neither item was made by Accord"),)
    edited = changes(both.pairing.side(made).item, both.now(made).item)
    if both.said[made] is Said.GONE:
        return _forget(both)
    if edited or both.said[made] not in (Said.SAME, Said.CHANGED):
        return (_unpair(both, Frozen.SCOPE, f"{why}; the copy was edited, so it stays"),)
    return (_delete(both, made, f"{why}; the unedited copy is withdrawn"),)


def _deleted_in_groupware(both: Both) -> tuple[Step, ...]:
    """The mailbox item is gone; the record may have to follow."""
    if both.erased:
        return (_delete(both, Side.CRM, "erased in the mailbox"),)
    if not both.pairing.content or _takes_part(both):
        return _declined(both)
    if _past(both.crm.item, both.policy) or _past(both.pairing.groupware.item, both.policy):
        return (_unpair(both, Frozen.PAST, "a past entry was tidied away in the mailbox"),)
    return _follow(both, Side.CRM)


def _deleted_in_crm(both: Both) -> tuple[Step, ...]:
    """The record is gone; the mailbox item may have to follow."""
    if both.erased:
        return (_delete(both, Side.GROUPWARE, "erased in the CRM"),)
    if both.policy.invitation(both.groupware.item):
        why = "deleted in the CRM, but the meeting is somebody else's: the invitation stays"
        return (_unpair(both, Frozen.UNLINKED, why),)
    return _follow(both, Side.GROUPWARE)


def _follow(both: Both, to: Side) -> tuple[Step, ...]:
    """Carry a deletion to side `to`, unless an edit there or the rule says otherwise."""
    policy, gone = both.policy, to.other
    edited = both.said[to] is Said.CHANGED and shared_edits(
        both.pairing, gone, both.now(to), policy
    )
    if edited:
        return _resurrect(both, gone, edited)
    if both.now(to).readonly:
        why = f"deleted in the {_place(gone)}; this user may not delete it in the {_place(to)}"
        return (_unpair(both, Frozen.UNLINKED, why),)
    reaches = policy.program.deletion(to)
    if reaches is Deletion.PROPAGATE:
        return (_delete(both, to, f"deleted in the {_place(gone)}"),)
    why = f"deleted in the {_place(gone)}; the rule says {reaches}"
    return (_unpair(both, Frozen.UNLINKED, why),)


def _resurrect(both: Both, gone: Side, edited: tuple[str, ...]) -> tuple[Step, ...]:
    names = ", ".join(edited)
    why = f"deleted in the {_place(gone)}, but {names} edited in the {_place(gone.other)}"
    if not both.policy.program.creates(gone):
        return (_unpair(both, Frozen.UNLINKED, f"{why}; the rule creates nothing there"),)
    source = both.now(gone.other)
    return (
        Create(
            side=gone,
            source=source,
            item=both.policy.carried(gone, source.item),
            pairing=both.pairing.id,
            why=f"{why}: the edit wins, silently",
        ),
    )


def _takes_part(both: Both) -> bool:
    """Tell whether the mailbox's owner is merely invited to this meeting."""
    if both.policy.invitation(both.pairing.groupware.item):
        return True
    item, facts = both.crm.item, both.policy.facts
    if not isinstance(item, Event) or item.organizer is None or not item.attendees:
        return False
    if facts.is_owner(item.organizer.address):
        return False
    return any(facts.is_owner(attendee.address) for attendee in item.attendees)


def _declined(both: Both) -> tuple[Step, ...]:
    """An attendee who deletes an invitation has declined it."""
    steps: list[Step] = []
    item, facts = both.crm.item, both.policy.facts
    if isinstance(item, Event) and both.said[Side.CRM] in (Said.SAME, Said.CHANGED):
        attendees = tuple(
            msgspec.structs.replace(a, reply=Reply.DECLINED) if facts.is_owner(a.address) else a
            for a in item.attendees
        )
        if attendees != item.attendees and "attendees" in both.policy.crm.fields:
            after = patch(item, {"attendees": attendees})
            steps.append(
                Update(
                    side=Side.CRM,
                    pairing=both.pairing.id,
                    before=both.crm,
                    after=after,
                    base=both.groupware,
                    changes=changes(item, after),
                    why="the attendee deleted the invitation, which declines it",
                )
            )
    steps.append(_unpair(both, Frozen.DECLINED, "the attendee deleted their copy"))
    return tuple(steps)


def _past(item: Item, policy: Policy) -> bool:
    _, last = first_and_last(item)
    return last is not None and last < policy.facts.now


def _moved(both: Both) -> tuple[Step, ...]:
    if both.pairing.frozen:
        return ()
    return (_unpair(both, Frozen.MOVED, "moved elsewhere on its side; the other item stays"),)


def _left(both: Both) -> tuple[Step, ...]:
    """The CRM record left this user's scope."""
    why = f"left the user's scope{': ' + both.why if both.why else ''}"
    if both.pairing.frozen:
        return ()
    if both.pairing.made is Side.GROUPWARE:
        return _withdraw(both, why)
    return (_unpair(both, Frozen.SCOPE, why),)


def _wait(both: Both) -> tuple[Step, ...]:
    """One side can't be read: nothing follows from that, and nothing is forgotten."""
    side = next(side for side in Side if both.said[side] is Said.BLIND)
    why = f"can't be read at present: {both.why or 'no reason given'}"
    parked = "" if both.said[side.other] in (Said.SAME, Said.BLIND) else "retry"
    return (_skip(both, side, why, parked),)


def _forget(both: Both) -> tuple[Step, ...]:
    return (_unpair(both, Frozen.UNLINKED, "gone on both sides", forget=True),)


def _unpair(both: Both, cause: Frozen, why: str, forget: bool = False) -> Unpair:
    pairing = both.pairing
    return Unpair(
        pairing=pairing.id,
        crm=pairing.crm.ref,
        groupware=pairing.groupware.ref,
        cause=cause,
        forget=forget,
        why=why,
    )


def _delete(both: Both, side: Side, why: str) -> Delete:
    mails = both.policy.mails(both.groupware, None) if side is Side.GROUPWARE else ()
    return Delete(side=side, pairing=both.pairing.id, before=both.now(side), mails=mails, why=why)


def _skip(both: Both, side: Side, why: str, parked: str = "") -> Skip:
    now = both.now(side)
    return Skip(
        side=side,
        ref=now.ref,
        version=now.version,
        pairing=both.pairing.id,
        parked=parked,
        why=why,
    )


def _place(side: Side) -> str:
    return "CRM" if side is Side.CRM else "mailbox"


_Handler: TypeAlias = Callable[[Both], tuple[Step, ...]]

TABLE: dict[tuple[Said, Said], _Handler] = {
    # CRM            mailbox
    (Said.SAME, Said.SAME): _stay,
    (Said.SAME, Said.CHANGED): _stay,
    (Said.SAME, Said.GONE): _deleted_in_groupware,
    (Said.SAME, Said.MOVED): _moved,
    (Said.SAME, Said.LEFT): _moved,
    (Said.SAME, Said.BLIND): _wait,
    (Said.CHANGED, Said.SAME): _stay,
    (Said.CHANGED, Said.CHANGED): _stay,
    (Said.CHANGED, Said.GONE): _deleted_in_groupware,
    (Said.CHANGED, Said.MOVED): _moved,
    (Said.CHANGED, Said.LEFT): _moved,
    (Said.CHANGED, Said.BLIND): _wait,
    (Said.GONE, Said.SAME): _deleted_in_crm,
    (Said.GONE, Said.CHANGED): _deleted_in_crm,
    (Said.GONE, Said.GONE): _forget,
    (Said.GONE, Said.MOVED): _forget,
    (Said.GONE, Said.LEFT): _forget,
    (Said.GONE, Said.BLIND): _wait,
    (Said.MOVED, Said.SAME): _moved,
    (Said.MOVED, Said.CHANGED): _moved,
    (Said.MOVED, Said.GONE): _forget,
    (Said.MOVED, Said.MOVED): _moved,
    (Said.MOVED, Said.LEFT): _moved,
    (Said.MOVED, Said.BLIND): _wait,
    (Said.LEFT, Said.SAME): _left,
    (Said.LEFT, Said.CHANGED): _left,
    (Said.LEFT, Said.GONE): _forget,
    (Said.LEFT, Said.MOVED): _moved,
    (Said.LEFT, Said.LEFT): _left,
    (Said.LEFT, Said.BLIND): _wait,
    (Said.BLIND, Said.SAME): _wait,
    (Said.BLIND, Said.CHANGED): _wait,
    (Said.BLIND, Said.GONE): _wait,
    (Said.BLIND, Said.MOVED): _wait,
    (Said.BLIND, Said.LEFT): _wait,
    (Said.BLIND, Said.BLIND): _wait,
}
"""What to do, by what the CRM and the mailbox say of a pair."""
