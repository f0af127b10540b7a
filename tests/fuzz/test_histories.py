"""Random histories: people work on both sides, Accord synchronizes, sides misbehave, processes die.

Appointments share their calendar with absences: two links on one folder, visited together or alone,
paused or only observing for a while.
After quiet both sides agree, nothing was lost, nothing doubled, and one more pass writes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from accord.db import Database
from accord.model.kinds import Direction, Kind, Side
from accord.rules.rule import Clash, Rule, Scope
from accord.state.records import Mode
from accord.testing import Hostility
from tests.databases import POSTGRES, Databases, empty
from tests.fuzz.meddling import Meddled
from tests.fuzz.people import People
from tests.fuzz.reckoning import Reckoning
from tests.fuzz.seeds import FRESH
from tests.fuzz.tally import RecordProperty, note
from tests.unit.service.kit import World, blank

HISTORIES = int(os.environ.get("ACCORD_HISTORIES", "2000"))
STEPS = 9
SHARDS = 4
EACH = -(-HISTORIES // SHARDS)
ON_POSTGRES = max(1, HISTORIES // 20)

# Shrinking takes minutes and is for those who look into a failure.
SHRINK = os.environ.get("ACCORD_SHRINK") == "1"
PHASES = [Phase.explicit, Phase.reuse, Phase.generate, *([Phase.shrink] if SHRINK else [])]

ACTS = ["move", "copy", "touch", "corrupt", "mend", "restore", "deny", "overtake"]
SHAPES: list[dict[str, Any]] = [
    {},
    {"groupware": {"title_limit": 10}},
    {"crm": {"title_limit": 10}, "groupware": {"omitted": "event.location task.percent"}},
    {"crm": {"restores": False}, "groupware": {"trash": False}},
    {"crm": {"page": 2}, "groupware": {"page": 2, "batch": 2}},
]
STOCKS = [(), (Side.CRM, Side.CRM), (Side.CRM, Side.GROUPWARE, Side.CRM)]
"""On which sides there are items that were synchronized before a history begins."""

LINKS = [("alice", "absences"), ("absences", "alice"), ("alice",), ("absences",)]
STANDS: list[dict[str, Any]] = [
    {"paused": True},
    {"paused": False},
    {"mode": Mode.OBSERVE},
    {"mode": Mode.ACTIVE},
    {"mode": Mode.ACTIVE, "paused": False},
]
SIDES = st.sampled_from(Side)
PICKS = st.integers(0, 5)
WHICH = st.integers(0, 11)


class History(RuleBasedStateMachine):
    """Be one history of a person's links; `database` gives an empty state to each."""

    database: Callable[[], Database] = staticmethod(blank)
    played = 0

    @initialize(
        kind=st.sampled_from([Kind.EVENT, Kind.EVENT, Kind.TASK, Kind.CONTACT]),
        clash=st.sampled_from([None, Clash.CRM, Clash.GROUPWARE, Clash.HOLD]),
        rate=st.sampled_from([0.0, 0.0, 0.03, 0.15]),
        seed=st.integers(0, 9999),
        shape=st.sampled_from(SHAPES),
        stock=st.sampled_from(STOCKS),
    )
    def begin(
        self,
        kind: Kind,
        clash: Clash | None,
        rate: float,
        seed: int,
        shape: dict[str, Any],
        stock: Sequence[Side],
    ) -> None:
        self.hostility = Hostility(seed, rate)
        given: dict[str, Any] = {"clash": clash}
        if kind is Kind.TASK:
            given["direction"] = Direction.BOTH
        self.world = World(
            kind=kind,
            hostility=self.hostility,
            around=Meddled,
            database=type(self).database(),
            **shape,
        )
        self.rule = self.world.activate(**given)
        self.links = share(self.world)
        self.people = People(self.world)
        self.crashed = False
        for which, side in enumerate(stock):
            self.people.add(side, which)
        if stock:
            self.sync(full=False, minutes=1, links=self.links)

    @rule(side=SIDES, which=WHICH)
    def add(self, side: Side, which: int) -> None:
        self.people.add(side, which)

    @rule(side=SIDES, pick=PICKS, which=WHICH)
    def edit(self, side: Side, pick: int, which: int) -> None:
        self.people.edit(side, pick, which)

    @rule(side=SIDES, pick=PICKS, which=WHICH)
    def change_entries(self, side: Side, pick: int, which: int) -> None:
        self.people.change_entries(side, pick, which)

    @rule(side=SIDES, pick=PICKS, which=WHICH)
    def delete(self, side: Side, pick: int, which: int) -> None:
        self.people.delete(side, pick, which)

    @rule(
        act=st.sampled_from(ACTS),
        side=SIDES,
        pick=PICKS,
        which=WHICH,
    )
    def disturb(self, act: str, side: Side, pick: int, which: int) -> None:
        match act:
            case "move":
                self.people.move(pick, which)
            case "copy":
                self.people.copy(pick)
            case "touch":
                self.people.touch(side, pick)
            case "corrupt":
                self.people.corrupt(pick)
            case "mend":
                self.people.mend()
            case "restore":
                self.people.restore(side, pick)
            case "deny":
                self.people.deny(side, pick, which)
            case "overtake":
                self.people.overtake(side, which)

    @rule(pick=PICKS, which=WHICH)
    def leave(self, pick: int, which: int) -> None:
        if "absences" in self.links:
            self.people.leave(pick, which)

    @rule(link=st.sampled_from(["alice", "absences"]), stand=st.sampled_from(STANDS))
    def stand(self, link: str, stand: dict[str, Any]) -> None:
        """Pause a link or let it only observe, or let it work again."""
        if link in self.links:
            self.world.change_link(link, **stand)

    @rule(
        full=st.sampled_from([False, False, True]),
        minutes=st.sampled_from([1, 1, 400]),
        links=st.sampled_from(LINKS),
    )
    def sync(self, full: bool, minutes: int, links: Sequence[str]) -> None:
        mails = len(self.world.mails)
        self.world.wait(minutes=minutes)
        self.world.sync(*self._of_these(links), full=full)
        assert len(self.world.mails) == mails, "Accord made the server send mail"

    @rule(after=st.integers(0, 40), links=st.sampled_from(LINKS))
    def crash(self, after: int, links: Sequence[str]) -> None:
        self.world.wait(minutes=1)
        self.crashed |= self.world.crash(after, *self._of_these(links))

    def _of_these(self, links: Sequence[str]) -> list[str]:
        return [link for link in links if link in self.links] or self.links

    @rule(side=SIDES)
    def expire(self, side: Side) -> None:
        (self.world.crm if side is Side.CRM else self.world.groupware).expire()

    def teardown(self) -> None:
        if not hasattr(self, "people"):
            return
        type(self).played += 1
        reckoning = Reckoning(
            self.world, self.people, self.rule, self.hostility, self.links, crashed=self.crashed
        )
        complaints = reckoning.complaints()
        self.world.accord.close()
        assert not complaints, "\n".join(complaints)


def share(world: World) -> list[str]:
    """Let absences share the calendar with appointments; return the links there are."""
    if world.kind is not Kind.EVENT:
        return ["alice"]
    with world.state.begin() as tx:
        away = Rule(name="away", kind=Kind.ABSENCE, scope=Scope.ALL)
        tx.rules.activate("away", tx.rules.put(away))
    world.add_link("alice", id="absences", name="away", kind=Kind.ABSENCE, rule="away")
    return ["alice", "absences"]


def profile(histories: int, **values: Any) -> settings:
    return settings(
        max_examples=histories,
        stateful_step_count=STEPS,
        phases=PHASES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        **values,
    )


@pytest.mark.fuzz
@pytest.mark.timeout(0)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_histories(shard: int, record_property: RecordProperty) -> None:
    class Sharded(History):
        pass

    Sharded.__qualname__ = f"History{shard}"
    if not FRESH:
        seed(shard)(Sharded)
    try:
        run_state_machine_as_test(Sharded, settings=profile(EACH))
    finally:
        note(Sharded.played, "histories on SQLite", record_property)
    assert Sharded.played >= EACH


@pytest.mark.fuzz
@pytest.mark.timeout(0)
@pytest.mark.parametrize("databases", [POSTGRES], indirect=True)
def test_histories_on_postgres(databases: Databases, record_property: RecordProperty) -> None:
    same = databases.blank()

    def emptied() -> Database:
        empty(same)
        return same

    class OnPostgres(History):
        database = staticmethod(emptied)

    try:
        run_state_machine_as_test(OnPostgres, settings=profile(ON_POSTGRES))
    finally:
        note(OnPostgres.played, "histories on PostgreSQL", record_property)
    assert OnPostgres.played >= ON_POSTGRES
