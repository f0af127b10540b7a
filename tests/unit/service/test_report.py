"""What a visit did is counted per side, and once for the link; a preview counts it, too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from accord.engine.plan import Delete, Hold, Plan, Unpair
from accord.model.kinds import Side
from accord.ports.errors import Busy
from accord.rules.rule import Clash, Deletion, Deletions, GuardLimits
from accord.service.removal import remove_link, withdraw
from accord.service.report import Report
from tests.unit.engine.kit import event as entry
from tests.unit.engine.kit import pairing
from tests.unit.service.kit import CRM, GROUPWARE, World, event

WORDS = ("paired", "unpaired", "held", "conflicts")


def told(report: Report) -> dict[str, tuple[int, int, int]]:
    """Return what isn't nothing of what the JSON says: of the link, the CRM, the mailbox."""
    shown: Any = report.as_json()
    rows = {word: (shown[word], shown["crm"][word], shown["groupware"][word]) for word in WORDS}
    return {word: row for word, row in rows.items() if any(row)}


def test_who_found_another_at_work_is_told_from_who_failed() -> None:
    report = Report(link="one")
    assert "busy" not in report.as_json()
    report.fail(Busy("another is at work", after=5))
    assert report.as_json()["busy"] is True


def paired(world: World) -> None:
    for hand in (world.person(), world.mailbox()):
        hand.add(event("Visit", uid="one"))


def conflicting(world: World) -> None:
    record = world.person().add(event("Visit"))
    world.sync()
    (copy,) = world.items()
    world.person().edit(record.ref, title="CRM's")
    world.mailbox().edit(copy.ref, title="Mailbox's")


def emptied(side: Side) -> Callable[[World], None]:
    def empty(world: World) -> None:
        for number in range(4):
            world.person().add(event(f"Visit {number}", uid=f"u{number}"))
        world.sync()
        hand = world.person() if side is CRM else world.mailbox()
        for snapshot in world.records() if side is CRM else world.items():
            hand.delete(snapshot.ref)

    return empty


def unlinked(world: World) -> None:
    record = world.person().add(event("Visit"))
    world.sync()
    world.activate(delete=Deletions(outbound=Deletion.UNLINK))
    world.sync()
    world.person().delete(record.ref)


@pytest.mark.parametrize(
    ("prepare", "counts"),
    [
        (paired, {"paired": (1, 1, 1)}),
        (conflicting, {"conflicts": (1, 1, 1)}),
        (unlinked, {"unpaired": (1, 1, 1)}),
        (emptied(CRM), {"held": (4, 0, 4)}),
        (emptied(GROUPWARE), {"held": (4, 4, 0)}),
    ],
    ids=["pair", "conflict", "unlinked", "emptied CRM", "emptied mailbox"],
)
def test_each_side_has_its_counts(
    prepare: Callable[[World], None], counts: dict[str, tuple[int, int, int]]
) -> None:
    world = World(rule={"clash": Clash.HOLD, "guard": GuardLimits(deletes=1)})
    prepare(world)
    assert counts.items() <= told(world.sync(dry=True)).items()
    report = world.sync()
    assert told(report) == counts
    report.add(report)
    assert told(report) == {w: (2 * a, 2 * b, 2 * c) for w, (a, b, c) in counts.items()}


def test_what_would_let_go_of_a_pair_is_held_on_both_sides() -> None:
    base = pairing(entry("Visit"))
    letting_go = Unpair(pairing="p1", crm="c1", groupware="g1", why="left")
    deleting = Delete(side=GROUPWARE, before=base.groupware, pairing="p1", why="gone")
    steps = tuple(Hold(held=one, cause="too many", why="") for one in (letting_go, deleting))
    report = Report(link="l1")
    report.count_planned(Plan(link="l1", steps=steps))
    assert told(report) == {"held": (2, 1, 2)}


@pytest.mark.parametrize("part", ["remove", "withdraw"])
def test_pairs_that_go_with_their_link_count_on_both_sides(part: str) -> None:
    world = World()
    world.person().add(event("Visit"))
    world.mailbox().add(event("Mine"))
    world.sync()
    if part == "remove":
        report = remove_link(world.accord, world.link())
    else:
        report = withdraw(world.accord, world.link(), approved=True)
    assert told(report) == {"unpaired": (2, 2, 2)}


def test_what_a_withdrawal_may_not_delete_is_held_in_the_mailbox() -> None:
    world = World(rule={"guard": GuardLimits(deletes=1)})
    for number in range(3):
        world.person().add(event(f"Visit {number}", uid=f"u{number}"))
    world.sync()
    assert told(withdraw(world.accord, world.link())) == {"held": (3, 0, 3)}
