"""The built-in CRM keeps every promise of the CRM contract, on SQLite and on PostgreSQL."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from accord.crm.database import DatabaseCrm, build
from accord.crm.database.admin import Administration
from accord.model.kinds import Kind
from accord.sandbox.postgres import fresh_database
from accord.testing import CrmContract
from accord.testing.crm import RightsContract, SyncListContract
from accord.testing.files import FilesContract
from accord.testing.photos import PhotosContract
from accord.testing.place import SecondSession


class AdministratorsHand(SecondSession):
    """A user in front of the CRM, with an administrator beside them."""

    def __init__(self, adapter: DatabaseCrm, principal: str) -> None:
        super().__init__(adapter, principal)
        self.admin = Administration(adapter)

    def deny(self, ref: str, user: str) -> None:
        for kind in Kind:
            self.admin.set_level(user, kind, "none")

    def allow(self, ref: str, user: str) -> None:
        for kind in Kind:
            self.admin.set_level(user, kind, "write")

    def choose(self, ref: str, user: str) -> None:
        self.admin.choose(user, ref)

    def unchoose(self, ref: str, user: str) -> None:
        self.admin.choose(user, ref, chosen=False)


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
)
def crm(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DatabaseCrm]:
    """One database for all cases: each has users of its own, which is all they can see."""
    with ExitStack() as stack:
        url = f"sqlite:///{tmp_path_factory.mktemp('crm') / 'crm.sqlite'}"
        if request.param == "postgres":
            url = stack.enter_context(fresh_database(request.getfixturevalue("postgres")))
        yield stack.enter_context(closing(build({"url": url, "page": 4})))


class TestDatabase(CrmContract, RightsContract, SyncListContract, FilesContract, PhotosContract):
    @pytest.fixture
    def adapter(self, crm: DatabaseCrm, principal: str, colleague: str) -> DatabaseCrm:
        admin = Administration(crm)
        admin.add_user(principal, f"{principal}@example.com")
        admin.add_user(colleague, f"{colleague}@example.com", f"Alias.{colleague}@example.com")
        return crm

    @pytest.fixture
    def principal(self) -> str:
        return f"ann-{secrets.token_hex(4)}"

    @pytest.fixture
    def colleague(self) -> str:
        return f"bob-{secrets.token_hex(4)}"

    @pytest.fixture
    def other_hand(self, adapter: DatabaseCrm, principal: str) -> AdministratorsHand:
        return AdministratorsHand(adapter, principal)
