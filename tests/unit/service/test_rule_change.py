"""A rule just put into force: what follows from it is held, what has other causes goes on."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import update

from accord.engine.plan import Hold
from accord.model.kinds import Direction, Side
from accord.model.parts import Privacy
from accord.rules.rule import Clash, Deletion, Deletions, FieldRule, Filters, Rule
from accord.service.decisions import approve, reject, resolve
from accord.service.undo import select, undo
from accord.service.waiting import FORMER_LOST
from accord.state.codec import decode_step
from accord.state.records import Cause
from accord.state.schema import RULES
from tests.unit.service.kit import CRM, GROUPWARE, HOUR, SOON, World, event

TITLED = {"title": FieldRule(outbound="'Busy'")}


@pytest.fixture(autouse=True)
def on_both() -> None:
    """Play on SQLite alone; what is stored is tried on both beside the tables."""


def paired(key_file: Path | None = None, **rule: Any) -> tuple[World, str, str]:
    """Return a world with one appointment on both sides, and its two refs."""
    world = World(rule=rule, key_file=key_file)
    record = world.person().add(event(location="Here")).ref
    world.sync()
    (item,) = world.items()
    return world, record, item.ref


def edit(world: World, side: Side, **values: Any) -> None:
    (record,), (item,) = world.records(), world.items()
    hand: Any = world.person() if side is CRM else world.mailbox()
    hand.edit(record.ref if side is CRM else item.ref, **values)


def causes(world: World) -> set[str]:
    steps = [decode_step(one.step) for one in world.pending(Cause.HELD)]
    return {step.cause.partition(":")[0] for step in steps if isinstance(step, Hold)}


@pytest.mark.parametrize("side", Side)
def test_an_edit_that_the_older_rule_carries_just_so_is_not_held(side: Side) -> None:
    world, _, _ = paired()
    world.activate(clash=Clash.HOLD)
    later = event().start + timedelta(hours=2)
    edit(world, side, title="Renamed", start=later, end=later + timedelta(hours=1))
    report = world.sync()
    assert (report.held, report.writes) == (0, 1)
    (record,), (item,) = world.records(), world.items()
    assert record.item.title == item.item.title == "Renamed"  # type: ignore[union-attr]
    assert record.item.start == item.item.start == later  # type: ignore[union-attr]
    (pair,) = world.pairings()
    with world.state.read() as tx:
        active = tx.rules.active("r")
    assert active is not None
    assert pair.rule == active.version
    assert world.sync(full=True).writes == 0


@pytest.mark.parametrize("side", Side)
def test_nor_is_what_is_new_or_deleted(side: Side) -> None:
    world, record, item = paired()
    world.activate(clash=Clash.HOLD)
    hand: Any = world.person() if side is CRM else world.mailbox()
    hand.delete(record if side is CRM else item)
    hand.add(event("Another"))
    report = world.sync()
    assert report.held == 0
    assert world.titles() == (["Another"], ["Another"])


def test_what_the_change_brings_waits_beside_an_edit_of_the_other_side() -> None:
    world, record, item = paired()
    world.activate(fields=TITLED)
    edit(world, GROUPWARE, location="Room")
    report = world.sync()
    assert (report.held, report.crm.updated, report.groupware.updated) == (1, 1, 0)
    assert world.person().get(record).item.location == "Room"  # type: ignore[union-attr]
    for full in (False, True, False):
        world.sync(full=full)
        assert causes(world) == {"rule change"}
        assert world.titles()[1] == ["Review"]
    approve(world.accord, [one.id for one in world.pending(Cause.HELD)])
    assert world.titles() == (["Review"], ["Busy"])
    assert world.pending() == []
    assert world.mailbox().get(item).item.location == "Room"  # type: ignore[union-attr]


def test_a_step_that_comes_partly_of_the_change_waits_as_a_whole() -> None:
    world, _, item = paired()
    world.activate(fields=TITLED)
    edit(world, CRM, location="Room")
    assert world.sync().held == 1
    assert world.mailbox().get(item).item.location == "Here"  # type: ignore[union-attr]


def test_what_the_older_rule_would_not_do_waits() -> None:
    world, record, _ = paired(delete=Deletions(outbound=Deletion.UNLINK))
    world.activate(delete=Deletions(outbound=Deletion.PROPAGATE))
    world.person().delete(record)
    assert world.sync().held == 1
    assert len(world.items()) == 1


@pytest.mark.parametrize("fields", [{}, {"title": FieldRule(inbound="'CRM: ' + value")}, TITLED])
@pytest.mark.parametrize("waits", [False, True])
def test_an_entry_that_turns_private_is_reduced_at_once(
    fields: dict[str, FieldRule], waits: bool
) -> None:
    world, _, _ = paired()
    world.activate(clash=Clash.HOLD, fields=fields)
    if waits:
        world.sync()
    edit(world, GROUPWARE, title="Doctor", location="Clinic", privacy=Privacy.PRIVATE)
    world.sync()
    (record,) = world.records()
    assert (record.item.title, record.item.location) == ("Busy", "")  # type: ignore[union-attr]
    world.sync(full=True)
    assert not [one for one in world.journal() if "Doctor" in str(one.fields)]


@pytest.mark.parametrize(
    "rule",
    [
        {
            "fields": {
                "title": FieldRule(outbound="value == '' && value.matches('(') ? 'x' : value")
            }
        },
        {"fields": {"title": FieldRule(outbound="value == '' ? string(int('x')) : value")}},
        {"filter": Filters(groupware='matches(item.title, "(")')},
    ],
)
def test_a_stored_rule_with_a_literal_that_no_import_takes_goes_on_and_is_mended(
    rule: dict[str, Any],
) -> None:
    world, _, _ = paired(**rule)
    assert world.titles() == (["Review"], ["Review"])
    sound = world.activate(fields=TITLED)
    assert world.sync().held == 1
    approve(world.accord, [one.id for one in world.pending(Cause.HELD)])
    assert world.titles() == (["Review"], ["Busy"])
    (pair,) = world.pairings()
    assert pair.rule == sound.version


def lose_former(world: World, *, damaged: bool = False) -> None:
    """Let the one pair stand under a version that can't be compiled, or not even be read."""
    former = Rule(name="r", kind=world.kind, filter=Filters(crm="gone(item.title)"))
    (pair,) = world.pairings()
    with world.state.begin() as tx:
        version = tx.rules.put(former)
        tx.rules.discard("r")
        tx.pairings.put("alice", msgspec.structs.replace(pair, rule=version))
        if damaged:
            torn = update(RULES).where(RULES.c.version == version).values(body=b"{")
            tx.rules.db.execute(torn)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("damaged", [False, True])
def test_a_pair_whose_former_rule_works_no_longer_waits_and_goes_on_once_approved(
    side: Side, damaged: bool
) -> None:
    world, _, _ = paired()
    lose_former(world, damaged=damaged)
    edit(world, side, title="Renamed")
    for full in (True, False):
        report = world.sync(full=full)
        assert (report.error, report.writes) == ("", 0)
        (held,) = world.pending()
        assert (held.cause, held.why) == (Cause.HELD, FORMER_LOST)
    approve(world.accord, [held.id])
    assert world.titles() == (["Renamed"], ["Renamed"])
    assert world.pending() == []
    edit(world, side, title="Again")
    assert (world.sync().held, world.titles()) == (0, (["Again"], ["Again"]))


def test_after_a_no_a_pair_whose_former_rule_is_lost_asks_about_the_next_edit() -> None:
    world, _, _ = paired()
    lose_former(world)
    edit(world, CRM, title="Renamed")
    world.sync()
    reject(world.accord, [one.id for one in world.pending()])
    for full in (False, True):
        assert (world.sync(full=full).writes, world.titles()[1]) == (0, ["Review"])
        assert [one.refused for one in world.pending()] == [True]
    edit(world, CRM, title="Again")
    world.sync()
    approve(world.accord, [one.id for one in world.pending() if not one.refused])
    assert world.titles() == (["Again"], ["Again"])
    assert world.pending() == []


@pytest.mark.parametrize("fields", [{}, TITLED])
def test_without_the_former_rule_only_a_pair_moves_on_that_stands_as_the_new_one_says(
    fields: dict[str, FieldRule],
) -> None:
    world, _, _ = paired()
    lose_former(world)
    new = world.activate(clash=Clash.HOLD, fields=fields)
    assert world.sync().held == 0
    (pair,) = world.pairings()
    assert (pair.rule == new.version) is not bool(fields)
    edit(world, CRM, location="Room")
    assert world.sync().held == len(fields)
    approve(world.accord, [one.id for one in world.pending()])
    (pair,) = world.pairings()
    assert pair.rule == new.version


def test_what_is_new_waits_where_the_former_rule_is_lost_and_other_pairs_go_on() -> None:
    world, _, _ = paired()
    lose_former(world)
    another = world.person().add(event("Another")).ref
    assert world.sync().held == 0
    world.person().edit(another, title="Other")
    world.person().add(event("New"))
    assert world.sync().held == 0
    assert world.titles()[1] == ["New", "Other", "Review"]


def test_without_the_former_rule_a_clash_is_told_of_once_it_is_approved() -> None:
    world, _, _ = paired()
    lose_former(world)
    edit(world, CRM, title="CRM")
    edit(world, GROUPWARE, title="Mailbox")
    for full in (False, True):
        world.sync(full=full)
        assert causes(world) == {"rule change"}
        assert world.journal(step="clash") == []
    approve(world.accord, [one.id for one in world.pending()])
    assert world.titles() == (["CRM"], ["CRM"])
    assert len(world.journal(step="clash")) == 1


@pytest.mark.parametrize("waits", [False, True])
def test_without_the_former_rule_an_entry_that_turns_private_is_reduced_at_once(
    waits: bool,
) -> None:
    world, _, _ = paired()
    lose_former(world)
    if waits:
        edit(world, GROUPWARE, title="Renamed")
        world.sync()
    edit(world, GROUPWARE, title="Doctor", location="Clinic", privacy=Privacy.PRIVATE)
    world.sync()
    (record,) = world.records()
    assert (record.item.title, record.item.location) == ("Busy", "")  # type: ignore[union-attr]


def test_what_is_undone_goes_by_the_rule_in_force_where_the_former_is_lost() -> None:
    world, record, _ = paired()
    world.person().edit(record, title="Renamed")
    world.sync()
    lose_former(world)
    (entry,) = world.journal(step="update")
    undo(world.accord, select(world.accord, str(entry.id)))
    assert world.titles() == (["Review"], ["Review"])


def clash(world: World) -> None:
    edit(world, CRM, title="CRM")
    edit(world, GROUPWARE, title="Mailbox")


@pytest.mark.parametrize(
    "new",
    [
        {"clash": Clash.CRM},
        {"fields": {"title": FieldRule(outbound="'Mailbox'")}},
        {"fields": {"title": FieldRule(outbound="'Busy'")}},
        {"fields": {"title": FieldRule(direction=Direction.NONE)}},
        {"fields": {"title": FieldRule(direction=Direction.OUTBOUND)}},
    ],
)
@pytest.mark.parametrize("winner", Side)
def test_a_conflict_that_is_open_stays_so_under_the_rule_that_opened_it(
    new: dict[str, Any], winner: Side
) -> None:
    world, _, _ = paired(clash=Clash.HOLD)
    clash(world)
    world.sync()
    (before,) = world.pending()
    active = world.activate(**new)
    for full in (False, True):
        assert (world.sync(full=full).writes, world.pending()) == (0, [before])
        assert world.pairings()[0].contested == ("title",)
    assert not resolve(world.accord, before.id, winner).error
    title = "CRM" if winner is CRM else "Mailbox"
    assert world.titles() == ([title], [title])
    approve(world.accord, [one.id for one in world.pending()])
    assert world.pending() == []
    assert world.pairings()[0].rule == active.version


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"clash": Clash.HOLD}, {"clash": Clash.CRM}),
        ({"clash": Clash.HOLD}, {"clash": Clash.CRM, "fields": TITLED}),
        ({"clash": Clash.HOLD}, {"fields": {"title": FieldRule(direction=Direction.NONE)}}),
    ],
)
def test_a_clash_of_before_a_rule_change_is_opened_as_the_former_rule_says(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    world, _, _ = paired(**old)
    clash(world)
    world.activate(**new)
    for full in (False, True):
        assert world.sync(full=full).writes == 0
        assert [one.cause for one in world.pending()] == [Cause.CONFLICT]
    assert world.journal(step="clash") == []
    assert world.titles() == (["CRM"], ["Mailbox"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"clash": Clash.CRM}, {"clash": Clash.HOLD}),
        ({"clash": Clash.CRM}, {"clash": Clash.GROUPWARE}),
        (
            {"clash": Clash.HOLD, "fields": {"title": FieldRule(direction=Direction.OUTBOUND)}},
            {"clash": Clash.HOLD},
        ),
    ],
)
def test_a_clash_of_before_a_rule_change_is_settled_as_the_former_rule_says(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    world, _, _ = paired(**old)
    clash(world)
    active = world.activate(**new)
    assert world.sync().writes == 1
    assert world.titles() == (["CRM"], ["CRM"])
    assert len(world.journal(step="clash")) == 1
    assert world.pending() == []
    assert world.pairings()[0].rule == active.version


def test_a_conflict_stays_open_where_a_write_beside_it_was_cut_off_as_the_rule_changed() -> None:
    world, _, item = paired(clash=Clash.HOLD)
    clash(world)
    world.sync()
    before = world.pending()
    world.activate(fields={"title": FieldRule(direction=Direction.NONE)})
    edit(world, CRM, location="Room")
    assert world.crash(lambda point: point == "after update on groupware")
    world.sync()
    assert world.mailbox().get(item).item.location == "Room"  # type: ignore[union-attr]
    assert world.pending() == before


@pytest.mark.parametrize("winner", Side)
def test_values_that_only_a_new_mapping_compares_are_asked_about(winner: Side) -> None:
    world, _, _ = paired(fields={"title": FieldRule(direction=Direction.NONE)})
    clash(world)
    world.sync()
    active = world.activate(clash=Clash.HOLD)
    for full in (False, True):
        assert world.sync(full=full).writes == 0
        (asked,) = world.pending()
        assert asked.cause is Cause.CONFLICT
    assert not resolve(world.accord, asked.id, winner).error
    title = "CRM" if winner is CRM else "Mailbox"
    assert world.titles() == ([title], [title])
    assert world.pending() == []
    assert world.pairings()[0].rule == active.version


def test_what_a_rule_change_brings_beside_a_conflict_waits_and_is_done_once_approved() -> None:
    world, _, item = paired(clash=Clash.HOLD)
    clash(world)
    world.activate(fields={**TITLED, "location": FieldRule(outbound="'Room'")})
    for full in (False, True):
        world.sync(full=full)
        assert {one.cause for one in world.pending()} == {Cause.CONFLICT, Cause.HELD}
        (held,) = world.pending(Cause.HELD)
    approve(world.accord, [held.id])
    assert world.mailbox().get(item).item.location == "Room"  # type: ignore[union-attr]
    assert world.titles() == (["CRM"], ["Mailbox"])
    assert [one.cause for one in world.pending()] == [Cause.CONFLICT]


@pytest.mark.parametrize("way", [Direction.NONE, Direction.BOTH])
def test_two_items_that_meet_as_a_rule_changes_conflict_as_the_former_rule_says(
    way: Direction,
) -> None:
    title = FieldRule(direction=way)
    other = FieldRule(direction=Direction.NONE if way is Direction.BOTH else Direction.BOTH)
    world, _, _ = paired(fields={"title": title})
    world.activate(fields={"title": other})
    world.person().add(event("CRM", SOON + HOUR, uid="met"))
    world.mailbox().add(event("Mailbox", SOON + HOUR, uid="met"))
    world.sync()
    met = [pair for pair in world.pairings() if pair.crm.item.uid == "met"]
    assert len(met) == 1
    assert met[0].contested == (("title",) if way is Direction.BOTH else ())
    conflicts = world.pending(Cause.CONFLICT)
    assert len(conflicts) == (way is Direction.BOTH)
    world.sync(full=True)
    assert world.pending(Cause.CONFLICT) == conflicts


def test_what_a_changed_rule_brings_to_an_entry_that_turned_private_waits(tmp_path: Path) -> None:
    world, _, _ = paired(key_file=tmp_path / "key")
    world.activate(fields={"title": FieldRule(inbound="'CRM: ' + value")})
    edit(world, GROUPWARE, title="Doctor", location="Clinic", privacy=Privacy.PRIVATE)
    report = world.sync()
    assert (report.error, report.held, report.writes) == ("", 1, 1)
    for full in (False, True):
        world.sync(full=full)
        assert world.titles() == (["Busy"], ["Doctor"])
        assert causes(world) == {"rule change"}
        assert "Review" not in str(world.waiting()) and "Doctor" not in str(world.waiting())
    approve(world.accord, [one.id for one in world.pending(Cause.HELD)])
    assert world.titles() == (["CRM: Busy"], ["Doctor"])
    assert world.pending() == []


@pytest.mark.parametrize("side", Side)
def test_edits_go_on_after_a_no_to_what_a_changed_rule_brings(side: Side) -> None:
    world, _, _ = paired()
    world.activate(fields=TITLED)
    world.sync()
    reject(world.accord, [one.id for one in world.pending(Cause.HELD)])
    for location in ("Room", "Hall"):
        edit(world, side, location=location)
        for full in (False, True):
            world.sync(full=full)
            (record,), (entry,) = world.records(), world.items()
            assert record.item.location == entry.item.location == location  # type: ignore[union-attr]
            assert world.titles() == (["Review"], ["Review"])
            assert [one.refused for one in world.pending()] == [True]


def test_an_edit_approved_beside_what_a_changed_rule_brings_does_not_end_that() -> None:
    world, _, _ = paired()
    world.activate(fields=TITLED)
    world.sync()
    edit(world, CRM, location="Room")
    world.sync()
    for titles in (["Review"], ["Busy"]):
        (held,) = world.pending(Cause.HELD)
        approve(world.accord, [held.id])
        assert world.titles()[1] == titles
    assert world.items()[0].item.location == "Room"  # type: ignore[union-attr]
    assert world.pending() == []


def test_a_no_to_what_the_older_rule_does_about_a_clash_is_not_planned_over_and_over() -> None:
    world, _, _ = paired(clash=Clash.CRM)
    world.activate(clash=Clash.CRM, fields={"title": FieldRule(outbound="'Busy'")})
    world.sync()
    clash(world)
    world.sync()
    reject(world.accord, [one.id for one in world.pending(Cause.HELD)])
    for full in (False, True):
        before = len(world.journal(step="clash"))
        report = world.sync(full=full)
        assert (report.error, report.writes, world.pending(Cause.RETRY)) == ("", 0, [])
        assert len(world.journal(step="clash")) <= before + 1
    assert world.titles() == (["CRM"], ["Mailbox"])
