"""Pairings: the two snapshots last known to agree, per link.

Loaded for changed refs only and put back in one commit with journal and intents.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_type_hints

import msgspec
from sqlalchemy import BindParameter, bindparam, delete, func, select

from accord.db.tx import AnyRow, chunks
from accord.engine.plan import Pairing
from accord.model.kinds import Side
from accord.model.learning import learnt
from accord.model.observe import Snapshot
from accord.state.blobs import Blobs, is_private
from accord.state.codec import decode_snapshot, encode_snapshot
from accord.state.context import Context, Repository
from accord.state.schema import PAIRINGS

_PAGE = 500
# Fields with a column (or two) of their own; all others travel in `more`.
_COLUMNS = {"id", "crm", "groupware", "rule", "content", "made", "frozen"}
_TYPES = {n: t for n, t in get_type_hints(Pairing).items() if n not in _COLUMNS}
_REF = {Side.CRM: PAIRINGS.c.crm_ref, Side.GROUPWARE: PAIRINGS.c.groupware_ref}
_VERSION = {Side.CRM: PAIRINGS.c.crm_version, Side.GROUPWARE: PAIRINGS.c.groupware_version}


_P = PAIRINGS.c
_LINK = _P.link == bindparam("link")
_AMONG: BindParameter[Any] = bindparam("refs", expanding=True)
_BY_REFS = {side: select(PAIRINGS).where(_LINK, ref.in_(_AMONG)) for side, ref in _REF.items()}
_REFS = {side: select(ref).where(_LINK) for side, ref in _REF.items()}
_VERSIONS = {side: select(ref, _VERSION[side]).where(_LINK) for side, ref in _REF.items()}
_VERSIONS_OF = {side: query.where(_REF[side].in_(_AMONG)) for side, query in _VERSIONS.items()}
_IDS_OF = {side: select(ref, _P.id).where(_LINK, ref.in_(_AMONG)) for side, ref in _REF.items()}
_NAMED = _P.id.in_(bindparam("ids", expanding=True))
_BY_IDS = select(PAIRINGS).where(_NAMED)
_REMOVED = delete(PAIRINGS).where(_NAMED)
_BY_UIDS = (
    select(PAIRINGS).where(_LINK, _P.uid.in_(bindparam("uids", expanding=True))).order_by(_P.id)
)
_COUNT = select(func.count()).select_from(PAIRINGS).where(_LINK)


class Pairings(Repository):
    """Keep pairings."""

    def __init__(self, context: Context, blobs: Blobs) -> None:
        """Keep the surroundings and the blobs in which snapshots lie."""
        super().__init__(context)
        self._blobs = blobs

    def by_refs(self, link: str, side: Side, refs: Iterable[str]) -> dict[str, Pairing]:
        """Return the link's pairings by their ref on `side`; unpaired refs are left out."""
        rows: list[AnyRow] = []
        for part in chunks(sorted(set(refs))):
            rows.extend(self.db.execute(_BY_REFS[side], {"link": link, "refs": part}))
        return {pairing.side(side).ref: pairing for pairing in self._load(rows)}

    def versions(self, link: str, side: Side, refs: Iterable[str] | None = None) -> dict[str, str]:
        """Return the known version of each paired ref (of all refs by default); no items read."""
        if refs is None:
            return self.db.mapping(_VERSIONS[side], {"link": link})
        found: dict[str, str] = {}
        for part in chunks(sorted(set(refs))):
            found.update(self.db.mapping(_VERSIONS_OF[side], {"link": link, "refs": part}))
        return found

    def ids(self, link: str, side: Side, refs: Iterable[str]) -> dict[str, str]:
        """Return the pairing's id of each paired ref; no items read."""
        found: dict[str, str] = {}
        for part in chunks(sorted(set(refs))):
            found.update(self.db.mapping(_IDS_OF[side], {"link": link, "refs": part}))
        return found

    def get(self, key: str) -> Pairing | None:
        """Return one pairing."""
        return next(iter(self.get_many([key]).values()), None)

    def get_many(self, ids: Iterable[str]) -> dict[str, Pairing]:
        """Return pairings by id."""
        rows: list[AnyRow] = []
        for part in chunks(sorted(set(ids))):
            rows.extend(self.db.execute(_BY_IDS, {"ids": part}))
        return {pairing.id: pairing for pairing in self._load(rows)}

    def put(self, link: str, pairing: Pairing) -> None:
        """Store a pairing; raises Taken where one of its refs is paired already."""
        self.put_many(link, [pairing])

    def put_many(self, link: str, pairings: Sequence[Pairing]) -> None:
        """Store pairings of one link in three statements; raises Taken as `put` does."""
        snapshots = ((each, p.private) for p in pairings for each in (p.crm, p.groupware))
        contents = ((encode_snapshot(s), private or is_private(s)) for s, private in snapshots)
        digests = iter(self._blobs.put_many(contents))
        rows = [_row(link, pairing, next(digests), next(digests)) for pairing in pairings]
        # Not an upsert: two pairs may have swapped their refs.
        self.remove_many(pairing.id for pairing in pairings)
        self.db.insert(PAIRINGS, rows)

    def remove(self, key: str) -> bool:
        """Forget a pairing; tell whether there was one."""
        return self.remove_many([key]) > 0

    def remove_many(self, ids: Iterable[str]) -> int:
        """Forget pairings; return how many there were."""
        return sum(self.db.execute(_REMOVED, {"ids": part}).rowcount for part in chunks(ids))

    def count(self, link: str) -> int:
        """Return how many pairings a link has, frozen ones included."""
        return int(self.db.execute(_COUNT, {"link": link}).scalar_one())

    def live(self, link: str) -> int:
        """Return how many pairings of a link take part at present, frozen ones left out."""
        return int(self.db.execute(_COUNT.where(_P.frozen == ""), {"link": link}).scalar_one())

    def all(self, link: str) -> Iterator[Pairing]:
        """Yield a link's pairings by id, some hundred at a time."""
        last = ""
        while True:
            query = select(PAIRINGS).where(PAIRINGS.c.link == link, PAIRINGS.c.id > last)
            rows = self.db.execute(query.order_by(PAIRINGS.c.id).limit(_PAGE)).all()
            if not rows:
                return
            yield from self._load(rows)
            last = rows[-1].id

    def refs(self, link: str, side: Side) -> set[str]:
        """Return all paired refs of one side."""
        return set(self.db.execute(_REFS[side], {"link": link}).scalars())

    def elsewhere(self, link: str, side: Side, refs: Iterable[str]) -> dict[str, set[str]]:
        """Return which other links have paired these refs of one side; no items read."""
        found: dict[str, set[str]] = {}
        query = select(_REF[side], PAIRINGS.c.link).where(PAIRINGS.c.link != link)
        for part in chunks(sorted(set(refs))):
            for ref, other in self.db.execute(query.where(_REF[side].in_(part))):
                found.setdefault(ref, set()).add(other)
        return found

    def occurrences(self, link: str) -> list[str]:
        """Return the CRM's refs of a link's single occurrences (`REF#WHEN`) that have copies."""
        like = _P.crm_ref.like("%#________T______")
        return list(self.db.execute(select(_P.crm_ref).where(_P.link == link, like)).scalars())

    def occurrences_of(self, ref: str) -> list[tuple[str, str]]:
        """Return (link, ref in the CRM) of every copy of a single occurrence (`REF#WHEN`)."""
        like = _P.crm_ref.startswith(f"{ref}#", autoescape=True)
        rows = self.db.execute(select(_P.link, _P.crm_ref).where(like).order_by(_P.crm_ref))
        return [(link, each) for link, each in rows]

    def by_uid(self, uid: str) -> list[tuple[str, str]]:
        """Return (link, pairing id) of every pairing of this uid."""
        return self._ids(PAIRINGS.c.uid == uid)

    def by_uids(self, link: str, uids: Iterable[str]) -> dict[str, list[Pairing]]:
        """Return a link's pairings by uid: the mailbox item's, else the record's."""
        rows: list[AnyRow] = []
        for part in chunks(sorted(set(uids) - {""})):
            rows.extend(self.db.execute(_BY_UIDS, {"link": link, "uids": part}))
        found: dict[str, list[Pairing]] = {}
        for row, pairing in zip(rows, self._load(rows), strict=True):
            found.setdefault(row.uid, []).append(pairing)
        return found

    def digests(self, ids: Iterable[str]) -> set[str]:
        """Return under which digests the snapshots of these pairings lie."""
        found: set[str] = set()
        query = select(PAIRINGS.c.crm_blob, PAIRINGS.c.groupware_blob)
        for part in chunks(sorted(set(ids))):
            for row in self.db.execute(query.where(PAIRINGS.c.id.in_(part))):
                found.update(row)
        return found

    def _ids(self, condition: Any) -> list[tuple[str, str]]:
        query = select(PAIRINGS.c.link, PAIRINGS.c.id).where(condition).order_by(PAIRINGS.c.id)
        return [(link, key) for link, key in self.db.execute(query)]

    def _load(self, rows: Sequence[AnyRow]) -> list[Pairing]:
        wanted = {digest for row in rows for digest in (row.crm_blob, row.groupware_blob)}
        data = self._blobs.get_many(wanted)
        return [_pairing(row, data) for row in rows]


def _row(link: str, pairing: Pairing, crm_blob: str, groupware_blob: str) -> dict[str, Any]:
    more = {name: value for name in _TYPES if (value := getattr(pairing, name))}
    return {
        "id": pairing.id,
        "link": link,
        "crm_ref": pairing.crm.ref,
        "crm_version": pairing.crm.version,
        "crm_blob": crm_blob,
        "groupware_ref": pairing.groupware.ref,
        "groupware_version": pairing.groupware.version,
        "groupware_blob": groupware_blob,
        "uid": pairing.groupware.item.uid or pairing.crm.item.uid,
        "rule": pairing.rule,
        "content": pairing.content,
        "made": pairing.made.value if pairing.made else "",
        "frozen": pairing.frozen,
        "more": more or None,
    }


def _pairing(row: AnyRow, data: dict[str, bytes]) -> Pairing:
    more = row.more or {}
    known = {n: msgspec.convert(more[n], learnt(t)) for n, t in _TYPES.items() if n in more}
    return Pairing(
        id=row.id,
        crm=_snapshot(data, row.crm_blob, row.id),
        groupware=_snapshot(data, row.groupware_blob, row.id),
        rule=row.rule,
        content=row.content,
        made=Side(row.made) if row.made else None,
        frozen=row.frozen,
        **known,
    )


def _snapshot(data: dict[str, bytes], digest: str, pairing: str) -> Snapshot:
    if digest not in data:
        raise LookupError(f"pairing {pairing} lost its snapshot {digest}")
    return decode_snapshot(data[digest])
