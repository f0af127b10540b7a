"""Configuration text to link templates: `[[template]]`, read strictly, and written for export.

`transfer` stores them; nobody gets a link before the next user initialization.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from accord.directory.mailbox import compile_mailbox
from accord.directory.preferences import LINKED
from accord.model.kinds import Direction, Kind, Side
from accord.ports.adapter import Adapter
from accord.ports.errors import AccordError
from accord.ports.users import ContactModes, Enrolled
from accord.rules.defaults import direction_of, kind_on
from accord.rules.expression import check_literals
from accord.rules.failure import InvalidExpression
from accord.rules.problem import Severity, instead
from accord.rules.render import render_key, render_value
from accord.rules.rule import Rule
from accord.rules.source import Path as Place
from accord.rules.text import read
from accord.service.accord import Accord
from accord.service.transfer_text import DEFAULT_RULES, Reading, name_of, stands_in, tables
from accord.state.records import Mode, Target
from accord.state.templates import Open, Template


class TemplateTable(Struct, frozen=True, kw_only=True):
    """Be one `[[template]]`; `directions` stand for rules of their own that say no more.

    Without a `mode` the links of a new template go on as pilots, and a template that is there keeps
    the mode it has.
    """

    name: str
    group: str
    target: str
    kinds: tuple[str, ...]
    offers: tuple[str, ...] = ()
    open: tuple[Open, ...] = ()
    rules: dict[str, str] = {}
    directions: dict[str, Direction] = {}
    folders: dict[str, str] = {}
    mailbox: str = ""
    aliases: dict[str, str] = {}
    contacts: str = ""
    mode: Mode | None = None
    hold: bool = True
    order: int = 100
    withdraw_after: int = 30
    successor: str = ""


def read_templates(
    accord: Accord,
    reading: Reading,
    targets: Mapping[str, Target],
    known: Mapping[str, Rule],
    standing: Mapping[str, Template],
) -> tuple[dict[str, Template], dict[str, Rule]]:
    """Return all `[[template]]` by name, and the rules that come into being for them."""
    found: dict[str, Template] = {}
    made: dict[str, Rule] = {}
    for number, table in enumerate(tables(reading, "template")):
        place: Place = ("template", number)
        name = name_of(reading, table, place)
        given = read(TemplateTable, table, place, reading.source, reading.problems)
        if given is None or not name:
            continue
        if name in found:
            reading.wrong((*place, "name"), f"there is a template {name!r} already in this text")
            continue
        if given.target not in targets:
            hint = instead(given.target, targets) if targets else "add a [[target]] of that name"
            reading.wrong((*place, "target"), f"there is no target {given.target!r}", hint=hint)
            continue
        kinds = _kinds(reading, place, "kinds", given.kinds)
        offers = _kinds(reading, place, "offers", given.offers)
        if not kinds:
            reading.wrong((*place, "kinds"), "names no kind", hint='write kinds = ["event"]')
        linked = tuple(dict.fromkeys((*kinds, *offers)))
        rules = _rules(reading, place, given, linked, {**known, **made}, made)
        _check(accord, reading, place, given)
        usual = standing[name].mode if name in standing else Mode.PILOT
        found[name] = Template(
            name=name,
            group=given.group,
            target=targets[given.target].id,
            kinds=kinds,
            offers=offers,
            open=given.open,
            rules=rules,
            folders=given.folders,
            mailbox=given.mailbox,
            aliases=given.aliases,
            contacts=given.contacts,
            mode=given.mode or usual,
            hold=given.hold,
            order=given.order,
            withdraw_after=given.withdraw_after if given.withdraw_after >= 0 else None,
            successor=given.successor,
        )
    return found, made


def check_kinds(
    reading: Reading, templates: Mapping[str, Template], adapter_of: Callable[[str], Adapter]
) -> None:
    """Note which templates name kinds that their target doesn't carry."""
    for number, (name, template) in enumerate(templates.items()):
        try:
            carried = adapter_of(template.target).traits.kinds
        except AccordError:
            continue
        for kind in (*template.kinds, *template.offers):
            if kind_on(kind, Side.GROUPWARE) not in carried:
                hint = f"it carries: {', '.join(sorted(map(str, carried)))}"
                message = f"the target of {name} carries no {kind}s"
                reading.wrong(("template", number, "kinds"), message, hint=hint)


def template_view(template: Template | None, targets: Mapping[str, str]) -> dict[str, Any]:
    """Return what a template says, as an import shows it."""
    if template is None:
        return {}
    said = {name: getattr(template, name) for name in template.__struct_fields__[1:]}
    view = {name: msgspec.to_builtins(value) for name, value in said.items()}
    view["target"] = targets[template.target]
    return {name: value for name, value in view.items() if value not in ("", (), [], {})}


def render_template(template: Template, target: str) -> str:
    """Return a template as text that `read_templates` reads again."""
    view: dict[str, Any] = {**msgspec.to_builtins(template), "target": target}
    del view["name"]
    if template.withdraw_after is None:
        view["withdraw_after"] = -1
    lines = ["[[template]]", f"name = {render_value(template.name)}"]
    below = []
    for key, value in view.items():
        if key == "rules":
            value = {k: v for k, v in value.items() if DEFAULT_RULES[Kind(k)] != v}
        if isinstance(value, dict):
            below += ["", f"[template.{key}]"] if value else []
            below += [f"{render_key(k)} = {render_value(v)}" for k, v in value.items()]
        else:
            lines.append(f"{key} = {render_value(value)}")
    return "\n".join(lines + below)


def _kinds(reading: Reading, place: Place, key: str, texts: tuple[str, ...]) -> tuple[Kind, ...]:
    found = []
    for text in dict.fromkeys(texts):
        if text in tuple(LINKED):
            found.append(Kind(text))
            continue
        hint = instead(text, [str(kind) for kind in LINKED])
        reading.wrong((*place, key), f"there is no kind {text[:60]!r} to link", hint=hint)
    return tuple(found)


def _rules(
    reading: Reading,
    place: Place,
    given: TemplateTable,
    kinds: tuple[Kind, ...],
    known: Mapping[str, Rule],
    made: dict[str, Rule],
) -> dict[str, str]:
    """Return the name of each kind's rule, which is made where it may be and isn't there."""
    for key in ("rules", "directions", "folders"):
        for text in getattr(given, key).keys() - set(kinds):
            hint = f"name one of its kinds: {', '.join(kinds)}"
            reading.wrong((*place, key, text), f"the template has no {text[:60]!r}", hint=hint)
    names = {}
    for kind in kinds:
        names[kind.value] = name = _rule(given, kind, known)
        rule = known.get(name)
        where = (*place, "rules", kind.value) if kind in given.rules else place
        way = given.directions.get(kind)
        if rule is None and kind not in given.rules:
            made[name] = Rule(name=name, kind=kind, direction=way)
        elif rule is None:
            if not stands_in(reading, name):
                hint = (
                    f"rules there: {', '.join(sorted(known))}" if known else "add it as a [[rule]]"
                )
                reading.wrong(where, f"there is no rule {name!r}", hint=hint)
        elif rule.kind is not kind:
            message = f"the rule {name!r} is for {rule.kind}s, not for {kind}s"
            reading.wrong(where, message, hint="name another rule")
        elif way is not None and direction_of(rule) is not way:
            message = f"the rule {name!r} goes {direction_of(rule)}, the template says {way}"
            reading.wrong((*place, "directions", kind.value), message, hint="leave one of them out")
    return names


def _rule(given: TemplateTable, kind: Kind, known: Mapping[str, Rule]) -> str:
    usual = DEFAULT_RULES[kind]
    if kind in given.rules:
        return given.rules[kind]
    way = given.directions.get(kind)
    if way is None or way is direction_of(known.get(usual) or Rule(name=usual, kind=kind)):
        return usual
    return f"{usual}-{way}"


def _check(accord: Accord, reading: Reading, place: Place, given: TemplateTable) -> None:
    """Note what the CRM says against a template, and what can't be read of it."""
    if given.mailbox:
        try:
            check_literals(compile_mailbox(given.mailbox))
        except InvalidExpression as error:
            reading.wrong((*place, "mailbox"), str(error), hint="write CEL that gives a text")
    if given.contacts:
        words = accord.crm.contact_modes if isinstance(accord.crm, ContactModes) else ()
        if given.contacts not in words:
            hint = f"use one of: {', '.join(words)}" if words else "leave it out"
            message = f"the CRM knows no contact mode {given.contacts[:60]!r}"
            reading.wrong((*place, "contacts"), message, hint=hint)
    if not isinstance(accord.crm, Enrolled):
        hint = "make [[link]]s instead, or import where the CRM is"
        reading.wrong(place, "this CRM doesn't list its users and groups", hint=hint)
        return
    groups = accord.crm.group_names()
    if given.group not in groups:
        hint = instead(given.group, sorted(groups)) if groups else "make it first"
        message = f"the CRM has no group {given.group!r}"
        reading.wrong((*place, "group"), message, severity=Severity.WARNING, hint=hint)
    users = {card.name for card in accord.crm.cards()}
    for key, who in (
        *((("successor",), user) for user in (given.successor,) if user),
        *((("aliases", user), user) for user in given.aliases),
    ):
        if who not in users:
            reading.wrong(
                (*place, *key), f"there is no CRM user {who!r}", hint="see: accord crm users"
            )
