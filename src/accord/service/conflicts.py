"""Keep the list of open conflicts true: what agrees goes, what is gone goes, the rest stays.

The ledger asks here in the transaction in which it enters a batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from accord.engine.merge import open_fields
from accord.engine.plan import Conflict, Frozen, Pairing
from accord.model.diff import FieldChange
from accord.model.kinds import Side
from accord.rules.failure import RuleFailed
from accord.service.visit import Visit
from accord.state.codec import decode_step, encode_step
from accord.state.records import Cause, Pending
from accord.state.state import Tx


def contested(visit: Visit, pairing: Pairing) -> tuple[str, ...]:
    """Return which of a pairing's contested fields still are; of a pair let go for good, none."""
    return _open(visit, pairing, pairing.contested)


def keep_conflicts(
    tx: Tx,
    visit: Visit,
    pairings: Mapping[str, Pairing],
    gone: Mapping[str, Pairing],
    pending: Sequence[Pending],
) -> list[Pending]:
    """Take off the list what is over, and return what is to be pending.

    `pairings` are those that a batch has entered, `gone` those it has let go of, both by id. To
    store a conflict replaces what is open about its pair, so the others about it are returned
    as well. A conflict about the same fields keeps its id and its age: what people have been
    shown can still be decided.
    """
    rest = [one for one in pending if one.cause is not Cause.CONFLICT]
    fresh = [(one, _conflict(one)) for one in pending if one.cause is Cause.CONFLICT]
    former = _former(tx, visit, (*gone.values(), *pairings.values()), fresh)
    over, stored = [], []
    for old, step in former:
        news = [new for _, new in fresh if new.pairing == step.pairing]
        left = _left(visit, step, pairings.get(step.pairing), news)
        if not left or (step.pairing in gone and step.pairing not in pairings):
            over.append(old.id)
        elif news or left != step.fields:
            stored.append(_narrowed(old, step, left))
    changed = {_conflict(one).pairing for one in stored}
    kept = {one.id for one in stored} | set(over)
    stored += [old for old, step in former if step.pairing in changed and old.id not in kept]
    for one, step in fresh:
        same = [old for old, before in former if _alike(before, step)]
        stored.append(msgspec.structs.replace(one, id=same[0].id, at=same[0].at) if same else one)
    tx.pending.remove_many(over)
    return [*rest, *stored]


def _left(
    visit: Visit, step: Conflict, pairing: Pairing | None, news: Iterable[Conflict]
) -> tuple[FieldChange, ...]:
    """Return those fields of a conflict that are still open, and that no newer one is about."""
    names = {change.field for change in step.fields}
    names -= {change.field for new in news for change in new.fields}
    if pairing is not None:
        names &= {*pairing.contested, *_open(visit, pairing, names)}
    return tuple(change for change in step.fields if change.field in names)


def _open(visit: Visit, pairing: Pairing, fields: Iterable[str]) -> tuple[str, ...]:
    names, policy = tuple(fields), visit.policy_under(pairing.rule)
    if not names or _over(pairing) or policy.discreet(pairing.groupware):
        return ()
    try:
        return open_fields(pairing, names, policy)
    except RuleFailed:
        return names


def _over(pairing: Pairing) -> bool:
    """Tell whether a pair was let go for good."""
    return bool(pairing.frozen) and not Frozen(pairing.frozen).returns


def _former(
    tx: Tx,
    visit: Visit,
    pairings: Iterable[Pairing],
    fresh: Iterable[tuple[Pending, Conflict]],
) -> list[tuple[Pending, Conflict]]:
    """Return the open conflicts about these pairs as they were stored, oldest first."""
    pairs = {pairing.id: pairing for pairing in pairings}
    refs = {side: {pairing.side(side).ref for pairing in pairs.values()} for side in Side}
    refs[Side.CRM] |= {one.ref_crm for one, _ in fresh}
    ids = pairs.keys() | {step.pairing for _, step in fresh}
    found: dict[str, Pending] = {}
    for side, names in refs.items():
        for many in tx.pending.by_refs(visit.link.id, side, names).values():
            found |= {one.id: one for one in many if one.cause is Cause.CONFLICT}
    oldest = sorted(found.values(), key=lambda one: (one.at, one.id))
    known = [(one, _conflict(one)) for one in oldest]
    return [(one, step) for one, step in known if step.pairing in ids]


def _narrowed(pending: Pending, step: Conflict, left: tuple[FieldChange, ...]) -> Pending:
    """Return an open conflict about some of its fields only."""
    if left == step.fields:
        return pending
    names = ", ".join(change.field for change in left)
    narrowed = msgspec.structs.replace(step, field=names, fields=left)
    return msgspec.structs.replace(pending, step=encode_step(narrowed))


def _alike(former: Conflict, new: Conflict) -> bool:
    """Tell whether a conflict is a former one again, with other values."""
    before, now = ({change.field for change in step.fields} for step in (former, new))
    return former.pairing == new.pairing and bool(before) and before <= now


def _conflict(pending: Pending) -> Conflict:
    step = decode_step(pending.step)
    if not isinstance(step, Conflict):
        raise TypeError(f"pending change {pending.id} is no conflict but a {step.name}")
    return step
