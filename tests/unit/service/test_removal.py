"""Links and targets can be removed: cleanly, with their copies where wanted, and for good."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from accord.model.item import Event
from accord.model.kinds import Side
from accord.ports.errors import AuthFailed, ConfigError, Retry
from accord.rules.rule import GuardLimits
from accord.service.locking import locked
from accord.service.removal import remove_link, remove_target, withdraw
from accord.state.records import Claim, Mode, Target
from tests.unit.service.kit import Crash, World, event


def world_with(*titles: str, **values: object) -> World:
    """Return a world in which the CRM's and one of the mailbox's own entries are in agreement."""
    world = World(**values)  # type: ignore[arg-type]
    for title in titles:
        world.person().add(event(title))
    world.mailbox().add(event("Mine"))
    world.sync()
    return world


def traces(world: World, link: str = "alice") -> list[str]:
    """Return where state still knows of a link, its journal left aside."""
    with world.state.read() as tx:
        found = {
            "link": tx.links.get(link),
            "pairings": list(tx.pairings.all(link)),
            "pending": tx.pending.by_link(link),
            "claims": tx.claims.of_link(link),
            "intents": tx.intents.of_link(link),
            "cursors": [key for key in tx.cursors.all() if link in key[0]],
            "settings": [key for key in tx.settings.all() if link in key],
        }
    return [name for name, what in found.items() if what]


def markers(world: World) -> list[str]:
    return [s.marker for s in (*world.records(), *world.items()) if s.marker]


def test_a_removed_link_leaves_both_sides_as_they_are() -> None:
    world = world_with("One", "Two")
    before = world.titles()
    report = remove_link(world.accord, world.link(), by="root")
    assert report.unpaired == 3
    assert world.titles() == before
    assert traces(world) == []
    (entry, *_) = world.journal()
    assert (entry.step, entry.actor, entry.link) == ("remove", "root", "alice")
    assert [e.step for e in world.journal()].count("create") == 3


def test_a_link_that_is_made_again_finds_its_copies_again() -> None:
    world = world_with("One", "Two")
    link = world.link()
    remove_link(world.accord, link)
    world.add_link("alice")
    report = world.sync()
    assert report.writes == 0
    assert (report.paired, report.error) == (3, "")


def test_a_removed_links_meetings_are_given_by_the_next_one() -> None:
    world = World("alice", "bob")
    world.sync("alice", "bob")
    for user in ("alice", "bob"):
        world.mailbox(user).add(event("Ours", uid="ours"))
    world.sync("alice", "bob")
    with world.state.begin() as tx:
        for user in ("alice", "bob"):
            (pairing,) = tx.pairings.all(user)
            tx.pairings.put(user, replace(pairing, content=user == "alice"))
        tx.claims.claim("x", "ours", "alice")
        tx.claims.claim("x", "alone", "alice")
    remove_link(world.accord, world.link())
    with world.state.read() as tx:
        assert tx.claims.get("x", "ours") == Claim(crm="x", uid="ours", link="bob")
        assert tx.claims.get("x", "alone") is None
        assert [p.content for p in tx.pairings.all("bob")] == [True]


def test_a_link_is_not_removed_amid_a_visit() -> None:
    world = world_with("One")
    with locked(world.accord, [world.link()]), pytest.raises(Retry):
        remove_link(world.accord, world.link())
    assert "pairings" in traces(world)


def test_a_link_that_died_amid_a_write_can_be_removed() -> None:
    world = World()
    world.person().add(event("One"))
    world.sync()
    world.person().add(event("Two"))
    assert world.crash(lambda point: point == "after create on groupware")
    assert "intents" in traces(world)
    remove_link(world.accord, world.link())
    assert traces(world) == []
    assert "not known" in world.journal()[0].why


# withdrawal


def test_a_withdrawal_deletes_what_accord_made_and_nothing_else() -> None:
    world = world_with("One", "Two")
    report = withdraw(world.accord, world.link(), by="root")
    assert (report.error, report.groupware.deleted, report.unpaired) == ("", 2, 3)
    assert world.titles() == (["Mine", "One", "Two"], ["Mine"])
    assert traces(world) == []
    assert markers(world) == []
    deleted = [e for e in world.journal() if e.step == "delete"]
    assert len(deleted) == 2
    assert all(e.before for e in deleted)


def test_a_withdrawal_shows_its_plan_first() -> None:
    world = world_with("One", "Two")
    report = withdraw(world.accord, world.link(), dry=True)
    assert report.plan is not None
    assert [step.name for step in report.plan.steps] == ["delete", "delete"]
    assert world.titles()[1] == ["Mine", "One", "Two"]
    assert "pairings" in traces(world)


def test_a_copy_that_was_changed_since_stays_without_its_marker() -> None:
    world = world_with("One", "Two")
    ref = next(s.ref for s in world.items() if isinstance(s.item, Event) and s.item.title == "One")
    world.mailbox().edit(ref, title="One, moved by hand")
    assert markers(world)
    report = withdraw(world.accord, world.link())
    assert report.groupware.deleted == 1
    assert world.titles()[1] == ["Mine", "One, moved by hand"]
    assert markers(world) == []
    assert traces(world) == []


def test_what_the_guard_holds_needs_approval() -> None:
    world = world_with("One", "Two", "Three", rule={"guard": GuardLimits(deletes=1)})
    report = withdraw(world.accord, world.link())
    assert (report.held, report.writes) == (3, 0)
    assert "pairings" in traces(world)
    assert not world.link().paused
    assert not world.pending()
    report = withdraw(world.accord, world.link(), approved=True)
    assert (report.held, report.groupware.deleted) == (0, 3)
    assert traces(world) == []


def test_a_withdrawal_that_dies_goes_on_and_nothing_is_made_anew() -> None:
    died = 0
    for after in range(0, 40, 2):
        world = world_with("One", "Two")
        world.mortal.die(after)
        try:
            withdraw(world.accord, world.link())
        except Crash:
            died += 1
        world.restart()
        if "link" in traces(world):
            before = world.titles()
            world.sync(full=True)
            assert world.titles() == before
            withdraw(world.accord, world.link(), even_paused=True)
        assert world.titles() == (["Mine", "One", "Two"], ["Mine"])
        assert traces(world) == []
    assert 5 < died < 20, "every point was met"


def with_another_link(target: str) -> World:
    """Return a world in which Bob's link works with what Alice's made, in her mailbox."""
    world = World("alice", "bob")
    world.person().add(event("Ours"))
    with world.state.begin() as tx:
        for name in ("t2", "t3"):
            tx.targets.put(Target(id=name, name=name, adapter="any", side=Side.GROUPWARE))
    world.change_link("bob", principal="bob@x.test", target=target)
    world.sync("alice", "bob")
    (pairing,) = world.pairings()
    with world.state.begin() as tx:
        tx.pairings.put("bob", replace(pairing, id="other", made=None))
        tx.instances.accept("target/t3", "another server")
    return world


@pytest.mark.parametrize("target", ["t", "t2"])
def test_a_copy_that_another_link_works_with_stays_with_its_marker(target: str) -> None:
    world = with_another_link(target)
    before = world.items()
    planned = withdraw(world.accord, world.link(), dry=True)
    assert planned.plan is not None
    (step,) = planned.plan.steps
    assert (step.name, step.why) == ("skip", "the link bob events works with it too: it stays")
    report = withdraw(world.accord, world.link())
    assert (report.error, report.groupware.deleted, report.unpaired) == ("", 0, 1)
    assert world.items() == before and before[0].marker
    assert traces(world) == [] and len(world.pairings("bob")) == 1


def test_a_ref_that_another_server_uses_too_is_another_item() -> None:
    world = with_another_link("t3")
    assert withdraw(world.accord, world.link()).groupware.deleted == 1


def test_a_marker_of_another_link_of_the_same_user_stays() -> None:
    world = World("alice", "bob")
    world.person().add(event("Ours"))
    world.sync()
    with world.state.begin() as tx:
        tx.links.put(replace(world.link_in(tx, "bob"), user="alice"))
    world.sync("bob")
    (record,) = world.records()
    assert record.marker.startswith("t/bob@x.test/")
    assert not withdraw(world.accord, world.link()).error
    assert world.records() == (record,) and traces(world) == []
    assert not withdraw(world.accord, world.link("bob")).error
    assert [one.marker for one in world.records()] == [""]


@pytest.mark.parametrize(
    ("values", "how"), [({"paused": True}, "is paused"), ({"mode": Mode.OBSERVE}, "only observes")]
)
def test_a_paused_or_observing_link_keeps_its_copies_unless_that_is_meant(
    values: dict[str, Any], how: str
) -> None:
    world = world_with("One")
    world.change_link(**values)
    planned = withdraw(world.accord, world.link(), dry=True)
    assert (planned.error, planned.groupware.deleted) == ("", 1)
    refused = withdraw(world.accord, world.link())
    assert (refused.error, refused.action) == (
        f"alice events {how}: nothing was deleted",
        "configure",
    )
    assert world.titles()[1] == ["Mine", "One"]
    assert "pairings" in traces(world)
    report = withdraw(world.accord, world.link(), even_paused=True)
    assert (report.error, world.titles()[1]) == ("", ["Mine"])
    assert traces(world) == []


def test_a_stop_of_everything_stops_a_withdrawal() -> None:
    world = world_with("One")
    with world.state.begin() as tx:
        tx.settings.put("paused", True)
    report = withdraw(world.accord, world.link())
    assert report.error == "paused"
    assert world.titles()[1] == ["Mine", "One"]


# targets


def test_a_target_goes_when_no_link_uses_it() -> None:
    world = world_with("One")
    with pytest.raises(ConfigError, match="alice events"):
        remove_target(world.accord, "mail")
    remove_link(world.accord, world.link())
    assert remove_target(world.accord, "mail").id == "t"
    with world.state.read() as tx:
        assert tx.targets.all() == []
    with pytest.raises(ConfigError, match="no target 'mail'"):
        remove_target(world.accord, "mail")


def test_a_link_whose_user_is_shut_out_is_withdrawn_with_its_records_marks_left() -> None:
    world = world_with("One", "Two")
    world.crm.lock_user("alice")
    report = withdraw(world.accord, world.link(), approved=True)
    assert (report.error, report.groupware.deleted) == ("", 2)
    assert report.left == ["the CRM doesn't let alice in: its records keep Accord's marks"]
    assert traces(world) == [] and [one.marker for one in world.items()] == [""]


def test_a_crm_that_lets_nobody_in_ends_a_withdrawal() -> None:
    world = world_with("One", "Two")

    class Shut:
        def __getattr__(self, name: str) -> Any:
            if name in ("open", "instance"):
                raise AuthFailed("the token is refused")
            return getattr(world.crm, name)

    shut: Any = Shut()
    world.accord.crm = shut
    for dry in (True, False):
        assert withdraw(world.accord, world.link(), dry=dry).error == "the token is refused"
    assert len(world.items()) == 3
