"""A firm whose people get their links by a template: joining, working as a group, leaving."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest

from accord.model.item import Task, TaskStatus
from accord.model.kinds import Kind
from accord.model.parts import Person
from accord.queue.memory import MemoryQueue
from accord.sandbox.process import until
from accord.service.first_plans import approve, waiting
from accord.service.initialize import Initialization, initialize
from accord.service.jobs.clockwork import Clockwork
from accord.service.leavers import decide_handover
from accord.service.preferences import prefer
from accord.service.run import Run
from accord.service.transfer import import_
from tests.scenario.conftest import Enter
from tests.scenario.stage import MONDAY, Stage, entry, meeting, value

TEMPLATE = """
[[template]]
name = "sales"
group = "sales"
target = "mailboxes"
kinds = ["event", "task", "contact"]
open = ["folders"]
mode = "active"
withdraw_after = 14
successor = "ben"

[template.directions]
event = "both"
contact = "outbound"

[[rule]]
name = "events"
kind = "event"
scope = "all"
"""


@pytest.fixture
def topology() -> str:
    """Templates work where the CRM is: one on another machine doesn't list its users."""
    return "one"


def firm(enter: Enter, *members: str) -> Stage:
    stage = enter("anna", "ben", "cleo", kinds=())
    stage.people.put_group("sales", *members)
    import_(stage.accord, TEMPLATE, "firm.toml")
    for name, account in stage.accounts.items():
        if name in members:
            prefer(stage.accord, name, "folder.task", httpx2.URL(account.tasks).path)
    return stage


def begin(stage: Stage) -> Initialization:
    result = initialize(stage.accord)
    assert [one.error for one in result.done if one.error] == []
    return result


def let_go(stage: Stage) -> None:
    """Approve all plans that wait."""
    done = approve(stage.accord, [one.link for one in waiting(stage.accord)])
    assert [one.plan.error for one in done if one.plan.error or one.grown] == []
    assert [one.report.error for one in done if one.report and one.report.error] == []


def tasks(stage: Stage, name: str) -> list[str]:
    return stage.boxes[name].titles(stage.accounts[name].tasks)


@contextmanager
def running(stage: Stage) -> Iterator[list[str]]:
    """Let `accord run` work meanwhile, and yield the jobs that were done."""
    told: list[str] = []
    queue = MemoryQueue()
    jobs = Clockwork(stage.accord, stage.config, queue, lambda name, _: told.append(name))
    run = Run(stage.accord, stage.config.run, lambda _: None, queue, jobs=jobs)
    thread = threading.Thread(target=run.run)
    thread.start()
    try:
        assert until(lambda: "initialize" in told, 60)
        yield told
    finally:
        run.stop()
        thread.join(60)
        assert not thread.is_alive()


@pytest.mark.peer
@pytest.mark.waits
def test_who_joins_or_leaves_while_accord_runs_is_taken_up_within_seconds(enter: Enter) -> None:
    """The clock of the schedule stands still all the while."""
    stage = firm(enter, "anna")

    def active() -> dict[str, int]:
        return Counter(link.user for link in stage.links() if not link.paused)

    with running(stage) as told:
        assert active() == {"anna": 3}
        for members in (("anna", "ben"), ("anna", "ben", "cleo"), ("anna", "cleo")):
            stage.people.put_group("sales", *members)
        assert until(lambda: active() == {"anna": 3, "cleo": 3}, 15)
        assert until(lambda: told.count("initialize") == 2, 15), "three changes made one run"
        stage.people.change_user("cleo", active=False)
        assert until(lambda: active() == {"anna": 3}, 15)


@pytest.mark.peer
def test_who_joins_is_synchronized_once_somebody_has_looked(enter: Enter) -> None:
    stage = firm(enter, "anna")
    stage.desks["anna"].add(meeting("Review"))
    stage.desks["cleo"].add(meeting("Visit", 12))
    stage.boxes["anna"].put("own.ics", entry("Own", 14))
    result = begin(stage)
    assert {one.link: one.steps for one in result.done} == {
        "anna-event": 2, "anna-task": 0, "anna-contact": 0
    }  # fmt: skip
    stage.sync()
    assert stage.boxes["anna"].titles() == ["Own"], "until then it only looks on"
    let_go(stage)
    assert stage.boxes["anna"].titles() == ["Own", "Review"]
    assert sorted(event.title for event in stage.events("anna")) == ["Own", "Review"]
    stage.people.put_group("sales", "anna", "cleo")
    begin(stage)
    let_go(stage)
    assert stage.boxes["cleo"].titles() == ["Visit"]
    assert begin(stage).done == []
    stage.quiet()


@pytest.mark.peer
def test_a_groups_task_is_in_every_members_list_until_one_completes_or_takes_it(
    enter: Enter,
) -> None:
    stage = firm(enter, "anna", "ben")
    task = Task(title="Call the customer", due=MONDAY, all_day=True)
    place: dict[str, Any] = {"group": "sales", "group_writes": True, "visibility": "group"}
    first = stage.people.put("anna", task, **place)
    second = stage.people.put("anna", Task(title="Send the offer"), **place)
    begin(stage)
    let_go(stage)
    both = ["Call the customer", "Send the offer"]
    assert (tasks(stage, "anna"), tasks(stage, "ben")) == (both, both)
    bens = stage.accounts["ben"].tasks
    stage.boxes["ben"].edit(
        "Call the customer", bens, STATUS="COMPLETED", PERCENT_COMPLETE="100",
        COMPLETED="20300103T100000Z",
    )  # fmt: skip
    for _ in range(2):
        stage.sync()
    done = stage.people.show("anna", Kind.TASK, first.ref).item
    assert isinstance(done, Task) and done.status is TaskStatus.COMPLETED
    text = stage.boxes["anna"].text("Call the customer", stage.accounts["anna"].tasks)
    assert value(text, "STATUS") == "COMPLETED"
    before = stage.people.show("anna", Kind.TASK, second.ref)
    assert isinstance(before.item, Task)
    stage.desks["anna"].set(
        "Send the offer", Kind.TASK, assignee=Person(address=stage.address("ben"))
    )
    for _ in range(2):
        stage.sync()
    assert tasks(stage, "anna") == ["Call the customer"], "its copy went with it"
    assert tasks(stage, "ben") == both
    stage.people.put_group("sales", "anna", "ben", "cleo")
    prefer(stage.accord, "cleo", "folder.task", httpx2.URL(stage.accounts["cleo"].tasks).path)
    begin(stage)
    let_go(stage)
    assert tasks(stage, "cleo") == ["Call the customer"]
    stage.quiet()


@pytest.mark.peer
def test_who_leaves_is_let_go_and_what_lies_ahead_goes_to_a_successor(enter: Enter) -> None:
    stage = firm(enter, "anna", "ben")
    stage.desks["anna"].add(meeting("Review"))
    stage.boxes["anna"].put("own.ics", entry("Own", 14))
    begin(stage)
    let_go(stage)
    stage.sync()
    stage.people.change_user("anna", active=False)
    result = begin(stage)
    assert sorted(one.what for one in result.done) == ["pause"] * 3
    (offered,) = result.offers
    assert sorted(one.title for one in offered.appointments) == ["Own", "Review"]
    assert stage.boxes["anna"].titles() == ["Own", "Review"], "nothing is deleted yet"
    assert stage.boxes["ben"].titles() == []
    done = decide_handover(stage.accord, "anna", approve=True)
    assert len(done.done) == 2 and not done.left
    bens = [link.name for link in stage.links() if link.user == "ben"]
    stage.sync(*bens)
    assert stage.boxes["ben"].titles() == ["Own", "Review"]
    stage.clock.pass_by(days=14)
    result = begin(stage)
    assert sorted(one.what for one in result.done) == ["withdraw"] * 3
    assert stage.boxes["anna"].titles() == ["Own"], "what was hers stays"
    assert sorted(link.user for link in stage.links()) == ["ben"] * 3
    stage.quiet()
