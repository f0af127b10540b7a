"""Differences between two items, field by field, and the way to put them onto a third.

The engine's two bases, the plan's field lines and the journal's undo all stand on this.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import msgspec
from msgspec import Struct

from accord.model.fields import FIELDS, default_of, same
from accord.model.item import Item, kind_of
from accord.model.traits import KindTraits


class FieldChange(Struct, frozen=True, kw_only=True):
    """Say that one field goes from `before` to `after`."""

    field: str
    before: Any = None
    after: Any = None


def diff(before: Item, after: Item, fields: Collection[str] | None = None) -> tuple[str, ...]:
    """Return the names of the fields in which two items of one kind differ, in table order.

    `fields` limits the question; None asks for all.
    """
    table = FIELDS[kind_of(before)]
    names = table if fields is None else [name for name in table if name in fields]
    return tuple(name for name in names if not holds(before, after, name))


def holds(item: Item, wanted: Item, name: str) -> bool:
    """Tell whether a field stands as wanted."""
    return same(kind_of(item), name, getattr(item, name), getattr(wanted, name))


def changes(
    before: Item, after: Item, fields: Iterable[str] | None = None
) -> tuple[FieldChange, ...]:
    """Return the differences of two items with their values."""
    names = diff(before, after, None if fields is None else frozenset(fields))
    return tuple(
        FieldChange(field=name, before=getattr(before, name), after=getattr(after, name))
        for name in names
    )


def patch(item: Item, values: dict[str, Any]) -> Item:
    """Return `item` with some fields replaced."""
    return msgspec.structs.replace(item, **values) if values else item


def normalise(item: Item, traits: KindTraits) -> Item:
    """Return what a side with these traits would store of `item`.

    Unsupported fields fall back to their defaults, over-long texts are cut, seconds are
    dropped where the side has none, and own fields of foreign namespaces are left out.
    """
    kind = kind_of(item)
    values: dict[str, Any] = {}
    for name in FIELDS[kind]:
        value = getattr(item, name)
        stored = _stored(kind, name, value, traits)
        if stored is not value:
            values[name] = stored
    return patch(item, values)


def _stored(kind: Any, name: str, value: Any, traits: KindTraits) -> Any:
    if name == "extras":
        kept = {key: v for key, v in value.items() if key.split(":", 1)[0] in traits.extras}
        return value if kept == value else kept
    if name not in traits.fields:
        fallback = default_of(kind, name)
        return (
            value if fallback is None and value is not None and _required(kind, name) else fallback
        )
    if name in traits.limits and isinstance(value, str):
        limit = traits.limits[name]
        return value if len(value) <= limit else value[:limit]
    if not traits.seconds and hasattr(value, "second") and (value.second or value.microsecond):
        return value.replace(second=0, microsecond=0)
    return value


def _required(kind: Any, name: str) -> bool:
    return name in ("start", "end") and str(kind) in ("event", "absence")
