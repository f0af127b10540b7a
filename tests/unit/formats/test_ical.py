"""What a calendar object says reaches the item, and what the item can't say survives beside it."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from accord.formats import ical
from accord.formats.errors import Refused
from accord.model.item import Event, Task, TaskStatus
from accord.model.kinds import Kind
from accord.model.parts import Attendee, Body, BodyType, Person, Privacy, Reminder, Reply, Role
from accord.model.recurrence import Busy, EventStatus
from accord.model.sections import write

replace = msgspec.structs.replace


def calendar(*entries: str, frame: str = "") -> bytes:
    """Return a calendar object."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Somebody//EN", *frame.split("\n")]
    return "\r\n".join([line for line in lines if line] + [*entries, "END:VCALENDAR", ""]).encode()


def vevent(*lines: str, uid: str = "u", start: str = "DTSTART:20260105T100000Z") -> str:
    """Return an entry."""
    head = ["BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z", start]
    return "\r\n".join([*(line for line in head if line), *lines, "END:VEVENT"])


def vtodo(*lines: str) -> str:
    """Return a task."""
    return "\r\n".join(["BEGIN:VTODO", "UID:t", *lines, "END:VTODO"])


def event(*lines: str, **more: Any) -> Event:
    """Return the item of an entry."""
    found = ical.decode(calendar(vevent(*lines, **more)), Kind.EVENT)
    assert isinstance(found, Event)
    return found


def task(*lines: str) -> Task:
    """Return the item of a task."""
    found = ical.decode(calendar(vtodo(*lines)), Kind.TASK)
    assert isinstance(found, Task)
    return found


def written(item: Event | Task, **more: Any) -> list[str]:
    """Return the content lines of an item, unfolded."""
    return ical.encode(item, **more).decode().replace("\r\n ", "").split("\r\n")


BERLIN = "DTSTART;TZID=Europe/Berlin:20260105T100000"
WEEKLY = "RRULE:FREQ=WEEKLY"


# What isn't modelled


@pytest.mark.parametrize(
    "line",
    [
        "X-COLOR:red",
        "X-APPLE-STRUCTURED-LOCATION;VALUE=URI;X-TITLE=Here:geo:1.0,2.0",
        "COMMENT:one\\, two",
        "GEO:37.386013;-122.082932",
        "CONTACT;LANGUAGE=de:Jim",
        "RELATED-TO;RELTYPE=PARENT:other@example",
        "SUMMARY;LANGUAGE=de:Titel",
        'LOCATION;ALTREP="http://x.example/":Place',
        "X-WHEN;TZID=America/New_York:20260105T100000",
        "STATUS:FANTASTIC",
        "CLASS:X-SECRET",
        "PRIORITY:high",
        "DTEND;X-KEPT=1:20260105T110000Z",
    ],
)
def test_what_the_model_does_not_know_survives(line: str):
    item = event(line)
    assert line in written(item)
    assert ical.read(ical.encode(item)).item == item


PARTICIPANT = (
    *("BEGIN:PARTICIPANT", "UID:p", "BEGIN:VLOCATION", "NAME:x"),
    *("END:VLOCATION", "END:PARTICIPANT"),
)


def test_unknown_components_and_what_the_frame_says_survive():
    data = calendar(
        vevent(
            "BEGIN:PARTICIPANT",
            "UID:p",
            "BEGIN:VLOCATION",
            "NAME:x",
            "END:VLOCATION",
            "END:PARTICIPANT",
        ),
        "BEGIN:X-OTHER\r\nX-A:1\r\nEND:X-OTHER",
        frame="X-WR-CALNAME:Mine\nX-B;C=d:e",
    )
    lines = written(ical.read(data).item)
    for kept in ("NAME:x", "X-A:1", "X-WR-CALNAME:Mine", "X-B;C=d:e"):
        assert kept in lines
    assert lines.index("BEGIN:VLOCATION") > lines.index("BEGIN:PARTICIPANT")
    assert lines.index("X-A:1") < lines.index("BEGIN:VEVENT")


def test_what_every_writing_renews_makes_no_difference():
    one = event("CREATED:20200101T000000Z", "LAST-MODIFIED:20200101T000000Z", "SEQUENCE:1")
    other = event("LAST-MODIFIED:20260101T000000Z", "SEQUENCE:1")
    assert one == other
    document = ical.read(calendar(vevent("LAST-MODIFIED:20260101T120000Z")))
    assert document.modified == datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_names_and_parameters_may_be_spelled_in_any_case_and_order():
    one = event("x-foo;b=2;A=1:v", "summary:Hello")
    assert one == event("X-FOO;A=1;B=2:v", "SUMMARY:Hello")
    assert one.extras == {"ical:X-FOO": ("X-FOO;A=1;B=2:v",)}


def test_an_alternative_text_goes_with_the_text_it_belongs_to():
    item = event('LOCATION;ALTREP="http://x.example/";LANGUAGE=de:Place')
    (line,) = [x for x in written(replace(item, location="Other")) if x.startswith("LOCATION")]
    assert line == "LOCATION;LANGUAGE=de:Other"


def test_own_fields_of_any_type_become_lines():
    extras = {
        "ical:X-A": 5,
        "ical:X-B": True,
        "ical:X-C": None,
        "ical:X-D": ("a", "b"),
        "crm:e": "f",
    }
    lines = written(replace(event(), extras=extras))
    assert {"X-A:5", "X-B:TRUE", "X-D:a", "X-D:b"} <= set(lines)
    assert not any("X-C" in line or line.endswith(":f") for line in lines)


def test_created_lives_on_and_a_new_object_gets_one():
    before = calendar(vevent("CREATED:20200102T030405Z"))
    assert "CREATED:20200102T030405Z" in written(ical.read(before).item, before=before)
    now = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
    lines = written(event(), now=now)
    assert {"CREATED:20260506T070809Z", "DTSTAMP:20260506T070809Z"} <= set(lines)
    assert not any(x.startswith("CREATED") for x in written(event(), before=calendar(vevent())))


def test_the_marker_stands_beside_the_item():
    text = ical.encode(event(), marker="main/event/17;3")
    found = ical.read(text)
    assert found.marker == "main/event/17;3"
    assert found.item == event()
    assert ical.read(ical.encode(found.item)).marker == ""


def test_an_item_without_uid_is_not_written():
    with pytest.raises(ValueError, match="uid"):
        ical.encode(replace(event(), uid=""))


@pytest.mark.parametrize("zone", ["Mars/Base", "W. Europe Standard Time", "x\r\ny"])
def test_a_time_zone_that_nobody_knows_is_not_written(zone: str):
    with pytest.raises(Refused, match="no time zone"):
        ical.encode(replace(event(), time_zone=zone))


# Attendees

TEAM = (
    'ORGANIZER;CN=Ann;SENT-BY="mailto:sec@x.example":mailto:ann@x.example',
    "ATTENDEE;CN=Bob;SCHEDULE-AGENT=CLIENT;X-NUM-GUESTS=2:MAILTO:bob@x.example",
    'ATTENDEE;CN="Cy, Jr.";ROLE=OPT-PARTICIPANT;RSVP=TRUE;X-STATUS="1.1":mailto:cy@x.example',
    "ATTENDEE;CUTYPE=ROOM;PARTSTAT=X-MAYBE:urn:uuid:1",
    "ATTENDEE;EMAIL=dee@x.example:/principals/dee/",
)


def test_attendees_are_read_with_bare_addresses():
    item = event(*TEAM)
    assert item.organizer == Person(address="ann@x.example", name="Ann")
    addresses = [one.address for one in item.attendees]
    assert addresses == ["bob@x.example", "cy@x.example", "urn:uuid:1", "dee@x.example"]
    assert item.attendees[1].name == "Cy, Jr."
    assert item.attendees[1].rsvp


@pytest.mark.parametrize(
    "lines",
    [
        ("ATTENDEE;CN=Bob:mailto:bob@x.example",),
        ("ATTENDEE;CN=Bob;ROLE=REQ-PARTICIPANT:mailto:bob@x.example",),
        ("ATTENDEE;CN=Bob;PARTSTAT=NEEDS-ACTION:mailto:Bob@x.example",),
        ("ATTENDEE;CUTYPE=INDIVIDUAL;RSVP=FALSE:mailto:bob@x.example",),
        ("ATTENDEE;ROLE=X-BOSS:mailto:bob@x.example", "ATTENDEE:mailto:cy@x.example"),
        ("ATTENDEE;CN=Bob;ROLE=CHAIR:mailto:bob@x.example", "ATTENDEE:/p/dee/"),
    ],
)
def test_what_attendees_leave_unsaid_stays_so_when_something_else_changes(lines: tuple[str, ...]):
    before = calendar(vevent(*lines))
    item = ical.decode(before, Kind.EVENT)
    assert isinstance(item, Event)
    after = written(replace(item, title="Another"), before=before)
    assert [line for line in after if line.startswith("ATTENDEE")] == list(lines)


def test_what_changes_of_an_attendee_is_said_and_newcomers_say_all():
    before = calendar(vevent("ATTENDEE;CN=Bob:mailto:bob@x.example"))
    item = ical.decode(before, Kind.EVENT)
    assert isinstance(item, Event)
    bob = replace(item.attendees[0], role=Role.OPTIONAL, rsvp=True)
    more = replace(item, attendees=(bob, Attendee(address="new@x.example")))
    assert [x for x in written(more, before=before) if x.startswith("ATTENDEE")] == [
        "ATTENDEE;CN=Bob;ROLE=OPT-PARTICIPANT;RSVP=TRUE:mailto:bob@x.example",
        "ATTENDEE;PARTSTAT=NEEDS-ACTION;ROLE=REQ-PARTICIPANT:mailto:new@x.example",
    ]


def test_a_text_that_cannot_be_taken_apart_hinders_no_write():
    assert written(event("ATTENDEE:mailto:bob@x.example"), before=b"ATTENDEE;=:\r\nATTENDEE;x")


def test_an_answer_changes_nothing_else_of_its_attendee():
    item = event(*TEAM)
    bob = replace(item.attendees[0], reply=Reply.ACCEPTED)
    lines = written(replace(item, attendees=(bob, *item.attendees[1:])))
    (line,) = [x for x in lines if "bob@" in x]
    assert line == (
        "ATTENDEE;CN=Bob;PARTSTAT=ACCEPTED;ROLE=REQ-PARTICIPANT;SCHEDULE-AGENT=CLIENT"
        ";X-NUM-GUESTS=2:MAILTO:bob@x.example"
    )
    assert any("PARTSTAT=X-MAYBE" in x and x.endswith(":urn:uuid:1") for x in lines)
    assert any('SENT-BY="mailto:sec@x.example"' in x and x.startswith("ORGANIZER") for x in lines)
    assert any(x.endswith(":/principals/dee/") and "EMAIL=dee@x.example" in x for x in lines)


def test_what_was_said_of_an_attendee_goes_with_them():
    item = event(*TEAM)
    item = replace(item, attendees=(*item.attendees[1:], Attendee(address="new@x.example")))
    lines = written(item)
    assert not any("X-NUM-GUESTS" in line for line in lines)
    assert any(line.endswith("mailto:new@x.example") for line in lines)


def test_silence_is_added_to_those_without_an_agent_and_never_taken_away():
    item = event(*TEAM)
    assert not any("SCHEDULE-AGENT=NONE" in line for line in written(item))
    lines = [line for line in written(item, silent=True) if line.startswith("ATTENDEE")]
    assert [("AGENT=NONE" in line, "AGENT=CLIENT" in line) for line in lines] == [
        (False, True),
        (True, False),
        (True, False),
        (True, False),
    ]
    assert not any("AGENT" in x for x in written(item, silent=True) if x.startswith("ORGANIZER"))


def test_a_silent_object_is_known_and_stays_silent():
    plain = replace(event(), attendees=(Attendee(address="a@x.example"),))
    item = ical.decode(ical.encode(plain, silent=True), Kind.EVENT)
    assert isinstance(item, Event)
    assert ical.silenced(item.extras, item.attendees)
    assert not ical.silenced(plain.extras, plain.attendees)
    more = replace(item, attendees=(*item.attendees, Attendee(address="b@x.example")))
    assert not ical.silenced(more.extras, more.attendees)
    assert "SCHEDULE-AGENT=NONE:mailto:a@x.example" in str(written(more))
    assert "SCHEDULE-AGENT=NONE:mailto:b@x.example" not in str(written(more))
    assert "SCHEDULE-AGENT=NONE:mailto:b@x.example" in str(written(more, silent=True))


def test_people_are_named_without_being_invited():
    item = replace(event(), people=(Person(address="a@x.example", name="A"),))
    assert "X-ACCORD-PERSON;CN=A:mailto:a@x.example" in written(item)
    assert not any(line.startswith("ATTENDEE") for line in written(item))


# Words and links


@pytest.mark.parametrize(
    ("lines", "busy"),
    [
        ((), Busy.BUSY),
        (("TRANSP:OPAQUE",), Busy.BUSY),
        (("TRANSP:TRANSPARENT",), Busy.FREE),
        (("X-MICROSOFT-CDO-BUSYSTATUS:FREE",), Busy.FREE),
        (("X-MICROSOFT-CDO-BUSYSTATUS:OOF", "TRANSP:OPAQUE"), Busy.OUT_OF_OFFICE),
        (("X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE",), Busy.TENTATIVE),
        (("X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE", "TRANSP:TRANSPARENT"), Busy.ELSEWHERE),
        (("X-MICROSOFT-CDO-BUSYSTATUS:BUSY", "TRANSP:TRANSPARENT"), Busy.FREE),
        (("X-MICROSOFT-CDO-BUSYSTATUS:FREE", "TRANSP:OPAQUE"), Busy.BUSY),
    ],
)
def test_transparency_says_whether_and_outlook_says_how(lines: tuple[str, ...], busy: Busy):
    item = event(*lines)
    assert item.busy is busy
    assert event(*[x for x in written(item) if x.startswith(("TRANSP", "X-MI"))]).busy is busy


@pytest.mark.parametrize("privacy", Privacy)
def test_privacy_has_its_word(privacy: Privacy):
    item = replace(event(), privacy=privacy)
    assert ical.decode(ical.encode(item), Kind.EVENT).privacy is privacy
    assert event("CLASS:X-OWN").privacy is Privacy.PRIVATE


LINK = "https://meet.example/1"


@pytest.mark.parametrize(
    "line",
    [
        f"CONFERENCE;VALUE=URI:{LINK}",
        f"CONFERENCE;FEATURE=AUDIO,VIDEO;LABEL=Web;VALUE=URI:{LINK}",
        f"X-GOOGLE-CONFERENCE:{LINK}",
        f"X-MICROSOFT-SKYPETEAMSMEETINGURL:{LINK}",
    ],
)
def test_the_link_of_a_meeting_is_found_kept_and_replaced(line: str):
    item = event(line, "CONFERENCE;VALUE=URI:tel:+1-555")
    assert item.online_meeting == LINK
    assert {line, "CONFERENCE;VALUE=URI:tel:+1-555"} <= set(written(item))
    lines = written(replace(item, online_meeting="https://other.example"))
    assert "CONFERENCE;VALUE=URI:https://other.example" in lines
    assert LINK not in str(lines)


# Bodies

HTML = "X-ALT-DESC;FMTTYPE=text/html:<p>Hello <b>you</b></p>"
ALTREP = 'DESCRIPTION;ALTREP="data:text/html,%3Cb%3EHello%3C%2Fb%3E%20you":Hello you'


def test_an_html_twin_is_the_body():
    item = event("DESCRIPTION:Hello you", HTML)
    assert item.body == Body(text="<p>Hello <b>you</b></p>", type=BodyType.HTML)
    assert {"DESCRIPTION:Hello you", HTML} <= set(written(item))
    assert event(ALTREP).body == Body(text="<b>Hello</b> you", type=BodyType.HTML)
    assert ALTREP in written(event(ALTREP))


def test_plain_text_that_was_edited_alone_beats_its_outdated_twin():
    item = event("DESCRIPTION:Hello us", HTML)
    assert item.body == Body(text="Hello us")
    assert {"DESCRIPTION:Hello us", HTML} <= set(written(item))
    lines = written(replace(item, body=Body(text="New")))
    assert "DESCRIPTION:New" in lines
    assert HTML not in lines


def test_a_body_that_nobody_edited_is_written_as_it_was_read():
    plain = "DESCRIPTION;LANGUAGE=de:* Hello you <https://x.example/>"
    html = 'X-ALT-DESC;FMTTYPE=text/html:<li><a href="https://x.example/">Hello</a> you</li>'
    item = event(plain, html)
    assert item.body is not None
    assert item.body.type is BodyType.HTML
    assert {plain, html} <= set(written(replace(item, title="new title")))
    lines = written(replace(item, body=Body(text="<p>Other</p>", type=BodyType.HTML)))
    assert {"DESCRIPTION:Other", "X-ALT-DESC;FMTTYPE=text/html:<p>Other</p>"} <= set(lines)
    assert plain not in lines


def test_the_plain_twin_keeps_what_stands_around_the_crms_section():
    link = "https://teams.example/l/meetup-join/19%3aabc"
    plain, html = f"Agenda\\n\\nJoin: <{link}>", f'<p>Agenda</p>Join: <a href="{link}">here</a>'
    plain = plain.replace("Join:", "Join: here")
    item = event(f"DESCRIPTION:{plain}", f"X-ALT-DESC;FMTTYPE=text/html:{html}")
    first = replace(item, body=write(item.body, Body(text="Bring; samples"), item.body))
    lines = written(first)
    section = "--- CRM ---\\nBring\\; samples\\n--- /CRM ---"
    assert f"DESCRIPTION:{plain}\\n\\n{section}" in lines
    assert any(line.startswith(f"X-ALT-DESC;FMTTYPE=text/html:{html}<div>---") for line in lines)
    again = ical.decode(ical.encode(first), Kind.EVENT)
    assert isinstance(again, Event)
    assert again.body == first.body
    second = replace(again, body=write(again.body, Body(text="Pens"), first.body))
    assert f"DESCRIPTION:{plain}\\n\\n--- CRM ---\\nPens\\n--- /CRM ---" in written(second)
    third = replace(again, body=write(again.body, None, first.body))
    assert {f"DESCRIPTION:{plain}", f"X-ALT-DESC;FMTTYPE=text/html:{html}"} <= set(written(third))
    twin = replace(item, body=write(item.body, Body(text=f"Agenda\n\nJoin: here <{link}>"), None))
    assert ical.decode(ical.encode(twin), Kind.EVENT).body == twin.body, "the twin is still one"
    other = replace(again, body=Body(text="<p>Other</p>", type=BodyType.HTML))
    assert "DESCRIPTION:Other" in written(other)


def test_an_empty_line_beside_the_html_says_nothing():
    """Cyrus drops an empty DESCRIPTION."""
    html = "X-ALT-DESC;FMTTYPE=text/html:<p> </p>"
    item = event(html)
    assert item == event("DESCRIPTION:", html)
    assert item.extras == {}
    assert not [line for line in written(item) if line.startswith("DESCRIPTION")]


# Reminders and attachments

MAIL_ALARM = (
    "BEGIN:VALARM",
    "ACTION:EMAIL",
    "ATTENDEE:mailto:a@x.example",
    "DESCRIPTION:x",
    "TRIGGER;RELATED=START:-PT15M",
    "END:VALARM",
)
FIXED_ALARM = (
    "BEGIN:VALARM",
    "ACTION:AUDIO",
    "TRIGGER;VALUE=DATE-TIME:20260105T090000Z",
    "END:VALARM",
)


@pytest.mark.parametrize(
    ("trigger", "reminder"),
    [
        ("TRIGGER:-PT15M", Reminder(minutes=15)),
        ("TRIGGER:-P1D", Reminder(minutes=1440)),
        ("TRIGGER:PT0S", Reminder(minutes=0)),
        ("TRIGGER:PT10M", Reminder(minutes=-10)),
        ("TRIGGER;RELATED=END:-PT5M", Reminder(minutes=5, before_end=True)),
        ("TRIGGER:-PT90S", None),
        ("TRIGGER:soon", None),
    ],
)
def test_reminders_are_minutes(trigger: str, reminder: Reminder | None):
    item = event("BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:x", trigger, "END:VALARM")
    assert item.reminders == (() if reminder is None else (reminder,))
    assert trigger in written(item)
    if reminder is not None:
        assert trigger not in written(replace(item, reminders=()))


def test_an_alarm_keeps_what_it_says_as_long_as_its_reminder_is_there():
    item = event(*MAIL_ALARM, *FIXED_ALARM)
    assert item.reminders == (Reminder(minutes=15),)
    assert set(MAIL_ALARM) | set(FIXED_ALARM) <= set(written(item))
    more = written(replace(item, reminders=(*item.reminders, Reminder(minutes=5))))
    assert {"ATTENDEE:mailto:a@x.example", "TRIGGER:-PT5M"} <= set(more)
    fewer = written(replace(item, reminders=()))
    assert "ATTENDEE:mailto:a@x.example" not in fewer
    assert FIXED_ALARM[2] in fewer


def test_an_inline_attachment_is_a_digest_and_its_line_stays():
    content = base64.b64encode(b"hello").decode()
    line = f"ATTACH;ENCODING=BASE64;FMTTYPE=text/plain;VALUE=BINARY;X-FILENAME=a.txt:{content}"
    item = event(line, "ATTACH;FMTTYPE=text/html;MANAGED-ID=7;SIZE=9:https://x.example/f")
    first, second = item.attachments
    assert (first.name, first.size, first.uri) == ("a.txt", 5, "")
    assert first.digest.startswith("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e7304336")
    assert (second.uri, second.size) == ("https://x.example/f", 9)
    assert line in written(item)
    assert any("MANAGED-ID=7" in x for x in written(item))
    assert line not in written(replace(item, attachments=(second,)))


# Times


@pytest.mark.parametrize(
    ("start", "lines", "end"),
    [
        ("DTSTART:20260105T100000Z", ("DTEND:20260105T113000Z",), "2026-01-05T11:30"),
        ("DTSTART:20260105T100000Z", ("DURATION:PT90M",), "2026-01-05T11:30"),
        ("DTSTART:20260105T100000Z", ("DURATION:P1W",), "2026-01-12T10:00"),
        ("DTSTART:20260105T100000Z", (), "2026-01-05T10:00"),
        ("DTSTART;VALUE=DATE:20260105", (), "2026-01-06"),
        ("DTSTART;VALUE=DATE:20260105", ("DTEND;VALUE=DATE:20260105",), "2026-01-06"),
        ("DTSTART;VALUE=DATE:20260105", ("DURATION:P3D",), "2026-01-08"),
        ("DTSTART;VALUE=DATE:20260105", ("DURATION:PT1H",), "2026-01-06"),
        (
            "DTSTART;TZID=Europe/Berlin:20260328T120000",
            ("DURATION:P1DT1H",),
            "2026-03-29T13:00",
        ),
        ("DTSTART;TZID=Europe/Berlin:20260328T230000", ("DURATION:PT5H",), "2026-03-29T05:00"),
        (BERLIN, ("DTEND:20260105T100000Z",), "2026-01-05T11:00"),
        ("DTSTART:20260105T100000", ("DTEND:20260105T110000Z",), "2026-01-05T11:00"),
        ("DTSTART:20260105T235960Z", (), "2026-01-05T23:59:59"),
    ],
)
def test_the_end_of_an_entry(start: str, lines: tuple[str, ...], end: str):
    item = event(*lines, start=start)
    assert item.end == datetime.fromisoformat(end)
    assert item.end_time_zone is None
    assert ical.read(ical.encode(item)).item == item


def test_start_and_end_may_lie_in_two_zones():
    item = event("DTEND;TZID=America/New_York:20260105T120000", start=BERLIN)
    assert (item.time_zone, item.end_time_zone) == ("Europe/Berlin", "America/New_York")
    assert {"TZID:Europe/Berlin", "TZID:America/New_York"} <= set(written(item))


@pytest.mark.parametrize(
    ("start", "line", "reason"),
    [
        (BERLIN, "DTEND;VALUE=DATE:20260106", "date, the other a time"),
        (BERLIN, "DTEND;TZID=Europe/Berlin:20260105T090000", "before the start"),
        ("DTSTART;VALUE=DATE:20260105", "DTEND;VALUE=DATE:20260104", "before the start"),
        (BERLIN, "DURATION:-PT1H", "negative"),
        (BERLIN, "DTEND;TZID=Mars/Base:20260105T110000", "neither known nor defined"),
        ("", "SUMMARY:x", "no start"),
        (BERLIN, "DTSTART:20260106T100000Z", "twice"),
        (BERLIN, "EXRULE:FREQ=DAILY", "EXRULE"),
        (BERLIN, "RRULE:FREQ=DAILY;RSCALE=CHINESE", "RSCALE"),
        (BERLIN, "RRULE:FREQ=DAILY;COUNT=2;UNTIL=20270101T000000Z", "exclude"),
        (BERLIN, "RRULE:COUNT=2", "FREQ"),
        (BERLIN, "RRULE:FREQ=MONTHLY;BYMONTHDAY=0", "0"),
        (BERLIN, "RDATE;VALUE=PERIOD:20260105/20260106", "times"),
    ],
)
def test_what_can_not_keep_its_meaning_is_refused(start: str, line: str, reason: str):
    if line.startswith("EXRULE"):
        line = f"{WEEKLY}\r\n{line}"
    with pytest.raises(Refused, match=reason) as refusal:
        event(line, start=start)
    assert refusal.value.line > 3


@pytest.mark.parametrize(
    ("start", "until", "wanted"),
    [
        (BERLIN, "20260701T080000Z", "2026-07-01T10:00"),
        (BERLIN, "20260701", "2026-07-01T23:59:59"),
        (BERLIN, "20260701T100000", "2026-07-01T10:00"),
        ("DTSTART;VALUE=DATE:20260105", "20260701", "2026-07-01"),
        ("DTSTART;VALUE=DATE:20260105", "20260701T235959Z", "2026-07-01"),
        ("DTSTART:20260105T100000", "20260701T100000Z", "2026-07-01T10:00"),
    ],
)
def test_the_end_of_a_rule_is_local(start: str, until: str, wanted: str):
    item = event(f"RRULE:FREQ=DAILY;UNTIL={until}", start=start)
    assert item.rule is not None
    assert item.rule.until == datetime.fromisoformat(wanted)
    assert ical.read(ical.encode(item)).item == item


def test_an_end_in_an_hour_that_comes_twice_takes_the_second():
    """The last occurrence is included for readers who compare instants."""
    item = event("RRULE:FREQ=DAILY;UNTIL=20261025T013000Z", start=BERLIN)
    assert "RRULE:FREQ=DAILY;UNTIL=20261025T013000Z" in written(item)
    earlier = event("RRULE:FREQ=DAILY;UNTIL=20261025T003000Z", start=BERLIN)
    assert earlier == item


def test_dates_of_a_series_come_into_its_zone():
    item = event(
        WEEKLY,
        "EXDATE:20260112T090000Z",
        "EXDATE;TZID=America/New_York:20260119T040000",
        "EXDATE;VALUE=DATE:20260126",
        "RDATE;VALUE=PERIOD:20260106T090000Z/PT3H,20260107T090000Z/20260107T093000Z",
        start=BERLIN,
    )
    assert [f"{date:%d %H}" for date in item.exdates] == ["12 10", "19 10", "26 10"]
    assert [f"{date:%d %H}" for date in item.rdates] == ["06 10", "07 10"]
    assert [(one.end) for one in item.overrides] == [
        datetime(2026, 1, 6, 13),
        datetime(2026, 1, 7, 10, 30),
    ]


# Series

CHANGED = vevent(
    "RECURRENCE-ID;TZID=Europe/Berlin:20260112T100000",
    "DTEND;TZID=Europe/Berlin:20260112T130000",
    "SUMMARY:Changed",
    "STATUS:CANCELLED",
    "X-OWN:1",
    start="DTSTART;TZID=Europe/Berlin:20260112T120000",
)
MASTER = vevent(
    WEEKLY,
    "DTEND;TZID=Europe/Berlin:20260105T110000",
    "SUMMARY:Series",
    "LOCATION:Here",
    "X-MASTER:1",
    "URL:https://x.example/",
    "SEQUENCE:3",
    start=BERLIN,
)


def test_a_changed_occurrence_says_only_what_differs():
    item = ical.decode(calendar(CHANGED, MASTER), Kind.EVENT)
    assert isinstance(item, Event)
    (one,) = item.overrides
    assert one.recurrence_id == datetime(2026, 1, 12, 10)
    assert (one.start, one.end) == (datetime(2026, 1, 12, 12), datetime(2026, 1, 12, 13))
    assert (one.title, one.location, one.status) == ("Changed", "", EventStatus.CANCELLED)
    assert (one.body, one.time_zone, one.busy) == (UNSET, UNSET, UNSET)
    assert one.extras == {"ical:X-MASTER": None, "ical:X-OWN": "1", "ical:=URL": ()}
    lines = written(item)
    second = lines[lines.index("END:VEVENT") + 1 :]
    assert "RECURRENCE-ID;TZID=Europe/Berlin:20260112T100000" in second
    assert "X-OWN:1" in second
    assert not [x for x in second if x.startswith(("LOCATION", "X-MASTER", "URL", "RRULE"))]
    assert ical.read(ical.encode(item)).item == item


@pytest.mark.parametrize(
    "rid",
    ["RECURRENCE-ID:20260112T090000Z", "RECURRENCE-ID;VALUE=DATE:20260112"],
)
def test_an_occurrence_may_be_named_in_another_zone_or_by_its_day(rid: str):
    other = CHANGED.replace("RECURRENCE-ID;TZID=Europe/Berlin:20260112T100000", rid)
    item = ical.decode(calendar(MASTER, other), Kind.EVENT)
    assert isinstance(item, Event)
    assert item.overrides[0].recurrence_id == datetime(2026, 1, 12, 10)


def test_the_latest_revision_of_an_occurrence_counts():
    later = CHANGED.replace("SUMMARY:Changed", "SUMMARY:Later\r\nSEQUENCE:7")
    for entries in ((MASTER, later, CHANGED), (CHANGED, later, MASTER)):
        item = ical.decode(calendar(*entries), Kind.EVENT)
        assert isinstance(item, Event)
        assert item.overrides[0].title == "Later"
        assert item.sequence == 7


def test_an_invitation_to_one_occurrence_comes_back_as_such():
    item = ical.decode(calendar(CHANGED), Kind.EVENT)
    assert isinstance(item, Event)
    assert (item.rule, item.title) == (None, "Changed")
    assert "RECURRENCE-ID;TZID=Europe/Berlin:20260112T100000" in written(item)
    other = CHANGED.replace("20260112", "20260119")
    with pytest.raises(Refused, match="2 single occurrences"):
        ical.read(calendar(CHANGED, other))


def onward(*lines: str, rule: str = "COUNT=6", extra: tuple[str, ...] = ()) -> str:
    """Return a weekly series in Berlin over the change of clocks, changed from its third on."""
    head = ("UID:u@x", "DTSTAMP:20260101T000000Z")
    berlin = ";TZID=Europe/Berlin:"
    master = (
        "BEGIN:VEVENT", *head, f"DTSTART{berlin}20260309T100000", f"DTEND{berlin}20260309T110000",
        f"RRULE:FREQ=WEEKLY;{rule}", f"EXDATE{berlin}20260406T100000", "SUMMARY:Weekly", *extra,
        "END:VEVENT",
    )  # fmt: skip
    later = (
        "BEGIN:VEVENT", *head, f"RECURRENCE-ID;RANGE=THISANDFUTURE{berlin}20260323T100000",
        "SUMMARY:Weekly", *lines, "END:VEVENT",
    )  # fmt: skip
    frame = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//y//EN")
    return "\r\n".join((*frame, *master, *later, "END:VCALENDAR", ""))


TWO_HOURS_LATER = ("DTSTART;TZID=Europe/Berlin:20260323T120000", "DURATION:PT30M")


def test_a_change_from_one_occurrence_on_changes_each_of_them():
    item = ical.decode(onward(*TWO_HOURS_LATER, "LOCATION:Room 2", "X-OWN:1"), Kind.EVENT)
    assert isinstance(item, Event)
    changed = [(one.recurrence_id, one.start, one.end) for one in item.overrides]
    assert changed == [
        (datetime(2026, 3, d, 10), datetime(2026, 3, d, 12), datetime(2026, 3, d, 12, 30))
        for d in (23, 30)
    ] + [(datetime(2026, 4, 13, 10), datetime(2026, 4, 13, 12), datetime(2026, 4, 13, 12, 30))]
    assert {one.location for one in item.overrides} == {"Room 2"}
    assert {one.title for one in item.overrides} == {UNSET}
    assert all(one.extras == {"ical:X-OWN": "1"} for one in item.overrides)
    again = ical.encode(item)
    assert ical.read(again).item == item
    assert b"RANGE" not in again and again.count(b"X-OWN:1") == 3


def test_the_nearest_change_counts_and_one_of_its_own_most():
    last = onward("DTSTART;TZID=Europe/Berlin:20260330T090000", "DURATION:PT1H", "LOCATION:Late")
    last = last.replace(
        "THISANDFUTURE;TZID=Europe/Berlin:20260323", "THISANDFUTURE;TZID=Europe/Berlin:20260330"
    )
    own = last.replace(
        ";RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260330", ";TZID=Europe/Berlin:20260413"
    )
    own = own.replace("20260330T090000", "20260414T080000").replace("Late", "Own")
    parts = [_second(onward(*TWO_HOURS_LATER, "LOCATION:Room 2")), _second(last), _second(own)]
    for some in (parts, parts[::-1]):
        whole = onward(*TWO_HOURS_LATER).replace(_second(onward(*TWO_HOURS_LATER)), "".join(some))
        item = ical.decode(whole, Kind.EVENT)
        assert isinstance(item, Event)
        assert [(one.start, one.location) for one in item.overrides] == [
            (datetime(2026, 3, 23, 12), "Room 2"),
            (datetime(2026, 3, 30, 9), "Late"),
            (datetime(2026, 4, 14, 8), "Own"),
        ]


def test_a_change_on_in_utc_moves_each_by_the_same_time():
    """Ten in Berlin is nine in UTC before the clocks change, and eight after."""
    item = ical.decode(onward("DTSTART:20260323T110000Z", "DTEND:20260323T120000Z"), Kind.EVENT)
    assert isinstance(item, Event)
    assert [one.start.hour for one in item.overrides if one.start is not UNSET] == [12, 12, 12]
    assert {one.time_zone for one in item.overrides} == {UNSET}


def test_a_change_on_that_changes_nothing_is_none():
    same = ("DTSTART;TZID=Europe/Berlin:20260323T100000", "DURATION:PT1H")
    item = ical.decode(onward(*same), Kind.EVENT)
    assert isinstance(item, Event) and item.overrides == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (onward(*TWO_HOURS_LATER, rule="INTERVAL=1"), "of a series without end"),
        (onward(*TWO_HOURS_LATER, rule="COUNT=500"), "more than 400"),
        (onward("DTSTART;TZID=Asia/Tokyo:20260323T120000", "DURATION:PT1H"), "another time zone"),
        (onward("DTSTART;VALUE=DATE:20260323"), "whole days"),
        (onward(*TWO_HOURS_LATER).replace("RANGE=THISANDFUTURE", "RANGE=THISANDPRIOR"), "PRIOR"),
        (onward(*TWO_HOURS_LATER).replace("20260323T100000", "20260324T100000"), "doesn't have"),
        (
            onward(*TWO_HOURS_LATER, extra=("RDATE;VALUE=PERIOD:20260401T080000Z/PT5H",)),
            "beside periods",
        ),
    ],
)
def test_a_change_on_that_can_not_be_told_for_each_is_refused(text: str, why: str):
    with pytest.raises(Refused, match=why) as refusal:
        ical.read(text)
    assert refusal.value.prop == "RECURRENCE-ID"


def _second(text: str) -> str:
    """Return the second entry of a text."""
    begin = text.index("BEGIN:VEVENT", text.index("BEGIN:VEVENT") + 1)
    return text[begin : text.index("END:VCALENDAR")]


def test_a_schedule_change_raises_the_sequence_and_a_new_colour_does_not():
    item = event("SEQUENCE:4")
    assert ical.revised(item, replace(item, location="Elsewhere")).sequence == 5
    assert ical.revised(item, replace(item, start=datetime(2026, 1, 4))).sequence == 5
    assert ical.revised(item, replace(item, busy=Busy.FREE, categories=("x",))).sequence == 4


# Tasks


def test_a_task_is_read_with_its_state():
    item = task(
        "SUMMARY:Call",
        "DTSTART;TZID=Europe/Berlin:20260105T100000",
        "DUE:20260105T110000Z",
        "STATUS:IN-PROCESS",
        "PERCENT-COMPLETE:40",
        "ATTENDEE;CN=Bob;ROLE=CHAIR:mailto:bob@x.example",
        "ATTENDEE:mailto:cy@x.example",
        "LOCATION:Here",
    )
    assert (item.start, item.due) == (datetime(2026, 1, 5, 10), datetime(2026, 1, 5, 12))
    assert (item.status, item.percent) == (TaskStatus.IN_PROCESS, 40)
    assert item.assignee == Person(address="bob@x.example", name="Bob")
    assert {"LOCATION:Here", "ATTENDEE:mailto:cy@x.example"} <= set(written(item))
    lines = written(replace(item, assignee=Person(address="new@x.example")))
    assert not any("bob@" in line for line in lines)
    assert "ATTENDEE:mailto:cy@x.example" in lines


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ((), TaskStatus.NEEDS_ACTION),
        (("PERCENT-COMPLETE:30",), TaskStatus.IN_PROCESS),
        (("PERCENT-COMPLETE:100",), TaskStatus.COMPLETED),
        (("COMPLETED:20260105T100000Z",), TaskStatus.COMPLETED),
        (("STATUS:CANCELLED", "PERCENT-COMPLETE:100"), TaskStatus.CANCELLED),
    ],
)
def test_a_task_without_a_status_shows_it_by_its_progress(
    lines: tuple[str, ...], status: TaskStatus
):
    assert task(*lines).status is status


def test_what_a_task_can_not_hold_is_kept_as_text():
    start = "DTSTART;VALUE=DATE:20260105"
    item = task(start, "DUE:20260107T100000Z")
    assert (item.start, item.due, item.all_day) == (None, datetime(2026, 1, 7, 10), False)
    assert start in written(item)
    change = vtodo("RECURRENCE-ID;TZID=Europe/Berlin:20260106T100000", "SUMMARY:Changed")
    data = calendar(vtodo("DTSTART;TZID=Europe/Berlin:20260105T100000", "RRULE:FREQ=DAILY"), change)
    item_2 = ical.read(data).item
    lines = written(item_2)
    assert lines.count("BEGIN:VTODO") == 2
    assert "RECURRENCE-ID;TZID=Europe/Berlin:20260106T100000" in lines
    assert ical.read(ical.encode(item_2)).item == item_2


# Files of many entries


def test_a_file_gives_what_it_can_and_names_what_it_refuses():
    data = calendar(
        vevent("SUMMARY:One", uid="1"),
        vevent("SUMMARY:Two", "DTEND:nonsense", uid="2"),
        vtodo("SUMMARY:Three"),
        "BEGIN:VJOURNAL\r\nUID:j\r\nEND:VJOURNAL",
    )
    found = ical.decode_all(data)
    assert [type(one).__name__ for one in found] == ["Refused", "Event", "Refused", "Task"]
    refused = [one for one in found if isinstance(one, Refused)]
    assert str(refused[0]) == "line 21: VJOURNAL is neither an entry nor a task"
    assert str(refused[1]) == "line 15: DTEND: 'nonsense' is neither a date nor a time"
    assert refused[1].uid == "2"
    with pytest.raises(Refused, match="several"):
        ical.read(data)


def test_floating_times_of_an_exported_calendar_lie_in_its_zone():
    data = calendar(vevent(start="DTSTART:20260105T100000"), frame="X-WR-TIMEZONE:Europe/Berlin")
    (found,) = ical.read_all(data)
    assert isinstance(found, ical.Document)
    assert found.item.time_zone == "Europe/Berlin"
    assert ical.read(data).item.time_zone is None


def test_an_entry_without_uid_gets_the_same_one_each_time():
    entry = vevent("SUMMARY:x").replace("UID:u\r\n", "")
    one, other = ical.read(calendar(entry)).item, ical.read(calendar(entry)).item
    assert len(one.uid) == 32
    assert one.uid == other.uid != ical.read(calendar(entry.replace("x", "y"))).item.uid


def test_a_scheduling_message_is_no_entry():
    with pytest.raises(Refused, match="REPLY"):
        ical.read(calendar(vevent(), frame="METHOD:REPLY"))
    assert ical.read(calendar(vevent(), frame="METHOD:PUBLISH")).item == event()


def test_the_kind_that_is_asked_for_must_be_there():
    with pytest.raises(Refused, match="no task"):
        ical.decode(calendar(vevent()), Kind.TASK)
