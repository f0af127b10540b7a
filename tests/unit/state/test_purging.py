"""An erasure leaves no word of a person in any table, and the journal is append-only afterwards."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from pathlib import Path
from sqlite3 import connect
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import exc, text

from accord.db import open_database
from accord.engine.plan import Create, Hold, Skip, Step, Unpair
from accord.model.diff import FieldChange
from accord.model.item import Contact
from accord.model.kinds import Side
from accord.model.observe import Snapshot
from accord.service import erasures
from accord.state import Decision, State, purging
from accord.state.codec import encode_step
from accord.state.jobs import CauseRow, JobRow
from accord.state.purging import ERASED, addresses_in
from accord.state.records import Cause, Intent, Pending
from accord.state.templates import Handover, Offered
from tests.unit.state.build import NOW, Clock, entry, furnish, pairing, snapshot

BOB = "bob@example.com"


def fill(state: State) -> None:
    """Let Bob be named in every place that tells of items, and Carol beside him."""
    furnish(state, "a")
    with state.begin() as tx:
        tx.pairings.put_many("a", [pairing(1), pairing(2)])
        old = tx.blobs.put_items([snapshot("c1", "0", title="Before")])[0]
        named = FieldChange(field="attendees", before=None, after=f"mailto:{BOB.title()}")
        tx.journal.append_many(
            [
                entry("c1", before=old, fields=(named,)),
                entry("c2", why=f"the server would write to {BOB}", actor=BOB, error="sent"),
                entry("c3", why="carol@example.com was added", fields=()),
            ]
        )
        for ref, label in (("c1", f"Lunch with <{BOB}>"), ("c3", "Carol"), ("c9", "Nobody")):
            one = Decision(link="a", side=Side.CRM, ref=ref, label=label, at=NOW)
            tx.decisions.put_many([one])
        for key, why in (("w1", f"for {BOB}"), ("w2", "for carol@example.com")):
            step = encode_step(Skip(side=Side.CRM, ref="c1", why=why))
            held = Pending(id=key, link="a", cause=Cause.HELD, step=step, at=NOW, ref_crm=key)
            tx.pending.put(held)
        run = tx.runs.start("a", "command")
        tx.runs.finish(run, {"left": [BOB]}, f"{BOB} refused")


def test_what_names_a_person_goes_and_nothing_else(state: State) -> None:
    fill(state)
    done = state.purge({BOB}.__contains__)
    assert (done.pairs, done.images, done.entries, done.decisions) == (0, 2, 1, 1)
    assert (done.waiting, done.runs, done.kept) == (1, 1, 4)
    with state.read() as tx:
        first, second, third = reversed(tx.journal.query())
        assert (first.fields, tx.blobs.get(first.before or "")) == ((), None)
        assert (second.why, second.actor, second.error) == (ERASED, "", "sent")
        assert third.why == "carol@example.com was added"
        assert [one.ref for one in tx.decisions.all("a")] == ["c3", "c9"]
        assert [one.id for one in tx.pending.all()] == ["w2"]
        assert len(list(tx.pairings.all("a"))) == 2
        (run,) = tx.runs.latest("a")
        assert (run.error, run.counts) == ("", {})


def test_what_jobs_say_of_them_goes_too(state: State) -> None:
    with state.begin() as tx:
        for name, words in (("errors", f"{BOB} refuses"), ("tokens", "all is well")):
            tx.jobs.put(JobRow(name=name, enabled=True, words=words))
        causes = [
            CauseRow(id="1", source="errors", words="a link", names=[BOB], since=NOW),
            CauseRow(id="2", source="errors", words="a link", names=["carol"], since=NOW),
        ]
        tx.causes.put_many(causes)
    state.purge({BOB}.__contains__)
    with state.read() as tx:
        assert {row.words for row in tx.jobs.all().values()} == {ERASED, "all is well"}
        assert [row.id for row in tx.causes.all()] == ["2"]


def test_what_was_last_answered_of_them_and_offered_goes_too(state: State) -> None:
    furnish(state, "a")
    step = encode_step(Skip(side=Side.CRM, ref="c1", why="it waits"))
    answer = {"error": f"{BOB} is no recipient", "action": "reject", "hint": ""}
    offered = [
        Offered(ref=ref, version="1", title=title, start=datetime(2026, 5, 4, 10))
        for ref, title in (("c1", f"Lunch with {BOB}"), ("c2", "Lunch with Carol"))
    ]
    with state.begin() as tx:
        for key in ("trouble/a", "mailbox/a", "folder/a/t/p"):
            tx.settings.put(key, answer)
        tx.settings.put("trouble/b", {**answer, "error": "carol@example.com is no recipient"})
        held = Pending(id="w1", link="a", cause=Cause.RETRY, step=step, at=NOW, ref_crm="c1")
        tx.pending.put(replace(held, why=f"the server knows no {BOB}"))
        handover = Handover(user="u", successor="v", appointments=tuple(offered), at=NOW)
        tx.handovers.put(handover)
    assert state.purge({BOB}.__contains__).waiting == 1
    with state.read() as tx:
        assert tx.settings.all().keys() >= {"folder/a/t/p", "trouble/b"}
        assert not {"trouble/a", "mailbox/a"} & tx.settings.all().keys()
        assert tx.pending.all() == []
        (after,) = tx.handovers.all()
    assert [one.title for one in after.appointments] == ["", "Lunch with Carol"]
    assert replace(after, appointments=()) == replace(handover, appointments=())


def test_an_address_in_place_of_a_ref_goes_from_the_journal(state: State) -> None:
    """What a link's removal, a template and a consent are about is a mailbox, by its address."""
    kept = [
        entry("c1", counterpart=f"/dav/{BOB}/1.ics"),
        entry("carol@example.com", link="gone", step="remove"),
        entry("/dav/carol@example.com/1.ics", link="gone", step="create"),
    ]
    told = [
        entry(BOB.title(), link="gone", step="remove", why="removed with 3 pairs"),
        entry(BOB, step="consent", counterpart=BOB),
        entry(f"/dav/{BOB}/2.ics", link="gone", step="create", counterpart="c2"),
    ]
    with state.begin() as tx:
        tx.journal.append_many([*kept, *told])
    assert state.purge({BOB}.__contains__).entries == 3
    with state.read() as tx:
        found = list(reversed(tx.journal.query()))
    plain = [replace(each, id=0) for each in found]
    counterparts = ("", "", "c2")
    blank = [replace(e, ref="", counterpart=c) for e, c in zip(told, counterparts, strict=True)]
    assert plain == [*kept, *blank]
    assert not any(BOB in f"{each}".casefold() for each in found[3:])


def test_leases_of_mailboxes_that_no_link_uses_are_forgotten(state: State, clock: Clock) -> None:
    free = (f"folder:t1/{BOB}/calendar/event", f"mailbox-check:t1/{BOB}", f"folder:t9/{BOB}//task")
    linked = ("folder:t1/anna@example.com/calendar/event", "mailbox-check:t1/anna@example.com")
    held, former = f"folder:t1/{BOB.title()}/tasks/task", f"folder:t1/{BOB}/contacts/contact"
    others = ("folder:t1/carol@example.com/calendar/event", "initialization")
    with state.begin() as tx:
        assert tx.leases.acquire(former, "dead", 60) is not None
    clock.wait(61)
    with state.begin() as tx:
        for name in (*free, *linked, *others):
            lease = tx.leases.acquire(name, "me", 60)
            assert lease is not None and tx.leases.release(lease)
        assert tx.leases.acquire(held, "me", 60) is not None
    state.purge({BOB, "anna@example.com"}.__contains__)
    assert leases(state) == {*linked, *others, held}
    clock.wait(61)
    state.purge({BOB}.__contains__)
    assert leases(state) == {*linked, *others}


def leases(state: State) -> set[str]:
    with state.database.read() as raw:
        return set(raw.execute(text("SELECT name FROM state_leases")).scalars())


def waiting_for(state: State) -> None:
    """Let steps wait that are about a contact without an address, by each of its refs."""
    nora = Snapshot(ref="c7", version="1", item=Contact(full_name="Nora Nowhere"))
    copy = Create(side=Side.GROUPWARE, source=nora, item=nora.item, why="new in the CRM")
    parted = Unpair(pairing="p7", crm="c8", groupware="g7", why="it left the scope")
    other = replace(copy, source=replace(nora, ref="c70"))
    steps: dict[str, Step] = {
        "w1": Hold(held=copy, cause="creations", why="many at once"),
        "w2": Skip(side=Side.GROUPWARE, ref="g7", why="it can't be read"),
        "w3": Hold(held=parted, cause="deletions", why="many at once"),
        "w4": other,
        "w5": Skip(side=Side.CRM, ref="c70", version="c7", why="c7"),
    }
    with state.begin() as tx:
        for id_, step in steps.items():
            held = Pending(id=id_, link="a", cause=Cause.HELD, step=encode_step(step), at=NOW)
            tx.pending.put(held)
        for id_, step in (("i1", copy), ("i2", other)):
            given: Any = {"link": "a", "run": "r", "side": Side.GROUPWARE, "at": NOW}
            tx.intents.open_many([Intent(id=id_, step=encode_step(step), **given)])


def test_steps_about_their_record_are_found_by_ref(state: State) -> None:
    waiting_for(state)
    assert state.purge({"c7", "g7"}.__contains__).waiting == 4
    left(state)


def left(state: State) -> None:
    with state.read() as tx:
        assert {each.id for each in tx.pending.all()} == {"w4", "w5"}
        assert [each.id for each in tx.intents.all()] == ["i2"]


def test_what_a_backup_brings_back_goes_again(state: State) -> None:
    """Their steps, the address in the journal, and the lease on what was their mailbox."""
    erasures.remember(state, [BOB, "c7", "g7"], "root")
    waiting_for(state)
    with state.begin() as tx:
        tx.journal.append(entry(BOB.title(), link="gone", step="remove"))
        lease = tx.leases.acquire(f"folder:t1/{BOB.title()}/calendar/event", "me", 60)
        assert lease is not None and tx.leases.release(lease)
    done = erasures.replay(state)
    assert done is not None and (done.waiting, done.entries) == (4, 1)
    left(state)
    assert leases(state) == set()
    with state.read() as tx:
        assert [each.ref for each in tx.journal.query()] == [""]


def test_others_write_while_what_names_them_is_looked_for(
    state: State, state_url: str, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(state)
    monkeypatch.setattr(purging, "SLICE", 2)
    wrote: list[int] = []
    with closing(open_database(state_url)) as other:
        service = State(other, key_file, state.clock)

        def known(name: str) -> bool:
            # Asked while things are looked for: whoever held the database here held up everybody.
            with service.begin() as tx:
                tx.settings.put("visit", len(wrote))
            wrote.append(1)
            return name == BOB

        done = state.purge(known)
    assert len(wrote) > 10
    assert (done.images, done.entries, done.decisions, done.kept) == (2, 1, 1, 4)


def test_nothing_stays_in_a_log_that_others_keep_open(tmp_path: Path) -> None:
    file = tmp_path / "accord.db"
    with closing(open_database(f"sqlite:///{file}")) as database, closing(connect(file)) as other:
        other.execute("SELECT count(*) FROM sqlite_master").fetchone()
        state = State(database, tmp_path / "key")
        fill(state)
        assert BOB.encode() in (tmp_path / "accord.db-wal").read_bytes()
        state.purge({BOB}.__contains__)
        told = [each.name for each in tmp_path.iterdir() if BOB.encode() in each.read_bytes()]
        assert told == []


def test_pairs_of_their_record_go_with_all_images(state: State) -> None:
    fill(state)
    done = state.purge({BOB, "c1"}.__contains__)
    assert (done.pairs, done.kept) == (1, 2)
    with state.read() as tx:
        assert [pair.id for pair in tx.pairings.all("a")] == ["p2"]


def test_what_a_visit_pairs_meanwhile_keeps_its_snapshots(state: State) -> None:
    fill(state)
    before = snapshot("c1", "0", title="Before")
    with ThreadPoolExecutor(1) as pool:
        with state.begin() as tx:
            tx.pairings.put("b", pairing(3, crm=before))
            purge = pool.submit(state.purge, {BOB}.__contains__)
            with pytest.raises(TimeoutError):
                purge.result(timeout=1)
        done = purge.result(timeout=60)
    assert done.images == 1
    with state.read() as tx:
        pair = tx.pairings.get("p3")
        assert pair is not None and pair.crm == before


def test_the_journal_is_append_only_again(state: State) -> None:
    fill(state)
    state.purge({BOB}.__contains__)
    with pytest.raises(exc.DBAPIError, match="append-only"), state.begin() as tx:
        tx.db.execute(text("UPDATE state_journal SET why = 'nothing happened' WHERE id = 3"))


def test_addresses_are_found_wherever_they_stand() -> None:
    found = addresses_in('"a":"mailto:Bob@Example.com","to <c.d+e@x-y.test>, f@g.test."')
    assert found == {"bob@example.com", "c.d+e@x-y.test", "f@g.test"}
