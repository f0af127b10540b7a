"""Calendars on Exchange: Accord beside a bare loop on exchangelib, against one stand-in.

`accord sync` copies many events in each direction; the loop makes the same calls and no more.
Each is measured several times in turn, and the medians are compared.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from pathlib import Path
from statistics import median
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
_ROUNDS = 5
_USERS = tuple(
    f"{who}-{way}-{number}"
    for who in ("bare", "accord")
    for way in ("out", "in")
    for number in range(_ROUNDS)
)


def run(work: Path, rows: Rows, *, events: int) -> dict[str, float]:
    """Measure both directions; return the goals by what they say."""
    people = [Person(address=f"{user}@example.test", password=_WORD) for user in _USERS]
    people.append(Person(address=_ROBOT, password=_WORD, impersonates=True))
    with ExchangePeer(people, limits=Limits()) as server:
        goals: dict[str, float] = {}
        for way, what in (("out", "export"), ("in", "import")):
            pairs = [
                _measure(server, work, rows, f"{way}-{number}", what, _events(events))
                for number in range(_ROUNDS)
            ]
            bare, ours = (median(each) for each in zip(*pairs, strict=True))
            goals[f"Exchange, {what}: times the bare loop (goal 1.15)"] = ours / bare
        return goals


def _measure(
    server: ExchangePeer, work: Path, rows: Rows, turn: str, what: str, events: list[Event]
) -> tuple[float, float]:
    """Return the seconds of the bare loop and of Accord, one right after the other."""
    way = turn.partition("-")[0]
    if way == "in":
        for user in (f"bare-{turn}", f"accord-{turn}"):
            _fill(server, f"{user}@example.test", events)
    floor = rows.note(
        bare_exchange.loop(
            server.url, f"bare-{turn}@example.test", _WORD, work / f"b-{turn}", way, len(events)
        )
    )
    place = work / f"a-{turn}"
    given = events if way == "out" else []
    accord.prepare(
        server.url,
        f"accord-{turn}",
        _WORD,
        place,
        given,
        target=accord.EXCHANGE,
        login=_ROBOT,
    )
    visit = accord.sync(f"{what} of {len(events)} to Exchange", place)
    rows.note(visit.figures, requests=visit.requests, inner=visit.visit_seconds)
    assert visit.writes == len(events), visit
    return floor.seconds, visit.figures.seconds


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
