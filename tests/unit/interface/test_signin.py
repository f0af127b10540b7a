"""Who gets in over SyncML, by password, proof and token; what others get; who goes on."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from datetime import timedelta

import pytest
from msgspec.structs import replace

from accord.crm.memory import MemoryCrm
from accord.formats.syncml import message as m
from accord.formats.syncml.message import Location, Meta
from accord.formats.syncml.version import Version
from tests.unit.interface.phone import (
    PASSWORD,
    URL,
    Phone,
    card,
    codes,
    give_password,
    header_status,
    md5,
    status_for,
)
from tests.unit.interface.world import World, make_world


@pytest.fixture
def world() -> Iterator[World]:
    with make_world() as world:
        yield world


def events(world: World) -> list[str]:
    with world.state.read() as tx:
        return [line.event for line in tx.token_log.query() if line.event != "issued"]


@pytest.mark.parametrize("version", list(Version))
def test_a_proof_is_asked_for_with_a_nonce_and_good_once(world: World, version: Version) -> None:
    phone = world.phone(version=version)
    phone.begin()
    first, second = (header_status(reply) for reply in phone.seen)
    assert (first.code, second.code) == (401, 212)
    assert first.chal is not None
    assert second.chal is not None
    assert first.chal.meta.next_nonce != second.chal.meta.next_nonce
    assert phone.seen[0].header.resp_uri is None
    # The same proof again, in a session of its own, is worth nothing.
    stolen = phone.sent[-1]
    again = replace(stolen, header=replace(stolen.header, session_id="99"))
    assert header_status(Phone.again(phone, again)).code == 401


def test_everything_is_refused_with_the_same_code(world: World) -> None:
    phone = world.phone()
    phone.password = "wrong"
    reply = phone.begin()
    assert header_status(reply).code == 401
    assert header_status(reply).chal is not None
    for name in ("Put", "Get", "Alert"):
        assert codes(reply, name) == [401]
    assert reply.final
    assert "refused:forged" in events(world)
    phone.password = PASSWORD
    assert phone.sync() == 201


def test_without_credentials_there_is_another_code(world: World) -> None:
    phone = world.phone()
    phone.number, phone.session = 1, 1
    reply = phone.again(phone.message(m.Alert(cmd_id="1", code=200)))
    assert header_status(reply).code == 407
    assert header_status(reply).chal is not None


def test_a_password_in_the_clear_opens_and_a_token_too(world: World) -> None:
    phone = world.phone()
    phone.challenge = "syncml:auth-basic"
    assert phone.sync() == 201
    desk = world.server._house.sign_in._desk
    phone.password = desk.issue("anna", timedelta(hours=1)).text
    assert phone.sync() == 200
    phone.user = "bob"
    assert header_status(phone.begin()).code == 401
    assert "refused:other-user" in events(world)


def test_who_has_only_a_token_is_asked_to_show_it(world: World) -> None:
    desk = world.server._house.sign_in._desk
    phone = Phone(world.server, "bob", "phone-9")
    phone.password = desk.issue("bob", timedelta(hours=1)).text
    assert phone.sync() == 201
    assert phone.challenge == "syncml:auth-basic"
    # That some program tries a proof first isn't an attack.
    assert events(world) == []


def test_accords_own_scheme_carries_a_token(world: World) -> None:
    desk = world.server._house.sign_in._desk
    phone = world.phone()
    phone.session = phone.number = 1
    text = desk.issue("anna", timedelta(hours=1), once=True).text
    cred = m.Cred(text, Meta(type="accord:token", format="chr"))
    message = phone.message(cred=cred)
    assert header_status(phone.again(message)).code == 212
    phone.session = 2
    assert header_status(phone.again(phone.message(cred=cred))).code == 401
    assert events(world) == ["refused:replayed"]


def test_a_revoked_password_and_a_locked_user_are_out(world: World) -> None:
    phone = world.phone()
    phone.sync()
    id_ = give_password(world.server, "anna", "another")
    phone.password = "another"
    phone.sync()
    world.server._house.sign_in._desk.revoke(id_)
    assert header_status(phone.begin()).code == 401
    phone.password = PASSWORD
    phone.sync()
    assert isinstance(world.crm, MemoryCrm)
    world.crm.lock_user("anna")
    assert header_status(phone.begin()).code == 401


def test_a_locked_user_is_out_in_the_middle_of_a_session(world: World) -> None:
    phone = world.phone()
    phone.begin()
    assert isinstance(world.crm, MemoryCrm)
    world.crm.lock_user("anna")
    phone.items["1"] = card("Ada Lovelace")
    assert header_status(phone.send_changes(201)).code == 403
    with world.state.read() as tx:
        ((sync, note),) = tx.sync_log.refused()
    assert (sync.user, sync.device) == ("anna", "phone-1")
    assert "anna" in note.why


def test_only_who_knows_the_secret_address_goes_on(world: World) -> None:
    phone = world.phone()
    phone.begin()
    phone.url = URL
    reply = phone.send_changes(201)
    assert header_status(reply).code == 407
    for wrong in ("guessed", "%C3%A9", "%ED%A0%80", ""):
        phone.url = f"{URL}?s={wrong}"
        assert header_status(phone.send_changes(201)).code == 407


def test_the_query_of_the_address_is_kept(world: World) -> None:
    phone = world.phone()
    phone.session = phone.number = 1
    phone.challenge = "syncml:auth-basic"
    message = phone.message(cred=phone.cred(), target=Location(URL + "?tenant=7"))
    phone.again(message)
    assert phone.url.startswith(URL + "?tenant=7&s=")


def test_signed_messages_are_let_in_and_altered_ones_are_not(world: World) -> None:
    phone = world.phone()
    phone.session = phone.number = 1
    nonce = b""

    def signature(body: bytes) -> str:
        def digest(data: bytes) -> str:
            return base64.b64encode(hashlib.md5(data).digest()).decode()

        inner = digest(f"anna:{PASSWORD}".encode()).encode()
        mac = digest(b":".join((inner, nonce, digest(body).encode())))
        return f'algorithm=MD5, username="anna", mac={mac}'

    def post(message: m.Message, wrong: bool = False) -> m.Status:
        body = phone.media.encode(message)
        answer = phone.raw(body, signature(body + b" " * wrong))
        reply = phone.media.decode(answer.body)
        phone.url = reply.header.resp_uri or phone.url
        return header_status(reply)

    status = post(phone.message())
    assert (status.code, status.chal and status.chal.meta.type) == (401, "syncml:auth-MAC")
    assert status.chal is not None
    nonce = base64.b64decode(status.chal.meta.next_nonce or "")
    phone.session = 2
    status = post(phone.message())
    assert status.code == 200
    assert status.chal is not None
    nonce = base64.b64decode(status.chal.meta.next_nonce or "")
    phone.number = 2
    assert post(phone.message(), wrong=True).code == 401
    phone.number = 3
    message = phone.message(m.Alert(cmd_id="1", code=222))
    status = post(message)
    assert status.code == 200
    assert status.chal is not None
    # What was said once is said again to who signs as before, and to nobody else.
    body = phone.media.encode(message)
    assert header_status(phone.media.decode(phone.raw(body, signature(body)).body)).code == 200
    for wrong in ("", signature(body + b" ")):
        reply = phone.media.decode(phone.raw(body, wrong).body)
        assert header_status(reply).code in (401, 407)
    # Each message has a nonce of its own: the one before proves nothing, neither here nor anew.
    phone.number = 4
    assert post(phone.message()).code == 401
    again = replace(message, header=replace(message.header, session_id="9"))
    assert post(again).code == 401
    nonce = base64.b64decode(status.chal.meta.next_nonce or "")
    assert post(phone.message()).code == 200


@pytest.mark.parametrize("signature", ["", 'username="anna", mac=é'])
def test_a_proof_of_odd_characters_is_wrong_like_any_other(world: World, signature: str) -> None:
    phone = world.phone()
    phone.begin()
    good = phone.sent[-1]
    assert good.header.cred is not None
    cred = replace(good.header.cred, data="é" * 24)
    odd = replace(good, header=replace(good.header, session_id="99", cred=cred))
    answer = phone.raw(phone.media.encode(odd), signature)
    assert header_status(phone.media.decode(answer.body)).code == 401
    assert "refused:forged" in events(world)


def test_nobody_learns_from_challenges_who_has_a_password(world: World) -> None:
    answers = []
    for user in ("anna", "nobody"):
        phone = Phone(world.server, user, f"of-{user}")
        phone.password = "wrong"
        phone.begin()
        answers.append(
            [
                (status.code, status.chal and status.chal.meta.type)
                for status in map(header_status, phone.seen)
            ]
        )
    assert answers[0] == answers[1]


def test_an_old_proof_is_made_in_one_step() -> None:
    assert md5(Version.V1_0, "a", "b", b"n") != md5(Version.V1_1, "a", "b", b"n")


def test_a_stored_session_is_gone_with_its_time(world: World) -> None:
    phone = world.phone()
    phone.begin()
    world.clock.wait(3601)
    reply = phone.post(*status_for(phone.reply))
    assert header_status(reply).code == 407
