"""Draft the next migration of a package: `python -m accord.db.draft accord.state`.

For developers: prints the operations that lead from the migrations there are to METADATA.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Literal

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.runtime.migration import MigrationContext

from accord.db.migrate import migrations_of, upgrade, version_table
from accord.db.open import open_database
from accord.db.types import Foreign, Instant, Json, Line

_PLAIN = {
    Foreign: "sa.Text()",
    Instant: "sa.DateTime(timezone=True)",
    Json: "sa.LargeBinary()",
    Line: "sa.Text()",
}


def draft(package: str) -> str:
    """Return the body of a migration's `upgrade`; triggers and data are yours to add."""
    metadata = import_module(f"{package}.schema").METADATA
    database = open_database("sqlite://")
    with database.begin(foreign_keys=False) as tx:
        if any((migrations_of(package) / "versions").glob("*.py")):
            upgrade(tx, package, "head")
        options = {"target_metadata": metadata, "version_table": version_table(package).name}
        context = MigrationContext.configure(tx.connection, opts=options)
        script = produce_migrations(context, metadata)
        assert script.upgrade_ops is not None
        return render_python_code(
            script.upgrade_ops, render_item=_render, migration_context=context
        )


def _render(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    return _PLAIN.get(type(item), False) if kind == "type" else False


if __name__ == "__main__":
    sys.stdout.write(draft(sys.argv[1]) + "\n")
