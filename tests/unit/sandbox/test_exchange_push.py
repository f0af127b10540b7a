"""Push notifications of the stand-in Exchange, and listeners that end them, fail or are gone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from lxml import etree

from accord.sandbox.exchange.streaming import Pace
from accord.sandbox.process import HOST, until
from tests.fuzz.tally import RecordProperty, note
from tests.unit.sandbox.ews import SOAP, Answer, Desk, M, event, folder_named
from tests.unit.sandbox.test_exchange_notices import both, kinds, last, pulled, unsubscribe

RESULT = (
    f'<s:Envelope xmlns:s="{SOAP[1:-1]}"><s:Body><m:SendNotificationResult xmlns:m="{M}">'
    "<m:SubscriptionStatus>{}</m:SubscriptionStatus></m:SendNotificationResult></s:Body>"
    "</s:Envelope>"
)


class Listener:
    """Take notifications; `answers` says what comes back, the last of them for ever."""

    def __init__(self) -> None:
        self.got: list[Answer] = []
        self.answers: list[str | int] = ["OK"]
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers["Content-Length"]))
                body = etree.fromstring(text).find(f"{SOAP}Body")
                assert body is not None
                answers = listener.answers
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                reply = b"" if isinstance(answer, int) else RESULT.format(answer).encode()
                self.send_response(answer if isinstance(answer, int) else 200)
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)
                listener.got.append(Answer(body[0]))

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer((HOST, 0), Handler)
        self.url = f"http://{HOST}:{self.server.server_port}/told"
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self) -> Listener:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def wait(self, count: int) -> list[Answer]:
        assert until(lambda: len(self.got) >= count, 20), len(self.got)
        return self.got


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as made:
        yield made


@pytest.fixture
def quick(record_property: RecordProperty) -> Iterator[Desk]:
    """An Exchange whose minutes are short."""
    made = Desk(lambda what: note(1, what, record_property), pace=Pace(0.02, 0.1))
    yield made
    made.exchange.close()


def subscribe(desk: Desk, url: str, minutes: int = 1, mark: str = "") -> Answer:
    watermark = f"<t:Watermark>{mark}</t:Watermark>" if mark else ""
    return desk.ask(
        f"<m:Subscribe><m:PushSubscriptionRequest><t:FolderIds>{folder_named('calendar')}"
        "</t:FolderIds><t:EventTypes><t:EventType>CreatedEvent</t:EventType></t:EventTypes>"
        f"{watermark}<t:StatusFrequency>{minutes}</t:StatusFrequency><t:URL>{url}</t:URL>"
        "</m:PushSubscriptionRequest></m:Subscribe>"
    )


def test_news_are_posted_with_watermarks_that_follow_each_other(
    desk: Desk, listener: Listener
) -> None:
    made = subscribe(desk, listener.url, 30)
    which, mark = both(made)
    (first,) = listener.wait(1)
    assert first.all("t:StatusEvent")
    assert first.text("t:SubscriptionId") == which
    assert first.text("t:PreviousWatermark") == mark
    desk.create(event())
    second = listener.wait(2)[1]
    assert kinds(second) == ["CreatedEvent"]
    assert second.text("t:PreviousWatermark") == last(first)
    desk.create("<t:Task><t:Subject>Elsewhere</t:Subject></t:Task>")
    desk.create(event())
    assert until(lambda: sum(map(len, map(kinds, listener.got))) == 2, 20)
    assert unsubscribe(desk, which) == "ErrorInvalidSubscription"
    assert pulled(desk, which, mark).code == "ErrorInvalidPullSubscriptionId"
    desk.now += timedelta(days=1)
    desk.create(event())
    assert until(lambda: sum(map(len, map(kinds, listener.got))) == 3, 20)


def test_signs_of_life_come_as_often_as_asked(quick: Desk, listener: Listener) -> None:
    subscribe(quick, listener.url)
    assert all(each.all("t:StatusEvent") for each in listener.wait(4))


def test_a_listener_ends_its_subscription(desk: Desk, listener: Listener) -> None:
    listener.answers = ["OK", "Unsubscribe"]
    which, mark = both(subscribe(desk, listener.url, 30))
    listener.wait(1)
    desk.create(event())
    listener.wait(2)
    assert until(lambda: pulled(desk, which, mark).code == "ErrorSubscriptionNotFound", 20)
    desk.create(event())
    again = both(subscribe(desk, listener.url, 30, last(listener.got[1])))
    listener.answers = ["OK"]
    third = listener.wait(3)[2]
    assert (third.text("t:SubscriptionId"), kinds(third)) == (again[0], ["CreatedEvent"])


def test_a_listener_that_fails_is_told_again(quick: Desk, listener: Listener) -> None:
    listener.answers = ["OK", 503, 200, "OK"]
    subscribe(quick, listener.url, 60)
    listener.wait(1)
    quick.create(event())
    told = listener.wait(4)[1:4]
    assert [kinds(each) for each in told] == [["CreatedEvent"]] * 3
    assert len({each.text("t:PreviousWatermark") for each in told}) == 1


def test_a_listener_that_is_gone_loses_its_subscription(quick: Desk) -> None:
    with Listener() as listener:
        which, mark = both(subscribe(quick, listener.url, 2))
        listener.wait(1)
    quick.create(event())
    assert until(lambda: pulled(quick, which, mark).code == "ErrorSubscriptionNotFound", 20)


def test_a_url_is_one(desk: Desk) -> None:
    assert subscribe(desk, "ftp://example.com/").code == "ErrorInvalidPushSubscriptionUrl"
