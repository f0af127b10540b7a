"""What DavMail writes into a mailbox Accord sees there: what changed, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from accord.model.item import (
    Contact,
    Event,
    Item,
    Mailto,
    Phone,
    PostalAddress,
    Task,
    TaskStatus,
)
from accord.model.observe import Moved
from accord.model.parts import Attendee, Body, Person, Privacy, Reminder, Reply
from accord.model.recurrence import Busy, Frequency, NthDay, Override, RecurrenceRule, Weekday
from accord.ports.adapter import Ask
from accord.testing.samples import BERLIN, at
from tests.unit.exchange import beside
from tests.unit.exchange.beside import NEW_YORK, same
from tests.unit.exchange.gateway import Gateway

pytestmark = pytest.mark.peer

MONDAYS = (NthDay(day=Weekday.MO),)
EVERY_WEEK = RecurrenceRule(frequency=Frequency.WEEKLY, by_day=MONDAYS)
ZONES = {
    BERLIN: (("DAYLIGHT", 3, "-1SU", "+0100", "+0200"), ("STANDARD", 10, "-1SU", "+0200", "+0100")),
    NEW_YORK: (("DAYLIGHT", 3, "2SU", "-0500", "-0400"), ("STANDARD", 11, "1SU", "-0400", "-0500")),
}


def zone(name: str) -> list[str]:
    rules = [
        line
        for kind, month, day, before, after in ZONES[name]
        for line in (
            *(f"BEGIN:{kind}", "DTSTART:19700101T020000", f"TZOFFSETFROM:{before}"),
            *(f"RRULE:FREQ=YEARLY;BYMONTH={month};BYDAY={day}", f"TZOFFSETTO:{after}"),
            f"END:{kind}",
        )
    ]
    return ["BEGIN:VTIMEZONE", f"TZID:{name}", *rules, "END:VTIMEZONE"]


def calendar(*components: list[str], zone_name: str = "") -> list[str]:
    head = ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Test//EN")
    zones = zone(zone_name) if zone_name else []
    return [*head, *zones, *(line for each in components for line in each), "END:VCALENDAR"]


def event(*lines: str) -> list[str]:
    head = ("BEGIN:VEVENT", "UID:own-uid", "DTSTAMP:20260301T000000Z")
    return [*head, *lines, "END:VEVENT"]


def when(start: str, end: str, name: str) -> list[str]:
    return [f"DTSTART;TZID={name}:{start}", f"DTEND;TZID={name}:{end}"]


def test_an_event_of_davmail_s_at_accord(gateway: Gateway) -> None:
    desk, other = gateway.desks.events, gateway.other
    lines = event(
        *("SUMMARY:Review\\, all", "LOCATION:Room 1", "DESCRIPTION:Dear all\\,\\nsee you"),
        *when("20260706T100000", "20260706T113000", BERLIN),
        *("CLASS:PRIVATE", "PRIORITY:1", "CATEGORIES:Kunde", "TRANSP:OPAQUE"),
        *("BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:x", "TRIGGER:-PT30M", "END:VALARM"),
    )
    assert other.put("calendar/own.ics", *calendar(lines, zone_name=BERLIN)) == 201
    seen = desk.changed()
    first = Event(
        uid="own-uid",
        title="Review, all",
        start=at("2026-07-06T10:00"),
        end=at("2026-07-06T11:30"),
        time_zone=BERLIN,
        location="Room 1",
        body=Body(text="Dear all,\nsee you"),
        privacy=Privacy.PRIVATE,
        priority=1,
        categories=("Kunde",),
        reminders=(Reminder(minutes=30),),
    )
    same(seen.item, first)

    lines = event(
        *("SUMMARY:Second", "LOCATION:Room 2", "DESCRIPTION:Otherwise", "STATUS:TENTATIVE"),
        *when("20260707T141500", "20260707T150000", NEW_YORK),
        *("CLASS:PUBLIC", "PRIORITY:9", "CATEGORIES:Besuch"),
    )
    assert other.put("calendar/own.ics", *calendar(lines, zone_name=NEW_YORK)) == 200
    later = desk.changed()
    assert later.ref == seen.ref
    # DavMail leaves the priority of an event that it changes, and by its status says how busy
    # one is.
    same(
        later.item,
        first,
        title="Second",
        location="Room 2",
        body=Body(text="Otherwise"),
        start=at("2026-07-07T14:15"),
        end=at("2026-07-07T15:00"),
        time_zone=NEW_YORK,
        privacy=Privacy.PUBLIC,
        categories=("Besuch",),
        reminders=(),
        busy=Busy.TENTATIVE,
    )

    assert other.http.delete("calendar/own.ics").is_success
    assert desk.deleted() == seen.ref
    (found,) = desk.place.fetch(Ask(ref=seen.ref, uid="own-uid"))
    assert isinstance(found, Moved)
    assert found.trash
    assert desk.look() == []


def test_whole_days_of_davmail_s_at_accord(gateway: Gateway) -> None:
    desk, other = gateway.desks.events, gateway.other
    days = ("DTSTART;VALUE=DATE:20261024", "DTEND;VALUE=DATE:20261026")
    other.put("calendar/own.ics", *calendar(event("SUMMARY:Fair", "TRANSP:TRANSPARENT", *days)))
    first = Event(
        uid="own-uid",
        title="Fair",
        start=at("2026-10-24"),
        end=at("2026-10-26"),
        all_day=True,
        busy=Busy.FREE,
    )
    same(desk.changed().item, first)

    days = ("DTSTART;VALUE=DATE:20261025", "DTEND;VALUE=DATE:20261028")
    other.put("calendar/own.ics", *calendar(event("SUMMARY:Longer", "TRANSP:TRANSPARENT", *days)))
    same(desk.changed().item, first, title="Longer", start=at("2026-10-25"), end=at("2026-10-28"))


def moved(start: str, end: str) -> list[str]:
    return event(
        *(f"RECURRENCE-ID;TZID={BERLIN}:20261026T090000", *when(start, end, BERLIN)),
        *("SUMMARY:Special", "LOCATION:Room 1", "TRANSP:OPAQUE"),
    )


def test_a_series_of_davmail_s_at_accord(gateway: Gateway) -> None:
    desk, other = gateway.desks.events, gateway.other
    plain = (
        *("SUMMARY:Weekly", "LOCATION:Room 1", "TRANSP:OPAQUE"),
        *when("20261005T090000", "20261005T100000", BERLIN),
    )
    master = event(
        *plain, "RRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=6", f"EXDATE;TZID={BERLIN}:20261019T090000"
    )
    single = moved("20261027T140000", "20261027T160000")
    other.put("calendar/own.ics", *calendar(master, single, zone_name=BERLIN))
    special = Override(
        recurrence_id=at("2026-10-26T09:00"),
        start=at("2026-10-27T14:00"),
        end=at("2026-10-27T16:00"),
        title="Special",
    )
    first = Event(
        uid="own-uid",
        title="Weekly",
        location="Room 1",
        start=at("2026-10-05T09:00"),
        end=at("2026-10-05T10:00"),
        time_zone=BERLIN,
        rule=replace(EVERY_WEEK, count=6),
        exdates=(at("2026-10-19T09:00"),),
        overrides=(special,),
    )
    seen = desk.changed()
    same(seen.item, first)

    # On a change DavMail forgets a COUNT, and takes the times of EXDATE for UTC, whatever zone
    # they name.
    master = event(
        *plain, "RRULE:FREQ=WEEKLY;BYDAY=MO;UNTIL=20261116T080000Z", "EXDATE:20261012T070000Z"
    )
    single = moved("20261028T080000", "20261028T090000")
    other.put("calendar/own.ics", *calendar(master, single, zone_name=BERLIN))
    later = desk.changed()
    assert later.ref == seen.ref
    again = Override(
        recurrence_id=at("2026-10-26T09:00"),
        start=at("2026-10-28T08:00"),
        end=at("2026-10-28T09:00"),
        title="Special",
    )
    same(
        later.item,
        first,
        rule=replace(EVERY_WEEK, until=at("2026-11-16T09:00")),
        exdates=(at("2026-10-12T09:00"),),
        overrides=(again,),
    )
    assert other.http.delete("calendar/own.ics").is_success
    assert desk.deleted() == seen.ref


def test_somebody_else_s_meeting_of_davmail_s_at_accord(gateway: Gateway) -> None:
    lines = event(
        "SUMMARY:Review",
        *when("20260706T100000", "20260706T113000", BERLIN),
        "ORGANIZER;CN=Zoe:mailto:zoe@example.org",
        f"ATTENDEE;CN=Me;PARTSTAT=NEEDS-ACTION;ROLE=REQ-PARTICIPANT:mailto:{gateway.address}",
        "ATTENDEE;CN=Bea;PARTSTAT=ACCEPTED;ROLE=REQ-PARTICIPANT:mailto:bea@example.org",
    )
    gateway.other.put("calendar/own.ics", *calendar(lines, zone_name=BERLIN))
    seen = gateway.desks.events.changed().item
    assert isinstance(seen, Event)
    assert seen.organizer == Person(address="zoe@example.org", name="Zoe")
    assert seen.attendees == (
        Attendee(address=gateway.address, name="Me"),
        Attendee(address="bea@example.org", name="Bea", reply=Reply.ACCEPTED),
    )


def todo(*lines: str) -> list[str]:
    head = ("BEGIN:VTODO", "UID:own-uid", "DTSTAMP:20260301T000000Z")
    return calendar([*head, *lines, "END:VTODO"])


def test_a_task_of_davmail_s_at_accord(gateway: Gateway) -> None:
    desk, other = gateway.desks.tasks, gateway.other
    lines = (
        *("SUMMARY:Call Eve\\; soon", "DESCRIPTION:About\\nit", "CATEGORIES:Kunde"),
        *("DTSTART;VALUE=DATE:20261024", "DUE;VALUE=DATE:20261025"),
        *("STATUS:IN-PROCESS", "PERCENT-COMPLETE:25", "PRIORITY:1"),
    )
    assert other.put("calendar/own.ics", *todo(*lines)) == 201
    seen = desk.changed()
    first = Task(
        uid=seen.item.uid,  # Exchange has no place for that of a task
        title="Call Eve; soon",
        body=Body(text="About\nit"),
        categories=("Kunde",),
        start=at("2026-10-24"),
        due=at("2026-10-25"),
        all_day=True,
        status=TaskStatus.IN_PROCESS,
        percent=25,
        priority=1,
    )
    same(seen.item, first)

    less = ("SUMMARY:Call Eva", "DUE;VALUE=DATE:20261102", "STATUS:NEEDS-ACTION")
    assert other.put("calendar/own.ics", *todo(*less)) == 200
    changed = desk.changed()
    assert changed.ref == seen.ref
    # What needs action is to DavMail what waits for others.
    same(
        changed.item,
        Task(uid=first.uid, title="Call Eva", due=at("2026-11-02"), all_day=True),
        status=TaskStatus.IN_PROCESS,
    )

    done = ("SUMMARY:Call Eva", "STATUS:COMPLETED", "COMPLETED:20261030T080000Z")
    other.put("calendar/own.ics", *todo(*done, "PERCENT-COMPLETE:100"))
    finished = desk.changed().item
    assert isinstance(finished, Task)
    assert (finished.status, finished.percent) == (TaskStatus.COMPLETED, 100)
    assert finished.completed is not None
    assert finished.completed.date().isoformat() == "2026-10-30"

    (path,) = other.listed("tasks/")
    assert other.http.delete(f"tasks/{path.rpartition('/')[2]}").is_success
    assert desk.deleted() == seen.ref


def card(*lines: str) -> list[str]:
    return ["BEGIN:VCARD", "VERSION:3.0", "UID:own-uid", *lines, "END:VCARD"]


def test_a_contact_of_davmail_s_at_accord(gateway: Gateway) -> None:
    desk, other = gateway.desks.contacts, gateway.other
    lines = (
        *("FN:Dr. Eve Maria Größe", "N:Größe;Eve;Maria;Dr.;", "NICKNAME:Evie"),
        *("EMAIL;TYPE=work:eve@example.org", "EMAIL;TYPE=home:eve.home@example.net"),
        *("TEL;TYPE=work:+49 30 1", "TEL;TYPE=home:+49 30 2", "TEL;TYPE=cell:+49 171 3"),
        "TEL;TYPE=fax:+49 30 4",
        "ADR;TYPE=work:;;Große Straße 1;Berlin;BE;10115;Germany",
        *("ADR;TYPE=home:;;Am Weg 2;Jena;;07743;", "ORG:Acme\\, Söhne;Sales\\; North"),
        *("TITLE:Head", "URL;TYPE=work:https://example.com/eve", "BDAY:1970-02-28"),
        *("NOTE:Likes tea\\,\\nand coffee", "CATEGORIES:Kunde"),
    )
    assert other.put("contacts/own.vcf", *card(*lines)) == 201
    seen = desk.changed()
    assert isinstance(seen.item, Contact)
    phones = {
        Phone(number="+49 30 1"),
        Phone(number="+49 30 2", type="home"),
        Phone(number="+49 171 3", features=("cell",)),
        Phone(number="+49 30 4", features=("fax",)),
    }
    addresses = {
        PostalAddress(
            street="Große Straße 1",
            locality="Berlin",
            region="BE",
            postcode="10115",
            country="Germany",
        ),
        PostalAddress(type="home", street="Am Weg 2", locality="Jena", postcode="07743"),
    }
    assert ({*seen.item.phones}, {*seen.item.addresses}) == (phones, addresses)
    first = Contact(
        uid=seen.item.uid,  # Exchange has no place for that of a contact
        full_name="Dr. Eve Maria Größe",
        prefix="Dr.",
        given="Eve",
        middle="Maria",
        family="Größe",
        nickname="Evie",
        organization="Acme, Söhne",
        department="Sales; North",
        job_title="Head",
        mails=(Mailto(address="eve@example.org"), Mailto(address="eve.home@example.net")),
        phones=seen.item.phones,
        addresses=seen.item.addresses,
        urls=("https://example.com/eve",),
        birthday="1970-02-28",
        notes="Likes tea,\nand coffee",
        categories=("Kunde",),
    )
    same(seen.item, first)

    less = (
        *("FN:Eva Klein", "N:Klein;Eva;;;", "EMAIL;TYPE=work:eva@example.org", "ORG:Other"),
        *("TEL;TYPE=cell:+49 171 9", "ADR;TYPE=home:;;Am Weg 3;Weimar;;99423;"),
    )
    other.put("contacts/own.vcf", *card(*less))
    changed = desk.changed()
    assert changed.ref == seen.ref
    wanted = Contact(
        uid=first.uid,
        full_name="Eva Klein",
        given="Eva",
        family="Klein",
        organization="Other",
        mails=(Mailto(address="eva@example.org"),),
        phones=(Phone(number="+49 171 9", features=("cell",)),),
        addresses=(
            PostalAddress(type="home", street="Am Weg 3", locality="Weimar", postcode="99423"),
        ),
    )
    same(changed.item, wanted)
    assert other.http.delete("contacts/own.vcf").is_success
    assert desk.deleted() == seen.ref


@pytest.mark.parametrize(
    ("kind", "item", "old", "new", "changed"),
    [
        ("events", beside.fair(), "SUMMARY:Fair", "SUMMARY:Trade", {"title": "Trade"}),
        (
            *("events", beside.weekly(), "SUMMARY:Weekly", "SUMMARY:Other"),
            # As above; the change of a pattern brings back what was left out of it.
            {"title": "Other", "rule": EVERY_WEEK, "exdates": ()},
        ),
        # DavMail shows the semicolon of a task's title bare, and takes it for the end.
        ("tasks", beside.errand(), "SUMMARY:Call Eve;", "SUMMARY:Call Eva;", {"title": "Call Eva"}),
        ("contacts", beside.customer(), "TITLE:Head", "TITLE:Boss", {"job_title": "Boss"}),
    ],
    ids=["days", "series", "task", "contact"],
)
def test_davmail_changes_what_accord_made(
    gateway: Gateway, kind: str, item: Item, old: str, new: str, changed: dict[str, Any]
) -> None:
    """A person's program reads it, changes a word and sends all of it back."""
    desk, other = getattr(gateway.desks, kind), gateway.other
    made = desk.create(item)
    folder = "calendar/" if kind == "events" else f"{kind}/"
    text = other.get(folder)
    assert old in text
    (path,) = other.listed(folder)
    other.put(f"{folder}{path.rpartition('/')[2]}", *text.replace(old, new).split("\r\n")[:-1])
    seen = desk.changed()
    assert (seen.ref, seen.key) == (made.ref, made.key)
    same(seen.item, made.item, **changed)
