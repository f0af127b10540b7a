"""What a conversation needs of the world, and one message's view of it.

Made by the server; everything that answers a message takes a `Turn`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from accord.formats.syncml.devinf import DevInf
from accord.formats.syncml.message import Message
from accord.formats.types import Format
from accord.interface.server import devinf as info
from accord.interface.server import render
from accord.interface.server.faults import each
from accord.interface.server.settings import InterfaceSettings
from accord.interface.server.signin import SignIn
from accord.interface.server.stores import STORES, Store
from accord.interface.server.talk import StoreTalk, Talk
from accord.interface.server.unfolding import MARK, Unfolded
from accord.model import canonical
from accord.model.item import Item
from accord.model.kinds import Kind
from accord.model.learning import learnt
from accord.model.observe import Observation, Unknown
from accord.model.traits import KindTraits
from accord.ports.adapter import Adapter, Ask, Session
from accord.ports.errors import AccordError
from accord.state import State
from accord.state.device_items import Shelf
from accord.state.sync_sessions import Sync, SyncNote

if TYPE_CHECKING:
    from accord.interface.server.reply import Reply


A = TypeVar("A")
R = TypeVar("R")

Call: TypeAlias = "Callable[[str, Kind, Sequence[A]], list[R]]"
"""Be one of the CRM's batch calls, of a folder, a kind and what is asked for."""

_MOST_NOTES = 1_000
_LONGEST = 200


class House(Struct, frozen=True):
    """Hold what all conversations share."""

    state: State
    crm: Adapter
    sign_in: SignIn
    settings: InterfaceSettings

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        return self.state.clock()


class Turn:
    """Be one message being answered, in one conversation; belongs to one thread."""

    def __init__(self, house: House, talk: Talk, message: Message, reply: Reply) -> None:
        """Begin to answer."""
        self.house = house
        self.talk = talk
        self.message = message
        self.reply = reply
        self.described = 0
        self._notes: list[tuple[str, SyncNote]] = []

    @cached_property
    def crm(self) -> Session:
        """Return the CRM as the user whose device this is; raises what `Adapter.open` does."""
        session = self.house.crm.open(self.talk.user)
        # Connectors keep items as they are.
        return session if self.talk.connector is not None else Unfolded(session, self._held)

    @cached_property
    def devinf(self) -> DevInf | None:
        """Return what the device said of itself, now or ever."""
        with self.house.state.read() as tx:
            data = tx.devices.devinf(self.talk.user, self.talk.device)
        return None if data is None else msgspec.json.decode(data, type=learnt(DevInf))

    def learn(self, devinf: DevInf) -> None:
        """Remember what the device says of itself."""
        data = msgspec.json.encode(devinf)
        who = self.talk.user, self.talk.device
        self.house.state.run(lambda tx: tx.devices.put_devinf(*who, data))
        self.__dict__["devinf"] = devinf

    def _held(self) -> list[str]:
        shelf = Shelf(self.talk.user, self.talk.device, "calendar")
        with self.house.state.read() as tx:
            return tx.device_items.refs(shelf, containing=MARK)

    def shelf(self, store: StoreTalk) -> Shelf:
        """Return where the items of a device's store are kept."""
        return Shelf(self.talk.user, self.talk.device, store.name)

    def store(self, store: StoreTalk) -> Store:
        """Return what a store is."""
        return STORES[store.name]

    def traits(self, store: StoreTalk) -> KindTraits:
        """Return what the CRM can do with the items of a store."""
        return self.house.crm.traits.kinds[self.store(store).kind]

    def form(self, store: StoreTalk) -> Format:
        """Return the type in which the device gets items; raises Refused where it takes none."""
        device = info.described(self.devinf, store.uri)
        return info.choose(self.store(store), device)

    def keeps(self, store: StoreTalk, form: Format) -> frozenset[str]:
        """Return the fields of a store's items that the device keeps."""
        properties = info.kept_properties(self.devinf, store.uri, form)
        return render.supported(self.store(store).kind, properties)

    def known(self, store: StoreTalk, refs: Sequence[str]) -> Mapping[str, str]:
        """Return which versions of some refs the device has."""
        with self.house.state.read() as tx:
            return tx.device_items.known(self.shelf(store), refs)

    def where(self, store: StoreTalk) -> str:
        """Name a device's store for the log."""
        return f"{self.talk.device}/{store.name}"

    def ask(self, store: StoreTalk, call: Call[A, R], asks: Sequence[A]) -> list[R | AccordError]:
        """Return the CRM's answers to a batch; a fault is the answer of the one that it met."""
        kind = self.store(store).kind
        return each(lambda some: call("", kind, some), asks, self.where(store))

    def fetch(self, store: StoreTalk, refs: Sequence[str]) -> list[Observation]:
        """Return what some refs hold now; what meets a fault can't be read this time."""
        seen = self.ask(store, self.crm.fetch, [Ask(ref=ref) for ref in refs])
        return [
            Unknown(ref, str(one)) if isinstance(one, AccordError) else one
            for ref, one in zip(refs, seen, strict=True)
        ]

    def note(
        self,
        store: StoreTalk,
        what: str,
        why: str,
        *,
        luid: str = "",
        ref: str = "",
        item: Item | None = None,
    ) -> None:
        """Put into the log that an item was refused, or which one lost.

        What lost is always kept; of mere refusals so many are, and the others counted.
        """
        store.count(what)
        if item is None and store.counts[what] > _MOST_NOTES:
            return
        data = None if item is None else canonical.encode(item)
        line = SyncNote(what=what, luid=luid, ref=ref, why=why, item=data)
        self._notes.append((store.id, line))

    def stray(self, store: str, why: str, luids: Sequence[str] = ()) -> None:
        """Put into the log what was refused outside of any sync: a line a day for each store."""
        counts = {"refused": len(luids) or 1}
        line = self.daily(store[:_LONGEST], counts, device=self.talk.device, mode="", end=why)
        notes = [(line, SyncNote(what="refused", luid=luid, why=why)) for luid in luids or ("",)]
        self.house.state.run(lambda tx: tx.sync_log.note(notes[:_MOST_NOTES]))

    def daily(self, store: str, counts: dict[str, int], *, device: str, mode: str, end: str) -> str:
        """Add to the line of the log that a store of this user has today; return its id."""
        now, user = self.house.now(), self.talk.user
        names = f"{user}\0{device}\0{mode}\0{store}\0{now:%Y%m%d}"
        id_ = hashlib.sha256(names.encode("utf-8", "replace")).hexdigest()[:32]
        kept = Sync(
            id=id_, at=now, user=user, device=device, store=store, mode=mode, counts=counts, end=end
        )
        self.house.state.run(lambda tx: tx.sync_log.add(kept), durable=False)
        return id_

    def log(self, store: StoreTalk, end: str = "") -> Sync:
        """Return a store's line in the log."""
        return Sync(
            id=store.id,
            at=self.house.now(),
            user=self.talk.user,
            device=self.talk.device,
            store=store.name,
            mode=store.mode,
            counts=store.counts,
            end=end,
        )

    def close(self) -> None:
        """Store what was noted, and let go of the CRM."""
        if self._notes:
            notes, self._notes = self._notes, []
            self.house.state.run(lambda tx: tx.sync_log.note(notes))
        if "crm" in self.__dict__:
            self.crm.close()
