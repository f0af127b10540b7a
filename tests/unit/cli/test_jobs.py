"""`accord jobs`: listed, switched, scheduled, done by hand and by `accord run`; kills included."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from accord.groupware.memory import MemoryGroupware
from accord.sandbox.process import until
from accord.service.bootstrap import open_accord, open_queue
from accord.service.config import load
from accord.service.jobs.standing import standing
from tests.unit.cli.conftest import Run
from tests.unit.cli.test_templates import firm as firm

pytestmark = pytest.mark.waits

SOON = 60.0

DOING = """
from pathlib import Path
from accord.service.bootstrap import open_accord, open_queue
from accord.service.config import load
from accord.service.jobs.running import run_job
config = load(None, {}, Path.cwd())
run_job(open_accord(config), config, open_queue(config), "reconcile", due=True)
"""
"""Do the job as the service does it, which takes its time."""


def test_jobs_are_listed_with_switch_schedule_and_result(linked: Run) -> None:
    shown = linked("jobs").out
    assert "initialize  on, every 15m: give links" in shown and "never done" in shown
    assert "reconcile  off, weekly sun 02:00, spread 60: list every folder" in shown
    assert linked("jobs", "list").out == shown
    rows = linked("jobs", "--json").rows
    assert [row["name"] for row in rows][:3] == ["initialize", "errors", "reconcile"]
    assert {"enabled", "schedule", "due", "ending", "words", "options", "running"} <= rows[0].keys()


def test_a_job_is_done_by_hand_and_says_what_came_of_it(linked: Run) -> None:
    assert "job housekeeping: nothing to remove" in linked("jobs", "run", "housekeeping").out
    row = linked("jobs", "run", "errors", "--json").row
    assert (row["job"], row["ending"], row["planned"]) == ("errors", "done", False)
    shown = linked("jobs").out
    assert ", done: nothing is wrong" in shown
    assert "is wrong" in linked("jobs", "causes").out
    planned = linked("jobs", "run", "retention", "--plan").out
    assert "0 journal entries older than 730 days would go" in planned
    assert "Nothing was changed" in planned
    assert "no plan" in linked("jobs", "run", "housekeeping", "--plan", code=2).err
    assert "did you mean" in linked("jobs", "run", "error", code=2).err
    digest = linked("jobs", "run", "digest", code=2)
    assert "no mail server is set" in digest.out and "[smtp]" in digest.out


def test_switch_schedule_and_options_are_kept(linked: Run) -> None:
    assert "errors  off" in linked("jobs", "off", "errors").out
    assert "errors  on" in linked("jobs", "on", "errors").out
    assert "daily 02:30" in linked("jobs", "schedule", "errors", "daily", "2:30").out
    assert linked("jobs", "schedule", "errors", "every 5m", "--json").row["schedule"] == "every 5m"
    assert "no schedule" in linked("jobs", "schedule", "errors", "often", code=2).err
    assert "when?" in linked("jobs", "schedule", "errors", code=2).err
    assert "patience 45" in linked("jobs", "set", "errors", "patience=45").out
    assert "minutes until" in linked("jobs", "set", "errors").out
    assert "no option" in linked("jobs", "set", "errors", "patients=4", code=2).err
    assert "no value" in linked("jobs", "set", "errors", "patience", code=2).err
    assert "is no patience" in linked("jobs", "set", "errors", "patience=soon", code=2).err
    assert "has no options" in linked("jobs", "set", "housekeeping", "days=1", code=2).err
    assert linked("jobs", "set", "errors", "patience=", "--json").row["options"] == {"patience": 30}
    assert "no job" in linked("jobs", "on", "nothing", code=2).err


def test_what_is_wrong_is_listed_with_whom_it_concerns(linked: Run) -> None:
    linked("pause", "--all")
    linked("jobs", "run", "errors")
    assert "told: nobody yet" in linked("jobs", "causes").out, "somebody may be at it"
    linked("jobs", "set", "errors", "patience=0")
    linked("jobs", "run", "errors")
    shown = linked("jobs", "causes").out
    assert "everything is paused" in shown and "told: log 20" in shown and "resume" in shown
    assert linked("jobs", "causes", "--json").row["words"] == "everything is paused"
    journal = linked("journal").out
    assert "job errors" in journal and "1 wrong, 1 told" in journal


def test_the_initialization_is_a_job(firm: Run, mailboxes: MemoryGroupware) -> None:
    planned = firm("jobs", "run", "initialize", "--plan").out
    assert "alice-event: add, alice is in sales" in planned
    done = firm("jobs", "run", "initialize").out
    assert "job initialize: 2 added" in done
    assert "alice-event" in firm("links").out


def test_a_job_that_is_killed_is_taken_up_by_the_next_service(linked: Run, tmp_path: Path) -> None:
    linked("jobs", "schedule", "reconcile", "every 1d")
    linked("jobs", "on", "reconcile")
    with subprocess.Popen([sys.executable, "-c", DOING], cwd=tmp_path) as process:
        config = load(None, {}, tmp_path)

        def running() -> bool:
            with closing(open_accord(config)) as accord:
                return standing(accord, "reconcile")[0].running

        assert until(running, SOON)
        assert "is doing reconcile" in linked("jobs", "run", "reconcile", code=3).err
        process.send_signal(signal.SIGKILL)
        process.wait(SOON)
    linked("jobs", "set", "reconcile", "spread=0")
    with closing(open_accord(config)) as accord, closing(open_queue(config)) as queue:
        from accord.service.jobs.clockwork import Clockwork

        told: list[str] = []
        clockwork = Clockwork(accord, config, queue, lambda name, _: told.append(name))
        clockwork.look()
        assert until(lambda: "reconcile" in told, SOON)
        clockwork.close()
        assert not standing(accord, "reconcile")[0].running
    assert "asked to be listed completely" in linked("jobs").out
    waiting = linked("queue", "list", "--planned", "--json").rows
    assert {row["cause"] for row in waiting} == {"reconciliation"}


@pytest.mark.parametrize("part", ["", "worker"])
def test_the_service_does_jobs_and_ends_in_good_order(run: Run, tmp_path: Path, part: str) -> None:
    run("init")
    words = [sys.executable, "-m", "accord.cli.main", "run", *([part] if part else []), "--json"]
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE) as process:
        config = load(None, {}, tmp_path)

        def done() -> bool:
            with closing(open_accord(config)) as accord:
                found = {one.name: one.ending for one in standing(accord)}
            return found["errors"] == found["initialize"] == "done"

        assert until(done, SOON)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=SOON)
    assert process.returncode == 0
    assert b'"job":"initialize"' in out
