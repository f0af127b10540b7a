"""Deciding a conflict: the winner's values travel, and whatever else still had to, with them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from accord.model.item import Event
from accord.model.kinds import Direction, Side
from accord.ports.errors import ConfigError
from accord.rules.rule import Clash, FieldRule, GuardLimits, OneWay
from accord.service.decisions import approve, reject, resolve
from accord.state.records import Cause
from tests.unit.service.kit import CRM, GROUPWARE, World, event


@pytest.mark.parametrize("winner", Side)
@pytest.mark.parametrize("editor", Side)
def test_a_decision_takes_no_other_edit_with_it(winner: Side, editor: Side) -> None:
    world = World(rule={"clash": Clash.HOLD})
    record = world.person().add(event()).ref
    world.sync()
    (item,) = world.items()
    world.person().edit(record, title="CRM")
    world.mailbox().edit(item.ref, title="Mailbox")
    world.sync()
    (open_,) = world.pending(Cause.CONFLICT)
    hand, ref = (world.person(), record) if editor is CRM else (world.mailbox(), item.ref)
    hand.edit(ref, location="Room 5")
    assert not resolve(world.accord, open_.id, winner).error
    world.sync()
    here: Any = world.person().get(record).item
    there: Any = world.mailbox().get(item.ref).item
    assert here.location == there.location == "Room 5"
    assert here.title == there.title == ("CRM" if winner is CRM else "Mailbox")


def clashed(**rule: Any) -> tuple[World, str, str]:
    """Return a world with an open conflict about a title, and the refs of both items."""
    world = World(rule={"clash": Clash.HOLD, "direction": Direction.BOTH, **rule})
    record = world.person().add(event(location="Here")).ref
    world.sync()
    (item,) = world.items()
    world.person().edit(record, title="CRM")
    world.mailbox().edit(item.ref, title="Mailbox")
    world.sync()
    return world, record, item.ref


@pytest.mark.parametrize("winner", Side)
@pytest.mark.parametrize("said_no", [False, True])
def test_what_a_changed_rule_brings_waits_on_beside_a_decision(winner: Side, said_no: bool) -> None:
    outbound = FieldRule(direction=Direction.OUTBOUND, one_way=OneWay.IGNORE)
    world, record, item = clashed(fields={"location": outbound})
    world.activate(clash=Clash.HOLD, direction=Direction.BOTH)
    world.mailbox().edit(item, location="Room")
    world.sync()
    (held,) = world.pending(Cause.HELD)
    if said_no:
        reject(world.accord, [held.id])
    (open_,) = world.pending(Cause.CONFLICT)
    report = resolve(world.accord, open_.id, winner)
    assert (report.error, report.writes) == ("", 1)
    title = "CRM" if winner is CRM else "Mailbox"
    assert world.titles() == ([title], [title])
    assert world.pending(Cause.CONFLICT) == []
    for full in (None, False, True):
        if full is not None:
            world.sync(full=full)
        assert world.person().get(record).item.location == "Here"  # type: ignore[union-attr]
        (held,) = world.pending(Cause.HELD)
        assert held.refused is said_no
    approve(world.accord, [held.id])
    for changed in world.pending(Cause.HELD):  # The record has changed since somebody said no.
        approve(world.accord, [changed.id])
    assert world.person().get(record).item.location == "Room"  # type: ignore[union-attr]
    assert world.pending() == []


@pytest.mark.parametrize("winner", Side)
def test_a_changed_rule_does_not_carry_what_a_decision_brings(winner: Side) -> None:
    world, _, _ = clashed()
    ways = {CRM: FieldRule(outbound="'Busy'"), GROUPWARE: FieldRule(inbound="'IN ' + value")}
    world.activate(clash=Clash.HOLD, direction=Direction.BOTH, fields={"title": ways[winner]})
    (open_,) = world.pending(Cause.CONFLICT)
    assert not resolve(world.accord, open_.id, winner).error
    wanted = "CRM" if winner is CRM else "Mailbox"
    assert world.titles() == ([wanted], [wanted])
    (held,) = world.pending()
    assert held.cause is Cause.HELD
    approve(world.accord, [held.id])
    brought = (["CRM"], ["Busy"]) if winner is CRM else (["IN Mailbox"], ["Mailbox"])
    assert world.titles() == brought


def test_what_a_guard_holds_stops_a_decision_until_somebody_agrees() -> None:
    world, record, item = clashed(guard=GuardLimits(updates=0))
    world.mailbox().edit(item, location="Room")
    assert world.sync().held == 1
    (open_,) = world.pending(Cause.CONFLICT)
    with pytest.raises(ConfigError, match="would carry out what is held"):
        resolve(world.accord, open_.id, GROUPWARE)
    assert resolve(world.accord, open_.id, GROUPWARE, dry=True).error == ""
    assert world.person().get(record).item.location == "Here"  # type: ignore[union-attr]
    assert resolve(world.accord, open_.id, GROUPWARE, held=True).writes == 1
    assert world.person().get(record).item.location == "Room"  # type: ignore[union-attr]
    assert world.pending() == []


@pytest.mark.parametrize("winner", Side)
@pytest.mark.parametrize("way", ["inbound", "outbound"])
def test_where_the_rule_fails_it_is_said_and_nothing_is_written(winner: Side, way: str) -> None:
    """Once the item is mended all edits travel, and the conflict can be decided."""
    fails: dict[str, Any] = {"inbound": "value", "outbound": "value"}
    fails[way] += " + (1 / (size(item.location) - 5) > 9 ? '!' : '')"
    world, record, item = clashed(fields={"title": FieldRule(**fails)})
    world.person().edit(record, location="Fiver")
    world.mailbox().edit(item, location="Fiver", priority=3)
    (open_,) = world.pending(Cause.CONFLICT)
    report = resolve(world.accord, open_.id, winner)
    assert "the rule can't be applied" in report.error
    assert (report.action, report.writes) == (ConfigError.action, 0)
    assert [each.id for each in world.pending(Cause.CONFLICT)] == [open_.id]
    world.person().edit(record, location="Mended")
    world.mailbox().edit(item, location="Mended")
    world.sync()
    assert not resolve(world.accord, open_.id, winner).error
    world.sync(full=True)
    (here,), (there,) = world.records(), world.items()
    assert here.item == msgspec.structs.replace(there.item, uid=here.item.uid)
    assert isinstance(here.item, Event)
    assert here.item.priority == 3
    assert world.pending() == []
