"""The service's processes: which of them live, and who is heard of by which of them.

Each gives signs of life (`service.presence`); what others share with it goes by them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    inspect,
    not_,
    or_,
    select,
)

from accord.db import Database
from accord.db.tx import AnyRow
from accord.ports.clock import system_clock
from accord.state.context import Context, Repository
from accord.state.holder import is_dead
from accord.state.process_tables import PROCESSES, WATCHES
from accord.state.records import Process, Watched

LIFE = 15.0
"""Seconds without a sign of life after which a process counts as gone."""

SILENCE = 15.0
"""Seconds more until what it was in the middle of is taken from it: it may only be slow."""

RETURN = timedelta(seconds=LIFE + SILENCE)
"""For how long who was away itself takes nothing from others: they may have been away with it."""

KEPT = timedelta(days=1)
"""How long it is kept in mind that a process ended without a word."""


def at_work(database: Database) -> list[str]:
    """Return what gives signs of life in a database, such as `worker on host`.

    The database may be of another version than this program, or hold nothing yet.
    """
    if not inspect(database.engine).has_table(PROCESSES.name):
        return []
    row = PROCESSES.c
    with database.read() as tx:
        alive = row.until > Context(tx, system_clock, None).agreed_now()
        found = tx.execute(select(row.name, row.parts, row.host).where(alive).order_by(row.name))
        return [f"{parts} on {host}" for name, parts, host in found if not is_dead(name)]


class Processes(Repository):
    """Keep the processes that run; their names are those of `holder.myself`."""

    def live(self, process: Process, seconds: float = LIFE) -> None:
        """Give a sign of life that holds for so long."""
        now = self.context.agreed_now()
        row = {
            "name": process.name,
            "parts": " ".join(sorted(process.parts)),
            "host": process.host,
            "version": process.version,
            "since": process.since,
            "until": now + timedelta(seconds=seconds),
            "figures": process.figures,
        }
        insert = self.db.inserting(PROCESSES).values(row)
        back = case((PROCESSES.c.until <= now, now), else_=PROCESSES.c.back)
        fresh = {name: value for name, value in row.items() if name != "name"} | {"back": back}
        self.db.execute(insert.on_conflict_do_update(index_elements=["name"], set_=fresh))

    def supersede(self, process: Process) -> None:
        """Forget who ended without a word and did the same here, and who did so long ago."""
        parts = " ".join(sorted(process.parts))
        for each in self.all():
            same = each.host == process.host and " ".join(sorted(each.parts)) == parts
            ended = is_dead(each.name) or each.silent > LIFE + SILENCE
            if each.name != process.name and same and ended:
                self.leave(each.name)
        self.prune()

    def leave(self, name: str) -> None:
        """Be gone, and hear of nobody any more."""
        self.db.execute(delete(PROCESSES).where(PROCESSES.c.name == name))
        self.db.execute(delete(WATCHES).where(WATCHES.c.process == name))

    def forget_all(self) -> None:
        """Forget everybody and what they heard of: on a backup none of them ever worked."""
        self.db.execute(delete(PROCESSES))
        self.db.execute(delete(WATCHES))

    def prune(self) -> int:
        """Forget who ended without a word long ago, and what those heard of who are no more."""
        long_gone = PROCESSES.c.until <= self.context.agreed_now() - KEPT
        count = self.db.execute(delete(PROCESSES).where(long_gone)).rowcount
        orphans = WATCHES.c.process.not_in(select(PROCESSES.c.name))
        return count + self.db.execute(delete(WATCHES).where(orphans)).rowcount

    def all(self) -> list[Process]:
        """Return the processes, by what they do, those that are gone last."""
        now = self.context.agreed_now()
        row = PROCESSES.c
        rows = self.db.execute(select(PROCESSES).order_by(row.parts, row.since, row.name))
        return sorted((_process(each, now) for each in rows), key=lambda one: one.gone)

    def silent(self, holder: str) -> bool:
        """Tell whether the process of a lease's holder gave signs of life, and gives none now.

        Of one that never gave any, such as a command, nothing is told.
        """
        of = holder.rpartition("/")[0]
        known = [each for each in self.all() if each.name.rpartition("/")[0] == of]
        return bool(known) and all(each.silent > LIFE + SILENCE for each in known)

    def judges(self, holder: str) -> bool:
        """Tell whether the process of a holder may tell who is gone; see `JUDGING`."""
        given = judge(holder, self.context.agreed_now())
        return bool(self.db.execute(_JUDGES, given).scalar())


def _judging() -> ColumnElement[bool]:
    row = PROCESSES.c
    mine = row.name.like(bindparam("judge"), escape="/")
    steady = or_(row.back.is_(None), row.back <= bindparam("judge_back"))
    alive = and_(mine, row.until > bindparam("judge_now"), steady)
    return or_(not_(exists().where(mine)), exists().where(alive))


JUDGING = _judging()
"""Whether the process of a holder gave signs of life all along, or never gave any.

Where the database was away, or a machine, nobody's silence means anything: whoever is back first
would take the leases of all others. `judge` says of whom and when.
"""

_JUDGES = select(JUDGING)


def judge(holder: str, now: datetime) -> dict[str, Any]:
    """Return what JUDGING has to be given."""
    process = holder.rpartition("/")[0] + "/"
    for special in "/%_":
        process = process.replace(special, "/" + special)
    return {"judge": process + "%", "judge_now": now, "judge_back": now - RETURN}


def _process(row: AnyRow, now: datetime) -> Process:
    silent = (now - row.until).total_seconds() + LIFE
    return Process(
        name=row.name,
        parts=frozenset(row.parts.split()),
        host=row.host,
        version=row.version,
        since=row.since,
        heard=row.until - timedelta(seconds=LIFE),
        silent=silent,
        figures=row.figures or {},
        gone=silent > LIFE or is_dead(row.name),
    )


class Watches(Repository):
    """Keep how mailboxes are watched, and by which process."""

    def put(self, process: str, watched: Sequence[Watched]) -> None:
        """Note how mailboxes are watched by a process from now on."""
        self.db.upsert(WATCHES, self._rows(process, watched))

    def put_back(self, process: str, watched: Sequence[Watched]) -> None:
        """Note once more what nothing is noted of any more, as of a process taken for gone."""
        self.db.insert_new(WATCHES, self._rows(process, watched))

    def count(self, process: str) -> int:
        """Return how many mailboxes are noted as watched by a process."""
        query = select(func.count()).where(WATCHES.c.process == process)
        return int(self.db.execute(query).scalar_one())

    def _rows(self, process: str, watched: Sequence[Watched]) -> list[dict[str, object]]:
        now = self.context.now()
        return [
            {
                "target": each.target,
                "principal": each.principal,
                "way": each.way,
                "why": each.why,
                "process": process,
                "at": now,
            }
            for each in watched
        ]

    def remove(self, process: str, mailboxes: Iterable[tuple[str, str]]) -> None:
        """Forget mailboxes that a process watches no more; others may watch them by now."""
        row = WATCHES.c
        for target, principal in mailboxes:
            mine = (row.target == target, row.principal == principal, row.process == process)
            self.db.execute(delete(WATCHES).where(*mine))

    def get(self, target: str, principal: str) -> Watched | None:
        """Return how a mailbox is watched; its process may be gone."""
        row = WATCHES.c
        query = select(WATCHES).where(row.target == target, row.principal == principal)
        found = self.db.execute(query).first()
        return None if found is None else Watched(**found._mapping)

    def all(self) -> list[Watched]:
        """Return how mailboxes are watched, by target and mailbox."""
        query = select(WATCHES).order_by(WATCHES.c.target, WATCHES.c.principal)
        return [Watched(**row._mapping) for row in self.db.execute(query)]
