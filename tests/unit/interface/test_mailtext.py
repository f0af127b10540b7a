"""E-mails for devices: written as message/rfc822 and read back with all that the CRM keeps."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from accord.formats.errors import Refused
from accord.interface.server import render
from accord.interface.server.stores import MAIL
from accord.model.diff import diff
from accord.model.item import Mail
from accord.model.kinds import Kind
from accord.model.parts import Body, BodyType, Person

LETTER = Mail(
    uid="1@example.com",
    subject="Grüße, a rather long subject that no header line would hold in seventy-six columns",
    sent=datetime(2026, 3, 2, 9, tzinfo=UTC),
    sender=Person(address="zoe@example.com", name="Zoë Müller"),
    to=(Person(address="anna@example.com", name="Anna"), Person(address="bob@example.com")),
    cc=(Person(address="carla@example.com", name="Carla, the boss"),),
    in_reply_to="<0@example.com>",
    references=("<0@example.com>",),
    body=Body(text="Ünï\r\ncode\r\n"),
)


@pytest.mark.parametrize("kind", list(BodyType))
def test_a_mail_comes_back_as_it_went(kind: BodyType) -> None:
    mail = Mail(
        **{name: getattr(LETTER, name) for name in LETTER.__struct_fields__ if name != "body"},
        body=Body(text="Ünï <b>code</b>\n", type=kind),
    )
    text = render.write(mail, MAIL)
    assert text.isascii()
    found = render.read(text, "message/rfc822", Kind.MAIL)
    assert isinstance(found, Mail)
    assert found.uid == mail.uid
    assert diff(mail, found) == ("size",)
    assert found.size == len(text)


def test_a_header_stays_one_header() -> None:
    sly = Mail(uid="2@example.com", subject="Hello\r\nBcc: everybody@example.com")
    found = render.read(render.write(sly, MAIL), "message/rfc822", Kind.MAIL)
    assert isinstance(found, Mail)
    assert (found.bcc, found.subject) == ((), "Hello Bcc: everybody@example.com")


def test_other_types_are_no_mails() -> None:
    with pytest.raises(Refused):
        render.read("BEGIN:VCARD", "text/vcard", Kind.MAIL)
    with pytest.raises(Refused):
        render.read("Date: yesterday-ish\r\n\r\n", "message/rfc822", Kind.MAIL)
