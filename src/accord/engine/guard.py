"""The last look at a plan: mass effects and unplanned mail are held, with their diff.

Holding never blocks the rest. What somebody approved passes, but only if it is identical.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container

import msgspec

from accord.engine.plan import Create, Delete, Hold, Plan, Step, Unpair, Update
from accord.model.kinds import Side
from accord.rules.rule import GuardLimits, Invitations, Rule

_SMALL = 10
"""Below this many pairings a share of them says nothing."""


def guard(
    plan: Plan,
    rule: Rule,
    pairings: int,
    approved: Container[str] = (),
    *,
    activating: bool = False,
) -> Plan:
    """Return the plan with dangerous steps held.

    `pairings` is the number of pairs the link has, `approved` the fingerprints of steps that
    somebody has looked at. While a changed rule is being activated, every write is held.
    """
    if activating:
        return Plan(link=plan.link, steps=tuple(_await(step, approved) for step in plan.steps))
    excess = {side: _excess(plan, side, rule.guard, pairings, approved) for side in Side}
    steps = tuple(_judge(step, rule, excess, approved) for step in plan.steps)
    return Plan(link=plan.link, steps=steps)


def fingerprint(step: Step) -> str:
    """Return the identity of what a step would do: same act, same item, same outcome."""
    match step:
        case Create(side=side, source=source, item=item):
            what: tuple[object, ...] = ("create", side, source.ref, item)
        case Update(side=side, before=before, after=after):
            what = ("update", side, before.ref, before.version, after)
        case Delete(side=side, before=before):
            what = ("delete", side, before.ref, before.version)
        case Unpair(crm=crm, groupware=groupware):
            what = ("unpair", crm, groupware)
        case Hold(held=held):
            return fingerprint(held)
        case _:
            what = ("other", msgspec.json.encode(step, order="deterministic"))
    return hashlib.sha256(msgspec.json.encode(what, order="deterministic")).hexdigest()[:32]


def _await(step: Step, approved: Container[str]) -> Step:
    if not isinstance(step, Create | Update | Delete) or fingerprint(step) in approved:
        return step
    return Hold(held=step, cause="rule change: nothing changes before you approve", why=step.why)


def _judge(
    step: Step, rule: Rule, excess: dict[Side, dict[str, str]], approved: Container[str]
) -> Step:
    if not isinstance(step, Create | Update | Delete) or fingerprint(step) in approved:
        return step
    if step.mails and rule.invitations is Invitations.NEVER:
        people = ", ".join(step.mails)
        cause = f"mail: the server would write to {people}, and the rule allows no invitations"
        return Hold(held=step, cause=cause, why=step.why)
    cause = excess[step.side].get("delete" if isinstance(step, Delete) else "update", "")
    if cause and not isinstance(step, Create):
        return Hold(held=step, cause=cause, why=step.why)
    return step


def _excess(
    plan: Plan, side: Side, limits: GuardLimits, pairings: int, approved: Container[str]
) -> dict[str, str]:
    """Return why deletions or updates on `side` are too many, by kind of step."""
    fresh = [step for step in plan.steps if fingerprint(step) not in approved]
    deletes = sum(isinstance(s, Delete) and s.side is side for s in fresh)
    updates = sum(isinstance(s, Update) and s.side is side for s in fresh)
    found: dict[str, str] = {}
    share = deletes / pairings if pairings >= _SMALL else 0.0
    if deletes > limits.deletes or share > limits.share:
        found["delete"] = (
            f"mass deletion: {deletes} of {pairings} items would be deleted on the {side} side "
            f"(allowed: {limits.deletes} or {limits.share:.0%})"
        )
    if updates > limits.updates:
        found["update"] = (
            f"mass change: {updates} items would change on the {side} side "
            f"(allowed: {limits.updates})"
        )
    return found
