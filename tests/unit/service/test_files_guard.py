"""Many files that vanish on one side at once are held, as deletions of items are."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from accord.model.kinds import Side
from accord.model.parts import STORED, Attachment
from accord.ports.errors import Rejected
from accord.rules.rule import GuardLimits
from accord.service.decisions import approve, reject, waiting
from accord.service.explain import explain
from accord.service.standing import standing
from accord.state.records import Cause
from tests.unit.service.filing import TITLES, content, filled, hang, item, names, take
from tests.unit.service.kit import CRM, GROUPWARE, World


@pytest.fixture(autouse=True)
def on_both() -> None:
    """Play on SQLite alone; what is stored is tried on both beside the tables."""


def ids(world: World) -> list[str]:
    return [one.pending.id for one in waiting(world.accord, Cause.HELD)]


def strip(world: World, side: Side, titles: list[str], user: str = "alice") -> None:
    for title in titles:
        take(world, side, title=title, user=user)


@pytest.mark.parametrize("side", list(Side))
def test_files_stripped_off_all_items_are_held(side: Side) -> None:
    world = filled()
    strip(world, side, TITLES)
    report = world.sync()
    assert report.held == 12
    assert all(len(content(world, side.other, title=title)) == 1 for title in TITLES)
    (cause,) = {one.why for one in world.pending(Cause.FILE)}
    assert cause.startswith("emptied: none of the 12 known files is left in the ")
    for full in (False, True):
        assert not world.sync(full=full).writes
    assert len(ids(world)) == 12
    assert standing(world.accord)[0].held == 12


def test_what_is_held_names_item_and_file() -> None:
    world = filled()
    strip(world, GROUPWARE, TITLES)
    world.sync()
    shown = waiting(world.accord, Cause.HELD)
    assert {one.step.held.label for one in shown} == set(TITLES)  # type: ignore[union-attr]
    (told,) = explain(world.accord, "Visit 3")
    assert told.outcome == "waiting (file)"
    assert told.waiting[0].startswith("held: detach 0.pdf in the CRM: emptied:")


def test_what_is_approved_is_taken_off_and_no_more() -> None:
    world = filled()
    strip(world, GROUPWARE, TITLES)
    world.sync()
    first, *rest = sorted(world.pending(Cause.FILE), key=lambda one: one.id)
    approve(world.accord, [first.id])
    left = [title for title in TITLES if content(world, CRM, title=title)]
    assert len(left) == 11 and len(world.pending(Cause.FILE)) == 11
    approve(world.accord, [one.id for one in rest])
    assert not any(content(world, CRM, title=title) for title in TITLES)
    assert not world.pending()


def test_what_is_refused_stays_and_is_not_asked_about_again() -> None:
    world = filled()
    strip(world, GROUPWARE, TITLES)
    world.sync()
    reject(world.accord, ids(world))
    hang(world, GROUPWARE, "new.pdf", title=TITLES[0])
    report = world.sync()
    assert not report.held and not ids(world)
    assert names(world) == (["0.pdf", "new.pdf"], ["new.pdf"])


def test_what_hangs_there_again_waits_no_longer() -> None:
    world = filled()
    strip(world, GROUPWARE, TITLES)
    world.sync()
    for title in TITLES:
        hang(world, GROUPWARE, "0.pdf", title=title)
    assert not world.sync().held
    assert not world.pending() and names(world) == (["0.pdf"], ["0.pdf"])
    take(world, GROUPWARE, title=TITLES[0])
    world.sync()
    assert names(world) == ([], []), "and is like any other"


def test_holding_stops_nothing_else() -> None:
    world = filled()
    strip(world, GROUPWARE, TITLES)
    hang(world, CRM, "more.pdf", title=TITLES[0])
    world.sync()
    assert names(world) == (["0.pdf", "more.pdf"], ["more.pdf"])


def test_held_stays_held_however_little_else_is_planned() -> None:
    world = filled()
    strip(world, GROUPWARE, TITLES)
    world.sync()
    hang(world, GROUPWARE, "new.pdf", title=TITLES[0])
    for title in TITLES[1:]:
        hang(world, GROUPWARE, "0.pdf", title=title)
    world.sync()
    assert names(world) == (["0.pdf", "new.pdf"], ["new.pdf"])
    assert len(ids(world)) == 1


def test_one_file_taken_off_is_not_held() -> None:
    world = filled()
    take(world, GROUPWARE, title=TITLES[0])
    take(world, GROUPWARE, title=TITLES[1])
    world.sync()
    assert names(world) == ([], []) and not world.pending()


def test_many_small_visits_are_one_mass_deletion() -> None:
    world = filled(size=3)
    held = 0
    for number in range(4):
        strip(world, GROUPWARE, TITLES[number : number + 1])
        held += world.sync().held
        world.wait(minutes=5)
    assert held == 3
    (cause,) = {one.why for one in world.pending(Cause.FILE)}
    assert cause.startswith(
        "mass deletion: 12 of 36 files would be taken off on the crm side, 9 of"
    )
    world.wait(hours=1)
    take(world, GROUPWARE, title=TITLES[8])
    assert not world.sync().held, "an hour later it is forgotten"


def test_many_links_of_one_target_are_one_mass_deletion() -> None:
    users = ("alice", "bob", "carol")
    world = filled(*users, count=9, guard=GuardLimits(target=6))
    held = []
    for user in users:
        strip(world, GROUPWARE, TITLES[:3], user=user)
        held.append(world.sync(user).held)
    assert held == [0, 0, 3]
    (cause,) = {one.why for one in world.pending(Cause.FILE, "carol")}
    assert cause == (
        "mass deletion: 9 files would be taken off on the crm side within an hour by all links of "
        "the target (allowed: 6)"
    )


def test_files_that_others_take_the_place_of_count_too() -> None:
    world = filled()
    strip(world, GROUPWARE, TITLES)
    for title in TITLES:
        hang(world, GROUPWARE, "0.pdf", b"encrypted", title=title)
    assert world.sync().held == 12
    assert content(world, CRM) == {"0.pdf": b"0.pdf"}
    approve(world.accord, ids(world))
    assert content(world, CRM) == {"0.pdf": b"encrypted"}


def test_a_listing_that_fails_takes_nothing_off(monkeypatch: Any) -> None:
    world = filled(count=1)
    take(world, GROUPWARE)
    hang(world, GROUPWARE, "other.pdf")
    opened = world.groupware.open("alice@x.test")

    def broken(*_: Any) -> Any:
        raise Rejected("it can't be read now")

    monkeypatch.setattr(type(opened), "open_file", broken)
    world.sync()
    monkeypatch.undo()
    assert names(world) == (["0.pdf"], ["other.pdf"])


def test_files_that_are_there_but_not_told_take_nothing_off() -> None:
    world = filled()
    for title in TITLES:
        take(world, GROUPWARE, title=title)
        there = item(world, GROUPWARE, title=title)
        store = world.groupware.store
        box = store.mailbox("alice@x.test")
        entry = box.entries[there.ref]
        untold = msgspec.structs.replace(entry.item, attachments=(Attachment(uri=STORED),))
        store.put(box, msgspec.structs.replace(entry, item=untold), "alice")
    assert not world.sync().held
    assert len(content(world, CRM)) == 1
    (told,) = explain(world.accord, TITLES[3])
    assert told.waiting == (
        "left out: files in the mailbox: it says that there are some, not which",
    )


def test_what_waits_goes_with_its_pair() -> None:
    world = filled()
    strip(world, GROUPWARE, TITLES)
    world.sync()
    world.mailbox().delete(item(world, GROUPWARE).ref)
    world.sync()
    world.sync()
    assert len(world.pending(Cause.FILE)) == 11


def test_files_of_one_item_wait_each_by_itself() -> None:
    world = filled(count=1, size=2, guard=GuardLimits(deletes=0))
    for number in range(2):
        take(world, GROUPWARE, f"{number}.pdf")
        world.sync()
        assert len(ids(world)) == number + 1
    (first, second) = ids(world)
    reject(world.accord, [first])
    approve(world.accord, [second])
    assert len(content(world, CRM)) == 1 and not ids(world)


def test_what_somebody_approved_does_not_count() -> None:
    world = filled()
    strip(world, GROUPWARE, TITLES[:11])
    assert world.sync().held == 11
    approve(world.accord, ids(world))
    take(world, GROUPWARE, title=TITLES[11])
    assert not world.sync().held
    assert not content(world, CRM, title=TITLES[11])


def test_what_is_held_counts_among_what_vanished() -> None:
    world = filled(count=4, guard=GuardLimits(deletes=0))
    strip(world, GROUPWARE, TITLES[:3])
    world.sync()
    assert {one.why.partition(":")[0] for one in world.pending(Cause.FILE)} == {"mass deletion"}
    strip(world, GROUPWARE, TITLES[3:4])
    world.sync()
    newest = world.pending(Cause.FILE)
    assert sum(one.why.startswith("emptied: none of the 4 known") for one in newest) == 1


def test_what_nobody_has_judged_waits_for_the_next_visit(monkeypatch: Any) -> None:
    world = filled()
    take(world, GROUPWARE, title=TITLES[0])
    monkeypatch.setattr("accord.service.files.judge", lambda *_: {})
    world.sync()
    monkeypatch.undo()
    assert len(content(world, CRM, title=TITLES[0])) == 1
    world.sync()
    assert not content(world, CRM, title=TITLES[0])


def test_what_waits_is_forgotten_where_a_pair_takes_part_no_more() -> None:
    world = filled()
    strip(world, GROUPWARE, TITLES)
    world.sync()
    elsewhere = world.mailbox().add_folder("Elsewhere", world.kind)
    world.mailbox().move(item(world, GROUPWARE).ref, elsewhere)
    world.sync()
    assert [pair.frozen for pair in world.pairings() if pair.frozen]
    world.sync()
    assert len(world.pending(Cause.FILE)) == 11
    assert content(world, CRM)
