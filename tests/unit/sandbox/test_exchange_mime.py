"""Messages as MIME and calendar entries as iCalendar, into the stand-in Exchange and out of it."""

from __future__ import annotations

import base64
import email
import email.policy
from datetime import UTC, date, datetime, timedelta
from typing import Any

import icalendar
import pytest
from lxml import etree

from tests.unit.sandbox.ews import ALICE, BOB, Answer, Desk, event, named, set_field
from tests.unit.sandbox.test_exchange_attachments import attach, file
from tests.unit.sandbox.test_exchange_meetings import (
    WEEKLY,
    inside,
    invited,
    occurrence,
    people,
    reply,
)

MIME = '<t:FieldURI FieldURI="item:MimeContent"/>'
MESSAGE = (
    b"From: Zoe <zoe@example.org>\r\nTo: Alice <alice@example.com>, bob@example.com\r\n"
    b"Bcc: eve@example.com\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    b"Message-ID: <1@example.org>\r\nDate: Mon, 2 Mar 2026 10:00:00 +0100\r\n"
    b"X-Own: kept\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Hallo</p>\r\n"
    b"--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\nQUJD\r\n--b--\r\n"
)


def packed(raw: bytes) -> str:
    return f"<t:MimeContent CharacterSet='UTF-8'>{base64.b64encode(raw).decode()}</t:MimeContent>"


def unpacked(answer: Answer) -> bytes:
    return base64.b64decode(answer.text("t:MimeContent"))


def read(raw: bytes) -> email.message.EmailMessage:
    found = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(found, email.message.EmailMessage)
    return found


# ---- messages ----


def test_a_message_is_read_and_kept_as_it_was(desk: Desk) -> None:
    item = desk.create(f"<t:Message>{packed(MESSAGE)}</t:Message>").ids[0]
    told = desk.get(item, MIME)
    assert unpacked(told) == MESSAGE
    assert told.text("t:Message/t:Subject") == "Grüße"
    assert told.text("t:From/t:Mailbox/t:EmailAddress") == "zoe@example.org"
    names = [each.text for each in told.all("t:ToRecipients/t:Mailbox/t:EmailAddress")]
    assert names == [ALICE, BOB]
    assert told.text("t:InternetMessageId") == "<1@example.org>"
    assert told.text("t:DateTimeSent") == "2026-03-02T09:00:00Z"
    assert told.one("t:Body").get("BodyType") == "HTML"
    assert told.text("t:FileAttachment/t:Name") == "a.pdf"
    headers = {each.get("HeaderName"): each.text for each in told.all("t:InternetMessageHeader")}
    assert headers["X-Own"] == "kept"
    own = desk.create(f"<t:Message>{packed(MESSAGE)}<t:Subject>Mine</t:Subject></t:Message>").ids[0]
    assert desk.get(own).text("t:Message/t:Subject") == "Mine"


@pytest.mark.parametrize(
    "raw",
    [
        b"Content-Type: text/plain; charset=klingon\r\n\r\n\xff\xfe",
        b"Date: Mon, 2 Mar 0100 10:00:00 +0000\r\n\r\nx",
        b"Subject: \x01\x02\r\n\r\nx",
        b"Content-Type: text/plain; charset=utf-16\r\n\r\nx",
        b"",
        b"\x00" * 50,
        b"From: <<<>>>\r\nTo: ,,;@\r\nDate: never\r\nContent-Type: multipart/mixed\r\n\r\nx",
    ],
)
def test_strange_messages_are_kept_or_refused(desk: Desk, raw: bytes) -> None:
    made = desk.create(f"<t:Message>{packed(raw)}</t:Message>")
    assert made.code in ("NoError", "ErrorMimeContentInvalid")
    if made.code == "NoError":
        assert unpacked(desk.get(made.ids[0], MIME)) == raw


def test_blind_copies_stay_with_the_sender(desk: Desk) -> None:
    sent = desk.ask(
        f'<m:CreateItem MessageDisposition="SendAndSaveCopy"><m:Items><t:Message>{packed(MESSAGE)}'
        "</t:Message></m:Items></m:CreateItem>"
    )
    assert sent.code == "NoError"
    assert [each.recipient for each in desk.exchange.mails()] == [BOB, "eve@example.com"]
    for user, bcc in ((BOB, None), (ALICE, "eve@example.com")):
        folder = "inbox" if user == BOB else "sentitems"
        (item,) = inside(desk, folder, user)
        found = desk.ask(
            "<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:IncludeMimeContent>true"
            f"</t:IncludeMimeContent></m:ItemShape><m:ItemIds>{item}</m:ItemIds></m:GetItem>",
            user,
        )
        assert read(unpacked(found))["Bcc"] == bcc


def test_a_message_made_of_parts_is_told_as_a_whole(desk: Desk) -> None:
    to = f"<t:ToRecipients><t:Mailbox><t:EmailAddress>{BOB}</t:EmailAddress></t:Mailbox>"
    item = desk.create(
        "<t:Message><t:Subject>Grüße</t:Subject><t:Body BodyType='HTML'>&lt;p&gt;Ä&lt;/p&gt;"
        f"</t:Body>{to}</t:ToRecipients></t:Message>"
    ).ids[0]
    attach(desk, item, file("plan.pdf", b"ABC"))
    found = read(unpacked(desk.get(inside(desk, "drafts", ALICE)[0], MIME)))
    assert (found["Subject"], found["To"]) == ("Grüße", BOB)
    assert found["From"].addresses[0].addr_spec == ALICE
    body = found.get_body()
    assert body is not None
    assert body.get_content().strip() == "<p>Ä</p>"
    (part,) = found.iter_attachments()
    assert (part.get_filename(), part.get_content()) == ("plan.pdf", b"ABC")
    names = "<t:GivenName>Eve, Ann</t:GivenName><t:Surname>East</t:Surname>"
    contact = desk.create(f"<t:Contact>{names}</t:Contact>").ids[0]
    card = unpacked(desk.get(contact, MIME)).decode().splitlines()
    assert card[2:4] == ["N:East;Eve\\, Ann;;;", "FN:Eve\\, Ann East"]
    task = desk.create("<t:Task><t:Subject>Call</t:Subject></t:Task>").ids[0]
    assert read(unpacked(desk.get(task, MIME)))["Subject"] == "Call"


@pytest.mark.parametrize("more", ["", WEEKLY])
def test_what_is_sent_about_meetings_is_told_as_icalendar(desk: Desk, more: str) -> None:
    def told(user: str) -> tuple[str, Any]:
        item = inside(desk, "inbox", user)[0]
        whole = read(
            unpacked(
                desk.ask(
                    "<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>"
                    "<t:IncludeMimeContent>true</t:IncludeMimeContent></m:ItemShape><m:ItemIds>"
                    f"{item}</m:ItemIds></m:GetItem>",
                    user,
                )
            )
        )
        (part,) = [each for each in whole.walk() if each.get_content_type() == "text/calendar"]
        (found,) = icalendar.Calendar.from_ical(part.get_content()).walk("VEVENT")
        return str(part.get_param("method")), found

    own = invited(desk, more, who=people(BOB))
    method, request = told(BOB)
    assert (method, request["SUMMARY"]) == ("REQUEST", "Review")
    assert (request["ORGANIZER"], request["ATTENDEE"]) == (f"mailto:{ALICE}", f"mailto:{BOB}")
    assert request.start == datetime(2026, 3, 3, 10, tzinfo=UTC)
    assert ("RRULE" in request) == bool(more)
    reply(desk, inside(desk, "inbox", BOB)[0])
    method, answer = told(ALICE)
    assert (method, answer["ATTENDEE"].params["PARTSTAT"]) == ("REPLY", "ACCEPTED")
    assert (answer["ORGANIZER"], answer["ATTENDEE"]) == (f"mailto:{ALICE}", f"mailto:{BOB}")
    assert answer["UID"] == request["UID"]
    own = inside(desk, "calendar", ALICE)[0]
    desk.delete(occurrence(own, 2) if more else own, notices="SendOnlyToAll")
    method, gone = told(BOB)
    assert (method, gone["STATUS"], gone["UID"]) == ("CANCEL", "CANCELLED", request["UID"])
    assert ("RECURRENCE-ID" in gone) == bool(more)


# ---- calendar entries ----


def entry(*lines: str) -> str:
    head, foot = ("BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VEVENT"), ("END:VEVENT", "END:VCALENDAR")
    text = "\r\n".join([*head, *lines, *foot])
    return f"<t:CalendarItem>{packed(text.encode())}</t:CalendarItem>"


def events(answer: Answer) -> list[Any]:
    return icalendar.Calendar.from_ical(unpacked(answer)).walk("VEVENT")


def test_an_entry_comes_in_as_icalendar(desk: Desk) -> None:
    lines = (
        *("UID:own-uid", "SUMMARY:Grüße", "DESCRIPTION:Dear\\nall", "LOCATION:Room 1"),
        *("DTSTART;TZID=Europe/Zurich:20260703T100000", "DURATION:PT90M"),
        *("CLASS:PRIVATE", "X-MICROSOFT-CDO-BUSYSTATUS:OOF", "CATEGORIES:a,b", "PRIORITY:1"),
        *("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT20M", "END:VALARM"),
        *(f"ORGANIZER:mailto:{ALICE}", f"ATTENDEE;CN=Bob;PARTSTAT=ACCEPTED:mailto:{BOB}"),
    )
    item = desk.create(entry(*lines)).ids[0]
    told = desk.get(item, MIME)

    def text(name: str) -> str:
        return told.text(f"t:CalendarItem/t:{name}")

    assert (text("UID"), text("Subject"), text("Location")) == ("own-uid", "Grüße", "Room 1")
    assert (text("Start"), text("End")) == ("2026-07-03T08:00:00Z", "2026-07-03T09:30:00Z")
    assert told.one("t:StartTimeZone").get("Id") == "W. Europe Standard Time"
    assert (text("Sensitivity"), text("LegacyFreeBusyStatus")) == ("Private", "OOF")
    assert (text("ReminderMinutesBeforeStart"), text("Importance")) == ("20", "High")
    assert [each.text for each in told.all("t:Categories/t:String")] == ["a", "b"]
    assert told.text("t:Attendee/t:ResponseType") == "Accept"
    assert text("IsOrganizer") == "true"
    (back,) = events(told)
    assert back.start == datetime(2026, 7, 3, 8, tzinfo=UTC)
    assert back.end - back.start == timedelta(minutes=90)
    assert (back["SUMMARY"], back["DESCRIPTION"]) == ("Grüße", "Dear\nall")
    assert "ATTENDEE" not in back  # an entry is published, which names no attendees
    assert back["ORGANIZER"] == f"mailto:{ALICE}"
    assert desk.exchange.mails() == []


def test_an_invitation_comes_in_as_an_attendee_s_copy(desk: Desk) -> None:
    lines = (
        *("UID:x", "DTSTART:20260703T100000Z", "DTEND:20260703T110000Z"),
        *("ORGANIZER;CN=Zoe:mailto:zoe@example.org", f"ATTENDEE;PARTSTAT=TENTATIVE:mailto:{ALICE}"),
    )
    told = desk.get(desk.create(entry(*lines)).ids[0])
    assert told.text("t:Organizer/t:Mailbox/t:EmailAddress") == "zoe@example.org"
    assert (told.text("t:IsOrganizer"), told.text("t:MyResponseType")) == ("false", "Tentative")


def test_whole_days_keep_their_dates(desk: Desk) -> None:
    lines = ("UID:x", "DTSTART;VALUE=DATE:20260703", "DTEND;VALUE=DATE:20260705")
    told = desk.get(desk.create(entry(*lines, "TRANSP:TRANSPARENT")).ids[0], MIME)
    assert told.text("t:IsAllDayEvent") == "true"
    assert told.text("t:LegacyFreeBusyStatus") == "Free"
    (back,) = events(told)
    assert (back.start, back.end) == (date(2026, 7, 3), date(2026, 7, 5))


def test_midnights_may_mean_whole_days(desk: Desk) -> None:
    zone = "TZID=W. Europe Standard Time"
    lines = ("UID:x", f"DTSTART;{zone}:20261024T000000", f"DTEND;{zone}:20261026T000000")
    (plain,) = events(desk.get(desk.create(entry(*lines)).ids[0], MIME))
    assert plain.end.hour == 0
    whole = desk.create(entry(*lines, "X-MICROSOFT-CDO-ALLDAYEVENT:TRUE")).ids[0]
    (back,) = events(desk.get(whole, MIME))
    assert (back.start, back.end) == (date(2026, 10, 24), date(2026, 10, 26))


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;INTERVAL=3;COUNT=5",
        "FREQ=WEEKLY;BYDAY=MO,FR;WKST=SU",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=FR;UNTIL=20261231T090000Z",
        "FREQ=MONTHLY;BYMONTHDAY=3",
        "FREQ=MONTHLY;INTERVAL=2;BYDAY=1FR;COUNT=4",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "FREQ=MONTHLY;BYDAY=SA,SU;BYSETPOS=2",
        "FREQ=YEARLY;BYMONTHDAY=3;BYMONTH=7",
        "FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10;COUNT=3",
    ],
)
def test_rules_go_in_and_out(desk: Desk, rule: str) -> None:
    lines = ("UID:x", "DTSTART:20260703T100000Z", "DTEND:20260703T110000Z", f"RRULE:{rule}")
    made = desk.create(entry(*lines))
    assert made.code == "NoError", etree.tostring(made.node)
    first = desk.get(made.ids[0], MIME)
    again = desk.create(f"<t:CalendarItem>{packed(unpacked(first))}</t:CalendarItem>").ids[0]
    second = desk.get(again, MIME)

    def told(answer: Answer) -> list[tuple[Any, str | None]]:
        # A series begins on the first day of its pattern, whatever it was told.
        every = [(str(each.tag), each.text) for each in answer.one("t:Recurrence").iter()]
        return [each for each in every if not each[0].endswith("StartDate")]

    assert told(first) == told(second)
    (back,) = events(second)
    wanted = icalendar.vRecur.from_ical(rule)
    found = back["RRULE"]
    for part in {*wanted} - {"WKST", "UNTIL"}:
        assert sorted(map(str, found[part])) == sorted(map(str, wanted[part]))
    assert ("COUNT" in found, "UNTIL" in found) == ("COUNT" in wanted, "UNTIL" in wanted)


def test_what_is_special_in_a_series_is_told(desk: Desk) -> None:
    master = desk.create(event(more=WEEKLY)).ids[0]
    subject = set_field("item:Subject", "CalendarItem", "<t:Subject>Special</t:Subject>")
    later = set_field("calendar:Start", "CalendarItem", "<t:Start>2026-03-10T10:30:00Z</t:Start>")
    desk.update(occurrence(master, 2), subject + later, "AlwaysOverwrite")
    desk.delete(occurrence(master, 3))
    main, special = events(desk.get(inside(desk, "calendar", ALICE)[0], MIME))
    assert main["EXDATE"].dts[0].dt == datetime(2026, 3, 17, 10, tzinfo=UTC)
    assert special["RECURRENCE-ID"].dt == datetime(2026, 3, 10, 10, tzinfo=UTC)
    assert special["SUMMARY"] == "Special"
    assert special.start == datetime(2026, 3, 10, 10, 30, tzinfo=UTC)
    assert special["UID"] == main["UID"]


def test_several_dates_are_left_out_in_one_line(desk: Desk) -> None:
    """Clients look for one property of many values ([MS-OXCICAL] 2.1.3.1.1.20.13)."""
    master = desk.create(event(more=WEEKLY)).ids[0]
    for number in (2, 3):
        desk.delete(occurrence(master, number))
    (main,) = events(desk.get(inside(desk, "calendar", ALICE)[0], MIME))
    told = [each.dt for each in main["EXDATE"].dts]
    assert told == [datetime(2026, 3, day, 10, tzinfo=UTC) for day in (10, 17)]


SERIES = (
    *("BEGIN:VEVENT", "UID:x", "SUMMARY:Weekly", "LOCATION:Room 1", "RRULE:FREQ=WEEKLY{more}"),
    "DTSTART;TZID=W. Europe Standard Time:20261005T090000",
    "DTEND;TZID=W. Europe Standard Time:20261005T100000",
    *("EXDATE;TZID=W. Europe Standard Time:20261012T090000,20261019T090000", "EXDATE:{stray}"),
    *("END:VEVENT", "BEGIN:VEVENT", "UID:x", "RECURRENCE-ID:20261026T080000Z"),
    *("SUMMARY:Special", "LOCATION:Room 1", "DTSTART:20261027T130000Z", "DTEND:20261027T150000Z"),
    "END:VEVENT",
)


@pytest.mark.parametrize("more", ["", ";COUNT=6"])
def test_a_series_comes_in_with_its_single_occurrences(desk: Desk, more: str) -> None:
    """A day on which the series has no occurrence is no exception ([MS-OXCICAL])."""
    lines = [each.format(more=more, stray="20261013T090000Z") for each in SERIES]
    text = "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *lines, "END:VCALENDAR"])
    made = desk.create(f"<t:CalendarItem>{packed(text.encode())}</t:CalendarItem>")
    assert made.code == "NoError", etree.tostring(made.node)
    told = desk.get(inside(desk, "calendar", ALICE)[0])
    gone = [each.text for each in told.all("t:DeletedOccurrence/t:Start")]
    assert gone == ["2026-10-12T07:00:00Z", "2026-10-19T07:00:00Z"]
    moved = told.one("t:ModifiedOccurrences/t:Occurrence")
    assert [each.text for each in moved[1:]] == [
        *("2026-10-27T13:00:00Z", "2026-10-27T15:00:00Z", "2026-10-26T08:00:00Z")
    ]
    one = desk.get(named(moved[0]))
    assert one.text("t:CalendarItem/t:Subject") == "Special"
    assert told.text("t:CalendarItem/t:Subject") == "Weekly"
    # What it says like its series, it has from its series.
    place = set_field("calendar:Location", "CalendarItem", "<t:Location>Room 2</t:Location>")
    desk.update(inside(desk, "calendar", ALICE)[0], place, "AlwaysOverwrite")
    assert desk.get(named(moved[0], key=False)).text("t:CalendarItem/t:Location") == "Room 2"


def test_people_without_addresses_are_left_out(desk: Desk) -> None:
    lines = ("UID:x", "DTSTART:20260703T100000Z", "ORGANIZER:mailto:", "ATTENDEE:mailto:")
    item = desk.create(entry(*lines, f"ATTENDEE:mailto:bob@\r{BOB[4:]}")).ids[0]
    assert desk.get(item).text("t:Attendee/t:Mailbox/t:EmailAddress") == BOB


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("UID:x",),
        ("UID:x", "DTSTART:20260703T100000Z", "RRULE:FREQ=HOURLY"),
        ("UID:x", "DTSTART:20260703T100000Z", "RRULE:FREQ=MONTHLY;BYDAY=MO,WE;BYSETPOS=1"),
        ("UID:x", "DTSTART:nonsense"),
        ("UID:x", "DTSTART;TZID=Europe/:20260703T100000", "DURATION:PT1H"),
        ("UID:x\x00", "DTSTART:20260703T100000Z"),
    ],
)
def test_what_is_no_entry_is_refused(desk: Desk, lines: tuple[str, ...]) -> None:
    assert desk.create(entry(*lines)).code == "ErrorMimeContentInvalid"
    item = desk.create(event()).ids[0]
    change = set_field("item:MimeContent", "CalendarItem", packed(b"x"))
    assert desk.update(item, change).code == "ErrorInvalidPropertySet"
