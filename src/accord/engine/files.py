"""Bring the files on two paired items to agreement: what each side has to get and to lose.

A file is its name and its content; a changed one is another. The base is what agreed last. A
contact's photo is one file at most, and so a changed one takes the other's place.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from accord.engine.plan import Hung, Pairing, Refile
from accord.model.files import PHOTO
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


class Ways(Struct, frozen=True, kw_only=True):
    """Say where a photo may go.

    Sides that are `open_to` changes may get and lose it; the `winner` is the side whose photo
    stays where both were changed, None for nobody's. `restore` puts back what was changed on the
    side that photos don't come from.
    """

    open_to: Collection[Side]
    winner: Side | None
    restore: bool = False


def compare_photo(
    agreed: Collection[File],
    seen: Mapping[Side, Collection[File]],
    held: Mapping[Side, Collection[File]],
    ways: Ways,
    apart: Collection[File] = (),
) -> tuple[Sums, bool]:
    """Return what is to be done about two contacts' photos, and whether nobody's can be chosen.

    Each side holds one at most, and what it gets takes the place of what it has. `agreed` is the
    photo of both, in each form that a side keeps it in; `seen` is what each held when last looked
    at, which counts where nothing was ever agreed on. What is to stay `apart` is left alone while
    nothing else is there.
    """
    base = frozenset(agreed)
    now = {side: frozenset(held[side]) for side in Side}
    lacks: dict[Side, frozenset[File]] = {side: frozenset() for side in Side}
    loses = dict(lacks)
    if now[Side.CRM] == now[Side.GROUPWARE]:
        return Sums(lacks=lacks, loses=loses, agreed=now[Side.CRM]), False
    alone = frozenset(apart) & (now[Side.CRM] ^ now[Side.GROUPWARE])
    if alone and alone == now[Side.CRM] | now[Side.GROUPWARE]:
        return Sums(lacks=lacks, loses=loses, agreed=frozenset(), apart=alone), False
    source, clash = _photo_from(base, seen, now, ways)
    if source is None or source.other not in ways.open_to:
        return Sums(lacks=lacks, loses=loses, agreed=base, apart=alone), clash
    lacks[source.other] = now[source]
    loses[source.other] = frozenset() if now[source] else now[source.other]
    return Sums(lacks=lacks, loses=loses, agreed=now[source]), clash


def _photo_from(
    base: frozenset[File],
    seen: Mapping[Side, Collection[File]],
    now: Mapping[Side, frozenset[File]],
    ways: Ways,
) -> tuple[Side | None, bool]:
    """Return the side whose photo, or having none, is to hold on both; and whether they clash."""
    holding = [side for side in Side if now[side]]
    if base:
        changed = [side for side in Side if not now[side] or not now[side] <= base]
    elif len(holding) == 1:
        return holding[0], False
    else:
        known = any(seen[side] for side in Side)
        changed = [side for side in Side if known and not now[side] <= frozenset(seen[side])]
    if len(changed) == 1:
        (side,) = changed
        back = ways.restore and side in ways.open_to and side.other not in ways.open_to
        return (side.other if back and base else side), False
    if not changed:
        return None, not base
    if len(holding) == 1:
        return holding[0], False  # one changed it, the other took it off: an edit is worth more
    if len(ways.open_to) == 1:
        (only,) = ways.open_to
        return only.other, False
    return ways.winner, ways.winner is None


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
                found.insert(0, (each, None, f"the {_kind(each)} was taken off in the {place}"))
            else:
                comes.remove(other)
                found.append((each, other, f"another {_kind(each)} took its place in the {place}"))
        found += [(None, each, f"the {_kind(each)} was hung on in the {place}") for each in comes]
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


def _kind(hung: Hung) -> str:
    return "photo" if hung.name == PHOTO else "file"


def _chosen(held: Sequence[Hung], wanted: Collection[File]) -> list[Hung]:
    """Return the wanted ones of some files, each once."""
    return list({file_of(each): each for each in held if file_of(each) in wanted}.values())
