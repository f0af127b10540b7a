"""The takeover from another connector at Exchange: its items are paired by its mark, and stay."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from accord.sandbox.exchange.hand import Hand, entry
from tests.databases import Databases
from tests.exchange import ROBOT, TARGET, House
from tests.unit.cli.conftest import Run
from tests.unit.cli.test_story import Shell
from tests.unit.exchange.test_pages import ADOPTING
from tests.unit.sandbox.ews import Judge

START = datetime(2040, 3, 5, 10, tzinfo=ZoneInfo("Europe/Berlin"))
WHEN = {"start": "2040-03-05T10:00:00", "end": "2040-03-05T11:00:00", "time_zone": "Europe/Berlin"}
RECORDS = (
    {"kind": "event", "title": "Review", **WHEN},
    {"kind": "task", "title": "Call Eve"},
    {"kind": "contact", "full_name": "Eve East"},
)
ROLES = ("calendar", "tasks", "contacts")
AT = '<t:ExtendedFieldURI {} PropertyType="String"/>'
PROPERTY = AT.format('DistinguishedPropertySetId="PublicStrings" PropertyName="CrmId"')
ACCORD = AT.format(
    'PropertySetId="9f3c1f52-6f0b-4c0e-8d5c-2b1f6a7e41d0" PropertyName="AccordMarker"'
)
LINKED = (
    TARGET
    + """
address_book = "Contacts"
{adopt}

[[link]]
user = "alice"
target = "company"
principal = "{person}"
kinds = ["event", "task", "contact"]
mode = "active"

[[rule]]
name = "events"
kind = "event"
scope = "all"

[[rule]]
name = "tasks"
kind = "task"
scope = "all"

[[rule]]
name = "contacts"
kind = "contact"
scope = "all"
"""
)


class Office:
    """Alice's records, and the items that the former connector made of them."""

    def __init__(self, shell: Shell, house: House, databases: Databases) -> None:
        self.shell, self.house, self.person = shell, house, house.person()
        shell("init", "--database", databases.url())
        shell("crm", "users", "add", "alice", "--address", self.person)
        self.refs = [self.put(each) for each in RECORDS]
        self.hand = Hand(house.url, self.person, "secret")
        self.items = [
            self.hand.add(text, role) for text, role in zip(self.made(), ROLES, strict=True)
        ]

    def put(self, record: dict[str, Any]) -> str:
        words = ("crm", "put", "--as", "alice", "--json")
        return str(self.shell(*words, stdin=json.dumps(record)).row["ref"])

    def made(self) -> tuple[str, str, str]:
        """Return what the former connector made of each record: its mark is all they share."""
        event, task, contact = (
            f"<t:ExtendedProperty>{PROPERTY}<t:Value>{escape(ref)}</t:Value></t:ExtendedProperty>"
            for ref in self.refs
        )
        meeting = entry("Review (Northwind)", START, START + timedelta(hours=2))
        return (
            meeting.replace("<t:Start>", f"{event}<t:Start>"),
            f"<t:Task><t:Subject>Call E. East</t:Subject>{task}</t:Task>",
            f"<t:Contact>{contact}<t:DisplayName>Eva East</t:DisplayName></t:Contact>",
        )

    def edit(self, number: int, **values: Any) -> None:
        ref = self.refs[number]
        item = json.loads(self.shell("crm", "show", ref, "--as", "alice").out)
        words = ("crm", "put", "--as", "alice", "--ref", ref)
        self.shell(*words, stdin=json.dumps(item | values))

    def records(self) -> list[list[str]]:
        rows = self.shell("crm", "list", "--as", "alice", "--json").rows
        items = [row["item"] for row in rows]
        return [
            [each.get("title") or each["full_name"] for each in items if each["kind"] == kind]
            for kind in ("event", "task", "contact")
        ]

    def link(self, adopt: str, code: int = 0) -> str:
        text = LINKED.format(url=self.house.url, robot=ROBOT, person=self.person, adopt=adopt)
        return self.shell("import", "-", stdin=text, code=code).err

    def titles(self) -> list[list[str]]:
        return [self.hand.titles(role) for role in ROLES]

    def mark(self, ref: str, prop: str = PROPERTY) -> list[str]:
        answer = self.hand.ask(
            "<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>"
            f"{prop}</t:AdditionalProperties></m:ItemShape>"
            f'<m:ItemIds><t:ItemId Id="{escape(ref)}"/></m:ItemIds></m:GetItem>'
        )
        return [each.text or "" for each in answer.iter("{*}Value")]


@pytest.fixture
def office(run: Run, databases: Databases, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.setenv("MAIL_PASSWORD", "secret")
    house = House(Judge(lambda what: None))
    made = Office(Shell(run), house, databases)
    yield made
    made.hand.close()
    house.close()


OURS, THEIRS = (
    [["Review"], ["Call Eve"], ["Eve East"]],
    [["Review (Northwind)"], ["Call E. East"], ["Eva East"]],
)


def test_its_items_are_paired_by_its_mark_kept_alike_and_left_with_it(office: Office) -> None:
    office.link(f'adopt = "{ADOPTING}"')
    rows = office.shell("sync", "--all", "--json").rows
    assert sum(row["paired"] for row in rows) == 3
    assert office.titles() == THEIRS
    assert office.records() == OURS, "both names stay until somebody decides"
    again = office.shell("sync", "--all", "--json").rows
    assert not any(row["paired"] for row in again)
    assert not any(any(row[side].values()) for row in again for side in ("crm", "groupware"))

    office.edit(0, location="Room 5")
    office.edit(1, status="in-process", percent=40)
    office.edit(2, organization="Northwind")
    office.shell("sync", "--all")
    seen = office.hand.got(office.items)
    fields = ("Location", "PercentComplete", "CompanyName")
    told = [each.text(name) for each, name in zip(seen, fields, strict=True)]
    assert told == ["Room 5", "40", "Northwind"]
    assert [office.mark(ref) for ref in office.items] == [[ref] for ref in office.refs]
    assert not any(office.mark(ref, ACCORD) for ref in office.items), "they aren't ours"

    office.shell("links", "remove", "alice", "--withdraw", "--yes")
    assert office.titles() == THEIRS
    assert office.records() == OURS
    assert [office.mark(ref) for ref in office.items] == [[ref] for ref in office.refs]


def test_without_the_setting_they_are_strangers(office: Office) -> None:
    office.link("")
    rows = office.shell("sync", "--all", "--json").rows
    assert not any(row["paired"] for row in rows)
    assert office.titles() == [
        ["Review", "Review (Northwind)"],
        ["Call E. East", "Call Eve"],
        ["Eva East", "Eve East"],
    ]


def test_a_mark_that_names_nothing_is_refused_at_import(office: Office) -> None:
    wrong = office.link('adopt = "CrmId"', code=2)
    assert "'adopt' is 'CrmId', which names no extended property" in wrong
    assert "PublicStrings/CrmId" in wrong
