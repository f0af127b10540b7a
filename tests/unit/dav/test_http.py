"""Requests: redirects, signing in, limits, patience. Odd servers are scripted."""

from __future__ import annotations

import gzip
import hashlib
import re
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from accord.groupware.dav.errors import error_for
from accord.groupware.dav.http import Http, credentials
from accord.groupware.dav.settings import Login, configure
from accord.model.kinds import Kind
from accord.model.observe import Snapshot
from accord.ports.errors import ConfigError, Retry
from accord.ports.http import TooLarge, Unanswered
from accord.testing.samples import plain
from tests.unit.dav.server import (
    Script,
    adapter_of,
    failed,
    found,
    http_of,
    multistatus,
    settings,
)


def moved(to: str, status: int = 301) -> httpx2.Response:
    return httpx2.Response(status, headers={"Location": to})


def test_a_redirect_on_the_same_server_is_followed_with_method_and_body() -> None:
    answers = {"/a": moved("/b"), "/b": moved("https://dav.test/c/", 308), "/c/": ok()}
    http, auth, script = http_of(answers)
    reply = http.ask(auth, "PROPFIND", "/a", body=b"<x/>", headers={"Depth": "0"})
    assert reply.status == 200
    assert reply.ref == "/c/"
    last = script.asked[-1]
    assert (last.method, last.read(), last.headers["Depth"]) == ("PROPFIND", b"<x/>", "0")


def test_a_redirect_loop_ends_and_says_so() -> None:
    http, auth, script = http_of({"/a": moved("/b"), "/b": moved("/a")})
    with pytest.raises(ConfigError, match="redirects") as caught:
        http.ask(auth, "PROPFIND", "/a")
    assert caught.value.field == "url"
    assert len(script.asked) == 6


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.test/a",
        "https://dav.test.evil.test/",
        "https://dav.test:8443/",
        "//evil.test/x",
        "http://dav.test/a",
        "ftp://dav.test/a",
        "https://dav.test@evil.test/",
    ],
)
def test_credentials_never_go_to_another_host_or_down_to_http(target: str) -> None:
    http, auth, script = http_of({"/a": moved(target)})
    with pytest.raises(ConfigError) as caught:
        http.ask(auth, "PROPFIND", "/a")
    assert caught.value.field == "trusted_hosts"
    assert [str(each.url) for each in script.asked] == ["https://dav.test/a"]


def test_an_href_on_another_host_is_not_asked_either() -> None:
    http, auth, script = http_of({})
    with pytest.raises(ConfigError):
        http.ask(auth, "PROPFIND", "https://evil.test/home/")
    assert script.asked == []


@pytest.mark.parametrize("trusted", ["p1.dav.test other.test", "*.dav.test"])
def test_hosts_named_in_the_settings_get_credentials(trusted: str) -> None:
    http, auth, script = http_of(
        {"/a": moved("https://p1.dav.test/b"), "/b": httpx2.Response(200)}, trusted_hosts=trusted
    )
    reply = http.ask(auth, "PROPFIND", "/a")
    assert reply.ref == "https://p1.dav.test/b"
    assert "Authorization" in script.asked[-1].headers


def test_http_may_be_raised_to_https_on_the_same_host() -> None:
    http, auth, _ = http_of(
        {"/a": lambda r: moved("https://dav.test/a") if r.url.scheme == "http" else ok()},
        url="http://dav.test/",
    )
    assert http.ask(auth, "PROPFIND", "/a").ref == "/a"


def test_no_cookie_is_kept_for_the_next_person() -> None:
    http, auth, script = http_of({"/a": httpx2.Response(200, headers={"Set-Cookie": "session=1"})})
    http.ask(auth, "OPTIONS", "/a")
    http.ask(auth, "OPTIONS", "/a")
    assert all("Cookie" not in each.headers for each in script.asked)


def test_an_answer_that_is_too_large_is_given_up_early() -> None:
    sent: list[int] = []

    def endless() -> Any:
        while True:
            sent.append(1)
            yield b"x" * 65536

    http, auth, _ = http_of(
        {"/a": lambda _: httpx2.Response(200, content=endless())}, max_megabytes=1
    )
    with pytest.raises(TooLarge):
        http.ask(auth, "PROPFIND", "/a")
    assert len(sent) <= 18


def test_a_packed_bomb_counts_unpacked() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    headers = {"Content-Encoding": "gzip"}
    http, auth, _ = http_of(
        {"/a": lambda _: httpx2.Response(200, headers=headers, content=iter([bomb]))},
        max_megabytes=2,
    )
    with pytest.raises(TooLarge):
        http.ask(auth, "PROPFIND", "/a")


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_server_is_asked_again(status: int) -> None:
    http, auth, script = http_of({"/a": [failed(status), failed(status), ok()]})
    assert http.ask(auth, "PROPFIND", "/a").status == 200
    assert len(script.asked) == http.requests.own == 3


def test_a_long_retry_after_is_passed_on_and_not_waited_for() -> None:
    http, auth, script = http_of({"/a": failed(429, Retry_After="120")})
    with pytest.raises(Retry) as caught:
        http.ask(auth, "PROPFIND", "/a")
    assert caught.value.after == 120
    assert len(script.asked) == 1


def test_a_retry_after_may_be_a_date() -> None:
    http, auth, _ = http_of({"/a": failed(503, Retry_After="Fri, 31 Dec 2100 23:59:59 GMT")})
    with pytest.raises(Retry) as caught:
        http.ask(auth, "PROPFIND", "/a")
    assert caught.value.after == 86_400


@pytest.mark.parametrize("error", [httpx2.ReadError("reset"), httpx2.ReadTimeout("slow")])
def test_a_lost_answer_is_asked_for_again_then_passed_on(error: Exception) -> None:
    http, auth, script = http_of({"/a": [error, ok()]})
    assert http.ask(auth, "PROPFIND", "/a").status == 200
    http, auth, script = http_of({"/a": error})
    with pytest.raises(Unanswered):
        http.ask(auth, "PROPFIND", "/a")
    assert len(script.asked) == 3


def test_a_server_that_is_down_is_a_retry() -> None:
    http, auth, _ = http_of({"/a": httpx2.ConnectError("refused")})
    with pytest.raises(Retry) as caught:
        http.ask(auth, "PROPFIND", "/a")
    assert caught.value.code == "unreachable"


def test_auto_signs_in_by_basic_where_the_server_asks_for_it() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if "Authorization" in request.headers:
            return ok()
        return httpx2.Response(401, headers={"WWW-Authenticate": 'Basic realm="x"'})

    http, auth, script = http_of(answer, auth="auto")
    assert http.ask(auth, "PROPFIND", "/a").status == 200
    assert http.ask(auth, "PROPFIND", "/a").status == 200
    assert ["Authorization" in each.headers for each in script.asked] == [False, True, True]
    assert http.requests.own == 3


@pytest.mark.parametrize("way", ["digest", "auto"])
def test_digest_is_answered_and_never_sends_the_password(way: str) -> None:
    server = DigestServer("alice", "secret")
    http, auth, script = http_of(server, auth=way)
    for _ in range(3):
        assert http.ask(auth, "PROPFIND", "/a?x").status == 200
    assert len(script.asked) == 4
    counts = [
        re.findall(r"nc=(\w+)", each.headers.get("Authorization", "")) for each in script.asked
    ]
    assert counts == [[], ["00000001"], ["00000002"], ["00000003"]]
    assert all("c2VjcmV0" not in str(each.headers) for each in script.asked)
    server.nonce = "renewed"
    assert http.ask(auth, "PROPFIND", "/a").status == 200


def test_digest_with_a_wrong_password_is_refused() -> None:
    http, _, script = http_of(DigestServer("alice", "secret"), auth="digest")
    auth = credentials(Login(principal="alice", user="alice", password="wrong"), "digest")
    assert http.ask(auth, "PROPFIND", "/a").status == 401
    assert len(script.asked) == 2


def test_the_servers_clock_is_noted() -> None:
    headers = {"Date": "Fri, 31 Dec 2100 23:59:59 GMT"}
    http, auth, _ = http_of({"/a": httpx2.Response(200, headers=headers)})
    http.ask(auth, "OPTIONS", "/a")
    seen = http.clocks.reading()
    assert seen is not None
    assert seen.ahead > 1_000_000_000
    assert seen.age < 60


def test_when_an_item_was_edited_is_told_of_the_version_that_was_seen() -> None:
    at = "<D:getlastmodified>Mon, 02 Mar 2026 09:00:00 GMT</D:getlastmodified>"
    answers = {
        "/seen": multistatus(found("/seen", f'<D:getetag>"1"</D:getetag>{at}')),
        "/newer": multistatus(found("/newer", f'<D:getetag>"2"</D:getetag>{at}')),
        "/silent": multistatus(found("/silent", '<D:getetag>"1"</D:getetag>')),
        "/gone": httpx2.Response(404),
    }
    adapter, script = adapter_of(answers)
    snapshots = [
        Snapshot(ref=ref, version='"1"', item=plain(Kind.EVENT, "here")) for ref in answers
    ]
    with adapter.open("alice") as session:
        told = session.edited(snapshots)
    adapter.close()
    assert told == {"/seen": datetime(2026, 3, 2, 9, tzinfo=UTC)}
    assert len(script.asked) == 4


def test_an_unusable_ca_file_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        Http(configure(settings(ca_file="/does/not/exist.pem")))
    assert caught.value.field == "ca_file"


class DigestServer:
    """Check Digest answers by the formula of RFC 7616 3.4.1, with SHA-256 and qop=auth."""

    def __init__(self, user: str, password: str) -> None:
        self.user, self.password = user, password
        self.nonce = "first"

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        given = request.headers.get("Authorization", "")
        fields = {k: v.strip('"') for k, v in re.findall(r'(\w+)=("[^"]*"|\w+)', given)}
        if given.startswith("Digest ") and fields["nonce"] == self.nonce:
            one = self._hash(f"{self.user}:realm:{self.password}")
            two = self._hash(f"{request.method}:{fields['uri']}")
            want = f"{one}:{self.nonce}:{fields['nc']}:{fields['cnonce']}:auth:{two}"
            if fields["response"] == self._hash(want):
                return ok()
        challenge = f'Digest realm="realm", nonce="{self.nonce}", algorithm=SHA-256, qop="auth"'
        return httpx2.Response(
            401, headers=[("WWW-Authenticate", 'Basic realm="r"'), ("WWW-Authenticate", challenge)]
        )

    def _hash(self, text: str) -> str:
        return hashlib.sha256(text.encode()).hexdigest()


def ok() -> httpx2.Response:
    return httpx2.Response(200)


def test_the_script_itself_answers_404_for_what_it_does_not_know() -> None:
    http, auth, _ = http_of(Script())
    assert http.ask(auth, "PROPFIND", "/nowhere").status == 404


@pytest.mark.parametrize("status", [100, 201, 304])
def test_what_is_no_error_refuses_no_item(status: int) -> None:
    assert isinstance(error_for(status, frozenset(), {}, "x"), Retry)
