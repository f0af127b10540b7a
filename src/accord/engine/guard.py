"""The last look at a plan: mass effects, unplanned mail and what people decided before.

Holding never blocks the rest. What somebody approved passes, but only if it is identical; what
is held stays held, however little of it is planned next time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeAlias

import msgspec
from msgspec import Struct

from accord.engine.extent import Extent, excess, piloted
from accord.engine.plan import (
    Create,
    Delete,
    Hold,
    Hung,
    Plan,
    Refile,
    Skip,
    Step,
    Unpair,
    Update,
)
from accord.model.kinds import Side
from accord.rules.rule import Invitations, Rule


class Waiting(Struct, frozen=True, kw_only=True):
    """Be what people have and have not decided about earlier plans of a link.

    `approved` and `refused` are fingerprints; `held` gives, by subject, the cause for which
    something still waits.
    """

    approved: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    held: Mapping[str, str] = {}


NOTHING = Waiting()

Effect: TypeAlias = tuple[str, tuple[str, ...]]


def guard(
    plan: Plan, rule: Rule, extent: Extent, waiting: Waiting = NOTHING, *, pilot: bool = False
) -> Plan:
    """Return the plan with dangerous steps held; `extent` says what they add up to.

    On a `pilot` link few changes at once go by themselves, and none that people can't take back.
    """
    fresh = [
        step
        for step in (*plan.writes, *plan.files)
        if not (waiting.approved and fingerprint(step) in waiting.approved)
    ]
    too_many = {side: excess(fresh, side, rule.guard, extent) for side in Side}
    if pilot:
        too_many = {side: piloted(fresh, side) | causes for side, causes in too_many.items()}
    steps = tuple(_judge(step, rule, too_many, waiting) for step in plan.steps)
    return Plan(link=plan.link, steps=steps)


def await_approval(
    steps: Sequence[Step],
    approved: AbstractSet[str],
    cause: str,
    usual: AbstractSet[Effect] = frozenset(),
) -> tuple[Step, ...]:
    """Return the steps with every effect held that nobody has approved and that isn't `usual`."""
    return tuple(
        Hold(held=step, cause=cause, why=step.why)
        if isinstance(step, Create | Update | Delete | Unpair)
        and fingerprint(step) not in approved
        and effect_of(step) not in usual
        else step
        for step in steps
    )


def effects_under(rule: Rule, steps: Sequence[Step]) -> frozenset[Effect]:
    """Return what steps would do, but for those that `rule` holds for the mail they cause."""
    return frozenset(
        effect_of(step)
        for step in effects(steps)
        if isinstance(step, Unpair) or not mailing(step.mails, rule)
    )


def effects(steps: Sequence[Step]) -> tuple[Create | Update | Delete | Unpair, ...]:
    """Return the steps that do something to items or their pair at once."""
    return tuple(s for s in steps if isinstance(s, Create | Update | Delete | Unpair))


def effect_of(step: Create | Update | Delete | Unpair) -> Effect:
    """Return all that a step would do: its fingerprint, whom it mails, how it lets go."""
    if isinstance(step, Unpair):
        return fingerprint(step), (step.cause, str(step.forget))
    return fingerprint(step), step.mails


def mailing(people: Sequence[str], rule: Rule) -> str:
    """Return why a write that mails people must be held; empty where it may mail them."""
    if not people or rule.invitations is not Invitations.NEVER:
        return ""
    told = ", ".join(people)
    return f"mail: the server would write to {told}, and the rule allows no invitations"


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
        case Refile(side=side, ref=ref, before=before, after=after):
            what = (step.name, side, ref, _file(before), _file(after))
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
        case Refile(side=side, ref=ref, before=Hung(name=name)):
            return f"file {side} {ref} {name}"
        case Hold(held=held):
            return subject(held)
        case _:
            return ""


def _judge(step: Step, rule: Rule, too_many: dict[Side, dict[str, str]], waiting: Waiting) -> Step:
    effect = step.held if isinstance(step, Hold) else step
    if not isinstance(effect, Create | Update | Delete | Unpair | Refile):
        return step
    mark = fingerprint(effect) if waiting.approved or waiting.refused else ""
    if mark in waiting.refused:
        return _refused(effect)
    if mark in waiting.approved:
        return effect
    if isinstance(step, Hold):
        return step
    cause = _cause(effect, rule, too_many) or waiting.held.get(subject(effect))
    return Hold(held=effect, cause=cause, why=effect.why) if cause else effect


def _cause(
    step: Create | Update | Delete | Unpair | Refile,
    rule: Rule,
    too_many: dict[Side, dict[str, str]],
) -> str | None:
    if isinstance(step, Unpair):
        return None
    causes = too_many[step.side]
    if isinstance(step, Refile):
        return causes.get("file") if step.before is not None else None
    mass = causes.get(step.name) or (causes.get("mail") if step.mails else None)
    return mailing(step.mails, rule) or mass


def refused_because(step: Step) -> str:
    """Return why a step is not done that somebody said no to."""
    return f"somebody said no to this: {step.why}"


def _refused(step: Create | Update | Delete | Unpair | Refile) -> Skip:
    why = refused_because(step)
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
        case Refile(side=side, ref=ref):
            return Skip(side=side, ref=ref, pairing=step.pairing, why=why)
        case Unpair():
            return Skip(side=Side.CRM, ref=step.crm, pairing=step.pairing, why=why)


def _file(file: Hung | None) -> tuple[str, str] | None:
    return None if file is None else (file.name, file.digest)
