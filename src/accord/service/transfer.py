"""One readable TOML text for targets, links, templates and rules: import with a plan, and export.

A changed rule that links use becomes a draft: they go on under the version in force until
somebody activates the draft (`drafts`). Import adds and changes; it removes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from accord.ports.errors import AuthFailed
from accord.rules.problem import RuleErrors, Severity
from accord.rules.rule import Rule
from accord.rules.source import Source
from accord.rules.text import rules_in
from accord.service.accord import Accord
from accord.service.identity import require_user
from accord.service.transfer_check import check_import
from accord.service.transfer_diff import (
    Outcome,
    Standing,
    Wanted,
    becomes_draft,
    differences,
)
from accord.service.transfer_export import export
from accord.service.transfer_templates import read_templates
from accord.service.transfer_text import (
    DEFAULT_RULES,
    Reading,
    hint_for,
    read_links,
    read_targets,
    stands_in,
)
from accord.state.records import Link, Mode
from accord.state.state import Tx

__all__ = ["Outcome", "export", "import_"]


def import_(
    accord: Accord,
    text: str,
    file: str = "",
    *,
    plan: bool = False,
    by: str = "",
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Outcome:
    """Bring what a text says of targets, links, rules and templates into the database.

    With `plan` only say what would change.

    `folder` is where relative files in the text begin. Raises RuleErrors with everything that
    is wrong, each with file, line and hint; then nothing was stored.
    """
    source = Source(text, file)
    with accord.state.read() as tx:
        standing = _standing(tx)
    environ = os.environ if environ is None else environ
    reading = Reading(source=source, environ=environ, folder=folder or Path.cwd())
    wanted = _read(accord, reading, standing)
    _require(reading)
    check_import(accord, reading, wanted, standing)
    _require(reading)
    changed = tuple(differences(wanted, standing))
    if not plan and changed:
        accord.state.run(lambda tx: _store(tx, wanted, standing, by))
        for name, target in wanted.targets.items():
            if standing.targets.get(name) != target:
                accord.forget(target)
    warnings = tuple(dict.fromkeys(reading.problems))
    drafts = tuple(name for name, rule in wanted.rules.items() if becomes_draft(rule, standing))
    new = [link for name, link in wanted.links.items() if name not in standing.links]
    return Outcome(
        stored=not plan,
        differences=changed,
        warnings=warnings,
        drafts=drafts,
        observing=tuple(link.name for link in new if link.mode is Mode.OBSERVE),
    )


def _standing(tx: Tx) -> Standing:
    rules = {name: tx.rules.active(name) for name in tx.rules.names()}
    drafts = {name: tx.rules.draft(name) for name in rules}
    links = {link.name: link for link in tx.links.all()}
    names = {link.id: link.name for link in links.values()}
    return Standing(
        targets={target.name: target for target in tx.targets.all()},
        links=links,
        rules={name: rule for name, rule in rules.items() if rule is not None},
        drafts={name: rule for name, rule in drafts.items() if rule is not None},
        paired=frozenset(name for name, link in links.items() if tx.pairings.count(link.id)),
        templates={template.name: template for template in tx.templates.all()},
        owned=frozenset(names[given.link] for given in tx.given_links.all()),
    )


def _read(accord: Accord, reading: Reading, standing: Standing) -> Wanted:
    for key in reading.source.data:
        if key not in ("target", "link", "rule", "template"):
            hint = "the text holds [[target]], [[link]], [[rule]] and [[template]]"
            reading.wrong((key,), f"there is no table {key[:60]!r}", hint=hint)
    read_targets(reading, standing.targets)
    targets = {name: target for name, (target, _) in reading.targets.items()}
    read_links(reading, standing.links, standing.targets | targets, _addresses(accord))
    links = {name: link for name, (link, _) in reading.links.items()}
    rules: dict[str, Rule] = {}
    try:
        rules = {rule.name: rule for rule in rules_in(reading.source)}
    except RuleErrors as error:
        reading.problems += error.problems
    for rule in rules.values():
        _check_owners(accord, reading, rule, standing)
    made = _make_rules(reading, links, standing.rules | rules)
    known = standing.rules | rules | made
    places = standing.targets | targets
    templates, more = read_templates(accord, reading, places, known, standing.templates)
    made |= more
    return Wanted(
        targets=targets,
        links=links,
        rules=rules | made,
        made=frozenset(made),
        modes=frozenset(reading.modes),
        templates=templates,
    )


def _addresses(accord: Accord) -> Callable[[str], str]:
    """Return the lookup of a CRM user's main address, each asked for once."""
    found: dict[str, str] = {}

    def address_of(user: str) -> str:
        if user not in found:
            require_user(accord, user)
            identities = accord.crm.identities(user)
            found[user] = identities[0].address if identities else ""
        return found[user]

    return address_of


def _check_owners(accord: Accord, reading: Reading, rule: Rule, standing: Standing) -> None:
    """Say which owners of tasks are no users of the CRM; who has left since is a warning."""
    stored = standing.rules.get(rule.name)
    names = [table.get("name") for table in reading.source.data["rule"]]
    for address, user in rule.ownership.items():
        try:
            require_user(accord, user)
        except AuthFailed as error:
            place = ("rule", names.index(rule.name), "ownership", address)
            stands = stored is not None and stored.ownership.get(address) == user
            severity = Severity.WARNING if stands else Severity.ERROR
            reading.wrong(place, str(error), severity=severity, hint=hint_for(user, error))


def _make_rules(
    reading: Reading, links: Mapping[str, Link], known: Mapping[str, Rule]
) -> dict[str, Rule]:
    """Return the default rules that links need; say where a rule isn't there or doesn't fit."""
    made: dict[str, Rule] = {}
    for name, link in links.items():
        place = reading.links[name][1]
        rule = known.get(link.rule)
        if rule is None and link.rule == DEFAULT_RULES[link.kind]:
            made[link.rule] = Rule(name=link.rule, kind=link.kind)
        elif rule is None:
            # A rule of the text that can't be read is there, and its own faults are told.
            if not stands_in(reading, link.rule):
                hint = (
                    f"rules there: {', '.join(sorted(known))}" if known else "add it as a [[rule]]"
                )
                reading.wrong((*place, "rule"), f"there is no rule {link.rule!r}", hint=hint)
        elif rule.kind is not link.kind:
            message = f"the rule {rule.name!r} is for {rule.kind}s, the link for {link.kind}s"
            reading.wrong((*place, "rule"), message, hint="name another rule")
    return made


def _store(tx: Tx, wanted: Wanted, standing: Standing, by: str) -> None:
    for name, target in wanted.targets.items():
        if standing.targets.get(name) != target:
            tx.targets.put(target)
    for rule in wanted.rules.values():
        version = tx.rules.put(rule)
        if not becomes_draft(rule, standing):
            tx.rules.activate(rule.name, version, by)
    # What stood there when the text was read may have been paused or let go since.
    tx.links.bring(list(wanted.links.values()), wanted.modes)
    tx.given_links.disown(link.id for name, link in wanted.links.items() if name in standing.owned)
    for template in wanted.templates.values():
        tx.templates.put(template)


def _require(reading: Reading) -> None:
    if reading.failed:
        found = dict.fromkeys(reading.problems)
        raise RuleErrors(sorted(found, key=lambda problem: (problem.line, problem.path)))
