"""Watching servers that a script plays: what is asked of them, and what they may do wrong."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.groupware.exchange import watch_board, watch_streaming
from accord.groupware.exchange.adapter import ExchangeAdapter
from accord.groupware.exchange.folders import Found, Place
from accord.groupware.exchange.http import Http, Route
from accord.groupware.exchange.settings import configure
from accord.groupware.exchange.watch import ExchangeWatch, ways_of
from accord.groupware.exchange.watch_board import Board, Standing
from accord.groupware.exchange.watch_wire import Envelopes, piece
from accord.model.kinds import Kind
from accord.ports.errors import ConfigError, Retry
from accord.ports.watcher import Watched
from accord.sandbox.process import until

SOON = 30.0
SPACES = (
    'xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" '
    'xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"'
)
FINE = "<m:ResponseCode>NoError</m:ResponseCode>"


def envelope(inner: str) -> bytes:
    return f"<s:Envelope {SPACES}><s:Body>{inner}</s:Body></s:Envelope>".encode()


def answer(operation: str, inner: str, outcome: str = "Success") -> bytes:
    message = f'<m:{operation}ResponseMessage ResponseClass="{outcome}">{inner}'
    return envelope(
        f"<m:{operation}Response><m:ResponseMessages>{message}</m:{operation}ResponseMessage>"
        f"</m:ResponseMessages></m:{operation}Response>"
    )


def status(text: str) -> bytes:
    return answer("GetStreamingEvents", f"{FINE}<m:ConnectionStatus>{text}</m:ConnectionStatus>")


def lost(*ids: str) -> bytes:
    named = "".join(f"<t:SubscriptionId>{each}</t:SubscriptionId>" for each in ids)
    return answer(
        "GetStreamingEvents",
        "<m:ResponseCode>ErrorSubscriptionNotFound</m:ResponseCode>"
        f"<m:ErrorSubscriptionIds>{named}</m:ErrorSubscriptionIds>",
        "Error",
    )


class Asked:
    """One request: what it asks, as whom, and its headers."""

    def __init__(self, request: httpx2.Request) -> None:
        self.body = request.read().decode()
        self.headers = dict(request.headers)
        found = re.search(r"PrimarySmtpAddress>([^<]+)", self.body)
        self.person = found[1] if found else ""
        self.ids = re.findall(r"t:SubscriptionId>([^<]+)</t:", self.body)

    @property
    def operation(self) -> str:
        return re.search(r"Body><m:(\w+)", self.body)[1]  # type: ignore[index]


class Stage:
    """A server by script, and a watch over mailboxes on it."""

    def __init__(
        self,
        play: Callable[[Asked], httpx2.Response],
        people: Iterable[str],
        *,
        known: bool = True,
        **settings: Any,
    ) -> None:
        self.asked: list[Asked] = []
        self.play = play
        given = {"url": "http://127.0.0.1/EWS/Exchange.asmx", "auth": "basic", "user": "robot"}
        config = configure({**given, "password": "secret", "time_zone": "UTC", **settings})
        self.adapter = ExchangeAdapter(config, httpx2.MockTransport(self._handle))
        self.people = list(people)
        for who in self.people if known else ():
            self.know(who, "tasks")
        self.watch: ExchangeWatch = self.adapter.watch()
        self.heard: list[Any] = []
        self._thread = threading.Thread(target=lambda: self.heard.extend(self.watch.hints()))

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        asked = Asked(request)
        self.asked.append(asked)
        return self.play(asked)

    def __enter__(self) -> Stage:
        self._thread.start()
        folders = frozenset({"tasks"})
        self.watch.cover([Watched(principal=who, folders=folders) for who in self.people])
        return self

    def __exit__(self, *_: object) -> None:
        self.watch.close()
        self._thread.join(SOON)
        self.adapter.close()
        assert not self._thread.is_alive()

    def know(self, who: str, *refs: str) -> None:
        """Let these of somebody's folders be known."""
        found = [
            Found(ref=ref, place=ref + who, name="", kinds=frozenset({Kind.TASK}), writable=True)
            for ref in refs
        ]
        self.adapter._places[who] = (Place(found=tuple(found), roles={}), float("inf"))

    def folders(self, who: str) -> set[str]:
        """Return which of somebody's folders are watched."""
        mailbox = self.watch._board.standings[who].mailbox
        return set() if mailbox is None else set(mailbox.folders.values())

    def of(self, operation: str) -> list[Asked]:
        return [each for each in list(self.asked) if each.operation == operation]

    def ways(self) -> dict[str, str]:
        return {who: way.name for who, way in self.watch.ways().items()}


class Server:
    """A server that grants subscriptions and keeps streams open until the end."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.cookie = ""
        self.pieces = 0

    def __call__(self, asked: Asked) -> httpx2.Response:
        match asked.operation:
            case "Subscribe":
                return self.subscribe(asked)
            case "GetStreamingEvents":
                return httpx2.Response(200, content=self.stream(asked))
            case _:
                return httpx2.Response(200, content=answer(asked.operation, FINE))

    def subscribe(self, asked: Asked) -> httpx2.Response:
        granted = f"{FINE}<m:SubscriptionId>id-{asked.person}</m:SubscriptionId>"
        headers = {"Set-Cookie": self.cookie} if self.cookie else {}
        return httpx2.Response(200, headers=headers, content=answer("Subscribe", granted))

    def stream(self, asked: Asked) -> Iterator[bytes]:
        yield status("OK")
        while not self.ended.wait(0.02):
            self.pieces += 1
            yield status("OK")
        yield status("Closed")


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.ended.set()


def test_a_group_goes_one_way_to_one_server(server: Server) -> None:
    """Microsoft: the anchor is the first by the alphabet; its cookie goes along from then on."""
    server.cookie = "X-BackEndOverrideCookie=ex02~77; path=/; HttpOnly"
    people = ["cat@x.test", "ann@x.test", "bob@x.test"]
    with Stage(server, people) as stage:
        assert until(lambda: len(stage.of("GetStreamingEvents")) == 1, SOON)
        subscribed = stage.of("Subscribe")
        (listened,) = stage.of("GetStreamingEvents")
        server.ended.set()
    assert subscribed[0].person == "ann@x.test"
    assert sorted(each.person for each in subscribed) == sorted(people)
    assert {each.headers["x-anchormailbox"] for each in [*subscribed, listened]} == {"ann@x.test"}
    assert {each.headers["x-preferserveraffinity"] for each in subscribed} == {"true"}
    assert "cookie" not in subscribed[0].headers
    later = [*subscribed[1:], listened]
    assert {each.headers["cookie"] for each in later} == {"X-BackEndOverrideCookie=ex02~77"}
    assert sorted(listened.ids) == [f"id-{who}" for who in sorted(people)]
    assert listened.person == "ann@x.test", "the open connection is on the anchor's account"


def test_no_connection_has_more_than_it_may(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_streaming, "MOST", 3)
    people = [f"p{number}@x.test" for number in range(7)]
    with Stage(server, people) as stage:
        assert until(lambda: set(stage.ways().values()) == {"streaming"}, SOON)
        sizes = sorted(len(each.ids) for each in stage.of("GetStreamingEvents"))
        server.ended.set()
    assert sizes == [1, 3, 3]


def test_who_is_never_found_on_the_groups_server_gets_another_connection(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Two(Server):
        """Bob's mailbox is on a server of its own."""

        def stream(self, asked: Asked) -> Iterator[bytes]:
            if "id-bob@x.test" in asked.ids and asked.headers["x-anchormailbox"][:3] != "bob":
                yield lost("id-bob@x.test")
            yield from super().stream(asked)

    two = Two()
    with Stage(two, ["ann@x.test", "bob@x.test"]) as stage:
        assert until(lambda: set(stage.ways().values()) == {"streaming"}, SOON)
        last = stage.of("GetStreamingEvents")[-1]
        two.ended.set()
    assert (last.ids, last.person) == (["id-bob@x.test"], "bob@x.test")


class Counted:
    """How often something was asked for since; `count` stands in its place."""

    def __init__(self, genuine: Callable[..., Any]) -> None:
        self.times = 0
        self._genuine = genuine

    def count(self, *given: Any) -> Any:
        self.times += 1
        return self._genuine(*given)


def test_where_nobody_comes_or_goes_nobody_is_touched(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [f"p{number}@x.test" for number in range(5)]
    with Stage(server, people) as stage:
        assert until(lambda: set(stage.ways().values()) == {"streaming"}, SOON)
        monkeypatch.setattr(watch_streaming, "_SETTLED", 0.0)
        watch, streamed = stage.watch, server.pieces
        covered = watch._covered
        assert until(lambda: server.pieces > streamed + 2, SOON)
        arranged, known = Counted(watch._arrange), Counted(stage.adapter.known)
        members = Counted(watch_board.Line.members.fget)  # type: ignore[attr-defined]
        with monkeypatch.context() as patch:
            patch.setattr(watch, "_arrange", arranged.count)
            patch.setattr(stage.adapter, "known", known.count)
            patch.setattr(watch_board.Line, "members", property(members.count))
            turns, streamed = watch.turns, server.pieces
            for _ in range(3):
                watch.cover(covered)
            assert until(lambda: server.pieces > streamed + 5, SOON)
        assert (arranged.times, known.times, members.times) == (0, 0, 0)
        assert watch.turns == turns
        # One goes, and another one's folder becomes known by the same call as before.
        watch.cover(covered[1:])
        assert until(lambda: people[0] not in stage.ways(), SOON)
        assert watch.turns > turns
        server.ended.set()


def test_who_is_found_in_the_same_way_again_is_no_news() -> None:
    board = Board()
    board.standings["ann"] = Standing(folders=frozenset())
    board.works("ann", "pull")
    before = board.turns
    board.works("ann", "pull")
    assert board.turns == before
    board.waits("ann", "the server is down")
    assert board.turns > before


def test_a_folder_that_becomes_known_is_found_by_the_same_call_as_before(server: Server) -> None:
    with Stage(server, ["ann@x.test", "bob@x.test"]) as stage:
        assert until(lambda: set(stage.ways().values()) == {"streaming"}, SOON)
        wanted = frozenset({"tasks", "calendar"})
        watched = [
            Watched(principal="ann@x.test", folders=wanted),
            Watched(principal="bob@x.test", folders=frozenset({"tasks"})),
        ]
        stage.watch.cover(watched)
        assert until(lambda: stage.folders("ann@x.test") == {"tasks"}, SOON)
        stage.know("ann@x.test", "tasks", "calendar")
        stage.watch.cover(watched)
        assert until(lambda: stage.folders("ann@x.test") == wanted, SOON)
        server.ended.set()


class Held(Server):
    """A server behind a proxy that lets nothing through before the end of an answer."""

    def stream(self, asked: Asked) -> Iterator[bytes]:
        if asked.ids:
            raise httpx2.ReadTimeout("nothing came")
        yield b""

    def subscribe(self, asked: Asked) -> httpx2.Response:
        if "Pull" not in asked.body:
            return super().subscribe(asked)
        granted = "<m:SubscriptionId>p</m:SubscriptionId><m:Watermark>w</m:Watermark>"
        return httpx2.Response(200, content=answer("Subscribe", FINE + granted))


def test_an_answer_that_is_held_back_on_the_way_is_noticed() -> None:
    with Stage(Held(), ["ann@x.test"]) as stage:
        assert until(lambda: stage.ways() == {"ann@x.test": "pull"}, SOON)
        why = stage.watch.ways()["ann@x.test"].why
    assert "nothing comes before the end" in why


def test_who_falls_from_a_way_while_others_are_looked_after_is_given_to_the_next_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    genuine = ExchangeWatch._arrange

    def arrange(watch: ExchangeWatch) -> float:
        wait = genuine(watch)
        standing = watch._board.standings["ann@x.test"]
        if standing.step == 0:
            assert until(lambda: standing.step == 1, SOON)
        return wait

    monkeypatch.setattr(ExchangeWatch, "_arrange", arrange)
    with Stage(Held(), ["ann@x.test"]) as stage:
        assert until(lambda: stage.ways() == {"ann@x.test": "pull"}, SOON)


def test_who_tells_no_watermark_can_not_be_pulled(server: Server) -> None:
    with Stage(server, ["ann@x.test"], notifications="pull") as stage:
        assert until(lambda: "no watermark" in stage.watch.ways()["ann@x.test"].why, SOON)
        assert stage.ways() == {"ann@x.test": "poll"}


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("way", ["auto", "pull"])
def test_a_refused_login_is_shown_once_for_everybody(way: str, known: bool) -> None:
    people = [f"p{number}@x.test" for number in range(20)]
    with Stage(lambda _: httpx2.Response(401), people, known=known, notifications=way) as stage:
        assert until(lambda: "refuse" in stage.watch.ways()[people[-1]].why, SOON)
        assert set(stage.ways().values()) == {"poll"}
    assert len(stage.asked) == 1


@pytest.mark.parametrize(("operation", "known"), [("Subscribe", True), ("GetFolder", False)])
def test_mailboxes_are_prepared_several_at_a_time(
    server: Server, operation: str, known: bool
) -> None:
    # A dead listener's mailboxes come all together, and each answer takes its time.
    beside = threading.Barrier(4)

    def play(asked: Asked) -> httpx2.Response:
        if asked.operation == operation and asked.person != "p00@x.test":
            with suppress(threading.BrokenBarrierError):
                beside.wait(SOON)
        return server(asked)

    people = [f"p{number:02}@x.test" for number in range(9)]
    with Stage(play, people, known=known) as stage:
        assert until(lambda: len(stage.of(operation)) >= len(people), SOON)
        server.ended.set()
        assert not beside.broken
        beside.abort()


def test_only_the_cookie_of_affinity_is_kept() -> None:
    route = Route("ann@x.test", lasting=True)
    route.learn(httpx2.Headers([("set-cookie", "session=1"), ("set-cookie", "other=2; path=/")]))
    assert "Cookie" not in route.headers()
    route.learn(httpx2.Headers([("set-cookie", "x-backendoverridecookie=a~b=; secure")]))
    assert route.headers()["Cookie"] == "X-BackEndOverrideCookie=a~b="
    passing = Route("ann@x.test")
    passing.learn(httpx2.Headers([("set-cookie", "X-BackEndOverrideCookie=a")]))
    assert passing.headers() == {"X-AnchorMailbox": "ann@x.test"}


TEXTS = st.lists(st.sampled_from([status("OK"), status("Closed"), lost("a", "b")]), max_size=6)


@given(TEXTS, st.lists(st.integers(0, 4000)))
def test_envelopes_are_whole_however_they_come(texts: list[bytes], cuts: list[int]) -> None:
    prolog = b'<?xml version="1.0" encoding="utf-8"?>\n'
    whole = b"".join(prolog + text for text in texts)
    ends = sorted({0, len(whole), *[cut for cut in cuts if cut < len(whole)]})
    envelopes = Envelopes()
    parts = (whole[a:b] for a, b in pairwise(ends))
    found = [each for part in parts for each in envelopes.feed(part)]
    assert found == [prolog + text for text in texts]
    for each in found:
        piece(each)


def test_an_envelope_without_an_end_is_not_gathered_for_ever() -> None:
    envelopes = Envelopes()

    def gather() -> None:
        for _ in range(100):
            list(envelopes.feed(b"x" * 100_000))

    with pytest.raises(Retry):
        gather()


def test_the_ways_follow_the_settings() -> None:
    given = {"url": "https://x.test/", "user": "u", "password": "p", "time_zone": "UTC"}
    assert ways_of(configure(given)) == ("streaming", "pull")
    pushing = {**given, "push_url": "https://accord.x.test/notices"}
    assert ways_of(configure(pushing)) == ("streaming", "push", "pull")
    assert ways_of(configure({**given, "notifications": "poll"})) == ()
    for wrong in (
        {"notifications": "push"},
        {"push_url": "accord.x.test"},
        {"push_url": "https://accord.x.test", "push_listen": "8461"},
    ):
        with pytest.raises(ConfigError) as found:
            configure({**given, **wrong})
        assert found.value.field in ("push_url", "push_listen")


def test_a_connection_that_is_held_is_none_of_those_at_once(server: Server) -> None:
    """Streams would take all room from visits otherwise."""
    given = {"url": "http://127.0.0.1/EWS/Exchange.asmx", "auth": "basic", "user": "u"}
    config = configure({**given, "password": "p", "time_zone": "UTC", "concurrency": 1})
    http = Http(config, httpx2.MockTransport(lambda _: httpx2.Response(200, content=b"")))
    who = ExchangeAdapter(config).client("ann@x.test").login
    with http.held(config.url, who, b"", Route(""), 1.0) as held:
        assert held.status == 200
        assert http._free.acquire(blocking=False)
