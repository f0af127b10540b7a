"""The journal: what was done, by whom and why, with what stood there before.

Append-only (the database itself refuses changes); `undo` and `explain` read it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from accord.db.tx import AnyRow, chunks
from accord.model.diff import FieldChange
from accord.model.kinds import Kind, Side
from accord.state.blobs import Blobs
from accord.state.codec import decode_changes, encode_changes
from accord.state.context import Context, Repository
from accord.state.records import Entry
from accord.state.schema import JOURNAL, JOURNAL_FLOOR, LINKS, PAIRINGS, RUNS

_J = JOURNAL.c
_LINK = _J.link == bindparam("link")
_UPDATED: ColumnElement[bool] = literal_column("step = 'update'")
_WRITTEN = select(
    select(func.max(_J.id)).scalar_subquery(),
    select(_J.id)
    .where(_UPDATED, _J.at >= bindparam("since"))
    .order_by(_J.at, _J.id)
    .limit(1)
    .scalar_subquery(),
)
_LATEST = select(func.max(_J.id)).where(_LINK)
_MET = (
    select(JOURNAL)
    .where(_LINK, _J.id > bindparam("after"), _J.step.in_(("create", "pair")), _J.error == "")
    .order_by(_J.id)
)


class Journal(Repository):
    """Keep journal entries; the values of changed fields are encrypted where there is a key."""

    def __init__(self, context: Context, blobs: Blobs) -> None:
        """Keep the surroundings and the blobs in which values lie."""
        super().__init__(context)
        self._blobs = blobs

    def append(self, entry: Entry) -> None:
        """Add one entry."""
        self.append_many([entry])

    def append_many(self, entries: Sequence[Entry]) -> None:
        """Add entries in two statements, in order; `before` and `after` are digests of blobs."""
        private = self.context.keys is not None
        changed = [entry.fields for entry in entries if entry.fields]
        digests = iter(self._blobs.put_many((encode_changes(each), private) for each in changed))
        rows = [_row(entry, next(digests) if entry.fields else None) for entry in entries]
        self.db.insert(JOURNAL, rows)

    def query(
        self,
        *,
        run: str | None = None,
        link: str | None = None,
        user: str | None = None,
        ref: str | None = None,
        pairing: str | None = None,
        id: int | None = None,  # noqa: A002 (as on the command line)
        step: str | None = None,
        limit: int = 100,
        before: int | None = None,
    ) -> list[Entry]:
        """Return entries, newest first, at most `limit`; `before` is an entry's id to go on from.

        `ref` is the ref on either side, `step` the name of a step.
        """
        column = JOURNAL.c
        named = {"run": run, "link": link, "user": user, "pairing": pairing, "id": id, "step": step}
        query = select(JOURNAL).where(
            *(column[name] == value for name, value in named.items() if value is not None)
        )
        if ref is not None:
            query = query.where(or_(column.ref == ref, column.counterpart == ref))
        if before is not None:
            query = query.where(column.id < before)
        rows = self.db.execute(query.order_by(column.id.desc()).limit(limit)).all()
        changed = self._blobs.get_many(row.fields for row in rows if row.fields)
        return [_entry(row, changed) for row in rows]

    def get(self, key: int) -> Entry | None:
        """Return one entry."""
        return next(iter(self.query(id=key)), None)

    def latest(self, link: str) -> int:
        """Return the id of a link's newest entry, 0 where it has none."""
        return int(self.db.execute(_LATEST, {"link": link}).scalar() or 0)

    def newest(self) -> int:
        """Return the highest id that was ever given, of entries that were pruned, too."""
        kept = select(func.max(JOURNAL.c.id)).scalar_subquery()
        floor = select(func.max(JOURNAL_FLOOR.c.floor)).scalar_subquery()
        highest, lowest = self.db.execute(select(kept, floor)).one()
        return max(int(highest or 0), int(lowest or 1) - 1)

    def met(self, link: str, after: int) -> list[Entry]:
        """Return what a link created or paired behind an entry, oldest first, without values."""
        rows = self.db.execute(_MET, {"link": link, "after": after})
        return [_entry(row, {}) for row in rows]

    def overruled(
        self, link: str, reasons: Sequence[str], since: datetime, after: int, upto: int
    ) -> list[Entry]:
        """Return what became of a link's edits that lost or were written over, newest first.

        `reasons` are what the reason of a write of the latter sort says. Only entries behind
        `after`, `upto` the last; what was undone, or failed, is not among them.
        """
        entry = JOURNAL.c
        lost = and_(entry.step == "clash", entry.undone_by.is_(None))
        reason = or_(*(entry.why.contains(each, autoescape=True) for each in reasons))
        over = and_(entry.step == "update", entry.error == "", reason)
        query = select(JOURNAL).where(
            entry.link == link,
            entry.id > after,
            entry.id <= upto,
            entry.at > since,
            or_(lost, over),
        )
        rows = self.db.execute(query.order_by(entry.id.desc())).all()
        changed = self._blobs.get_many(row.fields for row in rows if row.fields)
        return [_entry(row, changed) for row in rows]

    def deleted(
        self, target: str, since: datetime, apart: Collection[str] = ()
    ) -> dict[tuple[str, Side], int]:
        """Return how many items were deleted since then on links of a target, by link and side.

        Runs of the causes in `apart` don't count, nor does what failed or was undone.
        """
        return self._lately(literal_column("step = 'delete'"), target, since, apart)

    def updated(
        self, target: str, since: datetime, apart: Collection[str] = ()
    ) -> dict[tuple[str, Side], int]:
        """Return how many items were changed there since then, as `deleted` does."""
        return self._lately(_UPDATED, target, since, apart)

    def written(self, since: datetime) -> int:
        """Return how many entries there are since the first change since then, or a few more.

        Two looks into indexes, so that it may be asked before every write.
        """
        latest, first = self.db.execute(_WRITTEN, {"since": since}).one()
        return 0 if first is None else int(latest) - int(first) + 1

    def mailed(
        self, target: str, since: datetime, apart: Collection[str] = ()
    ) -> dict[tuple[str, Side], int]:
        """Return how many writes that mailed people there were since then, as `deleted` does."""
        return self._lately(literal_column("mails > 0"), target, since, apart)

    def refiled(
        self, target: str, since: datetime, apart: Collection[str] = ()
    ) -> dict[tuple[str, Side], int]:
        """Return how many files were taken off items since then, as `deleted` does."""
        what: ColumnElement[bool] = literal_column("step IN ('detach', 'replace')")
        return self._lately(what, target, since, apart)

    def _lately(
        self, what: ColumnElement[bool], target: str, since: datetime, apart: Collection[str]
    ) -> dict[tuple[str, Side], int]:
        # `what` goes as text: partial indexes are found by it, and parameters hide it. What is
        # found by them is few, so it is counted first and joined then.
        entry = JOURNAL.c
        few = (
            select(entry.link, entry.side, entry.run, func.count().label("count"))
            .where(what, entry.at >= since, entry.error == "", entry.undone_by.is_(None))
            .group_by(entry.link, entry.side, entry.run)
            .subquery()
        )
        query = (
            select(few.c.link, few.c.side, func.sum(few.c.count))
            .select_from(few)
            .join(LINKS, LINKS.c.id == few.c.link)
            .outerjoin(RUNS, RUNS.c.id == few.c.run)
            .where(LINKS.c.target == target)
            .where(func.coalesce(RUNS.c.cause, "").not_in(list(apart)))
            .group_by(few.c.link, few.c.side)
        )
        return {(link, Side(side)): int(sum_) for link, side, sum_ in self.db.execute(query)}

    def mark_undone(self, ids: Iterable[int], by: int) -> int:
        """Note the entry that undid these; return how many were not undone before."""
        return sum(
            self.db.execute(
                update(JOURNAL)
                .where(JOURNAL.c.id.in_(part), JOURNAL.c.undone_by.is_(None))
                .values(undone_by=by)
            ).rowcount
            for part in chunks(ids)
        )

    def about(self, link: str, side: Side, refs: Iterable[str]) -> list[tuple[int, str]]:
        """Return the id of each entry of a link about items of `side`, and the other side's ref."""
        entry, found = JOURNAL.c, []
        for part in chunks(sorted(set(refs) - {""})):
            here = select(entry.id, entry.counterpart).where(entry.ref.in_(part))
            there = select(entry.id, entry.ref).where(entry.counterpart.in_(part))
            for query, on in ((here, side), (there, side.other)):
                rows = self.db.execute(query.where(entry.link == link, entry.side == on.value))
                found += [(row[0], row[1]) for row in rows]
        return found

    def redact(
        self, ids: Iterable[int], former: Iterable[str] = (), *, encrypted: bool = True
    ) -> int:
        """Erase what these entries tell of items (values and images); the entries stay.

        `former` are digests of snapshots that pairings stood on, to be erased too. Without
        `encrypted` only what can be read without a key is erased.
        What pairings stand on now is spared, so they are put anew first; any other that shares
        the same bytes loses them too.
        """
        digests = set(former)
        for part in chunks(ids):
            query = select(JOURNAL.c.fields, JOURNAL.c.before, JOURNAL.c.after)
            for row in self.db.execute(query.where(JOURNAL.c.id.in_(part))):
                digests.update(digest for digest in row if digest)
        self._blobs.freeze(digests)
        for column in (PAIRINGS.c.crm_blob, PAIRINGS.c.groupware_blob):
            for some in chunks(sorted(digests)):
                digests -= set(self.db.execute(select(column).where(column.in_(some))).scalars())
        return self._blobs.erase(sorted(digests), encrypted=encrypted)

    def floor(self, before: datetime) -> int:
        """Return the id below which all entries are older than `before` (UTC)."""
        young = select(func.min(JOURNAL.c.id)).where(JOURNAL.c.at >= before)
        floor = self.db.execute(young).scalar()
        if floor is None:
            floor = (self.db.execute(select(func.max(JOURNAL.c.id))).scalar() or 0) + 1
        return int(floor)

    def below(self, floor: int) -> int:
        """Return how many entries there are below an id."""
        query = select(func.count()).where(JOURNAL.c.id < floor)
        return int(self.db.execute(query).scalar() or 0)

    def prune(self, before: datetime) -> int:
        """Remove the entries older than `before` (UTC) for good; return how many there were.

        Ids never come again. Their blobs go with the next `blobs.collect`.
        """
        return self.cut(self.floor(before))

    def cut(self, floor: int, most: int | None = None) -> int:
        """Remove the entries below an id, the `most` oldest of very many; return how many."""
        if most is not None:
            some = select(JOURNAL.c.id).where(JOURNAL.c.id < floor).order_by(JOURNAL.c.id)
            first = self.db.execute(some.offset(most).limit(1)).scalar()
            floor = floor if first is None else int(first)
        # Never lower than it was: by it the highest id is known that was ever given.
        lowest = self.db.execute(select(func.max(JOURNAL_FLOOR.c.floor))).scalar() or 0
        self.db.execute(delete(JOURNAL_FLOOR))
        self.db.execute(insert(JOURNAL_FLOOR).values(floor=max(floor, int(lowest))))
        return self.db.execute(delete(JOURNAL).where(JOURNAL.c.id < floor)).rowcount


def _row(entry: Entry, fields: str | None) -> dict[str, Any]:
    values = msgspec.structs.asdict(entry)
    del values["id"]
    return {**values, "side": entry.side.value, "kind": entry.kind.value, "fields": fields}


def _entry(row: AnyRow, changed: dict[str, bytes]) -> Entry:
    fields: tuple[FieldChange, ...] = ()
    if row.fields in changed:
        fields = decode_changes(changed[row.fields])
    return Entry(
        **{**row._mapping, "side": Side(row.side), "kind": Kind(row.kind), "fields": fields}
    )
