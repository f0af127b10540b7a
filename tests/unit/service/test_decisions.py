"""Deciding a conflict: the winner's values travel, and whatever else still had to, with them."""

from __future__ import annotations

from typing import Any

import pytest

from accord.model.kinds import Side
from accord.rules.rule import Clash
from accord.service.decisions import resolve
from accord.state.records import Cause
from tests.unit.service.kit import CRM, World, event


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
