"""Carry the files on paired items from side to side, once what their items say agrees.

`sync` calls it at the end of a link's visit. What is to be done follows from what hangs on both
items now (`files_pair`), so that a pass killed anywhere is simply done again: nothing hangs twice.
What would be taken off waits until all pairs are looked at, and the guard has seen it together.
A contact's photo goes the same way; of it there is one.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from accord.engine.plan import Step
from accord.model.kinds import Side
from accord.ports.errors import AccordError, Gone, ItemError
from accord.ports.fault import contained
from accord.service.begin import end
from accord.service.files_bytes import keeps
from accord.service.files_guard import Losing, forget_strays, held_file, judge
from accord.service.files_pair import PairFiles
from accord.service.pausing import require_going
from accord.service.report import Report
from accord.service.visit import Visit
from accord.state.files import FilesOf
from accord.state.records import Cause


def carry_files(visit: Visit, report: Report) -> None:
    """Bring the files of those of a link's pairs to agreement that are to be looked at.

    Raises what ends the visit; what isn't done by then is done by the next one.
    """
    if not any(keeps(visit, side) for side in Side):
        return
    with visit.state.read() as tx:
        due = tx.files.due(visit.link.id)
        waiting = tx.pending.by_link(visit.link.id, Cause.FILE)
    if waiting:
        forget_strays(visit, waiting)
    before = report.held, report.files
    keys = sorted({*due, *(held_file(one).pairing for one in waiting if one.approved)})
    losing: dict[str, Losing] = {}
    for number, key in enumerate(keys):
        visit.progress("files", number, len(keys))
        lost = _settle(visit, report, key)
        if lost is not None:
            losing[key] = lost
    if losing:
        steps = [step for one in losing.values() for step in one.steps]
        verdict = judge(visit, steps, waiting)
        for key, lost in losing.items():
            _settle(visit, report, key, lost.known, verdict)
    if (report.held, report.files) != before:
        end(visit, report)


def _settle(
    visit: Visit,
    report: Report,
    key: str,
    known: FilesOf | None = None,
    verdict: Mapping[str, Step] | None = None,
) -> Losing | None:
    """Settle the files of one pair; return what it would lose, where that isn't judged yet."""
    with visit.state.read() as tx:
        require_going(visit, tx)
        pairing, kept = tx.pairings.get(key), tx.files.get(key) or FilesOf()
    if pairing is None:
        with visit.state.begin() as tx:
            tx.files.remove_many([key])
        return None
    try:
        pair = PairFiles(visit, report, pairing, known or kept, verdict)
        lacking = [side for side in Side if not keeps(visit, side)]
        if not lacking:
            return pair.settle()
        pair.refuse(lacking[0])
        return None
    except Gone:
        return None  # the next visit learns what became of the item, and comes back
    except Exception as error:
        if isinstance(error, AccordError) and not isinstance(error, ItemError):
            raise
        left = msgspec.structs.replace(kept, left=(str(contained(error, "carrying files")),))
        with visit.state.begin() as tx:
            tx.files.put(visit.link.id, key, left)
        return None
