"""Changes of a record that can't travel: they stay in the CRM, and somebody is told why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from accord.engine.plan import Skip
from accord.model.item import Event
from accord.model.kinds import Side
from accord.model.parts import Attendee, Person, Privacy
from accord.rules.rule import Private
from accord.state.records import Cause
from tests.unit.service.kit import CRM, World, event


def told(world: World, ref: str) -> str:
    """Return why nothing was done about a record, as `accord explain` tells."""
    decision = world.decision(CRM, ref)
    return decision.why if decision is not None and decision.step == "skip" else ""


def reduced(tmp_path: Path, **values: Any) -> tuple[World, str, str]:
    """Return a world with a private entry of the mailbox that the CRM knows reduced."""
    world = World(rule={"private": Private.BUSY}, key_file=tmp_path / "key")
    item = world.mailbox().add(event("Doctor", **{"privacy": Privacy.PRIVATE, **values}))
    world.sync()
    (record,) = world.records()
    return world, record.ref, item.ref


def test_nothing_is_written_onto_a_private_entry(tmp_path: Path) -> None:
    world, record, item = reduced(tmp_path)
    world.person().edit(record, title="Ours", location="Here")
    report = world.sync()
    assert (report.writes, report.failed, world.pending()) == (0, 0, [])
    assert told(world, record).startswith("title, location stays in the CRM: nothing is written")
    kept = world.mailbox().get(item).item
    assert isinstance(kept, Event)
    assert (kept.title, kept.location) == ("Doctor", "")
    assert world.sync(full=True).writes == 0


def test_what_the_private_entry_tells_goes_on_arriving(tmp_path: Path) -> None:
    world, record, item = reduced(tmp_path)
    world.person().edit(record, location="Here")
    later = event().start.replace(hour=15)
    world.mailbox().edit(item, start=later, end=later.replace(hour=16))
    world.sync()
    found = world.person().get(record).item
    assert isinstance(found, Event)
    assert (found.start, found.location) == (later, "Here")
    assert world.pending() == []


PEOPLE = tuple(Attendee(address=f"{name}@x.test") for name in ("alice", "bob"))
CAROL = Attendee(address="carol@elsewhere.test")


def organized(organizer: str = "alice@x.test") -> tuple[World, str, str]:
    """Return a world with a meeting of Alice's mailbox, and its record."""
    world = World("alice", "bob")
    meeting = event(organizer=Person(address=organizer), attendees=PEOPLE, uid="m1")
    item = world.mailbox().add(meeting)
    world.sync()
    (record,) = world.records()
    return world, record.ref, item.ref


def test_people_added_in_the_crm_to_a_meeting_of_the_mailbox_are_told_of() -> None:
    world, record, item = organized()
    mails = len(world.mails)
    world.person().edit(record, attendees=(*PEOPLE, CAROL))
    world.sync()
    assert told(world, record) == (
        'attendees of this meeting stay in the CRM: under meetings = "mirror" nobody is invited '
        "from a mailbox"
    )
    kept = world.mailbox().get(item).item
    assert isinstance(kept, Event)
    assert kept.attendees == PEOPLE
    assert world.pending(Cause.REJECTED) == []
    assert len(world.mails) == mails
    assert world.sync(full=True).writes == 0


def test_the_rest_of_the_change_travels_all_the_same() -> None:
    world, record, item = organized()
    world.person().edit(record, attendees=(*PEOPLE, CAROL), title="Anew")
    world.sync()
    assert "attendees" in told(world, record)
    assert world.mailbox().get(item).item.title == "Anew"  # type: ignore[union-attr]


@pytest.mark.parametrize("change", ["same people", "title"])
def test_nobody_is_told_of_what_does_not_stay(change: str) -> None:
    world, record, item = organized()
    if change == "title":
        world.person().edit(record, title="Anew")
    else:
        world.mailbox().edit(item, attendees=(*PEOPLE, CAROL))
        world.person().edit(record, attendees=(*PEOPLE, CAROL))
    report = world.sync()
    assert report.plan is not None
    assert not [step for step in report.plan.steps if isinstance(step, Skip)]


def test_a_copy_with_plain_people_takes_them_without_a_word() -> None:
    world = World("alice", "bob")
    record = world.person().add(
        event(organizer=Person(address="alice@x.test"), attendees=PEOPLE, uid="m1")
    )
    world.sync()
    world.person().edit(record.ref, attendees=(*PEOPLE, CAROL))
    assert world.sync().side(Side.GROUPWARE).updated == 1
    assert told(world, record.ref) == ""
