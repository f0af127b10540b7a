"""What an undo stands on: the chosen entries by item, their images, and what is there now.

Read in bulk for all items at once; `undo_plan` decides over it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from accord.engine.plan import Pairing
from accord.engine.policy import Policy
from accord.model.item import Item
from accord.model.kinds import Side
from accord.model.observe import Observation, Seen, Snapshot
from accord.ports.adapter import Ask
from accord.service.counterparts import ask_for
from accord.service.discreet import discreet
from accord.service.opening import learn, load_policies
from accord.service.pull import confirm
from accord.service.visit import Visit
from accord.state.records import Entry
from accord.state.state import Tx


class Standing(Struct, frozen=True, kw_only=True):
    """Be the chosen entries about one item, newest first, with what they left and what stands.

    `images` has before- and after-images by digest, without those that were erased. `settled`
    is what a clash's loser was left with, by the clash's number. `now` says what each side
    holds; a side whose ref nobody knows is missing.
    """

    entries: tuple[Entry, ...]
    images: dict[str, Snapshot]
    settled: dict[int, Snapshot]
    pairing: Pairing | None
    now: dict[Side, Observation]
    policy: Policy

    def of(self, side: Side) -> tuple[Entry, ...]:
        """Return the entries of what was written on one side, newest first."""
        return tuple(e for e in self.entries if e.side is side and e.step != "unpair")

    def before(self, entry: Entry) -> Snapshot | None:
        """Return what stood there before; None where there was nothing or it was erased."""
        return self.images.get(entry.before or "")

    def after(self, entry: Entry) -> Snapshot | None:
        """Return what the write left behind; None where that is nothing or was erased."""
        if entry.step == "clash":
            return self.settled.get(entry.id)
        return self.images.get(entry.after or "")

    def seen(self, side: Side) -> Snapshot | None:
        """Return what one side holds now, if it can be read."""
        observation = self.now.get(side)
        return observation.snapshot if isinstance(observation, Seen) else None

    @property
    def items(self) -> tuple[Item, ...]:
        """Return everything that is known of it: then, as both sides agreed, and now."""
        pairing = self.pairing
        known = [
            *(image(entry) for entry in self.entries for image in (self.before, self.after)),
            *(pairing.side(side) if pairing is not None else None for side in Side),
            *(self.seen(side) for side in Side),
        ]
        return tuple(snapshot.item for snapshot in known if snapshot is not None)


def by_item(entries: Iterable[Entry]) -> list[tuple[Entry, ...]]:
    """Group the entries of one link by item; what was a pair counts as one. Newest first."""
    chief: dict[object, object] = {}

    def find(key: object) -> object:
        while chief.setdefault(key, key) != key:
            chief[key] = chief[chief[key]]
            key = chief[key]
        return key

    ordered = sorted(entries, key=lambda entry: -entry.id)
    for entry in ordered:
        for key in ((entry.side.other, entry.counterpart), entry.pairing):
            if key and key[-1]:
                chief[find(key)] = find((entry.side, entry.ref))
    groups: dict[object, list[Entry]] = {}
    for entry in ordered:
        groups.setdefault(find((entry.side, entry.ref)), []).append(entry)
    return [tuple(group) for group in groups.values()]


def stand(visit: Visit, groups: Sequence[tuple[Entry, ...]]) -> list[Standing]:
    """Return what stands now of each group; both sides are asked once for all of them."""
    with visit.state.read() as tx:
        digests = {d for group in groups for e in group for d in (e.before, e.after) if d}
        images = tx.blobs.get_items(digests)
        pairs = _pairs(tx, visit.link.id, groups)
        settled = {e.id: s for group in groups for e in group if (s := _settled(tx, e))}
    asks = [_asks(group, pair) for group, pair in zip(groups, pairs, strict=True)]
    said = {side: _ask(visit, side, asks) for side in Side}
    now = [{side: said[side][ask.ref] for side, ask in one.items()} for one in asks]
    seen = [observation for one in now for observation in one.values()]
    bases = [Seen(pair.side(side)) for pair in pairs if pair for side in Side]
    learn(visit, [*seen, *bases, *map(Seen, images.values())])
    load_policies(visit, [pair.rule for pair in pairs if pair])
    return [
        Standing(
            entries=group,
            images=images,
            settled=settled,
            pairing=pair,
            now=found,
            policy=visit.policy_under(pair.rule if pair else ""),
        )
        for group, pair, found in zip(groups, pairs, now, strict=True)
    ]


def _pairs(tx: Tx, link: str, groups: Sequence[tuple[Entry, ...]]) -> list[Pairing | None]:
    """Return the pairing of each group as it is now; the newest entry's first."""
    refs: dict[Side, set[str]] = {side: set() for side in Side}
    for group in groups:
        for entry in group:
            refs[entry.side].add(entry.ref)
            refs[entry.side.other].add(entry.counterpart)
    found = {side: tx.pairings.by_refs(link, side, refs[side] - {""}) for side in Side}
    pairs = []
    for group in groups:
        keys = [(e.side, e.ref) for e in group] + [(e.side.other, e.counterpart) for e in group]
        pairs.append(next((found[s][ref] for s, ref in keys if ref in found[s]), None))
    return pairs


def _settled(tx: Tx, entry: Entry) -> Snapshot | None:
    """Return what the side that lost a clash was left with: what the same run wrote there."""
    if entry.step != "clash":
        return None
    for other in tx.journal.query(run=entry.run, ref=entry.ref, step="update"):
        if other.side is entry.side and other.after:
            return tx.blobs.get_item(other.after)
    return None


def _asks(group: tuple[Entry, ...], pairing: Pairing | None) -> dict[Side, Ask]:
    if pairing is not None:
        return {side: ask_for(pairing.side(side)) for side in Side}
    asks: dict[Side, Ask] = {}
    for entry in group:
        if entry.ref:
            asks.setdefault(entry.side, Ask(ref=entry.ref))
    for entry in group:
        if entry.counterpart:
            asks.setdefault(entry.side.other, Ask(ref=entry.counterpart))
    return asks


def _ask(visit: Visit, side: Side, asks: Sequence[dict[Side, Ask]]) -> dict[str, Observation]:
    wanted = {one[side].ref: one[side] for one in asks if side in one}
    answers = confirm(visit.end(side), list(wanted.values()))
    if side is Side.CRM:
        return answers
    return {ref: discreet(visit, answer) for ref, answer in answers.items()}
