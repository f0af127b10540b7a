"""Ids and change keys as clients see them: opaque texts that only this server reads."""

from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass

from accord.sandbox.exchange.errors import EwsError

_FORM = struct.Struct(">BQQQ")
_ITEM, _FOLDER, _OCCURRENCE, _ATTACHMENT = 1, 2, 3, 4
_KEY = struct.Struct(">BQ")
_HEAD = bytes((73 * each + 19) % 256 for each in range(112 - _FORM.size))
"""What stands before each id: Exchange's are as long as this, and clients know them by that."""


@dataclass(frozen=True, slots=True)
class Id:
    """Name an item, a folder, an attachment, or the occurrence of a series by its original start.

    `original` is in seconds since 1970, UTC; 0 where no occurrence is meant.
    """

    mailbox: int
    row: int
    folder: bool = False
    original: int = 0
    attachment: bool = False


def write(which: Id) -> str:
    """Return the text of an id."""
    kind = _FOLDER if which.folder else _OCCURRENCE if which.original else _ITEM
    kind = _ATTACHMENT if which.attachment else kind
    body = _FORM.pack(kind, which.mailbox, which.row, which.original)
    return base64.b64encode(_HEAD + body).decode()


def read(text: str, *, folder: bool = False, attachment: bool = False) -> Id:
    """Read an id. Raises EwsError where the text is none of ours or of the other kind."""
    try:
        raw = base64.b64decode(text, validate=True)
        kind, mailbox, row, original = _FORM.unpack(raw.removeprefix(_HEAD))
    except (binascii.Error, ValueError, struct.error):
        raise EwsError("ErrorInvalidIdMalformed") from None
    known = (_FOLDER,) if folder else (_ATTACHMENT,) if attachment else (_ITEM, _OCCURRENCE)
    if kind not in known:
        raise EwsError("ErrorInvalidIdMalformed")
    return Id(mailbox, row, folder, original, attachment)


def write_key(change: int) -> str:
    """Return the change key that stands for a change number."""
    return base64.b64encode(_KEY.pack(0x45, change)).decode()


def read_key(text: str) -> int:
    """Read a change key. Raises EwsError where the text is none of ours."""
    try:
        mark, change = _KEY.unpack(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, struct.error):
        raise EwsError("ErrorInvalidChangeKey") from None
    if mark != 0x45:
        raise EwsError("ErrorInvalidChangeKey")
    return int(change)
