"""What clients ask the stand-in Exchange about people: ids, names and automatic replies."""

from __future__ import annotations

import pytest
from lxml import etree

from tests.unit.sandbox.ews import ALICE, BOB, Answer, Desk, event

REPLY = "<t:{0}Reply><t:Message>{1}</t:Message></t:{0}Reply>"


def convert(desk: Desk, text: str, form: str, to: str, user: str = ALICE) -> Answer:
    return desk.ask(
        f'<m:ConvertId DestinationFormat="{to}"><m:SourceIds><t:AlternateId Format="{form}"'
        f' Id="{text}" Mailbox="any@example.com"/></m:SourceIds></m:ConvertId>',
        user,
    )


@pytest.mark.parametrize("form", ["EwsId", "HexEntryId", "OwaId", "EntryId", "StoreId"])
def test_ids_are_spelled_in_every_form_and_back(desk: Desk, form: str) -> None:
    item = desk.create(event()).one("t:ItemId").get("Id") or ""
    there = convert(desk, item, "EwsId", form).one("m:AlternateId")
    assert (there.get("Format"), there.get("Mailbox")) == (form, ALICE)
    back = convert(desk, there.get("Id") or "", form, "EwsId").one("m:AlternateId")
    assert back.get("Id") == item
    assert convert(desk, item, "EwsId", form, BOB).code == "ErrorItemNotFound"
    assert convert(desk, "DUMMY", form, "EwsId").code == "ErrorInvalidIdMalformed"


def test_names_are_resolved(desk: Desk) -> None:
    ask = (
        '<m:ResolveNames ReturnFullContactData="false"><m:UnresolvedEntry>{}</m:UnresolvedEntry>'
        "</m:ResolveNames>"
    )
    for text, address in (("alice", ALICE), ("SMTP:bob@", BOB), ("Alice Ad", ALICE)):
        assert desk.ask(ask.format(text)).text("t:Mailbox/t:EmailAddress") == address
    for text in ("nobody", "%", "_lice"):
        assert desk.ask(ask.format(text)).code == "ErrorNameResolutionNoResults"


def replies(state: str, span: str = "", who: str = ALICE) -> str:
    return (
        f"<m:SetUserOofSettingsRequest><t:Mailbox><t:Address>{who}</t:Address></t:Mailbox>"
        f"<t:UserOofSettings><t:OofState>{state}</t:OofState><t:ExternalAudience>Known"
        f"</t:ExternalAudience>{span}{REPLY.format('Internal', 'Away')}"
        f"{REPLY.format('External', 'Out')}</t:UserOofSettings></m:SetUserOofSettingsRequest>"
    )


def asked(who: str = ALICE) -> str:
    return (
        f"<m:GetUserOofSettingsRequest><t:Mailbox><t:Address>{who}</t:Address></t:Mailbox>"
        "</m:GetUserOofSettingsRequest>"
    )


def test_automatic_replies_are_kept_for_their_time(desk: Desk) -> None:
    assert desk.ask(asked()).text("t:OofState") == "Disabled"
    span = (
        "<t:Duration><t:StartTime>2026-07-01T00:00:00+02:00</t:StartTime>"
        "<t:EndTime>2026-07-15T00:00:00+02:00</t:EndTime></t:Duration>"
    )
    assert desk.ask(replies("Scheduled", span)).code == "NoError"
    seen = desk.ask(asked())
    assert [etree.QName(each).localname for each in seen.one("t:OofSettings")] == [
        "OofState",
        "ExternalAudience",
        "Duration",
        "InternalReply",
        "ExternalReply",
    ]
    assert seen.text("t:StartTime") == "2026-06-30T22:00:00Z"
    assert seen.text("t:InternalReply/t:Message") == "Away"
    wrong = "ErrorInvalidScheduledOofDuration"
    assert desk.ask(replies("Scheduled")).code == wrong
    assert desk.ask(replies("Scheduled", span.replace("07-15", "06-15"))).code == wrong
    assert desk.ask(asked()).text("t:OofState") == "Scheduled"


def test_automatic_replies_are_one_s_own(desk: Desk) -> None:
    assert desk.ask(asked(BOB)).code == "ErrorAccessDenied"
    assert desk.ask(replies("Enabled", who=BOB)).code == "ErrorAccessDenied"
    assert desk.ask(asked("x@example.com")).code == "ErrorNonExistentMailbox"
    assert desk.ask(asked(BOB), BOB).text("t:OofState") == "Disabled"


def test_folders_hold_no_configuration(desk: Desk) -> None:
    ask = (
        '<m:GetUserConfiguration><m:UserConfigurationName Name="OWA.UserOptions">'
        '<t:DistinguishedFolderId Id="{}"/></m:UserConfigurationName>'
        "<m:UserConfigurationProperties>All</m:UserConfigurationProperties>"
        "</m:GetUserConfiguration>"
    )
    assert desk.ask(ask.format("root")).code == "ErrorItemNotFound"
    assert desk.ask(ask.format("syncissues")).code == "ErrorFolderNotFound"
