"""The second ten of the twenty failures; see `test_twenty_failures`."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import date, datetime, timedelta

import icalendar
import pytest
import recurring_ical_events
from sqlalchemy import inspect

from accord.db import Database
from accord.model.item import Contact, Event, Task
from accord.model.kinds import Kind
from accord.model.parts import Body, Reply
from accord.model.recurrence import Frequency, RecurrenceRule, Weekday
from accord.sandbox.proxy import Instead, throttle
from accord.sandbox.proxy import Reply as Answer
from accord.service.explain import explain
from accord.service.undo import select, undo
from accord.state.codec import unpack
from tests.scenario.conftest import Enter
from tests.scenario.stage import (
    MONDAY,
    Stage,
    bare_entry,
    calendar,
    entry,
    line,
    meeting,
    steps,
    value,
)

pytestmark = pytest.mark.waits

OUTSIDER = "ORGANIZER;CN=Nora:mailto:nora@customer.test"
GUEST = "ATTENDEE;CN=Guest;PARTSTAT=ACCEPTED:mailto:guest@customer.test"


def test_11_an_attendees_sync_becomes_organizer(enter_each: Enter) -> None:
    stage = enter_each("ben")
    desk, box = stage.desks["ben"], stage.boxes["ben"]
    me = f"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{stage.address('ben')}"
    with stage.by_hand():
        box.put("invitation.ics", entry("Workshop", 10, OUTSIDER, GUEST, me, "SEQUENCE:3"))
    before = box.text("Workshop")
    stage.sync()
    host = stage.event("ben", "Workshop").organizer
    assert host is not None and host.address == "nora@customer.test"
    moved = MONDAY + timedelta(hours=15)
    desk.set("Workshop", start=moved, end=moved + timedelta(hours=1), location="Our office")
    (report,) = stage.sync()
    assert report.groupware.updated == 0, "somebody else's meeting is not ours to change"
    assert box.text("Workshop") == before
    back = stage.event("ben", "Workshop")
    assert back.start == MONDAY + timedelta(hours=10) and back.location == ""
    stage.quiet()
    assert box.text("Workshop") == before


def test_12_guests_receive_a_cancellation_or_vanish(enter_each: Enter) -> None:
    stage = enter_each("ben")
    box = stage.boxes["ben"]
    me = f"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{stage.address('ben')}"
    with stage.by_hand():
        box.put("invitation.ics", entry("Workshop", 10, OUTSIDER, GUEST, me))
    stage.sync()
    accepted = me.replace("NEEDS-ACTION", "ACCEPTED")
    with stage.by_hand():
        box.rewrite("Workshop", me, accepted)
    stage.sync()
    replies = {a.address: a.reply for a in stage.event("ben", "Workshop").attendees}
    assert replies == {
        "guest@customer.test": Reply.ACCEPTED,
        stage.address("ben"): Reply.ACCEPTED,
    }
    stage.desks["ben"].set("Workshop", categories=("Important",))
    stage.sync()
    text = box.text("Workshop")
    assert OUTSIDER in text
    for guest in ("guest@customer.test", stage.address("ben")):
        assert re.search(rf"^ATTENDEE;.*PARTSTAT=ACCEPTED.*:mailto:{guest}\r$", text, re.MULTILINE)
    with stage.by_hand():
        box.delete("Workshop")
    stage.sync()
    event = stage.event("ben", "Workshop")
    replies = {a.address: a.reply for a in event.attendees}
    assert replies[stage.address("ben")] is Reply.DECLINED, "deleting an invitation declines it"
    assert replies["guest@customer.test"] is Reply.ACCEPTED
    stage.quiet()


def test_13_exceptions_are_lost(enter: Enter) -> None:
    stage = enter("anna")
    box = stage.boxes["anna"]
    box.put("series.ics", _series("20300121T140000"))
    stage.sync()
    event = stage.event("anna", "Jour fixe")
    assert event.exdates == (datetime(2030, 1, 14, 10),)
    (override,) = event.overrides
    assert override.recurrence_id == datetime(2030, 1, 21, 10)
    assert override.start == datetime(2030, 1, 21, 14) and override.location == "Room 2"
    stage.desks["anna"].set("Jour fixe", location="Room 1")
    stage.sync()
    text = box.text("Jour fixe")
    assert "EXDATE;TZID=Europe/Berlin:20300114T100000" in text
    assert "RECURRENCE-ID;TZID=Europe/Berlin:20300121T100000" in text
    assert "LOCATION:Room 2" in text and "LOCATION:Room 1" in text
    stage.quiet()


def test_13_an_unreadable_occurrence_is_taken_for_a_deletion(enter: Enter) -> None:
    stage = enter("anna")
    box = stage.boxes["anna"]
    box.put("series.ics", _series("20300121T140000"))
    stage.sync()
    before = stage.event("anna", "Jour fixe")
    ((href, _),) = box.all("Jour fixe").items()
    box.put(href, _series("20300121T140000", "RANGE=THISANDFUTURE;"))
    for full in (False, True):
        (report,) = stage.attempt(full=full)
        assert report.writes == 0 and report.unpaired == 0, steps([report])
        stage.clock.pass_by(hours=7)
    assert stage.event("anna", "Jour fixe") == before
    (told,) = explain(stage.accord, stage.desks["anna"].find("Jour fixe").ref)
    assert "can't be read" in told.why
    box.put(href, _series("20300121T160000"))
    stage.sync()
    (override,) = stage.event("anna", "Jour fixe").overrides
    assert override.start == datetime(2030, 1, 21, 16)
    stage.quiet()


@pytest.mark.split
def test_14_an_endless_series_floods_the_server(enter: Enter) -> None:
    stage = enter("anna")
    desk = stage.desks["anna"]
    for number, frequency in enumerate((Frequency.DAILY, Frequency.WEEKLY, Frequency.YEARLY)):
        desk.add(meeting(f"For ever {number}", number, rule=RecurrenceRule(frequency=frequency)))
    stage.boxes["anna"].put("gym.ics", entry("Gym", 18, "RRULE:FREQ=DAILY"))
    (report,) = stage.sync()
    assert stage.proxy.counts["PUT"] == 3 and report.crm.created == 1
    assert stage.event("anna", "Gym").rule == RecurrenceRule(
        frequency=Frequency.DAILY, week_start=Weekday.MO
    )
    stage.quiet()
    stage.proxy.clear()
    desk.set("For ever 0", title="For ever and a day")
    stage.sync()
    assert stage.proxy.counts["PUT"] == 1


@pytest.fixture(params=["Pacific/Auckland", "Pacific/Honolulu", "Europe/Berlin"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Let the machine and the user live in a zone."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def test_15_all_day_entries_are_off_by_a_day(enter: Enter, zone: str) -> None:
    stage = enter("anna", kinds=("event", "task", "contact"), zones={"anna": zone})
    desk, box = stage.desks["anna"], stage.boxes["anna"]
    account = stage.accounts["anna"]
    day = datetime(2030, 3, 31)  # clocks change in Berlin
    fair = Event(title="Fair", start=day, end=day + timedelta(2), all_day=True)
    desk.add(fair)
    yearly = RecurrenceRule(frequency=Frequency.YEARLY)
    desk.add(Event(title="Jubilee", start=day, end=day + timedelta(1), all_day=True, rule=yearly))
    desk.add(Task(title="Send the offer", due=day, all_day=True))
    desk.add(Contact(full_name="Nora Silva", birthday="1984-03-31"))
    dates = ("DTSTART;VALUE=DATE:20300331", "DTEND;VALUE=DATE:20300402")
    box.put("hand.ics", bare_entry("Holiday", *dates))
    stage.sync()
    for title in ("Fair", "Jubilee", "Holiday"):
        assert line(box.text(title), "DTSTART") == "DTSTART;VALUE=DATE:20300331"
    assert line(box.text("Fair"), "DTEND") == "DTEND;VALUE=DATE:20300402"
    task = box.text("Send the offer", account.tasks)
    assert line(task, "DUE") == "DUE;VALUE=DATE:20300331"
    birthday = value(box.text("Nora Silva", account.contacts), "BDAY").replace("-", "")
    assert birthday == "19840331"
    holiday = stage.event("anna", "Holiday")
    assert (holiday.start, holiday.end, holiday.all_day) == (day, day + timedelta(2), True)
    box.edit("Fair", LOCATION="Lisbon")
    desk.set("Holiday", location="Madeira")
    box.edit("Send the offer", account.tasks, PERCENT_COMPLETE="50")
    stage.sync()
    after = stage.event("anna", "Fair")
    assert (after.start, after.end, after.location) == (day, day + timedelta(2), "Lisbon")
    assert line(box.text("Holiday"), "DTEND") == "DTEND;VALUE=DATE:20300402"
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
    enter: Enter, home: str, change: date
) -> None:
    stage = enter("anna", zones={"anna": "Asia/Tokyo"})
    desk, box = stage.desks["anna"], stage.boxes["anna"]
    begin = datetime.combine(change - timedelta(weeks=2), datetime.min.time()).replace(hour=9)
    end = begin + timedelta(minutes=30)
    weekly = RecurrenceRule(frequency=Frequency.WEEKLY, count=5)
    desk.add(Event(title="Out", time_zone=home, rule=weekly, start=begin, end=end))
    stamp = f"{begin:%Y%m%dT%H%M%S}"
    zoned = (f"DTSTART;TZID={home}:{stamp}", "DURATION:PT30M", "RRULE:FREQ=WEEKLY;COUNT=5")
    box.put("in.ics", bare_entry("In", *zoned))
    for _ in range(2):
        stage.sync()
        for title in ("Out", "In"):
            event = stage.event("anna", title)
            assert (event.start, event.end, event.time_zone) == (begin, end, home)
            clock = _occurrences(box.text(title), change)
            assert clock == [(begin + timedelta(weeks=n)).isoformat() for n in range(5)]
        desk.set("In", location="Room 1")
        box.edit("Out", LOCATION="Room 2")
    stage.sync()
    stage.quiet()


@pytest.mark.parametrize("status", [429, 503])
def test_17_throttling_aborts_the_import_or_drops_items(enter: Enter, status: int) -> None:
    stage = enter("anna")
    box = stage.boxes["anna"]
    for number in range(6):
        stage.desks["anna"].add(meeting(f"Visit {number}", number))
        box.put(f"hand-{number}.ics", entry(f"Hand {number}", number + 50))
    stage.proxy.add(throttle(status, 0), "PUT", skip=1, times=1)  # soon over: waited for
    stage.proxy.add(throttle(status, 3600), "PUT", skip=2, times=None)  # a storm
    (report,) = stage.attempt()
    assert report.action == "retry" and report.error
    assert report.crm.deleted == report.groupware.deleted == 0
    stage.proxy.clear()
    stage.proxy.add(throttle(status, 3600), "REPORT|PROPFIND", times=None)
    (report,) = stage.attempt()
    assert report.action == "retry" and report.writes == 0
    stage.proxy.clear()
    stage.clock.pass_by(hours=7)
    stage.sync()
    everything = sorted(f"{what} {number}" for what in ("Hand", "Visit") for number in range(6))
    assert box.titles() == everything, "late, never lost, never twice"
    assert sorted(event.title for event in stage.events("anna")) == everything
    stage.quiet()


def test_18_refused_credentials_stop_it_silently(enter: Enter) -> None:
    stage = enter("anna")
    desk, box = stage.desks["anna"], stage.boxes["anna"]
    for number in range(4):
        desk.add(meeting(f"Visit {number}", number))
    stage.sync()
    refused = Answer(401, (("WWW-Authenticate", 'Basic realm="x"'),), b"no")
    stage.proxy.add(Instead(refused), times=None)
    desk.set("Visit 1", location="Room 1")
    box.edit("Visit 2", LOCATION="Room 2")
    for _ in range(2):
        (report,) = stage.attempt()
        assert report.error and report.action == "authenticate", "said aloud, with what to do"
        assert report.writes == 0
        stage.clock.pass_by(hours=90 * 24)
    stage.proxy.clear()
    (report,) = stage.sync()
    assert (report.crm.updated, report.groupware.updated, report.writes) == (1, 1, 2)
    assert report.paired == 0 and stage.proxy.counts["PUT"] == 1, "no import from the beginning"
    assert stage.event("anna", "Visit 2").location == "Room 2"
    assert value(box.text("Visit 1"), "LOCATION") == "Room 1"
    stage.quiet()


@pytest.mark.split
@pytest.mark.parametrize("private", ["skip", "busy"])
def test_19_private_entries_are_exposed(enter: Enter, private: str) -> None:
    stage = enter("anna", rules={"event": f'scope = "all"\nprivate = "{private}"'})
    box = stage.boxes["anna"]
    for number, mark in enumerate(("PRIVATE", "CONFIDENTIAL")):
        secret = ("LOCATION:Oncology ward", "DESCRIPTION:Zebrafish", f"CLASS:{mark}")
        text = entry(f"Secretum {number}", number, *secret, "X-NOTE:Quagga", uid=f"{number}@hand")
        box.put(f"private-{number}.ics", text)
    box.put("turns.ics", entry("Turncoat", 5, "LOCATION:Known room", uid="5@hand"))
    box.put("public.ics", entry("Public visit", 6))
    stage.sync()
    box.edit("Turncoat", CLASS="PRIVATE", SUMMARY="Metamorphosis", LOCATION="Zebrafish lab")
    box.edit("Secretum 0", LOCATION="Oncology two")
    stage.sync()
    stage.desks["anna"].set("Public visit", location="Room 1")
    stage.sync()
    stage.quiet()
    stored = _everything_stored(stage)
    assert "public visit" in stored, "the search finds what is there"
    for word in ("secretum", "oncology", "zebrafish", "quagga", "metamorphosis"):
        assert word not in stored, word
    assert "LOCATION:Oncology two" in box.text("Secretum 0"), "in the mailbox all is as it was"
    told = _everything_in(stage.accord.state.database)
    for word in ("turncoat", "known room"):
        assert word not in told, "what was known before it turned private is forgotten"
    titles = sorted(event.title for event in stage.events("anna"))
    hidden = {"skip": 1, "busy": 3}[private]  # what turned private stays, as a busy time
    assert titles == ["Busy"] * hidden + ["Public visit"]


def test_19_html_body_or_meeting_link_is_destroyed(enter: Enter) -> None:
    stage = enter("anna")
    box = stage.boxes["anna"]
    link = "https://teams.example/l/meetup-join/19%3ameeting_abc?context=%7b%22Tid%22%7d"
    body = (
        rf"DESCRIPTION:Agenda\n\nJoin: <{link}>\n________",
        f'X-ALT-DESC;FMTTYPE=text/html:<p>Agenda</p><a href="{link}">Join</a><br>________',
        f"X-MICROSOFT-SKYPETEAMSMEETINGURL:{link}",
    )
    box.put("call.ics", entry("Call", 10, *body))
    stage.sync()
    stage.desks["anna"].set("Call", title="Call (moved)", location="Room 1")
    (report,) = stage.sync()
    assert report.groupware.updated == 1
    text = box.text("Call (moved)")
    for each in body:
        assert each in text
    assert value(text, "LOCATION") == "Room 1"
    stage.quiet()


def test_19_a_text_from_the_crm_destroys_html_body_or_meeting_link(enter: Enter) -> None:
    stage = enter("anna")
    desk, box = stage.desks["anna"], stage.boxes["anna"]
    link = "https://teams.example/l/meetup-join/19%3ameeting_abc?context=%7b%22Tid%22%7d"
    plain = rf"DESCRIPTION:Agenda\n\nJoin: <{link}>\n________"
    html = f'X-ALT-DESC;FMTTYPE=text/html:<p>Agenda</p><a href="{link}">Join:</a><br>________'
    box.put("call.ics", entry("Call", 10, plain, html, f"X-MICROSOFT-SKYPETEAMSMEETINGURL:{link}"))
    stage.sync()
    desk.set("Call", body=Body(text="Bring samples\nfor 3 < 5"))
    (written,) = stage.sync()
    assert written.groupware.updated == 1
    text = box.text("Call")
    assert rf"{plain}\n\n--- CRM ---\nBring samples\nfor 3 < 5\n--- /CRM ---" in text
    assert (
        f"{html}<div>--- CRM ---<br>Bring samples<br>for 3 &lt\\; 5<br>--- /CRM ---</div>" in text
    )
    stage.quiet()
    box.rewrite("Call", "samples", "tea")
    stage.sync()
    assert stage.event("anna", "Call").body == Body(text="Bring tea\nfor 3 < 5")
    stage.quiet()
    box.rewrite("Call", "Agenda", "Agenda for all")
    stage.sync()
    assert stage.event("anna", "Call").body == Body(text="Bring tea\nfor 3 < 5")
    stage.quiet()
    desk.set("Call", body=None)
    stage.sync()
    for each in (plain, html):
        assert each.replace("Agenda", "Agenda for all") + "\r\n" in box.text("Call")
    stage.quiet()


def test_19_an_undo_brings_back_what_stood_there(enter: Enter) -> None:
    stage = enter("anna")
    desk, box = stage.desks["anna"], stage.boxes["anna"]
    html = "X-ALT-DESC;FMTTYPE=text/html:<p>Agenda</p><table><tr><td>1</td></tr></table>"
    box.put("talk.ics", entry("Talk", 10, html))
    stage.sync()
    shared = stage.event("anna", "Talk").body
    desk.set("Talk", body=Body(text="Bring samples"))
    (written,) = stage.sync()
    assert "--- CRM ---" in box.text("Talk")
    undo(stage.accord, select(stage.accord, written.run))
    assert f"{html}\r\n" in box.text("Talk")
    assert stage.event("anna", "Talk").body == shared
    stage.quiet()
    box.rewrite("Talk", "<p>Agenda</p>", "<p>Agenda</p><p>More</p>")
    (written,) = stage.sync()
    undo(stage.accord, select(stage.accord, written.run))
    assert f"{html}\r\n" in box.text("Talk"), "a text that came from there goes back whole"
    assert stage.event("anna", "Talk").body == shared
    stage.quiet()


def test_20_nobody_knows_why_an_item_is_not_there(enter: Enter) -> None:
    rule = 'scope = "category"\ncategories = ["CRM"]\nwindow = { past = 30 }\nclash = "hold"'
    stage = enter("anna", rules={"event": rule})
    desk, box = stage.desks["anna"], stage.boxes["anna"]
    for number, (title, mark) in enumerate(
        (("Fine", "CATEGORIES:CRM"), ("Uncategorized", "LOCATION:Hall 4"))
    ):
        box.put(f"{number}.ics", entry(title, number, mark))
    past = ("DTSTART:20200101T100000Z", "DTEND:20200101T110000Z", "CATEGORIES:CRM")
    box.put("past.ics", bare_entry("Long ago", *past))
    box.put("private.ics", entry("Doctor", 3, "CATEGORIES:CRM", "CLASS:PRIVATE", uid="doctor@hand"))
    stage.sync()
    desk.set("Fine", title="Fine in the CRM")
    box.edit("Fine", SUMMARY="Fine in the mailbox")
    stage.clock.pass_by(minutes=5)
    stage.sync()
    assert _why(stage, "Uncategorized") == ("not synchronized", "in none of the chosen categories")
    assert _why(stage, "Long ago") == ("not synchronized", "ended more than 30 days ago")
    assert _why(stage, "doctor@hand") == ("not synchronized", "private")
    ref = desk.find("Fine in the CRM").ref
    outcome, why = _why(stage, ref)
    assert outcome == "waiting (conflict)" and "both sides changed" in why
    (told,) = explain(stage.accord, ref)
    assert told.crm.ref and told.groupware.ref and told.history and told.rule == "events"


def _series(moved: str, how: str = "") -> str:
    zone = ";TZID=Europe/Berlin"
    head = ("UID:jour@hand", "DTSTAMP:20260101T000000Z", "SUMMARY:Jour fixe")
    return calendar(
        "BEGIN:VEVENT", *head, f"DTSTART{zone}:20300107T100000", f"DTEND{zone}:20300107T110000",
        "RRULE:FREQ=WEEKLY", f"EXDATE{zone}:20300114T100000", "END:VEVENT",
        "BEGIN:VEVENT", *head, f"RECURRENCE-ID;{how}{zone[1:]}:20300121T100000",
        f"DTSTART{zone}:{moved}", "DURATION:PT1H", "LOCATION:Room 2", "END:VEVENT",
    )  # fmt: skip


def _occurrences(text: str, around: date) -> list[str]:
    """Return when the clock on the wall shows each occurrence, by another program's reckoning."""
    query = recurring_ical_events.of(icalendar.Calendar.from_ical(text))
    found = query.between(around - timedelta(weeks=8), around + timedelta(weeks=8))
    return sorted(each["DTSTART"].dt.replace(tzinfo=None).isoformat() for each in found)


def _everything_stored(stage: Stage) -> str:
    """Return all bytes of all files, and all values of all tables, unpacked, as one text."""
    pieces = [file.read_bytes() for file in stage.folder.rglob("*") if file.is_file()]
    text = b"\n".join(pieces).decode("utf-8", "replace").casefold()
    databases = [stage.accord.state.database, stage.people.crm.store.database]
    if stage.machine is None:
        return text + "".join(map(_everything_in, databases))
    with closing(stage.machine.open()) as there:
        return text + "".join(map(_everything_in, (*databases, there.state.database)))


def _everything_in(database: Database) -> str:
    """Return all values of all tables of a database, unpacked, as one text."""
    pieces = []
    with database.read() as tx:
        for table in inspect(tx.connection).get_table_names():
            for row in tx.connection.exec_driver_sql(f'SELECT * FROM "{table}"'):
                pieces += [piece for each in row for piece in _unpacked(each)]
    return b"\n".join(pieces).decode("utf-8", "replace").casefold()


def _unpacked(stored: object) -> list[bytes]:
    if isinstance(stored, str):
        return [stored.encode()]
    if not isinstance(stored, bytes):
        return []
    found = [stored]
    for start in (0, 1):
        with suppress(Exception):
            found.append(unpack(stored[start:]))
    return found


def _why(stage: Stage, text: str) -> tuple[str, str]:
    (told,) = explain(stage.accord, text)
    assert told.kind is Kind.EVENT
    return told.outcome, told.why
