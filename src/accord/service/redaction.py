"""Take every word of an item that is, or has turned, private out of state.

The one place that knows where words are kept: the ledger calls it in each batch's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import TypeAlias

import msgspec

from accord.engine.plan import Pairing
from accord.engine.reconcile import Case
from accord.model.item import Item
from accord.model.kinds import Side
from accord.model.names import name_of
from accord.model.observe import Seen, Snapshot
from accord.model.parts import Privacy
from accord.model.recurrence import Override
from accord.service.visit import Visit
from accord.state.records import Cause, Decision
from accord.state.state import Tx

ERASED = "what was said about it before it turned private is erased"

_Refs: TypeAlias = dict[Side, set[str]]

_WAITING = (
    *(Cause.HELD, Cause.RETRY, Cause.REJECTED, Cause.WITHHELD),
    *(Cause.UNDO, Cause.FILE),
)
"""What is planned anew with every case; open conflicts are kept true by `conflicts`."""


class Redaction:
    """Gather the private items of one batch, and erase what state tells of them.

    Of what was reduced nothing is left but what its pair stands on: a record that could not be
    reduced yet has its words in the CRM, too. What a side has in full, as its own private item,
    keeps what is encrypted. Pairs of both are kept encrypted.
    """

    def __init__(self, visit: Visit) -> None:
        """Go by the rule of `visit`: what its owner shares in full isn't erased."""
        self._visit = visit
        self._reduced: _Refs = {side: set() for side in Side}
        self._own: _Refs = {side: set() for side in Side}
        self._titled: _Refs = {side: set() for side in Side}
        self._former: set[str] = set()
        self._turned = False

    def see(self, case: Case) -> None:
        """Note the items of a case if one of them is private."""
        pairing = case.pairing
        told = {
            side: observation.snapshot
            for side, observation in ((Side.CRM, case.crm), (Side.GROUPWARE, case.groupware))
            if isinstance(observation, Seen)
        }
        refs = {side: {snapshot.ref} for side, snapshot in told.items()}
        if pairing is not None:
            for side in Side:
                refs.setdefault(side, set()).add(pairing.side(side).ref)
        self._note(refs, told, pairing.groupware if pairing is not None else None)

    def see_pair(self, pairing: Pairing) -> None:
        """Note the items of a pair if one of them is private now."""
        told = {side: pairing.side(side) for side in Side}
        self._note({side: {one.ref} for side, one in told.items()}, told, pairing.groupware)

    def look_back(self, tx: Tx, removed: Collection[str]) -> None:
        """Find under what other refs these items were known, before anything is written.

        `removed` are the pairs that the batch lets go of.
        """
        link = self._visit.link.id
        pairs: set[str] = set()
        for refs in (self._reduced, self._own):
            for side in (Side.GROUPWARE, Side.CRM, Side.GROUPWARE) if _any(refs) else ():
                known = tx.pairings.by_refs(link, side, refs[side]).values()
                pairs |= {pairing.id for pairing in known}
                about = tx.journal.about(link, side, refs[side])
                refs[side.other] |= {pairing.side(side.other).ref for pairing in known}
                refs[side.other] |= {ref for _, ref in about if ref}
        if pairs:
            self._former = tx.pairings.digests(pairs | set(removed))

    def seal(self, tx: Tx, pairings: Mapping[str, Pairing]) -> list[Pairing]:
        """Return a batch's pairings, and others of private items, as they are to be kept."""
        known, refs = dict(pairings), self._refs()
        if not _any(refs) or self._visit.state.keys is None:
            return list(known.values())
        for side in Side:
            found = tx.pairings.by_refs(self._visit.link.id, side, refs[side])
            known = {p.id: p for p in found.values() if not p.private} | known
        return [self._sealed(pairing, refs) for pairing in known.values()]

    def silence(self, decisions: Mapping[tuple[Side, str], Decision]) -> list[Decision]:
        """Return a batch's decisions without the titles of private items."""
        refs = self._untitled()
        return [
            msgspec.structs.replace(one, label="") if ref in refs[side] else one
            for (side, ref), one in decisions.items()
        ]

    def forget_pending(self, tx: Tx) -> None:
        """Forget what waits for private items; what is to wait on is entered after this."""
        for side, refs in self._refs().items():
            for cause in _WAITING if refs else ():
                tx.pending.settle(self._visit.link.id, side, refs, cause)

    def erase(self, tx: Tx) -> None:
        """Erase what decisions, journal and former snapshots tell; comes after all else."""
        for side, refs in self._untitled().items():
            if refs:
                told = tx.decisions.redact(self._visit.link.id, side, sorted(refs), ERASED)
                self._turned |= told > 0
        reduced, own = (self._entries(tx, refs) for refs in (self._reduced, self._own))
        if reduced or own or self._former:
            former = self._former
            self._turned |= tx.journal.redact(reduced | own, former, encrypted=False) > 0
            tx.journal.redact(reduced, former if _any(self._reduced) else ())
        if self._turned:
            # Bases that were replaced since the last tidying up are in no pair and no entry.
            tx.blobs.collect(timedelta())

    def _note(
        self, refs: Mapping[Side, set[str]], told: Mapping[Side, Snapshot], base: Snapshot | None
    ) -> None:
        mailbox = told.get(Side.GROUPWARE)
        if any(self._hides(snapshot.item) for snapshot in told.values()):
            reduced = mailbox is not None and self._visit.policy.discreet(mailbox)
            _add(self._reduced if reduced else self._own, refs)
        elif mailbox is not None and self._occurrences(mailbox) - self._occurrences(base):
            _add(self._reduced, refs)
            _add(self._titled, refs)

    def _hides(self, item: Item | Override) -> bool:
        policy = self._visit.policy
        return policy.program.hides(item, policy.facts)

    def _occurrences(self, snapshot: Snapshot | None) -> set[object]:
        """Return which occurrences of a series are private."""
        overrides = getattr(snapshot.item, "overrides", ()) if snapshot is not None else ()
        return {override.recurrence_id for override in overrides if self._hides(override)}

    def _refs(self) -> _Refs:
        return {side: self._reduced[side] | self._own[side] for side in Side}

    def _untitled(self) -> _Refs:
        """Return the refs of items whose title is private, too."""
        return {side: refs - self._titled[side] for side, refs in self._refs().items()}

    def _entries(self, tx: Tx, refs: _Refs) -> set[int]:
        link = self._visit.link.id
        return {number for side in Side for number, _ in tx.journal.about(link, side, refs[side])}

    def _sealed(self, pairing: Pairing, refs: _Refs) -> Pairing:
        if pairing.private or not any(pairing.side(side).ref in refs[side] for side in Side):
            return pairing
        self._turned = True
        return msgspec.structs.replace(pairing, private=True)


def label_of(item: Item) -> str:
    """Return what people call an item; nothing of what is private."""
    if item.privacy is not Privacy.PUBLIC:
        return ""
    return name_of(item)[:200]


def _any(refs: _Refs) -> bool:
    return any(refs.values())


def _add(to: _Refs, refs: Mapping[Side, Iterable[str]]) -> None:
    for side, some in refs.items():
        to[side].update(some)
