"""What the sides are asked to write: drafts, revisions, removals, marks and restorations."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from accord.model.kinds import Side
from accord.model.parts import Attendee, Person
from accord.ports.adapter import Written
from accord.ports.errors import Denied, Retry
from accord.rules.rule import Invitations, Meetings
from accord.sandbox.process import until
from accord.service import keeping, pausing, writes
from accord.service.opening import Options
from accord.service.sync import sync
from accord.state.leases import FOLDER
from accord.state.records import Lease
from tests.unit.service.kit import CRM, GROUPWARE, event
from tests.unit.service.watched import WatchedWorld

INVITE = {"meetings": Meetings.INVITE, "invitations": Invitations.ALLOW}
BOB = Attendee(address="bob@elsewhere.test")


def paired(**values: Any) -> tuple[WatchedWorld, str, str]:
    """Return a world with one appointment on both sides, and its two refs."""
    world = WatchedWorld(**values)
    world.person().add(event())
    world.sync()
    world.calls.clear()
    (record,), (item,) = world.records(), world.items()
    return world, record.ref, item.ref


def sent(**values: Any) -> tuple[WatchedWorld, str, str]:
    """Return a world with a meeting whose invitations have gone out."""
    world = WatchedWorld(rule=INVITE, groupware={"schedules": True}, **values)
    world.sync()
    world.person().add(
        event(organizer=Person(address="alice@x.test"), attendees=(BOB,), uid="meeting")
    )
    world.sync()
    (record,), (item,) = world.records(), world.items()
    return world, record.ref, item.ref


def test_a_copy_in_the_mailbox_names_its_record_and_the_record_its_copy() -> None:
    world = WatchedWorld()
    record = world.person().add(event("Review", location="Room"))
    report = world.sync()
    assert not report.error
    create, mark = world.calls
    assert (create.side, create.name, create.folder, create.kind) == (
        GROUPWARE, "create", "calendar", "event",
    )  # fmt: skip
    (draft,) = create.given
    assert (draft.item.title, draft.item.location) == ("Review", "Room")
    assert draft.marker == f"crm/event/{record.ref}"
    assert len(draft.key) == 32
    assert draft.notify is False
    (item,) = world.items()
    assert (mark.side, mark.name, mark.kind) == (CRM, "mark", "event")
    (told,) = mark.given
    assert (told.ref, told.marker) == (record.ref, f"t/alice@x.test/{item.ref}")


def test_a_record_names_the_item_it_was_made_from_and_the_item_stays_untouched() -> None:
    world = WatchedWorld()
    item = world.mailbox().add(event("Mine"))
    world.sync()
    (create,) = world.calls
    assert (create.side, create.name) == (CRM, "create")
    (draft,) = create.given
    assert draft.marker == f"t/alice@x.test/{item.ref}"
    assert world.mailbox().get(item.ref).version == item.version


def test_a_marked_item_is_told_of_its_new_record() -> None:
    world, record, item = paired(crm={"restores": False})
    world.person().delete(record)
    world.mailbox().edit(item, title="Still on")
    world.sync()
    assert world.names() == ["create crm 1", "mark groupware 1"]
    (anew,) = world.records()
    assert anew.ref != record
    assert world.mailbox().get(item).marker == f"crm/event/{anew.ref}"


def test_only_what_was_created_is_marked() -> None:
    world = WatchedWorld()
    for title in ("A", "B"):
        world.person().add(event(title))

    def refuse_first(given: Any, act: Any) -> Any:
        return [Denied("no right"), *act(given[1:])]

    world.answer(GROUPWARE, "create", refuse_first)
    world.sync()
    assert world.names() == ["create groupware 2", "mark crm 1"]
    (item,) = world.items()
    marked = {r.item.title: r.marker for r in world.records()}  # type: ignore[union-attr]
    other = {"A": "B", "B": "A"}[item.item.title]  # type: ignore[union-attr]
    assert marked == {item.item.title: f"t/alice@x.test/{item.ref}", other: ""}  # type: ignore[union-attr]


def test_nothing_is_marked_where_nothing_was_created() -> None:
    world = WatchedWorld()
    world.person().add(event())
    world.answer(GROUPWARE, "create", Denied("no right"))
    world.sync()
    assert world.names() == ["create groupware 1"]


def test_a_copy_that_could_not_be_marked_is_found_by_the_next_visit() -> None:
    world = WatchedWorld()
    record = world.person().add(event())
    world.answer(CRM, "mark", Retry("busy"))
    report = world.sync()
    assert "busy" in report.error
    assert len(world.intents()) == 1
    assert world.pairings() == []
    world.sync()
    (item,) = world.items()
    assert world.person().get(record.ref).marker == f"t/alice@x.test/{item.ref}"
    assert len(world.pairings()) == 1
    assert world.intents() == []


def test_creating_says_whether_the_server_may_write_to_people() -> None:
    world, _, _ = sent()
    (draft,) = world.written(GROUPWARE, "create")
    assert draft.notify is True
    assert [mail.to for mail in world.mails] == [BOB.address]


def test_a_revision_is_of_the_version_and_the_fields_that_were_decided_about() -> None:
    world, record, item = paired()
    before = world.mailbox().get(item)
    world.person().edit(record, title="New", location="Room 2")
    world.sync()
    (call,) = world.calls
    assert (call.side, call.name, call.folder, call.kind) == (
        GROUPWARE, "update", "calendar", "event",
    )  # fmt: skip
    (revision,) = call.given
    assert (revision.ref, revision.version) == (item, before.version)
    assert revision.before == before.item
    assert (revision.after.title, revision.after.location) == ("New", "Room 2")
    assert set(revision.changed) == {"title", "location"}
    assert revision.marker == f"crm/event/{record}"
    assert revision.notify is False


def test_a_revision_of_a_record_names_its_item() -> None:
    world, record, item = paired()
    world.mailbox().edit(item, title="New")
    world.sync()
    (revision,) = world.written(CRM, "update")
    assert (revision.ref, revision.marker) == (record, f"t/alice@x.test/{item}")


def test_a_persons_own_item_gets_no_marker() -> None:
    world = WatchedWorld()
    world.mailbox().add(event())
    world.sync()
    (record,) = world.records()
    world.person().edit(record.ref, title="New")
    world.sync()
    (revision,) = world.written(GROUPWARE, "update")
    assert revision.marker == ""


def test_a_change_that_people_see_says_whether_the_server_may_write_to_them() -> None:
    world, record, _ = sent()
    world.written(GROUPWARE, "create")
    world.person().edit(record, title="Renamed")
    world.sync()
    (revision,) = world.written(GROUPWARE, "update")
    assert revision.notify is True


def test_a_removal_is_of_the_version_that_was_decided_about() -> None:
    world, record, item = paired()
    before = world.mailbox().get(item)
    world.person().delete(record)
    world.sync()
    (call,) = world.calls
    assert (call.side, call.name, call.folder, call.kind) == (
        GROUPWARE, "delete", "calendar", "event",
    )  # fmt: skip
    (removal,) = call.given
    assert (removal.ref, removal.version, removal.notify) == (item, before.version, False)


def test_cancelling_says_whether_the_server_may_write_to_people() -> None:
    world, record, _ = sent()
    world.calls.clear()
    world.person().delete(record)
    world.sync()
    (removal,) = world.written(GROUPWARE, "delete")
    assert removal.notify is True


def test_the_mailbox_is_written_first_then_the_crm_each_with_one_call_of_a_sort() -> None:
    world = WatchedWorld()
    refs = [world.person().add(event(title)).ref for title in "ABCD"]
    world.sync()
    world.calls.clear()
    items = {s.item.title: s.ref for s in world.items()}  # type: ignore[union-attr]
    world.person().edit(refs[0], location="1")
    world.person().delete(refs[1])
    world.mailbox().edit(items["C"], location="2")
    world.mailbox().delete(items["D"])
    world.person().add(event("New here"))
    world.mailbox().add(event("New there"))
    world.sync()
    assert world.names() == [
        "create groupware 1",
        "mark crm 1",
        "update groupware 1",
        "delete groupware 1",
        "create crm 1",
        "update crm 1",
        "delete crm 1",
    ]


def lose_folder(world: WatchedWorld) -> None:
    """Let another machine take the folder over, as it does from one that is cut off."""
    world.wait(hours=1)
    with world.state.begin() as tx:
        (name,) = tx.leases.standing(FOLDER)
        assert tx.leases.acquire(name, "elsewhere/1/a", 3600) is not None


@pytest.mark.parametrize(
    ("call", "then"),
    [
        ("create", []),
        ("update", ["create groupware 1", "mark crm 1"]),
        ("delete", ["create groupware 1", "mark crm 1", "update groupware 1"]),
    ],
)
def test_no_write_begins_once_another_machine_may_have_taken_the_folder(
    monkeypatch: pytest.MonkeyPatch, call: str, then: list[str]
) -> None:
    monkeypatch.setattr(pausing, "SURE", -1.0)
    world = WatchedWorld()
    refs = [world.person().add(event(title)).ref for title in "AB"]
    world.sync()
    world.calls.clear()
    world.person().edit(refs[0], location="1")
    world.person().delete(refs[1])
    world.person().add(event("New here"))
    real = getattr(writes, f"_{call}")

    def lately(*given: Any) -> Any:
        lose_folder(world)
        return real(*given)

    monkeypatch.setattr(writes, f"_{call}", lately)
    assert "taken over" in world.sync().error
    assert world.names() == then


def test_the_database_is_asked_for_a_lease_only_where_that_is_long_ago() -> None:
    world = WatchedWorld()

    def lately(items: Sequence[Any], act: Any) -> Any:
        lose_folder(world)
        return act(items)

    world.answer(GROUPWARE, "create", lately)
    world.person().add(event())
    assert "taken over" in world.sync().error
    assert world.names() == ["create groupware 1", "mark crm 1"], "it was sure a moment ago"


@pytest.mark.parametrize("call", ["create", "update", "delete"])
def test_a_folder_stays_ones_own_in_the_middle_of_a_call_that_takes_long(
    monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    monkeypatch.setattr(keeping, "RENEW", 0.01)
    world = WatchedWorld()
    ref = world.person().add(event()).ref
    if call != "create":
        world.sync()
    if call == "update":
        world.person().edit(ref, location="Room")
    if call == "delete":
        world.person().delete(ref)
    taken = []

    def slow(items: Sequence[Any], act: Any) -> Any:
        for _ in range(3):
            before = held(world)
            world.wait(seconds=100)
            assert until(partial(longer, world, before), 10)
            with world.state.begin() as tx:
                taken.append(tx.leases.acquire(before.name, "elsewhere/1/a", 3600))
        return act(items)

    world.answer(GROUPWARE, call, slow)
    assert not world.sync().error
    assert taken == [None] * 3
    assert len(world.items()) == (call != "delete")


def test_a_call_in_the_middle_of_which_a_folder_is_taken_renews_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeping, "RENEW", 0.5)
    world = WatchedWorld()
    world.person().add(event())

    def late(items: Sequence[Any], act: Any) -> Any:
        lose_folder(world)
        time.sleep(1.2)
        return act(items)

    world.answer(GROUPWARE, "create", late)
    assert "taken over" in world.sync().error
    assert world.pairings() == [], "nothing of it is committed"
    assert held(world).holder == "elsewhere/1/a"


def held(world: WatchedWorld) -> Lease:
    with world.state.read() as tx:
        (lease,) = tx.leases.standing(FOLDER).values()
    return lease


def longer(world: WatchedWorld, before: Lease) -> bool:
    return held(world).until > before.until


@pytest.mark.parametrize("side", [CRM, GROUPWARE])
def test_a_folder_that_takes_long_to_read_stays_ones_own(
    monkeypatch: pytest.MonkeyPatch, side: Side
) -> None:
    monkeypatch.setattr(pausing, "SURE", -1.0)
    world = WatchedWorld(**{side.value: {"page": 1}})
    for title in "ABC":
        (world.person() if side is CRM else world.mailbox()).add(event(title))
    taken = []

    def slow(phase: str, count: int, _: int) -> None:
        if phase == "reading" and count:
            world.wait(seconds=100)
            with world.state.begin() as tx:
                (name,) = tx.leases.standing(FOLDER)
                taken.append(tx.leases.acquire(name, "elsewhere/1/a", 3600))

    (report,) = sync(world.accord, [world.link()], Options(), slow)
    assert not report.error
    assert taken == [None] * 3
    assert world.titles() == (["A", "B", "C"], ["A", "B", "C"])


# Deleted records that come back.


def test_a_record_comes_back_under_its_own_ref_with_what_was_edited() -> None:
    world, record, item = paired()
    world.person().delete(record)
    world.mailbox().edit(item, title="Still on", location="Room 7")
    world.sync()
    restore, update = world.calls
    assert (restore.side, restore.name, restore.kind) == (CRM, "restore", "event")
    assert restore.given == [record]
    assert (update.side, update.name) == (CRM, "update")
    (revision,) = update.given
    assert revision.ref == record
    assert set(revision.changed) == {"title", "location"}
    assert (revision.before.title, revision.after.title) == ("Review", "Still on")
    (back,) = world.records()
    assert (back.ref, back.item.title) == (record, "Still on")  # type: ignore[union-attr]
    assert revision.version != back.version
    (pairing,) = world.pairings()
    assert pairing.crm == back
    world.calls.clear()
    assert world.sync().writes == 0


def test_a_record_that_is_as_it_should_be_is_only_brought_back() -> None:
    world, record, item = paired()
    world.mailbox().edit(item, title="Still on")
    world.person().edit(record, title="Still on")
    world.person().delete(record)
    world.sync()
    assert world.names() == ["restore crm 1"]
    (back,) = world.records()
    assert back.ref == record
    (pairing,) = world.pairings()
    assert (pairing.crm.version, pairing.crm.ref) == (back.version, record)


def test_what_a_record_has_beside_the_rule_outlives_its_coming_back() -> None:
    world, record, item = paired()
    world.person().edit(record, reminders=(), privacy="public")
    owner = world.person().get(record).item.uid
    world.person().delete(record)
    world.mailbox().edit(item, title="Still on")
    world.sync()
    assert world.person().get(record).item.uid == owner


@pytest.mark.parametrize("answer", [Denied("no"), None])
def test_a_record_that_can_not_be_brought_back_is_created_anew(answer: Any) -> None:
    world, record, item = paired(crm={"restores": answer is not None})
    if answer is not None:
        world.answer(CRM, "restore", answer)
    world.person().delete(record)
    world.mailbox().edit(item, title="Still on")
    world.sync()
    (back,) = world.records()
    assert back.ref != record
    assert back.item.title == "Still on"  # type: ignore[union-attr]


def test_a_record_that_came_back_unread_is_created_anew() -> None:
    world, record, item = paired()
    world.answer(CRM, "restore", lambda given, _: [Written(ref=given[0], version="9")])
    world.person().delete(record)
    world.mailbox().edit(item, title="Still on")
    world.sync()
    assert "create crm 1" in world.names()


def test_one_that_comes_back_keeps_no_other_from_being_created() -> None:
    world, record, item = paired()
    world.person().delete(record)
    world.mailbox().edit(item, title="Still on")
    world.mailbox().add(event("Brand new"))
    world.sync()
    assert sorted(world.names()) == ["create crm 1", "restore crm 1", "update crm 1"]
    assert world.titles() == (["Brand new", "Still on"], ["Brand new", "Still on"])


def test_one_that_is_updated_keeps_no_other_from_coming_back() -> None:
    world = WatchedWorld()
    for title in "ABC":
        world.person().add(event(title))
    world.sync()
    gone = world.records()[1].ref
    world.person().delete(gone)
    for each in world.items():
        world.mailbox().edit(each.ref, location="Room")
    world.calls.clear()
    world.sync()
    assert "restore crm 1" in world.names()
    assert gone in [each.ref for each in world.records()]
    assert world.titles() == (["A", "B", "C"], ["A", "B", "C"])


def test_several_come_back_each_with_its_own_edit() -> None:
    world = WatchedWorld()
    for title in "ABC":
        world.person().add(event(title))
    world.sync()
    for pairing in world.pairings():
        world.person().delete(pairing.crm.ref)
        world.mailbox().edit(pairing.groupware.ref, location=pairing.crm.ref)
    world.calls.clear()
    world.sync()
    assert sorted(world.names()) == ["restore crm 1"] * 3 + ["update crm 1"] * 3
    assert {(r.ref, r.item.location) for r in world.records()} == {  # type: ignore[union-attr]
        (p.crm.ref, p.crm.ref) for p in world.pairings()
    }


# Sides that don't keep to the port.


@pytest.mark.parametrize(("side", "name"), [(GROUPWARE, "create"), (CRM, "update"),
                                            (GROUPWARE, "delete")])  # fmt: skip
def test_a_side_that_leaves_an_item_unanswered_is_a_defect(
    side: Side, name: str, faults: list[str]
) -> None:
    world, record, item = paired()
    match name:
        case "create":
            world.person().add(event("New"))
        case "update":
            world.mailbox().edit(item, title="New")
        case "delete":
            world.person().delete(record)
    world.answer(side, name, lambda *_: [])
    report = world.sync()
    assert (report.action, "ValueError" in report.error, len(faults)) == ("bug", True, 1)
    assert len(world.intents()) == 1


def test_one_that_can_not_come_back_keeps_no_other_from_it() -> None:
    world = WatchedWorld()
    for title in "ABC":
        world.person().add(event(title))
    world.sync()
    records = {each.ref for each in world.records()}
    for pairing in world.pairings():
        world.person().delete(pairing.crm.ref)
        world.mailbox().edit(pairing.groupware.ref, location="Room")
    world.answer(CRM, "restore", Denied("no"))
    world.sync()
    assert world.titles() == (["A", "B", "C"], ["A", "B", "C"])
    assert len(records & {each.ref for each in world.records()}) == 2
