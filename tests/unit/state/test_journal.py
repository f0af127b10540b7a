"""The journal only grows, tells everything that was done, and forgets what must be forgotten."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import event, exc, text

from accord.db import Database
from accord.model.diff import FieldChange
from accord.model.kinds import Kind, Side
from accord.state import Entry, State, Target
from tests.unit.state.build import NOW, Clock, entry, furnish, link, snapshot

WHOLE = Entry(
    at=NOW,
    run="run-1",
    link="a",
    user="anna",
    side=Side.GROUPWARE,
    kind=Kind.EVENT,
    ref="g1",
    counterpart="c1",
    pairing="p1",
    step="update",
    why="title changed in the CRM",
    actor="bob",
    rule="rule-1",
    version='"2"',
    error="the server said 412",
    fields=(
        FieldChange(field="title", before="Old", after="New"),
        FieldChange(field="start", before=datetime(2026, 1, 1, 9), after=date(2026, 1, 2)),
    ),
)


def test_an_entry_comes_back_whole(state: State) -> None:
    before, after = snapshot("g1", title="Old"), snapshot("g1", "2", title="New")
    with state.begin() as tx:
        digests = tx.blobs.put_items([before, after])
        images = {"before": digests[0], "after": digests[1]}
        tx.journal.append(msgspec.structs.replace(WHOLE, **images))
    with state.read() as tx:
        (found,) = tx.journal.query()
        assert found.id == 1
        for name in Entry.__struct_fields__:
            if name not in ("id", "fields", "before", "after"):
                assert getattr(found, name) == getattr(WHOLE, name), name
        assert [(f.field, f.before, f.after) for f in found.fields] == [
            ("title", "Old", "New"),
            ("start", "2026-01-01T09:00:00", "2026-01-02"),
        ]
        assert tx.blobs.get_item(found.before or "") == before
        assert tx.blobs.get_item(found.after or "") == after
        assert tx.journal.get(1) == found
        assert tx.journal.get(2) is None


def fill(state: State) -> None:
    with state.begin() as tx:
        tx.journal.append_many(
            [
                entry("c1", run="r1", link="a", user="anna", pairing="p1"),
                entry("c2", run="r1", link="a", user="anna", pairing="p2"),
                entry("g1", run="r2", link="b", user="bob", counterpart="c1", pairing="p1"),
                entry("c3", run="r2", link="b", user="bob"),
            ]
        )


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ({}, [4, 3, 2, 1]),
        ({"run": "r1"}, [2, 1]),
        ({"link": "b"}, [4, 3]),
        ({"user": "anna"}, [2, 1]),
        ({"ref": "c1"}, [3, 1]),
        ({"ref": "g1"}, [3]),
        ({"pairing": "p1"}, [3, 1]),
        ({"id": 2}, [2]),
        ({"run": "r2", "ref": "c1"}, [3]),
        ({"limit": 2}, [4, 3]),
        ({"limit": 2, "before": 3}, [2, 1]),
        ({"run": ""}, []),
    ],
)
def test_asking_the_journal(state: State, wanted: dict, ids: list[int]) -> None:
    fill(state)
    with state.read() as tx:
        assert [each.id for each in tx.journal.query(**wanted)] == ids


def test_entries_are_numbered_in_their_order(state: State) -> None:
    with state.begin() as tx:
        tx.journal.append_many([entry(f"c{number}") for number in range(500)])
        found = tx.journal.query(limit=500)
    assert [each.ref for each in found] == [f"c{number}" for number in reversed(range(500))]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE state_journal SET why = 'nothing happened' WHERE id = 1",
        "UPDATE state_journal SET before = NULL",
        "UPDATE state_journal SET id = 99 WHERE id = 1",
        "DELETE FROM state_journal WHERE id = 1",
        "DELETE FROM state_journal",
        "TRUNCATE state_journal",
    ],
)
def test_the_database_refuses_to_change_the_journal(state: State, statement: str) -> None:
    fill(state)
    if "TRUNCATE" in statement and state.database.dialect == "sqlite":
        pytest.skip("SQLite knows no TRUNCATE")
    with pytest.raises(exc.DBAPIError, match="append-only"), state.begin() as tx:
        tx.db.execute(text(statement))
    with state.read() as tx:
        assert [each.id for each in tx.journal.query()] == [4, 3, 2, 1]


def test_every_column_but_one_is_guarded(state: State) -> None:
    fill(state)
    with state.read() as tx:
        columns = set(tx.db.execute(text("SELECT * FROM state_journal")).keys())
    for column in sorted(columns):
        with state.begin() as tx:
            change = text(f'UPDATE state_journal SET "{column}" = "{column}"')
            if column == "undone_by":
                tx.db.execute(change)
                continue
            with (
                pytest.raises(exc.DBAPIError, match="append-only"),
                tx.db.connection.begin_nested(),
            ):
                tx.db.execute(change)


def test_marking_what_was_undone(state: State) -> None:
    fill(state)
    with state.begin() as tx:
        assert tx.journal.mark_undone([1, 2], by=4) == 2
        assert tx.journal.mark_undone([2, 3], by=9) == 1
        assert [each.undone_by for each in tx.journal.query()] == [None, 9, 4, 4]


def test_old_entries_can_be_pruned_and_only_those(state: State) -> None:
    with state.begin() as tx:
        for days in (10, 5, 1):
            at = NOW - timedelta(days=days)
            tx.journal.append(entry(f"c{days}", at=at, before=tx.blobs.put(f"{days}".encode())))
    with state.begin() as tx:
        assert tx.journal.prune(NOW - timedelta(days=1)) == 2
        assert [each.ref for each in tx.journal.query()] == ["c1"]
        assert tx.journal.prune(NOW - timedelta(days=1)) == 0
    with pytest.raises(exc.DBAPIError, match="append-only"), state.begin() as tx:
        tx.db.execute(text("DELETE FROM state_journal"))
    with state.begin() as tx:
        assert tx.journal.prune(NOW) == 1
        tx.journal.append(entry("c9"))
        assert [(each.id, each.ref) for each in tx.journal.query()] == [(4, "c9")]


def test_redacting_forgets_content_and_keeps_the_fact(state: State) -> None:
    with state.begin() as tx:
        digest = tx.blobs.put_item(snapshot("c1", title="Secret"))
        fields = (FieldChange(field="title", before="", after="Secret"),)
        tx.journal.append(entry("c1", after=digest, fields=fields))
        tx.journal.append(entry("c2", fields=(FieldChange(field="title", after="Open"),)))
        assert tx.journal.redact([1]) == 2
    with state.read() as tx:
        kept, redacted = tx.journal.query()
        assert redacted.fields == ()
        assert redacted.step == "update"
        assert tx.blobs.get_item(redacted.after or "") is None
        assert kept.fields[0].after == "Open"


def test_values_are_encrypted_where_there_is_a_key(state: State) -> None:
    with state.begin() as tx:
        tx.journal.append(entry(fields=(FieldChange(field="title", after="clinic"),)))
        stored = list(tx.db.execute(text("SELECT data FROM state_blobs")).scalars())
    assert [bytes(each)[:1] for each in stored] == [b"\x02"]


def test_without_a_key_the_journal_works_too(database: Database, clock: Clock) -> None:
    state = State(database, clock=clock)
    furnish(state, "a")
    with state.begin() as tx:
        tx.journal.append(entry(fields=(FieldChange(field="title", after="New"),)))
        assert tx.journal.query()[0].fields[0].after == "New"


def test_nothing_to_append_is_fine(state: State) -> None:
    with state.begin() as tx:
        tx.journal.append_many([])
        assert tx.journal.query() == []


# What the guard counts.


def test_deletions_are_counted_by_link_and_side(state: State) -> None:
    furnish(state, "a", "b")
    deleted = [entry(f"c{number}", step="delete") for number in range(3)]
    other = entry("g1", step="delete", link="b")
    with state.begin() as tx:
        tx.targets.put(Target(id="t2", name="other", adapter="dav", side=Side.GROUPWARE))
        tx.links.put(link("elsewhere", target="t2"))
        tx.journal.append_many(
            [
                *deleted,
                msgspec.structs.replace(other, side=Side.GROUPWARE),
                entry("c9", step="update"),
                entry("c10", step="delete", error="refused"),
                entry("c11", step="delete", link="elsewhere"),
                entry("c12", step="delete", at=NOW - timedelta(hours=2)),
            ]
        )
    with state.read() as tx:
        since = NOW - timedelta(hours=1)
        assert tx.journal.deleted("t1", since) == {("a", Side.CRM): 3, ("b", Side.GROUPWARE): 1}
        assert tx.journal.deleted("t2", since) == {("elsewhere", Side.CRM): 1}
        assert tx.journal.deleted("t1", NOW + timedelta(seconds=1)) == {}


def test_what_people_asked_for_and_what_was_undone_does_not_count(state: State) -> None:
    furnish(state, "a")
    with state.begin() as tx:
        runs = {cause: tx.runs.start("a", cause) for cause in ("command", "approval", "undo")}
        tx.journal.append_many(
            [entry(f"c-{cause}", step="delete", run=run) for cause, run in runs.items()]
        )
    since = NOW - timedelta(hours=1)
    with state.begin() as tx:
        assert tx.journal.deleted("t1", since, ("approval", "undo")) == {("a", Side.CRM): 1}
        assert tx.journal.deleted("t1", since) == {("a", Side.CRM): 3}
        tx.journal.mark_undone([1], 2)
        assert tx.journal.deleted("t1", since, ("approval", "undo")) == {}


def test_writes_that_mail_are_counted_whatever_they_do(state: State) -> None:
    furnish(state, "a")
    with state.begin() as tx:
        steps = ("create", "update", "delete")
        tx.journal.append_many([entry(step, step=step, mails=2) for step in steps])
        tx.journal.append(entry("silent", step="update"))
    with state.read() as tx:
        assert tx.journal.mailed("t1", NOW) == {("a", Side.CRM): 3}


def test_changes_are_counted_by_target_and_cause_and_roughly_all_together(state: State) -> None:
    furnish(state, "a", "b")
    with state.begin() as tx:
        tx.targets.put(Target(id="t2", name="other", adapter="dav", side=Side.GROUPWARE))
        tx.links.put(link("elsewhere", target="t2"))
        runs = {cause: tx.runs.start("a", cause) for cause in ("command", "approval")}
        tx.journal.append_many(
            [entry(f"c-{cause}", step="update", run=run) for cause, run in runs.items()]
        )
        written = entry("w", step="update", link="b")
        tx.journal.append_many(
            [
                msgspec.structs.replace(written, side=Side.GROUPWARE),
                entry("f", step="update", error="refused"),
                entry("e", step="update", link="elsewhere"),
                entry("d", step="delete"),
            ]
        )
    since = NOW - timedelta(hours=1)
    with state.read() as tx:
        found = tx.journal.updated("t1", since, ("approval",))
        assert found == {("a", Side.CRM): 1, ("b", Side.GROUPWARE): 1}
        assert tx.journal.updated("t2", since) == {("elsewhere", Side.CRM): 1}
        assert tx.journal.written(since) == 6
        assert tx.journal.written(NOW + timedelta(seconds=1)) == 0


@pytest.mark.parametrize("what", ["deleted", "mailed", "refiled", "updated", "written"])
def test_counting_reads_an_index_and_not_the_journal(state: State, what: str) -> None:
    furnish(state, "a")
    with state.begin() as tx:
        tx.journal.append_many([entry(f"c{n}", step="create") for n in range(2000)])
        tx.journal.append(entry("gone", step="delete", mails=1))
        tx.journal.append(entry("bare", step="detach"))
        tx.journal.append(entry("new", step="update"))
        # PostgreSQL chooses by what it knows of a table, and of a new one it knows nothing.
        tx.journal.db.connection.exec_driver_sql("ANALYZE")
    with state.read() as tx:
        explained, use = _EXPLAIN[tx.journal.db.dialect]
        plans: list[str] = []

        def explain(connection: Any, _cursor: Any, statement: str, given: Any, *_: Any) -> None:
            if "state_journal" in statement and not plans:
                plans.append("")
                rows = connection.exec_driver_sql(f"{explained} {statement}", given)
                plans.extend(str(row[-1]) for row in rows)

        event.listen(tx.journal.db.connection, "before_cursor_execute", explain)
        if what == "written":
            tx.journal.written(NOW)
        else:
            getattr(tx.journal, what)("t1", NOW, ("approval",))
    index = "ix_state_journal_updated" if what == "written" else f"ix_state_journal_{what}"
    assert [line for line in plans if re.search(use.format(index), line)], plans


_EXPLAIN = {
    "sqlite": (
        "EXPLAIN QUERY PLAN",
        r"^SEARCH state_journal USING (COVERING )?INDEX {} \(at>\?\)$",
    ),
    "postgresql": (
        "EXPLAIN",
        r"(Index Scan using|Index Only Scan using|Bitmap Index Scan on) {}\b",
    ),
}
