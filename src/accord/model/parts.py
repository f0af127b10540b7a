"""Values that several kinds of item share: people, bodies, reminders, attachments.

Named after RFC 8984 (JSCalendar) and RFC 9553 (JSContact).
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Privacy(StrEnum):
    """Say who may see an item (RFC 8984 section 4.4.3)."""

    PUBLIC = "public"
    PRIVATE = "private"
    SECRET = "secret"


class Reply(StrEnum):
    """Say what an attendee answered (RFC 8984 participationStatus)."""

    NEEDS_ACTION = "needs-action"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    TENTATIVE = "tentative"
    DELEGATED = "delegated"


class Role(StrEnum):
    """Say what part an attendee has (RFC 5545 ROLE)."""

    CHAIR = "chair"
    REQUIRED = "required"
    OPTIONAL = "optional"
    INFORMATIONAL = "informational"


class AttendeeKind(StrEnum):
    """Say what an attendee is (RFC 5545 CUTYPE)."""

    INDIVIDUAL = "individual"
    GROUP = "group"
    ROOM = "room"
    RESOURCE = "resource"
    UNKNOWN = "unknown"


class BodyType(StrEnum):
    """Name the media type of a body."""

    TEXT = "text/plain"
    HTML = "text/html"


class Part(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Be the common base of the values inside items."""


class Person(Part, frozen=True, kw_only=True):
    """Name somebody by e-mail address; `address` is bare, without `mailto:`."""

    address: str = ""
    name: str = ""


class Attendee(Part, frozen=True, kw_only=True):
    """Be one invited person, room or resource, and what they answered."""

    address: str
    name: str = ""
    role: Role = Role.REQUIRED
    reply: Reply = Reply.NEEDS_ACTION
    attendee_kind: AttendeeKind = AttendeeKind.INDIVIDUAL
    rsvp: bool = False


class Body(Part, frozen=True, kw_only=True):
    """Hold a text together with its type; HTML is never turned into text on the way."""

    text: str
    type: BodyType = BodyType.TEXT


class Reminder(Part, frozen=True, kw_only=True):
    """Remind `minutes` before the start (negative: after it), or before the end."""

    minutes: int
    before_end: bool = False


STORED = "stored:"
"""How the uri of an attachment begins whose bytes the side that names it keeps itself."""


class Attachment(Part, frozen=True, kw_only=True):
    """Refer to attached content; bytes are never part of an item.

    `digest` is the SHA-256 of the content in hexadecimal, `size` is in bytes (some sides count
    what they keep around it, too). A `stored` one means something to its own side only.
    """

    uri: str = ""
    name: str = ""
    media_type: str = ""
    size: int | None = None
    digest: str = ""

    @property
    def stored(self) -> bool:
        """Tell whether its side keeps the bytes, under this uri."""
        return self.uri.startswith(STORED)


def links(attachments: tuple[Attachment, ...]) -> tuple[Attachment, ...]:
    """Return what travels as a field: the attachments that are addresses for everybody."""
    return tuple(each for each in attachments if not each.stored)


def files(attachments: tuple[Attachment, ...]) -> tuple[Attachment, ...]:
    """Return what travels as bytes: the attachments that their own side keeps."""
    return tuple(each for each in attachments if each.stored)
