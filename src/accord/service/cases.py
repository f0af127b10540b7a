"""Turn what both sides said into cases: pairs with what each says now, and items that are alone.

Before anything is taken for gone or new, the side itself is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from accord.engine.match import match
from accord.engine.plan import Frozen, Pairing, Skip
from accord.engine.reconcile import Case
from accord.model.kinds import Side
from accord.model.observe import (
    Deleted,
    Denied,
    Moved,
    Observation,
    Seen,
    Snapshot,
    Unknown,
)
from accord.ports.adapter import Ask, Question
from accord.service.ends import belongs, marker_of, parse_marker
from accord.service.pull import Pulled, confirm, tombstones
from accord.service.visit import Decided, Visit
from accord.state.records import Cause, Pending
from accord.state.state import Tx


class Gathered(Struct, frozen=True, kw_only=True):
    """Be the questions for the engine, and the skips that need no question."""

    cases: tuple[Case, ...]
    decided: tuple[Decided, ...] = ()


def discreet(visit: Visit, observation: Observation) -> Observation:
    """Return a mailbox observation without private content, which is stored nowhere.

    What was reduced can't be written back, so it is read-only to Accord from here on.
    """
    if not isinstance(observation, Seen):
        return observation
    snapshot = observation.snapshot
    item = visit.policy.program.discreet(snapshot.item, visit.policy.facts)
    if item == snapshot.item:
        return observation
    return Seen(msgspec.structs.replace(snapshot, item=item, readonly=True))


def gather(visit: Visit, crm: Pulled, groupware: Pulled) -> Gathered:
    """Return every case that this visit has to decide."""
    said = {Side.CRM: dict(crm.observations), Side.GROUPWARE: dict(groupware.observations)}
    pulled = {Side.CRM: crm, Side.GROUPWARE: groupware}
    pairs = _load_pairs(visit, said, pulled)
    _ask_about_doubts(visit, said, pulled, pairs)
    _make_discreet(visit, said)
    cases = {
        pairing.id: Case(
            pairing=pairing,
            crm=said[Side.CRM].get(pairing.crm.ref),
            groupware=said[Side.GROUPWARE].get(pairing.groupware.ref),
        )
        for pairing in pairs.values()
    }
    return _with_newcomers(visit, said, pulled, pairs, cases)


def again(visit: Visit, decided: Iterable[Decided]) -> Gathered:
    """Return the same cases over what both sides say right now."""
    said: dict[Side, dict[str, Observation]] = {Side.CRM: {}, Side.GROUPWARE: {}}
    pairs: dict[str, Pairing] = {}
    for one in decided:
        pairing = one.case.pairing
        for side, observation in _sides(one.case):
            ref = pairing.side(side).ref if pairing else (observation.ref if observation else "")
            if ref:
                said[side][ref] = Unknown(ref=ref)
        if pairing is not None:
            pairs[pairing.id] = pairing
    with visit.state.read() as tx:
        pairs = tx.pairings.get_many(pairs)
        for side in Side:
            refs = list(said[side])
            pairs |= {p.id: p for p in tx.pairings.by_refs(visit.link.id, side, refs).values()}
    for side in Side:
        known = {pairing.side(side).ref: pairing for pairing in pairs.values()}
        refs = sorted({*said[side], *known})
        said[side] = confirm(visit.end(side), [_ask(ref, known.get(ref), side) for ref in refs])
    _make_discreet(visit, said)
    cases = {
        pairing.id: Case(
            pairing=pairing,
            crm=said[Side.CRM].get(pairing.crm.ref),
            groupware=said[Side.GROUPWARE].get(pairing.groupware.ref),
        )
        for pairing in pairs.values()
    }
    nothing = Pulled(observations={}, listed=frozenset(), cursor="", complete=False)
    pulled = {Side.CRM: nothing, Side.GROUPWARE: nothing}
    return _with_newcomers(visit, said, pulled, pairs, cases)


def _make_discreet(visit: Visit, said: dict[Side, dict[str, Observation]]) -> None:
    mailbox = said[Side.GROUPWARE]
    said[Side.GROUPWARE] = {ref: discreet(visit, seen) for ref, seen in mailbox.items()}


def _sides(case: Case) -> tuple[tuple[Side, Observation | None], ...]:
    return ((Side.CRM, case.crm), (Side.GROUPWARE, case.groupware))


def _load_pairs(
    visit: Visit, said: dict[Side, dict[str, Observation]], pulled: dict[Side, Pulled]
) -> dict[str, Pairing]:
    """Load the pairings of all refs that were mentioned, are due, pending or missing."""
    link = visit.link.id
    pairs: dict[str, Pairing] = {}
    with visit.state.read() as tx:
        wanted = {side: set(said[side]) for side in Side}
        for side, ref in tx.windows.due(link, visit.now):
            wanted[side].add(ref)
            said[side].setdefault(ref, Unknown(ref=ref))
        for pending in _asked_for(visit, tx):
            for side, ref in (
                (Side.CRM, pending.ref_crm),
                (Side.GROUPWARE, pending.ref_groupware),
            ):
                if ref:
                    wanted[side].add(ref)
                    said[side].setdefault(ref, Unknown(ref=ref))
        for side in Side:
            if pulled[side].complete:
                missing = tx.pairings.refs(link, side) - pulled[side].listed
                wanted[side] |= missing
                said[side] |= {ref: Deleted(ref=ref) for ref in missing}
            found = tx.pairings.by_refs(link, side, wanted[side])
            pairs |= {pairing.id: pairing for pairing in found.values()}
        _refresh_pending(visit, tx, said, pairs)
    return pairs


def _asked_for(visit: Visit, tx: Tx) -> list[Pending]:
    """Return what is to be looked at again: retries that are due and what was approved."""
    held = tx.pending.by_link(visit.link.id, Cause.HELD)
    return [*tx.pending.due(visit.link.id, visit.now), *(p for p in held if p.approved)]


def _refresh_pending(
    visit: Visit,
    tx: Tx,
    said: dict[Side, dict[str, Observation]],
    pairs: dict[str, Pairing],
) -> None:
    """Ask both sides about pairs with something pending: their bases may be behind."""
    link = visit.link.id
    refs = [pairing.crm.ref for pairing in pairs.values()]
    waiting = tx.pending.by_refs(link, Side.CRM, refs)
    for pairing in pairs.values():
        if pairing.crm.ref in waiting or pairing.frozen:
            for side in Side:
                ref = pairing.side(side).ref
                said[side].setdefault(ref, Unknown(ref=ref))


def _ask_about_doubts(
    visit: Visit,
    said: dict[Side, dict[str, Observation]],
    pulled: dict[Side, Pulled],
    pairs: dict[str, Pairing],
) -> None:
    """Ask a side about each paired ref that is said to be gone, or that was put in question.

    A tombstone is a question: the item is looked for elsewhere before anything follows.
    """
    for side in Side:
        known = {pairing.side(side).ref: pairing for pairing in pairs.values()}
        questions = {
            ref
            for ref, observation in said[side].items()
            if isinstance(observation, Unknown) and ref not in pulled[side].observations
        }
        questions |= tombstones(said[side].values()) & known.keys()
        if not questions:
            continue
        asks = [_ask(ref, known.get(ref), side) for ref in sorted(questions)]
        said[side] |= confirm(visit.end(side), asks)


def _ask(ref: str, pairing: Pairing | None, side: Side) -> Ask:
    if pairing is None:
        return Ask(ref=ref)
    base = pairing.side(side)
    return Ask(ref=ref, uid=base.item.uid, marker=base.marker)


def _with_newcomers(
    visit: Visit,
    said: dict[Side, dict[str, Observation]],
    pulled: dict[Side, Pulled],
    pairs: dict[str, Pairing],
    cases: dict[str, Case],
) -> Gathered:
    paired = {side: {p.side(side).ref: p for p in pairs.values()} for side in Side}
    alone = {side: _alone(visit, side, said[side], paired[side]) for side in Side}
    _find_counterparts(visit, said, pulled, alone, paired, cases)
    matches = match(
        list(alone[Side.CRM].values()),
        list(alone[Side.GROUPWARE].values()),
        lambda snapshot: marker_of(visit.instance, visit.link.kind, snapshot.ref),
    )
    new = [Case(crm=Seen(c), groupware=Seen(g)) for c, g in matches.pairs]
    new += [Case(crm=Seen(snapshot)) for snapshot in matches.crm]
    new += [Case(groupware=Seen(_unmarked(visit, snapshot))) for snapshot in matches.groupware]
    new += _unreadable(said, paired)
    decided = [
        Decided(case=Case(), steps=_ambiguous(group.crm, group.groupware, group.why))
        for group in matches.ambiguous
    ]
    return Gathered(cases=(*cases.values(), *new), decided=tuple(decided))


def _alone(
    visit: Visit,
    side: Side,
    said: dict[str, Observation],
    paired: dict[str, Pairing],
) -> dict[str, Snapshot]:
    """Return the items without a pairing that this link looks after."""
    found = {}
    for ref, observation in said.items():
        if ref in paired or not isinstance(observation, Seen):
            continue
        if side is Side.GROUPWARE and not belongs(visit.link, observation.snapshot):
            continue
        found[ref] = observation.snapshot
    return found


def _find_counterparts(
    visit: Visit,
    said: dict[Side, dict[str, Observation]],
    pulled: dict[Side, Pulled],
    alone: dict[Side, dict[str, Snapshot]],
    paired: dict[Side, dict[str, Pairing]],
    cases: dict[str, Case],
) -> None:
    """Look new items' counterparts up on the other side, where the pull didn't list them all.

    A pair one of whose items came back under another ref is put together again.
    """
    for side in Side:
        other = side.other
        if not alone[side] or pulled[other].complete:
            found: list[Snapshot] = []
        else:
            found = _look_up(visit, other, list(alone[side].values()))
            if other is Side.GROUPWARE:
                found = [s.snapshot for s in _discreet_all(visit, found)]
        for snapshot in found:
            if snapshot.ref not in paired[other]:
                alone[other].setdefault(snapshot.ref, snapshot)
    _reunite(visit, said, alone, paired, cases)


def _discreet_all(visit: Visit, found: Sequence[Snapshot]) -> list[Seen]:
    seen = (discreet(visit, Seen(snapshot)) for snapshot in found)
    return [observation for observation in seen if isinstance(observation, Seen)]


def _look_up(visit: Visit, other: Side, snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    end = visit.end(other)
    questions = []
    for snapshot in snapshots:
        if other is Side.GROUPWARE:
            marker = marker_of(visit.instance, visit.link.kind, snapshot.ref)
            questions.append(Question(marker=marker, uid=snapshot.item.uid))
        elif snapshot.item.uid:
            questions.append(Question(uid=snapshot.item.uid))
    found = [s for group in end.session.lookup(end.folder, end.kind, questions) for s in group]
    if other is Side.CRM:
        found += _marked(visit, snapshots)
    unique = {snapshot.ref: snapshot for snapshot in found}
    with visit.state.read() as tx:
        taken = tx.pairings.by_refs(visit.link.id, other, unique)
    return [s for ref, s in unique.items() if ref not in taken or _may_return(taken[ref])]


def _marked(visit: Visit, snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    refs = set()
    for snapshot in snapshots:
        instance, kind, ref = parse_marker(snapshot.marker)
        if instance == visit.instance and kind == visit.link.kind:
            refs.add(ref)
    asked = confirm(visit.crm, [Ask(ref=ref) for ref in sorted(refs)])
    return [o.snapshot for o in asked.values() if isinstance(o, Seen)]


def _may_return(pairing: Pairing) -> bool:
    return pairing.frozen == Frozen.MOVED


def _reunite(
    visit: Visit,
    said: dict[Side, dict[str, Observation]],
    alone: dict[Side, dict[str, Snapshot]],
    paired: dict[Side, dict[str, Pairing]],
    cases: dict[str, Case],
) -> None:
    """Take pairs apart whose mailbox item stands under a new ref, so that both meet again."""
    gone = {
        pairing.groupware.item.uid: pairing
        for pairing in paired[Side.GROUPWARE].values()
        if pairing.groupware.item.uid
        and isinstance(said[Side.GROUPWARE].get(pairing.groupware.ref), Deleted | Moved)
    }
    for snapshot in list(alone[Side.GROUPWARE].values()):
        pairing = gone.get(snapshot.item.uid)
        if pairing is None:
            continue
        observation = said[Side.CRM].get(pairing.crm.ref)
        if not isinstance(observation, Seen):
            asked = confirm(visit.crm, [_ask(pairing.crm.ref, pairing, Side.CRM)])
            observation = asked[pairing.crm.ref]
        if not isinstance(observation, Seen):
            continue
        del alone[Side.GROUPWARE][snapshot.ref]
        moved = msgspec.structs.replace(
            pairing,
            frozen="",
            groupware=msgspec.structs.replace(
                pairing.groupware, ref=snapshot.ref, version="", folder=snapshot.folder
            ),
        )
        cases[pairing.id] = Case(pairing=moved, crm=observation, groupware=Seen(snapshot))


def _unmarked(visit: Visit, snapshot: Snapshot) -> Snapshot:
    """Strip the marker of a person's own duplicate of a marked item: it is new, and theirs."""
    instance, _, ref = parse_marker(snapshot.marker)
    if instance != visit.instance:
        return msgspec.structs.replace(snapshot, marker="")
    with visit.state.read() as tx:
        pairing = tx.pairings.by_refs(visit.link.id, Side.CRM, [ref]).get(ref)
    if pairing is None or pairing.groupware.ref == snapshot.ref:
        return snapshot
    return msgspec.structs.replace(snapshot, marker="")


def _unreadable(
    said: dict[Side, dict[str, Observation]], paired: dict[Side, dict[str, Pairing]]
) -> list[Case]:
    cases = []
    for side in Side:
        for ref, observation in said[side].items():
            if ref not in paired[side] and isinstance(observation, Unknown | Denied):
                crm = observation if side is Side.CRM else None
                groupware = observation if side is Side.GROUPWARE else None
                cases.append(Case(crm=crm, groupware=groupware))
    return cases


def _ambiguous(
    crm: Iterable[Snapshot], groupware: Iterable[Snapshot], why: str
) -> tuple[Skip, ...]:
    steps = [
        Skip(side=Side.CRM, ref=s.ref, version=s.version, parked="rejected", why=why) for s in crm
    ]
    steps += [
        Skip(side=Side.GROUPWARE, ref=s.ref, version=s.version, parked="rejected", why=why)
        for s in groupware
    ]
    return tuple(steps)
