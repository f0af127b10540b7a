"""What a device didn't get this time, for whatever reason, comes with a later sync."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from accord.crm.memory.session import MemorySession
from accord.formats.syncml import message as m
from accord.formats.syncml.version import Version
from accord.model.item import Contact
from accord.model.observe import Observation, Unknown
from accord.state.device_items import Shelf
from tests.unit.interface.phone import CARD, Phone, card, status_for
from tests.unit.interface.world import World, make_world


@pytest.fixture
def world() -> Iterator[World]:
    with make_world() as world:
        yield world


@contextmanager
def unreadable(ref: str, version: str = "") -> Iterator[None]:
    """Let the CRM be unable to read a record."""
    observe = MemorySession._observe

    def odd(self: MemorySession, asked: str, known: str | None) -> Observation:
        if asked == ref:
            return Unknown(ref, "it is damaged", version)
        return observe(self, asked, known)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemorySession, "_observe", odd)
        yield


def sent(phone: Phone, since: int) -> list[m.Command]:
    syncs = [c for reply in phone.seen[since:] for c in reply.body if isinstance(c, m.Sync)]
    return [command for sync in syncs for command in sync.commands]


def quiet(phone: Phone) -> bool:
    since = len(phone.seen)
    return phone.sync() == 200 and not sent(phone, since)


@pytest.mark.parametrize("code", [200, 201, 203, 204, 205])
def test_a_new_item_that_could_not_be_read_once_comes_later(world: World, code: int) -> None:
    phone = world.phone()
    phone.items["1"] = card("Ada Lovelace")
    phone.sync()
    ref = world.add(Contact(full_name="Grace Hopper"))
    with unreadable(ref):
        assert phone.sync(code) == code
        assert phone.names == ["Ada Lovelace"]
        phone.sync()
    assert phone.names == ["Ada Lovelace"]
    assert {note.ref for note in world.notes("unsent")} == {ref}
    assert phone.sync() == 200
    assert phone.names == world.names() == ["Ada Lovelace", "Grace Hopper"]
    assert quiet(phone)


def test_a_change_that_could_not_be_read_once_comes_later(world: World) -> None:
    phone, ref = world.phone(), world.add(Contact(full_name="Grace Hopper"))
    phone.sync()
    world.edit(ref, full_name="Grace Murray")
    with unreadable(ref):
        phone.sync()
    assert phone.names == ["Grace Hopper"]
    phone.sync()
    assert phone.names == ["Grace Murray"]
    assert quiet(phone)


def test_what_the_device_has_as_it_is_needs_no_reading(world: World) -> None:
    phone, ref = world.phone(), world.add(Contact(full_name="Grace Hopper"))
    phone.sync()
    shelf = Shelf("anna", "phone-1", "addressbook")
    with world.state.begin() as tx:
        version = tx.device_items.known(shelf, [ref])[ref]
    list_all(world)
    with unreadable(ref, version):
        phone.sync()
    assert not world.notes("unsent")
    phone.items = {luid: card("Grace Murray") for luid in phone.items}
    phone.sync()
    assert world.names() == ["Grace Murray"]


def list_all(world: World) -> None:
    """Let the next sync be one whose listing is complete."""
    shelf = Shelf("anna", "phone-1", "addressbook")
    with world.state.begin() as tx:
        anchors = tx.device_anchors.get(shelf)
        assert anchors is not None
        tx.device_anchors.put(shelf, replace(anchors, cursor=""))


@pytest.mark.parametrize("syncs", [1, 2])
def test_an_edit_of_what_could_not_be_read_once_is_no_conflict(world: World, syncs: int) -> None:
    phone, ref = world.phone(), world.add(Contact(full_name="Grace Hopper"))
    phone.sync()
    list_all(world)
    before = dict(phone.items)
    phone.items = {luid: card("Grace Murray") for luid in phone.items}
    with unreadable(ref):
        for _ in range(syncs):
            assert phone.sync() == 200
            assert [*phone.codes.values()] == [506]
            phone.before = before
    assert {note.ref for note in world.notes("unsent")} == {ref}
    assert phone.sync() == 200
    assert [*phone.codes.values()] == [200]
    assert phone.names == world.names() == ["Grace Murray"]
    assert not world.notes("conflict")
    assert quiet(phone)


def test_what_can_be_read_again_at_once_is_not_put_over_the_edit(world: World) -> None:
    phone, ref = world.phone(), world.add(Contact(full_name="Grace Hopper"))
    phone.sync()
    list_all(world)
    before = dict(phone.items)
    phone.items = {luid: card("Grace Murray") for luid in phone.items}
    changes, observe, seen = MemorySession.changes, MemorySession._observe, [False]

    def listed(*arguments: Any) -> list[Any]:
        pages = list(changes(*arguments))
        seen[0] = True
        return pages

    def odd(self: MemorySession, asked: str, known: str | None) -> Observation:
        return observe(self, asked, known) if seen[0] else Unknown(ref, "it is damaged", "")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemorySession, "changes", listed)
        patch.setattr(MemorySession, "_observe", odd)
        assert phone.sync() == 200
    assert [*phone.codes.values()] == [506]
    assert phone.names == ["Grace Murray"]
    phone.before = before
    phone.sync()
    assert phone.names == world.names() == ["Grace Murray"]
    assert not world.notes("conflict")


def test_a_change_behind_what_could_not_be_read_comes_later(world: World) -> None:
    phone, ref = world.phone(), world.add(Contact(full_name="Grace Hopper"))
    phone.sync()
    list_all(world)
    world.edit(ref, full_name="Grace Murray")
    with unreadable(ref):
        phone.sync()
        phone.sync()
    assert phone.names == ["Grace Hopper"]
    phone.sync()
    assert phone.names == ["Grace Murray"]
    assert quiet(phone)


@pytest.mark.parametrize("code", [201, 203])
def test_what_the_device_has_of_what_could_not_be_read_is_no_new_item(
    world: World, code: int
) -> None:
    phone, ref = world.phone(), world.add(Contact(full_name="Grace Hopper"))
    world.add(Contact(full_name="Ada Lovelace"))
    phone.sync()
    luid = phone.luid("Grace Hopper")
    with unreadable(ref):
        assert phone.sync(code) == code
    assert phone.codes[luid] == 506
    for _ in range(2):
        assert phone.sync() == 200
        assert phone.names == world.names() == ["Ada Lovelace", "Grace Hopper"]
    assert quiet(phone)
    phone.items[luid] = card("Grace Murray")
    phone.sync()
    assert phone.names == world.names() == ["Ada Lovelace", "Grace Murray"]
    assert not world.notes("conflict")


@pytest.mark.parametrize("known", [False, True])
def test_what_was_too_large_once_comes_when_there_is_room(world: World, known: bool) -> None:
    ref = world.add(Contact(full_name="Grace Hopper"))
    phone = world.phone(max_object=2_000)
    if known:
        phone.sync()
    world.edit(ref, notes="x" * 5_000)
    for _ in range(2):
        phone.sync()
        assert phone.names == ["Grace Hopper"] * known
        assert "xxx" not in "".join(phone.items.values())
    phone.max_object = 20_000
    phone.sync()
    assert phone.names == ["Grace Hopper"]
    assert "xxx" in "".join(phone.items.values())
    assert quiet(phone)


def test_what_did_not_fit_into_a_message_of_old_comes_when_it_does(world: World) -> None:
    world.add(Contact(full_name="Grace Hopper", notes="x" * 8_000))
    phone = world.phone(version=Version.V1_0, max_message=6_000)
    phone.sync()
    assert phone.names == []
    phone.max_message = 60_000
    phone.sync()
    assert phone.names == ["Grace Hopper"]
    assert quiet(phone)


def end(phone: Phone, *answers: m.Command) -> None:
    """End the session with nothing but these answers to what the server sent."""
    phone.post(*answers)
    phone.maps, phone.last, phone.before = {}, phone.following, dict(phone.items)


def get_one_of_each(world: World) -> tuple[Phone, m.Message, str, str]:
    """Begin a sync in which the server sends an edit, a deletion and a new contact.

    Return the phone, the message, and the refs of the edited and of the deleted one.
    """
    edited = world.add(Contact(full_name="Grace Hopper"))
    gone = world.add(Contact(full_name="Ada Lovelace"))
    phone = world.phone()
    phone.sync()
    world.edit(edited, full_name="Grace Murray")
    world.delete(gone)
    world.add(Contact(full_name="Lise Meitner"))
    phone.begin(200)
    return phone, phone.send_changes(200), edited, gone


def test_what_the_device_never_answered_comes_again(world: World) -> None:
    phone, reply, edited, gone = get_one_of_each(world)
    assert len(sent(phone, -1)) == 3
    end(phone, status_for(reply)[0])
    assert {note.ref for note in world.notes("unsent")} == {edited, gone}
    assert phone.sync() == 200
    assert phone.names == world.names() == ["Grace Murray", "Lise Meitner"]
    assert quiet(phone)


@pytest.mark.parametrize("what", [m.Add, m.Replace, m.Delete])
@pytest.mark.parametrize("code", [420, 500])
def test_what_the_device_refuses_comes_again(
    world: World, what: type[m.Command], code: int
) -> None:
    phone, reply, _, _ = get_one_of_each(world)
    phone.take_changes(reply, lambda command: code if isinstance(command, what) else None)
    end(phone, *phone.statuses, *([phone.map_of(phone.maps)] if phone.maps else []))
    assert phone.names != world.names()
    (note,) = world.notes("unsent")
    assert str(code) in note.why
    assert phone.sync() == 200
    assert phone.names == world.names() == ["Grace Murray", "Lise Meitner"]
    assert quiet(phone)


@pytest.mark.parametrize("known", [False, True])
def test_what_the_device_refuses_in_the_middle_comes_again(world: World, known: bool) -> None:
    ref = world.add(Contact(full_name="Grace Hopper")) if known else ""
    phone = world.phone(max_message=6_000)
    phone.sync()
    if known:
        world.edit(ref, notes="x y " * 5_000)
    else:
        world.add(Contact(full_name="Grace Hopper", notes="x y " * 5_000))
    phone.begin(200)
    phone.take_changes(phone.send_changes(200), lambda _: 420)
    end(phone, *phone.statuses)
    assert "x y" not in "".join(phone.items.values())
    assert phone.sync() == 200
    assert phone.names == ["Grace Hopper"]
    assert "x y" in "".join(phone.items.values())
    assert quiet(phone)


def test_what_has_no_type_for_the_device_comes_when_it_has(world: World) -> None:
    world.add(Contact(full_name="Grace Hopper"))
    phone = world.phone(media_type="text/x-odd")
    phone.sync()
    assert phone.names == []
    phone.media_type = CARD
    assert phone.sync() == 200
    assert phone.names == ["Grace Hopper"]
    assert quiet(phone)


def test_what_was_named_was_taken_though_not_answered(world: World) -> None:
    phone = world.phone()
    phone.sync()
    world.add(Contact(full_name="Grace Hopper"))
    phone.begin(200)
    reply = phone.take_changes(phone.send_changes(200))
    end(phone, status_for(reply)[0], phone.map_of(phone.maps))
    assert quiet(phone)
    assert phone.names == ["Grace Hopper"]
    assert not world.notes("unsent")


def test_an_answer_that_comes_after_the_end_counts(world: World) -> None:
    phone, ref = world.phone(), world.add(Contact(full_name="Grace Hopper"))
    phone.sync()
    world.edit(ref, full_name="Grace Murray")
    phone.begin(200)
    reply = phone.take_changes(phone.send_changes(200))
    end(phone, status_for(reply)[0])
    phone.post(*phone.statuses)
    assert quiet(phone)
    assert phone.names == ["Grace Murray"]
