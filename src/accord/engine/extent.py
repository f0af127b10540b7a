"""How much a plan would do, counted with what was done within the hour before.

Asked by `guard`; the numbers come from the visit, from state and from the journal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from msgspec import Struct

from accord.engine.plan import Delete, Refile, Update, Writing
from accord.model.kinds import Side
from accord.rules.rule import GuardLimits

_SMALL = 10
"""Below this many pairings a share of them says nothing."""

_FEW = 2
"""So many at least must be missing where the history was lost, before anything follows."""


PILOT = 20
"""How many writes on a side go by themselves in one visit of a pilot link."""


class Extent(Struct, frozen=True, kw_only=True):
    """Be the numbers against which a plan is judged.

    A plan about files is judged by numbers of files, in which the pairs' files stand for pairs.

    `pairings` is how many pairs of the link take part. `gone` says how many of them are no
    longer where they were, by the side they are missing on, held deletions included; `lost`
    names the sides that could not tell what changed, only what is there now. What was done in
    the last hour: `deletes` by the side it was deleted on and `mails` (writes that mailed) on
    this link, `all_deletes`, `all_updates` and `all_mails` on all links of the target, this one
    included. `mailboxes` is how many the target's links are about.
    """

    pairings: int
    gone: Mapping[Side, int] = {}
    lost: AbstractSet[Side] = frozenset()
    deletes: Mapping[Side, int] = {}
    mails: int = 0
    all_deletes: Mapping[Side, int] = {}
    all_updates: Mapping[Side, int] = {}
    all_mails: int = 0
    mailboxes: int = 1


def excess(
    fresh: Sequence[Writing | Refile], side: Side, limits: GuardLimits, extent: Extent
) -> dict[str, str]:
    """Return why the writes on `side` are too many, by kind of step; `mail` is one too.

    A `file` that is taken off counts, and one that another takes the place of.
    """
    deletes = sum(isinstance(step, Delete) and step.side is side for step in fresh)
    updates = sum(isinstance(step, Update) and step.side is side for step in fresh)
    mails = sum(not isinstance(step, Refile) and bool(step.mails) for step in fresh)
    files = sum(_takes_off(step) and step.side is side for step in fresh)
    found = {
        "delete": deletes and _deletion(deletes, side, limits, extent),
        "file": files and _deletion(files, side, limits, extent, _FILES),
        "update": updates and _change(updates, side, limits, extent),
        "mail": mails and _mail(mails, limits, extent),
    }
    return {name: why for name, why in found.items() if why}


def allowed(limits: GuardLimits, mailboxes: int) -> int:
    """Return how many items of a side all links of a target may change within an hour.

    What people change in an hour grows with their number, so no number fits every target.
    """
    return max(limits.target_updates, limits.mailbox_updates * mailboxes)


def piloted(fresh: Sequence[Writing | Refile], side: Side) -> dict[str, str]:
    """Return why writes on `side` wait for approval on a link that is watched, as `excess` does."""
    count = sum(not isinstance(step, Refile) and step.side is side for step in fresh)
    found = {
        "delete": "pilot: nothing is deleted before you approve",
        "file": "pilot: no file is taken off before you approve",
        "mail": "pilot: nobody is mailed before you approve",
    }
    if count > PILOT:
        many = f"pilot: {count} items would change on the {side} side at once (allowed: {PILOT})"
        found |= {"create": many, "update": many}
    return found


def _takes_off(step: Writing | Refile) -> bool:
    return isinstance(step, Refile) and step.before is not None


class _Words(NamedTuple):
    """Say what is counted, and what becomes of it."""

    things: str
    past: str


_ITEMS = _Words("items", "deleted")
_FILES = _Words("files", "taken off")


def _deletion(
    count: int, side: Side, limits: GuardLimits, extent: Extent, words: _Words = _ITEMS
) -> str:
    done = extent.deletes.get(side, 0)
    return (
        _missing(side.other, done, limits, extent, words)
        or _mass(count, side, done, limits, extent, words)
        or _throughout(count, side, limits, extent, words)
    )


def _missing(side: Side, done: int, limits: GuardLimits, extent: Extent, words: _Words) -> str:
    """Return why what is missing on `side` looks like a place that vanished, not like deletions."""
    gone, known = extent.gone.get(side, 0), extent.pairings
    if side in extent.lost and gone >= _FEW and gone > limits.lost * known:
        return (
            f"history lost: {_PLACES[side]} was made anew or restored, or its history expired, and "
            f"{gone} of the {known} known {words.things} are missing there "
            f"(allowed: {limits.lost:.0%})"
        )
    if 0 < gone >= known and gone + done >= limits.emptied:
        all_of = f"none of the {gone + done} known {words.things} is left"
        within = f", {done} of them {words.past} within the hour" if done else ""
        return f"emptied: {all_of} in {_PLACES[side]}{within}; was it emptied or made anew?"
    return ""


def _mass(
    count: int, side: Side, done: int, limits: GuardLimits, extent: Extent, words: _Words
) -> str:
    total, known = count + done, extent.pairings + done
    share = total / known if known >= _SMALL else 0.0
    if total <= limits.deletes and share <= limits.share:
        return ""
    within = f", {done} of them within the last hour" if done else ""
    return (
        f"mass deletion: {total} of {known} {words.things} would be {words.past} on the {side} "
        f"side{within} (allowed: {limits.deletes} or {limits.share:.0%})"
    )


def _throughout(count: int, side: Side, limits: GuardLimits, extent: Extent, words: _Words) -> str:
    total = count + extent.all_deletes.get(side, 0)
    if total <= limits.target:
        return ""
    return (
        f"mass deletion: {total} {words.things} would be {words.past} on the {side} side within an "
        f"hour by all links of the target (allowed: {limits.target})"
    )


def _change(count: int, side: Side, limits: GuardLimits, extent: Extent) -> str:
    if count > limits.updates:
        return (
            f"mass change: {count} {'item' if count == 1 else 'items'} would change on the "
            f"{side} side (allowed: {limits.updates})"
        )
    total, most = count + extent.all_updates.get(side, 0), allowed(limits, extent.mailboxes)
    if total <= most:
        return ""
    each = f", {limits.mailbox_updates} for each mailbox" if most > limits.target_updates else ""
    return (
        f"mass change: {total} {'item' if total == 1 else 'items'} would change on the {side} side "
        f"within an hour by all links of the target (allowed: {most}{each})"
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
