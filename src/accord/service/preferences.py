"""What people prefer about the links that templates give them: shown with what is open, and noted.

The next user initialization acts on it.
"""

from __future__ import annotations

from msgspec import Struct

from accord.directory.preferences import (
    CONTACTS,
    KINDS,
    MATTERS,
    SUCCESSOR,
    matter_open,
    parse_kinds,
)
from accord.ports.errors import AuthFailed, ConfigError
from accord.ports.users import ContactModes, UserCard
from accord.service.accord import Accord
from accord.service.identity import require_user
from accord.service.initialize import enrolled
from accord.state.templates import Template


class Preference(Struct, frozen=True, kw_only=True):
    """Be one matter: what a person chose, what their template says, and whether it is theirs.

    `template` is the one that decides about it, empty where none gives the person anything.
    """

    matter: str
    value: str = ""
    template: str = ""
    usual: str = ""
    open: bool = False


def preferences(accord: Accord, user: str) -> list[Preference]:
    """Return a user's matters; raises ConfigError for a stranger."""
    card = _card(accord, user)
    with accord.state.read() as tx:
        chosen = tx.preferences.all().get(user, {})
        templates = [one for one in tx.templates.all() if one.group in card.groups]
    found = []
    for matter in MATTERS:
        needed = matter_open(matter)
        template = _deciding(templates, matter)
        preference = Preference(
            matter=matter,
            value=chosen.get(matter, ""),
            template=template.name if template else "",
            usual=_usual(template, matter) if template else "",
            open=needed is None or (template is not None and needed in template.open),
        )
        found.append(preference)
    return found


def prefer(accord: Accord, user: str, matter: str, value: str) -> Preference:
    """Note what a user chose; an empty value takes the choice back.

    Raises ConfigError for a stranger, an unknown matter or value, and for what the user's
    template doesn't leave open.
    """
    known = {one.matter: one for one in preferences(accord, user)}
    if matter not in known:
        hint = f"use one of: {', '.join(MATTERS)}"
        raise ConfigError(f"there is no preference {matter!r}", field="matter", hint=hint)
    if value:
        _require_open(known[matter], user)
        _check(accord, user, matter, value)
    with accord.state.begin() as tx:
        tx.preferences.put(user, matter, value)
    return next(one for one in preferences(accord, user) if one.matter == matter)


def _require_open(preference: Preference, user: str) -> None:
    if preference.open:
        return
    if not preference.template:
        hint = "see: accord templates"
        raise ConfigError(f"no template gives {user} any links", field="user", hint=hint)
    needed = matter_open(preference.matter)
    hint = f'add open = ["{needed}"] to it'
    detail = f"the template {preference.template} doesn't leave {preference.matter} open"
    raise ConfigError(detail, field="matter", hint=hint)


def _check(accord: Accord, user: str, matter: str, value: str) -> None:
    if matter == KINDS:
        try:
            parse_kinds(value)
        except ValueError as error:
            hint = "write them as event,task, or none"
            raise ConfigError(str(error), field="value", hint=hint) from error
    if matter == CONTACTS:
        modes = accord.crm.contact_modes if isinstance(accord.crm, ContactModes) else ()
        if value not in modes:
            hint = f"use one of: {', '.join(modes) or 'none'}"
            raise ConfigError(f"the CRM knows no contact mode {value!r}", field="value", hint=hint)
    if matter == SUCCESSOR:
        if value == user:
            raise ConfigError("nobody succeeds themselves", field="value", hint="name a colleague")
        try:
            require_user(accord, value)
        except AuthFailed as error:
            raise ConfigError(str(error), field="value", hint="see: accord crm users") from error


def _card(accord: Accord, user: str) -> UserCard:
    cards, _ = enrolled(accord)
    card = next((one for one in cards if one.name == user), None)
    if card is None:
        hint = "see: accord crm users"
        raise ConfigError(f"there is no CRM user {user!r}", field="user", hint=hint)
    return card


def _deciding(templates: list[Template], matter: str) -> Template | None:
    """Return the template that decides about a matter: the first that says anything about it."""
    _, _, kind = matter.partition(".")
    for template in templates:
        if kind and kind not in (*template.kinds, *template.offers):
            continue
        if matter == CONTACTS and not template.contacts and matter not in template.open:
            continue
        return template
    return None


def _usual(template: Template, matter: str) -> str:
    _, _, kind = matter.partition(".")
    if kind:
        return template.folders.get(kind, "")
    if matter == KINDS:
        return ",".join(template.kinds)
    return template.contacts if matter == CONTACTS else template.successor
