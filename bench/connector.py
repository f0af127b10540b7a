"""The connector: our client against our server, beside the same calls on the CRM at hand.

Items are created in the connector's batches, and then all are pulled as on a first visit. What the
calls take beyond those on the built-in CRM itself is SyncML: texts, messages, HTTP, tokens.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from accord.crm.database import DatabaseCrm
from accord.crm.database.admin import Administration
from accord.model.kinds import Kind
from accord.model.observe import Seen
from accord.ports.adapter import Adapter, Draft
from accord.service.bootstrap import open_accord
from accord.service.init import init
from accord.testing.samples import plain
from bench.figures import Figures
from bench.rows import Rows
from tests.elsewhere import Elsewhere

_USER = "anna"
_KIND = Kind.CONTACT


def run(work: Path, rows: Rows, *, contacts: int) -> dict[str, float]:
    """Measure both ways; return items a second and the share of SyncML."""
    drafts = [Draft(item=plain(_KIND, f"Contact {n}"), key=f"bench-{n}") for n in range(contacts)]
    (work / "far").mkdir()
    (work / "here").mkdir()
    with Elsewhere(work / "far") as far:
        with closing(far.open()) as there:
            _hire(there.crm)
        far.write_key(work / "here")
        config = init(work / "here", crm=far.crm).config
        with closing(open_accord(config)) as accord:
            over = _measure("our client, our server", accord.crm, drafts, rows)
    (work / "near").mkdir()
    with closing(open_accord(init(work / "near").config)) as accord:
        _hire(accord.crm)
        at_hand = _measure("CRM at hand", accord.crm, drafts, rows)
    return {
        **{f"our client, {way}: items a second": contacts / over[way] for way in over},
        **{
            f"our client, {way}: share of the time that is SyncML": 1 - at_hand[way] / over[way]
            for way in over
        },
    }


def _hire(crm: Adapter) -> None:
    assert isinstance(crm, DatabaseCrm)
    Administration(crm).add_user(_USER, f"{_USER}@example.test")


def _measure(name: str, crm: Adapter, drafts: list[Draft], rows: Rows) -> dict[str, float]:
    with crm.open(_USER) as session:
        folder = next(each.id for each in session.folders() if _KIND in each.kinds)
        size = crm.traits.batch

        def create() -> int:
            parts = (drafts[at : at + size] for at in range(0, len(drafts), size))
            return sum(len(session.create(folder, _KIND, part)) for part in parts)

        def pull() -> int:
            pages = session.changes(folder, _KIND, "", lambda _: {})
            return sum(isinstance(each, Seen) for page in pages for each in page.observations)

        return {
            way: _timed(f"{name}: {len(drafts)} contacts {way}", act, len(drafts), rows)
            for way, act in (("up", create), ("down", pull))
        }


def _timed(what: str, act: Callable[[], int], wanted: int, rows: Rows) -> float:
    """Return the seconds of it; processor time is this process's, without the server's."""
    began, busy = time.perf_counter(), time.process_time()
    assert act() == wanted, "not all came through"
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows.note(Figures(what, seconds, time.process_time() - busy, peak))
    return seconds
