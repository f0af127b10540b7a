"""What a device answers to our changes, its names for new items, and the end of a sync.

Names and versions are stored item by item; the anchors only with the device's last package.
"""

from __future__ import annotations

import msgspec

from accord.formats.syncml import message as m
from accord.formats.syncml.status import StatusCode
from accord.interface.server.change import guid
from accord.interface.server.house import Turn
from accord.interface.server.stores import find
from accord.interface.server.talk import Mode, Sent, StoreTalk
from accord.state.device_items import Anchors, DeviceItem
from accord.state.state import Tx


class Heard:
    """Collect what the statuses of one message confirm, to store it in one go."""

    def __init__(self, turn: Turn) -> None:
        """Begin a message."""
        self._turn = turn
        self._versions: dict[str, dict[str, tuple[str, str]]] = {}
        self._gone: dict[str, list[str]] = {}
        self._again: dict[str, list[str]] = {}

    def status(self, status: m.Status) -> None:
        """Take one status of the device."""
        talk = self._turn.talk
        sent = talk.sent.get(f"{status.msg_ref}/{status.cmd_ref}")
        store = talk.stores.get(sent.store) if sent else None
        if sent is None or store is None:
            return
        if status.code != StatusCode.IN_PROGRESS:
            del talk.sent[f"{status.msg_ref}/{status.cmd_ref}"]
        good = status.code < StatusCode.MULTIPLE_CHOICES or status.code == StatusCode.ALREADY_EXISTS
        match sent.what:
            case "alert" | "sync":
                if not good and status.code != StatusCode.REFRESH_REQUIRED:
                    store.failed = f"the device answered {status.code}"
            case "part":
                if not good and store.part is not None and store.part.out.ref == sent.ref:
                    known, store.part = store.part.out.luid is not None, None
                    self._refused(store, sent, status.code, known=known)
            case _:
                self._item(store, sent, status.code, good=good)

    def store(self) -> None:
        """Store what was confirmed."""

        def work(tx: Tx) -> None:
            for name, versions in self._versions.items():
                store = self._turn.talk.stores[name]
                tx.device_items.touch(self._turn.shelf(store), versions, store.mark)
            for name, refs in self._gone.items():
                tx.device_items.drop(self._turn.shelf(self._turn.talk.stores[name]), refs)

            for name, refs in self._again.items():
                store = self._turn.talk.stores[name]
                rows = [
                    DeviceItem(ref=ref, guid=guid(ref), session=store.mark, ours=True)
                    for ref in refs
                ]
                tx.device_items.put(self._turn.shelf(store), rows)

        if self._versions or self._gone or self._again:
            self._turn.house.state.run(work)

    def _item(self, store: StoreTalk, sent: Sent, code: int, *, good: bool) -> None:
        gone = code in (StatusCode.NOT_FOUND, StatusCode.GONE, StatusCode.ITEM_NOT_DELETED)
        if sent.what == "delete":
            if good or gone:
                self._gone.setdefault(store.name, []).append(sent.ref)
                store.count("sent-deleted")
            else:
                self._refused(store, sent, code, known=True)
        elif good:
            self._versions.setdefault(store.name, {})[sent.ref] = sent.version, sent.base
            store.count("sent-added" if sent.what == "add" else "sent-changed")
        elif gone:
            # It isn't there any more under that name: next time it is offered as a new one.
            self._again.setdefault(store.name, []).append(sent.ref)
        else:
            self._refused(store, sent, code, known=True)

    def _refused(self, store: StoreTalk, sent: Sent, code: int, *, known: bool) -> None:
        """Leave what the device refuses to be sent again: next time it may have room.

        `known` says that its row is there already.
        """
        if known:
            self._versions.setdefault(store.name, {})[sent.ref] = "", ""
        else:
            self._again.setdefault(store.name, []).append(sent.ref)
        self._turn.note(store, "unsent", f"the device answered {code}", ref=sent.ref)


def map_(turn: Turn, command: m.Map) -> None:
    """Take the device's names for items that we added."""
    target, source = command.target.uri, command.source.uri
    found = find(target, turn.house.crm.traits)
    store = turn.talk.stores.get(found.name) if found else None
    if store is None:
        turn.reply.status(command.cmd_id, "Map", StatusCode.NOT_FOUND, target=target, source=source)
        return
    pairs = {pair.target.uri: pair.source.uri for pair in command.items}
    shelf = turn.shelf(store)

    def work(tx: Tx) -> None:
        rows = tx.device_items.by_guid(shelf, pairs)
        named = {
            pairs[guid]: msgspec.structs.replace(row, luid=pairs[guid])
            for guid, row in rows.items()
        }
        tx.device_items.put(shelf, list(named.values()))

    turn.house.state.run(work)
    turn.reply.status(command.cmd_id, "Map", StatusCode.OK, target=target, source=source)


def commit(turn: Turn) -> None:
    """End the syncs of all stores that came through: the next ones begin here.

    What the device didn't answer it needn't have got: it is sent again.
    """
    silent: dict[str, dict[str, tuple[str, str]]] = {}
    for sent in turn.talk.sent.values():
        # New ones are offered until they are named, and named they were taken.
        if sent.what in ("replace", "delete"):
            silent.setdefault(sent.store, {})[sent.ref] = "", ""
            why = "the device never answered it"
            turn.note(turn.talk.stores[sent.store], "unsent", why, ref=sent.ref)

    def work(tx: Tx) -> None:
        for store in turn.talk.stores.values():
            shelf = turn.shelf(store)
            store.ended = True
            end = "to be compared once more: an item met a fault" if store.repeats else "done"
            tx.sync_log.put(turn.log(store, store.failed or end))
            if store.failed:
                continue
            tx.device_items.touch(shelf, silent.get(store.name, {}), store.mark)
            before = store.before.cursor if store.before else ""
            moved = store.mode is not Mode.FROM_CLIENT and not store.merge and not store.held
            cursor = store.cursor if moved else before
            client = "" if store.repeats else store.client_next
            made = Anchors(client=client, own=store.own_next, cursor=cursor)
            tx.device_anchors.put(shelf, made)
            if store.slow:
                tx.device_items.drop_all(shelf, but=store.mark)

    turn.house.state.run(work)


def suspend(turn: Turn, why: str) -> None:
    """Note that a device broke off; what was done stays done."""

    def work(tx: Tx) -> None:
        for store in turn.talk.stores.values():
            tx.sync_log.put(turn.log(store, why))

    turn.house.state.run(work)
