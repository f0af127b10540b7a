"""`accord rules`: what is in force, in its own words, in plain words, and since when; drafts."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from accord.cli import exits
from accord.cli.ask import agreed, user
from accord.cli.call import CallArgument
from accord.cli.errors import Usage, show_problems
from accord.cli.sync import ended, visits
from accord.cli.words import moment, plural
from accord.ports.errors import ConfigError
from accord.rules.problem import instead
from accord.rules.render import render_rules
from accord.rules.rule import Rule
from accord.service.accord import Accord

rules = App(name="rules", help="List, show and explain rules; put a changed one into force.")

Name = Annotated[str, Parameter(help="The rule's name.")]
Version = Annotated[str, Parameter(help="A version, as `history` shows it.")]


@rules.default
@rules.command(name="list")
def list_(*, call: CallArgument) -> int:
    """List the rules in force."""
    with call.accord() as accord, accord.state.read() as tx:
        used = [link.rule for link in tx.links.all()]
        found = [(name, tx.rules.active(name), tx.rules.draft(name)) for name in tx.rules.names()]
        drafts = tx.rules.drafts()
    for name, rule, draft in found:
        known = rule or draft
        kind = known.kind if known is not None else ""
        version = rule.version if rule else ""
        count = used.count(name)
        waits = drafts.get(name, "")
        call.data({"name": name, "kind": kind, "version": version, "draft": waits, "links": count})
        state = f"version {version}" if rule else "not in force"
        more = f"  draft {waits}" if waits else ""
        call.say(f"{name}  {kind}s  {state}  {plural(count, 'link')}{more}", markup=False)
    if not found:
        call.say("There are no rules yet; `accord import` makes them.")
    return exits.OK


@rules.command
def show(
    name: Name,
    /,
    *,
    version: Version = "",
    draft: Annotated[bool, Parameter(help="The version that waits to be put into force.")] = False,
    call: CallArgument,
) -> int:
    """Print a rule as text that `accord import` reads."""
    from accord.service.drafts import find_version

    if draft and version:
        raise Usage("--draft and --version exclude each other")
    with call.accord() as accord:
        rule = find_version(accord, name) if draft else _rule(accord, name, version)
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
def activate(
    name: Name,
    /,
    *,
    version: Version = "",
    plan: Annotated[bool, Parameter(help="Only show what would change.")] = False,
    yes: Annotated[bool, Parameter(help="Don't ask.")] = False,
    call: CallArgument,
) -> int:
    """Put the draft of a rule into force, or another version of it.

    What it would change is shown first. Afterwards the next synchronization holds every write
    that follows from the change for approval; what has nothing to do with it goes on.
    """
    from accord.cli.trial import show_trial
    from accord.service import drafts
    from accord.service.opening import Options

    with call.accord() as accord:
        with accord.state.read() as tx:
            version = version or tx.rules.drafts().get(name, "")
            links = [link.name for link in tx.links.all() if link.rule == name]
        drafts.find_version(accord, name, version)
        options = Options(dry=True, cause="plan")
        found = list(visits(call, accord, links, options)) if links else []
        codes = [ended(call, report) for _, report in found]
        call.say(f"Version {version} of rule {name} would change:", markup=False)
        codes += show_trial(call, accord, found, name, version, options)
        if not links:
            call.say("nothing, for no link uses it")
        if plan:
            return exits.worst(codes)
        if not agreed(call, "Put it into force?", yes=yes):
            call.note("Nothing was changed.")
            return exits.OK
        show_problems(call, drafts.activate(accord, name, version, by=user()))
    call.data({"name": name, "activated": version, "links": links})
    call.say(f"Rule {name} is in force in version {version}.", markup=False)
    if links:
        call.say("The next `accord sync` holds what follows from it; `accord held` lists that.")
    return exits.OK


@rules.command
def discard(name: Name, /, *, call: CallArgument) -> int:
    """Drop the draft of a rule; the version in force stays."""
    from accord.service import drafts

    with call.accord() as accord:
        version = drafts.discard(accord, name)
    call.data({"name": name, "discarded": version})
    call.say(f"The draft {version} of rule {name} is dropped.", markup=False)
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
