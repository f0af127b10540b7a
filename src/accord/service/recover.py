"""Settle what a killed or cut-off visit left open: each intent's key is looked up on its side.

First thing a visit does. Nothing is written to either side here.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from accord.engine.plan import Create, Delete, Pairing, Step, Update
from accord.engine.reconcile import Case
from accord.engine.settle import settle
from accord.model.diff import FieldChange
from accord.model.fields import same
from accord.model.item import Item, kind_of
from accord.model.kinds import Side
from accord.model.observe import Deleted, Moved, Observation, Seen, Snapshot
from accord.ports.adapter import Ask, Mark, Question, Written
from accord.service.apply import enter_create, enter_delete
from accord.service.ends import back_marker
from accord.service.ledger import Ledger
from accord.service.report import Report
from accord.service.visit import Visit, chunks
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
    for some in chunks(intents, min(visit.crm.batch, visit.groupware.batch)):
        _settle_batch(visit, list(some), report)
    return len(intents)


def _settle_batch(visit: Visit, intents: list[Intent], report: Report) -> None:
    steps = [(intent, decode_step(intent.step)) for intent in intents]
    found = _find_created(visit, steps)
    seen = _ask_about(visit, steps)
    with visit.state.read() as tx:
        pairings = tx.pairings.get_many({i.pairing for i in intents if i.pairing})
    ledger = Ledger(visit, report)
    for intent, step in steps:
        pairing = pairings.get(intent.pairing)
        match step:
            case Create() if intent.id in found:
                _enter_created(visit, step, found[intent.id], pairing, ledger)
            case Update() if pairing is not None:
                _enter_updated(step, seen.get(intent.id), pairing, ledger)
            case Delete() if pairing is not None:
                if isinstance(seen.get(intent.id), Deleted | Moved):
                    written = Written(ref=step.before.ref)
                    case = Case(pairing=pairing)
                    enter_delete(step, written, case, ledger)
        ledger.close_intent(intent.id)
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
    marks = [
        Mark(ref=step.source.ref, marker=back_marker(visit.link, found[intent.id].ref))
        for intent, step in steps
        if isinstance(step, Create) and step.side is Side.GROUPWARE and intent.id in found
    ]
    if marks:
        visit.crm.session.mark(visit.crm.folder, visit.crm.kind, marks)
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
        asks = [
            Ask(ref=step.before.ref, uid=step.before.item.uid, marker=step.before.marker)
            for _, step in mine
        ]
        answers = end.session.fetch(end.folder, end.kind, asks)
        seen |= {intent.id: answer for (intent, _), answer in zip(mine, answers, strict=True)}
    return seen


def _enter_created(
    visit: Visit, step: Create, found: Snapshot, pairing: Pairing | None, ledger: Ledger
) -> None:
    sent = visit.policy.changed_by(step.side, found.item, step.item)
    version = "" if sent else found.version
    base = found if not sent else msgspec.structs.replace(found, version="", item=step.item)
    written = Written(ref=found.ref, version=version, snapshot=base)
    enter_create(visit, _settled(step), written, Case(pairing=pairing), ledger)


def _enter_updated(
    step: Update, observation: Observation | None, pairing: Pairing, ledger: Ledger
) -> None:
    """Enter an update whose values are there; the bases move only by what surely travelled."""
    if not isinstance(observation, Seen):
        return
    item = observation.snapshot.item
    fields = [change.field for change in step.changes]
    if not all(_holds(item, step.after, field) for field in fields):
        return
    changes = tuple(
        FieldChange(
            field=field,
            before=getattr(step.before.item, field),
            after=getattr(step.after, field),
        )
        for field in fields
    )
    done = _settled(msgspec.structs.replace(step, changes=changes))
    after = msgspec.structs.replace(step.before, version="", item=step.after)
    now = {step.side: step.before, step.side.other: step.base}
    settled = settle(
        pairing,
        now[Side.CRM],
        now[Side.GROUPWARE],
        {step.side: (done, after)},
        frozenset({step.side.other}),
    )
    ledger.pair(settled)
    other = pairing.side(step.side.other).ref
    ledger.wrote(done, step.before.ref, step.before, after, other, pairing.id)


def _holds(item: Item, wanted: Item, field: str) -> bool:
    return same(kind_of(item), field, getattr(item, field), getattr(wanted, field))


def _settled(step: S) -> S:
    return msgspec.structs.replace(step, why=f"{step.why} (settled after an interruption)")
