"""The functions that rule expressions may call beside CEL's own, with their documentation.

All are bounded: a text longer than TEXT_LIMIT is an error, never a bigger text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from cel_expr_python.cel import FunctionDecl, Overload, Type
from msgspec import Struct

from accord.rules.facts import Facts

TEXT_LIMIT = 262_144
"""Characters a text may have on its way through an expression."""

LIST_LIMIT = 500
"""Entries a list may have on its way through an expression."""

SURROGATES = frozenset(map(chr, range(0xD800, 0xE000)))
"""Halves of characters, which no text may have alone."""

FACTS: ContextVar[Facts] = ContextVar("facts")
"""The facts of the evaluation under way; `known` and `isOwner` read them."""

Tables = Mapping[str, Mapping[str, str]]

_S, _B, _I, _L = Type.STRING, Type.BOOL, Type.INT, Type.List(Type.STRING)


class Function(Struct, frozen=True, kw_only=True):
    """Describe one function: how it is called, what it gives, an example with its result.

    `method` functions are called on a text (`value.trim()`). `grows` marks those that make
    texts, `needs_facts` those that ask who is known.
    """

    name: str
    parameters: tuple[Any, ...]
    result: Any
    doc: str
    example: str
    gives: str
    method: bool = False
    grows: bool = True
    needs_facts: bool = False
    call: Callable[..., Any] | None = None

    @property
    def signature(self) -> str:
        """Return how it is called, with the types of its parameters."""
        names = [parameter.name().lower() for parameter in self.parameters]
        if self.method:
            return f"{names[0]}.{self.name}({', '.join(names[1:])})"
        return f"{self.name}({', '.join(names)})"


def declarations(tables: Tables) -> list[FunctionDecl]:
    """Return the functions as CEL declares them, bound to a rule's lookup tables."""
    bound = {"lookup": _lookup(tables), "lookupKey": _lookup_key(tables)}
    overloads: dict[str, list[Overload]] = {}
    for number, function in enumerate(FUNCTIONS):
        overload = Overload(
            id=f"accord_{function.name}_{number}",
            return_type=function.result,
            parameters=list(function.parameters),
            is_member=function.method,
            impl=function.call or bound[function.name],
        )
        overloads.setdefault(function.name, []).append(overload)
    return [FunctionDecl(name, found) for name, found in overloads.items()]


def _bounded(text: str) -> str:
    if len(text) > TEXT_LIMIT:
        raise ValueError(f"the text would be longer than {TEXT_LIMIT:,} characters")
    return text


def _domain(address: str) -> str:
    return address.rpartition("@")[2].casefold() if "@" in address else ""


def _known(address: str) -> bool:
    facts, folded = FACTS.get(), address.casefold()
    return folded in facts.contacts or folded in facts.users


def _is_owner(address: str) -> bool:
    return FACTS.get().is_owner(address)


def _prefix(text: str, prefix: str) -> str:
    return text if text.startswith(prefix) else _bounded(prefix + text)


def _suffix(text: str, suffix: str) -> str:
    return text if text.endswith(suffix) else _bounded(text + suffix)


def _replace(text: str, old: str, new: str) -> str:
    if not old:
        raise ValueError("replace() needs a text to look for")
    if len(text) + text.count(old) * (len(new) - len(old)) > TEXT_LIMIT:
        raise ValueError(f"the text would be longer than {TEXT_LIMIT:,} characters")
    return text.replace(old, new)


def _split(text: str, separator: str) -> list[str]:
    if not separator:
        raise ValueError("split() needs a separator")
    if text.count(separator) >= LIST_LIMIT:
        raise ValueError(f"split() gives at most {LIST_LIMIT} texts")
    return text.split(separator) if text else []


def _join(texts: list[str], separator: str) -> str:
    if sum(map(len, texts)) + len(separator) * len(texts) > TEXT_LIMIT:
        raise ValueError(f"the text would be longer than {TEXT_LIMIT:,} characters")
    return separator.join(texts)


def _substring(text: str, start: int, end: int) -> str:
    return text[max(start, 0) : max(end, 0)]


def _table(tables: Tables, name: str) -> Mapping[str, str]:
    if name not in tables:
        raise ValueError(f"there is no lookup table {name!r:.60}")
    return tables[name]


def _lookup(tables: Tables) -> Callable[..., str]:
    def lookup(name: str, key: str, *default: str) -> str:
        found = _table(tables, name).get(key, *default)
        if found is None:
            raise ValueError(f"the lookup table {name!r:.60} has no entry {key!r:.60}")
        return found

    return lookup


def _lookup_key(tables: Tables) -> Callable[..., str]:
    inverse = {name: _inverted(table) for name, table in tables.items()}

    def lookup_key(name: str, value: str, *default: str) -> str:
        _table(tables, name)
        found = inverse[name].get(value, *default)
        if found is None:
            raise ValueError(f"the lookup table {name!r:.60} has no entry with {value!r:.60}")
        return found

    return lookup_key


def _inverted(table: Mapping[str, str]) -> dict[str, str]:
    """Return keys by value; of several keys the alphabetically first."""
    return {table[key]: key for key in sorted(table, reverse=True)}


FUNCTIONS: tuple[Function, ...] = (
    Function(
        name="domain", parameters=(_S,), result=_S, call=_domain,
        doc="the part of an address after the @, in lower case; empty where there is none",
        example='domain("Eva@Sales.Example")', gives='"sales.example"',
    ),
    Function(
        name="known", parameters=(_S,), result=_B, call=_known, grows=False, needs_facts=True,
        doc="whether an address belongs to a contact or user of the CRM",
        example='known("nobody@else.example")', gives="false",
    ),
    Function(
        name="isOwner", parameters=(_S,), result=_B, call=_is_owner, grows=False,
        needs_facts=True,
        doc="whether an address is one of the link's user",
        example='isOwner("nobody@else.example")', gives="false",
    ),
    Function(
        name="prefix", parameters=(_S, _S), result=_S, method=True, call=_prefix,
        doc="the text with something before it, unless it stands there already",
        example='"Visit".prefix("CRM: ")', gives='"CRM: Visit"',
    ),
    Function(
        name="stripPrefix", parameters=(_S, _S), result=_S, method=True,
        call=lambda text, prefix: text.removeprefix(prefix),
        doc="the text without something before it; the inverse of prefix",
        example='"CRM: Visit".stripPrefix("CRM: ")', gives='"Visit"',
    ),
    Function(
        name="suffix", parameters=(_S, _S), result=_S, method=True, call=_suffix,
        doc="the text with something after it, unless it stands there already",
        example='"Visit".suffix(" (CRM)")', gives='"Visit (CRM)"',
    ),
    Function(
        name="stripSuffix", parameters=(_S, _S), result=_S, method=True,
        call=lambda text, suffix: text.removesuffix(suffix),
        doc="the text without something after it; the inverse of suffix",
        example='"Visit (CRM)".stripSuffix(" (CRM)")', gives='"Visit"',
    ),
    Function(
        name="lower", parameters=(_S,), result=_S, method=True,
        call=lambda text: _bounded(text.lower()),
        doc="the text in lower case",
        example='"ÄRGER".lower()', gives='"ärger"',
    ),
    Function(
        name="upper", parameters=(_S,), result=_S, method=True,
        call=lambda text: _bounded(text.upper()),
        doc="the text in upper case",
        example='"Ärger".upper()', gives='"ÄRGER"',
    ),
    Function(
        name="trim", parameters=(_S,), result=_S, method=True,
        call=lambda text: text.strip(),
        doc="the text without white space around it",
        example='"  Visit ".trim()', gives='"Visit"',
    ),
    Function(
        name="replace", parameters=(_S, _S, _S), result=_S, method=True, call=_replace,
        doc="the text with every occurrence of one text replaced by another",
        example='"a-b-c".replace("-", "/")', gives='"a/b/c"',
    ),
    Function(
        name="substring", parameters=(_S, _I, _I), result=_S, method=True, call=_substring,
        doc="the characters from the first position up to before the second, counted from 0",
        example='"Visit".substring(0, 3)', gives='"Vis"',
    ),
    Function(
        name="split", parameters=(_S, _S), result=_L, method=True, call=_split,
        doc="the parts of a text between separators; none of an empty text",
        example='"a, b".split(", ")', gives='["a", "b"]',
    ),
    Function(
        name="join", parameters=(_L, _S), result=_S, method=True, call=_join,
        doc="the texts of a list, one after another with a separator between them",
        example='["a", "b"].join(", ")', gives='"a, b"',
    ),
    Function(
        name="lookup", parameters=(_S, _S), result=_S,
        doc="the entry of a lookup table under a key; an error where there is none",
        example='lookup("regions", "north")', gives='"Northern sales"',
    ),
    Function(
        name="lookup", parameters=(_S, _S, _S), result=_S,
        doc="the entry of a lookup table under a key, or the third value where there is none",
        example='lookup("regions", "moon", "elsewhere")', gives='"elsewhere"',
    ),
    Function(
        name="lookupKey", parameters=(_S, _S), result=_S,
        doc="the key of a lookup table that holds a value (of several the alphabetically first): "
        "the inverse of lookup",
        example='lookupKey("regions", "Northern sales")', gives='"north"',
    ),
    Function(
        name="lookupKey", parameters=(_S, _S, _S), result=_S,
        doc="the key that holds a value, or the third value where there is none",
        example='lookupKey("regions", "Moon", "none")', gives='"none"',
    ),
)  # fmt: skip
"""Every function beside CEL's own, in the order of the reference."""
