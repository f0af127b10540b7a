"""Leases: the right to work alone on a folder, for a while, with a fence against the late.

Taken before a visit, renewed during it; every commit of the visit checks the fence.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace
from sqlalchemy import and_, delete, or_, select, update

from accord.db.tx import chunks
from accord.ports.errors import Retry
from accord.state.context import Repository
from accord.state.processes import judging
from accord.state.records import Lease
from accord.state.schema import LEASES

FOLDER = "folder:"
"""What the names of leases on folders begin with; the target's id follows."""

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class LeaseLost(Retry):
    """Somebody else has taken over the lease; what was about to be committed must not be."""


class Leases(Repository):
    """Keep leases; a fence only ever rises."""

    def acquire(self, name: str, holder: str, seconds: float) -> Lease | None:
        """Take the lease if nobody has it; None while somebody (even `holder`) does.

        One that ran out is taken only by who was there all along (`processes.judging`).
        """
        sure, now = time.monotonic(), self.context.agreed_now()
        until = now + timedelta(seconds=seconds)
        row = {"name": name, "holder": holder, "fence": 1, "until": until}
        insert = self.db.inserting(LEASES).values(row)
        taken = insert.on_conflict_do_update(
            index_elements=["name"],
            set_={"holder": holder, "fence": LEASES.c.fence + 1, "until": until},
            where=or_(LEASES.c.until == _NEVER, and_(LEASES.c.until <= now, judging(holder, now))),
        ).returning(LEASES.c.fence)
        fence = self.db.execute(taken).scalar()
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
        query = select(LEASES.c.fence, LEASES.c.until).where(LEASES.c.name == lease.name)
        row = self.db.execute(query.with_for_update()).first()
        if row is None or row.fence != lease.fence or row.until == _NEVER:
            raise LeaseLost(f"the lease on {lease.name} was taken over", after=0)

    def get(self, name: str) -> Lease | None:
        """Return the lease that stands on `name`, held or run out; None if it was given back."""
        row = self.db.execute(select(LEASES).where(LEASES.c.name == name)).first()
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

    def prune(self, targets: Collection[str]) -> int:
        """Forget the leases on folders of targets that are gone; return how many.

        All others stay, for a fence that began anew would let the late in.
        """
        gone = [
            name
            for name in self.db.execute(select(LEASES.c.name)).scalars()
            if name.startswith(FOLDER)
            and name.removeprefix(FOLDER).partition("/")[0] not in targets
        ]
        free = LEASES.c.until <= self.context.agreed_now()
        return sum(
            self.db.execute(delete(LEASES).where(LEASES.c.name.in_(part), free)).rowcount
            for part in chunks(gone)
        )

    def _change(self, lease: Lease, until: datetime) -> bool:
        key = (LEASES.c.name == lease.name, LEASES.c.fence == lease.fence)
        change = update(LEASES).where(*key, LEASES.c.until != _NEVER).values(until=until)
        return self.db.execute(change).rowcount > 0
