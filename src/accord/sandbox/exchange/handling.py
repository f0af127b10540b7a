"""Take hold of items as requests name them, and put them elsewhere."""

from __future__ import annotations

import copy

from accord.sandbox.exchange import attachments, content, ids, series
from accord.sandbox.exchange.call import Call
from accord.sandbox.exchange.errors import EwsError
from accord.sandbox.exchange.people import distinguished
from accord.sandbox.exchange.store import Folder, Item
from accord.sandbox.exchange.xml import Node, local


def named(call: Call, node: Node, *, change: bool = False) -> Item:
    """Return the item, occurrence or series that a request names. Raises EwsError."""
    if (key := node.get("ChangeKey")) is not None:
        ids.read_key(key)
    match local(node):
        case "OccurrenceItemId":
            which = ids.read(node.get("RecurringMasterId", ""))
        case "RecurringMasterItemId":
            which = ids.read(node.get("OccurrenceId", ""))
            if not which.original:
                raise EwsError("ErrorCalendarCannotUseIdForRecurringMasterId")
            return call.item(ids.Id(which.mailbox, which.row), change=change)
        case _:
            which = ids.read(node.get("Id", ""))
    item = call.item(ids.Id(which.mailbox, which.row), change=change)
    held = series.of(call.store, item)
    if local(node) == "OccurrenceItemId":
        if held is None or which.original:
            raise EwsError("ErrorCalendarCannotUseIdForOccurrenceId")
        return held.numbered(int(node.get("InstanceIndex", "0")))
    if which.original:
        gone = call.store.occurrences(which.row).get(which.original)
        if held is None or (gone is not None and gone.content is None):
            raise EwsError("ErrorItemNotFound")
        return held.occurrence(which.original)
    return item


def move(call: Call, item: Item, folder: Folder) -> Item:
    """Move an item into a folder; there it has another id."""
    made = duplicate(call, item, folder, "MovedEvent")
    call.store.remove_item(item, moved=made.mailbox == item.mailbox)
    return made


def throw_away(call: Call, item: Item) -> Item | None:
    """Move an item into Deleted Items; one that is there already is gone then."""
    rubbish = distinguished(call.store, item.mailbox, "deleteditems")
    if item.folder != rubbish.id:
        return move(call, item, rubbish)
    call.store.remove_item(item)
    return None


def duplicate(call: Call, item: Item, folder: Folder, event: str = "CopiedEvent") -> Item:
    """Put a copy of an item, with its occurrences, into a folder."""
    made = copy.copy(item)
    made.content = copy.deepcopy(item.content)
    made.mailbox, made.folder = folder.mailbox, folder.id
    kept = call.store.occurrences(item.id)
    # In another mailbox, what came from outside is just new.
    told = (event, item) if made.mailbox == item.mailbox else ()
    made = call.store.add_item(made, content.indexed(made), *told)
    attachments.pass_on(call.store, item, made)
    for each in kept.values():
        call.store.put_occurrence(made.id, each)
    return made
