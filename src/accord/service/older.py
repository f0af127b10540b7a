"""Notice a mailbox store that was put back from a backup, although it counts no changes.

`sync` asks before it decides. An item that we know in another state, written after the one that is
there now: people's edits never look like that. Several such hold the target, as `identity` does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from accord.engine.reconcile import Case
from accord.model.diff import diff
from accord.model.kinds import Side
from accord.model.observe import Deleted, Seen, Snapshot
from accord.ports.clock import Dated
from accord.ports.errors import ConfigError
from accord.service.cases import Gathered
from accord.service.clocks import clock_of
from accord.service.extent import HOUR
from accord.service.identity import RESTORED, instance_key, older_key
from accord.service.visit import Stance, Visit
from accord.state.instances import BACK

MARGIN = timedelta(minutes=5)
"""By so much at least an item must be older: the clocks of servers and people differ."""

FEW = 3
"""So many such items within an hour, missing ones included, are no chance."""


def refuse_older(visit: Visit, gathered: Gathered) -> None:
    """Hold the target and raise ConfigError where its items stand as they stood before.

    A dry visit shows what would come of it. After `accord check --accept` the first visit of a
    link has seen nothing before, and takes the items for what they are now.
    """
    if visit.stance is Stance.DRY:
        return
    older = _older(visit, gathered.cases)
    if not older:
        return
    missing = sum(
        case.pairing is not None and not case.pairing.frozen and isinstance(case.groupware, Deleted)
        for case in gathered.cases
    )
    target = visit.link.target
    key = older_key(target)
    with visit.state.begin() as tx:
        lately = _lately(tx.settings.get(key, {}), visit.now)
        lately |= dict.fromkeys(older, visit.now.isoformat())
        # Kept when the target is held, so that visits which are under way are held, too.
        tx.settings.put(key, lately)
        held = len(lately) + missing >= FEW
        if held:
            tx.instances.hold(instance_key(target))
        found = tx.targets.get(target)
    if held:
        name = found.name if found else target
        raise ConfigError(f"held: target {name} {BACK}", field="target", hint=RESTORED)


def _older(visit: Visit, cases: Sequence[Case]) -> list[str]:
    """Return the refs of pairs that the mailbox shows in an older state than the one we know."""
    found = [now for case in cases if (now := _seen_older(case)) is not None]
    if not found:
        return []
    session = visit.groupware.session
    reading = clock_of(session)
    # By a clock that was put back, every edit is older.
    if reading is not None and abs(reading.ahead) > MARGIN.total_seconds():
        return []
    with visit.state.read() as tx:
        seen = tx.cursors.seen(visit.link.id, Side.GROUPWARE, visit.place(Side.GROUPWARE))
    # Written since we last looked, it is an edit, whatever the clock said before.
    found = [now for now in found if seen is not None and now.modified and now.modified < seen]
    if found and isinstance(session, Dated):
        # What a listing says may come from a calendar program, and an import is as old as it likes;
        # where it is what the server itself says, so it was when the base was listed.
        times = session.edited(found)
        found = [now for now in found if times.get(now.ref) == now.modified]
    return [now.ref for now in found]


def _seen_older(case: Case) -> Snapshot | None:
    """Return what the mailbox shows of a pair where it is other than the base, and older."""
    if case.pairing is None or case.pairing.frozen or not isinstance(case.groupware, Seen):
        return None
    now, base = case.groupware.snapshot, case.pairing.groupware
    if now.modified is None or base.modified is None or now.modified + MARGIN >= base.modified:
        return None
    return now if diff(base.item, now.item) else None


def _lately(kept: Mapping[str, str], now: datetime) -> dict[str, str]:
    return {ref: at for ref, at in kept.items() if now - datetime.fromisoformat(at) < HOUR}
