"""A CRM behind CRM.interface keeps every promise of the CRM contract, as if it were at hand."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing
from typing import Any, ClassVar

import pytest

from accord.crm.database import DatabaseCrm
from accord.crm.database import build as database
from accord.crm.database.admin import Administration
from accord.crm.memory import MemoryCrm
from accord.crm.memory import build as memory
from accord.crm.syncml import SyncmlCrm
from accord.testing import CrmContract
from accord.testing.crm import RightsContract, SyncListContract
from accord.testing.files import FilesContract
from accord.testing.photos import PhotosContract
from tests.connector import Endpoint, endpoint
from tests.contract.test_crm_database import AdministratorsHand
from tests.contract.test_crm_memory import USERS, PersonHand


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with endpoint(tmp_path_factory.mktemp("house")) as made:
        yield made


@pytest.fixture(scope="module")
def crm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseCrm]:
    """One database for all cases: each has users of its own, which is all they can see."""
    url = f"sqlite:///{tmp_path_factory.mktemp('crm') / 'crm.sqlite'}"
    with closing(database({"url": url, "page": 4})) as made:
        yield made


class TestMemory(CrmContract, RightsContract, SyncListContract, FilesContract, PhotosContract):
    """In front of the CRM in memory, whose pages are small."""

    crm_settings: ClassVar[dict[str, Any]] = {"page": 4}
    client_settings: ClassVar[dict[str, Any]] = {}

    @pytest.fixture
    def behind(self) -> MemoryCrm:
        return memory({"users": USERS, **self.crm_settings})

    @pytest.fixture
    def adapter(self, behind: MemoryCrm, house: Endpoint) -> Iterator[SyncmlCrm]:
        house.serve(behind)
        with closing(house.client(**self.client_settings)) as client:
            yield client

    @pytest.fixture
    def other_hand(self, behind: MemoryCrm, principal: str) -> PersonHand:
        return PersonHand(behind, principal)


@pytest.mark.long
class TestMemoryInSmallMessages(TestMemory):
    """Where a page takes many messages, and an item several."""

    crm_settings: ClassVar[dict[str, Any]] = {"page": 40}
    client_settings: ClassVar[dict[str, Any]] = {"max_message": 8_000}


class TestDatabase(CrmContract, RightsContract, SyncListContract, FilesContract, PhotosContract):
    """In front of the built-in CRM."""

    @pytest.fixture
    def adapter(
        self, crm: DatabaseCrm, house: Endpoint, principal: str, colleague: str
    ) -> Iterator[SyncmlCrm]:
        admin = Administration(crm)
        admin.add_user(principal, f"{principal}@example.com")
        admin.add_user(colleague, f"{colleague}@example.com", f"Alias.{colleague}@example.com")
        house.serve(crm)
        with closing(house.client()) as client:
            yield client

    @pytest.fixture
    def principal(self) -> str:
        return f"ann-{secrets.token_hex(4)}"

    @pytest.fixture
    def colleague(self) -> str:
        return f"bob-{secrets.token_hex(4)}"

    @pytest.fixture
    def other_hand(
        self, crm: DatabaseCrm, adapter: SyncmlCrm, principal: str
    ) -> AdministratorsHand:
        return AdministratorsHand(crm, principal)
