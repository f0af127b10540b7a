"""What Accord writes into a mailbox exchangelib sees there, a client of other people's making."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from accord.model.item import TaskStatus
from accord.model.parts import Body, BodyType
from accord.testing.samples import BERLIN
from tests.unit.exchange import beside
from tests.unit.exchange.beside import NEW_YORK, moment, same, says
from tests.unit.exchange.pair import Pair


def addresses(seen: dict[str, Any], name: str) -> list[str]:
    return [each["mailbox"]["email_address"] for each in seen.get(name, ())]


def test_a_meeting_of_accord_s_at_exchangelib(pair: Pair) -> None:
    made = pair.desks.events.create(beside.meeting(pair.address))
    (seen,) = pair.other.all("calendar")
    says(
        seen,
        uid="meeting@accord.example",
        subject="Größe; Maß, und mehr",
        start=moment("2026-07-06T10:00"),
        end=moment("2026-07-06T11:30"),
        _start_timezone=BERLIN,
        is_all_day=False,
        location="Raum 1, Haus B",
        body="Dear all,\nsee you <there> & then",
        legacy_free_busy_status="Tentative",
        importance="High",
        sensitivity="Private",
        categories=["Kunde", "Besuch"],
        reminder_is_set=True,
        reminder_minutes_before_start=30,
        is_meeting=True,
        recurrence=None,
    )
    assert seen["organizer"]["email_address"] == pair.address
    assert addresses(seen, "required_attendees") == ["bea@example.org"]
    assert addresses(seen, "optional_attendees") == ["carl@example.org"]

    changed = pair.desks.events.edit(made, **beside.MEETING_CHANGED)
    (seen,) = pair.other.all("calendar")
    says(
        seen,
        uid="meeting@accord.example",
        subject="Second",
        start=moment("2026-07-07T14:15", NEW_YORK),
        end=moment("2026-07-07T15:00", NEW_YORK),
        _start_timezone=NEW_YORK,
        _end_timezone=NEW_YORK,
        location=None,
        body="Otherwise",
        legacy_free_busy_status="Free",
        sensitivity="Normal",
        categories=["Kunde", "Besuch"],
        reminder_is_set=False,
        optional_attendees=None,
    )
    assert addresses(seen, "required_attendees") == ["dora@example.org"]

    pair.desks.events.remove(changed)
    assert pair.other.all("calendar") == []
    assert [each["subject"] for each in pair.other.all("trash")] == ["Second"]


def test_whole_days_of_accord_s_at_exchangelib(pair: Pair) -> None:
    made = pair.desks.events.create(beside.fair())
    (seen,) = pair.other.all("calendar")
    says(
        seen,
        subject="Fair",
        is_all_day=True,
        start=date(2026, 10, 24),
        end=date(2026, 10, 25),
        legacy_free_busy_status="Free",
    )
    pair.desks.events.edit(made, **beside.FAIR_CHANGED)
    (seen,) = pair.other.all("calendar")
    says(
        seen,
        subject="Longer fair",
        is_all_day=True,
        start=date(2026, 10, 25),
        end=date(2026, 10, 27),
        legacy_free_busy_status="OOF",
    )


def shown(pair: Pair) -> list[tuple[str, datetime, datetime, str]]:
    return [
        (each["subject"], each["start"], each["end"], each.get("location", ""))
        for each in pair.other.view(moment("2026-10-01"), moment("2026-12-31"))
    ]


def hour(title: str, day: str, start: int = 9, end: int = 10, place: str = "Room 1") -> Any:
    begin, finish = moment(f"2026-{day}T{start:02}:00"), moment(f"2026-{day}T{end:02}:00")
    return title, begin, finish, place


def test_a_series_of_accord_s_at_exchangelib(pair: Pair) -> None:
    desk = pair.desks.events
    made = desk.create(beside.weekly())
    (seen,) = pair.other.all("calendar")
    says(seen, type="RecurringMaster", _start_timezone=BERLIN)
    assert seen["recurrence"]["boundary"]["number"] == 6
    assert seen["recurrence"]["pattern"]["interval"] == 1
    # Clocks are put back on 25 October; the hour stays.
    assert shown(pair) == [
        hour("Weekly", "10-05"),
        hour("Weekly", "10-12"),
        hour("Special", "10-27", 14, 16),
        hour("Weekly", "11-02"),
        hour("Weekly", "11-09"),
    ]
    assert [each["start"] for each in seen["deleted_occurrences"]] == [moment("2026-10-19T09:00")]
    (moved,) = seen["modified_occurrences"]
    assert moved["original_start"] == moment("2026-10-26T09:00")

    made = desk.edit(made, **beside.SINGLES_CHANGED)
    assert shown(pair) == [
        hour("Weekly", "10-05"),
        hour("Special", "10-28", 8, 9, "Room 2"),
        hour("Weekly", "11-02"),
        hour("Weekly", "11-09"),
    ]

    made = desk.edit(made, **beside.SERIES_CHANGED)
    assert shown(pair) == [
        hour("Fortnightly", "10-05"),
        hour("Fortnightly", "11-03"),
        hour("Fortnightly", "11-16"),
    ]

    desk.remove(made)
    assert shown(pair) == []


def test_a_task_of_accord_s_at_exchangelib(pair: Pair) -> None:
    desk = pair.desks.tasks
    made = desk.create(beside.errand())
    (seen,) = pair.other.all("tasks")
    says(
        seen,
        subject="Call Eve; soon",
        start_date=date(2026, 10, 24),
        due_date=date(2026, 10, 25),
        body="About the offer,\nand the rest",
        status="InProgress",
        percent_complete=25,
        importance="High",
        categories=["Kunde"],
    )
    made = desk.edit(made, **beside.ERRAND_CHANGED)
    (seen,) = pair.other.all("tasks")
    says(seen, subject="Call Eva", due_date=date(2026, 11, 2), percent_complete=75)
    says(seen, start_date=date(2026, 10, 24), status="InProgress")

    made = desk.edit(made, status=TaskStatus.COMPLETED, percent=100)
    (seen,) = pair.other.all("tasks")
    says(seen, status="Completed", percent_complete=100)
    desk.remove(made)
    assert pair.other.all("tasks") == []


def by_label(seen: dict[str, Any], name: str, part: str) -> dict[str, str]:
    return {each["label"]: each[part] for each in seen.get(name, ())}


def test_a_contact_of_accord_s_at_exchangelib(pair: Pair) -> None:
    desk = pair.desks.contacts
    made = desk.create(beside.customer())
    (seen,) = pair.other.all("contacts")
    says(
        seen,
        display_name="Dr. Eve Maria Größe",
        given_name="Eve",
        middle_name="Maria",
        surname="Größe",
        nickname="Evie",
        company_name="Acme, Söhne",
        department="Sales; North",
        job_title="Head",
        business_homepage="https://example.com/eve",
        birthday=date(1970, 2, 28),
        body="Likes tea,\nand coffee",
        categories=["Kunde"],
    )
    assert by_label(seen, "email_addresses", "email") == {
        "EmailAddress1": "eve@example.org",
        "EmailAddress2": "eve.home@example.net",
        "EmailAddress3": "eve.third@example.com",
    }
    assert by_label(seen, "phone_numbers", "phone_number") == {
        "BusinessPhone": "+49 30 1",
        "HomePhone": "+49 30 2",
        "MobilePhone": "+49 171 3",
        "BusinessFax": "+49 30 4",
    }
    assert by_label(seen, "physical_addresses", "street") == {
        "Business": "Große Straße 1",
        "Home": "Am Weg 2",
    }
    (work,) = [each for each in seen["physical_addresses"] if each["label"] == "Business"]
    says(work, city="Berlin", state="BE", zipcode="10115", country="Germany")

    changed = desk.edit(made, **beside.CUSTOMER_CHANGED)
    (seen,) = pair.other.all("contacts")
    says(seen, display_name="Eva Klein", given_name="Eva", middle_name=None, surname="Klein")
    says(seen, company_name="Other", department="Sales; North", birthday=None)
    assert by_label(seen, "email_addresses", "email") == {
        "EmailAddress1": "eva@example.org",
        "EmailAddress2": "eve.home@example.net",
    }
    assert by_label(seen, "phone_numbers", "phone_number") == {
        "BusinessPhone": "+49 30 9",
        "MobilePhone": "+49 171 3",
    }
    assert by_label(seen, "physical_addresses", "city") == {"Home": "Weimar"}
    desk.remove(changed)
    assert pair.other.all("contacts") == []


def test_both_write_by_turns(pair: Pair) -> None:
    """Neither takes away what the other has written meanwhile."""
    desk = pair.desks.events
    made = desk.create(beside.meeting(pair.address))
    pair.other.edit("calendar", "Größe; Maß, und mehr", location="Room 2")
    theirs = desk.changed()
    same(theirs.item, made.item, location="Room 2")
    ours = desk.edit(theirs, title="Ours", body=Body(text="<p>new</p>", type=BodyType.HTML))
    (seen,) = pair.other.all("calendar")
    says(seen, subject="Ours", location="Room 2", body="<p>new</p>", text_body="new")
    same(ours.item, theirs.item, title="Ours", body=Body(text="<p>new</p>", type=BodyType.HTML))
