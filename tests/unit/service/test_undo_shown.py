"""What an undo shows is what it does: nothing follows that its plan doesn't contain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from accord.engine.plan import Create, Delete, Hold, Update
from accord.model.parts import Privacy
from accord.ports.errors import Stale
from accord.rules.rule import Clash, Private
from accord.service.decisions import approve, resolve
from accord.service.report import Report
from accord.service.undo import select, undo
from accord.state.records import Cause
from tests.unit.service.kit import CRM, GROUPWARE, event
from tests.unit.service.watched import WatchedWorld


def back(world: WatchedWorld, what: object = "alice", **options: Any) -> Report:
    """Undo something of Alice's; all of it, where nothing is named."""
    (report,) = undo(world.accord, select(world.accord, str(what)), **options)
    return report


def undone_before() -> WatchedWorld:
    """A copy was made, the record renamed, and that undone: the record was written by Accord."""
    world = WatchedWorld()
    record = world.person().add(event("Base"))
    world.sync()
    world.person().edit(record.ref, title="Ren")
    world.sync()
    back(world, world.journal(step="update")[0].id)
    assert world.titles() == (["Base"], ["Base"])
    return world


def renamed_in_the_mailbox() -> WatchedWorld:
    """A copy was made and renamed by its owner, and the record followed."""
    world = WatchedWorld()
    world.person().add(event("Base"))
    world.sync()
    world.mailbox().edit(world.items()[0].ref, title="Hers")
    world.sync()
    return world


def deleted_after_an_edit() -> WatchedWorld:
    """The record followed its entry, then that was deleted with it."""
    world = WatchedWorld()
    world.mailbox().add(event("Base"))
    world.sync()
    record = world.records()[0].ref
    world.mailbox().edit(world.items()[0].ref, title="Hers")
    world.sync()
    world.person().edit(record, location="Room")
    world.sync()
    world.mailbox().delete(world.items()[0].ref)
    world.sync()
    assert world.titles() == ([], [])
    return world


def deleted_beside(**values: Any) -> WatchedWorld:
    """Two that were there met, the record followed an edit, and its deletion the entry.

    Then somebody restored the record, and Accord made neither of them.
    """
    world = WatchedWorld(**values)
    record = world.person().add(event("Base", uid="met"))
    world.mailbox().add(event("Base", uid="met"))
    world.sync()
    (item,) = world.items()
    world.mailbox().edit(item.ref, title="Hers", location="Room")
    world.sync()
    world.person().delete(record.ref)
    world.sync()
    world.person().restore(record.ref)
    assert world.titles() == (["Hers"], [])
    return world


def no_restoring() -> WatchedWorld:
    return deleted_beside(groupware={"restores": False})


STORIES = [
    undone_before,
    renamed_in_the_mailbox,
    deleted_after_an_edit,
    deleted_beside,
    no_restoring,
]


def counts(report: Report) -> tuple[object, ...]:
    sides = (report.crm, report.groupware)
    return tuple((c.created, c.updated, c.deleted) for c in sides), report.held, report.unpaired


@pytest.mark.parametrize("approved", [False, True])
@pytest.mark.parametrize("begun", STORIES)
def test_as_much_is_done_as_was_shown(begun: Callable[[], WatchedWorld], *, approved: bool) -> None:
    world = begun()
    shown = back(world, dry=True, approved=approved)
    done = back(world, approved=approved)
    assert counts(done) == counts(shown)
    assert done.left == shown.left
    assert world.sync().error == ""


@pytest.mark.parametrize("begun", [undone_before, renamed_in_the_mailbox])
def test_the_plan_contains_what_becomes_of_the_record_that_stands_alone(
    begun: Callable[[], WatchedWorld],
) -> None:
    world = begun()
    report = back(world, dry=True, approved=True)
    assert report.plan is not None
    steps = [(s.name, getattr(s, "side", None)) for s in report.plan.steps]
    assert steps == [("delete", GROUPWARE), ("unpair", None), ("update", CRM)]
    (change,) = next(s for s in report.plan.steps if isinstance(s, Update)).changes
    back(world, approved=True)
    assert world.titles() == ([change.after], [])


@pytest.mark.parametrize("begun", [deleted_beside, no_restoring])
def test_the_plan_contains_what_becomes_of_the_record_whose_entry_comes_back(
    begun: Callable[[], WatchedWorld],
) -> None:
    world = begun()
    report = back(world, dry=True)
    assert report.plan is not None
    steps = [(s.name, getattr(s, "side", None)) for s in report.plan.steps]
    assert steps == [("create", GROUPWARE), ("update", CRM), ("update", GROUPWARE)]
    assert back(world).left == []
    assert world.titles() == (["Base"], ["Base"])
    assert world.sync().writes == 0


def test_what_is_held_holds_what_would_follow_and_both_are_approved_at_once() -> None:
    world = renamed_in_the_mailbox()
    world.mailbox().edit(world.items()[0].ref, title="Again")
    report = back(world)
    assert report.writes == 0
    assert {type(step) for step in world.waiting(Cause.UNDO)} == {Delete, Update}
    waiting = world.pending(Cause.UNDO)
    (done,) = approve(world.accord, [waiting[0].id])
    assert (done.groupware.deleted, done.crm.updated, done.left) == (1, 1, [])
    assert world.titles() == (["Base"], [])
    assert world.pending(Cause.UNDO) == []


def test_what_comes_back_is_shown_with_its_copy_before_somebody_approves_it() -> None:
    world = WatchedWorld()
    record = world.person().add(event("Old"))
    world.sync()
    world.person().edit(record.ref, title="New")
    world.sync()
    entry = world.journal(step="update")[0]
    world.person().delete(record.ref)
    world.sync()
    assert back(world, entry.id).held == 2
    held = world.waiting(Cause.UNDO)
    assert sorted(str(s.side) for s in held if isinstance(s, Create)) == ["crm", "groupware"]
    approve(world.accord, [world.pending(Cause.UNDO)[0].id])
    assert world.titles() == (["Old"], ["Old"])


def test_nothing_else_is_done_where_something_moves_in_between() -> None:
    world = undone_before()
    (record,) = world.records()

    def meddling(given: Any, act: Any) -> Any:
        outcomes = act(given)
        world.person().edit(record.ref, title="Hers")
        return outcomes

    world.answer(GROUPWARE, "delete", meddling)
    report = back(world)
    assert report.groupware.deleted == 1
    assert world.titles() == (["Hers"], [])
    assert report.held or report.left


def test_a_later_round_writes_nothing_that_was_not_shown() -> None:
    world = undone_before()
    (record,) = world.records()

    def meddling(given: Any, _: Any) -> Any:
        world.person().edit(record.ref, title="Hers")
        return [Stale("changed just now") for _ in given]

    world.answer(GROUPWARE, "delete", meddling)
    shown = back(world, dry=True, approved=True)
    assert not any(isinstance(step, Hold) for step in (shown.plan.steps if shown.plan else ()))
    report = back(world, approved=True)
    assert report.writes == 0
    assert report.left == ["steps 1, 3, 4 not undone: it keeps changing meanwhile; undo it again"]
    assert world.titles() == (["Hers"], ["Base"])


def test_a_private_entry_is_said_to_be_private_and_not_somebody_elses() -> None:
    world = WatchedWorld(rule={"private": Private.BUSY})
    world.person().add(event("Base"))
    world.sync()
    world.mailbox().edit(world.items()[0].ref, privacy=Privacy.PRIVATE)
    report = back(world, dry=True)
    assert report.left == [
        "step 1 not undone: it is private in the mailbox, and Accord keeps none of its values"
    ]


def test_a_conflict_about_a_private_entry_says_so() -> None:
    world = WatchedWorld(rule={"clash": Clash.HOLD})
    record = world.person().add(event())
    world.sync()
    (item,) = world.items()
    world.person().edit(record.ref, title="CRM")
    world.mailbox().edit(item.ref, title="Hers")
    world.sync()
    (open_,) = world.pending(Cause.CONFLICT)
    world.mailbox().edit(item.ref, privacy=Privacy.PRIVATE)
    report = resolve(world.accord, open_.id, CRM)
    assert "it is private in the mailbox" in report.error
