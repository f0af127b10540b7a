"""Private entries in full: only while their owner agrees, and gone again when they don't."""

from __future__ import annotations

from pathlib import Path

import pytest

from accord.model.parts import Privacy
from accord.ports.errors import ConfigError, Retry
from accord.rules.rule import Private
from accord.service.consent import consenting, set_consent
from accord.service.locking import locked
from accord.state.records import Cause
from tests.unit.service.kit import World, event


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World("alice", "bob", rule={"private": Private.FULL}, key_file=tmp_path / "key")
    for name in ("alice", "bob"):
        world.mailbox(name).add(event("Doctor", privacy=Privacy.PRIVATE))
        world.mailbox(name).add(event("Lunch"))
    return world


def test_without_consent_private_entries_stay_out(world: World) -> None:
    world.sync()
    assert world.titles()[0] == ["Lunch"]


def test_consent_brings_in_what_was_left_out_before(world: World) -> None:
    world.sync("alice", "bob")
    done = set_consent(world.accord, "alice", given=True, by="root")
    assert (done.changed, done.links) == (True, ("alice events",))
    assert consenting(world.accord) == ["alice"]
    world.sync("alice", "bob")
    assert world.titles("alice")[0] == ["Doctor", "Lunch"]
    assert world.titles("bob")[0] == ["Lunch"]
    assert not world.pending(Cause.HELD)


def test_what_was_taken_in_full_is_forgotten_when_consent_ends(world: World) -> None:
    set_consent(world.accord, "alice", given=True)
    world.sync()
    assert world.titles()[0] == ["Doctor", "Lunch"]
    set_consent(world.accord, "alice", given=False)
    world.sync()
    assert "Doctor" not in world.titles()[0]
    assert len(world.records()) == 2
    assert world.titles()[1] == ["Doctor", "Lunch"]
    for entry in world.journal():
        with world.state.read() as tx:
            images = [tx.blobs.get_item(d) for d in (entry.before, entry.after) if d]
        assert "Doctor" not in f"{entry}{images}"
    assert all("Doctor" not in f"{pairing}" for pairing in world.pairings())


def test_consent_stands_in_the_journal(world: World) -> None:
    set_consent(world.accord, "alice", given=True, by="root")
    set_consent(world.accord, "alice", given=True, by="root")
    set_consent(world.accord, "alice", given=False, by="eve")
    found = [(entry.step, entry.actor, entry.user) for entry in world.journal(user="alice")]
    assert found == [("withdraw", "eve", "alice"), ("consent", "root", "alice")]


def test_a_stranger_can_not_agree(world: World) -> None:
    with pytest.raises(ConfigError, match="zoe"):
        set_consent(world.accord, "zoe", given=True)
    assert consenting(world.accord) == []


def test_consent_waits_for_a_visit_that_is_under_way(world: World) -> None:
    world.sync()
    with locked(world.accord, [world.link()]), pytest.raises(Retry):
        set_consent(world.accord, "alice", given=True)
    assert consenting(world.accord) == []
