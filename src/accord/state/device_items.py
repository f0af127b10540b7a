"""What each store of each device holds: its own names, our refs, the versions it has.

Written item by item as devices confirm; the anchors beside it only when a whole sync is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Text, bindparam, delete, func, or_, select, update

from accord.db.tx import AnyRow, chunks
from accord.model import canonical
from accord.model.item import Item
from accord.state.blobs import Blobs
from accord.state.context import Context, Repository
from accord.state.schema import ANCHORS, DEVICE_ITEMS


class Shelf(Struct, frozen=True):
    """Name one store of one device of one user."""

    user: str
    device: str
    store: str

    @property
    def row(self) -> dict[str, str]:
        """Return the columns that name it."""
        return {"user": self.user, "device": self.device, "store": self.store}


class Anchors(Struct, frozen=True, kw_only=True):
    """Say where the last whole sync ended: for the client, for us, and in the CRM.

    `client` is empty where everything is to be compared once more.
    """

    client: str
    own: str
    cursor: str


class DeviceItem(Struct, frozen=True, kw_only=True):
    """Be one item of a device: its name there, our ref, the name we offered it under.

    Without `luid` it was offered and the device hasn't said its name for it. `version` is the one
    that the device has, empty where it must be sent again. `session` touched it last,
    none where that was before the device began anew. `base` is the digest of the item that device
    and CRM last both had, empty where that isn't known. `ours` says that the device has it from us;
    of all else it may be the one that made it.
    """

    ref: str
    luid: str | None = None
    guid: str = ""
    version: str = ""
    session: str = ""
    base: str = ""
    ours: bool = False


class DeviceAnchors(Repository):
    """Keep anchors."""

    def get(self, shelf: Shelf) -> Anchors | None:
        """Return where the last sync of a store ended, None where there was none."""
        row = self.db.execute(select(ANCHORS).where(*_at(ANCHORS, shelf))).first()
        return None if row is None else Anchors(client=row.client, own=row.own, cursor=row.cursor)

    def put(self, shelf: Shelf, anchors: Anchors) -> None:
        """Store where a sync ended."""
        values = {"client": anchors.client, "own": anchors.own, "cursor": anchors.cursor}
        self.db.upsert(ANCHORS, [{**shelf.row, **values, "at": self.context.now()}])

    def drop(self, shelf: Shelf) -> None:
        """Forget, so that the next sync is a slow one."""
        self.db.execute(delete(ANCHORS).where(*_at(ANCHORS, shelf)))


class DeviceItems(Repository):
    """Keep the items of devices; a name and a ref belong to one item each."""

    def __init__(self, context: Context, blobs: Blobs) -> None:
        """Keep the surroundings and the blobs in which bases lie."""
        super().__init__(context)
        self._blobs = blobs

    def by_luid(self, shelf: Shelf, luids: Iterable[str]) -> dict[str, DeviceItem]:
        """Return items by the device's own names."""
        return {item.luid or "": item for item in self._find(shelf, "luid", luids)}

    def by_ref(self, shelf: Shelf, refs: Iterable[str]) -> dict[str, DeviceItem]:
        """Return items by our refs."""
        return {item.ref: item for item in self._find(shelf, "ref", refs)}

    def by_guid(self, shelf: Shelf, guids: Iterable[str]) -> dict[str, DeviceItem]:
        """Return items by the names that they were offered under."""
        return {item.guid: item for item in self._find(shelf, "guid", guids)}

    def known(self, shelf: Shelf, refs: Sequence[str]) -> Mapping[str, str]:
        """Return the versions that the device has, of those it has."""
        return {
            item.ref: item.version
            for item in self._find(shelf, "ref", refs)
            if item.luid is not None and item.version
        }

    def unsettled(self, shelf: Shelf) -> list[DeviceItem]:
        """Return what was offered and never named, or must be sent again."""
        open_ = or_(DEVICE_ITEMS.c.luid.is_(None), DEVICE_ITEMS.c.version == "")
        query = select(DEVICE_ITEMS).where(*_at(DEVICE_ITEMS, shelf), open_)
        return [_item(row) for row in self.db.execute(query.order_by(DEVICE_ITEMS.c.ref))]

    def refs(self, shelf: Shelf, *, containing: str = "") -> list[str]:
        """Return the refs of all items that the device has, or of those with a text in them."""
        query = select(DEVICE_ITEMS.c.ref).where(*_at(DEVICE_ITEMS, shelf))
        if containing:
            query = query.where(DEVICE_ITEMS.c.ref.contains(containing, autoescape=True))
        return list(self.db.execute(query.order_by(DEVICE_ITEMS.c.ref)).scalars())

    def store(self, items: Mapping[str, Item]) -> dict[str, str]:
        """Store what devices and CRM agree about, encrypted; return the digests by ref."""
        digests = self._blobs.put_many((canonical.encode(item), True) for item in items.values())
        return dict(zip(items, digests, strict=True))

    def bases(self, digests: Iterable[str]) -> dict[str, Item]:
        """Return items by their digests, without those that aren't there any more."""
        found = self._blobs.get_many(digest for digest in digests if digest)
        return {digest: canonical.decode(data) for digest, data in found.items()}

    def put(
        self, shelf: Shelf, items: Sequence[DeviceItem], agreed: Mapping[str, Item] | None = None
    ) -> dict[str, str]:
        """Store items in place of whatever has one of their names or refs; ours stay ours.

        `agreed` are those, by ref, that device and CRM both have now; their digests are returned.
        """
        bases = self.store(agreed or {})
        ours = {one.ref for one in self._find(shelf, "ref", [i.ref for i in items]) if one.ours}
        luids = [item.luid for item in items if item.luid is not None]
        self._drop(shelf, "luid", luids)
        self._drop(shelf, "ref", [item.ref for item in items])
        rows = [
            {
                **shelf.row,
                "ref": item.ref,
                "luid": item.luid,
                "guid": item.guid,
                "version": item.version,
                "session": item.session,
                "base": bases.get(item.ref, item.base),
                "ours": item.ours or item.ref in ours,
            }
            for item in items
        ]
        self.db.insert(DEVICE_ITEMS, rows)
        return bases

    def touch(self, shelf: Shelf, versions: Mapping[str, tuple[str, str]], session: str) -> None:
        """Store which versions of some refs the device has now, with their digests.

        Without a digest, what device and CRM last agreed about stays what it was.
        """
        if not versions:
            return
        change = update(DEVICE_ITEMS).where(
            *_at(DEVICE_ITEMS, shelf), DEVICE_ITEMS.c.ref == bindparam("its_ref")
        )
        base = func.coalesce(
            func.nullif(bindparam("its_base", type_=Text), ""), DEVICE_ITEMS.c.base
        )
        rows = [
            {"its_ref": ref, "its": version, "its_base": digest}
            for ref, (version, digest) in versions.items()
        ]
        values = {"version": bindparam("its"), "base": base, "session": session}
        self.db.execute(change.values(values), rows)

    def drop(self, shelf: Shelf, refs: Sequence[str]) -> None:
        """Forget items by their refs."""
        self._drop(shelf, "ref", refs)

    def drop_all(self, shelf: Shelf, *, but: str | None = None) -> None:
        """Forget all items, or all that a session didn't touch."""
        gone = delete(DEVICE_ITEMS).where(*_at(DEVICE_ITEMS, shelf))
        self.db.execute(gone if but is None else gone.where(DEVICE_ITEMS.c.session != but))

    def age(self, shelf: Shelf, *, but: str) -> None:
        """Take the session off the items that this one didn't touch: they are of before it."""
        change = update(DEVICE_ITEMS).where(*_at(DEVICE_ITEMS, shelf))
        self.db.execute(change.where(DEVICE_ITEMS.c.session != but).values(session=""))

    def count(self, shelf: Shelf) -> int:
        """Return how many items the device has."""
        query = select(func.count()).select_from(DEVICE_ITEMS).where(*_at(DEVICE_ITEMS, shelf))
        return int(self.db.execute(query).scalar_one())

    def _find(self, shelf: Shelf, column: str, values: Iterable[str]) -> list[DeviceItem]:
        found: list[DeviceItem] = []
        for some in chunks(values):
            query = select(DEVICE_ITEMS).where(
                *_at(DEVICE_ITEMS, shelf), DEVICE_ITEMS.c[column].in_(some)
            )
            found += map(_item, self.db.execute(query))
        return found

    def _drop(self, shelf: Shelf, column: str, values: Sequence[str | None]) -> None:
        for some in chunks(values):
            gone = delete(DEVICE_ITEMS).where(*_at(DEVICE_ITEMS, shelf))
            self.db.execute(gone.where(DEVICE_ITEMS.c[column].in_(some)))


def _at(table: Any, shelf: Shelf) -> tuple[ColumnElement[bool], ...]:
    column = table.c
    return (
        column.user == shelf.user,
        column.device == shelf.device,
        column.store == shelf.store,
    )


def _item(row: AnyRow) -> DeviceItem:
    return DeviceItem(
        ref=row.ref,
        luid=row.luid,
        guid=row.guid,
        version=row.version,
        session=row.session,
        base=row.base,
        ours=row.ours,
    )
