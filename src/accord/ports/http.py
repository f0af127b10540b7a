"""What adapters that speak HTTP share: waits that servers ask for, failures, counts, clocks.

With `tls` the ground of an adapter's own `http` module.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx2

from accord.ports.clock import Reading
from accord.ports.errors import AccordError, ConfigError, Retry
from accord.ports.tls import untrusted, without

LONGEST_WAIT = 86_400.0
"""Seconds for which a server is left alone at most, whatever it asks for."""

BURST = 2.0
"""Seconds whose requests may go out at once, after as many without any."""

DOWN = frozenset({502, 503, 504})
"""What says that the server itself is in trouble, or a gateway to it, whoever asks."""

_PROMPT = 1.0
"""An answer whose headers take longer tells too little of what time it is."""


class Told(Retry):
    """The server said itself how long to wait."""

    told = True


class Unanswered(Retry):
    """No whole answer came; whether the request was carried out is not known."""


class TooLarge(Retry):
    """The answer is larger than the limit."""


class ServerClocks:
    """Note what the clocks of servers showed, by the Date of what they answer; thread-safe."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._seen: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def note(self, response: httpx2.Response, took: float) -> None:
        """Take in an answer whose headers came just now, `took` seconds after the question.

        What took long, came out of a cache or from a gateway in trouble says nothing of now.
        """
        if took > _PROMPT or "age" in response.headers or response.status_code >= 500:
            return
        if (skew := skew_of(response.headers)) is not None:
            # A Date lacks the part of its second, and is from amid the way there and back.
            seen = (time.monotonic(), skew + 0.5 + took / 2)
            with self._lock:
                self._seen[_host(str(response.url))] = seen

    def reading(self, url: str = "") -> Reading | None:
        """Return what was seen last of the clock at an address; without one, of any."""
        with self._lock:
            latest = max(self._seen.values(), default=None)
            seen = self._seen.get(_host(url)) if url else latest
        if seen is None:
            return None
        return Reading(ahead=seen[1], age=time.monotonic() - seen[0])


class Counted(httpx2.Auth):
    """Count each request that really goes out, a repetition for signing in included.

    Of what comes back the server's clock is noted.
    """

    def __init__(
        self, count: Callable[[], None], clocks: ServerClocks, auth: httpx2.Auth | None
    ) -> None:
        """Call `count` for each request that `auth` signs, or that goes out without it."""
        self._count, self._clocks, self._auth = count, clocks, auth

    def sync_auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Yield the requests of the way to sign in."""
        self._count()
        flow = _unsigned(request) if self._auth is None else self._auth.sync_auth_flow(request)
        try:
            outgoing = next(flow)
            while True:
                began = time.monotonic()
                response = yield outgoing
                self._clocks.note(response, time.monotonic() - began)
                outgoing = flow.send(response)
                self._count()
        except StopIteration:
            return
        finally:
            flow.close()


def _unsigned(
    request: httpx2.Request,
) -> Generator[httpx2.Request, httpx2.Response, None]:
    yield request


def bounded(response: httpx2.Response, what: str, most: int, patience: float) -> bytes:
    """Return the body of an answer of at most `most` bytes, unpacked; `what` names it for people.

    Raises TooLarge, and Unanswered where it goes on for ten times the `patience` (seconds).
    """
    parts: list[bytes] = []
    size = 0
    deadline = time.monotonic() + 10 * patience
    for part in response.iter_bytes():
        size += len(part)
        if size > most:
            text = f"{what}: the answer is larger than {most // 1024 // 1024} MB"
            raise TooLarge(text, after=600.0, code="too-large")
        if time.monotonic() > deadline:
            raise Unanswered(f"{what}: the answer never ends", after=15.0, code="slow")
        parts.append(part)
    return b"".join(parts)


def unreached(error: httpx2.HTTPError, what: str, url: str) -> AccordError:
    """Return the error for a request that got no answer; `what` was asked, for people."""
    # Without what may stand before it: a server may lead to an address with a password in it.
    host = urlsplit(url).netloc.rpartition("@")[2]
    if refused := untrusted(error, host, "the server's own certificate authority"):
        return refused
    if isinstance(error, httpx2.ConnectError) and (plain := without(error, host)):
        return plain
    text = f"{what} {host}: {type(error).__name__}: {error}"
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout):
        return Retry(text, after=30.0, code="unreachable", everybody=True)
    if isinstance(error, httpx2.UnsupportedProtocol | httpx2.LocalProtocolError):
        return ConfigError(text, field="url", code="protocol")
    return Unanswered(text, after=15.0, code="unanswered", everybody=True)


class Budget:
    """Let so many requests out in a minute as a target allows, in the order of their coming.

    Each of several processes has its part; safe to share between threads.
    """

    def __init__(self, per_minute: float) -> None:
        """Allow so many; 0 sets no limit."""
        self._per_minute = per_minute
        self._processes = 1
        self._next = 0.0
        self._lock = threading.Lock()

    def share(self, processes: int) -> None:
        """Take one part of so many from now on."""
        self._processes = max(processes, 1)

    def wait(self) -> None:
        """Wait until one more request may go out."""
        if (pause := self._turn(time.monotonic())) > 0:
            time.sleep(pause)

    def _turn(self, now: float) -> float:
        """Take the next turn and return in how many seconds it is."""
        if not self._per_minute:
            return 0.0
        apart = 60.0 * self._processes / self._per_minute
        with self._lock:
            # What wasn't used for a moment may be made up for.
            turn = max(self._next, now - BURST)
            self._next = turn + apart
        return turn - now


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a Retry-After header, in either of its forms (RFC 9110 10.2.3).

    A moment is counted from the answer's own Date: one of the clocks may be wrong.
    """
    value = headers.get("retry-after", "").strip()
    if value.isdecimal():
        return min(float(value[:9]), LONGEST_WAIT)
    moment = _moment(value)
    if moment is None:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    now = _moment(headers.get("date", ""))
    if now is None or now.tzinfo is None:
        now = datetime.now(UTC)
    return min(max((moment - now).total_seconds(), 0.0), LONGEST_WAIT)


def skew_of(headers: Mapping[str, str]) -> float | None:
    """Return by how many seconds the Date of an answer is ahead; None where it tells none."""
    moment = _moment(headers.get("date", ""))
    if moment is None or moment.tzinfo is None:
        return None
    return (moment - datetime.now(UTC)).total_seconds()


def _host(url: str) -> str:
    return urlsplit(url).netloc.casefold()


def _moment(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
