"""Calendars: Accord beside a bare loop and vdirsyncer, in one run against one Radicale.

`accord sync` copies many events, then finds nothing or one thing changed among them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import httpx2

from accord.formats import ical
from accord.model.item import Event
from accord.sandbox.radicale import Radicale
from bench import accord, bare, vdirsyncer
from bench.rows import Rows

_WORD = "bench"
_USERS = ("bare", "vdir", "accord")


class Bench:
    """Hold the server, the work folder and what was measured so far."""

    def __init__(self, server: Radicale, work: Path, rows: Rows) -> None:
        """Measure against `server`, with everything else under `work`."""
        self.server = server
        self.work = work
        self.note = rows.note

    def visit(self, what: str, work: Path) -> accord.Visit:
        """Run and keep one `accord sync`."""
        visit = accord.sync(what, work)
        self.note(visit.figures, requests=visit.requests, inner=visit.visit_seconds)
        return visit


def run(work: Path, rows: Rows, *, events: int, many: int) -> dict[str, float]:
    """Measure everything; return the goals by what they say. Raises PeerMissing."""
    with Radicale(dict.fromkeys(_USERS, _WORD)) as server:
        bench = Bench(server, work, rows)
        return {
            **_export(bench, events),
            **_import(bench, events),
            **_quiet(bench, events, many),
        }


def _export(bench: Bench, count: int) -> dict[str, float]:
    events = _events(count)
    files = _files(bench.work / "files", events)
    for user in _USERS:
        bench.server.fill(user, "calendar", {})
    floor = bench.note(bare.export(files, _url(bench, "bare"), "bare", _WORD, bench.work / "b"))
    peer = bench.note(
        vdirsyncer.export(files, _url(bench, "vdir"), "vdir", _WORD, bench.work / "v")
    )
    work = bench.work / "a"
    accord.prepare(bench.server.url, "accord", _WORD, work, events)
    own = bench.visit(f"export of {count}", work)
    return {
        "export: times the bare loop (goal 1.10)": own.figures.seconds / floor.seconds,
        "export: times vdirsyncer": own.figures.seconds / peer.seconds,
    }


def _import(bench: Bench, count: int) -> dict[str, float]:
    vdir, work = _filled(bench, count, "import")
    own = bench.visit(f"import of {count}", work)
    peer = bench.note(
        vdirsyncer.import_(
            bench.work / "vi-files", vdir, "vdir", _WORD, bench.work / f"v-import-{count}"
        )
    )
    return {
        "import: times vdirsyncer (goal 1.0)": own.figures.seconds / peer.seconds,
        **rates(own, count),
    }


def rates(visit: accord.Visit, count: int) -> dict[str, float]:
    """Return how many events a second an import took in: as timed from outside, and inside."""
    return {
        "import: events a second of the whole command (goal 1000)": count / visit.figures.seconds,
        "import: events a second of the visit, without the command's start (goal 1000)": (
            count / visit.visit_seconds
        ),
    }


def _quiet(bench: Bench, count: int, many: int) -> dict[str, float]:
    """Measure passes with nothing and with one change, at two sizes."""
    goals: dict[str, float] = {}
    requests: dict[int, int] = {}
    for size in (count, many):
        vdir, work = _filled(bench, size, "quiet")
        bench.visit(f"import of {size}", work)
        files = bench.work / f"v-quiet-files-{size}"
        vdirsyncer.import_(files, vdir, "vdir", _WORD, bench.work / f"v-quiet-{size}")
        bench.visit(f"the visit after the import, {size}", work)
        own = bench.visit(f"nothing changed, {size}", work)
        vdirsyncer.unchanged(bench.work / f"v-quiet-{size}")
        peer = bench.note(vdirsyncer.unchanged(bench.work / f"v-quiet-{size}"))
        accord.change_one("accord", work)
        bench.visit(f"one change, {size}", work)
        requests[size] = own.requests
        goals[f"nothing changed, {size}: times vdirsyncer (goal 1.0)"] = (
            own.figures.seconds / peer.seconds
        )
    goals[f"nothing changed: requests at {many} more than at {count} (goal 0)"] = float(
        requests[many] - requests[count]
    )
    return goals


def _filled(bench: Bench, count: int, what: str) -> tuple[str, Path]:
    """Fill both peers' calendars with the same events, and let the server read them once."""
    texts = {f"{event.uid}.ics": ical.encode(event).decode() for event in _events(count)}
    for user in ("vdir", "accord"):
        folder = bench.server.folder / "collections" / "collection-root" / user / "calendar"
        for old in folder.glob("*.ics"):
            old.unlink()
        bench.server.fill(user, "calendar", texts)
        _warm(bench, user)
    work = bench.work / f"a-{what}-{count}"
    accord.prepare(bench.server.url, "accord", _WORD, work)
    return _url(bench, "vdir"), work


def _warm(bench: Bench, user: str) -> None:
    """Let the server parse every object once, so that no client pays for that."""
    query = (
        '<C:calendar-query xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:D="DAV:"><D:prop>'
        '<D:getetag/><C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"/>'
        "</C:filter></C:calendar-query>"
    )
    with httpx2.Client(auth=(user, _WORD), timeout=600) as client:
        url = _url(bench, user)
        client.request("REPORT", url, content=query, headers={"Depth": "1"}).raise_for_status()


def _url(bench: Bench, user: str) -> str:
    return f"{bench.server.url}{user}/calendar/"


def _events(count: int) -> list[Event]:
    first = datetime(2026, 1, 5, 8)
    return [
        Event(
            uid=f"bench-{number:06d}",
            title=f"Appointment {number}",
            location=f"Room {number % 17}",
            start=first + timedelta(hours=3 * number),
            end=first + timedelta(hours=3 * number + 1),
            time_zone="Europe/Berlin",
        )
        for number in range(count)
    ]


def _files(folder: Path, events: list[Event]) -> Path:
    folder.mkdir(parents=True)
    for event in events:
        (folder / f"{event.uid}.ics").write_bytes(ical.encode(event))
    return folder
