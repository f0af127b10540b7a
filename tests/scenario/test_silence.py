"""Nobody gets mail from Accord, read from people's inboxes over IMAP on a server that mails.

Only where a rule lets a meeting's change go out does it reach each attendee, once.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta

import pytest

from accord.engine.plan import Hold
from accord.model.parts import Attendee, Person
from accord.service.decisions import approve, waiting
from accord.service.report import Report
from accord.service.undo import select, undo
from accord.state.records import Cause
from tests.scenario.conftest import EnterMailed
from tests.scenario.mailed import MailedStage
from tests.scenario.stage import MONDAY, Stage, entry, meeting, value

pytestmark = pytest.mark.waits

ALLOWED = 'scope = "all"\nmeetings = "invite"\ninvitations = "allow"'
LATER = {
    "start": MONDAY + timedelta(hours=15),
    "end": MONDAY + timedelta(hours=16),
}
OUTSIDE = "nora@customer.test"


class Post:
    """Count what reached people since the last look; what a story has looked at, it allows."""

    def __init__(self, stage: MailedStage) -> None:
        self._stage = stage
        self._names = {stage.address(name): name for name in stage.accounts}
        self._before = Counter[str]()
        self.new()

    def new(self) -> dict[str, int]:
        """Return how many messages each has got since the last look; empty for silence."""
        now = Counter[str]()
        for address, count in self._stage.mails().items():
            now[self._names.get(address, "outside")] += count
        new, self._before = now - self._before, now
        self._stage.allowed += new.total()
        return dict(new)


def test_copies_of_a_meeting_in_the_crm_mail_nobody(enter_mailed: EnterMailed) -> None:
    stage = enter_mailed("anna", "ben", "clara")
    desk, post = stage.desks["anna"], Post(stage)
    guests = tuple(Attendee(address=stage.address(name)) for name in stage.accounts)
    host = Person(address=stage.address("anna"))
    everybody = (*guests, Attendee(address=OUTSIDE))
    desk.add(meeting("Kick-off", organizer=host, attendees=everybody))
    stage.sync()
    for box in stage.boxes.values():
        assert box.titles() == ["Kick-off"]
    assert post.new() == {}, "a first synchronization"
    desk.set("Kick-off", title="Kick-off!", location="Hall 4")
    stage.sync()
    assert post.new() == {}, "an edit"
    desk.set("Kick-off!", **LATER)
    reports = stage.sync()
    for box in stage.boxes.values():
        assert value(box.text("Kick-off!"), "DTSTART") == "20300107T150000"
    assert post.new() == {}, "a reschedule"
    undo(stage.accord, select(stage.accord, reports[0].run))
    stage.sync()
    assert value(stage.boxes["anna"].text("Kick-off!"), "DTSTART") == "20300107T100000"
    assert post.new() == {}, "an undo"
    stage.boxes["anna"].edit("Kick-off!", LOCATION="Hall 5")
    desk.delete("Kick-off!")
    stage.sync()
    assert value(stage.boxes["anna"].text("Kick-off!"), "LOCATION") == "Hall 5"
    assert stage.event("anna", "Kick-off!").location == "Hall 5"
    assert post.new() == {}, "a resurrection"
    stage.sync()
    desk.delete("Kick-off!")
    stage.sync()
    assert stage.boxes["anna"].titles() == []
    assert post.new() == {}, "a deletion"
    stage.quiet()
    assert post.new() == {}


def test_a_meeting_of_the_mailbox_stays_silent_without_permission(
    enter_mailed: EnterMailed,
) -> None:
    stage = enter_mailed("anna", "ben")
    desk, box = stage.desks["anna"], stage.boxes["anna"]
    post = Post(stage)
    _invite(stage)
    assert post.new() == {"ben": 1, "outside": 1}, "the server mails what people do themselves"
    stage.sync()
    assert stage.event("anna", "Workshop").organizer is not None
    desk.set("Workshop", categories=("Important",))
    stage.sync()
    assert "Important" in value(box.text("Workshop"), "CATEGORIES")
    assert post.new() == {}, "what attendees don't see"
    desk.set("Workshop", **LATER)
    assert _named(stage.plan("anna-event")) == {stage.address("ben"), OUTSIDE}
    (report,) = stage.sync("anna-event")
    assert report.held == 1 and report.groupware.updated == 0
    assert value(box.text("Workshop"), "DTSTART") == "20300107T100000"
    assert post.new() == {}, "held"
    desk.delete("Workshop")
    assert _named(stage.plan("anna-event")) == {stage.address("ben"), OUTSIDE}
    stage.sync("anna-event")
    assert box.titles() == ["Workshop"]
    assert post.new() == {}, "held too"
    held = waiting(stage.accord, Cause.HELD)
    assert [one.link.name for one in held] == ["anna-event"]
    approve(stage.accord, [held[0].pending.id])
    assert box.titles() == []
    assert post.new() == {"ben": 1, "outside": 1}, "approved, each is told once"


def test_a_reschedule_that_the_rule_allows_reaches_each_attendee_once(
    enter_mailed: EnterMailed,
) -> None:
    stage = enter_mailed("anna", "ben", "clara", rules={"event": ALLOWED})
    desk, box = stage.desks["anna"], stage.boxes["anna"]
    _invite(stage, "clara")
    post = Post(stage)
    stage.sync()
    assert post.new() == {}
    desk.set("Workshop", **LATER)
    named = {stage.address("ben"), stage.address("clara"), OUTSIDE}
    (planned,) = stage.plan("anna-event")
    assert planned.plan is not None and set(planned.plan.mails) == named
    stage.sync()
    assert value(box.text("Workshop"), "DTSTART") == "20300107T150000"
    assert post.new() == {"ben": 1, "clara": 1, "outside": 1}, "exactly one each"
    for _ in range(2):
        stage.clock.pass_by(hours=1)
        stage.sync()
    assert post.new() == {}


def test_a_new_meeting_invites_once_where_the_rule_allows_it(enter_mailed: EnterMailed) -> None:
    stage = enter_mailed("anna", "ben", rules={"event": ALLOWED})
    post = Post(stage)
    stage.desks["anna"].add(meeting("Begun before"))
    stage.sync()
    guests = (Attendee(address=stage.address("ben")), Attendee(address=OUTSIDE))
    host = Person(address=stage.address("anna"))
    stage.desks["anna"].add(meeting("Workshop", 12, organizer=host, attendees=guests))
    for _ in range(3):
        stage.sync()
        stage.clock.pass_by(hours=1)
    text = stage.boxes["anna"].text("Workshop")
    assert re.search(rf"^ATTENDEE.*{OUTSIDE}\r$", text, re.MULTILINE)
    assert post.new() == {"ben": 1, "outside": 1}, "exactly one each"


def test_a_series_that_moves_is_one_message_to_each(enter_mailed: EnterMailed) -> None:
    stage = enter_mailed("anna", "ben", rules={"event": ALLOWED})
    desk, post = stage.desks["anna"], Post(stage)
    _invite(stage, rule="RRULE:FREQ=WEEKLY;COUNT=200")
    stage.sync()
    assert post.new() == {"ben": 1, "outside": 1}, "that was Anna"
    for change in (LATER, {"location": "Hall 4"}, {"exdates": (MONDAY + timedelta(14, hours=15),)}):
        desk.set("Workshop", **change)
        stage.sync()
        assert post.new() == {"ben": 1, "outside": 1}, "not one for each of two hundred"
    stage.quiet()
    assert post.new() == {}


def _invite(stage: Stage, *more: str, rule: str = "") -> None:
    """Let Anna invite Ben, others and somebody outside, in her own calendar program."""
    guests = [stage.address(name) for name in ("ben", *more)] + [OUTSIDE]
    people = [f"ORGANIZER:mailto:{stage.address('anna')}"]
    people += [f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{stage.address('anna')}"]
    people += [f"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{guest}" for guest in guests]
    people += [rule] if rule else []
    uid = f"workshop-{stage.accounts['anna'].user}@hand"
    stage.boxes["anna"].put("workshop.ics", entry("Workshop", 10, *people, "SEQUENCE:1", uid=uid))


def _named(reports: list[Report]) -> set[str]:
    """Return the addresses that held steps would mail."""
    steps = [step for report in reports if report.plan for step in report.plan.steps]
    held = [step.held for step in steps if isinstance(step, Hold)]
    return {address for step in held for address in getattr(step, "mails", ())}
