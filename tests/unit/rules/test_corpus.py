"""A golden corpus of rule texts: each is in order, or told exactly what is wrong with it.

ACCORD_GOLDEN=1 writes the expectations anew; read the difference before committing it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from accord.rules.check import check
from accord.rules.problem import Problem, RuleErrors, Severity
from accord.rules.program import Program
from accord.rules.render import render_rules
from accord.rules.source import Source
from accord.rules.text import parse_rules, rules_in
from tests.unit.rules.given import CALENDAR_ONLY, CRM, PLAIN, REPLYING

CORPUS = Path(__file__).parent / "corpus"
FILES = sorted(path.name for path in CORPUS.glob("*.toml"))
OTHERS = {
    "bad_kind_for_the_adapter.toml": CALENDAR_ONLY,
    "bad_replies.toml": REPLYING,
    "ok_invitations.toml": CALENDAR_ONLY,
}


def problems(name: str) -> tuple[Problem, ...]:
    text = (CORPUS / name).read_text(encoding="utf-8")
    groupware = OTHERS.get(name, PLAIN)
    try:
        source = Source(text, name)
        rules = rules_in(source)
    except RuleErrors as errors:
        return errors.problems
    return tuple(each for rule in rules for each in check(rule, CRM, groupware, source))


@pytest.mark.parametrize("name", FILES)
def test_says_exactly_what_is_wrong(name: str) -> None:
    said = "".join(f"{problem}\n" for problem in problems(name))
    golden = CORPUS / name.replace(".toml", ".txt")
    if os.environ.get("ACCORD_GOLDEN") == "1":
        golden.write_text(said, encoding="utf-8")
    assert said == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FILES)
def test_name_of_file_tells_what_to_expect(name: str) -> None:
    severities = {problem.severity for problem in problems(name)}
    match name.partition("_")[0]:
        case "ok":
            assert severities == set()
        case "warn":
            assert severities == {Severity.WARNING}
        case "bad":
            assert Severity.ERROR in severities


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith("bad")])
def test_what_passes_compiles_and_exports_unchanged(name: str) -> None:
    rules = parse_rules((CORPUS / name).read_text(encoding="utf-8"), name)
    assert rules
    assert parse_rules(render_rules(rules)) == rules
    for rule in rules:
        assert Program(rule).version == rule.version


def test_corpus_holds_all_sorts() -> None:
    sorts = [name.partition("_")[0] for name in FILES]
    assert sorts.count("ok") >= 5
    assert sorts.count("warn") >= 5
    assert sorts.count("bad") >= 15
