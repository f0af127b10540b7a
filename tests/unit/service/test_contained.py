"""A fault of Accord's own stays with the item or link that it met: all others go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from accord.engine.reconcile import Case, reconcile
from accord.model.kinds import Side
from accord.model.observe import Seen
from accord.service import begin, planning, sync
from accord.service import check as checks
from accord.service.opening import Options
from accord.service.report import Report
from tests.unit.service.kit import World, event

Plant = Callable[[pytest.MonkeyPatch, World], None]


WORDS = "what Bob wrote to his doctor"


class Poison(LookupError):
    """Be what nobody expected; it quotes what somebody wrote."""


def in_reconciling(title: str) -> Plant:
    def plant(patch: pytest.MonkeyPatch, _: World) -> None:
        def faulty(case: Case, policy: Any) -> Any:
            seen = (case.crm, case.groupware)
            if any(isinstance(o, Seen) and o.snapshot.item.title == title for o in seen):  # type: ignore[union-attr]
                raise Poison(title)
            return reconcile(case, policy)

        patch.setattr(planning, "reconcile", faulty)

    return plant


def at(module: Any, name: str) -> Plant:
    """Plant a fault in what is done for Bob's link alone."""

    def plant(patch: pytest.MonkeyPatch, _: World) -> None:
        plain = getattr(module, name)

        def faulty(visit: Any, *more: Any) -> Any:
            some = visit if isinstance(visit, list) else [visit]
            if any(each.link.user == "bob" for each in some):
                raise Poison(WORDS)
            return plain(visit, *more)

        patch.setattr(module, name, faulty)

    return plant


def in_opening(patch: pytest.MonkeyPatch, world: World) -> None:
    plain = world.groupware.open

    def faulty(principal: str) -> Any:
        if principal.startswith("bob"):
            raise Poison(WORDS)
        return plain(principal)

    patch.setattr(world.groupware, "open", faulty)


def in_writing(patch: pytest.MonkeyPatch, world: World) -> None:
    plain = world.crm.open

    def opened(user: str) -> Any:
        session = plain(user)
        if user == "bob":

            def faulty(*_: object) -> Any:
                raise Poison(WORDS)

            patch.setattr(session, "create", faulty)
        return session

    patch.setattr(world.crm, "open", opened)


def visit_all(world: World, **options: Any) -> dict[str, Report]:
    links = [world.link(user) for user in ("alice", "bob", "carl")]
    reports = sync.sync(world.accord, links, Options(**options))
    return {link.user: report for link, report in zip(links, reports, strict=True)}


def test_one_item_that_nothing_can_be_decided_about_stops_no_other(
    monkeypatch: pytest.MonkeyPatch, faults: list[str]
) -> None:
    world = World()
    for title in ("Before", "Poisonous", "After"):
        world.mailbox().add(event(title))
    with monkeypatch.context() as patch:
        in_reconciling("Poisonous")(patch, world)
        report = world.sync()
        assert (report.error, report.unreadable) == ("", 1)
        assert world.titles()[0] == ["After", "Before"]
        (refused,) = [one for one in checks.check(world.accord) if "item" in one.subject]
        assert "'Poisonous'" in refused.detail and "a fault of Accord (Poison)" in refused.detail
    (told,) = faults
    assert "in faulty" in told and "Poisonous" not in told  # what people write is in no log
    world.sync(full=True)
    assert world.titles()[0] == ["After", "Before", "Poisonous"]
    assert not world.pending()


FAULTS: dict[str, Plant] = {
    "opening": in_opening,
    "recovering": at(begin, "recover"),
    "reading": at(sync, "read_folder"),
    "reading the CRM": at(sync, "read_crm"),
    "gathering": at(sync, "gather"),
    "writing": in_writing,
    "ending": at(sync, "_finish"),
}


@pytest.mark.parametrize("where", FAULTS)
def test_a_fault_in_one_link_stops_no_other(
    monkeypatch: pytest.MonkeyPatch, faults: list[str], where: str
) -> None:
    world = World("alice", "bob", "carl")
    for user in ("alice", "bob", "carl"):
        world.mailbox(user).add(event(f"Of {user}"))
    with monkeypatch.context() as patch:
        FAULTS[where](patch, world)
        reports = visit_all(world)
    assert {user: report.action for user, report in reports.items()} == {
        "alice": "",
        "bob": "bug",
        "carl": "",
    }
    assert "a fault of Accord (Poison)" in reports["bob"].error
    assert [world.titles(user)[0] for user in ("alice", "carl")] == [["Of alice"], ["Of carl"]]
    assert faults and all("in faulty" in told and WORDS not in told for told in faults)
    if reports["bob"].run:
        told = [one for one in checks.check(world.accord) if "a fault of Accord" in one.detail]
        assert [one.subject for one in told] == ["link bob events"]
    again = visit_all(world)
    assert not any(report.error for report in again.values())
    assert world.titles("bob")[0] == ["Of bob"]
    assert world.intents() == []


@pytest.mark.usefixtures("faults")
def test_a_preview_shows_the_others_too(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World("alice", "bob", "carl")
    world.mailbox("carl").add(event("Of carl"))
    at(sync, "gather")(monkeypatch, world)
    reports = visit_all(world, dry=True)
    assert reports["bob"].action == "bug"
    assert reports["carl"].side(Side.CRM).created == 1
