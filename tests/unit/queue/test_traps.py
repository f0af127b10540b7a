"""What DBOS does that hurts, trap by trap, on both databases: each has a test named after it.

The numbers are those of the list of traps that came of measuring it.
"""

from __future__ import annotations

import json
import logging
import re
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
from dbos import DBOS, DBOSClient
from sqlalchemy import Connection, create_engine, event, make_url, text

from accord.db.open import CUT_OFF
from accord.ports.errors import ConfigError, Retry
from accord.ports.queue import DEATHS, Job, Stage, Urgency
from accord.queue import engine as engines
from accord.queue import executors
from accord.queue.admission import AHEAD
from accord.queue.clock import SharedClock
from accord.queue.durable import DurableQueue
from accord.queue.engine import QUEUE, VERSION, Engine, id_of
from accord.queue.folders import Admitted, Folders, key_of
from accord.sandbox.postgres import fresh_database
from accord.sandbox.process import until
from accord.sandbox.wire import Wire
from accord.testing.queue import Office

pytestmark = pytest.mark.waits

SOON = 60.0
AWAY = 4.0
"""Seconds after which each thread that asks a database has met its absence."""

ROOT = Path(__file__).parents[3]
PEER = """
import os, sys, time
from accord.queue import executors
from accord.queue.durable import DurableQueue
executors.LIFE = {life}
def work(job):
    # In one: several threads may do so.
    sys.stdout.write(f"begun {{job.folder}} {{job.generation}} {{job.attempt}}\\n")
    sys.stdout.flush()
    {what}
    return 0.0
queue = DurableQueue(sys.argv[1])
queue.serve(work, {workers})
print("ready", flush=True)
time.sleep(600)
"""


@contextmanager
def peer(
    url: str, what: str, life: float = 600.0, workers: int = 1
) -> Iterator[subprocess.Popen[str]]:
    """Have another process work on a queue; what it begins it doesn't end."""
    command = [sys.executable, "-c", PEER.format(what=what, life=life, workers=workers), url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


ENDING = """
import sys, threading
from accord.queue.durable import DurableQueue
over = threading.Event()
def work(job):
    print("begun", flush=True)
    over.wait()
    return 0.0
queue = DurableQueue(sys.argv[1])
queue.serve(work, 1)
queue.ask("a", "test", after=0)
sys.stdin.readline()
over.set()
queue.close()
"""


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@contextmanager
def client(url: str) -> Iterator[DBOSClient]:
    made = DBOSClient(system_database_url=url, application_name=engines.NAME)
    try:
        yield made
    finally:
        made.destroy()


class Desk(NamedTuple):
    """A queue and those who work on it, in this process."""

    queue: DurableQueue
    office: Office


@contextmanager
def desk(url: str, workers: int = 1) -> Iterator[Desk]:
    office = Office()
    with closing(DurableQueue(url)) as queue:
        queue.serve(office.work, workers)
        yield Desk(queue, office)


def stored(url: str, query: str) -> list[Any]:
    made = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    try:
        with made.connect() as connection:
            schema = "dbos." if url.startswith("postgres") else ""
            return list(connection.execute(text(query.format(schema=schema))))
    finally:
        made.dispose()


@pytest.mark.postgres
def test_a_connection_of_dbos_that_is_cut_off_is_given_up_as_ours_are(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[psycopg.Connection[Any]] = []
    connect = psycopg.connect

    def connecting(*given: Any, **more: Any) -> psycopg.Connection[Any]:
        made.append(connect(*given, **more))
        return made[-1]

    with fresh_database(postgres) as url:
        monkeypatch.setattr(psycopg, "connect", connecting)
        with desk(url.replace("+psycopg", "")) as (queue, office):
            queue.ask("a", "test")
            assert until(lambda: len(office.ended) == 1, SOON)
            said = [each.info.get_parameters() for each in made if not each.closed]
    assert {each["application_name"] for each in said if "application_name" in each}
    assert all(each.items() >= CUT_OFF.items() for each in said)


@pytest.mark.postgres
def test_a_process_ends_though_the_database_is_away(postgres: str) -> None:
    with fresh_database(postgres) as url, Wire(make_url(url).port or 5432) as wire:
        through = make_url(url).set(drivername="postgresql", port=wire.port)
        command = [sys.executable, "-c", ENDING, through.render_as_string(hide_password=False)]
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                assert line(process) == "begun"
                wire.cut()
                time.sleep(AWAY)
                _, said = process.communicate("end\n", timeout=SOON)
            finally:
                process.kill()
        assert (process.returncode, "queue.leave" in said) == (0, True), said
        with desk(url.replace("+psycopg", "")) as (_, office):
            assert until(lambda: bool(office.ended), SOON)


@pytest.mark.postgres
@pytest.mark.parametrize("when", ["launch", "register_queue", "DBOSClient"])
def test_a_start_without_the_database_is_told_as_one_to_try_again(
    postgres: str, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    with fresh_database(postgres) as url, Wire(make_url(url).port or 5432) as wire:
        through = make_url(url).set(drivername="postgresql", port=wire.port)
        place = engines if when == "DBOSClient" else DBOS
        act = getattr(place, when)

        def cut(*given: Any, **more: Any) -> Any:
            wire.cut()
            return act(*given, **more)

        with monkeypatch.context() as patch:
            patch.setattr(place, when, cut)
            with pytest.raises(Retry):
                Engine(through.render_as_string(hide_password=False), "me", 1, lambda *_: None)
        wire.mend()
        Engine(through.render_as_string(hide_password=False), "me", 1, lambda *_: None).stop()


def test_what_dbos_says_goes_where_our_own_logs_go(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Engine(f"sqlite:///{tmp_path}/queue.db", "me", 1, lambda *_: None)
    try:
        said = logging.getLogger("dbos")
        assert [type(each) for each in said.handlers] == [logging.NullHandler]
        said.warning("as DBOS warns")
    finally:
        engine.stop()
    assert "as DBOS warns" in caplog.messages


def test_what_is_claimed_amid_the_end_is_put_back_without_a_complaint(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    began = threading.Event()
    going = threading.Event()
    gate = threading.Event()

    def visit(*_: object) -> None:
        began.set()
        gate.wait(SOON)

    engine = Engine(url, "me", 1, visit)
    claim = engine._dbos._sys_db.start_queued_partitioned_workflows

    def slow(*given: Any, **more: Any) -> Any:
        going.set()
        time.sleep(0.5)
        return claim(*given, **more)

    monkeypatch.setattr(engine._dbos._sys_db, "start_queued_partitioned_workflows", slow)
    engine.enqueue([Admitted(key_of("a"), 1)])
    assert going.wait(SOON)
    engine.stop()
    gate.set()
    assert began.is_set()
    assert not caplog.messages
    assert stored(url, "SELECT status FROM {schema}workflow_status") == [("ENQUEUED",)]


def test_trap_1_runs_keep_their_order_where_the_clock_has_whole_seconds(url: str) -> None:
    done: list[int] = []
    gate = threading.Event()

    def visit(_: str, generation: int, __: int) -> None:
        done.append(generation)
        gate.wait(SOON)

    engine = Engine(url, "me", 1, visit)
    jobs = [Admitted(key_of("a"), generation) for generation in range(1, 7)]
    try:
        engine.enqueue(jobs[:1])
        assert until(lambda: done == [1], SOON)
        if url.startswith("sqlite"):
            # All within one second, which is one moment to DBOS: ids say which is first.
            assert until(lambda: time.time() % 1 < 0.1, SOON)
            engine.enqueue(jobs[:0:-1])
        else:
            engine.enqueue(jobs[1:])
        gate.set()
        assert until(lambda: len(done) == 6, SOON)
    finally:
        engine.stop()
    assert done == [1, 2, 3, 4, 5, 6]
    ids = [id_of(each) for each in jobs]
    assert ids == sorted(ids)


def test_trap_1_an_old_sqlite_under_a_new_python_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 40, 1))
    monkeypatch.setattr(sys, "version_info", (3, 12, 0))
    with pytest.raises(ConfigError, match="too old") as caught:
        engines.require_clock("sqlite:///x.db")
    assert "PostgreSQL" in caught.value.hint
    engines.require_clock("postgresql://host/x")
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 42, 0))
    engines.require_clock("sqlite:///x.db")
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 40, 1))
    monkeypatch.setattr(sys, "version_info", (3, 11, 2))
    engines.require_clock("sqlite:///x.db")


@pytest.mark.parametrize("machine", ["this", "another"])
def test_trap_2_what_a_killed_worker_held_is_taken_over(
    url: str, machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if machine == "another":
        monkeypatch.setattr(executors, "is_dead", lambda _: False)
    life = 1.5 if machine == "another" else 600.0
    with closing(DurableQueue(url)) as asking, peer(url, "time.sleep(600)", life) as process:
        assert line(process) == "ready"
        asking.ask("a", "hint", after=0)
        assert line(process) == "begun a 1 1"
        asking.ask("a", "crm", after=0)
        process.kill()
        process.wait()
        with desk(url) as (queue, office):
            assert until(lambda: len(office.ended) == 2, SOON)
            assert until(lambda: queue.idle, SOON)
    # In its order, and no other run of the folder beside it: it stayed in its queue.
    first, second = office.ended
    assert (first.generation, first.attempt, first.cause) == (1, 2, "hint")
    assert (second.generation, second.attempt, second.cause) == (2, 1, "crm")
    with client(url) as looking:
        assert {each.queue_name for each in looking.list_workflows()} == {QUEUE}
        assert looking.list_workflows(status=["PENDING", "ENQUEUED"]) == []


def test_trap_2_a_run_that_kills_its_workers_is_buried(url: str) -> None:
    with closing(DurableQueue(url)) as asking:
        asking.ask("poison", "hint", after=0)
        for attempt in range(1, DEATHS + 1):
            with peer(url, "os._exit(9)") as process:
                assert line(process) in ("ready", f"begun poison 1 {attempt}")
                assert process.wait(SOON) == 9
        with desk(url) as (queue, office):
            queue.ask("b", "hint", after=0)
            assert until(lambda: bool(queue.entries(Stage.BURIED)), SOON)
            assert until(lambda: office.folders() == ["b"], SOON)
            (entry,) = queue.entries(Stage.BURIED)
            assert (entry.folder, entry.attempts) == ("poison", DEATHS)
            assert f"{DEATHS} workers died" in entry.why
            queue.revive(["poison"])
            assert until(lambda: "poison" in office.folders(), SOON)


def test_trap_2_deaths_count_on_where_the_dead_ones_hold_is_waited_for() -> None:
    with closing(DurableQueue("sqlite://")) as queue:
        folders, key = queue._folders, key_of("poison")
        for death in range(1, DEATHS + 1):
            folders.ask("poison", "hint", "", 0, Urgency.EDIT, full=False)
            dying = folders.begin(key, death, "dead")
            assert dying is not None
            assert dying.attempt == death
            folders.orphan("dead")
            # Whoever takes over finds the lease still standing.
            again = folders.begin(key, death, "other")
            if again is not None:
                assert folders.done(again, "other", busy=True)
        (entry,) = folders.entries([Stage.BURIED])
        assert entry.attempts == DEATHS
        folders.revive([])
        revived = folders.begin(key, DEATHS + 1, "other")
        assert revived is not None
        assert revived.attempt == 1
        folders.done(revived, "other")
        folders.ask("poison", "hint", "", 0, Urgency.EDIT, full=False)
        well = folders.begin(key, DEATHS + 2, "other")
        assert well is not None
        assert well.attempt == 1


def test_trap_2_who_was_only_slow_ends_nothing_that_others_took_over(url: str) -> None:
    now = [1000.0]
    with closing(DurableQueue(url)) as queue:
        folders = Folders(queue._database, lambda: now[0])
        folders.ask("a", "hint", "", 0, Urgency.EDIT, full=True)
        slow = folders.begin(key_of("a"), 1, "slow")
        assert folders.begin(key_of("a"), 1, "other") is None, "somebody is at it"
        folders.orphan("slow")
        again = folders.begin(key_of("a"), 1, "other")
        assert slow is not None
        assert again == Job(folder="a", generation=1, cause="hint", full=True, attempt=2)
        assert not folders.done(slow, "slow", rest=3600)
        assert [entry.stage for entry in queue.entries()] == [Stage.RUNNING]
        assert folders.done(again, "other")
        assert not folders.done(again, "other")
        assert folders.begin(key_of("a"), 1, "slow") is None, "it is over"


def test_trap_2_one_of_many_takes_a_death_upon_it() -> None:
    now = [1000.0]
    with closing(DurableQueue("sqlite://")) as queue:
        everybody = executors.Executors(queue._database, lambda: now[0])
        everybody.live("gone", 4)
        assert everybody.dead("me") == []
        now[0] += executors.LIFE + 1
        assert everybody.present() == (0, 0)
        assert everybody.dead("me") == ["gone"]
        assert everybody.dead("other") == []
        now[0] += executors.LIFE + 1
        assert everybody.dead("other") == ["gone"], "me may have died of it"


def test_trap_2_a_machine_whose_clock_is_wrong_takes_nobody_for_gone(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = [0.0]
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + ahead[0])
    with closing(DurableQueue(url)) as queue:
        executors.Executors(queue._database, SharedClock(queue._database)).live("well", 4)
        ahead[0] = 3600
        late = executors.Executors(queue._database, SharedClock(queue._database))
        assert late.dead("me") == []
        assert late.present() == (1, 4)


def test_trap_3_no_trigger_that_comes_in_the_middle_of_a_run_is_lost(url: str) -> None:
    """A job's deduplication id stays taken while it runs, generations rise when it begins."""
    with desk(url) as (queue, office):
        office.gate = threading.Event()
        queue.ask("a", "hint", after=0)
        assert until(lambda: len(office.begun) == 1, SOON)
        for _ in range(100):
            queue.ask("a", "crm", after=0)
        office.gate.set()
        # Soon: what is lost would be found again after a minute.
        assert until(lambda: len(office.ended) == 2 and queue.idle, 25)
    with client(url) as looking:
        assert {each.deduplication_id for each in looking.list_workflows()} == {None}


def test_trap_4_no_limit_has_folders_claimed_one_at_a_time(url: str) -> None:
    with desk(url, workers=8) as (queue, office), client(url) as looking:
        found = looking.retrieve_queue(QUEUE)
        assert found is not None
        # With either of these, each poll would claim from one partition after another.
        assert found.limiter is None
        assert found.concurrency is None
        assert found.partition_limiter is None
        assert (found.partition_concurrency, found.worker_concurrency) == (1, 8 * AHEAD)
        office.gate = threading.Event()
        for number in range(8):
            queue.ask(f"folder{number}", "hint", after=0)
        assert until(lambda: len(office.begun) == 8, SOON)
        office.gate.set()


def test_trap_5_what_was_left_is_done_by_whatever_code_comes_after(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(DurableQueue(url)) as queue:
        queue.serve(Office().work, 1)
    with client(url) as asking:
        monkeypatch.setenv("DBOS__APPVERSION", "another")
        with closing(DurableQueue(url)) as queue:
            queue.ask("a", "hint", after=0)
            office = Office()
            queue.serve(office.work, 1)
            assert until(lambda: len(office.ended) == 1, SOON)
        assert {each.app_version for each in asking.list_workflows()} == {VERSION}


def test_trap_6_nothing_is_pickled_and_no_name_of_a_folder_is_kept(url: str) -> None:
    with desk(url) as (queue, office):
        queue.ask("target/alice@x.test/event/=AAMk", "hint", after=0)
        assert until(lambda: len(office.ended) == 1, SOON)
    assert stored(url, "SELECT serialization FROM {schema}workflow_status") == [("portable_json",)]
    ((inputs,),) = stored(url, "SELECT inputs FROM {schema}workflow_input")
    assert json.loads(inputs)["positionalArgs"][1] == 1
    ((output,),) = stored(url, "SELECT output FROM {schema}workflow_output")
    assert json.loads(output) is None
    everything = [
        stored(url, "SELECT * FROM {schema}" + table)
        for table in ("workflow_status", "workflow_input", "workflow_output", "operation_outputs")
    ]
    assert "alice" not in str(everything)


def test_trap_6_threads_are_few(url: str) -> None:
    before = threading.active_count()
    with desk(url, workers=4) as (queue, office):
        for number in range(200):
            queue.ask(f"folder{number}", "hint", after=0)
        assert until(lambda: len(office.ended) == 200, SOON)
        assert threading.active_count() - before < 40


def test_trap_6_what_is_over_is_deleted(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    with desk(url) as (queue, office):
        for _ in range(3):
            done = len(office.ended) + 1
            queue.ask("a", "hint", after=0)
            assert until(lambda done=done: len(office.ended) == done and queue.idle, SOON)  # type: ignore[misc]
        engine = queue._engine
        assert engine is not None
        assert engine.sweep() == 0, "not at once"
        monkeypatch.setattr(engines, "KEPT", timedelta(seconds=-60))
        assert until(lambda: not engine.under_way(queue._me), SOON)
        assert engine.sweep() == 3
        queue.ask("a", "hint", after=0)
        assert until(lambda: len(office.ended) == 4, SOON)


def test_trap_6_sqlite_keeps_a_log_ahead(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/queue.db"
    with desk(url):
        assert stored(url, "PRAGMA journal_mode") == [("wal",)]
    assert (tmp_path / "queue.db").stat().st_mode & 0o777 == 0o600


def test_trap_7_a_folder_costs_one_job_whatever_is_heard(url: str) -> None:
    with closing(DurableQueue(url)) as queue:
        for _ in range(100):
            queue.ask("a", "hint", after=0)
        office = Office()
        queue.serve(office.work, 4)
        assert until(lambda: len(office.ended) == 1 and queue.idle, SOON)
    with client(url) as looking:
        assert len(looking.list_workflows()) == 1


def test_trap_8_one_module_knows_dbos_and_one_release_is_used() -> None:
    source = ROOT / "src" / "accord"
    found = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        if re.search(r"^\s*(from|import) dbos\b", path.read_text(), re.MULTILINE)
    }
    assert found == {"queue/engine.py"}
    assert '"dbos>=3.4,<3.5"' in (ROOT / "pyproject.toml").read_text()


def test_trap_9_priorities_hold_across_folders(url: str) -> None:
    """DBOS minds them only within a partition: so few jobs wait there, the most urgent first."""
    with closing(DurableQueue(url)) as queue:
        for number in range(20):
            queue.ask(f"load{number:02}", "start", after=0, urgency=Urgency.LOAD)
        queue.ask("edit", "hint", after=0)
        some = queue._admission.admit(2)
        assert len(some) == 2 * AHEAD
        assert some[0].id == key_of("edit")
        queue._folders.admitted(some)
        assert queue._admission.admit(2) == []
        assert len(queue._admission.admit(3)) == AHEAD


def test_what_was_lost_on_its_way_to_dbos_is_handed_over_anew(url: str) -> None:
    with closing(DurableQueue(url)) as queue:
        queue.ask("a", "hint", after=0)
        some = queue._admission.admit(1)
        queue._folders.admitted(some)
        office = Office()
        queue.serve(office.work, 1)
        assert not until(lambda: bool(office.begun), 1.0)
        assert queue._folders.stale(60) == []
        engine = queue._engine
        assert engine is not None
        assert engine.lost(some) == some
        queue._folders.take_back(some[0])
        assert until(lambda: len(office.ended) == 1, SOON)


def test_a_run_whose_beginning_got_no_answer_is_planned_anew(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desk(url) as (queue, office):
        begin = queue._folders.begin

        def unanswered(key: str, generation: int, holder: str) -> Job | None:
            begin(key, generation, holder)
            monkeypatch.setattr(queue._folders, "begin", begin)
            raise Retry("the database went away")

        monkeypatch.setattr(queue._folders, "begin", unanswered)
        queue.ask("a", "hint", after=0)
        assert until(lambda: bool(queue.entries(Stage.RUNNING)) and not queue._begun, SOON)
        office.gate = threading.Event()
        queue._tidy()
        assert until(lambda: len(office.begun) == 1, SOON)
        for _ in range(2):
            queue._tidy()
        assert [entry.stage for entry in queue.entries()] == [Stage.RUNNING], "it is under way"
        office.gate.set()
        assert until(lambda: queue.idle, SOON)
        assert len(office.ended) == 1


def test_a_run_whose_end_could_not_be_noted_is_planned_anew(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with desk(url) as (queue, office):

        def unanswered(*_: object, **__: object) -> bool:
            queue._ending.set()
            raise Retry("the database went away")

        monkeypatch.setattr(queue._folders, "done", unanswered)
        queue.ask("a", "hint", after=0)
        assert until(lambda: len(office.ended) == 1, SOON)
    with closing(DurableQueue(url)) as later:
        assert [entry.stage for entry in later.entries()] == [Stage.WAITING]


def test_what_somebody_holds_of_whom_nothing_is_known_is_taken_over(url: str) -> None:
    with closing(DurableQueue(url)) as asking, peer(url, "time.sleep(600)") as process:
        assert line(process) == "ready"
        asking.ask("a", "hint", after=0)
        assert line(process) == "begun a 1 1"
        process.kill()
        process.wait()
        ((name,),) = stored(url, "SELECT id FROM queue_executors")
        asking._executors.leave(name)
        with desk(url) as (queue, office):
            queue._tidy()
            assert not until(lambda: bool(office.begun), 0.5), "its sign of life may be on its way"
            queue._tidy()
            assert until(lambda: len(office.ended) == 1 and queue.idle, SOON)


def test_what_was_claimed_here_and_is_not_known_here_is_claimed_anew(url: str) -> None:
    back: list[set[str]] = []
    with desk(url) as (queue, office), pytest.MonkeyPatch.context() as patch:
        office.gate = threading.Event()
        queue.ask("a", "hint", after=0)
        assert until(lambda: len(office.begun) == 1, SOON)
        engine = queue._engine
        assert engine is not None
        patch.setattr(engine, "put_back", lambda jobs: back.append(set(jobs)))
        for _ in range(2):
            queue._tidy()
        assert back == [set(), set()], "it is under way"
        claimed = engine.under_way(queue._me)
        patch.setattr(engine, "under_way", lambda _: [*claimed, "b:000000000001"])
        for _ in range(2):
            queue._tidy()
        assert back[2:] == [set(), {"b:000000000001"}]
        office.gate.set()


def test_a_run_that_is_planned_anew_is_what_it_was() -> None:
    now = [1000.0]
    with closing(DurableQueue("sqlite://")) as queue:
        folders = Folders(queue._database, lambda: now[0])
        folders.ask("a", "interval", "", 0, Urgency.EDIT, full=False)
        first = folders.begin(key_of("a"), 1, "me")
        assert first is not None
        folders.done(first, "me")
        now[0] += 100
        folders.ask("a", "hint", "", 0, Urgency.EDIT, full=True)
        lost = folders.begin(key_of("a"), 2, "gone")
        assert lost == Job(folder="a", generation=2, cause="hint", full=True, last=100.0)
        now[0] += 10
        folders.ask("a", "interval", "", 3600, Urgency.DUE, full=False)
        folders.abandoned("gone")
        again = folders.begin(key_of("a"), 3, "me")
        # Whether a complete listing is due is told by when the run before began.
        assert again == Job(folder="a", generation=3, cause="hint", full=True, last=110.0)


def test_the_end_of_a_run_outlasts_a_power_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    durable: list[bool] = []
    with closing(DurableQueue("sqlite://")) as queue:
        run = queue._database.run

        def noting(work: Any, **options: bool) -> Any:
            durable.append(options.get("durable", True))
            return run(work, **options)

        queue.ask("a", "hint", after=0)
        job = queue._folders.begin(key_of("a"), 1, "me")
        assert job is not None
        monkeypatch.setattr(queue._database, "run", noting)
        assert queue._folders.done(job, "me")
    assert durable == [True]


def test_whoever_claims_has_given_a_sign_of_life_and_gives_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: list[set[str]] = []
    sweeps: list[int] = []
    launch = engines.Engine

    def noting(*given: Any) -> Engine:
        known.append(queue._executors.names())
        return launch(*given)

    monkeypatch.setattr(engines, "Engine", noting)
    with closing(DurableQueue(f"sqlite:///{tmp_path}/queue.db")) as queue:
        queue.serve(Office().work, 1)
        assert known == [{queue._me}]

        def endless(_: Engine) -> int:
            sweeps.append(1)
            assert len(sweeps) < 50
            return 1000

        monkeypatch.setattr(launch, "sweep", endless)
        queue._tidy()
    assert len(sweeps) < 50


def test_where_dbos_finds_a_full_disk_it_is_told_as_our_own_tables_tell_it(tmp_path: Path) -> None:
    with closing(DurableQueue(f"sqlite:///{tmp_path}/queue.db")) as queue:
        queue.serve(lambda _: 0.0, 1)
        engine = queue._engine
        assert engine is not None

        def full(connection: Connection) -> None:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")

        event.listen(engine._client._sys_db.engine, "begin", full)
        some = [Admitted(key_of(f"folder {number}"), 1) for number in range(500)]
        with pytest.raises(Retry, match="disk is full"):
            engine.enqueue(some)
