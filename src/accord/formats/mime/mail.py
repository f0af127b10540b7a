"""E-mails as message/rfc822: made from the fields that a CRM keeps, and read back.

The original's bytes stay where they are. Header fields are written by hand: the
standard library's policies parse what they write, and take no address that they can't parse.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email import policy
from email.header import Header
from email.message import EmailMessage
from email.utils import format_datetime, parsedate_to_datetime, quote

import idna

from accord.formats.errors import Refused
from accord.formats.mime.parts import Parts, line
from accord.model.item import Mail
from accord.model.parts import Body, BodyType, Person

_POLICY = policy.SMTP.clone(cte_type="7bit")
_NEEDED = ("From", "To", "Cc", "Bcc", "Date", "Message-ID", "Subject")


def write(mail: Mail) -> str:
    """Return a mail as text, its lines ended by CRLF.

    It is ASCII, but for addresses that have no other form (RFC 6532).
    """
    uid = line(mail.uid).strip("<> ")
    lines = [
        _words("Message-ID", f"<{uid}>" if uid else ""),
        _words("Date", format_datetime(mail.sent) if mail.sent else ""),
        _people("From", (mail.sender,) if mail.sender else ()),
        _people("To", mail.to),
        _people("Cc", mail.cc),
        _people("Bcc", mail.bcc),
        _words("Subject", mail.subject),
        _words("In-Reply-To", mail.in_reply_to),
        _words("References", " ".join(mail.references)),
    ]
    body, content = mail.body or Body(text=""), EmailMessage(policy=_POLICY)
    subtype = "html" if body.type is BodyType.HTML else "plain"
    content.set_content(body.text.encode("utf-8", "replace").decode(), subtype=subtype)
    return "".join(lines) + content.as_bytes().decode("ascii", "replace")


def read(data: str | bytes) -> Mail:
    """Return the mail in a text; raises Refused for what is none, or costs more than any does."""
    raw = data.encode("utf-8", "replace") if isinstance(data, str) else data
    found = Parts(raw)
    if not any(found.field(name) for name in _NEEDED):
        raise Refused("that is no e-mail: it says nothing of where it comes from")
    sender = found.people("From")
    return Mail(
        uid=found.words("Message-ID").strip("<> "),
        subject=found.words("Subject"),
        sent=_date(found.field("Date")),
        sender=sender[0] if sender else None,
        to=found.people("To"),
        cc=found.people("Cc"),
        bcc=found.people("Bcc"),
        in_reply_to=found.words("In-Reply-To"),
        references=tuple(found.words("References").split()),
        body=found.text(),
        size=len(raw),
    )


def files(data: str | bytes) -> tuple[str, ...]:
    """Return the names of the files that hang on the mail in a text; raises Refused."""
    return Parts(data.encode("utf-8", "replace") if isinstance(data, str) else data).files()


def _date(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise Refused(f"{text[:50]!r} is no date", prop="Date") from error


def _words(name: str, value: str) -> str:
    """Return a line (or folded ones) of a header; nothing where there is nothing to say."""
    text = line(value)
    if not text:
        return ""
    # What looks like an encoded word and isn't meant so would come back as something else.
    charset = "us-ascii" if text.isascii() and "=?" not in text else "utf-8"
    folded = Header(text, charset, header_name=name).encode(linesep="\r\n")
    return f"{name}: {folded}\r\n"


def _people(name: str, people: tuple[Person, ...]) -> str:
    made = ",\r\n ".join(_person(person) for person in people)
    return f"{name}: {made}\r\n" if made else ""


def _person(person: Person) -> str:
    name, address = line(person.name), _address(person.address)
    if not name:
        return address
    if name.isascii() and "=?" not in name:
        return f'"{quote(name)}" <{address}>'
    return f"{Header(name, 'utf-8').encode(linesep=chr(13) + chr(10))} <{address}>"


def _address(address: str) -> str:
    """Return an address as mail programs take it: its domain in ASCII if the rest is (RFC 5891)."""
    text = "".join(each for each in line(address) if each not in "<> ")
    local, at, domain = text.rpartition("@")
    if not at or text.isascii() or not local.isascii():
        return text
    try:
        return local + at + idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        return text
