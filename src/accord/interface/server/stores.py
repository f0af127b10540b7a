"""The stores that devices see, and which kind of item is in each.

Asked wherever a message names a store.
"""

from __future__ import annotations

from msgspec import Struct

from accord.formats.types import ICALENDAR, VCALENDAR, VCARD2, VCARD3, VCARD4, Format
from accord.model.kinds import Kind
from accord.model.traits import Traits

MAIL = Format("message/rfc822", "1.0")


class Store(Struct, frozen=True, kw_only=True):
    """Be a store: its name, its kind, and the types it speaks, the first preferred."""

    name: str
    title: str
    kind: Kind
    types: tuple[Format, ...]


STORES = {
    store.name: store
    for store in (
        Store(
            name="addressbook",
            title="Contacts",
            kind=Kind.CONTACT,
            types=(VCARD3, VCARD2, VCARD4),
        ),
        Store(name="calendar", title="Calendar", kind=Kind.EVENT, types=(ICALENDAR, VCALENDAR)),
        Store(name="todo", title="Tasks", kind=Kind.TASK, types=(ICALENDAR, VCALENDAR)),
        Store(name="absence", title="Absences", kind=Kind.ABSENCE, types=(ICALENDAR, VCALENDAR)),
        Store(name="mail", title="E-mail", kind=Kind.MAIL, types=(MAIL,)),
    )
}
"""All stores by name; a CRM that doesn't have a kind doesn't have its store."""

ALIASES = {
    "contacts": "addressbook",
    "contact": "addressbook",
    "card": "addressbook",
    "events": "calendar",
    "event": "calendar",
    "cal": "calendar",
    "tasks": "todo",
    "task": "todo",
    "absences": "absence",
    "email": "mail",
}
"""Names that devices come with."""


def find(uri: str, traits: Traits) -> Store | None:
    """Return the store that an address names, whatever stands before or behind its name."""
    name = uri.partition("?")[0].strip("./ ").casefold()
    store = STORES.get(ALIASES.get(name, name))
    return store if store is not None and store.kind in traits.kinds else None


def offered(traits: Traits) -> tuple[Store, ...]:
    """Return the stores of a CRM."""
    return tuple(store for store in STORES.values() if store.kind in traits.kinds)
