"""Judge requests as Exchange's schema does: order of elements, enumerations, required attributes.

`schema.txt` is a table of ours, one line per type; a test derives it from Microsoft's files.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from lxml import etree

TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
MESSAGES = "http://schemas.microsoft.com/exchange/services/2006/messages"
_SPACES = {"t": TYPES, "m": MESSAGES}
_DATE = r"-?\d{4,}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_TIME = r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?"
_ZONE = r"(Z|[+-]\d\d:\d\d)?"
_BUILT_IN = {
    "xs:boolean": r"true|false|0|1",
    "xs:date": _DATE + _ZONE,
    "xs:dateTime": f"{_DATE}T{_TIME}{_ZONE}",
    "xs:double": r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|-?INF|NaN",
    "xs:duration": r"-?P(?=.)(\d+Y)?(\d+M)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?",
    "xs:language": r"[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*",
    "xs:time": _TIME + _ZONE,
}
_WHOLE = {
    "xs:int": (-(2**31), 2**31 - 1),
    "xs:integer": (-(10**40), 10**40),
    "xs:long": (-(2**63), 2**63 - 1),
    "xs:short": (-(2**15), 2**15 - 1),
    "xs:unsignedByte": (0, 2**8 - 1),
    "xs:unsignedInt": (0, 2**32 - 1),
    "xs:unsignedShort": (0, 2**16 - 1),
}


class SchemaViolation(Exception):
    """A request is not as the schema wants it; the text is what Exchange would say."""

    def __init__(self, message: str, node: etree._Element) -> None:
        super().__init__(message)
        self.line = node.sourceline or 1


@dataclass(slots=True)
class Part:
    """Say which elements may stand at one place of a sequence and how often."""

    options: dict[str, str]
    least: int
    many: bool


@dataclass(slots=True)
class Group:
    """Say that some parts stand together or not at all."""

    parts: list[Part | Group]
    least: int


@dataclass(slots=True)
class Shape:
    """Describe one type of the schema: what it extends, its parts, attributes and text."""

    base: str = ""
    text: str = ""
    anything: bool = False
    parts: list[Part | Group] = field(default_factory=list)
    attributes: dict[str, tuple[str, bool]] = field(default_factory=dict)


@dataclass(slots=True)
class Table:
    """Hold the whole table: elements that may stand alone, types, and values of texts."""

    elements: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    values: dict[str, list[str]] = field(default_factory=dict)


def check(node: etree._Element) -> None:
    """Raise SchemaViolation where an element with all inside is not as the schema wants it."""
    kind = table().elements.get(str(node.tag))
    if kind is None:
        raise SchemaViolation(f"The element {_named(str(node.tag))} is not declared.", node)
    _check(node, kind)


@cache
def order(kind: str) -> tuple[str, ...]:
    """Return the names of a type's child elements in the order in which they must stand."""
    return tuple(each for part in _flat(_parts(kind)) for each in part.options)


@cache
def children(kind: str) -> dict[str, str]:
    """Return the child elements of a type with their own types."""
    return {name: of for part in _flat(_parts(kind)) for name, of in part.options.items()}


@cache
def table() -> Table:
    """Read the table that stands beside this module."""
    found = Table()
    text = files("accord.sandbox.exchange").joinpath("schema.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        what, name, *words = line.split(" ")
        if what == "element":
            found.elements[_tag(name)] = words[0]
        elif what == "value":
            found.values[name] = words
        else:
            found.shapes[name] = _shape(words)
    return found


# ---- reading the table ----


def _shape(words: list[str]) -> Shape:
    shape = Shape()
    stack: list[list[Part | Group]] = [shape.parts]
    for word in words:
        if word == "any":
            shape.anything = True
        elif word.startswith("<"):
            shape.base = word[1:]
        elif word.startswith("="):
            shape.text = word[1:]
        elif word.startswith("@"):
            name, _, kind = word[1:].partition("=")
            shape.attributes[name] = (kind.rstrip("!"), kind.endswith("!"))
        elif word == "[":
            group = Group([], 0)
            stack[-1].append(group)
            stack.append(group.parts)
        elif word.startswith("]"):
            stack.pop()
        else:
            stack[-1].append(_part(word))
    return shape


def _part(word: str) -> Part:
    count = word[-1] if word[-1] in "?*+" else ""
    bare = word.removesuffix(count).strip("()")
    options = {}
    for option in bare.split("|"):
        name, _, kind = option.partition("=")
        options["*" if name == "*" else _tag(name)] = kind
    return Part(options, 0 if count in ("?", "*") else 1, count in ("*", "+"))


def _tag(name: str) -> str:
    prefix, _, local = name.partition(":")
    return f"{{{_SPACES[prefix]}}}{local}"


def _flat(parts: list[Part | Group]) -> Iterator[Part]:
    for part in parts:
        if isinstance(part, Group):
            yield from _flat(part.parts)
        else:
            yield part


@cache
def _parts(kind: str) -> list[Part | Group]:
    shape = table().shapes.get(kind)
    if shape is None:
        return []
    return [*(_parts(shape.base) if shape.base else []), *shape.parts]


@cache
def _attributes(kind: str) -> dict[str, tuple[str, bool]]:
    shape = table().shapes[kind]
    return {**(_attributes(shape.base) if shape.base else {}), **shape.attributes}


# ---- judging ----


def _check(node: etree._Element, kind: str) -> None:
    shape = table().shapes.get(kind)
    if shape is None:
        _check_text(node, node.text or "", kind)
        for name in node.attrib:
            raise SchemaViolation(f"The '{name}' attribute is not declared.", node)
        if len(node):
            raise _unexpected(node, node[0], [])
        return
    if shape.anything:
        return
    _check_attributes(node, kind)
    if shape.text:
        _check_text(node, node.text or "", shape.text)
    elif _loose_text(node):
        raise SchemaViolation(f"The element {_named(str(node.tag))} cannot contain text.", node)
    found = [each for each in node if isinstance(each.tag, str)]
    end, wanted = _match(_parts(kind), found, 0, node)
    if end < len(found):
        raise _unexpected(node, found[end], wanted)


def _match(
    parts: list[Part | Group], found: list[etree._Element], at: int, node: etree._Element
) -> tuple[int, list[str]]:
    """Return how far a sequence reaches, and what else could have stood there."""
    wanted: list[str] = []
    for part in parts:
        if isinstance(part, Group):
            first = next(_flat(part.parts))
            if at >= len(found) or str(found[at].tag) not in first.options:
                wanted += first.options
                continue
            at, wanted = _match(part.parts, found, at, node)
            continue
        taken = 0
        while at < len(found) and (taken == 0 or part.many):
            kind = part.options.get(str(found[at].tag))
            if kind is None and "*" not in part.options:
                break
            if kind is not None:
                _check(found[at], kind)
            at, taken = at + 1, taken + 1
        wanted = (
            [*part.options] if taken and part.many else [] if taken else [*wanted, *part.options]
        )
        if taken < part.least:
            if at < len(found):
                raise _unexpected(node, found[at], wanted)
            raise _incomplete(node, wanted)
    return at, wanted


def _check_attributes(node: etree._Element, kind: str) -> None:
    known = _attributes(kind)
    for name, value in node.attrib.items():
        if name not in known:
            if not str(name).startswith("{http://www.w3.org/"):
                raise SchemaViolation(f"The '{name}' attribute is not declared.", node)
            continue
        of = known[str(name)][0]
        if not valid(str(value), of):
            raise SchemaViolation(
                f"The '{name}' attribute is invalid - The value '{value}' is invalid "
                f"according to its datatype '{_datatype(of)}'.",
                node,
            )
    for name, (_, needed) in known.items():
        if needed and node.get(name) is None:
            raise SchemaViolation(f"The required attribute '{name}' is missing.", node)


def _check_text(node: etree._Element, text: str, kind: str) -> None:
    if not valid(text, kind):
        raise SchemaViolation(
            f"The {_named(str(node.tag), 'element')} is invalid - The value '{text[:200]}' is "
            f"invalid according to its datatype '{_datatype(kind)}'.",
            node,
        )


def valid(text: str, kind: str) -> bool:
    """Tell whether a text is a value of a simple type."""
    words = table().values.get(kind)
    if words is None:
        return _built_in(text, kind)
    if words[0] == "list":
        return all(valid(each, words[1]) for each in text.split())
    if words[0] == "union":
        return any(valid(text, each) for each in words[1:])
    return valid(text, words[1]) and _within(text, kind)


def _built_in(text: str, kind: str) -> bool:
    bare = text.strip(" \t\r\n")
    if (pattern := _BUILT_IN.get(kind)) is not None:
        return re.fullmatch(pattern, bare) is not None
    if (span := _WHOLE.get(kind)) is not None:
        return re.fullmatch(r"[+-]?\d{1,40}", bare) is not None and span[0] <= int(bare) <= span[1]
    if kind == "xs:base64Binary":
        try:
            base64.b64decode("".join(bare.split()), validate=True)
        except (binascii.Error, ValueError):
            return False
    return True


def _within(text: str, kind: str) -> bool:
    allowed, facets = _facets(kind)
    if allowed and text not in allowed:
        return False
    for name, value in facets:
        match name:
            case "minLength":
                met = len(text) >= int(value)
            case "maxLength":
                met = len(text) <= int(value)
            case "length":
                met = len(text) == int(value)
            case "minInclusive":
                met = float(text) >= float(value)
            case "maxInclusive":
                met = float(text) <= float(value)
            case "pattern":
                met = re.fullmatch(value, text) is not None
            case _:
                met = True
        if not met:
            return False
    return True


@cache
def _facets(kind: str) -> tuple[frozenset[str], list[tuple[str, str]]]:
    """Return the values an enumeration allows, hundreds of some, and the other facets."""
    allowed, others = set[str](), list[tuple[str, str]]()
    for facet in table().values[kind][2:]:
        name, _, value = facet.partition("=")
        if name:
            others.append((name, value))
        else:
            allowed.add(value)
    return frozenset(allowed), others


def _loose_text(node: etree._Element) -> bool:
    return bool(((node.text or "") + "".join(each.tail or "" for each in node)).strip())


# ---- what Exchange says ----


def _unexpected(node: etree._Element, child: etree._Element, wanted: list[str]) -> SchemaViolation:
    text = (
        f"The element {_named(str(node.tag))} has invalid child element {_named(str(child.tag))}."
    )
    return SchemaViolation(text + _expected(wanted), child)


def _incomplete(node: etree._Element, wanted: list[str]) -> SchemaViolation:
    text = f"The element {_named(str(node.tag))} has incomplete content."
    return SchemaViolation(text + _expected(wanted), node)


def _expected(wanted: list[str]) -> str:
    if not wanted:
        return ""
    space = etree.QName(wanted[0]).namespace if wanted[0] != "*" else ""
    names = ", ".join(each.rpartition("}")[2] for each in wanted)
    return f" List of possible elements expected: '{names}' in namespace '{space}'."


def _named(tag: str, word: str = "") -> str:
    name = etree.QName(tag)
    if word:
        return f"'{name.namespace}:{name.localname}' {word}"
    return f"'{name.localname}' in namespace '{name.namespace}'"


def _datatype(kind: str) -> str:
    prefix, _, local = kind.partition(":")
    return f"{_SPACES[prefix]}:{local}" if prefix in _SPACES else f"{local[:1].upper()}{local[1:]}"
