"""What people choose for themselves where their template leaves it open, as words in state.

`wishes` obeys what is open; what isn't stays without effect until the template opens it.
"""

from __future__ import annotations

from collections.abc import Mapping

from accord.model.kinds import Kind
from accord.state.templates import Open, Template

KINDS, CONTACTS, FOLDER, SUCCESSOR = "kinds", "contacts", "folder", "successor"
LINKED = (Kind.EVENT, Kind.TASK, Kind.CONTACT, Kind.ABSENCE)
NOTHING = "none"
"""The choice of no kind at all."""

MATTERS = (KINDS, CONTACTS, *(f"{FOLDER}.{kind}" for kind in LINKED), SUCCESSOR)
"""All matters of link templates."""


def matter_open(matter: str) -> Open | None:
    """Return what a template must leave open for a matter; None where it is always open."""
    if matter == KINDS:
        return Open.KINDS
    if matter == CONTACTS:
        return Open.CONTACTS
    return Open.FOLDERS if matter.startswith(f"{FOLDER}.") else None


def parse_kinds(text: str) -> tuple[Kind, ...]:
    """Return the kinds of a choice such as `event,task`; raises ValueError for another word."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if words == [NOTHING]:
        return ()
    strange = [word for word in words if word not in tuple(LINKED)]
    if strange or not words:
        raise ValueError(f"there is no kind {strange[0]!r}" if strange else "no kind is named")
    return tuple(Kind(word) for word in dict.fromkeys(words))


def kinds_of(template: Template, chosen: Mapping[str, str]) -> tuple[Kind, ...]:
    """Return the kinds a person gets."""
    said = chosen.get(KINDS, "")
    if not said or Open.KINDS not in template.open:
        return template.kinds
    possible = (*template.kinds, *template.offers)
    return tuple(kind for kind in dict.fromkeys(possible) if kind in parse_kinds(said))


def contacts_of(template: Template, chosen: Mapping[str, str]) -> str:
    """Return the contact mode a person gets; empty where nobody says one."""
    said = chosen.get(CONTACTS, "") if Open.CONTACTS in template.open else ""
    return said or template.contacts


def folder_of(template: Template, kind: Kind, chosen: Mapping[str, str]) -> str:
    """Return the folder a person's link of a kind works in; empty is the usual one."""
    said = chosen.get(f"{FOLDER}.{kind}", "") if Open.FOLDERS in template.open else ""
    return said or template.folders.get(kind, "")
