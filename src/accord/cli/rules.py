"""`accord rules`: what is in force, in its own words, in plain words, and since when."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from accord.cli import exits
from accord.cli.call import CallArgument
from accord.cli.words import moment, plural
from accord.ports.errors import ConfigError
from accord.rules.problem import instead
from accord.rules.render import render_rules
from accord.rules.rule import Rule
from accord.service.accord import Accord

rules = App(name="rules", help="List rules; show one, explain it, or tell its history.")

Name = Annotated[str, Parameter(help="The rule's name.")]


@rules.default
@rules.command(name="list")
def list_(*, call: CallArgument) -> int:
    """List the rules in force."""
    with call.accord() as accord, accord.state.read() as tx:
        used = [link.rule for link in tx.links.all()]
        found = [(name, tx.rules.active(name), tx.rules.draft(name)) for name in tx.rules.names()]
    for name, rule, draft in found:
        known = rule or draft
        kind = known.kind if known is not None else ""
        version = rule.version if rule else ""
        count = used.count(name)
        call.data({"name": name, "kind": kind, "version": version, "links": count})
        state = f"version {version}" if rule else "not in force"
        call.say(f"{name}  {kind}s  {state}  {plural(count, 'link')}", markup=False)
    if not found:
        call.say("There are no rules yet; `accord import` makes them.")
    return exits.OK


@rules.command
def show(
    name: Name,
    /,
    *,
    version: Annotated[str, Parameter(help="A version, as `history` shows it.")] = "",
    call: CallArgument,
) -> int:
    """Print a rule as text that `accord import` reads."""
    with call.accord() as accord:
        rule = _rule(accord, name, version)
    text = render_rules([rule])
    call.data({"name": name, "version": rule.version, "rule": rule, "text": text})
    if not call.json:
        call.raw(text)
    return exits.OK


@rules.command
def explain(name: Name, /, *, call: CallArgument) -> int:
    """Say in plain words what a rule does, defaults included."""
    from accord.rules.explain import describe

    with call.accord() as accord:
        rule = _rule(accord, name)
    sentences = describe(rule)
    call.data({"name": name, "version": rule.version, "sentences": sentences})
    for sentence in sentences:
        call.say(sentence, markup=False)
    return exits.OK


@rules.command
def history(name: Name, /, *, call: CallArgument) -> int:
    """List which versions of a rule were in force, newest first."""
    with call.accord() as accord:
        _rule(accord, name)
        with accord.state.read() as tx:
            found = tx.rules.history(name)
    for one in found:
        call.data(one)
        by = f" by {one.by}" if one.by else ""
        call.say(f"{moment(one.at)}  version {one.version}{by}", markup=False)
    return exits.OK


def _rule(accord: Accord, name: str, version: str = "") -> Rule:
    with accord.state.read() as tx:
        names = tx.rules.names()
        if name not in names:
            hint = instead(name, names) if names else "`accord import` makes rules"
            raise ConfigError(f"there is no rule {name!r}", field="name", hint=hint)
        rule = tx.rules.get(version) if version else tx.rules.active(name)
    if rule is None or rule.name != name:
        hint = f"`accord rules history {name}` lists its versions"
        raise ConfigError(f"rule {name!r} has no such version", field="version", hint=hint)
    return rule
