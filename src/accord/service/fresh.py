"""What came into a mailbox lately, and what became of it before a pull could tell.

A list of changes needn't name an item that came and went since its cursor (RFC 6578 section
3.5.1; Exchange's SyncFolderItems doesn't): `cases` asks about those that Accord made itself, and
those it met in a visit that didn't come to its end, so that the cursor stayed where it was.
"""

from __future__ import annotations

from collections.abc import Collection

from accord.model.kinds import Side
from accord.service.opening import told_key
from accord.service.report import Report
from accord.service.visit import Visit
from accord.state.state import Tx


def unheard(tx: Tx, visit: Visit, listed: Collection[str]) -> tuple[set[str], int]:
    """Return what came since the last whole visit's pull began and isn't in this one.

    With it comes the entry up to which this pull has told; before a first visit is over nothing
    is known to go on from.
    """
    if visit.told is None:
        return set(), tx.journal.latest(visit.link.id)
    last, run = visit.told
    met = tx.journal.met(visit.link.id, last)
    here = [entry.ref for entry in met if entry.side is Side.GROUPWARE]
    there = [entry.counterpart for entry in met if entry.side is Side.CRM and entry.run != run]
    return {*here, *there}.difference(listed, [""]), met[-1].id if met else last


def heard(tx: Tx, visit: Visit, entry: int, report: Report) -> None:
    """Note up to which entry this visit's pull told what became of what came.

    What it met itself lay before its cursor, too.
    """
    made = report.crm.created or report.groupware.created or report.paired
    if made or visit.told is None or visit.told[0] != entry:
        tx.settings.put(told_key(visit.link), [entry, visit.run])
