"""Which of all visits under way a process died of: suspects go one at a time, and the rest free."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from accord.ports.queue import DEATHS, Job, Stage, Urgency
from accord.queue import folders
from accord.queue.admission import PATIENCE
from accord.queue.durable import DurableQueue
from accord.queue.executors import LIFE, Executors
from accord.queue.folders import GONE, Admitted, key_of
from accord.queue.handed import TURNS
from accord.sandbox.process import until
from tests.unit.queue.test_sharing import Shared
from tests.unit.queue.test_traps import SOON, desk, line, peer, stored

pytestmark = pytest.mark.waits


@pytest.fixture
def shared(url: str) -> Iterator[Shared]:
    with closing(DurableQueue(url)) as queue:
        yield Shared(queue)


def die(shared: Shared, *names: str, urgency: Urgency = Urgency.EDIT) -> None:
    """Let a process die in the first visits of these folders."""
    for name in names:
        shared.ask(name, urgency=urgency)
        assert shared.begin(name, 1, "dead")
    shared.folders.orphan("dead")
    shared.folders.abandoned(GONE + "dead", died=True)


def tries(shared: Shared) -> dict[str, int]:
    return {each.folder: each.attempts for each in shared.folders.entries([Stage.RUNNING])}


def test_processes_that_somebody_kills_one_after_the_other_bury_nothing(url: str) -> None:
    """In however many visits they were: each has one suspect, and each another one."""
    names = [f"folder{number}" for number in range(4)]
    with closing(DurableQueue(url)) as asking:
        for name in names:
            asking.ask(name, "hint", after=0)
        suspects: set[str] = set()
        for death in range(DEATHS):
            with peer(url, "time.sleep(600)", workers=4) as process:
                tries = _begun(process, 1 + death if death else len(names))
                process.kill()
                process.wait()
            suspects |= {name for name, attempt in tries.items() if attempt == 2}
            assert sorted(tries.values()) == ([1] * death + [2] if death else [1] * len(names))
            # Is begun beside the suspect, each time.
            names.append(f"fresh{death}")
            asking.ask(names[-1], "hint", after=0)
        assert len(suspects) == DEATHS - 1
        with desk(url, workers=4) as (queue, office):
            assert until(lambda: {job.folder for job in office.ended} == {*names}, SOON)
            assert until(lambda: queue.idle, SOON)
            assert queue.entries() == []
    assert stored(url, "SELECT DISTINCT attempts FROM queue_folders") == [(0,)]


def _begun(process: subprocess.Popen[str], most: int) -> dict[str, int]:
    """Return of so many visits that a process begins which try each is."""
    found: dict[str, int] = {}
    while len(found) < most:
        said = line(process)
        assert said, "it ended"
        if said != "ready":
            _, folder, _, attempt = said.split()
            found[folder] = int(attempt)
    return found


def test_one_poison_among_many_is_buried_after_its_deaths_and_nothing_else(url: str) -> None:
    names = [f"folder{number}" for number in range(12)]
    what = "bad = job.folder == 'poison'; time.sleep(0.5 if bad else 1); bad and os._exit(9)"
    with closing(DurableQueue(url)) as asking:
        for name in (names[0], "poison", *names[1:]):
            asking.ask(name, "hint", after=0)
        for _ in range(DEATHS):
            with peer(url, what, workers=4) as process:
                assert process.wait(SOON) == 9
        with desk(url, workers=4) as (queue, _):
            assert until(lambda: queue.idle, SOON)
            assert until(lambda: bool(queue.entries(Stage.BURIED)), SOON)
            (entry,) = queue.entries()
            assert (entry.folder, entry.stage) == ("poison", Stage.BURIED)
    found = stored(url, "SELECT folder FROM queue_folders WHERE attempts = 0")
    assert sorted(name for (name,) in found) == sorted(names)


def test_a_death_counts_against_the_suspect_alone_where_there_is_one(shared: Shared) -> None:
    die(shared, "suspect")
    for folder in ("a", "b"):
        shared.ask(folder)
        assert shared.begin(folder, 1, "dead")
    again = shared.begin("suspect", 2, "dead")
    assert again is not None
    assert again.attempt == 2
    shared.folders.orphan("dead")
    shared.folders.orphan("dead")
    taken = [shared.begin(folder, 1, "other") for folder in ("a", "b")]
    assert [job and job.attempt for job in taken] == [1, 1]
    assert shared.begin("suspect", 2, "other") is None, "others go first"
    third = shared.begin("suspect", 3, "other")
    assert third is not None
    assert third.attempt == 3
    shared.folders.done(third, "other")
    shared.ask("suspect")
    well = shared.begin("suspect", 4, "other")
    assert well is not None
    assert well.attempt == 1


def test_a_process_is_at_one_suspect_at_a_time_and_each_process_at_one(shared: Shared) -> None:
    shared.names = ["a", "b", "c", "fresh"]
    die(shared, "a", "b", "c")
    first = shared.begin("a", 2, "me")
    assert first is not None
    assert shared.begin("b", 2, "me") is None
    other = shared.begin("c", 2, "other")
    assert other is not None
    shared.ask("fresh")
    assert shared.begin("fresh", 1, "me") is not None
    assert tries(shared) == {"a": 2, "c": 2, "fresh": 1}
    assert shared.folders.done(first, "me")
    second = shared.begin("b", 3, "me")
    assert second is not None
    assert (second.attempt, second.cause) == (2, "hint")


def test_suspects_that_dbos_gives_back_at_once_are_planned_but_for_one(shared: Shared) -> None:
    shared.names = ["a", "b"]
    for folder in shared.names:
        shared.ask(folder)
        assert shared.begin(folder, 1, "dead")
    shared.folders.orphan("dead")
    first = shared.begin("a", 1, "me")
    assert first is not None
    assert (first.generation, first.attempt) == (1, 2)
    assert shared.begin("b", 1, "me") is None
    (waiting,) = shared.folders.entries([Stage.WAITING])
    assert waiting.folder == "b"
    assert shared.next() == [], "it would be given back"
    shared.folders.done(first, "me")
    assert shared.next() == ["b"]
    assert shared.next() == []


def test_as_many_suspects_are_handed_over_as_there_are_processes(shared: Shared) -> None:
    shared.names = [*"abcd"]
    die(shared, *shared.names)
    assert len(shared.admission.admit(9)) == 1
    some = shared.admission.admit(9, processes=3)
    assert len(some) == 3
    shared.folders.admitted(some)
    assert shared.admission.admit(9, processes=3) == []
    assert len(shared.admission.admit(9, processes=4)) == 1


def test_one_suspect_is_handed_over_whatever_is_urgent(shared: Shared) -> None:
    shared.names = ["edit", "due", "load"]
    for name, urgency in zip(shared.names, Urgency, strict=True):
        die(shared, name, urgency=urgency)
    assert shared.next() == ["edit"]


def test_one_suspect_is_handed_over_however_many_are_late(shared: Shared) -> None:
    shared.names = ["due", "load"]
    for name, urgency in (("due", Urgency.DUE), ("load", Urgency.LOAD)):
        die(shared, name, urgency=urgency)
    shared.now += 2 * PATIENCE
    shared.admission._turn = 2 * TURNS
    assert shared.next() == ["due"]


@pytest.mark.parametrize("late", [0, 3600], ids=["soon", "late"])
def test_suspects_hold_up_nobody_and_wait_for_nobody(shared: Shared, late: float) -> None:
    suspects, others = [f"suspect{n}" for n in range(9)], ["x", "y", "z"]
    shared.names = suspects + others
    die(shared, *suspects)
    shared.now += 1
    for folder in others:
        shared.ask(folder)
    shared.ask("load", urgency=Urgency.LOAD)
    shared.names.append("load")
    shared.now += late
    some = shared.next(2)
    assert len(some) == 4
    assert some[0] in suspects
    assert sorted(some[1:]) == others


def test_a_place_has_no_more_for_its_suspects(shared: Shared) -> None:
    shared.names = [*"abcdef"]
    shared.admission.limits = {"": 2}
    die(shared, "a", "b", "c")
    shared.now += 1
    for folder in ("d", "e", "f"):
        shared.ask(folder)
    assert len(shared.next()) == 2


def test_whoever_died_as_a_suspect_lets_the_others_go_first(shared: Shared) -> None:
    shared.names = ["a", "b"]
    die(shared, "a", "b")
    assert shared.begin("a", 2, "dead")
    shared.folders.orphan("dead")
    shared.ask("a", urgency=Urgency.EDIT)
    assert shared.begin("a", 2, "me") is None
    assert shared.next() == ["b"]
    job = shared.begin("b", 2, "me")
    assert job is not None
    shared.folders.done(job, "me")
    shared.ask("a", urgency=Urgency.EDIT)
    assert shared.next() == []
    shared.now += 5
    assert shared.next() == ["a"]


def test_threads_that_begin_suspects_at_once_begin_one(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = folders._at_suspect

    def slowly(*given: Any) -> bool:
        found = look(*given)
        time.sleep(0.3)
        return found

    monkeypatch.setattr(folders, "_at_suspect", slowly)
    names = ["a", "b", "c"]
    die(shared, *names)
    Executors(shared.queue._database, lambda: shared.now).live("me", 4)
    begun: list[Job | None] = []
    start = threading.Barrier(len(names))

    def begin(name: str) -> None:
        start.wait(SOON)
        begun.append(shared.begin(name, 2, "me"))

    threads = [threading.Thread(target=begin, args=(name,)) for name in names]
    for each in threads:
        each.start()
    for each in threads:
        each.join(SOON)
    assert len(begun) == len(names)
    assert sum(job is not None for job in begun) == 1


def test_who_was_not_dead_is_no_death_of_what_went_on_beside_a_suspect(shared: Shared) -> None:
    die(shared, "suspect")
    assert shared.begin("suspect", 2, "slow")
    for folder in ("a", "b"):
        shared.ask(folder)
        assert shared.begin(folder, 1, "slow")
    shared.folders.orphan("slow")
    assert shared.begin("a", 1, "other")
    mine = [Admitted(key_of(folder), 1) for folder in ("a", "b")]
    suspect = Admitted(key_of("suspect"), 2)
    assert shared.folders.reclaim("slow", [*mine, suspect]) == {mine[0]}
    assert tries(shared) == {"a": 1, "b": 1, "suspect": 2}


def test_who_left_nothing_to_be_counted_is_no_process(shared: Shared) -> None:
    everybody = Executors(shared.queue._database, lambda: shared.now)
    everybody.live("one", 4)
    everybody.live("other", 2)
    assert everybody.present() == (2, 6)
    shared.now += LIFE + 1
    everybody.live("one", 4)
    assert everybody.dead("one") == ["other"]
    assert everybody.present() == (1, 4), "its end was taken upon another just now"
