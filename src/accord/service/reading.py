"""Read what changed for links: the CRM for each, their folder once for all that stand at one place.

First thing `sync` does with opened visits; what is returned goes into `cases`. A link's cursors
move only with its own commit, so nothing that one link is shown is taken from another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from accord.model.kinds import Side
from accord.ports.adapter import Known
from accord.service.meter import Meter
from accord.service.pausing import require_lease
from accord.service.pull import Pulled, pull
from accord.service.report import Report
from accord.service.visit import Visit
from accord.state.state import Tx


def read_crm(visit: Visit) -> Pulled:
    """Return what the CRM says to one link."""
    anew = visit.full or visit.anew
    cursor = "" if anew else visit.cursors[Side.CRM]
    known = _known([visit], Side.CRM)
    return pull(visit.crm, cursor, known, _paging(visit))


def read_folder(
    visits: Sequence[Visit], reports: dict[str, Report], meter: Meter
) -> dict[str, Pulled]:
    """Return what the folder that all visits are about says to each link.

    One pull for each cursor at which links stand: normally for one, since those that are visited
    together go on together; links that were paused or visited alone stand elsewhere at first.
    """
    standing: dict[str, list[Visit]] = {}
    for visit in visits:
        anew = visit.full or visit.anew or visit.policy.first
        cursor = "" if anew else visit.cursors[Side.GROUPWARE]
        standing.setdefault(cursor, []).append(visit)
    pulled: dict[str, Pulled] = {}
    for cursor, some in standing.items():
        known = _known(some, Side.GROUPWARE)
        pulled[cursor] = pull(some[0].groupware, cursor, known, _paging(some[0]))
        meter.charge([reports[visit.link.id] for visit in some])
    together = _together(pulled)
    return {visit.link.id: together[cursor] for cursor, some in standing.items() for visit in some}


def _together(pulled: dict[str, Pulled]) -> dict[str, Pulled]:
    """Let all whose pull was whole go on from one cursor: that of the first pull.

    Nothing that later pulls haven't shown comes after it, and sides are free to call one and the
    same state by a new name each time. A pull that broke off is where it was.
    """
    first = next((one.cursor for one in pulled.values() if one.cursor), "")
    return {
        cursor: one if one.cursor in ("", cursor) else msgspec.structs.replace(one, cursor=first)
        for cursor, one in pulled.items()
    }


def _known(visits: Sequence[Visit], side: Side) -> Known:
    """Return the lookup of versions that every one of the links has decided about.

    A full visit decides anew about what it skipped, one that looks `anew` about everything.
    """

    def known(refs: Sequence[str]) -> dict[str, str]:
        common: dict[str, str] | None = None
        with visits[0].state.read() as tx:
            for visit in visits:
                found = _decided_about(tx, visit, side, refs)
                if common is not None:
                    found = {r: v for r, v in found.items() if common.get(r) == v}
                common = found
        return common or {}

    return known


def _decided_about(tx: Tx, visit: Visit, side: Side, refs: Sequence[str]) -> dict[str, str]:
    if visit.anew:
        return {}
    found = tx.pairings.versions(visit.link.id, side, refs)
    if not visit.full:
        decisions = tx.decisions.versions(visit.link.id, side, refs)
        found |= {ref: version for ref, version in decisions.items() if version}
    return found


def _paging(visit: Visit) -> Callable[[int], None]:
    """Tell how far reading is after each page, and keep the folder's lease for the next one."""
    count = 0

    def more(number: int) -> None:
        nonlocal count
        count += number
        visit.progress("reading", count, 0)
        require_lease(visit)

    return more
