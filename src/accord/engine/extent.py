"""How much a plan would do, counted with what was done within the hour before.

Asked by `guard`; the numbers come from the visit, from state and from the journal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct

from accord.engine.plan import Delete, Update, Writing
from accord.model.kinds import Side
from accord.rules.rule import GuardLimits

_SMALL = 10
"""Below this many pairings a share of them says nothing."""

_FEW = 2
"""So many at least must be missing where the history was lost, before anything follows."""


class Extent(Struct, frozen=True, kw_only=True):
    """Be the numbers against which a plan is judged.

    `pairings` is how many pairs of the link take part. `gone` says how many of them are no
    longer where they were, by the side they are missing on, held deletions included; `lost`
    names the sides that could not tell what changed, only what is there now. What was done in
    the last hour: `deletes` by the side it was deleted on and `mails` (writes that mailed) on
    this link, `all_deletes` and `all_mails` on all links of the target, this one included.
    """

    pairings: int
    gone: Mapping[Side, int] = {}
    lost: AbstractSet[Side] = frozenset()
    deletes: Mapping[Side, int] = {}
    mails: int = 0
    all_deletes: Mapping[Side, int] = {}
    all_mails: int = 0


def excess(
    fresh: Sequence[Writing], side: Side, limits: GuardLimits, extent: Extent
) -> dict[str, str]:
    """Return why the writes on `side` are too many, by kind of step; `mail` is one too."""
    deletes = sum(isinstance(step, Delete) and step.side is side for step in fresh)
    updates = sum(isinstance(step, Update) and step.side is side for step in fresh)
    mails = sum(bool(step.mails) for step in fresh)
    found = {
        "delete": deletes and _deletion(deletes, side, limits, extent),
        "update": _change(updates, side, limits),
        "mail": mails and _mail(mails, limits, extent),
    }
    return {name: why for name, why in found.items() if why}


def _deletion(count: int, side: Side, limits: GuardLimits, extent: Extent) -> str:
    done = extent.deletes.get(side, 0)
    return (
        _missing(side.other, done, limits, extent)
        or _mass(count, side, done, limits, extent)
        or _throughout(count, side, limits, extent)
    )


def _missing(side: Side, done: int, limits: GuardLimits, extent: Extent) -> str:
    """Return why what is missing on `side` looks like a place that vanished, not like deletions."""
    gone, known = extent.gone.get(side, 0), extent.pairings
    if side in extent.lost and gone >= _FEW and gone > limits.lost * known:
        return (
            f"history lost: {_PLACES[side]} was made anew or restored, or its history expired, and "
            f"{gone} of the {known} known items are missing there (allowed: {limits.lost:.0%})"
        )
    if 0 < gone >= known and gone + done >= limits.emptied:
        all_of = f"none of the {gone + done} known items is left"
        within = f", {done} of them deleted within the hour" if done else ""
        return f"emptied: {all_of} in {_PLACES[side]}{within}; was it emptied or made anew?"
    return ""


def _mass(count: int, side: Side, done: int, limits: GuardLimits, extent: Extent) -> str:
    total, known = count + done, extent.pairings + done
    share = total / known if known >= _SMALL else 0.0
    if total <= limits.deletes and share <= limits.share:
        return ""
    within = f", {done} of them within the last hour" if done else ""
    return (
        f"mass deletion: {total} of {known} items would be deleted on the {side} side{within} "
        f"(allowed: {limits.deletes} or {limits.share:.0%})"
    )


def _throughout(count: int, side: Side, limits: GuardLimits, extent: Extent) -> str:
    total = count + extent.all_deletes.get(side, 0)
    if total <= limits.target:
        return ""
    return (
        f"mass deletion: {total} items would be deleted on the {side} side within an hour by all "
        f"links of the target (allowed: {limits.target})"
    )


def _change(count: int, side: Side, limits: GuardLimits) -> str:
    if count <= limits.updates:
        return ""
    return (
        f"mass change: {count} {'item' if count == 1 else 'items'} would change on the "
        f"{side} side (allowed: {limits.updates})"
    )


def _mail(count: int, limits: GuardLimits, extent: Extent) -> str:
    here, everywhere = count + extent.mails, count + extent.all_mails
    if here > limits.mails:
        return (
            f"mass mail: {here} changes would mail people within an hour (allowed: {limits.mails})"
        )
    if everywhere > limits.target:
        return (
            f"mass mail: {everywhere} changes would mail people within an hour from all links of "
            f"the target (allowed: {limits.target})"
        )
    return ""


_PLACES = {Side.CRM: "the CRM", Side.GROUPWARE: "the mailbox folder"}
