"""What a server says of everybody, and what it says of one mailbox; requests keep to the budget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from accord.groupware.dav import errors as dav
from accord.groupware.dav.http import Http as DavHttp
from accord.groupware.dav.settings import configure as dav_settings
from accord.groupware.exchange import build
from accord.groupware.exchange import errors as exchange
from accord.groupware.exchange.settings import DELEGATED
from accord.groupware.exchange.settings import configure as exchange_settings
from accord.ports.errors import AccordError, Retry
from accord.ports.http import Budget, unreached

WAIT = {"retry-after": "120"}
URL = "https://mail.example.com/EWS/Exchange.asmx"
EXCHANGE = {"url": URL, "auth": "basic", "user": "robot", "password": "x"}


def of_dav(status: int, headers: dict[str, str]) -> AccordError:
    return dav.error_for(status, frozenset(), headers, "it")


def of_exchange(status: int, headers: dict[str, str]) -> AccordError:
    return exchange.status_error(status, headers, "it")


@pytest.mark.parametrize("error_for", [of_dav, of_exchange])
@pytest.mark.parametrize(("date", "after"), [("Fri, 31 Dec 2100 23:59:00 GMT", 7), ("", 86_400)])
def test_until_when_a_server_is_left_alone_goes_by_its_own_clock(
    error_for: Callable[..., AccordError], date: str, after: float
) -> None:
    headers = {"retry-after": "Fri, 31 Dec 2100 23:59:07 GMT", "date": date}
    error = error_for(503, headers)
    assert isinstance(error, Retry)
    assert error.after == after


@pytest.mark.parametrize("error_for", [of_dav, of_exchange])
@pytest.mark.parametrize(
    ("status", "everybody"), [(502, True), (503, True), (504, True), (429, False), (500, False)]
)
def test_a_server_in_trouble_is_so_for_everybody(
    error_for: Callable[..., AccordError], status: int, everybody: bool
) -> None:
    for headers in ({}, WAIT):
        error = error_for(status, headers)
        assert isinstance(error, Retry)
        assert error.everybody is everybody
        assert error.told is bool(headers)


def test_a_budget_that_exchange_charges_to_a_mailbox_is_that_mailboxes() -> None:
    error = exchange.error_for("ErrorServerBusy", "busy", "it", 30.0)
    assert isinstance(error, Retry)
    assert (error.everybody, error.told) == (False, True)


@pytest.mark.parametrize("error", [httpx2.ConnectError("no"), httpx2.ReadTimeout("no")])
def test_a_server_that_does_not_answer_does_not_for_everybody(error: httpx2.HTTPError) -> None:
    found = unreached(error, "GET", "https://dav.example.com/")
    assert isinstance(found, Retry)
    assert found.everybody


def test_each_request_keeps_to_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(Budget, "wait", lambda budget: waits.append(budget._per_minute))
    answers = httpx2.MockTransport(lambda _: httpx2.Response(503))
    config = dav_settings({"url": "http://dav.example.com/", "requests_per_minute": 90})
    http = DavHttp(config, answers)
    http.send(None, "OPTIONS", "/")
    http.close()
    assert waits == [90]
    adapter = build({**EXCHANGE, "requests_per_minute": 60})
    adapter.http._transport = answers
    with pytest.raises(Retry):
        adapter.client("anna@example.com").one(_any())
    adapter.close()
    assert set(waits[1:]) == {60}


def _any() -> Any:
    from accord.groupware.exchange.watch_wire import unsubscribe

    return unsubscribe("x")


def test_visits_at_once_are_few_where_one_account_bears_the_load_of_all() -> None:
    assert exchange_settings(EXCHANGE).visits == 0
    assert exchange_settings({**EXCHANGE, "access": "delegate"}).visits == DELEGATED
    assert exchange_settings({**EXCHANGE, "access": "delegate", "visits": 5}).visits == 5
    adapter = build({**EXCHANGE, "visits": 7})
    adapter.share(3)
    assert (adapter.visits, adapter.http.budget._processes) == (7, 3)
    adapter.close()
