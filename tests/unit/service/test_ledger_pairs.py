"""What one batch leaves in state of pairs that are met, let go or in conflict, entry by entry."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from accord.engine.plan import (
    Conflict,
    Frozen,
    Pair,
    Unpair,
)
from accord.engine.policy import pairing_id
from accord.engine.reconcile import Case
from accord.model.diff import patch
from accord.model.kinds import Side
from accord.model.observe import Deleted, Seen
from accord.model.parts import STORED, Attachment
from accord.state.codec import decode_step
from accord.state.records import Cause
from tests.unit.service.batch import (
    BOTH,
    CHANGES,
    HERE,
    PAIRING,
    THERE,
    LedgerWorld,
    change,
    create,
    decision,
    entered,
    entry,
    noted,
    paired,
    plain,
)
from tests.unit.service.kit import CRM, GROUPWARE


@pytest.fixture(autouse=True)
def on_both() -> None:
    """Keep to SQLite: what is written how in which database is tested elsewhere."""


@pytest.fixture
def world() -> LedgerWorld:
    return LedgerWorld()


# Paired.


def pair_step(**values: Any) -> Pair:
    return Pair(why="because", crm=HERE, groupware=THERE, pairing="p1", **values)


def test_a_new_pair_stands_under_the_rule_in_force_and_is_told_of_on_both_sides(
    world: LedgerWorld,
) -> None:
    report = entered(world, noted(pair_step(content=False), Case(crm=Seen(HERE))))
    (pairing,) = world.pairings()
    rule = world.link_rule()
    assert pairing == msgspec.structs.replace(PAIRING, rule=rule, content=False, made=None)
    assert (report.paired, report.crm.paired, report.groupware.paired) == (1, 1, 1)
    (line,) = world.journal()
    assert plain(line) == entry(
        world, report, "pair", side=CRM, ref="c1", counterpart="g1", pairing="p1"
    )
    for side, snapshot in ((CRM, HERE), (GROUPWARE, THERE)):
        assert world.decision(side, snapshot.ref) == decision(
            world,
            report,
            side,
            snapshot.ref,
            version=snapshot.version,
            uid=snapshot.item.uid,
            label=snapshot.item.title,  # type: ignore[union-attr]
            step="pair",
        )


@pytest.mark.parametrize(("version", "refused"), [("5", True), ("4", False)])
def test_a_pair_that_agrees_again_keeps_what_was_known_of_it(
    world: LedgerWorld, version: str, refused: bool
) -> None:
    former = msgspec.structs.replace(HERE, version=version)
    old = msgspec.structs.replace(PAIRING, crm=former, refused=True)
    case = Case(pairing=paired(world, old), crm=Seen(HERE), groupware=Seen(THERE))
    report = entered(world, noted(pair_step(), case))
    assert world.pairings() == [msgspec.structs.replace(PAIRING, refused=refused)]
    assert (report.paired, world.journal()) == (0, [])


def a_copy_waits(world: LedgerWorld, side: Side) -> None:
    """Let the copy of what stands on one side have been refused by the other."""
    alone = Case(crm=Seen(HERE)) if side is CRM else Case(groupware=Seen(THERE))
    fail = create(side.other)
    entered(world, lambda ledger: ledger.failed(fail, alone, "x", Cause.RETRY))


@pytest.mark.parametrize("side", Side)
def test_what_is_paired_waits_no_longer(world: LedgerWorld, side: Side) -> None:
    snapshot = HERE if side is CRM else THERE
    a_copy_waits(world, side)
    assert [one.ref_crm or one.ref_groupware for one in world.pending()] == [snapshot.ref]
    entered(world, noted(pair_step(), BOTH))
    assert world.pending() == []


def test_a_pair_that_was_let_go_and_met_again_in_one_batch_stands(world: LedgerWorld) -> None:
    paired(world)
    entered(world, lambda ledger: ledger.forget("p1"), lambda ledger: ledger.pair(PAIRING))
    assert [pair.id for pair in world.pairings()] == ["p1"]


def test_a_pair_that_was_let_go_and_met_again_moves_to_another_rule(world: LedgerWorld) -> None:
    entered(
        world,
        lambda ledger: ledger.forget("p1"),
        lambda ledger: ledger.pair(PAIRING),
        lambda ledger: ledger.advance(PAIRING, "newer"),
    )
    assert [pair.rule for pair in world.pairings()] == ["newer"]


def test_a_pair_whose_item_holds_files_is_looked_at_for_them_by_its_link(
    world: LedgerWorld,
) -> None:
    plan = Attachment(name="plan.pdf", uri=f"{STORED}a1", size=3)
    holding = msgspec.structs.replace(THERE, item=patch(THERE.item, {"attachments": (plan,)}))
    entered(world, lambda ledger: ledger.pair(msgspec.structs.replace(PAIRING, groupware=holding)))
    with world.state.read() as tx:
        assert tx.files.due("alice") == ["p1"]
    entered(world, lambda ledger: ledger.forget("p1"))
    with world.state.read() as tx:
        assert tx.files.due("alice") == []


@pytest.mark.parametrize("side", Side)
def test_an_older_pair_gives_way_to_a_new_one_of_the_same_item(
    world: LedgerWorld, side: Side
) -> None:
    kept = {str(side): PAIRING.side(side)}
    other = str(side.other)
    foreign = msgspec.structs.replace(PAIRING.side(side.other), ref="x9")
    older = msgspec.structs.replace(PAIRING, id="p0", **kept, **{other: foreign})
    paired(world, older)
    entered(world, lambda ledger: ledger.pair(PAIRING))
    assert [pair.id for pair in world.pairings()] == ["p1"]


def test_a_pair_just_entered_may_be_let_go_until_it_returns(world: LedgerWorld) -> None:
    mine = msgspec.structs.replace(PAIRING, id=pairing_id("alice", "c1", "g1"))
    entered(
        world,
        lambda ledger: ledger.pair(mine),
        lambda ledger: ledger.freeze("c1", "g1", Frozen.MOVED),
    )
    assert world.pairings() == [msgspec.structs.replace(mine, frozen="moved")]


def test_a_pair_that_was_met_and_let_go_in_one_batch_does_not(world: LedgerWorld) -> None:
    entered(world, lambda ledger: ledger.pair(PAIRING), lambda ledger: ledger.forget("p1"))
    assert world.pairings() == []


# Let go.


def let_go(cause: Frozen = Frozen.UNLINKED, **values: Any) -> Unpair:
    return Unpair(why="because", pairing="p1", crm="c1", groupware="g1", cause=cause, **values)


@pytest.mark.parametrize("cause", Frozen)
def test_a_pair_let_go_for_good_keeps_what_both_sides_hold_now(
    world: LedgerWorld, cause: Frozen
) -> None:
    paired(world)
    here = msgspec.structs.replace(HERE, version="6")
    there = msgspec.structs.replace(THERE, version="8")
    case = Case(pairing=PAIRING, crm=Seen(here), groupware=Seen(there))
    report = entered(world, noted(let_go(cause), case))
    (pairing,) = world.pairings()
    bases = (HERE, THERE) if cause.returns else (here, there)
    assert (pairing.crm, pairing.groupware, pairing.frozen) == (*bases, str(cause))
    assert (report.unpaired, report.crm.unpaired, report.groupware.unpaired) == (1, 1, 1)
    (line,) = world.journal()
    assert plain(line) == entry(
        world, report, "unpair", side=CRM, ref="c1", counterpart="g1", pairing="p1"
    )
    for side, now in ((CRM, here), (GROUPWARE, there)):
        assert world.decision(side, now.ref) == decision(
            world,
            report,
            side,
            now.ref,
            uid=now.item.uid,
            label=now.item.title,  # type: ignore[union-attr]
            step="unpair",
        )


def test_a_pair_let_go_without_being_seen_keeps_its_bases(world: LedgerWorld) -> None:
    case = Case(pairing=paired(world))
    entered(world, noted(let_go(), case))
    assert world.pairings() == [msgspec.structs.replace(PAIRING, frozen="unlinked")]
    told = [world.decision(CRM, "c1"), world.decision(GROUPWARE, "g1")]
    assert [one.label for one in told if one is not None] == ["Here", "There"]


def test_a_pair_entered_in_the_same_batch_is_let_go_as_it_was_entered(world: LedgerWorld) -> None:
    newer = msgspec.structs.replace(PAIRING, crm=msgspec.structs.replace(HERE, version="6"))
    entered(world, lambda ledger: ledger.pair(newer), noted(let_go(), BOTH))
    (pairing,) = world.pairings()
    assert (pairing.crm.version, pairing.frozen) == ("6", "unlinked")


def test_a_pair_nobody_knows_any_more_is_forgotten(world: LedgerWorld) -> None:
    paired(world)
    entered(world, noted(let_go(), Case()))
    assert world.pairings() == []


def test_a_pair_of_which_nothing_is_left_goes(world: LedgerWorld) -> None:
    case = Case(pairing=paired(world), crm=Deleted("c1"), groupware=Deleted("g1"))
    entered(world, noted(let_go(forget=True), case))
    assert world.pairings() == []


@pytest.mark.parametrize("side", Side)
def test_of_a_pair_of_which_nothing_is_left_nothing_waits(world: LedgerWorld, side: Side) -> None:
    a_copy_waits(world, side)
    entered(world, lambda ledger: ledger.end(paired(world)))
    assert world.pending() == []


def test_a_meeting_of_which_nothing_is_left_is_claimed_by_its_link_no_longer(
    world: LedgerWorld,
) -> None:
    mine, claimed = world.crm.instance, {"u1": "alice", "u2": "alice", "u3": "alice"}
    with world.state.begin() as tx:
        for uid, link in claimed.items():
            tx.claims.claim(mine, uid, link)
    entered(world, lambda ledger: ledger.end(paired(world)))
    with world.state.read() as tx:
        assert set(tx.claims.get_many(mine, claimed)) == {"u3"}


def test_a_meeting_that_another_link_claims_stays_so(world: LedgerWorld) -> None:
    world.add_link("bob")
    with world.state.begin() as tx:
        tx.claims.claim(world.crm.instance, "u1", "bob")
    entered(world, lambda ledger: ledger.end(paired(world)))
    with world.state.read() as tx:
        assert set(tx.claims.get_many(world.crm.instance, {"u1"})) == {"u1"}


@pytest.mark.parametrize("side", Side)
def test_what_is_let_go_waits_no_longer(world: LedgerWorld, side: Side) -> None:
    a_copy_waits(world, side)
    paired(world)
    entered(world, noted(let_go(), BOTH))
    assert world.pending() == []


@pytest.mark.parametrize(
    ("said", "passed"), [(Seen(HERE), True), (Deleted("c1"), False), (None, True)]
)
def test_a_meeting_passes_on_to_another_participant_while_its_record_lives(
    said: Any, passed: bool
) -> None:
    world = LedgerWorld("alice", "bob")
    shared = msgspec.structs.replace(THERE, item=patch(THERE.item, {"uid": "u1"}))
    mine = msgspec.structs.replace(PAIRING, groupware=shared)
    theirs = msgspec.structs.replace(mine, id="p2", content=False)
    with world.state.begin() as tx:
        tx.pairings.put("alice", mine)
        tx.pairings.put("bob", theirs)
        tx.claims.claim(world.crm.instance, "u1", "alice")
    case = Case(pairing=mine, crm=said, groupware=Seen(shared))
    entered(world, noted(let_go(), case))
    with world.state.read() as tx:
        claims = tx.claims.get_many(world.crm.instance, {"u1"})
    assert claims["u1"].link == ("bob" if passed else "alice")
    assert [pair.content for pair in world.pairings()] == [not passed]


# Conflicts.


def conflict(winner: Side | None) -> Conflict:
    return Conflict(
        why="because",
        pairing="p1",
        field="title",
        crm=HERE,
        groupware=THERE,
        fields=CHANGES,
        winner=winner,
    )


@pytest.mark.parametrize("winner", [None, CRM, GROUPWARE])
def test_a_conflict_is_entered_on_the_side_that_gives_way_with_what_stood_there(
    world: LedgerWorld, winner: Side | None
) -> None:
    paired(world)
    report = entered(world, noted(conflict(winner), BOTH))
    loser, ref, other, before = (
        (CRM, "c1", "g1", HERE) if winner is GROUPWARE else (GROUPWARE, "g1", "c1", THERE)
    )
    (line,) = world.journal()
    assert plain(line) == entry(
        world,
        report,
        "clash" if winner else "conflict",
        side=loser,
        ref=ref,
        counterpart=other,
        pairing="p1",
        fields=CHANGES,
    )
    with world.state.read() as tx:
        assert tx.blobs.get_item(line.before or "") == before
    assert (report.conflicts, report.clashes) == ((0, 1) if winner else (1, 0))
    if winner is not None:
        assert (world.pending(), world.decision(CRM, "c1")) == ([], None)
        return
    assert len(world.pending(Cause.CONFLICT)) == 1
    for side, snapshot in ((CRM, HERE), (GROUPWARE, THERE)):
        assert world.decision(side, snapshot.ref) == decision(
            world,
            report,
            side,
            snapshot.ref,
            uid=snapshot.item.uid,
            label=snapshot.item.title,  # type: ignore[union-attr]
            step="conflict",
        )


# Uncertain writes.


def test_a_write_whose_outcome_is_not_known_is_an_intent_about_its_item(
    world: LedgerWorld,
) -> None:
    step = change()
    report = entered(world, lambda ledger: ledger.reopen("i1", step))
    (intent,) = world.intents()
    assert (intent.id, intent.link, intent.run) == ("i1", "alice", report.run)
    assert (intent.side, intent.ref, intent.pairing) == (GROUPWARE, "g1", "p1")
    assert decode_step(intent.step) == step
