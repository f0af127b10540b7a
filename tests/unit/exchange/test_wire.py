"""What answers may look like: odd, incomplete, hostile, or in more parts than one."""

from __future__ import annotations

import httpx2
import pytest
from lxml import etree

from accord.groupware.exchange import client as ews
from accord.groupware.exchange import wire
from accord.groupware.exchange.http import Http
from accord.groupware.exchange.settings import configure
from accord.groupware.exchange.ways import login
from accord.groupware.exchange.wire import m, t
from accord.model.kinds import Kind
from accord.ports import errors
from accord.ports.http import Told
from tests.unit.exchange.bridge import Bridge, Rig, operation

ENVELOPE = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:m="{m}" xmlns:t="{t}">'
    "<s:Body>{inside}</s:Body></s:Envelope>"
)


def answer(inside: str) -> bytes:
    text = ENVELOPE.replace("{inside}", inside)
    return text.replace("{m}", wire.MESSAGES).replace("{t}", wire.TYPES).encode()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"<html",
        b"{}",
        b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
        b"<?xml version='1.0'?><!DOCTYPE x SYSTEM 'http://x/'><x/>",
        b"<a><b></a>",
    ],
)
def test_what_is_no_plain_xml_is_asked_for_again(text: bytes) -> None:
    with pytest.raises(errors.Retry):
        wire.parse(text)


def test_a_character_that_xml_forbids_spoils_nothing_else() -> None:
    """Exchange passes on what people paste, as references that no parser takes."""
    text = b"<a><b>one&#x1;two\x02&#3;&amp;&#x41;</b><c>&#x1F600;</c></a>"
    root = wire.parse(text)
    assert root[0].text == "onetwo&A"
    assert root[1].text == "😀"
    assert wire.t("Subject", "a\x00b\x1fc").text == "abc"


def test_a_fault_is_found_however_it_is_laid_out() -> None:
    plain = answer("<s:Fault><faultcode>a:ErrorServerBusy</faultcode></s:Fault>")
    found = wire.fault_of(wire.parse(plain), "x")
    assert isinstance(found, errors.Retry)
    assert found.code == "ErrorServerBusy"
    inside = (
        "<s:Fault><faultcode>s:Client</faultcode><faultstring>no</faultstring><detail>"
        "<e:ResponseCode xmlns:e='urn:e'>ErrorServerBusy</e:ResponseCode><t:MessageXml>"
        '<t:Value Name="BackOffMilliseconds">2500</t:Value></t:MessageXml></detail></s:Fault>'
    )
    found = wire.fault_of(wire.parse(answer(inside)), "x")
    assert isinstance(found, Told)
    assert found.after == 2.5
    assert wire.fault_of(wire.parse(answer("<m:x/>")), "x") is None


def test_messages_are_as_many_as_things_or_one_refusal_for_all() -> None:
    one = (
        "<m:R><m:ResponseMessages><m:M ResponseClass='{how}'><m:ResponseCode>{code}"
        "</m:ResponseCode></m:M></m:ResponseMessages></m:R>"
    )
    good = one.replace("{how}", "Success").replace("{code}", "NoError")
    bad = one.replace("{how}", "Error").replace("{code}", "ErrorAccessDenied")
    warned = one.replace("{how}", "Warning").replace("{code}", "ErrorSomeWarning")
    assert [each.error for each in found_in(good, 1)] == [None]
    assert [type(each.error) for each in found_in(bad, 3)] == [errors.Denied] * 3
    assert [each.error for each in found_in(warned, 1)] == [None]
    with pytest.raises(errors.Retry):
        found_in(good, 2)
    with pytest.raises(errors.Retry):
        wire.body_of(wire.parse(b"<html><body/></html>"), "x")


def found_in(inside: str, count: int) -> list[wire.Message]:
    return wire.messages(wire.body_of(wire.parse(answer(inside)), "x"), "x", count)


# what the schema leaves open


def changed(rig: Rig, wanted: str, edit: object) -> None:
    def spoil(name: str, text: bytes) -> bytes:
        if name != wanted:
            return text
        root = etree.fromstring(text)
        edit(root)  # type: ignore[operator]
        return etree.tostring(root)

    rig.bridge.after.append(spoil)


def without(*names: str) -> object:
    def edit(root: etree._Element) -> None:
        for name in names:
            for each in root.findall(f".//{{*}}{name}"):
                parent = each.getparent()
                assert parent is not None
                parent.remove(each)

    return edit


def test_folders_are_found_where_optional_parts_are_missing() -> None:
    rig = Rig()
    try:
        names = ("EffectiveRights", "ParentFolderId", "ChildFolderCount", "TotalCount")
        for wanted in ("GetFolder", "FindFolder"):
            changed(rig, wanted, without(*names))
        with rig.adapter.open("alice@example.com") as session:
            assert all(each.writable for each in session.folders())
            assert {kind for each in session.folders() for kind in each.kinds} == {
                *(Kind.EVENT, Kind.TASK, Kind.CONTACT)
            }
    finally:
        rig.close()


def test_pages_go_on_without_the_next_ones_number() -> None:
    """A page may tell where the next begins; where it doesn't, its own length does."""
    root = m("RootFolder", IncludesLastItemInRange="false")
    assert ews._next(root, 10, [t("Task")] * 5) == 15
    root.set("IndexedPagingOffset", "12")
    assert ews._next(root, 10, [t("Task")] * 5) == 12
    root.set("IndexedPagingOffset", "10")
    assert ews._next(root, 10, [t("Task")] * 5) == -1
    root.set("IncludesLastItemInRange", "true")
    assert ews._next(root, 10, [t("Task")] * 5) == -1
    assert ews._next(m("RootFolder"), 10, [t("Task")] * 5) == -1


@pytest.mark.parametrize(("many", "last"), [(2, False), (0, True)])
def test_a_round_without_its_flag_ends_when_nothing_more_comes(many: int, last: bool) -> None:
    class Answers(Bridge):
        def __init__(self) -> None:
            self.asked = []

        def handle_request(self, request: httpx2.Request) -> httpx2.Response:
            assert operation(request.read()) == "SyncFolderItems"
            items = (
                "<t:Create><t:Task><t:ItemId Id='{n}' ChangeKey='k'/></t:Task></t:Create>"
                "<t:ReadFlagChange><t:ItemId Id='r{n}' ChangeKey='k'/><t:IsRead>1</t:IsRead>"
                "</t:ReadFlagChange>"
            )
            inside = "".join(items.replace("{n}", str(n)) for n in range(many))
            text = answer(
                "<m:SyncFolderItemsResponse><m:ResponseMessages><m:SyncFolderItemsResponseMessage "
                "ResponseClass='Success'><m:ResponseCode>NoError</m:ResponseCode><m:SyncState>s"
                f"</m:SyncState><m:Changes>{inside}"
                "</m:Changes></m:SyncFolderItemsResponseMessage></m:ResponseMessages>"
                "</m:SyncFolderItemsResponse>"
            )
            return httpx2.Response(200, content=text)

    config = configure({"url": "http://127.0.0.1", "user": "x", "password": "y", "auth": "basic"})
    http = Http(config, Answers())
    client = ews.Client(http, config.url, login(config, ""), "a@example.com", "own")
    told = client.sync("F", "")
    assert (told.last, told.state) == (last, "s")
    assert [each.ref for each in told.changes] == ["0", "r0", "1", "r1"][: 2 * many]
    assert [each.element for each in told.changes] == ["Task", "", "Task", ""][: 2 * many]
