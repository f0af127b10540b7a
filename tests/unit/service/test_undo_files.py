"""Undo brings back files that a run took off, and takes off those that it hung on."""

from __future__ import annotations

import pytest

from accord.engine.plan import Hold, Refile
from accord.model.kinds import Side
from accord.ports.errors import ConfigError, Rejected
from accord.service.decisions import approve, reject, waiting
from accord.service.undo import select, undo
from accord.state.records import Cause
from tests.unit.service.filing import TITLES, content, filled, hang, item, names, take
from tests.unit.service.kit import CRM, GROUPWARE, World, event
from tests.unit.service.test_files_journal import filed


@pytest.fixture(autouse=True)
def on_both() -> None:
    """Play on SQLite alone; what is stored is tried on both beside the tables."""


def undone(world: World, what: str, *, dry: bool = False, approved: bool = False) -> list[str]:
    """Undo, and return what was left."""
    reports = undo(world.accord, select(world.accord, what), dry=dry, approved=approved)
    assert not any(report.error for report in reports), reports
    return [line for report in reports for line in report.left]


def settled(world: World) -> None:
    """Further visits change nothing."""
    before = names(world)
    for full in (False, True, False):
        report = world.sync(full=full)
        assert not report.files and not report.held
    assert names(world) == before


@pytest.mark.parametrize("side", list(Side))
def test_what_a_run_took_off_comes_back_on_both_sides(side: Side) -> None:
    world = filled(count=1)
    take(world, side)
    run = world.sync().run
    assert names(world) == ([], [])
    assert undone(world, run) == []
    assert content(world, CRM) == content(world, GROUPWARE) == {"0.pdf": b"0.pdf"}
    settled(world)
    entry = next(one for one in filed(world) if one.step == "detach")
    by = next(one for one in filed(world) if one.id == entry.undone_by)
    assert (by.step, by.side) == ("attach", side.other)


@pytest.mark.parametrize("side", list(Side))
def test_what_a_run_hung_on_is_taken_off_there_and_stays_where_it_came_from(side: Side) -> None:
    world = filled(count=1, size=0)
    hang(world, side, "plan.pdf")
    world.sync()
    (entry,) = filed(world)
    assert undone(world, str(entry.id)) == []
    assert list(content(world, side)) == ["plan.pdf"] and not content(world, side.other)
    settled(world)
    hang(world, side, "more.pdf")
    world.sync()
    assert list(content(world, side.other)) == ["more.pdf"]
    # Undoing the undo brings it back.
    by = filed(world)[1]
    assert by.step == "detach" and filed(world)[0].undone_by == by.id
    assert undone(world, str(by.id)) == []
    assert names(world) == (["more.pdf", "plan.pdf"],) * 2
    take(world, side, "plan.pdf")
    world.sync()
    assert names(world) == (["more.pdf"],) * 2, "and it is like any other"


@pytest.mark.parametrize("side", list(Side))
def test_what_was_replaced_is_again_what_it_was(side: Side) -> None:
    world = filled(count=1)
    take(world, side)
    hang(world, side, "0.pdf", b"changed")
    run = world.sync().run
    assert content(world, side.other) == {"0.pdf": b"changed"}
    assert undone(world, run) == []
    assert content(world, CRM) == content(world, GROUPWARE) == {"0.pdf": b"0.pdf"}
    settled(world)
    by = next(one.undone_by for one in filed(world) if one.step == "replace")
    assert undone(world, str(by)) == []
    assert content(world, side.other) == {"0.pdf": b"changed"}


def test_a_plan_does_nothing_and_shows_each_file() -> None:
    world = filled(count=1)
    take(world, CRM)
    run = world.sync().run
    (report,) = undo(world.accord, select(world.accord, run), dry=True)
    assert report.plan is not None
    steps = [step for step in report.plan.steps if isinstance(step, Refile)]
    assert {(step.name, step.side, step.label) for step in steps} == {
        ("attach", side, TITLES[0]) for side in Side
    }
    assert names(world) == ([], []) and filed(world)[-1].undone_by is None


def test_what_nobody_keeps_is_said() -> None:
    world = filled(count=1)
    take(world, CRM, forget=True)
    run = world.sync().run
    (line,) = undone(world, run, dry=True)
    assert line.endswith("not undone: its bytes are kept nowhere any more")
    assert undone(world, run) == [line]
    assert names(world) == ([], []) and filed(world)[-1].undone_by is None


def test_an_item_s_files_are_undone_with_it() -> None:
    world = filled(count=2)
    take(world, GROUPWARE, title=TITLES[0])
    take(world, GROUPWARE, title=TITLES[1])
    world.sync()
    ref = item(world, CRM).ref
    world.mailbox().edit(item(world, GROUPWARE).ref, location="Room 7")
    world.sync()
    assert undone(world, str(filed(world)[2].id)) == []
    one = filed(world)[2].ref == ref
    assert bool(content(world, CRM, title=TITLES[0])) == one
    assert bool(content(world, CRM, title=TITLES[1])) == (not one)


def test_a_run_that_made_a_copy_with_files_is_undone_whole() -> None:
    world = World()
    world.mailbox().add(event(TITLES[0]))
    hang(world, GROUPWARE, "plan.pdf")
    run = world.sync().run
    assert names(world) == (["plan.pdf"],) * 2
    assert undone(world, run) == []
    assert world.titles() == ([], [TITLES[0]])
    assert list(content(world, GROUPWARE)) == ["plan.pdf"]
    assert all(entry.undone_by for entry in world.journal(run=run) if entry.step != "pair")


def test_files_that_went_both_ways_are_undone_with_their_item() -> None:
    world = World()
    world.mailbox().add(event(TITLES[0]))
    hang(world, GROUPWARE, "in.pdf")
    world.sync()
    hang(world, CRM, "out.pdf")
    world.sync()
    assert names(world) == (["in.pdf", "out.pdf"],) * 2
    assert undone(world, item(world, CRM).ref) == []
    assert world.titles() == ([], [TITLES[0]])
    assert list(content(world, GROUPWARE)) == ["in.pdf"]
    assert all(entry.undone_by for entry in filed(world)[:2])


def test_what_an_undo_could_not_do_is_left_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    world = filled(count=1)
    take(world, CRM)
    run = world.sync().run

    def full(*_: object) -> str:
        raise Rejected("no room")

    monkeypatch.setattr(type(world.groupware.open("alice@x.test")), "attach", full)
    (line,) = undone(world, run)
    assert line.endswith("not undone: 0.pdf for the mailbox: no room")
    monkeypatch.undo()
    assert names(world) == (["0.pdf"], [])
    world.sync()
    assert names(world) == (["0.pdf"], ["0.pdf"]), "half an undo is an edit like any other"
    settled(world)


def test_another_file_of_that_name_waits_for_approval() -> None:
    world = filled(count=1)
    take(world, CRM)
    run = world.sync().run
    hang(world, CRM, "0.pdf", b"newer")
    world.sync()
    undone(world, run)
    assert content(world, CRM) == {"0.pdf": b"newer"}
    shown = waiting(world.accord, Cause.HELD)
    assert all(isinstance(one.step, Hold) for one in shown) and shown
    assert shown[0].pending.why == "edited since: another 0.pdf hangs there"
    approve(world.accord, [one.pending.id for one in shown])
    with world.crm.open("alice") as opened:
        held = item(world, CRM).item.attachments  # type: ignore[union-attr]
        assert len(held) == 2 and opened.room
    assert not waiting(world.accord, Cause.HELD)


def test_a_held_undo_may_be_refused() -> None:
    world = filled(count=1)
    take(world, CRM)
    run = world.sync().run
    hang(world, CRM, "0.pdf", b"newer")
    world.sync()
    undone(world, run)
    reject(world.accord, [one.pending.id for one in waiting(world.accord, Cause.HELD)])
    assert not waiting(world.accord, Cause.HELD)
    assert content(world, CRM) == {"0.pdf": b"newer"}
    settled(world)


def test_what_stands_as_before_is_left_and_an_undo_is_not_repeated() -> None:
    world = filled(count=1)
    take(world, CRM)
    run = world.sync().run
    undone(world, run)
    with pytest.raises(ConfigError, match="undone before"):
        select(world.accord, run)


def test_an_undo_lets_what_the_guard_holds_wait() -> None:
    world = filled()
    for title in TITLES:
        take(world, GROUPWARE, title=title)
    world.sync()
    held = len(world.pending(Cause.FILE))
    entry = next(one for one in filed(world) if one.ref == item(world, CRM).ref)
    undone(world, str(entry.id))
    world.sync()
    assert len(world.pending(Cause.FILE)) == held - 1
    assert content(world, CRM, title=TITLES[1])


def test_an_undo_leaves_what_is_held_of_the_very_item_held() -> None:
    world = filled(size=2)
    for title in TITLES:
        take(world, GROUPWARE, title=title)
    world.sync()
    for title in TITLES[1:]:
        for number in range(2):
            hang(world, GROUPWARE, f"{number}.pdf", title=title)
    world.sync()
    assert len(world.pending(Cause.FILE)) == 2
    ref = item(world, CRM).ref
    entry = next(
        one for one in filed(world) if one.ref == ref and one.fields[0].after["name"] == "1.pdf"
    )
    assert undone(world, str(entry.id)) == []
    world.sync()
    assert names(world) == (["0.pdf"], [])
    assert len(world.pending(Cause.FILE)) == 1


def test_what_is_held_is_forgotten_with_the_pair_that_an_undo_lets_go() -> None:
    world = filled()
    for title in TITLES:
        take(world, GROUPWARE, title=title)
    world.sync()
    ref = item(world, CRM).ref
    (made,) = (one for one in world.journal(step="create") if one.ref == ref)
    assert undone(world, str(made.id)) == []
    world.sync()
    assert len(world.pending(Cause.FILE)) == 11


def test_files_of_a_copy_are_undone_with_it_though_others_are_hung_on_before() -> None:
    world = World()
    world.mailbox().add(event(TITLES[0]))
    hang(world, GROUPWARE, "in.pdf")
    world.sync()
    hang(world, CRM, "out.pdf")
    world.sync()
    take(world, CRM, "out.pdf")
    world.sync()
    undone(world, item(world, CRM).ref)
    assert world.titles() == ([], [TITLES[0]])
    assert list(content(world, GROUPWARE)) == ["in.pdf"]
    entry = filed(world)[0]
    assert entry.fields[0].after["name"] == "in.pdf" and entry.undone_by


def test_bytes_that_are_others_by_now_are_not_what_was_taken_off() -> None:
    world = filled(count=1)
    take(world, CRM)
    run = world.sync().run
    kept = filed(world)[-1].fields[0].before["kept"]
    world.crm.store.contents[kept] = b"others"
    (line,) = undone(world, run)
    assert line.endswith("its bytes are kept nowhere any more")
