"""A sync that broke off and is resumed: in its own mode, and nothing is sent or done twice.

The device does as OMA-TS-DS_Protocol-V1_2 says: it sends what was not answered, its names first.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from accord.formats.syncml import message as m
from accord.formats.syncml.message import Item, Location, Meta
from accord.formats.syncml.version import Version
from accord.model.item import Contact
from tests.unit.interface.phone import CARD, Phone, alert_of, card, codes, status_for
from tests.unit.interface.world import World, make_world


@pytest.fixture(params=["memory", "database"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with make_world(request.param) as world:
        yield world


def add(luid: str, data: str, *, more: bool = False, size: int | None = None) -> m.Add:
    meta = None if size is None else Meta(size=size)
    item = Item(source=Location(luid), data=data, more_data=more, meta=meta)
    return m.Add(cmd_id="1", meta=Meta(type=CARD), items=(item,))


def suspend(phone: Phone) -> None:
    """Say nothing more, as libsynthesis does: a message with the header's status alone."""
    phone.post(status_for(phone.seen[-1])[0], final=False)


def break_off(phone: Phone, *body: m.Command, final: bool = False) -> m.Message:
    """Say in so many words, and beside other things, that there is no time for more."""
    return phone.post(*body, m.Alert(cmd_id="1", code=224), final=final)


def finish(phone: Phone, reply: m.Message) -> None:
    """Take what the server sends, and end the session."""
    phone.take_changes(reply)
    phone.post(*phone.statuses, *([phone.map_of(phone.maps)] if phone.maps else []))
    phone.maps, phone.last, phone.before = {}, phone.following, dict(phone.items)


def sent(phone: Phone, since: int = 0) -> list[m.Command]:
    """Return what the server has sent of items."""
    syncs = [c for reply in phone.seen[since:] for c in reply.body if isinstance(c, m.Sync)]
    return [command for sync in syncs for command in sync.commands]


def quiet(phone: Phone) -> bool:
    """Tell whether a further sync is two-way and has nothing to say."""
    since = len(phone.seen)
    return phone.sync() == 200 and not sent(phone, since) and not phone.codes


def test_a_slow_sync_goes_on_where_it_was(world: World) -> None:
    for number in range(5):
        world.add(Contact(full_name=f"Crm {number}"))
    phone = world.phone()
    phone.items = {str(n): card(f"Phone {n}") for n in range(20)}
    phone.begin(201)
    some = phone.changes(201)
    phone.post(*status_for(phone.reply), phone.sync_of(some[:12]), final=False)
    suspend(phone)
    reply = phone.begin(225)
    assert (codes(reply, "Alert"), alert_of(reply).code) == ([200], 201)
    reply = phone.post(*status_for(reply), phone.sync_of(some[12:]))
    assert codes(reply, "Add") == [201] * 8
    finish(phone, reply)
    assert len(sent(phone)) == 5, "what the device has is not sent back"
    assert phone.names == world.names()
    assert len(phone.names) == 25
    assert quiet(phone)


def test_what_the_device_took_before_is_not_sent_again(world: World) -> None:
    for number in range(40):
        world.add(Contact(full_name=f"Crm {number:02}", notes="word " * 60))
    phone = world.phone(max_message=6_000)
    phone.begin(201)
    reply = phone.post(*status_for(phone.reply), phone.sync_of([]))
    for _ in range(2):
        phone.statuses = [*phone._apply(reply, lambda _: None)]
        names = phone.map_of(phone.maps)
        reply = phone.post(*phone.statuses, names, final=False)
        phone.maps = {}
    taken = len(phone.items)
    assert 0 < taken < 40
    suspend(phone)
    since = len(phone.seen)
    reply = phone.begin(225)
    assert (codes(reply, "Alert"), alert_of(reply).code) == ([200], 201)
    finish(phone, phone.post(*status_for(reply), phone.sync_of([])))
    assert phone.names == world.names()
    assert len(sent(phone, since)) == 40 - taken
    assert quiet(phone)


def test_a_name_that_was_lost_with_the_session_comes_first(world: World) -> None:
    world.add(Contact(full_name="Grace Hopper"))
    phone = world.phone()
    phone.begin(201)
    reply = phone.post(*status_for(phone.reply), phone.sync_of([]))
    phone.statuses = [*phone._apply(reply, lambda _: None)]
    suspend(phone)
    reply = phone.begin(225)
    names, phone.maps = phone.map_of(phone.maps), {}
    reply = phone.post(*status_for(reply), names, phone.sync_of([]))
    finish(phone, reply)
    assert phone.names == world.names() == ["Grace Hopper"]
    assert quiet(phone)


@pytest.mark.parametrize("mode", [200, 201])
@pytest.mark.parametrize("final", [False, True])
def test_what_the_device_took_counts_when_it_says_so_last(
    world: World, mode: int, final: bool
) -> None:
    phone = world.phone()
    phone.sync()
    world.add(Contact(full_name="Grace Hopper"))
    world.add(Contact(full_name="Ada Lovelace"))
    phone.begin(mode)
    reply = phone.post(*status_for(phone.reply), phone.sync_of([]))
    phone.statuses = [*phone._apply(reply, lambda _: None)]
    reply = break_off(phone, *phone.statuses, phone.map_of(phone.maps), final=final)
    assert (codes(reply, "Map"), codes(reply, "Alert")) == ([200], [200])
    phone.maps, since = {}, len(phone.seen)
    reply = phone.begin(225)
    assert (codes(reply, "Alert"), alert_of(reply).code) == ([200], mode)
    finish(phone, phone.post(*status_for(reply), phone.sync_of([])))
    assert phone.names == world.names() == ["Ada Lovelace", "Grace Hopper"]
    assert not sent(phone, since)
    assert quiet(phone)


@pytest.mark.parametrize("mode", [200, 201])
def test_what_the_device_says_last_is_done_and_answered(world: World, mode: int) -> None:
    world.add(Contact(full_name="Grace Hopper"))
    phone = world.phone()
    phone.sync()
    phone.items |= {str(n): card(f"Phone {n}") for n in range(4)}
    phone.begin(mode)
    some = phone.changes(mode)
    reply = break_off(phone, *status_for(phone.reply), phone.sync_of(some[:2]))
    assert (codes(reply, "Sync"), codes(reply, "Alert")) == ([200], [200])
    assert len(codes(reply, "Add")) == 2
    assert not [c for c in reply.body if not isinstance(c, m.Status)]
    reply = phone.post(phone.sync_of(some[2:]))
    assert codes(reply, "Sync") == [405], "who broke off begins anew"
    reply = phone.begin(225)
    assert (codes(reply, "Alert"), alert_of(reply).code) == ([200], mode)
    finish(phone, phone.post(*status_for(reply), phone.sync_of(some[2:])))
    assert phone.names == world.names()
    assert len(phone.names) == 5
    assert quiet(phone)


def test_who_breaks_off_gets_the_answers_that_are_owed(world: World) -> None:
    phone = world.phone(max_message=6_000)
    phone.items = {str(n): card(f"Phone {n:03}") for n in range(60)}
    phone.begin(201)
    some = phone.changes(201)
    first = phone.post(*status_for(phone.reply), phone.sync_of(some), final=False)
    assert len(codes(first, "Add")) < 60
    last = break_off(phone)
    assert codes(last, "Add")
    assert codes(last, "SyncHdr") == [200]


def test_what_came_to_its_end_was_not_suspended(world: World) -> None:
    phone = world.phone()
    phone.items["1"] = card("Ada Lovelace")
    phone.sync()
    suspend(phone)
    with world.state.read() as tx:
        assert [sync.end for sync in tx.sync_log.query()] == ["done"]


def test_what_changed_meanwhile_in_the_crm_comes_with_the_next_sync(world: World) -> None:
    ref = world.add(Contact(full_name="Ada Lovelace"))
    gone = world.add(Contact(full_name="Mary Jackson"))
    phone = world.phone()
    phone.items = {"1": card("Ada Lovelace"), "2": card("Mary Jackson"), "3": card("Lise Meitner")}
    phone.begin(201)
    some = phone.changes(201)
    phone.post(*status_for(phone.reply), phone.sync_of(some[:2]), final=False)
    suspend(phone)
    world.edit(ref, full_name="Ada King")
    world.delete(gone)
    world.add(Contact(full_name="Grace Hopper"))
    reply = phone.begin(225)
    finish(phone, phone.post(*status_for(reply), phone.sync_of(some[2:])))
    phone.sync()
    assert phone.names == world.names() == ["Ada King", "Grace Hopper", "Lise Meitner"]
    assert quiet(phone)


@pytest.mark.parametrize("mode", [200, 201, 202])
def test_a_part_of_an_item_is_kept(world: World, mode: int) -> None:
    text = card("Ada Lovelace", NOTE="x" * 500)
    phone = world.phone()
    if mode != 201:
        phone.sync()
    phone.items["1"] = text
    phone.begin(mode)
    first = phone.sync_of([add("1", text[:200], more=True, size=len(text))])
    phone.post(*status_for(phone.reply), first, final=False)
    suspend(phone)
    reply = phone.begin(225)
    assert alert_of(reply).code == mode
    reply = phone.post(*status_for(reply), phone.sync_of([add("1", text[200:])]))
    assert codes(reply, "Add") == [201]
    finish(phone, reply)
    assert phone.names == world.names() == ["Ada Lovelace"]


@pytest.mark.parametrize("mode", [200, 202, 204])
def test_what_was_one_way_stays_so(world: World, mode: int) -> None:
    phone = world.phone()
    phone.sync()
    world.add(Contact(full_name="Grace Hopper"))
    phone.items["1"] = card("Ada Lovelace")
    phone.begin(mode)
    suspend(phone)
    reply = phone.begin(225)
    assert (codes(reply, "Alert"), alert_of(reply).code) == ([200], mode)
    finish(phone, phone.send_changes(mode))
    assert ("Grace Hopper" in phone.names) == (mode != 202)
    assert ("Ada Lovelace" in world.names()) == (mode != 204)


def test_the_crm_is_not_emptied_by_half_a_refresh(world: World) -> None:
    """What a client that resumes doesn't send again must not be taken for what it hasn't."""
    world.add(Contact(full_name="Grace Hopper"))
    phone = world.phone()
    phone.items = {"1": card("Ada Lovelace"), "2": card("Lise Meitner")}
    phone.begin(203)
    some = phone.changes(203)
    phone.post(*status_for(phone.reply), phone.sync_of(some[:1]), final=False)
    suspend(phone)
    reply = phone.begin(225)
    assert (codes(reply, "Alert"), alert_of(reply).code) == ([508], 203)
    finish(phone, phone.post(*status_for(reply), phone.sync_of(some[1:])))
    assert world.names() == ["Ada Lovelace", "Grace Hopper", "Lise Meitner"]


def test_a_device_that_was_being_filled_is_filled_anew(world: World) -> None:
    world.add(Contact(full_name="Grace Hopper"))
    phone = world.phone()
    phone.items["1"] = card("Ada Lovelace")
    phone.begin(205)
    phone.items = {}
    phone.post(*status_for(phone.reply), phone.sync_of([]))
    suspend(phone)
    reply = phone.begin(225)
    assert (codes(reply, "Alert"), alert_of(reply).code) == ([508], 205)
    phone.items = {}
    finish(phone, phone.send_changes(205))
    assert phone.names == world.names() == ["Grace Hopper"]


def test_what_nobody_remembers_begins_as_usual(world: World) -> None:
    phone = world.phone()
    phone.items["1"] = card("Ada Lovelace")
    phone.sync()
    world.clock.wait(3 * 3600)
    world.phone("other").sync()
    reply = phone.begin(225)
    assert alert_of(reply).code == 200
    assert codes(reply, "Alert") == [509]
    world.forget()
    reply = phone.begin(225)
    assert (codes(reply, "Alert"), alert_of(reply).code) == ([508], 201)


def test_a_sync_that_came_to_its_end_is_not_resumed(world: World) -> None:
    phone = world.phone()
    phone.items["1"] = card("Ada Lovelace")
    assert phone.sync() == 201
    reply = phone.begin(225)
    assert (codes(reply, "Alert"), alert_of(reply).code) == ([509], 200)
    reply = phone.begin(225, last="something else")
    assert (codes(reply, "Alert"), alert_of(reply).code) == ([508], 201)


def test_a_slow_sync_that_another_one_means_is_not_resumed(world: World) -> None:
    phone = world.phone()
    phone.items["1"] = card("Ada Lovelace")
    phone.begin(201)
    phone.post(*status_for(phone.reply), phone.sync_of(phone.changes(201)), final=False)
    suspend(phone)
    reply = phone.begin(225, last="of another life")
    assert (codes(reply, "Alert"), alert_of(reply).code) == ([508], 201)
    finish(phone, phone.send_changes(201))
    assert phone.names == world.names() == ["Ada Lovelace"]
    assert quiet(phone)


def test_others_do_not_resume_what_is_not_theirs(world: World) -> None:
    phone = world.phone()
    phone.items["1"] = card("Ada Lovelace")
    phone.begin(201)
    phone.post(*status_for(phone.reply), phone.sync_of(phone.changes(201)), final=False)
    suspend(phone)
    reply = world.phone("phone-2").begin(225)
    assert (codes(reply, "Alert"), alert_of(reply).code) == ([508], 201)


def test_older_versions_know_no_resuming(world: World) -> None:
    reply = world.phone(version=Version.V1_1).begin(225)
    assert codes(reply, "Alert") == [406]
    assert not [c for c in reply.body if isinstance(c, m.Alert)]
