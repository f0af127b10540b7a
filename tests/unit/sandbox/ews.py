"""Speak to the stand-in Exchange as a client would, every message judged by Microsoft's schema."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from lxml import etree
from starlette.testclient import TestClient

from accord.sandbox.exchange.server import PATH, Exchange
from tests.fuzz.tally import RecordProperty, note
from tests.unit.sandbox.ews_table import FOLDER

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
T = "http://schemas.microsoft.com/exchange/services/2006/types"
M = "http://schemas.microsoft.com/exchange/services/2006/messages"
SPACES = {"t": T, "m": M}
ALICE, BOB, ROBOT = "alice@example.com", "bob@example.com", "robot@example.com"


@cache
def official() -> etree.XMLSchema | None:
    """Return Microsoft's schema, or None where it is not beside the project."""
    place = FOLDER / "ews-all.xsd"
    return etree.XMLSchema(etree.parse(place)) if place.is_file() else None


class Judge:
    """Hold every message against Microsoft's schema and count them."""

    def __init__(self, record: Callable[[str], None]) -> None:
        self.record = record
        self.lenient = False  # a test sends what is wrong on purpose

    def __call__(self, which: str, text: bytes) -> None:
        schema = official()
        if schema is None or (self.lenient and which == "request"):
            return
        root = etree.fromstring(text)
        body = root.find(f"{SOAP}Body")
        if body is None or body[0].tag == f"{SOAP}Fault":
            return
        header = root.find(f"{SOAP}Header")
        for each in [*(header if header is not None else ()), body[0]]:
            schema.assertValid(etree.fromstring(etree.tostring(each)))
        self.record("EWS messages valid against Microsoft's schema")


class Refused(Exception):
    """The server answered with a fault: its code, its text and the whole of it."""

    def __init__(self, fault: etree._Element, status: int) -> None:
        super().__init__(fault.findtext("faultstring"))
        self.code = (fault.findtext("faultcode") or "").rpartition(":")[2]
        self.fault = fault
        self.status = status


class Answer:
    """What came back: the first message's code, and whatever a path finds."""

    def __init__(self, node: etree._Element) -> None:
        self.node = node

    @property
    def codes(self) -> list[str]:
        return [each.text or "" for each in self.node.iterfind(".//m:ResponseCode", SPACES)]

    @property
    def code(self) -> str:
        assert len(self.codes) == 1
        return self.codes[0]

    def all(self, path: str) -> list[etree._Element]:
        return self.node.findall(f".//{path}", SPACES)

    def one(self, path: str) -> etree._Element:
        found = self.all(path)
        assert len(found) == 1, (path, etree.tostring(self.node))
        return found[0]

    def text(self, path: str) -> str:
        return self.one(path).text or ""

    @property
    def ids(self) -> list[str]:
        return [named(each) for each in self.all("t:ItemId")]


def named(node: etree._Element, *, key: bool = True) -> str:
    """Return an ItemId as a request carries it."""
    mark = f' ChangeKey="{node.get("ChangeKey")}"' if key and node.get("ChangeKey") else ""
    return f'<t:ItemId Id="{node.get("Id")}"{mark}/>'


class Desk:
    """Send requests to an Exchange of one's own."""

    def __init__(self, record: Callable[[str], None], **settings: Any) -> None:
        self.judge = Judge(record)
        self.now = NOW
        self.exchange = Exchange(clock=lambda: self.now, witness=self.judge, **settings)
        self.http = TestClient(self.exchange.app)
        people = self.exchange.people
        self.alice, self.bob, self.robot = (
            people.by_address(address)
            or people.add(address, "secret", name=name, login=login, impersonates=robot)
            for address, name, login, robot in (
                (ALICE, "Alice Adams", "alice", False),
                (BOB, "Bob Brown", "", False),
                (ROBOT, "", "", True),
            )
        )

    def ask(self, body: str, user: str = ALICE, head: str = "", *, wrong: bool = False) -> Answer:
        """Send a request and return its answer. Raises Refused."""
        self.judge.lenient = wrong
        envelope = (
            f'<s:Envelope xmlns:s="{SOAP[1:-1]}" xmlns:t="{T}" xmlns:m="{M}"><s:Header>'
            f'<t:RequestServerVersion Version="Exchange2013_SP1"/>{head}</s:Header>'
            f"<s:Body>{body}</s:Body></s:Envelope>"
        )
        reply = self.http.post(PATH, content=envelope.encode(), headers=login(user))
        if reply.headers.get("content-type", "") != "text/xml; charset=utf-8":
            raise AssertionError((reply.status_code, reply.text))
        content = etree.fromstring(reply.content).find(f"{SOAP}Body")
        assert content is not None
        if content[0].tag == f"{SOAP}Fault":
            raise Refused(content[0], reply.status_code)
        assert reply.status_code == 200
        return Answer(content[0])

    # ---- shorthands ----

    def create(self, item: str, user: str = ALICE, head: str = "", *, folder: str = "") -> Answer:
        target = f"<m:SavedItemFolderId>{folder}</m:SavedItemFolderId>" if folder else ""
        return self.ask(
            '<m:CreateItem MessageDisposition="SaveOnly" SendMeetingInvitations="SendToNone">'
            f"{target}<m:Items>{item}</m:Items></m:CreateItem>",
            user,
            head,
        )

    def get(self, item: str, more: str = "", base: str = "AllProperties", head: str = "") -> Answer:
        extra = f"<t:AdditionalProperties>{more}</t:AdditionalProperties>" if more else ""
        return self.ask(
            f"<m:GetItem><m:ItemShape><t:BaseShape>{base}</t:BaseShape>{extra}</m:ItemShape>"
            f"<m:ItemIds>{item}</m:ItemIds></m:GetItem>",
            head=head,
        )

    def update(
        self,
        item: str,
        updates: str,
        resolution: str = "NeverOverwrite",
        notices: str = "SendToNone",
    ) -> Answer:
        return self.ask(
            f'<m:UpdateItem ConflictResolution="{resolution}" MessageDisposition="SaveOnly"'
            f' SendMeetingInvitationsOrCancellations="{notices}"><m:ItemChanges><t:ItemChange>'
            f"{item}<t:Updates>{updates}</t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>"
        )

    def delete(
        self, item: str, way: str = "MoveToDeletedItems", notices: str = "SendToNone"
    ) -> Answer:
        return self.ask(
            f'<m:DeleteItem DeleteType="{way}" SendMeetingCancellations="{notices}"'
            f' AffectedTaskOccurrences="AllOccurrences"><m:ItemIds>{item}</m:ItemIds>'
            "</m:DeleteItem>"
        )

    def find(self, folder: str, inside: str = "", shape: str = "IdOnly", more: str = "") -> Answer:
        extra = f"<t:AdditionalProperties>{more}</t:AdditionalProperties>" if more else ""
        return self.ask(
            f'<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>{shape}</t:BaseShape>'
            f"{extra}</m:ItemShape>{inside}<m:ParentFolderIds>{folder_named(folder)}"
            "</m:ParentFolderIds></m:FindItem>"
        )

    def sync(self, folder: str, state: str = "", most: int = 512, user: str = ALICE) -> Answer:
        mark = f"<m:SyncState>{state}</m:SyncState>" if state else ""
        return self.ask(
            "<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>"
            '<t:AdditionalProperties><t:FieldURI FieldURI="item:Subject"/></t:AdditionalProperties>'
            f"</m:ItemShape><m:SyncFolderId>{folder_named(folder)}</m:SyncFolderId>{mark}"
            f"<m:MaxChangesReturned>{most}</m:MaxChangesReturned></m:SyncFolderItems>",
            user,
        )


def folder_named(folder: str) -> str:
    return folder if folder.startswith("<") else f'<t:DistinguishedFolderId Id="{folder}"/>'


def login(user: str, password: str = "secret") -> dict[str, str]:
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {token}", "Content-Type": "text/xml; charset=utf-8"}


def event(subject: str = "Talk", more: str = "", day: str = "2026-03-03") -> str:
    """Return a calendar entry of an hour; `more` stands after the end."""
    return (
        f"<t:CalendarItem><t:Subject>{subject}</t:Subject><t:Start>{day}T10:00:00Z</t:Start>"
        f"<t:End>{day}T11:00:00Z</t:End>{more}</t:CalendarItem>"
    )


def set_field(uri: str, kind: str, value: str) -> str:
    return (
        f'<t:SetItemField><t:FieldURI FieldURI="{uri}"/><t:{kind}>{value}</t:{kind}>'
        "</t:SetItemField>"
    )


@pytest.fixture
def desk(record_property: RecordProperty) -> Iterator[Desk]:
    """An Exchange with Alice, Bob and a robot that may impersonate both."""
    made = Desk(lambda what: note(1, what, record_property))
    yield made
    made.exchange.close()
