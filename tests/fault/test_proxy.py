"""Each fault of the proxy does to a real exchange what its name says, and to no other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest

from accord.sandbox.proxy import (
    Delay,
    Instead,
    Lose,
    Meanwhile,
    Proxy,
    Redate,
    Refuse,
    Reply,
    Request,
    Spoil,
    Truncate,
    Twice,
    throttle,
)
from accord.sandbox.radicale import Radicale
from tests.contract.test_peers import event, put
from tests.peers import new_account


class Store(BaseHTTPRequestHandler):
    """Keeps what is PUT, refuses to overwrite when told, and counts."""

    protocol_version = "HTTP/1.1"
    files: dict[str, bytes]
    heard: list[str]
    url: str

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._handle
        raise AttributeError(name)

    def _handle(self) -> None:
        self.heard.append(self.command)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, answer = 200, self.files.get(self.path, b"")
        if self.command == "PUT":
            exists = self.path in self.files
            status = 412 if exists and self.headers["If-None-Match"] == "*" else 201
            if status == 201:
                self.files[self.path] = body
            answer = b""
        elif self.path not in self.files:
            status = 404
        self.send_response(status)
        self.send_header("X-Host", self.headers["Host"])
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def store() -> Iterator[type[Store]]:
    class Mine(Store):
        files: dict[str, bytes] = {}
        heard: list[str] = []
        url = ""

    with ThreadingHTTPServer(("127.0.0.1", 0), Mine) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        Mine.url = f"http://127.0.0.1:{server.server_port}/dav/"
        yield Mine
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(store: type[Store]) -> Iterator[Proxy]:
    with Proxy(store.url) as proxy:
        yield proxy


@pytest.fixture
def client() -> Iterator[httpx2.Client]:
    with httpx2.Client(timeout=20) as client:
        yield client


def test_without_faults_all_passes_unchanged_and_is_counted(
    proxy: Proxy, store: type[Store], client: httpx2.Client
) -> None:
    assert proxy.url.endswith("/dav/")
    assert client.put(f"{proxy.url}a", content=b"one\r\n\0").status_code == 201
    assert client.put(f"{proxy.url}b", content=iter([b"two", b" parts"])).status_code == 201
    got = client.get(f"{proxy.url}a")
    assert got.content == store.files["/dav/a"] == b"one\r\n\0"
    assert got.headers["X-Host"] in proxy.url
    assert store.files["/dav/b"] == b"two parts"
    head = client.head(f"{proxy.url}a")
    assert head.headers["Content-Length"] == "6"
    assert client.get(f"{proxy.url}none").status_code == 404
    assert proxy.counts == {"PUT": 2, "GET": 2, "HEAD": 1}
    assert [request.fault for request in proxy.requests] == [None] * 5
    assert proxy.requests[0].body == b"one\r\n\0"


@pytest.mark.parametrize("reset", [False, True])
def test_a_lost_answer_comes_after_the_server_has_acted(
    reset: bool, proxy: Proxy, store: type[Store], client: httpx2.Client
) -> None:
    proxy.add(Lose(reset), "PUT")
    with pytest.raises(httpx2.TransportError):
        client.put(f"{proxy.url}a", content=b"x")
    assert store.files == {"/dav/a": b"x"}
    assert client.get(f"{proxy.url}a").content == b"x"


@pytest.mark.parametrize("reset", [False, True])
def test_a_refused_request_never_reaches_the_server(
    reset: bool, proxy: Proxy, store: type[Store], client: httpx2.Client
) -> None:
    proxy.add(Refuse(reset))
    with pytest.raises(httpx2.TransportError):
        client.put(f"{proxy.url}a", content=b"x")
    assert store.heard == []
    assert proxy.counts == {"PUT": 1}


@pytest.mark.parametrize("seconds", [90, -90, None])
def test_a_server_may_seem_to_have_another_time_or_none(
    seconds: int | None, proxy: Proxy, client: httpx2.Client
) -> None:
    before = client.get(f"{proxy.url}a").headers["Date"]
    proxy.add(Redate(seconds))
    shown = client.get(f"{proxy.url}a").headers.get("Date")
    assert (shown is None) is (seconds is None)
    if shown is not None and seconds is not None:
        ahead = parsedate_to_datetime(shown) - parsedate_to_datetime(before)
        assert abs(ahead.total_seconds() - seconds) < 20
        assert shown.endswith(" GMT")


def test_a_truncated_body_is_seen_as_broken(
    proxy: Proxy, store: type[Store], client: httpx2.Client
) -> None:
    store.files["/dav/a"] = b"a long answer"
    proxy.add(Truncate(6), "GET")
    with client.stream("GET", f"{proxy.url}a") as reply:
        assert reply.headers["Content-Length"] == "13"
        parts = reply.iter_bytes()
        assert next(parts) == b"a long"
        with pytest.raises(httpx2.RemoteProtocolError):
            next(parts)


def test_a_spoiled_answer_comes_after_the_server_has_acted(
    proxy: Proxy, store: type[Store], client: httpx2.Client
) -> None:
    proxy.add(Spoil(lambda reply: Reply(reply.status + 1, (("X-Was", "spoiled"),), b"nonsense")))
    answer = client.put(f"{proxy.url}a", content=b"x")
    assert (answer.status_code, answer.text, answer.headers["X-Was"]) == (
        202,
        "nonsense",
        "spoiled",
    )
    assert store.files == {"/dav/a": b"x"}


def test_a_storm_of_throttling_ends(
    proxy: Proxy, store: type[Store], client: httpx2.Client
) -> None:
    proxy.add(throttle(429, 7), "REPORT", times=2)
    proxy.add(throttle(503, "Wed, 21 Oct 2026 07:28:00 GMT"), "REPORT")
    proxy.add(throttle(503), "REPORT")
    store.files["/dav/a"] = b"x"
    replies = [client.request("REPORT", f"{proxy.url}a") for _ in range(5)]
    assert [reply.status_code for reply in replies] == [429, 429, 503, 503, 200]
    waits = [reply.headers.get("Retry-After") for reply in replies]
    assert waits == ["7", "7", "Wed, 21 Oct 2026 07:28:00 GMT", None, None]
    assert store.heard == ["REPORT"]


def test_a_delayed_answer_is_late_for_an_impatient_client(
    proxy: Proxy, store: type[Store], client: httpx2.Client
) -> None:
    proxy.add(Delay(600), "PUT")  # ends with the proxy at the latest
    with pytest.raises(httpx2.ReadTimeout):
        client.put(f"{proxy.url}a", content=b"x", timeout=0.5)
    assert store.files == {"/dav/a": b"x"}


def test_a_repeated_request_shows_its_second_answer(
    proxy: Proxy, store: type[Store], client: httpx2.Client
) -> None:
    proxy.add(Twice(), "PUT")
    reply = client.put(f"{proxy.url}a", content=b"x", headers={"If-None-Match": "*"})
    assert reply.status_code == 412
    assert store.files == {"/dav/a": b"x"}
    assert store.heard == ["PUT", "PUT"]
    assert proxy.counts == {"PUT": 1}


def test_something_can_happen_just_before_the_server_hears(
    proxy: Proxy, store: type[Store], client: httpx2.Client
) -> None:
    def edit(request: Request) -> None:
        store.files[request.path] = b"somebody else's"

    proxy.add(Meanwhile(edit), "PUT")
    reply = client.put(f"{proxy.url}a", content=b"x", headers={"If-None-Match": "*"})
    assert reply.status_code == 412
    assert store.files == {"/dav/a": b"somebody else's"}


def test_faults_strike_whom_they_are_meant_for(
    proxy: Proxy, store: type[Store], client: httpx2.Client
) -> None:
    store.files |= {"/dav/a.ics": b"x", "/dav/b.ics": b"x"}
    gone = Instead(Reply(418, (("X-Why", "test"),), b"short"))
    proxy.add(gone, "GET|HEAD", r"b\.ics$", skip=1, times=2)
    seen = [client.get(f"{proxy.url}{name}.ics").status_code for name in "abababab"]
    assert seen == [200, 200, 200, 418, 200, 418, 200, 200]
    assert [request.fault for request in proxy.requests].count(gone) == 2
    proxy.add(gone, "GE", times=None)
    assert client.get(f"{proxy.url}a.ics").status_code == 200
    proxy.add(gone, times=None)
    assert {client.get(f"{proxy.url}a.ics").text for _ in range(5)} == {"short"}
    proxy.clear()
    assert client.get(f"{proxy.url}a.ics").status_code == 200
    assert proxy.counts == {"GET": 1}


def test_a_dead_server_is_a_bad_gateway(client: httpx2.Client) -> None:
    with Proxy("http://127.0.0.1:9/") as proxy:
        assert client.get(proxy.url).status_code == 502


def test_many_clients_at_once(proxy: Proxy, store: type[Store]) -> None:
    def work(number: int) -> None:
        with httpx2.Client(timeout=30) as client:
            for turn in range(10):
                client.put(f"{proxy.url}{number}-{turn}", content=b"x").raise_for_status()

    proxy.add(Twice(), "PUT", times=30)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.files) == 80
    assert proxy.counts == {"PUT": 80}
    assert len(store.heard) == 110


def test_a_real_server_behind_it(radicale: Radicale) -> None:
    account = new_account(radicale)
    with Proxy(radicale.url) as proxy, account.client() as client:
        url = account.calendar.replace(radicale.url, proxy.url) + "x.ics"
        proxy.add(Lose(), "PUT")
        with pytest.raises(httpx2.TransportError):
            put(client, url, event("x"), If_None_Match="*")
        assert put(client, url, event("x"), If_None_Match="*").status_code == 412
        assert "UID:x" in client.get(url).text
