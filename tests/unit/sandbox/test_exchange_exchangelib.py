"""exchangelib, a client of other people's making, works with the stand-in Exchange."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accord.sandbox.exchange.server import Exchange
from tests.exchange import listening
from tests.fuzz.tally import RecordProperty, note
from tests.unit.sandbox.ews import ALICE, BOB, ROBOT, Judge

exchangelib: Any = pytest.importorskip("exchangelib")


@pytest.fixture
def exchange(record_property: RecordProperty) -> Iterator[Exchange]:
    judge = Judge(lambda what: note(1, what, record_property))
    made = Exchange(witness=judge)
    made.people.add(ALICE, "secret", name="Alice Adams")
    made.people.add(BOB, "secret")
    made.people.add(ROBOT, "secret", impersonates=True)
    yield made
    made.close()


@pytest.fixture
def account(exchange: Exchange) -> Iterator[Any]:
    """Alice's mailbox, seen by exchangelib from Zurich."""
    with listening(exchange) as url:
        account = log_in(url, ALICE, exchangelib.DELEGATE)
        yield account
        account.protocol.close()


def log_in(url: str, user: str, access: str, mailbox: str = "") -> Any:
    configuration = exchangelib.Configuration(
        service_endpoint=url,
        credentials=exchangelib.Credentials(user, "secret"),
        auth_type=exchangelib.BASIC,
        version=exchangelib.Version(exchangelib.version.EXCHANGE_2016),
        max_connections=2,
    )
    return exchangelib.Account(
        mailbox or user,
        config=configuration,
        autodiscover=False,
        access_type=access,
        default_timezone=exchangelib.EWSTimeZone("Europe/Zurich"),
    )


def at(account: Any, day: int, hour: int) -> datetime:
    return datetime(2026, 7, day, hour, tzinfo=account.default_timezone)


def test_a_calendar_entry_s_life(account: Any, exchange: Exchange) -> None:
    entry = exchangelib.CalendarItem(
        account=account,
        folder=account.calendar,
        subject="Review",
        start=at(account, 3, 10),
        end=at(account, 3, 11),
        location="Room 1",
        body=exchangelib.HTMLBody("<p>Dear all</p>"),
        categories=["Client"],
        required_attendees=[BOB],
        reminder_is_set=False,
        sensitivity="Private",
    )
    entry.save()
    (seen,) = account.calendar.all()
    assert (seen.subject, seen.location, seen.categories) == ("Review", "Room 1", ["Client"])
    assert (seen.start, seen.end) == (at(account, 3, 10), at(account, 3, 11))
    assert (seen.body, seen.text_body) == ("<p>Dear all</p>", "Dear all")
    assert (seen.reminder_is_set, seen.sensitivity) == (False, "Private")
    assert [each.mailbox.email_address for each in seen.required_attendees] == [BOB]
    assert seen.organizer.email_address == ALICE

    stale = account.calendar.get(subject="Review")
    seen.subject = "Second review"
    seen.start, seen.end = at(account, 4, 10), at(account, 4, 12)
    seen.save(update_fields=["subject", "start", "end"])
    stale.location = "Room 2"
    with pytest.raises(exchangelib.errors.ErrorIrresolvableConflict):
        stale.save(update_fields=["location"], conflict_resolution="NeverOverwrite")
    view = account.calendar.view(start=at(account, 4, 0), end=at(account, 5, 0))
    assert [each.subject for each in view] == ["Second review"]
    assert list(account.calendar.view(start=at(account, 3, 0), end=at(account, 4, 0))) == []

    seen.move_to_trash()
    assert list(account.calendar.all()) == []
    assert [each.subject for each in account.trash.all()] == ["Second review"]
    assert exchange.mails() == []


def test_an_entry_of_a_whole_day_stays_on_its_days(account: Any) -> None:
    exchangelib.CalendarItem(
        account=account,
        folder=account.calendar,
        subject="Fair",
        start=date(2026, 7, 28),
        end=date(2026, 7, 29),
        is_all_day=True,
    ).save()
    (seen,) = account.calendar.all()
    assert (seen.is_all_day, seen.start, seen.end) == (True, date(2026, 7, 28), date(2026, 7, 29))


def test_a_task_s_life(account: Any) -> None:
    task = exchangelib.Task(
        account=account,
        folder=account.tasks,
        subject="Call Eve",
        due_date=date(2026, 7, 3),
        status="InProgress",
        percent_complete=Decimal(25),
    )
    task.save()
    (seen,) = account.tasks.all()
    assert (seen.due_date, seen.status, seen.percent_complete) == (
        date(2026, 7, 3),
        "InProgress",
        Decimal(25),
    )
    seen.complete()
    (seen,) = account.tasks.all()
    assert (seen.status, seen.is_complete) == ("Completed", True)
    seen.delete()
    assert list(account.tasks.all()) == []


def test_a_contact_s_life(account: Any) -> None:
    properties = exchangelib.indexed_properties
    exchangelib.Contact(
        account=account,
        folder=account.contacts,
        given_name="Eve",
        surname="East",
        display_name="Eve East",
        email_addresses=[properties.EmailAddress(email="eve@example.org", label="EmailAddress1")],
        phone_numbers=[properties.PhoneNumber(phone_number="+41 1", label="BusinessPhone")],
        physical_addresses=[
            properties.PhysicalAddress(street="Main 1", city="Bern", label="Business")
        ],
    ).save()
    (seen,) = account.contacts.all()
    assert seen.complete_name.full_name == "Eve East"
    assert [each.email for each in seen.email_addresses] == ["eve@example.org"]
    (place,) = seen.physical_addresses
    assert (place.street, place.city) == ("Main 1", "Bern")
    seen.physical_addresses = [
        properties.PhysicalAddress(street="Main 1", city="Basel", label="Business")
    ]
    seen.save(update_fields=["physical_addresses"])
    (place,) = account.contacts.get(surname="East").physical_addresses
    assert (place.street, place.city) == ("Main 1", "Basel")


def test_folders_are_synced_in_pages(account: Any) -> None:
    def entry(number: int) -> Any:
        moment = {"start": at(account, 1 + number, 9), "end": at(account, 1 + number, 10)}
        return exchangelib.CalendarItem(
            account=account, folder=account.calendar, subject=f"E{number}", **moment
        )

    account.bulk_create(account.calendar, [entry(number) for number in range(5)])
    folder = account.calendar

    def sync() -> list[tuple[str, str]]:
        found = folder.sync_items(
            sync_state=folder.item_sync_state, only_fields=["subject"], max_changes_returned=2
        )
        return [(kind, getattr(item, "subject", "") or "") for kind, item in found]

    assert sync() == [("create", f"E{number}") for number in range(5)]
    assert sync() == []
    first, second = account.calendar.get(subject="E1"), account.calendar.get(subject="E2")
    first.subject = "Other"
    first.save(update_fields=["subject"])
    second.delete()
    assert sync() == [("update", "Other"), ("delete", "")]
    names = [item.name for kind, item in account.msg_folder_root.sync_hierarchy()]
    assert {"Calendar", "Tasks", "Inbox"} <= set(names)


def test_a_service_account_works_in_another_s_mailbox(account: Any) -> None:
    url = account.protocol.service_endpoint
    service = log_in(url, ROBOT, exchangelib.IMPERSONATION, ALICE)
    exchangelib.Task(account=service, folder=service.tasks, subject="By the robot").save()
    assert [each.subject for each in account.tasks.all()] == ["By the robot"]
    service.protocol.close()
    intruder = log_in(url, BOB, exchangelib.IMPERSONATION, ALICE)
    with pytest.raises(exchangelib.errors.ErrorImpersonateUserDenied):
        list(intruder.tasks.all())
    intruder.protocol.close()


def test_a_series_and_its_occurrences(account: Any) -> None:
    patterns = exchangelib.recurrence
    exchangelib.CalendarItem(
        account=account,
        folder=account.calendar,
        subject="Weekly",
        start=at(account, 6, 9),
        end=at(account, 6, 10),
        recurrence=patterns.Recurrence(
            pattern=patterns.WeeklyPattern(interval=1, weekdays=["Monday"]),
            start=date(2026, 7, 6),
            number=4,
        ),
    ).save()
    (master,) = account.calendar.all()
    assert (master.type, master.recurrence.boundary.number) == ("RecurringMaster", 4)
    assert master.last_occurrence.start == at(account, 27, 9)

    second = master.occurrence(index=2)
    second.refresh()
    assert second.start == at(account, 13, 9)
    second.subject = "Special"
    second.start, second.end = at(account, 14, 9), at(account, 14, 11)
    second.save(update_fields=["subject", "start", "end"])
    master.occurrence(index=3).delete()

    seen = account.calendar.view(start=at(account, 1, 0), end=at(account, 31, 0))
    assert [(each.subject, each.start.astimezone(at(account, 1, 0).tzinfo)) for each in seen] == [
        ("Weekly", at(account, 6, 9)),
        ("Special", at(account, 14, 9)),
        ("Weekly", at(account, 27, 9)),
    ]
    master.refresh()
    assert [each.original_start for each in master.modified_occurrences] == [at(account, 13, 9)]
    assert [each.start for each in master.deleted_occurrences] == [at(account, 20, 9)]
    (last,) = account.calendar.view(start=at(account, 27, 0), end=at(account, 31, 0))
    again = last.recurring_master()
    again.refresh()
    assert again.type == "RecurringMaster"


def test_files_hang_on_entries(account: Any) -> None:
    entry = exchangelib.CalendarItem(
        account=account,
        folder=account.calendar,
        subject="Review",
        start=at(account, 3, 10),
        end=at(account, 3, 11),
    )
    for name, content in (("one.txt", b"first"), ("two.txt", b"second")):
        entry.attach(exchangelib.FileAttachment(name=name, content=content))
    entry.save()
    (seen,) = account.calendar.all()
    assert [(each.name, each.content) for each in seen.attachments] == [
        ("one.txt", b"first"),
        ("two.txt", b"second"),
    ]
    with seen.attachments[1].fp as file:
        assert file.read() == b"second"
    seen.detach(seen.attachments[0])
    seen.refresh()
    assert [each.name for each in seen.attachments] == ["two.txt"]
    assert seen.has_attachments


def test_free_times_are_asked_for(account: Any) -> None:
    exchangelib.CalendarItem(
        account=account,
        folder=account.calendar,
        subject="Review",
        start=at(account, 3, 10),
        end=at(account, 3, 11),
    ).save()
    (seen,) = account.protocol.get_free_busy_info(
        accounts=[(account, "Organizer", False)],
        start=at(account, 3, 0),
        end=at(account, 4, 0),
        merged_free_busy_interval=60,
        requested_view="DetailedMerged",
    )
    assert seen.merged == "0" * 10 + "2" + "0" * 13
    (entry,) = seen.calendar_events
    assert entry.details.subject == "Review"
    assert (entry.start.hour, entry.end.hour) == (10, 11)


def test_a_meeting_is_answered(account: Any, exchange: Exchange) -> None:
    meeting = exchangelib.CalendarItem(
        account=account,
        folder=account.calendar,
        subject="Review",
        start=at(account, 3, 10),
        end=at(account, 3, 11),
        required_attendees=[BOB],
    )
    meeting.save(send_meeting_invitations=exchangelib.items.SEND_TO_ALL_AND_SAVE_COPY)
    guest = log_in(account.protocol.service_endpoint, BOB, exchangelib.DELEGATE)
    (request,) = guest.inbox.all()
    assert isinstance(request, exchangelib.items.MeetingRequest)
    assert (request.subject, request.start) == ("Review", at(account, 3, 10))
    request.accept(body="Gladly")
    (copy,) = guest.calendar.all()
    assert (copy.my_response_type, copy.organizer.email_address) == ("Accept", ALICE)
    (answer,) = account.inbox.all()
    assert isinstance(answer, exchangelib.items.MeetingResponse)
    assert (answer.response_type, answer.sender.email_address) == ("Accept", BOB)
    (own,) = account.calendar.all()
    (attendee,) = own.required_attendees
    assert attendee.response_type == "Accept"
    own.cancel(new_body="Sorry")
    (copy,) = guest.calendar.all()
    assert copy.is_cancelled
    assert [each.subject for each in guest.inbox.all()] == ["Canceled: Review"]
    assert len(exchange.mails()) == 3
    guest.protocol.close()


def test_the_door_is_found_without_being_told_the_version(account: Any) -> None:
    configuration = exchangelib.Configuration(
        service_endpoint=account.protocol.service_endpoint,
        credentials=exchangelib.Credentials(ALICE, "secret"),
        max_connections=2,
    )
    bare = exchangelib.Account(
        ALICE, config=configuration, autodiscover=False, access_type=exchangelib.DELEGATE
    )
    assert bare.protocol.auth_type == exchangelib.BASIC
    assert bare.version.build.major_version == 15
    (found,) = bare.protocol.resolve_names([BOB])
    assert found.email_address == BOB
    start = exchangelib.UTC_NOW()
    bare.oof_settings = exchangelib.OofSettings(
        state="Scheduled",
        external_audience="None",
        internal_reply="Away",
        external_reply="Out",
        start=start,
        end=start + timedelta(days=3),
    )
    assert (bare.oof_settings.state, bare.oof_settings.internal_reply) == ("Scheduled", "Away")
    bare.protocol.close()
