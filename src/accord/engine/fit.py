"""Withhold what a side can't hold, with the reason, instead of having it refused.

`planning` asks after `reconcile` and before the guard, so that a plan promises only what can be.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from msgspec import UNSET, UnsetType

from accord.engine.plan import WITHHELD, Create, Hold, Skip, Step, Update
from accord.model.item import Item
from accord.model.kinds import Side
from accord.model.names import name_of
from accord.model.observe import Snapshot
from accord.model.parts import Privacy

Unfit = Callable[[Side, Item, Collection[str] | None], str]
"""Return why a side can't hold an item; empty where it can.

The fields are those that change; None says that the item is new.
"""


def fitted(steps: Sequence[Step], unfit: Unfit) -> tuple[Step, ...]:
    """Return the steps, with a reason in the place of each that can't be done.

    What is new is left where it is. A change of a pair waits: its bases stay, so that it is seen
    as a change until it can travel, or clashes with one from the other side.
    """
    return tuple(_fitted(step, unfit) for step in steps)


def _fitted(step: Step, unfit: Unfit) -> Step:
    effect = step.held if isinstance(step, Hold) else step
    if isinstance(effect, Create) and (why := unfit(effect.side, effect.item, None)):
        return _withheld(effect.side.other, effect.source, effect.pairing, why)
    if not isinstance(effect, Update):
        return step
    names = [change.field for change in effect.changes]
    if why := unfit(effect.side, effect.after, names):
        return _withheld(effect.side, effect.before, effect.pairing, why)
    return step


def _withheld(side: Side, snapshot: Snapshot, pairing: str, why: str) -> Skip:
    return Skip(
        side=side,
        ref=snapshot.ref,
        version=snapshot.version,
        pairing=pairing,
        parked=WITHHELD,
        why=why,
        label=title_of(snapshot.item),
    )


def title_of(item: Item) -> str | UnsetType:
    """Return what people call an item; of private ones nothing."""
    return name_of(item) if item.privacy is Privacy.PUBLIC else UNSET
