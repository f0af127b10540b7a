"""Values on their way into expressions and back, at their edges."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from accord.model.item import Mail
from accord.model.kinds import Direction, Kind, Side
from accord.model.parts import Attendee, Body, Person
from accord.rules.expression import size_of, work
from accord.rules.failure import InvalidExpression, RuleFailed
from accord.rules.functions import FUNCTIONS, LIST_LIMIT, TEXT_LIMIT
from accord.rules.rule import FieldRule, Filters
from accord.rules.shape import reduced
from accord.rules.values import everyone, given, own, returned, shapes, view
from tests.unit.rules.given import (
    ANNA,
    BOB,
    EVA,
    FACTS,
    absence,
    contact,
    event,
    program,
    task,
)
from tests.unit.rules.test_expression import compiled, value_of

TEXT = shapes(Kind.EVENT)["title"]
TEXTS = shapes(Kind.EVENT)["categories"]
PEOPLE = shapes(Kind.EVENT)["people"]


def failure(call: Any, *arguments: Any) -> tuple[str, str]:
    with pytest.raises(RuleFailed) as failed:
        call(*arguments)
    return failed.value.field, failed.value.message


class TestGiven:
    unreadable = ("f", "holds characters that no expression can read")

    @pytest.mark.parametrize("bad", ["\0", "\ud800", "é\ud912"])
    def test_unreadable_texts_wherever_they_hide(self, bad: str) -> None:
        assert failure(given, "f", TEXT, bad) == self.unreadable
        assert failure(given, "f", TEXTS, ("a", bad)) == self.unreadable
        assert failure(given, "f", PEOPLE, (Person(address="a", name=bad),)) == self.unreadable

    def test_readable_ones_beside_them(self) -> None:
        assert given("f", TEXT, "\u0001\ud7ff\ue000\U0001f600") == "\u0001\ud7ff\ue000\U0001f600"

    def test_texts_and_lists_up_to_their_limits(self) -> None:
        assert len(given("f", TEXT, "x" * TEXT_LIMIT)) == TEXT_LIMIT
        message = ("f", "is longer than 262,144 characters")
        assert failure(given, "f", TEXT, "x" * (TEXT_LIMIT + 1)) == message
        assert len(given("f", TEXTS, ("x",) * LIST_LIMIT)) == LIST_LIMIT
        message = ("f", "has more than 500 entries")
        assert failure(given, "f", TEXTS, ("x",) * (LIST_LIMIT + 1)) == message
        people = (Person(address="x" * (TEXT_LIMIT + 1)),)
        assert failure(given, "f", PEOPLE, people)[0] == "f"
        assert failure(given, "f", TEXTS, ("x" * (TEXT_LIMIT + 1),))[0] == "f"

    def test_nothing(self) -> None:
        assert given("f", None, None) is None
        assert given("f", shapes(Kind.EVENT)["body"], None) == ""
        nobody = {"address": "", "name": ""}
        assert given("f", shapes(Kind.EVENT)["organizer"], None) == nobody

    def test_structs_are_maps_of_all_their_fields(self) -> None:
        shape = shapes(Kind.EVENT)["attendees"]
        assert given("f", shape, (Attendee(address="a"),)) == [
            {
                "address": "a",
                "name": "",
                "role": "required",
                "reply": "needs-action",
                "attendee_kind": "individual",
                "rsvp": False,
            }
        ]


class TestReturned:
    @pytest.mark.parametrize("number", [0, 9])
    def test_numbers_within_their_range(self, number: int) -> None:
        assert returned(Kind.EVENT, "priority", number, None) == number

    @pytest.mark.parametrize(
        ("kind", "field", "number", "last"),
        [
            (Kind.EVENT, "priority", -1, 9),
            (Kind.EVENT, "priority", 10, 9),
            (Kind.TASK, "percent", 101, 100),
        ],
    )
    def test_and_beyond(self, kind: Kind, field: str, number: int, last: int) -> None:
        said = failure(returned, kind, field, number, None)
        assert said == (field, f"must be between 0 and {last}, not {number}")

    def test_nothing_is_the_default(self) -> None:
        assert returned(Kind.EVENT, "priority", None, None) == 0
        assert returned(Kind.EVENT, "title", None, None) == ""
        assert returned(Kind.EVENT, "body", None, Body(text="x")) is None

    @pytest.mark.parametrize("field", ["title", "body"])
    def test_texts_that_are_none(self, field: str) -> None:
        nul = (field, "the expression gave a text with a NUL character")
        assert failure(returned, Kind.EVENT, field, "a\0", None) == nul
        assert failure(returned, Kind.EVENT, field, {}, None) == (field, "needs a text, not dict")

    def test_unfit_values_are_told(self) -> None:
        field, message = failure(returned, Kind.EVENT, "busy", "maybe", None)
        assert field == "busy"
        assert message.startswith("the expression gave something unfit: Invalid enum value")


class TestOwn:
    def test_values(self) -> None:
        for value in (None, True, 3, 2.5, "x"):
            assert own("f", value) is value
        assert own("f", ["a", "b"]) == ("a", "b")
        assert own("f", []) == ()

    def test_no_others(self) -> None:
        message = "an own field holds a text, a number, yes or no, or texts"
        for value in ({"a": "b"}, [1], ["a", None], datetime(2026, 1, 1, tzinfo=UTC)):
            assert failure(own, "f", value) == ("f", message)
        nul = ("f", "the expression gave a text with a NUL character")
        assert failure(own, "f", "\0") == nul
        assert failure(own, "f", ["\0"]) == nul

    def test_maps_are_refused_from_expressions_too(self) -> None:
        rule = program(fields={"ical:x": FieldRule(outbound='{"a": "b"}', inbound="value")})
        item = event(extras={"ical:x": "y"})
        assert failure(rule.project, Side.GROUPWARE, item, FACTS)[0] == "fields.ical:x"


class TestView:
    def test_times(self) -> None:
        berlin, tokyo = "Europe/Berlin", "Asia/Tokyo"
        item = event(time_zone=berlin, end_time_zone=tokyo)
        assert view(item, "start") == datetime(2026, 3, 12, 8, tzinfo=UTC)
        assert view(item, "end") == datetime(2026, 3, 12, 1, tzinfo=UTC)
        assert (view(item, "time_zone"), view(item, "end_time_zone")) == (berlin, tokyo)
        item = event(time_zone=berlin)
        assert (view(item, "time_zone"), view(item, "end_time_zone")) == (berlin, berlin)
        item = event(time_zone=None)
        assert (view(item, "time_zone"), view(item, "end_time_zone")) == ("UTC", "UTC")
        away = absence(time_zone=berlin)
        assert view(away, "end") == datetime(2026, 3, 13, 23, tzinfo=UTC)

    def test_times_of_tasks(self) -> None:
        at = datetime(2026, 3, 12, 9)
        item = task(time_zone="Europe/Berlin", start=at, due=at, completed=at)
        assert view(item, "start") == view(item, "due") == datetime(2026, 3, 12, 8, tzinfo=UTC)
        assert view(item, "completed") == datetime(2026, 3, 12, 9, tzinfo=UTC)
        aware = datetime.fromisoformat("2026-03-12T09:00:00+05:00")
        completed = view(task(completed=aware), "completed")
        assert completed == datetime(2026, 3, 12, 4, tzinfo=UTC)
        assert completed.tzinfo is UTC

    def test_times_that_can_not_be_told(self) -> None:
        said = failure(view, event(time_zone="Mars/Base"), "end")
        assert said == ("end", "'Mars/Base' is no time zone")
        early = event(start=datetime(1, 1, 1), time_zone="Asia/Tokyo")
        assert failure(view, early, "start") == ("start", "lies outside of the calendar")

    def test_numbers_of_any_size(self) -> None:
        numbers = [-(2**63) - 1, -(2**63), -1, 0, 2**63 - 1, 2**63]
        item = event(extras={f"crm:{n}": number for n, number in enumerate(numbers)})
        assert list(view(item, "extras").values()) == [
            "-9223372036854775809", -(2**63), -1, 0, 2**63 - 1, "9223372036854775808",
        ]  # fmt: skip

    def test_texts_are_mended_and_cut(self) -> None:
        assert view(event(title="a\0b\ud800\udfff\ud7ff"), "title") == "a\ufffdb\ufffd\ufffd\ud7ff"
        assert view(event(title="x" * 10_001), "title") == "x" * 10_000
        item = event(categories=("x" * 10_001,) * 501, extras={"\0": "\0"})
        assert view(item, "categories") == ["x" * 10_000] * 500
        assert view(item, "extras") == {"\ufffd": "\ufffd"}
        item = event(extras={f"a:{n}": 1 for n in range(600)})
        assert len(view(item, "extras")) == 500
        everybody = tuple(Person(address=f"{n}@x") for n in range(600))
        assert len(view(event(people=everybody), "everyone")) == 500

    def test_everyone(self) -> None:
        item = event(
            organizer=EVA,
            attendees=(Attendee(address="B@x"), Attendee(address="")),
            people=(Person(name="nobody"), Person(address="EVA@client.example"), ANNA),
        )
        assert everyone(item) == ["eva@client.example", "b@x", "anna@firm.example"]
        assert everyone(task(organizer=EVA, assignee=BOB)) == [EVA.address, BOB.address]
        assert everyone(task()) == everyone(absence()) == everyone(contact()) == []


def test_what_expressions_can_see_of_each_kind() -> None:
    def of(kind: Kind, word: str) -> set[str]:
        return {name for name, shape in shapes(kind).items() if shape.word == word}

    assert of(Kind.EVENT, "yes or no") == {"all_day", "recurs"}
    assert of(Kind.TASK, "yes or no") == {
        "all_day", "recurs", "has_start", "has_due", "has_completed",
    }  # fmt: skip
    assert of(Kind.ABSENCE, "yes or no") == {"all_day"}
    assert of(Kind.EVENT, "time") == {"start", "end"}
    assert of(Kind.TASK, "time") == {"start", "due", "completed"}
    assert of(Kind.EVENT, "choice") == {"status", "busy", "privacy"}
    assert of(Kind.EVENT, "texts") == {"categories", "everyone"}
    assert of(Kind.CONTACT, "entries") == {"mails", "phones", "addresses"}
    assert of(Kind.EVENT, "number") == {"priority"}
    assert "overrides" not in shapes(Kind.EVENT)
    assert "rule" not in shapes(Kind.EVENT)
    assert "rdates" not in shapes(Kind.EVENT)


def test_what_expressions_may_give() -> None:
    reading = {name for name, shape in shapes(Kind.TASK).items() if shape.writable is False}
    assert reading == {
        "uid", "start", "due", "completed", "time_zone", "all_day", "extras", "recurs",
        "has_start", "has_due", "has_completed", "everyone",
    }  # fmt: skip


def test_work_is_estimated() -> None:
    assert work(100, 0, 1, 1) == 0
    assert work(100, 1, 1, 1) == 202
    assert work(99, 1, 1, 0) == 100
    assert work(90, 10, 2, 4) == 100 * 100 * 9
    assert work(0, 1_000, 2, 2) == 10_000 * 1_000 * 4


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("abc", (3, 0)),
        (3, (0, 0)),
        (None, (0, 0)),
        ([], (0, 0)),
        (["a", "bbb", "cc"], (3, 3)),
        ({"key": "v"}, (3, 1)),
        ({"k": "value"}, (5, 1)),
        ([["a", "b"], ["c"]], (1, 2)),
        ({"a": [1, 2, 3]}, (1, 3)),
    ],
)
def test_sizes(value: Any, size: tuple[int, int]) -> None:
    assert size_of(value) == size


@pytest.mark.parametrize(
    ("text", "values", "message"),
    [
        ("value + value", {"value": "x" * 200_000}, None),
        ("texts.map(t, t)", {"texts": ["x" * 10_000] * 500}, None),
        ("texts.map(t, t + t)", {"texts": ["x" * 100_000] * 400}, "too much"),
        ("texts.map(t, t + t)", {"texts": ["x" * 100_000] * 3}, None),
        ('texts.map(t, t.replace("a", "b"))', {"texts": ["x"] * 480}, None),
        ('texts.map(t, t.replace("a", "b").lower())', {"texts": ["x"] * 490}, "too much"),
        ("texts.map(t, t.upper().lower())", {"texts": ["x"] * 490}, None),
    ],
)
def test_only_loops_that_make_much_text_are_refused(
    text: str, values: dict[str, Any], message: str | None
) -> None:
    if message is None:
        value_of(text, **values)
        return
    said = failure(lambda: value_of(text, **values))
    assert said == ("f", "the expression's loops would handle too much text")


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("zzz", "undeclared reference to 'zzz'", 1),
        ("size(3)", "found no matching overload for 'size' applied to '(int)'", 5),
        (
            "value.nope",
            "expression of type 'string' cannot be the operand of a select operation",
            6,
        ),
        ("(" * 500 + ")" * 500, "Expression recursion limit exceeded. limit: 32", 1),
    ],
)
def test_compiler_messages_without_noise(text: str, message: str, column: int) -> None:
    with pytest.raises(InvalidExpression) as invalid:
        compiled(text)
    assert (invalid.value.message, invalid.value.column) == (message, column)
    assert str(invalid.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 / 0 == 1", "divide by zero"),
        ('item.extras["x"] == 1', 'Key not found in map : "x"'),
        ("texts.all(a, texts.all(b, texts.all(c, true)))", "Iteration budget exceeded"),
        ('"".split("") == []', "split() needs a separator"),
        ('"a".replace("", "") == ""', "replace() needs a text to look for"),
        ("value == item.title", "value says nothing here"),
    ],
)
def test_evaluation_messages_without_noise(text: str, message: str) -> None:
    said = failure(lambda: value_of(text, item__extras={}, item__title="", texts=["x"] * 100))
    assert said == ("f", message)


def test_messages_are_short() -> None:
    (_, message) = failure(lambda: value_of(f'lookup("regions", value) + "{"x" * 900}"', value="y"))
    assert len(message) <= 300
    (_, message) = failure(lambda: value_of("item.extras[value] == 1", value="y" * 900,
                                            item__extras={}))  # fmt: skip
    assert len(message) == 300


@pytest.mark.parametrize(
    "text",
    [
        'value.matches("[(]")',
        'value.matches("[)}]")',
        'matches((value + "x").lower(), "[a-z]")',
        'matches([value, "y"][0], "[a-z]")',
        'matches({"a": value}["a"], "[a-z]")',
        'value.matches(("[a-z]"))',
    ],
)
def test_patterns_are_found_among_brackets(text: str) -> None:
    if "((" in text and not text.startswith("matches"):
        with pytest.raises(InvalidExpression):
            compiled(text)
    else:
        compiled(text)


def test_work_up_to_the_limit_is_done() -> None:
    texts = ["x" * 79_600, *["y"] * 399]
    assert len(value_of("texts.map(t, t + t)", texts=texts)) == 400
    texts[0] += "x"
    assert failure(lambda: value_of("texts.map(t, t + t)", texts=texts))[0] == "f"


class TestTextLimits:
    def test_replace(self) -> None:
        text = '"' + "a" * 4 + '".replace("a", value).size()'
        full = "x" * (TEXT_LIMIT // 4)
        assert value_of(text, value=full) == TEXT_LIMIT
        assert failure(lambda: value_of(text, value=full + "x"))[1].startswith("the text would be")
        assert value_of('value.replace("x", "")', value="x" * TEXT_LIMIT) == ""

    def test_join(self) -> None:
        half = "x" * (TEXT_LIMIT // 2 - 1)
        assert len(value_of('texts.join(",")', texts=[half, half])) == TEXT_LIMIT - 1
        said = failure(lambda: value_of('texts.join(",")', texts=[half, half + "x"]))
        assert said[1].startswith("the text would be longer than 262,144")

    @pytest.mark.parametrize("call", ['value.prefix("x")', 'value.suffix("x")'])
    def test_prefix_and_suffix(self, call: str) -> None:
        assert len(value_of(call, value="y" * (TEXT_LIMIT - 1))) == TEXT_LIMIT
        assert failure(lambda: value_of(call, value="y" * TEXT_LIMIT))[0] == "f"

    def test_case(self) -> None:
        for call in ("lower", "upper"):
            assert len(value_of(f"value.{call}()", value="y" * TEXT_LIMIT)) == TEXT_LIMIT
        assert failure(lambda: value_of("value.upper()", value="ß" * TEXT_LIMIT))[0] == "f"


def test_substring_ends_before_it_begins() -> None:
    assert value_of('"Visit".substring(0, 0)') == ""
    assert value_of('"Visit".substring(0, -3)') == ""


def test_keys_of_one_value_come_back_in_order() -> None:
    assert value_of('lookupKey("regions", "South")') == "south"


def test_signatures_of_methods_begin_with_what_they_are_called_on() -> None:
    named = {function.name: function.signature for function in FUNCTIONS if len(function.name) > 5}
    assert named["domain"] == "domain(string)"
    assert named["replace"] == "string.replace(string, string)"


def test_what_is_no_matter_of_rules_is_not_reduced() -> None:
    mail = Mail(subject="x")
    assert reduced(mail) is mail
    assert reduced(absence()) == absence()


def test_what_can_not_be_given_names_its_mapping() -> None:
    rule = program(fields={"title": FieldRule(outbound="value", inbound="value")})
    message = "holds characters that no expression can read"
    item = event(title="\ud800")
    assert failure(rule.project, Side.GROUPWARE, item, FACTS) == ("fields.title", message)


def test_known_is_asked_for_single_occurrences_too() -> None:
    from accord.model.recurrence import Override

    rule = program(
        fields={
            "title": FieldRule(
                direction=Direction.OUTBOUND, outbound='known(value) ? "known" : owner.name'
            )
        }
    )
    when = datetime(2026, 3, 13, 9)
    item = event(
        rdates=(when,), overrides=(Override(recurrence_id=when, title="eva@client.example"),)
    )
    out = rule.project(Side.GROUPWARE, item, FACTS)
    assert (out.title, out.overrides[0].title) == ("Anna", "known")


def test_neither_true_nor_false_names_its_filter() -> None:
    rule = program(filter=Filters(crm='item.extras["crm:x"]'))
    said = failure(rule.scope, Side.CRM, event(extras={"crm:x": "yes"}), FACTS)
    assert said == ("filter.crm", "gave neither true nor false")
