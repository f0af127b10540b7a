"""A meeting that a participant may not change in the built-in CRM: said, and healed."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from accord.cli import exits
from accord.groupware import memory
from accord.model.item import Event
from accord.model.kinds import Kind
from accord.model.parts import Attendee, Person
from tests.unit.cli.conftest import Run

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
