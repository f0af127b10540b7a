"""exchangelib listens to the stand-in Exchange: pull and streaming over a real port."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from accord.sandbox.exchange.events import Filter
from accord.sandbox.exchange.server import Exchange
from accord.sandbox.exchange.streaming import Pace
from accord.sandbox.process import until
from tests.exchange import listening
from tests.fuzz.tally import RecordProperty, note
from tests.unit.sandbox.ews import ALICE, BOB, SOAP, Judge, M, T, login
from tests.unit.sandbox.test_exchange_exchangelib import at, exchangelib, log_in


@pytest.fixture
def exchange(record_property: RecordProperty) -> Iterator[Exchange]:
    judge = Judge(lambda what: note(1, what, record_property))
    made = Exchange(witness=judge, pace=Pace(heartbeat=0.2, minute=4))
    made.people.add(ALICE, "secret", name="Alice Adams")
    made.people.add(BOB, "secret")
    yield made
    made.close()


@pytest.fixture
def account(exchange: Exchange) -> Iterator[Any]:
    with listening(exchange) as url:
        account = log_in(url, ALICE, exchangelib.DELEGATE)
        yield account
        account.protocol.close()


def entry(account: Any, subject: str) -> Any:
    made = exchangelib.CalendarItem(
        account=account,
        folder=account.calendar,
        subject=subject,
        start=at(account, 3, 10),
        end=at(account, 3, 11),
    )
    return made.save()


def of_items(notification: Any) -> list[tuple[str, str]]:
    return [
        (type(each).__name__, each.item_id.id)
        for each in notification.events
        if getattr(each, "item_id", None) is not None
    ]


def test_pulling(account: Any) -> None:
    with account.calendar.pull_subscription() as (which, mark):
        item = entry(account, "First")
        (told,) = account.calendar.get_events(which, mark)
        assert of_items(told) == [("CreatedEvent", item.id)]
        assert (told.subscription_id, told.previous_watermark) == (which, mark)
        item.move_to_trash()
        (told,) = account.calendar.get_events(which, told.events[-1].watermark)
        assert [kind for kind, _ in of_items(told)] == ["MovedEvent"]
    with pytest.raises(exchangelib.errors.ErrorSubscriptionNotFound):
        list(account.calendar.get_events(which, mark))


def test_listening(account: Any) -> None:
    with account.calendar.streaming_subscription() as which:
        heard: list[tuple[str, str]] = []

        def listen() -> None:
            for told in account.calendar.get_streaming_events(which, connection_timeout=1):
                heard.extend(of_items(told))

        thread = threading.Thread(target=listen)
        thread.start()
        item = entry(account, "First")
        assert until(lambda: heard == [("CreatedEvent", item.id)], 10)
        item.subject = "Second"
        item.save(update_fields=["subject"])
        assert until(lambda: heard[1:] == [("ModifiedEvent", item.id)], 10)
        thread.join()  # Closed, when the minute is over
    with pytest.raises(exchangelib.errors.ErrorSubscriptionNotFound):
        list(account.calendar.get_streaming_events(which, connection_timeout=1))


def stream(account: Any, which: str) -> Any:
    """Open a connection of one's own, to read from or to leave."""
    body = (
        f'<s:Envelope xmlns:s="{SOAP[1:-1]}" xmlns:t="{T}" xmlns:m="{M}"><s:Body>'
        f"<m:GetStreamingEvents><m:SubscriptionIds><t:SubscriptionId>{which}</t:SubscriptionId>"
        "</m:SubscriptionIds><m:ConnectionTimeout>30</m:ConnectionTimeout>"
        "</m:GetStreamingEvents></s:Body></s:Envelope>"
    )
    url = account.protocol.service_endpoint
    return httpx2.stream("POST", url, content=body, headers=login(ALICE), timeout=20)


def test_a_severed_stream_misses_nothing(account: Any, exchange: Exchange) -> None:
    with account.calendar.streaming_subscription() as which:
        with stream(account, which) as reply:
            parts = reply.iter_raw()
            assert b"OK" in next(parts)
            exchange.notices.sever()
            with pytest.raises(httpx2.RemoteProtocolError):
                list(parts)
        item = entry(account, "Meanwhile")
        (told,) = account.calendar.get_streaming_events(which, max_notifications_returned=1)
        assert of_items(told) == [("CreatedEvent", item.id)]


def test_a_client_that_goes_away_is_not_waited_for(account: Any, exchange: Exchange) -> None:
    with account.calendar.streaming_subscription() as which:
        with stream(account, which) as reply:
            parts = reply.iter_raw()  # Held: whoever drops it goes away
            assert b"OK" in next(parts)
            assert until(lambda: exchange.notices.listening == 1, 10)
        assert until(lambda: exchange.notices.listening == 0, 10)


def test_a_connection_that_another_replaces_is_told_so(account: Any) -> None:
    with (
        account.calendar.streaming_subscription() as which,
        stream(account, which) as first,
        stream(account, which) as second,
    ):
        assert b"ErrorInvalidSubscription" in b"".join(first.iter_raw())
        assert b"OK" in next(second.iter_raw())


def test_idle_subscriptions_are_small(exchange: Exchange) -> None:
    def add() -> None:
        wanted = Filter(1, frozenset({"CreatedEvent"}), frozenset({5}))
        exchange.notices.add((1, 1), wanted, 0, datetime.now(UTC), None)

    add()
    tracemalloc.start()
    for _ in range(1000):
        add()
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used / 1000 < 2000
