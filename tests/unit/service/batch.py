"""One batch as the ledger takes it: two items, a pair, steps about them, and what is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from accord.engine.plan import (
    Create,
    Delete,
    Pairing,
    Step,
    Update,
)
from accord.engine.reconcile import Case
from accord.model.diff import FieldChange
from accord.model.kinds import Kind, Side
from accord.model.observe import Seen, Snapshot
from accord.service.begin import attend
from accord.service.ledger import Ledger
from accord.service.opening import Options
from accord.service.report import Report
from accord.state.records import Decision, Entry
from tests.unit.service.kit import CRM, GROUPWARE, START, World, event

HERE = Snapshot(ref="c1", version="5", item=event("Here", uid="u1"), by="bob")
THERE = Snapshot(ref="g1", version="7", item=event("There", uid="u2"), by="carol")
PAIRING = Pairing(id="p1", crm=HERE, groupware=THERE, rule="older", made=CRM)
BOTH = Case(pairing=PAIRING, crm=Seen(HERE), groupware=Seen(THERE))
CHANGES = (FieldChange(field="title", before="There", after="Here"),)


def entered(world: World, *acts: Callable[[Ledger], None]) -> Report:
    """Let a ledger of Alice's link gather what `acts` tell it, and write it in one batch."""
    report = visited(world, *acts)
    assert report.error == ""
    return report


def visited(
    world: World, *acts: Callable[[Ledger], None], before: Callable[[Any], None] = lambda _: None
) -> Report:
    """Enter as `entered` does, right after `before` was told of the visit; errors are reported."""

    def carry_out(visit: Any, _: None, report: Report) -> None:
        ledger = Ledger(visit, report)
        for act in acts:
            act(ledger)
        before(visit)
        with visit.state.begin() as tx:
            ledger.flush(tx)

    return attend(world.accord, world.link(), Options(), lambda *_: None, carry_out)


def noted(step: Step, case: Case) -> Callable[[Ledger], None]:
    return lambda ledger: ledger.note(step, case)


def paired(world: World, pairing: Pairing = PAIRING) -> Pairing:
    with world.state.begin() as tx:
        tx.pairings.put("alice", pairing)
    return pairing


def entry(world: LedgerWorld, report: Report, step: str, **values: Any) -> Entry:
    """Return the journal's line as it must be, but for its number and where snapshots lie."""
    usual: dict[str, Any] = {
        "at": START,
        "run": report.run,
        "link": "alice",
        "user": "alice",
        "kind": Kind.EVENT,
        "step": step,
        "why": "because",
        "rule": world.link_rule(),
    }
    return Entry(**{**usual, **values})


def plain(one: Entry) -> Entry:
    return msgspec.structs.replace(one, id=0, before=None, after=None)


def decision(world: LedgerWorld, report: Report, side: Side, ref: str, **values: Any) -> Decision:
    usual = {"why": "because", "rule": world.link_rule(), "run": report.run, "at": START}
    return Decision(**{"link": "alice", "side": side, "ref": ref, **usual, **values})


def create(side: Side = GROUPWARE, **values: Any) -> Create:
    source = HERE if side is GROUPWARE else THERE
    return Create(why="because", side=side, source=source, item=source.item, **values)


def change(side: Side = GROUPWARE, **values: Any) -> Update:
    before, base = (THERE, HERE) if side is GROUPWARE else (HERE, THERE)
    return Update(
        why="because",
        side=side,
        pairing="p1",
        before=before,
        after=base.item,
        base=base,
        changes=CHANGES,
        **values,
    )


def delete(**values: Any) -> Delete:
    return Delete(why="because", side=GROUPWARE, pairing="p1", before=THERE, **values)


class LedgerWorld(World):
    """Be a world that knows the version of its rule."""

    def link_rule(self) -> str:
        with self.state.read() as tx:
            rule = tx.rules.active("r")
        assert rule is not None
        return rule.version
