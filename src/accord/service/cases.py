"""Turn what both sides said into cases: pairs with what each says now, and items that are alone.

Before anything is taken for gone or new, the side itself is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from accord.engine.match import match
from accord.engine.plan import Pairing, Skip
from accord.engine.reconcile import Case
from accord.model.kinds import Side
from accord.model.observe import (
    Deleted,
    Denied,
    Moved,
    Observation,
    OutOfScope,
    Seen,
    Snapshot,
    Unknown,
)
from accord.ports.adapter import Ask
from accord.service import counterparts
from accord.service.counterparts import ask_for
from accord.service.discreet import discreet
from accord.service.ends import belongs, marker_of
from accord.service.fresh import unheard
from accord.service.pull import Pulled, confirm, tombstones
from accord.service.returned import mentioned
from accord.service.visit import Decided, Visit
from accord.state.records import Cause, Pending
from accord.state.state import Tx


class Gathered(Struct, frozen=True, kw_only=True):
    """Be the questions for the engine, and the skips that need no question.

    `blind` are refs that could not be read this time, `over` the ids of pending changes whose
    items are gone, `lost` the sides that told what is there instead of what changed. `entry` is
    the journal's last one of which the pull told what became of it. `gone` are items without a
    pair that are no more.
    """

    cases: tuple[Case, ...]
    decided: tuple[Decided, ...] = ()
    blind: frozenset[tuple[Side, str]] = frozenset()
    over: tuple[str, ...] = ()
    lost: frozenset[Side] = frozenset()
    entry: int = 0
    gone: frozenset[tuple[Side, str]] = frozenset()


def gather(visit: Visit, crm: Pulled, groupware: Pulled) -> Gathered:
    """Return every case that this visit has to decide."""
    said = {Side.CRM: dict(crm.observations), Side.GROUPWARE: dict(groupware.observations)}
    pulled = {Side.CRM: crm, Side.GROUPWARE: groupware}
    with visit.state.read() as tx:
        entry = _ask_for_unheard(visit, tx, said, pulled[Side.GROUPWARE])
        pairs, asked = _load_pairs(visit, tx, said, pulled)
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
    gathered = _with_newcomers(visit, said, pulled, pairs, cases)
    lost = frozenset(side for side in Side if pulled[side].lost)
    over = _over(visit, asked, said, pairs)
    gone = _gone(said, pairs)
    return msgspec.structs.replace(gathered, over=over, lost=lost, entry=entry, gone=gone)


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
        said[side] = _confirm(visit, side, [_ask(ref, known.get(ref), side) for ref in refs])
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
    visit: Visit, tx: Tx, said: dict[Side, dict[str, Observation]], pulled: dict[Side, Pulled]
) -> tuple[dict[str, Pairing], list[Pending]]:
    """Load the pairings of all refs that were mentioned, are due, pending or missing.

    Returned with the pending changes that were asked about.
    """
    link = visit.link.id
    pairs: dict[str, Pairing] = {}
    wanted = {side: set(said[side]) for side in Side}
    for side, ref in tx.windows.due(link, visit.now):
        wanted[side].add(ref)
        said[side].setdefault(ref, Unknown(ref=ref))
    asked = [*_asked_for(visit, tx), *_mended_by_deletion(visit, tx, said)]
    asked += mentioned(tx.pending.by_link(link, Cause.HELD), pulled)
    for pending in asked:
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
    return pairs, asked


def _ask_for_unheard(
    visit: Visit, tx: Tx, said: dict[Side, dict[str, Observation]], pulled: Pulled
) -> int:
    """Ask for what came into the mailbox lately and the pull that followed doesn't name.

    Return the entry up to which this pull has told.
    """
    lately, entry = unheard(tx, visit, pulled.listed)
    if not pulled.complete:
        for ref in tx.pairings.by_refs(visit.link.id, Side.GROUPWARE, lately):
            said[Side.GROUPWARE].setdefault(ref, Unknown(ref=ref))
    return entry


def _asked_for(visit: Visit, tx: Tx) -> list[Pending]:
    """Return what is to be looked at again: what is due, what was approved; on a full visit all.

    A change that somebody said no to is left alone.
    """
    if not visit.full:
        return tx.pending.due(visit.link.id, visit.now)
    everything = tx.pending.by_link(visit.link.id)
    decided = (Cause.CONFLICT, Cause.UNDO)
    return [one for one in everything if not one.refused and one.cause not in decided]


_STANDING = (Cause.REJECTED, Cause.WITHHELD)


def _mended_by_deletion(
    visit: Visit, tx: Tx, said: dict[Side, dict[str, Observation]]
) -> list[Pending]:
    """Return what was refused, or could not be read, about items that are said to be gone."""
    found: dict[str, Pending] = {}
    for side in Side:
        gone = tombstones(said[side].values())
        for many in tx.pending.by_refs(visit.link.id, side, gone).values():
            found |= {one.id: one for one in many if one.cause in _STANDING}
    return list(found.values())


def _over(
    visit: Visit,
    asked: Sequence[Pending],
    said: dict[Side, dict[str, Observation]],
    pairs: dict[str, Pairing],
) -> tuple[str, ...]:
    """Return the pending changes of items that no pair knows and that are gone, or not ours.

    What can't be read may be another link's on the same folder; that shows once it can be.
    """
    paired = {(side, pairing.side(side).ref) for pairing in pairs.values() for side in Side}
    over = []
    for one in asked:
        refs = [(Side.CRM, one.ref_crm), (Side.GROUPWARE, one.ref_groupware)]
        named = [(side, ref) for side, ref in refs if ref]
        if paired.isdisjoint(named) and all(
            _nothing_for(visit, side, said[side].get(ref)) for side, ref in named
        ):
            over.append(one.id)
    return tuple(over)


def _nothing_for(visit: Visit, side: Side, observation: Observation | None) -> bool:
    """Tell whether an item has left, or was another link's all along."""
    if isinstance(observation, Seen) and side is Side.GROUPWARE:
        return not belongs(visit.link, observation.snapshot)
    return isinstance(observation, Deleted | Moved | OutOfScope)


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
        said[side] |= _confirm(visit, side, asks)


def _confirm(visit: Visit, side: Side, asks: Sequence[Ask]) -> dict[str, Observation]:
    """Ask the side; what was found by a copy's marker or uid only is looked for without them.

    A copy carries the marker of its original until Accord has written it its own, and on some
    servers the uid for ever.
    """
    answers = confirm(visit.end(side), asks)
    for apart in ({"marker": ""}, {"marker": "", "uid": ""}):
        moved = {
            answer.new_ref: ref
            for ref, answer in answers.items()
            if isinstance(answer, Moved) and not answer.trash and answer.new_ref != ref
        }
        if not moved:
            return answers
        with visit.state.read() as tx:
            others = tx.pairings.by_refs(visit.link.id, side, moved)
        doubtful = {moved[new] for new in others}
        anew = [msgspec.structs.replace(ask, **apart) for ask in asks if ask.ref in doubtful]
        if not anew:
            return answers
        answers |= confirm(visit.end(side), anew)
    return answers


def _ask(ref: str, pairing: Pairing | None, side: Side) -> Ask:
    return Ask(ref=ref) if pairing is None else ask_for(pairing.side(side))


def _with_newcomers(
    visit: Visit,
    said: dict[Side, dict[str, Observation]],
    pulled: dict[Side, Pulled],
    pairs: dict[str, Pairing],
    cases: dict[str, Case],
) -> Gathered:
    paired = {side: {p.side(side).ref for p in pairs.values()} for side in Side}
    alone = {side: _alone(visit, side, said[side], paired[side]) for side in Side}
    decided = counterparts.find(visit, said, pulled, alone, paired, cases)
    matches = match(
        list(alone[Side.CRM].values()),
        list(alone[Side.GROUPWARE].values()),
        lambda snapshot: marker_of(visit.instance, visit.link.kind, snapshot.ref),
    )
    new = [Case(crm=Seen(c), groupware=Seen(g)) for c, g in matches.pairs]
    new += [Case(crm=Seen(snapshot)) for snapshot in matches.crm]
    mine = counterparts.unmarked(visit, matches.groupware)
    new += [Case(groupware=Seen(snapshot)) for snapshot in mine]
    new += _unreadable(said, paired)
    decided += [
        Decided(case=Case(), steps=_ambiguous(group.crm, group.groupware, group.why))
        for group in matches.ambiguous
    ]
    return Gathered(cases=(*cases.values(), *new), decided=tuple(decided), blind=_blind(said))


def _gone(
    said: dict[Side, dict[str, Observation]], pairs: dict[str, Pairing]
) -> frozenset[tuple[Side, str]]:
    paired = {(side, pairing.side(side).ref) for pairing in pairs.values() for side in Side}
    return (
        frozenset((side, ref) for side in Side for ref in tombstones(said[side].values())) - paired
    )


def _blind(said: dict[Side, dict[str, Observation]]) -> frozenset[tuple[Side, str]]:
    return frozenset(
        (side, ref)
        for side in Side
        for ref, observation in said[side].items()
        if isinstance(observation, Unknown | Denied)
    )


def _alone(
    visit: Visit,
    side: Side,
    said: dict[str, Observation],
    paired: set[str],
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


def _unreadable(
    said: dict[Side, dict[str, Observation]], paired: dict[Side, set[str]]
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
