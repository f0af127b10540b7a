"""What people did on both sides, and what of it has come to the other one.

Each change has a number, which stands in the field that it wrote: people in the CRM write one field
of an item and people in the mailbox another, so that no two edits clash and each has to arrive. A
change is there when its number is seen on the other side, or that of a later one in its field.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from random import Random

from msgspec import Struct

from accord.model.kinds import Kind, Side

_NAME = re.compile(r"^[a-z]\d{6,}$")
_INITIAL = {Kind.EVENT: "e", Kind.TASK: "t", Kind.CONTACT: "k"}


class Item(Struct, eq=False):
    """Be one item of one person: where it is, and the number last written on each side."""

    name: str
    user: str
    kind: Kind
    refs: dict[Side, str] = {}
    wrote: dict[Side, int] = {}
    waits: dict[Side, list[tuple[int, float]]] = {}
    busy: set[Side] = set()
    gone: Side | None = None
    left: float = 0.0


class Ledger:
    """Keep all items; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._items: list[Item] = []
        self._of: dict[tuple[str, Kind], list[Item]] = {}
        self._by_ref: dict[str, Item] = {}
        self._by_number: dict[int, Item] = {}
        self._number = 0
        self.open = 0
        self.seconds: dict[Side, list[float]] = {side: [] for side in Side}

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def forget_times(self) -> None:
        """Take the times anew from here on."""
        with self._lock:
            self.seconds = {side: [] for side in Side}

    def missing(self) -> list[str]:
        """Return some of what hasn't come yet."""
        with self._lock:
            found = [
                f"{item.name} of {item.user}, made in the {side.place}: {waits}"
                for item in self._items
                for side, waits in item.waits.items()
                if waits
            ]
            found += [
                f"{item.name} of {item.user}, deleted in the {item.gone.place}"
                for item in self._items
                if item.left and item.gone is not None
            ]
        return found[:20]

    def fresh(self, user: str, kind: Kind) -> Item:
        """Note an item that somebody is about to make."""
        with self._lock:
            item = Item(f"{_INITIAL[kind]}{len(self._items):06}", user, kind)
            self._items.append(item)
            self._of.setdefault((user, kind), []).append(item)
            return item

    def some(self, user: str, kind: Kind, side: Side, dice: Random, *, last: bool) -> Item | None:
        """Take an item that can be edited on a side, or None; for the `last` time one that rests.

        Nobody else is given that one afterwards.
        """
        with self._lock:
            found = [each for each in self._of.get((user, kind), ()) if _free(each, side, last)]
            if not found:
                return None
            item = dice.choice(found)
            item.busy.add(side)
            if last:
                item.gone = side
            return item

    def begin(self, item: Item, side: Side) -> int:
        """Note that somebody is writing on a side; return the change's number."""
        with self._lock:
            self._number += 1
            item.busy.add(side)
            item.wrote[side] = self._number
            item.waits.setdefault(side, []).append((self._number, time.monotonic()))
            self._by_number[self._number] = item
            self.open += 1
            return self._number

    def keep(self, item: Item) -> None:
        """Note that somebody who took an item for the last time lets it be."""
        with self._lock:
            item.busy.clear()
            item.gone = None

    def drop(self, item: Item) -> None:
        """Note that somebody is deleting an item, which they took for the last time."""
        with self._lock:
            item.left = time.monotonic()
            self.open += 1

    def end(self, item: Item, side: Side, ref: str = "") -> None:
        """Note that it is written, and under which id it stands there."""
        with self._lock:
            item.busy.discard(side)
            if ref:
                self._know(item, side, ref)

    def seen(self, side: Side, ref: str, number: int, at: float) -> None:
        """Note that an item on `side` shows a change that was made on the other one."""
        with self._lock:
            item = self._by_number.get(number)
            if item is None:
                return
            self._know(item, side, ref)
            waits = item.waits.get(side.other, [])
            for waiting in [each for each in waits if each[0] <= number]:
                waits.remove(waiting)
                self._arrived(side.other, at - waiting[1])

    def left(self, side: Side, ref: str, at: float) -> None:
        """Note that an item is no longer there on a side."""
        with self._lock:
            item = self._by_ref.get(ref)
            if item is None or item.gone is not side.other or not item.left:
                return
            self._arrived(side.other, at - item.left)
            item.left = 0.0

    def _arrived(self, side: Side, seconds: float) -> None:
        self.seconds[side].append(seconds)
        self.open -= 1

    def _know(self, item: Item, side: Side, ref: str) -> None:
        item.refs.setdefault(side, ref)
        self._by_ref.setdefault(ref, item)


class Shown(Struct, frozen=True):
    """Be an item as one side shows it: the numbers in the CRM's field and in the mailbox's."""

    name: str
    crm: int = 0
    groupware: int = 0


class Verdict(Struct):
    """Say what is wrong at the end; each is a line for people."""

    lost: list[str] = []
    doubled: list[str] = []


def compare(ledger: Ledger, shown: dict[Side, dict[str, list[Shown]]]) -> Verdict:
    """Compare what both sides show, by user and name, with what people did."""
    verdict = Verdict()
    known = {f"{item.user} {item.name}" for item in ledger}
    for item in ledger:
        for side in Side:
            found = shown[side].get(f"{item.user} {item.name}", [])
            where = f"{item.name} of {item.user}, {side.place}"
            if len(found) > 1:
                verdict.doubled.append(f"{where}: {len(found)} of them")
            elif item.gone is not None:
                if found:
                    verdict.lost.append(f"{where}: deleted in the {item.gone.place}, still there")
            elif not found:
                verdict.lost.append(f"{where}: not there")
            else:
                numbers = {Side.CRM: found[0].crm, Side.GROUPWARE: found[0].groupware}
                verdict.lost += [
                    f"{where}: shows change {numbers[by]} of the {by.place}, the last is {last}"
                    for by, last in item.wrote.items()
                    if numbers[by] != last
                ]
    for side in Side:
        strangers = shown[side].keys() - known
        verdict.doubled += [f"{name}, {side.place}: nobody made it" for name in sorted(strangers)]
    return verdict


def _free(item: Item, side: Side, last: bool) -> bool:
    if item.gone is not None or side in item.busy or side not in item.refs:
        return False
    return not last or (
        len(item.refs) == len(Side) and not item.busy and not any(item.waits.values())
    )
