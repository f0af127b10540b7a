"""What a visit that was cut off left open: entered where it happened, else planned anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from accord.crm.memory.session import MemorySession as RecordsSession
from accord.engine.plan import Frozen
from accord.groupware.memory.session import MemorySession
from accord.model.item import Contact, Item
from accord.model.kinds import Direction, Kind, Side
from accord.model.observe import Snapshot, Unknown
from accord.model.parts import Attendee, Person
from accord.model.recurrence import EventStatus
from accord.ports.adapter import Written
from accord.ports.errors import Denied
from accord.rules.rule import Clash, FieldRule, Meetings
from accord.service.undo import select, undo
from accord.state.records import Cause, Entry
from tests.unit.service.kit import CRM, GROUPWARE, Crash, World, event
from tests.unit.service.watched import WatchedWorld

SETTLED = "(settled after an interruption)"


def at(point: str) -> Callable[[str], bool]:
    return lambda here: here == point


def paired(*titles: str, **values: Any) -> tuple[WatchedWorld, list[str], list[str]]:
    """Return a world with appointments on both sides, and their refs there."""
    world = WatchedWorld(**values)
    records = [world.person().add(event(title)).ref for title in titles or ("Review",)]
    world.sync()
    world.calls.clear()
    items = {pair.crm.ref: pair.groupware.ref for pair in world.pairings()}
    return world, records, [items[ref] for ref in records]


def told(world: World, step: str) -> Entry:
    """Return the one entry of that sort in the journal."""
    (entry,) = [entry for entry in world.journal() if entry.step == step]
    return entry


def of(snapshot: Snapshot) -> tuple[str, Item]:
    """Return what a base must know; that another version says the same is found out anyway."""
    return snapshot.ref, snapshot.item


def bases(world: World) -> list[tuple[Any, Any]]:
    return [(of(pair.crm), of(pair.groupware)) for pair in world.pairings()]


def quiet(world: World) -> bool:
    """Tell whether another visit finds nothing to do and nothing open."""
    return world.sync().writes == 0 and world.intents() == []


# Creating.


@pytest.mark.parametrize("side", Side)
def test_a_copy_that_was_made_is_entered_and_not_made_again(side: Side) -> None:
    world = World()
    (world.mailbox() if side is CRM else world.person()).add(event())
    assert world.crash(at(f"after create on {side}"))
    assert (world.pairings(), len(world.intents())) == ([], 1)
    report = world.sync()
    assert (report.error, report.side(side).created) == ("", 1)
    (record,), (item,) = world.records(), world.items()
    (pair,) = world.pairings()
    assert bases(world) == [(of(record), of(item))]
    assert (pair.made, pair.side(side).version) == (side, (record if side is CRM else item).version)
    assert [entry.step for entry in world.journal()] == ["create"]
    entry = told(world, "create")
    here, there = (record.ref, item.ref) if side is CRM else (item.ref, record.ref)
    assert (entry.side, entry.ref, entry.counterpart) == (side, here, there)
    assert entry.why.endswith(SETTLED)
    assert quiet(world)


def test_a_copy_that_was_made_is_named_on_its_record_after_all() -> None:
    world = World()
    world.person().add(event())
    assert world.crash(at("after create on groupware"))
    assert world.records()[0].marker == ""
    world.sync()
    assert world.records()[0].marker == f"t/alice@x.test/{world.items()[0].ref}"


def test_an_item_that_named_a_record_names_its_new_one_after_all() -> None:
    world, (record,), (item,) = paired(crm={"restores": False})
    world.person().delete(record)
    world.mailbox().edit(item, title="Still on")
    assert world.crash(at("after create on crm"))
    assert world.mailbox().get(item).marker == f"crm/event/{record}"
    world.sync()
    (anew,) = world.records()
    assert world.mailbox().get(item).marker == f"crm/event/{anew.ref}"
    assert [(pair.crm.ref, pair.made) for pair in world.pairings()] == [(anew.ref, GROUPWARE)]
    assert quiet(world)


def test_a_persons_own_item_is_not_marked_for_a_record_that_was_made() -> None:
    world = World()
    item = world.mailbox().add(event())
    assert world.crash(at("after create on crm"))
    world.sync()
    assert world.items() == (item,)
    assert len(world.pairings()) == 1


def test_what_a_server_made_of_a_copy_is_no_edit_after_an_interruption() -> None:
    world = World(groupware={"title_limit": 10})
    world.person().add(event("Longer than ten"))
    assert world.crash(at("after create on groupware"))
    assert world.crash(lambda point: point == "after transaction" and bool(world.pairings()))
    (pair,), (item,) = world.pairings(), world.items()
    assert (of(pair.groupware), pair.groupware.version) == (of(item), item.version)
    world.sync()
    assert [r.item.title for r in world.records()] == ["Longer than ten"]  # type: ignore[union-attr]
    assert quiet(world)


def test_a_server_may_give_a_copy_its_own_uid_and_name_no_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    world.person().add(event())
    assert world.crash(at("after create on groupware"))
    world.mailbox().edit(world.items()[0].ref, uid="own", title="Edited since")
    lookup = MemorySession.lookup

    def bare(session: Any, folder: str, kind: Kind, asked: Sequence[Any]) -> Any:
        found = lookup(session, folder, kind, asked)
        return [tuple(msgspec.structs.replace(s, folder="") for s in some) for some in found]

    monkeypatch.setattr(MemorySession, "lookup", bare)
    assert world.crash(lambda point: point == "after transaction" and bool(world.pairings()))
    (pair,) = world.pairings()
    known: Any = pair.groupware.item
    assert (pair.frozen, known.uid, known.title) == ("", "own", "Review")
    world.sync()
    assert world.titles() == (["Edited since"], ["Edited since"])
    assert quiet(world)


@pytest.mark.parametrize("side", Side)
def test_what_was_edited_in_the_new_copy_since_travels_back(side: Side) -> None:
    world = World()
    source: Any = world.mailbox() if side is CRM else world.person()
    copies: Any = world.person() if side is CRM else world.mailbox()
    first = source.add(event("As sent"))
    assert world.crash(at(f"after create on {side}"))
    (copy,) = copies.list(Kind.EVENT)
    copies.edit(copy.ref, title="Edited since")
    world.sync()
    assert source.get(first.ref).item.title == "Edited since"
    assert copies.get(copy.ref).item.title == "Edited since"
    assert quiet(world)


def test_a_new_copy_that_somebody_moved_away_since_is_let_go_and_not_made_again() -> None:
    world = World()
    record = world.person().add(event())
    assert world.crash(at("after create on groupware"))
    (copy,) = world.items()
    elsewhere = world.mailbox().add_folder("Elsewhere", Kind.EVENT)
    moved = world.mailbox().move(copy.ref, elsewhere)
    assert world.sync().error == ""
    (pair,) = world.pairings()
    assert (pair.crm.ref, pair.groupware.ref) == (record.ref, moved)
    assert pair.frozen == Frozen.MOVED
    known = pair.groupware
    assert (known.marker, known.folder) == (f"crm/event/{record.ref}", elsewhere)
    assert [entry.step for entry in world.journal()] == ["create"]
    assert [copy.ref for copy in world.items()] == [moved]
    assert world.records()[0].marker == f"t/alice@x.test/{moved}"
    assert quiet(world)


def test_a_new_copy_that_somebody_deleted_since_is_not_taken_for_one_that_stands() -> None:
    world = World()
    world.person().add(event())
    assert world.crash(at("after create on groupware"))
    world.mailbox().delete(world.items()[0].ref)
    assert world.sync().error == ""
    assert [pair.frozen for pair in world.pairings()] in ([], [""])
    assert len(world.items()) == len(world.pairings())
    assert quiet(world)


@pytest.mark.parametrize("side", Side)
def test_what_was_not_made_is_made(side: Side) -> None:
    world = World()
    (world.mailbox() if side is CRM else world.person()).add(event())
    assert world.crash(at(f"before create on {side}"))
    assert len(world.intents()) == 1
    assert world.sync().side(side).created == 1
    assert (len(world.records()), len(world.items())) == (1, 1)
    assert not told(world, "create").why.endswith(SETTLED)
    assert quiet(world)


def test_of_several_only_those_are_made_that_were_not() -> None:
    world = World()
    for title in ("A", "B", "C"):
        world.person().add(event(title))
    assert world.crash(at("amid create on groupware"))
    made = len(world.items())
    world.sync()
    assert world.titles() == (["A", "B", "C"],) * 2
    whys = [entry.why.endswith(SETTLED) for entry in world.journal() if entry.step == "create"]
    assert (whys.count(True), whys.count(False)) == (made, 3 - made)
    assert quiet(world)


def test_a_meeting_whose_content_comes_from_elsewhere_says_so_after_an_interruption() -> None:
    """Another link brought it in while this one was dead."""
    people = (Attendee(address="alice@x.test"), Attendee(address="bob@x.test"))
    meeting = event(organizer=Person(address="eve@y.test"), attendees=people, uid="m1")
    world = World("alice", "bob", rule={"meetings": Meetings.INVITE})
    world.mailbox().add(meeting)
    assert world.crash(at("after create on crm"))
    with world.state.begin() as tx:
        assert tx.claims.pass_on("crm", "m1", "bob")
    world.sync()
    (pair,) = world.pairings()
    assert pair.content is False


# Updating.


@pytest.mark.parametrize("side", Side)
def test_an_update_that_was_written_is_entered_and_not_written_again(side: Side) -> None:
    world, (record,), (item,) = paired()
    (world.mailbox().edit if side is CRM else world.person().edit)(
        item if side is CRM else record, title="New"
    )
    assert world.crash(at(f"after update on {side}"))
    world.calls.clear()
    report = world.sync()
    assert world.calls == []
    assert (report.error, report.side(side).updated) == ("", 1)
    (pair,) = world.pairings()
    assert bases(world) == [(of(world.records()[0]), of(world.items()[0]))]
    entry = told(world, "update")
    here, there = (record, item) if side is CRM else (item, record)
    assert (entry.side, entry.ref, entry.counterpart) == (side, here, there)
    assert (entry.pairing, entry.why.endswith(SETTLED)) == (pair.id, True)
    assert [(c.field, c.before, c.after) for c in entry.fields] == [("title", "Review", "New")]
    assert None not in (entry.before, entry.after)
    assert world.journal(step="clash") == []
    assert quiet(world)


@pytest.mark.parametrize("side", Side)
def test_what_was_edited_since_an_update_travels_back(side: Side) -> None:
    world, (record,), (item,) = paired()
    (world.mailbox().edit if side is CRM else world.person().edit)(
        item if side is CRM else record, title="New"
    )
    assert world.crash(at(f"after update on {side}"))
    (world.person().edit if side is CRM else world.mailbox().edit)(
        record if side is CRM else item, location="Room"
    )
    world.sync()
    for found in (*world.records(), *world.items()):
        assert (found.item.title, found.item.location) == ("New", "Room")  # type: ignore[union-attr]
    assert quiet(world)


def test_an_update_that_was_not_written_is_written() -> None:
    world, (record,), _ = paired()
    world.person().edit(record, title="New")
    assert world.crash(at("before update on groupware"))
    assert world.sync().groupware.updated == 1
    assert world.titles() == (["New"], ["New"])
    assert not told(world, "update").why.endswith(SETTLED)
    assert quiet(world)


def test_each_sides_half_of_an_exchange_is_entered_with_its_own_base() -> None:
    world, (record,), (item,) = paired()
    world.person().edit(record, location="Room")
    world.mailbox().edit(item, title="New")
    assert world.crash(at("after update on crm"))
    world.calls.clear()
    world.sync()
    assert world.calls == []
    assert bases(world) == [(of(world.records()[0]), of(world.items()[0]))]
    sides = {entry.side: entry for entry in world.journal() if entry.step == "update"}
    assert (sides[CRM].ref, sides[CRM].counterpart) == (record, item)
    assert (sides[GROUPWARE].ref, sides[GROUPWARE].counterpart) == (item, record)
    assert quiet(world)


def test_what_was_edited_on_either_side_since_an_exchange_travels() -> None:
    """What the exchange brought is no edit any more, so the edits don't clash with it."""
    world, (record,), (item,) = paired()
    world.person().edit(record, location="Room")
    world.mailbox().edit(item, title="New")
    assert world.crash(at("after update on crm"))
    world.person().edit(record, location="Loft")
    world.mailbox().edit(item, title="Newest")
    world.sync()
    for found in (*world.records(), *world.items()):
        assert (found.item.title, found.item.location) == ("Newest", "Loft")  # type: ignore[union-attr]
    assert (world.pending(), world.journal(step="clash")) == ([], [])
    assert quiet(world)


def test_what_the_mailbox_had_cut_short_before_is_no_loss_after_an_interruption() -> None:
    world, _, (item,) = paired("Longer than ten", groupware={"title_limit": 10})
    world.mailbox().edit(item, title="New")
    assert world.crash(at("after update on crm"))
    world.sync()
    assert world.titles() == (["New"], ["New"])
    assert world.journal(step="clash") == []
    assert quiet(world)


def test_entries_that_came_together_are_no_loss_after_an_interruption() -> None:
    world, (record,), (item,) = paired()
    world.person().edit(record, categories=("Ours",))
    world.mailbox().edit(item, categories=("Theirs",))
    assert world.crash(at("after update on crm"))
    world.sync()
    for found in (*world.records(), *world.items()):
        assert set(found.item.categories) == {"Ours", "Theirs"}
    assert (world.pending(), world.journal(step="clash")) == ([], [])
    assert quiet(world)


@pytest.mark.parametrize("side", Side)
def test_an_entry_taken_away_since_stays_away_although_others_came(side: Side) -> None:
    """What the update brought is there, beside later entries: so it was written."""
    world, (record,), (item,) = paired()

    def edit(where: Side, **values: Any) -> None:
        if where is CRM:
            world.person().edit(record, **values)
        else:
            world.mailbox().edit(item, **values)

    edit(side.other, categories=("Brought",))
    assert world.crash(at(f"after update on {side}"))
    edit(side, categories=("Brought", "Later"))
    edit(side.other, categories=())
    world.sync()
    for found in (*world.records(), *world.items()):
        assert found.item.categories == ("Later",)
    assert quiet(world)


def test_own_fields_that_came_together_are_no_loss_either() -> None:
    both = FieldRule(direction=Direction.BOTH)
    rule = {"fields": {"crm:ours": both, "crm:theirs": both}}
    world, (record,), (item,) = paired(rule=rule)
    traits = world.groupware.traits
    kept = msgspec.structs.replace(traits.kinds[Kind.EVENT], extras=frozenset({"crm"}))
    kinds = {**traits.kinds, Kind.EVENT: kept}
    world.groupware.store.traits = msgspec.structs.replace(traits, kinds=kinds)
    world.person().edit(record, extras={"crm:ours": "1"})
    world.mailbox().edit(item, extras={"crm:theirs": "2"})
    assert world.crash(at("after update on crm"))
    world.sync()
    for found in (*world.records(), *world.items()):
        assert found.item.extras == {"crm:ours": "1", "crm:theirs": "2"}
    assert world.journal(step="clash") == []
    assert quiet(world)


def cut_off_clash(loser: Side) -> tuple[WatchedWorld, str, str]:
    """Edit title and place on both sides; die when the loser was written and nothing entered."""
    clash = Clash.GROUPWARE if loser is CRM else Clash.CRM
    world, (record,), (item,) = paired(rule={"clash": clash})
    world.person().edit(record, title="Ours", location="Here")
    world.mailbox().edit(item, title="Theirs", location="There")
    assert world.crash(at(f"after update on {loser}"))
    return world, record, item


@pytest.mark.parametrize("loser", Side)
def test_what_an_exchange_replaced_is_kept_after_an_interruption(loser: Side) -> None:
    world, record, item = cut_off_clash(loser)
    world.sync()
    entry = told(world, "clash")
    assert (entry.side, entry.ref) == (loser, record if loser is CRM else item)
    assert {(c.field, c.before, c.after) for c in entry.fields} == {
        ("title", "Ours", "Theirs"),
        ("location", "Here", "There"),
    }
    assert entry.why == "both sides changed title, location (settled after an interruption)"
    assert quiet(world)


@pytest.mark.parametrize("loser", Side)
def test_what_an_exchange_replaced_is_kept_although_more_was_edited_since(loser: Side) -> None:
    world, record, item = cut_off_clash(loser)
    if loser is CRM:
        world.person().edit(record, location="Elsewhere")
    else:
        world.mailbox().edit(item, location="Elsewhere")
    world.sync()
    replaced = "Ours" if loser is CRM else "Theirs"
    clashes = [change for entry in world.journal(step="clash") for change in entry.fields]
    assert replaced in {change.before for change in clashes} | {each.after for each in clashes}
    (settled,) = [e for e in world.journal(step="clash") if e.why.endswith(SETTLED)]
    assert [change.field for change in settled.fields] == ["title"]
    assert quiet(world)


@pytest.mark.parametrize("side", Side)
def test_a_conflict_beside_a_write_that_was_cut_off_is_told_at_once(side: Side) -> None:
    world, (record,), (item,) = paired(rule={"clash": Clash.HOLD})
    world.person().edit(record, title="Ours")
    world.mailbox().edit(item, title="Theirs")
    if side is CRM:
        world.mailbox().edit(item, location="Room")
    else:
        world.person().edit(record, location="Room")
    assert world.crash(at(f"after update on {side}"))
    assert world.pending() == []
    world.sync()
    (asked,) = world.pending()
    assert (asked.cause, asked.ref_crm, asked.ref_groupware) == (Cause.CONFLICT, record, item)
    assert world.titles() == (["Ours"], ["Theirs"])
    assert quiet(world)


def cut_off_undo(world: WatchedWorld, run: str) -> list[tuple[str, str]]:
    """Undo a run, dying when all is written and nothing entered yet; return what was written."""
    world.calls.clear()
    written: list[tuple[str, str]] = []

    def over(point: str) -> bool:
        written[:] = sorted((str(call.side), call.name) for call in world.calls)
        return point == "before transaction" and bool(written)

    world.mortal.die(over)
    with pytest.raises(Crash):
        undo(world.accord, select(world.accord, run))
    world.restart()
    return written


@pytest.mark.parametrize("done", Side)
def test_an_undo_that_was_cut_off_between_the_sides_travels_to_the_other(done: Side) -> None:
    world, (record,), _ = paired("Old")
    world.person().edit(record, title="New")
    run = world.sync().run
    world.answer(done.other, "update", Denied("not now"))
    assert cut_off_undo(world, run) == [("crm", "update"), ("groupware", "update")]
    assert world.sync().error == ""
    assert world.titles() == (["Old"], ["Old"])
    assert quiet(world)


def test_an_undo_that_wrote_to_both_sides_is_entered_after_an_interruption() -> None:
    world, (record,), (item,) = paired("Old")
    world.person().edit(record, title="New")
    run = world.sync().run
    assert cut_off_undo(world, run) == [("crm", "update"), ("groupware", "update")]
    world.calls.clear()
    # Dying again before either side is read shows what was entered by itself.
    world.mortal.die(lambda point: point == "after transaction" and world.intents() == [])
    with pytest.raises(Crash):
        world.sync()
    world.restart()
    world.mailbox().edit(item, title="Newest")
    assert world.sync().conflicts == 0
    assert world.names() == ["update crm 1"]
    assert world.titles() == (["Newest"], ["Newest"])
    assert quiet(world)


def test_an_undo_of_what_one_side_put_back_itself_is_no_reason_to_write_again() -> None:
    world, (record,), _ = paired("Old")
    world.person().edit(record, title="New")
    run = world.sync().run
    world.person().edit(record, title="Old")
    assert cut_off_undo(world, run) == [("groupware", "update")]
    world.calls.clear()
    world.sync()
    assert world.names() == []
    assert world.titles() == (["Old"], ["Old"])
    assert quiet(world)


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("side", Side)
def test_an_update_that_was_cut_off_halfway_is_completed(
    side: Side, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The side says that it finds but half of it, in a version of its own.

    Where it refuses to complete it, the update is planned anew.
    """
    world, (record,), (item,) = paired()
    here: Any = world.person() if side is CRM else world.mailbox()
    ref = record if side is CRM else item
    if side is CRM:
        world.mailbox().edit(item, title="New")
    else:
        world.person().edit(record, title="New")
    assert world.crash(at(f"before update on {side}"))
    there = here.touch(ref).version
    session: Any = RecordsSession if side is CRM else MemorySession
    fetch, update = session.fetch, session.update
    halves = [Unknown(ref=ref, why="cut off", half=True, version=there)]
    sent: list[Any] = []

    def fetched(self: Any, folder: str, kind: Kind, asks: Sequence[Any]) -> Any:
        return [halves.pop()] if halves and asks else fetch(self, folder, kind, asks)

    def updated(self: Any, folder: str, kind: Kind, revisions: Sequence[Any]) -> Any:
        sent.extend((kind, revision) for revision in revisions)
        if refused and len(sent) == 1:
            return [Denied("not now")]
        return update(self, folder, kind, revisions)

    monkeypatch.setattr(session, "fetch", fetched)
    monkeypatch.setattr(session, "update", updated)
    report = world.sync()
    kind, revision = sent[0]
    assert (kind, revision.ref, revision.version) == (Kind.EVENT, ref, there)
    assert [each.half for _, each in sent] == ([True, False] if refused else [True])
    assert (report.error, report.side(side).updated) == ("", 1)
    assert world.titles() == (["New"], ["New"])
    assert bases(world) == [(of(world.records()[0]), of(world.items()[0]))]
    assert told(world, "update").why.endswith(SETTLED) is not refused
    assert quiet(world)


# Deleting.


@pytest.mark.parametrize("side", Side)
def test_a_deletion_that_happened_is_entered_once(side: Side) -> None:
    world, (record,), (item,) = paired()
    if side is CRM:
        world.mailbox().delete(item)
    else:
        world.person().delete(record)
    assert world.crash(at(f"after delete on {side}"))
    report = world.sync()
    assert (report.error, report.side(side).deleted) == ("", 1)
    assert (world.records(), world.items(), world.pairings()) == ((), (), [])
    entry = told(world, "delete")
    assert (entry.side, entry.ref) == (side, record if side is CRM else item)
    assert (entry.before is not None, entry.after) == (True, None)
    assert quiet(world)


@pytest.mark.parametrize("side", Side)
def test_a_deletion_that_did_not_happen_is_done(side: Side) -> None:
    world, (record,), (item,) = paired()
    if side is CRM:
        world.mailbox().delete(item)
    else:
        world.person().delete(record)
    assert world.crash(at(f"before delete on {side}"))
    assert len(world.intents()) == 1
    assert world.sync().side(side).deleted == 1
    assert (world.records(), world.items(), world.pairings()) == ((), (), [])
    assert quiet(world)


def test_a_contact_s_copy_that_was_not_deleted_is_deleted() -> None:
    """What can't be called off can be deleted all the same."""
    world = World(kind=Kind.CONTACT)
    record = world.person().add(Contact(full_name="Eve"))
    world.sync()
    world.person().delete(record.ref)
    assert world.crash(at("before delete on groupware"))
    assert (world.sync().error, world.items(), world.pairings()) == ("", (), [])
    assert quiet(world)


def test_a_record_that_was_called_off_instead_is_let_go_after_an_interruption() -> None:
    world, (record,), (item,) = paired()
    world.mailbox().delete(item)

    def cancel(given: Any, _: Any) -> Any:
        kept = world.person().edit(given[0].ref, status=EventStatus.CANCELLED)
        return [Written(ref=kept.ref, version=kept.version, snapshot=kept)]

    world.answer(CRM, "delete", cancel)
    called = world.calls
    assert world.crash(
        lambda point: point == "before transaction" and "delete" in [c.name for c in called]
    )
    world.sync()
    (pair,) = world.pairings()
    assert (pair.frozen, of(pair.crm)) == (Frozen.UNLINKED, of(world.person().get(record)))
    assert (told(world, "delete").after is not None, world.items()) == (True, ())
    assert quiet(world)


def test_a_record_that_was_called_off_before_still_has_to_be_deleted() -> None:
    """That it is cancelled is no answer to a deletion: it was before."""
    world, _, _ = paired()
    (record,) = world.records()
    world.person().edit(record.ref, status=EventStatus.CANCELLED)
    world.sync()
    world.mailbox().delete(world.items()[0].ref)
    assert world.crash(at("before delete on crm"))
    assert world.sync().crm.deleted == 1
    assert (world.records(), world.pairings()) == ((), [])


# How it is asked.


def test_no_side_is_asked_about_more_pairs_at_once_than_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was left open may be more than the side takes now; a pair's writes stay together."""
    world, records, items = paired("A", "B", "C", "D", "E")
    for record, item in zip(records, items, strict=True):
        world.person().edit(record, location="Room")
        world.mailbox().edit(item, title="New")
    assert world.crash(at("after update on crm"))
    assert len(world.intents()) == 10
    sizes: list[int] = []
    fetch = MemorySession.fetch

    def counted(session: Any, folder: str, kind: Kind, asks: Sequence[Any]) -> Any:
        sizes.append(len(asks))
        return fetch(session, folder, kind, asks)

    monkeypatch.setattr(MemorySession, "fetch", counted)
    world.groupware.store.traits = msgspec.structs.replace(world.groupware.traits, batch=2)
    world.calls.clear()
    world.sync()
    assert [size for size in sizes if size] == [2, 2, 1]
    assert world.calls == []
    for crm, groupware in bases(world):
        assert crm in [of(record) for record in world.records()]
        assert groupware in [of(item) for item in world.items()]
    assert quiet(world)
