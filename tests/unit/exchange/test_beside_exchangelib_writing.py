"""What exchangelib writes into a mailbox Accord sees there: what changed, and nothing else."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from accord.model.item import Contact, Event, Mailto, Phone, PostalAddress, Task, TaskStatus
from accord.model.observe import Moved
from accord.model.parts import Attendee, Body, Person, Privacy, Reminder, Role
from accord.model.recurrence import Busy, Frequency, NthDay, Override, RecurrenceRule, Weekday
from accord.ports.adapter import Ask
from accord.testing.samples import BERLIN, at
from tests.unit.exchange.beside import NEW_YORK, moment, same
from tests.unit.exchange.pair import Pair


def test_a_meeting_of_exchangelib_s_at_accord(pair: Pair) -> None:
    desk = pair.desks.events
    pair.other.add(
        "calendar",
        uid="theirs@example.org",
        subject="Review",
        start=moment("2026-07-06T10:00", NEW_YORK),
        end=moment("2026-07-06T11:30", NEW_YORK),
        location="Room 1",
        body="Dear all",
        categories=["Client"],
        required_attendees=["bea@example.org"],
        optional_attendees=["carl@example.org"],
        reminder_is_set=True,
        reminder_minutes_before_start=20,
        sensitivity="Private",
        legacy_free_busy_status="OOF",
    )
    seen = desk.changed()
    (own,) = pair.other.all("calendar")
    first = Event(
        uid="theirs@example.org",
        title="Review",
        start=at("2026-07-06T10:00"),
        end=at("2026-07-06T11:30"),
        time_zone=NEW_YORK,
        location="Room 1",
        body=Body(text="Dear all"),
        categories=("Client",),
        privacy=Privacy.PRIVATE,
        busy=Busy.OUT_OF_OFFICE,
        reminders=(Reminder(minutes=20),),
        organizer=Person(address=pair.address, name=own["organizer"]["name"]),
        attendees=(
            Attendee(address="bea@example.org", name="bea@example.org"),
            Attendee(address="carl@example.org", name="carl@example.org", role=Role.OPTIONAL),
        ),
    )
    same(seen.item, first)

    pair.other.edit(
        "calendar",
        "Review",
        subject="Second",
        start=moment("2026-07-07T20:15"),
        end=moment("2026-07-07T21:00"),
        location="Room 2",
        required_attendees=["dora@example.org"],
    )
    later = desk.changed()
    assert later.ref == seen.ref
    # exchangelib leaves an entry in the zone where it stands.
    same(
        later.item,
        first,
        title="Second",
        start=at("2026-07-07T14:15"),
        end=at("2026-07-07T15:00"),
        location="Room 2",
        attendees=(
            Attendee(address="dora@example.org", name="dora@example.org"),
            first.attendees[1],
        ),
    )

    pair.other.delete("calendar", "Second")
    assert desk.deleted() == seen.ref
    (found,) = desk.place.fetch(Ask(ref=seen.ref, uid="theirs@example.org"))
    assert isinstance(found, Moved)
    assert found.trash
    assert desk.look() == []


def test_whole_days_of_exchangelib_s_at_accord(pair: Pair) -> None:
    desk = pair.desks.events
    days = {"start": date(2026, 10, 24), "end": date(2026, 10, 25)}
    pair.other.add("calendar", subject="Fair", is_all_day=True, **days)
    seen = desk.changed().item
    assert isinstance(seen, Event)
    assert (seen.title, seen.all_day, seen.time_zone) == ("Fair", True, None)
    assert (seen.start, seen.end) == (at("2026-10-24"), at("2026-10-26"))

    pair.other.edit("calendar", "Fair", start=date(2026, 10, 25), end=date(2026, 10, 27))
    seen = desk.changed().item
    assert isinstance(seen, Event)
    assert (seen.start, seen.end, seen.all_day) == (at("2026-10-25"), at("2026-10-28"), True)


def test_a_series_of_exchangelib_s_at_accord(pair: Pair) -> None:
    desk = pair.desks.events
    pair.other.add(
        "calendar",
        subject="Weekly",
        start=moment("2026-10-05T09:00"),
        end=moment("2026-10-05T10:00"),
        recurrence={"weekdays": ["Monday"], "start": date(2026, 10, 5), "number": 6},
    )
    rule = RecurrenceRule(frequency=Frequency.WEEKLY, by_day=(NthDay(day=Weekday.MO),), count=6)
    seen = desk.changed()
    series = seen.item
    assert isinstance(series, Event)
    assert (series.rule, series.exdates, series.overrides) == (rule, (), ())
    assert (series.start, series.end) == (at("2026-10-05T09:00"), at("2026-10-05T10:00"))
    assert series.time_zone == BERLIN

    pair.other.edit_occurrence(
        "Weekly",
        4,
        subject="Special",
        start=moment("2026-10-27T14:00"),
        end=moment("2026-10-27T16:00"),
    )
    pair.other.delete_occurrence("Weekly", 3)
    moved = Override(
        recurrence_id=at("2026-10-26T09:00"),
        start=at("2026-10-27T14:00"),
        end=at("2026-10-27T16:00"),
        title="Special",
    )
    later = desk.changed()
    assert later.ref == seen.ref
    same(later.item, series, exdates=(at("2026-10-19T09:00"),), overrides=(moved,))

    pair.other.edit("calendar", "Weekly", location="Room 2")
    last = desk.changed().item
    same(last, later.item, location="Room 2")
    pair.other.delete("calendar", "Weekly")
    assert desk.deleted() == seen.ref


def test_a_task_of_exchangelib_s_at_accord(pair: Pair) -> None:
    desk = pair.desks.tasks
    pair.other.add(
        "tasks",
        subject="Call Eve",
        start_date=date(2026, 10, 24),
        due_date=date(2026, 10, 25),
        status="InProgress",
        percent_complete=Decimal(25),
        importance="High",
        body="About the offer",
    )
    seen = desk.changed()
    first = Task(
        uid=seen.item.uid,
        title="Call Eve",
        start=at("2026-10-24"),
        due=at("2026-10-25"),
        all_day=True,
        status=TaskStatus.IN_PROCESS,
        percent=25,
        priority=1,
        body=Body(text="About the offer"),
    )
    same(seen.item, first)

    pair.other.edit("tasks", "Call Eve", subject="Call Eva", due_date=date(2026, 11, 2))
    changed = desk.changed()
    same(changed.item, first, title="Call Eva", due=at("2026-11-02"))

    pair.other.edit("tasks", "Call Eva", status="Completed")
    done = desk.changed().item
    assert isinstance(done, Task)
    assert (done.status, done.percent) == (TaskStatus.COMPLETED, 100)
    assert done.completed is not None
    pair.other.delete("tasks", "Call Eva")
    assert desk.deleted() == seen.ref


def test_a_contact_of_exchangelib_s_at_accord(pair: Pair) -> None:
    desk = pair.desks.contacts
    pair.other.add(
        "contacts",
        display_name="Eve Größe",
        given_name="Eve",
        surname="Größe",
        company_name="Acme, Söhne",
        department="Sales",
        job_title="Head",
        birthday=date(1970, 2, 28),
        body="Likes tea",
        email_addresses=[
            {"label": "EmailAddress1", "email": "eve@example.org"},
            {"label": "EmailAddress2", "email": "eve.home@example.net"},
        ],
        phone_numbers=[
            {"label": "BusinessPhone", "phone_number": "+49 30 1"},
            {"label": "MobilePhone", "phone_number": "+49 171 3"},
        ],
        physical_addresses=[
            {"label": "Business", "street": "Große Straße 1", "city": "Berlin", "zipcode": "10115"},
            {"label": "Home", "street": "Am Weg 2", "city": "Jena", "country": "Germany"},
        ],
    )
    seen = desk.changed()
    first = Contact(
        uid=seen.item.uid,
        full_name="Eve Größe",
        given="Eve",
        family="Größe",
        organization="Acme, Söhne",
        department="Sales",
        job_title="Head",
        birthday="1970-02-28",
        notes="Likes tea",
        mails=(Mailto(address="eve@example.org"), Mailto(address="eve.home@example.net")),
        phones=(
            Phone(number="+49 30 1"),
            Phone(number="+49 171 3", features=("cell",)),
        ),
        addresses=(
            PostalAddress(street="Große Straße 1", locality="Berlin", postcode="10115"),
            PostalAddress(type="home", street="Am Weg 2", locality="Jena", country="Germany"),
        ),
    )
    same(seen.item, first)

    pair.other.edit(
        "contacts",
        "Eve Größe",
        surname="Klein",
        display_name="Eve Klein",
        company_name="Other",
        email_addresses=[{"label": "EmailAddress1", "email": "eva@example.org"}],
        phone_numbers=[{"label": "HomePhone", "phone_number": "+49 30 2"}],
    )
    changed = desk.changed()
    assert changed.ref == seen.ref
    same(
        changed.item,
        first,
        full_name="Eve Klein",
        family="Klein",
        organization="Other",
        mails=(Mailto(address="eva@example.org"),),
        phones=(Phone(number="+49 30 2", type="home"),),
    )
    pair.other.delete("contacts", "Eve Klein")
    assert desk.deleted() == seen.ref
