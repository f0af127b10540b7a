"""The values of an undo: which may go back, which were edited since, and what travels with them.

Three snapshots meet here: what stood before, what was written, and what stands now.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from accord.engine.merge import merge
from accord.model.diff import diff, holds, patch
from accord.model.fields import FIELDS, same
from accord.model.item import Item, kind_of
from accord.model.kinds import Side
from accord.model.observe import Snapshot
from accord.service.undo_stand import Standing


def values_of(
    standing: Standing, side: Side, now: Snapshot
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return the old values that may go back, and those that were replaced since."""
    entries = standing.of(side)
    before = standing.before(entries[-1])
    if before is None:
        return None
    kind = kind_of(now.item)
    written = standing.after(entries[0])
    if all(entry.step == "clash" for entry in entries):
        known = {change.field for entry in entries for change in entry.fields}
        fields = [name for name in FIELDS[kind] if name in known]
        written = written or now
    elif written is not None:
        fields = list(diff(before.item, written.item))
    else:
        fields = list(diff(before.item, now.item))
    edited = _edited(standing, side, before.item)
    kept = [
        name
        for name in fields
        if written is None
        or not same(kind, name, getattr(now.item, name), getattr(written.item, name))
        or FIELDS[kind][name].clash_group in edited
    ]
    kept = [name for name in kept if not holds(now.item, before.item, name)]
    values = {name: getattr(before.item, name) for name in fields}
    return {n: v for n, v in values.items() if n not in kept}, {n: values[n] for n in kept}


def carried(
    standing: Standing,
    values: dict[Side, dict[str, Any]],
    now: dict[Side, Snapshot],
    *,
    alone: bool = False,
) -> dict[Side, Item]:
    """Return both sides with what each brings the other, as if somebody had put it back."""
    pairing = standing.pairing
    assert pairing is not None
    wanted = {side: patch(now[side].item, values[side]) for side in Side}
    back = {
        name
        for side in Side
        for name in values[side]
        if not holds(now[side].item, wanted[side], name)
    }
    bases = {str(s): now[s] if alone else _based(pairing.side(s), now[s].item, back) for s in Side}
    names = {name for some in values.values() for name in some}
    contested = tuple(name for name in pairing.contested if name not in names)
    merged = merge(
        msgspec.structs.replace(pairing, content=True, contested=contested, **bases),
        msgspec.structs.replace(now[Side.CRM], item=wanted[Side.CRM]),
        msgspec.structs.replace(now[Side.GROUPWARE], item=wanted[Side.GROUPWARE]),
        standing.policy,
        undo=True,
    )
    found = {}
    for side in Side:
        brought = merged.side(side)
        if side is Side.CRM and not pairing.content:
            brought = {name: value for name, value in brought.items() if name in names}
        found[side] = patch(wanted[side], brought)
    return found


def carries(standing: Standing) -> bool:
    """Tell whether both items are there and what changes on one goes to the other."""
    pairing = standing.pairing
    if pairing is None or pairing.frozen:
        return False
    return all(standing.seen(side) is not None for side in Side)


def refused(standing: Standing, values: dict[Side, dict[str, Any]]) -> str:
    """Return why some values can't stand: the rule lets only the other side have its say."""
    if not carries(standing):
        return ""
    now = {side: standing.seen(side) for side in Side}
    present = {side: snapshot for side, snapshot in now.items() if snapshot is not None}
    wanted = {side: patch(present[side].item, values[side]) for side in Side}
    final = carried(standing, values, present)
    for side in Side:
        names = [n for n in values[side] if not holds(final[side], wanted[side], n)]
        if names:
            return f"only the {side.other.place} may change {', '.join(names)}"
    return ""


def _edited(standing: Standing, side: Side, before: Item) -> set[str]:
    """Return the groups of fields that the other side has changed and not yet brought.

    What stands there as it did `before` is half of an undo, and no edit against it.
    """
    pairing, there = standing.pairing, standing.seen(side.other)
    if pairing is None or pairing.frozen or there is None:
        return set()
    policy = standing.policy
    base = policy.carried(side, pairing.side(side.other).item)
    now = policy.carried(side, there.item)
    former, specs = policy.sees(side, before), FIELDS[kind_of(now)]
    edited = [n for n in diff(base, now, policy.flows(side)) if not holds(now, former, n)]
    return {specs[name].clash_group for name in edited}


def _based(base: Snapshot, now: Item, names: Iterable[str]) -> Snapshot:
    """Return a base on which these fields stand as they do now, so that they count as put back."""
    values = {name: getattr(now, name) for name in names if hasattr(now, name)}
    return msgspec.structs.replace(base, item=patch(base.item, values))
