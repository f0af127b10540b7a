"""Leases: the right to work alone on a folder, for a while, with a fence against the late.

Taken before a visit, renewed during it; every commit of the visit checks the fence.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from msgspec.structs import replace
from sqlalchemy import BindParameter, and_, bindparam, delete, or_, select, update
from sqlalchemy.sql import Executable

from accord.db.tx import chunks, inserting
from accord.ports.errors import Retry
from accord.state.context import Repository
from accord.state.processes import JUDGING, judge
from accord.state.records import Lease
from accord.state.schema import LEASES

FOLDER = "folder:"
"""What the names of leases on folders begin with; the target's id follows."""

_WANTED = "wanted:"
"""What the names begin with under which stands who waits for a lease."""

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


_L = LEASES.c
_ONE = select(LEASES).where(_L.name == bindparam("one"))
_FENCE = select(_L.fence, _L.until).where(_L.name == bindparam("one")).with_for_update()
_CHANGE = (
    update(LEASES)
    .where(_L.name == bindparam("one"), _L.fence == bindparam("of"), _L.until != _NEVER)
    .values(until=bindparam("to"))
)


class LeaseLost(Retry):
    """Somebody else has taken over the lease; what was about to be committed must not be."""


class Leases(Repository):
    """Keep leases; a fence only ever rises."""

    def acquire(self, name: str, holder: str, seconds: float) -> Lease | None:
        """Take the lease if nobody has it; None while somebody (even `holder`) does.

        One that ran out is taken only by who was there all along (`processes.JUDGING`).
        """
        sure, now = time.monotonic(), self.context.agreed_now()
        until = now + timedelta(seconds=seconds)
        row = {"name": name, "holder": holder, "fence": 1, "until": until}
        given = {**row, "now": now, **judge(holder, now)}
        fence = self.db.execute(_taking(self.db.dialect), given).scalar()
        if fence is None:
            return None
        return Lease(name=name, holder=holder, fence=fence, until=until, sure=sure)

    def renew(self, lease: Lease, seconds: float) -> Lease:
        """Return the lease prolonged from now; raises LeaseLost where it was taken over."""
        sure = time.monotonic()
        until = self.context.agreed_now() + timedelta(seconds=seconds)
        if not self._change(lease, until):
            raise LeaseLost(f"the lease on {lease.name} was taken over", after=0)
        return replace(lease, until=until, sure=sure)

    def release(self, lease: Lease) -> bool:
        """Give the lease back; tell whether it was still ours."""
        return self._change(lease, _NEVER)

    def check(self, lease: Lease) -> None:
        """Make this transaction's commit depend on the lease; raises LeaseLost.

        A lease that ran out but was taken by nobody still holds; until the transaction ends
        nobody can take it.
        """
        row = self.db.execute(_FENCE, {"one": lease.name}).first()
        if row is None or row.fence != lease.fence or row.until == _NEVER:
            raise LeaseLost(f"the lease on {lease.name} was taken over", after=0)

    def get(self, name: str) -> Lease | None:
        """Return the lease that stands on `name`, held or run out; None if it was given back."""
        row = self.db.execute(_ONE, {"one": name}).first()
        return None if row is None or row.until == _NEVER else Lease(**row._mapping)

    def standing(self, prefix: str) -> dict[str, Lease]:
        """Return the leases whose names begin so, held or run out, by name."""
        row = LEASES.c
        query = select(LEASES).where(row.name.startswith(prefix, autoescape=True))
        found = self.db.execute(query.where(row.until != _NEVER))
        return {each.name: Lease(**each._mapping) for each in found}

    def held(self, name: str) -> bool:
        """Tell whether somebody holds `name` now."""
        lease = self.get(name)
        return lease is not None and lease.until > self.context.agreed_now()

    def want(self, name: str, holder: str, seconds: float) -> None:
        """Leave word for so long that somebody waits for a lease, for its holder to see."""
        until = self.context.agreed_now() + timedelta(seconds=seconds)
        row = {"name": f"{_WANTED}{name}", "holder": holder, "fence": 1, "until": until}
        self.db.upsert(LEASES, [row])

    def unwant(self, name: str) -> None:
        """Take that word back; others who wait leave theirs anew."""
        self.db.execute(delete(LEASES).where(LEASES.c.name == f"{_WANTED}{name}"))

    def wanted(self, name: str) -> bool:
        """Tell whether somebody waits for a lease."""
        return self.held(f"{_WANTED}{name}")

    def prune(self, targets: Collection[str]) -> int:
        """Forget leases on folders of targets that are gone, and who waited; return how many.

        All others stay, for a fence that began anew would let the late in.
        """
        gone = [
            name
            for name in self.db.execute(select(LEASES.c.name)).scalars()
            if (of := name.removeprefix(_WANTED)).startswith(FOLDER)
            and of.removeprefix(FOLDER).partition("/")[0] not in targets
        ]
        return self.forget(gone)

    def forget(self, names: Iterable[str]) -> int:
        """Forget leases that nobody holds and nobody will take again; return how many."""
        free = LEASES.c.until <= self.context.agreed_now()
        return sum(
            self.db.execute(delete(LEASES).where(LEASES.c.name.in_(part), free)).rowcount
            for part in chunks(names)
        )

    def _change(self, lease: Lease, until: datetime) -> bool:
        given = {"one": lease.name, "of": lease.fence, "to": until}
        return self.db.execute(_CHANGE, given).rowcount > 0


@cache
def _taking(dialect: str) -> Executable:
    """Return how a lease is taken that is free at the moment `now`."""
    insert = inserting(LEASES, dialect)
    new = insert.excluded
    now: BindParameter[Any] = bindparam("now")
    return insert.on_conflict_do_update(
        index_elements=["name"],
        set_={"holder": new.holder, "fence": LEASES.c.fence + 1, "until": new.until},
        where=or_(LEASES.c.until == _NEVER, and_(LEASES.c.until <= now, JUDGING)),
    ).returning(LEASES.c.fence)
