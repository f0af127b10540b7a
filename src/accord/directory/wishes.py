"""Which links templates want for whom, before anybody looks at those that are there.

Pure. Of each kind a person gets one link: from the first template, by order and then by name,
whose group they are in and that gives them that kind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from accord.directory.mailbox import mailbox_of
from accord.directory.preferences import contacts_of, folder_of, kinds_of
from accord.model.kinds import Kind
from accord.ports.users import UserCard
from accord.rules.failure import RuleFailed
from accord.state.templates import Template

Chosen = Mapping[str, Mapping[str, str]]
"""What users prefer: by user and matter."""


class Wish(Struct, frozen=True, kw_only=True):
    """Be one link that a template wants."""

    template: str
    user: str
    kind: Kind
    target: str
    principal: str
    folder: str
    rule: str


class Trouble(Struct, frozen=True, kw_only=True):
    """Say why somebody doesn't get what a template would give, or why nothing is decided."""

    template: str
    user: str = ""
    kind: Kind | None = None
    why: str


class Wishes(Struct, frozen=True, kw_only=True):
    """Be all that templates want.

    `members` are the users who match any template; `contacts` are contact modes by user.
    `unknown` names templates whose group the CRM doesn't know, `unsure` users and kinds without a
    mailbox that is known: nobody leaves for that. `locked` may no longer sign in.
    """

    links: tuple[Wish, ...] = ()
    contacts: dict[str, str] = {}
    members: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    unsure: frozenset[tuple[str, Kind]] = frozenset()
    locked: frozenset[str] = frozenset()
    troubles: tuple[Trouble, ...] = ()


def wishes_of(
    templates: Sequence[Template],
    cards: Sequence[UserCard],
    groups: frozenset[str],
    chosen: Chosen,
) -> Wishes:
    """Return what templates (those first that hold before others) want for the users."""
    links: dict[tuple[str, Kind], Wish] = {}
    contacts: dict[str, str] = {}
    members: set[str] = set()
    troubles: list[Trouble] = []
    unknown = frozenset(one.name for one in templates if one.group not in groups)
    for template in templates:
        if template.name in unknown:
            why = f"the CRM has no group {template.group!r}: its links stay as they are"
            troubles.append(Trouble(template=template.name, why=why))
            continue
        for card in cards:
            if not card.active or template.group not in card.groups:
                continue
            own = chosen.get(card.name, {})
            members.add(card.name)
            mode = contacts_of(template, own)
            if mode:
                contacts.setdefault(card.name, mode)
            _add(links, troubles, template, card, own)
    return Wishes(
        links=tuple(links.values()),
        contacts=contacts,
        members=frozenset(members),
        unknown=unknown,
        unsure=frozenset((one.user, one.kind) for one in troubles if one.kind is not None),
        locked=frozenset(card.name for card in cards if not card.active),
        troubles=tuple(troubles),
    )


def _add(
    links: dict[tuple[str, Kind], Wish],
    troubles: list[Trouble],
    template: Template,
    card: UserCard,
    chosen: Mapping[str, str],
) -> None:
    try:
        principal, why = mailbox_of(template, card), ""
    except RuleFailed as error:
        principal, why = "", str(error)
    for kind in kinds_of(template, chosen):
        first = links.get((card.name, kind))
        if first is not None:
            trouble = f"the template {first.template} comes first"
        elif not principal:
            trouble = why or "the CRM knows no address of theirs: give one, or an alias"
        else:
            links[card.name, kind] = Wish(
                template=template.name,
                user=card.name,
                kind=kind,
                target=template.target,
                principal=principal,
                folder=folder_of(template, kind, chosen),
                rule=template.rules[kind],
            )
            continue
        troubles.append(Trouble(template=template.name, user=card.name, kind=kind, why=trouble))
