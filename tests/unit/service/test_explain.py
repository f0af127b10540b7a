"""`explain` answers for items that never got a copy, on whichever side they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from accord.model.item import Contact, Mailto
from accord.model.kinds import Direction, Kind, Side
from accord.model.parts import Privacy
from accord.ports.errors import Rejected
from accord.rules.rule import FieldRule, Filters, GuardLimits, Scope
from accord.service.check import Checked, check
from accord.service.decisions import reject
from accord.service.explain import explain
from accord.state.records import Cause
from tests.unit.service.kit import CRM, GROUPWARE, World, event

SESSION = {
    CRM: "accord.crm.memory.session.MemorySession.create",
    GROUPWARE: "accord.groupware.memory.session.MemorySession.create",
}


def refuse(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a side refuse every new item."""
    monkeypatch.setattr(
        SESSION[side], lambda _, __, ___, drafts: [Rejected("too big")] * len(drafts)
    )


@pytest.mark.parametrize("refusing", list(Side))
def test_an_item_whose_copy_was_refused_is_found_by_title_uid_and_ref(
    refusing: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    place = world.person() if refusing is GROUPWARE else world.mailbox()
    source = place.add(event("Ärger mit Ämtern", uid="u-1"))
    with monkeypatch.context() as patched:
        refuse(refusing, patched)
        world.sync()
    for text in ("ärger", "u-1", source.ref):
        (told,) = explain(world.accord, text)
        where = told.crm if refusing is GROUPWARE else told.groupware
        assert (told.label, told.outcome) == ("Ärger mit Ämtern", "waiting (rejected)")
        assert where.ref == source.ref
        assert "too big" in told.why and "too big" in told.error
        assert told.waiting == (f"{Cause.REJECTED}: too big",)
    world.sync(full=True)
    (told,) = explain(world.accord, "ärger")
    assert told.outcome == "synchronized"


def test_a_refused_private_item_is_found_by_its_ref_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    source = world.person().add(event("Surgery", privacy=Privacy.PRIVATE))
    refuse(GROUPWARE, monkeypatch)
    world.sync()
    assert explain(world.accord, "Surgery") == []
    assert [told.outcome for told in explain(world.accord, source.ref)] == ["waiting (rejected)"]


def test_an_item_whose_copy_is_held_is_found_and_stays_so_when_refused_by_a_person() -> None:
    world = World()
    world.sync()
    source = world.person().add(event("Offer"))
    world.activate(fields={"title": FieldRule(outbound="value.suffix('!')")})
    world.sync()
    (held,) = world.pending(Cause.HELD)
    (told,) = explain(world.accord, "Offer")
    assert (told.outcome, told.crm.ref) == ("waiting (held)", source.ref)
    assert told.why == held.why
    with world.state.begin() as tx:
        tx.pending.reject(held.id)
    (told,) = explain(world.accord, source.ref)
    assert told.outcome == "not synchronized"
    world.sync(full=True)
    (told,) = explain(world.accord, "Offer")
    assert told.outcome == "not synchronized" and "somebody said no" in told.why


@pytest.mark.parametrize("gone", list(Side))
def test_what_somebody_said_no_to_is_told_as_it_stands(gone: Side) -> None:
    world = World()
    there = world.person() if gone is GROUPWARE else world.mailbox()
    for number in range(9):
        there.add(event(f"Visit {number}"))
    world.sync()
    lost = world.mailbox() if gone is GROUPWARE else world.person()
    for snapshot in world.items() if gone is GROUPWARE else world.records():
        lost.delete(snapshot.ref)
    world.sync()
    (told,) = explain(world.accord, "Visit 3")
    assert told.outcome == "waiting (held)" and not told.rejected
    reject(world.accord, [one.id for one in world.pending(Cause.HELD)])
    for full in (None, False, True):
        if full is not None:
            world.sync(full=full)
        (told,) = explain(world.accord, "Visit 3")
        assert told.outcome == "apart: somebody said no to deleting it"
        assert told.why == f"somebody said no to this: deleted in the {gone.place}"
        (rejected,) = told.rejected
        assert rejected.startswith(f"delete in the {gone.other.place}: emptied: ")
        assert told.waiting == ()
        nothing, still = told.crm, told.groupware
        if gone is GROUPWARE:
            nothing, still = still, nothing
        assert (nothing.ref, nothing.version) == ("", "")
        assert still.ref and still.version


def test_a_change_that_somebody_said_no_to_leaves_the_pair_apart() -> None:
    world = World(rule={"guard": GuardLimits(updates=0)})
    record = world.person().add(event("Offer"))
    world.sync()
    world.person().edit(record.ref, title="Offer, new")
    world.sync()
    reject(world.accord, [one.id for one in world.pending(Cause.HELD)])
    (told,) = explain(world.accord, record.ref)
    assert told.outcome == "apart: somebody said no to changing it"
    (rejected,) = told.rejected
    assert rejected.startswith("update in the mailbox: mass change: ")
    assert told.crm.ref and told.groupware.ref


def test_an_item_that_can_not_be_read_is_counted_found_and_listed() -> None:
    world = World()
    box = world.mailbox()
    odd = box.add(event("Weekly oddity", uid="odd@hand"))
    box.corrupt(odd.ref, "line 7: RECURRENCE-ID: not understood")
    report = world.sync()
    assert (report.unreadable, report.writes, report.failed) == (1, 0, 0)
    for text in ("oddity", "odd@hand", odd.ref):
        (told,) = explain(world.accord, text)
        assert (told.label, told.uid) == ("Weekly oddity", "odd@hand")
        assert told.outcome == "can't be read"
        assert "not understood" in told.why
    (fault,) = _unreadable(world)
    assert "'Weekly oddity': can't be read: line 7" in fault.detail and odd.ref in fault.hint
    for full in (False, True):
        world.sync(full=full)
        assert len(_unreadable(world)) == 1
    box.corrupt(odd.ref, "")
    report = world.sync()
    assert (report.unreadable, report.crm.created) == (0, 1)
    (told,) = explain(world.accord, "oddity")
    assert told.outcome == "synchronized" and _unreadable(world) == []


@pytest.mark.parametrize("paired", [False, True])
def test_an_item_that_can_not_be_read_is_forgotten_once_it_is_gone(paired: bool) -> None:
    world = World()
    box = world.mailbox()
    world.sync()
    odd = box.add(event("Weekly oddity"))
    if paired:
        world.sync()
    box.corrupt(odd.ref, "not understood")
    assert world.sync().unreadable == 1
    (fault,) = _unreadable(world)
    assert "Weekly oddity" in fault.detail
    box.delete(odd.ref)
    world.sync()
    assert _unreadable(world) == [] and world.pending(Cause.REJECTED) == []


@pytest.mark.parametrize("full", [False, True])
def test_of_what_never_took_part_it_is_told_that_it_is_gone(full: bool) -> None:
    world = World(rule={"scope": Scope.CATEGORY, "categories": ("CRM",)})
    box = world.mailbox()
    odd, gym = box.add(event("Weekly oddity")), box.add(event("Gym"))
    kept = box.add(event("Review", categories=("CRM",)))
    box.corrupt(odd.ref, "not understood")
    world.sync()
    for ref in (odd.ref, gym.ref):
        box.delete(ref)
    world.sync(full=full)
    # A full visit hears of no deletion; it asks only about what waits.
    for words in ("oddity",) if full else ("oddity", "gym"):
        (told,) = explain(world.accord, words)
        assert (told.outcome, told.why) == ("gone", "no longer there in the mailbox")
        assert told.groupware.ref == told.groupware.version == ""
    box.delete(kept.ref)
    world.sync(full=full)
    (told,) = explain(world.accord, kept.ref)
    assert told.outcome == "no longer synchronized" and told.why == "deleted in the mailbox"


def test_of_what_its_rule_could_not_be_applied_to_it_is_told_that_it_is_gone() -> None:
    world = World(rule={"filter": Filters(crm="timestamp(item.title) < now")})
    person = world.person()
    source = person.add(event("Review"))
    world.sync()
    (told,) = explain(world.accord, source.ref)
    assert told.outcome == "waiting (rejected)"
    (waiting,) = world.pending(Cause.REJECTED)
    with world.state.begin() as tx:
        tx.pending.remove(waiting.id)
    (told,) = explain(world.accord, source.ref)
    assert told.outcome == "not synchronized"
    with world.state.begin() as tx:
        tx.pending.put(waiting)
    person.delete(source.ref)
    world.sync()
    (told,) = explain(world.accord, source.ref)
    assert (told.outcome, told.why) == ("gone", "no longer there in the CRM")
    assert told.crm.ref == told.crm.version == ""


def test_of_a_private_item_that_can_not_be_read_no_title_is_kept() -> None:
    world = World()
    odd = world.mailbox().add(event("Surgery", uid="odd@hand", privacy=Privacy.PRIVATE))
    world.mailbox().corrupt(odd.ref, "not understood")
    world.sync()
    assert explain(world.accord, "Surgery") == []
    (told,) = explain(world.accord, "odd@hand")
    assert (told.label, told.outcome) == ("", "can't be read")


def test_what_goes_out_only_is_not_troubled_by_what_can_not_be_read() -> None:
    world = World(rule={"direction": Direction.OUTBOUND})
    odd = world.mailbox().add(event("Own", uid="own@hand"))
    world.mailbox().corrupt(odd.ref, "not understood")
    assert world.sync().unreadable == 0
    assert _unreadable(world) == []
    (told,) = explain(world.accord, "own@hand")
    assert told.outcome == "not synchronized" and "can't be read" in told.why


def test_a_contact_without_a_full_name_is_found_by_what_people_call_it(tmp_path: Path) -> None:
    world = World(kind=Kind.CONTACT, key_file=tmp_path / "key")
    world.person().add(Contact(given="Rosa", family="Rossi", organization="Rossi srl"))
    world.person().add(Contact(mails=(Mailto(address="desk@rossi.example"),)))
    secret = Mailto(address="secret@rossi.example")
    world.person().add(Contact(mails=(secret,), privacy=Privacy.PRIVATE))
    world.sync()
    assert [told.label for told in explain(world.accord, "rosa rossi")] == ["Rosa Rossi"]
    assert [told.label for told in explain(world.accord, "desk@")] == ["desk@rossi.example"]
    assert explain(world.accord, "secret@rossi.example") == []


def _unreadable(world: World) -> list[Checked]:
    return [one for one in check(world.accord) if one.subject.startswith("unreadable item")]
