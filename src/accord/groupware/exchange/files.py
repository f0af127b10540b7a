"""The files on items: read, hung on and taken off, with nothing mailed.

`session` calls these. GetAttachment, CreateAttachment, DeleteAttachment: the schema's Messages.xsd.
Exchange has a file's bytes in base64 inside one answer or request, which is in memory while it
lasts; so one file is dealt with at a time, and never one above the target's limit.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from accord.groupware.exchange import wire
from accord.groupware.exchange.client import Client, Shape, field
from accord.groupware.exchange.wire import Message, Node
from accord.model.parts import STORED, Attachment
from accord.ports.errors import Gone, Rejected
from accord.ports.http import TooLarge, Unanswered

PICTURE = "ContactPicture.jpg"
"""The name under which Outlook and Exchange keep a contact's picture, whatever its format."""

_PIECE = 3 * 256 * 1024
"""Bytes that are turned into base64, or back, at a time: a multiple of three."""


def read(client: Client, uri: str) -> Iterator[bytes]:
    """Yield the bytes of a file; raises Rejected where an item is attached, not a file."""
    try:
        (message,) = client.get_attachments([uri.removeprefix(STORED)])
    except TooLarge as error:
        raise Rejected(f"it is too large to be read: {error}", code="large") from error
    found = next(iter(_checked(message).all("Attachments", "*")), None)
    if found is None:
        raise Gone("the answer holds no file")
    if wire.local(found) != "FileAttachment":
        raise Rejected("it is an item attached to an item, no file", code="item-attachment")
    text = "".join(wire.text_at(found, "Content").split())
    length = _PIECE // 3 * 4
    for at in range(0, len(text), length):
        try:
            yield base64.b64decode(text[at : at + length], validate=True)
        except binascii.Error as error:
            raise Rejected("its content can't be read", code="base64") from error


def attach(
    client: Client, ref: str, file: Attachment, content: BinaryIO, *, photo: bool = False
) -> str:
    """Hang a file on an item as it stands and return its uri; raises Gone or Rejected."""
    content.seek(0)
    pieces: list[str] = []
    while piece := content.read(_PIECE):
        pieces.append(base64.b64encode(piece).decode())
    try:
        message = client.attach(ref, file.name, file.media_type, "".join(pieces), photo=photo)
    except Unanswered:
        if not _hangs(client, ref, file):
            raise
        return ""
    made = _checked(message).all("Attachments", "*", "AttachmentId")
    return STORED + made[0].get("Id", "") if made else ""


def picture(client: Client, ref: str, file: Attachment, content: BinaryIO) -> str:
    """Give a contact a picture in place of the one it has; raises Gone or Rejected.

    The former one goes first: a contact with two would show either.
    """
    for each in _hanging(client, ref):
        if wire.text_at(each, "IsContactPhoto") == "true":
            (named,) = [one for one in each if wire.local(one) == "AttachmentId"]
            detach(client, STORED + named.get("Id", ""))
    return attach(client, ref, msgspec.structs.replace(file, name=PICTURE), content, photo=True)


def detach(client: Client, uri: str) -> None:
    """Take a file off its item; one that isn't there any more is fine."""
    message = client.detach(uri.removeprefix(STORED))
    try:
        _checked(message)
    except Gone:
        return


def _hangs(client: Client, ref: str, file: Attachment) -> bool:
    """Tell whether a file of this name and about this size hangs on an item by now."""
    for each in _hanging(client, ref):
        size = wire.text_at(each, "Size")
        near = size.isdecimal() and int(size) >= (file.size or 0)
        if wire.text_at(each, "Name") == file.name and near:
            return True
    return False


def _hanging(client: Client, ref: str) -> list[Node]:
    (message,) = client.get([ref], Shape((field("item:Attachments"),)))
    return list(_checked(message).all("Items", "*", "Attachments", "*"))


def _checked(message: Message) -> Message:
    if message.error is not None:
        raise message.error
    return message
