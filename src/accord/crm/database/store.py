"""What all sessions of one adapter share: the database, the clock, how to read and write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import text

from accord.crm.database.viewer import Viewer, viewer
from accord.db import Database, Tx
from accord.ports.clock import Clock, system_clock
from accord.ports.requests import Requests

T = TypeVar("T")


class Store:
    """Be the CRM's database as sessions use it.

    `owned` says whether a task that somebody else does is also in its owner's scope, `page` how
    many records a listing loads at once.
    """

    def __init__(
        self,
        database: Database,
        *,
        owned: bool = False,
        page: int = 500,
        clock: Clock = system_clock,
    ) -> None:
        """Keep what is shared; the tables must be there."""
        self.database = database
        self.owned = owned
        self.page = page
        self.clock = clock
        self.requests = Requests()

    @contextmanager
    def read(self, *, single: bool = False) -> Iterator[Tx]:
        """Read from one moment of the database; `single` promises one query only."""
        self.requests.count()
        with self.database.read() as tx:
            if not single and tx.dialect == "postgresql":
                # Else each statement sees a moment of its own: a record and other people's replies.
                tx.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
            yield tx

    def run(self, work: Callable[[Tx], T]) -> T:
        """Do `work` in a writing transaction, again where another one was in the way."""
        self.requests.count()
        return self.database.run(work)

    def viewer(self, tx: Tx, user: str) -> Viewer:
        """Return a user with what they may do by now; raises AuthFailed."""
        return viewer(tx, user)
