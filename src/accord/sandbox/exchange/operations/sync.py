"""SyncFolderItems: what happened in a folder since a client last asked."""

from __future__ import annotations

from accord.sandbox.exchange import changes, ids
from accord.sandbox.exchange.call import Call, batch
from accord.sandbox.exchange.errors import EwsError
from accord.sandbox.exchange.properties import item_id, view
from accord.sandbox.exchange.shapes import ShapeWanted, wanted
from accord.sandbox.exchange.xml import Node, child, flag, is_true, m, t, text_at


def sync_folder_items(call: Call, request: Node) -> Node:
    """Answer the changes of a folder behind a cursor, and the cursor behind them."""
    named, ignored = child(request, "SyncFolderId"), child(request, "Ignore")
    assert named is not None
    state, most = text_at(request, "SyncState"), int(text_at(request, "MaxChangesReturned") or 0)

    most = min(most, call.limits.synced or most)

    def work(_: Node) -> list[Node]:
        shape = wanted(request[0])
        folder = call.folder(named[0])
        cursor = changes.Cursor(folder.id, folder.mailbox)
        if state:
            address = call.owner(folder.mailbox).address
            if call.faults.take("expired", call.operation, address) is not None:
                raise EwsError("ErrorInvalidSyncStateData")
            cursor = changes.read(state, folder.id, folder.mailbox)
        found, cursor, last = changes.items_since(call.store, cursor, most)
        skip = {each.get("Id") for each in (ignored if ignored is not None else ())}
        nodes = [
            _node(call, each, shape, folder.mailbox)
            for each in found
            if ids.write(ids.Id(folder.mailbox, each.row)) not in skip
        ]
        return [
            m("SyncState", changes.write(cursor)),
            m("IncludesLastItemInRange", flag(last)),
            m("Changes", *nodes),
        ]

    return batch(call, [request], work)


def _node(call: Call, change: changes.Change, shape: ShapeWanted, mailbox: int) -> Node:
    item = change.item
    if item is None:
        return t("Delete", t("ItemId", Id=ids.write(ids.Id(mailbox, change.row))))
    if change.kind == "ReadFlagChange":
        read = flag(is_true(text_at(item.content, "IsRead")))
        return t("ReadFlagChange", item_id(item), t("IsRead", read))
    return t(change.kind, view(call, item, shape, listing=True))
