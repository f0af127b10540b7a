"""E-mails of a mailbox: folders, lists, originals, read marks, moves, and trials laid aside.

`session` asks here. Originals come one by one, each within the size that an answer may have; a
list brings no bodies. Reading marks nothing; nothing is sent, receipts included.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence

import msgspec

from accord.formats import mime
from accord.formats.errors import Refused
from accord.groupware.exchange import trees, wire
from accord.groupware.exchange.client import Client, Shape, field, id_of
from accord.groupware.exchange.folders import ROOT, TRASH, below
from accord.groupware.exchange.wire import Message, Node, t
from accord.model.item import Mail
from accord.ports.adapter import Outcome, Written
from accord.ports.errors import (
    AccordError,
    ConfigError,
    Gone,
    ItemError,
    Rejected,
    item_error,
)
from accord.ports.http import TooLarge
from accord.ports.mailbox import Letter, MailFolder, Original

DEEPEST = 100
_FOLDER = ("ParentFolderId", "FolderClass", "DisplayName", "TotalCount", "UnreadCount")
_BODIES = ("body", "text_body")
_CLASS = "IPF.Note"


def folders(client: Client) -> tuple[MailFolder, ...]:
    """Return the folders that hold e-mails, by their names from the top down."""
    paths = [field(f"folder:{name}") for name in _FOLDER]
    nodes = {_folder_id(node): node for node in client.find_folders(f"@{ROOT}", paths)}
    (answer,) = client.get_folders([f"@{TRASH}"], [])
    trash = next(map(_folder_id, answer.all("Folders", "*")), "")
    found = [
        MailFolder(
            id=place,
            path=_path(node, nodes),
            total=_number(node, "TotalCount"),
            unread=_number(node, "UnreadCount"),
            trash=below(node, nodes, trash),
        )
        for place, node in nodes.items()
        if place and _holds_mail(node)
    ]
    return tuple(sorted(found, key=lambda each: [name.casefold() for name in each.path]))


def letters(client: Client, folder: str, size: int, *, unread: bool) -> Iterator[Letter]:
    """Yield a folder's e-mails, newest first; a page is read when it is reached."""
    shape = _shape(bodies=False)
    try:
        for refs in client.newest(folder, size, unread=unread):
            for ref, answer in zip(refs, client.get(refs, shape), strict=True):
                yield _letter(ref, answer)
    except (Gone, Rejected) as error:
        raise ConfigError(str(error), field="folder", hint="name another folder") from error


def letter(client: Client, ref: str, largest: int) -> Original:
    """Return an e-mail with its original; raises Gone and Rejected."""
    (answer,) = client.get([ref], _shape(bodies=False))
    known = _letter(ref, answer)
    if answer.error is not None:
        raise answer.error
    if known.mail is None:
        raise Rejected(known.why, code="unreadable")
    if _encoded(known.mail.size) > largest:
        raise _large(known.mail.size)
    try:
        (whole,) = client.get([ref], Shape((), mime=True))
    except TooLarge as error:
        raise _large(known.mail.size) from error
    if whole.error is not None:
        raise whole.error
    raw = _raw(whole)
    mail = _read(raw, known.mail)
    return Original(ref=ref, version=known.version, read=known.read, mail=mail, raw=raw)


def mark(client: Client, refs: Sequence[str], batch: int, *, read: bool) -> list[Outcome]:
    """Mark e-mails; whatever else changed in them meanwhile stays."""
    outcomes: list[Outcome] = []
    for some in _parts(refs, batch):
        value = "true" if read else "false"
        changes = [
            t(
                "ItemChange",
                t("ItemId", Id=ref),
                t("Updates", _set(field("message:IsRead"), t("IsRead", value))),
            )
            for ref in some
        ]
        answers = client.update(changes, notify=False, overwrite=True)
        outcomes += [_outcome(ref, each) for ref, each in zip(some, answers, strict=True)]
    return outcomes


def move(client: Client, refs: Sequence[str], folder: str, batch: int) -> list[Outcome]:
    """Move e-mails; the outcome has the new ref, or none where the server doesn't tell."""
    outcomes: list[Outcome] = []
    for some in _parts(refs, batch):
        answers = client.move(some, folder)
        outcomes += [_outcome("", each) for each in answers]
    return outcomes


def make_folder(client: Client, name: str) -> MailFolder:
    """Return the folder of that name at the top of the mailbox, made where it isn't there yet."""
    answer = client.make_folder(f"@{ROOT}", "Folder", name, _CLASS, "")
    if answer.error is not None and answer.error.code != "ErrorFolderExists":
        raise answer.error
    found = next((each for each in folders(client) if each.path == (name,)), None)
    if found is None:
        raise Gone(f"{name!r} was made, but the server doesn't list it")
    return found


def store(client: Client, folder: str, raw: bytes) -> str:
    """Lay an e-mail into a folder and return its ref; it is no draft that somebody might send.

    PidTagMessageFlags ([MS-OXCMSG] 2.2.1.6) without mfUnsent says so.
    """
    content = t("MimeContent", base64.b64encode(raw).decode())
    flags = t("ExtendedFieldURI", PropertyTag="0xe07", PropertyType="Integer")
    message = t("Message", content, t("ExtendedProperty", flags, t("Value", "0")))
    (answer,) = client.create(folder, [message], notify=False)
    done = _outcome("", answer)
    if isinstance(done, AccordError):
        raise done
    return done.ref


def discard(client: Client, refs: Sequence[str], batch: int) -> list[Outcome]:
    """Move e-mails into Deleted Items."""
    outcomes: list[Outcome] = []
    for some in _parts(refs, batch):
        answers = client.delete([t("ItemId", Id=ref) for ref in some], notify=False)
        outcomes += [_outcome(ref, each) for ref, each in zip(some, answers, strict=True)]
    return outcomes


def _outcome(ref: str, answer: Message) -> Outcome:
    if answer.error is not None:
        if isinstance(answer.error, ItemError):
            return item_error(answer.error)
        raise answer.error
    node = next(iter(answer.all("Items", "*")), None)
    found, version = ("", "") if node is None else id_of(node)
    return Written(ref=ref or found, version=version)


def _shape(*, bodies: bool) -> Shape:
    from accord.groupware.exchange.codec import mail as codec

    names = [name for name in codec.PROPERTIES if bodies or name not in _BODIES]
    return Shape(trees.paths(trees.loaded().Message, names))


def _letter(ref: str, answer: Message) -> Letter:
    from accord.groupware.exchange.codec import mail as codec

    if answer.error is not None:
        if not isinstance(answer.error, ItemError):
            raise answer.error
        return Letter(ref=ref, why=str(answer.error))
    node = next(iter(answer.all("Items", "*")), None)
    if node is None:
        return Letter(ref=ref, why="the server tells nothing of it")
    version = id_of(node)[1]
    try:
        item = trees.read(trees.loaded().Message, node)
        mail, read = codec.read(item), bool(item.is_read)
    except (AccordError, ValueError, TypeError, AttributeError, OverflowError) as error:
        return Letter(ref=ref, version=version, why=f"it can't be read: {error}")
    return Letter(ref=ref, version=version, read=read, mail=mail)


def _raw(answer: Message) -> bytes:
    node = next(iter(answer.all("Items", "*")), None)
    text = "" if node is None else wire.text_at(node, "MimeContent")
    if not text:
        raise Rejected("the server gives no original of it", code="no-mime")
    try:
        return base64.b64decode(text, validate=False)
    except (binascii.Error, ValueError) as error:
        raise Rejected(f"its original can't be read: {error}", code="unreadable") from error


def _read(raw: bytes, known: Mail) -> Mail:
    """Return what the original says, with what only the mailbox knows."""
    try:
        said = mime.read(raw)
    except Refused:
        return known
    kept = ("received", "categories", "privacy", "attachments")
    return msgspec.structs.replace(
        said,
        **{name: getattr(known, name) for name in kept},
        uid=said.uid or known.uid,
        sender=said.sender or known.sender,
    )


def _large(size: int) -> Rejected:
    return Rejected(
        f"the e-mail has {size / 1024 / 1024:.0f} MB, more than 'max_megabytes' lets through",
        code="large",
    )


def _encoded(size: int) -> int:
    """Return how long an answer with so many bytes in base64 is."""
    return size * 4 // 3


def _set(path: Node, value: Node) -> Node:
    return t("SetItemField", path, t("Message", value))


def _holds_mail(node: Node) -> bool:
    kind = wire.text_at(node, "FolderClass").casefold()
    return kind in ("", "ipf.note") or kind.startswith("ipf.note.")


def _path(node: Node, nodes: dict[str, Node]) -> tuple[str, ...]:
    names = [wire.text_at(node, "DisplayName")]
    for _ in range(DEEPEST):
        parent = wire.child(node, "ParentFolderId")
        above = nodes.get(parent.get("Id", "")) if parent is not None else None
        if above is None:
            break
        node = above
        names.append(wire.text_at(node, "DisplayName"))
    return tuple(reversed(names))


def _folder_id(node: Node) -> str:
    found = wire.child(node, "FolderId")
    return "" if found is None else found.get("Id", "")


def _number(node: Node, name: str) -> int:
    text = wire.text_at(node, name)
    return int(text) if text.isdecimal() else 0


def _parts(refs: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for at in range(0, len(refs), size):
        yield refs[at : at + size]
