"""The CRM in memory keeps every promise of the CRM contract, quiet or spoiled."""

from __future__ import annotations

import pytest

from accord.crm.memory import MemoryCrm, Right, build
from accord.ports.adapter import Adapter
from accord.testing import CrmContract
from accord.testing.crm import RightsContract, SyncListContract
from accord.testing.files import FilesContract
from accord.testing.hostile import Hostile, Hostility, hostile
from accord.testing.photos import PhotosContract
from accord.testing.place import SecondSession
from tests.contract.patience import BusyAndForgetful, patient

USERS = {"ann": "ann@example.com", "bob": "bob@example.com Robert@example.com"}


class PersonHand(SecondSession):
    """A user in front of the CRM."""

    adapter: MemoryCrm

    def deny(self, ref: str, user: str) -> None:
        self.adapter.person(user).allow(ref, user, Right.NONE)

    def allow(self, ref: str, user: str) -> None:
        self.adapter.person(user).allow(ref, user, Right.WRITE)

    def choose(self, ref: str, user: str) -> None:
        self.adapter.person(self.principal).share(ref, user)

    def unchoose(self, ref: str, user: str) -> None:
        self.adapter.person(self.principal).unshare(ref, user)


class TestDefault(CrmContract, RightsContract, SyncListContract, FilesContract, PhotosContract):
    @pytest.fixture
    def adapter(self) -> MemoryCrm:
        return build({"users": USERS, "page": 4})

    @pytest.fixture
    def other_hand(self, adapter: MemoryCrm, principal: str) -> PersonHand:
        return PersonHand(adapter, principal)


class TestPoor(CrmContract):
    """Cuts titles, knows fewer fields, restores nothing."""

    @pytest.fixture
    def adapter(self) -> MemoryCrm:
        omitted = "event.url event.reminders task.priority contact.urls absence.outside_message"
        return build({"users": USERS, "title_limit": 64, "omitted": omitted, "restores": False})


class TestQuietHostile(CrmContract):
    """The wrapper itself breaks no promise."""

    @pytest.fixture
    def adapter(self) -> Hostile:
        return hostile(build({"users": USERS, "page": 3}), Hostility())


class TestBusyHostile(CrmContract):
    """Throttled, with answers lost and pages shuffled, to a caller that asks again."""

    @pytest.fixture
    def adapter(self) -> Adapter:
        return patient(hostile(build({"users": USERS}), BusyAndForgetful()))
