"""Listeners divide mailboxes and CRM among themselves, and what one held when it goes."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest

from accord.model.kinds import Kind
from accord.ports.queue import Urgency
from accord.sandbox.process import until
from accord.service import feed as feeding
from accord.service import shares as sharing
from accord.service.feed import CrmFeed
from accord.service.roster import Post, Roster, read
from accord.service.shares import LISTENER, Shares
from accord.state import State, holder
from accord.state.leases import LeaseLost
from accord.state.processes import LIFE, RETURN, SILENCE
from accord.state.records import Lease, Link, Process
from accord.state.taking import take
from tests.databases import Databases
from tests.unit.service.kit import World, event

TARGETS = ("t1", "t2")


class Present:
    """Who lives, as a test says."""

    def __init__(self, name: str, living: set[str]) -> None:
        self.name, self._living = name, living

    def living(self, part: str) -> list[str]:
        assert part == LISTENER
        return sorted(self._living | {self.name})


class House:
    """A few listeners over one database."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.living: set[str] = set()
        self.listeners: dict[str, Shares] = {}

    def come(self, *names: str) -> None:
        for name in names:
            self.living.add(name)
            self.listeners[name] = Shares(state=self.state, presence=Present(name, self.living))  # type: ignore[arg-type]

    def go(self, name: str, *, killed: bool = False) -> None:
        self.living.remove(name)
        gone = self.listeners.pop(name)
        if not killed:
            gone.close()

    def divide(self, roster: Roster, times: int = 1) -> None:
        for _ in range(times):
            for each in self.listeners.values():
                each.divide(roster)

    def held(self, roster: Roster) -> dict[str, Counter[str]]:
        """Return how many mailboxes of each target each listener hears of; none is twice."""
        found = {name: Counter[str]() for name in self.listeners}
        for target, some in roster.mailboxes().items():
            for who in some:
                holders = [n for n, each in self.listeners.items() if each.has(target, who)]
                assert len(holders) <= 1
                for name in holders:
                    found[name][target] += 1
        return found


@pytest.fixture
def house(databases: Databases) -> Iterator[House]:
    with closing(databases.blank()) as database:
        yield House(State(database))


def roster(mailboxes: int, *targets: str) -> Roster:
    posts = [
        Post(
            key=f"{target}/{number}",
            target=target,
            principal=f"user{number}@x.test",
            folder="f",
            links=(_link(target, number),),
        )
        for target in targets
        for number in range(mailboxes)
    ]
    return Roster(posts, ())


def _link(target: str, number: int) -> Link:
    name = f"{target}/{number}"
    principal = f"user{number}@x.test"
    return Link(id=name, name=name, user="u", kind=Kind.EVENT, target=target, principal=principal)


def test_one_listener_hears_of_everything(house: House) -> None:
    house.come("a")
    everybody = roster(1000, *TARGETS)
    house.divide(everybody)
    assert house.held(everybody)["a"] == {"t1": 1000, "t2": 1000}
    assert house.listeners["a"].feed is not None
    assert house.listeners["a"].alone


def test_several_divide_all_in_groups_that_fit_a_connection(house: House) -> None:
    house.come("a", "b", "c", "d")
    everybody = roster(1000, *TARGETS)
    house.divide(everybody)
    house.divide(everybody, 2)
    held = house.held(everybody)
    for target in TARGETS:
        assert sum(each[target] for each in held.values()) == 1000
        assert all(150 <= each[target] <= 400 for each in held.values())
    groups = Counter(
        sharing._name("t1", 8, sharing._group(who, 8)) for who in everybody.mailboxes()["t1"]
    )
    assert max(groups.values()) <= 200
    assert sum(each.feed is not None for each in house.listeners.values()) == 1


def test_who_comes_gets_a_share_and_whose_share_falls_free_is_taken(house: House) -> None:
    house.come("a")
    everybody = roster(1000, "t1")
    house.divide(everybody)
    changes = house.listeners["a"].changes
    house.divide(everybody, 3)
    assert house.listeners["a"].changes == changes, "nothing has changed that anybody need look at"
    house.come("b")
    # Whoever has too much gives it back before it is taken.
    house.divide(everybody, 2)
    assert house.listeners["a"].changes > changes
    held = house.held(everybody)
    assert sum(each["t1"] for each in held.values()) == 1000
    assert min(each["t1"] for each in held.values()) > 400
    assert not house.listeners["a"].alone
    house.go("b")
    house.divide(everybody)
    assert house.held(everybody)["a"]["t1"] == 1000


def test_what_a_killed_one_held_is_taken_when_its_lease_runs_out(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "LIFE", 0.5)
    house.come("a", "b")
    everybody = roster(1000, "t1")
    house.divide(everybody, 2)
    house.go("b", killed=True)
    house.divide(everybody)
    assert house.held(everybody)["a"]["t1"] < 1000, "its lease stands"

    def all_taken() -> bool:
        house.divide(everybody)
        return house.held(everybody)["a"]["t1"] == 1000

    assert until(all_taken, 20)


def test_who_was_silent_for_too_long_hears_of_nothing_that_another_took(house: House) -> None:
    house.come("a", "b")
    everybody = roster(1000, "t1")
    house.divide(everybody, 2)
    slow = house.listeners["b"]
    with house.state.begin() as tx:
        for lease in list(slow._held.values()):
            tx.leases.release(lease)
    house.living.remove("b")
    house.listeners["a"].divide(everybody)
    house.living.add("b")
    slow.divide(everybody)
    assert sum(each["t1"] for each in house.held(everybody).values()) == 1000
    house.divide(everybody, 2)
    assert min(each["t1"] for each in house.held(everybody).values()) > 400


def test_a_few_mailboxes_stay_together_and_targets_are_spread(house: House) -> None:
    house.come("a", "b")
    names = [f"t{number}" for number in range(20)]
    everybody = roster(30, *names)
    house.divide(everybody, 2)
    held = house.held(everybody)
    assert all(count == 30 for each in held.values() for count in each.values())
    assert sum(len(each) for each in held.values()) == len(names)
    assert min(len(each) for each in held.values()) >= 3


# the CRM


class Holding:
    """A share of which only the lease on asking the CRM is of interest."""

    def __init__(self, feed: Lease, *, alone: bool) -> None:
        self.feed, self.alone = feed, alone


def test_what_changed_in_the_crm_while_nobody_asked_is_found_by_who_asks_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feeding, "KEPT", 0.0)
    world = World("alice", "bob")
    everybody = read(world.accord)
    asked: list[str] = []

    def ask(key: str, cause: str, _: Urgency) -> None:
        asked.extend(f"{link.id} {cause}" for link in everybody.posts[key].links)

    def follower(*, alone: bool) -> tuple[CrmFeed, Lease]:
        lease = world.state.run(lambda tx: tx.leases.acquire("listen:crm", holder.myself(), 60))
        assert lease is not None
        share: Any = Holding(lease, alone=alone)
        feed = CrmFeed(world.accord, ask, 0.01, share, threading.Event())
        feed.cover(everybody)
        return feed, lease

    first, old = follower(alone=True)
    world.person("alice").add(event("one"))
    first._follow(old)
    assert asked == ["alice crm"]
    world.state.run(lambda tx: tx.leases.release(old))
    world.person("bob").add(event("two"))
    second, new = follower(alone=False)
    second._follow(new)
    assert asked == ["alice crm", "bob crm"]
    world.person("bob").add(event("three"))
    with pytest.raises(LeaseLost):
        first._follow(old)
    second._follow(new)
    with world.state.read() as tx:
        assert tx.settings.get("feed") == world.crm.hints("")[1]


# what a dead process on another machine held


def worker(name: str) -> Process:
    return Process(name=name, parts=frozenset(["worker"]), since=datetime.now(UTC))


def elsewhere(name: str = "1") -> str:
    return f"other-machine:boot:pid/4711/{name}"


def test_what_a_process_elsewhere_held_falls_free_when_it_is_silent() -> None:
    world = World("alice")
    with world.state.begin() as tx:
        tx.processes.live(worker(elsewhere("process")))
        assert tx.leases.acquire("folder", elsewhere(), 3600) is not None
    for seconds, free in ((LIFE, False), (SILENCE - 5, False), (10, True)):
        world.wait(seconds=seconds)
        with world.state.begin() as tx:
            taken = take(tx.leases, "folder", 60)
            assert (taken is not None) is free


def test_who_was_away_itself_takes_nothing_until_others_may_be_back() -> None:
    world = World("alice")
    me = holder.myself()

    def sign(*names: str) -> None:
        with world.state.begin() as tx:
            for name in names:
                tx.processes.live(worker(name))

    def taken() -> list[str]:
        with world.state.begin() as tx:
            return [name for name in ("long", "short") if take(tx.leases, name, 60) is not None]

    sign(me, elsewhere("process"))
    with world.state.begin() as tx:
        assert tx.leases.acquire("long", elsewhere(), 3600) is not None
        assert tx.leases.acquire("short", elsewhere(), 15) is not None
    world.wait(seconds=LIFE + SILENCE + 60)  # the database is away for everybody
    assert taken() == [], "it gives no signs itself"
    sign(me)
    assert taken() == [], "the other one may be late"
    for _ in range(3):
        world.wait(seconds=RETURN.total_seconds() / 3 - 1)
        sign(me)
        assert taken() == []
    world.wait(seconds=3)
    assert taken() == ["long", "short"], "it had its time"


def test_what_was_given_back_is_taken_at_once_after_an_outage() -> None:
    world = World("alice")
    with world.state.begin() as tx:
        tx.processes.live(worker(holder.myself()))
        lease = tx.leases.acquire("folder", elsewhere(), 15)
        assert lease is not None and tx.leases.release(lease)
    world.wait(seconds=60)
    with world.state.begin() as tx:
        assert take(tx.leases, "folder", 60) is not None


def test_a_command_elsewhere_that_gives_no_signs_keeps_what_it_holds() -> None:
    world = World("alice")
    with world.state.begin() as tx:
        assert tx.leases.acquire("folder", elsewhere(), 120) is not None
    world.wait(seconds=100)
    with world.state.begin() as tx:
        assert take(tx.leases, "folder", 60) is None


def test_a_process_here_is_known_to_live_or_not_whatever_signs_it_gives() -> None:
    world = World("alice")
    mine = holder.myself()
    with world.state.begin() as tx:
        tx.processes.live(worker(mine))
        assert tx.leases.acquire("folder", mine, 3600) is not None
    world.wait(seconds=LIFE + SILENCE + 60)
    with world.state.begin() as tx:
        assert take(tx.leases, "folder", 60) is None, f"{os.getpid()} runs"
