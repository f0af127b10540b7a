"""What an undo leaves in state: entries marked as undone, and steps of it that wait for approval.

The ledger calls this within its own transaction, so that a step and its mark go together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import msgspec

from accord.engine.plan import Create, Delete, Hold, Refile, Step, Update
from accord.service.visit import Visit
from accord.state.codec import decode_step
from accord.state.records import Cause, Pending
from accord.state.state import Tx


def undoes(step: Step) -> tuple[int, ...]:
    """Return the numbers of the journal entries that a step, or the step it holds, takes back."""
    effect = step.held if isinstance(step, Hold) else step
    return effect.undoes if isinstance(effect, Create | Update | Delete | Refile) else ()


def waiting_undo(pending: Pending, step: Step) -> Pending:
    """Return a pending change as what it is: a held step of an undo waits under its own id.

    It stands beside whatever else waits for its item, and no later change replaces it.
    """
    if not isinstance(step, Hold) or not undoes(step):
        return pending
    effect = step.held
    fields = [change.field for change in effect.changes] if isinstance(effect, Update) else []
    if isinstance(effect, Refile):
        fields = [one.name for one in (effect.before, effect.after) if one is not None]
    side = effect.side if isinstance(effect, Create | Update | Delete | Refile) else ""
    what = f"{pending.link}\0{undoes(step)}\0{effect.name}\0{side}\0{sorted(fields)}"
    key = hashlib.sha256(what.encode()).hexdigest()[:12]
    return msgspec.structs.replace(pending, id=key, cause=Cause.UNDO)


def mark_undone(tx: Tx, visit: Visit, count: int, undone: Mapping[int, tuple[int, ...]]) -> None:
    """Mark what the last `count` entries of this run undid; what waited for that is over.

    `undone` gives, by an entry's place among these, the numbers of those it undid.
    """
    if not undone:
        return
    entries = tx.journal.query(run=visit.run, limit=count)[::-1]
    for place, numbers in undone.items():
        tx.journal.mark_undone(numbers, entries[place].id)
    forget_waiting(tx, visit.link.id, {n for numbers in undone.values() for n in numbers})


def forget_waiting(tx: Tx, link: str, numbers: Iterable[int]) -> None:
    """Forget the held steps that were to undo any of these entries."""
    chosen = set(numbers)
    waiting = tx.pending.by_link(link, Cause.UNDO)
    over = [one.id for one in waiting if chosen.intersection(undoes(decode_step(one.step)))]
    tx.pending.remove_many(over)
