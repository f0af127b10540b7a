"""The contract of queues: many hints are one run, none is lost, and nobody runs beside another.

class TestMine(QueueContract): with a fixture `queue`, empty and not serving yet.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from accord.ports.errors import Busy
from accord.ports.queue import FAULTS, TROUBLES, Current, Job, Queue, Stage, Urgency
from accord.queue import backoff, circuits

SOON = 60.0


def until(condition: Callable[[], bool], seconds: float = SOON) -> bool:
    """Wait until something holds; tell whether it does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


class Office:
    """Do jobs as a test wants them done, and note which."""

    def __init__(self) -> None:
        """Do everything at once."""
        self.begun: list[Job] = []
        self.ended: list[Job] = []
        self.gate: threading.Event | None = None
        self.rest = 0.0
        self.fault: Exception | None = None
        self.overlaps = 0
        self._lock = threading.Lock()
        self._busy: set[str] = set()

    def work(self, job: Job) -> float:
        """Do a job."""
        with self._lock:
            self.overlaps += job.folder in self._busy
            self._busy.add(job.folder)
            self.begun.append(job)
        if self.gate is not None:
            self.gate.wait(SOON)
        with self._lock:
            self._busy.discard(job.folder)
            self.ended.append(job)
        if self.fault is not None:
            raise self.fault
        return self.rest

    def folders(self) -> list[str]:
        """Return what was begun, in order."""
        return [job.folder for job in self.begun]


class QueueContract:
    """Be the suite every queue passes."""

    @pytest.fixture(autouse=True)
    def _impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(backoff, "FIRST", 0.02)
        monkeypatch.setattr(backoff, "LONGEST", 0.02)

    @pytest.fixture
    def faults(self) -> None:
        """Let a test have faults happen; whoever watches the log for them may know by this."""

    @pytest.fixture
    def office(self) -> Office:
        """Return those who do the jobs."""
        return Office()

    def test_a_hundred_hints_are_one_run(self, queue: Queue, office: Office) -> None:
        """What is asked for before a run begins is that run's."""
        for _ in range(100):
            queue.ask("a", "hint")
        queue.serve(office.work, 2)
        assert until(lambda: len(office.ended) == 1 and queue.idle)
        (job,) = office.ended
        assert (job.folder, job.cause, job.full, job.last) == ("a", "hint", False, None)

    def test_a_hint_during_a_run_is_the_next_runs(self, queue: Queue, office: Office) -> None:
        """It is not lost, and nobody runs beside another; generations rise."""
        office.gate = threading.Event()
        queue.serve(office.work, 3)
        queue.ask("a", "hint", after=0)
        assert until(lambda: len(office.begun) == 1)
        for _ in range(10):
            queue.ask("a", "crm", after=0)
        time.sleep(0.5)
        assert len(office.begun) == 1
        office.gate.set()
        assert until(lambda: len(office.ended) == 2 and queue.idle)
        first, second = office.ended
        assert second.generation > first.generation
        assert (second.cause, second.last is not None) == ("crm", True)

    def test_no_trigger_of_many_is_without_a_later_run(self, queue: Queue, office: Office) -> None:
        """Runs are fewer than triggers, and never two at once on a folder."""
        asked: dict[str, float] = {}
        began: dict[str, float] = {}

        def work(job: Job) -> float:
            began[job.folder] = time.monotonic()
            return office.work(job)

        queue.serve(work, 4)
        names = [f"folder{number}" for number in range(5)]

        def trigger() -> None:
            for _ in range(20):
                for name in names:
                    queue.ask(name, "hint", after=0)
                    asked[name] = time.monotonic()

        threads = [threading.Thread(target=trigger) for _ in range(3)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert until(lambda: queue.idle)
        # The last one's moment is noted after it was asked: its run may have begun in between.
        assert all(began[name] >= asked[name] - 0.5 for name in names)
        assert office.overlaps == 0
        assert len(office.begun) < 300

    def test_a_run_says_for_how_long_it_was_waited_for(self, queue: Queue, office: Office) -> None:
        """Since it was due, and not since it was planned."""
        queue.ask("a", "hint", after=-300)
        queue.ask("a", "hint", after=0)
        queue.ask("b", "hint", after=0.3)
        queue.serve(office.work, 1)
        assert until(lambda: len(office.ended) == 2)
        waited = {job.folder: job.waited for job in office.begun}
        assert 300 <= waited["a"] < 330
        assert 0 <= waited["b"] < 30

    def test_what_is_gone_is_forgotten_whatever_is_planned_and_nothing_else(
        self, queue: Queue, office: Office
    ) -> None:
        """A mailbox that is no more leaves no name behind, unless it is being visited."""
        office.gate = threading.Event()
        queue.serve(office.work, 1)
        queue.ask("under way", "hint", after=0)
        assert until(lambda: office.folders() == ["under way"])
        for folder in ("gone", "kept"):
            queue.ask(folder, "interval", after=3600, urgency=Urgency.DUE)
        assert queue.forget(lambda folder: folder != "kept") == 1
        assert [entry.folder for entry in queue.entries(Stage.PLANNED)] == ["kept"]
        assert [entry.folder for entry in queue.entries(Stage.RUNNING)] == ["under way"]
        assert queue.forget(lambda folder: folder != "kept") == 0
        office.gate.set()
        assert until(lambda: queue.idle)

    def test_a_run_planned_for_later_is_overtaken_by_one_asked_for_now(
        self, queue: Queue, office: Office
    ) -> None:
        """What is planned sooner stands, and a complete listing is not forgotten."""
        queue.serve(office.work, 1)
        queue.ask("a", "interval", after=3600, urgency=Urgency.DUE, full=True)
        time.sleep(0.3)
        assert office.begun == []
        assert [entry.stage for entry in queue.entries(Stage.PLANNED)] == [Stage.PLANNED]
        queue.ask("a", "hint", after=0)
        queue.ask("a", "interval", after=1800, urgency=Urgency.DUE)
        assert until(lambda: len(office.ended) == 1 and queue.idle)
        assert (office.ended[0].cause, office.ended[0].full) == ("hint", True)
        assert queue.entries(*Stage) == []

    def test_what_is_due_in_a_moment_runs_then(self, queue: Queue, office: Office) -> None:
        """And not before."""
        queue.serve(office.work, 1)
        began = time.monotonic()
        queue.ask("a", "interval", after=0.6, urgency=Urgency.DUE)
        assert until(lambda: len(office.ended) == 1)
        assert time.monotonic() - began >= 0.5

    def test_an_edit_overtakes_an_initial_load(self, queue: Queue, office: Office) -> None:
        """Whatever was asked for before it and is less urgent."""
        office.gate = threading.Event()
        queue.serve(office.work, 1)
        for number in range(40):
            queue.ask(f"load{number:02}", "start", after=0, urgency=Urgency.LOAD)
        assert until(lambda: len(office.begun) == 1)
        queue.ask("edit", "hint", after=0)
        office.gate.set()
        assert until(lambda: len(office.ended) == 41)
        assert office.folders().index("edit") <= 3

    def test_one_place_leaves_a_worker_to_the_others(self, queue: Queue, office: Office) -> None:
        """A server that hangs doesn't stop the others."""
        office.gate = threading.Event()
        queue.ask("z", "interval", place="other", after=3600)
        for number in range(6):
            queue.ask(f"a{number}", "hint", place="slow", after=0)
        queue.serve(office.work, 3)
        assert until(lambda: len(office.begun) == 2)
        time.sleep(0.5)
        assert len(office.begun) == 2
        queue.ask("b", "hint", place="other", after=0)
        assert until(lambda: "b" in office.folders())
        office.gate.set()
        assert until(lambda: len(office.ended) == 7)

    def test_a_place_has_no_more_at_once_than_its_limit(self, queue: Queue, office: Office) -> None:
        """However many workers are free; the others have them."""
        office.gate = threading.Event()
        queue.limit({"small": 1})
        for number in range(3):
            queue.ask(f"small{number}", "hint", place="small", after=0)
        queue.ask("big", "hint", place="big", after=0)
        queue.serve(office.work, 4)
        assert until(lambda: len(office.begun) == 2)
        time.sleep(0.5)
        assert sorted(name[:3] for name in office.folders()) == ["big", "sma"]
        office.gate.set()
        assert until(lambda: len(office.ended) == 4)

    def test_a_place_that_fails_is_left_alone_then_tried_by_one(
        self, queue: Queue, office: Office, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whoever is to be visited there waits for that, and one alone finds out."""
        monkeypatch.setattr(circuits, "FIRST", 1.0)
        down = [True]
        failed: list[float] = []
        began: list[float] = []

        def work(job: Job) -> float:
            began.append(time.monotonic())
            rest = office.work(job)
            if down[0]:
                time.sleep(0.2)  # Others would begin meanwhile.
                failed.append(time.monotonic())
                queue.trouble("down", job.folder, "still")
            else:
                queue.well("down")
            return rest

        queue.serve(work, 4)
        for number in range(TROUBLES):
            assert all(each.current is Current.CLOSED for each in queue.circuits())
            failed[:] = [time.monotonic()]
            queue.trouble("down", f"user{number}", "it can't be reached")
        (circuit,) = queue.circuits()
        assert (circuit.place, circuit.failures) == ("down", TROUBLES)
        assert circuit.why == "it can't be reached"
        assert circuit.after <= 1.0
        for number in range(3):
            queue.ask(f"a{number}", "hint", place="down", after=0)
        assert until(lambda: [each.why for each in queue.circuits()] == ["still"])
        down[0] = False
        assert until(lambda: len(office.ended) == 3 and queue.idle)
        assert queue.circuits() == []
        # However busy the machine is. A part of each rest is chance.
        assert began[0] - failed[0] > 0.7
        assert began[1] - failed[1] > 1.4, "one tried, and then it rests twice as long"

    def test_what_is_mended_is_left_alone_no_longer(self, queue: Queue, office: Office) -> None:
        """Whoever changed how a place is reached need not wait."""
        queue.trouble("a", "user", "it asked for it", after=100)
        queue.trouble("b", "user", "it asked for it", after=50)
        assert 99 < queue.rest("a") <= 100 and queue.rest("c") == 0
        queue.mended("a")
        assert queue.rest("a") == 0 and [each.place for each in queue.circuits()] == ["b"]
        queue.ask("a1", "hint", place="a", after=0)
        queue.serve(office.work, 1)
        assert until(lambda: office.folders() == ["a1"])
        assert 0 < queue.rest("b") < 50

    def test_one_mailbox_that_fails_is_no_failure_of_its_place(self, queue: Queue) -> None:
        """However often; one success begins the count anew."""
        for _ in range(2 * TROUBLES):
            queue.trouble("a", "user", "it is slow")
        for number in range(TROUBLES - 1):
            queue.trouble("b", f"user{number}", "it is slow")
        queue.well("b")
        queue.trouble("b", "another", "it is slow")
        found = {each.place: (each.current, each.failures) for each in queue.circuits()}
        assert found == {"a": (Current.CLOSED, 1), "b": (Current.CLOSED, 1)}

    def test_a_place_that_asks_everybody_for_patience_has_it_at_once(
        self, queue: Queue, office: Office
    ) -> None:
        """What was begun before and went well doesn't end that."""
        queue.trouble("a", "user", "busy", after=500)
        queue.well("a")
        queue.ask("x", "hint", place="a", after=0)
        queue.ask("y", "hint", place="b", after=0)
        queue.serve(office.work, 2)
        assert until(lambda: len(office.ended) == 1)
        time.sleep(0.5)
        (circuit,) = queue.circuits()
        assert circuit.current is Current.OPEN
        assert 400 < circuit.after <= 500
        assert office.folders() == ["y"], "the other places go on"

    def test_a_place_that_is_set_up_anew_is_visited_at_once(
        self, queue: Queue, office: Office
    ) -> None:
        """As if it had never failed."""
        queue.trouble("a", "user", "busy", after=500)
        queue.serve(office.work, 2)
        queue.ask("x", "hint", place="a", after=0)
        time.sleep(0.5)
        assert office.begun == []
        queue.mended("a")
        assert queue.circuits() == []
        assert until(lambda: office.folders() == ["x"])

    def test_who_changes_all_the_time_keeps_nobody_waiting(
        self, queue: Queue, office: Office
    ) -> None:
        """Whoever was asked for first is visited first."""
        restless = [0]

        def work(job: Job) -> float:
            if job.folder.startswith("restless") and restless[0] < 200:
                restless[0] += 1
                queue.ask(job.folder, "hint", after=0)
            return office.work(job)

        for number in range(4):
            queue.ask(f"restless{number}", "hint", after=0)
        queue.serve(work, 1)
        assert until(lambda: len(office.begun) > 4)
        queue.ask("calm", "hint", after=0)
        before = len(office.begun)
        assert until(lambda: "calm" in office.folders())
        assert office.folders().index("calm") - before <= 12

    def test_who_changes_all_the_time_keeps_nobody_waiting_who_is_less_urgent(
        self, queue: Queue, office: Office
    ) -> None:
        """One that nobody asked for just now has its turn, too."""
        restless = [0]
        office.gate = threading.Event()

        def work(job: Job) -> float:
            if job.folder.startswith("restless") and restless[0] < 100:
                restless[0] += 1
                queue.ask(job.folder, "hint", after=0)
            time.sleep(0.1)  # The next ones are there before it ends.
            return office.work(job)

        queue.serve(work, 1)
        queue.ask("first", "hint", after=0)
        assert until(lambda: office.folders() == ["first"])
        queue.ask("calm", "interval", after=0, urgency=Urgency.DUE)
        time.sleep(1)
        for number in range(4):
            queue.ask(f"restless{number}", "hint", after=0)
        office.gate.set()
        assert until(lambda: "calm" in office.folders())
        assert office.folders().index("calm") <= 12

    def test_what_asked_to_be_left_alone_is(self, queue: Queue, office: Office) -> None:
        """Whatever is heard of it, until it is woken."""
        office.rest = 3600.0
        queue.serve(office.work, 1)
        queue.ask("a", "hint", after=0)
        assert until(lambda: len(office.ended) == 1)
        queue.ask("a", "hint", after=0)
        queue.ask("b", "hint", after=0)
        assert until(lambda: len(office.ended) == 2)
        time.sleep(0.3)
        assert office.folders() == ["a", "b"]
        queue.wake("a")
        assert until(lambda: len(office.ended) == 3)

    def test_a_fault_is_tried_again_then_buried_and_revived(
        self, queue: Queue, office: Office, faults: None
    ) -> None:
        """With its reason; the others go on."""
        office.fault = ZeroDivisionError("secret")
        queue.serve(office.work, 1)
        queue.ask("a", "hint", after=0)
        assert until(lambda: len(office.ended) == FAULTS and queue.idle)
        (entry,) = queue.entries(Stage.BURIED)
        assert (entry.folder, entry.attempts) == ("a", FAULTS)
        assert "ZeroDivisionError" in entry.why
        assert "secret" not in entry.why
        office.fault = None
        queue.ask("a", "hint", after=0)
        queue.ask("b", "hint", after=0)
        assert until(lambda: "b" in office.folders())
        assert queue.revive(["unknown"]) == []
        assert queue.revive() == ["a"]
        assert until(lambda: office.folders().count("a") == FAULTS + 1 and queue.idle)
        assert queue.entries(Stage.BURIED) == []

    def test_a_run_that_finds_another_at_work_is_no_fault(
        self, queue: Queue, office: Office
    ) -> None:
        """However often; what comes next is what was asked for."""
        office.fault = Busy("another is at work", after=5)
        queue.serve(office.work, 1)
        for number in range(1, FAULTS + 2):
            queue.ask("a", "hint", after=0)
            assert until(lambda number=number: len(office.ended) == number and queue.idle)  # type: ignore[misc]
        assert queue.entries(*Stage) == []

    def test_closing_lets_what_is_under_way_end_and_begins_nothing(
        self, queue: Queue, office: Office
    ) -> None:
        """Nothing is left open."""
        office.gate = threading.Event()
        queue.serve(office.work, 1)
        queue.ask("a", "hint", after=0)
        queue.ask("b", "hint", after=0)
        assert until(lambda: len(office.begun) == 1)
        (entry,) = queue.entries(Stage.RUNNING)
        assert entry.folder == office.begun[0].folder
        threading.Timer(0.5, office.gate.set).start()
        queue.close()
        assert len(office.begun) == len(office.ended) == 1
