"""Many writers at once: no reader's cursor ever passes a change it hasn't seen."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from accord.crm.database import counter, outbox
from accord.db import Tx
from accord.model.kinds import Kind
from accord.model.observe import Seen
from accord.model.parts import Attendee, Reply
from accord.ports.adapter import Draft, Written
from accord.ports.errors import Stale
from tests.unit.crm.office import Office, address, done

WRITERS, EACH = 6, 12


@pytest.fixture
def dawdling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every other writer wait between taking its revision and committing."""
    add, turns = outbox.add, iter(range(10**6))

    def slow(tx: Tx, *rest: object) -> None:
        add(tx, *rest)  # type: ignore[arg-type]
        if next(turns) % 2:
            time.sleep(0.02)

    monkeypatch.setattr(outbox, "add", slow)


@pytest.mark.usefixtures("dawdling")
def test_a_cursor_never_passes_a_change_that_is_not_committed_yet(office: Office) -> None:
    guest, stop = office.carl, threading.Event()
    cursor, told = office.pull(guest, Kind.EVENT).cursor, office.crm.hints("")[1]

    def write(user: str) -> set[str]:
        return {office.create(user, office.event(guest)).ref for _ in range(EACH)}

    def follow() -> tuple[set[str], set[str]]:
        nonlocal cursor, told
        seen: set[str] = set()
        hinted: set[str] = set()
        last = False
        while True:
            pulled = office.pull(guest, Kind.EVENT, cursor)
            cursor = pulled.cursor
            seen |= pulled.seen
            hints, told = office.crm.hints(told)
            hinted |= {hint.ref for hint in hints if guest in hint.principals}
            if last:
                return seen, hinted
            last = stop.is_set()

    with ThreadPoolExecutor(WRITERS + 1) as pool:
        reader = pool.submit(follow)
        writers = [office.ann, office.bob, office.dora] * (WRITERS // 3)
        try:
            made = [future.result() for future in [pool.submit(write, w) for w in writers]]
        finally:
            stop.set()
        seen, hinted = reader.result()
    written = set().union(*made)
    assert len(written) == WRITERS * EACH
    assert written <= seen
    assert written <= hinted


def test_revisions_are_never_given_twice(office: Office) -> None:
    def take(_: int) -> int:
        return office.crm.store.run(lambda tx: counter.take(tx, 3))

    with ThreadPoolExecutor(8) as pool:
        firsts = list(pool.map(take, range(40)))
    numbers = [first + more for first in firsts for more in range(3)]
    assert len(set(numbers)) == 120


def test_one_key_from_many_sessions_gives_one_record(office: Office) -> None:
    draft = Draft(item=office.event(), key=office.tag)
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: office.try_create(office.ann, draft)[0], range(8)))
    assert len({done(outcome).ref for outcome in outcomes}) == 1
    assert len(office.pull(office.ann, Kind.EVENT).seen) == 1


def test_of_many_edits_of_one_version_one_wins(office: Office) -> None:
    made = office.create(office.ann, office.event())
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(
            pool.map(lambda n: office.edit(office.ann, made, title=f"edit {n}"), range(8))
        )
    written = [outcome for outcome in outcomes if isinstance(outcome, Written)]
    assert len(written) == 1
    assert sum(isinstance(outcome, Stale) for outcome in outcomes) == 7
    assert office.see(office.ann, Kind.EVENT, made.ref) == written[0].snapshot


def test_a_reader_sees_record_and_people_of_one_moment(office: Office) -> None:
    made = office.create(office.ann, office.event(office.bob))
    stop = threading.Event()

    def flip() -> None:
        replies = [Reply.ACCEPTED, Reply.DECLINED]
        while not stop.is_set():
            now = office.see(office.ann, Kind.EVENT, made.ref)
            reply = replies[int(now.version) % 2]
            guest = Attendee(address=address(office.bob), reply=reply)
            done(office.edit(office.ann, now, attendees=(guest,), title=str(reply)))

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(flip)
        try:
            for _ in range(150):
                observation = office.fetch(office.bob, Kind.EVENT, made.ref)
                assert isinstance(observation, Seen)
                item = observation.snapshot.item
                if item.title != "talk":  # type: ignore[union-attr]
                    assert item.title == str(item.attendees[0].reply)  # type: ignore[union-attr]
        finally:
            stop.set()
            writing.result()
