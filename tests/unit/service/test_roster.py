"""The roster is made anew when anything in it has changed, and only then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from accord.model.kinds import Kind
from accord.service.opening import folder_key
from accord.service.roster import read
from accord.service.standing import pause_all, pause_links, set_mode
from accord.state.records import Mode
from tests.unit.service.kit import World, event


def add(world: World) -> None:
    with world.state.begin() as tx:
        link = msgspec.structs.replace(tx.links.all()[0], id="tasks", name="tasks", kind=Kind.TASK)
        tx.links.put(link)


def remove(world: World) -> None:
    with world.state.begin() as tx:
        tx.links.remove("alice")


def move(world: World) -> None:
    with world.state.begin() as tx:
        tx.settings.put(folder_key(tx.links.all()[0]), "another")


def change(world: World) -> None:
    with world.state.begin() as tx:
        (target,) = tx.targets.all()
        tx.targets.put(msgspec.structs.replace(target, settings={"room": 7}))


def renew(world: World) -> None:
    with world.state.begin() as tx:
        (target,) = tx.targets.all()
        tx.targets.put(msgspec.structs.replace(target, secrets={"password": "new"}))


@pytest.mark.parametrize(
    "something",
    [
        add,
        remove,
        move,
        change,
        renew,
        lambda world: pause_links(world.accord, ["alice"], paused=True),
        lambda world: pause_all(world.accord, paused=True),
        lambda world: set_mode(world.accord, ["alice"], Mode.OBSERVE),
    ],
    ids=["add", "remove", "move", "change", "renew", "pause", "pause all", "observe"],
)
def test_it_is_made_anew_when_something_has_changed(
    something: Callable[[World], object], tmp_path: Path
) -> None:
    world = World("alice", "bob", key_file=tmp_path / "key")
    world.person().add(event("Visit"))
    world.sync()
    before = read(world.accord)
    assert read(world.accord, before) is before
    something(world)
    after = read(world.accord, before)
    assert after is not before
    fresh = read(world.accord)
    assert (
        (after.posts, after.targets)
        == (fresh.posts, fresh.targets)
        != (
            before.posts,
            before.targets,
        )
    )


def test_visits_change_nothing_in_it() -> None:
    world = World("alice", "bob")
    world.sync()
    before = read(world.accord)
    world.person().add(event("Visit"))
    world.sync()
    assert read(world.accord, before) is before


def test_capitals_are_minded_in_names_of_settings() -> None:
    world = World("alice")
    with world.state.begin() as tx:
        tx.settings.put("folder/x", "1")
        tx.settings.put("Folder/x", "2")
        tx.settings.put("folderx", "3")
    with world.state.read() as tx:
        assert tx.settings.under("folder/").keys() == {"folder/x"}


def test_of_what_was_read_only_a_digest_is_kept() -> None:
    users = [f"user{number}" for number in range(50)]
    few, many = (read(World(*some).accord).told for some in (users[:1], users))
    assert len(repr(many)) <= len(repr(few)) + 50
