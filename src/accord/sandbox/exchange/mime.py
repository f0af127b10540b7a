"""Items as other programs write them: messages as MIME, calendar entries as iCalendar."""

from __future__ import annotations

import base64
import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, formataddr, getaddresses, parsedate_to_datetime
from typing import NamedTuple

from accord.sandbox.exchange import attachments, ics, ics_read
from accord.sandbox.exchange.attachments import Attachment
from accord.sandbox.exchange.call import Call
from accord.sandbox.exchange.errors import EwsError
from accord.sandbox.exchange.series import Single
from accord.sandbox.exchange.store import Item
from accord.sandbox.exchange.xml import Node, child, local, moment, stamp, t, text_at

_LISTS = {"To": "ToRecipients", "Cc": "CcRecipients", "Bcc": "BccRecipients", "Reply-To": "ReplyTo"}
_POLICY = email.policy.SMTP.clone(max_line_length=998)


class Unpacked(NamedTuple):
    """What an item's MimeContent holds: properties, attachments, occurrences of a series."""

    nodes: list[Node]
    files: list[Node]
    singles: list[Single]


def unpack(call: Call, sent: Node) -> Unpacked:
    """Return what an item's MimeContent holds.

    The properties do not count where the item sets them itself. Raises EwsError.
    """
    held = child(sent, "MimeContent")
    if held is None:
        return Unpacked([], [], [])
    raw = base64.b64decode("".join((held.text or "").split()))
    if local(sent) == "CalendarItem":
        sent.remove(held)
        nodes, singles = ics_read.read(raw, call.owner(call.actor.id), call.zone)
        return Unpacked(nodes, [], singles)
    try:
        return Unpacked(*_read(raw), [])
    except (LookupError, ValueError, AttributeError):
        raise EwsError("ErrorMimeContentInvalid", "The MIME is not valid.") from None


def of(call: Call, item: Item, known: dict[str, list[Node]]) -> Node:
    """Return an item as MIME; a message that came as such is what it was. Raises EwsError."""
    kept = child(item.content, "MimeContent")
    if kept is not None:
        raw = base64.b64decode("".join((kept.text or "").split()))
    elif item.kind == "CalendarItem":
        raw = ics.write(call.store, item, known)
    elif item.kind == "Contact":
        raw = _card(known)
    else:
        raw = _written(call, item, known)
    return t("MimeContent", base64.b64encode(raw).decode(), CharacterSet="UTF-8")


def without_blind_copies(held: Node) -> None:
    """Take the header that names them out of a message's MimeContent."""
    kept = child(held, "MimeContent")
    if kept is None:
        return
    raw = base64.b64decode("".join((kept.text or "").split()))
    found = email.message_from_bytes(raw, policy=_POLICY)
    if found["Bcc"] is not None:
        del found["Bcc"]
        kept.text = base64.b64encode(found.as_bytes()).decode()


# ---- messages ----


def _read(raw: bytes) -> tuple[list[Node], list[Node]]:
    found = email.message_from_bytes(raw, policy=email.policy.SMTP)
    assert isinstance(found, EmailMessage)
    nodes = [t("Subject", str(found["Subject"] or ""))]
    for header, name in _LISTS.items():
        people = getaddresses([str(each) for each in found.get_all(header, [])])
        if people:
            nodes.append(t(name, *[_mailbox(*each) for each in people if each[1]]))
    for name in ("From", "Sender"):
        people = getaddresses([str(found[name] or found["From"] or "")])
        if people and people[0][1]:
            nodes.append(t(name, _mailbox(*people[0])))
    for header, name in (("Message-ID", "InternetMessageId"), ("References", "References")):
        if found[header]:
            nodes.append(t(name, str(found[header]).strip()))
    if found["In-Reply-To"]:
        nodes.append(t("InReplyTo", str(found["In-Reply-To"]).strip()))
    if (when := _date(found)) is not None:
        nodes += [t("DateTimeSent", stamp(when)), t("DateTimeReceived", stamp(when))]
    body = found.get_body(("html", "plain"))
    if body is not None:
        kind = "HTML" if body.get_content_subtype() == "html" else "Text"
        nodes.append(t("Body", _clean(body.get_content()), BodyType=kind))
    headers = [
        t("InternetMessageHeader", _clean(str(value)), HeaderName=name)
        for name, value in found.items()
    ]
    if headers:
        nodes.append(t("InternetMessageHeaders", *headers))
    return nodes, [_file(part) for part in found.iter_attachments()]


def _date(found: EmailMessage) -> datetime | None:
    try:
        when = parsedate_to_datetime(str(found["Date"] or ""))
    except (TypeError, ValueError):
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _file(part: EmailMessage) -> Node:
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        data = part.as_bytes()
    cid = str(part["Content-ID"] or "").strip().strip("<>")
    return t(
        "FileAttachment",
        t("Name", part.get_filename() or "attachment"),
        t("ContentType", part.get_content_type()),
        t("ContentId", cid) if cid else None,
        t("IsInline", "true" if part.get_content_disposition() == "inline" else "false"),
        t("Content", base64.b64encode(data).decode()),
    )


def _mailbox(name: str, address: str) -> Node:
    told = (t("Name", name or address), t("EmailAddress", address))
    return t("Mailbox", *told, t("RoutingType", "SMTP"))


def _clean(text: str) -> str:
    """Return a text without what XML can't carry."""
    return "".join(each for each in text if each in "\t\n\r" or each >= " ")


def _written(call: Call, item: Item, known: dict[str, list[Node]]) -> bytes:
    made = EmailMessage(policy=_POLICY)

    def text(name: str) -> str:
        held = known.get(name)
        return held[0].text or "" if held else ""

    for header, name in (("From", "From"), *_LISTS.items()):
        people = [_person(each) for holder in known.get(name, []) for each in holder]
        if people:
            made[header] = ", ".join(people)
    made["Subject"] = " ".join(text("Subject").split())
    made["Date"] = format_datetime(moment(text("DateTimeSent") or item.made))
    for header, name in (("Message-ID", "InternetMessageId"), ("In-Reply-To", "InReplyTo")):
        if text(name):
            made[header] = text(name)
    body = child(item.content, "Body")
    subtype = "html" if body is not None and body.get("BodyType") == "HTML" else "plain"
    made.set_content("" if body is None else body.text or "", subtype=subtype)
    if item.is_meeting:
        told = ics.write_message(item, known).decode()
        method = {"method": ics.METHODS[item.kind]}
        made.add_alternative(told, subtype="calendar", params=method)
    for each in attachments.of(call.store, item):
        if each.kind == "FileAttachment":
            _attach(call, made, each)
    return made.as_bytes()


def _card(known: dict[str, list[Node]]) -> bytes:
    """Return a contact as a vCard, with the little that Exchange's own has."""

    def text(name: str) -> str:
        held = known.get(name)
        found = (held[0].text or "") if held else ""
        return "".join(f"\\{each}" if each in "\\;," else each for each in found)

    names = ("Surname", "GivenName", "MiddleName", "Title", "Generation")
    lines = ["BEGIN:VCARD", "VERSION:3.0", f"N:{';'.join(map(text, names))}"]
    lines.append(f"FN:{text('DisplayName') or text('FileAs')}")
    lines += [
        f"EMAIL;TYPE=INTERNET:{each.text or ''}"
        for held in known.get("EmailAddresses", [])
        for each in held
    ]
    return "\r\n".join([*lines, "END:VCARD", ""]).encode()


def _attach(call: Call, made: EmailMessage, held: Attachment) -> None:
    main, _, sub = (held.type or "application/octet-stream").partition("/")
    made.add_attachment(
        attachments.content(call.store, held),
        maintype=main,
        subtype=sub or "octet-stream",
        filename=held.name,
        disposition="inline" if held.inline else "attachment",
        cid=f"<{held.cid}>" if held.cid else None,
    )


def _person(node: Node) -> str:
    address = text_at(node, "EmailAddress") or ""
    return formataddr((text_at(node, "Name") or "", address))
