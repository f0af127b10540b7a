"""One mailbox's requests: folders, changes, items, searches and writes. Ids in, trees out.

`session` holds one; `folders`, `sync`, `find` and `write` ask it. Operations and their elements:
the schema's Messages.xsd; limits: Microsoft's EWS throttling page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from msgspec import Struct

from accord.groupware.exchange import wire
from accord.groupware.exchange.errors import of_request
from accord.groupware.exchange.http import Held, Http, Route
from accord.groupware.exchange.settings import MOST
from accord.groupware.exchange.ways import Login
from accord.groupware.exchange.wire import PROPERTY_SET, Message, Node, m, t, twin
from accord.ports.errors import ItemError, Rejected, Retry

KEY, MARKER, UID, FOLDER = "AccordKey", "AccordMarker", "AccordUid", "AccordFolder"
UNFINISHED = "AccordUnfinished"
"""On a new series whose occurrences aren't all written yet."""
FOUND = 500
"""How many entries one page of a search may have (Exchange: 1,000, or 250 in some policies)."""

PAGES = 10_000
"""How many pages a search may have before it counts as endless."""


class Shape(Struct, frozen=True):
    """Say which properties to answer: paths as elements, and whether the original of a mail."""

    paths: tuple[Node, ...]
    mime: bool = False

    def node(self) -> Node:
        """Return the element of a request."""
        shape = m("ItemShape", t("BaseShape", "IdOnly"))
        if self.mime:
            shape.append(t("IncludeMimeContent", "true"))
        if self.paths:
            shape.append(t("AdditionalProperties", *[twin(each) for each in self.paths]))
        return shape


class Changed(Struct, frozen=True):
    """Be one change of a folder: what happened, to which item, in which version, of what kind."""

    what: str
    ref: str
    version: str
    element: str


class Round(Struct, frozen=True):
    """Be one answer of SyncFolderItems."""

    changes: tuple[Changed, ...]
    state: str
    last: bool


class Client:
    """Ask one server as one person."""

    def __init__(self, http: Http, url: str, login: Login, principal: str, access: str) -> None:
        """Sign in as `login` to work in the mailbox of `principal`."""
        self.http = http
        self.url = url
        self.principal = principal
        self._login = login
        self._access = access

    def place(self, folder: str) -> Node:
        """Return the id of a folder as requests name it; `@role` names a distinguished one."""
        if not folder.startswith("@"):
            return t("FolderId", Id=folder)
        named = t("DistinguishedFolderId", Id=folder[1:])
        if self._access == "delegate":
            named.append(t("Mailbox", t("EmailAddress", self.principal)))
        return named

    def get_folders(self, names: Sequence[str], paths: Sequence[Node]) -> list[Message]:
        """Return what is known of some folders, one message for each."""
        shape = m("FolderShape", *Shape(tuple(paths)).node())
        ids = m("FolderIds", *[self.place(each) for each in names])
        return self._each(m("GetFolder", shape, ids), len(names))

    def find_folders(self, parent: str, paths: Sequence[Node]) -> Iterator[Node]:
        """Yield all folders below one, at any depth. Raises the error of the first page."""
        offset = 0
        for _ in range(PAGES):
            shape = m("FolderShape", *Shape(tuple(paths)).node())
            page = m(
                "IndexedPageFolderView",
                MaxEntriesReturned=str(FOUND),
                Offset=str(offset),
                BasePoint="Beginning",
            )
            ids = m("ParentFolderIds", self.place(parent))
            (answer,) = self._each(m("FindFolder", shape, page, ids, Traversal="Deep"), 1)
            if answer.error is not None:
                raise answer.error
            root, found = _page(answer, "Folders")
            yield from found
            offset = _next(root, offset, found)
            if offset < 0:
                return
        raise Retry("the list of folders never ends", after=600.0, code="endless")

    def make_folder(self, parent: str, element: str, name: str, kind: str, mark: str) -> Message:
        """Make a folder; its class decides what it may hold, `mark` is how we know it again."""
        made = t(element, t("FolderClass", kind), t("DisplayName", name))
        if mark:
            made.append(own_value(FOLDER, mark))
        request = m("CreateFolder", m("ParentFolderId", self.place(parent)), m("Folders", made))
        return self._write(request, 1)[0]

    def delete_folder(self, folder: str) -> Message:
        """Move a folder into Deleted Items, never further."""
        ids = m("FolderIds", self.place(folder))
        return self._write(m("DeleteFolder", ids, DeleteType="MoveToDeletedItems"), 1)[0]

    def sync(self, folder: str, state: str, most: int = MOST) -> Round:
        """Return a folder's next changes behind a state; raises what it can't be asked for."""
        request = m("SyncFolderItems", Shape(()).node(), m("SyncFolderId", self.place(folder)))
        if state:
            request.append(m("SyncState", state))
        request.append(m("MaxChangesReturned", str(most)))
        request.append(m("SyncScope", "NormalItems"))
        (answer,) = self._each(request, 1)
        if answer.error is not None:
            raise answer.error
        changes = tuple(_changed(each) for each in answer.all("Changes", "*"))
        last = answer.text("IncludesLastItemInRange")
        # Without the flag the round is over when an answer brings nothing more.
        ended = wire.is_true(last) if last else not changes
        return Round(changes, answer.text("SyncState"), ended)

    def get(self, refs: Sequence[str], shape: Shape) -> list[Message]:
        """Return items, one message for each, in order."""
        if not refs:
            return []
        ids = m("ItemIds", *[t("ItemId", Id=ref) for ref in refs])
        return self._each(m("GetItem", shape.node(), ids), len(refs))

    def create(self, folder: str, items: Sequence[Node], notify: bool) -> list[Message]:
        """Create items in a folder, one message for each."""
        request = m(
            "CreateItem",
            m("SavedItemFolderId", self.place(folder)),
            m("Items", *items),
            MessageDisposition="SaveOnly",
            SendMeetingInvitations="SendToAllAndSaveCopy" if notify else "SendToNone",
        )
        return self._write(request, len(items))

    def update(
        self, changes: Sequence[Node], notify: bool, *, overwrite: bool = False
    ) -> list[Message]:
        """Change items, each only in the version its ItemId names, or in any (`overwrite`)."""
        request = m(
            "UpdateItem",
            m("ItemChanges", *changes),
            ConflictResolution="AlwaysOverwrite" if overwrite else "NeverOverwrite",
            MessageDisposition="SaveOnly",
            SendMeetingInvitationsOrCancellations=(
                "SendToAllAndSaveCopy" if notify else "SendToNone"
            ),
            SuppressReadReceipts="true",
        )
        return self._write(request, len(changes))

    def delete(self, items: Sequence[Node], notify: bool) -> list[Message]:
        """Move items, named by their ids, into Deleted Items, never further."""
        request = m(
            "DeleteItem",
            m("ItemIds", *items),
            DeleteType="MoveToDeletedItems",
            SendMeetingCancellations="SendToAllAndSaveCopy" if notify else "SendToNone",
            AffectedTaskOccurrences="AllOccurrences",
            SuppressReadReceipts="true",
        )
        return self._write(request, len(items))

    def get_attachments(self, ids: Sequence[str]) -> list[Message]:
        """Return what hangs on items, with its content, one message for each."""
        named = m("AttachmentIds", *[t("AttachmentId", Id=each) for each in ids])
        return self._each(m("GetAttachment", named), len(ids))

    def attach(
        self, ref: str, name: str, media_type: str, content: str, *, photo: bool = False
    ) -> Message:
        """Hang a file on an item, a contact's picture if it is its `photo`; in base64."""
        file = t("FileAttachment", t("Name", name))
        if media_type:
            file.append(t("ContentType", media_type))
        if photo:
            file.append(t("IsContactPhoto", "true"))
        file.append(t("Content", content))
        request = m("CreateAttachment", m("ParentItemId", Id=ref), m("Attachments", file))
        return self._write(request, 1)[0]

    def detach(self, attachment: str) -> Message:
        """Take a file off its item."""
        ids = m("AttachmentIds", t("AttachmentId", Id=attachment))
        return self._write(m("DeleteAttachment", ids), 1)[0]

    def find(self, folder: str, sought: Node, shape: Shape) -> list[Node]:
        """Return a folder's items that fit, of all pages; raises what refuses to search."""
        found: list[Node] = []
        offset = 0
        for _ in range(PAGES):
            page = m(
                "IndexedPageItemView",
                MaxEntriesReturned=str(FOUND),
                Offset=str(offset),
                BasePoint="Beginning",
            )
            request = m("FindItem", shape.node(), page, Traversal="Shallow")
            request.append(m("Restriction", twin(sought)))
            request.append(m("ParentFolderIds", self.place(folder)))
            (answer,) = self._each(request, 1)
            if answer.error is not None:
                raise answer.error
            root, some = _page(answer, "Items")
            found += some
            offset = _next(root, offset, some)
            if offset < 0:
                return found
        raise Retry("the search never ends", after=600.0, code="endless")

    def move(self, refs: Sequence[str], folder: str) -> list[Message]:
        """Move items into another folder, where they have other ids."""
        ids = m("ItemIds", *[t("ItemId", Id=ref) for ref in refs])
        request = m("MoveItem", m("ToFolderId", self.place(folder)), ids)
        return self._write(request, len(refs))

    @property
    def login(self) -> Login:
        """Return as whom its connections are signed in."""
        return self._login

    def one(self, request: Node, route: Route | None = None) -> Message:
        """Ask for one thing that concerns no item, such as a subscription; raises its error."""
        (answer, *_) = self._each(request, 1, route)
        if answer.error is not None:
            raise answer.error
        return answer

    def newest(self, folder: str, size: int, *, unread: bool = False) -> Iterator[list[str]]:
        """Yield the ids of a folder's items page by page, those that came last first.

        What comes meanwhile may push one into the next page, too; it is told once.
        """
        told: set[str] = set()
        offset = 0
        for _ in range(PAGES):
            page = m(
                "IndexedPageItemView",
                MaxEntriesReturned=str(size),
                Offset=str(offset),
                BasePoint="Beginning",
            )
            request = m("FindItem", Shape(()).node(), page, Traversal="Shallow")
            if unread:
                request.append(m("Restriction", equals(field("message:IsRead"), "false")))
            order = t("FieldOrder", field("item:DateTimeReceived"), Order="Descending")
            request.append(m("SortOrder", order))
            request.append(m("ParentFolderIds", self.place(folder)))
            (answer,) = self._each(request, 1)
            if answer.error is not None:
                raise answer.error
            root, found = _page(answer, "Items")
            fresh = [ref for ref, _ in map(id_of, found) if ref and ref not in told]
            told.update(fresh)
            if fresh:
                yield fresh
            offset = _next(root, offset, found)
            if offset < 0:
                return
        raise Retry("the folder never ends", after=600.0, code="endless")

    def view(
        self, person: str, start: datetime, end: datetime, most: int, shape: Shape
    ) -> tuple[list[Node], bool]:
        """Return what of a person's calendar lies in a time, occurrences apart, and whether all.

        Raises what refuses to look there.
        """
        times = (f"{each.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for each in (start, end))
        first, last = times
        view = m("CalendarView", MaxEntriesReturned=str(most), StartDate=first, EndDate=last)
        named = t("DistinguishedFolderId", t("Mailbox", t("EmailAddress", person)), Id="calendar")
        request = m("FindItem", shape.node(), view, Traversal="Shallow")
        request.append(m("ParentFolderIds", named))
        (answer,) = self._each(request, 1)
        if answer.error is not None:
            raise answer.error
        root, found = _page(answer, "Items")
        return found, wire.is_true(root.get("IncludesLastItemInRange", "true"))

    def plain(self, request: Node, *, writing: bool = False) -> Node:
        """Return the body of an operation's answer; raises what refuses it as a whole."""
        post = self.http.write if writing else self.http.ask
        return post(self.url, self._login, request, self._headers(), self.principal)

    def single(self, request: Node, *, writing: bool = False) -> Message:
        """Return the answer of an operation that has one message; raises what it refuses."""
        body = self.plain(request, writing=writing)
        answer = wire.alone(body, wire.local(request))
        if answer.error is not None:
            raise answer.error
        return answer

    def held(self, request: Node, route: Route, silence: float) -> AbstractContextManager[Held]:
        """Ask for what is answered bit by bit."""
        text = wire.envelope(request, self._headers())
        return self.http.held(self.url, self._login, text, route, silence)

    def _each(self, request: Node, count: int, route: Route | None = None) -> list[Message]:
        way = route or self.principal
        try:
            body = self.http.ask(self.url, self._login, request, self._headers(), way)
        except ItemError as error:
            raise of_request(error) from error
        return wire.messages(body, wire.local(request), count)

    def _write(self, request: Node, count: int) -> list[Message]:
        try:
            body = self.http.write(self.url, self._login, request, self._headers(), self.principal)
        except Rejected:
            raise  # one item may be to blame: the caller finds out which
        except ItemError as error:
            raise of_request(error) from error
        return wire.messages(body, wire.local(request), count)

    def _headers(self) -> list[Node]:
        if self._access != "impersonation":
            return []
        return [wire.impersonating(self.principal)]


def occurrence(master: str, number: int, version: str = "") -> Node:
    """Return the id of an occurrence of a series by its number, counted from 1.

    A series and its occurrences have one version (MS-OXWSCORE, OccurrenceItemIdType).
    """
    key = {"ChangeKey": version} if version else {}
    return t("OccurrenceItemId", RecurringMasterId=master, InstanceIndex=str(number), **key)


def own(name: str) -> Node:
    """Return the path to one of the properties that Accord keeps on items."""
    return t(
        "ExtendedFieldURI", PropertySetId=PROPERTY_SET, PropertyName=name, PropertyType="String"
    )


def own_value(name: str, value: str) -> Node:
    """Return one of these properties with its value."""
    return t("ExtendedProperty", own(name), t("Value", value))


def field(uri: str) -> Node:
    """Return the path to a property of the schema."""
    return t("FieldURI", FieldURI=uri)


def equals(path: Node, value: str) -> Node:
    """Return the restriction that a property has a value."""
    return t("IsEqualTo", twin(path), t("FieldURIOrConstant", t("Constant", Value=value)))


def any_of(sought: Sequence[Node]) -> Node:
    """Return the restriction that one of several holds."""
    return sought[0] if len(sought) == 1 else t("Or", *sought)


def kept(item: Node, name: str) -> str:
    """Return what an item of an answer holds in one of Accord's properties."""
    for each in wire.children(item, "ExtendedProperty"):
        path = wire.child(each, "ExtendedFieldURI")
        if path is not None and path.get("PropertyName") == name and _ours(path):
            found = wire.child(each, "Value")
            return "" if found is None else found.text or ""
    return ""


def tagged(item: Node, tag: int) -> str:
    """Return what an item of an answer holds in a property named by a tag."""
    for each in wire.children(item, "ExtendedProperty"):
        path = wire.child(each, "ExtendedFieldURI")
        if path is not None and _number(path.get("PropertyTag", "")) == tag:
            return wire.text_at(each, "Value")
    return ""


def id_of(item: Node) -> tuple[str, str]:
    """Return ref and version of an item of an answer, empty where they are missing."""
    found = wire.child(item, "ItemId")
    return ("", "") if found is None else (found.get("Id", ""), found.get("ChangeKey", ""))


def _ours(path: Node) -> bool:
    return path.get("PropertySetId", "").casefold().strip("{}") == PROPERTY_SET


def _number(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        return -1


def _changed(node: Node) -> Changed:
    """Read one change: Create and Update hold an item, Delete and ReadFlagChange an id."""
    what = wire.local(node)
    inner = next((each for each in node if wire.child(each, "ItemId") is not None), None)
    ref, version = id_of(node if inner is None else inner)
    return Changed(what, ref, version, "" if inner is None else wire.local(inner))


def _page(answer: Message, name: str) -> tuple[Node, list[Node]]:
    root = wire.child(answer.node, "RootFolder")
    if root is None:
        raise Retry("the search's answer has no result", after=60.0, code="incomplete")
    return root, wire.children(root, name, "*")


def _next(root: Node, offset: int, found: Sequence[Node]) -> int:
    """Return where the next page begins, -1 where there is none."""
    last = root.get("IncludesLastItemInRange")
    if not found or last is None or wire.is_true(last):
        return -1
    told = root.get("IndexedPagingOffset", "")
    following = int(told) if told.isdecimal() else offset + len(found)
    return following if following > offset else -1
