"""`clash = "newest"` decides where both clocks were seen to agree with ours, and says why not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from accord.engine.plan import Conflict
from accord.engine.policy import Policy
from accord.engine.reconcile import Case
from accord.model.observe import Deleted, Seen, Snapshot
from accord.ports.clock import AGREEING, LASTING, OURS, Reading
from accord.rules.rule import Clash, FieldRule
from accord.service.clocks import clock_of, clocks_apart, with_times
from accord.service.explain import explain
from tests.unit.engine.kit import event as entry
from tests.unit.engine.kit import pairing, policy, rule_of, snap
from tests.unit.service.kit import CRM, GROUPWARE, World, event

EDITED = datetime(2026, 3, 2, 9, tzinfo=UTC)
WRITTEN = datetime(2025, 3, 2, 9, tzinfo=UTC)

SESSIONS = {
    "crm": "accord.crm.memory.session.MemorySession.clock",
    "groupware": "accord.groupware.memory.session.MemorySession.clock",
}


def read(ahead: float = 0.0, age: float = 0.0) -> Reading:
    return Reading(ahead=ahead, age=age)


@pytest.mark.parametrize("ahead", [0.0, AGREEING, -AGREEING])
@pytest.mark.parametrize("age", [0.0, LASTING])
def test_two_seconds_and_an_hour_are_enough(ahead: float, age: float) -> None:
    assert clocks_apart(read(ahead, age), read(-ahead, age)) == ""
    assert clocks_apart(OURS, read(ahead, age)) == ""


@pytest.mark.parametrize(
    ("reading", "why"),
    [
        (read(2.01), "clock is 2.0 s ahead of ours"),
        (read(-2.01), "clock is 2.0 s behind ours"),
        (read(-90), "clock is 90 s behind ours"),
        (read(0, 3600.1), "server hasn't told its time for an hour"),
        (read(90, 3600.1), "server hasn't told its time for an hour"),
        (None, "server doesn't tell its time"),
    ],
)
def test_more_is_too_much_and_is_said_of_the_side_it_is_about(
    reading: Reading | None, why: str
) -> None:
    assert clocks_apart(OURS, reading) == f"the mailbox's {why}"
    assert clocks_apart(reading, OURS) == f"the CRM's {why}"
    assert clocks_apart(reading, reading) == f"the CRM's {why} and the mailbox's {why}"


def test_a_session_that_tells_no_time_is_unknown() -> None:
    silent: Any = object()
    assert clock_of(silent) is None


def test_only_what_may_clash_by_time_is_asked_when_it_was_edited() -> None:
    base = pairing(entry("Visit"))
    here, there = snap(entry("C"), "2", "c1"), snap(entry("G"), "2", "g1", modified=WRITTEN)
    clashing = Case(pairing=base, crm=Seen(here), groupware=Seen(there))
    others = [
        Case(pairing=base, crm=Seen(base.crm), groupware=Seen(there)),
        Case(pairing=base, crm=Seen(here), groupware=Seen(base.groupware)),
        Case(pairing=base, crm=Seen(here), groupware=Deleted("g1")),
        Case(crm=Seen(here), groupware=Seen(there)),
    ]
    by_field = rule_of(fields={"title": FieldRule(clash=Clash.NEWEST)})
    for rule, apart, told, count in (
        (rule_of(clash=Clash.NEWEST), "", EDITED, 1),
        (rule_of(clash=Clash.NEWEST), "", None, 1),
        (by_field, "", EDITED, 1),
        (rule_of(clash=Clash.NEWEST), "it is dark", EDITED, 0),
        (rule_of(clash=Clash.CRM), "", EDITED, 0),
    ):
        asked: list[Snapshot] = []
        timed = with_times(
            visit(policy(rule, facts={"clocks_apart": apart}), asked, told),
            [
                clashing,
                *others,
            ],
        )
        assert asked == [there] * count
        found = replace(there, modified=told) if count else there
        assert timed == [replace(clashing, groupware=Seen(found)), *others]


def visit(under: Policy, asked: list[Snapshot], told: datetime | None) -> Any:
    """Return a visit whose mailbox can be asked when something was edited."""

    def edited(snapshots: Sequence[Snapshot]) -> dict[str, datetime]:
        asked.extend(snapshots)
        return {snapshot.ref: told for snapshot in snapshots} if told else {}

    ends = {CRM: SimpleNamespace(session=object())}
    ends[GROUPWARE] = SimpleNamespace(session=SimpleNamespace(edited=edited))
    return SimpleNamespace(policy=under, policies={"r": under}, end=ends.__getitem__)


def clashed(monkeypatch: pytest.MonkeyPatch, later: str, **told: Reading | None) -> World:
    """Let both sides rename one entry, `later` five minutes after the other; then plan it."""
    world = World(rule={"clash": Clash.NEWEST})
    record = world.person().add(event("Visit"))
    world.sync()
    (copy,) = world.items()
    for side, reading in told.items():
        monkeypatch.setattr(SESSIONS[side], lambda _, reading=reading: reading)
    edits = [
        lambda: world.person().edit(record.ref, title="CRM's"),
        lambda: world.mailbox().edit(copy.ref, title="Mailbox's"),
    ]
    for edit in edits if later == "groupware" else reversed(edits):
        world.wait(minutes=5)
        edit()
    return world


@pytest.mark.parametrize("later", ["crm", "groupware"])
def test_the_later_edit_wins_where_the_clocks_agree(
    monkeypatch: pytest.MonkeyPatch, later: str
) -> None:
    world = clashed(monkeypatch, later, groupware=read(-1.9, 3000))
    report = world.sync()
    winner = "CRM's" if later == "crm" else "Mailbox's"
    assert world.titles() == ([winner], [winner])
    assert (report.conflicts, report.clashes) == (0, 1)


@pytest.mark.parametrize("later", ["crm", "groupware"])
@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"groupware": read(34)}, "the mailbox's clock is 34 s ahead of ours"),
        ({"crm": read(-5)}, "the CRM's clock is 5.0 s behind ours"),
        ({"groupware": None}, "the mailbox's server doesn't tell its time"),
        ({"groupware": read(0, 4000)}, "the mailbox's server hasn't told its time for an hour"),
    ],
)
def test_with_other_clocks_nobody_wins_and_plan_and_explain_say_why(
    monkeypatch: pytest.MonkeyPatch, later: str, told: dict[str, Reading | None], why: str
) -> None:
    world = clashed(monkeypatch, later, **told)
    said = f"both sides changed title: which edit is newer can't be told: {why}"
    planned = world.sync(dry=True).plan
    assert planned is not None
    assert [step.why for step in planned.steps if isinstance(step, Conflict)] == [said]
    report = world.sync()
    assert world.titles() == (["CRM's"], ["Mailbox's"])
    assert (report.conflicts, report.clashes, report.writes) == (1, 0, 0)
    (found,) = explain(world.accord, "Mailbox's")
    assert (found.outcome, found.why) == ("waiting (conflict)", said)
