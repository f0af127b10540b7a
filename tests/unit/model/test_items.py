"""The model's promises: canonical text, a complete field table, honest differences."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.model import canonical
from accord.model.canonical import InvalidItem
from accord.model.diff import changes, diff, normalise, patch
from accord.model.fields import FIELDS, Compare, Merge, default_of, entry_key, is_empty, same
from accord.model.item import (
    CLASSES,
    Absence,
    Contact,
    Event,
    Item,
    Mail,
    Mailto,
    Phone,
    PostalAddress,
    Task,
    kind_of,
)
from accord.model.kinds import Kind
from accord.model.parts import Attendee, Body, BodyType, Person, Privacy, Reminder, Reply
from accord.model.recurrence import Override
from accord.model.traits import KindTraits
from tests import strategies

_MANY = settings(max_examples=80, deadline=None)


def items() -> st.SearchStrategy[Item]:
    """Return items of the four kinds that are synchronized both ways."""
    return st.one_of(
        strategies.events(), strategies.tasks(), strategies.contacts(), strategies.absences()
    )


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Item, Item]:
    """Return two items of one kind."""
    kinds: list[Any] = [strategies.events, strategies.tasks, strategies.contacts]
    one = draw(st.sampled_from([*kinds, strategies.absences]))
    return draw(one()), draw(one())


# Canonical text


@_MANY
@given(item=items())
def test_canonical_text_brings_the_same_item_back(item: Item):
    text = canonical.encode(item)
    assert canonical.decode(text) == item
    assert canonical.decode(text.decode()) == item
    assert canonical.encode(canonical.decode(text)) == text
    assert json.loads(text)["kind"] == str(kind_of(item))


@_MANY
@given(item=items())
def test_equal_items_have_equal_text_whatever_the_order_of_their_extras(item: Item):
    turned = patch(item, {"extras": dict(reversed(item.extras.items()))})
    assert canonical.encode(turned) == canonical.encode(item)
    assert canonical.digest(turned) == canonical.digest(item)
    other = patch(item, {"privacy": next(x for x in Privacy if x is not item.privacy)})
    assert canonical.digest(other) != canonical.digest(item)


def test_a_mail_has_a_canonical_text_too():
    mail = Mail(uid="<a@b>", sent=datetime(2026, 1, 1, tzinfo=UTC), to=(Person(address="a@b"),))
    assert canonical.decode(canonical.encode(mail)) == mail


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('{"kind":"event","start":"2026-01-05T10:00:00"}', "end"),
        ('{"kind":"event","start":"soon","end":"2026-01-05T10:00:00"}', "start"),
        ('{"kind":"meeting"}', "kind"),
        ('{"kind":"task","percent":"many"}', "percent"),
        ('{"kind":"task","colour":"red"}', "colour"),
        ('{"kind":"contact","mails":[{"adress":"a@b"}]}', "mails"),
        ("[]", "object"),
        ("{", "truncated"),
        (b"\xff\xfe", "byte|UTF|malformed"),
    ],
)
def test_a_wrong_item_is_refused_naming_the_field(text: str | bytes, named: str):
    with pytest.raises(InvalidItem, match=named):
        canonical.decode(text)


def test_the_schema_describes_every_kind_and_every_field():
    schema = canonical.schema()
    assert schema["$schema"].endswith("2020-12/schema")
    definitions = schema["$defs"]
    for reference in _references(schema):
        assert reference.removeprefix("#/$defs/") in definitions
    for kind, cls in CLASSES.items():
        described = definitions[cls.__name__]
        fields = {field.encode_name for field in msgspec.structs.fields(cls)}
        assert set(described["properties"]) == fields | {"kind"}
        assert described["properties"]["kind"] == {"enum": [str(kind)]}
        assert described["additionalProperties"] is False
    json.dumps(schema)


def _references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if "$ref" in part else []
        mapped = list(part.get("discriminator", {}).get("mapping", {}).values())
        return own + mapped + [x for value in part.values() for x in _references(value)]
    return [x for value in part for x in _references(value)] if isinstance(part, list) else []


# The field table


@pytest.mark.parametrize("kind", Kind)
def test_every_field_of_every_kind_stands_in_the_table(kind: Kind):
    fields = {field.name for field in msgspec.structs.fields(CLASSES[kind])}
    assert set(FIELDS[kind]) == fields - {"uid", "sequence"}
    for name, spec in FIELDS[kind].items():
        assert spec.name == name
        assert spec.label
        assert spec.clash_group == (spec.group or name)
        assert isinstance(spec.compare, Compare)
        assert isinstance(spec.merge, Merge)


def test_what_may_differ_in_one_occurrence_is_what_an_override_can_say():
    can = {field.name for field in msgspec.structs.fields(Override)} - {"recurrence_id"}
    marked = {name for name, spec in FIELDS[Kind.EVENT].items() if spec.occurrence}
    assert marked <= can
    assert can - marked == {"privacy", "categories", "extras"}


@pytest.mark.parametrize(
    ("kind", "members"),
    [
        (Kind.EVENT, {"start", "end", "time_zone", "end_time_zone", "all_day", "rule", "rdates"}),
        (Kind.TASK, {"start", "due", "time_zone", "all_day", "rule"}),
        (Kind.ABSENCE, {"start", "end", "time_zone", "all_day"}),
    ],
)
def test_a_schedule_wins_or_loses_as_a_whole(kind: Kind, members: set[str]):
    assert {name for name, spec in FIELDS[kind].items() if spec.group == "schedule"} == members


def test_a_name_and_a_state_are_groups_too():
    status = {name for name, spec in FIELDS[Kind.TASK].items() if spec.group == "status"}
    assert status == {"status", "percent", "completed"}
    name = {name for name, spec in FIELDS[Kind.CONTACT].items() if spec.group == "name"}
    assert name == {"full_name", "prefix", "given", "middle", "family", "suffix"}


@pytest.mark.parametrize("kind", Kind)
def test_a_default_says_nothing(kind: Kind):
    required = {"start": datetime(2026, 1, 5), "end": datetime(2026, 1, 6)}
    needs = required if kind in (Kind.EVENT, Kind.ABSENCE) else {}
    item = CLASSES[kind](**needs)
    for name in FIELDS[kind]:
        assert is_empty(item, name) is (name not in needs), name
        assert same(kind, name, default_of(kind, name), default_of(kind, name))


# What counts as equal


@pytest.mark.parametrize(
    ("kind", "field", "one", "other", "equal"),
    [
        (Kind.EVENT, "title", "a  ", "a", True),
        (Kind.EVENT, "title", "a", "A", False),
        (Kind.EVENT, "location", "a\r\nb", "a\nb", True),
        (Kind.EVENT, "location", "a b", "a\nb", False),
        (Kind.EVENT, "body", Body(text="a\r\n\r\n"), Body(text="a"), True),
        (Kind.EVENT, "body", Body(text="  "), None, True),
        (Kind.EVENT, "body", Body(text="a"), Body(text="a", type=BodyType.HTML), False),
        (Kind.EVENT, "url", "a ", "a", False),
        (Kind.EVENT, "categories", ("a", "b"), ("b", "a"), True),
        (Kind.EVENT, "categories", ("a",), ("a", "b"), False),
        (Kind.EVENT, "reminders", (Reminder(minutes=5),), (Reminder(minutes=5),), True),
        (Kind.EVENT, "reminders", (Reminder(minutes=5),), (), False),
        (Kind.EVENT, "organizer", Person(address="A@x"), Person(address="a@x", name="B"), True),
        (Kind.EVENT, "organizer", Person(), None, True),
        (Kind.EVENT, "organizer", Person(name="A"), Person(name="B"), False),
        (Kind.EVENT, "attendees", (Attendee(address="A@x"),), (Attendee(address="a@x"),), True),
        (
            Kind.EVENT,
            "attendees",
            (Attendee(address="a@x"),),
            (Attendee(address="a@x", reply=Reply.ACCEPTED),),
            False,
        ),
        (Kind.EVENT, "extras", {"a": None, "b": 1}, {"b": 1}, True),
        (Kind.EVENT, "extras", {"b": 1}, {"b": 2}, False),
        (Kind.EVENT, "start", datetime(2026, 1, 5), datetime(2026, 1, 5, 0, 0, 1), False),
        (Kind.ABSENCE, "absence_kind", "Vacation", "vacation", True),
    ],
)
def test_what_counts_as_equal(kind: Kind, field: str, one: Any, other: Any, equal: bool):
    assert same(kind, field, one, other) is equal
    assert same(kind, field, other, one) is equal


@pytest.mark.parametrize(
    ("field", "entry", "key"),
    [
        ("attendees", Attendee(address="A@X"), "a@x"),
        ("people", Person(name="Ann"), "ann"),
        ("mails", Mailto(address="A@X", type="home"), "a@x"),
        ("phones", Phone(number="+49 (30) 1-2"), "+493012"),
        ("phones", Phone(number="none"), "none"),
        ("addresses", PostalAddress(type="home", street="x"), "home"),
    ],
)
def test_entries_merge_under_what_names_them(field: str, entry: Any, key: str):
    assert entry_key(field, entry) == key


# Differences


@_MANY
@given(item=items())
def test_an_item_does_not_differ_from_itself(item: Item):
    assert diff(item, canonical.decode(canonical.encode(item))) == ()


@_MANY
@given(pair=pairs())
def test_the_differences_are_all_there_is_between_two_items(pair: tuple[Item, Item]):
    before, after = pair
    names = diff(before, after)
    assert names == diff(after, before)
    assert diff(patch(before, {name: getattr(after, name) for name in names}), after) == ()
    found = changes(before, after)
    assert tuple(change.field for change in found) == names
    for change in found:
        assert change.before == getattr(before, change.field)
        assert change.after == getattr(after, change.field)
    assert diff(before, after, ()) == ()
    assert diff(before, after, names[:1]) == names[:1]


def test_uid_and_sequence_are_no_differences():
    one = Event(uid="1", sequence=1, start=datetime(2026, 1, 5), end=datetime(2026, 1, 6))
    assert diff(one, patch(one, {"uid": "2", "sequence": 7})) == ()


# What a side would store


@st.composite
def traits_of(draw: st.DrawFn, kind: Kind) -> KindTraits:
    """Return a side that stores some of the fields, some of them cut."""
    names = sorted(FIELDS[kind])
    texts = [name for name in names if isinstance(default_of(kind, name), str)]
    return KindTraits(
        fields=frozenset(draw(st.sets(st.sampled_from(names)))),
        limits=draw(st.dictionaries(st.sampled_from(texts), st.integers(0, 10), max_size=3)),
        extras=frozenset(draw(st.sets(st.sampled_from(["ical", "vcard", "crm"])))),
        seconds=draw(st.booleans()),
    )


@_MANY
@given(item=items(), data=st.data())
def test_a_side_stores_what_it_stored_before(item: Item, data: st.DataObject):
    """Normalising twice changes nothing more, and nothing else than the traits say."""
    kind = kind_of(item)
    traits = data.draw(traits_of(kind))
    stored = normalise(item, traits)
    assert normalise(stored, traits) == stored
    assert stored.uid == item.uid
    assert all(key.split(":")[0] in traits.extras for key in stored.extras)
    for name in FIELDS[kind]:
        value, was = getattr(stored, name), getattr(item, name)
        if name == "extras" or value == was:
            continue
        if name not in traits.fields:
            assert value == default_of(kind, name) or isinstance(value, datetime)
        elif isinstance(value, datetime):
            assert not traits.seconds
            assert value == was.replace(second=0)
        else:
            assert value == was[: traits.limits[name]]


def test_a_side_that_stores_all_changes_nothing():
    item = Task(uid="t", title="x" * 500, extras={"ical:X-A": "1"})
    traits = KindTraits(fields=frozenset(FIELDS[Kind.TASK]), extras=frozenset({"ical"}))
    assert normalise(item, traits) is item


def test_required_times_stay_where_a_side_does_not_name_them():
    item = Absence(start=datetime(2026, 1, 5, 1, 2, 3), end=datetime(2026, 1, 6), title="x")
    stored = normalise(item, KindTraits(fields=frozenset({"end"})))
    assert stored == Absence(start=item.start, end=item.end)


def test_an_unchanged_patch_is_the_item_itself():
    item = Contact(uid="c")
    assert patch(item, {}) is item
