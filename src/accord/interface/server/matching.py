"""Slow sync: which item of the CRM one of the device's is, so that nothing is there twice.

By the device's earlier name for it, by uid, by content; each item of the CRM once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from accord.interface.server.house import Turn
from accord.interface.server.talk import Candidate, StoreTalk
from accord.model.fields import entry_key
from accord.model.item import Contact, Item
from accord.model.observe import Completeness, Seen, Unknown


def begin(turn: Turn, store: StoreTalk) -> dict[str, Candidate]:
    """Return all items that the device's may be, read from the CRM when first asked for.

    The cursor that comes with them is where the next sync will go on.
    """
    if store.candidates is None:
        store.candidates = {}
        kind = turn.store(store).kind
        for page in turn.crm.changes("", kind, "", lambda _: {}):
            if page.completeness is Completeness.LOST:
                break
            store.cursor = page.cursor or store.cursor
            for one in page.observations:
                if isinstance(one, Seen):
                    made = candidate(one.ref, one.snapshot.version, one.snapshot.item)
                    store.candidates[one.ref] = made
                elif isinstance(one, Unknown):
                    store.unread.append(one.ref)
    return store.candidates


def candidate(ref: str, version: str, item: Item) -> Candidate:
    """Return what an item is recognized by."""
    return Candidate(ref, version, item.uid, _name(item), _marks(item))


def alike(one: Item, other: Item) -> bool:
    """Tell whether anything says that two items are the same."""
    first, second = candidate("", "", one), candidate("", "", other)
    return _called_alike(first, second) or bool(set(first.marks) & set(second.marks))


def _called_alike(one: Candidate, other: Candidate) -> bool:
    """Tell whether two say that they are the same; that neither says who it is doesn't."""
    return one.uid == other.uid != "" or one.name == other.name != ""


class Matcher:
    """Find what a device's items are among the candidates that no item has taken yet."""

    def __init__(self, candidates: Mapping[str, Candidate], taken: Iterable[str]) -> None:
        """Index the candidates."""
        gone = frozenset(taken)
        self._left = {ref: one for ref, one in candidates.items() if ref not in gone}
        self._by_uid: dict[str, list[str]] = {}
        self._by_name: dict[str, list[str]] = {}
        for ref, one in self._left.items():
            if one.uid:
                self._by_uid.setdefault(one.uid, []).append(ref)
            self._by_name.setdefault(one.name, []).append(ref)

    def find(self, item: Item, hint: str = "") -> str:
        """Return and take the ref that an item is, empty where it is none.

        `hint` is what the device's name for it meant in an earlier sync.
        """
        given = candidate("", "", item)
        ref = self._find(given, hint)
        self._left.pop(ref, None)
        return ref

    def _find(self, given: Candidate, hint: str) -> str:
        known = self._left.get(hint)
        if known and _called_alike(known, given):
            return hint
        same = self._there(self._by_uid.get(given.uid, ())) if given.uid else []
        if same:
            return same[0]
        named = self._there(self._by_name.get(given.name, ()))
        marked = [ref for ref in named if set(self._left[ref].marks) & set(given.marks)]
        if hint in marked:
            return hint
        if not given.name:
            return next((ref for ref in marked if self._left[ref].marks == given.marks), "")
        if marked:
            return marked[0]
        # Without anything that tells them apart, one of the same name must be the only one.
        vague = [ref for ref in named if not self._left[ref].marks or not given.marks]
        alike = [ref for ref in vague if self._left[ref].marks == given.marks]
        if alike:
            return alike[0]
        return vague[0] if len(vague) == 1 and len(named) == 1 else ""

    def _there(self, refs: Iterable[str]) -> list[str]:
        return [ref for ref in refs if ref in self._left]


def _name(item: Item) -> str:
    if isinstance(item, Contact):
        name = item.full_name or f"{item.given} {item.family}".strip() or item.organization
        return " ".join(name.casefold().split())
    title = getattr(item, "title", "") or getattr(item, "subject", "")
    moment = getattr(item, "start", None) or getattr(item, "due", None)
    moment = moment or getattr(item, "sent", None)
    return f"{' '.join(title.casefold().split())}|{moment.isoformat() if moment else ''}"


def _marks(item: Item) -> tuple[str, ...]:
    if not isinstance(item, Contact):
        return ()
    mails = [entry_key("mails", one) for one in item.mails]
    return (*mails, *(entry_key("phones", one) for one in item.phones))
