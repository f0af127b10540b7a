"""What an undo has shown is what it does: steps planned later are measured by those shown before.

`undo` measures its later rounds, `undo_held` what somebody has approved.
"""

from __future__ import annotations

from collections.abc import Iterable

from accord.engine.guard import fingerprint
from accord.engine.plan import Create, Delete, Refile, Step, Update
from accord.model.diff import diff
from accord.model.fields import same
from accord.model.item import kind_of
from accord.service.undo_plan import Planned, Writing, refusal, writing

MOVING = "it keeps changing meanwhile; undo it again"


class Shown:
    """Know the steps that were shown, by the entries they are to undo.

    Not by refs: what comes back may have a new one.
    """

    def __init__(self, planned: Iterable[Planned]) -> None:
        """Keep those steps that write."""
        self._steps: dict[int, list[Writing]] = {}
        for one in planned:
            steps = writing(one)
            self._steps |= {entry.id: steps for entry in one.entries}

    def only(self, planned: Planned) -> Planned:
        """Return a plan as it is where each write in it was shown; otherwise nothing is done.

        Edits made meanwhile on the other side go with an update, as the next visit would carry
        them.
        """
        known = [one for entry in planned.entries for one in self._steps.get(entry.id, ())]
        if all(any(_within(step, one) for one in known) for step in writing(planned)):
            return planned
        return refusal(planned.entries, MOVING)


def alike(step: Writing | Refile, shown: Step) -> bool:
    """Tell whether a step writes just what was shown, over the very values it was to replace."""
    match step, shown:
        case Create(), Create():
            return step.side is shown.side and not diff(shown.item, step.item)
        case Delete(), Delete():
            known = step.side is shown.side and step.before.ref == shown.before.ref
            return known and not diff(shown.before.item, step.before.item)
        case Refile(), Refile():
            return fingerprint(step) == fingerprint(shown)
        case Update(), Update():
            return _same_change(step, shown)
        case _:
            return False


def _within(step: Writing, shown: Writing) -> bool:
    """Tell whether a step writes nothing but what was shown, and edits that are on their way.

    They are about the same item.
    """
    if not isinstance(step, Update) or not isinstance(shown, Update):
        return alike(step, shown)
    if step.side is not shown.side:
        return False
    known, kind = {change.field for change in shown.changes}, kind_of(step.after)

    def fits(name: str) -> bool:
        if name in known:
            return _stands(name, step, shown)
        return same(kind, name, getattr(step.after, name), getattr(step.base.item, name, None))

    return all(fits(change.field) for change in step.changes)


def _same_change(step: Update, shown: Update) -> bool:
    fields = {change.field for change in step.changes}
    if step.side is not shown.side or fields != {change.field for change in shown.changes}:
        return False
    return step.before.ref == shown.before.ref and all(_stands(f, step, shown) for f in fields)


def _stands(field: str, step: Update, shown: Update) -> bool:
    """Tell whether a field is to become what was shown, and is still what it was then."""
    kind = kind_of(step.after)
    pairs = ((step.before.item, shown.before.item), (step.after, shown.after))
    return all(same(kind, field, getattr(a, field), getattr(b, field)) for a, b in pairs)
