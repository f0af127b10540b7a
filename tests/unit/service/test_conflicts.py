"""What an open conflict protects: undecided values stay on both sides until somebody decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from accord.engine.plan import Conflict
from accord.model.item import Contact, PostalAddress
from accord.model.kinds import Direction, Kind, Side
from accord.model.parts import Privacy
from accord.ports.errors import Denied
from accord.rules.rule import Clash, Filters, Leaving
from accord.service.decisions import resolve
from accord.state.records import Cause
from tests.unit.service.kit import CRM, GROUPWARE, World, event
from tests.unit.service.watched import WatchedWorld


def clashed(empty: WatchedWorld | None = None, **rule: Any) -> tuple[WatchedWorld, str, str]:
    """Return a world in which one appointment has a title on each side, and its two refs."""
    world = empty or WatchedWorld()
    world.activate(clash=Clash.HOLD, **rule)
    world.person().add(event(location="Here"))
    world.sync()
    (record,), (item,) = world.records(), world.items()
    world.person().edit(record.ref, title="Ours")
    world.mailbox().edit(item.ref, title="Theirs")
    assert world.sync().conflicts == 1
    return world, record.ref, item.ref


def edit(world: World, side: Side, ref: str, **values: Any) -> None:
    hand: Any = world.person() if side is CRM else world.mailbox()
    hand.edit(ref, **values)


def titles(world: World) -> tuple[str, str]:
    (record,), (item,) = world.records(), world.items()
    return record.item.title, item.item.title  # type: ignore[union-attr]


def open_conflicts(world: World) -> list[tuple[str, Any, Any]]:
    """Return what is listed: the field, the CRM's value, the mailbox's."""
    found = []
    for step in world.waiting(Cause.CONFLICT):
        assert isinstance(step, Conflict)
        found += [(change.field, change.before, change.after) for change in step.fields]
    return sorted(found)


# What stays.


@pytest.mark.parametrize("side", Side)
def test_another_edit_of_one_side_overwrites_nothing_that_is_undecided(side: Side) -> None:
    world, record, item = clashed()
    (before,) = world.pending(Cause.CONFLICT)
    edit(world, side, record if side is CRM else item, title="Anew")
    report = world.sync()
    assert (report.writes, report.conflicts) == (0, 1)
    assert titles(world) == (("Anew", "Theirs") if side is CRM else ("Ours", "Anew"))
    assert open_conflicts(world) == [("title", *titles(world))]
    (after,) = world.pending(Cause.CONFLICT)
    assert (after.id, after.at) == (before.id, before.at)


@pytest.mark.parametrize("side", Side)
def test_a_value_put_back_on_one_side_decides_nothing_either(side: Side) -> None:
    world, record, item = clashed()
    edit(world, side, record if side is CRM else item, title="Review")
    assert world.sync().writes == 0
    assert open_conflicts(world) == [("title", *titles(world))]


def test_everything_else_of_the_item_goes_on_travelling() -> None:
    world, record, item = clashed()
    (before,) = world.pending(Cause.CONFLICT)
    edit(world, CRM, record, location="There")
    report = world.sync()
    assert (report.writes, report.conflicts) == (1, 0)
    assert world.mailbox().get(item).item.location == "There"  # type: ignore[union-attr]
    assert titles(world) == ("Ours", "Theirs")
    assert world.pending(Cause.CONFLICT) == [before]


def test_it_is_told_once_however_often_the_sides_are_read() -> None:
    world, record, _ = clashed()
    world.person().touch(record)
    for full in (False, True, True):
        report = world.sync(full=full)
        assert (report.writes, report.conflicts) == (0, 0)
    assert len(world.journal(step="conflict")) == 1
    assert open_conflicts(world) == [("title", "Ours", "Theirs")]


def test_a_second_conflict_stands_beside_the_first() -> None:
    world, record, item = clashed()
    edit(world, CRM, record, location="Ours too")
    edit(world, GROUPWARE, item, location="Theirs too")
    world.sync()
    assert open_conflicts(world) == [
        ("location", "Ours too", "Theirs too"), ("title", "Ours", "Theirs"),
    ]  # fmt: skip
    assert len(world.pending(Cause.CONFLICT)) == 2


@pytest.mark.parametrize("deleted", Side)
def test_a_deletion_takes_no_undecided_value_along(deleted: Side) -> None:
    world, record, item = clashed()
    if deleted is CRM:
        world.person().delete(record)
    else:
        world.mailbox().delete(item)
    report = world.sync()
    assert report.side(deleted.other).deleted == 0
    assert report.side(deleted).created == 1
    kept = "Theirs" if deleted is CRM else "Ours"
    assert titles(world) == (kept, kept)
    assert world.pending() == []
    assert world.sync().writes == 0


def test_an_erasure_does() -> None:
    world, record, _ = clashed()
    world.person().erase(record)
    assert world.sync().groupware.deleted == 1
    assert (world.items(), world.pending()) == ((), [])


def test_a_copy_in_conflict_is_not_withdrawn_for_unedited() -> None:
    world, record, _ = clashed(
        filter=Filters(crm="!('Away' in item.categories)"), leaving=Leaving.DELETE_COPY
    )
    edit(world, CRM, record, categories=("Away",))
    world.sync()
    assert titles(world) == ("Ours", "Theirs")


@pytest.mark.parametrize("refused", Side)
def test_an_update_refused_beside_it_leaves_it_as_it_is(refused: Side) -> None:
    world = WatchedWorld(rule={"clash": Clash.HOLD})
    world.person().add(event())
    world.sync()
    (record,), (item,) = world.records(), world.items()
    edit(world, CRM, record.ref, title="Ours", location="Room")
    edit(world, GROUPWARE, item.ref, title="Theirs", url="https://x.test")
    world.answer(refused, "update", Denied("not now"), None)
    world.sync()
    edit(world, CRM, record.ref, title="Anew")
    world.wait(hours=7)
    world.sync()
    assert titles(world) == ("Anew", "Theirs")
    assert open_conflicts(world) == [("title", "Anew", "Theirs")]


# How it ends.


@pytest.mark.parametrize("winner", Side)
def test_decided_the_winners_value_stands_on_both_sides(winner: Side) -> None:
    world, record, _ = clashed()
    (open_one,) = world.pending(Cause.CONFLICT)
    resolve(world.accord, open_one.id, winner)
    value = "Ours" if winner is CRM else "Theirs"
    assert titles(world) == (value, value)
    assert world.pending() == []
    edit(world, CRM, record, title="Free again")
    world.sync()
    assert titles(world) == ("Free again", "Free again")


def test_agreed_by_hand_it_is_over() -> None:
    world, record, item = clashed()
    edit(world, CRM, record, title="Theirs")
    report = world.sync()
    assert (report.writes, world.pending()) == (0, [])
    edit(world, GROUPWARE, item, title="Free again")
    world.sync()
    assert titles(world) == ("Free again", "Free again")


@pytest.mark.parametrize("private", [True, False])
def test_what_turns_private_is_out_of_the_conflict(private: bool, tmp_path: Path) -> None:
    world, _, item = clashed(WatchedWorld(key_file=tmp_path / "key"))
    edit(
        world, GROUPWARE, item, title="Doctor", privacy=Privacy("private" if private else "public")
    )
    world.sync()
    (record,) = world.records()
    assert (record.item.title == "Busy") is private  # type: ignore[union-attr]
    assert (world.pending(Cause.CONFLICT) == []) is private


@pytest.mark.parametrize("side", Side)
def test_what_differed_at_a_first_meeting_is_as_undecided(side: Side) -> None:
    world = WatchedWorld()
    record = world.person().add(event("Ours", uid="same"))
    item = world.mailbox().add(event("Theirs", uid="same"))
    assert world.sync().conflicts == 1
    edit(world, side, record.ref if side is CRM else item.ref, title="Anew")
    world.sync()
    assert titles(world) == (("Anew", "Theirs") if side is CRM else ("Ours", "Anew"))
    assert open_conflicts(world) == [("title", *titles(world))]


def test_of_several_fields_in_conflict_each_is_over_by_itself() -> None:
    world = WatchedWorld()
    record = world.person().add(event("Ours", uid="same", location="Here"))
    world.mailbox().add(event("Theirs", uid="same", location="There"))
    world.sync()
    edit(world, CRM, record.ref, title="Theirs")
    world.sync()
    edit(world, CRM, record.ref, title="Both")
    world.sync()
    assert titles(world) == ("Both", "Both")
    edit(world, CRM, record.ref, location="Elsewhere")
    world.sync()
    assert open_conflicts(world) == [("location", "Elsewhere", "There")]


def test_entries_in_conflict_stay_and_the_others_travel() -> None:
    world = WatchedWorld(kind=Kind.CONTACT, rule={"clash": Clash.HOLD, "direction": Direction.BOTH})
    world.person().add(Contact(full_name="Ada", addresses=(place("work", "Ulm"),)))
    world.sync()
    (record,), (item,) = world.records(), world.items()
    edit(world, CRM, record.ref, addresses=(place("work", "Bonn"),))
    edit(world, GROUPWARE, item.ref, addresses=(place("work", "Kiel"),))
    world.sync()
    home = place("home", "Jena")
    edit(world, CRM, record.ref, addresses=(place("work", "Trier"), home))
    world.sync()
    assert cities(world) == ({"work": "Trier", "home": "Jena"}, {"work": "Kiel", "home": "Jena"})
    assert len(world.pending(Cause.CONFLICT)) == 1
    edit(world, CRM, record.ref, addresses=(place("work", "Trier"),))
    world.sync()
    assert cities(world) == ({"work": "Trier"}, {"work": "Kiel"})
    edit(world, GROUPWARE, item.ref, addresses=(place("work", "Trier"),))
    world.sync()
    assert world.pending() == []


def place(kind: str, city: str) -> PostalAddress:
    return PostalAddress(type=kind, locality=city)


def cities(world: World) -> tuple[dict[str, str], dict[str, str]]:
    """Return the city of each address, in the CRM and in the mailbox."""
    (record,), (item,) = world.records(), world.items()
    found = [
        {one.type: one.locality for one in side.item.addresses}  # type: ignore[union-attr]
        for side in (record, item)
    ]
    return found[0], found[1]


# With the pair goes the conflict.


@pytest.mark.parametrize("side", Side)
def test_a_pair_that_is_no_more_has_no_open_conflict(side: Side) -> None:
    """Its other item was erased, or both are gone: nobody could decide about it."""
    world, record, item = clashed()
    world.person().erase(record)
    if side is GROUPWARE:
        world.mailbox().delete(item, hard=True)
    world.sync()
    assert (world.pairings(), world.pending()) == ([], [])


def test_a_pair_that_comes_back_into_scope_is_as_undecided_as_before() -> None:
    world, record, _ = clashed(
        filter=Filters(crm="!('Away' in item.categories)"), leaving=Leaving.UNLINK
    )
    edit(world, CRM, record, categories=("Away",))
    world.sync()
    (pair,) = world.pairings()
    assert pair.frozen == "scope"
    assert open_conflicts(world) == [("title", "Ours", "Theirs")]
    edit(world, CRM, record, categories=())
    world.sync()
    edit(world, CRM, record, title="Anew")
    world.sync()
    assert titles(world) == ("Anew", "Theirs")


def test_a_pair_let_go_for_good_takes_the_conflict_with_it() -> None:
    world, _, item = clashed()
    world.wait(days=60)
    world.mailbox().delete(item)
    world.sync()
    (pair,) = world.pairings()
    assert (pair.frozen, pair.contested) == ("past", ())
    assert world.pending() == []
