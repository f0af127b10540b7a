"""What an import would change, field by field, secrets hidden; shown before and after it is done.

Pure: compares what a text asks for with what is stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from accord.rules.problem import Problem
from accord.rules.rule import Rule
from accord.service.transfer_templates import template_view
from accord.state.records import Link, Target
from accord.state.templates import Template

HIDDEN = "(secret)"
TAKEN = "from now on it is a link made by hand, and its template leaves it alone"


class Turn(Struct, frozen=True, kw_only=True):
    """Say that one setting goes from `before` to `after`; secrets are shown as `(secret)`."""

    field: str
    before: Any = None
    after: Any = None


class Difference(Struct, frozen=True, kw_only=True):
    """Be one thing the import adds or changes: `what` is target, link, rule or template."""

    action: str
    what: str
    name: str
    turns: tuple[Turn, ...] = ()
    note: str = ""


class Outcome(Struct, frozen=True, kw_only=True):
    """Be what an import changes (or would, with `stored` false), and what to mind.

    `drafts` names the rules of the text that wait for their activation, `observing` the new links
    that plan and write nothing.
    """

    stored: bool
    differences: tuple[Difference, ...]
    warnings: tuple[Problem, ...] = ()
    drafts: tuple[str, ...] = ()
    observing: tuple[str, ...] = ()


class Standing(Struct, frozen=True, kw_only=True):
    """Be what is stored, by name; of rules the versions in force, and those that wait.

    `owned` are the links that templates made.
    """

    targets: dict[str, Target]
    links: dict[str, Link]
    rules: dict[str, Rule]
    drafts: dict[str, Rule]
    paired: frozenset[str]
    templates: dict[str, Template] = {}
    owned: frozenset[str] = frozenset()


class Wanted(Struct, frozen=True, kw_only=True):
    """Be what a text asks for.

    `made` are rules that come into being with their defaults, `modes` the links whose mode the
    text gives.
    """

    targets: dict[str, Target]
    links: dict[str, Link]
    rules: dict[str, Rule]
    made: frozenset[str]
    modes: frozenset[str]
    templates: dict[str, Template] = {}


def differences(wanted: Wanted, standing: Standing) -> Iterator[Difference]:
    """Yield what an import adds and changes: targets, rules, then links."""
    targets = {t.id: t.name for t in (*standing.targets.values(), *wanted.targets.values())}
    for name, target in wanted.targets.items():
        old = standing.targets.get(name)
        yield from _difference("target", name, _target_view(old), _target_view(target))
    for rule in wanted.rules.values():
        yield from _rule_difference(rule, wanted, standing)
    for name, template in wanted.templates.items():
        known = standing.templates.get(name)
        views = template_view(known, targets), template_view(template, targets)
        note = "links follow with the next user initialization: `accord templates apply`"
        yield from _difference("template", name, *views, note)
    for name, link in wanted.links.items():
        before = standing.links.get(name)
        note = TAKEN if name in standing.owned else ""
        views = _link_view(before, targets), _link_view(link, targets)
        found = list(_difference("link", name, *views, note))
        if note and not found:
            found = [Difference(action="change", what="link", name=name, note=note)]
        yield from found


def becomes_draft(rule: Rule, standing: Standing) -> bool:
    """Tell whether a rule has to wait: links work under another version of it."""
    stored = standing.rules.get(rule.name)
    if stored is None or stored.version == rule.version:
        return False
    return any(link.rule == rule.name for link in standing.links.values())


def _rule_difference(rule: Rule, wanted: Wanted, standing: Standing) -> Iterator[Difference]:
    name, view = rule.name, _rule_view(rule)
    stored, draft = standing.rules.get(name), standing.drafts.get(name)
    if draft is not None and draft.version == rule.version and becomes_draft(rule, standing):
        return
    if stored is not None and stored.version == rule.version:
        note = "the draft is dropped; the version in force stays"
        yield from _difference("rule", name, _rule_view(draft) or view, view, note)
        return
    note = ""
    if name in wanted.made:
        note = "made with its defaults, because a link names no rule"
    elif becomes_draft(rule, standing):
        note = "a draft: links go on under the version in force until it is activated"
    yield from _difference("rule", name, _rule_view(stored), view, note)


def _difference(
    what: str, name: str, before: Mapping[str, Any], after: Mapping[str, Any], note: str = ""
) -> Iterator[Difference]:
    turns = tuple(
        Turn(field=key, before=_shown(before.get(key)), after=_shown(after.get(key)))
        for key in dict.fromkeys((*before, *after))
        if before.get(key) != after.get(key)
    )
    if not before:
        yield Difference(action="add", what=what, name=name, turns=turns, note=note)
    elif turns:
        yield Difference(action="change", what=what, name=name, turns=turns, note=note)


class _Secret(str):
    """Be a secret among settings, so that it is compared but never shown."""

    __slots__ = ()


def _shown(value: Any) -> Any:
    return HIDDEN if isinstance(value, _Secret) else value


def _target_view(target: Target | None) -> dict[str, Any]:
    if target is None:
        return {}
    secrets: dict[str, Any] = {}
    for name, value in target.secrets.items():
        if isinstance(value, dict):
            secrets |= {f"{name}.{who}": _Secret(each) for who, each in value.items()}
        else:
            secrets[name] = _Secret(value)
    return {"adapter": target.adapter, **_flat(target.settings), **secrets}


def _link_view(link: Link | None, targets: Mapping[str, str]) -> dict[str, Any]:
    if link is None:
        return {}
    view = {
        "user": link.user,
        "kind": str(link.kind),
        "target": targets[link.target],
        "principal": link.principal,
        "folder": link.folder,
        "rule": link.rule,
        "mode": str(link.mode),
    }
    return {key: value for key, value in view.items() if value}


def _rule_view(rule: Rule | None) -> dict[str, Any]:
    if rule is None:
        return {}
    view = msgspec.to_builtins(rule)
    del view["name"]
    return _flat(view)


def _flat(view: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in view.items():
        if isinstance(value, dict) and value:
            flat |= _flat(value, f"{before}{key}.")
        else:
            flat[f"{before}{key}"] = value
    return flat
