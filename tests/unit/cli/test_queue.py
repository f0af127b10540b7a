"""`accord queue`: what waits, what was buried and why, and how that comes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from accord.ports.queue import FAULTS, Urgency
from accord.queue.durable import DurableQueue
from accord.queue.folders import Folders, key_of
from accord.service.bootstrap import open_accord, open_queue
from accord.service.config import load
from accord.service.roster import read
from tests.unit.cli.conftest import Run


@contextmanager
def opened(folder: Path) -> Iterator[tuple[DurableQueue, list[str]]]:
    """Yield the queue of an installation, and the keys of its folders."""
    config = load(None, {}, folder)
    with closing(open_accord(config)) as accord, closing(open_queue(config)) as queue:
        assert isinstance(queue, DurableQueue)
        yield queue, sorted(read(accord).posts)


def bury(queue: DurableQueue, key: str) -> None:
    folders = Folders(queue._database, lambda: 1_000.0)
    for generation in range(1, FAULTS + 1):
        folders.ask(key, "hint", "", 0, Urgency.EDIT, full=False)
        job = folders.begin(key_of(key), generation, "me")
        assert job is not None
        folders.done(job, "me", why="a fault of Accord (KeyError); the log tells where")


def test_nothing_waits_where_nobody_runs(linked: Run) -> None:
    assert linked("queue").out == "Nothing waits.\n"
    assert linked("queue", "buried").out == "Nothing is buried.\n"
    assert linked("queue", "list", "--json").rows == []


def test_what_waits_and_what_was_buried_is_listed_and_revived(linked: Run, tmp_path: Path) -> None:
    with opened(tmp_path) as (queue, (events, tasks)):
        bury(queue, events)
        queue.ask(tasks, "hint", after=-90, urgency=Urgency.EDIT)
        queue.ask("gone", "interval", after=3600, urgency=Urgency.DUE)
    shown = linked("queue").out
    assert "waiting for 9" in shown
    assert "alice-task of alice@x.test on company (hint)" in shown
    assert "alice-event of alice@x.test on company" in shown
    assert "KeyError" in shown
    assert "gone" not in shown
    assert "planned in 60 min: gone (interval)" in linked("queue", "list", "--planned").out
    row = linked("queue", "buried", "--json").row
    assert (row["stage"], row["links"], row["attempts"]) == ("buried", ["alice-event"], FAULTS)
    assert (row["target"], row["principal"]) == ("company", "alice@x.test")
    with opened(tmp_path) as (queue, _):
        assert key_of(tasks) in [each.id for each in queue._admission.admit(9)]
        assert key_of(events) not in [each.id for each in queue._admission.admit(9)]
    linked("queue", "revive", code=2)
    linked("queue", "revive", "alice-task", code=2)
    assert linked("queue", "revive", "alice-event", "--json").row == {"revived": events}
    assert linked("queue", "buried").out == "Nothing is buried.\n"
    with opened(tmp_path) as (queue, _):
        assert key_of(events) in [each.id for each in queue._admission.admit(9)]
    assert linked("queue", "revive", "--all").out == "0 folders will be visited again.\n"


def test_a_target_that_is_left_alone_is_shown_with_its_reason(linked: Run, tmp_path: Path) -> None:
    config = load(None, {}, tmp_path)
    with closing(open_accord(config)) as accord, accord.state.read() as tx:
        (target,) = tx.targets.all()
    with opened(tmp_path) as (queue, _):
        queue.trouble(target.id, "alice@x.test", "it can't be reached")
        queue.trouble("a target that is gone", "alice@x.test", "it can't be reached")
    assert "target company closed, visited on, 1 failure in a row" in linked("queue").out
    with opened(tmp_path) as (queue, _):
        queue.trouble(target.id, "bob@x.test", "busy (503)", after=600)
    assert "target company open for 0 s, left alone for 10 min more" in linked("queue").out
    row = linked("queue", "--json").row
    assert (row["target"], row["state"], row["why"]) == ("company", "open", "busy (503)")
    checked = [row for row in linked("check", "--json", code=1).rows if row["subject"] == "visits"]
    assert [(row["area"], row["ok"]) for row in checked] == [("target company", False)]
    assert "busy (503)" in checked[0]["detail"]
    assert linked("queue", "buried").out == "Nothing is buried.\n"
    assert "alice" not in linked("queue").out


@pytest.mark.parametrize("word", ["accord.db", "in here.sqlite"])
def test_on_sqlite_the_queue_has_a_file_of_its_own(run: Run, tmp_path: Path, word: str) -> None:
    run("init", "--database", f"sqlite:///{tmp_path}/{word}")
    run("queue")
    stem, _, end = word.rpartition(".")
    file = tmp_path / f"{stem}-queue.{end}"
    assert file.stat().st_mode & 0o777 == 0o600
