"""Work out a pairing's new bases after writes, also when only one side's write succeeded."""

from __future__ import annotations

import msgspec

from accord.engine.entries import brought
from accord.engine.plan import Pairing, Update
from accord.model.diff import patch
from accord.model.item import Item
from accord.model.kinds import Side
from accord.model.observe import Snapshot


def as_written(
    ref: str, version: str, sent: Item, found: Snapshot | None, old: Snapshot | None = None
) -> Snapshot:
    """Return the base of a side just written.

    It is the read-back only if that carries the version which the write returned; else it is
    the item as sent, so that an edit made in between stays visible as a change.
    """
    if found is not None and found.version == version:
        return found
    known = found or old
    if known is not None:
        item = patch(sent, {"uid": known.item.uid})
        return msgspec.structs.replace(known, ref=ref, version=version, item=item)
    return Snapshot(ref=ref, version=version, item=sent)


def settle(
    pairing: Pairing,
    crm: Snapshot,
    groupware: Snapshot,
    done: dict[Side, tuple[Update, Snapshot]],
    failed: frozenset[Side],
) -> Pairing:
    """Return the pairing after its updates.

    `crm` and `groupware` are the snapshots the plan stood on, `done` the updates that were
    written with what they left behind. Where a side in `failed` refused its update, the other
    side's base keeps showing the change that still has to travel: only what did travel is
    patched into it, entry by entry, and its version stays the old one. What is in conflict
    since the plan is so in the pairing too, whoever refused.
    """
    now = {Side.CRM: crm, Side.GROUPWARE: groupware}
    bases: dict[Side, Snapshot] = {}
    for side in Side:
        latest = done[side][1] if side in done else now[side]
        if side.other not in failed:
            bases[side] = latest
            continue
        base = pairing.side(side)
        if side in done:
            step = done[side][0]
            values = {
                change.field: brought(change.field, base.item, step.before.item, step.after)
                for change in step.changes
            }
            base = msgspec.structs.replace(base, item=patch(base.item, values))
        bases[side] = base
    contested = {name for step, _ in done.values() for name in step.contested}
    return msgspec.structs.replace(
        pairing,
        crm=bases[Side.CRM],
        groupware=bases[Side.GROUPWARE],
        frozen="",
        contested=tuple(sorted(contested.union(pairing.contested))),
        refused=pairing.refused and Side.CRM not in done,
    )
