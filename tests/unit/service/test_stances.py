"""What a visit may do is one thing, whoever begins it: sync, undo, a decision, an approval.

A link that observes or is paused is written by none of them, and a CRM that went back holds all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from accord.model.kinds import Side
from accord.rules.rule import Clash, GuardLimits
from accord.service.apply import apply
from accord.service.begin import attend
from accord.service.decisions import approve, resolve
from accord.service.opening import Options
from accord.service.report import Report
from accord.service.undo import select, undo
from accord.state.records import Cause, Mode
from tests.unit.service.kit import event
from tests.unit.service.watched import WatchedWorld

Act = Callable[[WatchedWorld], Report]
Story = tuple[Callable[[], WatchedWorld], Act]


def renamed() -> WatchedWorld:
    """Return a world with a step to undo."""
    world = WatchedWorld()
    record = world.person().add(event("Old"))
    world.sync()
    world.person().edit(record.ref, title="New")
    world.sync()
    return world


def conflicting() -> WatchedWorld:
    """Return a world with an open conflict."""
    world = WatchedWorld(rule={"clash": Clash.HOLD})
    record = world.person().add(event())
    world.sync()
    (item,) = world.items()
    world.person().edit(record.ref, title="CRM")
    world.mailbox().edit(item.ref, title="Mailbox")
    world.sync()
    return world


def emptied() -> WatchedWorld:
    """Return a world with held deletions."""
    world = WatchedWorld(rule={"guard": GuardLimits(deletes=1)})
    for title in ("One", "Two", "Three", "Four"):
        world.person().add(event(title))
    world.sync()
    for item in world.items()[:3]:
        world.mailbox().delete(item.ref)
    assert world.sync().held == 3
    return world


def waiting_undo() -> WatchedWorld:
    """Return a world with an undo that waits for approval, as the title was edited since."""
    world = renamed()
    entry = world.journal(step="update")[0]
    (item,) = world.items()
    world.mailbox().edit(item.ref, title="Mine")
    world.sync()
    undo(world.accord, select(world.accord, str(entry.id)))
    assert world.pending(Cause.UNDO)
    return world


def undo_newest(world: WatchedWorld) -> Report:
    entry = world.journal(step="update")[0]
    (report,) = undo(world.accord, select(world.accord, str(entry.id)))
    return report


def resolve_it(world: WatchedWorld) -> Report:
    (open_,) = world.pending(Cause.CONFLICT)
    return resolve(world.accord, open_.id, Side.CRM)


def approve_all(world: WatchedWorld) -> Report:
    (report,) = approve(world.accord, [one.id for one in world.pending()])
    return report


def sync_it(world: WatchedWorld) -> Report:
    (item,) = world.items()
    world.mailbox().edit(item.ref, location="Room 5")
    return world.sync()


UNDO: Story = (renamed, undo_newest)
RESOLVE: Story = (conflicting, resolve_it)
APPROVE: Story = (emptied, approve_all)
APPROVE_UNDO: Story = (waiting_undo, approve_all)
SYNC: Story = (renamed, sync_it)
ALL = {
    "undo": UNDO,
    "resolve": RESOLVE,
    "approve": APPROVE,
    "approve an undo": APPROVE_UNDO,
    "sync": SYNC,
}


def run_of(world: WatchedWorld, report: Report) -> Any:
    """Return what was kept of a report's run, once that has ended."""
    with world.state.read() as tx:
        run = tx.runs.get(report.run)
    assert run is not None and run.finished is not None
    return run.counts


def stand(world: WatchedWorld) -> tuple[Any, ...]:
    """Return what stands on both sides, and what waits, with the word that it may go."""
    pending = [(one.id, one.approved) for one in world.pending()]
    return world.records(), [(s.ref, s.item) for s in world.items()], pending


@pytest.mark.parametrize(("begun", "act"), ALL.values(), ids=ALL)
def test_each_of_them_writes_where_it_may(begun: Callable[[], WatchedWorld], act: Act) -> None:
    world = begun()
    world.calls.clear()
    report = act(world)
    assert (report.error, report.left, report.observed) == ("", [], False)
    assert report.writes and world.calls
    assert report.run and report.requests > 0 and report.seconds > 0
    assert run_of(world, report)["requests"] > 0


@pytest.mark.parametrize("name", ["undo", "resolve", "sync"])
def test_a_link_that_observes_is_written_by_nobody_and_says_so(name: str) -> None:
    begun, act = ALL[name]
    world = begun()
    world.change_link(mode=Mode.OBSERVE)
    before = stand(world)[::2] if name == "sync" else stand(world)
    world.calls.clear()
    report = act(world)
    assert report.observed and report.as_json()["observed"]
    assert (report.error, world.calls) == ("", [])
    assert (stand(world)[::2] if name == "sync" else stand(world)) == before
    assert report.writes, "it counts what would be"
    assert run_of(world, report)["observed"]


@pytest.mark.parametrize("name", ["approve", "approve an undo"])
@pytest.mark.parametrize(
    ("values", "how"), [({"paused": True}, "paused"), ({"mode": Mode.OBSERVE}, "only observes")]
)
def test_no_approval_is_kept_for_a_link_that_may_not_write(
    name: str, values: dict[str, Any], how: str
) -> None:
    begun, act = ALL[name]
    world = begun()
    world.change_link(**values)
    before = stand(world)
    report = act(world)
    assert how in report.error and report.action == "configure" and report.hint
    assert stand(world) == before
    world.change_link(paused=False, mode=Mode.ACTIVE)
    world.sync()
    assert stand(world) == before, "nobody said yes while it could be carried out"


def test_a_stop_of_everything_keeps_no_approval_either() -> None:
    world = emptied()
    with world.state.begin() as tx:
        tx.settings.put("paused", True)
    before = stand(world)
    assert approve_all(world).action == "configure"
    assert stand(world) == before


@pytest.mark.parametrize("name", ["undo", "resolve"])
def test_a_paused_link_is_left_alone(name: str) -> None:
    begun, act = ALL[name]
    world = begun()
    world.change_link(paused=True)
    before = stand(world)
    report = act(world)
    assert (report.error, report.action) == ("paused", "configure")
    assert stand(world) == before


@pytest.mark.parametrize(("begun", "act"), ALL.values(), ids=ALL)
def test_a_crm_that_went_back_holds_whatever_is_begun(
    begun: Callable[[], WatchedWorld], act: Act
) -> None:
    world = begun()
    with world.state.begin() as tx:
        tx.instances.accept("crm", world.crm.instance, 1_000)
    before = world.records(), world.items()
    world.calls.clear()
    report = act(world)
    assert report.error.startswith("held: crm went back")
    assert world.calls == []
    if act is not sync_it:
        assert (world.records(), world.items()) == before


@pytest.mark.parametrize("values", [{}, {"mode": Mode.OBSERVE}])
def test_nothing_is_applied_by_a_visit_that_may_not_write(
    values: dict[str, Any], faults: list[str]
) -> None:
    world = renamed()
    world.change_link(**values)
    world.calls.clear()
    met = []

    def decide(visit: Any, report: Report) -> None:
        met.append(visit.stance)
        apply(visit, [], report)

    def never(*_: Any) -> None:
        pytest.fail("carried out")

    report = attend(world.accord, world.link(), Options(dry=not values), decide, never)
    assert (report.action, "RuntimeError" in report.error, len(faults)) == ("bug", True, 1)
    if values:
        assert run_of(world, report) and world.calls == []
    assert met == ["observing" if values else "dry"]
