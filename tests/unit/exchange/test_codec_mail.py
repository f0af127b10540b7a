"""Mail as it is read: who, to whom, when, and what it answers."""

from __future__ import annotations

from datetime import UTC, datetime

import exchangelib

from accord.groupware.exchange.codec import mail
from accord.model.item import Mail
from accord.model.parts import Body, BodyType, Person
from tests.unit.exchange.post import parsed

TEXT = (
    "<Message><Subject>Offer</Subject><Body BodyType='HTML'>&lt;p&gt;Dear Bea&lt;/p&gt;</Body>"
    "<Attachments><FileAttachment><AttachmentId Id='AT1'/><Name>offer.pdf</Name></FileAttachment>"
    "</Attachments><DateTimeReceived>2026-03-02T08:00:05.25Z</DateTimeReceived><Size>2048</Size>"
    "<Categories><String>Client</String></Categories>"
    "<InReplyTo>&lt;1@example.org&gt;</InReplyTo><DateTimeSent>2026-03-02T09:00:00+01:00"
    "</DateTimeSent><Sender><Mailbox><EmailAddress>desk@example.com</EmailAddress></Mailbox>"
    "</Sender><ToRecipients><Mailbox><Name>Bea</Name><EmailAddress>bea@example.org</EmailAddress>"
    "</Mailbox><Mailbox><Name>Team</Name><RoutingType>EX</RoutingType></Mailbox></ToRecipients>"
    "<BccRecipients><Mailbox><EmailAddress>eve@example.org</EmailAddress></Mailbox>"
    "</BccRecipients><From><Mailbox><Name>Alice</Name><EmailAddress>alice@example.com"
    "</EmailAddress></Mailbox></From><InternetMessageId>&lt;2@example.com&gt;</InternetMessageId>"
    "<IsRead>0</IsRead><References>&lt;0@example.org&gt;\n &lt;1@example.org&gt;</References>"
    "</Message>"
)


def test_a_mail_is_read() -> None:
    found = mail.read(parsed(exchangelib.Message, TEXT))
    assert found.attachments[0].uri == "stored:AT1"
    assert found == Mail(
        uid="2@example.com",
        subject="Offer",
        sent=datetime(2026, 3, 2, 8, tzinfo=UTC),
        received=datetime(2026, 3, 2, 8, 0, 5, tzinfo=UTC),
        sender=Person(address="alice@example.com", name="Alice"),
        to=(Person(address="bea@example.org", name="Bea"), Person(name="Team")),
        bcc=(Person(address="eve@example.org"),),
        in_reply_to="<1@example.org>",
        references=("<0@example.org>", "<1@example.org>"),
        body=Body(text="<p>Dear Bea</p>", type=BodyType.HTML),
        attachments=found.attachments,
        size=2048,
        categories=("Client",),
    )


def test_an_empty_mail_is_read() -> None:
    assert mail.read(parsed(exchangelib.Message, "<Message/>")) == Mail()


def test_a_mail_is_never_written() -> None:
    assert mail.traits().readonly == mail.traits().fields
    assert not hasattr(mail, "properties")
