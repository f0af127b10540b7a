"""The second ten of the twenty failures with Exchange, and silence; see the first ten."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from accord.formats import windows_zones
from accord.model.item import Contact, Event, Task
from accord.model.kinds import Kind
from accord.model.parts import Attendee, Body, Person, Reply
from accord.model.recurrence import Frequency, RecurrenceRule
from accord.sandbox.exchange.hand import LOUD, Hand, entry, weekly
from accord.service.explain import explain
from accord.service.undo import select, undo
from tests.scenario.conftest import EnterExchange
from tests.scenario.exchange import ExchangeStage, begins, berlin, clocks, own
from tests.scenario.stage import MONDAY, meeting
from tests.scenario.test_twenty_failures_more import _everything_in, _everything_stored

OUTSIDE = "nora@customer.test"
LATER = {"start": MONDAY + timedelta(hours=15), "end": MONDAY + timedelta(hours=16)}


def test_11_an_attendees_sync_becomes_organizer(enter_exchange: EnterExchange) -> None:
    stage, organizer = _invited(enter_exchange)
    desk, hand = stage.desks["ben"], stage.hands["ben"]
    before = hand.find("Workshop")
    stage.sync()
    host = stage.event("ben", "Workshop").organizer
    assert host is not None and host.address == organizer
    desk.set("Workshop", **LATER, location="Our office")
    (report,) = stage.sync()
    assert report.groupware.updated == 0, "somebody else's meeting is not ours to change"
    after = hand.find("Workshop")
    assert (begins(after), after.text("Location")) == (begins(before), "")
    assert after.text("Organizer/Mailbox/EmailAddress") == organizer
    back = stage.event("ben", "Workshop")
    assert back.start == MONDAY + timedelta(hours=10) and back.location == ""
    stage.quiet()


def test_12_guests_receive_a_cancellation_or_vanish(enter_exchange: EnterExchange) -> None:
    stage, _ = _invited(enter_exchange)
    hand = stage.hands["ben"]
    hand.respond(next(title for title in hand.titles("inbox") if "Workshop" in title))
    stage.allowed += 1
    stage.sync()
    replies = {a.address: a.reply for a in stage.event("ben", "Workshop").attendees}
    assert replies[stage.address("ben")] is Reply.ACCEPTED
    stage.desks["ben"].set("Workshop", categories=("Important",))
    stage.sync()
    thing = hand.find("Workshop")
    guests = thing.all("RequiredAttendees/Attendee/Mailbox/EmailAddress")
    assert sorted(guests) == sorted([stage.address("ben"), OUTSIDE])
    assert thing.text("MyResponseType") == "Accept"
    hand.delete("Workshop")
    stage.sync()
    event = stage.event("ben", "Workshop")
    replies = {a.address: a.reply for a in event.attendees}
    assert replies[stage.address("ben")] is Reply.DECLINED, "deleting an invitation declines it"
    stage.quiet()


def test_13_exceptions_are_lost(enter_exchange: EnterExchange) -> None:
    stage = enter_exchange("anna")
    hand, desk = stage.hands["anna"], stage.desks["anna"]
    hand.add(own("Jour fixe", recurrence=weekly("Monday", MONDAY)))
    hand.delete_occurrence("Jour fixe", 2)
    hand.set_occurrence("Jour fixe", 3, Location="Room 2")
    stage.sync()
    event = stage.event("anna", "Jour fixe")
    assert event.exdates == (datetime(2030, 1, 14, 10),)
    (override,) = event.overrides
    assert override.recurrence_id == datetime(2030, 1, 21, 10) and override.location == "Room 2"
    desk.set("Jour fixe", location="Room 1")
    stage.sync()
    end = MONDAY + timedelta(weeks=4)
    seen = hand.view(MONDAY.replace(tzinfo=UTC), end.replace(tzinfo=UTC))
    places = [(begins(each).day, each.text("Location")) for each in seen]
    assert sorted(places) == [(7, "Room 1"), (21, "Room 2"), (28, "Room 1")]
    stage.quiet()


@pytest.mark.split
def test_14_an_endless_series_floods_the_server(enter_exchange: EnterExchange) -> None:
    stage = enter_exchange("anna")
    desk = stage.desks["anna"]
    for number, frequency in enumerate((Frequency.DAILY, Frequency.WEEKLY, Frequency.YEARLY)):
        desk.add(meeting(f"For ever {number}", number, rule=RecurrenceRule(frequency=frequency)))
    stage.hands["anna"].add(own("Gym", 18, recurrence=weekly("Monday", MONDAY)))
    (report,) = stage.sync()
    assert stage.asked("CreateItem") == 1 and report.crm.created == 1
    rule = stage.event("anna", "Gym").rule
    assert rule is not None and (rule.count, rule.until) == (None, None)
    stage.quiet()
    stage.proxy.clear()
    desk.set("For ever 0", title="For ever and a day")
    stage.sync()
    assert stage.written() == 1


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "Pacific/Honolulu", "Europe/Berlin"])
def test_15_all_day_entries_are_off_by_a_day(enter_exchange: EnterExchange, zone: str) -> None:
    kinds = ("event", "task", "contact")
    stage = enter_exchange("anna", kinds=kinds, zones={"anna": zone}, home=zone)
    desk, hand = stage.desks["anna"], stage.hands["anna"]
    day = datetime(2030, 3, 31)  # clocks change in Berlin
    desk.add(Event(title="Fair", start=day, end=day + timedelta(2), all_day=True))
    desk.add(Task(title="Send the offer", due=day, all_day=True))
    desk.add(Contact(full_name="Nora Silva", birthday="1984-03-31"))
    midnight = day.replace(tzinfo=ZoneInfo(zone))
    name = windows_zones.windows(zone)
    assert name is not None
    days = (midnight, datetime.combine(day + timedelta(2), time(), ZoneInfo(zone)))
    hand.add(entry("Holiday", *days, all_day=True, zone=name))
    for _ in range(2):
        stage.sync()
        for title in ("Fair", "Holiday"):
            event = stage.event("anna", title)
            assert (event.start, event.end, event.all_day) == (day, day + timedelta(2), True)
            thing = hand.find(title)
            assert begins(thing, zone) == day and thing.text("IsAllDayEvent") == "true"
        assert hand.find("Send the offer", "tasks").text("DueDate")[:10] == "2030-03-31"
        task = desk.find("Send the offer", Kind.TASK).item
        assert isinstance(task, Task) and task.due == day
        assert hand.find("Nora Silva", "CRM contacts").text("Birthday")[:10] == "1984-03-31"
        hand.set("Fair", Location="Lisbon")
        desk.set("Holiday", location="Madeira")
        hand.set("Send the offer", "tasks", PercentComplete="50")
    stage.sync()
    stage.quiet()


@pytest.mark.parametrize(
    ("home", "change"),
    [
        ("Europe/Berlin", date(2030, 3, 31)),
        ("America/New_York", date(2030, 11, 3)),
        ("Pacific/Auckland", date(2030, 4, 7)),
    ],
)
def test_16_series_shift_when_clocks_change_or_across_zones(
    enter_exchange: EnterExchange, home: str, change: date
) -> None:
    stage = enter_exchange("anna", zones={"anna": "Asia/Tokyo"})
    desk, hand = stage.desks["anna"], stage.hands["anna"]
    begin = datetime.combine(change - timedelta(weeks=2), time(9))
    end = begin + timedelta(minutes=30)
    rule = RecurrenceRule(frequency=Frequency.WEEKLY, count=5)
    desk.add(Event(title="Out", time_zone=home, rule=rule, start=begin, end=end))
    name = windows_zones.windows(home)
    assert name is not None
    often = weekly(f"{begin:%A}", begin, 5)
    times = [each.replace(tzinfo=ZoneInfo(home)) for each in (begin, end)]
    hand.add(entry("In", *times, zone=name, recurrence=often))
    for _ in range(2):
        stage.sync()
        for title in ("Out", "In"):
            event = stage.event("anna", title)
            assert (event.start, event.end, event.time_zone) == (begin, end, home)
            expected = [begin + timedelta(weeks=n) for n in range(5)]
            assert clocks(hand, title, begin, home) == expected
        desk.set("In", location="Room 1")
        hand.set("Out", Location="Room 2")
    stage.sync()
    stage.quiet()


def test_17_throttling_aborts_the_import_or_drops_items(enter_exchange: EnterExchange) -> None:
    stage = enter_exchange("anna")
    for number in range(6):
        stage.desks["anna"].add(meeting(f"Visit {number}", number))
    stage.hands["anna"].add_many([own(f"Hand {number}", number + 50) for number in range(6)])
    stage.fault("busy", operation="CreateItem", seconds=0.1)  # soon over: waited for
    storm = stage.fault("busy", operation="GetItem", times=None, seconds=3600.0)
    (report,) = stage.attempt()
    assert report.action == "retry" and report.error
    assert report.crm.deleted == report.groupware.deleted == 0
    stage.end(storm)
    storm = stage.fault("busy", times=None, seconds=3600.0)
    (report,) = stage.attempt()
    assert report.action == "retry" and report.writes == 0
    stage.end(storm)
    stage.clock.pass_by(hours=7)
    stage.sync()
    everything = sorted(f"{what} {number}" for what in ("Hand", "Visit") for number in range(6))
    assert stage.titles() == stage.records() == everything, "late, never lost, never twice"
    stage.quiet()


def test_18_refused_credentials_stop_it_silently(enter_exchange: EnterExchange) -> None:
    stage = enter_exchange("anna")
    desk, hand = stage.desks["anna"], stage.hands["anna"]
    for number in range(4):
        desk.add(meeting(f"Visit {number}", number))
    stage.sync()
    desk.set("Visit 1", location="Room 1")
    hand.set("Visit 2", Location="Room 2")
    fault = stage.house.exchange.faults.plan("unauthorized", times=None)
    try:
        for _ in range(2):
            (report,) = stage.attempt()
            assert report.error and report.action == "authenticate", "said aloud"
            assert report.writes == 0
            stage.clock.pass_by(hours=90 * 24)
    finally:
        stage.end(fault)
    stage.proxy.clear()
    (report,) = stage.sync()
    assert (report.crm.updated, report.groupware.updated, report.writes) == (1, 1, 2)
    assert report.paired == 0 and stage.written() == 1, "no import from the beginning"
    assert stage.event("anna", "Visit 2").location == "Room 2"
    assert hand.find("Visit 1").text("Location") == "Room 1"
    stage.quiet()


@pytest.mark.split
@pytest.mark.parametrize("private", ["skip", "busy"])
def test_19_private_entries_are_exposed(enter_exchange: EnterExchange, private: str) -> None:
    stage = enter_exchange("anna", rules={"event": f'scope = "all"\nprivate = "{private}"'})
    hand = stage.hands["anna"]
    secret = own("Secretum", 1, private=True, location="Oncology ward", body="Zebrafish")
    hand.add(secret)
    hand.add(own("Turncoat", 5, location="Known room"))
    hand.add(own("Public visit", 6))
    stage.sync()
    hand.set("Turncoat", Sensitivity="Private", Subject="Metamorphosis", Location="Quagga lab")
    hand.set("Secretum", Location="Oncology two")
    stage.sync()
    stage.desks["anna"].set("Public visit", location="Room 1")
    stage.sync()
    stage.quiet()
    stored = _everything_stored(stage)
    assert "public visit" in stored, "the search finds what is there"
    for word in ("secretum", "oncology", "zebrafish", "quagga", "metamorphosis"):
        assert word not in stored, word
    assert hand.find("Secretum").text("Location") == "Oncology two", "there all is as it was"
    told = _everything_in(stage.accord.state.database)
    for word in ("turncoat", "known room"):
        assert word not in told, "what was known before it turned private is forgotten"
    hidden = {"skip": 1, "busy": 2}[private]  # what turned private stays, as a busy time
    assert stage.records() == ["Busy"] * hidden + ["Public visit"]


def test_19_html_body_or_meeting_link_is_destroyed(enter_exchange: EnterExchange) -> None:
    stage = enter_exchange("anna")
    hand = stage.hands["anna"]
    link = "https://teams.example/l/meetup-join/19%3ameeting_abc?context=%7b%22Tid%22%7d"
    body = f'<html><body><p>Agenda</p><a href="{link}">Join</a><br>________</body></html>'
    ref = hand.add(own("Call"))
    hand.set_html(ref, body)
    before = hand.html(ref)
    assert link in before
    stage.sync()
    stage.desks["anna"].set("Call", title="Call (moved)", location="Room 1")
    (report,) = stage.sync()
    assert report.groupware.updated == 1
    assert hand.html(ref) == before
    assert hand.find("Call (moved)").text("Location") == "Room 1"
    stage.quiet()


def test_19_a_text_from_the_crm_destroys_html_body_or_meeting_link(
    enter_exchange: EnterExchange,
) -> None:
    stage = enter_exchange("anna")
    desk, hand = stage.desks["anna"], stage.hands["anna"]
    link = "https://teams.example/l/meetup-join/19%3ameeting_abc?context=%7b%22Tid%22%7d"
    ref = hand.add(own("Call"))
    hand.set_html(ref, f'<html><body><p>Agenda</p><a href="{link}">Join</a><br>___</body></html>')
    before = hand.html(ref)
    stage.sync()
    shared = stage.event("anna", "Call").body
    desk.set("Call", body=Body(text="Bring samples\nfor 3 < 5"))
    (written,) = stage.sync()
    section = "<div>--- CRM ---<br>Bring samples<br>for 3 &lt; 5<br>--- /CRM ---</div>"
    assert written.groupware.updated == 1
    assert hand.html(ref) == before.replace("</body>", f"{section}</body>")
    stage.quiet()
    hand.set_html(ref, hand.html(ref).replace("samples", "<b>tea</b>"))
    stage.sync()
    assert stage.event("anna", "Call").body == Body(text="Bring tea\nfor 3 < 5")
    stage.quiet()
    hand.set_html(ref, hand.html(ref).replace("Agenda", "Agenda for all"))
    stage.sync()
    assert stage.event("anna", "Call").body == Body(text="Bring tea\nfor 3 < 5")
    stage.quiet()
    desk.set("Call", body=None)
    stage.sync()
    assert hand.html(ref) == before.replace("Agenda", "Agenda for all")
    stage.quiet()
    hand.set_html(ref, before)
    stage.sync()
    desk.set("Call", body=Body(text="Bring samples"))
    (written,) = stage.sync()
    assert "--- CRM ---" in hand.html(ref)
    undo(stage.accord, select(stage.accord, written.run))
    assert hand.html(ref) == before
    assert stage.event("anna", "Call").body == shared
    stage.quiet()


def test_20_nobody_knows_why_an_item_is_not_there(enter_exchange: EnterExchange) -> None:
    rule = 'scope = "category"\ncategories = ["CRM"]\nwindow = { past = 30 }\nclash = "hold"'
    stage = enter_exchange("anna", rules={"event": rule})
    hand, desk = stage.hands["anna"], stage.desks["anna"]
    hand.add(own("Fine", 0, categories=["CRM"]))
    hand.add(own("Uncategorized", 1))
    long_ago = berlin(0) - timedelta(days=3650)
    times = (long_ago, long_ago + timedelta(hours=1))
    hand.add(entry("Long ago", *times, categories=["CRM"], zone="UTC"))
    doctor = hand.add(own("Doctor", 3, categories=["CRM"], private=True))
    stage.sync()
    desk.set("Fine", title="Fine in the CRM")
    hand.set("Fine", Subject="Fine in the mailbox")
    stage.clock.pass_by(minutes=5)
    stage.sync()
    assert _why(stage, "Uncategorized") == ("not synchronized", "in none of the chosen categories")
    assert _why(stage, "Long ago") == ("not synchronized", "ended more than 30 days ago")
    assert _why(stage, doctor) == ("not synchronized", "private")
    outcome, why = _why(stage, desk.find("Fine in the CRM").ref)
    assert outcome == "waiting (conflict)" and "both sides changed" in why


@pytest.mark.parametrize("meetings", ["mirror", "invite"])
def test_whatever_happens_to_a_meeting_nobody_gets_mail(
    enter_exchange: EnterExchange, meetings: str
) -> None:
    rule = f'scope = "all"\nmeetings = "{meetings}"'
    stage = enter_exchange("anna", "ben", rules={"event": rule})
    desk, hand = stage.desks["anna"], stage.hands["anna"]
    _hosted(stage)
    stage.sync()
    assert stage.titles() == ["Workshop"]
    desk.set("Workshop", title="Workshop!", location="Hall 4")
    stage.sync()
    desk.set("Workshop!", **LATER)
    stage.sync()
    hand.set(hand.titles()[0], Location="Hall 5")
    stage.sync()
    desk.delete(stage.records()[0])
    stage.sync()
    assert stage.mails() == {}


def test_a_reschedule_that_the_rule_allows_reaches_each_attendee_once(
    enter_exchange: EnterExchange,
) -> None:
    rule = 'scope = "all"\nmeetings = "invite"\ninvitations = "allow"'
    stage = enter_exchange("anna", "ben", rules={"event": rule})
    desk, hand = stage.desks["anna"], stage.hands["anna"]
    desk.add(meeting("Begun before", 2))
    stage.sync()
    assert stage.mails() == {}
    _hosted(stage)
    stage.sync()
    everybody = {stage.address("ben"): 1, OUTSIDE: 1}
    assert stage.mails() == everybody, "a new meeting invites each once"
    desk.set("Workshop", **LATER)
    stage.sync()
    assert begins(hand.find("Workshop")) == LATER["start"]
    assert stage.mails() == dict.fromkeys(everybody, 2), "exactly one each"
    for _ in range(2):
        stage.clock.pass_by(hours=1)
        stage.sync()
    stage.quiet()
    assert stage.mails() == dict.fromkeys(everybody, 2)
    stage.allowed = 4


def _hosted(stage: ExchangeStage) -> None:
    """Let Anna hold a workshop in the CRM, with Ben and somebody outside."""
    guests = (Attendee(address=stage.address("ben")), Attendee(address=OUTSIDE))
    host = Person(address=stage.address("anna"))
    stage.desks["anna"].add(meeting("Workshop", 10, organizer=host, attendees=guests))


def _invited(enter_exchange: EnterExchange) -> tuple[ExchangeStage, str]:
    """Let somebody whom the CRM doesn't know invite Ben and another; return who it is."""
    stage = enter_exchange("ben")
    host = stage.house.person()
    with Hand(stage.house.url, host, "secret") as hand:
        hand.add(own("Workshop", attendees=[stage.address("ben"), OUTSIDE]), notices=LOUD)
    assert stage.titles("ben") == ["Workshop"]
    return stage, host


def _why(stage: ExchangeStage, text: str) -> tuple[str, str]:
    (told,) = explain(stage.accord, text)
    assert told.kind is Kind.EVENT
    return told.outcome, told.why
