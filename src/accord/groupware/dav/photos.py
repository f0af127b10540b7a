"""The picture in a card: a file that the server keeps, named by the digest of its content.

`codec` names it on reading and puts its line back on writing, so that no item holds bytes; `write`
gives a card another one and takes it off. A picture that is an address stays one.
"""

from __future__ import annotations

import hashlib

from msgspec.structs import replace

from accord.formats import vcard
from accord.formats.limits import LIMITS, Limits
from accord.formats.vcard.kept import NAMESPACE, kept
from accord.formats.vcard.photos import inline, picture
from accord.groupware.dav import shield
from accord.model.item import Contact
from accord.model.parts import STORED, Attachment
from accord.ports.errors import Gone, Rejected

ROOM = LIMITS.inline
"""How many bytes a picture may have that is put into a card: other programs read the card, too."""

READING = Limits(line=LIMITS.size, inline=LIMITS.size)
"""What a card may cost: a person is read however large the picture is that somebody gave them."""

_LINES = NAMESPACE + "PHOTO"


def named(contact: Contact) -> Contact:
    """Return a contact read from a card whose picture is named, without its bytes."""
    photo = contact.photo
    if photo is None or photo.uri:
        return contact
    extras = {name: value for name, value in contact.extras.items() if name != _LINES}
    return replace(contact, photo=replace(photo, uri=STORED + photo.digest), extras=extras)


def whole(contact: Contact, stored: str) -> Contact:
    """Return a contact to be written whose named picture is the one in the card `stored`."""
    photo = contact.photo
    if photo is None or not photo.stored:
        return contact
    lines = _read(stored).extras[_LINES] if stored else ()
    return replace(contact, photo=replace(photo, uri=""), extras={**contact.extras, _LINES: lines})


def pictured(contact: Contact, file: Attachment, content: bytes) -> Contact:
    """Return a contact with another picture, to be written."""
    digest = hashlib.sha256(content).hexdigest()
    photo = Attachment(media_type=file.media_type, size=len(content), digest=digest)
    lines = (inline(content, file.media_type, "3.0"),)
    return replace(contact, photo=photo, extras={**contact.extras, _LINES: lines})


def content_of(contact: Contact, stored: str, uri: str) -> bytes:
    """Return the bytes of a card's picture; raises Gone, or Rejected where they can't be read."""
    if contact.photo is None or contact.photo.uri != uri:
        raise Gone("the card has another picture by now, or none")
    try:
        _, content = picture(kept(_read(stored).extras, "PHOTO")[0])
    except ValueError:
        content = b""
    if not content:
        raise Rejected("the picture in the card can't be read", code="picture")
    return content


def _read(stored: str) -> Contact:
    return vcard.read(shield.lowered(stored), limits=READING).item
