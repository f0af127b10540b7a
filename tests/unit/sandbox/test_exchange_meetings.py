"""Meetings between the stand-in Exchange's own mailboxes: invited, answered, changed, cancelled."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.sandbox.ews import ALICE, BOB, Answer, Desk, event, folder_named, named, set_field

EVE, STRANGER = "eve@example.com", "zoe@example.org"
ALL = "SendToAllAndSaveCopy"
WEEKLY = (
    "<t:Recurrence><t:WeeklyRecurrence><t:Interval>1</t:Interval><t:DaysOfWeek>Tuesday"
    "</t:DaysOfWeek></t:WeeklyRecurrence><t:NumberedRecurrence><t:StartDate>2026-03-03"
    "</t:StartDate><t:NumberOfOccurrences>4</t:NumberOfOccurrences></t:NumberedRecurrence>"
    "</t:Recurrence>"
)


def people(*addresses: str, kind: str = "Required") -> str:
    each = "".join(
        f"<t:Attendee><t:Mailbox><t:EmailAddress>{address}</t:EmailAddress></t:Mailbox></t:Attendee>"
        for address in addresses
    )
    return f"<t:{kind}Attendees>{each}</t:{kind}Attendees>"


def invited(
    desk: Desk, more: str = "", notices: str = ALL, who: str = people(BOB, STRANGER)
) -> str:
    """Let Alice invite people and return her entry."""
    made = desk.ask(
        f'<m:CreateItem SendMeetingInvitations="{notices}"><m:Items>'
        f"{event('Review', '<t:Location>Room 1</t:Location>' + who + more)}"
        "</m:Items></m:CreateItem>"
    )
    assert made.code == "NoError"
    return made.ids[0]


def inside(desk: Desk, folder: str, user: str) -> list[str]:
    """Return what a folder holds, the newest first."""
    return desk.ask(
        '<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>'
        f"</m:ItemShape><m:ParentFolderIds>{folder_named(folder)}</m:ParentFolderIds></m:FindItem>",
        user,
    ).ids


def seen(desk: Desk, item: str, user: str = BOB) -> Answer:
    found = desk.ask(
        "<m:GetItem><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape>"
        f"<m:ItemIds>{item}</m:ItemIds></m:GetItem>",
        user,
    )
    assert found.code == "NoError"
    return found


def only(desk: Desk, folder: str, user: str = BOB) -> Answer:
    (item,) = inside(desk, folder, user)
    return seen(desk, item, user)


def reply(
    desk: Desk, item: str, kind: str = "Accept", way: str = "SendAndSaveCopy", user: str = BOB
) -> Answer:
    bare = item.replace("<t:ItemId", "<t:ReferenceItemId")
    return desk.ask(
        f'<m:CreateItem MessageDisposition="{way}"><m:Items><t:{kind}Item>'
        f'<t:Body BodyType="Text">Gladly</t:Body>{bare}</t:{kind}Item></m:Items></m:CreateItem>',
        user,
    )


def sent(desk: Desk) -> list[tuple[str, str, str]]:
    return [(each.sender, each.recipient, each.kind) for each in desk.exchange.mails()]


def test_an_invitation_arrives_and_stands_in_the_calendar(desk: Desk) -> None:
    more = "<t:Body BodyType='HTML'>&lt;b&gt;Dear all&lt;/b&gt;</t:Body>"
    own = desk.ask(
        f'<m:CreateItem SendMeetingInvitations="{ALL}"><m:Items><t:CalendarItem><t:Subject>Review'
        f"</t:Subject>{more}<t:Categories><t:String>Mine</t:String></t:Categories>"
        "<t:Start>2026-03-03T10:00:00Z</t:Start><t:End>2026-03-03T11:00:00Z</t:End>"
        "<t:LegacyFreeBusyStatus>OOF</t:LegacyFreeBusyStatus>"
        f"{people(BOB, STRANGER)}</t:CalendarItem></m:Items></m:CreateItem>"
    ).ids[0]
    assert sent(desk) == [(ALICE, BOB, "request"), (ALICE, STRANGER, "request")]
    mine = seen(desk, own, ALICE)
    assert mine.text("t:MeetingRequestWasSent") == "true"
    assert (mine.text("t:MyResponseType"), mine.text("t:IsOrganizer")) == ("Organizer", "true")
    assert [each.text for each in mine.all("t:ResponseType")] == ["Unknown", "Unknown"]
    assert [each.text for each in mine.all("t:Attendee/t:Mailbox/t:Name")] == [
        "Bob Brown",
        STRANGER,
    ]

    request = only(desk, "inbox")
    assert request.text("t:MeetingRequest/t:ItemClass") == "IPM.Schedule.Meeting.Request"
    assert (request.text("t:Subject"), request.text("t:IsRead")) == ("Review", "false")
    assert request.text("t:From/t:Mailbox/t:EmailAddress") == ALICE
    assert request.text("t:MeetingRequestType") == "NewMeetingRequest"
    assert request.text("t:IntendedFreeBusyStatus") == "OOF"
    assert request.text("t:Start") == "2026-03-03T10:00:00Z"
    copy = only(desk, "calendar")
    assert request.one("t:AssociatedCalendarItemId").get("Id") == copy.one("t:ItemId").get("Id")
    assert copy.text("t:UID") == mine.text("t:UID") == request.text("t:UID")
    assert copy.text("t:MyResponseType") == "NoResponseReceived"
    assert (copy.text("t:LegacyFreeBusyStatus"), copy.text("t:IsOrganizer")) == (
        "Tentative",
        "false",
    )
    assert (copy.text("t:AppointmentState"), copy.text("t:IsMeeting")) == ("3", "true")
    assert copy.text("t:Organizer/t:Mailbox/t:EmailAddress") == ALICE
    assert copy.text("t:Body") == "<b>Dear all</b>"
    assert copy.all("t:Categories") == []
    assert only(desk, "sentitems", ALICE).text("t:IsRead") == "true"
    assert inside(desk, "inbox", ALICE) == []


@pytest.mark.parametrize("notices", ["SendOnlyToAll", ALL])
def test_only_who_asks_for_a_copy_keeps_one(desk: Desk, notices: str) -> None:
    invited(desk, notices=notices)
    assert len(inside(desk, "sentitems", ALICE)) == (notices == ALL)


def test_silent_meetings_stay_with_their_organizer(desk: Desk) -> None:
    own = invited(desk, notices="SendToNone")
    own = desk.update(
        own, set_field("item:Subject", "CalendarItem", "<t:Subject>x</t:Subject>")
    ).ids[0]
    assert seen(desk, own, ALICE).text("t:MeetingRequestWasSent") == "false"
    assert desk.delete(own).code == "NoError"
    assert sent(desk) == []
    for folder in ("inbox", "calendar"):
        assert inside(desk, folder, BOB) == []


@pytest.mark.parametrize(
    ("kind", "told", "status"),
    [("Accept", "Accept", "Busy"), ("TentativelyAccept", "Tentative", "Tentative")],
)
def test_an_accepted_meeting_is_made_anew(desk: Desk, kind: str, told: str, status: str) -> None:
    own = invited(desk)
    desk.now += timedelta(hours=1)
    (request,), (before,) = inside(desk, "inbox", BOB), inside(desk, "calendar", BOB)
    done = reply(desk, request, kind)
    assert done.code == "NoError"
    (after,) = inside(desk, "calendar", BOB)
    assert after in done.ids
    assert after.split('"')[1] != before.split('"')[1]
    copy = seen(desk, after)
    assert copy.text("t:MyResponseType") == told
    assert copy.text("t:LegacyFreeBusyStatus") == status
    assert copy.text("t:AppointmentReplyTime") == "2026-03-02T10:00:00Z"
    assert inside(desk, "inbox", BOB) == []
    assert only(desk, "deleteditems").text("t:MeetingRequest/t:Subject") == "Review"

    assert sent(desk)[2:] == [(BOB, ALICE, "response")]
    answer = only(desk, "inbox", ALICE)
    assert answer.text("t:MeetingResponse/t:ResponseType") == told
    assert answer.text("t:Body") == "Gladly"
    assert answer.text("t:From/t:Mailbox/t:EmailAddress") == BOB
    mine = seen(desk, own, ALICE)
    assert [each.text for each in mine.all("t:ResponseType")] == [told, "Unknown"]
    assert mine.text("t:LastResponseTime") == "2026-03-02T10:00:00Z"
    assert answer.one("t:AssociatedCalendarItemId").get("Id") == mine.one("t:ItemId").get("Id")
    assert only(desk, "sentitems").all("t:MeetingResponse")


def test_a_declined_meeting_is_thrown_away(desk: Desk) -> None:
    own = invited(desk)
    (copy,) = inside(desk, "calendar", BOB)
    assert reply(desk, copy, "Decline", "SendOnly").code == "NoError"
    assert inside(desk, "calendar", BOB) == []
    assert only(desk, "deleteditems").text("t:CalendarItem/t:Subject") == "Review"
    assert inside(desk, "sentitems", BOB) == []
    assert seen(desk, own, ALICE).all("t:ResponseType")[0].text == "Decline"
    (request,) = inside(desk, "inbox", BOB)
    assert reply(desk, request).code == "ErrorItemNotFound"


def test_a_reply_can_be_kept_to_oneself(desk: Desk) -> None:
    own = invited(desk)
    (copy,) = inside(desk, "calendar", BOB)
    assert reply(desk, copy, way="SaveOnly").code == "NoError"
    assert only(desk, "calendar").text("t:MyResponseType") == "Accept"
    assert len(sent(desk)) == 2
    assert seen(desk, own, ALICE).all("t:ResponseType")[0].text == "Unknown"
    assert only(desk, "drafts").all("t:MeetingResponse")


def test_who_may_not_reply(desk: Desk) -> None:
    own = invited(desk)
    (copy,), (request,) = inside(desk, "calendar", BOB), inside(desk, "inbox", BOB)
    assert reply(desk, own, user=ALICE).code == "ErrorCalendarIsOrganizerForAccept"
    bare = copy.replace("<t:ItemId", "<t:ReferenceItemId")
    cancel = (
        '<m:CreateItem MessageDisposition="SendOnly"><m:Items><t:CancelCalendarItem>'
        f"{bare}</t:CancelCalendarItem></m:Items></m:CreateItem>"
    )
    assert desk.ask(cancel, BOB).code == "ErrorCalendarIsNotOrganizer"
    remove = f"<m:CreateItem><m:Items><t:RemoveItem>{bare}</t:RemoveItem></m:Items></m:CreateItem>"
    assert desk.ask(remove, BOB).code == "ErrorInvalidOperation"
    silent = f"<m:CreateItem><m:Items><t:AcceptItem>{bare}</t:AcceptItem></m:Items></m:CreateItem>"
    assert desk.ask(silent, BOB).code == "ErrorMessageDispositionRequired"
    assert desk.delete(own, notices=ALL).code == "NoError"
    assert reply(desk, request).code == "ErrorCalendarIsCancelledForAccept"
    assert len(sent(desk)) == 4


PLACE = set_field("calendar:Location", "CalendarItem", "<t:Location>Room 2</t:Location>")
LATER = set_field("calendar:Start", "CalendarItem", "<t:Start>2026-03-03T10:30:00Z</t:Start>")


def test_news_of_the_place_leave_replies_alone(desk: Desk) -> None:
    own = invited(desk)
    reply(desk, inside(desk, "inbox", BOB)[0])
    own = inside(desk, "calendar", ALICE)[0]
    assert desk.update(own, PLACE, notices=ALL).code == "NoError"
    assert sent(desk)[3:] == [(ALICE, BOB, "update"), (ALICE, STRANGER, "update")]
    copy = only(desk, "calendar")
    assert (copy.text("t:Location"), copy.text("t:MyResponseType")) == ("Room 2", "Accept")
    assert only(desk, "inbox").text("t:MeetingRequestType") == "InformationalUpdate"


def test_another_time_asks_for_new_replies(desk: Desk) -> None:
    invited(desk)
    reply(desk, inside(desk, "calendar", BOB)[0])
    own = inside(desk, "calendar", ALICE)[0]
    own = desk.update(own, LATER, notices=ALL).ids[0]
    copy = only(desk, "calendar")
    assert copy.text("t:Start") == "2026-03-03T10:30:00Z"
    assert copy.text("t:MyResponseType") == "NoResponseReceived"
    assert copy.text("t:LegacyFreeBusyStatus") == "Tentative"
    mine = seen(desk, own, ALICE)
    assert {each.text for each in mine.all("t:ResponseType")} == {"Unknown"}
    assert mine.text("t:AppointmentSequenceNumber") == "1"
    new, old = (seen(desk, each) for each in inside(desk, "inbox", BOB))
    assert (new.text("t:MeetingRequestType"), new.text("t:IsOutOfDate")) == ("FullUpdate", "false")
    assert (old.text("t:MeetingRequestType"), old.text("t:IsOutOfDate")) == ("Outdated", "true")


def test_only_who_joins_or_leaves_is_told_where_asked_so(desk: Desk) -> None:
    desk.exchange.people.add(EVE, "secret")
    own = invited(desk)
    change = set_field("calendar:RequiredAttendees", "CalendarItem", people(STRANGER, EVE))
    assert desk.update(own, change, notices="SendToChangedAndSaveCopy").code == "NoError"
    assert sent(desk)[2:] == [(ALICE, EVE, "request"), (ALICE, BOB, "cancellation")]
    assert only(desk, "inbox", EVE).text("t:MeetingRequestType") == "NewMeetingRequest"
    assert only(desk, "calendar", EVE).text("t:Subject") == "Review"
    assert only(desk, "calendar").text("t:IsCancelled") == "true"


def test_replies_outlast_a_change_of_the_list(desk: Desk) -> None:
    invited(desk)
    reply(desk, inside(desk, "calendar", BOB)[0])
    own = inside(desk, "calendar", ALICE)[0]
    change = set_field("calendar:RequiredAttendees", "CalendarItem", people(EVE, BOB))
    own = desk.update(own, change).ids[0]
    mine = seen(desk, own, ALICE)
    assert [each.text for each in mine.all("t:ResponseType")] == ["Unknown", "Accept"]


def test_a_cancelled_meeting_is_marked_and_removed(desk: Desk) -> None:
    own = invited(desk)
    assert desk.delete(own, notices="SendOnlyToAll").code == "NoError"
    assert sent(desk)[2:] == [(ALICE, BOB, "cancellation"), (ALICE, STRANGER, "cancellation")]
    copy = only(desk, "calendar")
    assert (copy.text("t:Subject"), copy.text("t:IsCancelled")) == ("Canceled: Review", "true")
    assert (copy.text("t:AppointmentState"), copy.text("t:LegacyFreeBusyStatus")) == ("7", "Free")
    message, _ = inside(desk, "inbox", BOB)
    told = seen(desk, message)
    assert told.text("t:MeetingCancellation/t:ItemClass") == "IPM.Schedule.Meeting.Canceled"
    bare = message.replace("<t:ItemId", "<t:ReferenceItemId")
    gone = desk.ask(
        '<m:CreateItem MessageDisposition="SaveOnly"><m:Items><t:RemoveItem>'
        f"{bare}</t:RemoveItem></m:Items></m:CreateItem>",
        BOB,
    )
    assert gone.code == "NoError"
    assert inside(desk, "calendar", BOB) == []
    assert len(inside(desk, "inbox", BOB)) == 1
    assert len(inside(desk, "deleteditems", BOB)) == 2
    assert len(sent(desk)) == 4


@pytest.mark.parametrize(
    ("way", "mails"), [("SendAndSaveCopy", 2), ("SendOnly", 2), ("SaveOnly", 0)]
)
def test_a_meeting_is_cancelled_with_a_word(desk: Desk, way: str, mails: int) -> None:
    own = invited(desk)
    bare = own.replace("<t:ItemId", "<t:ReferenceItemId")
    done = desk.ask(
        f'<m:CreateItem MessageDisposition="{way}"><m:Items><t:CancelCalendarItem>{bare}'
        '<t:NewBodyContent BodyType="Text">Sorry</t:NewBodyContent></t:CancelCalendarItem>'
        "</m:Items></m:CreateItem>"
    )
    assert done.code == "NoError"
    assert inside(desk, "calendar", ALICE) == []
    assert len(sent(desk)) == 2 + mails
    if mails:
        assert seen(desk, inside(desk, "inbox", BOB)[0]).text("t:Body") == "Sorry"


def test_an_attendee_s_own_changes_tell_nobody(desk: Desk) -> None:
    own = invited(desk)
    (copy,) = inside(desk, "calendar", BOB)
    desk.exchange.people.grant(desk.bob, desk.alice, "editor")
    copy = desk.update(copy, PLACE, notices=ALL).ids[0]
    assert desk.delete(copy, notices=ALL).code == "NoError"
    assert len(sent(desk)) == 2
    assert seen(desk, own, ALICE).text("t:Location") == "Room 1"


# ---- series ----


def occurrence(master: str, number: int) -> str:
    which = master.split('"')[1]
    return f'<t:OccurrenceItemId RecurringMasterId="{which}" InstanceIndex="{number}"/>'


def days(desk: Desk, user: str) -> list[tuple[str, str, str]]:
    found = desk.ask(
        '<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape>'
        '</m:ItemShape><m:CalendarView StartDate="2026-03-01T00:00:00Z"'
        ' EndDate="2026-04-01T00:00:00Z"/><m:ParentFolderIds>'
        f"{folder_named('calendar')}</m:ParentFolderIds></m:FindItem>",
        user,
    )
    return [
        (
            each.findtext("{*}Start", ""),
            each.findtext("{*}Subject", ""),
            each.findtext("{*}MyResponseType", ""),
        )
        for each in found.all("t:CalendarItem")
    ]


def test_a_series_is_invited_to_as_one(desk: Desk) -> None:
    own = invited(desk, WEEKLY)
    assert only(desk, "inbox").text("t:CalendarItemType") == "RecurringMaster"
    assert [each[0][8:10] for each in days(desk, BOB)] == ["03", "10", "17", "24"]
    reply(desk, inside(desk, "inbox", BOB)[0])
    assert {each[2] for each in days(desk, BOB)} == {"Accept"}
    own = inside(desk, "calendar", ALICE)[0]
    title = set_field("item:Subject", "CalendarItem", "<t:Subject>Special</t:Subject>")
    one = desk.update(
        occurrence(own, 2), title + LATER.replace("03-03", "03-10"), "AlwaysOverwrite", ALL
    )
    assert one.code == "NoError"
    assert days(desk, BOB)[1] == ("2026-03-10T10:30:00Z", "Special", "NoResponseReceived")
    assert [each[2] for each in days(desk, BOB)] == [
        "Accept",
        "NoResponseReceived",
        "Accept",
        "Accept",
    ]
    news = seen(desk, inside(desk, "inbox", BOB)[0])
    assert news.text("t:RecurrenceId") == "2026-03-10T10:00:00Z"
    assert desk.delete(occurrence(own, 3), notices=ALL).code == "NoError"
    assert days(desk, BOB)[2][1] == "Canceled: Review"
    assert [each[0][8:10] for each in days(desk, ALICE)] == ["03", "10", "24"]
    kinds = [each[2] for each in sent(desk) if each[1] == BOB]
    assert kinds == ["request", "update", "cancellation"]


def test_one_occurrence_is_answered_by_itself(desk: Desk) -> None:
    own = invited(desk, WEEKLY)
    theirs = inside(desk, "calendar", BOB)[0]
    second = seen(desk, occurrence(theirs, 2)).one("t:CalendarItem/t:ItemId")
    assert reply(desk, named(second)).code == "NoError"
    assert [each[2] for each in days(desk, BOB)] == [
        "NoResponseReceived",
        "Accept",
        "NoResponseReceived",
        "NoResponseReceived",
    ]
    mine = seen(desk, occurrence(own, 2), ALICE)
    assert mine.all("t:ResponseType")[0].text == "Accept"
    assert seen(desk, occurrence(own, 3), ALICE).all("t:ResponseType")[0].text == "Unknown"
    third = seen(desk, occurrence(theirs, 3)).one("t:CalendarItem/t:ItemId")
    assert reply(desk, named(third), "Decline").code == "NoError"
    assert [each[0][8:10] for each in days(desk, BOB)] == ["03", "10", "24"]
    assert seen(desk, occurrence(own, 3), ALICE).all("t:ResponseType")[0].text == "Decline"


def test_a_guest_of_one_occurrence_sees_only_that(desk: Desk) -> None:
    desk.exchange.people.add(EVE, "secret")
    own = invited(desk, WEEKLY)
    guests = set_field("calendar:RequiredAttendees", "CalendarItem", people(BOB, STRANGER, EVE))
    assert desk.update(occurrence(own, 2), guests, "AlwaysOverwrite", ALL).code == "NoError"
    assert [each[0] for each in days(desk, EVE)] == ["2026-03-10T10:00:00Z"]
    assert reply(desk, inside(desk, "inbox", EVE)[0], user=EVE).code == "NoError"
    replies = seen(desk, occurrence(own, 2), ALICE).all("t:ResponseType")
    assert [each.text for each in replies] == ["Unknown", "Unknown", "Accept"]


def test_a_declined_occurrence_comes_back_when_it_changes(desk: Desk) -> None:
    own = invited(desk, WEEKLY)
    second = seen(desk, occurrence(inside(desk, "calendar", BOB)[0], 2)).one("t:ItemId")
    assert reply(desk, named(second), "Decline").code == "NoError"
    assert len(days(desk, BOB)) == 3
    later = LATER.replace("03-03", "03-10")
    assert desk.update(occurrence(own, 2), later, "AlwaysOverwrite", ALL).code == "NoError"
    assert days(desk, BOB)[1] == ("2026-03-10T10:30:00Z", "Review", "NoResponseReceived")


def test_a_moved_series_forgets_what_was_special(desk: Desk) -> None:
    own = invited(desk, WEEKLY)
    later = LATER.replace("03-03", "03-10")
    own = desk.update(occurrence(own, 2), later, "AlwaysOverwrite", ALL).ids[0]
    (master,) = inside(desk, "calendar", ALICE)
    assert desk.update(master, LATER, notices=ALL).code == "NoError"
    assert [each[0][8:16] for each in days(desk, BOB)] == [
        f"{day}T10:30" for day in ("03", "10", "17", "24")
    ]
    assert only(desk, "calendar").all("t:ModifiedOccurrences") == []


# ---- receipts ----

NOTE = (
    "<t:Message><t:Subject>Hi</t:Subject><t:ToRecipients><t:Mailbox><t:EmailAddress>"
    f"{BOB}</t:EmailAddress></t:Mailbox></t:ToRecipients><t:IsReadReceiptRequested>true"
    "</t:IsReadReceiptRequested></t:Message>"
)


@pytest.mark.parametrize("quiet", [True, False])
@pytest.mark.parametrize("way", ["read", "deleted"])
def test_a_receipt_is_sent_unless_suppressed(desk: Desk, way: str, quiet: bool) -> None:
    desk.ask(
        f'<m:CreateItem MessageDisposition="SendOnly"><m:Items>{NOTE}</m:Items></m:CreateItem>'
    )
    (note,) = inside(desk, "inbox", BOB)
    mark = f'SuppressReadReceipts="{"true" if quiet else "false"}"'
    if way == "read":
        read = set_field("message:IsRead", "Message", "<t:IsRead>true</t:IsRead>")
        body = (
            f'<m:UpdateItem ConflictResolution="AlwaysOverwrite" {mark}'
            ' MessageDisposition="SaveOnly"><m:ItemChanges><t:ItemChange>'
            f"{note}<t:Updates>{read}</t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>"
        )
    else:
        body = (
            f'<m:DeleteItem DeleteType="MoveToDeletedItems" {mark}><m:ItemIds>{note}</m:ItemIds>'
            "</m:DeleteItem>"
        )
    assert desk.ask(body, BOB).code == "NoError"
    receipts = [] if quiet else [(BOB, ALICE, "receipt")]
    assert sent(desk) == [(ALICE, BOB, "message"), *receipts]
