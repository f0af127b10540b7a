"""A command waits for folders that visits are under way in, and no longer than it was told."""

from __future__ import annotations

import time
from contextlib import ExitStack

import pytest

from accord.ports.errors import Busy
from accord.service import patience
from accord.service.locking import locked
from accord.service.opening import Options
from accord.service.patience import Patience, yielding
from accord.service.sync import sync
from accord.state.leases import FOLDER
from accord.state.records import Lease
from tests.unit.service.kit import World, event


def held(world: World, user: str, stack: ExitStack) -> Lease:
    """Be at work in a user's folder until `stack` closes; return its lease."""
    stack.enter_context(locked(world.accord, [world.link(user)]))
    with world.state.read() as tx:
        standing = tx.leases.standing(FOLDER)
    return next(lease for name, lease in standing.items() if user in name)


def test_the_seconds_are_those_of_all_folders_together() -> None:
    world = World("alice", "bob")
    world.sync("alice", "bob")
    told: list[str] = []
    with ExitStack() as stack:
        held(world, "alice", stack)
        held(world, "bob", stack)
        world.accord.patience = Patience(0.6, told.append)
        began = time.monotonic()
        reports = sync(world.accord, [world.link("alice"), world.link("bob")])
        took = time.monotonic() - began
    assert [report.busy for report in reports] == [True, True]
    assert len(told) == 1
    assert took == pytest.approx(0.6, abs=0.5)


def test_who_waits_no_longer_is_not_wanted_there() -> None:
    world = World("alice")
    world.sync()
    with ExitStack() as stack:
        lease = held(world, "alice", stack)
        world.accord.patience = Patience(0.3)
        with pytest.raises(Busy, match=r"within 0\.3 s"), locked(world.accord, [world.link()]):
            pytest.fail("two have it at once")
        with world.state.read() as tx:
            assert not tx.leases.wanted(lease.name)


def test_a_visit_looks_now_and_then_and_ends_at_every_step_from_then_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World("alice")
    world.sync()
    seen: list[int] = []
    with ExitStack() as stack:
        lease = held(world, "alice", stack)
        go_on = yielding(world.state, lease, lambda _, done, __: seen.append(done))
        with world.state.begin() as tx:
            tx.leases.want(lease.name, "somebody", 5)
        go_on("writing", 1, 9)
        monkeypatch.setattr(patience, "HEED", -1.0)
        with pytest.raises(Busy, match="somebody waits"):
            go_on("writing", 2, 9)
        with world.state.begin() as tx:
            tx.leases.unwant(lease.name)
        with pytest.raises(Busy):
            go_on("writing", 3, 9)
    assert seen == [1, 2, 3]


def test_only_a_visit_that_yields_ends_for_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "HEED", -1.0)
    world = World("alice")
    world.sync()
    with ExitStack() as stack:
        lease = held(world, "alice", stack)
    world.person().add(event("visit"))
    with world.state.begin() as tx:
        tx.leases.want(lease.name, "somebody", 5)
    (report,) = sync(world.accord, [world.link()], Options(yields=True))
    assert report.busy
    assert not report.writes
    (report,) = sync(world.accord, [world.link()], Options())
    assert (report.error, report.writes) == ("", 1)
