"""An item that Exchange itself can't read is told once, and read again when it has changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from accord.groupware.exchange.client import Client
from accord.model.kinds import Side
from accord.service.check import check
from accord.testing.samples import at
from tests.exchange import House
from tests.unit.service.test_files import World


@pytest.fixture(autouse=True)
def on_both() -> None:
    """Play on SQLite alone; what is stored is tried on both beside the tables."""


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    yield house
    house.close()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The refs that the server was asked for."""
    refs: list[str] = []
    get = Client.get

    def heard(self: Client, some: Sequence[str], *more: Any) -> Any:
        refs.extend(some)
        return get(self, some, *more)

    monkeypatch.setattr(Client, "get", heard)
    return refs


@pytest.mark.parametrize("paired", [False, True])
def test_it_is_not_asked_for_again_before_it_changes(
    tmp_path: Path, house: House, asked: list[str], *, paired: bool
) -> None:
    with closing(World(tmp_path, house)) as world:
        world.add(Side.GROUPWARE)
        ref = world.item(Side.GROUPWARE).ref
        if paired:
            world.sync()
            world.rename(Side.GROUPWARE, "Spoilt")
        fault = house.exchange.faults.plan("corrupt", times=None, item=ref)
        world.sync()
        told = [one for one in check(world.accord) if "unreadable" in one.subject]
        assert len(told) == 1, "said until it is mended"
        world.sync()
        asked.clear()
        now = world.accord.clock()
        for hours in (1, 8):
            world.accord.clock = lambda hours=hours: now + timedelta(hours=hours)  # type: ignore[misc]
            world.sync()
        assert ref not in asked
        house.exchange.faults.end(fault)
        world.change(Side.GROUPWARE, title="Mended", start=at("2030-03-01T09:00"))
        world.sync()
        assert world.item(Side.CRM).item.title == "Mended"  # type: ignore[union-attr]
        world.quiet()
        assert not [one for one in check(world.accord) if "unreadable" in one.subject]
