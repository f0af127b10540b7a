"""Enter in the journal what was done about files: each hung on, taken off or replaced is a step.

The file before and after is kept among the values, so that it is encrypted and redacted as those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from accord.engine.plan import Refile
from accord.model.kinds import Side
from accord.model.observe import Snapshot
from accord.service.undone import mark_undone
from accord.service.visit import Visit
from accord.state.records import Entry
from accord.state.state import Tx

FILE_STEPS = ("attach", "detach", "replace")
"""What such steps are called."""


def enter(
    tx: Tx,
    visit: Visit,
    steps: Sequence[Refile],
    now: Mapping[Side, Snapshot],
    *,
    private: bool = False,
) -> None:
    """Enter steps that were done, and mark what they undid; of `private` ones no file is named.

    `now` is what stands on both sides, with who changed it last.
    """
    entries = [_entry(visit, step, now, private=private) for step in steps]
    tx.journal.append_many(entries)
    undone = {
        place: step.undoes for place, step in enumerate(steps) if step.undoes and not step.in_part
    }
    mark_undone(tx, visit, len(entries), undone)


def _entry(visit: Visit, step: Refile, now: Mapping[Side, Snapshot], *, private: bool) -> Entry:
    source = now.get(step.side.other)
    written = now.get(step.side)
    return Entry(
        at=visit.now,
        run=visit.run,
        link=visit.link.id,
        user=visit.link.user,
        side=step.side,
        kind=visit.link.kind,
        ref=step.ref,
        counterpart=step.counterpart,
        pairing=step.pairing,
        step=step.name,
        why=step.why,
        actor=source.by if source is not None and not step.undoes else "",
        rule=visit.rule.version,
        version=written.version if written is not None else "",
        fields=() if private else step.changes,
    )
