"""What came into a mailbox and went again between two pulls: no list of changes need name it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from accord.groupware.memory.session import MemorySession
from accord.model.kinds import Kind
from accord.model.observe import Deleted, Listing
from tests.unit.service.kit import World, event


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let a mailbox leave out what its reader can't know from it; return what is asked for."""
    changes, fetch = MemorySession.changes, MemorySession.fetch
    refs: list[str] = []
    shown: set[str] = set()

    def forgetful(self: Any, *given: Any) -> Iterator[Listing]:
        for page in changes(self, *given):
            seen = tuple(
                one for one in page.observations if not isinstance(one, Deleted) or one.ref in shown
            )
            shown.update(one.ref for one in seen)
            yield msgspec.structs.replace(page, observations=seen)

    def counted(self: Any, folder: str, kind: Kind, asks: Any) -> Any:
        refs.extend(ask.ref for ask in asks)
        return fetch(self, folder, kind, asks)

    monkeypatch.setattr(MemorySession, "changes", forgetful)
    monkeypatch.setattr(MemorySession, "fetch", counted)
    return refs


def test_what_a_person_deletes_before_the_next_visit_is_deleted() -> None:
    world = _two_from_the_crm()
    world.mailbox().delete(_ref(world, "Second"))
    report = world.sync()
    assert report.crm.deleted == 1
    assert world.titles() == (["First"], ["First"])


def test_what_was_made_by_a_visit_that_died_is_not_forgotten() -> None:
    world = World()
    world.person().add(event("First"))
    world.sync()
    world.person().add(event("Second"))
    assert world.crash(lambda point: point == "after create on groupware")
    world.mailbox().delete(_ref(world, "Second"))
    for _ in range(2):
        world.sync()
    assert world.titles() in ((["First"], ["First"]), (["First", "Second"],) * 2)


def test_a_visit_that_died_once_its_write_was_entered_tells_the_next(asked: list[str]) -> None:
    world = World()
    world.person().add(event("First"))
    world.sync()
    world.person().add(event("Second"))
    points: list[str] = []

    def entered(point: str) -> bool:
        points.append(point)
        done = "after create on groupware" in points
        return done and point == "after transaction"

    assert world.crash(entered)
    world.mailbox().delete(_ref(world, "Second"))
    world.sync()
    assert world.titles() == (["First"], ["First"])


def test_what_a_visit_that_died_brought_into_the_crm_is_not_forgotten() -> None:
    world = World()
    world.mailbox().add(event("First"))
    world.sync()
    world.mailbox().add(event("Second"))
    points: list[str] = []

    def entered(point: str) -> bool:
        points.append(point)
        return "after create on crm" in points and point == "after transaction"

    assert world.crash(entered)
    world.mailbox().delete(_ref(world, "Second"))
    world.sync()
    assert world.titles() == (["First"], ["First"])


def test_nothing_is_asked_for_that_the_pull_names(asked: list[str]) -> None:
    world = _two_from_the_crm()
    world.mailbox().add(event("Third"))
    for _ in range(3):
        world.sync()
    asked.clear()
    for _ in range(3):
        world.sync()
    assert asked == []


def _two_from_the_crm() -> World:
    """Return a world that has seen one item, and made another since."""
    world = World()
    world.person().add(event("First"))
    world.sync()
    world.person().add(event("Second"))
    world.sync()
    return world


def _ref(world: World, title: str) -> str:
    return next(s.ref for s in world.items() if getattr(s.item, "title", "") == title)
