"""What all kinds of item share: texts, bodies, categories, privacy, people, importance, zones.

Each pair of functions leads from exchangelib's value to ours and back.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Any

from exchangelib.ewsdatetime import EWSDate, EWSDateTime
from exchangelib.properties import Body as PlainBody
from exchangelib.properties import HTMLBody
from exchangelib.util import safe_xml_value

from accord.formats import windows_zones
from accord.formats.html import says_the_same
from accord.groupware.exchange.codec.mended import ews_zone
from accord.model.parts import STORED, Attachment, Body, BodyType, Person, Privacy
from accord.model.zones import instant, wall_clock

SHORT = 255
"""How long a subject, a category or part of a name may be, in characters."""

_CONVERTED = "<!-- converted from text -->"


def home_of(item: Any, home: str | None) -> str:
    """Return the zone of a mailbox: what has no zone of its own stands in it."""
    if home is not None:
        return home
    named = getattr(getattr(item, "account", None), "default_timezone", None)
    return utc_named(str(named.key)) if named is not None else "UTC"


# ---- texts ----


def text_of(value: Any) -> str:
    """Return a text as we keep it."""
    return str(value or "").replace("\r\n", "\n")


def sent_text(text: str, limit: int | None = None) -> str | None:
    """Return a text that XML can carry; None clears."""
    return safe_xml_value(text)[:limit] or None


def body_of(item: Any) -> Body | None:
    """Return the body; what Exchange itself made of a plain text is that plain text."""
    held = item.body
    if not held:
        return None
    if isinstance(held, HTMLBody):
        if _CONVERTED in held[:2000] and item.text_body:
            return Body(text=text_of(item.text_body))
        return Body(text=text_of(held), type=BodyType.HTML)
    return Body(text=text_of(held))


def sent_body(body: Body | None) -> Any:
    """Return a body as exchangelib has it."""
    if body is None or not body.text:
        return None
    made = HTMLBody if body.type is BodyType.HTML else PlainBody
    return made(safe_xml_value(body.text))


def stands_already(after: Body | None, before: Body | None) -> bool:
    """Tell whether a plain text is but the twin of the HTML that stands there."""
    if after is None or before is None or before.type is not BodyType.HTML:
        return False
    return after.type is BodyType.TEXT and says_the_same(after.text, before.text)


def categories_of(item: Any) -> tuple[str, ...]:
    """Return the categories, each once."""
    return tuple(dict.fromkeys(str(each) for each in item.categories or () if each))


def sent_categories(categories: Iterable[str]) -> list[str] | None:
    """Return categories as exchangelib has them."""
    return [safe_xml_value(each)[:SHORT] for each in categories] or None


# ---- words ----

_PRIVACY = {Privacy.PUBLIC: "Normal", Privacy.PRIVATE: "Private", Privacy.SECRET: "Confidential"}
_SENSITIVITY = {word: privacy for privacy, word in _PRIVACY.items()} | {"Personal": Privacy.PRIVATE}


def privacy_of(item: Any) -> Privacy:
    """Return who may see an item; a word that isn't known hides it."""
    return _SENSITIVITY.get(item.sensitivity or "Normal", Privacy.PRIVATE)


def sent_privacy(privacy: Privacy) -> str:
    """Return the sensitivity."""
    return _PRIVACY[privacy]


def priority_of(item: Any) -> int:
    """Return the priority (RFC 5545 3.8.1.9): high is 1, low is 9, normal says nothing."""
    return {"High": 1, "Low": 9}.get(item.importance or "", 0)


def sent_importance(priority: int) -> str:
    """Return the importance."""
    return "High" if 1 <= priority <= 4 else "Low" if priority >= 6 else "Normal"


# ---- people and attachments ----


def person_of(mailbox: Any) -> Person | None:
    """Return a person; an address of Exchange's own directory is none that mail goes to."""
    if mailbox is None:
        return None
    address, name = str(mailbox.email_address or ""), str(mailbox.name or "")
    if is_directory(address):
        return Person(name=name or address.rpartition("=")[2])
    return Person(address=address, name=name)


def is_directory(address: str) -> bool:
    """Tell whether an address is one of Exchange's directory (`/o=…`), no e-mail address."""
    return address[:3].casefold() in ("/o=", "/ou")


def attachments_of(item: Any) -> tuple[Attachment, ...]:
    """Return the files on an item by reference; what a body shows inside is part of the body.

    Where the item says that it has files and names none, there is one of which nothing is told.
    """
    if not item.attachments and item.has_attachments:
        return (Attachment(uri=STORED),)
    return tuple(
        attachment_of(each)
        for each in item.attachments or ()
        if not each.is_inline and not getattr(each, "is_contact_photo", False)
    )


def attachment_of(each: Any) -> Attachment:
    """Return one file: `stored:` and the id under which it is fetched."""
    found = each.attachment_id
    return Attachment(
        uri=f"{STORED}{found.id}" if found is not None else "",
        name=str(each.name or ""),
        media_type=str(each.content_type or ""),
        size=each.size,
    )


# ---- times ----


def utc_named(name: str) -> str:
    """Return the name of a zone, UTC by its short name."""
    return "UTC" if name in ("Etc/UTC", "Etc/GMT", "GMT") else name


@lru_cache(maxsize=700)
def known_zone(name: str) -> str | None:
    """Return the zone that Exchange's name of a zone stands for; None where it has no name.

    Windows has one name for many zones that have the same rules now.
    """
    windows = windows_zones.windows(name)
    return None if windows is None else utc_named(windows_zones.iana(windows) or "UTC")


def sent_zone(name: str) -> Any:
    """Return exchangelib's form of a zone; UTC where Exchange doesn't know it."""
    return ews_zone(known_zone(name) or "UTC")


def sent_moment(local: datetime, name: str) -> Any:
    """Return a wall-clock time in a zone; raises UnknownZone."""
    moment = EWSDateTime.from_datetime(instant(local.replace(microsecond=0), name))
    return moment.astimezone(sent_zone(name))


def local_of(moment: datetime, name: str) -> datetime:
    """Return the wall-clock time of a moment in a zone; one without a zone stands already."""
    if moment.tzinfo is None:
        return datetime.combine(plain_day(moment), moment.time())
    return wall_clock(datetime.fromtimestamp(int(moment.timestamp()), UTC), name)


def utc_of(moment: datetime | None) -> datetime | None:
    """Return a moment in UTC; one without a zone counts as such."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        return local_of(moment, "UTC").replace(tzinfo=UTC)
    return datetime.fromtimestamp(int(moment.timestamp()), UTC)


def day_of(value: Any, name: str) -> datetime | None:
    """Return the midnight of a day; a moment stands for its day in a zone."""
    if isinstance(value, datetime):
        value = local_of(value, name)
    return None if value is None else datetime.combine(plain_day(value), time())


def plain_day(value: Any) -> date:
    """Return a day without what exchangelib adds to it."""
    return date(value.year, value.month, value.day)


def sent_day(local: datetime) -> Any:
    """Return the day of a wall-clock time."""
    return EWSDate(local.year, local.month, local.day)
