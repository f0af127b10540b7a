"""The real SyncML client and CRM.interface as a process: an anna of its own for each test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from accord.sandbox.process import PeerMissing
from tests.interop.client import Kit, make_kit
from tests.interop.house import STATE, House
from tests.interop.lab import Lab, ReferenceLab, Tap
from tests.interop.reference import Reference, find_server
from tests.interop.shop import Shop
from tests.peers import miss, serve


@pytest.fixture(scope="session")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    """What the packaged client needs to run at all."""
    try:
        return make_kit(tmp_path_factory.mktemp("kit"))
    except PeerMissing as missing:
        miss(missing)
        raise


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, kit: Kit) -> Shop:
    """Where devices come from."""
    return Shop(tmp_path_factory.mktemp("shop"), kit)


@pytest.fixture(scope="session")
def new_house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an installation in which nobody works yet."""
    return House(tmp_path_factory.mktemp("house")).folder


@pytest.fixture(scope="session")
def shared_house(tmp_path_factory: pytest.TempPathFactory, new_house: Path) -> Iterator[House]:
    """A running CRM.interface in which the people of many tests work."""
    folder = tmp_path_factory.mktemp("shared") / "house"
    shutil.copytree(new_house, folder)
    yield from serve(lambda: House(folder))


@pytest.fixture
def own_house(tmp_path: Path, new_house: Path, request: pytest.FixtureRequest) -> Iterator[House]:
    """A running CRM.interface that a test may kill, or rob of its memory.

    A test that asks for `database_url`, too, has it play on SQLite and on PostgreSQL.
    """
    folder, database = tmp_path / "house", STATE
    if "database_url" in request.fixturenames:
        database = request.getfixturevalue("database_url")
    else:
        shutil.copytree(new_house, folder)
    yield from serve(lambda: House(folder, database))


@pytest.fixture
def reference() -> None:
    """The programs of SyncEvolution's own server, which are no part of the client."""
    try:
        find_server()
    except PeerMissing as missing:
        miss(missing)


@pytest.fixture
def lab(tmp_path: Path, shop: Shop, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A running CRM.interface where anna works, behind a proxy; `own_house` makes it hers alone."""
    if os.environ.get("ACCORD_INTEROP") == "reference":
        with Reference(tmp_path / "house") as server, Tap(server.url) as proxy:
            yield ReferenceLab(tmp_path, shop, server, proxy)
        return
    alone = "own_house" in request.fixturenames
    house: House = request.getfixturevalue("own_house" if alone else "shared_house")
    with Tap(house.url) as proxy:
        lab = Lab(tmp_path, shop, house, proxy)
        lab.hire("anna")
        yield lab


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "kit" in getattr(item, "fixturenames", ()):
            item.add_marker("peer")
