"""Who wins a clash: the rule, unless the organizer has to say it."""

from __future__ import annotations

from typing import Any

import pytest

from accord.engine.clash import judge_of
from accord.model.item import Event, Item, TaskStatus
from accord.model.kinds import Kind, Side
from accord.model.parts import Person
from accord.model.recurrence import EventStatus
from accord.rules.rule import Clash
from tests.unit.engine.kit import (
    BOB,
    CRM,
    EVE,
    GROUPWARE,
    OWNER,
    event,
    meeting,
    policy,
    rule_of,
    snap,
    task,
)

CANCELLED = EventStatus.CANCELLED


def winner(group: str, mailbox: Item, carried: Item | None = None, **rule: Any) -> Side | None:
    """Return who wins where the mailbox has one item and the CRM would have another there."""
    kind = Kind.EVENT if isinstance(mailbox, Event) else Kind.TASK
    carried = carried or mailbox
    judge = judge_of(snap(carried), snap(mailbox), policy(rule_of(kind, **rule)))
    return judge.winner(group, mailbox, carried)[0]


@pytest.mark.parametrize("group", ["schedule", "title", "location", "attendees", "status"])
def test_of_an_invitation_the_organizers_copy_decides_whatever_the_rule_says(group: str) -> None:
    assert winner(group, meeting(EVE, OWNER), clash=Clash.CRM) is GROUPWARE


@pytest.mark.parametrize("group", ["categories", "reminders", "busy"])
def test_of_an_invitation_the_rule_decides_what_is_personal(group: str) -> None:
    assert winner(group, meeting(EVE, OWNER), clash=Clash.CRM) is CRM


def test_only_a_status_that_calls_off_is_the_organizers() -> None:
    own, off = meeting(OWNER, OWNER, BOB), meeting(OWNER, OWNER, BOB, status=CANCELLED)
    assert winner("status", off, own, clash=Clash.CRM) is GROUPWARE
    assert winner("status", own, off, clash=Clash.CRM) is GROUPWARE
    assert winner("status", own, clash=Clash.CRM) is CRM, "tentative or not is for the rule"
    assert winner("title", off, own, clash=Clash.CRM) is CRM, "so is what it is called"


def test_the_status_of_a_task_calls_nobody_off() -> None:
    over = task(status=TaskStatus.CANCELLED)
    assert winner("status", over, task(), clash=Clash.GROUPWARE) is GROUPWARE


def test_the_organizer_is_whoever_either_side_names() -> None:
    plain, own = event(), meeting(OWNER, OWNER, BOB)
    assert winner("title", plain, own, clash=Clash.ORGANIZER) is GROUPWARE
    off = meeting(OWNER, OWNER, BOB, status=CANCELLED)
    assert winner("status", plain, off, clash=Clash.CRM) is GROUPWARE
    assert winner("title", plain, meeting(BOB, OWNER), clash=Clash.ORGANIZER) is CRM


def test_what_nobody_attends_nobody_organizes() -> None:
    alone = event(organizer=Person(address=OWNER))
    assert winner("title", alone, clash=Clash.ORGANIZER) is CRM
    assert winner("title", task(), clash=Clash.ORGANIZER) is CRM
