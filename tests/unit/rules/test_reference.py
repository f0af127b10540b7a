"""The rule reference is up to date, complete, and its examples do what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from accord.model.fields import FIELDS
from accord.model.item import Item
from accord.model.kinds import Kind
from accord.model.replies import Audience
from accord.rules import reference, rule
from accord.rules.check import check
from accord.rules.examples import EXAMPLES, Example
from accord.rules.functions import FUNCTIONS
from accord.rules.problem import Severity
from accord.rules.program import Program
from accord.rules.text import keys_of, parse_rules
from tests.unit.rules.given import CRM, PLAIN
from tests.unit.rules.given import FACTS as GIVEN

PAGE = Path(__file__).with_name("page.md")  # a link to docs/rules.md
IDS = [example.title for example in EXAMPLES]
FACTS = msgspec.structs.replace(
    GIVEN, users={"anna@firm.example": "anna", "bob@firm.example": "bob"}
)


def test_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference.render(), (
        "write it anew: python -m accord.rules.reference > docs/rules.md"
    )


def test_page_names_every_key_word_field_and_function() -> None:
    page = reference.render()
    for key in keys_of(rule.Rule):
        assert re.search(rf"`{key}[`.]", page), key
    for kind in reference.KINDS:
        for field in FIELDS[kind]:
            assert f"| `{field}` |" in page
    for function in FUNCTIONS:
        assert f"`{function.signature}`" in page


@pytest.mark.parametrize(
    ("word", "choices"),
    [
        ("clash", rule.Clash), ("one_way", rule.OneWay), ("delete", rule.Deletion),
        ("leaving", rule.Leaving), ("private", rule.Private), ("scope", rule.Scope),
        ("invitations", rule.Invitations), ("meetings", rule.Meetings),
        ("series", rule.Unfit), ("replies.audience", Audience),
    ],
)  # fmt: skip
def test_every_word_has_its_meaning(word: str, choices: Any) -> None:
    assert list(reference.WORDS[word]) == [each.value for each in choices]


@pytest.mark.parametrize("example", EXAMPLES, ids=IDS)
def test_examples_are_in_order(example: Example) -> None:
    (said,) = parse_rules(example.text)
    problems = check(said, CRM, PLAIN)
    assert [str(each) for each in problems if each.severity is Severity.ERROR] == []


@pytest.mark.parametrize("example", EXAMPLES, ids=IDS)
def test_examples_do_what_the_page_says(example: Example) -> None:
    (said,) = parse_rules(example.text)
    program = Program(said)
    item: Item = msgspec.convert(example.item, Item)
    verdict = program.scope(example.to.other, item, FACTS)
    if example.left_out:
        assert (verdict.inside, verdict.why) == (False, example.left_out)
        return
    after = program.project(example.to, item, FACTS)
    shown = {"kind": type(after).__struct_config__.tag}
    shown |= {name: plain(getattr(after, name)) for name in after.__struct_fields__}
    assert example.becomes
    assert {name: shown[name] for name in example.becomes} == example.becomes


@pytest.mark.parametrize("example", EXAMPLES, ids=IDS)
def test_page_shows_each_example(example: Example) -> None:
    assert f"```toml\n{example.text}```" in reference.render()


WITHOUT_BLOCKS = re.sub(r"(?s)```.*?```", "", reference.render())
PROSE = sorted(
    {
        found
        for found in re.findall(r"`([^`]+)`", WITHOUT_BLOCKS.partition("## Examples")[0])
        if re.search(r"item\.\w+[.\[]|item\.\w+ &&", found)
    }
)


@pytest.mark.parametrize("text", PROSE)
def test_expressions_in_the_prose_compile(text: str) -> None:
    kind = Kind.TASK if "due" in text else Kind.EVENT
    said = rule.Rule(name="x", kind=kind, filter=rule.Filters(crm=f"[{text}].size() > 0"))
    assert [str(each) for each in check(said)] == []


def test_the_prose_has_expressions() -> None:
    assert len(PROSE) >= 4


def test_pipes_do_not_break_tables() -> None:
    assert reference._table(("a",), [("x|y",)]) == "| a |\n| --- |\n| x\\|y |\n"


def plain(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))
