"""Files and photos reach a mailbox on Exchange from a CRM on another machine, and the way back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from accord.model.kinds import Side
from accord.ports.clock import system_clock
from accord.state import State
from accord.testing.photos import JPEG, PNG
from tests.connector import Endpoint
from tests.databases import Sqlite
from tests.exchange import House
from tests.unit.service.test_files import PLAN, World
from tests.unit.service.test_photos import Faces


@pytest.fixture(autouse=True)
def on_both() -> None:
    """Play on SQLite alone; what is stored is tried on both beside the tables."""


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    house = House()
    yield house
    house.close()


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Endpoint]:
    with closing(Sqlite().blank()) as database:
        yield Endpoint(State(database, tmp_path / "there.key", system_clock))


def behind(world: World, there: Endpoint, **settings: int) -> None:
    """Put CRM.interface between a world and its CRM."""
    there.serve(world.accord.crm, **settings)
    world.accord.crm = there.direct()


def test_files_go_both_ways(tmp_path: Path, house: House, there: Endpoint) -> None:
    with closing(World(tmp_path, house)) as world:
        behind(world, there)
        world.add(Side.GROUPWARE)
        world.put(Side.GROUPWARE)
        world.sync()
        assert world.both() == {"plan.pdf": PLAN}
        world.put(Side.CRM, "reply.txt", b"reply")
        world.sync()
        assert world.both() == {"plan.pdf": PLAN, "reply.txt": b"reply"}
        world.take(Side.GROUPWARE, "plan.pdf")
        world.sync()
        assert world.both() == {"reply.txt": b"reply"}
        world.quiet()


def test_photos_go_both_ways(tmp_path: Path, house: House, there: Endpoint) -> None:
    with closing(Faces(tmp_path, house)) as world:
        behind(world, there)
        world.meet(Side.CRM)
        world.give(Side.CRM)
        world.sync()
        assert world.faces() == [JPEG, JPEG]
        world.give(Side.GROUPWARE, PNG, "image/png")
        world.sync()
        assert world.faces() == [PNG, PNG]
        world.strip(Side.CRM)
        world.sync()
        assert world.faces() == [None, None]


def test_a_file_too_large_for_the_way_is_left_out_with_the_reason(
    tmp_path: Path, house: House, there: Endpoint
) -> None:
    with closing(World(tmp_path, house)) as world:
        behind(world, there, max_object=100_000)
        world.add(Side.GROUPWARE)
        world.put(Side.GROUPWARE)
        world.put(Side.GROUPWARE, "small.txt", b"small")
        world.sync()
        assert world.files(Side.CRM) == {"small.txt": b"small"}
        assert "plan.pdf" in world.told() and "too large" in world.told()
