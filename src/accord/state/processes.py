"""The service's processes: which of them live, and who is heard of by which of them.

Each gives signs of life (`service.presence`); what others share with it goes by them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from sqlalchemy import delete, select

from accord.state.context import Repository
from accord.state.process_tables import PROCESSES, WATCHES
from accord.state.records import Process, Watched

LIFE = 15.0
"""Seconds without a sign of life after which a process counts as gone."""

SILENCE = 15.0
"""Seconds more until what it was in the middle of is taken from it: it may only be slow."""

_FORGOTTEN = timedelta(hours=1)


class Processes(Repository):
    """Keep the processes that run; their names are those of `holder.myself`."""

    def live(self, name: str, parts: Iterable[str]) -> None:
        """Give a sign of life."""
        now = self.context.agreed_now()
        row = {
            "name": name,
            "parts": " ".join(sorted(parts)),
            "since": now,
            "until": now + timedelta(seconds=LIFE),
        }
        insert = self.db.inserting(PROCESSES).values(row)
        new = {"parts": insert.excluded.parts, "until": insert.excluded.until}
        self.db.execute(insert.on_conflict_do_update(index_elements=["name"], set_=new))
        self.db.execute(delete(PROCESSES).where(PROCESSES.c.until < now - _FORGOTTEN))

    def leave(self, name: str) -> None:
        """Be gone, and hear of nobody any more."""
        self.db.execute(delete(PROCESSES).where(PROCESSES.c.name == name))
        self.db.execute(delete(WATCHES).where(WATCHES.c.process == name))

    def all(self) -> list[Process]:
        """Return the processes that gave a sign of life of late, by their names."""
        now = self.context.agreed_now()
        rows = self.db.execute(select(PROCESSES).order_by(PROCESSES.c.name))
        return [
            Process(
                name=row.name,
                parts=frozenset(row.parts.split()),
                since=row.since,
                silent=(now - row.until).total_seconds() + LIFE,
            )
            for row in rows
        ]

    def silent(self, holder: str) -> bool:
        """Tell whether the process of a lease's holder gave signs of life, and gives none now.

        Of one that never gave any, such as a command, nothing is told.
        """
        of = holder.rpartition("/")[0]
        known = [each for each in self.all() if each.name.rpartition("/")[0] == of]
        return bool(known) and all(each.silent > LIFE + SILENCE for each in known)


class Watches(Repository):
    """Keep how mailboxes are watched, and by which process."""

    def put(self, process: str, watched: Sequence[Watched]) -> None:
        """Note how mailboxes are watched by a process from now on."""
        now = self.context.now()
        rows = [
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
        self.db.upsert(WATCHES, rows)

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
