"""E-mails as message/rfc822 for devices: made from the fields that the CRM keeps, and read back.

Used by `render`; the original's bytes stay where they are.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import format_datetime, formataddr, getaddresses, parsedate_to_datetime

from accord.formats.errors import Refused
from accord.model.item import Mail
from accord.model.parts import Body, BodyType, Person

_POLICY = policy.SMTP.clone(cte_type="7bit", max_line_length=998)


def write(mail: Mail) -> str:
    """Return a mail as text in ASCII, its lines ended by CRLF."""
    made = EmailMessage(policy=_POLICY)
    headers = {
        "Message-ID": f"<{mail.uid.strip('<>')}>",
        "Date": format_datetime(mail.sent) if mail.sent else "",
        "From": _addresses((mail.sender,) if mail.sender else ()),
        "To": _addresses(mail.to),
        "Cc": _addresses(mail.cc),
        "Bcc": _addresses(mail.bcc),
        "Subject": mail.subject,
        "In-Reply-To": mail.in_reply_to,
        "References": " ".join(mail.references),
    }
    for name, value in headers.items():
        if value:
            made[name] = " ".join(value.split())
    body = mail.body or Body(text="")
    made.set_content(body.text, subtype="html" if body.type is BodyType.HTML else "plain")
    return made.as_bytes().decode("ascii", "replace")


def read(data: str | bytes) -> Mail:
    """Return the mail in a text; raises Refused for what is none."""
    raw = data.encode() if isinstance(data, str) else data
    found = BytesParser(policy=policy.default).parsebytes(raw)
    assert isinstance(found, EmailMessage)
    try:
        body = found.get_body(("plain", "html"))
        text = None if body is None else body.get_content()
        subtype = "" if body is None else body.get_content_type()
        sender = _people(found, "From")
        return Mail(
            uid=_header(found, "Message-ID").strip("<> "),
            subject=_header(found, "Subject"),
            sent=_date(_header(found, "Date")),
            sender=sender[0] if sender else None,
            to=_people(found, "To"),
            cc=_people(found, "Cc"),
            bcc=_people(found, "Bcc"),
            in_reply_to=_header(found, "In-Reply-To"),
            references=tuple(_header(found, "References").split()),
            body=None if text is None else Body(text=text, type=BodyType(subtype)),
            size=len(raw),
        )
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Refused(f"that is no e-mail: {error}") from error


def _header(message: EmailMessage, name: str) -> str:
    return " ".join(str(message.get(name, "")).split())


def _date(text: str) -> datetime | None:
    if not text:
        return None
    moment = parsedate_to_datetime(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _people(message: EmailMessage, name: str) -> tuple[Person, ...]:
    values = [str(value) for value in message.get_all(name, [])]
    return tuple(Person(address=a, name=n) for n, a in getaddresses(values) if a)


def _addresses(people: tuple[Person, ...]) -> str:
    return ", ".join(formataddr((person.name, person.address)) for person in people)
