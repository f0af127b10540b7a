"""What one batch leaves in state of writes, refusals and skips, entry by entry."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from accord.engine.plan import (
    Delete,
    Hold,
    Skip,
    Unpair,
    Unread,
    Writing,
)
from accord.engine.reconcile import Case
from accord.model.kinds import Side
from accord.model.observe import Denied, Seen, Unknown
from accord.rules.rule import Window
from accord.service.ledger import Ledger
from accord.service.report import Report
from accord.state.codec import decode_step
from accord.state.records import Cause, Pending
from accord.state.taking import take
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
    delete,
    entered,
    entry,
    noted,
    paired,
    plain,
    visited,
)
from tests.unit.service.kit import CRM, GROUPWARE, SOON, START, World, event


@pytest.fixture(autouse=True)
def on_both() -> None:
    """Keep to SQLite: what is written how in which database is tested elsewhere."""


@pytest.fixture
def world() -> LedgerWorld:
    return LedgerWorld()


# Writes.


def test_a_write_is_entered_with_who_caused_it_what_it_mailed_and_the_version_it_left(
    world: LedgerWorld,
) -> None:
    step = change(mails=("x@x.test", "y@x.test"))
    after = msgspec.structs.replace(THERE, version="8", item=HERE.item)
    report = entered(world, lambda ledger: ledger.wrote(step, "g1", step.before, after, "c1", "p1"))
    (line,) = world.journal()
    assert plain(line) == entry(
        world,
        report,
        "update",
        side=GROUPWARE,
        ref="g1",
        counterpart="c1",
        pairing="p1",
        actor="bob",
        version="8",
        mails=2,
        fields=CHANGES,
    )
    with world.state.read() as tx:
        assert tx.blobs.get_item(line.before or "") == THERE
        assert tx.blobs.get_item(line.after or "") == after
    assert world.decision(GROUPWARE, "g1") == decision(
        world, report, GROUPWARE, "g1", version="8", uid="u1", label="Here", step="update"
    )


def test_what_left_nothing_behind_has_no_version(world: LedgerWorld) -> None:
    step = delete()
    report = entered(world, lambda ledger: ledger.wrote(step, "g1", THERE, None, "c1", "p1"))
    (line,) = world.journal()
    assert (line.version, line.actor, line.after, line.mails) == ("", "", None, 0)
    assert world.decision(GROUPWARE, "g1") == decision(
        world, report, GROUPWARE, "g1", uid="u2", label="There", step="delete"
    )


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("name", ["created", "updated", "deleted"])
def test_writes_add_up_on_their_side(world: LedgerWorld, name: str, side: Side) -> None:
    steps: dict[str, Writing] = {
        "created": create(side),
        "updated": change(side),
        "deleted": Delete(why="because", side=side, pairing="p1", before=HERE),
    }

    def write(ref: str) -> Callable[[Ledger], None]:
        return lambda ledger: ledger.wrote(steps[name], ref, None, HERE, "", "")

    report = entered(world, write("x1"), write("x2"))
    assert getattr(report.side(side), name) == 2
    assert report.writes == 2


@pytest.mark.parametrize("in_part", [False, True])
def test_an_entry_is_marked_as_undone_by_the_one_that_took_it_back(
    world: LedgerWorld, in_part: bool
) -> None:
    entered(world, lambda ledger: ledger.wrote(create(), "g1", None, THERE, "c1", "p1"))
    (first,) = world.journal()
    other, undoing = change(), change(undoes=(first.id,), in_part=in_part)
    entered(
        world,
        lambda ledger: ledger.wrote(other, "g2", THERE, THERE, "c2", "p2"),
        lambda ledger: ledger.wrote(undoing, "g1", THERE, THERE, "c1", "p1"),
        lambda ledger: ledger.wrote(other, "g3", THERE, THERE, "c3", "p3"),
    )
    lines = {line.ref: line for line in world.journal(run=world.journal()[0].run)}
    with world.state.read() as tx:
        marked = tx.journal.get(first.id)
    assert marked is not None
    assert marked.undone_by == (None if in_part else lines["g1"].id)
    assert [line.undone_by for line in lines.values()] == [None, None, None]


def test_an_entry_undone_in_a_later_batch_of_a_run_is_marked_by_its_own_undoing(
    world: LedgerWorld,
) -> None:
    entered(world, lambda ledger: ledger.wrote(create(), "g1", None, THERE, "c1", "p1"))
    (first,) = world.journal()

    def earlier(visit: Any) -> None:
        ledger = Ledger(visit, Report(link="alice"))
        ledger.wrote(change(), "g2", THERE, THERE, "c2", "p2")
        with visit.state.begin() as tx:
            ledger.flush(tx)

    undoing = change(undoes=(first.id,))
    visited(
        world, lambda ledger: ledger.wrote(undoing, "g1", THERE, THERE, "c1", "p1"), before=earlier
    )
    (by,) = [line.id for line in world.journal() if line.ref == "g1" and line.id != first.id]
    with world.state.read() as tx:
        marked = tx.journal.get(first.id)
    assert marked is not None
    assert marked.undone_by == by


# Refusals.


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("cause", [Cause.RETRY, Cause.REJECTED])
def test_what_a_side_refused_is_entered_waits_and_counts(
    world: LedgerWorld, side: Side, cause: Cause
) -> None:
    step = change(side)

    def fail(ledger: Ledger) -> None:
        ledger.failed(step, BOTH, "full", cause)

    report = entered(world, fail)
    here, there = ("c1", "g1") if side is CRM else ("g1", "c1")
    line = plain(world.journal()[-1])
    actor = "carol" if side is CRM else "bob"
    assert line == entry(
        world, report, "update", side=side, ref=here, counterpart=there, error="full", actor=actor
    )
    (waiting,) = world.pending()
    assert waiting == Pending(
        id=waiting.id,
        link="alice",
        ref_crm="c1",
        ref_groupware="g1",
        cause=cause,
        step=waiting.step,
        why="full",
        fingerprint=waiting.fingerprint,
        run=report.run,
        at=START,
        due=START + timedelta(minutes=1) if cause is Cause.RETRY else None,
        tries=1,
    )
    assert decode_step(waiting.step) == step


def test_refusals_add_up_on_their_side(world: LedgerWorld) -> None:
    def fail(side: Side) -> Callable[[Ledger], None]:
        return lambda ledger: ledger.failed(change(side), BOTH, "full", Cause.RETRY)

    report = entered(world, fail(CRM), fail(CRM), fail(GROUPWARE))
    assert (report.crm.failed, report.groupware.failed, report.failed) == (2, 1, 3)


def test_a_copy_that_could_not_be_made_is_found_under_what_it_was_to_be_made_from(
    world: LedgerWorld,
) -> None:
    case = Case(crm=Seen(HERE))
    report = entered(world, lambda ledger: ledger.failed(create(), case, "full", Cause.RETRY))
    assert world.decision(CRM, "c1") == decision(
        world, report, CRM, "c1", uid="u1", label="Here", step="create", why="full"
    )
    (line,) = world.journal()
    assert (line.side, line.ref, line.counterpart) == (GROUPWARE, "", "c1")
    (waiting,) = world.pending()
    assert (waiting.ref_crm, waiting.ref_groupware) == ("c1", "")


def test_what_an_undo_could_not_do_waits_for_nobody_and_is_no_decision(world: LedgerWorld) -> None:
    step, case = create(undoes=(1,)), Case(crm=Seen(HERE))
    entered(world, lambda ledger: ledger.failed(step, case, "full", Cause.RETRY))
    assert (world.pending(), world.decision(CRM, "c1")) == ([], None)
    assert [line.error for line in world.journal()] == ["full"]


@pytest.mark.parametrize(
    ("step", "asked"),
    [
        (change(CRM), True),
        (change(GROUPWARE), False),
        (change(CRM, undoes=(1,)), False),
        (Delete(why="because", side=CRM, pairing="p1", before=HERE), False),
    ],
)
def test_another_participant_is_asked_only_where_a_record_could_not_be_changed(
    world: LedgerWorld, step: Writing, asked: bool
) -> None:
    paired(world)
    entered(world, lambda ledger: ledger.denied(step, BOTH, "no right"))
    assert [pair.refused for pair in world.pairings()] == [asked]


# Held.


def test_what_is_held_waits_and_a_copy_not_made_yet_is_found(world: LedgerWorld) -> None:
    step = Hold(why="because", held=create(), cause="too many")
    report = entered(world, noted(step, Case(crm=Seen(HERE))))
    assert (report.held, report.groupware.held) == (1, 1)
    (waiting,) = world.pending(Cause.HELD)
    assert (waiting.why, waiting.due) == ("too many", None)
    assert world.decision(CRM, "c1") == decision(
        world, report, CRM, "c1", uid="u1", label="Here", step="hold", why="too many"
    )


def test_a_held_step_of_an_undo_is_no_decision(world: LedgerWorld) -> None:
    entered(world, lambda ledger: ledger.wrote(create(), "g1", None, THERE, "c1", "p1"))
    number = world.journal()[0].id
    step = Hold(why="because", held=create(undoes=(number,)), cause="too many")
    entered(world, noted(step, Case(crm=Seen(HERE))))
    assert world.decision(CRM, "c1") is None
    assert len(world.pending(Cause.UNDO)) == 1


# Skipped.


def skip(side: Side = GROUPWARE, ref: str = "g1", **values: Any) -> Skip:
    return Skip(why="because", side=side, ref=ref, version="7", **values)


@pytest.mark.parametrize("side", Side)
def test_a_skip_counts_and_is_the_last_decision_about_its_ref(
    world: LedgerWorld, side: Side
) -> None:
    snapshot = HERE if side is CRM else THERE
    case = Case(crm=Seen(HERE), groupware=Seen(THERE))
    steps = [skip(side, snapshot.ref), skip(side, snapshot.ref)]
    report = entered(world, *(noted(step, case) for step in steps))
    assert (report.side(side).skipped, report.side(side.other).skipped) == (2, 0)
    item = snapshot.item
    assert world.decision(side, snapshot.ref) == decision(
        world,
        report,
        side,
        snapshot.ref,
        version="7",
        uid=item.uid,
        label=item.title,  # type: ignore[union-attr]
        step="skip",
    )


def test_what_cannot_be_read_is_counted_and_named_as_far_as_that_is_known(
    world: LedgerWorld,
) -> None:
    unread = Unread(uid="u9", label="Torn")
    case = Case(groupware=Unknown("g9", why="broken"))
    steps = [skip(ref="g9", unread=unread), skip(ref="g8", unread=Unread()), skip(ref="g7")]
    report = entered(world, *(noted(step, case) for step in steps))
    assert report.unreadable == 2
    told = world.decision(GROUPWARE, "g9")
    assert told is not None
    assert (told.uid, told.label, told.step) == ("u9", "Torn", "unreadable")
    silent = world.decision(GROUPWARE, "g7")
    assert silent is not None
    assert (silent.uid, silent.label, silent.step) == ("", "", "skip")


def test_a_create_that_failed_without_a_snapshot_is_named_by_nothing(world: LedgerWorld) -> None:
    case = Case(pairing=None)
    step = Unpair(why="because", pairing="p1", crm="c1", groupware="g1")
    entered(world, noted(step, case))
    told = world.decision(CRM, "c1")
    assert told is not None
    assert (told.uid, told.label) == ("", "")


@pytest.mark.parametrize(
    ("parked", "cause", "due"),
    [
        ("retry", Cause.RETRY, START + timedelta(minutes=1)),
        ("rejected", Cause.REJECTED, None),
    ],
)
def test_a_skip_that_leaves_something_to_do_waits(
    world: LedgerWorld, parked: str, cause: Cause, due: Any
) -> None:
    entered(world, noted(skip(parked=parked), Case(groupware=Unknown("g1", why="torn"))))
    (waiting,) = world.pending()
    assert (waiting.cause, waiting.due, waiting.why) == (cause, due, "because")
    assert (waiting.ref_crm, waiting.ref_groupware) == ("", "g1")


@pytest.mark.parametrize(("parked", "left"), [("", 0), ("retry", 1)])
@pytest.mark.parametrize("known", [False, True])
def test_a_skip_of_what_has_no_pair_settles_what_waited_for_it(
    world: LedgerWorld, parked: str, left: int, known: bool
) -> None:
    fail = create(CRM)
    entered(
        world, lambda ledger: ledger.failed(fail, Case(groupware=Seen(THERE)), "x", Cause.RETRY)
    )
    assert len(world.pending()) == 1
    case = Case(pairing=PAIRING if known else None, groupware=Seen(THERE))
    entered(world, noted(skip(parked=parked), case))
    assert len(world.pending()) == (1 if known else left)


@pytest.mark.parametrize(
    ("side", "readonly", "parked", "asked"),
    [
        (CRM, True, "rejected", True),
        (CRM, False, "rejected", False),
        (CRM, True, "", False),
        (GROUPWARE, True, "rejected", False),
    ],
)
def test_another_participant_is_asked_where_a_record_may_only_be_read(
    world: LedgerWorld, side: Side, readonly: bool, parked: str, asked: bool
) -> None:
    pairing = paired(world)
    here = msgspec.structs.replace(HERE, readonly=readonly)
    there = msgspec.structs.replace(THERE, readonly=readonly)
    case = Case(pairing=pairing, crm=Seen(here), groupware=Seen(there))
    entered(world, noted(skip(side, pairing.side(side).ref, parked=parked), case))
    assert [pair.refused for pair in world.pairings()] == [asked]


def test_a_skip_of_a_record_nobody_sees_asks_nobody(world: LedgerWorld) -> None:
    step = skip(CRM, "c1", parked="rejected")
    entered(world, noted(step, Case(crm=Denied("c1", why="no right"))))
    assert [one.ref_crm for one in world.pending()] == ["c1"]


def test_what_is_skipped_is_looked_at_again_when_it_enters_the_window() -> None:
    world = LedgerWorld(rule={"window": Window(future=10)})
    there = msgspec.structs.replace(THERE, item=event("There", start=SOON + timedelta(days=30)))
    entered(world, noted(skip(), Case(groupware=Seen(there))))
    assert due(world, days=50) == []
    assert due(world, days=60) == [(GROUPWARE, "g1")]


def test_what_enters_the_window_this_very_moment_was_looked_at() -> None:
    world = LedgerWorld(rule={"window": Window(future=35)})
    there = msgspec.structs.replace(THERE, item=event("There", start=SOON))
    entered(world, noted(skip(), Case(groupware=Seen(there))))
    assert due(world, days=100) == []


def due(world: World, days: int) -> list[tuple[Side, str]]:
    with world.state.read() as tx:
        return tx.windows.due("alice", START + timedelta(days=days))


# The folder's lease.


def test_nothing_is_entered_once_another_process_has_taken_the_folder(world: LedgerWorld) -> None:
    def overtake(visit: Any) -> None:
        world.wait(hours=1)
        with world.state.begin() as tx:
            assert take(tx.leases, visit.lease.name, 60) is not None

    write = create()
    report = visited(
        world,
        lambda ledger: ledger.wrote(write, "g1", None, THERE, "c1", "p1"),
        before=overtake,
    )
    assert report.error != ""
    assert world.journal() == []
