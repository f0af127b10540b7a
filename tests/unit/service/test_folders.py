"""In which folder of a mailbox a link works, and that no new default moves it from there."""

from __future__ import annotations

import msgspec

from accord.model.kinds import Kind
from accord.state.records import Mode
from tests.unit.service.kit import World, event


def newcomer(world: World, name: str) -> None:
    """Give Alice another calendar, and make it the server's default from now on."""
    world.mailbox().add_folder(name, Kind.EVENT)
    box = world.groupware.store.mailbox("alice@x.test")
    box.folders = {
        key: msgspec.structs.replace(folder, default=key == name)
        for key, folder in sorted(box.folders.items(), key=lambda each: each[0] != name)
    }


def test_a_new_default_calendar_moves_no_link_and_deletes_nothing() -> None:
    world = World()
    world.person().add(event())
    world.sync()
    newcomer(world, "holidays")
    for full in (False, True):
        report = world.sync(full=full)
        assert not report.error
        assert world.titles() == (["Review"], ["Review"])
    world.person().add(event("Later"))
    world.sync()
    assert {item.folder for item in world.items()} == {world.items()[0].folder}
    assert "holidays" not in {item.folder for item in world.items()}


def test_a_folder_that_vanishes_stops_the_link_and_deletes_nothing() -> None:
    world = World()
    world.person().add(event())
    world.sync()
    newcomer(world, "holidays")
    gone = world.items()[0].folder
    box = world.groupware.store.mailbox("alice@x.test")
    kept = box.folders.pop(gone)
    report = world.sync()
    assert f"{gone} of alice@x.test isn't there" in report.error
    assert len(world.records()) == 1
    box.folders[gone] = kept
    assert not world.sync().error


def test_a_link_that_only_observes_is_not_bound() -> None:
    world = World()
    world.change_link(mode=Mode.OBSERVE)
    world.person().add(event())
    world.sync()
    newcomer(world, "work")
    world.change_link(mode=Mode.ACTIVE)
    world.sync()
    assert {item.folder for item in world.items()} == {"work"}


def test_a_folder_named_in_the_link_counts() -> None:
    world = World()
    world.person().add(event())
    world.sync()
    newcomer(world, "work")
    world.change_link(folder="work")
    report = world.sync()
    assert not report.error
    assert len(world.records()) == 1, "the old copy lies elsewhere: let go, not deleted"
