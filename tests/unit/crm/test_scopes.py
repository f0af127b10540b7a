"""What each user synchronizes: who gains a record, who loses it, and how the loss is named."""

from __future__ import annotations

from typing import Any

import pytest

from accord.crm.database import DatabaseCrm
from accord.crm.database.store import Store
from accord.model.item import Task, TaskStatus
from accord.model.kinds import Kind
from accord.model.observe import Completeness, Deleted, OutOfScope, Seen, Unknown
from accord.model.observe import Denied as DeniedHere
from accord.model.parts import Attendee, Person
from accord.ports.errors import AuthFailed, ConfigError, Denied
from tests.unit.crm.office import Office, absence, address, contact, done


def test_a_reassigned_task_leaves_its_old_assignee(office: Office) -> None:
    task = office.create(office.ann, office.task(office.bob))
    cursors = {u: office.pull(u, Kind.TASK).cursor for u in (office.ann, office.bob, office.carl)}
    assert office.see(office.bob, Kind.TASK, task.ref).item == task.item
    assert isinstance(office.fetch(office.ann, Kind.TASK, task.ref), OutOfScope)
    anns = office.admin.show(office.ann, Kind.TASK, task.ref)
    done(office.edit(office.ann, anns, assignee=Person(address=address(office.carl))))
    for told in (
        office.fetch(office.bob, Kind.TASK, task.ref),
        office.pull(office.bob, Kind.TASK, cursors[office.bob]).said[task.ref],
    ):
        assert isinstance(told, OutOfScope)
    assert task.ref in office.pull(office.carl, Kind.TASK, cursors[office.carl]).seen
    assert isinstance(office.edit(office.bob, task, title="still mine"), Denied)
    back = office.admin.show(office.ann, Kind.TASK, task.ref)
    done(office.edit(office.ann, back, assignee=None))
    assert task.ref in office.pull(office.ann, Kind.TASK, cursors[office.ann]).seen
    assert isinstance(office.fetch(office.carl, Kind.TASK, task.ref), OutOfScope)


def groups_task(office: Office, *members: str, **values: Any) -> str:
    """Make a group's task in Ann's name and return its ref."""
    group = f"team-{office.tag}"
    office.admin.put_group(group, *members)
    place: dict[str, Any] = {"visibility": "group", "group": group, "group_writes": True}
    place |= values
    return office.admin.put(office.ann, office.task(), **place).ref


def test_a_groups_task_is_every_members_and_anybody_completes_it(office: Office) -> None:
    ref = groups_task(office, office.bob, office.carl)
    cursors = {u: office.pull(u, Kind.TASK).cursor for u in (office.bob, office.carl)}
    task = office.see(office.bob, Kind.TASK, ref)
    assert isinstance(office.fetch(office.ann, Kind.TASK, ref), OutOfScope)
    assert isinstance(office.fetch(office.dora, Kind.TASK, ref), OutOfScope)
    done(office.edit(office.bob, task, status=TaskStatus.COMPLETED, percent=100))
    told = office.pull(office.carl, Kind.TASK, cursors[office.carl]).said[ref]
    assert isinstance(told, Seen)
    assert isinstance(told.snapshot.item, Task) and told.snapshot.item.percent == 100


def test_a_groups_task_follows_its_members_and_whoever_takes_it(office: Office) -> None:
    ref = groups_task(office, office.bob, office.carl)
    cursors = {
        u: office.pull(u, Kind.TASK).cursor
        for u in (office.ann, office.bob, office.carl, office.dora)
    }
    office.admin.put_group(f"team-{office.tag}", office.carl, office.dora)
    assert ref in office.pull(office.dora, Kind.TASK, cursors[office.dora]).seen
    left = office.pull(office.bob, Kind.TASK, cursors[office.bob]).said[ref]
    assert isinstance(left, OutOfScope)
    task = office.see(office.carl, Kind.TASK, ref)
    done(office.edit(office.carl, task, assignee=Person(address=address(office.carl))))
    assert isinstance(office.fetch(office.dora, Kind.TASK, ref), OutOfScope)
    assert ref in office.pull(office.carl, Kind.TASK, cursors[office.carl]).seen
    back = office.admin.show(office.ann, Kind.TASK, ref)
    done(office.edit(office.ann, back, assignee=None))
    assert ref in office.pull(office.dora, Kind.TASK, cursors[office.dora]).seen
    office.admin.put_group(f"team-{office.tag}")
    assert ref in office.pull(office.ann, Kind.TASK, cursors[office.ann]).seen, (
        "nobody else is left"
    )


@pytest.mark.parametrize("place", [{"group_writes": False}, {"visibility": "everyone"}])
def test_a_task_that_a_group_only_sees_is_its_owners(office: Office, place: dict[str, Any]) -> None:
    ref = groups_task(office, office.bob, **place)
    assert ref in office.pull(office.ann, Kind.TASK).seen
    assert isinstance(office.fetch(office.bob, Kind.TASK, ref), OutOfScope)


def test_the_assignee_does_the_task_but_does_not_delete_it(office: Office) -> None:
    task = office.create(office.ann, office.task(office.bob))
    written = done(office.edit(office.bob, task, percent=50, title="call again"))
    assert written.snapshot is not None
    assert isinstance(office.delete(office.bob, written.snapshot), Denied)
    done(office.delete(office.ann, written.snapshot))
    assert isinstance(office.fetch(office.bob, Kind.TASK, task.ref), Deleted)


def test_owners_follow_tasks_of_others_where_the_setting_says_so(
    office: Office, crm: DatabaseCrm
) -> None:
    task = office.create(office.ann, office.task(office.bob))
    cursor = office.pull(office.ann, Kind.TASK).cursor
    plain, crm.store = crm.store, Store(crm.store.database, owned=True)
    try:
        assert office.pull(office.ann, Kind.TASK, cursor).completeness is Completeness.LOST
        everything = office.pull(office.ann, Kind.TASK)
        assert task.ref in everything.seen
        assert task.ref in office.pull(office.bob, Kind.TASK).seen
        done(office.edit(office.bob, task, percent=10))
        assert task.ref in office.pull(office.ann, Kind.TASK, everything.cursor).seen
    finally:
        crm.store = plain


def test_an_absence_is_its_persons(office: Office) -> None:
    away = office.create(office.ann, absence())
    assert away.ref in office.pull(office.ann, Kind.ABSENCE).seen
    assert away.ref not in office.pull(office.bob, Kind.ABSENCE).said
    office.admin.access(office.dora, Kind.ABSENCE, away.ref, absent=office.bob)
    assert away.ref in office.pull(office.bob, Kind.ABSENCE).seen
    assert isinstance(office.fetch(office.ann, Kind.ABSENCE, away.ref), OutOfScope)


def test_people_who_are_only_named_see_it_too(office: Office) -> None:
    named = (Person(address=address(office.bob).upper(), name="Bob"),)
    made = office.create(office.ann, office.event(people=named))
    assert made.item.people == named  # type: ignore[union-attr]
    assert made.ref in office.pull(office.bob, Kind.EVENT).seen


def test_private_is_denied_not_lost(office: Office) -> None:
    made = office.create(office.ann, office.event(office.bob))
    cursor = office.pull(office.bob, Kind.EVENT).cursor
    office.admin.access(office.ann, Kind.EVENT, made.ref, visibility="private")
    assert isinstance(office.fetch(office.bob, Kind.EVENT, made.ref), DeniedHere)
    delta = office.pull(office.bob, Kind.EVENT, cursor)
    assert isinstance(delta.said[made.ref], DeniedHere)
    assert made.ref not in office.pull(office.bob, Kind.EVENT).said
    office.admin.access(office.ann, Kind.EVENT, made.ref, visibility="participants")
    assert made.ref in office.pull(office.bob, Kind.EVENT, delta.cursor).seen


def test_denied_then_uninvited_is_out_of_scope(office: Office) -> None:
    made = office.create(office.ann, office.event(office.bob))
    office.admin.access(office.ann, Kind.EVENT, made.ref, visibility="private")
    done(office.edit(office.ann, office.see(office.ann, Kind.EVENT, made.ref), attendees=()))
    assert isinstance(office.fetch(office.bob, Kind.EVENT, made.ref), OutOfScope)


def test_giving_a_record_away_moves_it(office: Office) -> None:
    made = office.create(office.ann, office.event())
    cursors = {user: office.pull(user, Kind.EVENT).cursor for user in (office.ann, office.bob)}
    office.admin.access(office.ann, Kind.EVENT, made.ref, owner=office.bob)
    assert made.ref in office.pull(office.bob, Kind.EVENT, cursors[office.bob]).seen
    left = office.pull(office.ann, Kind.EVENT, cursors[office.ann])
    assert isinstance(left.said[made.ref], OutOfScope)
    with pytest.raises(Denied):
        office.admin.access(office.ann, Kind.EVENT, made.ref, owner=office.ann)


def test_an_address_that_changes_hands_takes_meetings_along(office: Office) -> None:
    alias = f"Sales-{office.tag}@Example.com"
    guest = (Attendee(address=alias.lower()),)
    made = office.create(office.ann, office.event(attendees=guest))
    task = office.create(office.ann, office.task(alias))
    led = office.create(office.ann, office.event(organizer=Person(address=alias)))
    cursor = office.pull(office.bob, Kind.EVENT).cursor
    office.admin.change_user(office.bob, addresses=(address(office.bob), alias))
    assert office.pull(office.bob, Kind.EVENT, cursor).seen == {made.ref, led.ref}
    assert office.see(office.bob, Kind.TASK, task.ref).item == task.item
    assert isinstance(office.fetch(office.ann, Kind.TASK, task.ref), OutOfScope)
    with pytest.raises(ConfigError, match="another user"):
        office.admin.change_user(office.carl, addresses=(alias,))
    office.admin.change_user(office.bob, addresses=(address(office.bob),))
    office.admin.change_user(office.carl, addresses=(address(office.carl), alias))
    for kind, ref in ((Kind.EVENT, made.ref), (Kind.EVENT, led.ref), (Kind.TASK, task.ref)):
        assert isinstance(office.fetch(office.bob, kind, ref), OutOfScope)
        assert isinstance(office.fetch(office.carl, kind, ref), Seen)


def test_an_unknown_ref_is_nobodys_deletion(office: Office) -> None:
    assert isinstance(office.fetch(office.ann, Kind.EVENT, "f" * 32), Unknown)


def test_a_strangers_record_is_denied(office: Office) -> None:
    made = office.create(office.ann, office.event())
    assert isinstance(office.fetch(office.bob, Kind.EVENT, made.ref), DeniedHere)
    done(office.delete(office.ann, made))
    assert isinstance(office.fetch(office.bob, Kind.EVENT, made.ref), DeniedHere)


def test_inactive_users_and_strangers_have_no_session(office: Office) -> None:
    session = office.crm.open(office.ann)
    office.admin.change_user(office.ann, active=False)
    for user in (office.ann, "nobody", ""):
        with pytest.raises(AuthFailed):
            office.crm.open(user)
        assert not all(finding.ok for finding in office.crm.check(user or "nobody"))
    for call in (
        lambda: list(session.changes("", Kind.EVENT, "", lambda refs: {})),
        lambda: session.fetch("", Kind.EVENT, []),
        lambda: office.admin.put(office.ann, office.event()),
    ):
        with pytest.raises(AuthFailed):
            call()
    office.admin.change_user(office.ann, active=True)
    assert office.crm.open(office.ann).fetch("", Kind.EVENT, []) == []


def test_a_wrong_folder_is_a_wrong_setting(office: Office) -> None:
    with office.crm.open(office.ann) as session:
        assert {folder.id for folder in session.folders()} == {
            "events",
            "tasks",
            "contacts",
            "absences",
        }
        with pytest.raises(ConfigError):
            session.fetch("tasks", Kind.EVENT, [])
        with pytest.raises(ConfigError):
            session.fetch("", Kind.MAIL, [])


def test_lost_rights_over_a_kind_start_over_when_they_come_back(office: Office) -> None:
    made = office.create(office.ann, contact())
    cursor = office.pull(office.ann, Kind.CONTACT).cursor
    office.admin.set_level(office.ann, Kind.CONTACT, "none")
    assert office.pull(office.ann, Kind.CONTACT, cursor).completeness is Completeness.LOST
    blind = office.pull(office.ann, Kind.CONTACT)
    assert blind.seen == set()
    assert isinstance(office.fetch(office.ann, Kind.CONTACT, made.ref), DeniedHere)
    office.admin.set_level(office.ann, Kind.CONTACT, "read")
    assert office.pull(office.ann, Kind.CONTACT, blind.cursor).completeness is Completeness.LOST
    assert office.see(office.ann, Kind.CONTACT, made.ref).readonly
    office.admin.set_level(office.ann, Kind.CONTACT, "write")
    assert not office.see(office.ann, Kind.CONTACT, made.ref).readonly
