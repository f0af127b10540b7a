"""The real SyncML client and CRM.interface as a process: one house with anna in it per test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from accord.sandbox.process import PeerMissing
from tests.interop.client import compile_shim
from tests.interop.house import House
from tests.interop.lab import Lab, ReferenceLab, Tap
from tests.interop.reference import Reference
from tests.peers import miss


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the packaged client needs to speak HTTP, compiled."""
    try:
        return compile_shim(tmp_path_factory.mktemp("shim"))
    except PeerMissing as missing:
        miss(missing)
        raise


@pytest.fixture
def lab(tmp_path: Path, shim: Path, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A running CRM.interface where anna works, behind a proxy.

    A test that asks for `database_url`, too, has it play on SQLite and on PostgreSQL.
    """
    if os.environ.get("ACCORD_INTEROP") == "reference":
        with Reference(tmp_path / "house") as server, Tap(server.url) as proxy:
            yield ReferenceLab(tmp_path, shim, server, proxy)
        return
    database = "sqlite:///accord.db"
    if "database_url" in request.fixturenames:
        database = request.getfixturevalue("database_url")
    house = House(tmp_path / "house", database)
    with Tap(house.url) as proxy:
        lab = Lab(tmp_path, shim, house, proxy)
        lab.hire("anna")
        with house:
            yield lab


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "shim" in getattr(item, "fixturenames", ()):
            item.add_marker("peer")
