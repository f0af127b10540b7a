"""Rule text: what is read, where faults are, and that what is written reads the same."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from accord.model.kinds import Direction, Kind
from accord.model.traits import Traits
from accord.rules.check import check, require
from accord.rules.problem import Problem, RuleErrors, Severity, instead
from accord.rules.program import Program, RuleFailed
from accord.rules.render import render_rules, render_value
from accord.rules.rule import (
    Clash,
    Deletion,
    Deletions,
    FieldRule,
    Filters,
    GuardLimits,
    Invitations,
    Leaving,
    Meetings,
    OneWay,
    Private,
    Rule,
    Scope,
    SeriesRule,
    Unfit,
    Window,
)
from accord.rules.source import KEY_LIMIT, TEXT_LIMIT, Source, dotted
from accord.rules.text import ENTRY_LIMIT, NAME_LIMIT, RULE_LIMIT, parse_rules
from tests.unit.rules.given import CALENDAR_ONLY, CRM, HOLDS_NOTHING, PEOPLE_ONLY, PLAIN

OUTBOUND = Direction.OUTBOUND
CORPUS = Path(__file__).parent / "corpus"

FULL = """\
# a comment with [[rule]] in it
crm = "x" # and here
[[rule]]
name = "one"   # name = "two"
kind = "event"
filter = { crm = "true", groupware = '''
item.title != "[[rule]]"
''' }
categories = [
  "a = 1", # ]
  "b]",
]
[rule.fields]
title = { outbound = "value", inbound = "value" }
"crm:a.b".source = "crm:c"
[rule.fields.'location']
direction = "both"

[ rule . lookups . "t x" ]
"a\\"b" = \"\"\"
two lines\"\"\"
c = "d"

[[rule]]

name = "two"
kind = "task"
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("crm",), 2),
        (("rule",), 3),
        (("rule", 0), 3),
        (("rule", 0, "name"), 4),
        (("rule", 0, "filter"), 6),
        (("rule", 0, "filter", "crm"), 6),
        (("rule", 0, "categories"), 9),
        (("rule", 0, "fields"), 13),
        (("rule", 0, "fields", "title", "inbound"), 14),
        (("rule", 0, "fields", "crm:a.b", "source"), 15),
        (("rule", 0, "fields", "location"), 16),
        (("rule", 0, "fields", "location", "direction"), 17),
        (("rule", 0, "lookups", "t x"), 19),
        (("rule", 0, "lookups", "t x", 'a"b'), 20),
        (("rule", 0, "lookups", "t x", "c"), 22),
        (("rule", 1), 24),
        (("rule", 1, "kind"), 27),
        (("nothing",), 0),
        ((), 0),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lines(path: Any, line: int, newline: str) -> None:
    assert Source(FULL.replace("\n", newline)).line(path) == line


def test_the_text_with_lines_is_read() -> None:
    one, two = parse_rules(FULL)
    assert one.filter == Filters(crm="true", groupware='item.title != "[[rule]]"\n')
    assert one.categories == ("a = 1", "b]")
    assert one.fields["crm:a.b"] == FieldRule(source="crm:c")
    assert one.lookups == {"t x": {'a"b': "two lines", "c": "d"}}
    assert (two.name, two.kind) == ("two", Kind.TASK)


def test_nested_tables_in_arrays_of_tables() -> None:
    source = Source("[[a]]\n[[a.b]]\nx = 1\n[[a.b]]\nx = 2\n[[a]]\n[[a.b]]\nx = 3\n[a.b.c]\ny = 1")
    assert source.line(("a", 0, "b", 1, "x")) == 5
    assert source.line(("a", 1, "b", 0, "x")) == 8
    assert source.line(("a", 1, "b", 0, "c", "y")) == 10


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        ("[\n[1],\n[[2], [3]],\n]", 4),
        ("[[\n[1],\n], [[2],\n[3],\n]]", 5),
        ("[{x = 1},\n[2],\n]", 3),
        ("{x = [\n[1],\n]}", 3),
        ("[ # ]\n[1],\n']',\n[2],\n]", 5),
    ],
)
def test_lists_within_lists_are_no_headers(value: str, lines: int) -> None:
    source = Source(f"a = {value}\nb = 1\n[c]\nd = {value}\ne = 1\n")
    assert source.line(("a",)) == 1
    assert source.line(("b",)) == lines + 1
    assert source.line(("c", "e")) == 2 * lines + 3


def test_tables_that_only_others_name_begin_with_those() -> None:
    source = Source("[[a]]\n[a.b.c]\nx = 1\n[a.b.d]\ny = 1\n\n[[e.f]]\n[[e.f]]\n")
    assert source.line(("a", 0, "b")) == 2
    assert source.line(("a", 0, "b", "z")) == 2
    assert source.line(("e",)) == source.line(("e", "f")) == 7
    assert source.line(("e", "f", 1)) == 8


def test_paths_are_written_as_people_write_them() -> None:
    assert dotted(("rule", 0, "fields", "crm:a", "in")) == 'rule[0].fields."crm:a".in'


def test_a_problem_in_one_line() -> None:
    problem = Problem(message="bad", path="a.b", file="f.toml", line=3, column=4, hint="do it")
    assert str(problem) == "f.toml:3:4: error: a.b: bad (do it)"
    assert str(Problem(message="bad", severity=Severity.WARNING)) == "rules: warning: bad"


def test_hints_name_what_was_probably_meant() -> None:
    assert instead("tilte", ["title", "body"]) == "did you mean title?"
    assert instead("x", ["title", "body"]) == "use one of: body, title"


def test_nothing_is_no_rule() -> None:
    assert parse_rules("") == ()
    assert parse_rules('[target.x]\nadapter = "dav"\n') == ()


def test_all_problems_are_told_at_once_with_the_file() -> None:
    with pytest.raises(RuleErrors) as errors:
        parse_rules('[[rule]]\nkind = "x"\nnaem = "y"\n', "f.toml")
    assert [problem.line for problem in errors.value.problems] == [2, 3, 1]
    assert {problem.file for problem in errors.value.problems} == {"f.toml"}
    assert str(errors.value) == "\n".join(map(str, errors.value.problems))


def test_texts_without_a_file_are_the_rules() -> None:
    with pytest.raises(RuleErrors, match=r"\Arules:1:5: error: not TOML"):
        parse_rules("a = \n")
    with pytest.raises(RuleErrors, match=r"\Arules:1:1: error: not TOML"):
        Source("=")
    with pytest.raises(RuleErrors, match=r"\Arules:1: error: rule\[0\]: name is missing"):
        parse_rules("[[rule]]\nkind = 'task'\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rule = [1]", "f:1: error: rule: must be tables (write [[rule]])"),
        (
            "[[rule]]\nname = 'a'\nkind = 'task'\nfilter = 'x'",
            "f:4: error: rule[0].filter: must be a table, not a text",
        ),
        (
            "[[rule]]\nname = 'a'\nkind = 'task'\n[rule.fields]\ntitle = 3",
            "f:5: error: rule[0].fields.title: must be a table, not a whole number",
        ),
        ("#\n" + "[[rule]]\n" * (RULE_LIMIT + 1), "f:2: error: rule: more than 1000 rules"),
        ("#\n\na" + ".a" * KEY_LIMIT + " = 1", "f:3: error: a key has more than 16 parts"),
        ("#\n\t[ [a" + ".a" * KEY_LIMIT + "]]\n\n", "f:2: error: a key has more than 16 parts"),
        ("#" * (TEXT_LIMIT + 1), "f: error: the text is longer than 1,000,000 characters"),
        ("a = " + "[" * 5_000, "f: error: not TOML: nested too deeply"),
        ("a = " + "1" * 5_000, "f: error: not TOML: a number has too many digits"),
    ],
)
def test_faults_are_told_with_file_line_and_hint(text: str, said: str) -> None:
    with pytest.raises(RuleErrors) as errors:
        parse_rules(text, "f")
    assert str(errors.value) == said


class TestHostile:
    """No text costs more than its size is worth."""

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("a = " + "[" * 50_000, "nested too deeply"),
            ("a = " + "{a = " * 20_000, "nested too deeply"),
            ("a" + ".a" * 200_000 + " = 1", "parts"),
            ("[" + "a." * 100_000 + "a]", "parts"),
            ("a = {" + "a." * 100_000 + "a = 1}", "parts"),
            ("a = [\n{b = 1}, {" + "'a' ." * 100_000 + "a = 1}]", "parts"),
            ("# " + "x" * TEXT_LIMIT, "longer than 1,000,000"),
            ('a = "' + "x" * 900_000, "not TOML"),
            ("'''" * 300_000, "not TOML"),
            ('\\"""' * 200_000, "not TOML"),
            ('"""' + '\\"""' * 200_000 + "\\", "not TOML"),
            ('"' + '\\"' * 400_000, "not TOML"),
            ("''''" + "'\n" * 300_000, "not TOML"),
            ("a" * 900_000, "not TOML"),
            ("a" + " " * 900_000, "not TOML"),
            ("\0", "not TOML"),
            ("[[rule]]\n" * (RULE_LIMIT + 1), "more than 1000 rules"),
        ],
    )
    def test_is_refused(self, text: str, message: str) -> None:
        begun = time.monotonic()
        with pytest.raises(RuleErrors, match=message):
            parse_rules(text)
        assert time.monotonic() - begun < 30

    def test_key_limit(self) -> None:
        parse_rules(".".join("a" * KEY_LIMIT) + " = 1.5")
        with pytest.raises(RuleErrors):
            parse_rules(".".join("a" * (KEY_LIMIT + 1)) + " = 1")

    @pytest.mark.parametrize(
        "value",
        ["'{}'", '"{}"', "'''\n{}'''", '"""\n\\"""{}"""', '"""{}""""', "''''{}''''", "1 # {}"],
    )
    def test_dots_in_values_are_no_long_keys(self, value: str) -> None:
        assert parse_rules(f"a = {value.format('x.' * 100)}\nb = 1 # '\n") == ()
        assert parse_rules(f"a = [\n{value.format('x.' * 100)}\n]\nb = 1 # '\n") == ()

    def test_dots_in_numbers_and_in_parts_are_no_long_keys(self) -> None:
        assert parse_rules("a = [\n" + "1.0," * 100 + "\n]") == ()
        assert parse_rules("'" + "a." * 100 + "'.b = 1\n") == ()

    def test_limits_of_a_text(self) -> None:
        assert parse_rules("#" * TEXT_LIMIT) == ()
        text = "".join(f'[[rule]]\nname = "{n}"\nkind = "task"\n' for n in range(RULE_LIMIT))
        assert len(parse_rules(text)) == RULE_LIMIT

    def test_limits_of_a_rule(self) -> None:
        head = '[[rule]]\nname = "{}"\nkind = "event"\n'
        assert len(parse_rules(head.format("x" * NAME_LIMIT))) == 1
        with pytest.raises(RuleErrors, match="1 to 100 characters"):
            parse_rules(head.format("x" * (NAME_LIMIT + 1)))
        table = "[rule.lookups.t]\n" + "".join(f"k{n} = 'v'\n" for n in range(ENTRY_LIMIT))
        assert len(parse_rules(head.format("a") + table)[0].lookups["t"]) == ENTRY_LIMIT
        with pytest.raises(RuleErrors, match="more than 10,000 entries"):
            parse_rules(head.format("a") + table + "last = 'v'\n")


def test_require_raises_for_errors_only() -> None:
    warned = check(Rule(name="a", kind=Kind.EVENT, private=Private.FULL))
    assert [problem.severity for problem in warned] == [Severity.WARNING]
    require(warned)
    require(())
    with pytest.raises(RuleErrors):
        require(check(Rule(name="a", kind=Kind.MAIL)))


def test_without_a_text_problems_have_a_path_and_no_line() -> None:
    rule = Rule(name="a", kind=Kind.EVENT, filter=Filters(crm="item.titel == ''"))
    (problem,) = check(rule)
    assert (problem.line, problem.column, problem.file) == (0, 5, "")
    assert problem.path == "rule[0].filter.crm"


def said(rule: Rule, crm: Traits | None, groupware: Traits | None) -> list[str]:
    return [f"{each.message} ({each.hint})" for each in check(rule, crm, groupware)]


def test_what_a_side_holds_is_told() -> None:
    events, away = Rule(name="a", kind=Kind.EVENT), Rule(name="a", kind=Kind.ABSENCE)
    assert said(events, CRM, PEOPLE_ONLY) == ["people holds no events (it holds contacts, tasks)"]
    assert said(events, HOLDS_NOTHING, PLAIN) == ["empty holds no events ()"]
    assert said(away, CRM, PLAIN) == []
    assert said(away, PLAIN, PLAIN) == ["dav holds no absences (it holds contacts, events, tasks)"]
    assert said(away, None, None) == []


def test_storage_is_asked_of_the_side_s_own_kind() -> None:
    fields = {"title": FieldRule(inbound="value", outbound="value")}
    rule = Rule(name="a", kind=Kind.ABSENCE, direction=Direction.BOTH, fields=fields)
    kinds = {**CRM.kinds, Kind.ABSENCE: replace(CRM.kinds[Kind.ABSENCE], fields=frozenset())}
    untitled = replace(CRM, kinds=kinds)
    assert said(rule, untitled, PLAIN) == ["the CRM can't store title ()"]
    assert said(rule, CRM, PLAIN) == []


def test_own_fields_where_none_are_kept() -> None:
    rule = Rule(name="a", kind=Kind.EVENT, fields={"crm:x": FieldRule(direction=OUTBOUND)})
    assert said(rule, CRM, CALENDAR_ONLY) == [
        "the mailbox keeps no own fields of 'crm' (it keeps: none)"
    ]


def test_without_traits_nothing_is_said_of_storage() -> None:
    fields = {"url": FieldRule(direction=OUTBOUND), "crm:x": FieldRule(direction=OUTBOUND)}
    assert said(Rule(name="a", kind=Kind.EVENT, fields=fields), None, None) == []


def test_a_rule_that_is_not_in_the_text_is_checked_all_the_same() -> None:
    rule = Rule(name="a", kind=Kind.MAIL)
    for text in ("", "[[rule]]\nname = 'b'\nkind = 'task'\n"):
        (problem,) = check(rule, source=Source(text))
        assert problem.message == "e-mails are no matter of rules"


def test_problems_come_errors_first_and_then_by_line() -> None:
    text = (CORPUS / "bad_expressions.toml").read_text(encoding="utf-8")
    source = Source(text)
    lines = [problem.line for problem in check(parse_rules(text)[0], CRM, PLAIN, source)]
    assert lines == sorted(lines)


@pytest.mark.parametrize(
    ("value", "below"),
    [
        ("'x'", False),
        ('"x"', False),
        ("'''\nx'''", True),
        ('"""\nx"""', True),
        ('"""\\\n x"""', False),
        ("'''x'''", False),
        ('"""x"""', False),
        ('"""x\ny"""', False),
        ('"""   \nx"""', False),
    ],
)
def test_texts_that_begin_in_the_line_below(value: str, below: bool) -> None:
    for text in (f"a = {value}\n", f"a = {value}\n".replace("\n", "\r\n")):
        assert Source(text).begins_below(("a",)) is below


WORDS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)
NASTY = st.sampled_from(
    ["", "'", '"', "'''", '"""', "\\", "a\nb", "\n", "'\n", "\r\n", "\t", "\x7f", "\x00", "a'''b",
     'value.prefix("x")', "it's \"so\"", "\\u0041", "#", "[[rule]]", "a = 1", "\u2028", "\x85"]
)  # fmt: skip
TEXT = WORDS | NASTY
NAMES = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    str.strip
)
COUNTS = st.integers(0, 10**9)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


RULES = st.builds(
    Rule,
    name=NAMES,
    kind=st.sampled_from(Kind),
    direction=maybe(st.sampled_from(Direction)),
    creates=maybe(st.sampled_from(Direction)),
    filter=st.builds(Filters, crm=TEXT, groupware=TEXT),
    scope=maybe(st.sampled_from(Scope)),
    categories=st.lists(TEXT, max_size=3).map(tuple),
    fields=st.dictionaries(
        TEXT,
        st.builds(
            FieldRule,
            direction=maybe(st.sampled_from(Direction)),
            clash=maybe(st.sampled_from(Clash)),
            one_way=maybe(st.sampled_from(OneWay)),
            inbound=TEXT,
            outbound=TEXT,
            source=TEXT,
        ),
        max_size=3,
    ),
    clash=maybe(st.sampled_from(Clash)),
    one_way=st.sampled_from(OneWay),
    delete=st.builds(
        Deletions,
        inbound=maybe(st.sampled_from(Deletion)),
        outbound=maybe(st.sampled_from(Deletion)),
    ),
    window=st.builds(
        Window, past=maybe(COUNTS), future=maybe(COUNTS), leaving=st.sampled_from(Leaving)
    ),
    leaving=st.sampled_from(Leaving),
    private=st.sampled_from(Private),
    invitations=st.sampled_from(Invitations),
    meetings=st.sampled_from(Meetings),
    series=st.builds(SeriesRule, unfit=st.sampled_from(Unfit), days=st.integers(1, 730)),
    ownership=st.dictionaries(TEXT, TEXT, max_size=3),
    lookups=st.dictionaries(TEXT, st.dictionaries(TEXT, TEXT, max_size=3), max_size=3),
    guard=st.builds(
        GuardLimits,
        deletes=COUNTS,
        share=st.floats(0, 1),
        updates=COUNTS,
        target_updates=COUNTS,
        mailbox_updates=COUNTS,
    ),
)


@given(rules=st.lists(RULES, max_size=3, unique_by=lambda rule: rule.name).map(tuple))
def test_what_is_written_reads_the_same(rules: tuple[Rule, ...]) -> None:
    text = render_rules(rules)
    assert parse_rules(text) == rules
    assert [rule.version for rule in parse_rules(text)] == [rule.version for rule in rules]
    Source(text)


@given(rule=RULES)
def test_check_and_compilation_of_any_rule_end_cleanly(rule: Rule) -> None:
    """Whatever is in a rule, problems are told, and what has no errors compiles."""
    source = Source(render_rules([rule]))
    problems = check(rule, source=source)
    assert all(problem.message and problem.path for problem in problems)
    if not any(problem.severity is Severity.ERROR for problem in problems):
        try:
            Program(rule)
        except RuleFailed as error:  # pragma: no cover
            raise AssertionError(str(error)) from error


@given(text=st.text(max_size=200))
def test_no_text_crashes_the_reader(text: str) -> None:
    with suppress(RuleErrors):
        parse_rules(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (0.5, "0.5"),
        (["a", True], '["a", true]'),
        (r"^\d+$", r"'^\d+$'"),
        ('say "x"', "'say \"x\"'"),
        ('it\'s "x"', r'''"it's \"x\""'''),
        ("a\tb\r\nc\x00", r'"a\tb\r\nc\u0000"'),
        ("a\nb", "'''\na\nb'''"),
    ],
)
def test_values_are_written_as_people_write_them(value: Any, text: str) -> None:
    assert render_value(value) == text
    assert Source(f"x = {text}").data["x"] == value


def test_export_leaves_defaults_out_and_is_readable() -> None:
    rule = Rule(
        name="sales",
        kind=Kind.EVENT,
        filter=Filters(crm='item.title != ""\n  && item.status != "cancelled"'),
        window=Window(past=14),
        guard=GuardLimits(share=0.5),
        fields={
            "title": FieldRule(outbound='value.prefix("CRM: ")', direction=Direction.OUTBOUND),
            "crm:region": FieldRule(),
        },
        ownership={"info@firm.example": "bob"},
        lookups={"regions": {"north": "N", "far south": "S"}, "empty": {}},
        categories=("Customer", "Büro"),
    )
    assert render_rules([rule, Rule(name="tasks", kind=Kind.TASK)]) == EXPORT


EXPORT = """\
[[rule]]
name = "sales"
kind = "event"
filter.crm = '''
item.title != ""
  && item.status != "cancelled"'''
categories = ["Customer", "Büro"]
window.past = 14
guard.share = 0.5

[rule.fields.title]
direction = "outbound"
outbound = 'value.prefix("CRM: ")'

[rule.fields."crm:region"]

[rule.ownership]
"info@firm.example" = "bob"

[rule.lookups.regions]
north = "N"
"far south" = "S"

[rule.lookups.empty]

[[rule]]
name = "tasks"
kind = "task"
"""
