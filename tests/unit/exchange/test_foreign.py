"""Items that another connector made are told by the mark it left, which stays where it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from accord.groupware.exchange.adapter import ExchangeAdapter, build
from accord.groupware.exchange.foreign import Property, property_named, value
from accord.groupware.exchange.session import ExchangeSession
from accord.groupware.exchange.settings import configure
from accord.groupware.exchange.wire import t
from accord.model.kinds import Kind
from accord.ports.adapter import Mark
from accord.ports.errors import ConfigError
from accord.sandbox.exchange.hand import Hand, entry, weekly
from accord.testing.place import done
from accord.testing.samples import title_field
from tests.exchange import ROBOT, House
from tests.unit.exchange.bridge import place_of
from tests.unit.exchange.test_settings import GIVEN
from tests.unit.sandbox.ews import Judge

STRANGE = "3f2c1a00-1111-2222-3333-444455556666"
COMMON = "00062008-0000-0000-c000-000000000046"

FORMS_OF_IT = [
    ("PublicStrings/CrmId", Property("PublicStrings", name="CrmId")),
    (" publicstrings/CrmId ", Property("PublicStrings", name="CrmId")),
    ("InternetHeaders/X-CRM-ID", Property("InternetHeaders", name="X-CRM-ID")),
    (f"{STRANGE.upper()}/a/b #1", Property(STRANGE, name="a/b #1")),
    (f"{{{STRANGE}}}/CrmId", Property(STRANGE, name="CrmId")),
    ("Common/#34112", Property("Common", number=34112)),
    (f"{COMMON.upper()}/#0x8540", Property("Common", number=34112)),
    ("0x6A01", Property(tag=0x6A01)),
    ("27137", Property(tag=0x6A01)),
]


@pytest.mark.parametrize(("text", "meant"), FORMS_OF_IT)
def test_a_property_is_named_by_its_set_or_its_tag(text: str, meant: Property) -> None:
    assert property_named(text) == meant
    assert configure({**GIVEN, "adopt": text}).adopt == meant


def test_without_the_setting_nothing_is_asked_for() -> None:
    assert configure(GIVEN).adopt is None
    assert configure({**GIVEN, "adopt": ""}).adopt is None


@pytest.mark.parametrize(
    "wrong",
    [
        *("CrmId", "Own/CrmId", "PublicStrings/", "/CrmId", "PublicStrings/#x", "Common/#0"),
        *("Common/#0x80000000", "0x8000", "0", "-1", f"{STRANGE[:-1]}/CrmId", " ", "/"),
        "PublicStrings/" + "x" * 256,
    ],
)
def test_what_names_no_property_is_refused_with_the_way_to_write_it(wrong: str) -> None:
    with pytest.raises(ConfigError, match="company: 'adopt' is") as found:
        configure({**GIVEN, "adopt": wrong}, "company")
    assert found.value.field == "adopt"
    assert "PublicStrings/CrmId" in found.value.hint


def held(text: str = "4711", **named: str) -> Any:
    """Return an item of an answer with one property."""
    at = t("ExtendedFieldURI", **({"PropertyType": "String"} | named))
    return t("Task", t("ExtendedProperty", at, t("Value", text)))


STANDS_AS = [
    ("PublicStrings/CrmId", {"DistinguishedPropertySetId": "PublicStrings"}),
    ("PublicStrings/CrmId", {"PropertySetId": "00020329-0000-0000-C000-000000000046"}),
    (f"{STRANGE}/CrmId", {"PropertySetId": STRANGE.upper()}),
]


@pytest.mark.parametrize(("text", "space"), STANDS_AS)
def test_it_is_found_however_an_answer_spells_its_set(text: str, space: dict[str, str]) -> None:
    wanted = configure({**GIVEN, "adopt": text}).adopt
    assert wanted is not None
    assert value(wanted, held(**space, PropertyName="CrmId")) == "4711"
    assert value(wanted, held(" 4711\n", **space, PropertyName="CrmId")) == "4711"
    assert value(wanted, held(**space, PropertyName="crmid")) == ""
    assert value(wanted, held(**space, PropertyName="CrmId", PropertyType="Integer")) == ""
    assert value(wanted, held(**space, PropertyId="5")) == ""
    assert value(wanted, held(PropertySetId=COMMON, PropertyName="CrmId")) == ""
    assert value(wanted, t("Task")) == ""


def test_a_number_and_a_tag_are_found_however_they_are_written() -> None:
    number, tag = Property("Common", number=34112), Property(tag=0x6A01)
    assert value(number, held(PropertySetId=COMMON, PropertyId="34112")) == "4711"
    assert value(number, held(PropertySetId=COMMON, PropertyId="34113")) == ""
    for text in ("0x6a01", "0X6A01", "27137"):
        assert value(tag, held(PropertyTag=text)) == "4711"
    assert value(tag, held(PropertyTag="0x6a02")) == ""
    assert value(tag, held(PropertyTag="nonsense")) == ""


# against the stand-in, where a program of other people's making has been before

START = datetime(2026, 3, 2, 9, tzinfo=ZoneInfo("Europe/Berlin"))
ROLES = {Kind.EVENT: "calendar", Kind.TASK: "tasks", Kind.CONTACT: "contacts"}
MARKS = [
    ("PublicStrings/CrmId", 'DistinguishedPropertySetId="PublicStrings" PropertyName="CrmId"'),
    (
        "PublicStrings/CrmId",
        'PropertySetId="00020329-0000-0000-c000-000000000046" PropertyName="CrmId"',
    ),
    (f"{STRANGE}/CrmId", f'PropertySetId="{STRANGE}" PropertyName="CrmId"'),
    ("Common/#34112", 'DistinguishedPropertySetId="Common" PropertyId="34112"'),
    ("0x6A01", 'PropertyTag="0x6a01"'),
]


@pytest.fixture
def house() -> Iterator[House]:
    made = House(Judge(lambda what: None))
    yield made
    made.close()


def theirs(kind: Kind, attributes: str, mark: str, recurrence: str = "") -> str:
    """Return an item as another connector makes it."""
    at = f'<t:ExtendedFieldURI {attributes} PropertyType="String"/>'
    kept = f"<t:ExtendedProperty>{at}<t:Value>{mark}</t:Value></t:ExtendedProperty>"
    match kind:
        case Kind.TASK:
            return f"<t:Task><t:Subject>Theirs</t:Subject>{kept}</t:Task>"
        case Kind.CONTACT:
            return f"<t:Contact>{kept}<t:GivenName>Eve</t:GivenName></t:Contact>"
    made = entry("Theirs", START, START + timedelta(hours=1), recurrence=recurrence)
    return made.replace("<t:Start>", f"{kept}<t:Start>")


def still_there(hand: Hand, ref: str, attributes: str) -> list[str]:
    """Return what stands in a property, as any program reads it."""
    answer = hand.ask(
        "<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>"
        f'<t:ExtendedFieldURI {attributes} PropertyType="String"/></t:AdditionalProperties>'
        f'</m:ItemShape><m:ItemIds><t:ItemId Id="{ref}"/></m:ItemIds></m:GetItem>'
    )
    return [each.text or "" for each in answer.iter("{*}Value")]


@contextmanager
def visiting(
    house: House, person: str, **more: Any
) -> Iterator[tuple[ExchangeAdapter, ExchangeSession, Hand]]:
    given = {"url": house.url, "auth": "basic", "user": ROBOT, "password": "secret"}
    given |= {"address_book": "Contacts", "time_zone": "Europe/Berlin"}
    with (
        closing(build(given | more)) as adapter,
        adapter.open(person) as session,
        Hand(house.url, person, "secret") as hand,
    ):
        yield adapter, session, hand


@pytest.mark.parametrize(("text", "attributes"), MARKS)
@pytest.mark.parametrize("kind", ROLES)
def test_the_mark_of_another_connector_is_told_and_stays(
    house: House, kind: Kind, text: str, attributes: str
) -> None:
    person = house.person()
    with visiting(house, person, adopt=text) as (adapter, session, hand):
        ref = hand.add(theirs(kind, attributes, "4711"), ROLES[kind])
        place = place_of(session, adapter, kind)
        seen = place.pull().snapshot(ref)
        assert seen is not None
        assert (seen.foreign, seen.marker, seen.key) == ("4711", "", "")
        (marked,) = session.mark(place.folder, kind, [Mark(ref=ref, marker="ours")])
        edited = place.edit(place.read(ref), **{title_field(kind): "Ours"})
        assert edited.snapshot is not None
        assert (edited.snapshot.foreign, edited.snapshot.marker) == ("4711", "ours")
        done(marked)
        done(session.mark(place.folder, kind, [Mark(ref=ref, marker="")])[0])
        left = place.read(ref)
        assert (left.foreign, left.marker) == ("4711", "")
        assert still_there(hand, ref, attributes) == ["4711"]


@pytest.mark.parametrize("kind", ROLES)
def test_it_costs_no_request_more_and_others_marks_are_none(house: House, kind: Kind) -> None:
    person = house.person()
    attributes = MARKS[0][1]
    with Hand(house.url, person, "secret") as hand:
        hand.add_many([theirs(kind, attributes, f"{n}") for n in range(7)], ROLES[kind])
        hand.add(theirs(kind, attributes.replace("CrmId", "Other"), "x"), ROLES[kind])
    told: list[tuple[int, int, list[str]]] = []
    for adopt in (None, "PublicStrings/CrmId"):
        with visiting(house, person, adopt=adopt, page=5) as (adapter, session, _):
            place = place_of(session, adapter, kind)
            asked = adapter.requests
            first = place.pull()
            looked = adapter.requests
            assert not place.pull(first.cursor).refs
            found = sorted(each.foreign for each in map(first.snapshot, first.refs) if each)
            told.append((looked - asked, adapter.requests - looked, found))
    (before, quiet, none), (after, quiet_too, found) = told
    assert (after, quiet_too) == (before, quiet)
    assert quiet == 1
    assert (none, found) == ([""] * 8, ["", *map(str, range(7))])


def test_a_series_has_the_mark_of_the_whole(house: House) -> None:
    """An occurrence that was changed carries the series' mark along."""
    person = house.person()
    with visiting(house, person, adopt="PublicStrings/CrmId") as (adapter, session, hand):
        series = theirs(Kind.EVENT, MARKS[0][1], "4711", weekly("Monday", START, 4))
        ref = hand.add(series)
        hand.set_occurrence("Theirs", 2, Location="Room 5")
        snapshot = place_of(session, adapter, Kind.EVENT).pull().snapshot(ref)
        assert snapshot is not None
        assert snapshot.foreign == "4711"
        assert len(getattr(snapshot.item, "overrides", ())) == 1
