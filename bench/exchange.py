"""Calendars on Exchange: Accord beside a bare loop on exchangelib, against one stand-in.

`accord sync` copies many events in each direction; the loop makes the same calls and no more.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from accord.model.item import Event
from accord.sandbox.exchange.hand import Hand, entry
from accord.sandbox.exchange.limits import Limits
from accord.sandbox.exchange.peer import ExchangePeer
from accord.sandbox.exchange.roll import Person
from bench import accord, bare_exchange
from bench.dav import _events
from bench.rows import Rows

_WORD = "bench"
_ROBOT = "robot@example.test"
_USERS = ("bare-out", "bare-in", "accord-out", "accord-in")


def run(work: Path, rows: Rows, *, events: int) -> dict[str, float]:
    """Measure both directions; return the goals by what they say."""
    people = [Person(address=f"{user}@example.test", password=_WORD) for user in _USERS]
    people.append(Person(address=_ROBOT, password=_WORD, impersonates=True))
    with ExchangePeer(people, limits=Limits()) as server:
        goals: dict[str, float] = {}
        for way, what in (("out", "export"), ("in", "import")):
            goals |= _measure(server, work, rows, way, what, _events(events))
        return goals


def _measure(
    server: ExchangePeer, work: Path, rows: Rows, way: str, what: str, events: list[Event]
) -> dict[str, float]:
    if way == "in":
        for user in ("bare-in", "accord-in"):
            _fill(server, f"{user}@example.test", events)
    floor = rows.note(
        bare_exchange.loop(
            server.url, f"bare-{way}@example.test", _WORD, work / f"b-{way}", way, len(events)
        )
    )
    place = work / f"a-{way}"
    given = events if way == "out" else []
    accord.prepare(
        server.url,
        f"accord-{way}",
        _WORD,
        place,
        given,
        target=accord.EXCHANGE,
        login=_ROBOT,
    )
    visit = accord.sync(f"{what} of {len(events)} to Exchange", place)
    rows.note(visit.figures, requests=visit.requests, inner=visit.visit_seconds)
    assert visit.writes == len(events), visit
    return {
        f"Exchange, {what}: times the bare loop (goal 1.15)": visit.figures.seconds / floor.seconds,
    }


def _fill(server: ExchangePeer, address: str, events: list[Event]) -> None:
    """Put the events into a mailbox, as another program does."""
    zone = ZoneInfo("Europe/Berlin")
    items = [
        entry(
            event.title,
            event.start.replace(tzinfo=zone).astimezone(UTC),
            (event.start + timedelta(hours=1)).replace(tzinfo=zone).astimezone(UTC),
            location=event.location,
            zone="W. Europe Standard Time",
        )
        for event in events
    ]
    with Hand(server.url, address, _WORD) as hand:
        hand.add_many(items)
