"""What looks like a mishap is held: a place that vanished, many small visits, many links."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from accord.model.kinds import Side
from accord.model.parts import Attendee, Person
from accord.rules.rule import GuardLimits, Invitations, Meetings
from accord.service import extent
from accord.service.decisions import approve, reject
from accord.service.undo import select, undo
from accord.state.records import Cause
from tests.unit.service.kit import CRM, GROUPWARE, SOON, World, event

BOB = Attendee(address="bob@elsewhere.test")
NINE = [f"Visit {number}" for number in range(9)]


def filled(*users: str, titles: list[str] = NINE, **rule: object) -> World:
    """A world in which every user has these events on both sides."""
    world = World(*users, rule=dict(rule))
    for user in users or ("alice",):
        for number, title in enumerate(titles):
            start = SOON + timedelta(days=number)
            world.mailbox(user).add(event(title, start))
        world.sync(user)
    world.wait(hours=2)
    return world


def drop(world: World, *titles: str, user: str = "alice") -> None:
    for snapshot in world.items(user):
        if snapshot.item.title in titles:  # type: ignore[union-attr]
            world.mailbox(user).delete(snapshot.ref)


def causes(world: World, user: str = "alice") -> set[str]:
    return {one.why for one in world.pending(Cause.HELD, user)}


def test_an_emptied_folder_deletes_nothing_until_it_is_approved() -> None:
    world = filled()
    drop(world, *NINE)
    report = world.sync()
    assert report.held == 9 and not report.crm.deleted
    (cause,) = causes(world)
    assert cause.startswith("emptied: none of the 9 known items is left in the mailbox folder")
    for full in (False, True):
        report = world.sync(full=full)
        assert not report.crm.deleted and len(world.records()) == 9
    approve(world.accord, [one.id for one in world.pending(Cause.HELD)])
    assert world.titles() == ([], []) and not world.pending()


def test_a_folder_that_only_lost_its_history_loses_nothing_else() -> None:
    world = filled()
    drop(world, *NINE[:5])
    world.groupware.expire()
    report = world.sync()
    assert report.held == 5 and not report.crm.deleted
    (cause,) = causes(world)
    assert cause.startswith("history lost: the mailbox folder was made anew or restored")
    assert "5 of the 9 known items are missing there (allowed: 50%)" in cause


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("refused", [False, True])
def test_what_is_there_again_waits_no_longer(full: bool, refused: bool) -> None:
    world = filled()
    refs = [snapshot.ref for snapshot in world.items()]
    drop(world, *NINE)
    assert world.sync().held == 9
    if refused:
        reject(world.accord, [one.id for one in world.pending(Cause.HELD)])
    store = world.groupware.store
    for ref in refs:
        store.recall(store.mailbox("alice@x.test"), "calendar", ref, "alice")
    report = world.sync(full=full)
    assert not report.writes and not world.pending()
    drop(world, *NINE[:2])
    report = world.sync()
    assert report.crm.deleted == 2 and not report.held, "and is like any other"


def test_somebody_who_deletes_two_of_nine_is_not_held() -> None:
    for lost in (False, True):
        world = filled()
        drop(world, *NINE[:2])
        if lost:
            world.groupware.expire()
        report = world.sync()
        assert report.crm.deleted == 2 and not report.held


def test_a_folder_emptied_in_three_visits_is_noticed() -> None:
    world = filled()
    for number in range(3):
        drop(world, *NINE[3 * number : 3 * number + 3])
        report = world.sync()
        world.wait(minutes=15)
    assert report.held == 3 and not report.crm.deleted
    (cause,) = causes(world)
    assert "none of the 9 known items is left in the mailbox folder, 6 of them deleted" in cause
    assert len(world.records()) == 3


def test_many_small_visits_are_one_mass_deletion() -> None:
    world = filled(titles=[f"Visit {number}" for number in range(60)])
    deleted = held = 0
    for number in range(4):
        drop(world, *(f"Visit {n}" for n in range(4 * number, 4 * number + 4)))
        report = world.sync()
        deleted, held = deleted + report.crm.deleted, held + report.held
        world.wait(minutes=5)
    assert (deleted, held) == (8, 8)
    assert any("8 of them within the last hour (allowed: 10 or 25%)" in c for c in causes(world))
    drop(world, "Visit 50")
    world.wait(hours=1)
    assert world.sync().crm.deleted == 1, "an hour later it is forgotten"


def test_what_somebody_approved_or_undid_does_not_count() -> None:
    world = filled(titles=[f"Visit {number}" for number in range(60)])
    drop(world, *(f"Visit {n}" for n in range(12)))
    assert world.sync().held == 12
    approve(world.accord, [one.id for one in world.pending(Cause.HELD)])
    assert len(world.records()) == 48
    drop(world, *(f"Visit {n}" for n in range(12, 20)))
    report = world.sync()
    assert report.crm.deleted == 8 and not report.held
    undo(world.accord, select(world.accord, report.run))
    drop(world, *(f"Visit {n}" for n in range(20, 28)))
    report = world.sync()
    assert report.crm.deleted == 8 and not report.held


def test_many_links_of_one_target_are_one_mass_deletion() -> None:
    users = ("alice", "bob", "carol", "dave")
    world = filled(*users, titles=NINE, guard=GuardLimits(target=10))
    reports = {}
    for user in users:
        drop(world, *NINE[:4], user=user)
        reports[user] = world.sync(user)
    assert [reports[user].crm.deleted for user in users] == [4, 4, 0, 0]
    assert [reports[user].held for user in users] == [0, 0, 4, 4]
    (cause,) = causes(world, "dave")
    assert cause == (
        "mass deletion: 12 items would be deleted on the crm side within an hour by all links of "
        "the target (allowed: 10)"
    )
    approve(world.accord, [one.id for one in world.pending(Cause.HELD, "dave")])
    assert len(world.records("dave")) == 5


def edit_all(world: World, user: str, count: int, note: str = "moved") -> None:
    """Somebody, or something, changes so many records of a user in the CRM."""
    for number, record in enumerate(world.records(user)[:count]):
        title = f"{record.item.title.split(':')[0]}: {note} {number}"  # type: ignore[union-attr]
        world.person(user).edit(record.ref, title=title)


def test_many_links_of_one_target_are_one_mass_change() -> None:
    users = ("alice", "bob", "carol", "dave")
    few = GuardLimits(target_updates=10, mailbox_updates=2)
    world = filled(*users, titles=NINE, guard=few)
    reports = {}
    for user in users:
        edit_all(world, user, 4)
        reports[user] = world.sync(user)
    assert [reports[user].groupware.updated for user in users] == [4, 4, 0, 0]
    assert [reports[user].held for user in users] == [0, 0, 4, 4]
    (cause,) = causes(world, "dave")
    assert cause == (
        "mass change: 12 items would change on the groupware side within an hour by all links of "
        "the target (allowed: 10)"
    )
    edit_all(world, "carol", 9, note="again")
    assert world.sync("carol").groupware.updated == 0
    drop(world, "Visit 8", user="dave")
    assert world.sync("dave").crm.deleted == 1, "nothing else is in its way"
    approve(world.accord, [one.id for one in world.pending(Cause.HELD, "dave")])
    world.wait(minutes=61)
    edit_all(world, "alice", 9, note="later")
    report = world.sync("alice")
    assert report.groupware.updated == 9 and not report.held, "an hour later it is forgotten"
    edit_all(world, "bob", 1, note="later")
    report = world.sync("bob")
    assert report.groupware.updated == 1 and not report.held, "what was approved doesn't count"


def test_mailboxes_widen_what_all_links_of_a_target_may_change() -> None:
    users = ("alice", "bob", "carol", "dave")
    world = filled(*users, titles=NINE, guard=GuardLimits(target_updates=10, mailbox_updates=4))
    for user in users:
        edit_all(world, user, 4)
    world.sync(*users)
    assert not any(world.pending(Cause.HELD, user) for user in users)
    edit_all(world, "alice", 1, note="again")
    assert world.sync("alice").held == 1
    (cause,) = causes(world)
    assert cause == (
        "mass change: 17 items would change on the groupware side within an hour by all links of "
        "the target (allowed: 16, 4 for each mailbox)"
    )


@pytest.mark.parametrize(("counted", "updated"), [(60.0, 0), (0.0, 4)])
def test_mailboxes_that_came_are_counted_soon(
    monkeypatch: pytest.MonkeyPatch, counted: float, updated: int
) -> None:
    monkeypatch.setattr(extent, "COUNTED", counted)
    world = filled("alice", titles=NINE, guard=GuardLimits(target_updates=3, mailbox_updates=4))
    edit_all(world, "alice", 4)
    assert world.sync("alice").groupware.updated == 4
    world.add_link("bob")
    edit_all(world, "alice", 4, note="again")
    assert world.sync("alice").groupware.updated == updated


def test_first_visits_fill_in_as_much_as_there_is() -> None:
    users = ("alice", "bob", "carol")
    few = GuardLimits(target_updates=10, mailbox_updates=2)
    world = World(*users, rule={"guard": few})
    for user in users:
        for number, title in enumerate(NINE):
            start, uid = SOON + timedelta(days=number), f"{user}-{number}"
            world.mailbox(user).add(event(title, start, uid=uid))
            world.person(user).add(event(title, start, uid=uid, location="Hall"))
    assert world.sync("alice").groupware.updated == world.sync("bob").groupware.updated == 9
    edit_all(world, "alice", 9)
    report = world.sync("alice")
    assert report.groupware.updated == 9 and not report.held, "first visits don't count along"
    report = world.sync("carol")
    assert report.groupware.updated == 9 and not report.held, "nor does the hour for them"


def test_one_pass_over_many_links_counts_them_together() -> None:
    users = ("alice", "bob", "carol", "dave")
    world = filled(*users, titles=NINE, guard=GuardLimits(target=10))
    for user in users:
        drop(world, *NINE[:4], user=user)
    world.sync(*users)
    assert [len(world.records(user)) for user in users] == [5, 5, 9, 9]


@pytest.mark.parametrize("side", [CRM, GROUPWARE])
def test_an_emptied_crm_is_noticed_like_an_emptied_folder(side: Side) -> None:
    world = filled()
    emptied = world.mailbox() if side is GROUPWARE else world.person()
    for snapshot in world.items() if side is GROUPWARE else world.records():
        emptied.delete(snapshot.ref)
    report = world.sync()
    assert report.held == 9 and not report.crm.deleted and not report.groupware.deleted
    place = "the CRM" if side is CRM else "the mailbox folder"
    assert place in next(iter(causes(world)))


def test_changes_that_mail_are_counted_over_the_hour() -> None:
    world = World(
        rule={
            "invitations": Invitations.ALLOW,
            "meetings": Meetings.INVITE,
            "guard": GuardLimits(mails=2),
        },
        groupware={"schedules": True},
    )
    world.sync()
    people: dict[str, Any] = {"organizer": Person(address="alice@x.test"), "attendees": (BOB,)}
    record = world.person().add(event(uid="meeting", **people))
    world.sync()
    assert [entry.mails for entry in world.journal()] == [1]
    moves = []
    for hour in range(1, 4):
        start = SOON + timedelta(hours=hour)
        world.person().edit(record.ref, start=start, end=start + timedelta(hours=1))
        moves.append(world.sync())
        world.wait(minutes=10)
    assert [(one.groupware.updated, one.held) for one in moves] == [(1, 0), (0, 1), (0, 1)]
    assert "mass mail: 3 changes would mail people within an hour (allowed: 2)" in causes(world)
    mails = len(world.mails)
    approve(world.accord, [one.id for one in world.pending(Cause.HELD)])
    assert len(world.mails) == mails + 1, "once, with the last time"
