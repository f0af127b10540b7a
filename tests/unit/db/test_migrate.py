"""Tables come up to date, whoever starts first, and never lose what refers to them."""

from __future__ import annotations

import multiprocessing
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, inspect, text

from accord.db import Database, TooNew, Tx, migrate, open_database
from accord.db.draft import draft
from accord.db.migrate import revision, stamp, upgrade

PACKAGES = ["accord.state", "accord.crm.database", "accord.queue"]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with closing(open_database(database_url)) as database:
        yield database


@pytest.fixture(params=PACKAGES)
def package(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def toys(tmp_path: Path) -> Iterator[str]:
    """A package whose second migration rebuilds a table that another one refers to."""
    root = tmp_path / "packages"
    versions = root / "toys" / "migrations" / "versions"
    versions.mkdir(parents=True)
    (root / "toys" / "__init__.py").write_text("")
    (root / "toys" / "schema.py").write_text(textwrap.dedent(SCHEMA))
    (versions / "v0001_base.py").write_text(textwrap.dedent(BASE))
    (versions / "v0002_label.py").write_text(textwrap.dedent(LABEL))
    sys.path.insert(0, str(root))
    yield "toys"
    sys.path.remove(str(root))
    for name in [name for name in sys.modules if name.split(".")[0] == "toys"]:
        del sys.modules[name]


SCHEMA = """
    from sqlalchemy import Column, ForeignKey, Integer, Table, Text
    from accord.db import new_metadata
    HEAD = "0002"
    METADATA = new_metadata()
    BOXES = Table("boxes", METADATA, Column("id", Integer, primary_key=True),
        Column("label", Text, nullable=False, unique=True))
    THINGS = Table("things", METADATA, Column("id", Integer, primary_key=True),
        Column("box", Integer, ForeignKey("boxes.id", ondelete="CASCADE"), nullable=False))
"""
BASE = """
    import sqlalchemy as sa
    from alembic import op
    revision, down_revision = "0001", None
    def upgrade():
        op.create_table("boxes", sa.Column("id", sa.Integer, nullable=False),
            sa.Column("label", sa.Text), sa.PrimaryKeyConstraint("id", name="pk_boxes"))
        op.create_table("things", sa.Column("id", sa.Integer, nullable=False),
            sa.Column("box", sa.Integer, nullable=False),
            sa.PrimaryKeyConstraint("id", name="pk_things"),
            sa.ForeignKeyConstraint(["box"], ["boxes.id"], name="fk_things_box",
                ondelete="CASCADE"))
"""
LABEL = """
    import sqlalchemy as sa
    from alembic import op
    revision, down_revision = "0002", "0001"
    def upgrade():
        op.execute("UPDATE boxes SET label = 'none' WHERE label IS NULL")
        with op.batch_alter_table("boxes") as batch:
            batch.alter_column("label", nullable=False, existing_type=sa.Text)
            batch.create_unique_constraint("uq_boxes_label", ["label"])
"""


def test_migrations_make_exactly_what_the_code_wants(database: Database, package: str) -> None:
    migrate(database, package)
    made = shape(database)
    with database.begin() as tx:
        wipe(tx, package)
        assert shape_of(tx) != made
    with database.begin(foreign_keys=False) as tx:
        upgrade(tx, package, "head")
    assert shape(database) == made
    with database.read() as tx:
        assert revision(tx, package) == import_module(f"{package}.schema").HEAD


def test_no_migration_is_missing(package: str) -> None:
    assert "op." not in draft(package)


def test_the_draft_notices_a_difference(toys: str) -> None:
    schema = import_module("toys.schema")
    schema.METADATA.remove(schema.THINGS)
    assert "op.drop_table('things')" in draft(toys)


def test_migrating_again_changes_nothing(database: Database, package: str) -> None:
    migrate(database, package)
    before = shape(database)
    migrate(database, package)
    assert shape(database) == before


def test_later_databases_of_a_process_are_made_like_the_first(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("accord.db.migrate"), "_MADE", {})
    # Beside another package's tables, which are none of its own.
    with closing(open_database("sqlite://")) as beside:
        for each in PACKAGES:
            migrate(beside, each)
    metadata = import_module(f"{package}.schema").METADATA
    with closing(open_database("sqlite://")) as fresh:
        with fresh.begin() as tx:
            metadata.create_all(tx.connection)
        wanted = _shown(fresh, metadata)
    for _ in range(2):
        with closing(open_database("sqlite://")) as later:
            migrate(later, package)
            assert _shown(later, metadata) == wanted != []


def _shown(database: Database, metadata: MetaData) -> list[str]:
    with database.read() as tx:
        rows = tx.execute(text("SELECT tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
        return sorted(sql for table, sql in rows if table in metadata.tables)


def test_packages_share_a_database(database: Database) -> None:
    for package in PACKAGES:
        migrate(database, package)
    with database.read() as tx:
        assert all(revision(tx, package) for package in PACKAGES)


def test_a_newer_database_is_refused(database: Database, package: str) -> None:
    migrate(database, package)
    with database.begin() as tx:
        stamp(tx, package, "9999")
    with pytest.raises(TooNew, match="9999") as caught:
        migrate(database, package)
    assert "newer Accord" in caught.value.hint


def test_an_upgrade_keeps_what_refers_to_a_rebuilt_table(database: Database, toys: str) -> None:
    with database.begin(foreign_keys=False) as tx:
        upgrade(tx, toys, "0001")
        tx.execute(text("INSERT INTO boxes (id, label) VALUES (1, NULL), (2, 'two')"))
        tx.execute(text("INSERT INTO things (id, box) VALUES (1, 1), (2, 2), (3, 2)"))
    migrate(database, toys)
    with database.read() as tx:
        assert revision(tx, toys) == "0002"
        assert tx.mapping(text("SELECT id, label FROM boxes")) == {1: "none", 2: "two"}
        assert tx.execute(text("SELECT count(*) FROM things")).scalar() == 3
    upgraded = shape(database)
    with database.begin() as tx:
        wipe(tx, toys)
    migrate(database, toys)
    assert shape(database) == upgraded


def test_a_failed_upgrade_leaves_everything_as_it_was(database: Database, toys: str) -> None:
    with database.begin(foreign_keys=False) as tx:
        upgrade(tx, toys, "0001")
        tx.execute(text("INSERT INTO boxes (id, label) VALUES (1, 'same'), (2, 'same')"))
    before = shape(database)
    with pytest.raises(Exception, match=r"(?i)unique|taken"):
        migrate(database, toys)
    assert shape(database) == before
    with database.read() as tx:
        assert revision(tx, toys) == "0001"


def test_an_upgrade_that_breaks_references_is_undone(tmp_path: Path, toys: str) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'a.db'}")
    with database.begin(foreign_keys=False) as tx:
        upgrade(tx, toys, "0001")
        tx.execute(text("INSERT INTO things (id, box) VALUES (1, 77)"))
    with pytest.raises(RuntimeError, match="references to nothing"):
        migrate(database, toys)
    with database.read() as tx:
        assert revision(tx, toys) == "0001"
    database.close()


def test_many_processes_may_start_at_once(database_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    gate = context.Event()
    answers = context.Queue()
    processes = [
        context.Process(target=_start, args=(database_url, gate, answers)) for _ in range(4)
    ]
    for process in processes:
        process.start()
    for _ in processes:
        assert answers.get(timeout=60) == "ready"
    gate.set()
    assert [answers.get(timeout=60) for _ in processes] == ["done"] * 4
    for process in processes:
        process.join()


def _start(url: str, gate: Any, answers: Any) -> None:
    answer = "failed"
    answers.put("ready")
    gate.wait()
    try:
        with closing(open_database(url)) as database:
            migrate(database, "accord.state")
        answer = "done"
    finally:
        answers.put(answer)


def shape(database: Database) -> list[str]:
    with database.read() as tx:
        return shape_of(tx)


def shape_of(tx: Tx) -> list[str]:
    """Return everything the database knows of its tables, as sorted lines."""
    lines = []
    inspector = inspect(tx.connection)
    for table in inspector.get_table_names():
        lines.append(f"{table} key {inspector.get_pk_constraint(table)}")
        for what in (
            "columns",
            "foreign_keys",
            "indexes",
            "unique_constraints",
            "check_constraints",
        ):
            found = getattr(inspector, f"get_{what}")(table)
            lines.extend(f"{table} {what} {sorted(map(_plain, each.items()))}" for each in found)
    query = SQLITE_REST if tx.dialect == "sqlite" else POSTGRES_REST
    lines.extend(" ".join(str(each) for each in row) for row in tx.execute(text(query)))
    return sorted(lines)


def _plain(given: tuple[str, Any]) -> str:
    name, value = given
    if isinstance(value, dict):  # conditions of partial indexes are objects
        value = {key: str(each) for key, each in value.items()}
    return repr((name, value))


SQLITE_REST = (
    "SELECT type, name, sql FROM sqlite_master WHERE type IN ('trigger', 'index') "
    "UNION ALL SELECT 'autoincrement', name, sql LIKE '%AUTOINCREMENT%' "
    "FROM sqlite_master WHERE type = 'table'"
)
POSTGRES_REST = """
    SELECT 'trigger', pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'index', indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT 'function', prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT 'constraint', conrelid::regclass || conname || pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT 'sequence', sequencename || data_type FROM pg_sequences
"""


def wipe(tx: Tx, package: str) -> None:
    if tx.dialect == "postgresql":
        tx.execute(text("DROP SCHEMA public CASCADE"))
        tx.execute(text("CREATE SCHEMA public"))
        return
    import_module(f"{package}.schema").METADATA.drop_all(tx.connection)
    name = package.rsplit(".", 1)[-1]
    tx.execute(text(f"DROP TABLE {name}_revision"))
