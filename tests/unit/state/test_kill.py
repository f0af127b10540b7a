"""Whoever is killed in the middle of a commit leaves all of it behind or nothing.

A process of its own commits as the service does (pairing, journal, decision and the intent's
end together) until it is killed at a random moment.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import text

from accord.db import open_database
from accord.model.kinds import Side
from accord.state import Decision, Intent, State, Tx
from tests.unit.state.build import NOW, entry, furnish, pairing

KILLS = 6
BATCH = 20


def test_a_killed_process_leaves_whole_commits(state_url: str, key_file: Path) -> None:
    with closing(open_database(state_url)) as database:
        state = State(database, key_file)
        furnish(state, "a")
        counts = [0]
        for _ in range(KILLS):
            told = kill_while_committing(state_url, key_file)
            with state.begin() as tx:
                counts.append(check(tx, told))
                tx.intents.close_many(intent.id for intent in tx.intents.all())
    assert counts == sorted(counts)
    assert counts[-1] > 0


def kill_while_committing(url: str, key_file: Path) -> int:
    """Return how many commits the process had been told of before it was killed."""
    context = multiprocessing.get_context("spawn")
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=_commit_for_ever, args=(url, key_file, writer))
    process.start()
    writer.close()
    told = int(reader.recv())  # it runs
    told = int(reader.recv())  # and has committed once, however busy the machine is
    time.sleep(random.uniform(0.01, 0.25))
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    try:
        while True:
            told = int(reader.recv())
    except EOFError:
        return told
    finally:
        reader.close()


def _commit_for_ever(url: str, key_file: Path, told: Any) -> None:
    with closing(open_database(url)) as database:
        state = State(database, key_file)
        with state.read() as tx:
            number = int(tx.cursors.get("a", Side.CRM, "batch") or 0)
        told.send(number)
        while True:
            number += 1
            names = [f"{number}-{each}" for each in range(BATCH)]
            with state.begin() as tx:
                tx.intents.open_many([_intent(name) for name in names])
            with state.begin() as tx:
                _record(tx, names)
                tx.cursors.put("a", Side.CRM, "batch", str(number))
            told.send(number)


def _intent(name: str) -> Intent:
    return Intent(id=name, link="a", run="r", side=Side.CRM, step=b"{}", at=NOW)


def _record(tx: Tx, names: list[str]) -> None:
    pairs = [pairing(name) for name in names]
    tx.pairings.put_many("a", pairs)
    digests = tx.blobs.put_items([each.crm for each in pairs])
    entries = [entry(f"c{n}", after=d) for n, d in zip(names, digests, strict=True)]
    tx.journal.append_many(entries)
    tx.decisions.put_many(
        [Decision(link="a", side=Side.CRM, ref=f"c{name}", at=NOW) for name in names]
    )
    assert tx.intents.close_many(names) == BATCH


def check(tx: Tx, told: int) -> int:
    """Check that every table tells of the same whole batches, and return how many."""
    done = int(tx.cursors.get("a", Side.CRM, "batch") or 0)
    assert done >= told, "what was said to be committed is"
    assert done - told <= 1
    expected = {f"c{number}-{each}" for number in range(1, done + 1) for each in range(BATCH)}
    pairs = list(tx.pairings.all("a"))
    assert {each.crm.ref for each in pairs} == expected
    entries = tx.journal.query(limit=10**6)
    assert sorted(each.ref for each in entries) == sorted(expected)
    assert set(tx.decisions.versions("a", Side.CRM)) == expected
    images = tx.blobs.get_many(each.after or "" for each in entries)
    assert all(each.after in images for each in entries)
    still_open = {intent.id for intent in tx.intents.all()}
    assert still_open in (set(), {f"{done + 1}-{each}" for each in range(BATCH)})
    if tx.db.dialect == "sqlite":
        assert tx.db.execute(text("PRAGMA integrity_check")).scalar() == "ok"
    return done
