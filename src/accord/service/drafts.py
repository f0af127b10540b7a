"""Versions of rules that aren't in force: what one would change, and its activation.

Until then links go on under the version in force; afterwards the next visit holds every write
that follows from the change.
"""

from __future__ import annotations

from collections.abc import Sequence

from accord.engine.guard import fingerprint
from accord.engine.plan import Plan
from accord.ports.errors import ConfigError
from accord.rules.check import check
from accord.rules.problem import Problem, Severity, instead
from accord.rules.rule import Rule
from accord.service.accord import Accord
from accord.state.records import Link


def waiting_drafts(accord: Accord, links: Sequence[Link]) -> dict[str, str]:
    """Return the drafts, version by rule name, that the rules of these links have."""
    used = {link.rule for link in links}
    with accord.state.read() as tx:
        drafts = tx.rules.drafts()
    return {name: version for name, version in drafts.items() if name in used}


def find_version(accord: Accord, name: str, version: str = "") -> Rule:
    """Return a version of a rule, the draft by default; raises ConfigError where there is none."""
    with accord.state.read() as tx:
        names = tx.rules.names()
        wanted = version or tx.rules.drafts().get(name, "")
        rule = tx.rules.get(wanted) if wanted else None
    if name not in names:
        hint = instead(name, names) if names else "`accord import` makes rules"
        raise ConfigError(f"there is no rule {name!r}", field="name", hint=hint)
    if not wanted:
        hint = "`accord import` makes one of a changed text; `accord rules history` lists versions"
        raise ConfigError(f"no draft of rule {name!r} waits", field="name", hint=hint)
    if rule is None or rule.name != name:
        hint = f"`accord rules history {name}` lists its versions"
        raise ConfigError(f"rule {name!r} has no such version", field="version", hint=hint)
    return rule


def beyond(former: Plan, plan: Plan) -> Plan:
    """Return of a plan what isn't in the former one, be it done at once or held."""
    known = {fingerprint(step) for step in former.steps}
    return Plan(link=plan.link, steps=tuple(s for s in plan.steps if fingerprint(s) not in known))


def activate(accord: Accord, name: str, version: str = "", by: str = "") -> tuple[Problem, ...]:
    """Put a version of a rule, the draft by default, into force and return what to mind.

    Raises ConfigError where it doesn't fit what its links join; then nothing changes.
    """
    rule = find_version(accord, name, version)
    problems = _problems(accord, rule)
    wrong = [problem for problem in problems if problem.severity is Severity.ERROR]
    if wrong:
        detail = f"this version of rule {name!r} can't work: {wrong[0].message}"
        raise ConfigError(detail, field=wrong[0].path, hint=wrong[0].hint)
    with accord.state.begin() as tx:
        tx.rules.activate(name, version or tx.rules.drafts()[name], by)
    return problems


def discard(accord: Accord, name: str) -> str:
    """Drop a rule's draft and return its version; raises ConfigError where there is none."""
    find_version(accord, name)
    with accord.state.begin() as tx:
        version = tx.rules.drafts().get(name, "")
        tx.rules.discard(name)
    return version


def _problems(accord: Accord, rule: Rule) -> tuple[Problem, ...]:
    with accord.state.read() as tx:
        targets = sorted({link.target for link in tx.links.all() if link.rule == rule.name})
    records = accord.crm.traits
    found = [check(rule, records, accord.adapter(target).traits) for target in targets]
    return tuple(dict.fromkeys(p for some in found for p in some))
