"""One mailbox, at Accord's adapter and at DavMail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from uuid import uuid4

import pytest

from tests.davmail import DavMailHouse, DavPerson
from tests.fuzz.tally import RecordProperty, note
from tests.unit.exchange.beside import Desks, seated


class Gateway(NamedTuple):
    """One mailbox: at DavMail, at Accord, and its address."""

    other: DavPerson
    desks: Desks
    address: str


@pytest.fixture
def gateway(davmail_house: DavMailHouse, record_property: RecordProperty) -> Iterator[Gateway]:
    house, before = davmail_house, len(davmail_house.told)
    other = DavPerson(house, f"{uuid4().hex[:12]}@example.com")
    with seated(house.url, other.address) as desks:
        yield Gateway(other, desks, other.address)
    other.http.close()
    assert house.exchange.mails(other.address) == []
    note(len(house.told) - before, house.told[-1], record_property)
