"""Where a device is told to send its next message: where it sent this one, with a secret."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from accord.formats.syncml import message as m
from accord.interface.server.server import Answer, Request
from accord.model.item import Contact
from accord.rules.problem import RuleErrors
from accord.service.config import FILE, load
from tests.connector import listening
from tests.unit.interface import phone as by_hand
from tests.unit.interface.phone import (
    Calling,
    Phone,
    alert_of,
    card,
    codes,
    give_password,
    header_status,
)
from tests.unit.interface.world import World, make_world

TARGETS = ["CRM.interface", "./", "urn:crm", "/CRM.interface?x=1", "http:", "http://[", "ftp://a/b"]


@pytest.fixture
def world() -> Iterator[World]:
    with make_world() as world:
        yield world


class Reaching(Phone):
    """Send to one address, whatever the device calls the server, and then where it is told to."""

    address = "https://crm.example:8443/CRM.interface?user=7"

    def raw(self, data: bytes, signature: str = "") -> Answer:
        assert self.server is not None
        url = self.url if self.number > 1 else self.address
        query = urlsplit(url).query
        return self.server.answer(
            Request(body=data, content_type=self.media.value, url=url, query=query)
        )


def play(phone: Phone) -> None:
    """Sync something; the device was let in once, and only once."""
    phone.items["1"] = card("Ada Lovelace")
    phone.sync()
    phone.items["2"] = card("Grace Hopper")
    phone.sync()
    assert [header_status(reply).code for reply in phone.seen] == [401, *[212, 200, 200] * 2]


@pytest.mark.parametrize("target", TARGETS)
def test_a_device_that_names_no_address_is_answered_where_it_sent(
    world: World, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    monkeypatch.setattr(by_hand, "URL", target)
    phone = Reaching(world.server)
    play(phone)
    told = [reply.header.resp_uri for reply in phone.seen if reply.header.resp_uri]
    assert len(told) == 2
    for each in told:
        at, _, key = each.rpartition("&s=")
        assert at == phone.address
        assert len(key) >= 20
    assert world.names() == ["Ada Lovelace", "Grace Hopper"]


@pytest.mark.parametrize("target", TARGETS)
def test_so_it_is_over_http(world: World, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    monkeypatch.setattr(by_hand, "URL", target)
    phone = Calling()
    with listening(world.server) as phone.address:  # type: ignore[arg-type]
        play(phone)
    told = [reply.header.resp_uri for reply in phone.seen if reply.header.resp_uri]
    assert len(told) == 2
    assert all(each.startswith(f"{phone.address}?s=") for each in told)


@pytest.mark.parametrize(
    ("headers", "begin"),
    [
        ({"Host": "localhost"}, "http://localhost/CRM.interface?s="),
        ({"Host": "127.9.9.9:8443"}, "http://127.9.9.9:8443/CRM.interface?s="),
        ({"Host": "crm.example", "X-Forwarded-Proto": "https"}, "https://crm.example/CRM.inter"),
        (
            {"Host": "a.example", "X-Forwarded-Host": "b.example", "X-Forwarded-Proto": "https"},
            "https://a.example/CRM.interface",
        ),
        ({"Host": "["}, "http://127.0.0.1:"),
        ({"Host": "a@b/c?d#"}, "http://127.0.0.1:"),
    ],
)
def test_it_is_told_the_host_that_it_named_and_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], begin: str
) -> None:
    monkeypatch.setattr(by_hand, "URL", "CRM.interface")
    phone = Calling()
    phone.headers = headers
    with listening(world.server) as phone.address:  # type: ignore[arg-type]
        reply = phone.begin(201)
    assert header_status(reply).code == 212
    assert (reply.header.resp_uri or "").startswith(begin)


def test_the_address_that_a_device_names_comes_first(world: World) -> None:
    phone = Reaching(world.server)
    play(phone)
    told = [reply.header.resp_uri or "" for reply in phone.seen if reply.header.resp_uri]
    assert all(each.startswith(f"{by_hand.URL}?s=") for each in told)


class Proving(Phone):
    """Call the server by no address, over what it can't know to be encrypted, and prove each time.

    As devices do that aren't told that once is enough (212).
    """

    address = "http://crm.example/CRM.interface"
    sly = False

    def post(self, *body: m.Command, final: bool = True, **header: Any) -> m.Message:
        header.setdefault("cred", self.cred())
        reply = super().post(*body, final=final, **header)
        chal = header_status(reply).chal
        if chal is not None and not self.sly:
            self.nonce = base64.b64decode(chal.meta.next_nonce or "")
        return reply

    def raw(self, data: bytes, signature: str = "") -> Answer:
        assert self.server is not None
        return self.server.answer(
            Request(body=data, content_type=self.media.value, url=self.address)
        )


@pytest.mark.parametrize("scheme", ["syncml:auth-md5", "syncml:auth-basic"])
def test_nobody_is_sent_where_others_may_listen(
    world: World, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """A server in front may have the certificate, and the request tells nothing of it."""
    monkeypatch.setattr(by_hand, "URL", "CRM.interface")
    world.add(Contact(full_name="Lise Meitner"))
    phone = Proving(world.server)
    phone.challenge = scheme
    phone.items["1"] = card("Ada Lovelace")
    prove(phone)
    prove(phone)
    phone.items["2"] = card("Grace Hopper")
    prove(phone)
    assert world.names() == phone.names == ["Ada Lovelace", "Grace Hopper", "Lise Meitner"]
    assert not any(reply.header.resp_uri for reply in phone.seen)
    assert {header_status(reply).code for reply in phone.seen} <= {200, 401}


def prove(phone: Phone) -> None:
    """Play a session of a device that proves itself with each message."""
    phone.begin()
    reply = phone.take_changes(phone.send_changes(alert_of(phone.reply).code or 0))
    phone.post(*phone.statuses, *([phone.map_of(phone.maps)] if phone.maps else []))
    assert reply.final
    phone.maps, phone.last, phone.before = {}, phone.following, dict(phone.items)


def test_who_proves_nothing_does_not_go_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_hand, "URL", "CRM.interface")
    phone = Proving(world.server)
    phone.items["1"] = card("Ada Lovelace")
    phone.begin()
    assert header_status(phone.post(cred=None)).code == 407
    phone.nonce = b"guessed"
    assert header_status(phone.post(cred=phone.cred())).code == 401
    give_password(world.server, "bob")
    other = Proving(world.server, "bob", phone.device)
    other.session, other.number, other.challenge = phone.session, 5, "syncml:auth-basic"
    other.items["1"] = card("Ada Lovelace")
    reply = other.post(other.sync_of(other.changes(201)))
    assert header_status(reply).code == 200
    assert codes(reply, "Sync") != [200]
    assert world.names() == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_address_in_the_settings_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setattr(by_hand, "URL", "CRM.interface")
    world.serve(address=f"{scheme}://crm.example:8443/sync/CRM.interface")
    phone = Calling()
    phone.headers = {"Host": "10.0.0.9"}
    with listening(world.server) as phone.address:  # type: ignore[arg-type]
        reply = phone.begin(201)
    assert header_status(reply).code == 212
    begin = f"{scheme}://crm.example:8443/sync/CRM.interface?s="
    assert (reply.header.resp_uri or "").startswith(begin)


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("https://crm.example.com/CRM.interface", True),
        ("http://crm.lan:8640", True),
        ("crm.example.com/CRM.interface", False),
        ("ftp://crm.example.com", False),
        ("https://", False),
        ("https://crm example.com/", False),
        ("https://anna:pw@crm.example.com/", False),
        ("https://crm.example.com/?s=1", False),
        ("https://crm.example.com/#a", False),
    ],
)
def test_the_address_in_the_settings_is_checked(tmp_path: Path, address: str, good: bool) -> None:
    (tmp_path / FILE).write_text(f'[interface]\naddress = "{address}"\n')
    if good:
        assert load(None, {}, tmp_path).interface.address == address
        return
    with pytest.raises(RuleErrors, match="address"):
        load(None, {}, tmp_path)
