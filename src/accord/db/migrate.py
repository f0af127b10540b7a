"""Bring a package's tables to the form its code wants, at every start.

Each package with tables (state, the built-in CRM) has a version table and migrations of its own.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import Column, MetaData, Table, Text, inspect, text

from accord.db.database import Database
from accord.db.errors import TooNew
from accord.db.tx import Tx


def migrate(database: Database, package: str) -> None:
    """Make or upgrade the tables of `package`; raises TooNew for a schema from the future.

    `package` has a module `schema` with METADATA and HEAD (the newest revision, four digits)
    and Alembic scripts in `migrations/versions`. Fresh tables are made from METADATA at once.
    Several processes may do this at the same time.
    """
    schema: Any = import_module(f"{package}.schema")
    with database.begin() as tx:
        if tx.dialect == "postgresql":
            tx.execute(text("SELECT pg_advisory_xact_lock(hashtext('accord migrate'))"))
        version = _version_table(package)
        current = _current(tx, version)
        if current == schema.HEAD:
            return
        if current is None:
            schema.METADATA.create_all(tx.connection)
            version.create(tx.connection)
            tx.execute(version.insert().values(version_num=schema.HEAD))
        elif current > schema.HEAD:
            raise TooNew(
                f"the database's {package} tables are at revision {current}, this Accord knows "
                f"up to {schema.HEAD}",
                field="database",
                hint="use a newer Accord, or a copy of the database made before the upgrade",
            )
        else:
            upgrade(tx, package, schema.HEAD)


def upgrade(tx: Tx, package: str, revision: str) -> None:
    """Run the migrations of `package` from where the database is up to `revision`."""
    # Only here, because reading Alembic takes longer than the rest of a start.
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    module = import_module(package)
    config = Config()
    folder = str(Path(str(module.__file__)).parent / "migrations").replace("%", "%%")
    config.set_main_option("script_location", folder)
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)

    def steps(current: Any, _context: Any) -> Any:
        return scripts._upgrade_revs(revision, current)

    with EnvironmentContext(config, scripts, fn=steps, destination_rev=revision) as environment:
        environment.configure(
            connection=tx.connection,
            target_metadata=import_module(f"{package}.schema").METADATA,
            version_table=version_name(package),
            render_as_batch=True,
        )
        environment.run_migrations()


def version_name(package: str) -> str:
    """Return the name of the table that holds the package's revision."""
    return f"{package.rsplit('.', 1)[-1]}_revision"


def _version_table(package: str) -> Table:
    return Table(version_name(package), MetaData(), Column("version_num", Text, primary_key=True))


def _current(tx: Tx, version: Table) -> str | None:
    if not inspect(tx.connection).has_table(version.name):
        return None
    found = tx.execute(version.select()).scalar()
    return None if found is None else str(found)
