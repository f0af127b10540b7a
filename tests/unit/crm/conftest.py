"""The built-in CRM on both databases in turn; one database for all tests of a process.

Every test has users of its own, and users are all that a test can see by.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from accord.crm.database import DatabaseCrm, build
from accord.sandbox.postgres import fresh_database
from tests.unit.crm.office import Office


@pytest.fixture(scope="session")
def crm_in_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseCrm]:
    url = f"sqlite:///{tmp_path_factory.mktemp('crm') / 'crm.sqlite'}"
    with closing(build({"url": url, "page": 7})) as crm:
        yield crm


@pytest.fixture(scope="session")
def crm_in_postgres(postgres: str) -> Iterator[DatabaseCrm]:
    with fresh_database(postgres) as url, closing(build({"url": url, "page": 7})) as crm:
        yield crm


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def crm(request: pytest.FixtureRequest) -> DatabaseCrm:
    found: DatabaseCrm = request.getfixturevalue(f"crm_in_{request.param}")
    return found


@pytest.fixture
def office(crm: DatabaseCrm) -> Office:
    return Office(crm)
