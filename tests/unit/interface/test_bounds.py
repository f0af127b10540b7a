"""What anybody can make CRM.interface keep, send or wait for is bounded."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import func, select

from accord.formats.syncml import message as m
from accord.formats.syncml.media import Media
from accord.formats.syncml.message import Item, Location, Meta
from accord.interface.server import app as http
from accord.interface.server import house, server, talk
from accord.state import schema
from accord.state.holder import myself
from tests.unit.interface.phone import (
    CARD,
    Phone,
    card,
    codes,
    give_password,
    header_status,
    status_for,
)
from tests.unit.interface.world import World, make_world


@pytest.fixture
def world() -> Iterator[World]:
    with make_world() as world:
        yield world


def count(world: World, table: str) -> int:
    with world.state.read() as tx:
        rows = select(func.count()).select_from(schema.METADATA.tables[table])
        return int(tx.db.execute(rows).scalar_one())


def test_devices_that_strangers_make_up_share_few_leases(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        phone = Phone(world.server, "anna", f"made-up-{number}")
        phone.password = "wrong"
        phone.number = phone.session = 1
        phone.again(phone.message())
    with world.state.read() as tx:
        names = tx.db.execute(select(schema.LEASES.c.name)).scalars().all()
    assert {len(name.removeprefix("syncml:")) for name in names} == {4}


def test_a_killed_process_holds_no_device_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was answering a message; the phone sends that again, to the next process."""
    name = f"syncml:{hashlib.sha256(b'phone-1').hexdigest()[:4]}"
    code = "from accord.state.holder import myself; print(myself())"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    world.state.run(lambda tx: tx.leases.acquire(name, ended.stdout.strip(), 120))
    monkeypatch.setattr(server, "_WAIT", 0.1)
    world.phone().sync()
    alive = world.state.run(lambda tx: tx.leases.acquire(name, myself(), 120))
    assert alive is not None
    phone = world.phone()
    phone.session = phone.number = 1
    assert header_status(phone.again(phone.message(cred=phone.cred()))).code == 417


def test_strangers_break_no_proof_of_a_device_in_the_middle_of_signing_in(world: World) -> None:
    phone = world.phone()
    phone.session = phone.number = 1
    first = header_status(phone.again(phone.message(cred=phone.cred())))
    stranger = Phone(world.server, "anna", "phone-1")
    stranger.session, stranger.number = 9, 1
    second = header_status(stranger.again(stranger.message()))
    assert (first.code, second.code) == (401, 407)
    assert first.chal is not None
    assert second.chal is not None
    assert first.chal.meta.next_nonce == second.chal.meta.next_nonce
    phone.sync()


@pytest.mark.parametrize("media", list(Media))
def test_people_whose_devices_go_by_the_same_names_do_not_meet(world: World, media: Media) -> None:
    """Both names are the device's choice, the session's number a small one at most."""
    world.crm.open("bob").close()
    give_password(world.server, "bob")
    hers = world.phone(media=media)
    his = Phone(world.server, "bob", hers.device, media=media)
    hers.items, his.items = {"1": card("Ada Lovelace")}, {"1": card("Grace Hopper")}
    hers.begin(201)
    his.begin(201)
    assert his.session == hers.session
    replies = [one.send_changes(201) for one in (hers, his)]
    assert (hers.codes, his.codes) == ({"1": 201}, {"1": 201})
    assert [one.again(one.sent[-1]) for one in (hers, his)] == replies
    for one, reply in zip((hers, his), replies, strict=True):
        one.take_changes(reply)
        assert one.post(*one.statuses).final
        assert header_status(one.seen[-1]).code == 200
    assert world.names() == ["Ada Lovelace"]
    hers.url, his.url = his.url, hers.url
    assert header_status(hers.post()).code == 200, "whose it is the address alone tells"


@pytest.mark.parametrize("size", [None, 6_000, 20_000])
def test_a_refusal_is_no_larger_than_a_message(world: World, size: int | None) -> None:
    """Else a stranger's message would make us send several times as much."""
    phone = Phone(world.server, "anna", "phone-1")
    phone.session = phone.number = 1
    many = [m.Alert(cmd_id="1", code=222)] * 3_000
    message = phone.message(*many)
    message = replace(message, header=replace(message.header, meta=Meta(max_msg_size=size)))
    answer = phone.raw(phone.media.encode(message))
    assert len(answer.body) <= (size or 150_000)
    reply = phone.media.decode(answer.body)
    assert header_status(reply).code == 407
    assert header_status(reply).chal is not None
    assert len(reply.body) > 10


def test_who_never_takes_our_answers_is_told_to_come_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(talk, "_MOST_OWED", 200_000)
    phone = world.phone(max_message=8_000)
    phone.begin()
    many = [m.Alert(cmd_id="1", code=222)] * 700
    seen = [header_status(phone.post(*many, final=False)).code for _ in range(6)]
    assert seen[0] == 200
    assert seen[-1] == 417
    largest = size_of_session(world)
    for _ in range(3):
        phone.post(*many, final=False)
    assert size_of_session(world) == largest < 400_000
    phone.sync()


def test_who_asks_again_and_again_what_we_are_is_told_five_times(world: World) -> None:
    phone = world.phone()
    gets = [m.Get(cmd_id="1", items=(Item(target=Location("./devinf12")),))] * 2_000
    phone.begin(200, *gets)
    assert set(codes(phone.reply, "Get")) == {200, 413}
    assert codes(phone.reply, "Get").count(200) == 5
    assert size_of_session(world) < 1_000_000


def test_parts_without_content_cost_nothing(world: World) -> None:
    phone = world.phone()
    phone.begin()

    def send() -> int:
        item = Item(source=Location("1"), data="", more_data=True, meta=Meta(size=50))
        empty = m.Add(cmd_id="1", no_resp=True, meta=Meta(type=CARD), items=(item,))
        phone.post(*status_for(phone.reply), phone.sync_of([empty] * 500), final=False)
        return size_of_session(world)

    assert send() == pytest.approx(send(), abs=200)


def test_of_mere_refusals_so_many_are_kept_and_of_losses_all(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house, "_MOST_NOTES", 3)
    phone = world.phone()
    phone.items = {str(n): card(f"Number{n} Name") for n in range(8)}
    phone.sync()
    for ref in refs(world):
        world.edit(ref, full_name="Edited Here", notes="edited here")
    phone.items = {luid: data.replace("Name", "Surname") for luid, data in phone.items.items()}
    phone.items |= {f"bad-{n}": "nonsense" for n in range(8)}
    phone.sync()
    assert len(world.notes("refused")) == 3
    assert len(world.notes("conflict")) == 8
    with world.state.read() as tx:
        assert tx.sync_log.query()[0].counts["refused"] == 8


def test_a_message_that_never_ends_is_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "PATIENCE", 0.05)
    app = http.make_app(world.server)
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/CRM.interface",
        "query_string": b"",
        "headers": [(b"content-type", b"application/vnd.syncml+xml")],
    }
    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 408


def test_a_message_larger_than_any_is_not_even_kept(world: World) -> None:
    app, taken = http.make_app(world.server), 0
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> dict[str, Any]:
        nonlocal taken
        taken += 100_000
        return {"type": "http.request", "body": b"x" * 100_000, "more_body": True}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/CRM.interface", "headers": []}
    asyncio.run(app({**scope, "query_string": b""}, receive, send))
    assert sent[0]["status"] == 413
    assert taken <= world.server.most + 100_000


def refs(world: World) -> list[str]:
    with world.state.read() as tx:
        return list(tx.db.execute(select(schema.DEVICE_ITEMS.c.ref)).scalars())


def size_of_session(world: World) -> int:
    with world.state.read() as tx:
        (size,) = tx.db.execute(select(func.length(schema.SYNC_SESSIONS.c.data))).scalars()
    return int(size)
