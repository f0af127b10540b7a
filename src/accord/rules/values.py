"""Field values on their way into expressions and back: model values to plain ones, and again.

One `Shape` per field says which CEL type it has and how it is turned over in both directions.
"""

from __future__ import annotations

import types
import typing
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from accord.model.fields import FIELDS, default_of
from accord.model.item import CLASSES, Absence, Contact, Event, Item, Task, kind_of
from accord.model.kinds import Kind
from accord.model.learning import learnt
from accord.model.parts import Body, BodyType, Person
from accord.model.zones import UnknownZone, instant
from accord.rules.failure import RuleFailed
from accord.rules.functions import LIST_LIMIT, SURROGATES, TEXT_LIMIT

VIEW_TEXT = 10_000
"""Characters of a text that `item` shows; longer ones are cut there."""

RANGES = {"priority": range(10), "percent": range(101)}
"""Numbers that an expression may give for a field."""


class Shape(Struct, frozen=True, kw_only=True):
    """Say what a field is to expressions.

    `cel` is its CEL type and `word` that type in plain words. `writable` says that an
    expression may give it: what is then made into the type of the `annotation`.
    """

    cel: str
    word: str
    annotation: Any = None
    writable: bool = True


_NUMBERS = range(-(2**63), 2**63)
_NO_ZONE = "UTC"
_MENDED = dict.fromkeys([0, *map(ord, SURROGATES)], "\ufffd")


@cache
def shapes(kind: Kind) -> dict[str, Shape]:
    """Return the shape of every field of a kind that expressions can see."""
    hints = typing.get_type_hints(CLASSES[kind])
    found = {name: _shape(hints[name]) for name in ("uid", *FIELDS[kind])}
    shown = {name: shape for name, shape in found.items() if shape is not None}
    shown["uid"] = msgspec.structs.replace(shown["uid"], writable=False)
    for name, spec in FIELDS[kind].items():
        if name in shown and spec.group == "schedule":
            shown[name] = msgspec.structs.replace(shown[name], writable=False)
    return shown | _virtual(kind)


def plain(value: Any) -> Any:
    """Return a model value as expressions get it, in full."""
    match value:
        case StrEnum():
            return value.value
        case Body():
            return value.text
        case tuple():
            return [plain(entry) for entry in value]
        case Struct():
            return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
        case _:
            return value


def given(field: str, shape: Shape | None, value: Any) -> Any:
    """Return a model value as the `value` of a mapping; raises RuleFailed for unfit ones.

    `shape` is None for own fields.
    """
    if value is None:
        return None if shape is None else _nothing(shape)
    result = plain(value)
    if not _fits(result, field):
        raise RuleFailed(field, "holds characters that no expression can read")
    return result


def view(item: Item, name: str) -> Any:
    """Return what `item.<name>` shows: cut to bounds, times in UTC; UNSET for no time."""
    if name.startswith("has_"):
        return getattr(item, name[4:]) is not None
    match name:
        case "recurs":
            return _recurs(item)
        case "everyone":
            return everyone(item)[:LIST_LIMIT]
        case "time_zone":
            return getattr(item, name) or _NO_ZONE
        case "end_time_zone":
            return getattr(item, name) or view(item, "time_zone")
    value = getattr(item, name)
    if isinstance(value, datetime):
        return _moment(item, name, value)
    if value is None:
        return _nothing(shapes(kind_of(item))[name])
    return _cut(plain(value))


def everyone(item: Item) -> list[str]:
    """Return the addresses of all people an item names, casefolded, each once, in order."""
    match item:
        case Event():
            named: tuple[Any, ...] = (item.organizer, *item.attendees, *item.people)
        case Task():
            named = (item.organizer, item.assignee)
        case Contact():
            named = item.mails
        case _:
            named = ()
    found = [each.address.casefold() for each in named if each is not None and each.address]
    return list(dict.fromkeys(found))


def returned(kind: Kind, field: str, value: Any, source: Any) -> Any:
    """Return what an expression gave as the value of a model field; raises RuleFailed.

    `source` is the value it was made from: a body keeps its type.
    """
    shape = shapes(kind)[field]
    if value is None:
        return default_of(kind, field)
    if shape.annotation == Body | None:
        text = _texted(field, value)
        type_ = source.type if isinstance(source, Body) else BodyType.TEXT
        return Body(text=text, type=type_) if text else None
    if shape.annotation is str:
        return _texted(field, value)
    if shape.annotation == Person | None and value in ({}, {"address": "", "name": ""}, ""):
        return None
    if shape.annotation == Person | None and isinstance(value, str):
        value = {"address": value}
    result = _converted(field, value, shape.annotation)
    if field in RANGES and result not in RANGES[field]:
        numbers = RANGES[field]
        message = f"must be between {numbers[0]} and {numbers[-1]}, not {result}"
        raise RuleFailed(field, message)
    return result


def own(field: str, value: Any) -> Any:
    """Return what an expression gave as the value of an own field; raises RuleFailed."""
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return _texted(field, value)
        case list() if all(isinstance(entry, str) for entry in value):
            return tuple(_texted(field, entry) for entry in value)
        case _:
            raise RuleFailed(field, "an own field holds a text, a number, yes or no, or texts")


def _converted(field: str, value: Any, annotation: Any) -> Any:
    try:
        return msgspec.convert(value, learnt(annotation))
    except msgspec.ValidationError as error:
        raise RuleFailed(field, f"the expression gave something unfit: {error}") from error


def _texted(field: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if not isinstance(value, str):
        raise RuleFailed(field, f"needs a text, not {type(value).__name__}")
    if "\0" in value:
        raise RuleFailed(field, "the expression gave a text with a NUL character")
    return value


def _fits(value: Any, field: str) -> bool:
    """Tell whether the engine can read all texts in `value`; raises RuleFailed if too many."""
    match value:
        case str():
            if len(value) > TEXT_LIMIT:
                raise RuleFailed(field, f"is longer than {TEXT_LIMIT:,} characters")
            return readable(value)
        case list() | dict() if len(value) > LIST_LIMIT:
            raise RuleFailed(field, f"has more than {LIST_LIMIT} entries")
        case list():
            return all(_fits(entry, field) for entry in value)
        case dict():
            return all(_fits(entry, field) for pair in value.items() for entry in pair)
        case _:
            return True


def readable(text: str) -> bool:
    """Tell whether a text reaches the expression engine unharmed: NUL would cut it short."""
    return "\0" not in text and (text.isascii() or SURROGATES.isdisjoint(text))


def _cut(value: Any) -> Any:
    match value:
        case str():
            return value[:VIEW_TEXT].translate(_MENDED)
        case list():
            return [_cut(entry) for entry in value[:LIST_LIMIT]]
        case dict():
            return {_cut(key): _cut(value[key]) for key in list(value)[:LIST_LIMIT]}
        case int() if value not in _NUMBERS:
            return str(value)
        case _:
            return value


def _moment(item: Item, name: str, value: datetime) -> datetime:
    if value.tzinfo is not None:
        return value.astimezone(UTC)
    match item, name:
        case Event(), "end":
            zone = item.end_time_zone or item.time_zone
        case ((Event() | Task() | Absence()), ("start" | "end" | "due")):
            zone = item.time_zone
        case _:
            zone = None
    try:
        return instant(value, zone)
    except UnknownZone as error:
        raise RuleFailed(name, str(error)) from error
    except (OverflowError, ValueError) as error:
        raise RuleFailed(name, "lies outside of the calendar") from error


def _recurs(item: Item) -> bool:
    return item.recurs if isinstance(item, Event) else isinstance(item, Task) and bool(item.rule)


def _nothing(shape: Shape) -> Any:
    empty: dict[str, Any] = {"person": {"address": "", "name": ""}, "text": "", "time": UNSET}
    return empty.get(shape.word)


def _virtual(kind: Kind) -> dict[str, Shape]:
    found = {}
    if kind in (Kind.EVENT, Kind.TASK):
        found["recurs"] = _YES_OR_NO
    if kind is Kind.TASK:
        for name in ("start", "due", "completed"):
            found[f"has_{name}"] = _YES_OR_NO
    if kind is not Kind.ABSENCE:
        found["everyone"] = _ADDRESSES
    return found


_YES_OR_NO = Shape(cel="bool", word="yes or no", writable=False)
_ADDRESSES = Shape(cel="list<string>", word="texts", writable=False)
_PERSON = "map<string, string>"
_ENTRY = "map<string, dyn>"
_OWN = Shape(cel=_ENTRY, word="own fields", writable=False)
_SIMPLE: dict[Any, tuple[str, str, bool]] = {
    str: ("string", "text", True),
    str | None: ("string", "text", True),
    int: ("int", "number", True),
    bool: ("bool", "yes or no", True),
    Body | None: ("string", "text", True),
    Person | None: (_PERSON, "person", True),
    datetime: ("timestamp", "time", False),
    datetime | None: ("timestamp", "time", False),
    tuple[str, ...]: ("list<string>", "texts", True),
    tuple[Person, ...]: (f"list<{_PERSON}>", "people", True),
}


def _shape(annotation: Any) -> Shape | None:
    if annotation in _SIMPLE:
        cel, word, writable = _SIMPLE[annotation]
        return Shape(cel=cel, word=word, annotation=annotation, writable=writable)
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return Shape(cel="string", word="choice", annotation=annotation)
    origin = typing.get_origin(annotation)
    if origin is dict:
        return _OWN
    if origin is tuple and _is_plain_struct(typing.get_args(annotation)[0]):
        return Shape(cel=f"list<{_ENTRY}>", word="entries", annotation=annotation)
    return None


def _is_plain_struct(annotation: Any) -> bool:
    if not (isinstance(annotation, type) and issubclass(annotation, Struct)):
        return False
    hints = typing.get_type_hints(annotation).values()
    return not any(
        isinstance(hint, types.UnionType) and msgspec.UnsetType in hint.__args__ for hint in hints
    )
