"""One open transaction, and the few statements whose text differs between the databases.

Opened by `Database.begin`; repositories speak to it in batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from sqlalchemy import Connection, CursorResult, Insert, Row, Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql import Executable

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

T = TypeVar("T")

AnyRow: TypeAlias = Row[*tuple[Any, ...]]
"""A row of any columns."""

Given: TypeAlias = Mapping[str, Any]
"""The values of a statement's parameters, by name."""

CHUNK = 1000
"""How many values one IN list holds; both databases allow far more, plans get slow first."""


class Tx:
    """Be one transaction on `connection`."""

    def __init__(self, connection: Connection) -> None:
        """Keep the open connection."""
        self.connection = connection
        self.dialect = connection.dialect.name

    def execute(
        self, statement: Executable, rows: Given | Sequence[Given] | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        """Execute one statement, once or for each of `rows`.

        One that is made once, with `bindparam` for what differs, takes a third of the time.
        """
        return self.connection.execute(statement, rows)

    def mapping(self, statement: Executable, given: Given | None = None) -> dict[Any, Any]:
        """Return the second column of a query by its first."""
        return {row[0]: row[1] for row in self.connection.execute(statement, given)}

    def insert(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows in one go; raises Taken where one is there already."""
        if rows:
            self.connection.execute(_plain(table), rows)

    def insert_new(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert the rows that aren't there yet and leave the others alone."""
        if rows:
            self.connection.execute(_inserting_new(table, self.dialect), rows)

    def upsert(
        self,
        table: Table,
        rows: Sequence[Mapping[str, Any]],
        keys: Sequence[str] | None = None,
        kept: Sequence[str] = (),
    ) -> None:
        """Insert rows, or replace the other columns of those whose `keys` are there already.

        `keys` is the primary key by default. `kept` are columns that only new rows take from
        here. All rows must name the same columns.
        """
        if not rows:
            return
        names = tuple(keys or [column.name for column in table.primary_key])
        columns = tuple(name for name in rows[0] if name not in kept)
        self.connection.execute(_upserting(table, self.dialect, columns, names), rows)

    def inserting(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """Return an insert that knows ON CONFLICT, in this database's dialect."""
        return inserting(table, self.dialect)


# Statements are kept, since making one takes longer than executing it.


@cache
def _plain(table: Table) -> Insert:
    return table.insert()


@cache
def _inserting_new(table: Table, dialect: str) -> Executable:
    return inserting(table, dialect).on_conflict_do_nothing()


@cache
def _upserting(
    table: Table, dialect: str, columns: tuple[str, ...], keys: tuple[str, ...]
) -> Executable:
    statement = inserting(table, dialect)
    values = {name: statement.excluded[name] for name in columns if name not in keys}
    if not values:
        return statement.on_conflict_do_nothing()
    return statement.on_conflict_do_update(index_elements=keys, set_=values)


def inserting(table: Table, dialect: str) -> sqlite.Insert | postgresql.Insert:
    """Return an insert that knows ON CONFLICT, in a dialect."""
    if dialect == "sqlite":
        return sqlite.insert(table)
    # Only here: each dialect takes longer to import than a small transaction takes.
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)


def chunks(values: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Yield `values` in lists of at most `size`."""
    iterator = iter(values)
    while chunk := list(islice(iterator, size)):
        yield chunk
