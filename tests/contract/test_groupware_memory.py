"""The memory adapter keeps every promise of the groupware contract, quiet or spoiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from accord.groupware.memory import MemoryGroupware, build
from accord.model.kinds import Kind
from accord.ports.adapter import Adapter
from accord.testing import GroupwareContract
from accord.testing.files import FilesContract
from accord.testing.groupware import (
    MailContract,
    MovesContract,
    PlantContract,
    UnreadableContract,
)
from accord.testing.hostile import Hostility, hostile
from accord.testing.photos import PhotosContract
from accord.testing.place import SecondSession
from tests.contract.patience import BusyAndForgetful, patient

PRINCIPAL = "ann@example.com"


class TestDefault(GroupwareContract, FilesContract, PhotosContract):
    @pytest.fixture
    def adapter(self) -> MemoryGroupware:
        return build({"page": 4})


class PersonHand(SecondSession):
    """The mailbox's owner, in front of Outlook."""

    adapter: MemoryGroupware

    def move(self, folder: str, kind: Kind, ref: str) -> str:
        person = self.adapter.person(self.principal)
        target = person.add_folder(f"{folder}-2", kind)
        person.move(ref, target)
        return target

    def corrupt(self, folder: str, kind: Kind, ref: str) -> None:
        self.adapter.person(self.principal).corrupt(ref)

    def plant(self, folder: str, kind: Kind, ref: str) -> Any:
        self.adapter.person(self.principal).keep(ref, "colour", "green")
        return self.planted(folder, kind, ref)

    def planted(self, folder: str, kind: Kind, ref: str) -> Any:
        return self.adapter.person(self.principal).kept(ref)


class TestPerson(GroupwareContract, MovesContract, UnreadableContract, PlantContract, MailContract):
    @pytest.fixture
    def adapter(self) -> MemoryGroupware:
        return build({})

    @pytest.fixture
    def other_hand(self, adapter: MemoryGroupware, principal: str) -> PersonHand:
        return PersonHand(adapter, principal)

    @pytest.fixture
    def mailed(self, adapter: MemoryGroupware) -> Callable[[], list[str]]:
        return lambda: [mail.to for mail in adapter.outbox]


class TestScheduling(TestPerson):
    """Mails by itself, as RFC 6638 servers do, and has no trash."""

    @pytest.fixture
    def adapter(self) -> MemoryGroupware:
        return build({"schedules": True, "trash": False})


class TestPoor(GroupwareContract):
    """Cuts titles, drops seconds, gives uids of its own, refuses foreign organizers."""

    @pytest.fixture
    def adapter(self) -> MemoryGroupware:
        return build(
            {
                "title_limit": 64,
                "seconds": False,
                "uid_kept": False,
                "foreign_organizer": False,
                "restores": True,
                "omitted": "event.url event.reminders task.priority contact.urls contact.photo",
                "page": 1,
                "batch": 1,
            }
        )


class TestQuietHostile(TestPerson):
    """The wrapper itself breaks no promise."""

    @pytest.fixture
    def inner(self) -> MemoryGroupware:
        return build({"page": 3})

    @pytest.fixture
    def adapter(self, inner: MemoryGroupware) -> Adapter:
        return hostile(inner, Hostility())

    @pytest.fixture
    def other_hand(self, inner: MemoryGroupware, principal: str) -> PersonHand:
        return PersonHand(inner, principal)

    @pytest.fixture
    def mailed(self, inner: MemoryGroupware) -> Callable[[], list[str]]:
        return lambda: [mail.to for mail in inner.outbox]


class TestBusyHostile(TestQuietHostile):
    """Throttled, with answers lost and pages shuffled, to a caller that asks again."""

    @pytest.fixture
    def inner(self) -> MemoryGroupware:
        return build({})

    @pytest.fixture
    def adapter(self, inner: MemoryGroupware) -> Adapter:
        return patient(hostile(inner, BusyAndForgetful()))
