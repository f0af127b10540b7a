"""What turns private leaves no word in state, whatever was known and open about it before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from accord.model.item import Event
from accord.model.kinds import Side
from accord.model.parts import Privacy
from accord.model.recurrence import Frequency, Override, RecurrenceRule
from accord.ports.errors import Denied, ItemError, Rejected
from accord.rules.rule import Clash, Deletion, Deletions, Filters, GuardLimits, Private
from accord.service.decisions import approve
from accord.service.undo import select, undo
from accord.state.codec import unpack
from accord.state.context import SEALED
from accord.state.records import Cause
from accord.state.schema import METADATA
from tests.unit.service.kit import CRM, GROUPWARE, SOON, World, event

WORDS = ("zwiebel", "knoblauch", "schnittlauch")
"""What the item was called at one time or another; also in its other fields."""

Story = Callable[[World], str]
"""Let an item come about and be known in public; return its ref in the mailbox."""


def traces(world: World, *, decrypting: bool = False) -> list[str]:
    """Return every place in which a word stands, in any column of any table.

    Nothing encrypted is opened, but on request what blobs and pending changes hold.
    """
    found = []
    with world.state.begin() as tx:
        for table in METADATA.sorted_tables:
            for row in tx.db.execute(table.select()).all():
                for name, value in row._mapping.items():
                    key = {"state_blobs": row[0], "state_pending": f"pending:{row[0]}"}
                    place = key.get(table.name, "") if decrypting else ""
                    text = _text(tx, value, place).casefold()
                    found += [f"{table.name}.{name}: {word}" for word in WORDS if word in text]
    return found


def _text(tx: Any, value: object, place: str) -> str:
    if isinstance(value, bytes | memoryview):
        data = bytes(value)
        if data[:1] == SEALED:
            data = tx.context.unwrap(data, place) if place else b""
        elif data[:1] in (b"\x00", b"\x01"):
            data = unpack(data)
        return data.decode("utf-8", "replace")
    return str(value)


def _world(tmp_path: Path, private: Private, **rule: Any) -> World:
    return World(rule={"private": private, **rule}, key_file=tmp_path / "key")


def _item(title: str = "Zwiebel", **values: Any) -> Event:
    return event(title, location="Schnittlauch 1", **values)


def _from_crm(world: World) -> str:
    world.person().add(_item())
    world.sync()
    return world.items()[0].ref


def _from_mailbox(world: World) -> str:
    ref = world.mailbox().add(_item()).ref
    world.sync()
    return ref


def _renamed(origin: Story, *sides: Side) -> Story:
    def tell(world: World) -> str:
        ref = origin(world)
        for number, side in enumerate(sides):
            title = f"Knoblauch {number}"
            if side is CRM:
                world.person().edit(world.records()[0].ref, title=title)
            else:
                world.mailbox().edit(ref, title=title)
            world.sync()
        return ref

    return tell


def _undone(origin: Story) -> Story:
    def tell(world: World) -> str:
        ref = _renamed(origin, CRM, GROUPWARE)(world)
        entry = next(entry for entry in world.journal() if entry.step == "update")
        (report,) = undo(world.accord, select(world.accord, str(entry.id)))
        assert report.writes
        world.sync()
        return ref

    return tell


def _undo_waits(origin: Story) -> Story:
    def tell(world: World) -> str:
        ref = _renamed(origin, CRM, GROUPWARE)(world)
        entry = next(e for e in reversed(world.journal()) if e.step == "update")
        undo(world.accord, select(world.accord, str(entry.id)))
        assert world.pending(Cause.UNDO)
        return ref

    return tell


def _let_go(origin: Story) -> Story:
    def tell(world: World) -> str:
        ref = origin(world)
        world.person().delete(world.records()[0].ref)
        world.sync()
        assert world.pairings()[0].frozen
        return ref

    return tell


def _in_conflict(origin: Story) -> Story:
    def tell(world: World) -> str:
        ref = origin(world)
        world.person().edit(world.records()[0].ref, title="Knoblauch")
        world.mailbox().edit(ref, title="Zwiebelkuchen")
        assert world.sync().conflicts == 1
        return ref

    return tell


def _public_again(world: World) -> str:
    ref = _from_mailbox(world)
    for privacy in (Privacy.PRIVATE, Privacy.PUBLIC):
        world.mailbox().edit(ref, privacy=privacy)
        world.sync()
    assert world.titles()[0] == ["Zwiebel"]
    world.mailbox().edit(ref, title="Knoblauch")
    world.sync()
    return ref


def _left_out(world: World) -> str:
    ref = world.mailbox().add(_item(), marker="").ref
    world.mailbox().edit(ref, categories=("Away",))
    world.sync()
    assert not world.pairings()
    return ref


def _unreadable(world: World) -> str:
    ref = world.mailbox().add(_item()).ref
    world.mailbox().corrupt(ref, "not understood")
    assert world.sync().unreadable == 1
    world.mailbox().corrupt(ref, "")
    return ref


RULE = {
    "clash": Clash.HOLD,
    "delete": Deletions(inbound=Deletion.KEEP, outbound=Deletion.KEEP),
    "filter": Filters(groupware="!('Away' in item.categories)"),
}
STORIES: dict[str, Story] = {
    "born in the CRM": _from_crm,
    "born in the mailbox": _from_mailbox,
    "born in the CRM, renamed there": _renamed(_from_crm, CRM),
    "born in the CRM, renamed in the mailbox": _renamed(_from_crm, GROUPWARE),
    "born in the mailbox, renamed in the CRM": _renamed(_from_mailbox, CRM),
    "born in the mailbox, renamed there and in the CRM": _renamed(_from_mailbox, GROUPWARE, CRM),
    "born in the CRM, undone": _undone(_from_crm),
    "born in the mailbox, undone": _undone(_from_mailbox),
    "born in the mailbox, an undo waits": _undo_waits(_from_mailbox),
    "born in the CRM, in conflict": _in_conflict(_from_crm),
    "born in the mailbox, in conflict": _in_conflict(_from_mailbox),
    "born in the CRM, let go": _let_go(_from_crm),
    "born in the mailbox, let go": _let_go(_from_mailbox),
    "public again": _public_again,
    "never let in": _left_out,
    "once unreadable": _unreadable,
}
NEEDED = ("let go",)
"""What still stands on what was known; of that nothing can be read without the key."""


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("private", [Private.SKIP, Private.BUSY])
def test_what_turns_private_in_the_mailbox(tmp_path: Path, private: Private, story: str) -> None:
    world = _world(tmp_path, private, **RULE)
    ref = STORIES[story](world)
    assert traces(world)
    decrypting = not story.endswith(NEEDED)
    world.mailbox().edit(ref, privacy=Privacy.PRIVATE)
    for full in (False, True):
        world.sync(full=full)
        assert traces(world, decrypting=decrypting) == []


@pytest.mark.parametrize("origin", [_from_crm, _from_mailbox])
@pytest.mark.parametrize("private", [Private.SKIP, Private.BUSY])
def test_what_turns_private_while_a_change_of_it_is_held(
    tmp_path: Path, private: Private, origin: Story
) -> None:
    world = _world(tmp_path, private)
    ref = origin(world)
    world.activate(private=private, guard=GuardLimits(updates=0))
    world.sync()
    world.mailbox().edit(ref, title="Knoblauch")
    assert world.sync().held == 1
    world.mailbox().edit(ref, privacy=Privacy.PRIVATE)
    world.sync()
    # The record isn't reduced before somebody agrees; until then its pair stands on its words.
    assert world.titles()[0] == ["Zwiebel"]
    assert traces(world) == []
    approve(world.accord, [one.id for one in world.pending(Cause.HELD)])
    assert world.titles()[0] == ["Busy"]
    assert traces(world, decrypting=True) == []


UPDATE = "accord.crm.memory.session.MemorySession.update"


@pytest.mark.parametrize("origin", [_from_crm, _from_mailbox])
@pytest.mark.parametrize("private", [Private.SKIP, Private.BUSY])
def test_what_turns_private_while_the_crm_refuses_it(
    tmp_path: Path, private: Private, origin: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = _world(tmp_path, private)
    ref = origin(world)
    with monkeypatch.context() as patched:
        patched.setattr(UPDATE, lambda _, __, ___, some: [Rejected("no")] * len(some))
        world.mailbox().edit(ref, title="Knoblauch")
        assert world.sync().failed == 1
        world.mailbox().edit(ref, privacy=Privacy.PRIVATE)
        assert world.sync().failed == 1
        assert world.titles()[0] == ["Zwiebel"]
        assert traces(world) == []
    world.sync(full=True)
    assert world.titles()[0] == ["Busy"]
    assert traces(world, decrypting=True) == []


@pytest.mark.parametrize("private", [Private.SKIP, Private.BUSY])
def test_what_turns_private_before_it_ever_got_a_copy(
    tmp_path: Path, private: Private, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = _world(tmp_path, private)
    ref = world.mailbox().add(_item()).ref
    create = "accord.crm.memory.session.MemorySession.create"
    with monkeypatch.context() as patched:
        patched.setattr(create, lambda _, __, ___, some: [Rejected("no")] * len(some))
        assert world.sync().failed == 1
        assert traces(world)
        world.mailbox().edit(ref, privacy=Privacy.PRIVATE)
        world.sync()
        assert traces(world, decrypting=True) == []


@pytest.mark.parametrize("origin", [_from_crm, _from_mailbox])
@pytest.mark.parametrize("private", [Private.SKIP, Private.BUSY])
def test_a_record_that_is_made_private_is_kept_encrypted_only(
    tmp_path: Path, private: Private, origin: Story
) -> None:
    world = _world(tmp_path, private)
    _renamed(origin, CRM)(world)
    assert traces(world)
    (record,) = world.records()
    world.person().edit(record.ref, privacy=Privacy.PRIVATE)
    for full in (False, True):
        world.sync(full=full)
        # It is the CRM's own, and its user's copy: nothing is taken from either.
        assert world.titles() == (["Knoblauch 0"], ["Knoblauch 0"])
        assert traces(world) == []


def test_of_what_is_private_from_the_first_the_crm_keeps_its_history(tmp_path: Path) -> None:
    world = _world(tmp_path, Private.SKIP)
    record = world.person().add(_item(privacy=Privacy.PRIVATE))
    world.sync()
    world.person().edit(record.ref, title="Knoblauch")
    world.sync()
    assert traces(world) == []
    (change,) = next(entry.fields for entry in world.journal() if entry.step == "update")
    assert (change.before, change.after) == ("Zwiebel", "Knoblauch")


@pytest.mark.parametrize("private", [Private.SKIP, Private.BUSY])
def test_of_one_private_occurrence_only_that_leaves_no_word(
    tmp_path: Path, private: Private
) -> None:
    world = _world(tmp_path, private)
    late = SOON + timedelta(days=1)
    daily = RecurrenceRule(frequency=Frequency.DAILY, count=5)
    special = Override(recurrence_id=late, title="Zwiebel")
    item = world.mailbox().add(event("Daily", rule=daily, overrides=(special,)))
    world.sync()
    assert traces(world)
    hidden = Override(recurrence_id=late, title="Zwiebel", privacy=Privacy.PRIVATE)
    world.mailbox().edit(item.ref, overrides=(hidden,))
    world.sync()
    assert traces(world, decrypting=True) == []
    labels = [world.decision(CRM, world.records()[0].ref), world.decision(GROUPWARE, item.ref)]
    assert [one.label for one in labels if one is not None][:1] == ["Daily"]
    world.mailbox().edit(item.ref, title="Every day")
    world.sync()
    assert [entry.fields[0].after for entry in world.journal(limit=1)] == ["Every day"]


def test_others_lose_nothing(tmp_path: Path) -> None:
    world = _world(tmp_path, Private.SKIP)
    ref = _renamed(_from_mailbox, CRM)(world)
    other = world.mailbox().add(event("Lunch"))
    world.sync()
    world.mailbox().edit(ref, privacy=Privacy.PRIVATE)
    world.mailbox().edit(other.ref, title="Late lunch")
    world.sync()
    entry = next(e for e in world.journal() if e.counterpart == other.ref and e.step == "update")
    with world.state.read() as tx:
        before = tx.blobs.get_item(entry.before or "")
    assert before is not None and getattr(before.item, "title", "") == "Lunch"
    decision = world.decision(CRM, entry.ref)
    assert decision is not None and decision.label == "Late lunch"


WRITES = "accord.{side}.memory.session.MemorySession.{step}"


@pytest.mark.parametrize("step", ["create", "update"])
@pytest.mark.parametrize("error", [Rejected, Denied, ItemError])
def test_what_a_mailbox_says_of_a_private_record_is_not_kept(
    tmp_path: Path, error: type[ItemError], step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = _world(tmp_path, Private.BUSY)
    record = world.person().add(_item(privacy=Privacy.PRIVATE))
    if step == "update":
        world.sync()
        world.person().edit(record.ref, title="Knoblauch")
    told = error("can't save 'Zwiebel' over 'Knoblauch'", code="too-sharp")
    with monkeypatch.context() as patched:
        place = WRITES.format(side="groupware", step=step)
        patched.setattr(place, lambda _, __, ___, some: [told] * len(some))
        world.sync()
        assert traces(world) == []
    (entry,) = (entry for entry in world.journal() if entry.error)
    assert "too-sharp" in entry.error
    assert "the entry is private" in entry.error
    assert [one.why for one in world.pending()] == [entry.error]


def test_what_the_crm_says_of_a_private_entry_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = _world(tmp_path, Private.BUSY)
    ref = world.mailbox().add(_item()).ref
    world.mailbox().edit(ref, privacy=Privacy.PRIVATE)
    told = Rejected("can't save 'Zwiebel'")
    with monkeypatch.context() as patched:
        place = WRITES.format(side="crm", step="create")
        patched.setattr(place, lambda _, __, ___, some: [told] * len(some))
        assert world.sync().failed == 1
        assert traces(world) == []


def test_what_is_said_of_public_entries_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = _world(tmp_path, Private.BUSY)
    world.person().add(_item())
    told = Rejected("can't save 'Zwiebel'")
    with monkeypatch.context() as patched:
        place = WRITES.format(side="groupware", step="create")
        patched.setattr(place, lambda _, __, ___, some: [told] * len(some))
        world.sync()
    assert [one.why for one in world.pending()] == ["can't save 'Zwiebel'"]
