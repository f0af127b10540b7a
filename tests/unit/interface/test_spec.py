"""Rules of the OMA texts (and of the engine in many phones) that no recorded conversation shows.

OMA-TS-DS_Protocol-V1_2, OMA-TS-SyncML-RepPro-V1_2_2, and libsynthesis, where it is stricter.
Resuming has its own module, `test_resuming`; sizes and proofs are in `test_bounds`, `test_signin`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import timedelta

import pytest
from msgspec.structs import replace

from accord.formats.syncml import message as m
from accord.formats.syncml.devinf import DevInf
from accord.formats.syncml.media import Media
from accord.formats.syncml.message import Anchor, Item, Location, Meta
from accord.formats.syncml.version import Version
from accord.model.item import Contact
from tests.unit.interface.phone import (
    CARD,
    URL,
    alert_of,
    card,
    codes,
    header_status,
    md5,
    status_for,
)
from tests.unit.interface.world import World, make_world


@pytest.fixture
def world() -> Iterator[World]:
    with make_world() as world:
        yield world


def add(luid: str, data: str, *, no_resp: bool = False) -> m.Add:
    items = (Item(source=Location(luid), data=data),)
    return m.Add(cmd_id="1", meta=Meta(type=CARD), items=items, no_resp=no_resp)


def statuses(reply: m.Message) -> list[m.Status]:
    return [command for command in reply.body if isinstance(command, m.Status)]


class TestMoreThanFiveBareAlerts222AbortTheClient:
    """A client counts how often it asks for the next message and gets nowhere."""

    def test_each_is_answered_with_something(self, world: World) -> None:
        for number in range(30):
            world.add(Contact(full_name=f"Number {number:02}", notes="word " * 150))
        phone = world.phone(max_message=6_000)
        phone.begin(201)
        reply = phone.post(*status_for(phone.reply), phone.sync_of([]))
        asked = 0
        while not reply.final:
            reply = phone.post(m.Alert(cmd_id="1", code=222), final=False)
            asked += 1
            assert codes(reply, "Alert") == [200]
            assert [c for c in reply.body if isinstance(c, m.Sync) and c.commands]
        assert asked > 5

    def test_answers_that_did_not_fit_come_with_each(self, world: World) -> None:
        phone = world.phone(max_message=6_000)
        phone.begin(201)
        many = [add(str(n), card(f"Number{n} Name")) for n in range(250)]
        reply = phone.post(*status_for(phone.reply), phone.sync_of(many), final=False)
        found, asked = codes(reply, "Add"), 0
        while len(found) < 250:
            reply = phone.post(m.Alert(cmd_id="1", code=222), final=False)
            asked += 1
            assert codes(reply, "Add"), "nothing new"
            found += codes(reply, "Add")
        assert asked > 5
        assert found == [201] * 250


class TestWithoutAChallengeTheClientGivesUp:
    """So each refusal has one, of a scheme that the client can go on with."""

    @pytest.mark.parametrize("version", list(Version))
    @pytest.mark.parametrize("scheme", ["none", "basic", "md5", "mac", "token", "odd", "broken"])
    def test_every_refusal_challenges(self, world: World, scheme: str, version: Version) -> None:
        phone = world.phone(version=version)
        phone.session = phone.number = 1
        phone.password = "wrong"
        proof = {
            "none": None,
            "basic": cred("syncml:auth-basic", base64.b64encode(b"anna:wrong").decode()),
            "md5": cred("syncml:auth-md5", md5(version, "anna", "wrong", b"")),
            "mac": None,
            "token": cred("accord:token", "a1.nonsense"),
            "odd": cred("syncml:auth-unheard-of", "x"),
            "broken": cred("syncml:auth-basic", "%%%"),
        }[scheme]
        message = phone.message(m.Alert(cmd_id="1", code=200), cred=proof)
        signature = 'algorithm=MD5, username="anna", mac=AAAA' if scheme == "mac" else ""
        reply = phone.again(message, signature)
        status = header_status(reply)
        assert status.code == (407 if scheme == "none" else 401)
        assert status.chal is not None
        assert status.chal.meta.format == "b64"
        wanted = {"none": "md5", "md5": "md5", "mac": "MAC"}.get(scheme, "basic")
        assert status.chal.meta.type == f"syncml:auth-{wanted}"
        assert (status.chal.meta.next_nonce is None) == (wanted == "basic")
        assert codes(reply, "Alert") == [status.code]
        assert reply.final
        assert reply.header.resp_uri is None


class TestAPublishedCTCapMustListEveryProperty:
    """Else a client drops the fields that it doesn't list."""

    @pytest.mark.parametrize("version", list(Version))
    def test_ours_has_none(self, world: World, version: Version) -> None:
        reply = world.phone(version=version).begin()
        (results,) = [c for c in reply.body if isinstance(c, m.Results)]
        info = results.items[0].data
        assert isinstance(info, DevInf)
        assert info.capabilities == ()
        assert len(info.stores) >= 4
        assert all(store.capabilities == () for store in info.stores)
        assert (
            reply.body.index(results)
            == 1
            + [
                at for at, c in enumerate(reply.body) if isinstance(c, m.Status) and c.cmd == "Get"
            ].pop()
        )

    def test_what_a_device_does_not_list_it_does_not_take_away(self, world: World) -> None:
        ref = world.add(Contact(full_name="Grace Hopper", notes="found the first bug"))
        phone = world.phone(keeps=("N", "FN", "EMAIL"))
        phone.sync()
        phone.items = {luid: card("Grace Murray") for luid in phone.items}
        phone.sync()
        stored = world.get(ref)
        assert isinstance(stored, Contact)
        assert (stored.full_name, stored.notes) == ("Grace Murray", "found the first bug")


class TestTheEnvelope:
    def test_header_and_commands_are_answered_once_and_in_order(self, world: World) -> None:
        phone = world.phone()
        phone.begin()
        body: list[m.Command] = [
            *status_for(phone.reply),
            m.Alert(cmd_id="1", code=222),
            phone.sync_of([add("1", card("Ada")), add("2", card("Grace"))]),
            phone.map_of({"nosuch": "7"}),
            m.Exec(cmd_id="1", items=()),
        ]
        reply = phone.post(*body)
        order = [(status.cmd, status.cmd_ref) for status in statuses(reply)]
        sent = phone.sent[-1].body
        numbers = [command.cmd_id for command in sent if not isinstance(command, m.Status)]
        assert order == [
            ("SyncHdr", "0"),
            ("Alert", numbers[0]),
            ("Sync", numbers[1]),
            ("Add", "1"),
            ("Add", "2"),
            ("Map", numbers[2]),
            ("Exec", numbers[3]),
        ]
        assert {status.msg_ref for status in statuses(reply)} == {str(phone.number)}
        assert [status.code for status in statuses(reply)][-1] == 501

    def test_numbers_begin_at_one_and_rise(self, world: World) -> None:
        phone = world.phone()
        phone.items["1"] = card("Ada")
        phone.sync()
        for reply in phone.seen:
            flat: list[str] = []
            for command in reply.body:
                flat.append(command.cmd_id)
                flat += [inner.cmd_id for inner in getattr(command, "commands", ())]
            assert flat == [str(number) for number in range(1, len(flat) + 1)]

    def test_session_and_sides_are_given_back(self, world: World) -> None:
        phone = world.phone()
        phone.sync()
        for sent, reply in zip(phone.sent, phone.seen, strict=True):
            assert reply.header.session_id == sent.header.session_id
            assert reply.header.target.uri == sent.header.source.uri
            assert reply.header.source.uri == sent.header.target.uri
            assert reply.header.version is sent.header.version
        assert [reply.header.msg_id for reply in phone.seen[-3:]] == ["1", "2", "3"]

    def test_who_wants_no_answers_gets_none(self, world: World) -> None:
        phone = world.phone()
        phone.begin()
        body = phone.sync_of([add("1", card("Ada")), add("2", card("Grace"), no_resp=True)])
        assert codes(phone.post(*status_for(phone.reply), body, final=False), "Add") == [201]
        body = phone.sync_of([add("3", card("Mary"))])
        assert statuses(phone.post(body, no_resp=True)) == []
        assert world.names() == ["Ada", "Grace", "Mary"]

    def test_statuses_are_never_answered(self, world: World) -> None:
        phone = world.phone()
        phone.begin()
        odd = m.Status(cmd_id="1", msg_ref="77", cmd_ref="99", cmd="Add", code=999)
        reply = phone.post(*status_for(phone.reply), odd, phone.sync_of([]))
        assert [status.cmd for status in statuses(reply)] == ["SyncHdr", "Sync"]

    def test_a_number_that_comes_twice_is_two_commands(self, world: World) -> None:
        phone = world.phone()
        phone.begin()
        phone.number += 1
        one, two = phone.sync_of([add("1", card("Ada"))]), phone.map_of({})
        message = phone.message()
        body = tuple(replace(each, cmd_id="5") for each in (one, two))
        reply = phone.again(replace(message, body=body))
        assert [(s.cmd, s.cmd_ref) for s in statuses(reply)] == [
            ("SyncHdr", "0"), ("Sync", "5"), ("Add", "1"), ("Map", "5"),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("old", "new", "code"),
        [
            (b"<VerDTD>1.2<", b"<VerDTD>1.9<", 505),
            (b"<VerDTD>1.2<", b"<VerDTD>1.1<", 513),
            (b"SyncML/1.2", b"SyncML/1.1", 513),
        ],
    )
    def test_versions_that_do_not_fit(
        self, world: World, old: bytes, new: bytes, code: int
    ) -> None:
        phone = world.phone()
        phone.session = phone.number = 1
        body = phone.media.encode(phone.message(cred=phone.cred())).replace(old, new)
        reply = phone.media.decode(phone.raw(body).body)
        assert header_status(reply).code == code

    @pytest.mark.parametrize("media", list(Media))
    def test_before_one_one_there_are_neither_object_sizes_nor_counts(
        self, world: World, media: Media
    ) -> None:
        world.add(Contact(full_name="Grace Hopper"))
        phone = world.phone(version=Version.V1_0, media=media)
        phone.sync()
        assert all(
            reply.header.meta.max_obj_size is None for reply in phone.seen if reply.header.meta
        )
        syncs = [c for reply in phone.seen for c in reply.body if isinstance(c, m.Sync)]
        assert [sync.number_of_changes for sync in syncs] == [None]


class TestPackages:
    def test_a_package_ends_only_with_its_last_message(self, world: World) -> None:
        for number in range(12):
            world.add(Contact(full_name=f"Number {number}", notes="word " * 150))
        phone = world.phone(max_message=6_000)
        phone.sync()
        ends = [
            reply.final for reply in phone.seen if reply.header.session_id == str(phone.session)
        ]
        first, *middle, last = ends
        assert first
        assert last
        assert middle.count(True) == 1

    def test_no_package_ends_while_the_peer_is_not_through(self, world: World) -> None:
        phone = world.phone()
        reply = phone.begin(200, final=False)
        assert not reply.final
        reply = phone.post(m.Alert(cmd_id="1", code=222), final=True)
        assert reply.final
        for number in range(3):
            body = phone.sync_of([add(str(number), card(f"Number{number}"))])
            assert not phone.post(body, final=False).final
        assert phone.post(phone.sync_of([])).final

    def test_who_has_nothing_to_say_asks_for_more(self, world: World) -> None:
        phone = world.phone()
        phone.begin()
        reply = phone.post(*status_for(phone.reply), final=False)
        assert [s.cmd for s in statuses(reply)] == ["SyncHdr"]
        alert = alert_of(reply)
        assert alert.code == 222
        (item,) = alert.items
        assert item.target == Location("phone-1", "anna")
        assert item.source is not None
        assert item.source.uri.startswith(URL)

    def test_an_empty_sync_is_sent_too(self, world: World) -> None:
        """Without one a client ends there, and nothing is ever committed."""
        phone = world.phone()
        for mode in (201, 200, 202, 203, 204, 205):
            phone.begin(mode)
            reply = phone.send_changes(mode)
            (sync,) = [c for c in reply.body if isinstance(c, m.Sync)]
            assert (sync.commands, sync.number_of_changes) == ((), 0)
            assert reply.final
            phone.post(*status_for(reply))
            phone.last = phone.following

    def test_a_map_is_taken_at_any_time(self, world: World) -> None:
        phone = world.phone()
        phone.sync()
        world.add(Contact(full_name="Grace Hopper"))
        phone.sync(lose_map=True)
        names, phone.maps = phone.map_of(phone.maps), {}
        reply = phone.begin(200, names)
        assert codes(reply, "Map") == [200]
        phone.take_changes(phone.post(*status_for(reply), phone.sync_of([])))
        assert phone.names == ["Grace Hopper"]

    def test_a_store_is_found_whatever_stands_around_its_name(self, world: World) -> None:
        phone = world.phone()
        phone.session = 1
        items = [
            Item(target=Location(name), source=Location(f"./{n}"), meta=Meta(anchor=Anchor("1")))
            for n, name in enumerate(["./addressbook", "calendar?x=1", "./Todo/", "./absence?"])
        ]
        alerts = [m.Alert(cmd_id="1", code=200, items=(item,)) for item in items]
        phone.number = 1
        phone.challenge = "syncml:auth-basic"
        reply = phone.again(phone.message(*alerts, cred=phone.cred()))
        assert codes(reply, "Alert") == [508] * 4

    def test_a_nonce_is_kept_for_the_next_session_and_made_new_in_each(self, world: World) -> None:
        phone, told = world.phone(), []
        for _ in range(3):
            before = len(phone.sent)
            phone.sync()
            told.append(phone.nonce)
            world.serve()
            phone.server = world.server
        assert len(phone.sent) - before == 3, "no further challenge"
        assert len(set(told)) == 3

    def test_later_messages_need_no_credentials(self, world: World) -> None:
        phone = world.phone()
        phone.sync()
        assert [message.header.cred is not None for message in phone.sent] == [
            True,
            True,
            False,
            False,
        ]
        found = [header_status(reply).code for reply in phone.seen]
        assert found == [401, 212, 200, 200]

    def test_a_session_that_nobody_goes_on_with_is_over(self, world: World) -> None:
        phone = world.phone()
        phone.begin()
        world.clock.wait(timedelta(minutes=61).total_seconds())
        assert header_status(phone.post(*status_for(phone.reply))).code == 407


def cred(kind: str, data: str) -> m.Cred:
    return m.Cred(data, Meta(format="b64", type=kind))
