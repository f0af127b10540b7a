"""Bring two sides' changes of a paired item together, field by field and group by group.

Each side's incoming change is measured between that side's own old and new snapshot, both
projected onto the other side: lossy stores and mappings cancel out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from accord.engine.bodies import Stand, restored
from accord.engine.clash import Always, Clashed, Judge, judge_of
from accord.engine.entries import entries, joined
from accord.engine.plan import Pairing
from accord.engine.policy import ORGANIZERS, Policy
from accord.model.diff import FieldChange, diff, holds
from accord.model.fields import FIELDS, Merge, same
from accord.model.item import Event, Item, kind_of
from accord.model.kinds import Side
from accord.model.observe import Snapshot
from accord.model.sections import keeps
from accord.rules.rule import OneWay


class Merged(Struct, frozen=True, kw_only=True):
    """Be the outcome: new values per side, the clashes, and what was put back.

    `contested` are the fields about which the two sides are, or stay, in an open conflict.
    """

    crm: dict[str, Any]
    groupware: dict[str, Any]
    clashes: tuple[Clashed, ...]
    restored: frozenset[str]
    contested: tuple[str, ...] = ()

    def side(self, side: Side) -> dict[str, Any]:
        """Return the values to write on one side."""
        return self.crm if side is Side.CRM else self.groupware


class _Half(Struct, frozen=True, kw_only=True):
    """Hold one side's view: its own base and present, and the other's as it would store them.

    `wanted` is the other's present item as it would stand here, over what does; `seen_before`
    and `seen` are this side's own, as far as the other sees their bodies.
    """

    side: Side
    flows: frozenset[str]
    base: Item
    now: Item
    theirs_before: Item
    theirs_after: Item
    wanted: Item
    seen_before: Item
    seen: Item
    incoming: frozenset[str]
    own: frozenset[str]

    def settled(self, field: str) -> bool:
        """Tell whether this side already holds what the other side has."""
        kind = kind_of(self.now)
        return same(kind, field, getattr(self.now, field), getattr(self.wanted, field))


def merge(
    pairing: Pairing, crm: Snapshot, groupware: Snapshot, policy: Policy, *, undo: bool = False
) -> Merged:
    """Return what each side has to change so that both agree again.

    `crm` and `groupware` are the present snapshots; an `undo` puts whole texts back. Raises
    RuleFailed where a mapping fails.
    """
    invitation = policy.invitation(groupware.item)
    halves = {
        side: _half(side, pairing, {Side.CRM: crm, Side.GROUPWARE: groupware}, policy, undo)
        for side in Side
    }
    patches: dict[Side, dict[str, Any]] = {Side.CRM: {}, Side.GROUPWARE: {}}
    judge = judge_of(crm, groupware, policy)
    contested = _contested(pairing, groupware, policy)
    clashes: list[Clashed] = []
    for group in _groups(halves, contested):
        clashes += _merge_group(group, halves, patches, judge, contested)
    put_back = _restore(halves, patches, policy, invitation)
    if not pairing.content or invitation:
        _bring_reply(halves, patches, policy)
    return Merged(
        crm=patches[Side.CRM],
        groupware=patches[Side.GROUPWARE],
        clashes=tuple(clashes),
        restored=put_back,
        contested=tuple(sorted(contested | opened(clashes))),
    )


def merge_alike(base: Item, crm: Item, groupware: Item, winner: Side | None) -> Merged:
    """Return what each side has to change where both hold items alike and no rule stands between.

    `base` is the item they last agreed about; `winner` wins whatever clashes, None leaves it open.
    """
    now = {Side.CRM: crm, Side.GROUPWARE: groupware}
    fields = frozenset(FIELDS[kind_of(base)])
    halves = {
        side: _Half(
            side=side,
            flows=fields,
            base=base,
            now=now[side],
            theirs_before=base,
            theirs_after=now[side.other],
            wanted=now[side.other],
            seen_before=base,
            seen=now[side],
            incoming=frozenset(diff(base, now[side.other])),
            own=frozenset(diff(base, now[side])),
        )
        for side in Side
    }
    patches: dict[Side, dict[str, Any]] = {Side.CRM: {}, Side.GROUPWARE: {}}
    clashes: list[Clashed] = []
    for group in _groups(halves, frozenset()):
        clashes += _merge_group(group, halves, patches, Always(side=winner), frozenset())
    return Merged(
        crm=patches[Side.CRM],
        groupware=patches[Side.GROUPWARE],
        clashes=tuple(clashes),
        restored=frozenset(),
        contested=tuple(sorted(opened(clashes))),
    )


def opened(clashes: Iterable[Clashed]) -> set[str]:
    """Return the fields of those clashes that nobody has decided yet."""
    return {change.field for clash in clashes if clash.winner is None for change in clash.fields}


def last(pairing: Pairing, side: Side, now: Item | None = None) -> Stand:
    """Return what is to be written over on one side of a pair: what stands, or last stood."""
    item = pairing.side(side).item if now is None else now
    return Stand(item, made=pairing.made is side)


def open_fields(pairing: Pairing, fields: Iterable[str], policy: Policy) -> tuple[str, ...]:
    """Return in which of `fields` the two items of a pair disagree, as its bases have them.

    They agree where either side holds what it would store of the other's value, although the
    other may know more of it. Raises RuleFailed where a mapping fails.
    """
    disagreeing: dict[str, bool] = {}
    for to in Side:
        stored = pairing.side(to).item
        carried = policy.carried(to, pairing.side(to.other).item)
        carried = policy.over(to, carried, last(pairing, to))
        for name in sorted(policy.flows(to).intersection(fields)):
            disagreeing[name] = disagreeing.get(name, True) and not holds(stored, carried, name)
    return tuple(name for name, unlike in disagreeing.items() if unlike)


def agrees(pairing: Pairing, policy: Policy) -> bool:
    """Tell whether both bases are what they would be by `policy`, had they never been otherwise.

    Raises RuleFailed where a mapping fails.
    """
    bases = {side: pairing.side(side) for side in Side}
    halves = [_half(side, pairing, bases, policy, undo=False) for side in Side]
    settled = all(half.settled(name) for half in halves for name in half.flows)
    return settled and not pairing.contested


def shared_edits(pairing: Pairing, to: Side, now: Snapshot, policy: Policy) -> tuple[str, ...]:
    """Return the fields of shared content edited since the base on the side opposite `to`.

    `now` is that side's present snapshot. Personal fields don't count; a value in an open
    conflict does, for nobody has decided about that edit yet.
    """
    source = to.other
    before = policy.carried_before(to, pairing.side(source).item)
    after = policy.carried(to, now.item)
    kind = kind_of(after)
    undecided = _contested(pairing, now, policy) if source is Side.GROUPWARE else pairing.contested
    names = dict.fromkeys(diff(before, after, policy.flows(to)))
    names |= dict.fromkeys(policy.flows(to).intersection(undecided))
    return tuple(name for name in names if not FIELDS[kind][name].personal)


def _half(
    side: Side,
    pairing: Pairing,
    now: dict[Side, Snapshot],
    policy: Policy,
    undo: bool,
) -> _Half:
    flows = policy.flows(side)
    back = policy.flows(side.other)
    if side is Side.GROUPWARE and policy.invitation(now[side].item):
        flows = _personal(now[side].item, flows)
    if not pairing.content and side is Side.CRM:
        flows = frozenset()
    if side is Side.GROUPWARE and policy.discreet(now[side]):
        flows = frozenset()
    flows -= policy.program.withheld(side, now[side.other].item, policy.facts)
    base, present = pairing.side(side).item, now[side].item
    before = policy.carried_before(side, pairing.side(side.other).item)
    after = policy.carried(side, now[side.other].item)
    stands = msgspec.structs.replace(
        last(pairing, side, present),
        known=before,
        base=base if "body" in back else None,
        back=undo,
    )
    seen_before, seen = policy.sees(side, base), policy.sees(side, present)
    return _Half(
        side=side,
        flows=flows,
        base=base,
        now=present,
        theirs_before=before,
        theirs_after=after,
        wanted=policy.over(side, after, stands),
        seen_before=seen_before,
        seen=seen,
        incoming=frozenset(diff(before, after, flows)),
        own=frozenset(diff(seen_before, seen, flows | back)),
    )


def _personal(item: Item, fields: frozenset[str]) -> frozenset[str]:
    specs = FIELDS[kind_of(item)]
    return frozenset(name for name in fields if name in specs and specs[name].personal)


def _contested(pairing: Pairing, groupware: Snapshot, policy: Policy) -> frozenset[str]:
    """Return the fields in an open conflict; of what turned private, nothing is left to decide."""
    return frozenset() if policy.discreet(groupware) else frozenset(pairing.contested)


def _groups(halves: dict[Side, _Half], contested: frozenset[str]) -> list[tuple[str, ...]]:
    """Return the fields that changed anywhere, in groups that win or lose together.

    Left-out dates and changed occurrences belong to the schedule as soon as a schedule itself
    changed, or is in conflict: their recurrence ids mean nothing under another rule.
    """
    changed: set[str] = set()
    for half in halves.values():
        changed |= half.incoming | half.own
    specs = FIELDS[kind_of(halves[Side.GROUPWARE].now)] | FIELDS[kind_of(halves[Side.CRM].now)]
    moving = {name for name in changed | contested if name in specs}
    rescheduled = any(specs[name].group == "schedule" for name in moving)
    groups: dict[str, list[str]] = {}
    for name, spec in specs.items():
        joins = rescheduled and name in ("exdates", "overrides")
        groups.setdefault("schedule" if joins else spec.clash_group, []).append(name)
    return [tuple(names) for names in groups.values() if changed.intersection(names)]


def _merge_group(
    group: tuple[str, ...],
    halves: dict[Side, _Half],
    patches: dict[Side, dict[str, Any]],
    judge: Judge | Always,
    contested: frozenset[str],
) -> Iterable[Clashed]:
    arriving = {side: half.incoming.intersection(group) for side, half in halves.items()}
    if not any(arriving.values()):
        return ()
    if contested.intersection(group):
        return _still_open(group, halves, patches)
    if all(arriving.values()):
        return _both_changed(group, halves, patches, judge)
    to = next(side for side in Side if arriving[side])
    return _one_changed(group, halves[to], patches[to])


def _one_changed(group: tuple[str, ...], half: _Half, patch: dict[str, Any]) -> Iterable[Clashed]:
    """Take over the other side's change; an own edit that doesn't travel gives way to it."""
    lost = []
    for name in group:
        if name not in half.flows or half.settled(name):
            continue
        if name in half.incoming:
            patch[name] = _combined(name, half, half.side.other)
            if name in half.own and patch[name] == getattr(half.wanted, name):
                lost += [] if _kept(name, half) else [_at_stake(name, half)]
        elif name in half.own:
            patch[name] = getattr(half.wanted, name)
            lost.append(_at_stake(name, half))
    if not lost:
        return ()
    why = f"the other side's value replaces an edit that does not travel from {half.side}"
    return (Clashed(group=_name(group, half), winner=half.side.other, fields=tuple(lost), why=why),)


def _kept(name: str, half: _Half) -> bool:
    """Tell whether an edit stands on beside the other side's value: in a body of its own."""
    return name == "body" and keeps(getattr(half.now, name), getattr(half.wanted, name))


def _both_changed(
    group: tuple[str, ...],
    halves: dict[Side, _Half],
    patches: dict[Side, dict[str, Any]],
    judge: Judge | Always,
) -> Iterable[Clashed]:
    crm, groupware = halves[Side.CRM], halves[Side.GROUPWARE]
    name = _name(group, groupware)
    if all(half.settled(f) for half in halves.values() for f in group if f in half.flows):
        return ()
    winner, why = judge.winner(name, groupware.now, groupware.theirs_after)
    if _of_entries(group, groupware):
        return _merge_entries(group[0], halves, patches, winner, why)
    if winner is None:
        return _undecided(group, halves, why)
    loser = groupware if winner is Side.CRM else crm
    taken = [f for f in group if f in loser.flows and not loser.settled(f)]
    for field in taken:
        patches[loser.side][field] = getattr(loser.wanted, field)
    fields = tuple(_at_stake(field, loser) for field in taken)
    return (Clashed(group=name, winner=winner, fields=fields, why=why),) if fields else ()


def _still_open(
    group: tuple[str, ...], halves: dict[Side, _Half], patches: dict[Side, dict[str, Any]]
) -> Iterable[Clashed]:
    """Leave a group as it is that is in conflict already; only its undisputed entries travel."""
    why = "the conflict about it is still open"
    if _of_entries(group, halves[Side.GROUPWARE]):
        return _merge_entries(group[0], halves, patches, None, why, contested=True)
    return _undecided(group, halves, why)


def _undecided(group: tuple[str, ...], halves: dict[Side, _Half], why: str) -> Iterable[Clashed]:
    """Leave both sides as they are; there is nothing to decide where either knows the other's."""
    fields = []
    for name in group:
        ways = [half for half in reversed(halves.values()) if name in half.flows]
        if ways and not any(half.settled(name) for half in ways):
            fields.append(_at_stake(name, ways[0]))
    name = _name(group, halves[Side.GROUPWARE])
    return (Clashed(group=name, winner=None, fields=tuple(fields), why=why),) if fields else ()


def _of_entries(group: tuple[str, ...], half: _Half) -> bool:
    """Tell whether a group is a lone field of several entries."""
    spec = FIELDS[kind_of(half.now)].get(group[0])
    return len(group) == 1 and spec is not None and spec.merge is not Merge.REPLACE


def _merge_entries(
    name: str,
    halves: dict[Side, _Half],
    patches: dict[Side, dict[str, Any]],
    winner: Side | None,
    why: str,
    *,
    contested: bool = False,
) -> Iterable[Clashed]:
    """Merge a field of several entries on both sides, entry by entry."""
    clashed: list[FieldChange] = []
    for side, half in halves.items():
        value, lost = _three_way(name, half, winner, contested)
        if not same(kind_of(half.now), name, value, getattr(half.now, name)):
            patches[side][name] = value
        if lost and (winner is not side):
            clashed.append(_at_stake(name, half))
    if not clashed:
        return ()
    return (Clashed(group=name, winner=winner, fields=(clashed[-1],), why=why),)


def _combined(name: str, half: _Half, winner: Side) -> Any:
    spec = FIELDS[kind_of(half.now)][name]
    if spec.merge is Merge.REPLACE:
        return getattr(half.wanted, name)
    return _three_way(name, half, winner)[0]


def _three_way(
    name: str, half: _Half, winner: Side | None, contested: bool = False
) -> tuple[Any, bool]:
    """Return the entries of `half` with the other side's changes in, and whether any clashed.

    In a `contested` field those clash as well about which the two bases disagree.
    """
    before = entries(name, half.theirs_before)
    after = entries(name, half.theirs_after)
    base, seen = entries(name, half.seen_before), entries(name, half.seen)
    now, wanted = entries(name, half.now), entries(name, half.wanted)
    result, clashed = dict(now), False
    for key in {**before, **after}:
        if before.get(key) == after.get(key):
            continue
        new = wanted.get(key)
        mine_changed = base.get(key) != seen.get(key)
        mine_changed |= contested and base.get(key) != before.get(key)
        if mine_changed and now.get(key) != new:
            clashed = True
            if winner is half.side or winner is None:
                continue
        if new is None:
            result.pop(key, None)
        else:
            result[key] = new
    return joined(name, result), clashed


def _restore(
    halves: dict[Side, _Half],
    patches: dict[Side, dict[str, Any]],
    policy: Policy,
    invitation: bool,
) -> frozenset[str]:
    """Put back edits on the side that a field doesn't come from, where that is asked for."""
    put_back: set[str] = set()
    for side, half in halves.items():
        back = halves[side.other].flows
        for name in half.own - half.incoming - back - patches[side].keys():
            protected = invitation and side is Side.CRM and name in ORGANIZERS
            wanted = protected or policy.program.one_way(name) is OneWay.RESTORE
            if name in half.flows and wanted:
                body = name == "body" and side is Side.GROUPWARE
                value = restored(half.base, half.now) if body else getattr(half.base, name)
                patches[side][name] = value
                put_back.add(name)
    return frozenset(put_back)


def _bring_reply(
    halves: dict[Side, _Half], patches: dict[Side, dict[str, Any]], policy: Policy
) -> None:
    """Bring the owner's own reply into the CRM from a copy that gives nothing else."""
    crm, groupware = halves[Side.CRM], halves[Side.GROUPWARE]
    if not isinstance(crm.now, Event) or "attendees" not in policy.flows(Side.CRM):
        return
    replies = [_reply(item, policy) for item in (groupware.base, groupware.now)]
    if replies[0] == replies[1] or replies[1] is None:
        return
    attendees = patches[Side.CRM].get("attendees", crm.now.attendees)
    changed = tuple(
        msgspec.structs.replace(entry, reply=replies[1])
        if policy.facts.is_owner(entry.address)
        else entry
        for entry in attendees
    )
    if changed != attendees:
        patches[Side.CRM]["attendees"] = changed


def _reply(item: Item, policy: Policy) -> Any:
    if not isinstance(item, Event):
        return None
    mine = (a.reply for a in item.attendees if policy.facts.is_owner(a.address))
    return next(mine, None)


def _name(group: tuple[str, ...], half: _Half) -> str:
    spec = FIELDS[kind_of(half.now)].get(group[0])
    return spec.clash_group if spec is not None else group[0]


def _at_stake(name: str, half: _Half) -> FieldChange:
    """Return the CRM's value and the mailbox's, in the terms of the side that is looked at."""
    here, there = getattr(half.seen, name), getattr(half.theirs_after, name)
    crm, mailbox = (here, there) if half.side is Side.CRM else (there, here)
    return FieldChange(field=name, before=crm, after=mailbox)
