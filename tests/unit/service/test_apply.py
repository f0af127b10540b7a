"""Doing what was decided: in batches, with intents first, each write exactly once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from accord.engine.plan import Create, Delete, Update
from accord.groupware.memory.session import MemorySession
from accord.model.kinds import Side
from accord.model.observe import Snapshot, Unknown
from accord.model.parts import Attendee, Person
from accord.ports.errors import AuthFailed, Denied, Gone, Retry, Stale
from accord.rules.rule import GuardLimits, Meetings
from accord.service.apply import apply, create_keys
from accord.service.begin import attend
from accord.service.opening import Options
from accord.service.report import Report
from accord.service.visit import Visit
from accord.state.codec import decode_step
from accord.state.records import Cause
from tests.unit.service.kit import CRM, GROUPWARE, Crash, World, event
from tests.unit.service.watched import Answer, WatchedWorld


def create(**values: Any) -> Create:
    source = Snapshot(ref="c1", version="1", item=event())
    given = {"side": GROUPWARE, "source": source, "item": event(), "why": "new", **values}
    return Create(**given)


def first_key(link: str = "alice", **values: Any) -> str:
    return next(create_keys(link, create(**values)))


# Idempotency keys.


def test_a_create_has_the_same_keys_however_often_it_is_planned() -> None:
    other = Snapshot(ref="c1", version="2", item=event("Renamed"))
    assert first_key(item=event("Renamed"), source=other, why="later") == first_key()
    keys = list(create_keys("alice", create()))
    assert len(set(keys)) == len(keys) == 20
    assert keys[0] == first_key()


def test_keys_outlive_an_upgrade() -> None:
    """A copy made under one is found by it after a kill: never let these change."""
    keys = list(create_keys("alice", create()))
    assert keys[:2] == ["f55a84f1345666f30831470d60046e30", "432d22a8a908450f1763b973318c1299"]
    assert first_key(pairing="p1") == "a12229dad0c601539fe51565afb113d7"


def test_another_link_side_item_or_return_has_another_key() -> None:
    other = Snapshot(ref="c2", version="1", item=event())
    later = Snapshot(ref="c1", version="2", item=event())
    keys = [
        first_key(),
        first_key("bob"),
        first_key(side=CRM),
        first_key(source=other),
        first_key(pairing="p1"),
        first_key(pairing="p1", source=later),
        first_key(pairing="p2"),
    ]
    assert len(set(keys)) == len(keys)


# Batches.


def test_writes_go_out_in_batches_of_what_both_sides_take() -> None:
    world = WatchedWorld(crm={"batch": 3}, groupware={"batch": 2})
    for number in range(5):
        world.person().add(event(f"Number {number}"))
    report = world.sync()
    assert report.groupware.created == 5
    assert [name for name in world.names() if "create" in name] == [
        "create groupware 2",
        "create groupware 2",
        "create groupware 1",
    ]
    assert world.progress == [("writing", n, 5) for n in (0, 2, 4, 5)]
    assert len(world.pairings()) == 5


def test_a_visit_that_may_not_write_is_told_so() -> None:
    world = World()

    def decide(visit: Visit, report: Report) -> None:
        with pytest.raises(RuntimeError, match="a dry visit was asked to write"):
            apply(visit, [], report)

    report = attend(world.accord, world.link(), Options(dry=True), decide, lambda *_: None)
    assert not report.error


def test_where_nothing_is_to_be_written_no_writing_is_announced() -> None:
    world = WatchedWorld()
    world.person().add(event(uid="same"))
    world.mailbox().add(event(uid="same"))
    assert world.sync().paired == 1
    assert world.progress == []
    assert world.sync().writes == 0


def test_what_changed_meanwhile_in_any_batch_is_planned_again() -> None:
    world = WatchedWorld(groupware={"batch": 1})
    for title in ("A", "B"):
        world.person().add(event(title))
    world.sync()
    for record in world.records():
        world.person().edit(record.ref, location="Hall")
    changed: Answer = lambda _given, _act: [Stale("changed")]  # noqa: E731
    world.answer(GROUPWARE, "update", changed, changed)
    report = world.sync()
    assert report.groupware.updated == 2
    assert [one.item.location for one in world.items()] == ["Hall", "Hall"]  # type: ignore[union-attr]


def test_what_a_batch_achieved_is_kept_when_the_next_one_fails() -> None:
    world = WatchedWorld(groupware={"batch": 1})
    world.person().add(event("A"))
    world.person().add(event("B"))
    world.answer(GROUPWARE, "create", None, AuthFailed("signed out"))
    report = world.sync()
    assert "signed out" in report.error
    assert (report.action, report.groupware.created) == ("authenticate", 1)
    assert len(world.pairings()) == 1
    assert len(world.intents()) == 1, "nobody knows yet what became of the second"
    world.sync()
    assert world.titles() == (["A", "B"], ["A", "B"])
    assert world.intents() == []


def test_what_was_answered_before_the_batch_broke_off_is_kept() -> None:
    world = WatchedWorld()
    record = world.person().add(event("Old"))
    world.sync()
    world.person().edit(record.ref, title="New")
    world.person().add(event("Another"))
    world.answer(GROUPWARE, "update", Retry("later"))
    report = world.sync()
    assert "later" in report.error
    assert (report.groupware.created, report.groupware.updated) == (1, 0)
    assert len(world.pairings()) == 2
    (intent,) = world.intents()
    assert isinstance(decode_step(intent.step), Update)


def test_an_items_own_error_is_answered_and_never_raised() -> None:
    """An adapter that raises one breaks the port: nothing is committed on its word."""
    world = WatchedWorld()
    world.person().add(event())

    def broken(*_: Any) -> Any:
        raise Denied("raised instead of returned")

    world.answer(GROUPWARE, "create", broken)
    world.sync()
    assert world.pairings() == []
    assert len(world.intents()) == 1


# Intents.


def dying(world: WatchedWorld, call: str) -> list[Any]:
    """Die just before a write and return the open intents."""

    def die(*_: Any) -> Any:
        raise Crash(call)

    name, _, side = call.partition(" ")
    world.answer(Side(side), name, die)
    with pytest.raises(Crash):
        world.sync()
    world.answer(Side(side), name)
    return world.intents()


def test_a_create_is_on_record_before_it_is_tried() -> None:
    world = WatchedWorld()
    record = world.person().add(event())
    (intent,) = dying(world, "create groupware")
    step = decode_step(intent.step)
    assert isinstance(step, Create)
    assert step.source.ref == record.ref
    assert intent.id == next(create_keys("alice", step))
    assert (intent.link, intent.side, intent.ref, intent.pairing) == ("alice", GROUPWARE, "", "")
    assert intent.at == world.now
    assert intent.run


@pytest.mark.parametrize(("call", "sort"), [("update groupware", Update),
                                            ("delete groupware", Delete)])  # fmt: skip
def test_a_change_is_on_record_before_it_is_tried(call: str, sort: type[Any]) -> None:
    world = WatchedWorld()
    record = world.person().add(event())
    world.sync()
    if sort is Update:
        world.person().edit(record.ref, title="New")
    else:
        world.person().delete(record.ref)
    (pairing,) = world.pairings()
    (intent,) = dying(world, call)
    assert isinstance(decode_step(intent.step), sort)
    assert (intent.side, intent.ref, intent.pairing) == (
        GROUPWARE, pairing.groupware.ref, pairing.id,
    )  # fmt: skip
    assert len(intent.id) == 32


def test_two_changes_have_two_intents() -> None:
    world = WatchedWorld("alice", "bob")
    for user in ("alice", "bob"):
        ref = world.person(user).add(event(user)).ref
        world.sync(user)
        world.person(user).edit(ref, title=f"New of {user}")
    for user in ("alice", "bob"):
        world.answer(GROUPWARE, "update", Retry("later"))
        world.sync(user)
    assert len({intent.id for intent in world.intents()}) == 2


# Keys that are used up.


def test_a_copy_deleted_since_is_created_under_another_key() -> None:
    world = WatchedWorld()
    source = world.person().add(event())
    world.answer(GROUPWARE, "create", Gone("made and deleted before"))
    report = world.sync()
    keys = [draft.key for draft in world.written(GROUPWARE, "create")]
    assert len(set(keys)) == len(keys) == 2
    assert keys == list(create_keys("alice", create(source=source)))[:2]
    assert report.groupware.created == 1
    assert len(world.items()) == 1
    assert world.intents() == []


def test_only_the_one_whose_key_is_used_up_is_tried_again() -> None:
    world = WatchedWorld()
    for title in "AB":
        world.person().add(event(title))

    def first_is_gone(given: Any, act: Any) -> Any:
        return [Gone("deleted"), *act(given[1:])]

    world.answer(GROUPWARE, "create", first_is_gone)
    report = world.sync()
    assert world.names()[:2] == ["create groupware 2", "mark crm 1"]
    assert report.groupware.created == 2
    assert world.titles() == (["A", "B"], ["A", "B"])
    assert world.intents() == []


def test_a_copy_that_is_deleted_every_time_is_given_up() -> None:
    world = WatchedWorld()
    world.person().add(event())
    world.answer(GROUPWARE, "create", *[Gone("deleted")] * 200)
    report = world.sync()
    calls = len(world.written(GROUPWARE, "create"))
    assert calls % 20 == 0, "as many keys as there are, each once a round"
    assert not report.error
    assert world.intents() == []
    (waiting,) = world.pending(Cause.RETRY)
    assert "keeps changing" in waiting.why


def test_a_used_up_key_and_then_trouble_leaves_the_last_one_open() -> None:
    world = WatchedWorld()
    world.person().add(event())
    world.answer(GROUPWARE, "create", Gone("deleted"), Retry("later"))
    report = world.sync()
    assert "later" in report.error
    keys = [draft.key for draft in world.written(GROUPWARE, "create")]
    assert [intent.id for intent in world.intents()] == keys[1:]


# Steps that write nothing.


def test_what_nothing_is_to_be_done_about_waits_no_more() -> None:
    world = WatchedWorld()
    record = world.person().add(event("Before"))
    world.sync()
    world.person().edit(record.ref, title="Refused")
    world.answer(GROUPWARE, "update", Denied("not now"))
    world.sync()
    assert len(world.pending(Cause.RETRY)) == 1
    world.person().edit(record.ref, title="Before")
    world.wait(minutes=5)
    world.sync()
    assert world.pending() == []


def test_what_can_not_be_read_waits_longer_each_time_and_no_more_once_it_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = WatchedWorld()
    world.person().add(event())
    world.sync()
    with monkeypatch.context() as patch:
        patch.setattr(MemorySession, "_observe", lambda _s, _f, ref, _v: Unknown(ref, "not now"))
        for tries in (1, 2, 3):
            world.wait(hours=1)
            world.sync(full=True)
            assert [one.tries for one in world.pending(Cause.RETRY)] == [tries]
    world.wait(hours=1)
    assert world.sync().writes == 0
    assert world.pending() == []


def test_what_fails_again_before_its_time_waits_no_longer_for_that() -> None:
    """Somebody goes on editing an item while a server refuses it for half a minute."""
    world = WatchedWorld()
    record = world.person().add(event("Before"))
    world.sync()
    due = world.now + timedelta(minutes=1)
    for number in range(4):
        world.person().edit(record.ref, title=f"Edit {number}")
        world.answer(GROUPWARE, "update", Denied("not now"))
        world.sync()
        (waiting,) = world.pending(Cause.RETRY)
        assert (waiting.tries, waiting.due) == (1, due)
        world.wait(seconds=10)
    world.wait(minutes=1)
    assert world.sync().groupware.updated == 1
    assert world.pending() == []


def test_items_that_meet_while_a_change_waits_are_paired_when_it_is_decided() -> None:
    """Paired at once, what waits to be filled in would count as an edit."""
    world = WatchedWorld(rule={"guard": GuardLimits(updates=0)})
    world.person().add(event(uid="same", location="Room"))
    world.mailbox().add(event(uid="same"))
    report = world.sync()
    assert report.held == 1
    assert world.pairings() == []
    (waiting,) = world.pending(Cause.HELD)
    assert waiting.ref_crm
    assert waiting.ref_groupware


def test_skips_pairs_and_conflicts_are_noted() -> None:
    world = WatchedWorld()
    world.person().add(event("CRM", uid="same"))
    item = world.mailbox().add(event("Mailbox", uid="same"))
    report = world.sync()
    assert (report.paired, report.conflicts) == (1, 1)
    assert len(world.pairings()) == 1
    assert len(world.pending(Cause.CONFLICT)) == 1
    assert world.decision(GROUPWARE, item.ref) is not None


def test_more_than_fit_into_one_transaction_are_all_noted() -> None:
    world = WatchedWorld()
    for number in range(501):
        world.person().add(event(str(number), uid=f"u{number}"))
        world.mailbox().add(event(str(number), uid=f"u{number}"))
    assert world.sync().paired == 501
    assert len(world.pairings()) == 501


# What may come in between.


def test_a_pause_stops_before_the_next_batch() -> None:
    world = WatchedWorld(groupware={"batch": 1})
    world.person().add(event("A"))
    world.person().add(event("B"))

    def pause(phase: str, done: int, _: int) -> None:
        if phase == "writing" and done == 1:
            with world.state.begin() as tx:
                tx.settings.put("paused", True)

    world.on_progress = pause
    report = world.sync()
    assert (report.error, report.hint) == ("paused", "run `accord resume` to go on")
    assert report.action == "configure"
    assert len(world.items()) == 1
    assert world.intents() == []


def test_a_long_visit_keeps_its_lease() -> None:
    world = WatchedWorld(groupware={"batch": 1})
    for title in "ABC":
        world.person().add(event(title))
    others: list[str] = []

    def pass_time(phase: str, done: int, _total: int) -> None:
        if phase == "writing":
            world.wait(seconds=100)
        if (phase, done) == ("writing", 2):
            world.on_progress = lambda *_: None
            others.append(world.sync().error)

    world.on_progress = pass_time
    report = world.sync()
    assert (report.error, report.groupware.created) == ("", 3)
    assert others == ["this folder is being synchronized by another process"]


def meeting(uid: str = "m1") -> Any:
    people = (Attendee(address="alice@x.test"), Attendee(address="bob@x.test"))
    return event(organizer=Person(address="eve@elsewhere.test"), attendees=people, uid=uid)


def test_a_meeting_that_another_link_claimed_meanwhile_is_not_brought_in_twice() -> None:
    world = WatchedWorld("alice", "bob", rule={"meetings": Meetings.INVITE})
    world.mailbox().add(meeting())
    world.mailbox().add(meeting("m2"))

    def claim(phase: str, _done: int, _total: int) -> None:
        if phase == "writing":
            with world.state.begin() as tx:
                tx.claims.claim_many("crm", {"m1": ""}, "bob")

    world.on_progress = claim
    report = world.sync()
    assert report.crm.created == 1
    assert report.crm.failed == 1
    assert world.intents() == []
    assert [s.item.uid for s in world.records()] == ["m2"]
    (waiting,) = world.pending(Cause.RETRY)
    assert "another participant" in waiting.why


def test_what_is_brought_in_is_claimed() -> None:
    world = WatchedWorld("alice", "bob", rule={"meetings": Meetings.INVITE})
    world.mailbox().add(meeting())
    world.mailbox().add(event(uid="alone"))
    world.sync()
    records = {s.item.uid: s.ref for s in world.records()}
    with world.state.read() as tx:
        claims = tx.claims.get_many("crm", ["m1", "alone"])
    assert {uid: (c.link, c.ref) for uid, c in claims.items() if uid == "m1"} == {
        "m1": ("alice", records["m1"])
    }


def test_a_claim_names_no_record_before_there_is_one() -> None:
    world = WatchedWorld("alice", rule={"meetings": Meetings.INVITE})
    world.mailbox().add(meeting())
    world.answer(CRM, "create", Retry("line cut"))
    assert world.sync().error
    with world.state.read() as tx:
        claim = tx.claims.get("crm", "m1")
    assert claim is not None
    assert (claim.link, claim.ref) == ("alice", "")


def test_copies_in_a_mailbox_claim_nothing() -> None:
    world = WatchedWorld("alice", rule={"meetings": Meetings.INVITE})
    world.person().add(meeting())
    with world.state.begin() as tx:
        tx.claims.claim_many("crm", {"m1": ""}, "elsewhere")
    report = world.sync()
    assert report.groupware.failed == 0
