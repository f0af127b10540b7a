"""What is quicker says the same: less is looked for and less is set, and nothing else changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from lxml import etree

from accord.groupware.exchange import kinds, trees
from accord.groupware.exchange.codec import quick
from accord.groupware.exchange.kinds import FORMS
from accord.groupware.exchange.wire import PROPERTY_SET, t
from accord.model.kinds import Kind
from accord.ports.errors import Rejected
from accord.testing.samples import samples
from tests.unit.exchange.post import ALICE

HOME = "Europe/Zurich"


def sent(kind: Kind) -> Iterator[dict[str, Any]]:
    """Yield what is sent of each sample that Exchange can hold."""
    for item in samples(kind, ALICE).values():
        with suppress(Rejected):
            values = kinds.codec(kind).properties(item, home=HOME)
            yield values | {"accord_key": "k", "accord_marker": "<m> & \x01"}


@pytest.mark.parametrize("kind", FORMS)
def test_a_new_item_is_what_the_whole_model_makes_of_it(kind: Kind) -> None:
    for values in sent(kind):
        few, every = (trees.created(one(kind), values) for one in (kinds.narrowed, kinds.model))
        assert etree.tostring(few) == etree.tostring(every)


@pytest.mark.parametrize("kind", FORMS)
def test_an_item_is_read_as_field_by_field(kind: Kind) -> None:
    """What isn't in the answer has the value that exchangelib gives it."""
    narrow = kinds.narrowed(kind)
    made = [trees.created(kinds.model(kind), values) for values in sent(kind)]
    for text in map(etree.tostring, (*made, t(FORMS[kind].element))):
        asked = etree.fromstring(text)
        plain = {
            each.name: each.from_xml(elem=asked, account=trees.offline()) for each in narrow.FIELDS
        }
        expected = narrow(**plain)
        read = quick.element(narrow, etree.fromstring(text), trees.offline())
        for each in narrow.FIELDS:
            assert getattr(read, each.name) == getattr(expected, each.name), each.name


def own(name: str, value: str, set_id: str = PROPERTY_SET) -> Any:
    path = t("ExtendedFieldURI", PropertySetId=set_id, PropertyName=name, PropertyType="String")
    return t("ExtendedProperty", path, t("Value", value))


def read(*properties: Any) -> Any:
    return trees.read(kinds.narrowed(Kind.TASK), t("Task", *properties))


def test_own_properties_are_told_by_name_and_set() -> None:
    other = "00020329-0000-0000-c000-000000000046"
    found = read(own("AccordKey", "theirs", other), own("AccordMarker", "m"), own("AccordKey", "k"))
    assert (found.accord_key, found.accord_marker, found.accord_uid) == ("k", "m", None)
    assert read(own("AccordKey", "k", f"{{{PROPERTY_SET.upper()}}}")).accord_key == "k"
    assert read(own("accordkey", "k")).accord_key is None
    assert read(own("AccordKey", "")).accord_key == ""


def test_an_own_property_is_text() -> None:
    with pytest.raises(Rejected, match="no text"):
        trees.created(kinds.narrowed(Kind.TASK), {"subject": "x", "accord_key": 5})


def test_links_of_other_programs_are_read_beside_our_own() -> None:
    path = t(
        "ExtendedFieldURI",
        DistinguishedPropertySetId="PublicStrings",
        PropertyName="SkypeTeamsMeetingUrl",
        PropertyType="String",
    )
    link = t("ExtendedProperty", path, t("Value", "https://teams.example.com/1"))
    entry = t("CalendarItem", own("AccordKey", "k"), link)
    found = trees.read(kinds.narrowed(Kind.EVENT), entry)
    assert (found.teams_link, found.accord_key) == ("https://teams.example.com/1", "k")
    assert found.conference_link is None
