"""Pending changes: held, in conflict, rejected or to be tried again.

A stored pending change counts as committed, so it never blocks a cursor; a later change of
its ref replaces it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Select, and_, bindparam, delete, func, or_, select, update

from accord.db.tx import AnyRow, Given, chunks
from accord.model.kinds import Side
from accord.state.context import Repository
from accord.state.records import Cause, Pending
from accord.state.schema import PENDING

_APART = timedelta(minutes=1)
"""How far clocks of processes may be apart."""

_REF = {Side.CRM: PENDING.c.ref_crm, Side.GROUPWARE: PENDING.c.ref_groupware}
_ATTRIBUTE = {Side.CRM: "ref_crm", Side.GROUPWARE: "ref_groupware"}
_LINK = PENDING.c.link == bindparam("link")
_CAUSE = PENDING.c.cause == bindparam("cause")
_ALL = select(PENDING).order_by(PENDING.c.at, PENDING.c.id)
_ONE = _ALL.where(PENDING.c.id == bindparam("one"))
_OF_LINK = _ALL.where(_LINK)
_OF_CAUSES = _OF_LINK.where(PENDING.c.cause.in_(bindparam("causes", expanding=True)))
_WHOSE = {side: ref.in_(bindparam("refs", expanding=True)) for side, ref in _REF.items()}
_BY_REFS = {side: _OF_LINK.where(whose) for side, whose in _WHOSE.items()}
# What failed in the future was put off by a clock that has been set back since, or goes wrong.
_TIMELY = or_(PENDING.c.due <= bindparam("now"), PENDING.c.at > bindparam("future"))
_RETRY = and_(PENDING.c.cause == Cause.RETRY.value, _TIMELY)
_DUE = _OF_LINK.where(or_(_RETRY, PENDING.c.approved))
_OPEN = and_(PENDING.c.refused.is_(False), PENDING.c.approved.is_(False))
_NUMBERS = select(PENDING.c.cause, func.count()).where(_LINK, _OPEN).group_by(PENDING.c.cause)
_SETTLED = {side: delete(PENDING).where(_LINK, whose) for side, whose in _WHOSE.items()}
_SETTLED_FOR = {side: gone.where(_CAUSE) for side, gone in _SETTLED.items()}
_REMOVED = delete(PENDING).where(PENDING.c.id.in_(bindparam("ids", expanding=True)))


class PendingChanges(Repository):
    """Keep pending changes; their steps are encrypted where there is a key file."""

    def put(self, pending: Pending) -> None:
        """Store a change in place of what is pending for its refs for the same cause."""
        self.put_many([pending])

    def put_many(self, pending: Sequence[Pending]) -> None:
        """Store changes in place of what is pending for their refs for the same causes.

        Changes given together don't replace each other.
        """
        for link, cause in sorted({(each.link, each.cause) for each in pending}):
            if cause in (Cause.UNDO, Cause.FILE):  # Each is a decision of its own.
                continue
            given = [each for each in pending if (each.link, each.cause) == (link, cause)]
            for side, name in _ATTRIBUTE.items():
                refs = {getattr(each, name) for each in given} - {""}
                self.settle(link, side, refs, cause)
        self.db.upsert(PENDING, [self._row(each) for each in pending])

    def get(self, key: str) -> Pending | None:
        """Return one pending change."""
        return next(iter(self._read(_ONE, {"one": key})), None)

    def by_link(self, link: str, *causes: Cause | str) -> list[Pending]:
        """Return a link's pending changes, of some causes or of all, oldest first."""
        if not causes:
            return self._read(_OF_LINK, {"link": link})
        wanted = [Cause(cause).value for cause in causes]
        return self._read(_OF_CAUSES, {"link": link, "causes": wanted})

    def by_refs(self, link: str, side: Side, refs: Iterable[str]) -> dict[str, list[Pending]]:
        """Return what is pending for these refs, oldest first."""
        found: dict[str, list[Pending]] = {}
        for part in chunks(sorted(set(refs) - {""})):
            for each in self._read(_BY_REFS[side], {"link": link, "refs": part}):
                found.setdefault(getattr(each, _ATTRIBUTE[side]), []).append(each)
        return found

    def all(self, cause: Cause | str | None = None) -> list[Pending]:
        """Return the pending changes of all links, oldest first."""
        if cause is None:
            return self._read(_ALL)
        return self._read(_ALL.where(_CAUSE), {"cause": Cause(cause).value})

    def counted(self) -> list[tuple[str, Cause, str, int]]:
        """Return link, cause and reason of what waits, and how often; nothing that was refused."""
        row = PENDING.c
        query = select(row.link, row.cause, row.why, func.count()).where(row.refused.is_(False))
        query = query.group_by(row.link, row.cause, row.why)
        query = query.order_by(row.link, row.cause, row.why)
        return [(link, Cause(cause), why, n) for link, cause, why, n in self.db.execute(query)]

    def counts(self) -> dict[str, Counter[Cause]]:
        """Return, by link, how many changes wait for what; without those that were refused."""
        found: dict[str, Counter[Cause]] = {}
        for link, cause, _, number in self.counted():
            found.setdefault(link, Counter())[cause] += number
        return found

    def numbers(self, link: str) -> Counter[Cause]:
        """Return how many of a link's changes wait for what; without those that were decided."""
        found = self.db.mapping(_NUMBERS, {"link": link})
        return Counter({Cause(cause): number for cause, number in found.items()})

    def due(self, link: str, now: datetime) -> list[Pending]:
        """Return what is to be done now: retries whose time has come, and approved changes."""
        return self._read(_DUE, {"link": link, "now": now, "future": now + _APART})

    def approve(self, key: str) -> bool:
        """Say yes to a change; it is planned again and done if it is still the same."""
        return self._decide(key, approved=True)

    def reject(self, key: str) -> bool:
        """Say no to a change; it stays, so that the very same one isn't asked about again."""
        return self._decide(key, approved=False)

    def remove(self, key: str) -> bool:
        """Forget a pending change; tell whether there was one."""
        return self.remove_many([key]) > 0

    def remove_many(self, ids: Iterable[str]) -> int:
        """Forget pending changes; return how many there were."""
        return sum(self.db.execute(_REMOVED, {"ids": part}).rowcount for part in chunks(ids))

    def settle(self, link: str, side: Side, refs: Iterable[str], cause: Cause | None = None) -> int:
        """Forget what is pending for these refs (for any cause by default); return how many."""
        gone, given = _SETTLED[side], {"link": link}
        if cause is not None:
            gone, given = _SETTLED_FOR[side], {"link": link, "cause": cause.value}
        return sum(
            self.db.execute(gone, {**given, "refs": part}).rowcount
            for part in chunks(sorted(set(refs) - {""}))
        )

    def _decide(self, key: str, *, approved: bool) -> bool:
        change = update(PENDING).where(PENDING.c.id == key)
        return self.db.execute(change.values(approved=approved, refused=not approved)).rowcount > 0

    def _read(self, query: Select[Any], given: Given | None = None) -> list[Pending]:
        return [self._pending(row) for row in self.db.execute(query, given)]

    def _pending(self, row: AnyRow) -> Pending:
        step = self.context.unwrap(row.step, f"pending:{row.id}")
        return Pending(**{**row._mapping, "cause": Cause(row.cause), "step": step})

    def _row(self, pending: Pending) -> dict[str, Any]:
        private = self.context.keys is not None
        step = self.context.wrap(pending.step, f"pending:{pending.id}", private=private)
        return {
            **msgspec.structs.asdict(pending),
            "cause": Cause(pending.cause).value,
            "step": step,
        }
