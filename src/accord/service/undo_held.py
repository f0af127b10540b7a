"""Held steps of an undo, once somebody has said yes: planned again, and done if they are the same.

What has changed since it was shown is held again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from accord.engine.plan import Hold, Refile, Step
from accord.service.accord import Accord
from accord.service.report import Report
from accord.service.undo import undo_entries
from accord.service.undo_plan import Writing
from accord.service.undo_shown import alike
from accord.service.undone import forget_waiting, undoes
from accord.state.codec import decode_step
from accord.state.records import Cause, Entry, Pending


def undo_held(accord: Accord, approved: Sequence[Pending]) -> list[Report]:
    """Carry out held steps of undos; a step's other half, on the other side, goes with it."""
    chosen = {(one.link, undoes(decode_step(one.step))) for one in approved}
    reports = []
    for link, numbers in sorted(chosen):
        with accord.state.read() as tx:
            waiting = [decode_step(one.step) for one in tx.pending.by_link(link, Cause.UNDO)]
            found = [tx.journal.get(number) for number in numbers]
        shown = [step for step in waiting if undoes(step) == numbers]
        entries = [one for one in found if one is not None and one.undone_by is None]
        reports += _undo(accord, link, entries, shown)
    return reports


def _undo(
    accord: Accord, link: str, entries: Sequence[Entry], shown: Sequence[Step]
) -> list[Report]:
    reports = undo_entries(accord, entries, _approved(shown))
    if not any(_unfinished(report) for report in reports):
        with accord.state.begin() as tx:
            forget_waiting(tx, link, {number for step in shown for number in undoes(step)})
    return reports


def _unfinished(report: Report) -> bool:
    return bool(report.error or report.left or report.held or report.failed or report.observed)


def _approved(shown: Sequence[Step]) -> Callable[[Sequence[Writing | Refile]], bool]:
    """Tell of steps whether each is one that was shown, the values it replaces included."""
    effects = [step.held for step in shown if isinstance(step, Hold)]

    def approves(steps: Sequence[Writing | Refile]) -> bool:
        return all(any(alike(step, effect) for effect in effects) for step in steps)

    return approves
