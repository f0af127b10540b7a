"""What the real SyncEvolution client and server sent of each kind, in new formats and in old.

Items are compared by what they say: the client adds PRODID and a fixed REV, ends ORG with
semicolons, writes birthdays without dashes, and ends a rule by date where it had a count.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from lxml import etree

from accord.formats import types
from accord.model.item import (
    Contact,
    Event,
    Item,
    Mailto,
    Phone,
    PostalAddress,
    Task,
    TaskStatus,
    kind_of,
)
from accord.model.occurrences import occurrences
from tests.unit.formats.messages import RECORDED

TEXTS = ("text/vcard", "text/x-vcard", "text/calendar", "text/x-vcalendar")


class Sent(NamedTuple):
    """Be one item as it stood in a message."""

    where: str
    type: str
    text: str


@pytest.fixture(scope="module")
def sent() -> list[Sent]:
    """All items of all recorded messages."""
    if not RECORDED and os.environ.get("ACCORD_REQUIRE_PEERS") != "1":
        pytest.skip("no recorded conversations")
    found = [one for path in RECORDED for one in items_of(path)]
    assert {one.type for one in found} == set(TEXTS)
    return found


def items_of(path: Path) -> list[Sent]:
    """Return the items of a message, whatever its namespace."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    root = etree.parse(path, parser).getroot()
    found = []
    for command in root.iter("{*}Add", "{*}Replace"):
        kinds = [one.text or "" for one in command.iter("{*}Type")]
        texts = [one.text or "" for one in command.iter("{*}Data")]
        if len(kinds) == 1 and kinds[0] in TEXTS:
            where = f"{path.parent.name}/{path.name}"
            found += [Sent(where, kinds[0], text) for text in texts if text.strip()]
    return found


def starts(item: Item) -> list[datetime]:
    """Return the starts of an entry or task."""
    assert isinstance(item, Event | Task)
    span = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
    return [one.begins for one in occurrences(item, *span)]


def test_every_item_is_read_and_comes_back_in_all_its_formats(sent: list[Sent]):
    assert len(sent) > 30
    for one in sent:
        item = types.decode(one.text, one.type)
        for form in types.FORMATS[kind_of(item)]:
            again = types.decode(types.encode(item, *form), form.type)
            lost = set(types.losses(item, *form))
            assert lost <= {"rule", "extras"}, (one, form)
            if not isinstance(item, Contact):
                assert starts(again) == starts(item), (one, form)


def test_the_card_of_a_phone_of_old(sent: list[Sent]):
    (text,) = {one.text for one in sent if one.type == "text/x-vcard"}
    item = types.decode(text, "text/x-vcard")
    assert item == Contact(
        uid=item.uid,
        full_name="Alan Turing",
        given="Alan",
        family="Turing",
        organization="Example Ltd",
        department="R&D",
        mails=(Mailto(address="alan@example.org"),),
        phones=(Phone(number="+1-555-0100", type="other", features=("cell",)),),
        addresses=(
            PostalAddress(
                street="1 Main St",
                locality="Springfield",
                region="IL",
                postcode="62701",
                country="USA",
            ),
        ),
        birthday="1970-01-01",
        notes="zwölf \u2013 line one\nline two",
        extras=item.extras,
    )
    # Another spelling of the same values is all that is kept beside them.
    assert set(item.extras) <= {"vcard:BDAY", "vcard:EMAIL"}


def test_the_entry_of_a_phone_of_old_is_that_of_a_new_one(sent: list[Sent]):
    old = [one for one in sent if one.type == "text/x-vcalendar" and "VEVENT" in one.text]
    new = [one for one in sent if one.type == "text/calendar" and "ev-cli-1@" in one.text]
    march = [datetime(2024, 3, day, 10, tzinfo=UTC) for day in (1, 8, 15, 22)]
    for one in old:
        item = types.decode(one.text, one.type)
        assert isinstance(item, Event)
        assert (item.time_zone, item.location, item.title[:7]) == ("UTC", "Room 1", "Meeting")
        assert starts(item) == march
    assert old
    assert any(starts(types.decode(one.text, one.type)) == march for one in new)


def test_the_task_of_a_phone_of_old(sent: list[Sent]):
    old = [one for one in sent if one.type == "text/x-vcalendar" and "VTODO" in one.text]
    for one in old:
        item = types.decode(one.text, one.type)
        assert isinstance(item, Task)
        assert (item.due, item.time_zone) == (datetime(2024, 4, 1, 12), "UTC")
        assert (item.status, item.priority) == (TaskStatus.NEEDS_ACTION, 1)
        assert item.extras == {}
    assert old
