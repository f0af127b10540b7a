"""What the stand-in Exchange does wrong when asked to, and the mail it would have sent."""

from __future__ import annotations

from typing import get_args

import httpx2
import pytest
from lxml import etree

from accord.sandbox.exchange.faults import Kind
from accord.sandbox.exchange.server import PATH
from tests.unit.sandbox.ews import ALICE, BOB, Desk, Refused, event, login, set_field

INVITED = (
    "<t:RequiredAttendees><t:Attendee><t:Mailbox><t:EmailAddress>{}</t:EmailAddress></t:Mailbox>"
    "</t:Attendee><t:Attendee><t:Mailbox><t:EmailAddress>{}</t:EmailAddress></t:Mailbox>"
    "</t:Attendee></t:RequiredAttendees>"
)


def test_throttling_says_how_long_to_wait(desk: Desk) -> None:
    desk.exchange.faults.plan("busy", mailbox=ALICE, seconds=2.5)
    assert desk.sync("calendar", user=BOB).code == "NoError"
    with pytest.raises(Refused) as busy:
        desk.sync("calendar")
    assert (busy.value.code, busy.value.status) == ("ErrorServerBusy", 500)
    waits = list(busy.value.fault.iter("{*}Value"))
    assert [(each.get("Name"), each.text) for each in waits] == [("BackOffMilliseconds", "2500")]
    assert desk.sync("calendar").code == "NoError"


def test_a_lost_answer_has_done_its_work(desk: Desk) -> None:
    desk.exchange.faults.plan("lost", operation="CreateItem")
    with pytest.raises(etree.XMLSyntaxError, match="empty"):
        desk.create(event("Once"))
    assert len(desk.find("calendar").ids) == 1


@pytest.mark.parametrize(
    ("kind", "read", "write"),
    [
        ("moving", "ErrorMailboxMoveInProgress", "ErrorMailboxMoveInProgress"),
        ("disabled", "ErrorAccountDisabled", "ErrorAccountDisabled"),
        ("full", "NoError", "ErrorQuotaExceeded"),
        ("gone", "ErrorNonExistentMailbox", "ErrorNonExistentMailbox"),
        ("closed", "ErrorAccessDenied", "ErrorAccessDenied"),
    ],
)
def test_the_states_of_a_mailbox(desk: Desk, kind: Kind, read: str, write: str) -> None:
    fault = desk.exchange.faults.plan(kind, mailbox=ALICE, times=None)
    for _ in range(2):
        assert desk.sync("calendar").code == read
        place = '<t:DistinguishedFolderId Id="calendar"/>'
        assert desk.create(event(), folder=place).code == write
        assert desk.create(event(), BOB, folder=place).code == "NoError"
    desk.exchange.faults.end(fault)
    assert desk.create(event()).code == "NoError"


def test_what_is_corrupt_is_listed_but_can_not_be_read(desk: Desk) -> None:
    made = desk.create(event("Bad"))
    (bad,), (good,) = made.ids, desk.create(event("Good")).ids
    ref = made.one("t:ItemId").get("Id")
    desk.exchange.faults.plan("corrupt", mailbox=ALICE, times=None, item=ref)
    later = set_field("calendar:Location", "CalendarItem", "<t:Location>x</t:Location>")
    for _ in range(2):
        assert (desk.get(bad).code, desk.get(good).code) == ("ErrorItemCorrupt", "NoError")
        assert desk.update(bad, later).code == "ErrorItemCorrupt"
    assert len(desk.sync("calendar").ids) == len(desk.find("calendar").ids) == 2
    assert desk.delete(bad).code == "NoError", "people get rid of it"


def test_cursors_expire(desk: Desk) -> None:
    state = desk.sync("calendar").text("m:SyncState")
    desk.exchange.faults.plan("expired")
    assert desk.sync("calendar", state).code == "ErrorInvalidSyncStateData"
    assert desk.sync("calendar", state).code == "NoError"


def test_the_door_and_the_house(desk: Desk) -> None:
    desk.exchange.faults.plan("unauthorized")
    desk.exchange.faults.plan("unavailable", seconds=7)
    replies = [desk.http.post(PATH, content=b"<x/>", headers=login(ALICE)) for _ in range(2)]
    assert [each.status_code for each in replies] == [401, 503]
    assert replies[1].headers["Retry-After"] == "7"
    assert isinstance(replies[0], httpx2.Response)


def test_every_kind_of_fault_is_tested() -> None:
    text = "busy lost moving disabled full gone closed expired forgotten unauthorized unavailable"
    assert sorted(get_args(Kind)) == sorted([*text.split(), "corrupt"])


@pytest.mark.parametrize(
    "text",
    [b"", b"<x", b"<x/>", b'<!DOCTYPE x [<!ENTITY e "boom">]><x>&e;</x>', b"\xff\xfe"],
    ids=["empty", "cut", "foreign", "entity", "bytes"],
)
def test_what_is_no_envelope_is_a_fault(desk: Desk, text: bytes) -> None:
    desk.exchange.witness = None
    reply = desk.http.post(PATH, content=text, headers=login(ALICE))
    assert reply.status_code == 500
    assert "ErrorInvalidRequest" in reply.text
    assert "boom" not in reply.text


def test_unknown_operations_are_refused(desk: Desk) -> None:
    with pytest.raises(Refused) as refused:
        desk.ask("<m:Dance/>", wrong=True)
    assert refused.value.code == "ErrorInvalidRequest"


# ---- mail ----


def test_silent_writes_send_nothing(desk: Desk) -> None:
    people = INVITED.format(BOB, "eve@example.org")
    item = desk.create(event(more=people)).ids[0]
    later = set_field("calendar:Location", "CalendarItem", "<t:Location>x</t:Location>")
    item = desk.update(item, later).ids[0]
    assert desk.delete(item).code == "NoError"
    assert desk.exchange.mails() == []


def test_notices_are_counted_by_mailbox(desk: Desk) -> None:
    people = INVITED.format(BOB, "eve@example.org")
    made = desk.ask(
        '<m:CreateItem SendMeetingInvitations="SendToAllAndSaveCopy"><m:Items>'
        f"{event(more=people)}</m:Items></m:CreateItem>"
    )
    sent = desk.exchange.mails(ALICE)
    assert [(each.recipient, each.kind) for each in sent] == [
        (BOB, "request"),
        ("eve@example.org", "request"),
    ]
    others = INVITED.format(BOB, "ann@example.org")
    change = set_field("calendar:RequiredAttendees", "CalendarItem", others)
    item = desk.update(made.ids[0], change, notices="SendToChangedAndSaveCopy").ids[0]
    sent = desk.exchange.mails(ALICE)[2:]
    assert [(each.recipient, each.kind) for each in sent] == [
        ("ann@example.org", "request"),
        ("eve@example.org", "cancellation"),
    ]
    desk.delete(item, notices="SendOnlyToAll")
    sent = desk.exchange.mails(ALICE)[4:]
    assert [(each.recipient, each.kind) for each in sent] == [
        ("ann@example.org", "cancellation"),
        (BOB, "cancellation"),
    ]
    assert desk.exchange.mails(BOB) == []


def test_messages_go_out_only_when_they_are_sent(desk: Desk) -> None:
    to = "<t:Mailbox><t:EmailAddress>eve@example.org</t:EmailAddress></t:Mailbox>"
    note = f"<t:Message><t:Subject>Hi</t:Subject><t:ToRecipients>{to}</t:ToRecipients></t:Message>"
    draft = desk.create(note).ids[0]
    assert desk.exchange.mails() == []
    sent = desk.ask(
        f'<m:SendItem SaveItemToFolder="true"><m:ItemIds>{draft}</m:ItemIds></m:SendItem>'
    )
    assert sent.code == "NoError"
    assert [each.kind for each in desk.exchange.mails()] == ["message"]
    assert len(desk.find("sentitems").ids) == 1
    assert desk.find("drafts").ids == []
    desk.ask(
        f'<m:CreateItem MessageDisposition="SendAndSaveCopy"><m:Items>{note}</m:Items>'
        "</m:CreateItem>"
    )
    assert len(desk.exchange.mails(ALICE)) == 2
    assert len(desk.find("sentitems").ids) == 2
