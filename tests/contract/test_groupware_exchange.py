"""The Exchange adapter keeps every promise of the groupware contract on the stand-in.

Every request and every answer is held against Microsoft's schema, where that is at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from accord.formats.outlook.events import event_pattern
from accord.formats.outlook.pattern import Unfit
from accord.groupware.exchange import ExchangeAdapter, build, kinds, trees
from accord.groupware.exchange.client import Shape
from accord.groupware.exchange.wire import t
from accord.model.item import Event, Item
from accord.model.kinds import Kind
from accord.testing import GroupwareContract
from accord.testing.files import FilesContract
from accord.testing.groupware import MailContract, MovesContract, PlantContract
from accord.testing.photos import PhotosContract
from accord.testing.place import SecondSession
from tests.exchange import ROBOT, House
from tests.fuzz.tally import RecordProperty, note
from tests.unit.sandbox.ews import Judge

VALID = "EWS messages of the adapter and the stand-in valid against Microsoft's schema"


def adapter_for(url: str, **more: Any) -> ExchangeAdapter:
    return build(
        {
            "url": url,
            "auth": "basic",
            "user": ROBOT,
            "password": "secret",
            "address_book": "Contacts",
            **more,
        }
    )


class ClientHand(SecondSession):
    """Another client at the same mailbox."""

    adapter: ExchangeAdapter

    def move(self, folder: str, kind: Kind, ref: str) -> str:
        with self.adapter.open(self.principal) as session:
            target = session.make_folder("elsewhere", kind).id
            session._client.move([ref], target)
        return target

    def plant(self, folder: str, kind: Kind, ref: str) -> Any:
        value = t("ExtendedProperty", others(), t("Value", "its own"))
        update = trees.set_path(kinds.model(kind), others(), value)
        with self.adapter.open(self.principal) as session:
            named = t("ItemChange", t("ItemId", Id=ref), t("Updates", update))
            (answer,) = session._client.update([named], notify=False, overwrite=True)
            assert answer.error is None
        return self.planted(folder, kind, ref)

    def planted(self, folder: str, kind: Kind, ref: str) -> Any:
        with self.adapter.open(self.principal) as session:
            (answer,) = session._client.get([ref], Shape((others(),)))
        return [each.text for each in answer.node.iter("{*}Value")]


def others() -> Any:
    """Return the path to what another program keeps on items."""
    return t(
        "ExtendedFieldURI",
        DistinguishedPropertySetId="PublicStrings",
        PropertyName="OtherProgram",
        PropertyType="String",
    )


class Tally:
    """Note every message that the schema finds valid on the test that is being run."""

    def __init__(self) -> None:
        self.record: RecordProperty | None = None

    def __call__(self, _what: str) -> None:
        if self.record is not None:
            note(1, VALID, self.record)


@pytest.fixture(scope="module")
def tally() -> Tally:
    return Tally()


@pytest.fixture(scope="module")
def house(tally: Tally) -> Iterator[House]:
    house = House(Judge(tally))
    yield house
    house.close()


class TestExchange(
    GroupwareContract, MovesContract, PlantContract, MailContract, FilesContract, PhotosContract
):
    kinds = (Kind.EVENT, Kind.TASK, Kind.CONTACT)

    def takes(self, item: Item) -> bool:
        """Exchange can't say every series; such a one is refused with the reason."""
        if not isinstance(item, Event) or not item.recurs:
            return True
        return not isinstance(event_pattern(item), Unfit)

    @pytest.fixture(autouse=True)
    def _count(self, tally: Tally, record_property: RecordProperty) -> None:
        tally.record = record_property

    @pytest.fixture
    def principal(self, house: House) -> str:
        return house.person()

    @pytest.fixture
    def adapter(self, house: House) -> Iterator[ExchangeAdapter]:
        adapter = adapter_for(house.url)
        yield adapter
        adapter.close()

    @pytest.fixture
    def other_hand(self, adapter: ExchangeAdapter, principal: str) -> ClientHand:
        return ClientHand(adapter, principal)

    @pytest.fixture
    def mailed(self, house: House, principal: str) -> Callable[[], list[str]]:
        return lambda: [mail.recipient for mail in house.exchange.mails(principal)]
