"""Messages and commands in the wrong order: a clear status each, nothing done, nothing lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from accord.formats.syncml import message as m
from accord.formats.syncml.message import Anchor, Item, Location, Meta
from accord.model.item import Contact
from tests.unit.interface.phone import CARD, Phone, card, codes, header_status, status_for
from tests.unit.interface.world import World, make_world


@pytest.fixture
def world() -> Iterator[World]:
    with make_world() as world:
        world.add(Contact(full_name="Grace Hopper"))
        yield world


def add(luid: str, name: str) -> m.Add:
    items = (Item(source=Location(luid), data=card(name)),)
    return m.Add(cmd_id="1", meta=Meta(type=CARD), items=items)


def alert(store: str, code: int = 200) -> m.Alert:
    meta = Meta(anchor=Anchor("n"))
    item = Item(target=Location(store), source=Location(f"./{store}"), meta=meta)
    return m.Alert(cmd_id="1", code=code, items=(item,))


def strays(world: World) -> list[tuple[str, str, str]]:
    """Return what the log says was refused outside of any sync: store, name, reason."""
    with world.state.read() as tx:
        found = tx.sync_log.refused()
    return [(sync.store, note.luid, note.why) for sync, note in found if not sync.mode]


def goes_on(world: World, phone: Phone) -> bool:
    """Tell whether the device's next sync is whole."""
    phone.items = {"7": card("Emmy Noether")}
    phone.sync()
    return phone.names == world.names()


def test_changes_of_a_store_that_was_not_alerted(world: World) -> None:
    phone = world.phone()
    phone.begin()
    sync = m.Sync(cmd_id="1", target=Location("calendar"), commands=(add("1", "Ada"),))
    reply = phone.post(*status_for(phone.reply), sync, phone.sync_of([add("2", "Lise")]))
    assert (codes(reply, "Sync"), codes(reply, "Add")) == ([404, 200], [404, 201])
    assert strays(world) == [("calendar", "1", "no sync of this store was begun")]
    assert world.names() == ["Grace Hopper", "Lise"]
    assert goes_on(world, phone)


def test_changes_after_the_end_of_ones_package(world: World) -> None:
    phone = world.phone()
    phone.begin(201)
    reply = phone.send_changes(201)
    reply = phone.post(*status_for(reply), phone.sync_of([add("1", "Ada")]))
    assert (codes(reply, "Sync"), codes(reply, "Add")) == ([405], [405])
    assert strays(world) == [
        ("addressbook", "1", "it came after the device had said that it was done")
    ]
    assert world.names() == ["Grace Hopper"]
    assert goes_on(world, phone)


def test_an_alert_in_the_middle_of_changes(world: World) -> None:
    phone = world.phone()
    phone.begin(201)
    body = phone.sync_of([add("1", "Ada")])
    reply = phone.post(*status_for(phone.reply), body, alert("calendar"), final=False)
    assert (codes(reply, "Add"), codes(reply, "Alert")) == ([201], [405])
    assert goes_on(world, phone)


def test_a_store_that_is_alerted_twice(world: World) -> None:
    phone = world.phone()
    reply = phone.begin(201, alert("addressbook", 203))
    assert codes(reply, "Alert") == [200, 412]
    phone.take_changes(phone.send_changes(201))
    assert world.names() == ["Grace Hopper"], "nothing was refreshed away"
    assert goes_on(world, phone)


def test_everything_after_the_end(world: World) -> None:
    phone = world.phone()
    phone.sync()
    before = world.names()
    reply = phone.post(alert("addressbook"), phone.sync_of([add("1", "Ada")]), phone.map_of({}))
    assert (codes(reply, "Alert"), codes(reply, "Sync")) == ([405], [405])
    assert world.names() == before
    assert goes_on(world, phone)


def test_a_session_that_begins_in_the_middle(world: World) -> None:
    phone = world.phone()
    phone.sync()
    phone.session, phone.number = 77, 5
    reply = phone.post(phone.sync_of([add("1", "Ada")]), phone.map_of({"contact-1": "9"}))
    assert header_status(reply).code == 407
    assert (codes(reply, "Sync"), codes(reply, "Map")) == ([407], [407])
    assert goes_on(world, phone)


def test_a_message_before_the_last_one_comes_again(world: World) -> None:
    phone = world.phone()
    phone.begin(201)
    phone.number += 1
    first = phone.message(*status_for(phone.reply), phone.sync_of([add("1", "Ada")]), final=False)
    phone.again(first)
    phone.post(phone.sync_of([add("2", "Lise")]), final=False)
    assert codes(phone.again(first), "Add") == [200]
    assert world.names() == ["Ada", "Grace Hopper", "Lise"], "it is known under its name"
    assert goes_on(world, phone)


def test_numbers_of_messages_that_jump(world: World) -> None:
    phone = world.phone()
    phone.begin(201)
    phone.number = 40
    assert header_status(phone.send_changes(201)).code == 200
    message = replace(phone.sent[-1].header, msg_id="nonsense")
    reply = phone.again(m.Message(header=message, final=False))
    assert reply.header.msg_id == "nonsense"
    assert goes_on(world, phone)
