"""A meeting whose content giver may not change the record: told, and healed by who may."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from accord.crm.memory.store import Right
from accord.model.item import Event
from accord.model.parts import Attendee, Person
from accord.ports.errors import Denied
from accord.rules.rule import Meetings
from accord.service.explain import explain
from accord.service.removal import remove_link
from accord.state.records import Cause, Mode
from tests.unit.service.kit import HOUR, SOON, World, event

UPDATE = "accord.crm.memory.session.MemorySession.update"
LATER = SOON + 4 * HOUR
NAMES = ("anna", "bob", "carl")


class Rights:
    """Be what the CRM lets whom do: those `without` may answer, and not change a meeting."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *without: str) -> None:
        self.without = set(without)
        self.asked: list[str] = []
        update: Any = _update()

        def refuse(session: Any, folder: str, kind: Any, revisions: Sequence[Any]) -> Any:
            user = session._user
            content = [one for one in revisions if set(one.changed) - {"attendees"}]
            self.asked += [user] * len(content)
            if user in self.without and content:
                return [Denied(f"{user} may not change start")] * len(revisions)
            return update(session, folder, kind, revisions)

        monkeypatch.setattr(UPDATE, refuse)


def _update() -> Any:
    from accord.crm.memory.session import MemorySession

    return MemorySession.update


def shared(*names: str, organizer: str = "anna@x.test") -> World:
    """Return a world in which all have Anna's meeting, which her copy gives, before she leaves."""
    world = World(*NAMES, rule={"meetings": Meetings.INVITE})
    people = tuple(Attendee(address=f"{name}@x.test") for name in NAMES)
    meeting = event("Round", organizer=Person(address=organizer), attendees=people, uid="m1")
    world.mailbox("anna").add(meeting)
    world.sync(*names)
    assert holder(world) == "anna"
    remove_link(world.accord, world.link("anna"))
    return world


def holder(world: World) -> str | None:
    with world.state.read() as tx:
        claim = tx.claims.get("crm", "m1")
    return claim.link if claim is not None else None


def givers(world: World) -> tuple[str, str]:
    """Return who gives the content since Anna left, and who else could."""
    giver = holder(world)
    assert giver in ("bob", "carl")
    return giver, "carl" if giver == "bob" else "bob"


def start(world: World) -> object:
    (record,) = world.records("anna")
    assert isinstance(record.item, Event)
    return record.item.start


def reschedule(world: World) -> None:
    """Let Anna move the meeting; the server tells everybody's copy."""
    (item,) = world.items("anna")
    world.mailbox("anna").edit(item.ref, start=LATER, end=LATER + HOUR)


def test_what_nobody_may_change_stays_and_is_told_of_at_every_visit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = shared("anna", "bob")
    rights = Rights(monkeypatch, "bob")
    reschedule(world)
    assert world.sync("bob").failed == 1
    (record,) = world.records("anna")
    for _ in range(2):
        report = world.sync("bob")
        assert (report.writes, report.failed, report.refused) == (0, 0, [record.ref])
    assert (start(world), rights.asked) == (SOON, ["bob"])
    (told,) = explain(world.accord, record.ref)
    assert told.outcome == "waiting (retry)"
    assert "; ".join(told.waiting) == (
        "retry: bob may not change start (what helps: give bob the right to change it, "
        "or link a participant who has it)"
    )


def test_it_heals_once_the_right_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    world = shared("anna", "bob")
    rights = Rights(monkeypatch, "bob")
    reschedule(world)
    world.sync("bob")
    rights.without.clear()
    world.wait(minutes=2)
    report = world.sync("bob")
    assert (report.crm.updated, report.refused, start(world)) == (1, [], LATER)
    assert world.pending(user="bob") == []
    assert not world.pairings("bob")[0].refused


@pytest.mark.parametrize("moved_on", [False, True])
def test_another_participant_who_may_takes_over(
    monkeypatch: pytest.MonkeyPatch, moved_on: bool
) -> None:
    world = shared(*NAMES)
    giver, other = givers(world)
    Rights(monkeypatch, giver)
    reschedule(world)
    if moved_on:
        world.sync(other)
    world.sync(giver)
    assert holder(world) == other
    world.sync(other)
    assert start(world) == LATER
    world.wait(minutes=2)
    for name in ("bob", "carl"):
        report = world.sync(name)
        assert (report.writes, report.failed, report.refused) == (0, 0, [])
        assert world.pending(user=name) == []


def test_those_who_may_not_either_are_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = shared(*NAMES)
    rights = Rights(monkeypatch, "bob", "carl")
    reschedule(world)
    giver, other = givers(world)
    for _ in range(5):
        world.sync("bob", "carl")
    assert rights.asked == [giver, other]
    assert holder(world) == other
    for _ in range(10):
        world.wait(hours=7)
        world.sync("bob", "carl")
    assert len(rights.asked) == 12
    assert [one.cause for one in world.pending(user=other)] == [Cause.RETRY]
    rights.without.remove(other)
    world.wait(hours=7)
    world.sync("bob", "carl")
    assert start(world) == LATER


def test_whoever_gets_the_right_later_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    world = shared(*NAMES)
    rights = Rights(monkeypatch, "bob", "carl")
    reschedule(world)
    giver, _ = givers(world)
    for _ in range(2):
        world.sync("bob", "carl")
    rights.without.remove(giver)
    (record,) = world.records("anna")
    world.person("anna").touch(record.ref)
    world.sync("bob", "carl")
    for _ in range(2):
        world.wait(hours=7)
        world.sync("bob", "carl")
    assert (start(world), holder(world)) == (LATER, giver)


def test_the_organizer_comes_before_other_participants(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(*NAMES, rule={"meetings": Meetings.INVITE})
    people = tuple(Attendee(address=f"{name}@x.test") for name in NAMES)
    carl = Person(address="carl@x.test")
    item = world.mailbox("carl").add(event(organizer=carl, attendees=people, uid="m1"))
    world.sync("carl", "anna", "bob")
    with world.state.begin() as tx:
        tx.claims.pass_on("crm", "m1", "anna")
        for name in ("anna", "carl"):
            (pair,) = tx.pairings.all(name)
            tx.pairings.put(name, msgspec.structs.replace(pair, content=name == "anna"))
    Rights(monkeypatch, "anna")
    world.mailbox("carl").edit(item.ref, start=LATER, end=LATER + HOUR)
    world.sync("anna")
    assert holder(world) == "carl"


@pytest.mark.parametrize("unfit", [{"paused": True}, {"mode": Mode.OBSERVE}])
def test_who_does_not_work_is_not_asked(monkeypatch: pytest.MonkeyPatch, unfit: Any) -> None:
    world = shared(*NAMES)
    giver, other = givers(world)
    Rights(monkeypatch, giver)
    world.change_link(other, **unfit)
    reschedule(world)
    world.sync(giver)
    assert holder(world) == giver


def test_a_record_that_may_only_be_read_is_told_of_and_left_to_others() -> None:
    world = shared(*NAMES)
    giver, other = givers(world)
    (record,) = world.records("anna")
    world.person("anna").allow(record.ref, giver, Right.READ)
    reschedule(world)
    world.sync(giver)
    world.sync(other)
    assert (start(world), holder(world)) == (LATER, other)


def test_an_appointment_that_may_only_be_read_is_told_of() -> None:
    world = World("anna", "bob")
    item = world.mailbox("anna").add(event("Alone"))
    world.sync("anna")
    (record,) = world.records("anna")
    world.person("anna").allow(record.ref, "anna", Right.READ)
    world.mailbox("anna").edit(item.ref, title="Lonely")
    assert world.sync("anna").failed == 1
    for _ in range(2):
        report = world.sync("anna")
        assert (report.writes, report.refused) == (0, [record.ref])
    (told,) = explain(world.accord, "Alone")
    assert "give anna the right to change it)" in told.waiting[0]


def test_the_giver_who_returns_brings_it_in(monkeypatch: pytest.MonkeyPatch) -> None:
    world = shared("anna", "bob")
    Rights(monkeypatch, "bob")
    reschedule(world)
    world.sync("bob")
    world.add_link("anna")
    report = world.sync("anna")
    assert (report.conflicts, start(world), holder(world)) == (0, LATER, "anna")
    world.wait(minutes=2)
    report = world.sync("bob")
    assert (report.refused, report.writes, world.pending(user="bob")) == ([], 0, [])
