"""Find which items on both sides are the same thing before anything is created.

Marker first, then the mark that another connector left, then uid, then a natural key that is unique
on both sides; what is ambiguous is reported, never guessed. Contacts have no natural key: only
marked ones are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence

from msgspec import Struct

from accord.model.item import Absence, Event, Task
from accord.model.observe import Snapshot


class Ambiguous(Struct, frozen=True, kw_only=True):
    """Be items that can't be told apart: several on one or both sides under one key."""

    crm: tuple[Snapshot, ...]
    groupware: tuple[Snapshot, ...]
    why: str


class Matches(Struct, frozen=True, kw_only=True):
    """Be the outcome: pairs, what is alone on each side, and what is ambiguous."""

    pairs: tuple[tuple[Snapshot, Snapshot], ...]
    crm: tuple[Snapshot, ...]
    groupware: tuple[Snapshot, ...]
    ambiguous: tuple[Ambiguous, ...]


def match(
    crm: Sequence[Snapshot], groupware: Sequence[Snapshot], marker_of: Callable[[Snapshot], str]
) -> Matches:
    """Return how unpaired items of both sides belong together.

    `marker_of` gives the marker that a copy of a CRM snapshot carries in the mailbox.
    """
    pairs: list[tuple[Snapshot, Snapshot]] = []
    ambiguous: list[Ambiguous] = []
    left = {snapshot.ref: snapshot for snapshot in crm}
    right = {snapshot.ref: snapshot for snapshot in groupware}
    for name, crm_key, groupware_key in (
        ("marker", marker_of, lambda snapshot: snapshot.marker),
        ("another connector's mark", lambda snapshot: snapshot.ref, lambda s: s.foreign),
        ("uid", _uid, _uid),
        ("title and time", _natural, _natural),
    ):
        _pass(name, crm_key, groupware_key, left, right, pairs, ambiguous)
    return Matches(
        pairs=tuple(pairs),
        crm=tuple(left.values()),
        groupware=tuple(right.values()),
        ambiguous=tuple(ambiguous),
    )


def _pass(
    name: str,
    crm_key: Callable[[Snapshot], Hashable],
    groupware_key: Callable[[Snapshot], Hashable],
    left: dict[str, Snapshot],
    right: dict[str, Snapshot],
    pairs: list[tuple[Snapshot, Snapshot]],
    ambiguous: list[Ambiguous],
) -> None:
    """Take out of `left` and `right` whatever shares a key, one to one or ambiguous."""
    ours, theirs = _by_key(left.values(), crm_key), _by_key(right.values(), groupware_key)
    for key, here in ours.items():
        there = theirs.get(key)
        if not there:
            continue
        if len(here) == 1 and len(there) == 1:
            pairs.append((here[0], there[0]))
        elif name == "marker":
            there = _original(here[0], there)
            pairs.append((here[0], there[0]))
        else:
            why = f"ambiguous: {len(here)} in the CRM and {len(there)} in the mailbox share {name}"
            ambiguous.append(Ambiguous(crm=tuple(here), groupware=tuple(there), why=why))
        for snapshot in here:
            left.pop(snapshot.ref)
        for snapshot in there:
            right.pop(snapshot.ref)


def _original(crm: Snapshot, copies: list[Snapshot]) -> list[Snapshot]:
    """Return the one that is ours when a person duplicated a marked item: same uid, else first.

    The duplicates stay in the mailbox as new items of the person's own.
    """
    by_uid = [copy for copy in copies if copy.item.uid == crm.item.uid]
    return [min(by_uid or copies, key=lambda copy: copy.ref)]


def _by_key(
    snapshots: Iterable[Snapshot], key: Callable[[Snapshot], Hashable]
) -> dict[Hashable, list[Snapshot]]:
    grouped: dict[Hashable, list[Snapshot]] = {}
    for snapshot in snapshots:
        found = key(snapshot)
        if found != "" and found is not None:
            grouped.setdefault(found, []).append(snapshot)
    return grouped


def _uid(snapshot: Snapshot) -> Hashable:
    return snapshot.item.uid


def _natural(snapshot: Snapshot) -> Hashable:
    """Return what makes an item itself to people; nothing where two may well be alike."""
    match snapshot.item:
        case Event(title=title, start=start, end=end) if title.strip():
            item = snapshot.item
            return (title.strip().casefold(), start, end, item.time_zone, item.recurs)
        case Task(title=title, due=due) if title.strip() and due is not None:
            return (title.strip().casefold(), due)
        case Absence(start=start, end=end):
            return (start, end)
    return None
