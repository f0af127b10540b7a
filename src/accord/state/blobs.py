"""Content-addressed bytes that pairings, journal and devices share; private ones are encrypted.

Snapshots go in with every commit; `collect` drops what nobody refers to any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import cache

from sqlalchemy import ColumnElement, bindparam, delete, func, select, union
from sqlalchemy.sql import Executable

from accord.db.tx import chunks, inserting
from accord.model.observe import Snapshot
from accord.model.parts import Privacy
from accord.state.codec import decode_snapshot, encode_snapshot
from accord.state.context import SEALED, Context, Repository
from accord.state.schema import BLOBS, DEVICE_ITEMS, JOURNAL, PAIRINGS

_GRACE = timedelta(days=1)
_TOUCH = timedelta(hours=1)


_B = BLOBS.c
_DATA = select(_B.digest, _B.data).where(_B.digest.in_(bindparam("digests", expanding=True)))


class Blobs(Repository):
    """Keep bytes under their digest."""

    def __init__(self, context: Context) -> None:
        """Keep the surroundings, and what this transaction has stored so far."""
        super().__init__(context)
        self._stored: set[str] = set()

    def put(self, data: bytes, *, private: bool = False) -> str:
        """Store bytes and return their digest; equal bytes are stored once."""
        return self.put_many([(data, private)])[0]

    def put_many(self, contents: Iterable[tuple[bytes, bool]]) -> list[str]:
        """Store (bytes, private) pairs in one statement and return their digests in order.

        Private ones are encrypted, and their digest needs the key; raises ConfigError where
        there is no key file.
        """
        now, rows, digests = self.context.now(), {}, []
        for data, private in contents:
            digest = self._digest(data, private=private)
            digests.append(digest)
            if digest not in rows and digest not in self._stored:
                wrapped = self.context.wrap(data, digest, private=private)
                rows[digest] = {"digest": digest, "data": wrapped, "at": now}
        if rows:
            # In one order everywhere, so that two batches seldom wait for each other.
            some = [{**rows[digest], "stale": now - _TOUCH} for digest in sorted(rows)]
            self.db.execute(_storing(self.db.dialect), some)
            self._stored.update(rows)
        return digests

    def get(self, digest: str) -> bytes | None:
        """Return the bytes; None where they were erased or collected."""
        return self.get_many([digest]).get(digest)

    def get_many(self, digests: Iterable[str]) -> dict[str, bytes]:
        """Return the bytes by digest, without those that aren't there."""
        found: dict[str, bytes] = {}
        for part in chunks(sorted(set(digests))):
            for digest, data in self.db.execute(_DATA, {"digests": part}):
                found[digest] = self.context.unwrap(data, digest)
        return found

    def put_item(self, snapshot: Snapshot) -> str:
        """Store a snapshot and return its digest; private items are encrypted."""
        return self.put_items([snapshot])[0]

    def put_items(self, snapshots: Sequence[Snapshot]) -> list[str]:
        """Store snapshots in one statement and return their digests in order."""
        return self.put_many((encode_snapshot(each), is_private(each)) for each in snapshots)

    def get_item(self, digest: str) -> Snapshot | None:
        """Return the snapshot; None where it was erased or collected."""
        return self.get_items([digest]).get(digest)

    def get_items(self, digests: Iterable[str]) -> dict[str, Snapshot]:
        """Return snapshots by digest, without those that aren't there."""
        return {d: decode_snapshot(data) for d, data in self.get_many(digests).items()}

    def freeze(self, digests: Iterable[str]) -> None:
        """Let nobody else store or refer to these anew before this transaction ends.

        Who is just storing one of them is waited for, so that what is asked afterwards holds.
        """
        for part in chunks(sorted(set(digests))):
            query = select(BLOBS.c.digest).where(BLOBS.c.digest.in_(part))
            self.db.execute(query.order_by(BLOBS.c.digest).with_for_update())

    def erase(self, digests: Iterable[str], *, encrypted: bool = True) -> int:
        """Remove bytes for good, whoever refers to them; return how many there were.

        Without `encrypted` those stay that can't be read without a key.
        """
        self._stored.clear()
        which = () if encrypted else (func.substr(BLOBS.c.data, 1, 1) != SEALED,)
        return sum(
            self.db.execute(delete(BLOBS).where(BLOBS.c.digest.in_(part), *which)).rowcount
            for part in chunks(digests)
        )

    def collect(self, grace: timedelta = _GRACE) -> int:
        """Remove what nobody refers to and nobody stored within `grace`; return how many."""
        return self.discard(self.unused(grace), grace)

    def unused(self, grace: timedelta = _GRACE) -> list[str]:
        """Return the digests of what nobody refers to and nobody stored within `grace`."""
        used = union(
            select(PAIRINGS.c.crm_blob),
            select(PAIRINGS.c.groupware_blob),
            select(DEVICE_ITEMS.c.base),
            *(
                select(column).where(column.is_not(None))
                for column in (JOURNAL.c.before, JOURNAL.c.after, JOURNAL.c.fields)
            ),
        )
        query = select(BLOBS.c.digest).where(self._old(grace), BLOBS.c.digest.not_in(used))
        return list(self.db.execute(query).scalars())

    def discard(self, unused: Iterable[str], grace: timedelta = _GRACE) -> int:
        """Remove of these, found `unused`, what still is; return how many.

        Whoever begins to refer to one stores it first, and then it isn't old any more.
        """
        self._stored.clear()
        return sum(
            self.db.execute(
                delete(BLOBS).where(BLOBS.c.digest.in_(part), self._old(grace))
            ).rowcount
            for part in chunks(unused)
        )

    def _old(self, grace: timedelta) -> ColumnElement[bool]:
        return BLOBS.c.at <= self.context.now() - grace

    def _digest(self, data: bytes, *, private: bool) -> str:
        if private:
            return self.context.require_keys().digest(data)
        return hashlib.sha256(data).hexdigest()


@cache
def _storing(dialect: str) -> Executable:
    """Return how blobs are stored; one that is there already is marked as wanted.

    Else it might be collected just now.
    """
    statement = inserting(BLOBS, dialect)
    return statement.on_conflict_do_update(
        index_elements=["digest"],
        set_={"at": statement.excluded.at},
        where=BLOBS.c.at < bindparam("stale"),
    )


def is_private(snapshot: Snapshot) -> bool:
    """Tell whether an item may stand in the database only encrypted."""
    return snapshot.item.privacy is not Privacy.PUBLIC
