"""Take private content away before anything is decided or stored.

`cases` and `counterparts` let every mailbox observation through here, `planning` the bases of
what was once told in full.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from accord.engine.plan import Pairing
from accord.engine.reconcile import Case
from accord.model.item import Item
from accord.model.kinds import Side
from accord.model.observe import Observation, Seen, Snapshot
from accord.model.parts import Privacy
from accord.ports.errors import AccordError
from accord.rules.shape import is_marked, is_private
from accord.service.visit import Visit


def discreet(visit: Visit, observation: Observation) -> Observation:
    """Return a mailbox observation without private content, which is stored nowhere.

    What was reduced can't be written back, so it is read-only to Accord from here on.
    """
    if not isinstance(observation, Seen):
        return observation
    snapshot = observation.snapshot
    item = visit.policy.program.discreet(snapshot.item, visit.policy.facts)
    if item == snapshot.item:
        return observation
    return Seen(msgspec.structs.replace(snapshot, item=item, readonly=True))


def why_readonly(snapshot: Snapshot, side: Side) -> str:
    """Return why Accord can't write an item: it is private there, or this user may only read it."""
    if is_marked(snapshot.item):
        return f"it is private in the {side.place}, and Accord keeps none of its values"
    return f"this user may read but not change it in the {side.place}"


def tells_all(pairing: Pairing) -> bool:
    """Tell whether a pair holds a private entry of the mailbox in full, by its owner's leave."""
    base = pairing.groupware
    private = is_marked(base.item) and not base.readonly
    return private and pairing.made is not Side.GROUPWARE


def turned_private(visit: Visit, case: Case) -> bool:
    """Tell whether a mailbox entry, or an occurrence of it, is reduced that was public before."""
    if case.pairing is None or not isinstance(case.groupware, Seen):
        return False
    now, base = case.groupware.snapshot, case.pairing.groupware
    return visit.policy.discreet(now) and not _private_parts(now.item) <= _private_parts(base.item)


def as_told(visit: Visit, case: Case) -> Case:
    """Return a case as if what may no longer be known had been public until now.

    So the engine sees that it has turned private. Only to decide by: it is stored nowhere.
    """
    pairing = case.pairing
    if pairing is None or pairing.id not in visit.withdrawn or visit.policy.facts.consents:
        return case
    if not tells_all(pairing):
        return case
    base = msgspec.structs.replace(pairing.groupware, item=_public(pairing.groupware.item))
    return msgspec.structs.replace(case, pairing=msgspec.structs.replace(pairing, groupware=base))


def in_words(error: AccordError, side: Side, case: Case) -> str:
    """Return what a side said of a case; of a private one its code alone: words may quote it."""
    if not any(map(is_marked, case.items)):
        return str(error)
    code = f" ({error.code})" if error.code else ""
    return f"the {side.place} refuses it{code}; what it says is not kept, for the entry is private"


def _private_parts(item: Item) -> set[datetime | None]:
    """Return which parts of an item are private: occurrences by their recurrence ids, None all."""
    parts: set[datetime | None] = {
        each.recurrence_id for each in getattr(item, "overrides", ()) if is_private(each.privacy)
    }
    return parts | ({None} if is_private(getattr(item, "privacy", None)) else set())


def _public(item: Item) -> Item:
    values: dict[str, Any] = {}
    if is_private(getattr(item, "privacy", None)):
        values["privacy"] = Privacy.PUBLIC
    overrides = getattr(item, "overrides", ())
    if overrides:
        values["overrides"] = tuple(
            msgspec.structs.replace(each, privacy=Privacy.PUBLIC)
            if is_private(each.privacy)
            else each
            for each in overrides
        )
    return msgspec.structs.replace(item, **values)
