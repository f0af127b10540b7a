"""What people call an item: one name, wherever an item is shown, listed or looked for."""

from __future__ import annotations

from accord.model.item import Absence, Contact, Item

ABSENT_TITLE = "Absent"
"""What an absence is called that has no title, in mailboxes, too; its kind never leaves the CRM."""


def name_of(item: Item) -> str:
    """Return what people call an item; empty where it has nothing to be called by.

    Whether that may be told is for the caller to ask: it says nothing of privacy.
    """
    if isinstance(item, Contact):
        return _contact(item)
    name = str(getattr(item, "title", "") or getattr(item, "subject", ""))
    return name or (ABSENT_TITLE if isinstance(item, Absence) else "")


def _contact(contact: Contact) -> str:
    """Return the full name, else what it would be made of, else company or address."""
    parts = (contact.prefix, contact.given, contact.middle, contact.family, contact.suffix)
    composed = " ".join(part for part in parts if part)
    mail = contact.mails[0].address if contact.mails else ""
    return contact.full_name or composed or contact.organization or mail
