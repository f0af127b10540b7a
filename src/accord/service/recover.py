"""Settle what a killed or cut-off visit left open: each intent's key is looked up on its side.

First thing a visit does. Nothing is written to either side here but what was cut off halfway.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from accord.engine.entries import brought
from accord.engine.plan import Conflict, Create, Delete, Frozen, Pairing, Step, Update
from accord.engine.reconcile import Case
from accord.engine.settle import settle
from accord.model.diff import FieldChange, holds, patch
from accord.model.fields import FIELDS, Merge, same
from accord.model.item import Item, TaskStatus, kind_of
from accord.model.kinds import Kind, Side
from accord.model.observe import Deleted, Moved, Observation, Seen, Snapshot, Unknown
from accord.model.recurrence import EventStatus
from accord.ports.adapter import Ask, Mark, Question, Written
from accord.service.commit import enter_create, enter_delete, undone_apart
from accord.service.counterparts import ask_for
from accord.service.ends import back_marker, marker_of
from accord.service.keeping import kept
from accord.service.ledger import Ledger
from accord.service.opening import load_policies
from accord.service.pausing import require_going
from accord.service.pull import confirm
from accord.service.report import Report
from accord.service.visit import Visit, chunks
from accord.service.writes import revision_of
from accord.state.codec import decode_step
from accord.state.records import Intent

S = TypeVar("S", Create, Update)


def recover(visit: Visit, report: Report) -> int:
    """Settle the link's open intents; return how many there were.

    A write that happened is entered as done, with what was sent as the base unless what is
    found there is exactly that; one that didn't happen is dropped and will be planned anew.
    """
    with visit.state.read() as tx:
        intents = tx.intents.of_link(visit.link.id)
    for some in _batches(intents, min(visit.crm.batch, visit.groupware.batch)):
        _settle_batch(visit, some, report)
    return len(intents)


def _batches(intents: list[Intent], size: int) -> list[list[Intent]]:
    """Return the intents of at most `size` pairs at a time; a pair's own are never parted."""
    pairs: dict[str, list[Intent]] = {}
    for intent in intents:
        pairs.setdefault(intent.pairing or intent.id, []).append(intent)
    return [[i for pair in some for i in pair] for some in chunks(list(pairs.values()), size)]


def _settle_batch(visit: Visit, intents: list[Intent], report: Report) -> None:
    steps = [(intent, decode_step(intent.step)) for intent in intents]
    found = _find_created(visit, steps)
    seen = _ask_about(visit, steps)
    _complete(visit, steps, seen)
    with visit.state.read() as tx:
        pairings = tx.pairings.get_many({i.pairing for i in intents if i.pairing})
        uids = {s.item.uid for _, s in steps if isinstance(s, Create) and s.item.uid}
        claims = {c.uid: c.link for c in tx.claims.get_many(visit.instance, uids).values()}
    load_policies(visit, {pairing.rule for pairing in pairings.values()})
    found |= _find_restored(visit, [i_s for i_s in steps if i_s[0].id not in found], pairings)
    ledger = Ledger(visit, report)
    updates: dict[str, list[tuple[Update, Snapshot]]] = {}
    for intent, step in steps:
        pairing = pairings.get(intent.pairing)
        match step:
            case Create() if intent.id in found:
                claim = claims.get(step.item.uid, visit.link.id)
                claimed = "" if claim == visit.link.id else claim
                case = Case(pairing=pairing, claimed=claimed)
                _enter_created(visit, step, found[intent.id], case, ledger)
            case Update():
                after = _written(step, seen.get(intent.id))
                if after is not None:
                    updates.setdefault(intent.pairing, []).append((step, after))
                else:
                    ledger.doubt(step.side.other, step.base.ref)
                    if pairing is not None:
                        sides = {step.side: step.before, step.side.other: step.base}
                        _enter_loss(_partly(step, seen.get(intent.id)), pairing, sides, ledger)
            case Delete() if pairing is not None:
                written = _deleted(step, seen.get(intent.id))
                if written is not None:
                    enter_delete(step, written, Case(pairing=pairing), ledger)
        ledger.close_intent(intent.id)
    for key, done in updates.items():
        _enter_updated(done, pairings.get(key), ledger)
    with visit.state.begin() as tx:
        ledger.flush(tx)


def _find_created(visit: Visit, steps: list[tuple[Intent, Step]]) -> dict[str, Snapshot]:
    """Look the keys of creates up, and store the refs that a crash kept from being stored."""
    found: dict[str, Snapshot] = {}
    for side in Side:
        mine = [i for i, step in steps if isinstance(step, Create) and step.side is side]
        if not mine:
            continue
        end = visit.end(side)
        questions = [Question(key=intent.id) for intent in mine]
        answers = end.session.lookup(end.folder, end.kind, questions)
        for intent, snapshots in zip(mine, answers, strict=True):
            if snapshots:
                found[intent.id] = snapshots[0]
    found |= _find_moved(visit, [i_s for i_s in steps if i_s[0].id not in found])
    for side in Side:
        marks = [
            Mark(ref=step.source.ref, marker=_marker(visit, step, found[intent.id].ref))
            for intent, step in steps
            if isinstance(step, Create)
            and step.side is side.other
            and intent.id in found
            and (side is Side.CRM or step.source.marker)
        ]
        if marks:
            end = visit.end(side)
            require_going(visit)
            with kept(visit):
                end.session.mark(end.folder, end.kind, marks)
    return found


def _marker(visit: Visit, step: Create, ref: str) -> str:
    if step.side is Side.GROUPWARE:
        return back_marker(visit.link, ref)
    return marker_of(visit.instance, visit.link.kind, ref)


def _find_moved(visit: Visit, steps: list[tuple[Intent, Step]]) -> dict[str, Snapshot]:
    """Find copies that a person moved to another folder before anybody knew of them."""
    mine = [
        (intent, step)
        for intent, step in steps
        if isinstance(step, Create) and step.side is Side.GROUPWARE
    ]
    markers = [marker_of(visit.instance, visit.link.kind, step.source.ref) for _, step in mine]
    asks = [Ask(ref=i.id, marker=m) for (i, _), m in zip(mine, markers, strict=True)]
    answers = confirm(visit.groupware, asks)
    return {
        intent.id: Snapshot(
            ref=answer.new_ref, version="", item=step.item, marker=marker, folder=answer.folder
        )
        for (intent, step), marker in zip(mine, markers, strict=True)
        if isinstance(answer := answers[intent.id], Moved) and answer.new_ref and not answer.trash
    }


def _find_restored(
    visit: Visit, steps: list[tuple[Intent, Step]], pairings: dict[str, Pairing]
) -> dict[str, Snapshot]:
    """Find what was brought back under its own ref, and no other key, as it was sent."""
    found: dict[str, Snapshot] = {}
    for side in Side:
        mine = [
            (intent.id, step, pairings[intent.pairing].side(side))
            for intent, step in steps
            if isinstance(step, Create) and step.side is side and intent.pairing in pairings
        ]
        answers = confirm(visit.end(side), [ask_for(base) for _, _, base in mine])
        for key, step, base in mine:
            answer = answers[base.ref]
            if isinstance(answer, Seen) and not visit.policy.changed_by(
                side, answer.snapshot.item, step.item
            ):
                found[key] = answer.snapshot
    return found


def _ask_about(visit: Visit, steps: list[tuple[Intent, Step]]) -> dict[str, Observation]:
    seen: dict[str, Observation] = {}
    for side in Side:
        mine = [
            (intent, step)
            for intent, step in steps
            if isinstance(step, Update | Delete) and step.side is side
        ]
        if not mine:
            continue
        end = visit.end(side)
        asks = [ask_for(step.before) for _, step in mine]
        answers = end.session.fetch(end.folder, end.kind, asks)
        seen |= {intent.id: answer for (intent, _), answer in zip(mine, answers, strict=True)}
    return seen


def _complete(visit: Visit, steps: list[tuple[Intent, Step]], seen: dict[str, Observation]) -> None:
    """Send updates again that were cut off halfway, and put down what is found there then."""
    for side in Side:
        half = [
            (intent, step, there)
            for intent, step in steps
            if isinstance(step, Update)
            and step.side is side
            and isinstance(there := seen.get(intent.id), Unknown)
            and there.half
        ]
        if not half:
            continue
        end = visit.end(side)
        revisions = [
            msgspec.structs.replace(
                revision_of(visit, _typed(step)), version=there.version, half=True
            )
            for _, step, there in half
        ]
        require_going(visit)
        with kept(visit):
            outcomes = end.session.update(end.folder, end.kind, revisions)
        for (intent, _, _), outcome in zip(half, outcomes, strict=True):
            if isinstance(outcome, Written) and outcome.snapshot is not None:
                seen[intent.id] = Seen(outcome.snapshot)


def _enter_created(visit: Visit, step: Create, found: Snapshot, case: Case, ledger: Ledger) -> None:
    sent = visit.policy.changed_by(step.side, found.item, step.item)
    version = "" if sent else found.version
    item = patch(step.item, {"uid": found.item.uid}) if sent else found.item
    base = msgspec.structs.replace(found, version=version, item=item)
    written = Written(ref=found.ref, version=version, snapshot=base)
    enter_create(visit, _settled(step), written, case, ledger)
    if step.side is Side.GROUPWARE and found.folder not in ("", visit.groupware.folder):
        ledger.freeze(step.source.ref, found.ref, Frozen.MOVED)


def _written(step: Update, observation: Observation | None) -> Snapshot | None:
    """Return what an update left behind; None where its values aren't there.

    It is the item as sent unless exactly that is found, so that later edits stay visible.
    """
    if not isinstance(observation, Seen):
        return None
    found = observation.snapshot
    if not all(_stands(found.item, step, change.field) for change in step.changes):
        return None
    if found.item == step.after:
        return found
    return msgspec.structs.replace(step.before, version="", item=step.after)


def _partly(step: Update, observation: Observation | None) -> Update:
    """Return of an update what stands as sent and didn't before, though the rest was edited since.

    The other side has the same by then: nobody would hear of the values that it replaced.
    """
    there = observation.snapshot.item if isinstance(observation, Seen) else step.before.item
    stands = tuple(
        change
        for change in _typed(step).changes
        if _stands(there, step, change.field) and not _stands(step.before.item, step, change.field)
    )
    return msgspec.structs.replace(step, changes=stands)


def _stands(item: Item, step: Update, name: str) -> bool:
    """Tell whether what an update made of a field is there, whatever entries came since."""
    sent = patch(item, {name: brought(name, item, step.before.item, step.after)})
    return holds(item, sent, name)


def _deleted(step: Delete, observation: Observation | None) -> Written | None:
    """Return the answer to a delete that happened; a record that lives on was called off."""
    match observation:
        case Deleted() | Moved(trash=True):
            return Written(ref=step.before.ref)
        case Seen(snapshot) if _called_off(snapshot.item) and not _called_off(step.before.item):
            return Written(ref=snapshot.ref, version=snapshot.version, snapshot=snapshot)
        case _:
            return None


def _called_off(item: Item) -> bool:
    return getattr(item, "status", None) in (EventStatus.CANCELLED, TaskStatus.CANCELLED)


def _enter_updated(
    updates: list[tuple[Update, Snapshot]], pairing: Pairing | None, ledger: Ledger
) -> None:
    """Enter updates of a pair that happened; the bases move only by what surely travelled."""
    done: dict[Side, tuple[Update, Snapshot]] = {}
    now: dict[Side, Snapshot] = {}
    for step, after in updates:
        done[step.side] = (_settled(_typed(step)), after)
        now.setdefault(step.side.other, step.base)
    for step, _ in updates:
        now[step.side] = step.before
    if pairing is not None:
        failed = frozenset(side.other for side in done if side.other not in done)
        if not undone_apart(pairing, done, failed):
            ledger.pair(settle(pairing, now[Side.CRM], now[Side.GROUPWARE], done, failed))
    for side, (step, after) in done.items():
        other = now[side.other].ref
        if pairing is not None:
            _enter_loss(step, pairing, now, ledger)
        ledger.wrote(step, after.ref, step.before, after, other, step.pairing)
        # Nobody has been told yet of what was in conflict beside it.
        if step.contested or (step.undoes and side.other not in done):
            ledger.doubt(side, after.ref)


def _enter_loss(step: Update, pairing: Pairing, now: dict[Side, Snapshot], ledger: Ledger) -> None:
    """Keep the values that a settled update replaced though somebody had edited them too.

    The clash was decided before the interruption, but what it said wasn't entered any more.
    """
    base, kind = pairing.side(step.side).item, kind_of(step.before.item)
    lost = tuple(each for each in step.changes if _replaced(kind, getattr(base, each.field), each))
    if not lost:
        return
    names = ", ".join(change.field for change in lost)
    conflict = Conflict(
        pairing=pairing.id,
        field=names,
        crm=now[Side.CRM],
        groupware=now[Side.GROUPWARE],
        fields=lost if step.side is Side.CRM else tuple(_turned(change) for change in lost),
        winner=step.side.other,
        why=f"both sides changed {names} (settled after an interruption)",
    )
    ledger.note(conflict, Case(pairing=pairing))


def _replaced(kind: Kind, base: Any, change: FieldChange) -> bool:
    """Tell whether a change replaced what its side had made of a field since the base."""
    if FIELDS[kind][change.field].merge is Merge.REPLACE:
        return not same(kind, change.field, base, change.before)
    if not isinstance(change.before, tuple):
        return False
    # Entries of both sides come together, but for those of a series that gets other times.
    return any(each not in base and each not in change.after for each in change.before)


def _turned(change: FieldChange) -> FieldChange:
    return FieldChange(field=change.field, before=change.after, after=change.before)


def _typed(step: Update) -> Update:
    """Return an update that was stored with its changes as parts of items again."""
    changes = tuple(
        FieldChange(
            field=change.field,
            before=getattr(step.before.item, change.field),
            after=getattr(step.after, change.field),
        )
        for change in step.changes
    )
    return msgspec.structs.replace(step, changes=changes)


def _settled(step: S) -> S:
    return msgspec.structs.replace(step, why=f"{step.why} (settled after an interruption)")
