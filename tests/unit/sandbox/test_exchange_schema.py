"""The stand-in Exchange's own table of the schema says what Microsoft's schema says."""

from __future__ import annotations

import random
from copy import deepcopy
from functools import cache

import pytest
from lxml import etree

from accord.sandbox.exchange import schema
from tests.fuzz.tally import RecordProperty, note
from tests.unit.sandbox.ews import SPACES, Desk, Refused, event, official
from tests.unit.sandbox.ews_table import ROOT, Walk, folder

TABLE = ROOT / "src" / "accord" / "sandbox" / "exchange" / "schema.txt"
REQUESTS = (
    (
        '<m:CreateItem xmlns:m="{m}" xmlns:t="{t}" SendMeetingInvitations="SendToNone"><m:Items>'
        "<t:CalendarItem><t:Subject>A</t:Subject><t:Sensitivity>Private</t:Sensitivity><t:Body"
        ' BodyType="HTML">x</t:Body><t:Categories><t:String>c</t:String></t:Categories>'
        "<t:ReminderIsSet>true</t:ReminderIsSet><t:ReminderMinutesBeforeStart>5"
        "</t:ReminderMinutesBeforeStart><t:ExtendedProperty><t:ExtendedFieldURI PropertyTag='0x10'"
        " PropertyType='Integer'/><t:Value>1</t:Value></t:ExtendedProperty>"
        "<t:ExtendedProperty><t:ExtendedFieldURI PropertyTag='0x11' PropertyType='StringArray'/>"
        "<t:Values><t:Value>a</t:Value><t:Value>b</t:Value></t:Values></t:ExtendedProperty>"
        "<t:Start>2026-03-01T10:00:00Z</t:Start><t:End>2026-03-01T11:00:00.5+01:00</t:End>"
        "<t:LegacyFreeBusyStatus>OOF</t:LegacyFreeBusyStatus><t:RequiredAttendees><t:Attendee>"
        "<t:Mailbox><t:Name>B</t:Name><t:EmailAddress>b@x</t:EmailAddress></t:Mailbox></t:Attendee>"
        "</t:RequiredAttendees><t:Recurrence><t:WeeklyRecurrence><t:Interval>1</t:Interval>"
        "<t:DaysOfWeek>Monday Friday</t:DaysOfWeek></t:WeeklyRecurrence><t:NumberedRecurrence>"
        "<t:StartDate>2026-03-01</t:StartDate><t:NumberOfOccurrences>5</t:NumberOfOccurrences>"
        "</t:NumberedRecurrence></t:Recurrence></t:CalendarItem><t:Task>"
        "<t:DueDate>2026-03-01T00:00:00"
        "</t:DueDate><t:PercentComplete>5.5</t:PercentComplete></t:Task><t:Contact>"
        "<t:EmailAddresses>"
        "<t:Entry Key='EmailAddress1'>a</t:Entry></t:EmailAddresses></t:Contact></m:Items>"
        "</m:CreateItem>"
    ),
    (
        '<m:FindItem xmlns:m="{m}" xmlns:t="{t}" Traversal="Shallow"><m:ItemShape>'
        "<t:BaseShape>IdOnly"
        "</t:BaseShape><t:AdditionalProperties><t:FieldURI FieldURI='item:Subject'/>"
        "<t:IndexedFieldURI"
        " FieldURI='contacts:EmailAddress' FieldIndex='EmailAddress1'/></t:AdditionalProperties>"
        "</m:ItemShape><m:IndexedPageItemView MaxEntriesReturned='5' Offset='0' BasePoint='End'/>"
        "<m:Restriction><t:And><t:Exists><t:FieldURI FieldURI='item:Subject'/></t:Exists><t:Not>"
        "<t:Contains ContainmentMode='Prefixed'><t:FieldURI FieldURI='item:Subject'/><t:Constant"
        " Value='a'/></t:Contains></t:Not></t:And></m:Restriction><m:SortOrder><t:FieldOrder"
        " Order='Ascending'><t:FieldURI FieldURI='item:Subject'/></t:FieldOrder></m:SortOrder>"
        "<m:ParentFolderIds><t:DistinguishedFolderId Id='inbox'/><t:FolderId Id='QQ=='/>"
        "</m:ParentFolderIds></m:FindItem>"
    ),
    (
        '<m:UpdateItem xmlns:m="{m}" xmlns:t="{t}" ConflictResolution="AutoResolve"><m:ItemChanges>'
        "<t:ItemChange><t:ItemId Id='a' ChangeKey='b'/><t:Updates><t:SetItemField><t:FieldURI"
        " FieldURI='item:Subject'/><t:Item><t:Subject>x</t:Subject></t:Item></t:SetItemField>"
        "<t:DeleteItemField>"
        "<t:ExtendedFieldURI PropertySetId='11111111-2222-3333-4444-555555555555'"
        " PropertyName='n' PropertyType='String'/></t:DeleteItemField></t:Updates></t:ItemChange>"
        "</m:ItemChanges></m:UpdateItem>"
    ),
    (
        '<m:SyncFolderItems xmlns:m="{m}" xmlns:t="{t}"><m:ItemShape>'
        "<t:BaseShape>IdOnly</t:BaseShape>"
        "</m:ItemShape><m:SyncFolderId><t:DistinguishedFolderId Id='calendar'/></m:SyncFolderId>"
        "<m:SyncState>x</m:SyncState><m:Ignore><t:ItemId Id='a'/></m:Ignore>"
        "<m:MaxChangesReturned>512"
        "</m:MaxChangesReturned><m:SyncScope>NormalItems</m:SyncScope></m:SyncFolderItems>"
    ),
    (
        '<m:Subscribe xmlns:m="{m}" xmlns:t="{t}"><m:StreamingSubscriptionRequest><t:FolderIds>'
        "<t:DistinguishedFolderId Id='calendar'/></t:FolderIds><t:EventTypes>"
        "<t:EventType>NewMailEvent"
        "</t:EventType><t:EventType>DeletedEvent</t:EventType></t:EventTypes>"
        "</m:StreamingSubscriptionRequest></m:Subscribe>"
    ),
)


def test_the_table_is_microsoft_s() -> None:
    assert Walk(folder()).run() == TABLE.read_text(encoding="utf-8")


@pytest.mark.parametrize("text", REQUESTS)
def test_broken_requests_are_judged_as_microsoft_s_schema_does(
    text: str, record_property: RecordProperty
) -> None:
    folder()
    microsoft = official()
    assert microsoft is not None
    whole = etree.fromstring(text.format(**SPACES))
    assert microsoft.validate(whole), microsoft.error_log
    schema.check(whole)
    chance = random.Random(f"{len(text)}")
    verdicts = {True: 0, False: 0}
    for _ in range(400):
        broken = etree.fromstring(etree.tostring(broken_copy(whole, chance)))
        expected = microsoft.validate(broken)
        verdicts[expected] += 1
        said = "valid"
        try:
            schema.check(broken)
        except schema.SchemaViolation as violation:
            said = str(violation)
        assert (said == "valid") == expected, (
            said,
            str(microsoft.error_log)[:500],
            etree.tostring(broken),
        )
    assert verdicts[False] > 50
    note(400, "broken EWS requests judged as Microsoft's schema does", record_property)


def broken_copy(whole: etree._Element, chance: random.Random) -> etree._Element:
    """Return a request with one thing moved, doubled, lost, renamed or misspelled."""
    copy = deepcopy(whole)
    nodes = [each for each in copy.iter() if each.getparent() is not None]
    node = chance.choice(nodes)
    parent = node.getparent()
    assert parent is not None
    match chance.randrange(8):
        case 0:
            parent.remove(node)
        case 1:
            parent.append(deepcopy(node))
        case 2:
            parent.insert(0, node)
        case 3:
            node.tag = chance.choice([*names(), str(node.tag)])
        case 4:
            node.text = chance.choice(("", "x", "2", "-1", "true", "1.5", "2026-03-01T10:00:00"))
        case 5:
            for name in list(node.attrib)[:1]:
                del node.attrib[name]
        case 6:
            for name in node.attrib:
                node.set(name, chance.choice(("", "1", "true", "Nothing", "String", "Binary")))
        case 7:
            node.set(chance.choice(("Id", "Other", "Key")), "a")
    return copy


@cache
def names() -> list[str]:
    return sorted({name for kind in schema.table().shapes for name in schema.order(kind)} - {"*"})


def test_elements_out_of_order_are_a_fault_as_exchange_words_it(desk: Desk) -> None:
    start = "<t:Start>2026-03-03T10:00:00Z</t:Start>"
    swapped = f"<t:CalendarItem>{start}<t:Subject>x</t:Subject></t:CalendarItem>"
    with pytest.raises(Refused) as refused:
        desk.ask(
            f'<m:CreateItem SendMeetingInvitations="SendToNone"><m:Items>{swapped}</m:Items>'
            "</m:CreateItem>",
            wrong=True,
        )
    assert (refused.value.code, refused.value.status) == ("ErrorSchemaValidation", 500)
    assert str(refused.value).startswith(
        "The request failed schema validation: The element 'CalendarItem' in namespace "
        f"'{SPACES['t']}' has invalid child element 'Subject' in namespace '{SPACES['t']}'. "
        "List of possible elements expected: 'End, OriginalStart, "
    )
    detail = refused.value.fault.find("detail")
    assert detail is not None
    assert [etree.QName(each).localname for each in detail] == [
        "ResponseCode",
        "Message",
        "MessageXml",
    ]
    assert detail[1].text == "The request failed schema validation."


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('SendMeetingInvitations="SendToNone"', 'SendMeetingInvitations="Never"'),
        ("<t:Subject>Talk</t:Subject>", "<t:Title>Talk</t:Title>"),
        ("T10:00:00Z", "T25:00:00Z"),
        ("</t:End>", "</t:End><t:LegacyFreeBusyStatus>Away</t:LegacyFreeBusyStatus>"),
    ],
)
def test_what_the_schema_forbids_is_not_done(desk: Desk, old: str, new: str) -> None:
    good = (
        f'<m:CreateItem SendMeetingInvitations="SendToNone"><m:Items>{event()}</m:Items>'
        "</m:CreateItem>"
    )
    assert old in good
    with pytest.raises(Refused) as refused:
        desk.ask(good.replace(old, new), wrong=True)
    assert refused.value.code == "ErrorSchemaValidation"
    assert desk.ask(good).code == "NoError"
    assert len(desk.find("calendar").ids) == 1


def test_the_validator_of_the_tests_is_honest(desk: Desk) -> None:
    """What the stand-in would wrongly answer fails a test, and so does a wrong request."""
    folder()
    with pytest.raises(etree.DocumentInvalid):
        desk.ask(event())  # no operation, but an element of the schema's types
    good = (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        f'<m:GetItemResponse xmlns:m="{SPACES["m"]}"><m:ResponseMessages>{{}}</m:ResponseMessages>'
        "</m:GetItemResponse></s:Body></s:Envelope>"
    )
    message = (
        '<m:GetItemResponseMessage ResponseClass="Error"><m:MessageText>a</m:MessageText>'
        "<m:ResponseCode>{}</m:ResponseCode><m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>"
        "<m:Items/></m:GetItemResponseMessage>"
    )
    desk.judge("answer", good.format(message.format("ErrorItemNotFound")).encode())
    for bad in (message.format("ErrorOfOurs"), message.replace("<m:Items/>", "").format("NoError")):
        with pytest.raises(etree.DocumentInvalid):
            desk.judge("answer", good.format(bad).encode())
