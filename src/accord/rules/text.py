"""Rule text to rules: the `[[rule]]` tables of Accord's one TOML text, read strictly.

Unknown keys and ill-typed values are errors with file, line and a hint; all are told at once.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from accord.model.learning import learnt
from accord.rules.problem import Problem, RuleErrors, instead
from accord.rules.rule import Rule
from accord.rules.source import Path, Source

RULE_LIMIT = 1_000
"""Rules one text may hold."""

NAME_LIMIT = 100
"""Characters a rule's name may have."""

ENTRY_LIMIT = 10_000
"""Entries one table of a rule (fields, ownership, a lookup table) may have."""

_SHOWN = 60
_WORDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false",
          list: "a list", dict: "a table"}  # fmt: skip


def parse_rules(text: str, file: str = "") -> tuple[Rule, ...]:
    """Return the rules of a text; raises RuleErrors with everything that is wrong.

    Other tables (targets, links) are left to those who know them.
    """
    return rules_in(Source(text, file))


def rules_in(source: Source) -> tuple[Rule, ...]:
    """Return the rules of a text that has been read; raises RuleErrors."""
    tables = source.data.get("rule", [])
    problems = list(_misnamed(source))
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        problems.append(source.problem(("rule",), "must be tables", hint="write [[rule]]"))
        raise RuleErrors(problems)
    if len(tables) > RULE_LIMIT:
        raise RuleErrors([source.problem(("rule",), f"more than {RULE_LIMIT} rules")])
    rules = [read(Rule, table, ("rule", n), source, problems) for n, table in enumerate(tables)]
    if not problems:
        problems += _names(rules, source)
    if problems:
        raise RuleErrors(problems)
    return tuple(rules)


def read(wanted: Any, value: Any, path: Path, source: Source, problems: list[Problem]) -> Any:
    """Return `value` as what is `wanted`: a Struct, a table of them, or a plain value.

    What is wrong is added to `problems`; the result is then of no use.
    """
    wanted = _required(wanted)
    if isinstance(wanted, type) and issubclass(wanted, Struct):
        return _struct(wanted, value, path, source, problems)
    if typing.get_origin(wanted) is dict:
        return _entries(typing.get_args(wanted)[1], value, path, source, problems)
    try:
        return msgspec.convert(value, learnt(wanted))
    except msgspec.ValidationError:
        message, hint = _unfit(wanted, value)
        problems.append(source.problem(path, message, hint=hint))
        return None


@cache
def keys_of(wanted: type[Struct]) -> dict[str, Any]:
    """Return the keys of a table with the types of their values."""
    return typing.get_type_hints(wanted, include_extras=True)


def _struct(
    wanted: type[Struct], value: Any, path: Path, source: Source, problems: list[Problem]
) -> Any:
    if not isinstance(value, dict):
        problems.append(source.problem(path, f"must be a table, not {_word(value)}"))
        return None
    keys = keys_of(wanted)
    found = len(problems)
    values = {}
    for key, each in value.items():
        if key not in keys:
            message = f"there is no key {key[:_SHOWN]!r} here"
            problems.append(source.problem((*path, key), message, hint=instead(key, keys)))
        else:
            values[key] = read(keys[key], each, (*path, key), source, problems)
    for info in msgspec.structs.fields(wanted):
        if info.required and info.name not in value:
            hint = f"add {info.name} = …"
            problems.append(source.problem(path, f"{info.name} is missing", hint=hint))
    return wanted(**values) if len(problems) == found else None


def _entries(
    wanted: Any, value: Any, path: Path, source: Source, problems: list[Problem]
) -> dict[str, Any]:
    if not isinstance(value, dict):
        problems.append(source.problem(path, f"must be a table, not {_word(value)}"))
        return {}
    if len(value) > ENTRY_LIMIT:
        problems.append(source.problem(path, f"more than {ENTRY_LIMIT:,} entries"))
        return {}
    return {key: read(wanted, each, (*path, key), source, problems) for key, each in value.items()}


def _required(wanted: Any) -> Any:
    """Return what a value must be where it is given: TOML knows no null."""
    if isinstance(wanted, types.UnionType) or typing.get_origin(wanted) is typing.Union:
        (wanted,) = (each for each in typing.get_args(wanted) if each is not type(None))
    return wanted


def _unfit(wanted: Any, value: Any) -> tuple[str, str]:
    """Return message and hint for a plain value that is none of the `wanted`."""
    limits: list[Any] = []
    if typing.get_origin(wanted) is Annotated:
        wanted, *limits = typing.get_args(wanted)
    if isinstance(wanted, type) and issubclass(wanted, StrEnum):
        shown = repr(value)[:_SHOWN] if isinstance(value, str) else _word(value)
        return f"can't be {shown}", instead(value, [each.value for each in wanted])
    if typing.get_origin(wanted) is tuple:
        return "must be a list of texts", 'write ["one", "two"]'
    bounds = [_bounds(each) for each in limits]
    if bounds and isinstance(value, int | float) and not isinstance(value, bool):
        return f"must be {_WORDS[wanted]} {bounds[0]}, not {value}", ""
    return f"must be {_WORDS[wanted]}, not {_word(value)}", ""


def _bounds(meta: Meta) -> str:
    return f"from {meta.ge} up" if meta.le is None else f"from {meta.ge} to {meta.le}"


def _word(value: Any) -> str:
    return _WORDS.get(type(value), "a date")


def _names(rules: list[Rule], source: Source) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for number, rule in enumerate(rules):
        path: Path = ("rule", number, "name")
        if not rule.name.strip() or len(rule.name) > NAME_LIMIT:
            yield source.problem(path, f"must have 1 to {NAME_LIMIT} characters")
        elif rule.name in seen:
            first = source.line(("rule", seen[rule.name], "name"))
            yield source.problem(path, f"the name {rule.name!r} is taken by line {first}")
        seen.setdefault(rule.name, number)


def _misnamed(source: Source) -> Iterator[Problem]:
    for key in source.data:
        if key != "rule" and key.casefold() in ("rule", "rules"):
            yield source.problem((key,), f"there is no table {key!r}", hint="write [[rule]]")
