"""The last look at a plan: mass effects, unplanned mail and what people decided before.

Holding never blocks the rest. What somebody approved passes, but only if it is identical; what
is held stays held, however little of it is planned next time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import msgspec
from msgspec import Struct

from accord.engine.plan import Create, Delete, Hold, Plan, Skip, Step, Unpair, Update
from accord.model.kinds import Side
from accord.rules.rule import GuardLimits, Invitations, Rule

_SMALL = 10
"""Below this many pairings a share of them says nothing."""


class Waiting(Struct, frozen=True, kw_only=True):
    """Be what people have and have not decided about earlier plans of a link.

    `approved` and `refused` are fingerprints; `held` gives, by subject, the cause for which
    something still waits.
    """

    approved: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    held: Mapping[str, str] = {}


NOTHING = Waiting()


def guard(plan: Plan, rule: Rule, pairings: int, waiting: Waiting = NOTHING) -> Plan:
    """Return the plan with dangerous steps held; `pairings` is how many pairs the link has."""
    excess = {side: _excess(plan, side, rule.guard, pairings, waiting.approved) for side in Side}
    steps = tuple(_judge(step, rule, excess, waiting) for step in plan.steps)
    return Plan(link=plan.link, steps=steps)


def await_approval(
    steps: Sequence[Step], approved: AbstractSet[str], cause: str
) -> tuple[Step, ...]:
    """Return the steps with every effect held that nobody has approved."""
    return tuple(
        Hold(held=step, cause=cause, why=step.why)
        if isinstance(step, Create | Update | Delete | Unpair) and fingerprint(step) not in approved
        else step
        for step in steps
    )


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


def subject(step: Step) -> str:
    """Return what a step does to which item, whatever the outcome; empty for harmless ones."""
    match step:
        case Create(side=side, source=source):
            return f"create {side} {source.ref}"
        case Update(side=side, before=before):
            return f"update {side} {before.ref}"
        case Delete(side=side, before=before):
            return f"delete {side} {before.ref}"
        case Unpair(crm=crm, groupware=groupware):
            return f"unpair {crm} {groupware}"
        case Hold(held=held):
            return subject(held)
        case _:
            return ""


def _judge(step: Step, rule: Rule, excess: dict[Side, dict[str, str]], waiting: Waiting) -> Step:
    effect = step.held if isinstance(step, Hold) else step
    if not isinstance(effect, Create | Update | Delete | Unpair):
        return step
    mark = fingerprint(effect) if waiting.approved or waiting.refused else ""
    if mark in waiting.refused:
        return _refused(effect)
    if isinstance(step, Hold):
        return step
    if mark in waiting.approved:
        return effect
    cause = _cause(effect, rule, excess) or waiting.held.get(subject(effect))
    return Hold(held=effect, cause=cause, why=effect.why) if cause else effect


def _cause(
    step: Create | Update | Delete | Unpair, rule: Rule, excess: dict[Side, dict[str, str]]
) -> str | None:
    if isinstance(step, Unpair):
        return None
    if step.mails and rule.invitations is Invitations.NEVER:
        people = ", ".join(step.mails)
        return f"mail: the server would write to {people}, and the rule allows no invitations"
    if isinstance(step, Create):
        return None
    return excess[step.side].get("delete" if isinstance(step, Delete) else "update")


def _refused(step: Create | Update | Delete | Unpair) -> Skip:
    why = f"somebody said no to this: {step.why}"
    match step:
        case Create(source=snapshot, side=side):
            return Skip(side=side.other, ref=snapshot.ref, version=snapshot.version, why=why)
        case Update(before=snapshot, side=side) | Delete(before=snapshot, side=side):
            return Skip(
                side=side,
                ref=snapshot.ref,
                version=snapshot.version,
                pairing=step.pairing,
                why=why,
            )
        case Unpair():
            return Skip(side=Side.CRM, ref=step.crm, pairing=step.pairing, why=why)


def _excess(
    plan: Plan, side: Side, limits: GuardLimits, pairings: int, approved: AbstractSet[str]
) -> dict[str, str]:
    """Return why deletions or updates on `side` are too many, by kind of step."""
    fresh = [
        step
        for step in plan.steps
        if isinstance(step, Delete | Update)
        and step.side is side
        and not (approved and fingerprint(step) in approved)
    ]
    deletes = sum(isinstance(step, Delete) for step in fresh)
    updates = len(fresh) - deletes
    found: dict[str, str] = {}
    share = deletes / pairings if pairings >= _SMALL else 0.0
    if deletes > limits.deletes or share > limits.share:
        found["delete"] = (
            f"mass deletion: {deletes} of {pairings} items would be deleted on the {side} side "
            f"(allowed: {limits.deletes} or {limits.share:.0%})"
        )
    if updates > limits.updates:
        found["update"] = (
            f"mass change: {updates} {'item' if updates == 1 else 'items'} would change on the "
            f"{side} side "
            f"(allowed: {limits.updates})"
        )
    return found
