"""Several processes at one queue: who counts as gone, by which clock, and who helps whom."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from accord.ports.errors import Retry
from accord.ports.queue import DEATHS, Job, Stage, Urgency
from accord.queue import clock as clocks
from accord.queue import durable, executors
from accord.queue.admission import AHEAD, PATIENCE, Admission
from accord.queue.clock import SharedClock
from accord.queue.durable import DurableQueue
from accord.queue.engine import id_of
from accord.queue.folders import GONE, Admitted, Folders, key_of
from accord.queue.handed import Claimed
from accord.sandbox.process import until
from accord.testing.queue import Office
from tests.unit.queue.test_traps import SOON, line, peer, stored

pytestmark = pytest.mark.waits

HOUR = 3600.0


class Shared:
    """Folders in a queue nobody serves, at a moment that a test says."""

    def __init__(self, queue: DurableQueue) -> None:
        self.now = 1000.0
        self.queue = queue
        self.names: list[str] = []
        self.folders = Folders(queue._database, lambda: self.now)
        self.admission = Admission(queue._database, lambda: self.now)

    def ask(self, folder: str, after: float = 0, **given: Any) -> None:
        urgency = given.pop("urgency", Urgency.EDIT)
        place = given.pop("place", "")
        self.folders.ask(folder, "hint", place, after, urgency, full=False)

    def begin(self, folder: str, generation: int, holder: str) -> Job | None:
        return self.folders.begin(key_of(folder), generation, holder)

    def next(self, workers: int = 9) -> list[str]:
        """Return which folders are handed over, and note that they were."""
        names = {key_of(name): name for name in self.names}
        some = self.admission.admit(workers)
        self.folders.admitted(some)
        return [names[each.id] for each in some]


@pytest.fixture
def shared(url: str) -> Iterator[Shared]:
    with closing(DurableQueue(url)) as queue:
        yield Shared(queue)


# clocks


def test_what_is_due_is_so_for_machines_whose_clocks_differ(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = [0.0]
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + ahead[0])
    with closing(DurableQueue(url)) as queue:
        queue.ask("a", "interval", after=1800)
        ahead[0] = HOUR
        with closing(DurableQueue(url)) as other:
            (entry,) = other.entries(Stage.PLANNED)
            assert entry.since == pytest.approx(1800, abs=60)
            other.ask("b", "hint", after=0)
            ahead[0] = -HOUR
            # Each asked the server for its time, and knows it but for what the answer took.
            assert until(lambda: bool(queue.entries(Stage.WAITING)), 5)
            (waiting,) = queue.entries(Stage.WAITING)
            assert waiting.folder == "b"
            assert waiting.since == pytest.approx(0, abs=60)
            assert len(queue._admission.admit(1)) == 1


def test_where_nothing_tells_the_starts_of_a_machine_apart_its_clock_has_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clocks, "_boot", lambda: "")
    with closing(DurableQueue(f"sqlite:///{tmp_path}/queue.db")) as queue:
        assert SharedClock(queue._database)() == pytest.approx(time.time(), abs=5)


def test_a_machine_that_started_anew_goes_on_by_the_clock_on_the_wall(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for boot in ("first", "second"):
        monkeypatch.setattr(clocks, "_boot", lambda boot=boot: boot)
        with closing(DurableQueue(f"sqlite:///{tmp_path}/queue.db")) as queue:
            assert SharedClock(queue._database)() == pytest.approx(time.time(), abs=5)
            monkeypatch.setattr(clocks, "since_start", lambda: time.monotonic() + 1e6)


def test_one_look_at_an_absent_database_answers_all_who_waited_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, faults = 0, list[Retry]()
    came, over = threading.Semaphore(0), threading.Event()
    with closing(DurableQueue(f"sqlite:///{tmp_path}/queue.db")) as queue:
        clock = SharedClock(queue._database)

    def since_start() -> float:
        came.release()
        return time.monotonic()

    def look(now: float) -> tuple[float, float]:
        nonlocal looks
        looks += 1
        assert over.wait(10)
        raise Retry("nobody answers", after=7)

    def ask() -> None:
        with pytest.raises(Retry) as told:
            clock()
        faults.append(told.value)

    monkeypatch.setattr(clocks, "since_start", since_start)
    monkeypatch.setattr(clock, "_look", look)
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert came.acquire(timeout=10)
    over.set()
    for thread in threads:
        thread.join()
    assert [(str(fault), fault.after) for fault in faults] == [("nobody answers", 7)] * 4
    assert looks == 1
    with pytest.raises(Retry):  # who asks later has it looked for anew
        clock()
    assert looks == 2


# who is gone


def test_who_was_taken_for_gone_and_is_not_died_of_nothing(shared: Shared) -> None:
    mine = Admitted(key_of("a"), 1)
    for _ in range(DEATHS + 1):
        shared.ask("a")
        if shared.begin("a", mine.generation, "slow") is None:
            pytest.fail("it was buried, though nobody died")
        shared.folders.orphan("slow")
        again = shared.begin("a", mine.generation, "other")
        assert again is not None
        assert again.attempt == 2
        assert shared.folders.reclaim("slow", [mine]) == {mine}
        assert not shared.folders.done(again, "slow")
        (entry,) = shared.folders.entries([Stage.RUNNING])
        assert entry.attempts == 1
        assert shared.folders.done(again, "other")
        mine = Admitted(mine.id, mine.generation + 1)


def test_who_comes_back_before_another_began_goes_on(shared: Shared) -> None:
    shared.ask("a")
    job = shared.begin("a", 1, "slow")
    assert job is not None
    shared.folders.orphan("slow")
    assert shared.folders.holders() == {GONE + "slow"}
    assert shared.folders.reclaim("slow", [Admitted(key_of("a"), 1)]) == set()
    assert shared.begin("a", 1, "other") is None
    assert shared.folders.done(job, "slow")


def test_who_comes_back_after_it_was_planned_anew_died_of_nothing(shared: Shared) -> None:
    shared.ask("a")
    assert shared.begin("a", 1, "slow") is not None
    shared.folders.abandoned("slow", died=True)
    mine = Admitted(key_of("a"), 1)
    assert shared.folders.reclaim("slow", [mine]) == {mine}
    again = shared.begin("a", 2, "other")
    assert again is not None
    assert again.attempt == 1


def test_deaths_count_on_where_dbos_knows_nothing_of_the_run(shared: Shared) -> None:
    shared.ask("poison")
    for death in range(1, DEATHS + 1):
        dying = shared.begin("poison", death, "dead")
        assert dying is not None
        assert dying.attempt == death
        shared.folders.abandoned("dead", died=True)
    assert shared.begin("poison", DEATHS + 1, "other") is None
    (entry,) = shared.folders.entries([Stage.BURIED])
    assert entry.attempts == DEATHS
    shared.folders.revive([])
    shared.names = ["poison"]
    assert shared.next() == ["poison"]


def test_a_process_that_was_stopped_for_a_while_is_no_death(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a machine that sleeps, or one that the network was cut off from."""
    monkeypatch.setattr(executors, "is_dead", lambda _: False)
    office = Office()
    with closing(DurableQueue(url)) as queue:
        queue.serve(office.work, 1)
        office.gate = threading.Event()
        queue.ask("a", "hint", after=0)
        assert until(lambda: len(office.begun) == 1, SOON)
        # Another one takes it for gone, and what it is at upon itself.
        queue._executors._claim(queue._me, _until(queue))
        queue._take_over(queue._me)
        queue._executors.leave(queue._me)
        assert until(lambda: queue._executors.names() == {queue._me}, SOON)
        assert until(lambda: queue._folders.holders() == {queue._me}, SOON)
        (entry,) = queue.entries(Stage.RUNNING)
        assert entry.attempts == 1
        office.gate.set()
        assert until(lambda: queue.idle, SOON)
    assert len(office.ended) == 1


def test_whose_run_another_has_taken_over_need_not_wait_for_its_end(url: str) -> None:
    """DBOS does, in threads for which a process waits when it ends."""
    before = set(threading.enumerate())
    office = Office()
    with closing(DurableQueue(url)) as queue:
        queue.serve(office.work, 1)
        office.gate = threading.Event()
        queue.ask("a", "hint", after=0)
        assert until(lambda: len(office.begun) == 1, SOON)
        assert queue._engine is not None
        queue._engine.rest()
        queue._take_over(queue._me)
        office.gate.set()
        assert until(lambda: len(office.ended) == 1 and not queue._open, SOON)
    assert until(lambda: all(each.daemon for each in {*threading.enumerate()} - before), SOON)


def test_who_is_ending_claims_nothing_and_gives_back_what_it_has_not_begun(url: str) -> None:
    office = Office()
    office.gate = threading.Event()
    with closing(DurableQueue(url)) as other:
        queue = DurableQueue(url)
        queue.serve(office.work, 1)
        for number in range(AHEAD):
            queue.ask(f"a{number}", "hint", after=0)
        assert until(lambda: len(office.begun) == 1 and len(queue._handed) == AHEAD - 1, SOON)
        ending = threading.Thread(target=queue.close)
        ending.start()
        try:
            some: list[Admitted] = []

            def free() -> bool:
                some.extend(other._admission.admit(1))
                return bool(some)

            assert until(free, 10), "it may begin elsewhere, though the last visit here goes on"
            assert queue._engine is not None
            queue._engine.enqueue(some)
            query = "SELECT status FROM {schema}workflow_status WHERE workflow_uuid = "
            query += f"'{id_of(some[0])}'"
            assert not until(lambda: stored(url, query) != [("ENQUEUED",)], 1.5)
        finally:
            office.gate.set()
            ending.join(SOON)
        assert not ending.is_alive()
        assert len(office.ended) == 1


def test_who_is_ending_waits_once_for_a_database_that_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(DurableQueue(f"sqlite:///{tmp_path}/queue.db")) as queue:
        some = [Claimed(f"{n}", 1, 0, threading.Event()) for n in range(3)]
        for each in some:
            queue._handed.put(each)
        asked: list[Admitted] = []

        def away(each: Admitted) -> None:
            asked.append(each)
            raise Retry("the database can't be reached")

        monkeypatch.setattr(queue._folders, "take_back", away)
        queue._let_go()
    assert len(asked) == 1
    assert all(each.over.is_set() for each in some)


def _until(queue: DurableQueue) -> float:
    with queue._database.read() as tx:
        return float(tx.execute(text("SELECT until FROM queue_executors")).scalar_one())


def test_who_waits_for_the_end_of_a_long_run_is_not_taken_for_gone(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "LIFE", 1.0)
    monkeypatch.setattr(durable, "_WATCH", 0.2)
    office = Office()
    office.gate = threading.Event()
    with closing(DurableQueue(url)) as other:
        queue = DurableQueue(url)
        queue.serve(office.work, 1)
        queue.ask("long", "hint", after=0)
        assert until(lambda: len(office.begun) == 1, SOON)
        ending = threading.Thread(target=queue.close)
        ending.start()
        try:
            assert not until(lambda: bool(other._executors.dead("other")), 3.0)
        finally:
            office.gate.set()
            ending.join(SOON)
        assert len(office.ended) == 1
        assert other.entries() == []
        assert other._executors.names() == set()


def test_after_the_database_was_away_nobody_is_taken_for_gone_at_once(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "_WATCH", 3600.0)
    with closing(DurableQueue(url)) as queue:
        queue.serve(Office().work, 1)
        everybody = queue._executors
        ago = everybody._clock() - 2 * executors.LIFE
        executors.Executors(queue._database, lambda: ago).live("as silent as we", 4)
        queue._lived = clocks.since_start() - 2 * executors.LIFE
        queue._watch()
        assert "as silent as we" in everybody.names(), "it may give its sign in a moment"
        queue._judging = 0.0
        queue._watch()
        assert "as silent as we" not in everybody.names()


# who does what waits


def test_what_waits_for_a_busy_process_is_begun_by_an_idle_one(url: str) -> None:
    with closing(DurableQueue(url)) as asking, peer(url, "time.sleep(600)") as process:
        assert line(process) == "ready"
        for number in range(AHEAD):
            asking.ask(f"a{number}", "hint", after=0)
        assert line(process).startswith("begun a")
        assert until(lambda: len(asking.entries(Stage.RUNNING)) == 1, SOON)
        # It has claimed the other one as well, and no hands for it.
        assert until(lambda: len(asking._folders.waiting(0.5, 9)) == 1, SOON)
        office = Office()
        with closing(DurableQueue(url)) as queue:
            queue.serve(office.work, 1)
            assert until(lambda: len(office.ended) == 1, 15)
            assert until(lambda: len(queue.entries(Stage.WAITING, Stage.RUNNING)) == 1, SOON)


def test_a_run_that_an_idle_process_began_is_not_begun_once_more(shared: Shared) -> None:
    shared.ask("a")
    shared.folders.admitted(shared.admission.admit(1))
    assert shared.folders.waiting(0.5, 9) == []
    shared.now += 1
    (each,) = shared.folders.waiting(0.5, 9)
    job = shared.begin("a", each.generation, "idle")
    assert job is not None
    assert shared.begin("a", each.generation, "busy") is None
    assert shared.folders.done(job, "idle")
    assert shared.begin("a", each.generation, "busy") is None


# what is looked for, and how


def test_who_waits_too_long_has_a_turn_among_the_more_urgent(shared: Shared) -> None:
    shared.names = ["late", *(f"edit{number:02}" for number in range(40))]
    shared.ask("late", urgency=Urgency.LOAD)
    for name in shared.names[1:]:
        shared.ask(name)
    shared.now += PATIENCE / 2
    assert "late" not in shared.next(2) + shared.next(4)
    shared.now += PATIENCE
    assert "late" in shared.next(6), "one in four"


def test_what_is_to_be_left_alone_is_looked_at_when_its_time_has_come(shared: Shared) -> None:
    shared.names = ["a"]
    shared.ask("a")
    job = shared.begin("a", 1, "me")
    assert job is not None
    shared.ask("a")
    shared.folders.done(job, "me", rest=600)
    shared.ask("a")
    assert shared.next() == []
    with shared.queue._database.read() as tx:
        assert tx.execute(text("SELECT due FROM queue_folders")).scalar() == shared.now + 600
    shared.now += 600
    assert shared.next() == ["a"]


def test_every_look_at_what_is_due_is_by_an_index(shared: Shared) -> None:
    for number in range(30):
        shared.ask(f"a{number}", place=f"place{number % 3}")
    shared.now += PATIENCE * 2
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _k: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "queue_folders" in statement and not statement.startswith("EXPLAIN"):
            asked.append((statement, parameters))

    database = shared.queue._database
    event.listen(database._reader, "before_cursor_execute", note)
    shared.admission._turn = 8
    assert len(shared.admission.admit(4)) == 4 * AHEAD
    event.remove(database._reader, "before_cursor_execute", note)
    assert len(asked) > 9
    for statement, parameters in asked:
        plan = _plan(database, statement, parameters)
        assert "Seq Scan" not in plan, statement
        assert not re.search(r"SCAN queue_folders(?! USING)", plan), statement
        index = r"ready" if "place =" in statement or "place >" in statement else r"\w+"
        assert re.search(f"ix_queue_folders_{index}", plan), statement


def _plan(database: Any, statement: str, parameters: Any) -> str:
    word = "EXPLAIN QUERY PLAN " if database.dialect == "sqlite" else "EXPLAIN "
    with database.read() as tx:
        if database.dialect == "postgresql":
            tx.connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        rows = tx.connection.exec_driver_sql(word + statement, parameters).all()
    return "\n".join(" ".join(str(value) for value in row) for row in rows)


# places


def test_a_place_that_one_process_leaves_alone_all_do(url: str) -> None:
    with closing(DurableQueue(url)) as one, closing(DurableQueue(url)) as other:
        other.serve(Office().work, 1)
        one.trouble("a", "user", "it asked for it", after=HOUR)
        assert until(lambda: other.rest("a") > HOUR - 60, SOON)
        one.mended("a")
        assert until(lambda: other.rest("a") == 0, SOON)
