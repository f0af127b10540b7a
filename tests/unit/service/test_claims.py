"""Whose copy of a meeting gives the content once the one that gave it so far is gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from accord.model.item import Event
from accord.model.kinds import Side
from accord.model.parts import Attendee, Person
from accord.rules.rule import Filters, Leaving, Meetings
from tests.unit.service.kit import World, event


def meeting(organizer: str = "eve@elsewhere.test") -> Event:
    people = tuple(Attendee(address=f"{name}@x.test") for name in ("alice", "bob", "carl"))
    return event(organizer=Person(address=organizer), attendees=people, uid="m1")


def shared(
    organizer: str = "eve@elsewhere.test",
    names: Sequence[str] = ("alice", "bob"),
    **rule: Any,
) -> tuple[World, str, str]:
    """Return a world in which all have a meeting that Alice's copy gives; the first two items."""
    world = World(*names, rule={"meetings": Meetings.INVITE, **rule})
    for name in names:
        if organizer != "alice@x.test" or name == "alice":
            world.mailbox(name).add(meeting(organizer))
    items = [world.items(name)[0].ref for name in names]
    for name in names:
        world.sync(name)
        assert (holder(world), content(world, name)) == ("alice", name == "alice")
    return world, items[0], items[-1]


def holder(world: World) -> str | None:
    with world.state.read() as tx:
        claim = tx.claims.get("crm", "m1")
    return claim.link if claim is not None else None


def content(world: World, user: str) -> bool:
    (pair,) = world.pairings(user)
    return pair.content


def place(world: World) -> str:
    (record,) = world.records()
    assert isinstance(record.item, Event)
    return record.item.location


def test_the_next_participant_gives_the_content_when_the_first_one_declines() -> None:
    world, mine, theirs = shared()
    world.mailbox().delete(mine)
    world.sync("alice")
    (pair,) = world.pairings("alice")
    assert (pair.frozen, pair.content) == ("declined", False)
    assert (holder(world), content(world, "bob")) == ("bob", True)
    world.mailbox("bob").edit(theirs, location="Room 2")
    world.sync("bob")
    assert place(world) == "Room 2"


def test_one_who_is_let_go_passes_the_content_on_before_it_is_released() -> None:
    world, mine, theirs = shared()
    world.mailbox().delete(mine)
    world.sync("alice")
    world.mailbox("bob").delete(theirs)
    world.sync("bob")
    assert holder(world) is None
    assert len(world.records()) == 1


@pytest.mark.parametrize("paused", ["bob", "carl"])
def test_a_participant_whose_link_works_comes_first(paused: str) -> None:
    world, mine, _ = shared(names=("alice", "bob", "carl"))
    world.change_link(paused, paused=True)
    world.mailbox().delete(mine)
    world.sync("alice")
    next_one = "carl" if paused == "bob" else "bob"
    assert (holder(world), content(world, next_one)) == (next_one, True)
    assert not content(world, paused)


def test_a_paused_one_comes_before_nobody() -> None:
    world, mine, _ = shared()
    world.change_link("bob", paused=True)
    world.mailbox().delete(mine)
    world.sync("alice")
    assert (holder(world), content(world, "bob")) == ("bob", True)


AWAY = Filters(crm="!('Away' in item.categories)")


def test_out_of_scope_the_content_goes_to_another_and_stays_there() -> None:
    world, _, _ = shared(filter=AWAY)
    (record,) = world.records()
    world.person().edit(record.ref, categories=("Away",))
    world.sync("alice")
    world.person().edit(record.ref, categories=())
    assert (holder(world), content(world, "bob")) == ("bob", True)
    world.sync("alice")
    (pair,) = world.pairings("alice")
    assert (pair.frozen, pair.content) == ("", False)


def test_out_of_scope_the_claim_is_kept_where_nobody_else_has_a_copy() -> None:
    world, _, _ = shared(filter=AWAY, names=("alice",))
    (record,) = world.records()
    world.person().edit(record.ref, categories=("Away",))
    world.sync("alice")
    assert (holder(world), content(world, "alice")) == ("alice", True)


def test_a_withdrawn_copy_passes_the_content_on() -> None:
    world, _, _ = shared(filter=AWAY, leaving=Leaving.DELETE_COPY)
    (pair,) = world.pairings("alice")
    with world.state.begin() as tx:
        tx.pairings.put("alice", msgspec.structs.replace(pair, made=Side.GROUPWARE))
    world.person().edit(pair.crm.ref, categories=("Away",))
    assert world.sync("alice").groupware.deleted == 1
    assert (holder(world), content(world, "bob")) == ("bob", True)
    assert world.pairings("alice") == []


@pytest.mark.parametrize("by", ["record", "organizer"])
def test_of_a_meeting_that_is_no_more_nobody_gives_the_content(by: str) -> None:
    world, mine, _ = shared("alice@x.test")
    (record,) = world.records()
    if by == "record":
        world.person().delete(record.ref)
    else:
        world.mailbox().delete(mine)
    world.sync("alice")
    assert holder(world) is None
    assert not content(world, "bob")
