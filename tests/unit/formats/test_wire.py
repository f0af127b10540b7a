"""The port's values as JSON: whatever goes out comes back, and nothing else gets in."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accord.formats import wire
from accord.formats.syncml.node import SPACE, unfit
from accord.model.canonical import InvalidItem
from accord.model.diff import diff
from accord.model.item import Contact, Item, Task
from accord.model.kinds import Kind
from accord.model.observe import (
    Deleted,
    Denied,
    Moved,
    Observation,
    OutOfScope,
    Seen,
    Snapshot,
    Unchanged,
    Unknown,
)
from accord.model.parts import Body
from accord.ports import errors
from accord.ports.adapter import Draft, Folder, Hint, Question, Revision, Written
from accord.testing.strategies import items

KINDS = [Kind.EVENT, Kind.TASK, Kind.CONTACT, Kind.ABSENCE]
ANY = st.sampled_from(KINDS).flatmap(lambda kind: items(kind, "ann@example.com"))
quick = settings(max_examples=60, deadline=None)


@given(item=ANY, text=st.text())
@quick
def test_a_snapshot_comes_back_as_it_was(item: Item, text: str) -> None:
    snapshot = Snapshot(
        ref="r/1",
        version="7",
        item=item,
        marker=text,
        key="k",
        modified=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC),
        folder="f",
        by="bob",
        readonly=True,
        silent=True,
    )
    told = wire.tell(Seen(snapshot))
    assert wire.hear("r/1", told) == Seen(snapshot)
    assert unfit(told.text or "") == ""


@pytest.mark.parametrize(
    "one",
    [
        Unchanged("r"),
        Deleted("r"),
        Deleted("r", erased=True),
        Moved("r", folder="f", new_ref="n", trash=True),
        OutOfScope("r", "moved"),
        Denied("r", "no right"),
        Unknown("r", why="broken", version="3", uid="u", title="t"),
    ],
)
def test_whatever_is_said_of_a_ref_comes_back(one: Observation) -> None:
    assert wire.hear("r", wire.tell(one)) == one


def test_briefly_only_the_version_is_told() -> None:
    snapshot = Snapshot(ref="r", version="7", item=Contact(full_name="Ada"))
    assert wire.tell(Seen(snapshot), brief=True) == wire.Told("seen", "7", None)


@given(text=st.text(alphabet=st.characters(codec="utf-8")))
@quick
def test_any_text_is_a_name_that_survives(text: str) -> None:
    name = wire.name(text)
    assert name
    assert name == name.strip(SPACE)
    assert unfit(name) == ""
    assert "?" not in name
    assert wire.unname(name) == text


@given(before=ANY, data=st.data())
@quick
def test_a_revision_makes_of_the_same_item_what_was_wanted(
    before: Item, data: st.DataObject
) -> None:
    after = data.draw(items(Kind(str(type(before).__struct_config__.tag)), "ann@example.com"))
    changed = diff(before, after)
    there = Snapshot(ref="r", version="7", item=before)
    wanted = Revision(
        ref="r", version="7", before=before, after=after, changed=changed, marker="m", notify=True
    )
    made = wire.revision(there, wire.edit(wanted))
    assert diff(made.after, after, changed) == ()
    assert set(made.changed) == set(changed)
    assert (made.ref, made.version, made.marker, made.notify) == ("r", "7", "m", True)
    assert made.before == before


def test_what_is_cleared_is_named_and_what_is_not_named_stays() -> None:
    before = Task(title="a", body=Body(text="long"), priority=3, extras={"crm:region": "north"})
    after = Task(title="a", extras={})
    wanted = Revision(ref="r", version="1", before=before, after=after, changed=("body", "extras"))
    text = wire.edit(wanted)
    assert text == '{"values":{"body":null,"extras":{}}}'
    made = wire.revision(Snapshot(ref="r", version="1", item=before), text)
    assert made.after == Task(title="a", priority=3)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{"values":{"colour":1}}', "colour"),
        ('{"values":{"title":1}}', "title"),
        ('{"values":{"title":"x"},"more":1}', "more"),
        ('{"values":', "truncated"),
        ("", "truncated"),
    ],
)
def test_a_revision_that_makes_no_sense_is_refused(text: str, where: str) -> None:
    with pytest.raises(InvalidItem, match=where):
        wire.revision(Snapshot(ref="r", version="1", item=Task(title="a")), text)


def test_a_draft_comes_back() -> None:
    draft = Draft(item=Task(title="a"), key="k 1", marker="m", notify=True)
    assert wire.draft("k 1", wire.new_item(draft)) == draft


def test_a_removal_and_a_mark_come_back() -> None:
    assert wire.removal("r", "1", wire.wish(notify=True) or "").notify
    assert not wire.removal("r", "1", wire.wish() or "").notify
    assert wire.wish(marker="m") == '{"marker":"m"}'


@pytest.mark.parametrize(
    "error",
    [
        errors.Retry("later", after=7.5, code="busy"),
        errors.AuthFailed("who", code="locked"),
        errors.ConfigError("wrong", field="url", hint="mend it", code="c"),
        errors.CursorExpired("old"),
        errors.Stale("changed"),
        errors.Gone("gone"),
        errors.Denied("no"),
        errors.Rejected("never", code="text"),
    ],
)
def test_an_error_comes_back_as_the_same_reaction(error: errors.AccordError) -> None:
    back = wire.failure(wire.outcome(error))
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert vars(back) == vars(error)


def test_every_error_of_the_port_has_a_name() -> None:
    leaves = {made for made in vars(errors).values() if _leaf(made)}
    assert leaves == set(wire.ERRORS.values())


def test_a_closer_word_arrives_as_its_reaction() -> None:
    back = wire.failure(wire.outcome(errors.Busy("at work", after=3.0)))
    assert type(back) is errors.Retry
    assert back.after == 3.0


def test_a_written_item_comes_back() -> None:
    snapshot = Snapshot(ref="r", version="8", item=Task(title="a"))
    for written in (
        Written(ref="r"),
        Written(ref="r", version="7", snapshot=snapshot),
    ):
        assert wire.written(wire.outcome(written)) == written


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        ((Folder(id="f", name="F", kinds=frozenset({Kind.TASK})),), tuple[Folder, ...]),
        ([Question(key="k"), Question(uid="u")], list[Question]),
        (
            ((Hint(kind=Kind.TASK, ref="r", principals=frozenset({"b", "a"})),), "7"),
            tuple[tuple[Hint, ...], str],
        ),
    ],
)
def test_other_values_come_back(value: Any, type_: Any) -> None:
    assert wire.decode(wire.encode(value), type_) == value


def test_texts_hold_no_character_that_xml_refuses() -> None:
    text = "a\ufffeb\uffffc\x00\x0b\r\n\ud7ff"
    item = Task(title=text)
    made = wire.new_item(Draft(item=item, key="k"))
    assert unfit(made) == ""
    assert not re.search("[\r\n]", made)
    assert wire.draft("k", made).item == item


@given(text=st.text(alphabet="ab<&>ü€😀", max_size=80), room=st.integers(1, 40))
@quick
def test_parts_fit_and_are_the_whole(text: str, room: int) -> None:
    found, at = [], 0
    while at < len(text):
        found.append(wire.piece(text, at, room))
        at += len(found[-1])
    assert "".join(found) == text
    assert all(wire.weight(part) <= room or len(part) == 1 for part in found)


def test_what_nobody_says_of_an_item_is_refused() -> None:
    with pytest.raises(InvalidItem):
        wire.hear("r", wire.Told("stolen", "", "{}"))
    with pytest.raises(InvalidItem):
        wire.hear("r", wire.Told("seen", "7", None))
    with pytest.raises(InvalidItem):
        wire.failure('{"error":"panic","message":""}')


def _leaf(made: Any) -> bool:
    """Tell whether this is a reaction of its own, and no closer word for one."""
    if not isinstance(made, type) or made is errors.ItemError:
        return False
    return made.__base__ in (errors.AccordError, errors.ItemError)
