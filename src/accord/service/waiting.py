"""What stays pending after a batch: what failed is tried again, put off longer each time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta

import msgspec
from msgspec import UNSET

from accord.engine.plan import FAILED, Create, Delete, Pairing, Skip, Step, Update
from accord.model.kinds import Side
from accord.service.report import Report
from accord.service.visit import Visit
from accord.state.codec import decode_step
from accord.state.records import Cause, Pending
from accord.state.state import Tx

RULE_CHANGED = "rule change: nothing changes before you approve"
"""Why something is held that follows from a changed rule alone."""

_LOST = "rule change: the former version can no longer be applied, so nobody can tell what is new; "

FORMER_LOST = f"{_LOST}approving this lets the item go on under the version in force"
"""Why everything is held about a pair that stands under such a version."""

FORMER_LOST_FILE = f"{_LOST}approving this carries the file"
"""The same of a file, which leads its pair nowhere."""

RULE_CHANGES = (RULE_CHANGED, _LOST)

RETRY = timedelta(minutes=1)
"""How long after the first failure something is tried again."""

_LONGEST = timedelta(hours=6)
_DECISIONS = (Cause.HELD, Cause.FILE, Cause.UNDO)


def patient(tx: Tx, visit: Visit, pending: Sequence[Pending]) -> list[Pending]:
    """Return what is to be pending; what failed before waits longer each time.

    What fails again before it was to be tried, as where somebody goes on editing it while a server
    is away, waits no longer for that.
    """
    kept = [one for one in pending if one.cause is not Cause.RETRY]
    for one in pending:
        if one.cause is not Cause.RETRY:
            continue
        side = Side.CRM if one.ref_crm else Side.GROUPWARE
        ref = one.ref_crm or one.ref_groupware
        known = tx.pending.by_refs(visit.link.id, side, [ref]).get(ref, [])
        former = [each for each in known if each.cause is Cause.RETRY]
        kept.append(_again(one, former[0]) if former else one)
    return kept


def settle(
    tx: Tx, visit: Visit, settled: Mapping[Side, AbstractSet[str]], pairings: Iterable[Pairing]
) -> None:
    """Forget what is pending about these refs, but for what somebody said no to as a rule changed.

    That no lasts until a pair stands under the active rule: edits that go on don't end it.
    `pairings` are those that a batch has seen, as they stand now.
    """
    link, own = visit.link.id, visit.rule.version
    about = [p for p in pairings if any(p.side(side).ref in settled[side] for side in Side)]
    refs = [pairing.crm.ref for pairing in about if pairing.rule != own]
    found = [one for many in tx.pending.by_refs(link, Side.CRM, refs).values() for one in many]
    for side, over in settled.items():
        for cause in (Cause.HELD, Cause.RETRY, Cause.REJECTED, Cause.WITHHELD):
            if over:
                tx.pending.settle(link, side, over, cause)
    refused = [one for one in found if one.cause is Cause.HELD and one.refused]
    tx.pending.put_many([one for one in refused if of_rule_change(one.why)])


def of_rule_change(cause: str) -> bool:
    """Tell whether something is held because its rule has changed, said no to before or not."""
    return cause.startswith(RULE_CHANGES)


def still_refused(tx: Tx, link: str, run: str) -> list[str]:
    """Return the items that a side refuses to change, or that their rule can't be applied to.

    What failed in this very run is left out, for it is told already. They are named by their refs
    in the CRM, or in the mailbox where that is all they have.
    """
    found = {}
    for one in tx.pending.by_link(link, Cause.RETRY, Cause.REJECTED):
        step = decode_step(one.step)
        failed = isinstance(step, Create | Update | Delete) or step.name == FAILED
        if (failed and one.run != run) or is_unwritable(step):
            found[one.ref_crm or one.ref_groupware] = one
    return list(found)


def tell_waiting(tx: Tx, report: Report) -> Counter[Cause]:
    """Tell in a report how much waits for approval; return how much of its link waits for what."""
    numbers = tx.pending.numbers(report.link)
    report.waiting = sum(numbers[cause] for cause in _DECISIONS)
    return numbers


def tell_refused(tx: Tx, report: Report) -> None:
    """Tell what waits for approval and what is still refused; asks for little where nothing is."""
    numbers = tell_waiting(tx, report)
    if numbers[Cause.RETRY] or numbers[Cause.REJECTED]:
        report.refused = still_refused(tx, report.link, report.run)


def is_unwritable(step: Step) -> bool:
    """Tell whether a step leaves an item of a pair as it is because it may only be read."""
    if not isinstance(step, Skip) or step.parked != "rejected":
        return False
    return bool(step.pairing) and step.unread is UNSET and step.name != FAILED


def _again(pending: Pending, former: Pending) -> Pending:
    """Return a retry put off longer the more often it was tried when it was due."""
    if former.due is not None and former.at <= pending.at + RETRY and pending.at < former.due:
        return msgspec.structs.replace(pending, at=former.at, tries=former.tries, due=former.due)
    tries = former.tries + 1
    wait = min(RETRY * 2 ** min(tries - 1, 16), _LONGEST)
    return msgspec.structs.replace(pending, tries=tries, due=pending.at + wait)
