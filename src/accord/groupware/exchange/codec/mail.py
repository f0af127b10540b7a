"""Mail: read, never changed. The original stays in the mailbox and is fetched when wanted.

`adapter` asks for PROPERTIES and reads with `read`.
"""

from __future__ import annotations

from typing import Any

from accord.groupware.exchange.codec import parts
from accord.model.fields import FIELDS
from accord.model.item import Mail
from accord.model.kinds import Kind
from accord.model.parts import Person
from accord.model.traits import KindTraits

PROPERTIES = (
    *("subject", "sensitivity", "body", "text_body", "attachments", "datetime_received", "size"),
    *("categories", "in_reply_to", "datetime_sent", "sender", "to_recipients", "cc_recipients"),
    *("bcc_recipients", "author", "message_id", "is_read", "references"),
    *("accord_key", "accord_marker"),
)
"""The fields of exchangelib's Message that are read; the MIME original is asked for by itself."""

_FIELDS = frozenset(FIELDS[Kind.MAIL]) - {"extras", "mime"}


def traits() -> KindTraits:
    """Return what Exchange carries of a mail, all of it to be read only."""
    return KindTraits(fields=_FIELDS, readonly=_FIELDS, trash=True)


def read(item: Any) -> Mail:
    """Return a mail without its original.

    `uid` is the Message-ID without brackets; who wrote it counts, not who sent it for them.
    """
    return Mail(
        uid=parts.text_of(item.message_id).strip("<> \n"),
        subject=parts.text_of(item.subject),
        sent=parts.utc_of(item.datetime_sent),
        received=parts.utc_of(item.datetime_received),
        sender=parts.person_of(item.author or item.sender),
        to=_people(item.to_recipients),
        cc=_people(item.cc_recipients),
        bcc=_people(item.bcc_recipients),
        in_reply_to=parts.text_of(item.in_reply_to).strip(),
        references=tuple(parts.text_of(item.references).split()),
        body=parts.body_of(item),
        attachments=parts.attachments_of(item),
        size=item.size or 0,
        categories=parts.categories_of(item),
        privacy=parts.privacy_of(item),
    )


def _people(mailboxes: Any) -> tuple[Person, ...]:
    found = (parts.person_of(each) for each in mailboxes or ())
    return tuple(each for each in found if each is not None and each != Person())
