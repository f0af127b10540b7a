"""The service's jobs as an administrator set them and as they last ended; what is wrong and told.

`service/jobs` runs them; which jobs there are stands there, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import delete, select

from accord.db.tx import chunks
from accord.state.context import Repository
from accord.state.job_tables import CAUSES, JOBS


class JobRow(Struct, frozen=True, kw_only=True):
    """Be one job: its switch, schedule and options, when it is due, and how it last ended.

    `attempts` counts how often it was begun since it last ended; `mark` is how far it got, for a
    job that goes on where it was cut off.
    """

    name: str
    enabled: bool
    schedule: str = ""
    options: dict[str, Any] = {}
    due: datetime | None = None
    attempts: int = 0
    started: datetime | None = None
    ended: datetime | None = None
    ending: str = ""
    words: str = ""
    hint: str = ""
    counts: dict[str, int] = {}
    by: str = ""
    mark: Any = None


class Jobs(Repository):
    """Keep jobs; one that nobody changed and that never ran has no row."""

    def all(self) -> dict[str, JobRow]:
        """Return all rows by name."""
        return {row.name: JobRow(**row._mapping) for row in self.db.execute(select(JOBS))}

    def get(self, name: str) -> JobRow | None:
        """Return one row, and let nobody else change it before this transaction ends."""
        query = select(JOBS).where(JOBS.c.name == name).with_for_update()
        row = self.db.execute(query).first()
        return None if row is None else JobRow(**row._mapping)

    def put(self, row: JobRow) -> None:
        """Store a row."""
        self.db.upsert(JOBS, [msgspec.structs.asdict(row)])

    def add(self, rows: Iterable[JobRow]) -> None:
        """Store rows of jobs that have none."""
        self.db.insert_new(JOBS, [msgspec.structs.asdict(row) for row in rows])


class CauseRow(Struct, frozen=True, kw_only=True):
    """Be one thing that is wrong: what, since when, how often, with whom.

    `passing` says that it may well pass by itself. `gone` is since when it isn't there any more;
    it may come back. `told` maps those who were told (`log`, `mail`, `webhook`) to when.
    """

    id: str
    source: str
    words: str
    hint: str = ""
    names: list[str] = []
    count: int = 1
    passing: bool = False
    since: datetime
    gone: datetime | None = None
    told: dict[str, str] = {}


class Causes(Repository):
    """Keep what is wrong, so that each thing is told once."""

    def all(self) -> list[CauseRow]:
        """Return all, oldest first, those that are gone included."""
        query = select(CAUSES).order_by(CAUSES.c.since, CAUSES.c.id)
        return [CauseRow(**row._mapping) for row in self.db.execute(query)]

    def put_many(self, rows: Sequence[CauseRow]) -> None:
        """Store rows."""
        self.db.upsert(CAUSES, [msgspec.structs.asdict(row) for row in rows])

    def remove(self, ids: Iterable[str]) -> int:
        """Forget some; return how many there were."""
        return sum(
            self.db.execute(delete(CAUSES).where(CAUSES.c.id.in_(part))).rowcount
            for part in chunks(ids)
        )
