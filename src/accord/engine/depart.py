"""Decide about pairs of which one item is gone, elsewhere or out of scope.

`reconcile.TABLE` leads here; deletions travel only where nothing and nobody speaks against it.
"""

from __future__ import annotations

import msgspec

from accord.engine.both import Both, Said, delete, skip, unpair
from accord.engine.merge import last, shared_edits
from accord.engine.plan import Create, Frozen, Step, Update
from accord.model.diff import changes, patch
from accord.model.item import Event
from accord.model.kinds import Side
from accord.model.parts import Reply
from accord.rules.rule import Deletion, Leaving


def outside(both: Both) -> tuple[Step, ...] | None:
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
                return (unpair(both, Frozen.SCOPE, f"outside: {verdict.why}"),)
            case Leaving.DELETE_COPY:
                return _withdraw(both, f"outside: {verdict.why}")
    return None


def _still(both: Both, why: str) -> tuple[Step, ...]:
    changed = next((side for side in Side if both.said[side] is Said.CHANGED), None)
    return () if changed is None else (skip(both, changed, why),)


def _withdraw(both: Both, why: str) -> tuple[Step, ...]:
    """Remove the copy Accord made if nobody edited it; else let go of the pair."""
    made = both.pairing.made
    if made is None:
        return (unpair(both, Frozen.SCOPE, f"{why}; neither item was made by Accord"),)
    edited = both.pairing.contested or changes(both.pairing.side(made).item, both.now(made).item)
    if made is Side.CRM and both.policy.past(both.crm.item):
        return (unpair(both, Frozen.SCOPE, f"{why}; a past record stays"),)
    if edited or both.said[made] not in (Said.SAME, Said.CHANGED):
        return (unpair(both, Frozen.SCOPE, f"{why}; the copy was edited, so it stays"),)
    return (delete(both, made, f"{why}; the unedited copy is withdrawn"),)


def deleted_in_groupware(both: Both) -> tuple[Step, ...]:
    """The mailbox item is gone; the record may have to follow."""
    if both.erased:
        return (delete(both, Side.CRM, "erased in the mailbox"),)
    if not both.pairing.content or _takes_part(both):
        return _declined(both)
    if both.policy.past(both.crm.item) or both.policy.past(both.pairing.groupware.item):
        return (unpair(both, Frozen.PAST, "a past entry was tidied away in the mailbox"),)
    return _follow(both, Side.CRM)


def deleted_in_crm(both: Both) -> tuple[Step, ...]:
    """The record is gone; the mailbox item may have to follow."""
    if both.erased:
        return (delete(both, Side.GROUPWARE, "erased in the CRM"),)
    if both.policy.invitation(both.groupware.item):
        why = "deleted in the CRM, but the meeting is somebody else's: the invitation stays"
        return (unpair(both, Frozen.UNLINKED, why),)
    return _follow(both, Side.GROUPWARE)


def _follow(both: Both, to: Side) -> tuple[Step, ...]:
    """Carry a deletion to side `to`, unless an edit there or the rule says otherwise."""
    policy, gone = both.policy, to.other
    edited = _shared_edits(both, to)
    if edited:
        return _resurrect(both, gone, edited)
    verdict = policy.program.scope(to, both.now(to), policy.facts, paired=True)
    if not verdict.inside:
        why = f"deleted in the {gone.place}, but outside: {verdict.why}"
        return (unpair(both, Frozen.UNLINKED, why),)
    if both.now(to).readonly:
        why = f"deleted in the {gone.place}; this user may not delete it in the {to.place}"
        return (unpair(both, Frozen.UNLINKED, why),)
    reaches = policy.program.deletion(to)
    if reaches is Deletion.PROPAGATE:
        return (delete(both, to, f"deleted in the {gone.place}"),)
    why = f"deleted in the {gone.place}; the rule says {reaches}"
    return (unpair(both, Frozen.UNLINKED, why),)


def _shared_edits(both: Both, to: Side) -> tuple[str, ...]:
    """Return what was edited on side `to`, or is in conflict there, and stands against deleting it.

    Edits of a copy that gives no content don't, and the organizer's cancellation beats them.
    """
    copy = to is Side.GROUPWARE and not both.pairing.content
    cancelled = to is Side.CRM and _organizes(both)
    undecided = both.pairing.contested
    if (both.said[to] is not Said.CHANGED and not undecided) or copy or cancelled:
        return ()
    return shared_edits(both.pairing, to.other, both.now(to), both.policy)


def _resurrect(both: Both, gone: Side, edited: tuple[str, ...]) -> tuple[Step, ...]:
    names = ", ".join(edited)
    why = f"deleted in the {gone.place}, but {names} edited in the {gone.other.place}"
    if not both.policy.program.creates(gone):
        return (unpair(both, Frozen.UNLINKED, f"{why}; the rule creates nothing there"),)
    source = both.now(gone.other)
    return (
        Create(
            side=gone,
            source=source,
            item=both.policy.fresh(gone, source.item, last(both.pairing, gone)),
            pairing=both.pairing.id,
            why=f"{why}: the edit wins, silently",
        ),
    )


def _organizes(both: Both) -> bool:
    """Tell whether the deleted item was a meeting that the mailbox's owner organized."""
    item = both.pairing.groupware.item
    if not isinstance(item, Event) or item.organizer is None or not item.attendees:
        return False
    return both.policy.facts.is_owner(item.organizer.address)


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
    if isinstance(item, Event):
        attendees = tuple(
            msgspec.structs.replace(a, reply=Reply.DECLINED) if facts.is_owner(a.address) else a
            for a in item.attendees
        )
        comes_in = "attendees" in both.policy.flows(Side.CRM) and not both.crm.readonly
        if attendees != item.attendees and comes_in:
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
    steps.append(unpair(both, Frozen.DECLINED, "the attendee deleted their copy"))
    return tuple(steps)


def moved(both: Both) -> tuple[Step, ...]:
    """Let go of a pair one of whose items was found elsewhere."""
    if both.pairing.frozen:
        return ()
    return (unpair(both, Frozen.MOVED, "moved elsewhere on its side; the other item stays"),)


def left(both: Both) -> tuple[Step, ...]:
    """The CRM record left this user's scope."""
    why = f"left the user's scope{': ' + both.why if both.why else ''}"
    if both.pairing.frozen:
        return ()
    if both.pairing.made is Side.GROUPWARE:
        return _withdraw(both, why)
    return (unpair(both, Frozen.SCOPE, why),)


def forget(both: Both) -> tuple[Step, ...]:
    """Drop a pair of which nothing is left."""
    return (unpair(both, Frozen.UNLINKED, "gone on both sides", forget=True),)
