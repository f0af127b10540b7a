"""What people did in a history, and whether in the end every bit of it is accounted for.

Every edit writes a value that was never there before. In the end each value must stand, have
been replaced by somebody who saw it, be named by a conflict in the journal, or have gone with an
item that a documented rule let go.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from accord.model.item import Item, kind_of
from accord.model.kinds import Kind, Side
from accord.model.parts import Body

CUT = 10
"""Texts are told apart by so many characters: hostile sides may store no more."""

IDENTITY = {Kind.EVENT: "url", Kind.TASK: "body", Kind.CONTACT: "nickname"}
"""The field that says which item this is; nobody ever edits it."""

VALUES = {
    Kind.EVENT: {
        "title": "title", "location": "location", "schedule": "start", "body": "body",
        "rule": "rule",
    },
    Kind.TASK: {"title": "title", "schedule": "due", "status": "percent"},
    Kind.CONTACT: {
        "organization": "organization", "notes": "notes", "name": "family", "title": "job_title",
    },
}  # fmt: skip
"""By kind: what people edit as one value, and the field in which that value is seen."""

ENTRIES = {
    Kind.EVENT: ("categories", "exdates", "overrides"),
    Kind.TASK: ("categories",),
    Kind.CONTACT: ("categories", "phones"),
}
"""By kind: the fields that people add entries to and take them from."""

PERSONAL = {"categories"}


def identity(item: Item) -> str:
    """Return which item this is; empty for an absence, and for its entry in a calendar."""
    value = getattr(item, IDENTITY.get(kind_of(item), ""), None)
    return plain(value) if value else ""


def plain(value: Any) -> Any:
    """Return a value as it is compared: texts cut, everything in plain JSON."""
    if isinstance(value, Body):
        value = value.text
    if isinstance(value, str):
        return value[:CUT].strip()
    built = msgspec.to_builtins(value)
    if isinstance(built, dict) and set(built) <= {"text", "type"} and built:
        return str(built["text"])[:CUT].strip()
    return built if not isinstance(built, dict | list) else repr(built)


def seen(item: Item, name: str) -> Any:
    return plain(getattr(item, VALUES[kind_of(item)][name]))


def whole(item: Item, name: str) -> str:
    """Return a text as it is stored, empty for what is none."""
    value = getattr(item, VALUES[kind_of(item)][name])
    return value if isinstance(value, str) else value.text if isinstance(value, Body) else ""


def entries(item: Item, name: str) -> set[str]:
    """Return the entries of a field, each by what tells it apart."""
    values = getattr(item, name)
    match name:
        case "phones":
            return {one.number for one in values}
        case "overrides":
            return {f"{one.recurrence_id:%m%d} {str(one.title)[:CUT]}" for one in values}
        case "exdates":
            return {f"{one:%m%d}" for one in values}
        case _:
            return set(values)


def identified(kind: Kind, name: str) -> dict[str, Any]:
    return {IDENTITY[kind]: Body(text=name) if kind is Kind.TASK else name}


@dataclass
class Life:
    """Be what happened to one item, on both sides.

    `written` are the values people wrote, by group, with the side, and `stored` the whole texts
    of them as their side stored them; `replaced` are those that somebody saw and replaced.
    `added` and `removed` are entries, `undone` those that one side added and the other took away.
    `deaths` tells, by side, what stood there when a person deleted it last, and whether a pair knew
    it then; `stood` what stood against that, once somebody has edited what came back. `unread`
    says that for a while its entry couldn't be read.
    """

    name: str
    born: Side
    past: bool = False
    copy_of: str = ""
    has_copy: bool = False
    written: dict[str, dict[Any, Side]] = field(default_factory=dict)
    stood: dict[Side, list[tuple[str, Any]]] = field(default_factory=dict)
    stored: dict[tuple[Side, str, Any], str] = field(default_factory=dict)
    replaced: dict[str, set[Any]] = field(default_factory=dict)
    added: dict[str, dict[str, Side]] = field(default_factory=dict)
    removed: dict[str, dict[str, Side]] = field(default_factory=dict)
    undone: set[tuple[str, str]] = field(default_factory=set)
    deaths: dict[Side, tuple[Item, bool]] = field(default_factory=dict)
    moved: bool = False
    restored: bool = False
    unread: bool = False

    def begin(self, side: Side, item: Item) -> None:
        """Note all that a new item says."""
        for name in VALUES[kind_of(item)]:
            if seen(item, name):
                self._write(side, name, item)
        for name in ENTRIES[kind_of(item)]:
            for entry in entries(item, name):
                self.added.setdefault(name, {})[entry] = side

    def edit(self, side: Side, name: str, before: Item, after: Item) -> None:
        """Note that somebody replaced a value, having seen the former one."""
        if side in self.deaths:  # it is back, for the sake of what was unseen until now
            self.stood.setdefault(side, self.unseen_at_death(side))
        self.replaced.setdefault(name, set()).add(seen(before, name))
        self.replaced[name].discard(seen(after, name))
        self._write(side, name, after)

    def _write(self, side: Side, name: str, item: Item) -> None:
        value = seen(item, name)
        self.written.setdefault(name, {})[value] = side
        self.stored[side, name, value] = whole(item, name)

    def cut(self, side: Side, item: Item) -> list[tuple[str, str]]:
        """Return the texts that a person wrote on that very side and that are shorter now."""
        found = []
        for name in VALUES[kind_of(item)]:
            before = self.stored.get((side, name, seen(item, name)), "")
            if len(whole(item, name)) < len(before):
                found.append((name, before))
        return found

    def change_entries(self, side: Side, name: str, before: Item, after: Item) -> None:
        """Note that somebody added entries or took some away."""
        old, new = entries(before, name), entries(after, name)
        for entry in new - old:
            self.added.setdefault(name, {})[entry] = side
            self.removed.setdefault(name, {}).pop(entry, None)
        for entry in old - new:
            self.removed.setdefault(name, {})[entry] = side
            if self.added.setdefault(name, {}).pop(entry, side) is not side:
                self.undone.add((name, entry))

    def die(self, side: Side, item: Item, paired: bool, other: Item | None) -> None:
        """Note that somebody deleted an item, and with it what only this side knew so far."""
        self.deaths[side] = (item, paired)
        self.stood.pop(side, None)
        for name, values in self.written.items():
            value = seen(item, name)
            if values.get(value) is side and (other is None or seen(other, name) != value):
                self.replaced.setdefault(name, set()).add(value)
        for name, added in self.added.items():
            elsewhere = entries(other, name) if other is not None else set()
            self.added[name] = {e: s for e, s in added.items() if s is not side or e in elsewhere}
        for name, removed in self.removed.items():
            elsewhere = entries(other, name) if other is not None else set()
            self.removed[name] = {
                e: s for e, s in removed.items() if s is not side or e not in elsewhere
            }

    def revive(self, items: dict[Side, Item]) -> None:
        """Note that somebody brought an item back as it was; all else is forgotten."""
        self.restored = True
        self.stood = {side: [] for side in self.deaths}
        replaced = self.replaced if len(items) > 1 else {}
        self.written, self.added, self.removed, self.replaced = {}, {}, {}, replaced
        for side, item in items.items():
            self.begin(side, item)

    def live_values(self) -> list[tuple[str, Any, Side]]:
        """Return the values that nobody has knowingly replaced."""
        return [
            (name, value, side)
            for name, values in self.written.items()
            for value, side in values.items()
            if value not in self.replaced.get(name, set())
        ]

    def wrote(self, side: Side) -> bool:
        """Tell whether any value was written on a side, replaced or not."""
        return any(side in sides.values() for sides in self.written.values())

    def unseen_at_death(self, side: Side) -> list[tuple[str, Any]]:
        """Return the shared values of the other side that the deleted item didn't show."""
        if side in self.stood:
            return self.stood[side]
        item, _ = self.deaths[side]
        lost = [
            (name, value)
            for name, value, at in self.live_values()
            if at is not side and name not in PERSONAL and seen(item, name) != value
        ]
        for name, added in self.added.items():
            if name not in PERSONAL:
                there = entries(item, name)
                lost += [(name, e) for e, at in added.items() if at is not side and e not in there]
        for name, removed in self.removed.items():
            if name not in PERSONAL:
                there = entries(item, name)
                lost += [(name, e) for e, at in removed.items() if at is not side and e in there]
        return lost
