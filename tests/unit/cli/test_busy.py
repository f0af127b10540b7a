"""Two runs at once: the later one leaves a folder to the other, and that is no failure.

What a person decides waits for the other.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from accord.cli import exits
from accord.groupware import memory
from accord.ports.errors import Retry
from accord.sandbox.process import until
from accord.service.bootstrap import open_accord
from accord.service.config import load
from accord.service.locking import locked
from accord.state.leases import FOLDER
from tests.unit.cli.conftest import Run, event


@contextmanager
def at_work(folder: Path, *names: str) -> Iterator[None]:
    """Be another run that is at work in the folders of these links."""
    accord = open_accord(load(None, os.environ, folder))
    with accord.state.read() as tx:
        links = [link for link in tx.links.all() if link.name in names]
    assert len(links) == len(names)
    with locked(accord, links):
        yield
    accord.close()


@contextmanager
def ending(folder: Path, name: str, *, asked: bool) -> Iterator[list[bool]]:
    """Be one that ends once it is `asked` to, or else in a moment; yield whether it was asked."""
    begun, heard = threading.Event(), [False]

    def work() -> None:
        accord = open_accord(load(None, os.environ, folder))

        def wanted() -> bool:
            with accord.state.read() as tx:
                heard[0] |= any(map(tx.leases.wanted, tx.leases.standing(FOLDER)))
            return heard[0]

        with at_work(folder, name):
            begun.set()
            until(wanted, SOON if asked else 1.0)
        accord.close()

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(SOON)
    try:
        yield heard
    finally:
        thread.join(SOON)
        assert not thread.is_alive()


SOON = 30.0
BOTH = ("alice-event", "alice-task")


def test_a_folder_is_left_to_the_run_that_is_at_work_there(linked: Run, tmp_path: Path) -> None:
    linked("sync", "--all")
    linked("crm", "put", "-", "--as", "alice", stdin=event("Visit"))
    with at_work(tmp_path, *BOTH):
        result = linked("sync", "--all", code=exits.OK)
        assert result.err.splitlines() == [
            "left to another run, which is at work there: alice-event, alice-task"
        ]
        assert result.out == ""
        quiet = linked("sync", "--all", "--quiet", code=exits.OK)
        assert (quiet.out, quiet.err) == ("", "")
        rows = linked("sync", "--all", "--json", code=exits.OK).rows
        assert [row["action"] for row in rows] == ["retry", "retry"]
        assert all("another process" in row["error"] for row in rows)
    assert "mailbox 1 created" in linked("sync", "--all").out


def test_the_other_folders_are_visited_and_their_failures_count(
    linked: Run, tmp_path: Path, mailboxes: memory.MemoryGroupware, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked("sync", "--all")
    with at_work(tmp_path, "alice-task"):
        result = linked("sync", "--all", code=exits.OK)
        assert "alice-event: nothing to do" in result.out
        assert "at work there: alice-task\n" in result.err

        def refuse(principal: str) -> None:
            raise Retry("the server is down", after=30)

        monkeypatch.setattr(mailboxes, "open", refuse)
        linked("sync", "--all", code=exits.UNREACHABLE)


def test_of_many_links_only_some_are_named(linked: Run, tmp_path: Path) -> None:
    people = [f"user{number}" for number in range(7)]
    for name in people:
        linked("crm", "users", "add", name, "--address", f"{name}@x.test")
    links = "".join(
        f'[[link]]\nuser = "{name}"\ntarget = "company"\nkinds = ["event"]\nmode = "active"\n'
        for name in people
    )
    linked("import", "-", stdin=links)
    linked("sync", "--all")
    with at_work(tmp_path, *(f"{name}-event" for name in people)):
        told = linked("sync", *people, "--wait", "0", code=exits.OK).err
    assert told.endswith("user3-event, user4-event and 2 more\n")


def entered(linked: Run) -> None:
    """Have an event of the CRM entered in the mailbox."""
    linked("sync", "--all")
    linked("crm", "put", "-", "--as", "alice", stdin=event("Visit"))
    linked("sync", "--all")


def test_what_a_person_decided_is_not_taken_for_done(linked: Run, tmp_path: Path) -> None:
    entered(linked)
    undo = ("undo", "alice", "--yes", "--wait")
    with at_work(tmp_path, "alice-event"):
        told = linked(*undo, 0, code=exits.UNREACHABLE).err
        assert "another process" in told
        assert "waiting" not in told
        told = linked(*undo, 1, code=exits.UNREACHABLE).err
        assert "waiting for the visit that is under way in the folder of alice-event" in told
        assert "not free within 1 s; --wait SECONDS waits longer" in told


def test_an_undo_waits_for_a_visit_under_way_and_has_it_end(linked: Run, tmp_path: Path) -> None:
    entered(linked)
    with ending(tmp_path, "alice-event", asked=True) as heard:
        result = linked("undo", "alice", "--yes")
    assert heard == [True]
    assert "mailbox 1 deleted" in result.out
    assert result.err.startswith("waiting for the visit that is under way")


def test_a_sync_by_hand_waits_for_the_end_of_a_visit(linked: Run, tmp_path: Path) -> None:
    linked("sync", "--all")
    linked("crm", "put", "-", "--as", "alice", stdin=event("Visit"))
    with ending(tmp_path, "alice-event", asked=False) as heard:
        result = linked("sync", "alice-event")
    assert heard == [False], "it does the same"
    assert "mailbox 1 created" in result.out
    assert "waiting for the visit" in result.err
