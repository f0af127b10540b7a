"""Whether times of both sides can be compared, so that the newest edit may win a clash.

Only where each clock was seen within 2 s of ours in the last hour; nothing is asked for that. Where
a listing doesn't say by the side's clock when an item was edited, it is asked of what may clash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from accord.engine.reconcile import Case
from accord.model.kinds import Side
from accord.model.observe import Seen, Snapshot
from accord.ports.adapter import Session
from accord.ports.clock import AGREEING, LASTING, Dated, Reading, Timed, differing
from accord.service.visit import Visit


def clock_of(session: Session) -> Reading | None:
    """Return what was seen of a side's clock; None where it doesn't tell."""
    return session.clock() if isinstance(session, Timed) else None


def clocks_apart(crm: Reading | None, groupware: Reading | None) -> str:
    """Say why the times of both sides can't be compared; nothing where they can."""
    found = (_trouble("the CRM", crm), _trouble("the mailbox", groupware))
    return " and ".join(one for one in found if one)


def with_times(visit: Visit, cases: Sequence[Case]) -> list[Case]:
    """Return the cases, each that the newest edit may decide with the times of both edits."""
    by_time = any(policy.program.by_time for policy in visit.policies.values())
    if not by_time or visit.policy.facts.clocks_apart:
        return list(cases)
    for side in Side:
        session = visit.end(side).session
        wanted = [found for case in cases if (found := _changed(side, case)) is not None]
        if wanted and isinstance(session, Dated):
            times = session.edited(wanted)
            cases = [_timed(side, case, times) for case in cases]
    return list(cases)


def _changed(side: Side, case: Case) -> Snapshot | None:
    """Return what a side shows of a pair that both sides changed."""
    seen = {Side.CRM: case.crm, Side.GROUPWARE: case.groupware}
    for each, observation in seen.items():
        if case.pairing is None or not isinstance(observation, Seen):
            return None
        if observation.snapshot.version == case.pairing.side(each).version:
            return None
    found = seen[side]
    return found.snapshot if isinstance(found, Seen) else None


def _timed(side: Side, case: Case, times: Mapping[str, datetime]) -> Case:
    found = _changed(side, case)
    if found is None:
        return case
    seen = Seen(replace(found, modified=times.get(found.ref)))
    return replace(case, crm=seen) if side is Side.CRM else replace(case, groupware=seen)


def _trouble(whose: str, reading: Reading | None) -> str:
    if reading is None:
        return f"{whose}'s server doesn't tell its time"
    if reading.age > LASTING:
        return f"{whose}'s server hasn't told its time for an hour"
    if abs(reading.ahead) > AGREEING:
        return f"{whose}'s clock is {differing(reading)}"
    return ""
