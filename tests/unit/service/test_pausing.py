"""A stop is a stop: a visit under way ends before its next batch, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from accord.engine.plan import Hold
from accord.groupware.memory.session import MemorySession as MailboxSession
from accord.model.kinds import Kind
from accord.model.observe import Unknown
from accord.service.decisions import approve
from accord.service.removal import withdraw
from accord.service.standing import pause_all, pause_links, set_mode
from accord.state.codec import decode_step
from accord.state.records import Cause, Mode
from tests.unit.service.kit import World, event
from tests.unit.service.watched import WatchedWorld

Stop = Callable[[World], Any]
STOPS: dict[str, tuple[Stop, Stop, str]] = {
    "everything": (
        lambda w: pause_all(w.accord, paused=True),
        lambda w: pause_all(w.accord, paused=False),
        "paused",
    ),
    "the link": (
        lambda w: pause_links(w.accord, ["alice"], paused=True),
        lambda w: pause_links(w.accord, ["alice"], paused=False),
        "paused",
    ),
    "only observe": (
        lambda w: set_mode(w.accord, ["alice"], Mode.OBSERVE),
        lambda w: set_mode(w.accord, ["alice"], Mode.ACTIVE),
        "it only observes since a moment ago",
    ),
}


def busy(count: int = 5) -> WatchedWorld:
    """Return a world that writes in batches of two."""
    world = WatchedWorld(groupware={"batch": 2})
    for number in range(count):
        world.person().add(event(f"Entry {number}"))
    return world


@pytest.mark.parametrize(("stop", "go_on", "why"), STOPS.values(), ids=STOPS)
def test_a_visit_under_way_stops_before_its_next_batch(stop: Stop, go_on: Stop, why: str) -> None:
    world = busy()

    def midway(phase: str, done: int, _: int) -> None:
        if (phase, done) == ("writing", 2):
            stop(world)

    world.on_progress = midway
    report = world.sync()
    assert report.error == why
    assert len(world.items()) == 2
    assert not world.intents()
    world.on_progress = lambda *_: None
    go_on(world)
    assert not world.sync().error
    assert world.titles() == ([f"Entry {n}" for n in range(5)],) * 2


def test_what_became_a_pilot_writes_no_more_by_the_plan_of_before() -> None:
    world = busy()

    def midway(phase: str, done: int, _: int) -> None:
        if (phase, done) == ("writing", 2):
            set_mode(world.accord, ["alice"], Mode.PILOT)

    world.on_progress = midway
    report = world.sync()
    assert (report.error, report.action) == ("it is a pilot since a moment ago", "retry")
    assert len(world.items()) == 2 and not world.intents()
    world.on_progress = lambda *_: None
    assert not world.sync().error
    assert len(world.items()) == 5


def test_nothing_is_marked_after_an_interruption_while_paused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    world.person().add(event())
    assert world.crash(lambda point: point == "after create on groupware")
    lookup = MailboxSession.lookup

    def late(*given: Any) -> Any:
        pause_all(world.accord, paused=True)
        return lookup(*given)

    with monkeypatch.context() as patched:
        patched.setattr(MailboxSession, "lookup", late)
        assert world.sync().error == "paused"
    assert world.records()[0].marker == "" and len(world.intents()) == 1
    pause_all(world.accord, paused=False)
    assert not world.sync().error
    assert world.records()[0].marker and not world.intents()


def test_nothing_cut_off_halfway_is_completed_while_paused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    record = world.person().add(event("Old"))
    world.sync()
    world.person().edit(record.ref, title="New")
    assert world.crash(lambda point: point == "before update on groupware")
    there = world.mailbox().touch(world.items()[0].ref)

    def half(_: Any, __: str, ___: Kind, asks: Sequence[Any]) -> Any:
        pause_all(world.accord, paused=True)
        return [Unknown(one.ref, "cut off", there.version, half=True) for one in asks]

    with monkeypatch.context() as patched:
        patched.setattr(MailboxSession, "fetch", half)
        assert world.sync().error == "paused"
    assert world.titles() == (["New"], ["Old"]) and len(world.intents()) == 1
    pause_all(world.accord, paused=False)
    assert not world.sync().error
    assert world.titles() == (["New"], ["New"])


def test_a_paused_link_with_a_write_left_open_is_withdrawn_where_that_is_meant() -> None:
    world = World()
    world.person().add(event())
    assert world.crash(lambda point: point == "after create on groupware")
    pause_links(world.accord, ["alice"], paused=True)
    assert not withdraw(world.accord, world.link(), even_paused=True).error
    assert world.items() == () and not world.intents()


def test_a_withdrawal_under_way_stops_with_everything() -> None:
    world = busy()
    world.sync()

    def midway(phase: str, done: int, _: int) -> None:
        if (phase, done) == ("writing", 2):
            pause_all(world.accord, paused=True)

    report = withdraw(world.accord, world.link(), progress=midway)
    assert report.error == "paused"
    assert len(world.items()) == 3
    pause_all(world.accord, paused=False)
    assert not withdraw(world.accord, world.link(), even_paused=True).error
    assert world.items() == ()


def test_no_marker_is_taken_off_while_everything_is_paused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    world.mailbox().add(event("Theirs"))
    world.sync()
    (record,) = world.records()
    assert record.marker

    def late(*_: object) -> None:
        pause_all(world.accord, paused=True)

    monkeypatch.setattr("accord.service.removal.take_back", late)
    assert withdraw(world.accord, world.link()).error == "paused"
    assert world.records() == (record,)


def test_a_removed_link_writes_no_more() -> None:
    world = busy()

    def midway(phase: str, done: int, _: int) -> None:
        if (phase, done) == ("writing", 2):
            with world.state.begin() as tx:
                tx.links.remove("alice")

    world.on_progress = midway
    assert world.sync().error == "the link was removed meanwhile"
    assert len(world.items()) == 2


def test_a_mode_changes_nothing_else_of_a_link(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World("alice", "bob")
    stale = [world.link("alice"), world.link("bob")]
    pause_links(world.accord, ["alice"], paused=True)
    with world.state.begin() as tx:
        tx.links.remove("bob")
    monkeypatch.setattr("accord.service.standing.choose", lambda *_: stale)
    assert [link.id for link in set_mode(world.accord, ["alice"], Mode.PILOT)] == ["alice"]
    assert (world.link().mode, world.link().paused) == (Mode.PILOT, True)
    with world.state.read() as tx:
        assert tx.links.get("bob") is None


# the first few people


def pilot(count: int) -> World:
    world = World()
    world.change_link(mode=Mode.PILOT)
    for number in range(count):
        world.person().add(event(f"Entry {number}"))
    return world


def test_few_changes_of_a_pilot_go_by_themselves() -> None:
    world = pilot(20)
    assert world.sync().held == 0
    assert len(world.items()) == 20


def test_more_of_them_all_wait_for_approval() -> None:
    world = pilot(21)
    report = world.sync()
    assert report.held == 21
    assert world.items() == ()
    why = "pilot: 21 items would change on the groupware side at once (allowed: 20)"
    with world.state.read() as tx:
        held = [decode_step(one.step) for one in tx.pending.by_link("alice", Cause.HELD)]
    assert {one.cause for one in held if isinstance(one, Hold)} == {why}
    approve(world.accord, [one.id for one in world.pending(Cause.HELD)])
    assert len(world.items()) == 21


def test_a_pilot_deletes_nothing_by_itself() -> None:
    world = pilot(12)
    world.sync()
    world.mailbox().delete(world.items()[0].ref)
    report = world.sync()
    assert (report.held, len(world.records())) == (1, 12)
    (report,) = approve(world.accord, [one.id for one in world.pending(Cause.HELD)])
    assert report.crm.deleted == 1
    assert len(world.records()) == 11


def test_an_active_link_does() -> None:
    world = pilot(12)
    world.change_link(mode=Mode.ACTIVE)
    world.sync()
    world.mailbox().delete(world.items()[0].ref)
    assert (world.sync().held, len(world.records())) == (0, 11)
