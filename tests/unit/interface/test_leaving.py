"""What leaves the user's scope goes from devices that have it from the CRM, and from no other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from accord.crm.memory import MemoryCrm
from accord.model.item import Contact
from accord.model.kinds import Kind
from accord.state.device_items import Shelf
from tests.unit.interface.phone import Phone, card
from tests.unit.interface.world import World, make_world


@pytest.fixture
def world() -> Iterator[World]:
    with make_world() as world:
        yield world


def find(world: World, name: str) -> str:
    assert isinstance(world.crm, MemoryCrm)
    found = {
        one.item.full_name: one.ref
        for one in world.crm.person("anna").list(Kind.CONTACT)
        if isinstance(one.item, Contact)
    }
    return found[name]


def leave(world: World, name: str) -> str:
    """Take a contact out of anna's scope; return its ref."""
    assert isinstance(world.crm, MemoryCrm)
    ref = find(world, name)
    world.crm.person("anna").unshare(ref, "anna")
    return ref


def both(world: World) -> Phone:
    """Return a phone with one contact that it made and one that it got."""
    phone = world.phone()
    phone.items["1"] = card("Made There")
    world.add(Contact(full_name="Made Here"))
    phone.sync()
    assert phone.names == ["Made Here", "Made There"]
    return phone


def test_what_the_device_got_is_deleted_there(world: World) -> None:
    phone = both(world)
    leave(world, "Made Here")
    phone.sync()
    assert phone.names == ["Made There"]
    assert world.notes("unlinked") == []


def test_what_the_device_made_stays_there(world: World) -> None:
    phone = both(world)
    ref = leave(world, "Made There")
    phone.sync()
    assert phone.names == ["Made Here", "Made There"]
    (note,) = world.notes("unlinked")
    assert (note.luid, note.ref) == ("1", ref)
    assert note.why == "it left the user's scope; the device keeps what it made itself"
    with world.state.read() as tx:
        assert tx.device_items.by_luid(Shelf("anna", "phone-1", "addressbook"), ["1"]) == {}
    phone.sync()
    assert phone.names == ["Made Here", "Made There"]
    assert len(world.notes("unlinked")) == 1
    # From then on it is the person's own.
    phone.items["1"] = card("Made There Anew")
    phone.sync()
    assert phone.codes == {"1": 201}
    assert world.names() == ["Made Here", "Made There Anew"]


def test_what_was_deleted_in_the_crm_is_deleted_wherever_it_was_made(world: World) -> None:
    phone = both(world)
    assert isinstance(world.crm, MemoryCrm)
    person = world.crm.person("anna")
    for one in person.list(Kind.CONTACT):
        person.delete(one.ref)
    phone.sync()
    assert phone.names == []


@pytest.mark.parametrize("change", ["edited here", "edited there", "compared", "renamed"])
def test_who_made_it_is_known_whatever_became_of_it(world: World, change: str) -> None:
    phone = both(world)
    if change == "edited there":
        phone.items = {luid: data.replace("Made", "Once") for luid, data in phone.items.items()}
    elif change == "edited here":
        for name in world.names():
            ref = find(world, name)
            world.edit(ref, full_name=name.replace("Made", "Once"))
    elif change == "renamed":
        # It comes with another name for it, and only then takes the first one back.
        phone.items["own"] = phone.items.pop("1")
    phone.sync(201 if change in ("compared", "renamed") else 200)
    word = "Once" if change.startswith("edited") else "Made"
    assert phone.names == world.names() == [f"{word} Here", f"{word} There"]
    leave(world, f"{word} Here")
    leave(world, f"{word} There")
    phone.sync()
    assert phone.names == [f"{word} There"]


def test_what_another_device_made_is_deleted_from_this_one(world: World) -> None:
    one, other = both(world), world.phone("phone-2")
    other.sync()
    assert other.names == ["Made Here", "Made There"]
    leave(world, "Made There")
    one.sync()
    other.sync()
    assert one.names == ["Made Here", "Made There"]
    assert other.names == ["Made Here"]


def test_what_it_got_and_named_only_later_is_deleted_there(world: World) -> None:
    phone = world.phone()
    phone.sync()
    world.add(Contact(full_name="Made Here"))
    phone.sync(lose_map=True)
    phone.items.clear()
    phone.maps, phone.part = {}, ""
    phone.sync()
    assert phone.names == ["Made Here"]
    leave(world, "Made Here")
    phone.sync()
    assert phone.names == []


def test_of_what_nobody_remembers_nothing_is_deleted(world: World) -> None:
    phone = both(world)
    world.forget()
    phone.sync()
    leave(world, "Made Here")
    phone.sync()
    assert phone.names == ["Made Here", "Made There"]


def test_what_leaves_just_before_it_is_sent_stays_all_the_same(world: World) -> None:
    phone = world.phone(max_message=9_000)
    phone.items = {str(n): card(f"Number{n} Family") for n in range(20)}
    phone.sync()
    for name in world.names():
        world.edit(find(world, name), notes="x" * 1_000)
    phone.begin()
    reply = phone.send_changes(200)
    assert not reply.final
    told = repr(reply)
    waiting = [luid for luid in phone.items if f"Number{luid} Family" not in told]
    leave(world, f"Number{waiting[-1]} Family")
    phone.take_changes(reply)
    phone.post(*phone.statuses)
    assert len(phone.items) == 20
    assert [note.luid for note in world.notes("unlinked")] == [waiting[-1]]
