"""What hangs on items of the stand-in Exchange: put there, listed, read, taken away, too big."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from accord.sandbox.exchange.limits import Limits
from tests.fuzz.tally import RecordProperty, note
from tests.unit.sandbox.ews import ALICE, BOB, Answer, Desk, event, folder_named, named
from tests.unit.sandbox.test_exchange_meetings import (
    ALL,
    WEEKLY,
    inside,
    invited,
    occurrence,
    reply,
)

DATA = b"\x00\xffdata" * 20


@pytest.fixture
def small(record_property: RecordProperty) -> Iterator[Desk]:
    """An Exchange that takes only small things."""
    made = Desk(
        lambda what: note(1, what, record_property), limits=Limits(attachment=100, item=2000)
    )
    yield made
    made.exchange.close()


def file(name: str = "plan.pdf", data: bytes = DATA, more: str = "", before: str = "") -> str:
    text = base64.b64encode(data).decode()
    return (
        f"<t:FileAttachment><t:Name>{name}</t:Name>{before}{more}<t:Content>{text}</t:Content>"
        "</t:FileAttachment>"
    )


def attach(desk: Desk, item: str, *files: str, user: str = ALICE) -> Answer:
    bare = item.replace("<t:ItemId", "<m:ParentItemId")
    return desk.ask(
        f"<m:CreateAttachment>{bare}<m:Attachments>{''.join(files)}</m:Attachments>"
        "</m:CreateAttachment>",
        user,
    )


def fetch(desk: Desk, which: str | None, user: str = ALICE) -> Answer:
    return desk.ask(
        "<m:GetAttachment><m:AttachmentShape/><m:AttachmentIds>"
        f'<t:AttachmentId Id="{which}"/></m:AttachmentIds></m:GetAttachment>',
        user,
    )


def drop(desk: Desk, which: str | None, user: str = ALICE) -> Answer:
    return desk.ask(
        f'<m:DeleteAttachment><m:AttachmentIds><t:AttachmentId Id="{which}"/>'
        "</m:AttachmentIds></m:DeleteAttachment>",
        user,
    )


def ids(answer: Answer) -> list[str | None]:
    return [each.get("Id") for each in answer.all("t:AttachmentId")]


def data(answer: Answer) -> bytes:
    return base64.b64decode(answer.text("t:Content"))


def test_a_file_is_attached_listed_read_and_taken_away(desk: Desk) -> None:
    item = desk.create(event()).one("t:ItemId")
    state = desk.sync("calendar").text("m:SyncState")
    made = attach(
        desk, named(item), file(), file("image001", b"i", "<t:IsInline>true</t:IsInline>")
    )
    assert made.codes == ["NoError", "NoError"]
    root = made.all("t:AttachmentId")[1]
    assert root.get("RootItemId") == item.get("Id")
    assert root.get("RootItemChangeKey") != item.get("ChangeKey")
    changed = desk.sync("calendar", state)
    assert changed.one("t:Update/t:CalendarItem/t:ItemId").get("ChangeKey") == root.get(
        "RootItemChangeKey"
    )

    seen = desk.get(named(item))
    assert seen.text("t:HasAttachments") == "true"
    assert ids(seen) == ids(made)
    first = seen.all("t:FileAttachment")[0]
    told = {str(each.tag).rpartition("}")[2]: each.text for each in first}
    assert (told["Name"], told["ContentType"], told["Size"]) == (
        "plan.pdf",
        "application/pdf",
        "120",
    )
    assert told["IsInline"] == "false"
    assert "Content" not in told
    assert int(seen.text("t:CalendarItem/t:Size")) > 120
    whole = fetch(desk, ids(made)[0])
    assert data(whole) == DATA

    gone = drop(desk, ids(made)[0]).one("m:RootItemId")
    assert gone.get("RootItemId") == item.get("Id")
    seen = desk.get(named(item, key=False))
    assert seen.one("t:ItemId").get("ChangeKey") == gone.get("RootItemChangeKey")
    assert seen.text("t:HasAttachments") == "false"  # what is left stands in the text
    assert fetch(desk, ids(made)[0]).code == "ErrorItemNotFound"
    assert drop(desk, ids(made)[0]).code == "ErrorItemNotFound"
    assert fetch(desk, item.get("Id")).code == "ErrorInvalidIdMalformed"


def test_files_come_with_a_new_item_and_stay_with_it_when_it_moves(desk: Desk) -> None:
    held = f"<t:Attachments>{file()}</t:Attachments>"
    made = desk.create(f"<t:Task><t:Subject>Read</t:Subject>{held}</t:Task>").ids[0]
    before = ids(desk.get(made))
    target = "<m:ToFolderId><t:DistinguishedFolderId Id='deleteditems'/></m:ToFolderId>"
    for verb in ("Copy", "Move"):
        moved = desk.ask(f"<m:{verb}Item>{target}<m:ItemIds>{made}</m:ItemIds></m:{verb}Item>").ids[
            0
        ]
        (after,) = ids(desk.get(moved))
        assert after not in before
        assert data(fetch(desk, after)) == DATA
    assert fetch(desk, before[0]).code == "ErrorItemNotFound"
    desk.delete(moved, "HardDelete")
    assert desk.exchange.store.rows("SELECT count(*) FROM attachment") == [(1,)]


def test_items_are_attached_too(desk: Desk) -> None:
    item = desk.create(event()).ids[0]
    inner = (
        "<t:ItemAttachment><t:Name>Note</t:Name><t:Message><t:Subject>Inner</t:Subject>"
        "</t:Message></t:ItemAttachment>"
    )
    made = attach(desk, item, inner)
    assert fetch(desk, ids(made)[0]).text("t:Message/t:Subject") == "Inner"
    empty = "<t:ItemAttachment><t:Name>Note</t:Name></t:ItemAttachment>"
    assert attach(desk, item, empty).code == "ErrorMissingItemForCreateItemAttachment"
    link = "<t:ReferenceAttachment><t:Name>x</t:Name></t:ReferenceAttachment>"
    assert attach(desk, item, link).code == "ErrorInvalidRequest"


def test_a_contact_has_one_picture(desk: Desk) -> None:
    item = desk.create("<t:Contact><t:GivenName>Eve</t:GivenName></t:Contact>").ids[0]
    picture = "<t:IsContactPhoto>true</t:IsContactPhoto>"
    for number in (b"1", b"2"):
        attach(desk, item, file("ContactPicture.jpg", number, picture))
    seen = desk.get(item)
    assert seen.text("t:HasPicture") == "true"
    (which,) = ids(seen)
    assert data(fetch(desk, which)) == b"2"


def test_what_is_too_big_is_refused(small: Desk) -> None:
    item = small.create(event()).ids[0]
    assert attach(small, item, file(data=b"x" * 101)).code == "ErrorAttachmentSizeLimitExceeded"
    codes = attach(small, item, *[file(f"{n}.txt", b"x" * 99) for n in range(20)]).codes
    assert codes[0] == "NoError"
    assert codes[-1] == "ErrorMessageSizeExceeded"
    assert len(ids(small.get(item))) == codes.count("NoError")
    held = f"<t:Attachments>{file(data=b'x' * 101)}</t:Attachments>"
    new = small.create(f"<t:Task><t:Subject>Big</t:Subject>{held}</t:Task>")
    assert new.code == "ErrorAttachmentSizeLimitExceeded"
    assert inside(small, "tasks", ALICE) == []


def test_others_files_take_rights(desk: Desk) -> None:
    item = desk.create(event()).ids[0]
    (which,) = ids(attach(desk, item, file()))
    assert fetch(desk, which, BOB).code == "ErrorItemNotFound"
    desk.exchange.people.grant(desk.alice, desk.bob, "reader")
    assert data(fetch(desk, which, BOB)) == DATA
    assert drop(desk, which, BOB).code == "ErrorAccessDenied"
    assert attach(desk, item, file(), user=BOB).code == "ErrorAccessDenied"


def test_an_occurrence_has_files_of_its_own(desk: Desk) -> None:
    master = desk.create(event(more=WEEKLY)).ids[0]
    attach(desk, master, file("all.txt"))
    second = named(desk.get(occurrence(master, 2)).one("t:CalendarItem/t:ItemId"))
    made = attach(desk, second, file("second.txt"))
    assert made.code == "NoError"

    def names(item: str) -> list[str | None]:
        return [each.text for each in desk.get(item).all("t:FileAttachment/t:Name")]

    assert names(occurrence(master, 2)) == ["all.txt", "second.txt"]
    assert names(occurrence(master, 3)) == names(master) == ["all.txt"]
    assert drop(desk, ids(made)[0]).code == "NoError"
    assert names(occurrence(master, 2)) == ["all.txt"]
    assert desk.get(occurrence(master, 2)).text("t:CalendarItemType") == "Exception"


def test_files_travel_with_what_is_sent(desk: Desk) -> None:
    invited(desk, notices="SendToNone")
    (own,) = inside(desk, "calendar", ALICE)
    attach(desk, own, file())
    (own,) = inside(desk, "calendar", ALICE)
    place = (
        "<t:SetItemField><t:FieldURI FieldURI='calendar:Location'/><t:CalendarItem><t:Location>x"
        "</t:Location></t:CalendarItem></t:SetItemField>"
    )
    assert desk.update(own, place, notices=ALL).code == "NoError"
    reply(desk, inside(desk, "inbox", BOB)[0])
    for folder in ("calendar", "deleteditems"):
        (item,) = inside(desk, folder, BOB)
        seen = desk.ask(
            "<m:GetItem><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape>"
            f"<m:ItemIds>{item}</m:ItemIds></m:GetItem>",
            BOB,
        )
        (which,) = ids(seen)
        assert data(fetch(desk, which, BOB)) == DATA

    to = f"<t:Mailbox><t:EmailAddress>{BOB}</t:EmailAddress></t:Mailbox>"
    note = (
        f"<t:Message><t:Subject>Hi</t:Subject><t:Attachments>{file()}</t:Attachments>"
        f"<t:ToRecipients>{to}</t:ToRecipients></t:Message>"
    )
    for way in ("SendOnly", "SendAndSaveCopy"):
        desk.ask(
            f'<m:CreateItem MessageDisposition="{way}"><m:Items>{note}</m:Items></m:CreateItem>'
        )
    found = desk.ask(
        '<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape>'
        f"</m:ItemShape><m:ParentFolderIds>{folder_named('inbox')}</m:ParentFolderIds></m:FindItem>",
        BOB,
    )
    assert [each.text for each in found.all("t:HasAttachments")] == ["true", "true"]
    assert inside(desk, "drafts", ALICE) == []
