"""NTLM logins to the stand-in Exchange, with clients of other people's making."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from accord.sandbox.exchange import auth, ntlm
from accord.sandbox.exchange.server import Exchange
from accord.sandbox.process import no_tls
from tests.exchange import listening
from tests.fuzz.tally import RecordProperty, note
from tests.unit.sandbox.ews import ALICE, BOB, SOAP, Judge, M, T, login
from tests.unit.sandbox.test_exchange_exchangelib import exchangelib

spnego: Any = pytest.importorskip("spnego")
ASK = (
    f'<s:Envelope xmlns:s="{SOAP[1:-1]}" xmlns:t="{T}" xmlns:m="{M}"><s:Body><m:GetFolder>'
    "<m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds>"
    '<t:DistinguishedFolderId Id="inbox"/></m:FolderIds></m:GetFolder></s:Body></s:Envelope>'
)


@pytest.fixture(params=[("ntlm",), ("ntlm", "basic")], ids=["ntlm", "both"])
def exchange(request: pytest.FixtureRequest, record_property: RecordProperty) -> Iterator[Exchange]:
    judge = Judge(lambda what: note(1, what, record_property))
    made = Exchange(witness=judge, ways=request.param)
    made.people.add(ALICE, "Sécret", name="Alice Adams", login="alice")
    made.people.add(BOB, "secret")
    yield made
    made.close()


@pytest.fixture
def url(exchange: Exchange) -> Iterator[str]:
    with listening(exchange) as found:
        yield found


def ask(client: httpx2.Client, url: str, token: bytes | None = None) -> httpx2.Response:
    shown = None if token is None else f"NTLM {base64.b64encode(token).decode()}"
    headers = {"Authorization": shown} if shown else {}
    return client.post(url, content=ASK, headers=headers)


def enter(client: httpx2.Client, url: str, user: str, password: str) -> int:
    """Log in on a client's connection."""
    context = spnego.client(user, password, protocol="ntlm")
    told = ask(client, url, context.step())
    assert told.status_code == 401
    (challenge,) = told.headers.get_list("www-authenticate")
    return ask(client, url, context.step(base64.b64decode(challenge[5:]))).status_code


@pytest.mark.parametrize("user", ["alice", "EXAMPLE\\Alice", ALICE])
def test_the_connection_is_logged_in(exchange: Exchange, url: str, user: str) -> None:
    limits = httpx2.Limits(max_connections=1)
    with (
        httpx2.Client(verify=no_tls(), limits=limits) as client,
        httpx2.Client(verify=no_tls(), limits=limits) as other,
    ):
        refused = ask(client, url)
        assert refused.status_code == 401
        assert refused.headers.get_list("www-authenticate")[0] == "NTLM"
        assert enter(client, url, user, "Sécret") == 200
        for _ in range(2):
            assert ask(client, url).status_code == 200
        assert ask(other, url).status_code == 401
        exchange.faults.plan("unauthorized")
        assert [ask(client, url).status_code for _ in range(2)] == [401, 401]
        assert enter(client, url, BOB, "secret") == 200


@pytest.mark.parametrize(
    ("user", "password"), [("alice", "secret"), ("alice", ""), ("nobody", "secret")]
)
def test_wrong_answers_are_refused(url: str, user: str, password: str) -> None:
    with httpx2.Client(verify=no_tls(), limits=httpx2.Limits(max_connections=1)) as client:
        assert enter(client, url, user, password) == 401
        assert ask(client, url).status_code == 401


def test_an_answer_is_good_for_its_challenge_only(url: str) -> None:
    with httpx2.Client(verify=no_tls(), limits=httpx2.Limits(max_connections=1)) as client:
        context = spnego.client("alice", "Sécret", protocol="ntlm")
        told = ask(client, url, context.step())
        answer = context.step(base64.b64decode(told.headers["www-authenticate"][5:]))
        assert ask(client, url, answer).status_code == 200
        assert ask(client, url, answer).status_code == 401
        ask(client, url, spnego.client("alice", "x", protocol="ntlm").step())
        assert ask(client, url, answer).status_code == 401
        for nonsense in (b"x", b"NTLMSSP\0", answer[:70], b"NTLMSSP\0\3\0\0\0" + b"\xff" * 80):
            assert ask(client, url, nonsense).status_code == 401


def test_basic_counts_where_it_is_offered(exchange: Exchange, url: str) -> None:
    reply = httpx2.post(url, content=ASK, headers=login(BOB), verify=no_tls())
    offered = auth.CHALLENGES["basic"] in exchange.door.challenges()
    assert reply.status_code == (200 if offered else 401)


def test_idle_connections_are_forgotten(
    exchange: Exchange, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with httpx2.Client(verify=no_tls(), limits=httpx2.Limits(max_connections=1)) as client:
        assert enter(client, url, "alice", "Sécret") == 200
        monkeypatch.setattr(auth, "_IDLE", -1.0)
        assert ask(client, url).status_code == 401


def test_exchangelib_logs_in(url: str) -> None:
    configuration = exchangelib.Configuration(
        service_endpoint=url,
        credentials=exchangelib.Credentials("EXAMPLE\\alice", "Sécret"),
        auth_type=exchangelib.NTLM,
        max_connections=2,
    )
    account = exchangelib.Account(
        ALICE, config=configuration, autodiscover=False, access_type=exchangelib.DELEGATE
    )
    exchangelib.Task(account=account, folder=account.tasks, subject="By NTLM").save()
    assert [each.subject for each in account.tasks.all()] == ["By NTLM"]
    account.protocol.close()


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        (b"", "31d6cfe0d16ae931b73c59d7e0c089c0"),
        (b"abc", "a448017aaf21d8525fc10ae87aa6729d"),
        (b"1234567890" * 8, "e33b4ddc9c38f2199c3e7b164fcc0536"),
    ],
)
def test_md4_is_rfc_1320_s(text: bytes, digest: str) -> None:
    assert ntlm.md4(text).hex() == digest
