"""What goes wrong on the way: lost replies, broken parts, nonsense; every time an answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from accord.crm.memory import MemoryCrm
from accord.crm.memory.store import Right
from accord.formats.syncml import message as m
from accord.formats.syncml.media import Media
from accord.formats.syncml.message import Anchor, Item, Location, Meta
from accord.interface.server.server import Request
from accord.model.item import Contact
from accord.model.kinds import Kind
from accord.ports.adapter import Ask
from accord.ports.errors import Retry
from tests.connector import Endpoint
from tests.unit.interface.conftest import HOUR
from tests.unit.interface.phone import CARD, Phone, card, codes, header_status, status_for
from tests.unit.interface.world import World, make_world


@pytest.fixture
def world() -> Iterator[World]:
    with make_world() as world:
        yield world


def add(luid: str, data: str, *, more: bool = False, size: int | None = None, **meta: Any) -> m.Add:
    item = Item(
        source=Location(luid),
        data=data,
        more_data=more,
        meta=None if size is None else Meta(size=size),
    )
    return m.Add(cmd_id="1", meta=Meta(type=meta.get("type", CARD)), items=(item,))


def test_a_message_that_comes_twice_is_done_once_and_answered_alike(world: World) -> None:
    phone = world.phone()
    phone.begin()
    phone.number += 1
    message = phone.message(
        *status_for(phone.reply), phone.sync_of([add("1", card("Ada"))]), final=False
    )
    body = phone.media.encode(message)
    first, second = phone.raw(body), phone.raw(body)
    assert first == second
    assert world.names() == ["Ada"]


def test_any_process_goes_on_with_a_session(world: World) -> None:
    phone = world.phone()
    phone.items["1"] = card("Ada Lovelace")
    phone.begin()
    phone.server = world.serve()
    reply = phone.send_changes(201)
    phone.server = world.serve()
    phone.take_changes(reply)
    assert phone.post(*phone.statuses).final
    phone.last, phone.before = phone.following, dict(phone.items)
    assert phone.sync() == 200


def test_anchors_move_only_with_the_last_package(world: World) -> None:
    phone = world.phone()
    phone.items["1"] = card("Ada Lovelace")
    phone.begin()
    phone.take_changes(phone.send_changes(201))
    phone.last = phone.following
    phone.server = world.serve()
    assert phone.sync() == 201
    assert world.names() == ["Ada Lovelace"]


@pytest.mark.parametrize(
    ("data", "type_", "code"),
    [
        ("nonsense", CARD, 400),
        ("BEGIN:VCARD\r\nVERSION:3.0\r\n", CARD, 400),
        (card("Ada"), "application/pdf", 415),
        ("", CARD, 400),
    ],
)
def test_an_item_that_cannot_be_read_is_refused_and_the_others_go_on(
    world: World, data: str, type_: str, code: int
) -> None:
    phone = world.phone()
    phone.begin()
    body = phone.sync_of([add("1", data, type=type_), add("2", card("Grace"))])
    reply = phone.post(*status_for(phone.reply), body)
    assert codes(reply, "Add") == [code, 201]
    assert world.names() == ["Grace"]
    assert [note.luid for note in world.notes("refused")] == ["1"]


def test_what_the_user_may_not_write_is_put_back_and_the_rest_goes_on(world: World) -> None:
    assert isinstance(world.crm, MemoryCrm)
    bob = world.crm.person("bob")
    ref = bob.add(Contact(full_name="Ada Lovelace"), sharers=("anna",)).ref
    hidden = bob.add(Contact(full_name="Hidden One"), sharers=("anna",)).ref
    bob.allow(ref, "anna", Right.READ)
    bob.allow(hidden, "anna", Right.NONE)
    phone = world.phone()
    phone.sync()
    assert phone.names == ["Ada Lovelace"]
    luid = phone.luid("Ada Lovelace")
    phone.items[luid] = card("Ada Changed")
    phone.items["new"] = card("Grace Hopper")
    phone.sync()
    assert phone.codes == {luid: 403, "new": 201}
    assert phone.names == ["Ada Lovelace", "Grace Hopper"]
    assert [note.luid for note in world.notes("refused")] == [luid]
    stored = bob.get(ref).item
    assert isinstance(stored, Contact)
    assert stored.full_name == "Ada Lovelace"
    del phone.items[luid]
    phone.sync()
    assert phone.codes == {luid: 403}
    assert phone.names == ["Ada Lovelace", "Grace Hopper"]
    bob.unshare(ref, "anna")
    phone.sync()
    assert phone.names == ["Grace Hopper"]


def test_a_right_that_is_lost_changes_nothing_on_the_device(world: World) -> None:
    assert isinstance(world.crm, MemoryCrm)
    bob = world.crm.person("bob")
    ref = bob.add(Contact(full_name="Ada Lovelace"), sharers=("anna",)).ref
    phone = world.phone()
    phone.sync()
    bob.allow(ref, "anna", Right.NONE)
    phone.sync()
    assert phone.names == ["Ada Lovelace"]


def test_an_unknown_store_is_not_found_and_others_go_on(world: World) -> None:
    phone = world.phone()
    nowhere = Item(
        target=Location("nosuch"), source=Location("./nosuch"), meta=Meta(anchor=Anchor("1"))
    )
    reply = phone.begin(200, m.Alert(cmd_id="1", code=200, items=(nowhere,)))
    assert codes(reply, "Alert") == [508, 404]
    assert len([c for c in reply.body if isinstance(c, m.Alert)]) == 1
    sync = m.Sync(cmd_id="1", target=Location("nosuch"), commands=(add("1", card("Ada")),))
    reply = phone.post(*status_for(phone.reply), phone.sync_of([]), sync)
    assert codes(reply, "Sync") == [200, 404]
    assert codes(reply, "Add") == [404]


@pytest.mark.parametrize("code", [206, 207, 208, 209, 210])
def test_what_only_a_server_may_ask_is_not_supported(world: World, code: int) -> None:
    reply = world.phone().begin(code)
    assert codes(reply, "Alert") == [406]
    assert not [c for c in reply.body if isinstance(c, m.Alert)]


def test_commands_without_a_place_are_not_implemented(world: World) -> None:
    phone = world.phone()
    phone.begin()
    inner = m.Copy(cmd_id="1", items=(Item(source=Location("1")),))
    atomic = m.Atomic(cmd_id="1", commands=(inner,))
    reply = phone.post(*status_for(phone.reply), phone.sync_of([inner]), atomic)
    assert codes(reply, "Copy") == [501]
    assert codes(reply, "Atomic") == [501]


def test_parts_are_put_together_and_a_wrong_size_is_noticed(world: World) -> None:
    phone, text = world.phone(), card("Ada Lovelace", NOTE="x" * 500)
    phone.begin()
    parts = [
        add("1", text[:200], more=True, size=len(text)),
        add("1", text[200:]),
        add("2", text[:200], more=True, size=len(text) + 50),
        add("2", text[200:]),
    ]
    reply = phone.post(*status_for(phone.reply), phone.sync_of(parts))
    assert codes(reply, "Add") == [213, 201, 213, 424]
    assert world.names() == ["Ada Lovelace"]


def test_parts_go_on_over_messages(world: World) -> None:
    phone, text = world.phone(), card("Ada Lovelace", NOTE="x" * 500)
    phone.begin()
    first = phone.sync_of([add("1", text[:200], more=True, size=len(text))])
    reply = phone.post(*status_for(phone.reply), first, final=False)
    assert codes(reply, "Add") == [213]
    reply = phone.post(status_for(reply)[0], phone.sync_of([add("1", text[200:])]))
    assert codes(reply, "Add") == [201]


def test_an_end_that_never_comes_is_told_and_the_next_item_is_taken(world: World) -> None:
    phone, text = world.phone(), card("Ada Lovelace", NOTE="x" * 500)
    phone.begin()
    parts = [add("1", text[:200], more=True, size=len(text)), add("2", card("Grace"))]
    reply = phone.post(*status_for(phone.reply), phone.sync_of(parts))
    assert codes(reply, "Add") == [213, 201]
    (alert,) = [c for c in reply.body if isinstance(c, m.Alert)]
    assert alert.code == 223
    assert world.names() == ["Grace"]


def test_parts_without_end_cost_no_memory(world: World) -> None:
    world.serve(max_object=8_000)
    phone = world.phone()
    phone.begin()
    parts = [add("1", "x" * 3_000, more=True, size=100_000) for _ in range(5)]
    reply = phone.post(*status_for(phone.reply), phone.sync_of(parts), final=False)
    assert codes(reply, "Add") == [416] * 5
    with world.state.read() as tx:
        (stored,) = tx.sync_sessions.of(
            "phone-1",
            str(phone.session),
            world.clock.now.min.replace(tzinfo=world.clock.now.tzinfo),
        )
    assert len(stored.data) < 6_000


def test_more_statuses_than_fit_are_owed(world: World) -> None:
    phone = world.phone(max_message=8_000)
    phone.items = {str(n): card(f"Name{n} Surname") for n in range(100)}
    phone.sync()
    assert len(world.names()) == 100
    assert len(phone.items) == 100


def test_a_device_gets_nothing_larger_than_it_takes(world: World) -> None:
    world.add(Contact(full_name="Grace Hopper", notes="x" * 5_000))
    phone = world.phone(max_object=2_000)
    phone.sync()
    assert phone.names == []
    assert [note.what for note in world.notes("unsent")] == ["unsent"]


def test_a_busy_crm_ends_the_session_and_nothing_is_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = world.phone()
    phone.items["1"] = card("Ada Lovelace")
    phone.begin()

    def busy(_: str) -> Any:
        raise Retry("come back later", after=5)

    with monkeypatch.context() as patched:
        patched.setattr(world.crm, "open", busy)
        assert header_status(phone.send_changes(201)).code == 417
    assert phone.sync() == 201
    assert world.names() == ["Ada Lovelace"]


def test_a_fault_of_ours_is_an_answer(
    world: World, monkeypatch: pytest.MonkeyPatch, faults: list[str]
) -> None:
    phone = world.phone()
    phone.begin()
    monkeypatch.setattr(world.crm, "open", lambda _: 1 / 0)
    assert header_status(phone.send_changes(201)).code == 500
    assert "answering phone-1: ZeroDivisionError" in faults[0]
    assert "division by zero" not in faults[0], "its words may quote what somebody wrote"


def test_versions_that_nobody_knows_are_answered_in_ours(world: World) -> None:
    phone = world.phone()
    phone.session = phone.number = 1
    body = phone.media.encode(phone.message()).replace(b"SyncML/1.2", b"SyncML/2.0")
    reply = phone.media.decode(phone.raw(body).body)
    assert header_status(reply).code == 513


@pytest.mark.parametrize(
    ("body", "media", "status"),
    [
        (b"", "application/vnd.syncml+xml", 400),
        (b"<html/>", "application/vnd.syncml+xml", 400),
        (b"\x02\xa4\x01\x6a", "application/vnd.syncml+wbxml", 400),
        (b"<SyncML/>", "text/html", 415),
    ],
)
def test_what_is_no_message_gets_no_message(
    world: World, body: bytes, media: str, status: int
) -> None:
    assert world.server.answer(Request(body=body, content_type=media)).status == status


def test_devices_without_a_proper_name_are_refused(world: World) -> None:
    for name in ("x" * 300, "tab\there"):
        reply = Phone(world.server, "anna", name).begin()
        assert header_status(reply).code in (400, 414)


def test_a_name_as_long_as_a_message_is_not_said_back(world: World) -> None:
    reply = Phone(world.server, "x" * 5_500, max_message=5_000).begin()
    assert header_status(reply).code == 401
    assert len(Media.XML.encode(reply)) <= 5_000


@pytest.mark.parametrize("media", Media)
@pytest.mark.parametrize("long", ["x" * 3_000, "&" * 255, "&" * 3_000])
def test_no_name_in_a_refused_header_makes_the_answer_too_large(
    world: World, media: Media, long: str
) -> None:
    phone = world.phone(media=media)
    phone.begin()
    brief = replace(phone.message().header, cred=None, meta=Meta(max_msg_size=1))
    body = tuple(m.Get(cmd_id=str(n)) for n in range(2, 400))
    for name in ("session_id", "msg_id", "target", "source"):
        value = Location(long) if name in ("target", "source") else long
        message = m.Message(header=replace(brief, **{name: value}), body=body)
        answer = world.server.answer(Request(body=media.encode(message), content_type=media.value))
        assert answer.status == 200
        assert header_status(media.decode(answer.body)).code >= 400
        assert len(answer.body) <= 5_000


def test_all_names_of_a_refused_header_may_be_long_at_once(world: World) -> None:
    phone = world.phone()
    phone.begin()
    long = Location("&" * 255, "&" * 255)
    header = replace(phone.message().header, cred=None, meta=Meta(max_msg_size=1))
    header = replace(header, session_id="&" * 64, msg_id="&" * 64, target=long, source=long)
    body = Media.XML.encode(m.Message(header=header))
    answer = world.server.answer(Request(body=body, content_type=Media.XML.value))
    assert len(answer.body) <= 5_000


@pytest.mark.parametrize(
    ("most", "name"), [(5_000, "x" * 3_500), (8_000, "x" * 7_900), (20_000, "&" * 7_900)]
)
def test_a_status_too_long_for_any_message_ends_no_session(
    world: World, most: int, name: str
) -> None:
    phone = Phone(world.server, max_message=most)
    phone.begin(201)
    item = Item(target=Location(name))
    reply = phone.post(
        m.Get(cmd_id="7", items=(item,)),
        *status_for(phone.reply),
        phone.sync_of([add("1", card("Ada Lovelace"))]),
    )
    seen = [reply]
    while not reply.final and len(seen) < 10:
        reply = phone.post(*status_for(reply), m.Alert(cmd_id="9", code=222))
        seen.append(reply)
    assert reply.final
    answers = [c for each in seen for c in each.body if isinstance(c, m.Status)]
    assert [c.code for c in answers if c.cmd == "Add"] == [201]
    assert [c for c in answers if c.cmd == "Get"]
    assert any(isinstance(c, m.Sync) for each in seen for c in each.body)
    assert all(len(Media.XML.encode(each)) <= most for each in seen)


@given(st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_cut_or_changed_there_is_an_answer(data: st.DataObject) -> None:
    with make_world() as world:
        media = data.draw(st.sampled_from(list(Media)))
        phone = world.phone(media=media)
        phone.begin()
        phone.number += 1
        message = phone.message(
            *status_for(phone.reply),
            phone.sync_of([add(str(n), card(f"Name{n}")) for n in range(3)]),
        )
        body = bytearray(media.encode(message))
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(body) - 1))
            end = data.draw(st.integers(at, min(len(body), at + 40)))
            body[at:end] = data.draw(st.binary(max_size=8))
        answer = phone.raw(bytes(body))
        assert answer.status in (200, 400)
        if answer.status == 200:
            assert header_status(media.decode(answer.body)).code >= 200
        # Whatever that was, the next sync is whole.
        phone.items = {str(n): card(f"Name{n}") for n in range(3)}
        phone.sync()


def test_a_refresh_without_any_changes_sent_deletes_nothing(world: World) -> None:
    world.add(Contact(full_name="Grace Hopper"))
    phone = world.phone()
    phone.begin(203)
    reply = phone.post(*status_for(phone.reply))
    phone.take_changes(reply)
    phone.post(*phone.statuses)
    assert world.names() == ["Grace Hopper"]
    with world.state.read() as tx:
        assert [sync.end for sync in tx.sync_log.query()] == ["the device sent no changes"]


def test_an_empty_device_that_refreshes_the_server_empties_it(world: World) -> None:
    world.add(Contact(full_name="Grace Hopper"))
    world.phone().sync(203)
    assert world.names() == []


def test_a_device_that_only_wants_room_deletes_nothing(world: World) -> None:
    world.add(Contact(full_name="Grace Hopper"))
    phone = world.phone()
    phone.sync()
    (luid,) = phone.items
    phone.begin()
    gone = m.Delete(cmd_id="1", soft=True, items=(Item(source=Location(luid)),))
    assert codes(phone.post(*status_for(phone.reply), phone.sync_of([gone])), "Delete") == [406]
    assert world.names() == ["Grace Hopper"]


def test_a_session_in_one_package_gets_all_at_once(world: World) -> None:
    world.add(Contact(full_name="Grace Hopper"))
    phone = world.phone()
    phone.sync()
    world.add(Contact(full_name="Ada Lovelace"))
    phone.challenge = "syncml:auth-basic"
    reply = phone.begin(200, phone.sync_of([add("9", card("Mary Jackson"))]))
    assert codes(reply, "Add") == [201]
    assert [type(c).__name__ for c in reply.body if isinstance(c, m.Alert | m.Sync)] == [
        "Alert",
        "Sync",
    ]
    phone.take_changes(reply)
    assert phone.names == ["Ada Lovelace", "Grace Hopper"]
    assert reply.final


def test_no_status_is_sent_where_none_is_wanted(world: World) -> None:
    phone = world.phone()
    phone.begin()
    quiet = m.Add(
        cmd_id="1",
        no_resp=True,
        meta=Meta(type=CARD),
        items=(Item(source=Location("1"), data=card("Ada")),),
    )
    reply = phone.post(*status_for(phone.reply), phone.sync_of([quiet]))
    assert codes(reply, "Add") == []
    assert world.names() == ["Ada"]


@pytest.mark.parametrize("size", [6_000, 7_000, 9_000])
def test_small_messages_carry_items_of_any_size(world: World, size: int) -> None:
    for number in range(12):
        world.add(Contact(full_name=f"Number {number:02}", notes="word " * (number * 200)))
    phone = world.phone(max_message=size)
    phone.sync()
    assert phone.names == world.names()


def test_devices_are_asked_what_they_are(world: World) -> None:
    phone = world.phone(devinf=False, media_type="text/x-vcard")
    world.add(Contact(full_name="Grace Hopper"))
    reply = phone.begin()
    (get,) = [c for c in reply.body if isinstance(c, m.Get)]
    results = m.Results(
        cmd_id="1",
        msg_ref=reply.header.msg_id,
        cmd_ref=get.cmd_id,
        items=(Item(source=Location("./devinf12"), data=phone.devinf()),),
    )
    phone.take_changes(phone.post(*status_for(reply), results, phone.sync_of([])))
    (data,) = phone.items.values()
    assert "VERSION:2.1" in data


def test_a_device_that_takes_none_of_our_types_gets_nothing(world: World) -> None:
    world.add(Contact(full_name="Grace Hopper"))
    phone = world.phone(media_type="text/x-unheard-of")
    phone.sync()
    assert phone.names == []
    assert [note.what for note in world.notes("unsent")] == ["unsent"]


@pytest.mark.parametrize("media", list(Media))
def test_what_has_no_number_is_passed_over(world: World, media: Media) -> None:
    phone = world.phone(media=media)
    phone.begin()
    phone.number += 1
    odd = m.Unknown(cmd_id="", name="Nonsense")
    message = phone.message(*status_for(phone.reply), phone.sync_of([]))
    body = media.encode(replace(message, body=(*message.body, odd)))
    reply = media.decode(phone.raw(body).body)
    assert codes(reply, "Nonsense") == []
    assert codes(reply, "Sync") == [200]


def test_what_has_no_number_is_passed_over_with_connectors_too(world: World) -> None:
    endpoint = Endpoint(world.state)
    endpoint.server = world.server
    desk = world.server._house.sign_in._desk
    with endpoint.direct(lambda user: desk.issue(user, HOUR).text).open("anna") as session:
        session.fetch("", Kind.CONTACT, [Ask(ref="nosuch")])
    asked = endpoint.seen[-1]
    body = asked.body.replace(b"<Final/>", b"<Nonsense/><Final/>")
    answer = world.server.answer(replace(asked, body=body))
    assert codes(Media.XML.decode(answer.body), "Nonsense") == []
