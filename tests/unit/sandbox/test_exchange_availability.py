"""When people are free, as the stand-in Exchange tells it, and the rules of its time zones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from accord.sandbox.exchange import zone_rules
from tests.unit.sandbox.ews import ALICE, BOB, Answer, Desk, Refused, event, set_field
from tests.unit.sandbox.test_exchange_meetings import WEEKLY

ZURICH = (
    "<t:TimeZone><t:Bias>-60</t:Bias><t:StandardTime><t:Bias>0</t:Bias><t:Time>03:00:00</t:Time>"
    "<t:DayOrder>5</t:DayOrder><t:Month>10</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek>"
    "</t:StandardTime><t:DaylightTime><t:Bias>-60</t:Bias><t:Time>02:00:00</t:Time><t:DayOrder>5"
    "</t:DayOrder><t:Month>3</t:Month><t:DayOfWeek>Sunday</t:DayOfWeek></t:DaylightTime>"
    "</t:TimeZone>"
)


def ask(
    desk: Desk,
    view: str = "DetailedMerged",
    user: str = BOB,
    whom: tuple[str, ...] = (ALICE,),
    start: str = "2026-03-03T10:00:00",
    end: str = "2026-03-03T14:00:00",
    minutes: int = 60,
    zone: str = ZURICH,
) -> Answer:
    people = "".join(
        f"<t:MailboxData><t:Email><t:Address>{each}</t:Address></t:Email><t:AttendeeType>Required"
        "</t:AttendeeType></t:MailboxData>"
        for each in whom
    )
    return desk.ask(
        f"<m:GetUserAvailabilityRequest>{zone}<m:MailboxDataArray>{people}</m:MailboxDataArray>"
        f"<t:FreeBusyViewOptions><t:TimeWindow><t:StartTime>{start}</t:StartTime><t:EndTime>{end}"
        f"</t:EndTime></t:TimeWindow><t:MergedFreeBusyIntervalInMinutes>{minutes}"
        f"</t:MergedFreeBusyIntervalInMinutes><t:RequestedView>{view}</t:RequestedView>"
        "</t:FreeBusyViewOptions></m:GetUserAvailabilityRequest>",
        user,
    )


def test_strangers_see_times_and_friends_see_more(desk: Desk) -> None:
    desk.create(event("Talk", "<t:Location>Room 1</t:Location>"))
    bare = ask(desk)
    assert bare.code == "NoError"
    assert bare.text("t:FreeBusyViewType") == "FreeBusyMerged"
    assert bare.text("t:MergedFreeBusy") == "0200"
    assert (bare.text("t:CalendarEvent/t:StartTime"), bare.text("t:CalendarEvent/t:EndTime")) == (
        "2026-03-03T11:00:00",
        "2026-03-03T12:00:00",
    )
    assert bare.all("t:CalendarEventDetails") == []
    for level in ("details", "reader", "editor"):
        desk.exchange.people.grant(desk.alice, desk.bob, level)
        seen = ask(desk)
        assert seen.text("t:FreeBusyViewType") == "DetailedMerged"
        assert seen.text("t:CalendarEventDetails/t:Subject") == "Talk"
        assert seen.text("t:CalendarEventDetails/t:Location") == "Room 1"
        assert bool(seen.all("t:CalendarEventDetails/t:ID")) == (level != "details")
    assert ask(desk, user=ALICE).text("t:CalendarEventDetails/t:IsMeeting") == "false"
    desk.exchange.people.grant(desk.alice, desk.bob, "hidden")
    assert ask(desk).code == "ErrorNoFreeBusyAccess"


@pytest.mark.parametrize(
    ("view", "merged", "events", "details"),
    [
        ("MergedOnly", True, False, False),
        ("FreeBusy", False, True, False),
        ("FreeBusyMerged", True, True, False),
        ("Detailed", False, True, True),
    ],
)
def test_the_views(desk: Desk, view: str, merged: bool, events: bool, details: bool) -> None:
    desk.create(event())
    seen = ask(desk, view, user=ALICE)
    assert seen.text("t:FreeBusyViewType") == view
    found = [
        bool(seen.all(f"t:{name}"))
        for name in ("MergedFreeBusy", "CalendarEvent", "CalendarEventDetails")
    ]
    assert found == [merged, events, details]


def test_private_entries_are_only_times(desk: Desk) -> None:
    desk.create(
        event("Secret").replace(
            "</t:Subject>", "</t:Subject><t:Sensitivity>Private</t:Sensitivity>"
        )
    )
    desk.exchange.people.grant(desk.alice, desk.bob, "editor")
    seen = ask(desk)
    assert seen.text("t:IsPrivate") == "true"
    for name in ("ID", "Subject", "Location"):
        assert seen.all(f"t:CalendarEventDetails/t:{name}") == []
    assert ask(desk, user=ALICE).text("t:CalendarEventDetails/t:Subject") == "Secret"


def test_the_stronger_status_wins_and_series_count(desk: Desk) -> None:
    status = "<t:LegacyFreeBusyStatus>{}</t:LegacyFreeBusyStatus>"
    for each in ("Free", "Tentative", "OOF", "WorkingElsewhere"):
        desk.create(event(each, status.format(each), day="2026-03-04"))
    desk.create(event("Elsewhere", status.format("WorkingElsewhere"), day="2026-03-05"))
    desk.create(event("Series", more=WEEKLY))
    days = {"start": "2026-03-03T00:00:00Z", "end": "2026-03-06T00:00:00Z", "minutes": 1440}
    assert ask(desk, **days).text("t:MergedFreeBusy") == "234"  # type: ignore[arg-type]
    later = ask(desk, start="2026-03-10T00:00:00Z", end="2026-03-11T00:00:00Z", user=ALICE)
    assert later.text("t:CalendarEventDetails/t:IsRecurring") == "true"
    # Summer has begun in Zurich, while the series stands in UTC.
    summer = ask(desk, start="2026-03-31T00:00:00", end="2026-04-01T00:00:00")
    assert summer.all("t:CalendarEvent") == []
    desk.create(event("Summer", day="2026-03-31"))
    summer = ask(desk, start="2026-03-31T00:00:00", end="2026-04-01T00:00:00")
    assert summer.text("t:CalendarEvent/t:StartTime") == "2026-03-31T12:00:00"


def test_each_mailbox_is_answered_for_by_itself(desk: Desk) -> None:
    seen = ask(desk, whom=(BOB, "zoe@example.org", ALICE))
    assert seen.codes == ["NoError", "ErrorMailRecipientNotFound", "NoError"]
    assert len(seen.all("t:FreeBusyViewType")) == 2


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"end": "2026-03-03T10:00:00"}, "ErrorInvalidTimeInterval"),
        ({"end": "2026-05-05T10:00:00"}, "ErrorTimeIntervalTooBig"),
        ({"minutes": 4}, "ErrorInvalidMergedFreeBusyInterval"),
        ({"minutes": 1441}, "ErrorInvalidMergedFreeBusyInterval"),
    ],
)
def test_times_that_are_none_are_refused(desk: Desk, wrong: dict, code: str) -> None:
    with pytest.raises(Refused) as refused:
        ask(desk, **wrong)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("right", "wrong"), [("03:00:00", "noon"), ("<t:DayOfWeek>Sunday", "<t:DayOfWeek>Weekday")]
)
def test_zones_that_are_none_are_refused(desk: Desk, right: str, wrong: str) -> None:
    with pytest.raises(Refused) as refused:
        ask(desk, zone=ZURICH.replace(right, wrong))
    assert refused.value.code == "ErrorTimeZone"


# ---- time zones ----


def zones(desk: Desk, *names: str, full: bool = True) -> Answer:
    ids = "".join(f"<t:Id>{each}</t:Id>" for each in names)
    return desk.ask(
        f'<m:GetServerTimeZones ReturnFullTimeZoneData="{"true" if full else "false"}">'
        f"{f'<m:Ids>{ids}</m:Ids>' if names else ''}</m:GetServerTimeZones>"
    )


def test_zones_are_told_with_their_rules(desk: Desk) -> None:
    seen = zones(desk, "W. Europe Standard Time")
    periods = [(each.get("Name"), each.get("Bias")) for each in seen.all("t:Period")]
    assert periods == [("Standard", "-PT1H"), ("Daylight", "-PT2H")]
    told = [
        [each.findtext("{*}" + name) for name in ("Month", "Occurrence", "DayOfWeek", "TimeOffset")]
        for each in seen.all("t:RecurringDayTransition")
    ]
    assert told == [["3", "-1", "Sunday", "PT2H"], ["10", "-1", "Sunday", "PT3H"]]
    assert zones(desk, "UTC").one("t:Period").get("Bias") == "PT0S"
    assert zones(desk, "UTC", "Nowhere").code == "ErrorTimeZone"
    every = zones(desk, full=False)
    assert len(every.all("t:TimeZoneDefinition")) > 100
    assert every.all("t:Period") == []
    assert len(zones(desk).all("t:Periods")) == len(every.all("t:TimeZoneDefinition"))


@pytest.mark.parametrize(
    "name",
    ["Europe/Zurich", "America/New_York", "Australia/Sydney", "Asia/Kolkata", "Asia/Tokyo"],
)
def test_rules_read_back_are_the_zone_s(name: str) -> None:
    zone = ZoneInfo(name)
    rules = zone_rules.read(zone_rules.write(zone, 2026))
    hour = datetime(2026, 1, 1, 0, 15, tzinfo=UTC)
    while hour.year == 2026:
        wall = hour.astimezone(zone).replace(tzinfo=None)
        both = {wall.replace(tzinfo=zone, fold=each).utcoffset() for each in (0, 1)}
        if len(both) == 1:  # not the hour that is there twice
            assert rules.utcoffset(wall) == hour.astimezone(zone).utcoffset(), wall
        hour += timedelta(hours=1)


# ---- unread mail ----


def test_unread_messages_are_counted(desk: Desk) -> None:
    note = (
        "<t:Message><t:Subject>&lt;t:IsRead&gt;false&lt;/t:IsRead&gt;</t:Subject><t:ToRecipients>"
        f"<t:Mailbox><t:EmailAddress>{BOB}</t:EmailAddress></t:Mailbox></t:ToRecipients></t:Message>"
    )
    for _ in range(2):
        desk.ask(
            f'<m:CreateItem MessageDisposition="SendOnly"><m:Items>{note}</m:Items></m:CreateItem>'
        )
    desk.exchange.people.grant(desk.bob, desk.alice, "editor")
    inbox = (
        '<t:DistinguishedFolderId Id="inbox"><t:Mailbox><t:EmailAddress>'
        f"{BOB}</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>"
    )
    ask_ = (
        "<m:GetFolder><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>"
        f"<m:FolderIds>{inbox}</m:FolderIds></m:GetFolder>"
    )
    assert desk.ask(ask_).text("t:UnreadCount") == "2"
    first = desk.find(inbox).ids[0]
    desk.update(first, set_field("message:IsRead", "Message", "<t:IsRead>true</t:IsRead>"))
    assert desk.ask(ask_).text("t:UnreadCount") == "1"
