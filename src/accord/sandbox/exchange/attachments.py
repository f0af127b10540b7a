"""What hangs on items: files and other items, kept beside them."""

from __future__ import annotations

import base64
import mimetypes
from dataclasses import dataclass

from lxml import etree

from accord.sandbox.exchange import ids, xml
from accord.sandbox.exchange.errors import EwsError
from accord.sandbox.exchange.limits import Limits
from accord.sandbox.exchange.store import Item, Store
from accord.sandbox.exchange.xml import Node, child, flag, is_true, local, t, text_at

_COLUMNS = "id, item, original, name, type, cid, location, inline, photo, at, kind, size"


@dataclass(slots=True)
class Attachment:
    """One thing that hangs on an item, or on one occurrence of it, without its content.

    `kind` is FileAttachment or ItemAttachment.
    """

    id: int
    item: int
    original: int
    name: str
    type: str | None
    cid: str | None
    location: str | None
    inline: bool
    photo: bool
    at: str
    kind: str
    size: int


def of(store: Store, item: Item) -> list[Attachment]:
    """Return what hangs on an item; an occurrence without its own has its series'."""
    if item.original:
        changed = store.occurrences(item.id).get(item.original)
        if changed is not None and "Attachments" in changed.names:
            return _found(store, "item = ? AND original = ?", item.id, item.original)
    return _found(store, "item = ? AND original = 0", item.id)


def one(store: Store, which: int) -> Attachment | None:
    """Return an attachment."""
    found = _found(store, "id = ?", which)
    return found[0] if found else None


def add(store: Store, item: Item, sent: Node, now: str, limits: Limits) -> Attachment:
    """Hang what a client sent on an item. Raises EwsError where it is too much."""
    kind = local(sent)
    if kind == "FileAttachment":
        content = base64.b64decode("".join((text_at(sent, "Content") or "").split()))
    elif kind == "ItemAttachment":
        inner = next((each for each in sent if local(each) in _ITEMS), None)
        if inner is None:
            raise EwsError("ErrorMissingItemForCreateItemAttachment")
        content = etree.tostring(inner)
    else:
        raise EwsError("ErrorInvalidRequest", f"A {kind} can't be attached here.")
    name = text_at(sent, "Name") or ""
    if len(content) > limits.attachment:
        raise EwsError("ErrorAttachmentSizeLimitExceeded")
    held = sum(each.size for each in of(store, item))
    if held + len(content) + len(etree.tostring(item.content)) > limits.item:
        raise EwsError("ErrorMessageSizeExceeded")
    photo = is_true(text_at(sent, "IsContactPhoto"))
    if photo:
        store.run("DELETE FROM attachment WHERE item = ? AND photo", item.id)
    kept = text_at(sent, "ContentType") or mimetypes.guess_type(name)[0]
    row = store.run(
        "INSERT INTO attachment (item, original, name, type, cid, location, inline, photo, at,"
        " kind, size, content) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        *(item.id, item.original, name, kept, text_at(sent, "ContentId")),
        *(text_at(sent, "ContentLocation"), is_true(text_at(sent, "IsInline")), photo, now),
        *(kind, len(content), content),
    )
    made = one(store, row)
    assert made is not None
    return made


def remove(store: Store, held: Attachment) -> None:
    """Take an attachment away."""
    store.run("DELETE FROM attachment WHERE id = ?", held.id)


def pass_on(store: Store, item: Item, to: Item) -> None:
    """Hang on one item what hangs on another, in place of what hung there."""
    store.run("DELETE FROM attachment WHERE item = ?", to.id)
    rest = _COLUMNS.partition("item, original,")[2]
    source = of(store, item) if item.original else _found(store, "item = ?", item.id)
    for each in source:
        store.run(
            f"INSERT INTO attachment (item, original, {rest}, content)"  # noqa: S608
            f" SELECT ?, ?, {rest}, content FROM attachment WHERE id = ?",
            *(to.id, 0 if item.original else each.original, each.id),
        )


def own(store: Store, item: Item) -> None:
    """Give an occurrence attachments of its own, those of its series to begin with."""
    changed = store.occurrences(item.id).get(item.original)
    if changed is not None and "Attachments" in changed.names:
        return
    rest = _COLUMNS.partition("original,")[2]
    store.run(
        f"INSERT INTO attachment (item, original, {rest}, content)"  # noqa: S608
        f" SELECT item, ?, {rest}, content FROM attachment WHERE item = ? AND original = 0",
        *(item.original, item.id),
    )


def named(mailbox: int, held: Attachment, root: Item | None = None) -> Node:
    """Return the id of an attachment, with that of the item it hangs on."""
    text = ids.write(ids.Id(mailbox, held.id, attachment=True))
    if root is None:
        return t("AttachmentId", Id=text)
    which = ids.Id(root.mailbox, root.id, original=root.original)
    key = ids.write_key(root.change)
    return t("AttachmentId", Id=text, RootItemId=ids.write(which), RootItemChangeKey=key)


def view(store: Store, mailbox: int, held: Attachment, *, whole: bool = False) -> Node:
    """Return an attachment as items list it; `whole` with its content."""
    parts = [
        named(mailbox, held),
        t("Name", held.name),
        t("ContentType", held.type) if held.type else None,
        t("ContentId", held.cid) if held.cid else None,
        t("ContentLocation", held.location) if held.location else None,
        t("Size", str(held.size)),
        t("LastModifiedTime", held.at),
        t("IsInline", flag(held.inline)),
    ]
    if held.kind == "ItemAttachment":
        parts.append(xml.parse(content(store, held)) if whole else None)
        return t(held.kind, *parts)
    parts.append(t("IsContactPhoto", flag(held.photo)))
    if whole:
        parts.append(t("Content", base64.b64encode(content(store, held)).decode()))
    return t(held.kind, *parts)


def content(store: Store, held: Attachment) -> bytes:
    """Return the bytes of an attachment."""
    found = store.rows("SELECT content FROM attachment WHERE id = ?", held.id)[0][0]
    assert isinstance(found, bytes)
    return found


def taken_from(sent: Node) -> list[Node]:
    """Take the attachments out of an item that is to be created."""
    held = child(sent, "Attachments")
    if held is None:
        return []
    sent.remove(held)
    return list(held)


_ITEMS = {
    *("Item", "Message", "CalendarItem", "Contact", "Task", "PostItem"),
    *("MeetingMessage", "MeetingRequest", "MeetingResponse", "MeetingCancellation"),
}


def _found(store: Store, where: str, *values: object) -> list[Attachment]:
    query = f"SELECT {_COLUMNS} FROM attachment WHERE {where} ORDER BY id"  # noqa: S608
    found = [Attachment(*row) for row in store.rows(query, *values)]  # type: ignore[arg-type]
    for each in found:
        each.inline, each.photo = bool(each.inline), bool(each.photo)
    return found
