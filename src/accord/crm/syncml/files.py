"""The files on items over CRM.interface: read piece by piece, hung on in one write."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import BinaryIO

from accord.crm.syncml import writing
from accord.crm.syncml.errors import of_item
from accord.crm.syncml.reading import address, read
from accord.crm.syncml.talk import Link, Talk, outcome_text
from accord.formats import wire
from accord.formats.syncml import message as m
from accord.formats.syncml.message import Item, Location, Meta
from accord.formats.syncml.status import StatusCode
from accord.model.kinds import Kind
from accord.model.parts import Attachment
from accord.ports.errors import AccordError, ConfigError, Rejected, Retry

NONE = wire.Keeping(room=0)


def keeping(link: Link, user: str) -> wire.Keeping:
    """Return how much of files fits through, asked once; an older CRM.interface takes none."""
    if link.files is None:
        try:
            with link.talk(user) as talk:
                link.files = read(talk, "./files", wire.Keeping)
        except ConfigError:
            return NONE
    return link.files


def pieces(
    link: Link, user: str, place: tuple[str, Kind, str], uri: str, *, kept: bool = False
) -> Iterator[bytes]:
    """Yield the bytes of a file on an item, or of one that was taken off it and is `kept`."""
    folder, kind, ref = place
    at, more = 0, {"kept": "1"} if kept else {}
    with link.talk(user) as talk:
        while True:
            sort, content = _piece(talk, address(kind, folder, ref, file=uri, at=str(at), **more))
            if content:
                yield content
            at += len(content)
            if sort == wire.LAST_PIECE:
                return
            if sort != wire.PIECE or not content:
                raise Retry("CRM.interface comes to no end of a file", after=60.0, code="endless")


def attach(
    link: Link, user: str, place: tuple[str, Kind, str], file: Attachment, content: BinaryIO
) -> str:
    """Hang a file on an item and return its uri there."""
    content.seek(0)
    data = content.read(keeping(link, user).room + 1)
    if len(data) > keeping(link, user).room:
        why = f"{file.name!r} is larger than CRM.interface takes (max_object in [interface])"
        raise Rejected(why, code="too-large")
    new = wire.NewFile(
        name=file.name,
        media_type=file.media_type,
        digest=file.digest,
        content=base64.b64encode(data).decode(),
    )
    return _push(link, user, place, "attach", wire.encode(new))


def detach(link: Link, user: str, place: tuple[str, Kind, str], uri: str, *, forget: bool) -> None:
    """Take a file off an item."""
    _push(link, user, place, "detach", wire.encode(wire.OldFile(uri=uri, forget=forget)))


def _piece(talk: Talk, uri: str) -> tuple[str, bytes]:
    item = Item(target=Location(uri))
    heard = talk.ask(m.Get(cmd_id="1", meta=Meta(type=wire.TYPE), items=(item,)))
    status = heard.statuses[0]
    if status is None:
        raise Retry("a file: CRM.interface doesn't answer", code="silent")
    if status.code >= StatusCode.MULTIPLE_CHOICES:
        raise of_item(status.code, outcome_text(status), "the file")
    answers = heard.answers()
    if not answers:
        raise Retry("CRM.interface doesn't answer a question", code="silent")
    told = answers[0].told
    try:
        return told.sort, base64.b64decode(told.text or "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise Retry("CRM.interface sends a file that can't be read", code="malformed") from error


def _push(link: Link, user: str, place: tuple[str, Kind, str], do: str, text: str) -> str:
    folder, kind, ref = place
    op = writing.execute(address(kind, folder, ref, do=do), text)
    with link.talk(user) as talk:
        (made,) = writing.push(talk, [op], None)
    if isinstance(made, AccordError):
        raise made
    return made.ref
