"""Watching mailboxes over a real connection: what is heard, what breaks, nothing is missed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from accord.groupware.exchange import build, watch_check, watch_pull, watch_push, watch_streaming
from accord.groupware.exchange.adapter import ExchangeAdapter
from accord.groupware.exchange.watch import ExchangeWatch
from accord.model.kinds import Kind
from accord.ports.adapter import Draft
from accord.ports.watcher import FolderHint, Watched, Watcher
from accord.sandbox.exchange.limits import Limits
from accord.sandbox.exchange.streaming import Pace
from accord.sandbox.process import free_port, until
from accord.sandbox.proxy import Proxy
from accord.testing.place import new_key
from accord.testing.samples import plain
from tests.exchange import ROBOT, House
from tests.fuzz.tally import RecordProperty, note
from tests.unit.sandbox.ews import Judge

pytestmark = pytest.mark.waits

SOON = 30.0
"""Seconds to wait for what takes a moment; generous, because machines may be busy."""


class Ear:
    """A watch, and all that it hinted so far."""

    def __init__(self, adapter: ExchangeAdapter) -> None:
        self.adapter = adapter
        self.watch: ExchangeWatch = adapter.watch()
        self.heard: list[FolderHint] = []
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        for hint in self.watch.hints():
            self.heard.append(hint)

    def cover(self, *people: str) -> None:
        folders = {who: frozenset({task_folder(self.adapter, who)}) for who in people}
        self.watch.cover([Watched(principal=who, folders=folders[who]) for who in people])

    def ways(self) -> dict[str, str]:
        return {who: way.name for who, way in self.watch.ways().items()}

    def why(self, who: str) -> str:
        return self.watch.ways()[who].why

    def all_by(self, name: str, *people: str) -> bool:
        return until(lambda: self.ways() == dict.fromkeys(people, name), SOON)

    def hinted(self, who: str, *, heard: bool | None = None, since: int = 0) -> bool:
        def there() -> bool:
            some = [hint for hint in self.heard[since:] if hint.principal == who]
            return any(heard is None or hint.heard == heard for hint in some)

        return until(there, SOON)

    def close(self) -> None:
        self.watch.close()
        self._thread.join(SOON)
        assert not self._thread.is_alive()


class Scene:
    """A stand-in, adapters to it and ears; all are closed in the end."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self._closing: list[Callable[[], None]] = []

    def house(self, **settings: Any) -> House:
        given = {"pace": Pace(heartbeat=0.1), **settings}
        house = House(self.judge, **given)
        self._closing.append(house.close)
        return house

    def ear(self, house: House, **settings: Any) -> Ear:
        ear = Ear(self.adapter(house, **settings))
        self._closing.append(ear.close)
        return ear

    def adapter(self, house: House, **settings: Any) -> ExchangeAdapter:
        given = {"url": house.url, "auth": "basic", "user": ROBOT, "password": "secret"}
        adapter = build({**given, "time_zone": "Europe/Berlin", **settings})
        self._closing.append(adapter.close)
        return adapter

    def close(self) -> None:
        for each in reversed(self._closing):
            each()


@pytest.fixture
def scene(record_property: RecordProperty) -> Iterator[Scene]:
    made = Scene(Judge(lambda what: note(1, what, record_property)))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_pull, "EVERY", 0.05)
    monkeypatch.setattr(watch_push, "_ROUND", 0.05)
    monkeypatch.setattr(watch_streaming, "_SETTLED", 0.2)


def task_folder(adapter: ExchangeAdapter, who: str) -> str:
    with adapter.open(who) as session:
        return next(f.id for f in session.folders() if Kind.TASK in f.kinds and f.default)


def change(adapter: ExchangeAdapter, who: str) -> None:
    """Let somebody write a task, as Outlook would."""
    with adapter.open(who) as session:
        drafts = [Draft(item=plain(Kind.TASK, "changed"), key=new_key())]
        session.create(task_folder(adapter, who), Kind.TASK, drafts)


@pytest.mark.parametrize("way", ["streaming", "pull", "push"])
def test_a_change_is_hinted_with_its_folder_and_nothing_else(scene: Scene, way: str) -> None:
    house = scene.house()
    settings = {"notifications": way}
    if way == "push":
        port = free_port()
        settings |= {"push_url": f"http://127.0.0.1:{port}/notices"}
        settings |= {"push_listen": f"127.0.0.1:{port}"}
    ear = scene.ear(house, **settings)
    assert isinstance(ear.adapter, Watcher)
    ann, bob = house.person(), house.person()
    ear.cover(ann, bob)
    assert ear.all_by(way, ann, bob)
    assert ear.hinted(ann, heard=False)
    assert ear.hinted(bob, heard=False), "what was there before may be unseen"
    before = len(ear.heard)
    change(ear.adapter, ann)
    assert ear.hinted(ann, heard=True, since=before)
    told = {hint for hint in ear.heard[before:] if hint.heard}
    assert told == {FolderHint(principal=ann, folder=task_folder(ear.adapter, ann))}


def test_a_connection_that_is_cut_leaves_no_gap(scene: Scene) -> None:
    house = scene.house()
    ear = scene.ear(house)
    ann, bob = house.person(), house.person()
    ear.cover(ann, bob)
    assert ear.all_by("streaming", ann, bob)
    before = len(ear.heard)
    house.exchange.notices.sever()
    assert ear.hinted(ann, heard=False, since=before)
    assert ear.hinted(bob, heard=False, since=before)
    assert ear.all_by("streaming", ann, bob)
    before = len(ear.heard)
    change(ear.adapter, bob)
    assert ear.hinted(bob, heard=True, since=before)


def test_a_connection_that_ends_in_good_order_goes_on_without_a_look(scene: Scene) -> None:
    """The server keeps what happens meanwhile for the subscription."""
    house = scene.house(pace=Pace(heartbeat=0.1, minute=0.01))
    ear = scene.ear(house)
    ann = house.person()
    ear.cover(ann)
    assert ear.all_by("streaming", ann)
    for _ in range(3):
        before = len(ear.heard)
        change(ear.adapter, ann)
        assert ear.hinted(ann, heard=True, since=before)
    assert [hint.heard for hint in ear.heard].count(False) == 1


@pytest.mark.parametrize("everybody", [True, False])
def test_a_subscription_that_is_lost_is_made_anew_and_all_is_looked_at(
    scene: Scene, everybody: bool
) -> None:
    house = scene.house()
    ear = scene.ear(house)
    ann, bob = house.person(), house.person()
    ear.cover(ann, bob)
    assert ear.all_by("streaming", ann, bob)
    before = len(ear.heard)
    found = house.exchange.people.by_address(ann)
    assert found is not None
    house.exchange.notices.forget(None if everybody else found.id)
    assert ear.hinted(ann, heard=False, since=before)
    assert ear.all_by("streaming", ann, bob)
    for who in (ann, bob):
        before = len(ear.heard)
        change(ear.adapter, who)
        assert ear.hinted(who, heard=True, since=before)


def test_a_pulled_subscription_that_is_lost_is_made_anew(scene: Scene) -> None:
    house = scene.house()
    ear = scene.ear(house, notifications="pull")
    ann = house.person()
    ear.cover(ann)
    assert ear.all_by("pull", ann)
    for lose in (
        house.exchange.notices.forget,
        lambda: house.exchange.faults.plan("expired", operation="GetEvents"),
    ):
        before = len(ear.heard)
        lose()
        assert ear.hinted(ann, heard=False, since=before)
        change(ear.adapter, ann)
        assert ear.hinted(ann, heard=True, since=before)


def test_one_mailbox_that_is_disabled_disturbs_nobody_else(scene: Scene) -> None:
    house = scene.house()
    ear = scene.ear(house)
    ann, bob = house.person(), house.person()
    for who in (ann, bob):
        task_folder(ear.adapter, who)
    fault = house.exchange.faults.plan("disabled", mailbox=ann, operation="Subscribe", times=None)
    ear.cover(ann, bob)
    assert until(lambda: ear.ways() == {ann: "poll", bob: "streaming"}, SOON)
    assert until(lambda: ear.why(ann).count("ErrorAccountDisabled") == 2, SOON)
    assert "streaming: " in ear.why(ann)
    assert "pull: " in ear.why(ann)
    house.exchange.faults.end(fault)


def test_what_is_refused_is_tried_again_after_a_rest(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accord.groupware.exchange.watch_board.REST", 0.5)
    house = scene.house()
    ear = scene.ear(house)
    ann = house.person()
    task_folder(ear.adapter, ann)
    house.exchange.faults.plan("disabled", mailbox=ann, operation="Subscribe", times=2)
    ear.cover(ann)
    assert ear.all_by("streaming", ann)
    assert ear.why(ann) == ""


def test_where_no_more_streams_are_allowed_the_rest_is_pulled(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_streaming, "MOST", 1)
    house = scene.house(limits=Limits(streams=1))
    ear = scene.ear(house, access="delegate")
    ann, bob = house.person(), house.person()
    people = house.exchange.people
    robot = people.by_address(ROBOT)
    for each in map(people.by_address, (ann, bob)):
        assert each is not None
        assert robot is not None
        people.grant(each, robot, "editor")
    ear.cover(ann, bob)
    assert until(lambda: sorted(ear.ways().values()) == ["pull", "streaming"], SOON)
    pulled = next(who for who, way in ear.ways().items() if way == "pull")
    assert "ErrorExceededConnectionCount" in ear.why(pulled)
    before = len(ear.heard)
    change(ear.adapter, pulled)
    assert ear.hinted(pulled, heard=True, since=before)


def test_streams_opened_in_peoples_names_are_none_of_the_accounts(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_streaming, "MOST", 1)
    house = scene.house(limits=Limits(streams=1))
    ear = scene.ear(house)
    people = house.person(), house.person(), house.person()
    ear.cover(*people)
    assert ear.all_by("streaming", *people)


def test_a_server_that_was_away_is_found_again_and_all_is_looked_at(scene: Scene) -> None:
    house = scene.house()
    ear = scene.ear(house)
    ann = house.person()
    ear.cover(ann)
    assert ear.all_by("streaming", ann)
    before = len(ear.heard)
    fault = house.exchange.faults.plan("unavailable", times=None)
    house.exchange.notices.sever()
    assert ear.all_by("poll", ann)
    # What broke the stream is told first, then what the server says when asked again.
    assert until(lambda: "503" in ear.why(ann), SOON)
    house.exchange.faults.end(fault)
    assert ear.all_by("streaming", ann)
    assert ear.hinted(ann, heard=False, since=before)


def test_people_may_come_and_go(scene: Scene) -> None:
    house = scene.house()
    ear = scene.ear(house)
    ann, bob = house.person(), house.person()
    ear.cover(ann)
    assert ear.all_by("streaming", ann)
    ear.cover(ann, bob)
    assert ear.all_by("streaming", ann, bob)
    before = len(ear.heard)
    change(ear.adapter, bob)
    assert ear.hinted(bob, heard=True, since=before)
    ear.cover(bob)
    assert ear.ways() == {bob: "streaming"}


def test_who_comes_back_while_the_connection_lasts_is_watched_at_once(scene: Scene) -> None:
    house = scene.house()
    ear = scene.ear(house)
    ann, bob = house.person(), house.person()
    ear.cover(ann, bob)
    assert ear.all_by("streaming", ann, bob)
    ear.cover(ann)
    assert ear.all_by("streaming", ann)
    before = len(ear.heard)
    change(ear.adapter, bob)
    change(ear.adapter, ann)
    assert ear.hinted(ann, heard=True, since=before)
    assert bob not in {hint.principal for hint in ear.heard[before:]}, "another one watches him"
    ear.cover(ann, bob)
    assert ear.all_by("streaming", ann, bob)
    assert ear.hinted(bob, heard=False, since=before)


def test_whoever_comes_needs_not_wait_for_a_sign_of_life(scene: Scene) -> None:
    house = scene.house(pace=Pace(heartbeat=600.0))
    ear = scene.ear(house)
    ann, bob = house.person(), house.person()
    ear.cover(ann)
    assert ear.all_by("streaming", ann)

    def both() -> bool:
        # As `accord run` does every few seconds.
        ear.cover(ann, bob)
        return ear.ways() == {ann: "streaming", bob: "streaming"}

    assert until(both, SOON)
    before = len(ear.heard)
    change(ear.adapter, bob)
    assert ear.hinted(bob, heard=True, since=before)


def test_a_folder_that_is_made_later_is_watched_then(scene: Scene) -> None:
    house = scene.house()
    ear = scene.ear(house)
    ann = house.person()
    with ear.adapter.open(ann) as session:
        book = next(f.id for f in session.folders() if Kind.CONTACT in f.kinds and f.default)
    tasks = task_folder(ear.adapter, ann)
    watched = [Watched(principal=ann, folders=frozenset({tasks, book}))]
    ear.watch.cover(watched)
    assert ear.all_by("streaming", ann)

    def contact(name: str) -> None:
        with ear.adapter.open(ann) as session:
            drafts = [Draft(item=plain(Kind.CONTACT, name), key=new_key())]
            session.create(book, Kind.CONTACT, drafts)

    contact("one")
    ear.watch.cover(watched)

    def hinted() -> bool:
        contact("more")
        return any(hint.folder == book for hint in ear.heard)

    assert until(hinted, SOON)


def test_nobody_is_listened_to_where_the_settings_want_it_so(scene: Scene) -> None:
    house = scene.house()
    ear = scene.ear(house, notifications="poll")
    ann = house.person()
    ear.cover(ann)
    assert until(lambda: "settings" in ear.why(ann), SOON)
    assert ear.ways() == {ann: "poll"}
    assert house.exchange.notices.listening == 0


def test_a_watch_is_closed_from_another_thread_at_once(scene: Scene) -> None:
    """Closing is not noticed by the server's next sign of life: that is half a minute away."""
    house = scene.house(pace=Pace(heartbeat=300.0))
    ear = Ear(scene.adapter(house))
    ann = house.person()
    ear.cover(ann)
    assert ear.all_by("streaming", ann)
    ear.close()
    assert until(lambda: house.exchange.notices.listening == 0, SOON)


# push


def post(url: str, body: bytes) -> httpx2.Response:
    with httpx2.Client(trust_env=False) as client:
        return client.post(url, content=body)


def pushing(scene: Scene, **settings: Any) -> tuple[House, Ear, str]:
    house, port = scene.house(), free_port()
    url = f"http://127.0.0.1:{port}/notices"
    given = {"push_url": url, "push_listen": f"127.0.0.1:{port}", **settings}
    return house, scene.ear(house, **given), url


def test_a_post_with_a_forged_key_is_refused(scene: Scene) -> None:
    posts: list[bytes] = []
    plain_judge = scene.judge

    def keep(which: Any, text: bytes) -> None:
        plain_judge(which, text)
        if b"SendNotification>" in text and which == "answer":
            posts.append(text)

    scene.judge = keep  # type: ignore[assignment]
    house, ear, url = pushing(scene, notifications="push")
    ann = house.person()
    ear.cover(ann)
    assert ear.all_by("push", ann)
    change(ear.adapter, ann)
    assert ear.hinted(ann, heard=True)
    before = len(ear.heard)
    genuine = posts[-1]
    for key in ("", "x" * 43, "../notices"):
        assert post(f"{url}/{key}", genuine).status_code == 404
    assert len(ear.heard) == before


def test_what_is_posted_with_the_key_is_read_with_care(scene: Scene) -> None:
    house, ear, url = pushing(scene, notifications="push")
    ann = house.person()
    ear.cover(ann)
    assert ear.all_by("push", ann)
    push = ear.watch._ways["push"]
    (key,) = push._keys  # type: ignore[attr-defined]
    before = len(ear.heard)
    assert post(f"{url}/{key}", b"<nonsense/>").status_code == 400
    assert post(f"{url}/{key}", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>').status_code == 400
    assert post(f"{url}/{key}", b"x" * (watch_push_limit() + 1)).status_code == 413
    assert len(ear.heard) == before
    ear.cover()
    assert until(lambda: not push._keys, SOON)  # type: ignore[attr-defined]
    told = post(f"{url}/{key}", NOTHING_HAPPENED)
    assert b"Unsubscribe" in told.content


def watch_push_limit() -> int:
    from accord.groupware.exchange.watch_listener import LONGEST_POST

    return LONGEST_POST


NOTHING_HAPPENED = (
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    b'<m:SendNotification xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages">'
    b"<m:ResponseMessages/></m:SendNotification></s:Body></s:Envelope>"
)


def test_where_exchange_does_not_reach_the_listener_the_next_way_is_taken(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_push, "GREETING", 0.3)
    monkeypatch.setattr("accord.groupware.exchange.watch.ways_of", lambda _: ("push", "pull"))
    house, ear, _ = pushing(scene, push_url=f"http://127.0.0.1:{free_port()}/nowhere")
    ann = house.person()
    ear.cover(ann)
    assert ear.all_by("pull", ann)
    assert "nothing was posted to" in ear.why(ann)


def test_a_push_subscription_that_falls_silent_is_made_anew(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, ear, _ = pushing(scene, notifications="push")
    ann = house.person()
    ear.cover(ann)
    assert ear.all_by("push", ann)
    house.exchange.notices.forget()
    before = len(ear.heard)
    monkeypatch.setattr(watch_push, "MINUTE", 0.01)
    assert ear.hinted(ann, heard=False, since=before)
    monkeypatch.setattr(watch_push, "MINUTE", 60.0)
    assert ear.hinted(ann, since=before)
    change(ear.adapter, ann)
    assert ear.hinted(ann, heard=True, since=before)


# accord check


def said(scene: Scene, house: House, **settings: Any) -> tuple[bool, str]:
    adapter = scene.adapter(house, **settings)
    found = {each.subject: each for each in adapter.check(house.person())}
    return found["notifications"].ok, found["notifications"].detail


def test_check_says_which_way_works_and_why_none_better(scene: Scene) -> None:
    house = scene.house()
    assert said(scene, house) == (True, "streaming: changes are heard of at once")
    assert said(scene, house, notifications="pull")[1].startswith("pull: ")
    assert "settings want it so" in said(scene, house, notifications="poll")[1]
    pushed = {"notifications": "push", "push_url": "https://accord.example.com/notices"}
    assert "push to https://accord.example.com/notices" in said(scene, house, **pushed)[1]
    assert house.exchange.notices._all == {}, "no subscription stays behind"
    house.exchange.faults.plan("forgotten", operation="GetStreamingEvents", times=None)
    fine, detail = said(scene, house)
    assert fine
    assert detail.startswith("pull: ")
    assert "not better, because streaming: " in detail
    fine, detail = said(scene, house, notifications="streaming")
    assert not fine
    assert "looks by the clock" in detail


def test_check_finds_what_holds_a_stream_back_until_its_end(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_check, "_SILENCE", 0.3)
    house = scene.house()
    with Proxy(house.url) as proxy:
        fine, detail = said(scene, house, url=proxy.url)
    assert fine
    assert detail.startswith("pull: ")
    assert "not better, because streaming: nothing came for 0.3 s: a proxy on the way may" in detail
