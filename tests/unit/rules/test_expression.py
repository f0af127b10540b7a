"""Expressions: their functions, their errors, and that nothing they do runs away."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.model.kinds import Direction, Kind, Side
from accord.model.parts import Body
from accord.rules.expression import (
    EXPRESSION_LIMIT,
    Expression,
    Variable,
    check_literals,
    compile_expression,
)
from accord.rules.facts import Facts
from accord.rules.failure import InvalidExpression
from accord.rules.functions import FACTS as CONTEXT
from accord.rules.functions import FUNCTIONS, LIST_LIMIT, TEXT_LIMIT
from accord.rules.program import RuleFailed
from accord.rules.rule import FieldRule, Filters
from accord.rules.values import VIEW_TEXT
from accord.rules.wording import explained
from tests.unit.rules.given import ANNA, FACTS, event, program, task

TABLES = {"regions": {"north": "Northern sales", "south": "South", "twin": "South"}}
VARIABLES = (
    Variable("value", "string"),
    Variable("texts", "list<string>"),
    Variable("item.title", "string"),
    Variable("item.extras", "map<string, dyn>"),
)


def compiled(text: str) -> Expression:
    return compile_expression("f", text, VARIABLES, TABLES)


def value_of(text: str, facts: Facts = FACTS, **values: Any) -> Any:
    return compiled(text).evaluate({k.replace("__", "."): v for k, v in values.items()}, facts)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.signature)
def test_every_function_does_what_its_example_says(function: Any) -> None:
    assert value_of(function.example) == value_of(function.gives)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ('domain("no address")', ""),
        ('domain("a@b@C.example")', "c.example"),
        ('"x".prefix("x")', "x"),
        ('"".prefix("x")', "x"),
        ('"xx".stripPrefix("x")', "x"),
        ('"ab".stripPrefix("b")', "ab"),
        ('"yx".suffix("x")', "yx"),
        ('"xx".stripSuffix("x")', "x"),
        ('"Visit".substring(1, 3)', "is"),
        ('"Visit".substring(-5, 2)', "Vi"),
        ('"Visit".substring(3, 1)', ""),
        ('"Visit".substring(2, -1)', ""),
        ('"Visit".substring(2, 99)', "sit"),
        ('"".split(",")', []),
        ('"a".split(",")', ["a"]),
        ('[].join(",")', ""),
        ('lookup("regions", "north", "x")', "Northern sales"),
        ('lookupKey("regions", "South")', "south"),
        ('lookupKey("regions", "North", "none")', "none"),
        ('isOwner("anna@FIRM.example")', True),
        ('known("Eva@CLIENT.example")', True),
        ('known("bob@firm.example")', True),
    ],
)
def test_functions_at_their_edges(text: str, result: Any) -> None:
    assert value_of(text) == result


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('lookup("regions", "moon")', "the lookup table 'regions' has no entry 'moon'"),
        ('lookupKey("regions", "Moon")', "the lookup table 'regions' has no entry with 'Moon'"),
        ('lookup("nothing", "x")', "there is no lookup table 'nothing'"),
        ('lookup("nothing", "x", "y")', "there is no lookup table 'nothing'"),
        ('lookupKey("nothing", "x")', "there is no lookup table 'nothing'"),
        ('"a".replace("", "b")', "replace() needs a text to look for"),
        ('"a".split("")', "split() needs a separator"),
        ("1 / 0", "divide by zero"),
        ('item.extras["a"]', "a"),
        ('int("x" + "")', "cannot convert"),
        ("item.title", "item.title"),
    ],
)
def test_what_goes_wrong_is_raised_in_plain_words(text: str, message: str) -> None:
    with pytest.raises(RuleFailed) as failed:
        value_of(text, item__extras={})
    assert failed.value.field == "f"
    assert message in failed.value.message
    assert "INVALID_ARGUMENT" not in failed.value.message
    assert "OUT_OF_RANGE" not in failed.value.message


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("value +\n  other", 2, 3, "undeclared reference to 'other'"),
        ("value + 1", 1, 7, "found no matching overload"),
        ("(value", 1, 7, "Syntax error"),
        ("", 1, 1, "Syntax error"),
        ("item.nothing", 1, 5, "undeclared reference to 'item.nothing'"),
        ("cel.bind(x, value, x)", 1, 1, "undeclared reference"),
        ("value" + " " * EXPRESSION_LIMIT, 1, 1, "longer than 2000 characters"),
        ("'\0'", 1, 1, "can't be read"),
        ("'\ud800'", 1, 1, "can't be read"),
        ("(" * 500 + "value" + ")" * 500, 1, 1, "recursion"),
        ("[" * 900 + "]" * 900, 1, 1, "recursion"),
        ("value" + "+value" * 300, 1, 1, "recursion"),
        ("texts.map(a, texts.map(b, texts.map(c, texts.map(d, d))))", 1, 1, "at most 3 loops"),
        ("value.matches(item.title)", 1, 1, "literal"),
        ("matches(value, value)", 1, 1, "literal"),
        ('value.matches("a" + value)', 1, 1, "literal"),
    ],
)
def test_what_can_not_be_compiled_says_where(
    text: str, line: int, column: int, message: str
) -> None:
    with pytest.raises(InvalidExpression) as invalid:
        compiled(text)
    assert message.casefold() in invalid.value.message.casefold()
    if column > 1:
        assert (invalid.value.line, invalid.value.column) == (line, column)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('value.matches("(")', '"(" is no pattern: missing )'),
        ('value.matches("(expression: ")', "is no pattern: missing ): (expression: "),
        ("matches(value, r'(?=a)')", "is no pattern"),
        ('timestamp("x") > timestamp(value)', 'timestamp("x") gives nothing'),
        ('duration("soon") == duration("1h")', "gives nothing"),
        ('value == "" ? 1 : int("one")', "gives nothing"),
    ],
)
def test_literals_that_always_fail_are_refused_but_compiled(text: str, message: str) -> None:
    expression = compiled(text)
    with pytest.raises(InvalidExpression) as invalid:
        check_literals(expression)
    assert message in invalid.value.message


@pytest.mark.parametrize(
    "text",
    [
        'value.matches("^a+$")',
        "value.matches(r'^a+$')",
        'matches(value, "^(a|,)+$")',
        'timestamp("2026-03-01T09:00:00Z") - duration("90m") < timestamp("2026-03-01T09:00:00Z")',
        'texts.exists(x, x.matches("a")) || value.contains("matches(")',
    ],
)
def test_literal_patterns_are_fine(text: str) -> None:
    check_literals(compiled(text))
    assert value_of(text, value="aaa", texts=["a"]) is True


def test_texts_and_comments_are_no_code() -> None:
    text = """// item.title.map(
    'value.map(value.map(value.map(value.map( + + +' + "\\" item.title" + value"""
    assert value_of(text, value="!").endswith("!")
    assert compiled(text).names == {"value"}


def test_comments_may_stand_anywhere() -> None:
    text = """lookup( // the table
    "regions" // by hand
    , item // of the CRM
    .title) == "South" && value.matches( // in full
    "^a+$" // the pattern
    )"""
    assert value_of(text, item__title="south", value="aa") is True
    assert compiled(text).tables == (("lookup", "regions"),)
    assert "item.title" in compiled(text).names


def test_a_loop_s_variable_may_be_called_like_a_loop() -> None:
    assert value_of("texts.map(all, all + all + all + all)", texts=["a"]) == ["aaaa"]


def test_expressions_may_be_as_long_as_the_limit() -> None:
    text = "value".ljust(EXPRESSION_LIMIT)
    assert value_of(text, value="x") == "x"


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.signature)
def test_what_a_function_gives_is_known_before(function: Any) -> None:
    assert compiled(function.example).result.name() == function.result.name()


CEL = "expressions are written in CEL; docs/rules.md shows some"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("value ? if : else", "'if' means nothing", "write condition ? one : other"),
        ("else", "'else' means nothing", "write condition ? one : other"),
        ("while", "'while' means nothing", CEL),
        ("bool(value, 1)", "bool(…) can't be called like this", CEL),
        ("map(value)", "map(…) can't be called like this", CEL),
        ("itm.title", "there is nothing called 'itm.title'", "did you mean item.title?"),
        ("zzqq", "there is nothing called 'zzqq'", "use one of: all, bool, contains, domain, "),
        ("value value", "'value' can't stand here", CEL),
        ('value == "abc', "a text has no end", 'put " behind it'),
        ("value == 'abc", "a text has no end", "put ' behind it"),
        ("value == “abc”", "'“' is no quotation mark", "write \"…\" or '…'"),
        ("value &b", "'&b' means nothing", "write && for and"),
        ("value | b", "'|' means nothing", "write || for or"),
        ("value § 2", "'§' means nothing", CEL),
        ("(value]", "a bracket stays open", "put ) where it is to close"),
        ("[value)", "a bracket stays open", "put ] where it is to close"),
        ('{"a": value', "a bracket stays open", "put } where it is to close"),
        ("value }", "'}' can't stand here", "there is no { before it that it would close"),
    ],
)
def test_faults_are_told_in_plain_words_with_a_hint(text: str, message: str, hint: str) -> None:
    with pytest.raises(InvalidExpression) as invalid:
        compiled(text)
    said, help_ = explained(invalid.value.message, [each.name for each in VARIABLES])
    assert said.startswith(message)
    assert help_ == hint if hint[-1] != " " else help_.startswith(hint)


def test_names_and_tables_of_an_expression() -> None:
    found = compiled('lookup("regions", item . title) + lookupKey("x", value) + value')
    assert {"item.title", "value"} <= found.names
    assert found.tables == (("lookup", "regions"), ("lookupKey", "x"))


class TestBounds:
    """A hostile rule or item costs bounded time and memory."""

    def test_loops_within_loops_stop(self) -> None:
        with pytest.raises(RuleFailed, match="budget"):
            value_of("texts.all(a, texts.all(b, texts.all(c, true)))", texts=["x"] * 100)

    def test_growing_in_loops_is_refused_before_it_starts(self) -> None:
        text = "[value].map(a, a + a + a).map(b, b + b + b).map(c, c + c + c)"
        assert value_of(text, value="x") == ["x" * 27]
        more = "[value]" + "".join(f".map({x}, {'+'.join(x * 9)})" for x in "abc")
        assert value_of(more, value="x") == ["x" * 729]
        with pytest.raises(RuleFailed, match="too much text"):
            value_of(more, value="x" * TEXT_LIMIT)

    def test_work_in_loops_is_refused_before_it_starts(self) -> None:
        text = 'texts.map(a, texts.map(b, value.replace("x", "yy"))).size() > 0'
        with pytest.raises(RuleFailed, match="too much text"):
            value_of(text, texts=["a"] * 100, value="x" * 10_000)
        assert value_of(text, texts=["a"] * 10, value="x") is True

    def test_usual_loops_are_not_refused(self) -> None:
        text = 'value + (texts.exists(a, a.lower().contains("eva")) ? " (Eva)" : "")'
        assert value_of(text, texts=["x@y.example"] * 100, value="x" * 5_000).startswith("xxx")

    @pytest.mark.parametrize(
        "text",
        [
            'value.replace("x", "yyyyy")',
            "value.prefix(value + value)",
            'value.suffix("1234567890123456789")',
            "[value, value].join(value)",
        ],
    )
    def test_no_function_makes_an_enormous_text(self, text: str) -> None:
        with pytest.raises(RuleFailed, match="would be longer"):
            value_of(text, value="x" * (TEXT_LIMIT - 10))

    def test_no_list_becomes_enormous(self) -> None:
        with pytest.raises(RuleFailed, match="at most"):
            value_of('value.split(",")', value="," * LIST_LIMIT)
        assert len(value_of('value.split(",")', value="," * (LIST_LIMIT - 1))) == LIST_LIMIT

    def test_a_four_megabyte_title_is_cut_for_filters(self) -> None:
        rule = program(filter=Filters(crm="size(item.title) == 10000 && item.title != 'x'"))
        assert rule.scope(Side.CRM, event(title="x" * 4_000_000), FACTS).inside
        rule = program(filter=Filters(crm="size(item.title) == 10000"))
        assert rule.scope(Side.CRM, event(title="x" * VIEW_TEXT), FACTS).inside
        assert not rule.scope(Side.CRM, event(title="x" * (VIEW_TEXT - 1)), FACTS).inside

    def test_a_four_megabyte_value_is_not_transformed(self) -> None:
        fields = {"body": FieldRule(outbound='value + "!"', direction=Direction.OUTBOUND)}
        rule = program(fields=fields)
        fits = rule.project(Side.GROUPWARE, event(body=Body(text="x" * TEXT_LIMIT)), FACTS)
        assert len(fits.body.text) == TEXT_LIMIT + 1
        for size in (TEXT_LIMIT + 1, 4_000_000):
            with pytest.raises(RuleFailed, match="longer than 262,144"):
                rule.project(Side.GROUPWARE, event(body=Body(text="x" * size)), FACTS)

    def test_a_four_megabyte_value_that_needs_no_transformation_passes(self) -> None:
        item = event(body=Body(text="x" * 4_000_000))
        assert program().project(Side.GROUPWARE, item, FACTS).body == item.body

    def test_a_list_of_ten_thousand_is_cut_for_filters_and_not_transformed(self) -> None:
        item = event(categories=tuple(f"c{n}" for n in range(10_000)))
        rule = program(filter=Filters(crm="size(item.categories) == 500"))
        assert rule.scope(Side.CRM, item, FACTS).inside
        fields = {"categories": FieldRule(outbound="value", inbound="value")}
        with pytest.raises(RuleFailed, match="more than 500 entries"):
            program(fields=fields).project(Side.GROUPWARE, item, FACTS)

    @pytest.mark.parametrize("text", ["a\0b", "\ud800"])
    def test_texts_the_library_would_cut_are_not_transformed(self, text: str) -> None:
        fields = {"title": FieldRule(outbound="value", inbound="value")}
        with pytest.raises(RuleFailed, match="no expression can read"):
            program(fields=fields).project(Side.GROUPWARE, event(title=text), FACTS)

    @pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
    def test_and_are_mended_for_filters(self, text: str) -> None:
        rule = program(filter=Filters(crm='item.title == "a\ufffdb"'))
        assert rule.scope(Side.CRM, event(title=text), FACTS).inside

    def test_no_expression_gives_a_nul(self) -> None:
        fields = {"title": FieldRule(outbound="'a\\u0000b'", inbound="value")}
        try:
            out = program(fields=fields).project(Side.GROUPWARE, event(), FACTS)
        except RuleFailed:
            return
        assert "\0" not in out.title

    def test_numbers_beyond_64_bits(self) -> None:
        rule = program(filter=Filters(crm='item.extras["crm:n"] == "36893488147419103232"'))
        assert rule.scope(Side.CRM, event(extras={"crm:n": 2**65}), FACTS).inside


def test_threads_share_a_program_but_not_their_facts() -> None:
    rule = program(filter=Filters(crm="known(item.title) && isOwner(item.location)"))
    wrong: list[str] = []

    def ask(name: str) -> None:
        facts = Facts(now=FACTS.now, owner=ANNA, contacts={name: "1"}, addresses=frozenset({name}))
        item = event(title=name, location=name)
        wrong.extend(name for _ in range(300) if not rule.scope(Side.CRM, item, facts).inside)

    threads = [threading.Thread(target=ask, args=(f"u{n}@x.example",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_facts_are_forgotten_after_an_evaluation() -> None:
    value_of('known("x")')
    with pytest.raises(LookupError):
        CONTEXT.get()


TEXTS = st.text(max_size=40)
CALLS = [
    "value.lower()", "value.upper()", "value.trim()", "domain(value)", "string(known(value))",
    "string(isOwner(value))", "value.prefix(item.title)", "value.suffix(item.title)",
    "value.stripPrefix(item.title)", "value.stripSuffix(item.title)",
    "value.replace(item.title, value)", "value.split(item.title).join(value)",
    "value.substring(size(item.title), size(value))", "lookup(item.title, value)",
    "lookup('regions', value, item.title)", "lookupKey('regions', value, item.title)",
    "value + item.title", "value.matches('[a-z]+') ? value : item.title",
    "string(value.startsWith(item.title) || value.endsWith(item.title))",
    "texts.map(x, x + value).join(item.title)", "texts.filter(x, x.contains(value)).join(', ')",
    "string(int(value))", "string(timestamp(value))", "item.extras[value]",
    "string(duration(value))", "string(double(value))", "string(value < item.title)",
]  # fmt: skip


@given(call=st.sampled_from(CALLS), value=TEXTS, title=TEXTS, texts=st.lists(TEXTS, max_size=4))
def test_text_functions_give_texts_or_fail_cleanly(
    call: str, value: str, title: str, texts: list[str]
) -> None:
    extras = dict.fromkeys(texts, "x")
    with suppress(RuleFailed):
        result = value_of(call, value=value, item__title=title, texts=texts, item__extras=extras)
        assert isinstance(result, str)


READABLE = st.text(
    alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60
)


@pytest.mark.parametrize("where", ["prefix", "suffix"])
@given(value=READABLE, mark=READABLE)
def test_prefix_and_suffix_are_undone(where: str, value: str, mark: str) -> None:
    strip = f"strip{where.capitalize()}"
    fields = {
        "title": FieldRule(
            outbound=f"value.{where}({quoted(mark)})", inbound=f"value.{strip}({quoted(mark)})"
        )
    }
    rule = program(Kind.TASK, direction=Direction.BOTH, fields=fields)
    there = rule.project(Side.GROUPWARE, task(title=value), FACTS)
    marked = value.startswith(mark) if where == "prefix" else value.endswith(mark)
    assert there.title in ({value} if marked else {mark + value, value + mark})
    back = rule.project(Side.CRM, there, FACTS)
    assert rule.project(Side.GROUPWARE, back, FACTS).title == there.title
    if not marked:
        assert back.title == value


def quoted(text: str) -> str:
    return '"' + "".join(f"\\U{ord(c):08x}" for c in text) + '"'


@given(text=st.text(max_size=80))
def test_no_text_crashes_the_compiler(text: str) -> None:
    with suppress(InvalidExpression):
        check_literals(compiled(text))


@given(call=st.sampled_from(["matches(value, ", "timestamp(", "int("]), text=st.text(max_size=20))
@pytest.mark.parametrize("prefix", ["", "r"])
@pytest.mark.parametrize("quote", ['"', "'''"])
def test_no_literal_crashes_the_check(call: str, text: str, prefix: str, quote: str) -> None:
    with suppress(InvalidExpression):
        check_literals(compiled(f"{call}{prefix}{quote}{text}{quote})"))


@given(
    text=st.lists(
        st.sampled_from(
            ["value", "texts", "item.title", "(", ")", "+", ".", "map(", "x,", "'", '"', "size(",
             "[", "]", "{", "}", "?", ":", "&&", "!", "1", "-", "lookup(", "matches(", ","]
        ),
        max_size=30,
    ).map("".join)
)  # fmt: skip
def test_no_broken_expression_crashes_the_compiler(text: str) -> None:
    values = {"value": "a", "texts": ["b"], "item.title": "c", "item.extras": {}}
    with suppress(InvalidExpression, RuleFailed):
        compiled(text).evaluate(values, FACTS)
