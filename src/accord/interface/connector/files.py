"""The files on items for a connector: read piece by piece, hung on and taken off.

A piece is what fits into one message beside its envelope, so that nothing has to be remembered.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Iterator

from accord.formats import wire
from accord.formats.wire import Told
from accord.interface.connector import room
from accord.interface.connector.places import Place
from accord.interface.server.house import Turn
from accord.model.canonical import InvalidItem
from accord.model.parts import Attachment
from accord.ports.adapter import Written
from accord.ports.attachments import Attachments, KeepsFiles
from accord.ports.errors import Gone, Rejected

_AROUND = 2_000
"""Bytes around the content of a file that comes, at most: its name, its digest and so on."""

_DIGITS = 15


def keeping(turn: Turn) -> wire.Keeping:
    """Say how much of files fits through here."""
    session = turn.crm
    if not isinstance(session, Attachments):
        return wire.Keeping(room=0)
    fits = (turn.house.settings.max_object - _AROUND) // 4 * 3
    return wire.Keeping(room=min(session.room, fits))


def piece(turn: Turn, place: Place) -> Told:
    """Return the bytes of a file from where the address says; raises what reading it does."""
    given = place.more.get("at", "0")
    if not given.isascii() or not given.isdecimal() or len(given) > _DIGITS:
        raise InvalidItem(f"{given[:40]!r} is no place in a file")
    at = int(given)
    space = turn.reply.left - 2 * room.COMMAND - room.ENVELOPE - 5 * len(wire.name(place.ref))
    most = max(3, space // 4 * 3)
    found = bytearray()
    for some in _opened(turn, place):
        skipped = min(at, len(some))
        at -= skipped
        found += some[skipped:]
        if len(found) > most:
            break
    sort = wire.PIECE if len(found) > most else wire.LAST_PIECE
    return Told(sort, "", base64.b64encode(found[:most]).decode())


def attach(turn: Turn, place: Place, ref: str, text: str) -> Written:
    """Hang a file on an item; raises what the session does, or InvalidItem."""
    new = wire.decode(text, wire.NewFile)
    try:
        content = base64.b64decode(new.content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidItem(f"the content of {new.name[:40]!r} can't be read") from error
    file = Attachment(
        name=new.name, media_type=new.media_type, size=len(content), digest=new.digest
    )
    kept = _session(turn)
    return Written(ref=kept.attach(place.folder, place.kind, ref, file, io.BytesIO(content)))


def detach(turn: Turn, place: Place, ref: str, text: str) -> Written:
    """Take a file off an item; raises what the session does, or InvalidItem."""
    old = wire.decode(text, wire.OldFile)
    _session(turn).detach(place.folder, place.kind, ref, old.uri, forget=old.forget)
    return Written(ref=ref)


def _opened(turn: Turn, place: Place) -> Iterator[bytes]:
    session, uri = _session(turn), place.more["file"]
    if "kept" not in place.more:
        return session.open_file(place.folder, place.kind, place.ref, uri)
    if not isinstance(session, KeepsFiles):
        raise Gone("this CRM keeps no files that were taken off", code="not-kept")
    return session.open_kept(place.folder, place.kind, place.ref, uri)


def _session(turn: Turn) -> Attachments:
    session = turn.crm
    if not isinstance(session, Attachments):
        raise Rejected("this CRM keeps no files", code="no-files")
    return session
