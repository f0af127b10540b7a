"""What a pull costs: one query where nothing changed, and memory that doesn't grow."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from accord.crm.database import DatabaseCrm, build, listing
from accord.model.item import Item
from accord.model.kinds import Kind
from accord.model.observe import Completeness, OutOfScope, Seen, Unchanged
from accord.ports.adapter import Draft
from tests.unit.crm.office import Office, absence, contact, done

KINDS = (Kind.EVENT, Kind.TASK, Kind.CONTACT, Kind.ABSENCE)


@contextmanager
def statements(crm: DatabaseCrm) -> Iterator[list[str]]:
    """Collect the statements that go to the database."""
    found: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_more: object) -> None:
        if not statement.startswith(("PRAGMA", "BEGIN")):
            found.append(statement)

    engine = crm.store.database.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_changed_is_one_query_and_the_same_cursor(office: Office, kind: Kind) -> None:
    cursor = office.pull(office.ann, kind).cursor
    office.create(office.bob, office.event())
    with office.crm.open(office.ann) as session, statements(office.crm) as said:
        (page,) = session.changes("", kind, cursor, lambda refs: {})
    assert len(said) == 1, said
    assert (page.completeness, page.cursor, page.observations) == (
        Completeness.DELTA,
        cursor,
        (),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_that_query_reads_an_index(office: Office, kind: Kind) -> None:
    given = {"user": office.ann, "since": 10**9, "size": 7}
    values: Any
    with office.crm.store.read() as tx:
        if tx.dialect == "postgresql":
            # Tables this small are read as a whole unless told otherwise.
            tx.execute(text("SET LOCAL enable_seqscan = off"))
        query = listing._select(kind, False, False)
        compiled = query.compile(tx.connection, compile_kwargs={"render_postcompile": True})
        if tx.dialect == "postgresql":
            plan = tx.connection.exec_driver_sql(
                f"EXPLAIN {compiled}", {**compiled.params, **given}
            )
        else:
            values = [{**compiled.params, **given}[name] for name in compiled.positiontup or ()]
            plan = tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", tuple(values))
        lines = " ".join(str(row) for row in plan)
    if office.crm.store.database.dialect == "postgresql":
        # Which index it takes depends on its statistics; reading all is what must not happen.
        # The counter has one row.
        assert "Seq Scan" not in lines.replace("Seq Scan on crm_counter", ""), lines
        return
    wanted = "ix_crm_contacts_revision" if kind is Kind.CONTACT else "ix_crm_scopes_changes"
    assert wanted in lines, lines


def test_a_cursor_moves_on_when_others_have_done_much(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "LAG", 3)
    cursor = office.pull(office.ann, Kind.CONTACT).cursor
    for _ in range(3):
        office.create(office.bob, contact())
    moved = office.pull(office.ann, Kind.CONTACT, cursor)
    assert moved.said == {}
    assert int(moved.cursor) >= int(cursor) + 3
    mine = office.create(office.ann, contact())
    assert office.pull(office.ann, Kind.CONTACT, moved.cursor).seen == {mine.ref}


def test_writing_a_batch_takes_few_statements(office: Office) -> None:
    counts = []
    for many in (2, 40):
        drafts = [Draft(item=office.event(office.bob), key="", marker="m") for _ in range(many)]
        with statements(office.crm) as said:
            office.try_create(office.ann, *drafts)
        counts.append(len(said))
    assert counts[0] == counts[1] < 25


def test_what_we_know_is_named_only(office: Office) -> None:
    known, edited = (office.create(office.ann, office.event()) for _ in range(2))
    versions = {known.ref: known.version, edited.ref: edited.version}
    done(office.edit(office.ann, edited, title="new"))
    with office.crm.open(office.ann) as session:
        (page,) = session.changes("", Kind.EVENT, "", lambda refs: versions)
    told = {one.ref: type(one) for one in page.observations}
    assert told == {known.ref: Unchanged, edited.ref: Seen}


def test_a_record_that_changes_while_listed_is_in_the_listing(office: Office) -> None:
    made = [office.create(office.ann, office.event(title=str(n))) for n in range(16)]
    with office.crm.open(office.ann) as session:
        pages = session.changes("", Kind.EVENT, "", lambda refs: {})
        listed = list(next(pages).observations)
        done(office.edit(office.ann, made[-1], title="moved to the end"))
        listed += [one for page in pages for one in page.observations]
    assert {one.ref for one in listed} == {snapshot.ref for snapshot in made}


def test_what_is_lost_while_it_is_listed_is_in_the_next_pull(office: Office) -> None:
    guests = [office.create(office.ann, office.event(office.bob)) for _ in range(16)]
    with office.crm.open(office.bob) as session:
        pages = session.changes("", Kind.EVENT, "", lambda refs: {})
        first = next(pages).observations[0]
        done(office.edit(office.ann, guests[0], attendees=()))
        cursor = list(pages)[-1].cursor
    assert first.ref == guests[0].ref
    assert isinstance(office.pull(office.bob, Kind.EVENT, cursor).said[first.ref], OutOfScope)


@pytest.mark.parametrize("kind", KINDS)
def test_deltas_come_in_pages_of_their_own(office: Office, kind: Kind) -> None:
    items: dict[Kind, Item] = {
        Kind.EVENT: office.event(),
        Kind.TASK: office.task(),
        Kind.CONTACT: contact(),
        Kind.ABSENCE: absence(),
    }
    cursor = office.pull(office.ann, kind).cursor
    office.try_create(office.ann, *(Draft(item=items[kind], key="") for _ in range(20)))
    pulled = office.pull(office.ann, kind, cursor)
    assert [len(page.observations) for page in pulled.pages] == [7, 7, 6]
    middle = pulled.pages[0].cursor
    assert len(office.pull(office.ann, kind, middle).said) == 13
    assert office.pull(office.ann, kind, pulled.cursor).said == {}


@pytest.mark.slow
def test_memory_does_not_grow_with_the_listing(tmp_path: Path) -> None:
    with closing(build({"url": f"sqlite:///{tmp_path / 'crm.sqlite'}", "page": 200})) as crm:
        office = Office(crm)
        peaks = []
        for _ in range(2):
            for _ in range(8):
                drafts = [Draft(item=office.event(office.bob), key="") for _ in range(250)]
                office.try_create(office.ann, *drafts)
            gc.collect()
            tracemalloc.start()
            with crm.open(office.ann) as session:
                count = sum(
                    len(page.observations)
                    for page in session.changes("", Kind.EVENT, "", lambda refs: {})
                )
            peaks.append((count, tracemalloc.get_traced_memory()[1]))
            tracemalloc.stop()
        (few, small), (many, large) = peaks
        assert many == 2 * few == 4000
        assert large - small < 1000 * (many - few), "earlier pages are kept"
