"""What is noted of servers' clocks, and what isn't worth noting."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from time import monotonic
from typing import Any

import httpx2
import pytest

from accord.ports.checking import clock
from accord.ports.clock import Reading, differing
from accord.ports.http import Counted, ServerClocks

HERE, THERE = "https://here.test/x", "https://there.test/x"


def dated(ahead: float, url: str = HERE, status: int = 200, **headers: str) -> httpx2.Response:
    """Return the answer of a server whose clock is ahead."""
    shown = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True)
    request = httpx2.Request("GET", url)
    return httpx2.Response(status, headers={"Date": shown, **headers}, request=request)


def noted(*answers: httpx2.Response, took: float = 0.0) -> ServerClocks:
    clocks = ServerClocks()
    for answer in answers:
        clocks.note(answer, took)
    return clocks


def ahead(clocks: ServerClocks, url: str = "") -> float | None:
    reading = clocks.reading(url)
    return reading.ahead if reading else None


@pytest.mark.parametrize("skew", [0, 34, -34])
def test_the_skew_is_known_to_the_half_second(skew: int) -> None:
    found = ahead(noted(dated(skew)))
    assert found == pytest.approx(skew, abs=0.9)


def test_half_of_the_time_on_the_way_is_allowed_for() -> None:
    at_once, slow = ahead(noted(dated(0))), ahead(noted(dated(0), took=1.0))
    assert at_once is not None and slow is not None
    assert slow - at_once == pytest.approx(0.5, abs=1.4)
    assert ahead(noted(dated(0), took=1.1)) is None, "too long to tell"


def test_what_does_not_come_from_the_server_itself_says_nothing() -> None:
    assert ahead(noted(dated(0, status=502), dated(0, Age="3"))) is None
    assert ahead(noted(httpx2.Response(200, request=httpx2.Request("GET", HERE)))) is None
    clocks = noted(dated(0))
    clocks.note(dated(90, Date="tomorrow"), 0.0)
    assert ahead(clocks) == pytest.approx(0, abs=0.9), "what was seen before stands"


def test_each_server_has_a_clock_of_its_own() -> None:
    clocks = noted(dated(90, HERE), dated(-90, THERE), dated(0, HERE, status=500))
    assert ahead(clocks, "https://HERE.test/other?x") == pytest.approx(90, abs=0.9)
    assert ahead(clocks, THERE) == ahead(clocks) == pytest.approx(-90, abs=0.9)
    assert ahead(clocks, "https://nobody.test") is None


def test_the_last_answer_counts_and_grows_old(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = noted(dated(90), dated(5))
    assert ahead(clocks) == pytest.approx(5, abs=0.9)
    monkeypatch.setattr("accord.ports.http.time.monotonic", _later(100.0))
    reading = clocks.reading()
    assert reading is not None
    assert 100 <= reading.age < 160


def test_each_request_on_the_way_to_sign_in_is_counted_and_noted() -> None:
    class Twice(httpx2.Auth):
        def auth_flow(self, request: httpx2.Request) -> Any:
            yield request
            yield request

    for auth, count in ((None, 1), (Twice(), 2)):
        clocks, asked = ServerClocks(), [0]

        def counting(asked: list[int] = asked) -> None:
            asked[0] += 1

        def answer(request: httpx2.Request, asked: list[int] = asked) -> httpx2.Response:
            return dated(100 * asked[0], str(request.url))

        with httpx2.Client(transport=httpx2.MockTransport(answer)) as client:
            client.get(HERE, auth=Counted(counting, clocks, auth))
        assert asked == [count]
        assert ahead(clocks, HERE) == pytest.approx(100 * count, abs=0.9)


@pytest.mark.parametrize(
    ("skew", "said"),
    [
        (0, "0 s ahead of ours"),
        (0.04, "0 s ahead of ours"),
        (-0.25, "0.2 s behind ours"),
        (2.5, "2.5 s ahead of ours"),
        (-34.2, "34 s behind ours"),
        (5_000, "5,000 s ahead of ours"),
    ],
)
def test_a_difference_is_said_in_words(skew: float, said: str) -> None:
    assert differing(Reading(ahead=skew, age=1)) == said


@pytest.mark.parametrize(
    ("skew", "ok", "decides"),
    [
        (0.4, True, True),
        (-2, True, True),
        (2.1, True, False),
        (59, True, False),
        (-60, False, False),
    ],
)
def test_a_check_tells_the_difference_and_what_follows(
    skew: float, ok: bool, decides: bool
) -> None:
    found = clock(Reading(ahead=skew, age=1))
    assert (found.subject, found.ok, bool(found.hint)) == ("clock", ok, not ok)
    assert differing(Reading(ahead=skew, age=1)) in found.detail
    assert ('clash = "newest"' in found.detail) is not decides
    assert clock(None).ok


def _later(seconds: float) -> Callable[[], float]:
    return lambda: monotonic() + seconds
