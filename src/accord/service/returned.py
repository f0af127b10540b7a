"""Held deletions of items that are there again: nothing is left to delete, nothing to decide.

`cases` has them looked at, `planning` takes them off the list once both sides stand as before.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from accord.engine.plan import Delete, Hold, Pair
from accord.model.kinds import Side
from accord.model.observe import Seen
from accord.service.pull import Pulled, tombstones
from accord.service.visit import Decided
from accord.state.codec import decode_step
from accord.state.records import Pending

Place = tuple[Side, str]


def missing(held: Sequence[Pending], apart: Collection[str] = ()) -> dict[Place, Pending]:
    """Return the held deletions by the side and ref that the item is missing from.

    What is held for a cause in `apart` is left out.
    """
    found = {}
    for one in held:
        step = decode_step(one.step)
        if isinstance(step, Hold) and isinstance(step.held, Delete) and step.cause not in apart:
            side = step.held.side.other
            ref = one.ref_crm if side is Side.CRM else one.ref_groupware
            found[side, ref] = one
    return found


def mentioned(held: Sequence[Pending], pulled: dict[Side, Pulled]) -> list[Pending]:
    """Return the held deletions of items that their side mentions, and not as gone."""
    there = {
        side: one.listed - tombstones(one.observations.values()) for side, one in pulled.items()
    }
    return [one for (side, ref), one in missing(held).items() if ref in there[side]]


def settled(decided: Decided, gone: Collection[Place]) -> Decided:
    """Let a pair agree anew whose deletion was held and of which nothing is to be done."""
    case = decided.case
    pairing, crm, groupware = case.pairing, case.crm, case.groupware
    if decided.steps or pairing is None or pairing.frozen:
        return decided
    if not isinstance(crm, Seen) or not isinstance(groupware, Seen):
        return decided
    if not any((side, pairing.side(side).ref) in gone for side in Side):
        return decided
    pair = Pair(
        pairing=pairing.id,
        crm=pairing.crm,
        groupware=pairing.groupware,
        content=pairing.content,
        contested=pairing.contested,
        why="it is there again: nothing is to be deleted any more",
    )
    return msgspec.structs.replace(decided, steps=(pair,))
