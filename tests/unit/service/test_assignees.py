"""Assignees and mailboxes: who is meant, by address, by the mailbox's own address or by rule."""

from __future__ import annotations

from typing import Any

from accord.groupware.memory.store import Mailbox
from accord.model.item import Event, Task
from accord.model.kinds import Direction, Kind
from accord.model.parts import Attendee, Person
from accord.rules.rule import Meetings
from accord.service.opening import Options
from accord.service.sync import sync
from tests.unit.service.kit import World, event


def world(**rule: Any) -> World:
    """Return a world in which bob's mailbox has another address than the CRM says."""
    world = World("alice", "bob", kind=Kind.TASK, rule={"direction": Direction.BOTH, **rule})
    move(world, "bob", "robert@mail.test")
    return world


def move(world: World, user: str, address: str) -> None:
    """Give a user's mailbox an address that the CRM doesn't know."""
    del world.groupware.store.mailboxes[f"{user}@x.test"]
    world.groupware.store.mailboxes[address] = Mailbox(address, user)
    world.change_link(user, principal=address)


def assigned(world: World, address: str) -> str:
    """Put a task into alice's mailbox and return whom the CRM knows to do it."""
    task = Task(title="Call back", assignee=Person(address=address, name="B"))
    world.mailbox().add(task)
    world.sync()
    (found,) = (record.item for record in world.crm.person("alice").list(Kind.TASK))
    assert isinstance(found, Task) and found.assignee is not None
    again = sync(world.accord, [world.link()], Options(full=True))
    assert sum(report.writes for report in again) == 0
    return found.assignee.address


def test_by_rule_though_nobody_else_names_them() -> None:
    there = world(ownership={"Support@firm.test": "bob"})
    assert assigned(there, "support@firm.test") == "bob@x.test"


def test_by_the_address_of_their_mailbox() -> None:
    assert assigned(world(), "Robert@mail.test") == "bob@x.test"


def test_by_their_own_address_and_strangers_as_they_are() -> None:
    assert assigned(world(), "bob@x.test") == "bob@x.test"
    assert assigned(world(), "zoe@else.test") == "zoe@else.test"


def test_a_mailbox_that_two_users_share_is_nobodys() -> None:
    there = world()
    there.add_link("carol", principal="robert@mail.test", paused=True)
    assert assigned(there, "robert@mail.test") == "robert@mail.test"


def test_what_the_crm_says_of_an_address_holds() -> None:
    there = world()
    there.crm.store.addresses["carol"] = ("carol@x.test",)
    there.change_link("bob", principal="carol@x.test", paused=True)
    assert assigned(there, "carol@x.test") == "carol@x.test"


def test_a_meeting_organized_by_the_mailboxs_own_address_is_its_owners() -> None:
    there = World("alice", rule={"meetings": Meetings.INVITE})
    move(there, "alice", "al@mail.test")
    me, guest = Person(address="al@mail.test"), Attendee(address="eva@else.test")
    there.person().add(event("Review", organizer=me, attendees=(guest,)))
    there.sync()
    (made,) = there.groupware.person("al@mail.test").list(Kind.EVENT)
    assert isinstance(made.item, Event)
    assert [one.address for one in made.item.attendees] == ["eva@else.test"]
