"""Runs: every visit, what it did and how it ended.

Begun and finished by the service; undo of a run and the console start here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update

from accord.db.tx import AnyRow
from accord.state.context import Repository
from accord.state.ids import new_id
from accord.state.records import Run
from accord.state.schema import JOURNAL, LINKS, RUNS

_ONE = select(RUNS).where(RUNS.c.id == bindparam("one"))
_BEGUN = insert(RUNS)
_OVER = (
    update(RUNS)
    .where(RUNS.c.id == bindparam("one"))
    .values({name: bindparam(f"its_{name}") for name in ("finished", "counts", "error")})
)
_R = RUNS.c
_LAST = select(func.max(_R.id)).group_by(_R.link)
_IDLE = delete(RUNS).where(
    _R.started < bindparam("before"),
    _R.id.not_in(select(JOURNAL.c.run)),
    _R.id.not_in(_LAST),
    _R.id.not_in(_LAST.where(_R.finished.is_not(None))),
)
# A look at the index for each link: a link has thousands of runs, and there are many.
_ENDED = select(
    LINKS.c.id,
    select(_R.finished)
    .where(_R.link == LINKS.c.id, _R.finished.is_not(None))
    .order_by(_R.id.desc())
    .limit(1)
    .scalar_subquery(),
)


class Runs(Repository):
    """Keep runs."""

    def start(self, link: str | None = None, cause: str = "") -> str:
        """Begin a run and return its id; ids sort by time."""
        key = new_id()
        row = {"id": key, "link": link or "", "cause": cause, "started": self.context.now()}
        self.db.execute(_BEGUN, {**row, "error": ""})
        return key

    def finish(self, key: str, counts: dict[str, Any] | None = None, error: str = "") -> None:
        """End a run with what it did, and why it ended early if it did."""
        values = {"finished": self.context.now(), "counts": counts or {}, "error": error}
        given = {f"its_{name}": value for name, value in values.items()}
        self.db.execute(_OVER, {"one": key, **given})

    def get(self, key: str) -> Run | None:
        """Return one run."""
        row = self.db.execute(_ONE, {"one": key}).first()
        return None if row is None else _run(row)

    def prune(self, before: datetime) -> int:
        """Forget runs that began `before` and did nothing; a link's last one stays.

        So does the last that ended. Return how many went.
        """
        return int(self.db.execute(_IDLE, {"before": before}).rowcount)

    def latest(self, link: str | None = None, limit: int = 1) -> list[Run]:
        """Return the last runs (of one link, or of all), newest first."""
        query = select(RUNS).order_by(RUNS.c.id.desc()).limit(limit)
        if link is not None:
            query = query.where(RUNS.c.link == link)
        return [_run(row) for row in self.db.execute(query)]

    def ended(self) -> dict[str, datetime]:
        """Return, by the link's id, when a run of it ended last; without those that none did."""
        found = self.db.mapping(_ENDED)
        return {link: at for link, at in found.items() if at is not None}


def _run(row: AnyRow) -> Run:
    return Run(**{**row._mapping, "counts": row.counts or {}})
