"""`accord busy`: colleagues' times from a mail server, a calendar or the CRM, as they allow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from accord.groupware import memory
from accord.model.item import Event
from accord.model.kinds import Kind
from tests.exchange import ROBOT, TARGET, House
from tests.unit.cli.conftest import Run, event

WEEK = ("--from", "2027-03-01", "--to", "2027-03-05", "--zone", "Europe/Berlin")
SETTINGS = (
    TARGET
    + """
[[rule]]
name = "events"
kind = "event"
scope = "all"
"""
)
LINK = """
[[link]]
user = "{user}"
target = "company"
principal = "{person}"
kinds = ["event"]
mode = "active"
"""


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.close()


def spans(row: dict[str, Any], user: str) -> Any:
    (person,) = [each for each in row["people"] if each["user"] == user]
    return person["spans"]


def test_colleagues_on_a_mail_server_and_when_they_are_free_together(
    installed: Run, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "secret")
    installed("crm", "users", "add", "bob", "--address", "bob@x.test")
    text = SETTINGS.format(url=house.url, robot=ROBOT)
    people = {name: house.person() for name in ("alice", "bob")}
    for name, person in people.items():
        text += LINK.format(user=name, person=person)
    installed("import", "-", stdin=text)
    private = {"privacy": "private", "busy": "out-of-office"}
    installed("crm", "put", "--as", "alice", stdin=event("Secret plan"))
    later = {"start": "2027-03-01T13:00:00", "end": "2027-03-01T15:30:00"}
    installed("crm", "put", "--as", "bob", stdin=event("Dentist", **later, **private))
    installed("sync", "--all")

    asked = ("busy", "alice", "bob", *WEEK, "--duration", "90")
    row = installed(*asked, "--json").row
    assert spans(row, "alice") == [
        {"start": "2027-03-01T09:00:00Z", "end": "2027-03-01T10:00:00Z", "busy": "busy"}
    ]
    assert [each["busy"] for each in spans(row, "bob")] == ["out-of-office"]
    assert row["free"][:3] == [
        {"start": "2027-03-01T10:00:00Z", "end": "2027-03-01T12:00:00Z"},
        {"start": "2027-03-01T14:30:00Z", "end": "2027-03-01T16:00:00Z"},
        {"start": "2027-03-02T08:00:00Z", "end": "2027-03-02T16:00:00Z"},
    ]
    told = installed(*asked).out
    assert "Mon 2027-03-01 10:00 to 11:00  busy" in told
    assert "Free together, Europe/Berlin:" in told
    assert "by the mail server's free/busy" in told
    assert "Secret" not in told + json.dumps(row)
    assert "Dentist" not in told + json.dumps(row)

    bob = house.exchange.people.by_address(people["bob"])
    alice = house.exchange.people.by_address(people["alice"])
    assert bob is not None
    assert alice is not None
    house.exchange.people.grant(bob, alice, "hidden")
    (_, hidden) = installed(*asked, "--as", "alice", "--json").row["people"]
    assert "ErrorNoFreeBusyAccess" in hidden["why"]
    assert house.exchange.mails() == []


def test_everybody_chooses_who_sees_their_times(installed: Run) -> None:
    for name in ("bob", "carl"):
        installed("crm", "users", "add", name, "--address", f"{name}@x.test")
    installed("crm", "users", "group", "sales", "alice", "bob")
    installed("crm", "put", "--as", "alice", stdin=event("Secret plan"))

    def sees(viewer: str) -> bool:
        words = ("--as", viewer) if viewer else ()
        row = installed("busy", "alice", *WEEK, *words, "--json", code=None).row
        (person,) = row["people"]
        assert bool(person["spans"]) != bool(person["why"])
        assert (row["unknown"] == []) == bool(person["spans"])
        return bool(person["spans"])

    for audience, expected in (
        ("", {"alice", "bob", "carl", ""}),
        ("team", {"alice", "bob"}),
        ("nobody", {"alice"}),
        ("everybody", {"alice", "bob", "carl", ""}),
    ):
        if audience:
            installed("busy", "alice", "--show-to", audience)
        assert {each for each in ("alice", "bob", "carl", "") if sees(each)} == expected
    told = installed("busy", "alice", *WEEK).out
    assert "by the CRM's calendar" in told
    assert "Secret" not in told
    installed("busy", "alice", "--show-to", "nobody")
    refused = installed("busy", "alice", *WEEK, code=1).out
    assert "alice shows these times to nobody" in refused
    assert "Free" not in refused


def test_a_calendar_without_free_and_busy_is_read(
    linked: Run, mailboxes: memory.MemoryGroupware
) -> None:
    mailbox = mailboxes.person("alice@x.test")
    start, end = datetime(2027, 3, 1, 10), datetime(2027, 3, 1, 11)
    mailbox.add(Event(title="Secret", start=start, end=end, time_zone="Europe/Berlin"))
    row = linked("busy", "alice", *WEEK, "--json").row
    (person,) = row["people"]
    assert person["source"] == "the mailbox's calendar"
    assert [each["start"] for each in person["spans"]] == ["2027-03-01T09:00:00Z"]
    assert len(mailbox.list(Kind.EVENT)) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "whose?"),
        (("alice", "--from", "soon"), "is no day or time"),
        (("alice", "--from", "2027-03-05", "--to", "2027-03-01"), "--to must be after --from"),
        (("alice", "--from", "2027-03-05", "--to", "2029-03-01"), "more than a year"),
        (("alice", "--from", "2027-03-05T10:00+01:00"), "name the zone with --zone"),
        (("alice", "--hours", "nine"), "are no hours"),
        (("alice", "--zone", "Berlin"), "is no time zone"),
        (("alice", "--duration", "0"), "at least a minute"),
        (("alice", "--show-to", "friends"), "can't be shown to"),
        (("eve",), "eve"),
    ],
)
def test_what_makes_no_sense_is_said(installed: Run, words: tuple[str, ...], said: str) -> None:
    assert said in installed("busy", *words, code=2).err
