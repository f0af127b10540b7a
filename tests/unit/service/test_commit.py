"""What a batch leaves in state: pairs, bases, journal, what failed, what is over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

import msgspec
import pytest

import accord.service.sync
from accord.engine.plan import Frozen
from accord.engine.policy import pairing_id
from accord.model.kinds import Direction, Kind, Side
from accord.model.parts import Attendee, Body, Person, Privacy
from accord.model.recurrence import EventStatus
from accord.ports.adapter import Written
from accord.ports.errors import Denied, Gone, ItemError, Rejected, Retry, Stale
from accord.rules.rule import (
    Clash,
    FieldRule,
    Filters,
    GuardLimits,
    Leaving,
    Meetings,
    OneWay,
    Private,
    Window,
)
from accord.service.decisions import approve, reject
from accord.state.codec import decode_step
from accord.state.records import Cause
from tests.unit.service.kit import CRM, GROUPWARE, event
from tests.unit.service.watched import WatchedWorld


def paired(**values: Any) -> tuple[WatchedWorld, str, str]:
    """Return a world with one appointment on both sides, and its two refs."""
    world = WatchedWorld(**values)
    world.person().add(event())
    world.sync()
    world.calls.clear()
    (record,), (item,) = world.records(), world.items()
    return world, record.ref, item.ref


def quiet(world: WatchedWorld) -> bool:
    """Tell whether another visit finds nothing to do and nothing open."""
    return world.sync().writes == 0 and world.intents() == []


# Creating.


@pytest.mark.parametrize("side", Side)
def test_a_new_copy_is_paired_with_what_it_was_made_from(side: Side) -> None:
    world = WatchedWorld()
    (world.person() if side is CRM else world.mailbox()).add(event())
    report = world.sync()
    assert report.side(side.other).created == 1
    (record,), (item,) = world.records(), world.items()
    (pair,) = world.pairings()
    assert pair.id == pairing_id("alice", record.ref, item.ref)
    assert (pair.crm.ref, pair.crm.version) == (record.ref, record.version)
    assert (pair.groupware.ref, pair.groupware.version) == (item.ref, item.version)
    assert (pair.made, pair.content, pair.frozen) == (side.other, True, "")
    with world.state.read() as tx:
        active = tx.rules.active("r")
    assert active is not None
    assert pair.rule == active.version
    assert quiet(world)


def test_a_copy_that_was_not_read_back_is_known_as_it_was_sent() -> None:
    world = WatchedWorld()
    world.person().add(event("Review"))

    def unread(given: Any, act: Any) -> Any:
        return [msgspec.structs.replace(written, snapshot=None) for written in act(given)]

    world.answer(GROUPWARE, "create", unread)
    world.sync()
    (item,) = world.items()
    (pair,) = world.pairings()
    assert (pair.groupware.ref, pair.groupware.version) == (item.ref, item.version)
    assert pair.groupware.item.title == "Review"  # type: ignore[union-attr]
    assert quiet(world)


def test_the_journal_tells_what_was_created_from_what() -> None:
    world, record, item = paired()
    (entry,) = world.journal()
    assert (entry.step, entry.side, entry.ref, entry.counterpart) == (
        "create", GROUPWARE, item, record,
    )  # fmt: skip
    assert entry.pairing == pairing_id("alice", record, item)
    assert (entry.before, entry.after is not None) == (None, True)
    assert entry.version == world.mailbox().get(item).version


def test_the_journal_tells_whose_work_was_brought_over() -> None:
    world = WatchedWorld()
    item = world.mailbox().add(event())
    world.sync()
    world.mailbox().edit(item.ref, title="New")
    world.sync()
    told = {entry.step: entry.actor for entry in world.journal()}
    assert told == {"create": "alice@x.test", "update": "alice@x.test"}


def test_a_copy_that_came_back_stands_for_the_old_pair() -> None:
    world, record, item = paired(crm={"restores": False})
    with world.state.begin() as tx:
        (pair,) = tx.pairings.all("alice")
        tx.pairings.put("alice", msgspec.structs.replace(pair, made=GROUPWARE, content=True))
    world.person().delete(record)
    world.mailbox().edit(item, title="Still on")
    world.sync()
    (after,) = world.pairings()
    (anew,) = world.records()
    assert (after.crm.ref, after.groupware.ref) == (anew.ref, item)
    assert after.id != pair.id
    assert (after.made, after.content, after.rule) == (GROUPWARE, True, pair.rule)
    assert quiet(world)


def test_what_comes_back_while_a_changed_rule_waits_stays_under_its_own() -> None:
    world, record, item = paired()
    (pair,) = world.pairings()
    world.activate(fields={"title": FieldRule(outbound="'Busy'")})
    assert world.sync().held == 1
    world.mailbox().delete(item)
    world.person().edit(record, location="Room")
    assert world.sync().groupware.created == 1
    (after,) = world.pairings()
    assert (after.crm.ref, after.rule) == (record, pair.rule)


def test_what_comes_back_under_a_changed_rule_is_one_pair_that_stands_under_it() -> None:
    world, record, item = paired(crm={"restores": False})
    (before,) = world.pairings()
    world.activate(clash=Clash.GROUPWARE)
    world.person().delete(record)
    world.mailbox().edit(item, title="Still on")
    assert world.sync().crm.created == 1
    assert len(world.records()) == 1
    (after,) = world.pairings()
    assert after.id != before.id
    assert quiet(world)
    (after,) = world.pairings()
    assert after.rule != before.rule


@pytest.mark.parametrize("side", Side)
def test_nothing_waits_any_more_once_the_copy_is_made(side: Side) -> None:
    world = WatchedWorld()
    (world.person() if side is GROUPWARE else world.mailbox()).add(event())
    world.answer(side, "create", Denied("not now"))
    assert world.sync().side(side).failed == 1
    assert len(world.pending()) == 1
    world.wait(minutes=5)
    assert world.sync(full=True).side(side).created == 1
    assert world.pending() == []
    assert quiet(world)


def test_one_that_comes_back_under_its_own_ref_keeps_its_pair() -> None:
    world, record, item = paired()
    (pair,) = world.pairings()
    world.person().delete(record)
    world.mailbox().edit(item, title="Still on")
    world.sync()
    (after,) = world.pairings()
    assert (after.id, after.made) == (pair.id, GROUPWARE)
    assert quiet(world)


def meeting(uid: str = "m1") -> Any:
    people = (Attendee(address="alice@x.test"), Attendee(address="bob@x.test"))
    return event(organizer=Person(address="eve@elsewhere.test"), attendees=people, uid=uid)


def test_a_claimed_meeting_knows_the_record_it_became() -> None:
    world = WatchedWorld("alice", "bob", rule={"meetings": Meetings.INVITE})
    world.mailbox().add(meeting())
    world.sync()
    (record,) = world.records()
    with world.state.read() as tx:
        claim = tx.claims.get("crm", "m1")
    assert claim is not None
    assert (claim.link, claim.ref) == ("alice", record.ref)
    (pair,) = world.pairings()
    assert pair.content is True


def test_a_copy_of_a_meeting_whose_content_comes_from_elsewhere_says_so() -> None:
    world = WatchedWorld("alice", "bob", rule={"meetings": Meetings.INVITE})
    world.mailbox("bob").add(meeting())
    world.sync("bob")
    world.sync("alice")
    (mine,) = world.pairings("alice")
    (theirs,) = world.pairings("bob")
    assert (mine.content, theirs.content) == (False, True)
    assert mine.crm.ref == theirs.crm.ref


def test_a_task_claims_nothing() -> None:
    from accord.model.item import Task

    world = WatchedWorld(kind=Kind.TASK, rule={"direction": "both"})
    world.mailbox().add(Task(title="Call", uid="t1"))
    world.sync()
    assert len(world.pairings()) == 1
    with world.state.read() as tx:
        assert tx.claims.get("crm", "t1") is None


# Deleting.


@pytest.mark.parametrize("side", Side)
def test_a_deleted_pair_is_forgotten_and_told(side: Side) -> None:
    world, record, item = paired()
    if side is GROUPWARE:
        world.person().delete(record)
    else:
        world.mailbox().delete(item)
    report = world.sync()
    assert report.side(side).deleted == 1
    assert world.pairings() == []
    (entry,) = [e for e in world.journal() if e.step == "delete"]
    here, there = (item, record) if side is GROUPWARE else (record, item)
    assert (entry.side, entry.ref, entry.counterpart) == (side, here, there)
    assert entry.pairing == pairing_id("alice", record, item)
    assert (entry.before is not None, entry.after) == (True, None)
    assert quiet(world)


def test_a_deleted_meeting_is_claimed_by_nobody_any_more() -> None:
    world = WatchedWorld("alice", "bob", rule={"meetings": Meetings.INVITE})
    own = msgspec.structs.replace(meeting(), organizer=Person(address="alice@x.test"))
    item = world.mailbox().add(own)
    world.sync()
    world.mailbox().delete(item.ref)
    world.sync()
    assert world.records() == ()
    with world.state.read() as tx:
        assert tx.claims.get("crm", "m1") is None


def test_a_record_that_lives_on_is_let_go_with_what_became_of_it() -> None:
    """Others hang on it, so its side marked it instead of deleting it."""
    world, _record, item = paired()
    world.mailbox().edit(item, title="Refused")
    world.answer(CRM, "update", Denied("not now"))
    world.sync()
    assert len(world.pending()) == 1
    world.mailbox().delete(item)

    def cancel(given: Any, _: Any) -> Any:
        kept = world.person().edit(given[0].ref, status=EventStatus.CANCELLED)
        return [Written(ref=kept.ref, version=kept.version, snapshot=kept)]

    world.answer(CRM, "delete", cancel)
    world.sync()
    (pair,) = world.pairings()
    assert pair.frozen == Frozen.UNLINKED
    assert pair.crm == world.records()[0]
    assert pair.groupware.ref == item
    (entry,) = [e for e in world.journal() if e.step == "delete"]
    assert (entry.after is not None, entry.version) == (True, pair.crm.version)
    assert world.pending() == []
    assert quiet(world)


def test_what_waited_about_a_deleted_pair_is_over() -> None:
    world, record, _item = paired()
    world.person().edit(record, title="Refused")
    world.answer(GROUPWARE, "update", Denied("not now"))
    world.sync()
    assert len(world.pending()) == 1
    world.person().delete(record)
    world.sync()
    assert world.pending() == []
    assert world.items() == ()


AWAY = Filters(crm="!('Away' in item.categories)")


def test_what_waited_about_a_withdrawn_copy_is_over_and_its_record_stays() -> None:
    world, record, _item = paired(rule={"filter": AWAY, "leaving": Leaving.DELETE_COPY})
    world.person().edit(record, title="Refused")
    world.answer(GROUPWARE, "update", Denied("not now"))
    world.sync()
    assert len(world.pending()) == 1
    world.person().edit(record, categories=("Away",))
    assert world.sync().groupware.deleted == 1
    assert (world.pairings(), world.pending(), world.items()) == ([], [], ())
    assert [one.ref for one in world.records()] == [record]
    assert quiet(world)


# Updating.


def test_after_an_update_both_bases_are_what_stands_there() -> None:
    world, record, item = paired()
    world.person().edit(record, title="New")
    report = world.sync()
    assert report.groupware.updated == 1
    (pair,) = world.pairings()
    assert (pair.crm.version, pair.groupware.version) == (
        world.person().get(record).version,
        world.mailbox().get(item).version,
    )
    (entry,) = [e for e in world.journal() if e.step == "update"]
    assert (entry.side, entry.ref, entry.counterpart) == (GROUPWARE, item, record)
    assert entry.pairing == pair.id
    assert [(f.field, f.before, f.after) for f in entry.fields] == [("title", "Review", "New")]
    assert entry.before != entry.after
    assert quiet(world)


def test_what_is_put_back_on_one_side_leaves_the_base_of_the_other() -> None:
    title = FieldRule(direction=Direction.OUTBOUND, one_way=OneWay.RESTORE)
    world, record, item = paired(rule={"fields": {"title": title}})
    (before,) = world.pairings()
    world.mailbox().edit(item, title="Mine")
    assert world.sync().groupware.updated == 1
    (pair,) = world.pairings()
    assert pair.crm == before.crm
    assert (pair.crm.ref, pair.groupware.ref) == (record, item)
    assert quiet(world)


def test_edited_in_between_the_edit_travels_back() -> None:
    world, record, item = paired()
    world.person().edit(record, title="New")

    def overtaken(given: Any, act: Any) -> Any:
        (written,) = act(given)
        world.mailbox().edit(item, location="Meanwhile")
        return [msgspec.structs.replace(written, snapshot=world.mailbox().get(item))]

    world.answer(GROUPWARE, "update", overtaken)
    world.sync()
    world.sync()
    assert world.person().get(record).item.location == "Meanwhile"  # type: ignore[union-attr]
    assert world.mailbox().get(item).item.title == "New"  # type: ignore[union-attr]
    assert quiet(world)


def test_what_a_server_makes_of_an_update_is_no_edit() -> None:
    world, record, item = paired()
    world.person().edit(record, location="Room 1")

    def rewritten(given: Any, act: Any) -> Any:
        (written,) = act(given)
        world.mailbox().edit(item, location="Room 1 (2nd floor)")
        stored = world.mailbox().get(item)
        return [msgspec.structs.replace(written, version=stored.version, snapshot=stored)]

    world.answer(GROUPWARE, "update", rewritten)
    world.sync()
    assert quiet(world)
    world.mailbox().edit(item, title="New")
    world.sync()
    stored: Any = world.person().get(record).item
    assert (stored.title, stored.location) == ("New", "Room 1")


@pytest.mark.parametrize("read_back", [True, False])
def test_after_an_update_the_base_has_the_name_and_marker_of_what_stands_there(
    read_back: bool,
) -> None:
    world, record, item = paired()
    before = world.mailbox().get(item)
    world.person().edit(record, title="New")

    def unread(given: Any, act: Any) -> Any:
        (written,) = act(given)
        return [written if read_back else msgspec.structs.replace(written, snapshot=None)]

    world.answer(GROUPWARE, "update", unread)
    world.sync()
    (pair,) = world.pairings()
    base = pair.groupware
    assert (base.item.title, base.item.uid) == ("New", before.item.uid)  # type: ignore[union-attr]
    assert (base.marker, base.key) == (before.marker, before.key)
    assert base.marker
    assert quiet(world)


def test_what_an_adapter_refuses_without_saying_how_is_tried_again() -> None:
    world, record, _item = paired()
    world.person().edit(record, title="New")
    world.answer(GROUPWARE, "update", ItemError("error 4711"))
    assert world.sync().groupware.failed == 1
    (waiting,) = world.pending(Cause.RETRY)
    assert (waiting.why, waiting.ref_crm) == ("error 4711", record)
    (told,) = [e for e in world.journal() if e.error]
    assert (told.side, told.step, told.error) == (GROUPWARE, "update", "error 4711")
    world.wait(minutes=5)
    assert world.sync(full=True).groupware.updated == 1
    assert quiet(world)


def edited_on_both(**values: Any) -> tuple[WatchedWorld, str, str]:
    world, record, item = paired(**values)
    world.person().edit(record, title="CRM")
    world.mailbox().edit(item, location="Mailbox")
    return world, record, item


@pytest.mark.parametrize("failed", Side)
@pytest.mark.parametrize("error", [Denied("no right"), Rejected("too long")])
def test_half_of_it_refused_the_rest_stands_and_it_waits(failed: Side, error: Any) -> None:
    world, record, item = edited_on_both()
    world.answer(failed, "update", error)
    report = world.sync()
    assert (report.side(failed).failed, report.side(failed.other).updated) == (1, 1)
    cause = Cause.REJECTED if isinstance(error, Rejected) else Cause.RETRY
    (waiting,) = world.pending()
    assert (waiting.cause, waiting.ref_crm, waiting.ref_groupware) == (cause, record, item)
    assert waiting.why == str(error)
    assert world.intents() == []
    (told,) = [e for e in world.journal() if e.error]
    assert (told.side, told.error, told.step) == (failed, str(error), "update")
    world.wait(minutes=5)
    world.sync(full=True)
    for each in (world.person().get(record), world.mailbox().get(item)):
        assert (each.item.title, each.item.location) == ("CRM", "Mailbox")  # type: ignore[union-attr]
    assert world.pending() == []
    assert quiet(world)


@pytest.mark.parametrize("winner", Side)
def test_a_clash_is_told_once_and_not_before_its_write_is_done(winner: Side) -> None:
    clash = Clash.CRM if winner is CRM else Clash.GROUPWARE
    world, record, item = paired(rule={"clash": clash, "guard": GuardLimits(updates=0)})
    world.person().edit(record, title="Ours")
    world.mailbox().edit(item, title="Theirs")
    for refused in (False, True):
        for _ in range(2):
            assert world.sync(full=True).conflicts == 0
            assert world.journal(step="clash") == []
        (held,) = world.pending()
        if not refused:
            reject(world.accord, [held.id])
    world.person().edit(record, location="Room")
    world.sync()
    approve(world.accord, [one.id for one in world.pending() if not one.refused])
    assert len(world.journal(step="clash")) == 1
    assert world.titles() == ((["Ours"], ["Ours"]) if winner is CRM else (["Theirs"], ["Theirs"]))


@pytest.mark.parametrize("stopped", [True, False])
def test_a_clash_whose_write_is_held_is_told_with_a_write_beside_it(stopped: bool) -> None:
    """Two updates of the mailbox's side are too many; the one of the CRM's isn't.

    It moves the mailbox's base, past the value that lost: nobody would hear of that later.
    """
    rule = {"clash": Clash.CRM, "guard": GuardLimits(updates=1)}
    world, record, item = paired(rule=rule)
    other = world.person().add(event("Another")).ref
    world.sync()
    world.person().edit(record, title="Ours")
    world.mailbox().edit(item, title="Theirs", location="There")
    if stopped:
        world.person().edit(other, title="And another")
    report = world.sync()
    assert (report.crm.updated, report.held) == ((1, 2) if stopped else (1, 0))
    approve(world.accord, [one.id for one in world.pending()])
    assert len(world.journal(step="clash")) == 1
    assert set(world.titles()[1]) == {"Ours", "And another" if stopped else "Another"}


def test_what_is_held_beside_a_write_that_fails_is_held() -> None:
    world, record, item = paired(rule={"guard": GuardLimits(updates=1)})
    other = world.person().add(event("Another")).ref
    world.sync()
    for ref in (record, other):
        world.person().edit(ref, title=f"Edited {ref}")
    world.mailbox().edit(item, location="There")
    world.answer(CRM, "update", Denied("not now"))
    report = world.sync()
    assert (report.crm.failed, report.held, len(world.pending(Cause.HELD))) == (1, 2, 2)


@pytest.mark.parametrize("winner", Side)
def test_a_clash_is_told_once_where_its_write_comes_too_late_for_the_plan(winner: Side) -> None:
    world, record, item = paired(rule={"clash": Clash.CRM if winner is CRM else Clash.GROUPWARE})
    loser, ref = (world.person(), record) if winner is GROUPWARE else (world.mailbox(), item)
    world.person().edit(record, title="Ours")
    world.mailbox().edit(item, title="Theirs")
    loser.edit(ref, location="There")
    world.answer(winner.other, "update", Stale("meanwhile"))
    world.sync()
    world.sync()
    assert len(world.journal(step="clash")) == 1
    assert world.titles() == ((["Ours"], ["Ours"]) if winner is CRM else (["Theirs"], ["Theirs"]))


@pytest.mark.parametrize("winner", Side)
def test_a_clash_whose_write_fails_is_told_once_it_is_done(winner: Side) -> None:
    world, record, item = paired(rule={"clash": Clash.CRM if winner is CRM else Clash.GROUPWARE})
    world.person().edit(record, title="Ours")
    world.mailbox().edit(item, title="Theirs")
    for _ in range(2):
        world.answer(winner.other, "update", Denied("not now"))
        world.sync(full=True)
        assert world.journal(step="clash") == []
    world.wait(hours=1)
    world.sync()
    assert len(world.journal(step="clash")) == 1


@pytest.mark.parametrize(("side", "place"), [(CRM, "CRM"), (GROUPWARE, "mailbox")])
def test_of_a_private_entry_it_is_said_who_refuses_it_and_not_in_which_words(
    side: Side, place: str
) -> None:
    world = WatchedWorld(rule={"private": Private.BUSY})
    (world.person() if side is GROUPWARE else world.mailbox()).add(event(privacy=Privacy.PRIVATE))
    world.answer(side, "create", Rejected("'Review' is too long", code="too-long"))
    world.sync()
    (waiting,) = world.pending()
    assert waiting.why.startswith(f"the {place} refuses it (too-long); ")
    assert "Review" not in waiting.why


@pytest.mark.parametrize("cut", Side)
def test_half_of_it_uncertain_the_rest_stands_and_it_is_settled_later(cut: Side) -> None:
    world, record, item = edited_on_both()
    world.answer(cut, "update", Retry("line cut"))
    report = world.sync()
    assert "line cut" in report.error
    assert len(world.intents()) == 1 + (cut is GROUPWARE)
    world.sync()
    for each in (world.person().get(record), world.mailbox().get(item)):
        assert (each.item.title, each.item.location) == ("CRM", "Mailbox")  # type: ignore[union-attr]
    assert quiet(world)


def test_written_but_unanswered_is_not_written_again() -> None:
    world, _record, item = edited_on_both()

    def cut(given: Any, act: Any) -> Any:
        act(given)
        raise Retry("line cut")

    world.answer(CRM, "update", cut)
    world.sync()
    (intent,) = world.intents()
    step: Any = decode_step(intent.step)
    assert step.base.version == world.mailbox().get(item).version, "stands on what was written"
    world.calls.clear()
    world.sync()
    assert world.calls == []
    (pair,) = world.pairings()
    for side in Side:
        assert pair.side(side).item.location == "Mailbox"  # type: ignore[union-attr]
    assert quiet(world)


@pytest.mark.parametrize("error", [Stale("changed"), Gone("not there")])
def test_what_changed_meanwhile_is_planned_anew_in_the_same_visit(error: Any) -> None:
    world, record, item = paired()
    world.person().edit(record, title="New")
    world.answer(GROUPWARE, "update", error)
    report = world.sync()
    assert (report.groupware.updated, report.groupware.failed) == (1, 0)
    assert world.pending() == []
    assert world.mailbox().get(item).item.title == "New"  # type: ignore[union-attr]
    assert quiet(world)


@pytest.mark.parametrize("stale", Side)
def test_what_was_to_be_planned_anew_is_found_though_the_visit_broke_off_and_the_cursor_is_lost(
    stale: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of it was written: the version that stands there since isn't one that was decided."""
    world, record, item = edited_on_both()
    world.answer(stale, "update", Stale("changed"))
    with monkeypatch.context() as broken:
        broken.setattr(accord.service.sync, "again", cut_off)
        assert "line cut" in world.sync().error
    assert world.intents() == []
    for side in (world.crm, world.groupware):
        side.expire()
    world.sync()
    for each in (world.person().get(record), world.mailbox().get(item)):
        assert (each.item.title, each.item.location) == ("CRM", "Mailbox")  # type: ignore[union-attr]
    assert quiet(world)


def cut_off(*_: object) -> Any:
    raise Retry("line cut")


def test_of_what_is_planned_anew_nothing_is_noted_yet() -> None:
    world, record, item = paired(rule={"clash": Clash.HOLD})
    world.person().edit(record, title="CRM", location="Room")
    world.mailbox().edit(item, title="Mailbox")

    def overtaken(given: Any, act: Any) -> Any:
        world.mailbox().edit(item, title="CRM")
        return act(given)

    world.answer(GROUPWARE, "update", overtaken)
    report = world.sync()
    assert world.mailbox().get(item).item.location == "Room"  # type: ignore[union-attr]
    assert report.conflicts == 0
    assert world.pending(Cause.CONFLICT) == []


def test_a_conflict_beside_an_update_is_noted() -> None:
    world, record, item = paired(rule={"clash": Clash.HOLD})
    world.person().edit(record, title="CRM", location="Room")
    world.mailbox().edit(item, title="Mailbox")
    report = world.sync()
    assert (report.conflicts, report.groupware.updated) == (1, 1)
    (waiting,) = world.pending(Cause.CONFLICT)
    assert (waiting.ref_crm, waiting.ref_groupware) == (record, item)
    assert quiet(world)


def test_what_waits_for_approval_beside_an_update_still_has_to_travel() -> None:
    """The mailbox's own change is held: its base must keep showing it."""
    world = WatchedWorld(rule={"meetings": Meetings.INVITE}, groupware={"schedules": True})
    own = event(
        organizer=Person(address="alice@x.test"),
        attendees=(Attendee(address="bob@elsewhere.test"),),
        uid="m1",
    )
    item = world.mailbox().add(own)
    world.sync()
    (record,) = world.records()
    world.person().edit(record.ref, title="CRM")
    world.mailbox().edit(item.ref, url="https://x.test")
    report = world.sync()
    assert (report.held, report.crm.updated, report.groupware.updated) == (1, 1, 0)
    (pair,) = world.pairings()
    assert pair.crm.item.title == "Review"  # type: ignore[union-attr]
    assert pair.crm.item.url == "https://x.test"  # type: ignore[union-attr]
    (waiting,) = world.pending(Cause.HELD)
    assert waiting.ref_groupware == item.ref
    again = world.sync(full=True)
    assert (again.held, again.writes) == (1, 0)


# First meetings.


def test_what_is_filled_in_at_a_first_meeting_is_entered_with_the_pair() -> None:
    world = WatchedWorld()
    record = world.person().add(event(uid="same", location="Room"))
    item = world.mailbox().add(event(uid="same", body=Body(text="agenda")))
    report = world.sync()
    assert (report.paired, report.crm.updated, report.groupware.updated) == (1, 1, 1)
    (pair,) = world.pairings()
    assert pair.id == pairing_id("alice", record.ref, item.ref)
    for side in Side:
        assert pair.side(side).item.location == "Room"  # type: ignore[union-attr]
    assert {e.pairing for e in world.journal() if e.step == "update"} == {pair.id}
    assert pair.content is True
    assert quiet(world)


def test_a_first_meeting_of_which_half_could_not_be_done_is_repeated() -> None:
    world = WatchedWorld()
    world.person().add(event(uid="same", location="Room"))
    world.mailbox().add(event(uid="same", body=Body(text="agenda")))
    world.answer(GROUPWARE, "update", Denied("not now"))
    report = world.sync()
    assert (report.paired, report.crm.updated) == (0, 1)
    assert world.pairings() == []
    (told,) = [e for e in world.journal() if e.step == "update" and not e.error]
    assert (told.side, told.pairing) == (CRM, "")
    assert told.before and told.after and told.before != told.after
    decision = world.decision(CRM, told.ref)
    assert decision is not None and decision.step == "update", "`explain` tells of it"
    world.wait(minutes=5)
    report = world.sync(full=True)
    assert (report.paired, report.groupware.updated) == (1, 1)
    assert len(world.pairings()) == 1
    assert quiet(world)


def test_a_first_meeting_of_which_half_waits_for_approval_is_repeated() -> None:
    world = WatchedWorld(rule={"guard": GuardLimits(updates=1)})
    for uid, body in (("one", Body(text="agenda")), ("two", None)):
        world.person().add(event(uid=uid, title=uid, location="Room"))
        world.mailbox().add(event(uid=uid, title=uid, body=body))
    report = world.sync()
    assert (report.held, report.crm.updated, report.paired) == (2, 1, 0)
    assert world.pairings() == []
    approve(world.accord, [one.id for one in world.pending(Cause.HELD)])
    pairs = world.pairings()
    assert [p.groupware.item.location for p in pairs] == ["Room"] * 2  # type: ignore[union-attr]
    assert quiet(world)


@pytest.mark.parametrize("cut", Side)
def test_a_first_meeting_that_was_cut_off_is_finished_by_the_next_visit(cut: Side) -> None:
    world = WatchedWorld()
    world.person().add(event(uid="same", location="Room"))
    world.mailbox().add(event(uid="same", body=Body(text="agenda")))
    world.answer(cut, "update", Retry("line cut"))
    assert world.sync().error
    assert world.pairings() == []
    world.sync()
    (pair,) = world.pairings()
    for side in Side:
        item: Any = pair.side(side).item
        assert (item.location, item.body) == ("Room", Body(text="agenda"))
    assert quiet(world)


def test_a_first_meeting_of_which_half_is_refused_for_good_is_none_the_less_one() -> None:
    world = WatchedWorld()
    world.person().add(event(uid="same", location="Room"))
    world.mailbox().add(event(uid="same", body=Body(text="agenda")))
    world.answer(GROUPWARE, "update", Rejected("no places here"))
    report = world.sync()
    assert (report.paired, report.crm.updated) == (1, 1)
    (pair,) = world.pairings()
    assert pair.groupware.item.location == ""  # type: ignore[union-attr]
    assert pair.crm.item.body == Body(text="agenda")  # type: ignore[union-attr]
    (waiting,) = world.pending(Cause.REJECTED)
    assert waiting.why == "no places here"


def test_a_first_meeting_with_differences_notes_them_once_it_is_one() -> None:
    world = WatchedWorld()
    world.person().add(event("CRM", uid="same", location="Room"))
    world.mailbox().add(event("Mailbox", uid="same"))
    world.answer(GROUPWARE, "update", Denied("not now"))
    assert world.sync().conflicts == 0
    assert world.pending(Cause.CONFLICT) == []
    world.wait(minutes=5)
    assert world.sync(full=True).conflicts == 1


# Declining: an update and a goodbye.


def declined(world: WatchedWorld) -> Any:
    item = world.mailbox().add(meeting())
    world.sync()
    world.mailbox().delete(item.ref)
    return item


def test_a_declined_meeting_is_let_go_once_the_record_says_so() -> None:
    world = WatchedWorld("alice", "bob", rule={"meetings": Meetings.INVITE})
    declined(world)
    world.answer(CRM, "update", Denied("not now"))
    world.sync()
    (pair,) = world.pairings()
    assert pair.frozen == ""
    world.wait(minutes=5)
    world.sync(full=True)
    (pair,) = world.pairings()
    assert pair.frozen == Frozen.DECLINED
    (record,) = world.records()
    replies = {a.address: str(a.reply) for a in record.item.attendees}  # type: ignore[union-attr]
    assert replies["alice@x.test"] == "declined"
    assert quiet(world)


# A changed rule.


def test_a_pair_moves_to_a_new_rule_when_nothing_of_the_way_waits() -> None:
    world, _record, _item = paired()
    (before,) = world.pairings()
    world.activate(clash=Clash.GROUPWARE)
    world.sync()
    (after,) = world.pairings()
    assert after.rule != before.rule
    assert quiet(world)


def test_a_pair_moves_to_a_new_rule_with_what_is_written_under_it() -> None:
    world, record, _item = paired()
    (before,) = world.pairings()
    world.activate(fields={"title": FieldRule(outbound="value.suffix('!')")})
    world.person().edit(record, title="New")
    assert world.sync().held == 1
    approve(world.accord, [one.id for one in world.pending(Cause.HELD)])
    (after,) = world.pairings()
    assert after.groupware.item.title == "New!"  # type: ignore[union-attr]
    assert after.rule != before.rule
    assert quiet(world)


def test_a_pair_stays_under_its_rule_while_the_change_waits() -> None:
    world, _record, _item = paired()
    (before,) = world.pairings()
    world.activate(fields={"title": FieldRule(outbound="'Busy'")})
    report = world.sync()
    assert report.held == 1
    (after,) = world.pairings()
    assert after.rule == before.rule


# Time.


def test_what_leaves_the_window_in_time_is_looked_at_then() -> None:
    world, _record, _item = paired(rule={"window": Window(past=0, leaving=Leaving.UNLINK)})
    with world.state.read() as tx:
        assert tx.windows.due("alice", event().end.replace(tzinfo=world.now.tzinfo))
    world.wait(days=60)
    world.sync()
    (pair,) = world.pairings()
    assert pair.frozen == Frozen.SCOPE


def test_what_was_put_off_beyond_the_window_comes_back_in_time() -> None:
    near = Window(future=60, leaving=Leaving.DELETE_COPY)
    world, record, _item = paired(rule={"window": near})
    later = event().start + timedelta(days=100)
    world.person().edit(record, start=later, end=later)
    assert world.sync().groupware.deleted == 1
    assert quiet(world)
    world.wait(days=90)
    assert world.sync().groupware.created == 1
    (pair,) = world.pairings()
    assert pair.crm.ref == record


# Cut off in between.


def unwritten(world: WatchedWorld, name: str, times: int) -> Callable[[str], bool]:
    """Return the point at which so many calls are answered and nothing of it is written down."""
    return lambda point: (
        point == "before transaction" and [c.name for c in world.calls].count(name) == times
    )


@pytest.mark.parametrize("refusing", Side)
def test_half_an_exchange_that_was_cut_off_travels_with_the_next_visit(refusing: Side) -> None:
    """One side said no, and the process ended before that was written down."""
    world, record, item = paired(groupware={"batch": 2})
    world.mailbox().add(event("Another"))
    world.person().edit(record, location="Room")
    world.mailbox().edit(item, body=Body(text="agenda"))
    world.answer(refusing, "update", lambda given, _: [Denied("not now") for _ in given])
    assert world.crash(unwritten(world, "update", 2))
    assert len(world.intents()) == 3
    assert world.sync().writes > 0
    for side in Side:
        (pair,) = [p for p in world.pairings() if p.crm.ref == record]
        found: Any = pair.side(side).item
        assert (found.location, found.body) == ("Room", Body(text="agenda"))
    assert quiet(world)


def test_a_record_brought_back_is_known_as_such_after_an_interruption() -> None:
    """Accord's own restoring must not pass for an edit that stands against a deletion."""
    restored: list[Any] = []
    for after in count(10):
        world, record, item = paired()
        world.person().delete(record)
        world.mailbox().edit(item, title="Still on")
        if not world.crash(after):
            break
        restored += world.records()
        world.mailbox().delete(item)
        world.sync()
        assert (world.records(), world.items()) == ((), ()), after
        assert quiet(world)
    assert restored


def test_what_one_side_cut_short_is_known_as_sent_after_an_interruption() -> None:
    world, record, item = paired(groupware={"title_limit": 10})
    world.person().edit(record, title="Longer than ten")
    assert world.crash(unwritten(world, "update", 1))
    found: Any = world.mailbox().get(item).item
    assert found.title == "Longer tha"
    world.calls.clear()
    assert not world.sync().error
    assert world.calls == []
    (pair,) = world.pairings()
    bases: list[Any] = [pair.side(side).item for side in Side]
    assert [base.title for base in bases] == ["Longer than ten", "Longer tha"]
    assert quiet(world)
