"""Every test of the service runs on both databases: a world takes the one whose turn it is.

A module whose tests open none overrides `on_both`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.databases import Databases
from tests.unit.service.kit import supply


@pytest.fixture(autouse=True)
def on_both(databases: Databases) -> Iterator[None]:
    with supply(databases.blank):
        yield
