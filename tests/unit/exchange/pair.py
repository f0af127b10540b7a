"""One mailbox, at Accord's adapter and at exchangelib as it comes (`plain`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.exchange import House
from tests.fuzz.tally import RecordProperty, note
from tests.unit.exchange import plain
from tests.unit.exchange.beside import Desks, seated
from tests.unit.sandbox.ews import Judge


class Pair(NamedTuple):
    """One mailbox: at exchangelib, at Accord, and its address."""

    other: Any
    desks: Desks
    address: str


class Scene(NamedTuple):
    """A stand-in Exchange, what its messages are told to, and exchangelib's process."""

    house: House
    told: list[str]
    process: plain.Plain


@pytest.fixture(scope="session")
def scene() -> Iterator[Scene]:
    told: list[str] = []
    house = House(Judge(told.append))
    with plain.started() as process:
        yield Scene(house, told, process)
    house.close()


@pytest.fixture
def pair(scene: Scene, record_property: RecordProperty) -> Iterator[Pair]:
    before, address = len(scene.told), scene.house.person()
    other = scene.process.Mailbox(scene.house.url, address)
    with seated(scene.house.url, address) as desks:
        yield Pair(other, desks, address)
    assert other.strangers() == []
    other.close()
    assert scene.house.exchange.mails() == []
    if len(scene.told) > before:
        note(len(scene.told) - before, scene.told[-1], record_property)
