"""What the CEL library says of a faulty expression, in plain words and with a way to mend it.

`check_text` asks here; the library's own words never reach a person where they can be told better.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from accord.rules import defaults
from accord.rules.expression import LOOPS
from accord.rules.functions import FUNCTIONS
from accord.rules.problem import meant

CEL_FUNCTIONS = (
    "bool", "contains", "double", "duration", "endsWith", "getDate", "getDayOfMonth",
    "getDayOfWeek", "getDayOfYear", "getFullYear", "getHours", "getMilliseconds", "getMinutes",
    "getMonth", "getSeconds", "int", "matches", "size", "startsWith", "string", "timestamp",
)  # fmt: skip
"""The functions of CEL itself that rules have use for."""

_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_NO_MATCH = re.compile(r"found no matching overload for '([^']*)' applied to '\((.*)\)'")
_NOTHING = re.compile(r"^(timestamp|duration)\(.* gives nothing: ", re.DOTALL)
_RESERVED = re.compile(r"reserved identifier: (\w+)")
_SYNTAX = re.compile(r"Syntax error: (.*)", re.DOTALL)
_UNKNOWN_SIGN = re.compile(r"token recognition error at: '(.*)'", re.DOTALL)
_MISPLACED = re.compile(r"(?:mismatched|extraneous) input '(.*)' expecting (.*)", re.DOTALL)
_MISSING = re.compile(r"missing '(.*)' at '(.*)'", re.DOTALL)
_END = "<EOF>"
_LANGUAGE = "expressions are written in CEL; docs/rules.md shows some"
_OPERATORS = {
    "and": "write && for and",
    "or": "write || for or",
    "not": "write ! for not",
    "&": "write && for and",
    "|": "write || for or",
    "=": "write == to compare",
    "like": 'write item.title.contains("…"), say',
    "is": "write == to compare",
    ">": "write != for unlike",
    ")": "there is no ( before it that it would close",
    "]": "there is no [ before it that it would close",
    "}": "there is no { before it that it would close",
}
_FORMS = {
    "contains": 'item.title.contains("part")',
    "endsWith": 'item.title.endsWith("end")',
    "matches": 'item.title.matches("^[A-Z]+-[0-9]+")',
    "size": "size(item.categories) > 0",
    "startsWith": 'item.title.startsWith("start")',
}
_LITERALS = {
    "timestamp": 'write timestamp("2026-03-01T09:00:00Z"), say',
    "duration": 'write duration("90m"), say',
}
_CLOSING = ")]}"
_QUOTES = frozenset("‘’‚“”„«»`´")  # noqa: RUF001 (whoever copies from a letter brings these)


def explained(message: str, variables: Sequence[str]) -> tuple[str, str]:
    """Return message and hint for what the library says of an expression over these variables."""
    if found := _UNDECLARED.search(message):
        return _unknown(found[1], variables)
    if found := _NO_MATCH.search(message):
        name, given = found.groups()
        sign = name.replace("_", " ").replace("@", "").strip()
        return f"{sign!r} can't be used with ({given})", "string(…), int(…) and size(…) convert"
    if found := _RESERVED.search(message):
        hint = "write condition ? one : other" if found[1] in ("if", "else") else _LANGUAGE
        return f"{found[1]!r} means nothing in an expression", hint
    if found := _SYNTAX.search(message):
        return _syntax(found[1])
    if found := _NOTHING.match(message):
        return message, _LITERALS[found[1]]
    return message, ""


def _unknown(name: str, variables: Sequence[str]) -> tuple[str, str]:
    if name.removeprefix("item.") in defaults.INTERNAL:
        return f"{name} never leaves the CRM", "only the CRM's filter may ask for it"
    functions = {function.name: function.example for function in FUNCTIONS}
    if name in functions or name in _FORMS:
        form = functions.get(name) or _FORMS[name]
        return f"{name}(…) can't be called like this", f"write it as in {form}"
    if name in CEL_FUNCTIONS or name in LOOPS:
        return f"{name}(…) can't be called like this", _LANGUAGE
    message = f"there is nothing called {name!r}"
    within = [each for each in variables if each.startswith(f"{name}.")]
    if within:
        return message, f"use one of: {', '.join(sorted(within))}"
    return message, _nearest(name, {*variables, *functions, *CEL_FUNCTIONS, *LOOPS})


def _nearest(name: str, known: Iterable[str]) -> str:
    """Return the hint that fits best; `title` alone may mean `item.title`."""
    prefix, _, word = name.rpartition(".")
    alike = [each for each in sorted(known) if not prefix or each.startswith(f"{prefix}.")]
    by_word = {each.rpartition(".")[2]: each for each in alike or sorted(known)}
    return meant(word, by_word)


def _syntax(said: str) -> tuple[str, str]:
    if found := _UNKNOWN_SIGN.search(said):
        return _sign(found[1].strip())
    if found := _MISSING.search(said):
        return _open(found[1])
    if found := _MISPLACED.search(said):
        given, wanted = found.groups()
        closing = [each for each in _CLOSING if wanted.startswith(_wanted(each))]
        if closing and given in (_END, *_CLOSING):
            return _open(closing[0])
        if given != _END:
            return f"{given[:60]!r} can't stand here", _OPERATORS.get(given.lower(), _LANGUAGE)
        if wanted == "':'":
            return "a ? has no : after it", "write condition ? one : other"
        return "something is missing at its end", _LANGUAGE
    return "this can't stand here", _LANGUAGE


def _sign(sign: str) -> tuple[str, str]:
    """Return what is wrong with a sign that CEL doesn't know at all."""
    if sign[:1] in ("'", '"'):
        return "a text has no end", f"put {sign[0]} behind it"
    if sign in _QUOTES:
        return f"{sign!r} is no quotation mark of a text", "write \"…\" or '…'"
    return f"{sign[:60]!r} means nothing in an expression", _OPERATORS.get(sign[:1], _LANGUAGE)


def _open(closing: str) -> tuple[str, str]:
    return "a bracket stays open", f"put {closing} where it is to close"


def _wanted(sign: str) -> tuple[str, str]:
    """Return how the library begins to say that it expected a sign."""
    return f"'{sign}'", f"{{'{sign}'"
