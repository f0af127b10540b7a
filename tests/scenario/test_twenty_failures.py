"""The twenty failures that users of such programs complain about most: none of them occurs here.

Each story is named after its failure and plays on a real server, with the built-in CRM. The
first ten; the others are in `test_twenty_failures_more`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from accord.model.item import Contact, Mailto, Task
from accord.model.parts import Attendee, Person
from accord.model.recurrence import Frequency, NthDay, Override, RecurrenceRule, Weekday
from accord.sandbox.proxy import Instead, Lose, Meanwhile, Refuse, Reply, Request, Truncate
from accord.service.bootstrap import open_accord
from accord.service.decisions import approve, waiting
from accord.service.report import Report
from accord.service.sync import sync
from accord.state.records import Cause
from tests.scenario.conftest import Enter
from tests.scenario.stage import MONDAY, Stage, entry, line, meeting, steps, value

pytestmark = pytest.mark.waits

TITLES = [f"Visit {number:02d}" for number in range(12)]
NOTHING_THERE = (
    b'<?xml version="1.0"?><D:multistatus xmlns:D="DAV:"><D:sync-token>http://radicale.org/ns/sync/'
    + b"0" * 64
    + b"</D:sync-token></D:multistatus>"
)
MADE_ANEW = (
    "history lost: the mailbox folder was made anew or restored, or its history expired, and "
    "9 of the 9 known items are missing there (allowed: 50%)"
)
EMPTY = b'<?xml version="1.0"?><D:multistatus xmlns:D="DAV:"></D:multistatus>'


@pytest.mark.split
@pytest.mark.parametrize("times", [1, None])
def test_01_timeout_after_create_makes_a_duplicate(enter: Enter, times: int | None) -> None:
    stage = enter("anna")
    stage.desks["anna"].add(meeting("Kick-off"))
    stage.proxy.add(Lose(), "PUT", times=times)
    stage.attempt()
    assert stage.boxes["anna"].titles() == ["Kick-off"], "the server has acted"
    stage.proxy.clear()
    stage.clock.pass_by(hours=1)
    stage.sync()
    assert stage.boxes["anna"].titles() == ["Kick-off"]
    assert [event.title for event in stage.events("anna")] == ["Kick-off"]
    stage.quiet()


def test_02_one_meeting_of_several_people_becomes_several_from_the_crm(enter_each: Enter) -> None:
    stage = enter_each("anna", "ben", "clara")
    guests = tuple(Attendee(address=stage.address(name)) for name in stage.accounts)
    host = Person(address=stage.address("anna"))
    stage.desks["anna"].add(meeting("Kick-off", organizer=host, attendees=guests))
    stage.sync()
    stage.quiet()
    for name in stage.accounts:
        assert stage.boxes[name].titles() == ["Kick-off"]
        assert len(stage.events(name)) == 1
    assert len({s.ref for n in stage.accounts for s in [stage.desks[n].find("Kick-off")]}) == 1
    moved = MONDAY + timedelta(hours=15)
    stage.desks["anna"].set("Kick-off", start=moved, end=moved + timedelta(hours=1))
    stage.sync()
    for box in stage.boxes.values():
        assert value(box.text("Kick-off"), "DTSTART") == "20300107T150000"
    stage.quiet()


def test_02_one_meeting_of_several_people_becomes_several_from_mailboxes(enter_each: Enter) -> None:
    stage = enter_each("anna", "ben", "clara")
    people = [f"ORGANIZER:mailto:{stage.address('anna')}"]
    people += [f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{stage.address(n)}" for n in stage.accounts]
    with stage.by_hand():
        for box in stage.boxes.values():
            box.put("kick-off.ics", entry("Kick-off", 10, *people))
    for _ in range(3):
        stage.sync()
        stage.clock.pass_by(hours=1)
    for name in stage.accounts:
        assert [event.title for event in stage.events(name)] == ["Kick-off"], name
        assert stage.boxes[name].titles() == ["Kick-off"]
    assert len({stage.desks[n].find("Kick-off").ref for n in stage.accounts}) == 1
    with stage.by_hand():
        stage.boxes["anna"].edit("Kick-off", LOCATION="Hall 4")
    stage.sync()
    assert stage.event("ben", "Kick-off").location == "Hall 4"
    stage.quiet()


@pytest.mark.split
def test_03_mapping_lost_and_everything_is_made_anew(enter_each: Enter) -> None:
    stage = enter_each("anna", kinds=("event", "task", "contact"))
    desk, box = stage.desks["anna"], stage.boxes["anna"]
    desk.add(meeting("From the CRM"))
    desk.add(meeting("Series", 12, rule=RecurrenceRule(frequency=Frequency.WEEKLY)))
    desk.add(Task(title="Send the offer", due=MONDAY, all_day=True))
    desk.add(Contact(full_name="Nora Silva", mails=(Mailto(address="nora@customer.test"),)))
    box.put("hand.ics", entry("From the mailbox", 14))
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
    box.edit("From the mailbox", LOCATION="Room 2")
    stage.sync()
    assert value(box.text("From the CRM"), "LOCATION") == "Room 1"
    assert stage.event("anna", "From the mailbox").location == "Room 2"


@pytest.mark.split
def test_04_two_runs_overlap(enter: Enter) -> None:
    stage = enter("anna")
    for number, title in enumerate(TITLES[:4]):
        stage.desks["anna"].add(meeting(title, number))
    stage.boxes["anna"].put("hand.ics", entry("From the mailbox", 14))
    second: list[Report] = []

    def meanwhile(_request: Request) -> None:
        other = open_accord(stage.config, stage.clock)
        try:
            second.extend(sync(other, stage.links()))
        finally:
            other.close()

    stage.proxy.add(Meanwhile(meanwhile), "PUT", skip=1)
    stage.sync()
    (report,) = second
    assert report.action == "retry" and report.writes == 0, "the second run waits its turn"
    assert stage.boxes["anna"].titles() == ["From the mailbox", *TITLES[:4]]
    assert sorted(e.title for e in stage.events("anna")) == ["From the mailbox", *TITLES[:4]]
    stage.quiet()


def test_05_an_interrupted_first_run_deletes_both_sides(enter: Enter) -> None:
    stage = enter("anna")
    for number, title in enumerate(TITLES[:6]):
        stage.desks["anna"].add(meeting(title, number))
        stage.boxes["anna"].put(f"hand-{number}.ics", entry(f"Hand {number}", number + 50))
    stage.proxy.add(Refuse(), "PUT", skip=2, times=None)
    (report,) = stage.attempt()
    assert report.error
    stage.proxy.clear()
    stage.clock.pass_by(hours=7)
    (report,) = stage.sync()
    assert not report.crm.deleted and not report.groupware.deleted and not report.held
    everything = sorted([f"Hand {number}" for number in range(6)] + TITLES[:6])
    assert stage.boxes["anna"].titles() == everything
    assert sorted(event.title for event in stage.events("anna")) == everything
    stage.quiet()


@pytest.mark.parametrize("fault", [Truncate(300), Instead(Reply(207, (), EMPTY))])
def test_05_an_empty_or_partial_listing_deletes(enter: Enter, fault: Truncate | Instead) -> None:
    stage = enter("anna")
    for number, title in enumerate(TITLES[:4]):
        stage.desks["anna"].add(meeting(title, number))
    stage.sync()
    stage.proxy.add(fault, "REPORT|PROPFIND", "calendar/$", times=None)
    for full in (False, True):
        for report in stage.attempt(full=full):
            assert report.writes == 0 and report.unpaired == 0, steps([report])
    stage.proxy.clear()
    stage.clock.pass_by(hours=7)
    stage.sync(full=True)
    assert len(stage.events("anna")) == len(stage.boxes["anna"].titles()) == 4
    stage.desks["anna"].set(TITLES[0], location="Room 1")
    stage.sync()
    assert value(stage.boxes["anna"].text(TITLES[0]), "LOCATION") == "Room 1", "all are paired"


def test_05_a_listing_that_wrongly_says_nothing_is_there_deletes(enter: Enter) -> None:
    stage = enter("anna")
    for number, title in enumerate(TITLES[:4]):
        stage.desks["anna"].add(meeting(title, number))
    stage.sync()
    stage.proxy.add(Instead(Reply(207, (), NOTHING_THERE)), "REPORT", "calendar/$")
    (report,) = stage.sync(full=True)
    assert stage.proxy.requests[-1].fault is None, "each entry was asked for itself"
    assert report.writes == 0 and report.unpaired == 0, steps([report])
    stage.quiet()
    assert len(stage.events("anna")) == len(stage.boxes["anna"].titles()) == 4


def test_05_an_emptied_calendar_is_held(enter: Enter) -> None:
    stage = enter("anna")
    for number, title in enumerate(TITLES):
        stage.desks["anna"].add(meeting(title, number))
    stage.sync()
    for title in TITLES:
        stage.boxes["anna"].delete(title)
    (report,) = stage.sync()
    assert report.held == len(TITLES) and report.writes == 0
    assert len(stage.events("anna")) == len(TITLES)


@pytest.mark.parametrize("full", [False, True])
def test_05_a_calendar_made_anew_deletes_nothing_before_somebody_agrees(
    enter: Enter, full: bool
) -> None:
    stage = _with_nine(enter)
    stage.boxes["anna"].make_anew()
    for again in (full, False, True):
        (report,) = stage.sync(full=again)
        assert report.writes == 0, steps([report])
        assert len(stage.events("anna")) == 9
    held = waiting(stage.accord, Cause.HELD)
    assert len(held) == 9
    assert {one.pending.why for one in held} == {MADE_ANEW}
    stage.desks["anna"].add(meeting("New", 20))
    stage.sync()
    assert stage.boxes["anna"].titles() == ["New"], "the rest goes on"
    held = waiting(stage.accord, Cause.HELD)
    (report,) = approve(stage.accord, [one.pending.id for one in held])
    assert report.crm.deleted == 9 and not report.held
    assert [event.title for event in stage.events("anna")] == ["New"]
    stage.quiet()


def test_05_a_calendar_made_anew_may_be_filled_again(enter: Enter) -> None:
    stage = _with_nine(enter)
    box = stage.boxes["anna"]
    kept = box.texts()
    box.make_anew()
    (report,) = stage.sync()
    assert report.held == 9
    for href, text in kept.items():
        box.put(href, text)
    (report,) = stage.sync()
    assert not report.crm.deleted and not report.crm.created, steps([report])
    assert waiting(stage.accord, Cause.HELD) == []
    assert len(stage.events("anna")) == len(box.titles()) == 9
    stage.quiet()


def test_05_a_person_may_delete_two_of_nine(enter: Enter) -> None:
    stage = _with_nine(enter)
    for title in TITLES[:2]:
        stage.boxes["anna"].delete(title)
    (report,) = stage.sync()
    assert report.crm.deleted == 2 and not report.held
    assert len(stage.events("anna")) == 7
    stage.quiet()


def test_05_a_calendar_emptied_in_three_visits_is_held(enter: Enter) -> None:
    stage = _with_nine(enter)
    for number in range(3):
        for title in TITLES[3 * number : 3 * number + 3]:
            stage.boxes["anna"].delete(title)
        (report,) = stage.sync()
        stage.clock.pass_by(minutes=15)
    assert report.held == 3 and report.writes == 0, steps([report])
    assert len(stage.events("anna")) == 3
    held = waiting(stage.accord, Cause.HELD)
    assert all("6 of them deleted within the hour" in one.pending.why for one in held)
    (report,) = approve(stage.accord, [one.pending.id for one in held])
    assert report.crm.deleted == 3 and stage.events("anna") == []
    stage.quiet()


def test_05_many_calendars_of_one_server_are_held_together(enter: Enter) -> None:
    names = ("anna", "ben", "clara", "dora")
    stage = enter(*names, rules={"event": 'scope = "all"\nguard = { target = 10 }'})
    for name in names:
        for number, title in enumerate(TITLES[:9]):
            stage.boxes[name].put(
                f"{name}-{number}.ics", entry(title, number, uid=f"{name}{title}")
            )
    stage.sync()
    stage.clock.pass_by(hours=2)
    for name in names:
        for title in TITLES[:4]:
            stage.boxes[name].delete(title)
    reports = stage.sync()
    assert sorted(report.crm.deleted for report in reports) == [0, 0, 4, 4]
    assert sum(report.held for report in reports) == 8
    held = waiting(stage.accord, Cause.HELD)
    assert all("by all links of the target (allowed: 10)" in one.pending.why for one in held)
    approve(stage.accord, [one.pending.id for one in held])
    assert [len(stage.events(name)) for name in names] == [5] * 4
    stage.quiet()


def _with_nine(enter: Enter) -> Stage:
    """Set a stage with nine appointments on both sides, made long ago."""
    stage = enter("anna")
    for number, title in enumerate(TITLES[:9]):
        stage.desks["anna"].add(meeting(title, number))
    stage.sync()
    stage.quiet()
    stage.clock.pass_by(hours=2)
    return stage


@pytest.mark.parametrize("status", [403, 404])
def test_06_access_lapses_and_returns(enter: Enter, status: int) -> None:
    stage = enter("anna")
    for number, title in enumerate(TITLES[:4]):
        stage.desks["anna"].add(meeting(title, number))
    stage.boxes["anna"].put("hand.ics", entry("From the mailbox", 14))
    stage.sync()
    stage.proxy.add(Instead(Reply(status, (), b"no")), ".*", "/calendar/", times=None)
    for _ in range(3):
        (report,) = stage.attempt(full=True)
        assert report.error, "somebody has to know"
        assert report.writes == 0 and report.unpaired == 0
        stage.clock.pass_by(hours=7)
    stage.proxy.clear()
    (report,) = stage.sync(full=True)
    assert report.writes == 0, steps([report])
    assert len(stage.events("anna")) == len(stage.boxes["anna"].titles()) == 5
    stage.boxes["anna"].edit("From the mailbox", LOCATION="Room 2")
    stage.sync()
    assert stage.event("anna", "From the mailbox").location == "Room 2"


@pytest.mark.split
def test_07_an_event_leaves_the_filter_and_is_cancelled(enter_each: Enter) -> None:
    rule = 'scope = "category"\ncategories = ["CRM"]\nfilter = { crm = "item.priority < 9" }'
    stage = enter_each("anna", rules={"event": rule})
    desk, box = stage.desks["anna"], stage.boxes["anna"]
    desk.add(meeting("Ours", categories=("CRM",)))
    box.put("theirs.ics", entry("Theirs", 12, "CATEGORIES:CRM"))
    stage.sync()
    assert box.titles() == ["Ours", "Theirs"] and len(stage.events("anna")) == 2
    desk.set("Ours", priority=9)
    (report,) = stage.sync()
    assert report.unpaired == 1 and report.writes == 0, steps([report])
    assert box.titles() == ["Ours", "Theirs"], "the entry stays where it is"
    desk.set("Ours", location="Secret room")
    stage.sync()
    assert value(box.text("Ours"), "LOCATION") == "", "and takes no part"
    desk.set("Ours", priority=1)
    stage.sync()
    assert box.titles() == ["Ours", "Theirs"], "back, and not twice"
    assert value(box.text("Ours"), "LOCATION") == "Secret room"
    stage.quiet()


def test_08_copying_an_item_deletes_the_original(enter: Enter) -> None:
    stage = enter("anna")
    desk, box = stage.desks["anna"], stage.boxes["anna"]
    desk.add(meeting("Kick-off", location="Hall 4"))
    stage.sync()
    original = box.text("Kick-off")
    assert "X-ACCORD" in original, "the copy carries the marker of the original"
    copy = original.replace(line(original, "UID"), "UID:copy@hand")
    box.put("copy.ics", copy.replace("SUMMARY:Kick-off", "SUMMARY:Copy"))
    (report,) = stage.sync()
    assert report.crm.deleted == report.groupware.deleted == 0
    assert box.titles() == ["Copy", "Kick-off"]
    assert sorted(event.title for event in stage.events("anna")) == ["Copy", "Kick-off"]
    stage.quiet()
    box.delete("Copy")
    stage.sync()
    assert [event.title for event in stage.events("anna")] == ["Kick-off"]
    box.edit("Kick-off", LOCATION="Hall 5")
    stage.sync()
    assert stage.event("anna", "Kick-off").location == "Hall 5", "the original is still paired"


def test_09_the_first_sync_invites_everybody_to_old_meetings(enter_each: Enter) -> None:
    stage = enter_each(
        "anna", "ben", rules={"event": 'scope = "all"\nmeetings = "invite"\ninvitations = "allow"'}
    )
    guests = (Attendee(address=stage.address("ben")), Attendee(address="nora@customer.test"))
    host = Person(address=stage.address("anna"))
    long_ago, later = datetime(2025, 3, 3, 9), datetime(2025, 3, 3, 10)
    stage.desks["anna"].add(
        meeting("Old", organizer=host, attendees=guests, start=long_ago, end=later)
    )
    stage.desks["anna"].add(meeting("Coming", organizer=host, attendees=guests))
    people = (f"ORGANIZER:mailto:{host.address}", f"ATTENDEE:mailto:{stage.address('ben')}")
    with stage.by_hand():
        stage.boxes["ben"].put("own.ics", entry("Bens copy", 12, *people))
    assert not any(r.plan and r.plan.mails for r in stage.plan())
    stage.sync()
    stage.quiet()
    assert stage.boxes["anna"].titles().count("Coming") == 1


def test_10_one_message_or_write_for_each_occurrence(enter_each: Enter) -> None:
    stage = enter_each("anna", rules={"event": 'scope = "all"\nmeetings = "invite"'})
    desk, box = stage.desks["anna"], stage.boxes["anna"]
    weekly = RecurrenceRule(frequency=Frequency.WEEKLY, count=200, by_day=(NthDay(day=Weekday.MO),))
    host, guest = Person(address=stage.address("anna")), Attendee(address="nora@customer.test")
    desk.add(meeting("Stand-up", rule=weekly, organizer=host, attendees=(guest,)))
    stage.sync()
    assert stage.written() == 1
    changes = (
        {"location": "Room 1"},
        {"start": MONDAY + timedelta(hours=9), "end": MONDAY + timedelta(hours=10)},
        {
            "overrides": (
                Override(recurrence_id=MONDAY + timedelta(weeks=3, hours=9), title="Stand-up!"),
            )
        },
        {"exdates": (MONDAY + timedelta(weeks=5, hours=9),)},
    )
    for change in changes:
        stage.proxy.clear()
        desk.set("Stand-up", **change)
        (report,) = stage.sync()
        assert stage.written() == 1, "one write for the whole series"
        assert report.writes == 1
    box.rewrite("Stand-up", "SUMMARY:Stand-up\r\n", "SUMMARY:Daily\r\nPRIORITY:1\r\n")
    stage.proxy.clear()
    (report,) = stage.sync()
    assert stage.written() == 0 and report.crm.updated == 1
    stage.quiet()
