"""Configuration text to targets and links: `[[target]]` and `[[link]]`, read strictly.

`transfer` compares the result with what is stored. Everything wrong is told at once, with file,
line and hint.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from accord.model.kinds import Kind, Side
from accord.ports.errors import AccordError, AuthFailed, ConfigError
from accord.ports.settings import Setting, SettingType
from accord.rules.problem import Problem, Severity, instead
from accord.rules.source import Path as Place
from accord.rules.source import Source
from accord.rules.text import read
from accord.service import registry
from accord.service.secret_refs import FORMS, SecretMissing, is_reference, resolve
from accord.state.records import Link, Mode, Target

DEFAULT_RULES = {
    Kind.EVENT: "events",
    Kind.TASK: "tasks",
    Kind.CONTACT: "contacts",
    Kind.ABSENCE: "absences",
}
"""The rule of a link that names none; made with its defaults where there is none of that name."""

_NAME = re.compile(r"[^\s/][^/\x00-\x1f]{0,98}[^\s/]|[^\s/]")


class Reading(Struct):
    """Gather what a text says: targets and links with their places, and what is wrong.

    `modes` names the links whose mode it gives.
    """

    source: Source
    environ: Mapping[str, str]
    folder: Path
    problems: list[Problem] = []
    targets: dict[str, tuple[Target, Place]] = {}
    links: dict[str, tuple[Link, Place]] = {}
    modes: set[str] = set()

    @property
    def failed(self) -> bool:
        """Tell whether anything noted so far keeps the text from being imported."""
        return any(problem.severity is Severity.ERROR for problem in self.problems)

    def wrong(self, place: Place, message: str, **more: Any) -> None:
        """Note a problem at its place."""
        self.problems.append(self.source.problem(place, message, **more))


class LinkTable(Struct, frozen=True, kw_only=True):
    """Be one `[[link]]`: `users` and `kinds` stand for one link per user and kind.

    Without a `mode` a new link observes, and one that is there keeps the mode it has.
    """

    target: str
    name: str = ""
    user: str = ""
    users: tuple[str, ...] = ()
    kind: str = ""
    kinds: tuple[str, ...] = ()
    principal: str = ""
    folder: str = ""
    rule: str = ""
    mode: Mode | None = None


def read_targets(reading: Reading, standing: Mapping[str, Target]) -> None:
    """Read all `[[target]]`; secrets not given anew stay those of the `standing` targets.

    A table of secrets is merged name by name. What is given as false is taken away.
    """
    for number, table in enumerate(tables(reading, "target")):
        place: Place = ("target", number)
        name = name_of(reading, table, place)
        adapter = table.get("adapter")
        if not isinstance(adapter, str):
            hint = f"use one of: {', '.join(registry.GROUPWARE)}"
            reading.wrong(place, "adapter is missing", hint=f"add adapter = …; {hint}")
            continue
        try:
            declared = registry.groupware(adapter).SETTINGS
        except ConfigError as error:
            reading.wrong((*place, "adapter"), str(error), hint=error.hint)
            continue
        stored = standing.get(name)
        settings, secrets = _settings(reading, table, place, declared)
        if stored is not None and stored.adapter == adapter:
            secrets = _merged(stored.secrets, secrets)
        target = Target(
            id=stored.id if stored else name,
            name=name,
            adapter=adapter,
            side=Side.GROUPWARE,
            settings=settings,
            secrets=_without_removed(secrets),
        )
        if name in reading.targets:
            line = reading.source.line((*reading.targets[name][1], "name"))
            reading.wrong((*place, "name"), f"the name {name!r} is taken by line {line}")
        elif name:
            reading.targets[name] = (target, place)


def read_links(
    reading: Reading,
    standing: Mapping[str, Link],
    targets: Mapping[str, Target],
    address_of: Callable[[str], str],
) -> None:
    """Read all `[[link]]`; `address_of` gives a CRM user's main address, or raises AccordError."""
    for number, table in enumerate(tables(reading, "link")):
        place: Place = ("link", number)
        given = read(LinkTable, table, place, reading.source, reading.problems)
        if given is None:
            continue
        if given.target not in targets:
            hint = instead(given.target, targets) if targets else "add a [[target]] of that name"
            reading.wrong((*place, "target"), f"there is no target {given.target!r}", hint=hint)
            continue
        users = _several(reading, place, "user", given.user, given.users)
        kinds = _kinds(reading, place, given)
        _single(reading, place, given, users, kinds)
        for user in users:
            known = [standing.get(_link_name(given, user, kind)) for kind in kinds]
            stand = all(link is not None and link.user == user for link in known)
            principal = _principal(reading, place, user, given.principal, address_of, stand=stand)
            for kind, stored in zip(kinds, known, strict=True):
                mailbox = principal or (stored.principal if stored is not None else "")
                link = _link(given, user, kind, mailbox, targets[given.target])
                if stored is not None:
                    mode = given.mode or stored.mode
                    link = replace(link, id=stored.id, paused=stored.paused, mode=mode)
                if given.mode is not None:
                    reading.modes.add(link.name)
                _add_link(reading, link, place)


def tables(reading: Reading, key: str) -> list[dict[str, Any]]:
    """Return all tables of a name; note where they aren't tables."""
    found = reading.source.data.get(key, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        reading.wrong((key,), "must be tables", hint=f"write [[{key}]]")
        return []
    return found


def stands_in(reading: Reading, rule: str) -> bool:
    """Tell whether the text has a rule of this name, be it one that can't be read."""
    found = reading.source.data.get("rule", [])
    named = found if isinstance(found, list) else [found]
    return any(isinstance(table, dict) and table.get("name") == rule for table in named)


def name_of(reading: Reading, table: Mapping[str, Any], place: Place) -> str:
    """Return the name that a table gives; empty, and noted, where it gives none."""
    name = table.get("name")
    if name is None:
        reading.wrong(place, "name is missing", hint="add name = …")
    elif not isinstance(name, str) or not _NAME.fullmatch(name):
        reading.wrong((*place, "name"), "must be a text of 1 to 100 characters without /")
    else:
        return name
    return ""


def _settings(
    reading: Reading, table: Mapping[str, Any], place: Place, declared: Sequence[Setting]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return plain settings and secrets of a target."""
    by_name = {setting.name: setting for setting in declared}
    plain: dict[str, Any] = {}
    secret: dict[str, Any] = {}
    for key, value in table.items():
        if key in ("name", "adapter"):
            continue
        setting = by_name.get(key)
        here = (*place, key)
        if setting is None:
            hint = instead(key, [*by_name, "name", "adapter"])
            reading.wrong(here, f"there is no setting {key[:60]!r} here", hint=hint)
        elif setting.secret:
            secret[key] = _secret(reading, here, setting, value)
        elif is_reference(value) and setting.type is not SettingType.TABLE:
            reading.wrong(here, f"{key} is no secret", hint="write its value")
        elif setting.type is SettingType.FILE and isinstance(value, str):
            plain[key] = str(reading.folder / Path(value).expanduser())
        elif setting.type is SettingType.DATE and isinstance(value, date):
            plain[key] = value.isoformat()
        else:
            plain[key] = value
    return plain, secret


def _merged(stored: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return secrets with those given anew in place of the stored, in tables name by name."""
    merged = dict(stored)
    for key, value in given.items():
        former = stored.get(key)
        if isinstance(value, dict) and isinstance(former, dict):
            value = {**former, **value}
        merged[key] = value
    return merged


def _without_removed(secrets: Mapping[str, Any]) -> dict[str, Any]:
    kept = {}
    for key, value in secrets.items():
        if isinstance(value, dict):
            value = {who: each for who, each in value.items() if each is not False}
        if value is not False and value != {}:
            kept[key] = value
    return kept


def _secret(reading: Reading, place: Place, setting: Setting, value: Any) -> Any:
    if setting.type is SettingType.TABLE:
        if not isinstance(value, dict):
            reading.wrong(place, "must be a table", hint=f'write [target.{setting.name}] "who" = …')
            return {}
        return {key: _resolved(reading, (*place, key), each) for key, each in value.items()}
    return _resolved(reading, place, value)


def _resolved(reading: Reading, place: Place, value: Any) -> str | Literal[False]:
    """Return a secret, or False where it is to be taken away."""
    if value is False:
        return False
    if isinstance(value, str):
        reading.wrong(
            place,
            "a secret stands in this text, where others may read it",
            severity=Severity.WARNING,
            hint=f"write {FORMS}",
        )
        return value
    if not is_reference(value):
        reading.wrong(place, "a secret is given by reference", hint=f"write {FORMS}")
        return ""
    try:
        return resolve(value, reading.environ, reading.folder)
    except SecretMissing as error:
        reading.wrong(place, str(error), hint=error.hint)
        return ""


def _several(
    reading: Reading, place: Place, key: str, one: str, many: tuple[str, ...]
) -> tuple[str, ...]:
    if bool(one) == bool(many):
        said = f"both {key} and {key}s are given" if one else f"{key} is missing"
        reading.wrong(place, said, hint=f"write {key} = … for one, or {key}s = […] for several")
        return ()
    return (one,) if one else tuple(dict.fromkeys(many))


def _kinds(reading: Reading, place: Place, given: LinkTable) -> tuple[Kind, ...]:
    found = []
    for text in _several(reading, place, "kind", given.kind, given.kinds):
        if text in DEFAULT_RULES:
            found.append(Kind(text))
            continue
        key = "kind" if given.kind else "kinds"
        hint = instead(text, [str(kind) for kind in DEFAULT_RULES])
        reading.wrong((*place, key), f"there is no kind {text[:60]!r} to link", hint=hint)
    return tuple(found)


def _single(
    reading: Reading,
    place: Place,
    given: LinkTable,
    users: Sequence[str],
    kinds: Sequence[Kind],
) -> None:
    """Refuse what only one link can have where a table stands for several."""
    for key, several, what in (
        ("name", len(users) * len(kinds) > 1, "several links"),
        ("rule", len(kinds) > 1, "several kinds"),
        ("folder", len(kinds) > 1, "several kinds"),
        ("principal", len(users) > 1, "several users"),
    ):
        if getattr(given, key) and several:
            hint = "write a [[link]] for each"
            reading.wrong((*place, key), f"{key} can't be the same for {what}", hint=hint)
    if given.name and not _NAME.fullmatch(given.name):
        reading.wrong((*place, "name"), "must be a text of 1 to 100 characters without /")


def hint_for(user: str, error: AccordError) -> str:
    """Return what to do about a user whom the CRM doesn't let in."""
    if isinstance(error, AuthFailed) and error.code == "inactive-user":
        return error.hint
    return f"add them: accord crm users add {user} --address …"


def _principal(
    reading: Reading,
    place: Place,
    user: str,
    said: str,
    address_of: Callable[[str], str],
    *,
    stand: bool,
) -> str:
    """Return the mailbox of a user, who must be one of the CRM's; empty where that isn't known.

    The links that `stand` are those of somebody who has left, and no reason to refuse the text.
    """
    try:
        address = address_of(user)
    except AccordError as error:
        key = "user" if "user" in reading.source.data["link"][place[1]] else "users"
        left = stand and isinstance(error, AuthFailed)
        severity = Severity.WARNING if left else Severity.ERROR
        where, hint = (*place, key), hint_for(user, error)
        reading.wrong(where, str(error), severity=severity, hint=hint)
        return said
    if not address and not said:
        hint = 'add principal = "…", the address of the mailbox'
        reading.wrong(place, f"the CRM knows no address of {user}", hint=hint)
    return said or address


def _link_name(given: LinkTable, user: str, kind: Kind) -> str:
    return given.name or f"{user}-{kind}"


def _link(given: LinkTable, user: str, kind: Kind, principal: str, target: Target) -> Link:
    name = _link_name(given, user, kind)
    return Link(
        id=name,
        name=name,
        user=user,
        kind=kind,
        target=target.id,
        principal=principal,
        folder=given.folder,
        rule=given.rule or DEFAULT_RULES[kind],
        mode=given.mode or Mode.OBSERVE,
    )


def _add_link(reading: Reading, link: Link, place: Place) -> None:
    if link.name in reading.links:
        line = reading.source.line(reading.links[link.name][1])
        hint = "give one of them another name = …"
        reading.wrong(place, f"the link {link.name!r} is there already in line {line}", hint=hint)
        return
    reading.links[link.name] = (link, place)
