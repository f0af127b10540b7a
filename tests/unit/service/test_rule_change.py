"""A rule just put into force: what follows from it is held, what has other causes goes on."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from accord.engine.plan import Hold
from accord.model.kinds import Side
from accord.model.parts import Privacy
from accord.rules.rule import Clash, Deletion, Deletions, FieldRule, Filters, Rule
from accord.service.decisions import approve, reject
from accord.service.undo import select, undo
from accord.state.codec import decode_step
from accord.state.records import Cause
from tests.unit.service.kit import CRM, GROUPWARE, World, event

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


def test_a_pair_goes_on_whose_rule_works_no_longer() -> None:
    world, record, _ = paired()
    former = Rule(name="r", kind=world.kind, filter=Filters(crm="gone(item.title)"))

    def turn_back() -> None:
        (pair,) = world.pairings()
        with world.state.begin() as tx:
            tx.pairings.put("alice", msgspec.structs.replace(pair, rule=tx.rules.put(former)))

    turn_back()
    world.person().edit(record, title="Renamed")
    assert world.sync(full=True).writes == 1
    assert world.titles() == (["Renamed"], ["Renamed"])
    turn_back()
    (entry,) = world.journal(step="update")
    undo(world.accord, select(world.accord, str(entry.id)))
    assert world.titles() == (["Review"], ["Review"])


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
