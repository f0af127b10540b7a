"""One place knows which codec speaks a content type, and what each type can't hold."""

from __future__ import annotations

from datetime import datetime

import pytest

from accord.formats import types
from accord.formats.errors import Refused
from accord.model.item import Absence, Contact, Event, Item, Task
from accord.model.kinds import Kind
from accord.model.parts import Body, BodyType
from accord.model.recurrence import Busy

EVENT = Event(uid="e", title="t", start=datetime(2024, 3, 1, 10), end=datetime(2024, 3, 1, 11))
TASK = Task(uid="t", title="t")
CONTACT = Contact(uid="c", full_name="Ann", given="Ann", birthday="--03-01")
ITEMS: dict[Kind, Item] = {Kind.EVENT: EVENT, Kind.TASK: TASK, Kind.CONTACT: CONTACT}


@pytest.mark.parametrize(
    ("kind", "one"), [(kind, one) for kind, all_ in types.FORMATS.items() for one in all_]
)
def test_every_format_is_written_and_read_again(kind: Kind, one: types.Format):
    item = ITEMS[kind]
    data = types.encode(item, f"{one.type.upper()}; charset=utf-8", one.version, marker="m")
    assert f"VERSION:{one.version}".encode() in data
    assert b"X-ACCORD-ID:m" in data
    found = types.decode(data, one.type)
    assert (type(found), found.uid) == (type(item), item.uid)


def test_without_a_version_the_first_of_the_type_is_meant():
    assert b"VERSION:3.0" in types.encode(CONTACT, "text/vcard")
    assert b"VERSION:2.1" in types.encode(CONTACT, "text/x-vcard")
    assert b"VERSION:1.0" in types.encode(EVENT, "text/x-vcalendar")


@pytest.mark.parametrize("media_type", ["text/calendar", "text/x-vcalendar;charset=utf-8"])
@pytest.mark.parametrize("version", ["2.0", "1.0"])
def test_a_text_is_read_by_what_it_says_of_itself(media_type: str, version: str):
    own = "text/calendar" if version == "2.0" else "text/x-vcalendar"
    assert types.decode(types.encode(EVENT, own, version), media_type) == EVENT
    card = types.encode(CONTACT, "text/vcard", "4.0")
    assert types.decode(card, "text/x-vcard").uid == "c"


def test_the_version_in_a_title_is_no_version():
    item = Event(uid="e", title="VERSION:1.0", start=EVENT.start, end=EVENT.end)
    assert types.decode(types.encode(item, "text/calendar"), "text/calendar") == item


@pytest.mark.parametrize(
    ("item", "media_type", "version"),
    [
        (EVENT, "text/vcard", ""),
        (CONTACT, "text/calendar", ""),
        (EVENT, "text/calendar", "1.0"),
        (EVENT, "text/x-vcalendar", "2.0"),
        (CONTACT, "text/x-vcard", "3.0"),
        (EVENT, "application/json", ""),
        (Absence(uid="a", start=EVENT.start, end=EVENT.end), "text/calendar", ""),
    ],
)
def test_a_type_that_can_not_hold_an_item_refuses_it(item: Item, media_type: str, version: str):
    with pytest.raises(Refused, match="can't hold"):
        types.encode(item, media_type, version)


def test_an_unknown_type_is_refused():
    with pytest.raises(Refused, match="isn't supported"):
        types.decode(b"{}", "application/json")


def test_losses_are_named():
    html = Body(text="<p>x</p>", type=BodyType.HTML)
    item = Event(
        uid="e", start=EVENT.start, end=EVENT.end, time_zone="Asia/Tokyo", body=html, busy=Busy.FREE
    )
    assert types.losses(item, "text/x-vcalendar") == ("body",)
    assert types.losses(item, "text/calendar") == ()
    assert types.losses(CONTACT, "text/x-vcard") == ("birthday",)
    assert types.losses(CONTACT, "text/vcard", "4.0") == ()
