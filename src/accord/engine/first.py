"""Decide about items that have no pairing yet: two that meet, or one that is new.

A first meeting deletes nothing and mails nothing.
"""

from __future__ import annotations

from typing import Any

import msgspec

from accord.engine.plan import Conflict, Create, Pair, Skip, Step, Update
from accord.engine.policy import Policy, pairing_id
from accord.model.diff import FieldChange, changes, diff, patch
from accord.model.fields import is_empty
from accord.model.kinds import Side
from accord.model.observe import Snapshot
from accord.rules.rule import Meetings


def meet(crm: Snapshot, groupware: Snapshot, policy: Policy, *, content: bool) -> tuple[Step, ...]:
    """Pair two items that were found to be the same thing.

    What only one side knows is filled in on the other; what differs stays on both sides as a
    conflict until somebody decides.
    """
    pairing = pairing_id(policy.link, crm.ref, groupware.ref)
    out = _outside(crm, groupware, policy)
    if out is not None:
        return out
    fills: dict[Side, dict[str, Any]] = {Side.CRM: {}, Side.GROUPWARE: {}}
    open_fields: list[FieldChange] = []
    _compare(Side.GROUPWARE, crm, groupware, policy, fills, open_fields)
    if content:
        _compare(Side.CRM, groupware, crm, policy, fills, open_fields)
    differences = _without_fills(open_fields, fills)
    why = "the same item on both sides"
    if differences:
        why = "the same item on both sides, with differences"
    contested = tuple(change.field for change in differences)
    steps: list[Step] = [
        Pair(
            pairing=pairing,
            crm=crm,
            groupware=groupware,
            content=content,
            contested=contested,
            why=why,
        )
    ]
    for side, now, other in (
        (Side.GROUPWARE, groupware, crm),
        (Side.CRM, crm, groupware),
    ):
        steps += _fill(side, now, other, fills[side], pairing, policy)
    if differences:
        steps.append(
            Conflict(
                pairing=pairing,
                field=", ".join(change.field for change in differences),
                crm=crm,
                groupware=groupware,
                fields=differences,
                why="the items met for the first time and differ; both stay as they are",
            )
        )
    return tuple(steps)


def newcomer(
    side: Side, snapshot: Snapshot, policy: Policy, *, claimed: bool = False
) -> tuple[Step, ...]:
    """Decide whether an item of `side` that has no counterpart gets one.

    `claimed` says that a mailbox item is a meeting which another link's copy brings in.
    """
    to = side.other
    verdict = policy.program.scope(side, snapshot, policy.facts)
    if not verdict.inside:
        return (_skip(side, snapshot, verdict.why),)
    if side is Side.GROUPWARE and snapshot.marker:
        return (_skip(side, snapshot, "a copy made by Accord whose record no longer exists"),)
    if not policy.program.creates(to):
        place = "CRM" if to is Side.CRM else "mailbox"
        return (_skip(side, snapshot, f"the rule creates nothing in the {place}"),)
    if side is Side.GROUPWARE and claimed:
        why = "a meeting that another participant's calendar brings into the CRM"
        return (msgspec.structs.replace(_skip(side, snapshot, why), parked="retry"),)
    item = policy.fresh(to, snapshot.item)
    mails = (
        policy.mails(None, item) if to is Side.GROUPWARE and _announces(snapshot, policy) else ()
    )
    place = "CRM" if side is Side.CRM else "mailbox"
    return (Create(side=to, source=snapshot, item=item, mails=mails, why=f"new in the {place}"),)


def _announces(snapshot: Snapshot, policy: Policy) -> bool:
    """Tell whether creating this copy may invite: a coming meeting, and not a first run."""
    if policy.first or not policy.invites:
        return False
    if policy.program.rule.meetings is not Meetings.INVITE:
        return False
    return not policy.past(snapshot.item)


def _outside(crm: Snapshot, groupware: Snapshot, policy: Policy) -> tuple[Step, ...] | None:
    for side, snapshot in ((Side.CRM, crm), (Side.GROUPWARE, groupware)):
        verdict = policy.program.scope(side, snapshot, policy.facts, paired=True)
        if not verdict.inside:
            return (
                _skip(Side.CRM, crm, verdict.why),
                _skip(Side.GROUPWARE, groupware, verdict.why),
            )
    return None


def _compare(
    to: Side,
    source: Snapshot,
    target: Snapshot,
    policy: Policy,
    fills: dict[Side, dict[str, Any]],
    open_fields: list[FieldChange],
) -> None:
    """Sort the differences that `source` has with `target` into fills and open questions.

    Where one side stores just what it would of the other's value, the two are equal, although
    the other may know more of it.
    """
    wanted = policy.carried(to, source.item)
    if to is Side.GROUPWARE and policy.invitation(target.item):
        return
    back = policy.over(to.other, policy.carried(to.other, target.item), source.item)
    there = policy.flows(to.other)
    differing = diff(source.item, back)
    for name in diff(target.item, policy.over(to, wanted, target.item), policy.flows(to)):
        if name in there and name not in differing:
            continue
        if is_empty(target.item, name):
            fills[to][name] = getattr(policy.over(to, wanted, target.item), name)
        elif not is_empty(wanted, name):
            mine, theirs = getattr(policy.sees(to, target.item), name), getattr(wanted, name)
            before, after = (theirs, mine) if to is Side.GROUPWARE else (mine, theirs)
            open_fields.append(FieldChange(field=name, before=before, after=after))


def _without_fills(
    open_fields: list[FieldChange], fills: dict[Side, dict[str, Any]]
) -> tuple[FieldChange, ...]:
    """Return each open field once."""
    filled = {name for values in fills.values() for name in values}
    unique = {change.field: change for change in reversed(open_fields)}
    return tuple(change for name, change in sorted(unique.items()) if name not in filled)


def _fill(
    side: Side,
    now: Snapshot,
    other: Snapshot,
    values: dict[str, Any],
    pairing: str,
    policy: Policy,
) -> list[Step]:
    if not values or now.readonly:
        return []
    after = patch(now.item, values)
    if side is Side.GROUPWARE and policy.mails(now, after):
        return []
    names = ", ".join(values)
    return [
        Update(
            side=side,
            pairing=pairing,
            before=now,
            after=after,
            base=other,
            changes=changes(now.item, after),
            why=f"{names} was empty here and is filled in",
        )
    ]


def _skip(side: Side, snapshot: Snapshot, why: str) -> Skip:
    return Skip(side=side, ref=snapshot.ref, version=snapshot.version, why=why)
