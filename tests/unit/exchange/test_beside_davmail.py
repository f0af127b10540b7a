"""What Accord writes into a mailbox DavMail shows as CalDAV, CardDAV and IMAP."""

from __future__ import annotations

import imaplib
from datetime import date, datetime
from typing import Any

import httpx2
import icalendar
import pytest
import vobject

from accord.model.item import Task, TaskStatus
from accord.model.kinds import Kind
from accord.sandbox.process import HOST, no_tls
from accord.testing.samples import BERLIN
from tests.davmail import ETAGS, XML
from tests.unit.exchange import beside
from tests.unit.exchange.beside import NEW_YORK, moment, says
from tests.unit.exchange.gateway import Gateway

pytestmark = pytest.mark.peer


def told(event: Any) -> dict[str, Any]:
    """Return what an entry says, in words of Python's."""
    lists = {
        "CATEGORIES": event.categories,
        "ATTENDEE": [str(each) for each in every(event, "ATTENDEE")],
    }
    texts = {name: str(value) for name, value in event.items() if isinstance(value, str)}
    return {**texts, "start": event.start, "end": event.end, **lists}


def every(event: Any, name: str) -> list[Any]:
    held = event.get(name, [])
    return held if isinstance(held, list) else [held]


def gone(event: Any) -> list[datetime]:
    return [at.dt for each in every(event, "EXDATE") for at in each.dts]


def test_a_meeting_of_accord_s_at_davmail(gateway: Gateway) -> None:
    desk = gateway.desks.events
    made = desk.create(beside.meeting(gateway.address))
    (seen,) = gateway.other.events()
    says(
        told(seen),
        UID="meeting@accord.example",
        SUMMARY="Größe; Maß, und mehr",
        start=moment("2026-07-06T10:00"),
        end=moment("2026-07-06T11:30"),
        LOCATION="Raum 1, Haus B",
        DESCRIPTION="Dear all,\nsee you <there> & then",
        CLASS="PRIVATE",
        CATEGORIES=["Kunde", "Besuch"],
        ATTENDEE=["mailto:bea@example.org", "mailto:carl@example.org"],
        ORGANIZER=f"mailto:{gateway.address}",
        STATUS="TENTATIVE",
    )
    assert (seen["DTSTART"].params["TZID"], seen["PRIORITY"]) == (BERLIN, 1)
    assert [each.params["ROLE"] for each in every(seen, "ATTENDEE")] == [
        "REQ-PARTICIPANT",
        "OPT-PARTICIPANT",
    ]
    (alarm,) = seen.walk("VALARM")
    assert alarm["TRIGGER"].dt.total_seconds() == -30 * 60

    made = desk.edit(made, **beside.MEETING_CHANGED)
    (seen,) = gateway.other.events()
    says(
        told(seen),
        UID="meeting@accord.example",
        SUMMARY="Second",
        start=moment("2026-07-07T14:15", NEW_YORK),
        end=moment("2026-07-07T15:00", NEW_YORK),
        LOCATION=None,
        DESCRIPTION="Otherwise",
        CLASS="PUBLIC",
        CATEGORIES=["Kunde", "Besuch"],
        ATTENDEE=["mailto:dora@example.org"],
        TRANSP="TRANSPARENT",
    )
    assert (seen["DTSTART"].params["TZID"], seen.walk("VALARM")) == (NEW_YORK, [])

    desk.remove(made)
    assert gateway.other.events() == []


def test_whole_days_of_accord_s_at_davmail(gateway: Gateway) -> None:
    desk = gateway.desks.events
    made = desk.create(beside.fair())
    (seen,) = gateway.other.events()
    says(told(seen), SUMMARY="Fair", start=date(2026, 10, 24), end=date(2026, 10, 26))
    assert seen["TRANSP"] == "TRANSPARENT"
    desk.edit(made, **beside.FAIR_CHANGED)
    (seen,) = gateway.other.events()
    says(told(seen), SUMMARY="Longer fair", start=date(2026, 10, 25), end=date(2026, 10, 28))
    assert (seen["TRANSP"], seen["X-MICROSOFT-CDO-BUSYSTATUS"]) == ("OPAQUE", "OOF")


def test_a_series_of_accord_s_at_davmail(gateway: Gateway) -> None:
    desk = gateway.desks.events
    made = desk.create(beside.weekly())
    main, single = gateway.other.events()
    assert dict(main["RRULE"]) == {
        "FREQ": ["WEEKLY"],
        "COUNT": [6],
        "BYDAY": ["MO"],
        "WKST": ["MO"],
    }
    assert gone(main) == [moment("2026-10-19T09:00")]
    says(told(main), SUMMARY="Weekly", LOCATION="Room 1", start=moment("2026-10-05T09:00"))
    assert single["RECURRENCE-ID"].dt == moment("2026-10-26T09:00")
    says(
        told(single),
        UID="weekly@accord.example",
        SUMMARY="Special",
        LOCATION="Room 1",
        start=moment("2026-10-27T14:00"),
        end=moment("2026-10-27T16:00"),
    )

    made = desk.edit(made, **beside.SINGLES_CHANGED)
    main, single = gateway.other.events()
    assert gone(main) == [moment("2026-10-12T09:00"), moment("2026-10-19T09:00")]
    says(told(single), SUMMARY="Special", LOCATION="Room 2", start=moment("2026-10-28T08:00"))

    made = desk.edit(made, **beside.SERIES_CHANGED)
    main, single = gateway.other.events()
    assert (main["RRULE"]["COUNT"], main["RRULE"]["INTERVAL"]) == ([4], [2])
    assert gone(main) == [moment("2026-10-19T09:00")]
    assert single["RECURRENCE-ID"].dt == moment("2026-11-02T09:00")
    says(told(single), SUMMARY="Fortnightly", start=moment("2026-11-03T09:00"))

    desk.remove(made)
    assert gateway.other.events() == []


def todo(gateway: Gateway) -> dict[str, Any]:
    found: Any
    (found,) = icalendar.Calendar.from_ical(gateway.other.get("tasks/")).walk("VTODO")
    texts = {name: str(value) for name, value in found.items() if isinstance(value, str)}
    dates = {name: found[name].dt for name in ("DTSTART", "DUE", "COMPLETED") if name in found}
    numbers = {name: int(found[name]) for name in ("PRIORITY", "PERCENT-COMPLETE") if name in found}
    return {**texts, **dates, **numbers, "CATEGORIES": found.categories}


def test_a_task_of_accord_s_at_davmail(gateway: Gateway) -> None:
    desk = gateway.desks.tasks
    made = desk.create(beside.errand())
    seen = todo(gateway)
    says(
        seen,
        SUMMARY="Call Eve; soon",
        DESCRIPTION="About the offer,\nand the rest",
        DTSTART=date(2026, 10, 24),
        DUE=date(2026, 10, 25),
        STATUS="IN-PROCESS",
        PRIORITY=1,
        CATEGORIES=["Kunde"],
    )
    assert seen["PERCENT-COMPLETE"] == 25

    made = desk.edit(made, **beside.ERRAND_CHANGED)
    says(todo(gateway), SUMMARY="Call Eva", DTSTART=date(2026, 10, 24), DUE=date(2026, 11, 2))
    assert todo(gateway)["PERCENT-COMPLETE"] == 75

    made = desk.edit(made, status=TaskStatus.COMPLETED, percent=100)
    seen = todo(gateway)
    assert (seen["STATUS"], seen["PERCENT-COMPLETE"]) == ("COMPLETED", 100)
    assert isinstance(made.item, Task)
    assert made.item.completed is not None
    assert seen["COMPLETED"] == made.item.completed.date()

    desk.remove(made)
    assert gateway.other.listed("tasks/") == []


def card(gateway: Gateway) -> Any:
    return vobject.readOne(gateway.other.get("contacts/")).contents


def notes(gateway: Gateway) -> str:
    """Return a card's notes, in which DavMail leaves commas bare: for vobject they end there."""
    return gateway.other.get("contacts/").partition("NOTE:")[2].partition("\r\n")[0]


def typed(found: list[Any]) -> dict[str, Any]:
    return {each.params["TYPE"][0]: each.value for each in found}


def test_a_contact_of_accord_s_at_davmail(gateway: Gateway) -> None:
    desk = gateway.desks.contacts
    made = desk.create(beside.customer())
    seen = card(gateway)
    name = seen["n"][0].value
    assert (name.prefix, name.given, name.additional, name.family) == (
        *("Dr.", "Eve", "Maria", "Größe"),
    )
    texts = {key: seen[key][0].value for key in ("fn", "nickname", "title", "bday", "url")}
    assert texts == {
        "fn": "Dr. Eve Maria Größe",
        "nickname": "Evie",
        "title": "Head",
        "bday": "1970-02-28",
        "url": "https://example.com/eve",
    }
    assert seen["org"][0].value == ["Acme, Söhne", "Sales; North"]
    assert seen["categories"][0].value == ["Kunde"]
    assert notes(gateway) == "Likes tea,\\nand coffee"
    # DavMail takes the three places for those of work, home and others.
    assert typed(seen["email"]) == {
        "work": "eve@example.org",
        "home": "eve.home@example.net",
        "other": "eve.third@example.com",
    }
    assert typed(seen["tel"]) == {
        "work": "+49 30 1",
        "home": "+49 30 2",
        "cell": "+49 171 3",
        "fax": "+49 30 4",
    }
    places = typed(seen["adr"])
    work, home = places["work"], places["home"]
    assert (work.street, work.city, work.region) == ("Große Straße 1", "Berlin", "BE")
    assert (work.code, work.country) == ("10115", "Germany")
    assert (home.street, home.city, home.code) == ("Am Weg 2", "Jena", "07743")

    made = desk.edit(made, **beside.CUSTOMER_CHANGED)
    seen = card(gateway)
    name = seen["n"][0].value
    assert (name.prefix, name.given, name.additional, name.family) == ("", "Eva", "", "Klein")
    assert (seen["fn"][0].value, "bday" in seen) == ("Eva Klein", False)
    assert seen["org"][0].value == ["Other", "Sales; North"]
    assert typed(seen["email"]) == {"work": "eva@example.org", "home": "eve.home@example.net"}
    assert typed(seen["tel"]) == {"work": "+49 30 9", "cell": "+49 171 3"}
    assert {kind: each.city for kind, each in typed(seen["adr"]).items()} == {"home": "Weimar"}

    desk.remove(made)
    assert gateway.other.listed("contacts/") == []


def test_a_wrong_password_opens_nothing(gateway: Gateway) -> None:
    gateway.desks.events.create(beside.fair())
    url = f"{gateway.other.davmail.url}users/{gateway.address}/calendar/"
    with httpx2.Client(auth=(gateway.address, "wrong"), timeout=60, verify=no_tls()) as http:
        assert http.request("PROPFIND", url, content=ETAGS, headers=XML).status_code == 401


IMAP = {
    "Inbox": "INBOX",
    "Outbox": "Unsent Messages",
    "Sent Items": "Sent",
    "Deleted Items": "Trash",
    "Junk Email": "Junk",
}
"""What DavMail calls folders."""


def test_both_list_the_same_folders(gateway: Gateway) -> None:
    session = gateway.desks.session
    own = session.make_folder("Projects", Kind.EVENT)
    assert gateway.other.listed("calendar/Projects/") == []
    gateway.desks.at(own.id, Kind.EVENT).create(beside.fair())
    assert len(gateway.other.listed("calendar/Projects/")) == 1

    with imaplib.IMAP4(HOST, gateway.other.davmail.imap_port) as imap:
        imap.login(gateway.address, "secret")
        _, found = imap.list()
        lines = [each for each in found if isinstance(each, bytes)]
    named = {each.rpartition(b'"/" ')[2].strip(b'"').decode() for each in lines}
    assert named == {IMAP.get(each.path[0], each.path[0]) for each in session.mail_folders()}
