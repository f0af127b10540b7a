"""Undo: the before-image merged over now, on both sides; what it can't do it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from accord.engine.plan import Frozen, Hold
from accord.model.kinds import Direction, Kind, Side
from accord.model.parts import Attendee, Body, Person, Privacy
from accord.ports.errors import ConfigError, Denied, Gone, ItemError, Rejected, Stale
from accord.rules.rule import Clash, FieldRule, OneWay, Private
from accord.service.decisions import approve, reject, resolve, waiting
from accord.service.report import Report
from accord.service.undo import select, undo
from accord.state.records import Cause, Entry
from tests.unit.service.kit import CRM, GROUPWARE, World, event
from tests.unit.service.watched import WatchedWorld


def back(world: World, what: object, **options: Any) -> Report:
    """Undo something of Alice's."""
    (report,) = undo(world.accord, select(world.accord, str(what)), **options)
    return report


def newest(world: World, step: str = "update", **more: Any) -> Entry:
    return next(e for e in world.journal(step=step, **more) if not e.error)


def renamed(**values: Any) -> WatchedWorld:
    """Return a world where an appointment was renamed in the CRM, and the mailbox followed."""
    world = WatchedWorld(**values)
    record = world.person().add(event("Old"))
    world.sync()
    world.person().edit(record.ref, title="New")
    world.sync()
    assert world.titles() == (["New"], ["New"])
    world.calls.clear()
    return world


def agreed(world: World) -> bool:
    """Tell whether both sides show the same and a visit finds nothing to do."""
    crm, mailbox = world.titles()
    return crm == mailbox and world.sync().writes == 0 and world.intents() == []


# On both sides.


@pytest.mark.parametrize("side", Side)
def test_a_value_goes_back_where_it_was_written_and_where_it_came_from(side: Side) -> None:
    world = WatchedWorld()
    record = world.person().add(event("Old", location="Room"))
    world.sync()
    (item,) = world.items()
    if side is GROUPWARE:
        world.person().edit(record.ref, title="New")
    else:
        world.mailbox().edit(item.ref, title="New")
    world.sync()
    entry = newest(world)
    assert entry.side is side
    report = back(world, entry.id)
    assert world.titles() == (["Old"], ["Old"])
    assert (report.crm.updated, report.groupware.updated, report.left) == (1, 1, [])
    assert world.records()[0].item.location == "Room"  # type: ignore[union-attr]
    assert agreed(world)
    (pair,) = world.pairings()
    assert pair.crm.item.title == pair.groupware.item.title == "Old"  # type: ignore[union-attr]


def test_what_was_created_is_deleted_as_undo_of_the_step_that_made_it() -> None:
    world = renamed()
    made, record = newest(world, "create"), world.records()[0]
    assert newest(world).id > made.id
    report = back(world, record.ref, dry=True, approved=True)
    assert report.plan is not None
    whys = {step.why for step in report.plan.writes}
    assert whys == {f"undo of step {made.id}: what was created is deleted"}


def test_one_plan_shows_both_sides() -> None:
    world = renamed()
    report = back(world, newest(world).id, dry=True)
    assert report.plan is not None
    assert [(s.name, s.side) for s in report.plan.writes] == [
        ("update", GROUPWARE), ("update", CRM),
    ]  # fmt: skip
    assert world.calls == [] and world.titles() == (["New"], ["New"])


def test_an_edit_on_its_way_goes_with_an_undo() -> None:
    world = renamed()
    (item,) = world.items()
    world.mailbox().edit(item.ref, location="Hall")
    back(world, newest(world).id)
    assert world.titles() == (["Old"], ["Old"])
    assert world.records()[0].item.location == "Hall"  # type: ignore[union-attr]
    assert agreed(world)


def test_an_item_goes_back_to_before_its_oldest_step() -> None:
    world = renamed()
    (item,) = world.items()
    world.mailbox().edit(item.ref, location="Hall")
    world.sync()
    record = world.records()[0].ref
    steps = [e.id for e in world.journal(step="update")]
    created = newest(world, "create")
    with world.state.begin() as tx:
        tx.journal.mark_undone([created.id], created.id)
    assert select(world.accord, record).entries == tuple(
        e for e in world.journal() if e.id in steps
    )
    report = back(world, record)
    assert not report.left
    (record_now,), (item_now,) = world.records(), world.items()
    for one in (record_now.item, item_now.item):
        assert (one.title, one.location) == ("Old", "")  # type: ignore[union-attr]
    assert agreed(world)


def test_a_whole_run_and_a_whole_user_go_back() -> None:
    world = WatchedWorld()
    refs = [world.person().add(event(f"Old {n}")).ref for n in range(3)]
    world.sync()
    created = newest(world, "create").run
    for number, ref in enumerate(refs):
        world.person().edit(ref, title=f"New {number}")
    run = world.sync().run
    back(world, run)
    assert world.titles() == (["Old 0", "Old 1", "Old 2"],) * 2
    assert agreed(world)
    report = back(world, "alice")
    assert (report.groupware.deleted, report.crm.deleted) == (3, 0)
    assert world.titles() == (["New 0", "New 1", "New 2"], []), "the undo was Accord's doing too"
    assert world.sync(full=True).writes == 0
    with pytest.raises(ConfigError, match="undone before"):
        select(world.accord, created)


def test_each_side_is_read_and_written_in_batches() -> None:
    world = WatchedWorld()
    refs = [world.person().add(event(f"Old {n}")).ref for n in range(7)]
    world.sync()
    for ref in refs:
        world.person().edit(ref, title="New")
    run = world.sync().run
    world.calls.clear()
    back(world, run)
    assert world.names() == ["update groupware 7", "update crm 7"]


def test_undoing_twice_says_so() -> None:
    world = renamed()
    entry = newest(world)
    back(world, entry.id)
    by = next(e for e in world.journal() if e.id == entry.id).undone_by
    (undoing,) = (e for e in world.journal() if e.id == by)
    assert (undoing.side, undoing.ref) == (entry.side, entry.ref)
    with pytest.raises(ConfigError, match=f"step {entry.id} was undone before, by step {by}"):
        select(world.accord, str(entry.id))
    with pytest.raises(ConfigError, match="undone before"):
        select(world.accord, entry.run)


def test_an_undo_can_be_undone() -> None:
    world = renamed()
    run = back(world, newest(world).id).run
    back(world, run)
    assert world.titles() == (["New"], ["New"])
    assert agreed(world)


def test_what_does_not_travel_back_goes_back_on_its_own_side() -> None:
    fields = {"title": FieldRule(direction=Direction.OUTBOUND)}
    world = renamed(rule={"fields": fields})
    back(world, newest(world).id)
    assert world.titles() == (["New"], ["Old"])
    assert world.sync().writes == 0


def test_what_only_the_other_side_may_change_is_refused() -> None:
    fields = {"title": FieldRule(direction=Direction.OUTBOUND, one_way=OneWay.RESTORE)}
    world = renamed(rule={"fields": fields})
    report = back(world, newest(world).id)
    assert report.left == [f"step {newest(world).id} not undone: only the CRM may change title"]
    assert world.titles() == (["New"], ["New"])
    assert select(world.accord, str(newest(world).id)).entries


# What is gone.


def test_an_update_whose_values_were_erased_is_refused(tmp_path: Path) -> None:
    """It turned private, so nobody knows any more what stood there; that is no creation."""
    world = renamed(rule={"private": Private.BUSY}, key_file=tmp_path / "keys")
    (item,) = world.items()
    entry = newest(world)
    world.mailbox().edit(item.ref, privacy=Privacy.PRIVATE)
    world.sync()
    world.mailbox().edit(item.ref, privacy=Privacy.PUBLIC)
    world.sync()
    world.calls.clear()
    with world.state.read() as tx:
        assert tx.blobs.get_item(entry.before or "") is None
    report = back(world, entry.id)
    assert world.calls == []
    assert report.left == [f"step {entry.id} not undone: the values were erased"]
    assert len(world.records()) == len(world.items()) == 1
    with world.state.read() as tx:
        again = tx.journal.get(entry.id)
    assert again is not None and again.undone_by is None


def test_a_deletion_whose_values_were_erased_is_refused() -> None:
    world = renamed()
    world.person().delete(world.records()[0].ref)
    world.sync()
    entry = newest(world, "delete")
    with world.state.begin() as tx:
        tx.blobs.erase([entry.before or ""])
    report = back(world, entry.id)
    assert report.left == [f"step {entry.id} not undone: the values were erased"]
    assert world.titles() == ([], [])


def test_a_creation_whose_values_were_erased_waits_for_approval() -> None:
    world = renamed()
    entry = newest(world, "create")
    with world.state.begin() as tx:
        tx.blobs.erase([entry.after or ""])
    report = back(world, entry.id)
    assert (report.held, report.groupware.deleted) == (1, 0)
    assert len(world.items()) == 1


def test_what_cannot_be_read_is_left_alone() -> None:
    world = renamed()
    (item,) = world.items()
    world.mailbox().corrupt(item.ref)
    entry = newest(world)
    report = back(world, entry.id)
    (told,) = report.left
    assert "can't be read in the mailbox: not readable" in told
    assert world.calls == []


def test_what_was_moved_away_is_left_alone() -> None:
    world = WatchedWorld()
    world.person().add(event())
    world.sync()
    (item,) = world.items()
    folder = world.mailbox().add_folder("Archive", Kind.EVENT)
    world.mailbox().move(item.ref, folder)
    report = back(world, newest(world, "create").id)
    assert "lies elsewhere in the mailbox" in report.left[0]
    assert report.writes == 0


def test_a_private_entry_of_the_mailbox_is_never_read_into_an_undo() -> None:
    world = renamed()
    (item,) = world.items()
    world.mailbox().edit(item.ref, privacy=Privacy.PRIVATE, title="Surgery", body=Body(text="ill"))
    entry = newest(world)
    report = back(world, entry.id)
    assert report.writes == 0 and report.left
    assert "Surgery" not in str(report.plan)


@pytest.mark.parametrize("private", [False, True])
def test_a_rule_that_fails_in_an_undo_quotes_nothing_private(private: bool) -> None:
    outbound = "item.location == 'Room' ? {'a': 'b'}[value] : value"
    world = WatchedWorld(rule={"fields": {"title": FieldRule(outbound=outbound)}})
    record = world.person().add(event("Old"))
    world.sync()
    world.person().edit(record.ref, title="Surgery")
    world.sync()
    entry = newest(world)
    privacy = Privacy.PRIVATE if private else Privacy.PUBLIC
    world.person().edit(record.ref, location="Room", privacy=privacy)
    for report in (back(world, entry.id, dry=True), back(world, entry.id)):
        (why,) = report.left
        assert "the rule can't be applied: fields.title" in why
        assert ("Surgery" in why + str(report.plan)) is not private
        assert ("not kept, for the entry is private" in why) is private


def test_deleted_records_are_restored_under_their_own_ref() -> None:
    world = renamed()
    (record,), (item,) = world.records(), world.items()
    world.mailbox().delete(item.ref)
    run = world.sync().run
    assert world.titles() == ([], [])
    report = back(world, run)
    assert (report.crm.created, report.groupware.created) == (1, 1)
    assert [r.ref for r in world.records()] == [record.ref]
    assert world.titles() == (["New"], ["New"])
    assert agreed(world)
    with pytest.raises(ConfigError, match="undone before"):
        select(world.accord, run)


def test_the_journal_tells_what_came_back_alone_and_what_it_is_the_copy_of() -> None:
    world = renamed()
    world.mailbox().delete(world.items()[0].ref)
    report = back(world, world.sync().run)
    (record,), (item,), (pair,) = world.records(), world.items(), world.pairings()
    told = world.journal(run=report.run, step="create")
    assert {(e.side, e.ref, e.version, e.counterpart, e.pairing) for e in told} == {
        (CRM, record.ref, record.version, "", ""),
        (GROUPWARE, item.ref, item.version, record.ref, pair.id),
    }
    assert all(e.before is None and e.after for e in told)


def test_what_came_back_alone_goes_again_when_that_is_undone() -> None:
    world = renamed()
    world.mailbox().delete(world.items()[0].ref)
    run = world.sync().run
    world.answer(GROUPWARE, "create", Denied("full"), Denied("still full"))
    returned = back(world, run)
    (record,) = world.records()
    world.sync(full=True)
    assert (world.items(), world.pairings(), len(world.pending())) == ((), [], 1)
    report = back(world, returned.run)
    assert (report.crm.deleted, world.records(), world.pending()) == (1, (), [])
    (told,) = world.journal(run=report.run, step="delete")
    assert (told.side, told.ref, told.counterpart, told.pairing) == (CRM, record.ref, "", "")
    assert world.sync(full=True).writes == 0


def test_what_came_back_alone_is_decided_about_anew() -> None:
    world = renamed(rule={"direction": Direction.OUTBOUND})
    world.person().delete(world.records()[0].ref)
    back(world, world.sync().run)
    (item,) = world.items()
    assert world.records() == ()
    world.sync()
    decision = world.decision(GROUPWARE, item.ref)
    assert decision is not None
    assert (decision.step, decision.version) == ("skip", item.version)
    assert world.titles() == ([], ["New"])


def test_a_record_that_was_deleted_in_the_crm_is_restored_not_recreated() -> None:
    world = renamed()
    (record,) = world.records()
    world.person().delete(record.ref)
    run = world.sync().run
    report = back(world, run)
    assert (report.crm.created, report.groupware.created, report.left) == (1, 1, [])
    assert [r.ref for r in world.records()] == [record.ref]
    assert world.titles() == (["New"], ["New"])
    assert agreed(world)


def test_a_side_that_cannot_restore_gets_it_anew_and_once() -> None:
    world = renamed(crm={"restores": False})
    world.person().delete(world.records()[0].ref)
    run = world.sync().run
    back(world, run)
    assert world.titles() == (["New"], ["New"])
    assert agreed(world)
    assert len(world.pairings()) == 1


def test_a_change_of_what_was_deleted_since_waits_for_approval() -> None:
    world = renamed()
    entry = newest(world)
    world.person().delete(world.records()[0].ref)
    world.sync()
    report = back(world, entry.id)
    assert (report.held, world.titles()) == (2, ([], [])), "the record and its copy"
    report = back(world, entry.id, approved=True)
    assert world.titles() == (["Old"], ["Old"])
    assert agreed(world)


def test_a_deletion_that_is_not_synchronized_yet_comes_first() -> None:
    world = renamed()
    world.person().delete(world.records()[0].ref)
    report = back(world, newest(world).id)
    assert report.left[0].endswith("it was deleted in the CRM; synchronize first")
    assert world.calls == []


def test_what_came_back_and_was_edited_since_is_not_overwritten() -> None:
    world = renamed()
    (record,) = world.records()
    world.person().delete(record.ref)
    world.sync()
    entry = newest(world, "delete")
    world.person().restore(record.ref)
    world.person().edit(record.ref, title="By hand")
    world.sync()
    assert world.titles() == (["By hand"], ["By hand"])
    report = back(world, entry.id)
    assert (report.writes, report.held) == (0, 2)
    assert world.titles() == (["By hand"], ["By hand"])


def test_a_created_copy_that_was_edited_since_stays() -> None:
    world = WatchedWorld()
    world.person().add(event())
    world.sync()
    (item,) = world.items()
    world.mailbox().edit(item.ref, location="Hall")
    entry = newest(world, "create")
    report = back(world, entry.id)
    assert report.plan is not None
    (step,) = report.plan.steps
    assert isinstance(step, Hold) and step.cause == "edited since: location"
    assert len(world.items()) == 1


# What changes meanwhile.


def meddle(world: WatchedWorld, side: Side, **values: Any) -> Any:
    """Return an answer: somebody edits the item just before it is written."""

    def answer(given: Any, act: Any) -> Any:
        person = world.person() if side is CRM else world.mailbox()
        person.edit(given[0].ref, **values)
        return act(given)

    return answer


@pytest.mark.parametrize("side", Side)
def test_what_changed_meanwhile_is_planned_again(side: Side) -> None:
    world = renamed()
    entry = newest(world)
    world.answer(side, "update", meddle(world, side, location="Hall"))
    report = back(world, entry.id)
    assert report.left == []
    assert world.titles() == (["Old"], ["Old"])
    world.sync()
    for one in (*world.records(), *world.items()):
        assert (one.item.title, one.item.location) == ("Old", "Hall")  # type: ignore[union-attr]
    assert agreed(world)
    with pytest.raises(ConfigError, match="undone before"):
        select(world.accord, str(entry.id))


@pytest.mark.parametrize("error", [Stale(), Gone()])
def test_what_keeps_changing_is_not_said_to_be_undone(error: ItemError) -> None:
    world = renamed()
    entry = newest(world)
    for side in Side:
        world.answer(side, "update", *[error] * 9)
    report = back(world, entry.id)
    assert report.left == [
        f"step {entry.id} not undone: it keeps changing meanwhile; undo it again"
    ]
    assert world.titles() == (["New"], ["New"])
    assert select(world.accord, str(entry.id)).entries
    for side in Side:
        world.answer(side, "update")
    assert back(world, entry.id).left == []
    assert world.titles() == (["Old"], ["Old"])
    assert agreed(world)


@pytest.mark.parametrize("side", Side)
def test_what_one_side_refuses_travels_with_the_next_visit(side: Side) -> None:
    """Half an undo is never taken for agreement."""
    world = renamed()
    entry = newest(world)
    world.answer(side, "update", Rejected("no"))
    report = back(world, entry.id)
    assert report.failed == 1
    crm, mailbox = world.titles()
    assert sorted(crm + mailbox) == ["New", "Old"]
    assert world.pending() == []
    (pair,) = world.pairings()
    (told,) = [e for e in world.journal(run=report.run) if not e.error]
    assert (told.side, told.pairing) == (side.other, pair.id)
    world.sync()
    assert world.titles() == (["Old"], ["Old"])
    assert agreed(world)


def test_a_creation_that_is_edited_just_now_is_not_deleted() -> None:
    world = WatchedWorld()
    world.person().add(event())
    world.sync()
    entry = newest(world, "create")

    def edited(given: Any, act: Any) -> Any:
        world.mailbox().edit(given[0].ref, location="Hall")
        return act(given)

    world.answer(GROUPWARE, "delete", edited)
    report = back(world, entry.id)
    assert (report.groupware.deleted, report.held) == (0, 1)
    assert len(world.items()) == 1


def test_of_a_run_only_what_was_written_is_marked() -> None:
    world = WatchedWorld()
    refs = [world.person().add(event(f"Old {n}")).ref for n in range(3)]
    world.sync()
    for ref in refs:
        world.person().edit(ref, title="New")
    run = world.sync().run
    stubborn = world.items()[1].ref

    def stale(given: Any, act: Any) -> Any:
        found: list[Any] = []
        for one in given:
            found += [Stale()] if one.ref == stubborn else act([one])
        return found

    world.answer(GROUPWARE, "update", *(stale,) * 9)
    report = back(world, run)
    (told,) = report.left
    assert "keeps changing" in told
    undone = {e.ref: e.undone_by for e in world.journal(run=run, step="update")}
    assert {ref for ref, by in undone.items() if by is None} == {stubborn}
    world.answer(GROUPWARE, "update")
    assert back(world, run).left == []
    assert sorted(world.titles()[1]) == ["Old 0", "Old 1", "Old 2"]
    assert agreed(world)


# What waits for approval.


def held(**values: Any) -> tuple[WatchedWorld, Entry]:
    """Return a world where the undo of a step waits, for the title was edited since."""
    world = renamed(**values)
    entry = newest(world)
    (record,) = world.records()
    world.person().edit(record.ref, title="Newer", location="Room")
    world.sync()
    report = back(world, entry.id)
    assert (report.held, report.writes, report.left) == (2, 0, [])
    world.calls.clear()
    return world, entry


def undone(world: World, entry: Entry) -> bool:
    with world.state.read() as tx:
        found = tx.journal.get(entry.id)
    return found is not None and found.undone_by is not None


def test_an_approved_undo_is_carried_out_on_both_sides() -> None:
    world, entry = held()
    shown = waiting(world.accord, Cause.HELD)
    assert {one.pending.why for one in shown} == {"edited since: title"}
    assert not undone(world, entry)
    reports = approve(world.accord, [shown[0].pending.id])
    assert [report.error for report in reports] == [""]
    assert world.titles() == (["Old"], ["Old"])
    assert world.records()[0].item.location == "Room"  # type: ignore[union-attr]
    assert undone(world, entry)
    assert waiting(world.accord, Cause.HELD) == []
    assert agreed(world)


def test_what_was_edited_after_the_hold_is_held_again() -> None:
    world, entry = held()
    (record,) = world.records()
    world.person().edit(record.ref, title="Newest")
    world.sync()
    shown = waiting(world.accord, Cause.HELD)
    assert len(shown) == 2, "a later change doesn't replace it"
    (report,) = approve(world.accord, [shown[0].pending.id])
    assert report.held == 2
    assert world.titles() == (["Newest"], ["Newest"])
    again = waiting(world.accord, Cause.HELD)
    approve(world.accord, [again[0].pending.id])
    assert world.titles() == (["Old"], ["Old"])
    assert undone(world, entry)


def test_a_rejected_undo_is_forgotten() -> None:
    world, entry = held()
    reject(world.accord, [one.pending.id for one in waiting(world.accord, Cause.HELD)])
    assert world.pending() == []
    assert not undone(world, entry)
    assert world.titles() == (["Newer"], ["Newer"])
    assert back(world, entry.id).held == 2


def test_a_held_undo_holds_nothing_else() -> None:
    world, _ = held()
    (record,) = world.records()
    world.person().edit(record.ref, title="Newest", location="Hall")
    report = world.sync()
    assert (report.held, report.groupware.updated) == (0, 1)
    assert world.titles() == (["Newest"], ["Newest"])


def test_undoing_all_the_same_ends_what_waits() -> None:
    world, entry = held()
    back(world, entry.id, approved=True)
    assert world.titles() == (["Old"], ["Old"])
    assert world.pending() == []
    assert agreed(world)


def test_of_a_step_what_may_goes_back_and_the_rest_waits() -> None:
    world = WatchedWorld()
    record = world.person().add(event("Old", location="Here"))
    world.sync()
    world.person().edit(record.ref, title="New", location="There")
    world.sync()
    entry = newest(world)
    world.mailbox().edit(world.items()[0].ref, location="Elsewhere")
    report = back(world, entry.id)
    assert (report.held, report.crm.updated, report.groupware.updated) == (2, 1, 1)
    assert world.titles() == (["Old"], ["Old"])
    assert not undone(world, entry)
    assert world.items()[0].item.location == "Elsewhere"  # type: ignore[union-attr]
    shown = waiting(world.accord, Cause.HELD)
    approve(world.accord, [shown[0].pending.id])
    world.sync()
    for one in (*world.records(), *world.items()):
        assert (one.item.title, one.item.location) == ("Old", "Here")  # type: ignore[union-attr]
    assert undone(world, entry)
    assert agreed(world)


# Declined by deletion.


def invited() -> World:
    """Return a world where Bob deleted his copy of Alice's meeting, and then Alice hers."""
    world = World("alice", "bob")
    guests = tuple(Attendee(address=f"{name}@x.test") for name in ("alice", "bob"))
    meeting = event("Kick-off", organizer=Person(address="alice@x.test"), attendees=guests)
    record = world.person().add(meeting)
    world.person().share(record.ref, "bob")
    world.sync("alice", "bob")
    (copy,) = world.items("bob")
    world.mailbox("bob").delete(copy.ref)
    world.sync("alice", "bob")
    (pair,) = world.pairings("bob")
    assert pair.frozen == Frozen.DECLINED
    return world


@pytest.mark.parametrize("full", [False, True])
def test_a_declined_meeting_does_not_come_back_by_another_ones_undo(full: bool) -> None:
    world = invited()
    (copy,) = world.items("alice")
    world.mailbox("alice").delete(copy.ref)
    run = sync_all(world, full=full)
    sync_all(world, full=full)
    assert world.records() == ()
    (report,) = undo(world.accord, select(world.accord, run))
    assert not report.error and not report.left
    for _ in range(2):
        sync_all(world, full=full)
    assert world.titles("alice") == (["Kick-off"], ["Kick-off"])
    assert world.titles("bob")[1] == []


def test_a_declined_meeting_comes_back_by_the_undo_of_the_own_deletion() -> None:
    world = invited()
    entry = next(e for e in world.journal(link="bob") if e.step in ("update", "unpair"))
    (report,) = undo(world.accord, select(world.accord, entry.run))
    assert not report.error and not report.left
    sync_all(world)
    assert world.titles("bob") == (["Kick-off"], ["Kick-off"])
    replies = {a.address: a.reply for a in world.records()[0].item.attendees}  # type: ignore[union-attr]
    assert "declined" not in replies.values()
    (pair,) = world.pairings("bob")
    assert (pair.frozen, pair.content) == ("", False), "Alice's copy gives it"
    assert sync_all(world) and world.titles("bob")[1] == ["Kick-off"]


def sync_all(world: World, *, full: bool = False) -> str:
    """Synchronize both people; return Alice's run."""
    run = world.sync("alice", full=full).run
    world.sync("bob", full=full)
    return run


# Decisions about conflicts that find something changed.


def conflicting() -> tuple[WatchedWorld, str]:
    world = renamed(rule={"clash": Clash.HOLD})
    world.person().edit(world.records()[0].ref, title="Theirs")
    world.mailbox().edit(world.items()[0].ref, title="Mine")
    assert world.sync().conflicts == 1
    (pending,) = world.pending(Cause.CONFLICT)
    return world, pending.id


def test_a_decision_that_finds_something_changed_is_planned_again() -> None:
    world, conflict = conflicting()
    world.answer(GROUPWARE, "update", meddle(world, GROUPWARE, location="Hall"))
    report = resolve(world.accord, conflict, CRM)
    assert (report.error, report.left) == ("", [])
    assert world.titles() == (["Theirs"], ["Theirs"])
    assert world.items()[0].item.location == "Hall"  # type: ignore[union-attr]
    assert world.pending(Cause.CONFLICT) == []


def test_a_decision_that_could_not_be_written_stays_open_and_says_so() -> None:
    world, conflict = conflicting()
    world.answer(GROUPWARE, "update", *[Stale()] * 9)
    report = resolve(world.accord, conflict, CRM)
    (told,) = report.left
    assert f"conflict {conflict} is still open" in told
    assert world.titles() == (["Theirs"], ["Mine"])
    assert [one.id for one in world.pending(Cause.CONFLICT)] == [conflict]
