"""CreateItem, GetItem, UpdateItem, DeleteItem, MoveItem, CopyItem and SendItem."""

from __future__ import annotations

import copy

from accord.sandbox.exchange import attachments, content, ids, mail, meetings, mime, series
from accord.sandbox.exchange.call import Call, batch
from accord.sandbox.exchange.errors import EwsError
from accord.sandbox.exchange.handling import duplicate, move, named
from accord.sandbox.exchange.operations import responding
from accord.sandbox.exchange.people import distinguished
from accord.sandbox.exchange.properties import item_id, view
from accord.sandbox.exchange.shapes import wanted
from accord.sandbox.exchange.store import Folder, Item, Occurrence
from accord.sandbox.exchange.xml import Node, child, is_true, local, m, stamp, t, text_at

_HOMES = {"CalendarItem": "calendar", "Contact": "contacts", "Task": "tasks"}
_NONE = "SendToNone"
_ONLY = {
    "CalendarItem": ("IPF.Appointment", "ErrorCannotCreateCalendarItemInNonCalendarFolder"),
    "Contact": ("IPF.Contact", "ErrorCannotCreateContactInNonContactFolder"),
    "Task": ("IPF.Task", "ErrorCannotCreateTaskInNonTaskFolder"),
}


def create_item(call: Call, request: Node) -> Node:
    """Create items, and send what the request says is to be sent."""
    target = child(request, "SavedItemFolderId")
    disposition = request.get("MessageDisposition")
    invitations = request.get("SendMeetingInvitations")

    def work(sent: Node) -> list[Node]:
        kind = local(sent)
        if responding.is_response(kind):
            return responding.respond(call, sent, disposition, target)
        if kind == "CalendarItem" and invitations is None:
            raise EwsError("ErrorSendMeetingInvitationsRequired")
        if kind == "Message" and disposition is None:
            raise EwsError("ErrorMessageDispositionRequired")
        folder = _home(call, target, kind, disposition)
        if kind in _ONLY and not (folder.kind or "").startswith(_ONLY[kind][0]):
            raise EwsError(_ONLY[kind][1])
        files = attachments.taken_from(sent)
        unpacked = mime.unpack(call, sent)
        files += unpacked.files
        item = content.make(call, sent, folder, unpacked.nodes)
        if kind == "CalendarItem":
            meetings.prepare(item, None, invitations or _NONE)
        if disposition == "SendOnly" and kind == "Message" and not files:
            mail.post(call, item)
            return [m("Items")]
        call.store.add_item(item, content.indexed(item))
        series.take_in(call.store, item, unpacked.singles, content.indexed(item))
        for each in files:
            attachments.add(call.store, item, each, stamp(call.now), call.limits)
        if kind == "Message" and disposition != "SaveOnly":
            mail.post(call, item)
            if disposition == "SendOnly":
                call.store.remove_item(item)
                return [m("Items")]
        if kind == "CalendarItem":
            meetings.invite(call, item, invitations or _NONE)
        return [m("Items", t(item.kind, item_id(item)))]

    items = child(request, "Items")
    assert items is not None
    return batch(call, items, work, lambda: [m("Items")])


def get_item(call: Call, request: Node) -> Node:
    """Answer what is known of some items."""

    def work(which: Node) -> list[Node]:
        return [m("Items", view(call, _whole(call, named(call, which)), wanted(request[0])))]

    return batch(call, request[1], work, lambda: [m("Items")])


def update_item(call: Call, request: Node) -> Node:
    """Change items, unless somebody else has meanwhile."""
    resolution = request.get("ConflictResolution", "")
    notices = request.get("SendMeetingInvitationsOrCancellations")

    def work(sent: Node) -> list[Node]:
        item = _whole(call, named(call, sent[0], change=True))
        if item.kind == "CalendarItem" and notices is None:
            raise EwsError("ErrorSendMeetingInvitationsOrCancellationsRequired")
        before = copy.deepcopy(item.content)
        master = call.item(ids.Id(item.mailbox, item.id)) if item.original else item
        held = series.of(call.store, master)
        stale = _stale(item, sent[0], resolution)
        known = item.touched.copy()
        paths = content.change(call, item, sent[1])
        if stale is not None:
            meanwhile = {each for each, number in known.items() if number > stale}
            if resolution == "NeverOverwrite" or meanwhile & set(paths):
                raise EwsError("ErrorIrresolvableConflict")
        noted = set[str]()
        if item.kind == "CalendarItem":
            noted = meetings.prepare(item, before, notices or _NONE)
        elif _was_read(before, item) and not is_true(request.get("SuppressReadReceipts")):
            mail.receipt(call, item)
        if held is not None and item.original:
            series.keep(call.store, held, item, _names(paths) | noted)
            master.modified = item.modified
            call.store.change_item(master, series.PATHS, content.indexed(master))
            item.change = master.change
        else:
            if held is not None and _names(paths) & series.SCHEDULE:
                call.store.drop_occurrences(item.id)
            call.store.change_item(item, paths, content.indexed(item))
        if item.kind == "CalendarItem":
            meetings.update(call, item, before, notices or _NONE)
        answer = m("Items", t(item.kind, item_id(item)))
        return [answer, m("ConflictResults", t("Count", "0"))]

    changes = child(request, "ItemChanges")
    assert changes is not None
    return batch(call, changes, work, lambda: [m("Items")])


def delete_item(call: Call, request: Node) -> Node:
    """Delete items: for good, into the dumpster, or into Deleted Items."""
    way = request.get("DeleteType")
    notices = request.get("SendMeetingCancellations")
    quiet = is_true(request.get("SuppressReadReceipts"))

    def work(which: Node) -> list[Node]:
        item = named(call, which, change=True)
        if item.kind == "CalendarItem" and notices is None:
            raise EwsError("ErrorSendMeetingCancellationsRequired")
        if item.kind == "Task" and request.get("AffectedTaskOccurrences") is None:
            raise EwsError("ErrorAffectedTaskOccurrencesRequired")
        if item.kind == "CalendarItem":
            meetings.cancel(call, item, notices or _NONE)
        elif not quiet and not is_true(text_at(item.content, "IsRead")):
            mail.receipt(call, item)
        if item.original:
            call.store.put_occurrence(item.id, Occurrence(item.original))
            master = call.item(ids.Id(item.mailbox, item.id), change=True)
            call.store.change_item(master, series.PATHS, content.indexed(master))
            return []
        role = {"MoveToDeletedItems": "deleteditems", "SoftDelete": "recoverableitemsdeletions"}
        if way in role:
            move(call, item, distinguished(call.store, item.mailbox, role[way]))
        else:
            call.store.remove_item(item)
        return []

    return batch(call, request[0], work)


def move_item(call: Call, request: Node) -> Node:
    """Move items into another folder; there they have other ids."""
    return _transfer(call, request, keep=False)


def copy_item(call: Call, request: Node) -> Node:
    """Put copies of items into a folder."""
    return _transfer(call, request, keep=True)


def send_item(call: Call, request: Node) -> Node:
    """Send drafts."""
    save = is_true(request.get("SaveItemToFolder"))
    target = child(request, "SavedItemFolderId")

    def work(which: Node) -> list[Node]:
        item = named(call, which, change=True)
        key = which.get("ChangeKey")
        if key is None:
            raise EwsError("ErrorChangeKeyRequired")
        if ids.read_key(key) != item.change:
            raise EwsError("ErrorStaleObject")
        mail.post(call, item)
        if not save:
            call.store.remove_item(item)
        elif target is not None:
            move(call, item, call.folder(target[0], change=True))
        else:
            move(call, item, distinguished(call.store, item.mailbox, "sentitems"))
        return []

    return batch(call, request[0], work)


def _whole(call: Call, item: Item) -> Item:
    """Return an item that can be read. Raises EwsError for one that is corrupt."""
    if call.faults.has("corrupt"):
        ref = ids.write(ids.Id(item.mailbox, item.id, original=item.original))
        call.faults.spoil(call.operation, call.owner(item.mailbox).address, ref)
    return item


def _transfer(call: Call, request: Node, *, keep: bool) -> Node:
    quiet = text_at(request, "ReturnNewItemIds") in ("false", "0")

    def work(which: Node) -> list[Node]:
        folder = call.folder(request[0][0], change=True)
        item = named(call, which, change=not keep)
        if item.original:
            raise EwsError("ErrorCalendarCannotMoveOrCopyOccurrence")
        made = duplicate(call, item, folder) if keep else move(call, item, folder)
        return [m("Items", *([] if quiet else [t(made.kind, item_id(made))]))]

    return batch(call, request[1], work, lambda: [m("Items")])


def _names(paths: list[str]) -> set[str]:
    """Return the elements that these paths touch."""
    return {"ExtendedProperty" if "/" in each else each.partition(":")[2] for each in paths}


def _was_read(before: Node, item: Item) -> bool:
    return is_true(text_at(item.content, "IsRead")) and not is_true(text_at(before, "IsRead"))


def _home(call: Call, target: Node | None, kind: str, disposition: str | None) -> Folder:
    if target is not None:
        return call.folder(target[0], change=True)
    sent = kind == "Message" and disposition == "SendAndSaveCopy"
    role = "sentitems" if sent else _HOMES.get(kind, "drafts")
    return distinguished(call.store, call.actor.id, role)


def _stale(item: Item, which: Node, resolution: str) -> int | None:
    """Return the change number that the client knew, if it is an old one and that matters."""
    key = which.get("ChangeKey")
    if resolution == "AlwaysOverwrite":
        return None
    if key is None:
        raise EwsError("ErrorChangeKeyRequiredForWriteOperations")
    known = ids.read_key(key)
    return None if known == item.change else known
