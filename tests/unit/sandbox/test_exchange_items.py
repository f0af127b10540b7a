"""Folders and items of the stand-in Exchange: created, read, changed, found, moved, deleted."""

from __future__ import annotations

import pytest

from tests.unit.sandbox.ews import ALICE, BOB, Desk, Refused, event, login, named, set_field

KEY = (
    '<t:ExtendedFieldURI PropertySetId="11111111-2222-3333-4444-555555555555"'
    ' PropertyName="Key" PropertyType="String"/>'
)


def keyed(value: str) -> str:
    return f"<t:ExtendedProperty>{KEY}<t:Value>{value}</t:Value></t:ExtendedProperty>"


def test_folders_have_names_classes_and_parents(desk: Desk) -> None:
    answer = desk.ask(
        "<m:GetFolder><m:FolderShape><t:BaseShape>AllProperties</t:BaseShape></m:FolderShape>"
        '<m:FolderIds><t:DistinguishedFolderId Id="calendar"/><t:DistinguishedFolderId Id="tasks"/>'
        '<t:DistinguishedFolderId Id="syncissues"/></m:FolderIds></m:GetFolder>'
    )
    assert answer.codes == ["NoError", "NoError", "ErrorFolderNotFound"]
    assert [each.text for each in answer.all("t:DisplayName")] == ["Calendar", "Tasks"]
    assert answer.text("t:CalendarFolder/t:FolderClass") == "IPF.Appointment"
    assert answer.text("t:TasksFolder/t:FolderClass") == "IPF.Task"


def test_a_folder_is_made_found_renamed_and_removed(desk: Desk) -> None:
    make = (
        '<m:CreateFolder><m:ParentFolderId><t:DistinguishedFolderId Id="contacts"/>'
        "</m:ParentFolderId><m:Folders><t:ContactsFolder><t:DisplayName>Clients</t:DisplayName>"
        "</t:ContactsFolder></m:Folders></m:CreateFolder>"
    )
    made = desk.ask(make)
    assert made.code == "NoError"
    assert desk.ask(make).code == "ErrorFolderExists"
    found = desk.ask(
        '<m:FindFolder Traversal="Deep"><m:FolderShape><t:BaseShape>Default</t:BaseShape>'
        "</m:FolderShape><m:Restriction><t:IsEqualTo>"
        '<t:FieldURI FieldURI="folder:DisplayName"/><t:FieldURIOrConstant>'
        '<t:Constant Value="Clients"/></t:FieldURIOrConstant></t:IsEqualTo></m:Restriction>'
        '<m:ParentFolderIds><t:DistinguishedFolderId Id="msgfolderroot"/></m:ParentFolderIds>'
        "</m:FindFolder>"
    )
    row = found.one("t:FolderId").get("Id")
    assert row == made.one("t:FolderId").get("Id")
    assert found.one("m:RootFolder").get("TotalItemsInView") == "1"
    place = f'<t:FolderId Id="{row}"/>'
    contact = desk.create("<t:Contact><t:GivenName>Eve</t:GivenName></t:Contact>", folder=place)
    assert contact.code == "NoError"
    gone = (
        f'<m:DeleteFolder DeleteType="HardDelete"><m:FolderIds>{place}</m:FolderIds>'
        "</m:DeleteFolder>"
    )
    assert desk.ask(gone).code == "NoError"
    assert desk.ask(gone).code == "ErrorFolderNotFound"
    assert desk.get(contact.ids[0]).code == "ErrorItemNotFound"


def test_an_event_keeps_what_was_set_and_shows_what_follows(desk: Desk) -> None:
    made = desk.create(event("Talk", "<t:Location>Room 1</t:Location>"))
    seen = desk.get(made.ids[0])
    assert seen.text("t:Subject") == "Talk"
    assert seen.text("t:Location") == "Room 1"
    assert seen.text("t:CalendarItem/t:Start") == "2026-03-03T10:00:00Z"
    assert seen.text("t:Duration") == "PT1H"
    assert seen.text("t:CalendarItemType") == "Single"
    assert seen.text("t:LegacyFreeBusyStatus") == "Busy"
    assert seen.text("t:UID").startswith("040000008200E00074C5B7101A82E008")
    assert seen.text("t:Organizer/t:Mailbox/t:EmailAddress") == ALICE
    assert [each.get("Id") for each in desk.get(made.ids[0], base="IdOnly").one("t:CalendarItem")]
    assert len(desk.get(made.ids[0], base="IdOnly").one("t:CalendarItem")) == 1


def test_times_without_a_zone_are_meant_in_the_zone_of_the_request(desk: Desk) -> None:
    context = '<t:TimeZoneContext><t:TimeZoneDefinition Id="W. Europe Standard Time"/>'
    context += "</t:TimeZoneContext>"
    bare = event().replace("00Z", "00")
    seen = desk.get(desk.create(bare, head=context).ids[0])
    assert seen.text("t:CalendarItem/t:Start") == "2026-03-03T09:00:00Z"
    assert seen.one("t:StartTimeZone").get("Id") == "W. Europe Standard Time"
    whole = (
        "<t:CalendarItem><t:Start>2026-03-29T12:00:00</t:Start><t:End>2026-03-29T13:00:00</t:End>"
        "<t:IsAllDayEvent>true</t:IsAllDayEvent></t:CalendarItem>"
    )
    seen = desk.get(desk.create(whole, head=context).ids[0])
    assert seen.text("t:CalendarItem/t:Start") == "2026-03-28T23:00:00Z"
    assert seen.text("t:CalendarItem/t:End") == "2026-03-29T22:00:00Z"  # that day had 23 hours
    with pytest.raises(Refused) as unknown:
        desk.create(bare, head=context.replace("W. Europe", "Middle Earth"))
    assert unknown.value.code == "ErrorTimeZone"


def test_answers_tell_times_in_the_zone_of_the_request(desk: Desk) -> None:
    item = desk.create(event(day="2026-07-01")).ids[0]
    head = (
        '<t:TimeZoneContext><t:TimeZoneDefinition Id="W. Europe Standard Time"/>'
        "</t:TimeZoneContext>"
    )
    seen = desk.get(item, head=head)
    assert seen.text("t:CalendarItem/t:Start") == "2026-07-01T12:00:00+02:00"
    assert seen.text("t:DateTimeCreated") == "2026-03-02T10:00:00+01:00"


def test_truth_is_spelled_out(desk: Desk) -> None:
    flag = "<t:ReminderIsSet>0</t:ReminderIsSet>"
    item = desk.create(f"<t:CalendarItem><t:Subject>x</t:Subject>{flag}</t:CalendarItem>").ids[0]
    assert desk.get(item).text("t:ReminderIsSet") == "false"


def test_impossible_times_are_refused(desk: Desk) -> None:
    backwards = event().replace("T11", "T09")
    assert desk.create(backwards).code == "ErrorCalendarEndDateIsEarlierThanStartDate"
    endless = event().replace("2026-03-03T11", "2036-03-03T11")
    assert desk.create(endless).code == "ErrorCalendarDurationIsTooLong"
    assert desk.find("calendar").one("m:RootFolder").get("TotalItemsInView") == "0"


def test_a_task_keeps_status_percentage_and_completion_in_step(desk: Desk) -> None:
    item = desk.create(
        "<t:Task><t:Subject>Call</t:Subject><t:DueDate>2026-03-05T00:00:00Z</t:DueDate></t:Task>"
    ).ids[0]
    seen = desk.get(item)
    assert (seen.text("t:Status"), seen.text("t:IsComplete")) == ("NotStarted", "false")
    assert seen.text("t:DueDate") == "2026-03-05T00:00:00Z"
    percent = "<t:PercentComplete>{}</t:PercentComplete>"
    item = desk.update(item, set_field("task:PercentComplete", "Task", percent.format(40))).ids[0]
    assert desk.get(item).text("t:Status") == "InProgress"
    item = desk.update(item, set_field("task:PercentComplete", "Task", percent.format(100))).ids[0]
    seen = desk.get(item)
    assert (seen.text("t:Status"), seen.text("t:CompleteDate")) == (
        "Completed",
        "2026-03-02T00:00:00Z",
    )
    item = desk.update(
        item, set_field("task:Status", "Task", "<t:Status>NotStarted</t:Status>")
    ).ids[0]
    seen = desk.get(item)
    assert (seen.text("t:PercentComplete"), seen.all("t:CompleteDate")) == ("0", [])


def test_a_contact_s_addresses_are_written_one_by_one(desk: Desk) -> None:
    made = desk.create(
        "<t:Contact><t:GivenName>Eve</t:GivenName><t:EmailAddresses>"
        '<t:Entry Key="EmailAddress1">eve@example.org</t:Entry></t:EmailAddresses>'
        '<t:PhysicalAddresses><t:Entry Key="Business"><t:Street>Main 1</t:Street>'
        "<t:City>Bern</t:City></t:Entry></t:PhysicalAddresses><t:Surname>East</t:Surname></t:Contact>"
    )
    city = '<t:IndexedFieldURI FieldURI="contacts:PhysicalAddress:City" FieldIndex="Business"/>'
    second = '<t:IndexedFieldURI FieldURI="contacts:EmailAddress" FieldIndex="EmailAddress2"/>'
    first = second.replace("Address2", "Address1")
    changed = desk.update(
        made.ids[0],
        f"<t:SetItemField>{city}<t:Contact><t:PhysicalAddresses>"
        '<t:Entry Key="Business"><t:City>Basel</t:City></t:Entry></t:PhysicalAddresses></t:Contact>'
        f"</t:SetItemField><t:SetItemField>{second}<t:Contact><t:EmailAddresses>"
        '<t:Entry Key="EmailAddress2">e@example.org</t:Entry></t:EmailAddresses></t:Contact>'
        f"</t:SetItemField><t:DeleteItemField>{first}</t:DeleteItemField>",
    )
    seen = desk.get(changed.ids[0])
    assert (seen.text("t:City"), seen.text("t:Street")) == ("Basel", "Main 1")
    entries = seen.all("t:EmailAddresses/t:Entry")
    assert [(each.get("Key"), each.text) for each in entries] == [
        ("EmailAddress2", "e@example.org")
    ]
    assert seen.text("t:CompleteName/t:FullName") == "Eve East"


def test_extended_properties_come_when_asked_for_and_can_be_looked_up(desk: Desk) -> None:
    head = "<t:CalendarItem><t:Subject>{0}</t:Subject>" + keyed("k{0}") + "</t:CalendarItem>"
    ids = [desk.create(head.format(number)).ids[0] for number in range(3)]
    assert desk.get(ids[1]).all("t:ExtendedProperty") == []
    assert desk.get(ids[1], KEY).text("t:ExtendedProperty/t:Value") == "k1"
    look = (
        f"<m:Restriction><t:IsEqualTo>{KEY}<t:FieldURIOrConstant>"
        '<t:Constant Value="k1"/></t:FieldURIOrConstant></t:IsEqualTo></m:Restriction>'
    )
    assert desk.find("calendar", look).ids == [ids[1]]
    gone = desk.update(ids[1], f"<t:DeleteItemField>{KEY}</t:DeleteItemField>")
    assert desk.find("calendar", look).ids == []
    assert desk.get(gone.ids[0], KEY).all("t:ExtendedProperty") == []


@pytest.mark.parametrize(
    ("uri", "value", "code"),
    [
        ('PropertyTag="0x8001" PropertyType="String"', "x", "ErrorInvalidExtendedProperty"),
        ('PropertyName="A" PropertyType="String"', "x", "ErrorInvalidExtendedProperty"),
        (
            'DistinguishedPropertySetId="PublicStrings" PropertyName="A" PropertyType="Integer"',
            "seven",
            "ErrorInvalidExtendedPropertyValue",
        ),
    ],
)
def test_extended_properties_that_can_t_be(desk: Desk, uri: str, value: str, code: str) -> None:
    wrong = (
        f"<t:Task><t:ExtendedProperty><t:ExtendedFieldURI {uri}/><t:Value>{value}</t:Value>"
        "</t:ExtendedProperty></t:Task>"
    )
    assert desk.create(wrong).code == code


def test_a_stale_change_key_is_a_conflict(desk: Desk) -> None:
    old = desk.create(event()).ids[0]
    place = set_field("calendar:Location", "CalendarItem", "<t:Location>{}</t:Location>")
    title = set_field("item:Subject", "CalendarItem", "<t:Subject>Other</t:Subject>")
    new = desk.update(old, place.format("A")).ids[0]
    assert desk.update(old, title).code == "ErrorIrresolvableConflict"
    assert desk.get(new).text("t:Subject") == "Talk"
    # Merged where the changes don't meet, refused where they do.
    assert desk.update(old, place.format("B"), "AutoResolve").code == "ErrorIrresolvableConflict"
    assert desk.update(old, title, "AutoResolve").code == "NoError"
    bare = named(desk.get(new).one("t:ItemId"), key=False)
    refused = desk.update(bare, place.format("C"))
    assert refused.code == "ErrorChangeKeyRequiredForWriteOperations"
    assert desk.update(bare, place.format("C"), "AlwaysOverwrite").code == "NoError"
    seen = desk.get(bare)
    assert (seen.text("t:Location"), seen.text("t:Subject")) == ("C", "Other")


def test_fields_are_deleted_and_appended_to_and_some_are_not_ours_to_set(desk: Desk) -> None:
    item = desk.create(
        '<t:CalendarItem><t:Subject>A</t:Subject><t:Body BodyType="Text">one</t:Body>'
        "</t:CalendarItem>"
    ).ids[0]
    append = (
        '<t:AppendToItemField><t:FieldURI FieldURI="item:Body"/><t:CalendarItem>'
        '<t:Body BodyType="Text"> two</t:Body></t:CalendarItem></t:AppendToItemField>'
    )
    cut = '<t:DeleteItemField><t:FieldURI FieldURI="{}"/></t:DeleteItemField>'
    item = desk.update(item, append + cut.format("item:Subject")).ids[0]
    seen = desk.get(item)
    assert (seen.text("t:Body"), seen.all("t:Subject")) == ("one two", [])
    assert desk.update(item, cut.format("calendar:Start")).code == "ErrorInvalidPropertyDelete"
    size = set_field("item:Size", "CalendarItem", "<t:Size>1</t:Size>")
    assert desk.update(item, size).code == "ErrorInvalidPropertySet"
    other = set_field("item:Subject", "CalendarItem", "<t:Location>x</t:Location>")
    assert desk.update(item, other).code == "ErrorUpdatePropertyMismatch"
    two = "<t:Subject>x</t:Subject><t:Location>x</t:Location>"
    both = set_field("item:Subject", "CalendarItem", two)
    assert desk.update(item, both).code == "ErrorIncorrectUpdatePropertyCount"


def test_bodies_come_as_text_or_html(desk: Desk) -> None:
    html = "&lt;p&gt;Dear &lt;b&gt;all&lt;/b&gt;&lt;/p&gt;"
    item = desk.create(f'<t:Task><t:Body BodyType="HTML">{html}</t:Body></t:Task>').ids[0]
    assert desk.get(item).text("t:Body") == "<p>Dear <b>all</b></p>"
    asked = desk.ask(
        "<m:GetItem><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape><t:BodyType>Text</t:BodyType>"
        f"</m:ItemShape><m:ItemIds>{item}</m:ItemIds></m:GetItem>"
    )
    assert (asked.text("t:Body"), asked.one("t:Body").get("BodyType")) == ("Dear all", "Text")


@pytest.mark.parametrize(
    ("way", "role"),
    [
        ("MoveToDeletedItems", "deleteditems"),
        ("SoftDelete", "recoverableitemsdeletions"),
        ("HardDelete", None),
    ],
)
def test_deleted_items_go_where_they_are_sent(desk: Desk, way: str, role: str | None) -> None:
    entry = event("Gone").replace("<t:Start>", keyed("k") + "<t:Start>")
    item = desk.create(entry).ids[0]
    assert desk.delete(item, way).code == "NoError"
    assert desk.get(item).code == "ErrorItemNotFound"
    assert desk.delete(item, way).code == "ErrorItemNotFound"
    for each in ("deleteditems", "recoverableitemsdeletions"):
        found = desk.find(each, more=KEY + '<t:FieldURI FieldURI="item:Subject"/>')
        texts = [node.text for node in found.all("t:Subject") + found.all("t:Value")]
        assert texts == (["Gone", "k"] if each == role else [])


def test_a_moved_item_has_another_id_and_its_properties(desk: Desk) -> None:
    item = desk.create("<t:Message><t:Subject>Hello</t:Subject></t:Message>").ids[0]
    move = (
        '<m:{0}><m:ToFolderId><t:DistinguishedFolderId Id="inbox"/></m:ToFolderId>'
        "<m:ItemIds>{1}</m:ItemIds></m:{0}>"
    )
    copied = desk.ask(move.format("CopyItem", item)).ids[0]
    moved = desk.ask(move.format("MoveItem", item)).ids[0]
    assert len({item, copied, moved}) == 3
    assert desk.get(item).code == "ErrorItemNotFound"
    assert desk.get(moved).text("t:Subject") == "Hello"
    assert {*desk.find("inbox").ids} == {copied, moved}


def test_one_failure_leaves_the_others_of_its_batch(desk: Desk) -> None:
    answer = desk.create(event("A") + event().replace("T11", "T09") + event("B"))
    assert answer.codes == ["NoError", "ErrorCalendarEndDateIsEarlierThanStartDate", "NoError"]
    assert len(desk.find("calendar").ids) == 2


def test_pages_follow_one_another(desk: Desk) -> None:
    for number in range(5):
        desk.create(event(f"E{number}"))
    page = '<m:IndexedPageItemView MaxEntriesReturned="2" Offset="{}" BasePoint="{}"/>'
    seen, offset = [], "0"
    for last in ("false", "false", "true"):
        answer = desk.find("calendar", page.format(offset, "Beginning"))
        root = answer.one("m:RootFolder")
        assert (root.get("TotalItemsInView"), root.get("IncludesLastItemInRange")) == ("5", last)
        seen += answer.ids
        offset = root.get("IndexedPagingOffset") or ""
    assert len(set(seen)) == 5
    assert desk.find("calendar", page.format(0, "End")).ids == seen[3:]


def test_restrictions_and_orders(desk: Desk) -> None:
    for name, day in (("Alpha", 5), ("beta", 3), ("Gamma", 4)):
        desk.create(event(name, day=f"2026-03-0{day}"))
    subject = '<t:FieldURI FieldURI="item:Subject"/>'
    begin = '<t:FieldURI FieldURI="calendar:Start"/>'
    order = f'<m:SortOrder><t:FieldOrder Order="Ascending">{begin}</t:FieldOrder></m:SortOrder>'

    def names(inside: str) -> list[str | None]:
        found = desk.find("calendar", inside, more=subject)
        return [each.text for each in found.all("t:Subject")]

    assert names(order) == ["beta", "Gamma", "Alpha"]
    noon = '<t:Constant Value="2026-03-04T00:00:00Z"/>'
    span = f"{begin}<t:FieldURIOrConstant>{noon}</t:FieldURIOrConstant>"
    later = f"<m:Restriction><t:IsGreaterThan>{span}</t:IsGreaterThan></m:Restriction>"
    assert names(later + order) == ["Gamma", "Alpha"]
    assert names(later.replace("IsGreaterThan>", "IsLessThan>")) == ["beta"]
    part = (
        '<m:Restriction><t:Contains ContainmentMode="Substring" ContainmentComparison="{}">'
        f'{subject}<t:Constant Value="B"/></t:Contains></m:Restriction>'
    )
    assert names(part.format("Exact")) == []
    assert names(part.format("IgnoreCase")) == ["beta"]
    nothing = "<m:Restriction><t:Not><t:Exists>" + KEY + "</t:Exists></t:Not></m:Restriction>"
    assert len(names(nothing)) == 3


def test_lists_refuse_bodies_and_leave_out_attendees(desk: Desk) -> None:
    people = (
        "<t:RequiredAttendees><t:Attendee><t:Mailbox><t:EmailAddress>bob@example.com"
        "</t:EmailAddress></t:Mailbox></t:Attendee></t:RequiredAttendees>"
    )
    item = desk.create(event(more=people)).ids[0]
    body = '<t:FieldURI FieldURI="item:Body"/>'
    assert desk.find("calendar", more=body).code == "ErrorInvalidPropertyForOperation"
    assert desk.find("calendar", shape="AllProperties").all("t:RequiredAttendees") == []
    assert len(desk.get(item).all("t:RequiredAttendees/t:Attendee")) == 1


def test_a_calendar_view_shows_what_lies_in_it(desk: Desk) -> None:
    for day in (3, 4, 5):
        desk.create(event(f"E{day}", day=f"2026-03-0{day}"))
    view = '<m:CalendarView StartDate="{}" EndDate="{}"/>'
    more = '<t:FieldURI FieldURI="item:Subject"/>'

    def names(start: str, end: str) -> list[str | None]:
        found = desk.find("calendar", view.format(start, end), more=more)
        return [each.text for each in found.all("t:Subject")]

    assert names("2026-03-03T11:00:00Z", "2026-03-05T10:00:00Z") == ["E4"]
    assert names("2026-03-03T10:59:59Z", "2026-03-05T10:00:01Z") == ["E3", "E4", "E5"]
    wide = view.format("2026-01-01T00:00:00Z", "2029-01-01T00:00:00Z")
    assert desk.find("calendar", wide).code == "ErrorCalendarViewRangeTooBig"
    assert desk.find("tasks", view.format("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")).code == (
        "ErrorCalendarFolderIsInvalidForCalendarView"
    )


def test_what_a_request_must_say_about_notices(desk: Desk) -> None:
    bare = f"<m:CreateItem><m:Items>{event()}</m:Items></m:CreateItem>"
    assert desk.ask(bare).code == "ErrorSendMeetingInvitationsRequired"
    note = "<t:Message><t:Subject>x</t:Subject></t:Message>"
    assert desk.ask(bare.replace(event(), note)).code == "ErrorMessageDispositionRequired"
    task = desk.create("<t:Task><t:Subject>x</t:Subject></t:Task>").ids[0]
    gone = f'<m:DeleteItem DeleteType="HardDelete"><m:ItemIds>{task}</m:ItemIds></m:DeleteItem>'
    assert desk.ask(gone).code == "ErrorAffectedTaskOccurrencesRequired"
    entry = desk.create(event()).ids[0]
    assert desk.ask(gone.replace(task, entry)).code == "ErrorSendMeetingCancellationsRequired"


def test_items_stay_in_folders_of_their_kind(desk: Desk) -> None:
    place = '<t:DistinguishedFolderId Id="tasks"/>'
    refused = desk.create(event(), folder=place)
    assert refused.code == "ErrorCannotCreateCalendarItemInNonCalendarFolder"


def test_nobody_gets_in_with_a_wrong_password(desk: Desk) -> None:
    for headers in ({}, login(ALICE, "wrong"), {"Authorization": "Basic !"}):
        reply = desk.http.post("/EWS/Exchange.asmx", content=b"<x/>", headers=headers)
        assert reply.status_code == 401
        assert reply.headers["WWW-Authenticate"].startswith("Basic ")
    assert (
        desk.http.post(
            "/EWS/Exchange.asmx", content=b"<x/>", headers=login("EXAMPLE\\alice")
        ).status_code
        == 500
    )


def test_others_mailboxes_take_rights(desk: Desk) -> None:
    item = desk.create(event()).ids[0]
    theirs = (
        "<m:GetFolder><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape></m:FolderShape><m:FolderIds>"
        '<t:DistinguishedFolderId Id="calendar"><t:Mailbox><t:EmailAddress>{}</t:EmailAddress>'
        "</t:Mailbox></t:DistinguishedFolderId></m:FolderIds></m:GetFolder>"
    )
    assert desk.ask(theirs.format(ALICE), BOB).code == "ErrorAccessDenied"
    assert desk.ask(theirs.format("x@example.com"), BOB).code == "ErrorNonExistentMailbox"
    read = (
        "<m:GetItem><m:ItemShape><t:BaseShape>Default</t:BaseShape></m:ItemShape>"
        f"<m:ItemIds>{item}</m:ItemIds></m:GetItem>"
    )
    gone = (
        '<m:DeleteItem DeleteType="HardDelete" SendMeetingCancellations="SendToNone">'
        f"<m:ItemIds>{item}</m:ItemIds></m:DeleteItem>"
    )
    assert desk.ask(read, BOB).code == "ErrorItemNotFound"
    desk.exchange.people.grant(desk.alice, desk.bob, "reader")
    assert desk.ask(theirs.format(ALICE), BOB).code == "NoError"
    assert desk.ask(read, BOB).code == "NoError"
    assert desk.ask(gone, BOB).code == "ErrorAccessDenied"
    desk.exchange.people.grant(desk.alice, desk.bob, "editor")
    assert desk.ask(gone, BOB).code == "NoError"


@pytest.mark.parametrize("form", ["PrimarySmtpAddress", "SmtpAddress", "PrincipalName", "SID"])
def test_impersonation_takes_the_role(desk: Desk, form: str) -> None:
    desk.exchange.people.also(desk.alice, "adams@example.com")
    names = {
        "PrimarySmtpAddress": ALICE,
        "SmtpAddress": "adams@example.com",
        "PrincipalName": "alice",
        "SID": desk.alice.sid,
    }
    head = (
        "<t:ExchangeImpersonation><t:ConnectingSID><t:{0}>{1}</t:{0}></t:ConnectingSID>"
        "</t:ExchangeImpersonation>"
    )
    acted = desk.create(event("By robot"), "robot@example.com", head.format(form, names[form]))
    assert desk.get(acted.ids[0]).text("t:Subject") == "By robot"
    with pytest.raises(Refused) as denied:
        desk.create(event(), BOB, head.format(form, names[form]))
    assert denied.value.code == "ErrorImpersonateUserDenied"
    with pytest.raises(Refused) as missing:
        desk.create(event(), "robot@example.com", head.format(form, "nobody@example.com"))
    assert missing.value.code.startswith(("ErrorNonExistent", "ErrorInvalidUser"))
