"""Find what belongs to items that no pair knows: their pair under a new ref, or a counterpart.

Called by `cases` before anything is taken for new; nothing is created that is already there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from accord.engine.plan import Pairing, Skip
from accord.engine.reconcile import Case
from accord.model.kinds import Side
from accord.model.observe import Deleted, Denied, Moved, Observation, Seen, Snapshot, Unknown
from accord.ports.adapter import Ask, Question
from accord.service.discreet import discreet
from accord.service.ends import marker_of, parse_marker
from accord.service.pull import Pulled, confirm
from accord.service.visit import Decided, Visit

Said = dict[Side, dict[str, Observation]]
Alone = dict[Side, dict[str, Snapshot]]


def find(
    visit: Visit,
    said: Said,
    pulled: dict[Side, Pulled],
    alone: Alone,
    paired: dict[Side, set[str]],
    cases: dict[str, Case],
) -> list[Decided]:
    """Complete `alone` and `cases`; return what can't be decided before something can be read.

    Items whose pair stands under another ref of theirs are reunited with it; counterparts that
    the pull didn't list are looked up.
    """
    waiting: list[Decided] = []
    for side in Side:
        waiting += _reunite(visit, side, said, alone, cases)
    for side in Side:
        other = side.other
        if not alone[side] or _listed_all(visit, pulled[other], paired[other], other):
            continue
        for snapshot in _look_up(visit, other, list(alone[side].values())):
            if snapshot.ref not in paired[other]:
                alone[other].setdefault(snapshot.ref, snapshot)
    return waiting


def unmarked(visit: Visit, snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """Return mailbox items without the markers that don't speak of them.

    A person's own duplicate of a marked item is new, and theirs; so is what another CRM marked.
    """
    refs = {parse_marker(snapshot.marker)[2] for snapshot in snapshots if snapshot.marker}
    if not refs:
        return list(snapshots)
    with visit.state.read() as tx:
        known = tx.pairings.by_refs(visit.link.id, Side.CRM, refs)
    result = []
    for snapshot in snapshots:
        instance, _, ref = parse_marker(snapshot.marker)
        if snapshot.marker and (instance != visit.instance or ref in known):
            snapshot = msgspec.structs.replace(snapshot, marker="")
        result.append(snapshot)
    return result


def _listed_all(visit: Visit, pulled: Pulled, paired: set[str], side: Side) -> bool:
    """Tell whether every item without a pair was shown; what didn't change may not have been."""
    if not pulled.complete:
        return False
    hidden = pulled.listed - pulled.observations.keys() - paired
    if not hidden:
        return True
    with visit.state.read() as tx:
        return not hidden - tx.pairings.refs(visit.link.id, side)


def _reunite(
    visit: Visit, side: Side, said: Said, alone: Alone, cases: dict[str, Case]
) -> list[Decided]:
    """Put pairs together again whose item on `side` stands under another ref now.

    Where the former ref still holds an item, the new one is a copy: somebody's own.
    """
    former = _former(visit, side, alone[side])
    doubts = {pairing.side(side).ref: pairing for _, pairing in former}
    there = _ask_again(visit, side, said, doubts)
    waiting = []
    for snapshot, pairing in former:
        old = there[pairing.side(side).ref]
        if pairing.id in cases and cases[pairing.id].pairing != pairing:
            continue
        if _became(old, snapshot):
            del alone[side][snapshot.ref]
            cases[pairing.id] = _returned(visit, side, said, pairing, snapshot)
        elif isinstance(old, Unknown | Denied):
            del alone[side][snapshot.ref]
            waiting.append(_wait(side, snapshot, old.why))
    return waiting


def _became(old: Observation, snapshot: Snapshot) -> bool:
    """Tell whether what became of a former ref is this item, not another one."""
    if isinstance(old, Moved):
        return old.new_ref in ("", snapshot.ref)
    return isinstance(old, Deleted)


def _former(
    visit: Visit, side: Side, snapshots: dict[str, Snapshot]
) -> list[tuple[Snapshot, Pairing]]:
    """Return the pairs that new items may belong to: those of the same uid.

    By the marker alone only where the item had no uid; copies have markers too.
    """
    if not snapshots:
        return []
    uids = {snapshot.item.uid for snapshot in snapshots.values()} - {""}
    refs = {ref for s in snapshots.values() if (ref := _marked_ref(visit, side, s))}
    with visit.state.read() as tx:
        by_uid = tx.pairings.by_uids(visit.link.id, uids)
        by_ref = tx.pairings.by_refs(visit.link.id, side.other, refs)
    found = [(s, p) for s in snapshots.values() for p in by_uid.get(s.item.uid, ())]
    found += [
        (s, by_ref[ref])
        for s in sorted(snapshots.values(), key=lambda snapshot: snapshot.ref)
        if (ref := _marked_ref(visit, side, s)) in by_ref and not by_ref[ref].groupware.item.uid
    ]
    taken: set[str] = set()
    kept: set[str] = set()
    result = []
    for snapshot, pairing in found:
        if snapshot.ref not in taken and pairing.id not in kept:
            taken.add(snapshot.ref)
            kept.add(pairing.id)
            result.append((snapshot, pairing))
    return result


def _marked_ref(visit: Visit, side: Side, snapshot: Snapshot) -> str:
    """Return the counterpart's ref that a mailbox item carries; CRM records tell by uid only."""
    instance, kind, ref = parse_marker(snapshot.marker)
    ours = side is Side.GROUPWARE and instance == visit.instance and kind == visit.link.kind
    return ref if ours else ""


def _ask_again(
    visit: Visit, side: Side, said: Said, pairings: dict[str, Pairing]
) -> dict[str, Observation]:
    """Return what a side says of former refs; asks for those it hasn't spoken of."""
    settled = (Deleted, Moved, Seen)
    found = {ref: o for ref in pairings if isinstance(o := said[side].get(ref), settled)}
    asks = [ask_for(p.side(side)) for ref, p in sorted(pairings.items()) if ref not in found]
    return found | confirm(visit.end(side), asks)


def _returned(visit: Visit, side: Side, said: Said, pairing: Pairing, snapshot: Snapshot) -> Case:
    """Return the case of a pair that is whole again; it takes part again if both are there."""
    other = pairing.side(side.other)
    seen = _ask_again(visit, side.other, said, {other.ref: pairing})[other.ref]
    base = msgspec.structs.replace(
        pairing.side(side), ref=snapshot.ref, version="", folder=snapshot.folder
    )
    frozen = "" if isinstance(seen, Seen) else pairing.frozen
    if side is Side.CRM:
        whole = msgspec.structs.replace(pairing, frozen=frozen, crm=base)
        return Case(pairing=whole, crm=Seen(snapshot), groupware=discreet(visit, seen))
    whole = msgspec.structs.replace(pairing, frozen=frozen, groupware=base)
    return Case(pairing=whole, crm=seen, groupware=Seen(snapshot))


def _wait(side: Side, snapshot: Snapshot, why: str) -> Decided:
    step = Skip(
        side=side,
        ref=snapshot.ref,
        version=snapshot.version,
        parked="retry",
        why=f"may be an item that we know and that can't be read at present: {why}",
    )
    seen = Seen(snapshot)
    case = Case(crm=seen) if side is Side.CRM else Case(groupware=seen)
    return Decided(case=case, steps=(step,))


def _look_up(visit: Visit, other: Side, snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """Return the unpaired items of `other` that may be the counterparts of some new ones."""
    end = visit.end(other)
    questions = []
    for snapshot in snapshots:
        if other is Side.GROUPWARE:
            marker = marker_of(visit.instance, visit.link.kind, snapshot.ref)
            questions.append(Question(marker=marker, uid=snapshot.item.uid))
        elif snapshot.item.uid:
            questions.append(Question(uid=snapshot.item.uid))
    found = [s for many in end.session.lookup(end.folder, end.kind, questions) for s in many]
    if other is Side.CRM:
        found += _marked(visit, snapshots)
    unique = {snapshot.ref: snapshot for snapshot in found}
    with visit.state.read() as tx:
        taken = tx.pairings.by_refs(visit.link.id, other, unique)
    free = [snapshot for ref, snapshot in unique.items() if ref not in taken]
    return free if other is Side.CRM else _discreet_all(visit, free)


def _marked(visit: Visit, snapshots: Iterable[Snapshot]) -> list[Snapshot]:
    refs = {ref for s in snapshots if (ref := _marked_ref(visit, Side.GROUPWARE, s))}
    asked = confirm(visit.crm, [Ask(ref=ref) for ref in sorted(refs)])
    return [o.snapshot for o in asked.values() if isinstance(o, Seen)]


def _discreet_all(visit: Visit, found: Sequence[Snapshot]) -> list[Snapshot]:
    seen = (discreet(visit, Seen(snapshot)) for snapshot in found)
    return [observation.snapshot for observation in seen if isinstance(observation, Seen)]


def ask_for(base: Snapshot) -> Ask:
    """Return the question what became of an item as we knew it."""
    return Ask(ref=base.ref, uid=base.item.uid, marker=base.marker)
