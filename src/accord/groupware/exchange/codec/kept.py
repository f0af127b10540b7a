"""What Exchange has no place for, kept as text in a property of Accord's own.

When an item is written, what would not be read back the same is kept. When it is read, what was
kept counts only while Exchange still says what was written with it: a person's edit wins.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeVar

import msgspec

from accord.model.fields import FIELDS, same
from accord.model.item import Item, kind_of
from accord.model.learning import learnt
from accord.ports.errors import Rejected

Kind_ = TypeVar("Kind_", bound=Item)
Seen = Callable[[Kind_], Kind_]
"""Tell how an item would be read back from Exchange alone."""


def kept_text(item: Kind_, seen: Seen[Kind_], names: Collection[str]) -> str | None:
    """Return what has to be kept of an item as text; None where Exchange says it all."""
    plain = seen(item)
    kind = kind_of(item)
    lost = {
        name: getattr(item, name)
        for name in sorted(names)
        if not same(kind, name, getattr(item, name), getattr(plain, name))
    }
    return msgspec.json.encode(lost).decode() if lost else None


def with_kept(
    plain: Kind_, text: str | None, seen: Seen[Kind_], names: Collection[str], free: str = ""
) -> Kind_:
    """Return an item as read from Exchange with what was kept of it and still holds.

    Fields that clash together are taken together, or not at all, in the order of the field
    table: reminders hang on the schedule. `free` names a field that only Exchange sets, by which
    nothing is judged.
    """
    held = held_in(text)
    if not held:
        return plain
    item = plain
    groups: dict[str, list[str]] = {}
    for name, spec in FIELDS[kind_of(plain)].items():
        if name in names:
            groups.setdefault(spec.clash_group, []).append(name)
    for members in groups.values():
        group = {name: held[name] for name in members if name in held}
        candidate = _changed(item, group) if group else None
        if candidate is None:
            continue
        try:
            again = seen(candidate)
        except Rejected:
            continue
        judged = [name for name in members if name != free]
        if all(_agree(again, plain, name) for name in judged):
            item = candidate
    return item


def held_in(text: str | None) -> dict[str, Any]:
    """Return what a text has kept, by the names of fields."""
    try:
        found = msgspec.json.decode(text or "{}")
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _changed(item: Kind_, values: dict[str, Any]) -> Kind_ | None:
    """Return an item with kept values; None where they are none of ours."""
    try:
        return msgspec.convert({**msgspec.to_builtins(item), **values}, learnt(type(item)))
    except (msgspec.ValidationError, ValueError):
        return None


def _agree(one: Item, other: Item, name: str) -> bool:
    return same(kind_of(one), name, getattr(one, name), getattr(other, name))
