"""What nothing refers to is removed once a day, and not more often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from accord.crm import memory as crm
from accord.groupware import memory as groupware
from accord.service.accord import Accord
from accord.service.upkeep import tidy
from accord.state.state import State
from tests.databases import Databases
from tests.unit.service.kit import World, event


def test_orphaned_blobs_go_once_a_day(databases: Databases) -> None:
    now = [datetime(2026, 11, 1, tzinfo=UTC)]
    state = State(databases.blank(), clock=lambda: now[0])
    accord = Accord(state, crm.build({}), lambda target: groupware.build({}), lambda: now[0])
    with state.begin() as tx:
        orphan = tx.blobs.put(b"nobody refers to this")
    assert tidy(accord) == 0  # too young
    now[0] += timedelta(hours=23)
    assert tidy(accord) == 0  # not yet a day since the last time
    now[0] += timedelta(days=2)
    assert tidy(accord) == 1
    with state.read() as tx:
        assert tx.blobs.get(orphan) is None
    accord.close()


def test_visits_that_did_nothing_are_forgotten_after_a_week() -> None:
    world = World("alice", "bob")
    world.person().add(event("one"))
    told = world.sync()
    for _ in range(3):
        world.sync()
    world.sync("bob")
    world.wait(days=8)
    last = world.sync()

    def kept(user: str) -> set[str]:
        with world.state.read() as tx:
            return {run.id for run in tx.runs.latest(user, 100)}

    assert kept("alice") == {told.run, last.run}, "what did something can still be undone"
    assert len(kept("bob")) == 1, "when a link was visited last stays known"
