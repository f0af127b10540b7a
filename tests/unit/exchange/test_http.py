"""Patience with a busy server, and what counts as an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from accord.groupware.exchange.http import Http
from accord.groupware.exchange.settings import configure
from accord.groupware.exchange.ways import login
from accord.groupware.exchange.wire import m
from accord.ports import errors
from accord.ports.http import TooLarge, Unanswered
from tests.unit.exchange.test_wire import answer

GIVEN = {"url": "http://127.0.0.1", "user": "x", "password": "y", "auth": "basic"}
GOOD = httpx2.Response(200, content=answer("<m:Done/>"))
BUSY = answer(
    "<s:Fault><faultcode>a:ErrorServerBusy</faultcode><detail><t:MessageXml>"
    '<t:Value Name="BackOffMilliseconds">{wait}</t:Value></t:MessageXml></detail></s:Fault>'
)
Say = Callable[[], httpx2.Response]


def busy(milliseconds: int) -> httpx2.Response:
    return httpx2.Response(500, content=BUSY.replace(b"{wait}", str(milliseconds).encode()))


def gone() -> httpx2.Response:
    raise httpx2.ReadError("gone")


def asked(*says: Any, write: bool = False, **more: Any) -> tuple[str, Http]:
    """Ask where the server answers so, one thing after the other; return what came."""
    rest = list(says)

    def handle(request: httpx2.Request) -> httpx2.Response:
        say = rest.pop(0)
        return say() if callable(say) else say

    http = Http(configure({**GIVEN, **more}), httpx2.MockTransport(handle))
    act = http.write if write else http.ask
    found = act(http.config.url, login(http.config, ""), m("GetItem"), [], "a@example.com")
    return str(found.tag).rpartition("}")[2], http


@pytest.mark.parametrize("write", [False, True])
def test_a_short_wait_that_the_server_asks_for_is_waited(write: bool) -> None:
    found, http = asked(busy(20), busy(20), GOOD, write=write)
    assert found == "Done"
    assert http.requests.own == 3


def test_a_long_wait_is_left_to_the_caller() -> None:
    with pytest.raises(errors.Retry) as found:
        asked(busy(290_000))
    assert found.value.after == 290.0
    with pytest.raises(errors.Retry) as later:
        asked(httpx2.Response(503, headers={"Retry-After": "77"}))
    assert later.value.after == 77.0


def test_a_question_without_an_answer_is_asked_again_a_write_is_not() -> None:
    assert asked(gone, GOOD)[0] == "Done"
    with pytest.raises(Unanswered):
        asked(gone, GOOD, write=True)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (httpx2.Response(200, content=b"<html/>"), errors.Retry),
        (httpx2.Response(200, content=b""), errors.Retry),
        (httpx2.Response(302, headers={"Location": "https://x/owa"}), errors.ConfigError),
        (httpx2.Response(401), errors.AuthFailed),
        (httpx2.Response(404), errors.ConfigError),
        (httpx2.Response(500, content=b"oops"), errors.Retry),
        (
            httpx2.Response(200, content=answer("<m:Done>" + "x" * 2_000_000 + "</m:Done>")),
            TooLarge,
        ),
    ],
)
def test_what_is_no_answer_is_an_error(said: httpx2.Response, error: type[Exception]) -> None:
    with pytest.raises(error):
        asked(said, max_megabytes=1)


def test_what_a_server_says_of_itself_is_remembered() -> None:
    text = answer("<m:Done/>").replace(
        b"<s:Body>",
        b'<s:Header><t:ServerVersionInfo MajorVersion="15" MinorVersion="2"/></s:Header><s:Body>',
    )
    headers = {"Date": "Mon, 02 Mar 2026 09:00:00 GMT"}
    _, http = asked(httpx2.Response(200, content=text, headers=headers))
    assert http.version == "15.2.0.0"
    seen = http.clocks.reading(http.config.url)
    assert seen is not None
    assert seen.ahead < -1_000_000
