"""The twenty failures once more, with Exchange: none of them occurs, and nobody gets mail.

Each story is named after its failure and plays on the stand-in, with the built-in CRM; in the
end its counter of mails stands where people's own programs left it, at zero for most. These are
the first ten; the others are in `test_twenty_failures_exchange_more`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from accord.model.item import Contact, Mailto, Task
from accord.model.parts import Attendee, Person
from accord.model.recurrence import Frequency, NthDay, Override, RecurrenceRule, Weekday
from accord.sandbox.exchange.hand import LOUD
from accord.sandbox.proxy import Instead, Meanwhile, Reply, Request, Truncate
from accord.service.bootstrap import open_accord
from accord.service.report import Report
from accord.service.sync import sync
from tests.scenario.conftest import EnterExchange
from tests.scenario.exchange import ExchangeStage, begins, own
from tests.scenario.stage import MONDAY, meeting, steps

TITLES = [f"Visit {number:02d}" for number in range(12)]


@pytest.mark.split
@pytest.mark.parametrize("times", [1, None])
def test_01_timeout_after_create_makes_a_duplicate(
    enter_exchange: EnterExchange, times: int | None
) -> None:
    stage = enter_exchange("anna")
    stage.desks["anna"].add(meeting("Kick-off"))
    fault = stage.fault("lost", operation="CreateItem", times=times)
    stage.attempt()
    assert stage.titles() == ["Kick-off"], "the server has acted"
    stage.end(fault)
    stage.clock.pass_by(hours=1)
    stage.sync()
    assert stage.titles() == stage.records() == ["Kick-off"]
    stage.quiet()


def test_02_one_meeting_of_several_people_becomes_several_from_the_crm(
    enter_exchange: EnterExchange,
) -> None:
    names = ("anna", "ben", "clara")
    stage = enter_exchange(*names)
    guests = tuple(Attendee(address=stage.address(name)) for name in names)
    host = Person(address=stage.address("anna"))
    stage.desks["anna"].add(meeting("Kick-off", organizer=host, attendees=guests))
    stage.sync()
    stage.quiet()
    assert len({stage.desks[name].find("Kick-off").ref for name in names}) == 1
    for name in names:
        assert stage.titles(name) == stage.records(name) == ["Kick-off"]
    moved = MONDAY + timedelta(hours=15)
    stage.desks["anna"].set("Kick-off", start=moved, end=moved + timedelta(hours=1))
    stage.sync()
    for hand in stage.hands.values():
        assert begins(hand.find("Kick-off")) == moved
    stage.quiet()


def test_02_one_meeting_of_several_people_becomes_several_from_mailboxes(
    enter_exchange: EnterExchange,
) -> None:
    names = ("anna", "ben", "clara")
    stage = enter_exchange(*names)
    guests = [stage.address(name) for name in names[1:]]
    stage.hands["anna"].add(own("Kick-off", attendees=guests), notices=LOUD)
    stage.allowed = 2
    for _ in range(3):
        stage.sync()
        stage.clock.pass_by(hours=1)
    for name in names:
        assert stage.titles(name) == stage.records(name) == ["Kick-off"], name
    assert len({stage.desks[name].find("Kick-off").ref for name in names}) == 1
    stage.hands["anna"].set("Kick-off", Location="Hall 4")
    stage.sync()
    assert stage.event("ben", "Kick-off").location == "Hall 4"
    stage.quiet()


@pytest.mark.split
def test_03_mapping_lost_and_everything_is_made_anew(enter_exchange: EnterExchange) -> None:
    stage = enter_exchange("anna", kinds=("event", "task", "contact"))
    desk, hand = stage.desks["anna"], stage.hands["anna"]
    desk.add(meeting("From the CRM"))
    desk.add(meeting("Series", 12, rule=RecurrenceRule(frequency=Frequency.WEEKLY)))
    desk.add(Task(title="Send the offer", due=MONDAY, all_day=True))
    desk.add(Contact(full_name="Nora Silva", mails=(Mailto(address="nora@customer.test"),)))
    hand.add(own("From the mailbox", 14))
    stage.sync()
    stage.quiet()
    stage.lose_state()
    stage.proxy.clear()
    reports = stage.sync()
    assert stage.written() == 0, "nothing was written to the server"
    assert sum(r.writes for r in reports) == 0, steps(reports)
    assert sum(r.paired for r in reports) == 5
    assert sum(r.conflicts for r in reports) == 0
    stage.quiet()
    stage.desks["anna"].set("From the CRM", location="Room 1")
    hand.set("From the mailbox", Location="Room 2")
    stage.sync()
    assert hand.find("From the CRM").text("Location") == "Room 1"
    assert stage.event("anna", "From the mailbox").location == "Room 2"


@pytest.mark.split
def test_04_two_runs_overlap(enter_exchange: EnterExchange) -> None:
    stage = enter_exchange("anna")
    for number, title in enumerate(TITLES[:4]):
        stage.desks["anna"].add(meeting(title, number))
    stage.hands["anna"].add(own("From the mailbox", 14))
    second: list[Report] = []

    def meanwhile(request: Request) -> None:
        if b"<m:CreateItem " not in request.body or second:
            return
        other = open_accord(stage.config, stage.clock)
        try:
            second.extend(sync(other, stage.links()))
        finally:
            other.close()

    stage.proxy.add(Meanwhile(meanwhile), times=None)
    stage.sync()
    (report,) = second
    assert report.action == "retry" and report.writes == 0, "the second run waits its turn"
    assert stage.titles() == stage.records() == ["From the mailbox", *TITLES[:4]]
    stage.proxy.clear()
    stage.quiet()


def test_05_an_interrupted_first_run_deletes_both_sides(enter_exchange: EnterExchange) -> None:
    stage = enter_exchange("anna")
    for number, title in enumerate(TITLES[:6]):
        stage.desks["anna"].add(meeting(title, number))
    stage.hands["anna"].add_many([own(f"Hand {n}", n + 50) for n in range(6)])
    fault = stage.fault("lost", operation="CreateItem", times=None)
    (report,) = stage.attempt()
    stage.end(fault)
    stage.clock.pass_by(hours=7)
    (report,) = stage.sync()
    assert not report.crm.deleted and not report.groupware.deleted and not report.held
    everything = sorted([f"Hand {number}" for number in range(6)] + TITLES[:6])
    assert stage.titles() == stage.records() == everything
    stage.quiet()


@pytest.mark.parametrize("fault", [Truncate(300), Instead(Reply(200, (), b"<none/>")), "expired"])
def test_05_an_empty_partial_or_expired_listing_deletes(
    enter_exchange: EnterExchange, fault: Any
) -> None:
    stage = _with_nine(enter_exchange)
    planned = stage.fault(fault, times=None) if fault == "expired" else None
    if planned is None:
        stage.proxy.add(fault, times=None)
    for full in (False, True):
        for report in stage.attempt(full=full):
            assert report.writes == 0 and report.unpaired == 0, steps([report])
    stage.proxy.clear()
    if planned is not None:
        stage.end(planned)
    stage.clock.pass_by(hours=7)
    stage.sync(full=True)
    assert len(stage.records()) == len(stage.titles()) == 9
    stage.desks["anna"].set(TITLES[0], location="Room 1")
    stage.sync()
    assert stage.hands["anna"].find(TITLES[0]).text("Location") == "Room 1", "all are paired"


def test_05_an_emptied_calendar_is_held(enter_exchange: EnterExchange) -> None:
    stage = _with_nine(enter_exchange)
    stage.hands["anna"].delete_refs(each.ref for each in stage.hands["anna"].found())
    (report,) = stage.sync()
    assert report.held == 9 and report.writes == 0
    assert len(stage.records()) == 9


def test_05_a_person_may_delete_two_of_nine(enter_exchange: EnterExchange) -> None:
    stage = _with_nine(enter_exchange)
    for title in TITLES[:2]:
        stage.hands["anna"].delete(title)
    (report,) = stage.sync()
    assert report.crm.deleted == 2 and not report.held
    assert stage.records() == TITLES[2:9]
    stage.quiet()


def test_05_what_is_deleted_just_after_it_came_stays(enter_exchange: EnterExchange) -> None:
    """SyncFolderItems doesn't tell of what came and went since the cursor."""
    stage = _with_nine(enter_exchange)
    stage.desks["anna"].add(meeting("Short"))
    stage.sync()
    stage.hands["anna"].delete("Short")
    (report,) = stage.sync()
    assert report.crm.deleted == 1
    assert stage.records() == stage.titles() == TITLES[:9]
    stage.quiet()


@pytest.mark.parametrize("kind", ["unauthorized", "unavailable", "moving", "disabled"])
def test_06_access_lapses_and_returns(enter_exchange: EnterExchange, kind: str) -> None:
    stage = _with_nine(enter_exchange)
    stage.hands["anna"].add(own("From the mailbox", 20))
    stage.sync()
    mailbox = None if kind in ("unauthorized", "unavailable") else stage.address("anna")
    seconds = 3600.0
    faults = stage.house.exchange.faults
    fault = faults.plan(kind, mailbox=mailbox, times=None, seconds=seconds)  # type: ignore[arg-type]
    try:
        for _ in range(3):
            (report,) = stage.attempt(full=True)
            assert report.error, "somebody has to know"
            assert report.writes == 0 and report.unpaired == 0
            stage.clock.pass_by(hours=7)
    finally:
        stage.end(fault)
    (report,) = stage.sync(full=True)
    assert report.writes == 0, steps([report])
    assert len(stage.records()) == len(stage.titles()) == 10
    stage.hands["anna"].set("From the mailbox", Location="Room 2")
    stage.sync()
    assert stage.event("anna", "From the mailbox").location == "Room 2"


@pytest.mark.split
def test_07_an_event_leaves_the_filter_and_is_cancelled(enter_exchange: EnterExchange) -> None:
    rule = 'scope = "category"\ncategories = ["CRM"]\nfilter = { crm = "item.priority < 9" }'
    stage = enter_exchange("anna", rules={"event": rule})
    desk, hand = stage.desks["anna"], stage.hands["anna"]
    desk.add(meeting("Ours", categories=("CRM",)))
    hand.add(own("Theirs", 12, categories=["CRM"]))
    stage.sync()
    assert stage.titles() == stage.records() == ["Ours", "Theirs"]
    desk.set("Ours", priority=9)
    (report,) = stage.sync()
    assert report.unpaired == 1 and report.writes == 0, steps([report])
    assert stage.titles() == ["Ours", "Theirs"], "the entry stays where it is"
    desk.set("Ours", location="Secret room")
    stage.sync()
    assert hand.find("Ours").text("Location") == "", "and takes no part"
    desk.set("Ours", priority=1)
    stage.sync()
    assert stage.titles() == ["Ours", "Theirs"], "back, and not twice"
    assert hand.find("Ours").text("Location") == "Secret room"
    stage.quiet()


def test_08_copying_an_item_deletes_the_original(enter_exchange: EnterExchange) -> None:
    stage = enter_exchange("anna")
    desk, hand = stage.desks["anna"], stage.hands["anna"]
    desk.add(meeting("Kick-off", location="Hall 4"))
    stage.sync()
    (copied,) = hand.copy(hand.find("Kick-off"))
    hand.set_ref(copied, Subject="Copy")
    (report,) = stage.sync()
    assert report.crm.deleted == report.groupware.deleted == 0
    assert stage.titles() == stage.records() == ["Copy", "Kick-off"]
    stage.quiet()
    hand.delete("Copy")
    stage.sync()
    assert stage.records() == ["Kick-off"]
    hand.set("Kick-off", Location="Hall 5")
    stage.sync()
    assert stage.event("anna", "Kick-off").location == "Hall 5", "the original is still paired"


@pytest.mark.parametrize("meetings", ["mirror", "invite"])
def test_09_the_first_sync_invites_everybody_to_old_meetings(
    enter_exchange: EnterExchange, meetings: str
) -> None:
    rule = f'scope = "all"\nmeetings = "{meetings}"\ninvitations = "allow"'
    stage = enter_exchange("anna", "ben", rules={"event": rule})
    guests = (Attendee(address=stage.address("ben")), Attendee(address="nora@customer.test"))
    host = Person(address=stage.address("anna"))
    long_ago, later = datetime(2025, 3, 3, 9), datetime(2025, 3, 3, 10)
    old = meeting("Old", organizer=host, attendees=guests, start=long_ago, end=later)
    stage.desks["anna"].add(old)
    stage.desks["anna"].add(meeting("Coming", organizer=host, attendees=guests))
    assert not any(r.plan and r.plan.mails for r in stage.plan())
    stage.sync()
    stage.quiet()
    assert stage.titles().count("Coming") == 1
    assert stage.mails() == {}


def test_10_one_message_or_write_for_each_occurrence(enter_exchange: EnterExchange) -> None:
    stage = enter_exchange("anna", "ben")
    desk, hand = stage.desks["anna"], stage.hands["anna"]
    weekly = RecurrenceRule(frequency=Frequency.WEEKLY, count=200, by_day=(NthDay(day=Weekday.MO),))
    guests = (Attendee(address=stage.address("ben")), Attendee(address="nora@customer.test"))
    host = Person(address=stage.address("anna"))
    desk.add(meeting("Stand-up", rule=weekly, organizer=host, attendees=guests))
    stage.sync("anna-event")
    assert stage.asked("CreateItem") == 1 and stage.written() == 1
    third = MONDAY + timedelta(weeks=3, hours=9)
    changes: tuple[tuple[dict[str, Any], int], ...] = (
        ({"location": "Room 1"}, 1),
        ({"start": MONDAY + timedelta(hours=9), "end": MONDAY + timedelta(hours=10)}, 1),
        ({"overrides": (Override(recurrence_id=third, title="Stand-up!"),)}, 3),
        ({"exdates": (MONDAY + timedelta(weeks=5, hours=9),)}, 3),
    )
    for change, most in changes:
        stage.proxy.clear()
        desk.set("Stand-up", **change)
        (report,) = stage.sync("anna-event")
        assert report.writes == 1
        assert stage.written() <= most, "not one for each of two hundred"
    hand.set("Stand-up", Subject="Daily")
    stage.proxy.clear()
    (report,) = stage.sync("anna-event")
    assert stage.written() == 0 and report.crm.updated == 1
    assert stage.mails() == {}


def _with_nine(enter_exchange: EnterExchange) -> ExchangeStage:
    """Set a stage with nine appointments on both sides, made long ago."""
    stage = enter_exchange("anna")
    for number, title in enumerate(TITLES[:9]):
        stage.desks["anna"].add(meeting(title, number))
    stage.sync()
    stage.quiet()
    stage.clock.pass_by(hours=2)
    return stage
