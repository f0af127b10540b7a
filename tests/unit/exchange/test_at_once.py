"""What one session does at once: parts of a batch, the page ahead, and patience for all."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from contextlib import nullcontext

import httpx2
import pytest

from accord.groupware.exchange.http import Http, Route
from accord.groupware.exchange.settings import configure
from accord.groupware.exchange.traits import AT_ONCE, traits
from accord.groupware.exchange.ways import login
from accord.groupware.exchange.wire import m
from accord.model.item import Task
from accord.model.kinds import Kind
from accord.model.observe import Snapshot
from accord.ports import errors
from accord.ports.adapter import Draft, Removal
from accord.testing.place import done, new_key, revise
from accord.testing.samples import plain
from tests.unit.exchange.bridge import Rig
from tests.unit.exchange.test_http import GIVEN, GOOD, busy

TASK = Kind.TASK


class Meeting:
    """Answer requests of one kind only when `many` of them are there."""

    def __init__(self, wanted: str, many: int) -> None:
        self._wanted, self._together = wanted, threading.Barrier(many, timeout=10)

    def __call__(self, name: str, body: bytes) -> httpx2.Response | None:
        if name == self._wanted:
            self._together.wait()
        return None


class Most:
    """Note how many requests are on their way at once."""

    def __init__(self) -> None:
        self.most, self._now, self._lock = 0, 0, threading.Lock()

    def before(self, name: str, body: bytes) -> httpx2.Response | None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(0.02)
        return None

    def after(self, name: str, body: bytes) -> bytes:
        with self._lock:
            self._now -= 1
        return body


def titles(snapshots: Iterable[Snapshot | None]) -> list[str]:
    return [each.item.title for each in snapshots if each and isinstance(each.item, Task)]


def drafts(many: int) -> list[Draft]:
    return [Draft(item=plain(TASK, f"{n}"), key=new_key()) for n in range(many)]


def test_a_batch_is_as_many_requests_as_go_out_at_once() -> None:
    for concurrency, many in ((1, 1), (3, 3), (8, AT_ONCE)):
        config = configure({**GIVEN, "batch": 7, "concurrency": concurrency})
        assert traits(config).batch == 7 * many


def test_parts_of_a_batch_are_written_at_once_and_answered_in_order() -> None:
    rig = Rig(batch=2)
    with rig.place(TASK) as place:
        asked = drafts(6)
        rig.bridge.before.append(Meeting("CreateItem", 3))
        made = [done(each).snapshot for each in place.write(*asked, asked[0])]
        assert titles(made) == [*"012345", "0"]
        there = [each for each in made[:6] if each is not None]

        rig.bridge.before[:] = [Meeting("UpdateItem", 3)]
        changed = [revise(each, title=f"new {n}") for n, each in enumerate(there)]
        told = place.session.update(place.folder, TASK, changed)
        now = [done(each).snapshot for each in told]
        assert titles(now) == [f"new {n}" for n in range(6)]

        rig.bridge.before[:] = [Meeting("DeleteItem", 3)]
        gone = [Removal(ref=each.ref, version=each.version) for each in now if each is not None]
        for one in place.session.delete(place.folder, TASK, gone):
            done(one)
        rig.bridge.before.clear()
        assert place.pull().refs == []
    assert rig.adapter.requests == rig.adapter.http.requests.all, "who helps asks for others"
    rig.close()


def test_no_more_connections_are_used_than_the_settings_say() -> None:
    rig = Rig(batch=1, concurrency=2)
    most = Most()
    rig.bridge.before.append(most.before)
    rig.bridge.after.append(most.after)
    with rig.place(TASK) as place:
        assert len(place.write(*drafts(6))) == 6
    assert most.most == 2
    rig.close()


def test_what_stops_the_session_is_raised_and_keeps_the_rest_from_beginning() -> None:
    rig = Rig(batch=1, concurrency=1)

    def full(name: str, body: bytes) -> httpx2.Response | None:
        if name != "CreateItem" or rig.bridge.names().count("CreateItem") < 2:
            return None
        return httpx2.Response(503, headers={"Retry-After": "600"})

    with rig.place(TASK) as place:
        rig.bridge.before.append(full)
        asked = drafts(4)
        with pytest.raises(errors.Retry) as found:
            place.write(*asked)
        assert found.value.after == 600
        assert rig.bridge.names().count("CreateItem") == 2
        rig.bridge.before.clear()
        # What was made by then is found by its key, and isn't made twice.
        assert len({done(each).ref for each in place.write(*asked)}) == 4
        assert len(place.pull().refs) == 4
    rig.close()


def test_the_next_page_is_read_while_somebody_works_on_one() -> None:
    rig = Rig(page=2)
    with rig.place(TASK) as place:
        place.write(*drafts(5))
        before = rig.bridge.names().count("GetItem")
        pages = place.session.changes(place.folder, TASK, "", lambda refs: {})
        first = next(pages)
        until = time.monotonic() + 30
        while rig.bridge.names().count("GetItem") < before + 2 and time.monotonic() < until:
            time.sleep(0.01)
        assert rig.bridge.names().count("GetItem") == before + 2
        sizes = [len(each.observations) for each in (first, *pages)]
        assert sizes == [2, 2, 1]
    assert rig.adapter.requests == rig.adapter.http.requests.all
    rig.close()


@pytest.mark.parametrize(("access", "others_rest"), [("impersonation", False), ("delegate", True)])
def test_who_is_told_to_slow_down_rests_in_all_requests(
    monkeypatch: pytest.MonkeyPatch, access: str, others_rest: bool
) -> None:
    """With impersonation the budget is the person's, else that of the account."""
    rests: list[float] = []
    monkeypatch.setattr("accord.groupware.exchange.http.time.sleep", rests.append)
    says = [busy(9_000), GOOD, GOOD, GOOD]
    config = configure({**GIVEN, "access": access})
    http = Http(config, httpx2.MockTransport(lambda request: says.pop(0)))
    who = login(config, "ann@example.com")

    def send(anchor: str | Route) -> int:
        rests.clear()
        http.send(config.url, who, m("GetItem"), [], anchor)
        return len(rests)

    with pytest.raises(errors.Retry):
        send("ann@example.com")
    assert send("ann@example.com") == 1
    assert 8 < rests[0] <= 9
    assert send(Route("ann@example.com")) == 1
    assert send("bob@example.com") == int(others_rest)
    http.close()


def test_a_long_rest_is_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []
    monkeypatch.setattr("accord.groupware.exchange.http.time.sleep", rests.append)
    says = [busy(290_000), GOOD]
    config = configure(GIVEN)
    http = Http(config, httpx2.MockTransport(lambda request: says.pop(0)))
    for wanted in (pytest.raises(errors.Retry), nullcontext()):
        with wanted:
            http.send(config.url, login(config, ""), m("GetItem"), [], "ann@example.com")
    assert (rests, says) == ([], [])
    http.close()
