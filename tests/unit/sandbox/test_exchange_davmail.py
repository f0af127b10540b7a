"""DavMail, a client of other people's making, works with the stand-in Exchange.

What it writes as CalDAV, CardDAV and IMAP others see over EWS, and the other way round.
"""

from __future__ import annotations

import imaplib
import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import icalendar
import pytest

from accord.sandbox.process import HOST
from tests.davmail import EVENTS, XML, DavMailHouse, DavPerson
from tests.fuzz.tally import RecordProperty, note
from tests.unit.sandbox.test_exchange_exchangelib import exchangelib, log_in

pytestmark = pytest.mark.peer


class Person(DavPerson):
    """Somebody with a mailbox, at DavMail and, as the other client, at exchangelib."""

    def __init__(self, house: DavMailHouse, address: str) -> None:
        super().__init__(house, address)
        self.account: Any = log_in(house.url, address, exchangelib.DELEGATE)

    def at(self, day: int, hour: int) -> datetime:
        return datetime(2026, 7, day, hour, tzinfo=self.account.default_timezone)


@pytest.fixture
def person(
    davmail_house: DavMailHouse, request: pytest.FixtureRequest, record_property: RecordProperty
) -> Iterator[Person]:
    before = len(davmail_house.told)
    made = Person(davmail_house, f"{re.sub(r'[^a-z]', '-', request.node.name)}@example.com")
    yield made
    made.http.close()
    made.account.protocol.close()
    assert len(davmail_house.told) > before
    note(len(davmail_house.told) - before, davmail_house.told[-1], record_property)
    assert davmail_house.exchange.mails(made.address) == []


ZONE = "TZID=W. Europe Standard Time"


def event(*more: str, title: str = "Review", place: str = "Room 1") -> tuple[str, ...]:
    return (
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Test//EN", "BEGIN:VEVENT", "UID:uid-1"),
        *("DTSTAMP:20260301T000000Z", f"SUMMARY:{title}", f"LOCATION:{place}"),
        *(
            "DTSTART;TZID=W. Europe Standard Time:20260706T100000",
            "DTEND;TZID=W. Europe Standard Time:20260706T110000",
        ),
        *("TRANSP:OPAQUE", *more, "END:VEVENT", "END:VCALENDAR"),
    )


def test_an_event_s_life(person: Person) -> None:
    assert person.put("calendar/uid-1.ics", *event()) == 201
    (seen,) = person.account.calendar.all()
    assert (seen.subject, seen.location, seen.uid) == ("Review", "Room 1", "uid-1")
    assert (seen.start, seen.end) == (person.at(6, 10), person.at(6, 11))
    assert seen.legacy_free_busy_status == "Busy"

    assert person.put("calendar/uid-1.ics", *event(title="Second", place="Room 2")) == 200
    (seen,) = person.account.calendar.all()
    assert (seen.subject, seen.location, seen.start) == ("Second", "Room 2", person.at(6, 10))

    seen.subject = "Third"
    seen.save(update_fields=["subject"])
    exchangelib.CalendarItem(
        account=person.account,
        folder=person.account.calendar,
        subject="Other",
        start=person.at(7, 14),
        end=person.at(7, 15),
    ).save()
    found = {str(each["SUMMARY"]): each for each in person.events()}
    assert sorted(found) == ["Other", "Third"]
    assert found["Third"].start == person.at(6, 10)
    assert found["Other"].start == person.at(7, 14)
    assert len(person.listed("calendar/")) == 2

    assert person.http.delete("calendar/uid-1.ics").is_success
    assert [each.subject for each in person.account.calendar.all()] == ["Other"]
    assert [str(each["SUMMARY"]) for each in person.events()] == ["Other"]


def test_a_series_with_a_day_off(person: Person) -> None:
    assert person.put("calendar/uid-1.ics", *event("RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=4")) == 201
    (seen,) = person.account.calendar.all()
    assert (seen.type, seen.recurrence.boundary.number) == ("RecurringMaster", 4)
    special = seen.occurrence(index=2)
    special.refresh()
    special.subject = "Special"
    special.save(update_fields=["subject"])
    seen.occurrence(index=3).delete()
    master, changed = person.events()
    assert master["RRULE"]["COUNT"] == [4]
    assert master["EXDATE"].dts[0].dt == person.at(20, 10)
    assert (changed["SUMMARY"], changed["RECURRENCE-ID"].dt) == ("Special", person.at(13, 10))


def test_a_task_s_life(person: Person) -> None:
    def task(*more: str) -> tuple[str, ...]:
        head = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Test//EN", "BEGIN:VTODO", "UID:todo-1")
        due = ("DTSTAMP:20260301T000000Z", "SUMMARY:Call Eve", "DUE;VALUE=DATE:20260705")
        return (*head, *due, *more, "END:VTODO", "END:VCALENDAR")

    begun = ("STATUS:IN-PROCESS", "PERCENT-COMPLETE:25")
    assert person.put("calendar/todo-1.ics", *task(*begun)) == 201
    (seen,) = person.account.tasks.all()
    assert (seen.subject, seen.due_date, seen.status) == (
        "Call Eve",
        date(2026, 7, 5),
        "InProgress",
    )
    assert seen.percent_complete == 25
    seen.complete()
    found = icalendar.Calendar.from_ical(person.http.get("calendar/todo-1.ics").text)
    (todo,) = found.walk("VTODO")
    assert (todo["SUMMARY"], todo["STATUS"]) == ("Call Eve", "COMPLETED")
    assert len(person.listed("tasks/")) == 1


def test_a_contact_s_life(person: Person) -> None:
    def card(city: str) -> tuple[str, ...]:
        return (
            *("BEGIN:VCARD", "VERSION:3.0", "UID:card-1", "FN:Eve East", "N:East;Eve;;;"),
            *("EMAIL;TYPE=work:eve@example.org", "TEL;TYPE=work:+41 1", "TEL;TYPE=cell:+41 2"),
            *(f"ADR;TYPE=work:;;Main 1;{city};;3000;CH", "ORG:Acme;Sales", "END:VCARD"),
        )

    assert person.put("contacts/card-1.vcf", *card("Bern")) == 201
    (seen,) = person.account.contacts.all()
    assert (seen.given_name, seen.surname, seen.display_name) == ("Eve", "East", "Eve East")
    assert (seen.company_name, seen.department) == ("Acme", "Sales")
    assert [each.email for each in seen.email_addresses] == ["eve@example.org"]
    phones = {each.label: each.phone_number for each in seen.phone_numbers}
    assert (phones["BusinessPhone"], phones["MobilePhone"]) == ("+41 1", "+41 2")
    (place,) = seen.physical_addresses
    assert (place.street, place.city, place.zipcode) == ("Main 1", "Bern", "3000")

    person.put("contacts/card-1.vcf", *card("Basel"))
    (seen,) = person.account.contacts.all()
    assert seen.physical_addresses[0].city == "Basel"
    seen.given_name = "Eva"
    seen.save(update_fields=["given_name"])
    text = person.http.get("contacts/card-1.vcf").text
    assert "N:East;Eva;;;" in text
    assert "Basel" in text
    assert len(person.listed("contacts/")) == 1
    assert person.http.delete("contacts/card-1.vcf").is_success
    assert list(person.account.contacts.all()) == []


def test_a_meeting_is_invited_to_answered_and_called_off(davmail_house: DavMailHouse) -> None:
    alice, bob = (Person(davmail_house, f"{name}@meeting.example") for name in ("alice", "bob"))
    people = (
        f"ORGANIZER:mailto:{alice.address}",
        f"ATTENDEE;PARTSTAT={{}};RSVP=TRUE:mailto:{bob.address}",
    )

    def meeting(reply: str) -> tuple[str, ...]:
        return event(*[each.format(reply) for each in people])

    assert alice.put("calendar/uid-1.ics", *meeting("NEEDS-ACTION")) == 201
    (invited,) = bob.events()
    assert str(invited["SUMMARY"]) == "Review"
    inbox = bob.http.request("REPORT", "inbox/", content=EVENTS, headers=XML).text
    assert "METHOD:REQUEST" in inbox
    (href,) = bob.listed("calendar/")
    name = href.rpartition("/")[2]
    assert bob.put(f"calendar/{name}", *meeting("ACCEPTED")) == 200
    (own,) = alice.account.calendar.all()
    assert [each.response_type for each in own.required_attendees] == ["Accept"]
    (copy,) = bob.account.calendar.all()
    assert copy.my_response_type == "Accept"
    assert alice.http.delete("calendar/uid-1.ics").is_success
    (copy,) = bob.account.calendar.all()
    assert copy.is_cancelled
    kinds = [
        (each.sender, each.kind)
        for each in davmail_house.exchange.mails()
        if each.sender in (alice.address, bob.address)
    ]
    assert kinds == [
        (alice.address, "request"),
        (bob.address, "response"),
        (alice.address, "cancellation"),
    ]
    for each in (alice, bob):
        each.http.close()
        each.account.protocol.close()


def test_folders_and_messages_over_imap(person: Person) -> None:
    exchangelib.Message(
        account=person.account,
        folder=person.account.inbox,
        subject="Hello",
        body="Dear all",
        to_recipients=[person.address],
        is_read=False,
    ).save()
    exchangelib.folders.Messages(parent=person.account.inbox, name="Projects").save()
    imap = imaplib.IMAP4(HOST, person.davmail.imap_port)
    imap.login(person.address, "secret")
    _, found = imap.list()
    names = [
        each.decode().rpartition('"/" ')[2].strip('"') for each in found if isinstance(each, bytes)
    ]
    assert {"INBOX", "INBOX/Projects", "Drafts", "Sent", "Trash", "Junk"} <= {*names}
    _, (count,) = imap.select("INBOX")
    assert count == b"1"
    _, (numbers,) = imap.search(None, "UNSEEN")
    assert numbers == b"1"
    _, whole = imap.fetch("1", "(RFC822)")
    assert isinstance(whole[0], tuple)
    assert b"Subject: Hello" in whole[0][1]
    assert b"Dear all" in whole[0][1]
    raw = (
        b"From: zoe@example.org\r\nTo: x@example.com\r\nSubject: Moved\r\nMessage-ID: <1@x>\r\n"
        b"Date: Mon, 2 Mar 2026 10:00:00 +0100\r\n\r\nText\r\n"
    )
    imap.append("INBOX/Projects", "(\\Seen)", None, raw)
    imap.logout()
    (seen,) = (person.account.inbox / "Projects").all()
    assert (seen.subject, seen.message_id, seen.is_read) == ("Moved", "<1@x>", True)
    assert seen.mime_content == raw
