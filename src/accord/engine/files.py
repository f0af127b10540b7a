"""Bring the files on two paired items to agreement: what each side has to get and to lose.

A file is its name and its content; a changed one is another. The base is what agreed last.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from msgspec import Struct

from accord.model.kinds import Side


class File(NamedTuple):
    """Be what makes a file the same on both sides: its name and the digest of its content."""

    name: str
    digest: str


class Sums(Struct, frozen=True, kw_only=True):
    """Say what each side lacks and has too much, and what agrees once that is done."""

    lacks: dict[Side, frozenset[File]]
    loses: dict[Side, frozenset[File]]
    agreed: frozenset[File]


def compare(
    agreed: Collection[File],
    held: Mapping[Side, Collection[File]],
    *,
    whole: Collection[Side],
    open_to: Collection[Side],
) -> Sums:
    """Return what is to be done on each side.

    What one side added, the other gets; what one side took off, the other loses, unless it was
    never agreed on. Only a `whole` side, all of whose files could be told, says by silence that
    one was taken off. Only sides that are `open_to` changes get and lose anything.
    """
    base = frozenset(agreed)
    now = {side: frozenset(held[side]) for side in Side}
    lacks: dict[Side, frozenset[File]] = {}
    loses: dict[Side, frozenset[File]] = {}
    for side in Side:
        there = now[side.other]
        gone = base - there if side.other in whole else frozenset()
        may = side in open_to
        lacks[side] = frozenset(there - base - now[side]) if may else frozenset()
        loses[side] = frozenset(gone & now[side]) if may else frozenset()
    after = {side: (now[side] | lacks[side]) - loses[side] for side in Side}
    both = after[Side.CRM] & after[Side.GROUPWARE]
    either = after[Side.CRM] | after[Side.GROUPWARE]
    return Sums(lacks=lacks, loses=loses, agreed=both | (base & either))
