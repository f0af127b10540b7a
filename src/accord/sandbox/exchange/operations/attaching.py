"""CreateAttachment, GetAttachment and DeleteAttachment."""

from __future__ import annotations

from accord.sandbox.exchange import attachments, content, ids, series
from accord.sandbox.exchange.attachments import Attachment
from accord.sandbox.exchange.call import Call, batch
from accord.sandbox.exchange.errors import EwsError
from accord.sandbox.exchange.handling import named
from accord.sandbox.exchange.store import Item
from accord.sandbox.exchange.xml import Node, child, m, stamp, t


def create_attachment(call: Call, request: Node) -> Node:
    """Hang files and items on an item, which is another version then."""
    parent = request[0]

    def work(sent: Node) -> list[Node]:
        item = named(call, parent, change=True)
        if item.original:
            attachments.own(call.store, item)
        held = attachments.add(call.store, item, sent, stamp(call.now), call.limits)
        _touch(call, item)
        told = attachments.named(item.mailbox, held, item)
        return [m("Attachments", t(held.kind, told))]

    return batch(call, request[1], work, lambda: [m("Attachments")])


def get_attachment(call: Call, request: Node) -> Node:
    """Answer what hangs on items, with its content."""
    wanted = child(request, "AttachmentIds")
    assert wanted is not None

    def work(which: Node) -> list[Node]:
        held, item = _held(call, which)
        return [m("Attachments", attachments.view(call.store, item.mailbox, held, whole=True))]

    return batch(call, wanted, work, lambda: [m("Attachments")])


def delete_attachment(call: Call, request: Node) -> Node:
    """Take attachments away from their items, which are other versions then."""

    def work(which: Node) -> list[Node]:
        held, item = _held(call, which, change=True)
        attachments.remove(call.store, held)
        _touch(call, item)
        root = attachments.named(item.mailbox, held, item)
        at = {name: root.get(name, "") for name in ("RootItemId", "RootItemChangeKey")}
        return [m("RootItemId", **at)]

    return batch(call, request[0], work)


def _held(call: Call, which: Node, *, change: bool = False) -> tuple[Attachment, Item]:
    found = ids.read(which.get("Id", ""), attachment=True)
    held = attachments.one(call.store, found.row)
    if held is None:
        raise EwsError("ErrorItemNotFound")
    item = call.item(ids.Id(found.mailbox, held.item), change=change)
    known = series.of(call.store, item)
    if held.original and known is not None:
        item = known.occurrence(held.original)
    return held, item


def _touch(call: Call, item: Item) -> None:
    """Count the change of what hangs on an item as one of the item."""
    item.modified = stamp(call.now)
    if not item.original:
        call.store.change_item(item, ["item:Attachments"], content.indexed(item))
        return
    master = call.item(ids.Id(item.mailbox, item.id), change=True)
    known = series.of(call.store, master)
    assert known is not None
    series.keep(call.store, known, item, {"Attachments"})
    call.store.change_item(master, ["calendar:ModifiedOccurrences"], content.indexed(master))
    item.change = master.change
