"""Bring a package's tables to the form its code wants, at every start.

Each package with tables (state, the built-in CRM) has a version table and migrations of its own.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, String, Table, inspect, text

from accord.db.database import Database
from accord.db.errors import TooNew
from accord.db.tx import Tx

_MADE: WeakKeyDictionary[MetaData, tuple[str, ...]] = WeakKeyDictionary()
"""What made a package's tables on SQLite: to word it anew takes longer than to do it."""


def migrate(database: Database, package: str) -> None:
    """Make or upgrade the tables of `package`; raises TooNew for a schema from the future.

    `package` has a module `schema` with METADATA and HEAD (the newest revision, four digits)
    and Alembic scripts in `migrations/versions`. Fresh tables are made from METADATA at once.
    Several processes may do this at the same time.
    """
    schema: Any = import_module(f"{package}.schema")
    with database.read() as tx:
        current = revision(tx, package)
    if current == schema.HEAD:
        return
    with database.begin(foreign_keys=False) as tx:
        if tx.dialect == "postgresql":
            tx.execute(text("SELECT pg_advisory_xact_lock(hashtext('accord migrate'))"))
        current = revision(tx, package)  # others may have been faster
        if current is None:
            _make(tx, schema.METADATA)
            stamp(tx, package, schema.HEAD)
        elif current > schema.HEAD:
            raise TooNew(
                f"the database's {package} tables are at revision {current}, this Accord knows "
                f"up to {schema.HEAD}",
                field="database",
                hint="use a newer Accord, or a copy of the database made before the upgrade",
            )
        elif current < schema.HEAD:
            upgrade(tx, package, schema.HEAD)


def _make(tx: Tx, metadata: MetaData) -> None:
    if tx.dialect == "postgresql":
        _share_conditions(metadata)
        metadata.create_all(tx.connection, checkfirst=False)
    elif metadata in _MADE:
        for statement in _MADE[metadata]:
            tx.connection.exec_driver_sql(statement)
    else:
        metadata.create_all(tx.connection, checkfirst=False)
        found = tx.connection.exec_driver_sql("SELECT tbl_name, sql FROM sqlite_master")
        _MADE[metadata] = tuple(sql for table, sql in found if sql and table in metadata.tables)


def _share_conditions(metadata: MetaData) -> None:
    """Give PostgreSQL the conditions of SQLite's partial indexes.

    A schema that named PostgreSQL would load its dialect into every process.
    """
    for table in metadata.tables.values():
        for index in table.indexes:
            where = index.dialect_options["sqlite"]["where"]
            index.dialect_options["postgresql"]["where"] = where


def revision(tx: Tx, package: str) -> str | None:
    """Return the revision of the package's tables; None where there are none yet."""
    table = version_table(package)
    if not inspect(tx.connection).has_table(table.name):
        return None
    found = tx.execute(table.select()).scalar()
    return None if found is None else str(found)


def stamp(tx: Tx, package: str, to: str) -> None:
    """Note the revision of the package's tables."""
    table = version_table(package)
    table.create(tx.connection, checkfirst=True)
    tx.execute(table.delete())
    tx.execute(table.insert().values(version_num=to))


def upgrade(tx: Tx, package: str, to: str) -> None:
    """Run the migrations of `package` from where the database is up to revision `to`.

    On SQLite `tx` must have been begun without foreign keys: rebuilding a table would
    otherwise delete what refers to it. They are checked at the end.
    """
    # Only here, because reading Alembic takes longer than the rest of a start.
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    config = Config()
    folder = str(migrations_of(package)).replace("%", "%%")
    config.set_main_option("script_location", folder)
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)

    def steps(current: Any, _context: Any) -> Any:
        return scripts._upgrade_revs(to, current)

    with EnvironmentContext(config, scripts, fn=steps, destination_rev=to) as environment:
        environment.configure(
            connection=tx.connection,
            target_metadata=import_module(f"{package}.schema").METADATA,
            version_table=version_table(package).name,
            render_as_batch=True,
        )
        environment.run_migrations()
    if tx.dialect == "sqlite" and tx.execute(text("PRAGMA foreign_key_check")).first():
        raise RuntimeError(f"the migrations of {package} to {to} left references to nothing")


def migrations_of(package: str) -> Path:
    """Return the folder of the package's migrations."""
    return Path(str(import_module(package).__file__)).parent / "migrations"


@cache
def version_table(package: str) -> Table:
    """Return the table that holds the package's revision, as Alembic would make it."""
    name = f"{package.rsplit('.', 1)[-1]}_revision"
    number = Column("version_num", String(32), nullable=False)
    return Table(name, MetaData(), number, PrimaryKeyConstraint(number, name=f"{name}_pkc"))
