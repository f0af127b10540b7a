"""A client refreshes the server: what it lacks goes, unless something of it didn't arrive."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from accord.formats.syncml import message as m
from accord.formats.syncml.message import Item, Location, Meta
from accord.model.item import Contact
from tests.unit.interface.phone import CARD, Phone, card, codes, status_for
from tests.unit.interface.world import World, make_world


@pytest.fixture
def world() -> Iterator[World]:
    with make_world() as world:
        world.add(Contact(full_name="Grace Hopper", notes="found the first bug"))
        yield world


def add(luid: str, data: str, *, more: bool = False, size: int | None = None) -> m.Add:
    meta = None if size is None else Meta(size=size)
    item = Item(source=Location(luid), data=data, more_data=more, meta=meta)
    return m.Add(cmd_id="1", meta=Meta(type=CARD), items=(item,))


def refresh(phone: Phone, *changes: m.Add, expected: int | None = None) -> list[int]:
    """Let the device send all it has; return how it was answered."""
    phone.begin(203)
    made = replace(phone.sync_of(changes), number_of_changes=expected)
    reply = phone.post(*status_for(phone.reply), made)
    phone.take_changes(reply)
    phone.post(*phone.statuses)
    phone.items = {c.items[0].source.uri: str(c.items[0].data) for c in changes}  # type: ignore[union-attr]
    phone.last, phone.before = phone.following, dict(phone.items)
    return codes(reply, "Add")


ADA = add("2", card("Ada Lovelace"))
TEXT = card("Grace Hopper")
TOO_SHORT = add("1", TEXT[:20], more=True, size=999)


@pytest.mark.parametrize(
    ("changes", "expected", "answers", "why"),
    [
        ([add("1", "nonsense"), ADA], None, [400, 201], "status 400"),
        ([TOO_SHORT, add("1", TEXT[20:]), ADA], None, [213, 424, 201], "status 424"),
        ([TOO_SHORT, ADA], None, [213, 201], "end"),
        ([ADA, TOO_SHORT], None, [201, 213], "end"),
        ([ADA], 2, [201], "1 of 2"),
    ],
)
def test_nothing_is_taken_away_where_something_did_not_arrive(
    world: World, changes: list[m.Add], expected: int | None, answers: list[int], why: str
) -> None:
    phone = world.phone()
    assert refresh(phone, *changes, expected=expected) == answers
    assert world.names() == ["Ada Lovelace", "Grace Hopper"]
    (note,) = [n for n in world.notes("refused") if "taken away" in n.why]
    assert why in note.why
    phone.items = {"2": card("Ada Lovelace")}
    phone.before = dict(phone.items)
    phone.sync()
    assert phone.names == world.names() == ["Ada Lovelace", "Grace Hopper"]


@pytest.mark.parametrize("crm", ["memory", "database"])
@pytest.mark.parametrize("code", [202, 203])
def test_what_a_merge_leaves_in_the_crm_comes_with_the_next_sync(crm: str, code: int) -> None:
    with make_world(crm) as world:
        world.add(Contact(full_name="Grace Hopper"))
        world.add(Contact(full_name="Lise Meitner"))
        phone = world.phone()
        phone.items = {"2": card("Ada Lovelace")}
        phone.sync()
        assert phone.sync() == 200
        phone.items = {"2": card("Ada Lovelace")}
        if code == 203:
            assert refresh(phone, add("1", "nonsense"), ADA) == [400, 200]
            phone.items = {"2": card("Ada Lovelace")}
            phone.before = dict(phone.items)
        else:
            phone.last = None
            assert phone.sync(202) == 203
        assert phone.names == ["Ada Lovelace"]
        assert phone.sync() == 200
        everybody = ["Ada Lovelace", "Grace Hopper", "Lise Meitner"]
        assert phone.names == world.names() == everybody
        assert phone.sync() == 200
        assert phone.names == world.names() == everybody


def test_an_item_given_up_by_the_device_spoils_its_refresh_too(world: World) -> None:
    phone = world.phone()
    phone.begin(203)
    part = phone.sync_of([add("1", TEXT[:20], more=True, size=len(TEXT)), ADA][:1])
    phone.post(*status_for(phone.reply), part, final=False)
    phone.post(m.Alert(cmd_id="1", code=223), phone.sync_of([ADA]))
    assert world.names() == ["Ada Lovelace", "Grace Hopper"]


@pytest.mark.parametrize("expected", [None, 2])
def test_what_the_device_lacks_goes_where_all_arrived(world: World, expected: int | None) -> None:
    parts = [add("1", TEXT[:20], more=True, size=len(TEXT)), add("1", TEXT[20:])]
    world.add(Contact(full_name="Lise Meitner"))
    assert refresh(world.phone(), *parts, ADA, expected=expected) == [213, 200, 201]
    assert world.names() == ["Ada Lovelace", "Grace Hopper"]
    assert not world.notes("refused")
