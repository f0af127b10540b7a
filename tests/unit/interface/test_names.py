"""A device's names mean what they meant only as long as it goes on: many give them out again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from accord.formats.syncml.message import Command
from accord.model.item import Contact, Mailto
from accord.model.kinds import Kind
from accord.model.observe import Seen
from tests.unit.interface.phone import Phone, card, status_for
from tests.unit.interface.world import World, make_world


@pytest.fixture(params=["memory", "database"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with make_world(request.param) as world:
        yield world


def break_off(phone: Phone, changes: Sequence[Command] | None = None, code: int = 201) -> None:
    """Begin a sync that ends after the device's first changes."""
    phone.begin(code)
    made = phone.changes(code) if changes is None else changes
    phone.post(*status_for(phone.reply), phone.sync_of(made), final=False)


def reset(phone: Phone, items: Mapping[str, str]) -> None:
    """Let the device forget all, and begin its names at the beginning."""
    phone.last, phone.before, phone.items = None, {}, dict(items)


def agree(world: World, phone: Phone, *names: str) -> None:
    assert (phone.names, world.names()) == (list(names), list(names))
    assert phone.sync() == 200
    assert not phone.codes
    assert (phone.names, world.names()) == (list(names), list(names))


def ref_of(world: World, name: str) -> str:
    with world.crm.open("anna") as session:
        pages = list(session.changes("", Kind.CONTACT, "", lambda _: {}))
    found = [one.snapshot for p in pages for one in p.observations if isinstance(one, Seen)]
    (ref,) = [s.ref for s in found if isinstance(s.item, Contact) and s.item.full_name == name]
    return ref


def test_a_name_given_again_is_another_item(world: World) -> None:
    phone = world.phone()
    phone.items["1"] = card("Grace Hopper", "g@example.com")
    phone.sync()
    phone.sync()
    reset(phone, {})
    break_off(phone)
    reset(phone, {"1": card("New Person", "n@example.com")})
    phone.sync(201)
    assert phone.codes == {"1": 201}
    agree(world, phone, "Grace Hopper", "New Person")
    phone.items["1"] = card("New Name", "n@example.com")
    phone.sync()
    agree(world, phone, "Grace Hopper", "New Name")


def test_a_name_given_again_after_all_was_forgotten_here(world: World) -> None:
    phone = world.phone()
    phone.items["1"] = card("Grace Hopper", "g@example.com")
    phone.sync()
    world.forget()
    reset(phone, {"1": card("New Person", "n@example.com")})
    phone.sync(201)
    agree(world, phone, "Grace Hopper", "New Person")


def mails(world: World) -> list[str]:
    with world.crm.open("anna") as session:
        pages = list(session.changes("", Kind.CONTACT, "", lambda _: {}))
    found = [one.snapshot.item for p in pages for one in p.observations if isinstance(one, Seen)]
    return sorted(each.address for one in found if isinstance(one, Contact) for each in one.mails)


def test_that_neither_has_a_name_makes_no_two_the_same(world: World) -> None:
    world.add(Contact(mails=(Mailto(address="grace@example.com"),)))
    phone = world.phone()
    phone.sync()
    (luid,) = phone.items
    reset(phone, {luid: card("", "new@example.com")})
    phone.sync(201)
    assert phone.codes == {luid: 201}
    assert mails(world) == ["grace@example.com", "new@example.com"]
    assert len(phone.items) == 2
    assert "new@example.com" in phone.items[luid]
    assert any("grace@example.com" in data for data in phone.items.values())


@pytest.mark.parametrize("renamed", [False, True])
def test_what_has_no_name_is_known_by_its_addresses(world: World, renamed: bool) -> None:
    phone = world.phone()
    both = {"1": card("", "a@example.com"), "2": card("", "b@example.com")}
    phone.items = dict(both)
    phone.sync()
    both = {luid: data.replace("END:", "NOTE:Met\r\nEND:") for luid, data in both.items()}
    if renamed:
        both = {"3": both["2"], "4": both["1"]}
    reset(phone, both)
    phone.sync(201)
    assert mails(world) == ["a@example.com", "b@example.com"]
    assert set(phone.items) == set(both)


def test_what_was_renamed_after_a_sync_broke_off_is_the_same_item(world: World) -> None:
    phone = world.phone()
    phone.items = {"1": card("Jo Lee"), "2": card("Ada L")}
    break_off(phone)
    phone.items["1"] = card("Joanna Leigh")
    phone.sync()
    agree(world, phone, "Ada L", "Joanna Leigh")
    (note,) = world.notes("conflict")
    assert b"Jo Lee" in (note.item or b"")


def test_what_the_crm_changed_after_a_sync_broke_off_comes_to_the_device(world: World) -> None:
    phone = world.phone()
    phone.items = {"1": card("Jo Lee")}
    break_off(phone)
    world.edit(ref_of(world, "Jo Lee"), full_name="Joanna Leigh", given="Joanna", family="Leigh")
    phone.sync()
    agree(world, phone, "Joanna Leigh")


def test_what_was_deleted_here_after_a_sync_broke_off_is_not_taken_for_another(
    world: World,
) -> None:
    phone = world.phone()
    phone.items = {"1": card("Jo Lee"), "2": card("Ada L")}
    break_off(phone)
    world.delete(ref_of(world, "Jo Lee"))
    phone.sync()
    agree(world, phone, "Ada L", "Jo Lee")


@pytest.mark.parametrize("edited", [False, True])
@pytest.mark.parametrize("code", [200, 201])
def test_what_the_crm_made_and_we_forgot_is_made_once(
    world: World, monkeypatch: pytest.MonkeyPatch, code: int, edited: bool
) -> None:
    """The process ends between the CRM's write and ours."""
    phone = world.phone()
    phone.items["0"] = card("Grace Hopper")
    if code == 200:
        phone.sync()
    phone.items["1"] = card("Ada Lovelace")
    before = dict(phone.items)

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("accord.interface.server.applying._keep", die)
        with pytest.raises(KeyboardInterrupt):
            break_off(phone, code=code)
    assert phone.items == before
    if edited:
        world.edit(ref_of(world, "Ada Lovelace"), full_name="Ada King", given="Ada", family="King")
    phone.sync()
    agree(world, phone, "Ada King" if edited else "Ada Lovelace", "Grace Hopper")


def test_what_was_made_for_one_is_not_given_to_two(world: World) -> None:
    """A copy takes what an earlier try made; the first one then gets one of its own."""
    phone = world.phone()
    phone.items = {"1": card("Jo Lee", "jo@example.com")}
    break_off(phone)
    world.forget()
    phone.items = {
        "2": card("Jo Lee", "jo@example.com"),
        "1": card("Jo Lee", "jo@example.com"),
    }
    phone.sync()
    agree(world, phone, "Jo Lee", "Jo Lee")
