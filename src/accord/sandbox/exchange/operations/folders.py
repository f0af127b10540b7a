"""GetFolder, FindFolder, CreateFolder, UpdateFolder, DeleteFolder and SyncFolderHierarchy."""

from __future__ import annotations

from accord.sandbox.exchange import changes, ids, mapi
from accord.sandbox.exchange.call import Call, batch
from accord.sandbox.exchange.errors import EwsError
from accord.sandbox.exchange.people import distinguished
from accord.sandbox.exchange.shapes import extended_key
from accord.sandbox.exchange.store import Folder
from accord.sandbox.exchange.xml import Node, child, flag, local, m, t, text_at

_ELEMENTS = {
    "IPF.Appointment": "CalendarFolder",
    "IPF.Contact": "ContactsFolder",
    "IPF.Task": "TasksFolder",
}
_CLASSES = {name: kind for kind, name in _ELEMENTS.items()}
_MOST = 1000


def get_folder(call: Call, request: Node) -> Node:
    """Answer what is known of some folders."""
    shape = request[0]

    def work(named: Node) -> list[Node]:
        return [m("Folders", view(call, call.folder(named), shape))]

    return batch(call, request[1], work, lambda: [m("Folders")])


def find_folder(call: Call, request: Node) -> Node:
    """Answer the folders below some folders."""
    deep = request.get("Traversal") == "Deep"
    shape, page = request[0], child(request, "IndexedPageFolderView")
    restriction = child(request, "Restriction")

    def work(named: Node) -> list[Node]:
        found = _below(call, call.folder(named), deep=deep)
        if request.get("Traversal") == "SoftDeleted":
            found = []
        if restriction is not None:
            found = [each for each in found if _fits(call, each, restriction[0])]
        start = int(page.get("Offset", "0")) if page is not None else 0
        most = int(page.get("MaxEntriesReturned", _MOST)) if page is not None else _MOST
        shown = found[start : start + most]
        end = start + len(shown)
        folders = t("Folders", *[view(call, each, shape) for each in shown])
        attributes = {
            "IndexedPagingOffset": str(end),
            "TotalItemsInView": str(len(found)),
            "IncludesLastItemInRange": flag(end >= len(found)),
        }
        return [m("RootFolder", folders, **attributes)]

    parents = child(request, "ParentFolderIds")
    assert parents is not None
    return batch(call, parents, work)


def create_folder(call: Call, request: Node) -> Node:
    """Add folders below one."""

    def work(sent: Node) -> list[Node]:
        parent = call.folder(request[0][0], change=True)
        name = (text_at(sent, "DisplayName") or "").strip()
        if not name:
            raise EwsError("ErrorInvalidRequest", "A folder needs a DisplayName.")
        _check_name(call, parent, name)
        kind = text_at(sent, "FolderClass") or _CLASSES.get(local(sent), "IPF.Note")
        made = call.store.add_folder(parent.mailbox, parent.id, name, kind)
        for each in (one for one in sent if local(one) == "ExtendedProperty"):
            key, value = extended_key(each[0]), text_at(each, "Value") or ""
            call.store.put_folder_property(made.id, key, value)
        return [m("Folders", t(element(made), folder_id(made)))]

    return batch(call, request[1], work, lambda: [m("Folders")])


def update_folder(call: Call, request: Node) -> Node:
    """Rename folders."""

    def work(sent: Node) -> list[Node]:
        folder = call.folder(sent[0], change=True)
        for update in sent[1]:
            uri = update[0].get("FieldURI")
            if local(update) != "SetFolderField" or uri != "folder:DisplayName":
                raise EwsError("ErrorInvalidPropertySet")
            name = text_at(update[1], "DisplayName") or ""
            if name.casefold() != folder.name.casefold():
                parents = call.store.folders("id = ?", folder.parent)
                _check_name(call, parents[0], name)
            folder.change = call.store.next_change(folder.mailbox)
            call.store.run(
                "UPDATE folder SET name = ?, change = ? WHERE id = ?",
                *(name, folder.change, folder.id),
            )
            call.store.tell_folder("ModifiedEvent", folder)
        return [m("Folders", t(element(folder), folder_id(folder)))]

    return batch(call, request[0], work, lambda: [m("Folders")])


def delete_folder(call: Call, request: Node) -> Node:
    """Remove folders with all that is in them."""
    soft = request.get("DeleteType") == "MoveToDeletedItems"

    def work(named: Node) -> list[Node]:
        folder = call.folder(named, change=True)
        if folder.role is not None:
            raise EwsError("ErrorDeleteDistinguishedFolder")
        if soft:
            bin_ = distinguished(call.store, folder.mailbox, "deleteditems")
            before, folder.parent = folder.parent, bin_.id
            folder.change = call.store.next_change(folder.mailbox)
            call.store.run(
                "UPDATE folder SET parent = ?, change = ? WHERE id = ?",
                *(bin_.id, folder.change, folder.id),
            )
            call.store.tell_folder("MovedEvent", folder, before)
            return []
        for each in [*reversed(_below(call, folder, deep=True)), folder]:
            for item in call.store.items("folder = ?", each.id):
                call.store.remove_item(item)
            call.store.remove_folder(each)
        return []

    return batch(call, request[0], work)


def sync_folder_hierarchy(call: Call, request: Node) -> Node:
    """Answer what happened to a mailbox's folders since a client last asked."""
    shape = request[0]
    named = child(request, "SyncFolderId")
    state = text_at(request, "SyncState")

    def work(_: Node) -> list[Node]:
        if named is None:
            place = distinguished(call.store, call.actor.id, "root")
        else:
            place = call.folder(named[0])
        cursor = changes.Cursor(0, place.mailbox, folders=True)
        if state:
            cursor = changes.read(state, 0, place.mailbox, folders=True)
        found, cursor = changes.folders_since(call.store, cursor)
        nodes = []
        for kind, row in found:
            if kind == "Delete":
                gone = ids.write(ids.Id(place.mailbox, row, folder=True))
                nodes.append(t(kind, t("FolderId", Id=gone)))
            else:
                folder = call.store.folders("id = ?", row)[0]
                nodes.append(t(kind, view(call, folder, shape)))
        last = m("IncludesLastFolderInRange", "true")
        return [m("SyncState", changes.write(cursor)), last, m("Changes", *nodes)]

    return batch(call, [request], work)


def folder_id(folder: Folder) -> Node:
    """Return the id of a folder with its change key."""
    text = ids.write(ids.Id(folder.mailbox, folder.id, folder=True))
    return t("FolderId", Id=text, ChangeKey=ids.write_key(folder.change))


def element(folder: Folder) -> str:
    """Return the name of the element that stands for a folder of this class."""
    base = ".".join((folder.kind or "").split(".")[:2])
    return _ELEMENTS.get(base, "SearchFolder" if folder.role == "searchfolders" else "Folder")


def view(call: Call, folder: Folder, shape: Node) -> Node:
    """Return a folder as a request wants to see it."""
    base = text_at(shape, "BaseShape")
    more = child(shape, "AdditionalProperties")
    paths = more if more is not None else ()
    asked = {each.get("FieldURI", "").partition(":")[2] for each in paths}
    tags = [each for each in paths if local(each) == "ExtendedFieldURI"]
    if base == "Default":
        asked |= {"DisplayName", "TotalCount", "ChildFolderCount", "UnreadCount"}
    every = _all(call, folder)
    wanted = {name for name, _ in every} if base == "AllProperties" else asked
    parts = [each for name, each in every if name in wanted]
    own = [_extended(call, folder, each) for each in tags]
    at = sum(local(each) in _BEFORE_TAGS for each in parts)
    parts[at:at] = [each for each in own if each is not None]
    return t(element(folder), folder_id(folder), *parts)


def _all(call: Call, folder: Folder) -> list[tuple[str, Node]]:
    store = call.store
    may = flag(call.people.may(call.actor, folder.mailbox, change=True))
    total = str(store.count_items(folder.id))
    below = store.rows("SELECT count(*) FROM folder WHERE parent = ?", folder.id)[0][0]
    names = ("CreateAssociated", "CreateContents", "CreateHierarchy", "Delete", "Modify")
    rights = t("EffectiveRights", *[t(each, may) for each in names], t("Read", "true"))
    found = []
    if folder.parent is not None:
        text = ids.write(ids.Id(folder.mailbox, folder.parent, folder=True))
        found.append(t("ParentFolderId", Id=text, ChangeKey=ids.write_key(1)))
    if folder.kind is not None:
        found.append(t("FolderClass", folder.kind))
    found += [t("DisplayName", folder.name), t("TotalCount", total)]
    found += [t("ChildFolderCount", str(below)), rights]
    if folder.role is not None:
        found.append(t("DistinguishedFolderId", folder.role))
    if element(folder) in ("Folder", "TasksFolder"):
        found.append(t("UnreadCount", str(store.count_unread(folder.id))))
    return [(local(each), each) for each in found]


_BEFORE_TAGS = ("ParentFolderId", "FolderClass", "DisplayName", "TotalCount", "ChildFolderCount")


def _extended(call: Call, folder: Folder, asked: Node) -> Node | None:
    store = call.store
    below = int(str(store.rows("SELECT count(*) FROM folder WHERE parent = ?", folder.id)[0][0]))
    counts = (store.count_items(folder.id), store.count_unread(folder.id), below)
    kept = store.folder_property(folder.id, extended_key(asked))
    return mapi.of_folder(folder, counts, store.last_in(folder), kept, asked)


def _below(call: Call, folder: Folder, *, deep: bool) -> list[Folder]:
    found = call.store.folders("parent = ? ORDER BY name, id", folder.id)
    if not deep:
        return found
    return [each for one in found for each in (one, *_below(call, one, deep=True))]


def _fits(call: Call, folder: Folder, sought: Node) -> bool:
    match local(sought):
        case "And":
            return all(_fits(call, folder, each) for each in sought)
        case "Or":
            return any(_fits(call, folder, each) for each in sought)
        case "Not":
            return not _fits(call, folder, sought[0])
        case "Exists":
            return _value(call, folder, sought[0]) is not None
        case "IsEqualTo" | "IsNotEqualTo":
            constant = child(sought, "FieldURIOrConstant", "Constant")
            if constant is not None:
                held = _value(call, folder, sought[0])
                same = (held or "").casefold() == constant.get("Value", "").casefold()
                return same == (local(sought) == "IsEqualTo")
    raise EwsError("ErrorUnsupportedPathForQuery")


def _value(call: Call, folder: Folder, at: Node) -> str | None:
    if local(at) == "ExtendedFieldURI":
        found = _extended(call, folder, at)
        return None if found is None else text_at(found, "Value")
    known = {"folder:DisplayName": folder.name, "folder:FolderClass": folder.kind or ""}
    if at.get("FieldURI", "") not in known:
        raise EwsError("ErrorUnsupportedPathForQuery")
    return known[at.get("FieldURI", "")]


def _check_name(call: Call, parent: Folder, name: str) -> None:
    beside = call.store.folders("parent = ?", parent.id)
    if any(each.name.casefold() == name.casefold() for each in beside):
        raise EwsError("ErrorFolderExists")
