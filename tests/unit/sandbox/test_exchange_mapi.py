"""Properties of the stand-in Exchange under their MAPI names, and what its web server is like."""

from __future__ import annotations

import pytest

from accord.sandbox.exchange import mapi
from accord.sandbox.exchange.server import PATH
from tests.unit.sandbox.ews import ALICE, Answer, Desk, event, folder_named, login, set_field
from tests.unit.sandbox.test_exchange_meetings import WEEKLY, occurrence

FULL = (
    "<t:Contact><t:Subject>s</t:Subject><t:Sensitivity>Private</t:Sensitivity>"
    '<t:Body BodyType="Text">one two</t:Body><t:Categories>'
    "<t:String>a</t:String><t:String>b</t:String></t:Categories><t:Importance>High</t:Importance>"
    "<t:FileAs>East, Eve</t:FileAs><t:DisplayName>Eve East</t:DisplayName><t:GivenName>Eve"
    "</t:GivenName><t:EmailAddresses><t:Entry Key='EmailAddress2'>e@x</t:Entry></t:EmailAddresses>"
    "<t:PhysicalAddresses><t:Entry Key='Home'><t:Street>Main 1</t:Street><t:City>Bern</t:City>"
    "</t:Entry></t:PhysicalAddresses><t:PhoneNumbers><t:Entry Key='MobilePhone'>+41 1</t:Entry>"
    "</t:PhoneNumbers><t:Birthday>1990-02-03T00:00:00Z</t:Birthday><t:Surname>East</t:Surname>"
    "</t:Contact>"
)
TOLD = [
    ('PropertyTag="0x3a06" PropertyType="String"', "Eve"),
    ('PropertyTag="0x3A11" PropertyType="String"', "East"),
    ('PropertyTag="0x37" PropertyType="String"', "s"),
    ('PropertyTag="0x1000" PropertyType="String"', "one two"),
    ('PropertyTag="0x1a" PropertyType="String"', "IPM.Contact"),
    ('PropertyTag="0x36" PropertyType="Integer"', "2"),
    ('PropertyTag="0x17" PropertyType="Integer"', "2"),
    ('PropertyTag="0x3a1c" PropertyType="String"', "+41 1"),
    ('PropertyTag="0x3a59" PropertyType="String"', "Bern"),
    ('PropertyTag="0x3a42" PropertyType="SystemTime"', "1990-02-03T00:00:00Z"),
    ('DistinguishedPropertySetId="Address" PropertyId="32916" PropertyType="String"', "e@x"),
    ('DistinguishedPropertySetId="Common" PropertyId="34054" PropertyType="Boolean"', "true"),
]
KEYWORDS = (
    'DistinguishedPropertySetId="PublicStrings" PropertyName="Keywords" PropertyType="StringArray"'
)


def uri(attributes: str) -> str:
    return f"<t:ExtendedFieldURI {attributes}/>"


def extended(attributes: str, value: str) -> str:
    return f"<t:ExtendedProperty>{uri(attributes)}<t:Value>{value}</t:Value></t:ExtendedProperty>"


def values(answer: Answer) -> list[str]:
    return [each.text or "" for each in answer.all("t:ExtendedProperty//t:Value")]


def where(desk: Desk, attributes: str, value: str) -> int:
    sought = (
        f"<m:Restriction><t:IsEqualTo>{uri(attributes)}<t:FieldURIOrConstant>"
        f'<t:Constant Value="{value}"/></t:FieldURIOrConstant></t:IsEqualTo></m:Restriction>'
    )
    return len(desk.find("contacts", sought).ids)


@pytest.mark.parametrize(("name", "value"), TOLD)
def test_properties_are_told_under_their_other_names(desk: Desk, name: str, value: str) -> None:
    item = desk.create(FULL).ids[0]
    assert values(desk.get(item, uri(name), "IdOnly")) == [value]
    assert where(desk, name, value) == 1
    assert where(desk, name, "other") == 0
    bare = desk.create("<t:Contact/>").ids[0]
    assert values(desk.get(bare, uri(name), "IdOnly")) != [value] or "0x1a" in name


OWN = [
    (
        'PropertySetId="00020329-0000-0000-C000-000000000046" PropertyName="CrmId"',
        'DistinguishedPropertySetId="PublicStrings" PropertyName="CrmId"',
    ),
    (
        'DistinguishedPropertySetId="Meeting" PropertyId="77"',
        'PropertySetId="6ED8DA90-450B-101B-98DA-00AA003F1305" PropertyId="77"',
    ),
    (
        'PropertySetId="11111111-2222-3333-4444-555555555555" PropertyName="a/b #1"',
        'PropertySetId="11111111-2222-3333-4444-555555555555" PropertyName="a/b #1"',
    ),
    ('PropertyTag="0x6A01"', 'PropertyTag="27137"'),
]


@pytest.mark.parametrize(("written", "asked"), OWN)
@pytest.mark.parametrize("kind", ["CalendarItem", "Task", "Contact"])
def test_whatever_a_program_keeps_of_its_own_is_told_however_its_set_is_named(
    desk: Desk, kind: str, written: str, asked: str
) -> None:
    plain = event("x") if kind == "CalendarItem" else f"<t:{kind}></t:{kind}>"
    held = extended(f'{written} PropertyType="String"', "4711 &amp; co")
    bare = extended(f'{written.replace("CrmId", "Other")} PropertyType="Integer"', "1")
    at = plain.index("<t:Start>") if kind == "CalendarItem" else plain.index("</")
    item = desk.create(plain[:at] + held + bare + plain[at:]).ids[0]
    seen = desk.get(item, uri(f'{asked} PropertyType="String"'), "IdOnly")
    assert values(seen) == ["4711 & co"]


def test_categories_are_a_list(desk: Desk) -> None:
    item = desk.create(FULL).ids[0]
    assert values(desk.get(item, uri(KEYWORDS), "IdOnly")) == ["a", "b"]
    held = f"{uri(KEYWORDS)}<t:Values><t:Value>c</t:Value><t:Value>d</t:Value></t:Values>"
    made = desk.create(
        f"<t:Contact><t:ExtendedProperty>{held}</t:ExtendedProperty></t:Contact>"
    ).ids[0]
    assert [each.text for each in desk.get(made).all("t:Categories/t:String")] == ["c", "d"]


def test_what_is_set_under_another_name_is_set(desk: Desk) -> None:
    address = 'DistinguishedPropertySetId="Address" PropertyId="{}" PropertyType="String"'
    parts = [
        extended('PropertyTag="0x3a06" PropertyType="String"', "Eve"),
        extended('PropertyTag="0x3a08" PropertyType="String"', "+41 2"),
        extended('PropertyTag="0x36" PropertyType="Integer"', "3"),
        extended(address.format(32837), "Main 1"),
        extended(address.format(32838), "Bern"),
        extended('PropertyTag="0x10f3" PropertyType="String"', "own.EML"),
    ]
    item = desk.create(f"<t:Contact>{''.join(parts)}</t:Contact>").ids[0]
    own = 'PropertyTag="0x10f3" PropertyType="String"'
    seen = desk.get(item, uri(own))
    assert seen.text("t:Contact/t:GivenName") == "Eve"
    assert seen.text("t:Sensitivity") == "Confidential"
    assert seen.text("t:PhoneNumbers/t:Entry") == "+41 2"
    place = seen.one("t:PhysicalAddresses/t:Entry")
    assert (place.get("Key"), [each.text for each in place]) == ("Business", ["Main 1", "Bern"])
    assert values(seen) == ["own.EML"]
    assert where(desk, own, "own.EML") == 1

    name = 'PropertyTag="0x3a06" PropertyType="String"'
    change = (
        f"<t:SetItemField>{uri(name)}<t:Contact>{extended(name, 'Eva')}</t:Contact>"
        "</t:SetItemField>"
        f"<t:DeleteItemField>{uri(address.format(32838))}</t:DeleteItemField>"
    )
    item = desk.update(item, change).ids[0]
    seen = desk.get(item)
    assert seen.text("t:Contact/t:GivenName") == "Eva"
    assert [each.text for each in seen.one("t:PhysicalAddresses/t:Entry")] == ["Main 1"]


def test_a_body_is_set_and_cleared_under_its_other_name(desk: Desk) -> None:
    name = 'PropertyTag="0x1000" PropertyType="String"'
    item = desk.create(f"<t:Task>{extended(name, 'first')}</t:Task>").ids[0]
    second = extended(name, "a &lt;b&gt;")
    change = f"<t:SetItemField>{uri(name)}<t:Task>{second}</t:Task></t:SetItemField>"
    item = desk.update(item, change).ids[0]
    body = desk.get(item).one("t:Body")
    assert (body.get("BodyType"), body.text) == ("Text", "a <b>")
    item = desk.update(item, f"<t:DeleteItemField>{uri(name)}</t:DeleteItemField>").ids[0]
    seen = desk.get(item, uri(name))
    assert (seen.text("t:Body"), values(seen)) == ("", [])


def test_an_occurrence_keeps_what_is_set_under_another_name(desk: Desk) -> None:
    name = 'PropertyTag="0x37" PropertyType="String"'
    master = desk.create(event(more=WEEKLY)).ids[0]
    change = (
        f"<t:SetItemField>{uri(name)}<t:CalendarItem>{extended(name, 'Special')}</t:CalendarItem>"
        "</t:SetItemField>"
    )
    desk.update(occurrence(master, 2), change, "AlwaysOverwrite")
    assert desk.get(occurrence(master, 2)).text("t:CalendarItem/t:Subject") == "Special"
    assert desk.get(occurrence(master, 3)).text("t:CalendarItem/t:Subject") == "Talk"


def test_a_task_done_under_another_name_is_done(desk: Desk) -> None:
    when = 'DistinguishedPropertySetId="Task" PropertyId="33039" PropertyType="SystemTime"'
    item = desk.create("<t:Task><t:Subject>x</t:Subject></t:Task>").ids[0]
    change = (
        f"<t:SetItemField>{uri(when)}<t:Task>{extended(when, '2026-03-01T00:00:00Z')}</t:Task>"
        "</t:SetItemField>"
    )
    seen = desk.get(desk.update(item, change).ids[0])
    assert (seen.text("t:Status"), seen.text("t:IsComplete")) == ("Completed", "true")
    assert seen.text("t:CompleteDate") == "2026-03-01T00:00:00Z"


def test_values_are_of_their_types(desk: Desk) -> None:
    when = 'DistinguishedPropertySetId="Task" PropertyId="33029" PropertyType="SystemTime"'
    item = desk.create("<t:Task><t:Subject>x</t:Subject></t:Task>").ids[0]
    wrong = extended(when, "tomorrow")
    code = "ErrorInvalidExtendedPropertyValue"
    assert desk.create(f"<t:Task>{wrong}</t:Task>").code == code
    change = f"<t:SetItemField>{uri(when)}<t:Task>{wrong}</t:Task></t:SetItemField>"
    assert desk.update(item, change).code == code


def test_folders_tell_theirs(desk: Desk) -> None:
    kinds = {"0x3613": "String", "0x3602": "Integer", "0x670a": "SystemTime"}

    def told(base: str = "Default") -> list[str]:
        named = (f'PropertyTag="{tag}" PropertyType="{kind}"' for tag, kind in kinds.items())
        extra = "".join(map(uri, named))
        seen = desk.ask(
            f"<m:GetFolder><m:FolderShape><t:BaseShape>{base}</t:BaseShape><t:AdditionalProperties>"
            f"{extra}</t:AdditionalProperties></m:FolderShape><m:FolderIds>"
            f"{folder_named('calendar')}</m:FolderIds></m:GetFolder>"
        )
        return values(seen)

    before = told("AllProperties")
    assert before[:2] == ["IPF.Appointment", "0"]
    item = desk.create(event()).ids[0]
    middle = told()
    assert middle[:2] == ["IPF.Appointment", "1"]
    title = set_field("item:Subject", "CalendarItem", "<t:Subject>x</t:Subject>")
    item = desk.update(item, title).ids[0]
    changed = told()
    desk.delete(item)
    assert before[2] < middle[2] < changed[2] < told()[2]


def test_folders_are_found_by_theirs(desk: Desk) -> None:
    name = uri('PropertyTag="0x3613" PropertyType="String"')
    same = (
        f"<t:IsEqualTo>{name}<t:FieldURIOrConstant><t:Constant Value='IPF.Task'/>"
        "</t:FieldURIOrConstant></t:IsEqualTo>"
    )

    def found(sought: str) -> int:
        seen = desk.ask(
            '<m:FindFolder Traversal="Deep"><m:FolderShape><t:BaseShape>IdOnly</t:BaseShape>'
            f"</m:FolderShape><m:Restriction>{sought}</m:Restriction><m:ParentFolderIds>"
            f"{folder_named('root')}</m:ParentFolderIds></m:FindFolder>"
        )
        assert seen.code == "NoError"
        return len(seen.all("t:FolderId"))

    exists = f"<t:Exists>{name}</t:Exists>"
    some, none = found(exists), found(f"<t:Not>{exists}</t:Not>")
    assert found(same) == 1
    assert some > 10
    assert none > 2
    assert found(f"<t:Or>{same}<t:Not>{exists}</t:Not></t:Or>") == 1 + none
    assert found(same.replace("IsEqualTo", "IsNotEqualTo")) == some + none - 1


def test_no_name_stands_for_two() -> None:
    tables = (mapi._PLAIN, mapi._CONTACT, mapi._PHONES, mapi._PLACES, mapi._MAILS, mapi._CHOICES)
    every = [each for table in tables for each in table]
    assert len(every) == len({*every})


# ---- bare times ----


def test_bare_times_are_meant_in_the_entry_s_own_zone(desk: Desk) -> None:
    head = "<t:TimeZoneContext><t:TimeZoneDefinition Id='GMT Standard Time'/></t:TimeZoneContext>"
    zone = "<t:StartTimeZone Id='W. Europe Standard Time'/>"
    times = "<t:Start>2026-07-03T10:00:00</t:Start><t:End>2026-07-03T11:00:00</t:End>"
    for more, hour in ((zone, "08"), ("", "09")):
        made = desk.create(f"<t:CalendarItem>{times}{more}</t:CalendarItem>", head=head).ids[0]
        seen = desk.get(made)
        assert seen.text("t:Start") == f"2026-07-03T{hour}:00:00Z"
        assert seen.text("t:End")[11:13] == f"{int(hour) + 1:02}"
    later = set_field("calendar:Start", "CalendarItem", "<t:Start>2026-07-03T09:30:00</t:Start>")
    where_ = set_field(
        "calendar:StartTimeZone", "CalendarItem", "<t:StartTimeZone Id='W. Europe Standard Time'/>"
    )
    assert desk.get(desk.update(made, later + where_).ids[0]).text("t:Start")[11:16] == "07:30"


# ---- the web server ----


def test_paths_are_found_in_any_case(desk: Desk) -> None:
    for path in (PATH, PATH.lower(), PATH.upper()):
        assert desk.http.get(path).status_code == 401
        page = desk.http.get(path, headers=login(ALICE))
        assert (page.status_code, "Service" in page.text) == (200, True)
    assert desk.http.get("/ews/other", headers=login(ALICE)).status_code == 404
