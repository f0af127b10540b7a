"""Pull one side: page by page, with the listing's completeness, nothing inferred from silence.

First step of a visit; what it returns goes into cases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec
from msgspec import Struct

from accord.model.observe import (
    Completeness,
    Deleted,
    Listing,
    Moved,
    Observation,
    Seen,
    Unchanged,
)
from accord.ports.adapter import Ask, Known
from accord.service.ends import End


class Pulled(Struct, frozen=True, kw_only=True):
    """Be what one side said: the last word on each ref, and how far the pull went.

    `listed` are all refs mentioned; absence counts only where `complete`. `cursor` is where
    the next pull starts; it is the old one where the listing broke off. `lost` says that there
    was no cursor to go on from, or none that the side still knows.
    """

    observations: dict[str, Observation]
    listed: frozenset[str]
    cursor: str
    complete: bool
    lost: bool = False


def pull(end: End, cursor: str, known: Known, progress: Callable[[int], None]) -> Pulled:
    """Return what changed on one side since `cursor`; an expired cursor starts over."""
    pulled = _pull_once(end, cursor, known, progress)
    lost = pulled is None or not cursor
    if pulled is None:
        pulled = _pull_once(end, "", known, progress)
    if pulled is None:
        return Pulled(observations={}, listed=frozenset(), cursor="", complete=False)
    return msgspec.structs.replace(pulled, lost=lost)


def confirm(end: End, asks: Sequence[Ask]) -> dict[str, Observation]:
    """Ask for refs themselves: what became of each, looked for elsewhere too."""
    found: dict[str, Observation] = {}
    for start in range(0, len(asks), end.batch):
        some = asks[start : start + end.batch]
        for ask, observation in zip(
            some, end.session.fetch(end.folder, end.kind, some), strict=True
        ):
            found[ask.ref] = observation
    return found


def _pull_once(
    end: End, cursor: str, known: Known, progress: Callable[[int], None]
) -> Pulled | None:
    """Return the pull, or None where the side no longer knows the cursor."""
    observations: dict[str, Observation] = {}
    listed: set[str] = set()
    doubtful: set[str] = set()
    last, at = Completeness.PARTIAL, ""
    for page in end.session.changes(end.folder, end.kind, cursor, known):
        if page.completeness is Completeness.LOST:
            return None
        _take(page, observations, listed, doubtful)
        last, at = page.completeness, page.cursor or at
        progress(len(page.observations))
    if doubtful:
        observations |= confirm(end, [Ask(ref=ref) for ref in sorted(doubtful)])
    whole = last in (Completeness.COMPLETE, Completeness.DELTA)
    return Pulled(
        observations=observations,
        listed=frozenset(listed),
        cursor=at if whole and at else cursor,
        complete=last is Completeness.COMPLETE,
    )


def _take(
    page: Listing,
    observations: dict[str, Observation],
    listed: set[str],
    doubtful: set[str],
) -> None:
    """Add a page; a ref about which it says something else than before becomes doubtful."""
    for observation in page.observations:
        ref = observation.ref
        listed.add(ref)
        earlier = observations.get(ref)
        if isinstance(observation, Unchanged) and earlier is None:
            continue
        if earlier is not None and _differ(earlier, observation):
            doubtful.add(ref)
        observations[ref] = observation


def _differ(one: Observation, other: Observation) -> bool:
    if isinstance(one, Seen) and isinstance(other, Seen):
        return one.snapshot.version != other.snapshot.version
    return type(one) is not type(other)


def tombstones(observations: Iterable[Observation]) -> set[str]:
    """Return the refs that are said to be gone: questions, not facts yet."""
    return {o.ref for o in observations if isinstance(o, Deleted | Moved)}
