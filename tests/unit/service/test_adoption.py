"""Another connector was here before: its items are paired by the mark it left, and stay theirs."""

from __future__ import annotations

from accord.service.removal import withdraw
from tests.unit.service.kit import World, event


def moved_here(adopt: str = "X-OLD-ID") -> World:
    """Return a world whose entries are on both sides, alike to nobody but the former connector."""
    world = World(groupware={"adopt": adopt})
    record = world.person().add(event("Review"))
    item = world.mailbox().add(event("Review (Northwind)"))
    world.mailbox().keep(item.ref, "X-OLD-ID", record.ref)
    return world


def test_its_items_are_paired_and_nothing_is_made_twice() -> None:
    world = moved_here()
    report = world.sync()
    assert report.paired == 1
    assert world.titles() == (["Review"], ["Review (Northwind)"])
    assert report.conflicts == 1, "both titles stay until somebody decides"
    (record,) = world.records()
    world.person().edit(record.ref, location="Room 5")
    world.sync()
    assert [getattr(one.item, "location", "") for one in world.items()] == ["Room 5"]


def test_without_the_setting_they_are_strangers() -> None:
    world = moved_here(adopt="")
    world.sync()
    assert world.titles() == (["Review", "Review (Northwind)"],) * 2


def test_a_withdrawal_leaves_them_where_they_were() -> None:
    world = moved_here()
    world.sync()
    assert not withdraw(world.accord, world.link()).error
    assert world.titles() == (["Review"], ["Review (Northwind)"])
    assert world.mailbox().kept(world.items()[0].ref)["X-OLD-ID"]
