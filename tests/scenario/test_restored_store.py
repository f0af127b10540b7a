"""A mailbox store is put back from a backup while people and Accord have worked on.

Accord holds the target, and overwrites nothing with what the backup knew; the servers count nothing
that would tell, so it goes by what they say about when their items were changed.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from accord.sandbox.cyrus import Cyrus
from accord.service import older
from accord.service.check import check
from accord.service.identity import accept
from tests.databases import Databases
from tests.exchange import House
from tests.peers import serve
from tests.scenario.conftest import Enter, EnterExchange
from tests.scenario.exchange import ExchangeStage, own
from tests.scenario.mailed import MailedStage
from tests.scenario.stage import Stage, entry, meeting

HELD = "held: target mailboxes went back: items that Accord knows stand there as they stood before"
NAMES = [f"Visit {number}" for number in range(5)]


@pytest.fixture
def hours(house: House) -> Iterator[Any]:
    """Let hours pass for the stand-in."""
    exchange: Any = house.exchange
    before = exchange.clock
    passed = timedelta()

    def later(**more: float) -> None:
        nonlocal passed
        passed += timedelta(**more)
        exchange.clock = exchange.store._clock = lambda: datetime.now(UTC) + passed

    yield later
    exchange.clock = exchange.store._clock = before


def filled(enter_exchange: EnterExchange) -> ExchangeStage:
    """Return a stage on which everything in Anna's mailbox is synchronized."""
    stage = enter_exchange("anna")
    for number, name in enumerate(NAMES):
        stage.hands["anna"].add(own(name, 10 + number))
    stage.sync()
    return stage


def copied(house: House) -> sqlite3.Connection:
    """Return a copy of everything the stand-in holds, as a backup of its database."""
    copy = sqlite3.connect(":memory:", check_same_thread=False)
    store = house.exchange.store
    with store._lock:
        store._base.backup(copy)
    return copy


def put_back(house: House, copy: sqlite3.Connection) -> None:
    """Let the stand-in go on from a copy."""
    store = house.exchange.store
    with store._lock:
        copy.backup(store._base)


def worked(stage: Stage) -> list[str]:
    """Let people work with the CRM after the backup; return what stands there in the end."""
    for name in NAMES[:3]:
        stage.desks["anna"].set(name, title=f"{name}, moved")
    stage.desks["anna"].add(meeting("New", 40))
    stage.sync()
    stage.quiet()
    return titles(stage)


def titles(stage: Stage) -> list[str]:
    return sorted(event.title for event in stage.events("anna"))


def released(stage: Stage) -> None:
    """Let the administrator say that the backup is meant, and look what comes of it."""
    assert any(not one.ok and "went back" in one.detail for one in check(stage.accord))
    accept(stage.accord)
    assert not any("went back" in one.detail for one in check(stage.accord))
    stage.sync()
    stage.quiet()


def test_an_exchange_that_was_put_back_is_held(
    enter_exchange: EnterExchange, house: House, hours: Any
) -> None:
    stage = filled(enter_exchange)
    backup = copied(house)
    hours(hours=3)
    stage.clock.pass_by(hours=3)
    known = worked(stage)
    hours(hours=1)
    stage.clock.pass_by(hours=1)
    put_back(house, backup)
    assert stage.titles() == NAMES, "the mailbox stands as it stood at the backup"
    (report,) = stage.attempt(full=True)
    assert report.error == HELD and report.writes == 0
    assert titles(stage) == known, "nothing of the backup has come into the CRM"
    assert stage.titles() == NAMES, "and nothing is written over it"
    stage.desks["anna"].set("Visit 4", title="Visit 4, since")
    (report,) = stage.attempt()
    assert report.error == HELD and stage.titles() == NAMES
    released(stage)


def test_what_accord_would_write_over_a_restored_exchange_is_not_taken_back_into_the_crm(
    enter_exchange: EnterExchange, house: House, hours: Any
) -> None:
    stage = filled(enter_exchange)
    backup = copied(house)
    hours(hours=3)
    worked(stage)
    hours(hours=1)
    put_back(house, backup)
    for name in NAMES[:3]:
        stage.desks["anna"].set(f"{name}, moved", title=f"{name}, moved on")
    (report,) = stage.attempt()
    assert report.error == HELD
    moved = [f"{name}, moved on" for name in NAMES[:3]]
    assert titles(stage) == sorted([*moved, *NAMES[3:], "New"])


def test_people_who_edit_after_hours_hold_nothing_on_exchange(
    enter_exchange: EnterExchange, hours: Any
) -> None:
    stage = enter_exchange("anna")
    for number, name in enumerate(NAMES):
        stage.desks["anna"].add(meeting(name, 10 + number))
    stage.sync()
    for _ in range(2):
        hours(hours=2)
        for name in NAMES:
            stage.hands["anna"].set(name, Location="Hall")
            stage.hands["anna"].set(name, Location="Room")
        stage.sync(full=True)
    stage.quiet()


def test_an_import_of_old_entries_holds_nothing(enter_each: Enter) -> None:
    stage = enter_each("anna")
    new, old = "LAST-MODIFIED:20260101T000000Z", "LAST-MODIFIED:20200101T000000Z"
    for number, name in enumerate(NAMES):
        text = entry(name, 10 + number, new, uid=f"visit-{number}")
        stage.boxes["anna"].put(f"{number}.ics", text)
    stage.sync()
    for number, name in enumerate(NAMES):
        text = entry(f"{name} once", 10 + number, old, uid=f"visit-{number}")
        stage.boxes["anna"].put(f"{number}.ics", text)
    stage.sync()
    assert titles(stage) == [f"{name} once" for name in NAMES]
    stage.quiet()


@pytest.fixture
def own_cyrus() -> Iterator[Cyrus]:
    """A Cyrus that nobody else uses: it is ended and put back."""
    yield from serve(Cyrus)


@pytest.mark.peer
def test_a_cyrus_that_was_put_back_is_held(
    own_cyrus: Cyrus, tmp_path: Path, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody can make the server's clock run, so seconds stand for hours.
    monkeypatch.setattr(older, "MARGIN", timedelta(seconds=1))
    backup = tmp_path / "backup"
    with MailedStage(tmp_path, own_cyrus, ("anna",), databases) as stage:
        for number, name in enumerate(NAMES):
            stage.boxes["anna"].put(f"{number}.ics", entry(name, 10 + number))
        stage.sync()
        own_cyrus.stop()
        _copy(own_cyrus.folder, backup)
        own_cyrus.start()
        time.sleep(3)
        known = worked(stage)
        own_cyrus.stop()
        _copy(backup, own_cyrus.folder)
        own_cyrus.start()
        assert stage.boxes["anna"].titles() == NAMES
        (report,) = stage.attempt(full=True)
        assert report.error == HELD and report.writes == 0
        assert titles(stage) == known
        assert stage.boxes["anna"].titles() == NAMES
        released(stage)


def _copy(source: Path, copy: Path) -> None:
    """Let a folder hold what another holds, with owners and times, and nothing else."""
    shutil.rmtree(copy, ignore_errors=True)
    subprocess.run(["cp", "-a", str(source), str(copy)], check=True)
