"""NTLM on connections of one's own, tokens that run out, and passwords that are refused."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx2
import pytest

from accord.groupware.exchange.adapter import ExchangeAdapter, build
from accord.groupware.exchange.http import Http
from accord.groupware.exchange.settings import configure
from accord.groupware.exchange.ways import login
from accord.groupware.exchange.wire import m, t
from accord.ports import errors
from tests.unit.dav.test_tls import Authority
from tests.unit.exchange.bridge import ALICE, BOB, URL
from tests.unit.exchange.company import USERS, Company


@pytest.fixture(autouse=True)
def _accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell the server's side of NTLM who there is."""
    file = tmp_path / "users"
    file.write_text(USERS)
    monkeypatch.setenv("NTLM_USER_FILE", str(file))


@pytest.fixture
def company() -> Iterator[Company]:
    made = Company()
    yield made
    made.close()


def test_a_connection_signs_in_once_and_is_used_on(company: Company) -> None:
    given = {"url": company.server.url, "user": "EXAMPLE\\robot", "password": "secret"}
    adapter = build(given)
    with adapter.open(ALICE) as session:
        assert session.folders()
        for _ in range(3):
            adapter.forget(ALICE)
            session.folders()
    adapter.close()
    assert company.server.handshakes == 1
    assert set(company.asked) == {"EXAMPLE\\robot"}


def test_many_at_once_are_all_signed_in(company: Company) -> None:
    """One shared pool of connections would fail most of these."""
    given = {"url": company.server.url, "user": "EXAMPLE\\robot", "password": "secret"}
    adapter = build({**given, "concurrency": 4})

    def look(number: int) -> int:
        who = (ALICE, BOB)[number % 2]
        with adapter.open(who) as session:
            adapter.forget(who)
            return len(session.folders())

    with ThreadPoolExecutor(12) as pool:
        assert min(pool.map(look, range(24))) > 2
    adapter.close()
    assert company.server.handshakes <= company.server.connections <= 4


def test_one_persons_connection_never_carries_anothers_request(company: Company) -> None:
    adapter = build(
        {
            "url": company.server.url,
            "access": "own",
            "concurrency": 1,
            "passwords": {ALICE: "secret", BOB: "secret"},
        }
    )
    for who in (ALICE, BOB, ALICE):
        with adapter.open(who) as session:
            adapter.forget(who)
            session.folders()
            assert company.asked[-1] == who
    adapter.close()


def test_a_wrong_password_is_refused_once(company: Company) -> None:
    """Asking again and again would lock the account."""
    given = {"url": company.server.url, "user": "EXAMPLE\\robot", "password": "wrong"}
    adapter = build(given)
    with adapter.open(ALICE) as session, pytest.raises(errors.AuthFailed):
        session.folders()
    adapter.close()
    assert company.server.handshakes == 1
    assert company.asked == []


def test_over_tls_the_sign_in_is_bound_to_the_certificate(tmp_path: Path) -> None:
    """Extended Protection, which newer servers insist on (RFC 5929)."""
    authority = Authority(tmp_path, "ours")
    context = authority.server_context("127.0.0.1")
    chain = (tmp_path / "chain-127.0.0.1.pem").read_text()
    import ssl

    begin = chain.index("-----BEGIN CERTIFICATE")
    certificate = ssl.PEM_cert_to_DER_cert(chain[begin:])
    for shown, works in ((certificate, True), (b"another", False)):
        company = Company(context=context, certificate=shown)
        given = {"url": company.server.url, "user": "EXAMPLE\\robot", "password": "secret"}
        adapter = build({**given, "ca_file": str(authority.file)})
        try:
            with adapter.open(ALICE) as session:
                if works:
                    assert session.folders()
                else:
                    with pytest.raises(errors.AuthFailed):
                        session.folders()
        finally:
            adapter.close()
            company.close()


def test_a_certificate_that_is_not_trusted_is_a_matter_of_settings(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ours")
    company = Company(context=authority.server_context("127.0.0.1"))
    given = {"url": company.server.url, "user": "EXAMPLE\\robot", "password": "secret"}
    try:
        off: dict[str, Any] = {"verify": False}
        another = str(Authority(tmp_path, "another").file)
        cases: list[tuple[dict[str, Any], bool]] = [
            ({}, False),
            ({"ca_file": another}, False),
            (off, True),
            (off | {"ca_file": another}, True),
        ]
        for more, trusted in cases:
            adapter = build({**given, **more})
            with adapter.open(ALICE) as session:
                if trusted:
                    assert session.folders()
                else:
                    with pytest.raises(errors.ConfigError) as found:
                        session.folders()
                    assert found.value.field == "ca_file"
            adapter.close()
    finally:
        company.close()


# tokens


class Issuer(httpx2.BaseTransport):
    """Issue tokens and take only the latest one; answer as `say` says."""

    def __init__(self) -> None:
        self.issued = 0
        self.status = 200
        self.error = ""
        self.asked: list[dict[str, list[str]]] = []
        self.shown: list[str] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.host == "sts.example.com":
            self.asked.append(parse_qs(request.read().decode()))
            if self.error:
                return httpx2.Response(self.status, json={"error": self.error})
            self.issued += 1
            return httpx2.Response(200, json={"access_token": f"t{self.issued}", "expires_in": 600})
        self.shown.append(request.headers.get("authorization", ""))
        if self.shown[-1] != f"Bearer t{self.issued}":
            return httpx2.Response(401, headers={"WWW-Authenticate": "Bearer"})
        text = (
            '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><x/>'
            "</s:Body></s:Envelope>"
        )
        return httpx2.Response(200, content=text)


TOKEN = {
    "url": URL,
    "auth": "oauth2",
    "client_id": "accord",
    "client_secret": "geheim",
    "token_url": "https://sts.example.com/token",
}


def ask(http: Http) -> Any:
    return http.ask(URL, login(http.config, ALICE), m("GetFolder", t("x")), [], ALICE)


def test_a_token_is_kept_until_it_is_refused() -> None:
    issuer = Issuer()
    http = Http(configure(TOKEN), issuer)
    ask(http)
    ask(http)
    assert issuer.issued == 1
    (asked,) = issuer.asked
    assert asked["grant_type"] == ["client_credentials"]
    assert asked["client_secret"] == ["geheim"]
    assert asked["scope"] == ["http://127.0.0.1/.default"]
    issuer.issued = 5  # the authority has revoked what it issued
    ask(http)
    assert issuer.shown[-2:] == ["Bearer t1", "Bearer t6"]


@pytest.mark.parametrize(
    ("status", "error", "react"),
    [
        (401, "invalid_client", errors.AuthFailed),
        (400, "invalid_scope", errors.ConfigError),
        (503, "temporarily_unavailable", errors.Retry),
    ],
)
def test_no_token_has_a_reason(status: int, error: str, react: type[Exception]) -> None:
    issuer = Issuer()
    issuer.status, issuer.error = status, error
    with pytest.raises(react) as found:
        ask(Http(configure(TOKEN), issuer))
    assert "geheim" not in str(found.value)


def test_a_bearer_token_acts_for_people_by_impersonation() -> None:
    adapter = ExchangeAdapter(configure(TOKEN), Issuer())
    with pytest.raises(errors.Retry), adapter.open(ALICE) as session:
        session.folders()  # the issuer's answer is no answer of Exchange
    adapter.close()
