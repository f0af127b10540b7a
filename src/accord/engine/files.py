"""Bring the files on two paired items to agreement: what each side has to get and to lose.

A file is its name and its content; a changed one is another. The base is what agreed last.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from accord.engine.plan import Hung, Pairing, Refile
from accord.model.kinds import Side


class File(NamedTuple):
    """Be what makes a file the same on both sides: its name and the digest of its content."""

    name: str
    digest: str


class Sums(Struct, frozen=True, kw_only=True):
    """Say what each side lacks and has too much, and what agrees once that is done.

    `apart` are those that one side alone has, and is to have.
    """

    lacks: dict[Side, frozenset[File]]
    loses: dict[Side, frozenset[File]]
    agreed: frozenset[File]
    apart: frozenset[File] = frozenset()


def compare(
    agreed: Collection[File],
    held: Mapping[Side, Collection[File]],
    *,
    whole: Collection[Side],
    open_to: Collection[Side],
    apart: Collection[File] = (),
) -> Sums:
    """Return what is to be done on each side.

    What one side added, the other gets; what one side took off, the other loses, unless it was
    never agreed on. Only a `whole` side, all of whose files could be told, says by silence that
    one was taken off. Only sides that are `open_to` changes get and lose anything.
    What is to stay `apart` is left alone while one side alone has it.
    """
    alone = frozenset(apart) & (frozenset(held[Side.CRM]) ^ frozenset(held[Side.GROUPWARE]))
    base = frozenset(agreed) - alone
    now = {side: frozenset(held[side]) - alone for side in Side}
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
    return Sums(lacks=lacks, loses=loses, agreed=both | (base & either), apart=alone)


def steps_of(
    sums: Sums, held: Mapping[Side, Sequence[Hung]], pairing: Pairing, label: str
) -> tuple[Refile, ...]:
    """Return the steps that do what `sums` say; what comes under the name of what goes replaces it.

    `held` are the files on both sides. What only goes comes first, so that there is room.
    """
    steps: list[Refile] = []
    for side in Side:
        goes = _chosen(held[side], sums.loses[side])
        comes = [replace(each, kept="") for each in _chosen(held[side.other], sums.lacks[side])]
        place = side.other.place
        found: list[tuple[Hung | None, Hung | None, str]] = []
        for each in goes:
            other = next((one for one in comes if one.name == each.name), None)
            if other is None:
                found.insert(0, (each, None, f"the file was taken off in the {place}"))
            else:
                comes.remove(other)
                found.append((each, other, f"another file took its place in the {place}"))
        found += [(None, each, f"the file was hung on in the {place}") for each in comes]
        steps += [
            Refile(
                side=side,
                pairing=pairing.id,
                ref=pairing.side(side).ref,
                counterpart=pairing.side(side.other).ref,
                label=label,
                before=before,
                after=after,
                why=why,
            )
            for before, after, why in found
        ]
    return tuple(steps)


def file_of(hung: Hung) -> File:
    """Return what makes a file the same on both sides."""
    return File(hung.name, hung.digest)


def _chosen(held: Sequence[Hung], wanted: Collection[File]) -> list[Hung]:
    """Return the wanted ones of some files, each once."""
    return list({file_of(each): each for each in held if file_of(each) in wanted}.values())
