"""Contacts' photos are guarded, entered in the journal and undone as other files are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from accord.engine.plan import Hold, Refile
from accord.groupware.memory import build as build_groupware
from accord.model.item import Contact
from accord.model.kinds import Direction, Kind, Side
from accord.model.parts import Privacy
from accord.ports.errors import Rejected
from accord.rules.rule import GuardLimits, OneWay, Private
from accord.service.decisions import approve, reject, waiting
from accord.service.explain import explain
from accord.state.records import Cause
from tests.unit.service.filing import content, hang, item, take
from tests.unit.service.kit import CRM, GROUPWARE, Crash, World
from tests.unit.service.test_files_guard import ids
from tests.unit.service.test_files_journal import filed, told
from tests.unit.service.test_undo_files import undone

NAMES = [f"Ada {number}" for number in range(12)]
ADA = NAMES[0]


@pytest.fixture(autouse=True)
def on_both() -> None:
    """Play on SQLite alone; what is stored is tried on both beside the tables."""


def album(
    count: int = 1, *, faces: bool = True, key_file: Path | None = None, **rule: Any
) -> World:
    """A world of contacts whose photos went from the CRM to the mailbox; both ways by default."""
    made = {"direction": Direction.BOTH, **rule}
    world = World(kind=Kind.CONTACT, rule=made, key_file=key_file)
    for name in NAMES[:count]:
        world.person().add(Contact(full_name=name, given="Ada", family=name[4:]))
    world.sync()
    if faces:
        for name in NAMES[:count]:
            hang(world, CRM, "me.jpg", name.encode(), title=name)
        world.sync()
    world.wait(hours=2)
    return world


def give(world: World, side: Side, photo: str, name: str = ADA) -> None:
    hang(world, side, "me.jpg", photo.encode(), title=name)


def strip(world: World, side: Side, *names: str) -> None:
    for name in names or (ADA,):
        take(world, side, title=name)


def faces(world: World, name: str = ADA) -> list[str]:
    """Return the photos in the CRM and in the mailbox, empty for none."""
    found = [list(content(world, side, title=name).values()) for side in (CRM, GROUPWARE)]
    assert all(len(some) <= 1 for some in found)
    return [some[0].decode() if some else "" for some in found]


def settled(world: World) -> None:
    """Further visits change nothing."""
    before = faces(world)
    for full in (False, True, False):
        report = world.sync(full=full)
        assert not report.files and not report.held and not report.writes
    assert faces(world) == before


# what stands in the journal


@pytest.mark.parametrize("side", list(Side))
def test_each_photo_is_a_step(side: Side) -> None:
    world = album(faces=False)
    give(world, side, "one")
    assert world.sync().files == 1
    give(world, side, "two")
    assert world.sync().files == 1
    strip(world, side)
    assert world.sync().files == 1
    photo, there = "the photo", side.other
    assert [told(entry) for entry in filed(world)] == [
        ("attach", there, "", photo),
        ("replace", there, photo, photo),
        ("detach", there, photo, ""),
    ]
    assert [entry.why for entry in filed(world)] == [
        f"the photo was hung on in the {side.place}",
        f"another photo took its place in the {side.place}",
        f"the photo was taken off in the {side.place}",
    ]
    for entry in filed(world)[1:]:
        assert entry.fields[0].before["kept"].startswith("stored:")


def test_a_photo_keeps_the_name_it_has_where_it_comes_from() -> None:
    world = album()
    assert list(content(world, GROUPWARE, title=ADA)) == ["me.jpg"]
    strip(world, CRM)
    undone(world, world.sync().run)
    assert [list(content(world, side, title=ADA)) for side in Side] == [["photo"], ["photo"]]


def test_a_photo_that_is_put_back_says_why() -> None:
    world = album(direction=Direction.OUTBOUND, one_way=OneWay.RESTORE)
    give(world, GROUPWARE, "my own")
    world.sync()
    assert faces(world) == [ADA, ADA]
    assert filed(world)[-1].step == "replace"
    assert filed(world)[-1].why == "the rule puts back the photo that was changed in the mailbox"


def test_a_photo_that_went_over_before_a_kill_is_entered_after_it(monkeypatch: Any) -> None:
    world = album()
    give(world, GROUPWARE, "two")
    known = len(filed(world))
    session: Any = type(world.crm.open("alice"))
    attach = session.attach

    def dies(*given: Any) -> str:
        attach(*given)
        raise Crash("no more")

    monkeypatch.setattr(session, "attach", dies)
    with pytest.raises(Crash):
        world.sync()
    monkeypatch.undo()
    world.restart()
    world.sync()
    assert [told(entry) for entry in filed(world)[known:]] == [
        ("replace", CRM, "the photo", "the photo")
    ]
    assert faces(world) == ["two", "two"]
    settled(world)


def test_the_photo_of_a_private_contact_leaves_no_trace(tmp_path: Path) -> None:
    world = album(faces=False, key_file=tmp_path / "key", private=Private.BUSY)
    give(world, GROUPWARE, "one")
    world.sync()
    world.mailbox().edit(item(world, GROUPWARE, ADA).ref, privacy=Privacy.PRIVATE)
    world.sync()
    assert [(entry.step, entry.fields) for entry in filed(world)] == [
        ("attach", ()),
        ("detach", ()),
    ]
    assert "contact turned private" in filed(world)[-1].why


# what the guard holds


@pytest.mark.parametrize("side", list(Side))
def test_many_photos_that_vanish_at_once_are_held(side: Side) -> None:
    world = album(12)
    strip(world, side, *NAMES)
    assert world.sync().held == 12
    assert all(faces(world, name)[list(Side).index(side.other)] == name for name in NAMES)
    (cause,) = {one.why for one in world.pending(Cause.FILE)}
    assert cause.startswith("emptied: none of the 12 known files is left in the ")
    (found,) = explain(world.accord, NAMES[3])
    assert found.waiting[0].startswith(f"held: detach the photo in the {side.other.place}: emptied")
    for full in (False, True):
        assert not world.sync(full=full).writes
    approve(world.accord, ids(world))
    assert all(faces(world, name) == ["", ""] for name in NAMES)
    assert not world.pending()


def test_many_photos_that_others_take_the_place_of_are_held() -> None:
    world = album(12)
    for name in NAMES:
        give(world, GROUPWARE, "grey", name)
    assert world.sync().held == 12
    assert faces(world) == [ADA, "grey"]
    first, *rest = ids(world)
    reject(world.accord, rest)
    approve(world.accord, [first])
    assert sum(faces(world, name)[0] == "grey" for name in NAMES) == 1
    assert not world.sync().held and not ids(world)


def test_one_photo_is_not_held_and_what_comes_back_waits_no_longer() -> None:
    world = album(12)
    strip(world, GROUPWARE, ADA)
    assert not world.sync().held
    assert faces(world) == ["", ""]
    world.wait(hours=2)
    strip(world, GROUPWARE, *NAMES[1:])
    assert world.sync().held == 11
    for name in NAMES[1:]:
        give(world, GROUPWARE, name, name)
    assert not world.sync().held
    assert not world.pending()


def test_a_held_change_between_two_that_never_agreed_is_done_once_approved() -> None:
    world = album(faces=False, guard=GuardLimits(deletes=0))
    give(world, CRM, "mine")
    give(world, GROUPWARE, "theirs")
    world.sync()
    assert faces(world) == ["mine", "theirs"] and not ids(world)
    give(world, GROUPWARE, "newer")
    assert world.sync().held == 1
    assert not world.sync(full=True).writes
    assert len(ids(world)) == 1
    approve(world.accord, ids(world))
    assert faces(world) == ["newer", "newer"]
    settled(world)


def test_a_change_that_was_refused_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = album(faces=False)
    give(world, CRM, "mine")
    give(world, GROUPWARE, "theirs")
    world.sync()

    def full(*_: object) -> str:
        raise Rejected("no room")

    monkeypatch.setattr(type(world.crm.open("alice")), "attach", full)
    give(world, GROUPWARE, "newer")
    world.sync()
    (found,) = explain(world.accord, ADA)
    assert found.waiting == ("left out: the photo for the CRM: no room",)
    monkeypatch.undo()
    world.mailbox().edit(item(world, GROUPWARE, ADA).ref, nickname="Countess")
    world.sync()
    assert faces(world) == ["newer", "newer"]


# what is undone


@pytest.mark.parametrize("side", list(Side))
def test_a_photo_that_was_taken_off_by_mistake_comes_back(side: Side) -> None:
    world = album()
    strip(world, side)
    run = world.sync().run
    assert faces(world) == ["", ""]
    assert undone(world, run) == []
    assert faces(world) == [ADA, ADA]
    settled(world)
    strip(world, side)
    world.sync()
    assert faces(world) == ["", ""], "and it is like any other"


@pytest.mark.parametrize("side", list(Side))
def test_a_photo_that_was_replaced_is_again_what_it_was(side: Side) -> None:
    world = album()
    give(world, side, "worse")
    run = world.sync().run
    assert faces(world) == ["worse", "worse"]
    assert undone(world, run, dry=True) == []
    assert faces(world) == ["worse", "worse"]
    assert undone(world, run) == []
    assert faces(world) == [ADA, ADA]
    settled(world)
    by = next(one.undone_by for one in filed(world) if one.step == "replace")
    assert undone(world, str(by)) == []
    assert faces(world) == ["worse", "worse"]
    settled(world)


@pytest.mark.parametrize("side", list(Side))
def test_a_photo_that_a_run_brought_goes_and_stays_where_it_came_from(side: Side) -> None:
    world = album(faces=False)
    give(world, side, "one")
    run = world.sync().run
    here = ["one", ""] if side is CRM else ["", "one"]
    assert undone(world, run) == []
    assert faces(world) == here
    settled(world)
    give(world, side.other, "two")
    world.sync()
    assert faces(world) == ["two", "two"], "until there is another one"
    settled(world)


def test_where_photos_only_go_out_the_mailbox_alone_is_undone() -> None:
    world = album(direction=Direction.OUTBOUND)
    give(world, CRM, "worse")
    run = world.sync().run
    assert undone(world, run) == []
    assert faces(world) == ["worse", ADA]
    settled(world)
    assert not explain(world.accord, ADA)[0].waiting
    give(world, GROUPWARE, "my own")
    world.sync()
    strip(world, GROUPWARE)
    world.sync()
    give(world, CRM, "better")
    world.sync()
    assert faces(world) == ["better", "better"]


def test_a_photo_that_came_since_waits_for_approval() -> None:
    world = album()
    strip(world, GROUPWARE)
    run = world.sync().run
    give(world, CRM, "newer")
    world.sync()
    undone(world, run)
    assert faces(world) == ["newer", "newer"]
    shown = waiting(world.accord, Cause.HELD)
    assert [type(one.step) for one in shown] == [Hold, Hold]
    assert {one.step.held.name for one in shown} == {"replace"}  # type: ignore[union-attr]
    assert {one.pending.why for one in shown} == {"edited since: another photo hangs there"}
    approve(world.accord, [one.pending.id for one in shown])
    assert faces(world) == [ADA, ADA]
    assert not waiting(world.accord, Cause.HELD)
    settled(world)


def test_half_an_undo_is_an_edit_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    world = album()
    give(world, CRM, "worse")
    run = world.sync().run

    def full(*_: object) -> str:
        raise Rejected("no room")

    monkeypatch.setattr(type(world.groupware.open("alice@x.test")), "attach", full)
    (line,) = undone(world, run)
    assert line.endswith("not undone: the photo for the mailbox: no room")
    monkeypatch.undo()
    assert faces(world) == [ADA, "worse"]
    world.sync()
    assert faces(world) == [ADA, ADA]
    settled(world)


def test_what_nobody_keeps_is_said() -> None:
    world = album()
    take(world, CRM, title=ADA, forget=True)
    run = world.sync().run
    (line,) = undone(world, run)
    assert line.endswith("not undone: its bytes are kept nowhere any more")
    assert faces(world) == ["", ""]


def test_a_picture_that_the_crm_never_had_is_kept_by_nobody() -> None:
    world = album(direction=Direction.OUTBOUND)
    give(world, GROUPWARE, "my own")
    world.sync()
    give(world, CRM, "better")
    run = world.sync().run
    assert faces(world) == ["better", "better"]
    (line,) = undone(world, run)
    assert line.endswith("not undone: its bytes are kept nowhere any more")
    assert faces(world) == ["better", "better"]


def test_a_photo_is_not_undone_where_none_can_be_kept_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = album()
    strip(world, CRM)
    run = world.sync().run
    poor = build_groupware({"omitted": "contact.photo"}).traits
    monkeypatch.setattr(type(world.groupware), "traits", property(lambda _: poor))
    (line,) = undone(world, run)
    assert line.endswith("not undone: no files can be kept in the mailbox")


def test_nobodys_newer_photo_goes_unasked() -> None:
    world = album(faces=False)
    for photo in ("one", "two", "three"):
        give(world, CRM, photo)
        world.sync()
    steps = filed(world)
    assert [entry.step for entry in steps] == ["attach", "replace", "replace"]
    give(world, GROUPWARE, "their own")
    undone(world, steps[-1].run)
    assert faces(world)[1] == "their own"
    assert all(isinstance(step, Refile) for step in world.waiting(Cause.UNDO))
