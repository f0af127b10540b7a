"""Where a device is told to send its next message: where it sent this one, with a secret."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from accord.interface.server.server import Answer, Request
from tests.connector import listening
from tests.unit.interface import phone as by_hand
from tests.unit.interface.phone import Phone, card, header_status
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


class Calling(Phone):
    """Send over HTTP."""

    address = ""

    def __init__(self) -> None:
        super().__init__(None)
        self.headers: dict[str, str] = {}

    def raw(self, data: bytes, signature: str = "") -> Answer:
        to = urlsplit(self.url if self.number > 1 else self.address)
        there = urlsplit(self.address)
        connection = http.client.HTTPConnection(there.hostname or "", there.port, timeout=30)
        where = to._replace(scheme="", netloc="").geturl()
        headers = {"Content-Type": self.media.value, **self.headers}
        connection.request("POST", where, data, headers)
        answer = connection.getresponse()
        kind = answer.headers.get_content_type()
        made = Answer(body=answer.read(), content_type=kind, status=answer.status)
        connection.close()
        return made


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
        ({"Host": "crm.example"}, "http://crm.example/CRM.interface?s="),
        ({"Host": "crm.example:8443"}, "http://crm.example:8443/CRM.interface?s="),
        ({"Host": "crm.example", "X-Forwarded-Proto": "https"}, "https://crm.example/CRM.inter"),
        ({"Host": "a.example", "X-Forwarded-Host": "b.example"}, "http://a.example/CRM.interface"),
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
