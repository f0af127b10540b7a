"""An undo killed at any point: the next visit settles it, and undoing again ends it, once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from accord.service.decisions import approve, waiting
from accord.service.undo import select, undo
from accord.state.records import Cause
from tests.unit.service.kit import Crash, World, event


@pytest.fixture(autouse=True)
def on_both() -> None:
    """Play on SQLite alone: dying is the same on both, and there are many deaths."""


Titles = tuple[list[str], list[str]]


def renamed() -> tuple[World, str]:
    world = World()
    record = world.person().add(event("Old"))
    world.sync()
    world.person().edit(record.ref, title="New")
    return world, world.sync().run


def edited_in_the_mailbox() -> tuple[World, str]:
    world = World()
    world.person().add(event("Old"))
    world.sync()
    world.mailbox().edit(world.items()[0].ref, title="New")
    return world, world.sync().run


def created() -> tuple[World, str]:
    world = World()
    world.person().add(event("Old"))
    return world, world.sync().run


def deleted(restores: bool = True) -> tuple[World, str]:
    world = World(crm={"restores": restores})
    world.person().add(event("Old"))
    world.sync()
    world.mailbox().delete(world.items()[0].ref)
    return world, world.sync().run


def deleted_for_good() -> tuple[World, str]:
    return deleted(restores=False)


def deleted_in_the_crm() -> tuple[World, str]:
    world = World()
    record = world.person().add(event("Old"))
    world.sync()
    world.person().delete(record.ref)
    return world, world.sync().run


def three_of_a_run() -> tuple[World, str]:
    world = World()
    world.person().add(event("Old"))
    world.sync()
    (record,), (item,) = world.records(), world.items()
    world.person().edit(record.ref, title="New")
    world.mailbox().edit(item.ref, location="Hall")
    world.person().add(event("Old"))
    return world, world.sync().run


STORIES: dict[Callable[[], tuple[World, str]], Titles] = {
    renamed: (["Old"], ["Old"]),
    edited_in_the_mailbox: (["Old"], ["Old"]),
    created: (["Old"], []),
    deleted: (["Old"], ["Old"]),
    deleted_for_good: (["Old"], ["Old"]),
    deleted_in_the_crm: (["Old"], ["Old"]),
    three_of_a_run: (["Old", "Old"], ["Old"]),
}


@pytest.mark.parametrize("story", STORIES)
def test_an_undo_may_be_killed_at_any_point(story: Callable[[], tuple[World, str]]) -> None:
    point = 0
    while _killed_at(story, point, STORIES[story], first_sync=point % 2 == 0):
        point += 1
    assert point > 8


def _killed_at(
    story: Callable[[], tuple[World, str]], point: int, wanted: Titles, *, first_sync: bool
) -> bool:
    """Kill an undo at a point; then visit, undo what is left, and compare both sides."""
    world, run = story()
    world.mortal.die(point)
    try:
        undo(world.accord, select(world.accord, run))
    except Crash:
        world.restart()
        killed = True
    else:
        world.mortal.revive()
        killed = False
    where = (story.__name__, point, world.mortal.trail[-1:])
    if first_sync:
        world.sync()
    if any(entry.undone_by is None for entry in world.journal(run=run)):
        (report,) = undo(world.accord, select(world.accord, run))
        assert (report.error, report.left) == ("", []), where
    world.wait(minutes=10)
    world.sync()
    assert world.sync().writes == 0, where
    assert world.titles() == wanted, where
    assert world.intents() == [], where
    assert {record.item.location for record in world.records()} == {""}, where  # type: ignore[union-attr]
    return killed


def test_an_approved_undo_may_be_killed_at_any_point() -> None:
    point = 0
    while True:
        world, run = renamed()
        (record,) = world.records()
        world.person().edit(record.ref, title="Newer")
        world.sync()
        (report,) = undo(world.accord, select(world.accord, run))
        assert report.held == 2
        (shown, *_) = waiting(world.accord, Cause.HELD)
        world.mortal.die(point)
        try:
            approve(world.accord, [shown.pending.id])
        except Crash:
            world.restart()
        else:
            break
        world.sync()
        left = waiting(world.accord, Cause.HELD)
        if left:
            approve(world.accord, [left[0].pending.id])
            world.sync()
        assert world.titles() == (["Old"], ["Old"]), point
        assert world.pending() == []
        assert world.sync().writes == 0
        point += 1
    assert point > 8
