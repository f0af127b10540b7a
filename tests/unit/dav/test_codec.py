"""Texts and items: what Accord writes beside an item, and values that servers would spoil."""

from __future__ import annotations

import re
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.formats.lines import parse
from accord.groupware.dav import codec, shield
from accord.model.item import Contact, Event, Item
from accord.model.kinds import Kind
from accord.model.parts import Attachment
from tests.unit.dav.fake import event, todo

LINKS = [
    "https://x.test/j?a=1,2;b=3",
    'https://x.test/"q",',
    "https://x.test/",
    "https://x.test/^n,",
]
CATEGORIES = [("A, B",), ("Kunde", "A, B", "C", ";,"), ("plain",), ("\\,", "^,")]


def body(kind: Kind, item: Item, key: str = "k", marker: str = "") -> str:
    text = codec.new_body(
        kind, item, key=key, marker=marker, agents=codec.Agent.KEEP, own=frozenset(), vcard4=False
    )
    return text.decode()


def entry(**values: object) -> Event:
    start, end = datetime(2026, 3, 1, 9), datetime(2026, 3, 1, 10)
    return Event(uid="u", start=start, end=end, time_zone="UTC", **values)  # type: ignore[arg-type]


def lines(text: str, *names: str) -> list[str]:
    unfolded = text.replace("\r\n ", "").split("\r\n")
    return [line for line in unfolded if line.startswith(names)]


@pytest.mark.parametrize("link", LINKS)
def test_a_link_comes_through_a_server_that_cuts_at_commas(link: str) -> None:
    text = body(Kind.EVENT, entry(online_meeting=link))
    (line,) = lines(text, "CONFERENCE")
    assert not {",", ";"} & set(line.rpartition(":")[2])
    found = codec.decode(Kind.EVENT, text).item
    assert isinstance(found, Event)
    assert (found.online_meeting, found.extras) == (link, {})


@pytest.mark.parametrize("link", LINKS)
def test_links_of_a_card_come_through_too(link: str) -> None:
    photo = Attachment(uri=link)
    text = body(
        Kind.CONTACT, Contact(uid="u", full_name="x", urls=(link, "https://y"), photo=photo)
    )
    assert not any(
        {",", ";"} & set(line.rpartition(":")[2]) for line in lines(text, "URL", "PHOTO")
    )
    found = codec.decode(Kind.CONTACT, text).item
    assert isinstance(found, Contact)
    assert (found.urls, found.photo, found.extras) == ((link, "https://y"), photo, {})


@pytest.mark.parametrize("categories", CATEGORIES)
def test_categories_come_through_a_server_that_splits_them(categories: tuple[str, ...]) -> None:
    text = body(Kind.EVENT, entry(categories=categories))
    split: list[str] = []
    for line in text.replace("\r\n ", "").split("\r\n"):
        head, _, value = line.rpartition(":")
        if not head.startswith("CATEGORIES"):
            split.append(line)
            continue
        values = value.replace("\\,", ",").split(",")
        split.extend(f"{head}:{one.strip()}" for one in values)
    for way in (text, "\r\n".join(split)):
        found = codec.decode(Kind.EVENT, way).item
        assert set(found.categories) == set(categories) or "\\" in str(categories)
        assert found.extras == {}
    assert set(codec.decode(Kind.EVENT, text).item.categories) == set(categories)


@pytest.mark.parametrize("value", ['^",', "^n,^^,", "a\\,", "100%,%41"])
def test_what_the_shield_holds_needs_no_carets(value: str) -> None:
    text = body(Kind.EVENT, entry(categories=(value,), online_meeting=f"https://x/{value}"))
    held = [parse(line, 0) for line in lines(text, "CATEGORIES", "CONFERENCE")]
    assert [re.search(r'^$|[\^"\\]', each.param(shield.WHOLE)) for each in held] == [None, None]
    found = codec.decode(Kind.EVENT, text).item
    assert isinstance(found, Event)
    assert (found.categories, found.online_meeting) == ((value,), f"https://x/{value}")


def test_a_link_that_somebody_changed_is_theirs() -> None:
    text = body(Kind.EVENT, entry(online_meeting="https://x.test/a,b")).replace("\r\n ", "")
    found = codec.decode(Kind.EVENT, text.replace("a%2Cb", "new")).item
    assert isinstance(found, Event)
    assert found.online_meeting == "https://x.test/new"


def test_a_link_that_was_held_as_it_is_comes_through_too() -> None:
    link = "https://x.test/a%20b,c"
    text = body(Kind.EVENT, entry(online_meeting=link)).replace("a%2520b", "a%20b")
    found = codec.decode(Kind.EVENT, text).item
    assert isinstance(found, Event)
    assert found.online_meeting == link


def test_a_text_without_risk_is_not_touched() -> None:
    text = body(Kind.EVENT, entry(title="a, b; c", categories=("x", "y"), url="https://x/a,b"))
    assert shield.WHOLE not in text
    assert shield.lowered(text) is text


@given(key=st.text(min_size=1), marker=st.text())
def test_any_key_and_marker_can_be_read_back(key: str, marker: str) -> None:
    marker = "".join(c for c in marker if c.isprintable())
    for kind, item in (
        (Kind.EVENT, entry()),
        (Kind.CONTACT, Contact(uid="u", full_name="x")),
    ):
        content = codec.decode(kind, body(kind, item, key, marker))
        assert content.marker == marker
        assert content.item == item
        assert codec.resource_name(kind, key).isascii()
        if key.isprintable():
            assert content.key == key


def test_an_item_without_a_uid_gets_the_same_one_for_the_same_key() -> None:
    item = Event(start=datetime(2026, 3, 1), end=datetime(2026, 3, 2), all_day=True)
    one, other = (codec.decode(Kind.EVENT, body(Kind.EVENT, item, key)).item for key in "ab")
    again = codec.decode(Kind.EVENT, body(Kind.EVENT, item, "a")).item
    assert one.uid == again.uid != other.uid
    assert one.uid


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (event("u"), {Kind.EVENT}),
        (todo("u"), {Kind.TASK}),
        (event("u").lower(), {Kind.EVENT}),
        ("BEGIN:VCALENDAR\nBEGIN:VJOURNAL\nEND:VJOURNAL\nEND:VCALENDAR", set()),
        ("BEGIN:VCALENDAR\nBEGIN:VAVAILABILITY\n", set()),
        ("garbage", {Kind.EVENT, Kind.TASK}),
    ],
)
def test_a_text_is_of_its_kind_and_garbage_of_any(text: str, kinds: set[Kind]) -> None:
    assert {kind for kind in (Kind.EVENT, Kind.TASK) if codec.holds(kind, text)} == kinds


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("UID:a\n", "a"),
        ("uid;X=1:a\\,b\n", "a,b"),
        ("UID:long\n er\n  one\n", "longer one"),
        ("X:1\nUID:a\r\nUID:b\n", "a"),
        ("XUID:a\n", ""),
        ("", ""),
    ],
)
def test_a_single_value_is_found_without_decoding_all(text: str, value: str) -> None:
    assert codec.value_of(text, "UID") == value


NO_COLON = "DESCRIPTION with a line that broke"


@pytest.mark.parametrize(
    ("lines", "uid", "title", "private"),
    [
        (("UID:u@hand", "SUMMARY:Weekly\\, long", NO_COLON), "u@hand", "Weekly, long", False),
        (("SUMMARY:Week", " ly", "UID:u@ha", " nd"), "u@hand", "Weekly", False),
        (("UID:u", "SUMMARY;LANGUAGE=de:Woche", "CLASS:PUBLIC"), "u", "Woche", False),
        (("UID:u", "SUMMARY:Doctor", "CLASS:PRIVATE"), "u", "", True),
        (("UID:u", "SUMMARY:Doctor", "class:confidential"), "u", "", True),
        (("UID:u", "SUMMARY:Doctor", "CLA", " SS:PRIVATE"), "u", "", True),
        (("UID:u", "SUMMARY:Doctor", "CLASS PRIVATE"), "u", "", True),
        (("UID:u", "SUMMARY:Open", "END:VEVENT", "BEGIN:VEVENT", "CLASS:X-OWN"), "u", "", True),
        (("FN:Nora Silva", "UID:card"), "card", "Nora Silva", False),
        (("nothing",), "", "", False),
    ],
)
def test_uid_and_title_of_a_broken_text_show_but_nothing_private(
    lines: tuple[str, ...], uid: str, title: str, private: bool
) -> None:
    for end in ("\n", "\r\n"):
        seen = codec.glimpse(end.join(("BEGIN:VCALENDAR", *lines, "")))
        assert (seen.uid, seen.title, seen.private) == (uid, title, private)
