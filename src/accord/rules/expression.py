"""CEL expressions, compiled once and evaluated within bounds; errors are always raised.

The language is CEL (cel.dev) with the functions of `functions`; nothing here knows rules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext.ext_optional import ExtOptional
from msgspec import Struct

from accord.rules.facts import Facts
from accord.rules.failure import InvalidExpression, RuleFailed
from accord.rules.functions import FACTS, FUNCTIONS, SURROGATES, Tables, declarations

EXPRESSION_LIMIT = 2_000
"""Characters one expression may have."""

MACRO_LIMIT = 3
"""Loops (`map`, `filter`, `exists` …) one expression may have."""

WORK_LIMIT = 64_000_000
"""Characters one evaluation may handle, estimated before it starts."""

LOOP_LIMIT = 10_000
"""Turns of loops in one evaluation; the CEL library stops there."""

LOOPS = frozenset({"map", "filter", "all", "exists", "exists_one"})
_GROWERS = frozenset({f.name for f in FUNCTIONS if f.grows} | {"matches", "contains"})
_ENLARGING = frozenset({"replace", "join"})
_CONVERSIONS = frozenset({"timestamp", "duration", "int", "uint", "double", "bool"})
ENLARGED = 65_536
"""Characters a text is thought to get where texts are replaced or joined within loops."""

_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*)
    |(?P<text>[rRbB]{0,2}(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''
        |"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<name>[A-Za-z_]\w*)
    |(?P<space>\s+)
    |(?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_NOISE = re.compile(r" \(in container ''\)| \[[A-Z_]+\]$")
_SHOWN = 300
_WHERE = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_NO_VALUE = re.compile(r'No value with name "([^"]*)"')
_STATUS = re.compile(r"^[A-Z_]+: ")
_NO_PATTERN = "invalid regular expression: "


class Variable(Struct, frozen=True):
    """Declare one variable of an expression: its name (may be dotted) and CEL type in words."""

    name: str
    type: str


class Expression:
    """Be one compiled expression; free of state and safe to share between threads."""

    __slots__ = ("_compiled", "_enlarges", "_growers", "_loops", "field", "names", "tables", "text")

    def __init__(self, field: str, text: str, env: Any) -> None:
        tokens = _tokens(text)
        self.field = field
        self.text = text
        self.names = frozenset(_dotted(tokens))
        self._loops = _count_loops(tokens)
        self._growers = _count_growers(tokens)
        self.tables = tuple(_tables(tokens))
        self._enlarges = any(value in _ENLARGING for kind, value in tokens if kind == "name")
        self._compiled = _compile(text, tokens, env)

    @property
    def result(self) -> Any:
        """Return the CEL type of the result as far as it is known before evaluation."""
        return self._compiled.return_type()

    def evaluate(self, values: dict[str, Any], facts: Facts) -> Any:
        """Return the plain result; raises RuleFailed for whatever goes wrong."""
        if self._loops and self._growers:
            self._weigh(values)
        token = FACTS.set(facts)
        try:
            result = self._compiled.eval(data=values)
            if result.type() == cel.Type.ERROR:
                raise RuleFailed(self.field, _spoken(str(result.plain_value())))
            return result.plain_value()
        except (RuntimeError, TypeError, ValueError, OverflowError, UnicodeError) as error:
            raise RuleFailed(self.field, _spoken(str(error))) from error
        finally:
            FACTS.reset(token)

    def _weigh(self, values: Mapping[str, Any]) -> None:
        """Refuse to start what could handle more text than WORK_LIMIT."""
        longest, most = size_of(values)
        if self._enlarges:
            longest = max(longest, ENLARGED)
        longest = max(longest, len(self.text))
        if work(longest, most, self._loops, self._growers) > WORK_LIMIT:
            raise RuleFailed(self.field, "the expression's loops would handle too much text")


def work(longest: int, most: int, loops: int, growers: int) -> float:
    """Return how many characters an evaluation handles at most, roughly.

    Loops over the longest list within each other take turns; in each, a text grows with
    every operation that makes texts, and the texts of one loop go into the next.
    """
    turns: int = min(most**loops, LOOP_LIMIT)
    growth: float = (1 + growers / loops) ** loops
    return turns * (longest + most) * growth


def size_of(value: Any) -> tuple[int, int]:
    """Return the length of the longest text in a plain value and of its longest list."""
    match value:
        case str():
            return len(value), 0
        case list() | dict():
            inner = [*value, *value.values()] if isinstance(value, dict) else value
            sizes = [size_of(each) for each in inner]
            longest = max((text for text, _ in sizes), default=0)
            return longest, max((len(value), *(most for _, most in sizes)))
        case _:
            return 0, 0


def compile_expression(
    field: str, text: str, variables: tuple[Variable, ...], tables: Tables
) -> Expression:
    """Return the compiled expression; raises InvalidExpression with line and column."""
    frozen = tuple((name, tuple(table.items())) for name, table in tables.items())
    return Expression(field, text, _environment(variables, frozen))


@lru_cache(maxsize=256)
def _environment(variables: tuple[Variable, ...], tables: tuple[tuple[str, Any], ...]) -> Any:
    return cel.NewEnv(
        variables={variable.name: cel.Type(variable.type) for variable in variables},
        functions=declarations({name: dict(entries) for name, entries in tables}),
        extensions=[ExtOptional()],
    )


def _tokens(text: str) -> list[tuple[str, str]]:
    if len(text) > EXPRESSION_LIMIT:
        raise InvalidExpression(f"the expression is longer than {EXPRESSION_LIMIT} characters")
    if "\0" in text or not SURROGATES.isdisjoint(text):
        raise InvalidExpression("the expression holds characters that can't be read")
    found = [(str(match.lastgroup), match.group()) for match in _TOKEN.finditer(text)]
    return [(kind, value) for kind, value in found if kind not in ("comment", "space")]


def _dotted(tokens: list[tuple[str, str]]) -> list[str]:
    """Return the `a.b` names an expression may mean, and the plain ones."""
    names = []
    for here, (kind, value) in enumerate(tokens):
        if kind != "name":
            continue
        names.append(value)
        after = tokens[here + 1 : here + 3]
        if len(after) == 2 and after[0][1] == "." and after[1][0] == "name":
            names.append(f"{value}.{after[1][1]}")
    return names


def _count_loops(tokens: list[tuple[str, str]]) -> int:
    calls = _calls(tokens)
    return sum(name in LOOPS for name, _ in calls)


def _count_growers(tokens: list[tuple[str, str]]) -> int:
    plus = sum(token == ("sign", "+") for token in tokens)
    return plus + sum(name in _GROWERS for name, _ in _calls(tokens))


def _calls(tokens: list[tuple[str, str]]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the name of every call with the tokens that follow its opening bracket."""
    return [
        (value, tokens[here + 2 :])
        for here, ((kind, value), (_, after)) in enumerate(pairwise(tokens))
        if kind == "name" and after == "("
    ]


def _tables(tokens: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the function and table of every lookup that names its table literally."""
    return [
        (name, arguments[0][1][1:-1])
        for name, arguments in _calls(tokens)
        if name in ("lookup", "lookupKey") and arguments and arguments[0][0] == "text"
    ]


def _compile(text: str, tokens: list[tuple[str, str]], env: Any) -> Any:
    if _count_loops(tokens) > MACRO_LIMIT:
        raise InvalidExpression(f"an expression may have at most {MACRO_LIMIT} loops")
    try:
        compiled = env.compile(text)
    except (RuntimeError, TypeError, ValueError) as error:
        raise _invalid(str(error)) from error
    for name, arguments in _calls(tokens):
        if name == "matches" and not _literal(arguments):
            raise InvalidExpression("matches() takes its pattern as a literal text")
    return compiled


def check_literals(expression: Expression) -> None:
    """Refuse patterns and texts to convert that always fail; raises InvalidExpression.

    Import asks, compiling doesn't: a rule in force may serve every item that never comes to them.
    """
    env = _environment((), ())
    for name, arguments in _calls(_tokens(expression.text)):
        literal = _literal(arguments)
        if name == "matches" and (why := _failure(f'"".matches({literal})', env)):
            raise InvalidExpression(f"{literal} is no pattern: {why.removeprefix(_NO_PATTERN)}")
        if name in _CONVERSIONS and literal and (why := _failure(f"{name}({literal})", env)):
            raise InvalidExpression(f"{name}({literal}) gives nothing: {why}")


def _literal(arguments: list[tuple[str, str]]) -> str:
    """Return the last argument of a call if it is one literal text; empty where it isn't."""
    depth = 1
    last: list[tuple[str, str]] = []
    for kind, value in arguments:
        depth += (value in _OPENING) - (value in _CLOSING)
        if depth == 0:
            break
        last = [] if (depth, value) == (1, ",") else [*last, (kind, value)]
    return last[0][1] if [kind for kind, _ in last] == ["text"] else ""


def _failure(text: str, env: Any) -> str:
    """Return why an expression without variables can't be worked out; empty where it can."""
    result = env.compile(text).eval()
    return _spoken(str(result.plain_value())) if result.type() == cel.Type.ERROR else ""


def _invalid(message: str) -> InvalidExpression:
    found = _WHERE.search(message)
    if found is None:
        return InvalidExpression(_spoken(message))
    line, column, what = found.groups()
    return InvalidExpression(_NOISE.sub("", what), max(int(line), 1), max(int(column), 1))


def _spoken(message: str) -> str:
    """Return a message of the CEL library without its status codes, shortened."""
    if found := _NO_VALUE.search(message):
        return f"{found.group(1)} says nothing here"
    return _NOISE.sub("", _STATUS.sub("", message))[:_SHOWN]
