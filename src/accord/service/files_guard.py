"""Let the guard look at files that would be taken off, as it looks at items to be deleted.

`files` asks it once it knows of all pairs what they would lose; what is held waits by file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from msgspec import Struct

from accord.engine.extent import Extent
from accord.engine.guard import fingerprint, guard
from accord.engine.plan import Hold, Pairing, Plan, Refile, Step
from accord.model.kinds import Side
from accord.service.extent import HOUR, WANTED
from accord.service.planning import waiting_of
from accord.service.visit import Visit
from accord.service.waiting import FORMER_LOST_FILE
from accord.state.codec import decode_step, encode_step
from accord.state.files import FilesOf
from accord.state.records import Cause, Mode, Pending
from accord.state.state import Tx


class Losing(Struct, frozen=True):
    """Be what is planned for a pair that would lose files, and what was learned on the way."""

    steps: tuple[Refile | Hold, ...]
    known: FilesOf


def is_judged(visit: Visit, pairing: Pairing, step: Refile) -> bool:
    """Tell whether a step waits for the guard: it loses a file, or the pair's rule is lost."""
    return step.before is not None or pairing.rule not in visit.policies


def put_to_guard(
    visit: Visit, pairing: Pairing, steps: Sequence[Refile]
) -> tuple[Refile | Hold, ...]:
    """Return steps as the guard is to see them: held, where the pair's rule is lost."""
    if pairing.rule in visit.policies:
        return tuple(steps)
    return tuple(Hold(held=step, cause=FORMER_LOST_FILE, why=step.why) for step in steps)


def judge(
    visit: Visit, steps: Sequence[Refile | Hold], waiting: Sequence[Pending]
) -> dict[str, Step]:
    """Return what becomes of each step, by its fingerprint; `waiting` is what is held by now."""
    plan = Plan(link=visit.link.id, steps=tuple(steps))
    extent, pilot = _extent(visit, plan.files, waiting), visit.link.mode is Mode.PILOT
    guarded = guard(plan, visit.rule, extent, waiting_of(waiting), pilot=pilot)
    return {fingerprint(step): one for step, one in zip(steps, guarded.steps, strict=True)}


def held_file(pending: Pending) -> Refile:
    """Return the step that waits."""
    step = decode_step(pending.step)
    effect = step.held if isinstance(step, Hold) else step
    assert isinstance(effect, Refile)
    return effect


def keep_held(tx: Tx, visit: Visit, pairing: str, crm: str, holds: Mapping[str, Step]) -> int:
    """Keep of a pair just those steps waiting that are still held or refused.

    `crm` is the pair's ref in the CRM, `holds` what became of its steps. Returns how many are held.
    """
    found = tx.pending.by_refs(visit.link.id, Side.CRM, [crm]).get(crm, [])
    known = {
        one.fingerprint: one
        for one in found
        if one.cause is Cause.FILE and held_file(one).pairing == pairing
    }
    over = [one.id for mark, one in known.items() if mark not in holds]
    tx.pending.remove_many(over)
    held = {mark: step for mark, step in holds.items() if isinstance(step, Hold)}
    fresh = [_pending(visit, mark, step) for mark, step in held.items() if mark not in known]
    tx.pending.put_many(fresh)
    return len(held)


def forget_strays(visit: Visit, waiting: Sequence[Pending]) -> None:
    """Forget what waits about files of pairs that are no more, or take no part."""
    with visit.state.read() as tx:
        pairs = tx.pairings.get_many({held_file(one).pairing for one in waiting})
    stray = [
        one.id
        for one in waiting
        if (pair := pairs.get(held_file(one).pairing)) is None or pair.frozen
    ]
    if stray:
        with visit.state.begin() as tx:
            tx.pending.remove_many(stray)


def _extent(visit: Visit, steps: Sequence[Refile], waiting: Sequence[Pending]) -> Extent:
    """Return what the files to be taken off add up to, with what went within the hour before."""
    link, target, since = visit.link.id, visit.link.target, visit.now - HOUR
    with visit.state.read() as tx:
        known = tx.files.agreed(link)
        taken = tx.journal.refiled(target, since, WANTED)
    planned = {step.pairing for step in steps}
    since_then = [one for each in waiting if (one := held_file(each)).pairing not in planned]
    gone = {
        side: {
            (step.pairing, step.before)
            for step in (*steps, *since_then)
            if step.side is side.other and step.before is not None and step.after is None
        }
        for side in Side
    }
    return Extent(
        pairings=known,
        gone={side: len(some) for side, some in gone.items()},
        deletes={side: taken.get((link, side), 0) for side in Side},
        all_deletes={
            side: sum(n for (_, where), n in taken.items() if where is side) for side in Side
        },
    )


def _pending(visit: Visit, mark: str, step: Hold) -> Pending:
    effect = step.held
    assert isinstance(effect, Refile)
    refs = {effect.side: effect.ref, effect.side.other: effect.counterpart}
    key = hashlib.sha256(f"{visit.link.id}\0{effect.pairing}\0{mark}".encode()).hexdigest()
    return Pending(
        id=key[:12],
        link=visit.link.id,
        ref_crm=refs[Side.CRM],
        ref_groupware=refs[Side.GROUPWARE],
        cause=Cause.FILE,
        step=encode_step(step),
        why=step.cause,
        fingerprint=mark,
        run=visit.run,
        at=visit.now,
    )
