"""A meeting that a participant may not change in the built-in CRM: said, and healed."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from accord.cli import exits
from accord.groupware import memory
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.model.parts import Attendee, Person
from tests.unit.cli.conftest import Run, event

BOB = """
[[link]]
user = "bob"
target = "company"
kinds = ["event"]
mode = "active"
"""


def start(run: Run, ref: str) -> Any:
    return json.loads(run("crm", "show", ref, "--as", "alice", "--json").out)["item"]["start"]


def test_a_reschedule_that_nobody_may_bring_in(
    linked: Run, mailboxes: memory.MemoryGroupware
) -> None:
    linked("crm", "users", "add", "bob", "--address", "bob@x.test")
    linked("import", "-", stdin=BOB)
    alice, bob = (mailboxes.person(f"{name}@x.test") for name in ("alice", "bob"))
    times: dict[str, Any] = {"start": datetime(2027, 3, 1, 10), "end": datetime(2027, 3, 1, 11)}
    item = alice.add(
        Event(
            title="Round",
            time_zone="Europe/Berlin",
            organizer=Person(address="alice@x.test"),
            attendees=(Attendee(address="bob@x.test"),),
            **times,
        )
    )
    linked("sync", "--all")
    (row,) = linked("crm", "list", "event", "--as", "alice", "--json").rows
    linked("links", "remove", "alice-event", "--yes")
    later = {name: moment.replace(hour=moment.hour + 4) for name, moment in times.items()}
    alice.edit(item.ref, **later)
    assert [one.item.start for one in bob.list(Kind.EVENT)] == [later["start"]]  # type: ignore[union-attr]

    assert "1 failed" in linked("sync", "bob", code=exits.FAILED).out
    told = linked("sync", "bob").out
    assert "bob-event: nothing done" in told
    assert f"1 change is still refused: `accord explain {row['ref']}`" in told
    why = linked("explain", "Round").out
    assert "give bob the right to change it, or link a participant who has it" in why
    assert "T10:00" in start(linked, row["ref"])

    linked("import", "-", stdin=BOB.replace("bob", "alice"))
    linked("sync", "alice-event")
    assert "T14:00" in start(linked, row["ref"])
    assert "refused" not in linked("sync", "bob").out


BROKEN = '[[rule]]\nname = "events"\nkind = "event"\nscope = "all"\n'
BROKEN += 'filter.crm = "timestamp(item.title) < now"\n'


@pytest.mark.parametrize("paired", [True, False])
def test_an_item_that_its_rule_can_not_be_applied_to_has_failed(linked: Run, paired: bool) -> None:
    linked("crm", "put", "--as", "alice", stdin=event("Round"))
    if paired:
        linked("sync", "alice-event")
    linked("import", "-", stdin=BROKEN)
    shown = linked("rules", "activate", "events", "--plan", code=exits.FAILED).out
    assert "failed: Round" in shown
    assert "the rule can't be applied: filter.crm" in shown
    linked("rules", "activate", "events", "--yes")
    row = linked("plan", "alice-event", "--json", code=exits.FAILED).row
    assert (row["failed"], [step["step"] for step in row["steps"]]) == (1, ["failed"])
    told = linked("sync", "alice-event", code=exits.FAILED).out
    assert "CRM 1 failed" in told
    assert "1 item that the rule can't be applied to: `accord check`" in told
    assert "accord journal" not in told
    assert "the rule can't be applied" in linked("check", code=exits.FAILED).out
    again = linked("sync", "alice-event").out
    assert "nothing done" in again
    assert "still refused: `accord explain" in again
    why = linked("explain", "Round").out
    assert "the rule can't be applied" in why
    assert "give alice the right" not in why
