"""Calendar entries there and back: zones, whole days, people, and what only Exchange says."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import exchangelib
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.formats import windows_zones
from accord.groupware.exchange.codec import event
from accord.model.diff import changes, diff, normalise
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.model.parts import (
    Attendee,
    AttendeeKind,
    Body,
    BodyType,
    Person,
    Privacy,
    Reminder,
    Reply,
    Role,
)
from accord.model.recurrence import Busy, EventStatus
from accord.ports.errors import Rejected
from accord.testing.samples import samples
from accord.testing.strategies import items
from tests.unit.exchange.held import Held
from tests.unit.exchange.post import ALICE, HOME, fields_of, parsed, updated, written

ZONES = ("Europe/Zurich", "America/Los_Angeles", "Pacific/Auckland", "UTC")
BERLIN = "Europe/Berlin"
TALK = Event(
    title="Talk",
    start=datetime(2026, 3, 2, 9),
    end=datetime(2026, 3, 2, 10),
    time_zone=BERLIN,
    location="Room 1",
)


def changed(item: Event, **values: Any) -> Event:
    return msgspec.structs.replace(item, **values)


def read(text: str, home: str = HOME, own: str = "") -> Event:
    item = parsed(exchangelib.CalendarItem, f"<CalendarItem>{text}</CalendarItem>", home)
    return event.read(item, own=own)


def single(item: Any) -> bool:
    return not item.recurs


@settings(max_examples=50)
@given(item=items(Kind.EVENT, ALICE, html=True).filter(single), home=st.sampled_from(ZONES))
def test_whatever_an_entry_says_is_read_back(item: Event, home: str) -> None:
    assert changes(normalise(item, event.traits()), Held(item, home).read()) == ()


@settings(max_examples=30)
@given(one=items(Kind.EVENT, ALICE).filter(single), other=items(Kind.EVENT, ALICE).filter(single))
def test_any_change_of_an_entry_leads_to_what_is_wanted(one: Event, other: Event) -> None:
    held = Held(one)
    before = held.read()
    held.update(other, before)
    assert changes(changed(other, organizer=None), changed(held.read(), organizer=None)) == ()


@pytest.mark.parametrize(
    "name", [name for name, each in samples(Kind.EVENT, ALICE).items() if single(each)]
)
@pytest.mark.parametrize("home", ZONES)
def test_a_named_entry_is_read_back_wherever_the_mailbox_is(name: str, home: str) -> None:
    item = samples(Kind.EVENT, ALICE)[name]
    assert isinstance(item, Event)
    assert changes(item, Held(item, home).read()) == ()


# ---- times ----

DAYS = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]


@pytest.mark.parametrize(
    "home",
    [
        "Europe/Zurich",
        "America/Los_Angeles",
        "Africa/Cairo",
        "Pacific/Auckland",
        "Australia/Lord_Howe",
    ],
)
@pytest.mark.parametrize("length", [1, 2, 3])
def test_whole_days_stay_whole_where_clocks_change(home: str, length: int) -> None:
    offsets = [
        datetime(d.year, d.month, d.day, 12, tzinfo=ZoneInfo(home)).utcoffset() for d in DAYS
    ]
    near = {n + k for n in range(1, 365) if offsets[n] != offsets[n - 1] for k in range(-3, 4)}
    for number in sorted(near):
        start = datetime.combine(DAYS[number], datetime.min.time())
        item = Event(start=start, end=start + timedelta(days=length), all_day=True)
        assert changes(item, Held(item, home).read()) == ()


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        ("2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"),
        ("2026-03-29T00:00:00.0000000+01:00", "2026-03-30T00:00:00.0000000+02:00"),
        ("2026-03-29T00:00:00Z", "2026-03-30T00:00:00Z"),
        ("2026-03-29T00:00:00", "2026-03-30T00:00:00"),
        ("2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z"),
    ],
)
@pytest.mark.parametrize("zone", ['<StartTimeZone Id="W. Europe Standard Time"/>', ""])
def test_a_day_of_23_hours_is_one_day(start: str, end: str, zone: str) -> None:
    found = read(f"<Start>{start}</Start><End>{end}</End><IsAllDayEvent>1</IsAllDayEvent>{zone}")
    assert (found.start, found.end) == (datetime(2026, 3, 29), datetime(2026, 3, 30))
    assert (found.all_day, found.time_zone) == (True, None)


@pytest.mark.parametrize("home", ["America/Los_Angeles", "Pacific/Auckland"])
def test_a_day_told_in_utc_is_that_day_everywhere(home: str) -> None:
    days = "<Start>2026-03-29T00:00:00Z</Start><End>2026-03-31T00:00:00Z</End>"
    found = read(f"{days}<IsAllDayEvent>true</IsAllDayEvent>", home)
    assert (found.start, found.end) == (datetime(2026, 3, 29), datetime(2026, 3, 31))


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ('Id="W. Europe Standard Time"', "Europe/Berlin"),
        ('Id="w. europe standard time"', "Europe/Berlin"),
        ('Id="Europe/Paris"', "Europe/Paris"),
        ('Name="Eastern Standard Time"', "America/New_York"),
        ('Id="tzone://Microsoft/Utc"', "UTC"),
        ('Id="UTC"', "UTC"),
        ('Id="tzone://Microsoft/Custom" Name="Our own"', HOME),
        ("", HOME),
    ],
)
def test_a_zone_is_understood_however_it_is_spelled(zone: str, expected: str) -> None:
    found = read(
        f"<Start>2026-07-03T08:00:00.123Z</Start><End>2026-07-03T09:30:00+00:00</End>"
        f"<StartTimeZone {zone}/>"
    )
    local = datetime(2026, 7, 3, 8, tzinfo=UTC).astimezone(ZoneInfo(expected)).replace(tzinfo=None)
    assert (found.time_zone, found.start) == (expected, local)
    assert found.end == local + timedelta(minutes=90)


@pytest.mark.parametrize("month", [1, 7])
def test_every_zone_of_windows_carries_its_time(month: int) -> None:
    start = datetime(2026, month, 8, 9, 30)
    for zone in windows_zones.common():
        item = Event(start=start, end=start + timedelta(hours=1), time_zone=zone)
        sent = event.properties(item)
        there = start.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        assert sent["start"].astimezone(exchangelib.UTC) == there
        found = event.read(exchangelib.CalendarItem(**sent), home="UTC")
        assert changes(item, found, {"start", "end", "time_zone"}) == ()


def test_the_clock_s_name_is_kept_where_windows_has_one_for_many() -> None:
    for zone in ("Europe/Zurich", "America/Toronto", "Antarctica/Troll", "Asia/Saigon"):
        item = changed(TALK, time_zone=zone)
        assert Held(item).read() == item


def test_an_edit_in_outlook_beats_what_was_kept() -> None:
    item = changed(TALK, time_zone=None, priority=3, status=EventStatus.TENTATIVE)
    held = Held(item)
    assert held.read() == item
    held.master["start"] = held.master["start"] - timedelta(hours=1)
    assert held.read() == changed(item, start=datetime(2026, 3, 2, 8))
    held.master["_start_timezone"] = exchangelib.EWSTimeZone("America/New_York")
    assert (held.read().time_zone, held.read().start) == (
        "America/New_York",
        datetime(2026, 3, 2, 2),
    )
    held.master["importance"] = "Low"
    assert held.read().priority == 9


def test_whole_days_that_end_where_they_begin_show_on_their_day() -> None:
    item = changed(TALK, start=datetime(2026, 3, 2), end=datetime(2026, 3, 2), all_day=True)
    item = changed(item, time_zone=None)
    sent = event.properties(item)
    assert (sent["start"], sent["end"]) == (date(2026, 3, 2), date(2026, 3, 2))
    assert Held(item).read() == item


def test_an_entry_without_a_start_is_refused() -> None:
    with pytest.raises(Rejected, match="begins"):
        read("<Subject>Talk</Subject><Start>yesterday</Start>")


def test_a_zone_nobody_knows_is_refused() -> None:
    with pytest.raises(Rejected, match="no time zone"):
        event.properties(changed(TALK, time_zone="Mars/Olympus"))


# ---- what else an entry says ----

TIMES = "<Start>2026-03-02T08:00:00Z</Start><End>2026-03-02T09:00:00Z</End>"


def test_an_entry_with_nothing_but_times_is_read() -> None:
    assert read(TIMES) == Event(
        start=datetime(2026, 3, 2, 9), end=datetime(2026, 3, 2, 10), time_zone=HOME
    )


@pytest.mark.parametrize("busy", Busy)
def test_how_an_entry_shows(busy: Busy) -> None:
    item = changed(TALK, busy=busy)
    assert "accord_kept" not in event.properties(item)
    assert Held(item).read() == item


def test_a_word_nobody_knows_hides_more_than_it_shows() -> None:
    found = read(
        f"<Sensitivity>Strange</Sensitivity>{TIMES}"
        "<LegacyFreeBusyStatus>NoData</LegacyFreeBusyStatus>"
    )
    assert (found.privacy, found.busy) == (Privacy.PRIVATE, Busy.BUSY)


def test_only_one_reminder_shows() -> None:
    item = changed(TALK, reminders=(Reminder(minutes=-5), Reminder(minutes=30)))
    sent = event.properties(item)
    assert (sent["reminder_is_set"], sent["reminder_minutes_before_start"]) == (True, 30)
    assert Held(item).read() == item
    off = event.properties(changed(item, reminders=()), item, ("reminders",))
    assert off["reminder_is_set"] is False
    updated(exchangelib.CalendarItem, off)


def test_who_is_invited_to_what() -> None:
    item = changed(
        TALK,
        organizer=Person(address=ALICE),
        attendees=(
            Attendee(address="bea@example.org", name="Bea", reply=Reply.ACCEPTED),
            Attendee(address="carl@example.org", role=Role.OPTIONAL, reply=Reply.DECLINED),
            Attendee(address="all@example.org", attendee_kind=AttendeeKind.GROUP),
            Attendee(address="room@example.org", attendee_kind=AttendeeKind.ROOM),
        ),
    )
    sent = event.properties(item)
    assert [
        len(sent[name]) for name in ("required_attendees", "optional_attendees", "resources")
    ] == [
        2,
        1,
        1,
    ]
    assert "accord_kept" not in sent
    assert changes(item, Held(item).read()) == ()
    odd = changed(
        item,
        attendees=(
            Attendee(address="beamer@example.org", attendee_kind=AttendeeKind.RESOURCE),
            Attendee(address="dan@example.org", role=Role.INFORMATIONAL, reply=Reply.DELEGATED),
        ),
    )
    assert changes(odd, Held(odd).read()) == ()


GUESTS = (
    "<RequiredAttendees><Attendee><Mailbox><Name>Alice</Name><EmailAddress>Alice@Example.com"
    "</EmailAddress></Mailbox></Attendee><Attendee><Mailbox><EmailAddress>bea@example.org"
    "</EmailAddress></Mailbox><ResponseType>Tentative</ResponseType><LastResponseTime>"
    "2026-03-01T08:00:00.5Z</LastResponseTime></Attendee><Attendee><Mailbox><Name>Somebody</Name>"
    "<MailboxType>OneOff</MailboxType></Mailbox></Attendee></RequiredAttendees>"
    "<OptionalAttendees><Attendee><Mailbox><EmailAddress>BEA@example.org</EmailAddress></Mailbox>"
    "</Attendee></OptionalAttendees>"
)
ORGANIZER = (
    "<Organizer><Mailbox><Name>Olga</Name><EmailAddress>olga@example.org</EmailAddress>"
    "</Mailbox></Organizer>"
)


def test_an_invitation_tells_one_s_own_answer_apart() -> None:
    head = f"{TIMES}<IsMeeting>true</IsMeeting><MyResponseType>Accept</MyResponseType>{ORGANIZER}"
    found = read(head + GUESTS, own=ALICE)
    assert found.organizer == Person(address="olga@example.org", name="Olga")
    assert [(each.address, each.name, each.reply) for each in found.attendees] == [
        ("Alice@Example.com", "Alice", Reply.ACCEPTED),
        ("bea@example.org", "", Reply.TENTATIVE),
        ("", "Somebody", Reply.NEEDS_ACTION),
    ]
    sent = event.properties(found, None, ("attendees",))
    assert [each.mailbox.mailbox_type for each in sent["required_attendees"]] == [
        *("Mailbox", "Mailbox", "OneOff")
    ]
    updated(exchangelib.CalendarItem, sent)


def test_a_plain_entry_has_no_organizer_and_a_cancelled_one_says_so() -> None:
    assert read(f"{TIMES}{ORGANIZER}").organizer is None
    found = read(f"{TIMES}<IsCancelled>true</IsCancelled>{ORGANIZER}{GUESTS}")
    assert found.status is EventStatus.CANCELLED
    assert found.organizer is not None


def test_an_address_of_the_directory_is_no_address() -> None:
    organizer = (
        "<Organizer><Mailbox><EmailAddress>/o=Acme/cn=olga</EmailAddress></Mailbox></Organizer>"
    )
    found = read(f"{TIMES}<IsMeeting>1</IsMeeting>{organizer}")
    assert found.organizer == Person(name="olga")


def test_a_cancellation_on_the_server_beats_what_was_kept() -> None:
    held = Held(changed(TALK, status=EventStatus.TENTATIVE))
    item = parsed(exchangelib.CalendarItem, written(exchangelib.CalendarItem, held.master))
    assert event.read(item).status is EventStatus.TENTATIVE
    item.is_cancelled = True
    assert event.read(item).status is EventStatus.CANCELLED


def test_where_to_join_is_read_wherever_it_stands() -> None:
    def extended(name: str, link: str) -> str:
        return (
            "<ExtendedProperty><ExtendedFieldURI DistinguishedPropertySetId='PublicStrings' "
            f"PropertyName='{name}' PropertyType='String'/><Value>{link}</Value></ExtendedProperty>"
        )

    lync = extended("OnlineMeetingConfLink", "conf:lync")
    teams = extended("SkypeTeamsMeetingUrl", "https://teams.example")
    assert read(lync + TIMES).online_meeting == "conf:lync"
    assert read(lync + teams + TIMES).online_meeting == "https://teams.example"
    shown = "<NetShowUrl>https://meet.example</NetShowUrl>"
    assert read(teams + TIMES + shown).online_meeting == "https://meet.example"


def test_html_of_the_same_words_is_left_alone() -> None:
    before = changed(TALK, body=Body(text="<p>Dear <b>all</b></p>", type=BodyType.HTML))
    twin = changed(before, body=Body(text="Dear all"), title="Talks")
    assert event.properties(twin, before, diff(before, twin)) == {"subject": "Talks"}


def test_only_what_changed_is_sent() -> None:
    after = changed(TALK, end=datetime(2026, 3, 2, 11), location="")
    sent = event.properties(after, TALK, diff(TALK, after))
    assert fields_of(updated(exchangelib.CalendarItem, sent)) == [
        ("SetItemField", "calendar:Start"),
        ("SetItemField", "calendar:End"),
        ("SetItemField", "calendar:IsAllDayEvent"),
        ("DeleteItemField", "calendar:Location"),
        ("SetItemField", "calendar:StartTimeZone"),
        ("SetItemField", "calendar:EndTimeZone"),
    ]


def test_a_changed_entry_of_hours_becomes_one_of_days() -> None:
    held = Held(TALK)
    days = changed(
        TALK, start=datetime(2026, 3, 29), end=datetime(2026, 3, 30), all_day=True, time_zone=None
    )
    held.update(days, held.read())
    assert held.read() == days
    held.update(TALK, days)
    assert held.read() == TALK


def test_files_that_are_there_but_not_told_are_not_none() -> None:
    some = read(f"<HasAttachments>true</HasAttachments>{TIMES}")
    assert [(each.uri, each.stored) for each in some.attachments] == [("stored:", True)]
    for text in ("", "<HasAttachments>false</HasAttachments>"):
        assert read(f"{text}{TIMES}").attachments == ()
