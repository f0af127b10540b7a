"""Autodiscover: where a mailbox is served, and to whom the login is never shown."""

from __future__ import annotations

from collections.abc import Callable

import httpx2
import pytest

from accord.groupware.exchange.adapter import ExchangeAdapter
from accord.groupware.exchange.settings import configure
from accord.ports import errors

GIVEN = {"user": "x", "password": "y", "auth": "basic"}
FIRST = "https://example.com/autodiscover/autodiscover.xml"
SECOND = "https://autodiscover.example.com/autodiscover/autodiscover.xml"
NOTHING = httpx2.Response(404)


def told(inside: str) -> Callable[[], httpx2.Response]:
    space = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
    account = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
    text = (
        f'<Autodiscover xmlns="{space}"><Response xmlns="{account}"><Account>{inside}</Account>'
        "</Response></Autodiscover>"
    )
    return lambda: httpx2.Response(200, content=text.encode())


def protocol(kind: str, url: str) -> str:
    return f"<Protocol><Type>{kind}</Type><EwsUrl>{url}</EwsUrl></Protocol>"


def served(places: dict[str, Callable[[], httpx2.Response]]) -> tuple[str, list[str]]:
    asked: list[str] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        asked.append(f"{request.url} {'<EMailAddress>' in request.read().decode()}")
        return places.get(str(request.url), lambda: httpx2.Response(404))()

    adapter = ExchangeAdapter(configure(GIVEN), httpx2.MockTransport(handle))
    return adapter.url("ann@example.com"), asked


def test_the_address_from_outside_comes_first() -> None:
    inside = protocol("EXCH", "https://in/EWS") + protocol("EXPR", "https://out/EWS/Exchange.asmx")
    url, asked = served({SECOND: told(inside)})
    assert url == "https://out/EWS/Exchange.asmx"
    assert asked == [f"{FIRST} True", f"{SECOND} True"]


def test_a_mailbox_goes_by_the_clock_of_the_server_that_has_it() -> None:
    dates = {
        "one.example.com": "Fri, 31 Dec 2100 23:59:59 GMT",
        "two.example.com": "Mon, 02 Mar 2026 09:00:00 GMT",
    }

    def handle(request: httpx2.Request) -> httpx2.Response:
        if request.url.host in dates:
            return httpx2.Response(401, headers={"Date": dates[request.url.host]})
        host = "one.example.com" if b"ann@example.com" in request.read() else "two.example.com"
        found = told(protocol("WEB", f"https://{host}/EWS/Exchange.asmx"))()
        found.headers["Date"] = "Fri, 31 Dec 2100 23:59:59 GMT"
        return found

    adapter = ExchangeAdapter(configure(GIVEN), httpx2.MockTransport(handle))
    seen = {}
    for principal in ("ann@example.com", "ben@example.com"):
        with adapter.open(principal) as session:
            assert session.clock() is None, "Autodiscover's clock is another's"
            with pytest.raises(errors.AuthFailed):
                session.folders()
            seen[principal] = session.clock()
    ann, ben = seen.values()
    assert ann is not None and ann.ahead > 1_000_000
    assert ben is not None and ben.ahead < -1_000_000


def test_it_may_send_to_another_place_and_another_address() -> None:
    other = "https://mail.example.org/autodiscover/autodiscover.xml"
    url, asked = served(
        {
            FIRST: lambda: httpx2.Response(302, headers={"Location": SECOND}),
            SECOND: told(f"<Action>redirectUrl</Action><RedirectUrl>{other}</RedirectUrl>"),
            other: told(protocol("WEB", "https://mail.example.org/EWS/Exchange.asmx")),
        }
    )
    assert url == "https://mail.example.org/EWS/Exchange.asmx"
    assert len(asked) == 3


@pytest.mark.parametrize(
    "place",
    [
        lambda: httpx2.Response(302, headers={"Location": "http://example.com/autodiscover.xml"}),
        told("<RedirectUrl>http://example.com/</RedirectUrl>"),
        told("<RedirectUrl>https://example.com/autodiscover/autodiscover.xml</RedirectUrl>"),
        told(""),
        lambda: httpx2.Response(200, content=b"<!DOCTYPE x><x/>"),
    ],
)
def test_what_leads_nowhere_or_to_plain_http_is_a_matter_of_settings(
    place: Callable[[], httpx2.Response],
) -> None:
    with pytest.raises(errors.ConfigError) as found:
        served({FIRST: place})
    assert found.value.field == "url"
    assert "EWS/Exchange.asmx" in found.value.hint


def test_a_refused_login_is_no_missing_server() -> None:
    with pytest.raises(errors.AuthFailed):
        served({FIRST: lambda: httpx2.Response(401)})


def test_a_mailbox_in_the_cloud_belongs_to_graph() -> None:
    cloud = protocol("EXPR", "https://outlook.office365.com/EWS/Exchange.asmx")
    with pytest.raises(errors.ConfigError) as found:
        served({FIRST: told(cloud)})
    assert found.value.code == "exchange-online"
