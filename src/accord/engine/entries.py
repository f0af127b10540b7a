"""Fields of several entries, entry by entry: which there are, and what changed of them."""

from __future__ import annotations

from typing import Any

from accord.model.fields import FIELDS, Merge, entry_key
from accord.model.item import Item, kind_of


def brought(name: str, base: Item, before: Item, after: Item) -> Any:
    """Return a field of `base` with that in which changed from `before` to `after`, no more."""
    if FIELDS[kind_of(base)][name].merge is Merge.REPLACE:
        return getattr(after, name)
    old, new = entries(name, before), entries(name, after)
    found = dict(entries(name, base))
    for key in {**old, **new}:
        if old.get(key) == new.get(key):
            continue
        if key in new:
            found[key] = new[key]
        else:
            found.pop(key, None)
    return joined(name, found)


def entries(name: str, item: Item) -> dict[Any, Any]:
    """Return the entries of a field by what tells them apart."""
    value = getattr(item, name)
    match FIELDS[kind_of(item)][name].merge:
        case Merge.EXTRAS:
            return {key: entry for key, entry in value.items() if entry is not None}
        case Merge.SET:
            return {entry: entry for entry in value}
        case Merge.OVERRIDES:
            return {entry.recurrence_id: entry for entry in value}
        case _:
            return _keyed(name, value)


def joined(name: str, found: dict[Any, Any]) -> Any:
    """Return the value of a field that has these entries."""
    if name == "extras":
        return found
    if name == "overrides":
        return tuple(found[key] for key in sorted(found))
    return tuple(found.values())


def _keyed(name: str, value: Any) -> dict[str, Any]:
    """Return entries by key; several under one key are told apart by their place."""
    found: dict[str, Any] = {}
    for entry in value:
        key, turn = entry_key(name, entry), 1
        while (key if turn == 1 else f"{key}#{turn}") in found:
            turn += 1
        found[key if turn == 1 else f"{key}#{turn}"] = entry
    return found
