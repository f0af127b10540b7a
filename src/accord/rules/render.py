"""Rules to rule text: what `accord export` writes, readable and with defaults left out.

`parse_rules(render_rules(rules)) == rules` for every rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

from accord.rules.rule import Rule, said

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_UNFIT_LITERAL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f']")
_UNFIT_BLOCK = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]|'''|'\Z")


def render_rules(rules: Iterable[Rule]) -> str:
    """Return the text of some rules, one `[[rule]]` table each."""
    return "\n".join("\n".join(_rule(rule)) + "\n" for rule in rules)


def render_value(value: Any) -> str:
    """Return a text, number, flag or list of texts as TOML."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _text(str(value))
        case int() | float():
            return repr(value)
        case _:
            return f"[{', '.join(render_value(each) for each in value)}]"


def render_key(key: str) -> str:
    """Return one part of a key as TOML, quoted where it must be."""
    return key if _BARE.fullmatch(key) else _basic(key)


def _rule(rule: Rule) -> list[str]:
    lines = ["[[rule]]", f"name = {_text(rule.name)}", f"kind = {_text(rule.kind)}"]
    tables: list[str] = []
    for name, value in said(rule).items():
        if name in ("name", "kind"):
            continue
        if isinstance(value, Struct):
            lines += [f"{name}.{key} = {render_value(each)}" for key, each in said(value).items()]
        elif isinstance(value, Mapping):
            tables += _tables(f"rule.{name}", value)
        else:
            lines.append(f"{name} = {render_value(value)}")
    return lines + tables


def _tables(name: str, value: Mapping[str, Any]) -> Iterator[str]:
    """Yield one table of texts, or a table for each entry that is one itself."""
    if any(isinstance(each, str) for each in value.values()):
        yield from _table(name, value)
        return
    for key, each in value.items():
        entries = said(each) if isinstance(each, Struct) else each
        yield from _table(f"{name}.{render_key(key)}", entries)


def _table(name: str, entries: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield f"[{name}]"
    for key, each in entries.items():
        yield f"{render_key(key)} = {render_value(each)}"


def _text(text: str | StrEnum) -> str:
    text = str(text)
    if "\n" in text and not _UNFIT_BLOCK.search(text):
        return f"'''\n{text}'''"
    if ('"' in text or "\\" in text) and not _UNFIT_LITERAL.search(text):
        return f"'{text}'"
    return _basic(text)


def _basic(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    escaped = _CONTROL.sub(_escape, escaped)
    return f'"{escaped}"'


def _escape(match: re.Match[str]) -> str:
    short = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return short.get(match.group(), f"\\u{ord(match.group()):04x}")
