"""What the engine's tests are made of: items, snapshots, pairings, policies, steps in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from accord.engine.plan import (
    Conflict,
    Create,
    Delete,
    Hold,
    Pair,
    Pairing,
    Refile,
    Skip,
    Step,
    Unpair,
    Update,
)
from accord.engine.policy import Policy
from accord.engine.reconcile import Case, reconcile
from accord.model.diff import patch
from accord.model.fields import FIELDS
from accord.model.item import Absence, Contact, Event, Item, Task
from accord.model.kinds import Kind, Side
from accord.model.observe import (
    Deleted,
    Denied,
    Moved,
    Observation,
    OutOfScope,
    Seen,
    Snapshot,
    Unchanged,
    Unknown,
)
from accord.model.parts import Attendee, Person
from accord.model.recurrence import Frequency, RecurrenceRule
from accord.model.traits import KindTraits
from accord.rules.facts import Facts
from accord.rules.program import program_of
from accord.rules.rule import Meetings, Rule, Scope

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
TOMORROW = datetime(2026, 3, 3, 10, 0)
YESTERDAY = TOMORROW - timedelta(days=2)
HOUR = timedelta(hours=1)
OWNER = "alice@x.test"
BOB = "bob@x.test"
EVE = "eve@elsewhere.test"
CRM, GROUPWARE = Side.CRM, Side.GROUPWARE


def event(title: str = "Review", start: datetime = TOMORROW, **values: Any) -> Event:
    values = {"end": start + HOUR, "time_zone": "Europe/Berlin", "uid": "u1", **values}
    return Event(title=title, start=start, **values)


def past(**values: Any) -> Event:
    return event(start=YESTERDAY, **values)


def series(**values: Any) -> Event:
    return event(rule=RecurrenceRule(frequency=Frequency.DAILY, count=10), **values)


def task(title: str = "Call", **values: Any) -> Task:
    return Task(title=title, uid="u1", **values)


def contact(name: str = "Ada", **values: Any) -> Contact:
    return Contact(full_name=name, uid="u1", **values)


def absence(title: str = "Ski", **values: Any) -> Absence:
    start = TOMORROW.replace(hour=0)
    return Absence(title=title, start=start, end=start + timedelta(days=2), uid="u1", **values)


def meeting(organizer: str = OWNER, *attendees: str, **values: Any) -> Event:
    """Return a meeting; with no attendees named, Bob and its owner take part."""
    people = attendees or (OWNER, BOB)
    return event(
        organizer=Person(address=organizer),
        attendees=tuple(Attendee(address=address) for address in people),
        **values,
    )


def snap(item: Item, version: str = "1", ref: str = "", **values: Any) -> Snapshot:
    return Snapshot(ref=ref or "x1", version=version, item=item, **values)


def pairing(crm: Item, groupware: Item | None = None, **values: Any) -> Pairing:
    """Return a pair that agrees; refs are c1 and g1, versions 1."""
    marks = {"crm_readonly": False, "silent": False, **values}
    return Pairing(
        id="p1",
        crm=snap(crm, ref="c1", readonly=marks.pop("crm_readonly")),
        groupware=snap(groupware or crm, ref="g1", silent=marks.pop("silent")),
        **{k: v for k, v in marks.items() if k in Pairing.__struct_fields__},
    )


def traits(kind: Kind = Kind.EVENT, *, without: str = "", **values: Any) -> KindTraits:
    fields = frozenset(FIELDS[kind]) - set(without.split())
    return KindTraits(fields=fields, **values)


def policy(
    rule: Rule | None = None,
    *,
    kind: Kind = Kind.EVENT,
    crm: KindTraits | None = None,
    groupware: KindTraits | None = None,
    now: datetime = NOW,
    facts: dict[str, Any] | None = None,
    **values: Any,
) -> Policy:
    """Return a policy; the rule lets everything in unless it is given."""
    rule = rule or rule_of(kind)
    mailbox = Kind.EVENT if rule.kind is Kind.ABSENCE else rule.kind
    return Policy(
        link="l1",
        program=program_of(rule),
        facts=Facts(
            now=now,
            owner=Person(address=OWNER, name="Alice"),
            user="alice",
            addresses=frozenset({OWNER}),
            users={OWNER: "alice", BOB: "bob"},
            **(facts or {}),
        ),
        crm=crm or traits(rule.kind),
        groupware=groupware or traits(mailbox),
        **values,
    )


def rule_of(kind: Kind = Kind.EVENT, **values: Any) -> Rule:
    return Rule(**{"name": "r", "kind": kind, "scope": Scope.ALL, **values})


def invite(**values: Any) -> Rule:
    return rule_of(meetings=Meetings.INVITE, **values)


def scheduling(**values: Any) -> KindTraits:
    return traits(Kind.EVENT, schedules=True, **values)


SAME, CHANGED, GONE, MOVED, LEFT, BLIND = ["same", "changed", "gone", "moved", "left", "blind"]


def say(base: Snapshot, word: str, **edit: Any) -> Observation | None:
    """Return what a side says of its base; `edit` are the fields somebody changed."""
    match word:
        case "same":
            return Unchanged(base.ref)
        case "silent":
            return None
        case "changed":
            item = patch(base.item, edit)
            return Seen(msgspec.structs.replace(base, version="2", item=item))
        case "gone":
            return Deleted(base.ref)
        case "trash":
            return Moved(base.ref, folder="deleted-items", trash=True)
        case "erased":
            return Deleted(base.ref, erased=True)
        case "moved":
            return Moved(base.ref, folder="archive", new_ref="g9")
        case "left":
            return OutOfScope(base.ref, why="now with Bob")
        case "blind":
            return Denied(base.ref, why="no right")
        case "unread":
            return Unknown(base.ref, why="garbled")
        case "unreadable":
            return Unknown(base.ref, why="broken", version="2")
    raise ValueError(word)


def decide(
    pair: Pairing,
    crm: str,
    groupware: str,
    under: Policy | None = None,
    *,
    crm_edit: dict[str, Any] | None = None,
    mailbox_edit: dict[str, Any] | None = None,
) -> tuple[Step, ...]:
    case = Case(
        pairing=pair,
        crm=say(pair.crm, crm, **(crm_edit or {})),
        groupware=say(pair.groupware, groupware, **(mailbox_edit or {})),
    )
    steps = reconcile(case, under or policy())
    present = {
        CRM: _present(pair.crm, case.crm),
        GROUPWARE: _present(pair.groupware, case.groupware),
    }
    for step in steps:
        check_subject(step, present, pair.id, pair.id)
        assert not isinstance(step, Pair) or step.content is pair.content
    return steps


def check_subject(step: Step, present: dict[Side, Snapshot], pair: str, skipped: str) -> None:
    """Assert that a step is sound and names its pair and the items as they stand.

    `pair` is the pairing that writes name, `skipped` the one that skips name.
    """
    sound(step)
    assert not isinstance(step, Hold)
    assert step.pairing == (skipped if isinstance(step, Skip) else pair)
    match step:
        case Create(side=side, source=source):
            assert source == present[side.other]
        case Update(side=side, before=before, base=base):
            assert (before, base) == (present[side], present[side.other])
        case Delete(side=side, before=before):
            assert before == present[side]
        case Pair(crm=crm, groupware=groupware) | Conflict(crm=crm, groupware=groupware):
            assert (crm, groupware) == (present[CRM], present[GROUPWARE])
        case Unpair(crm=ref, groupware=other):
            assert (ref, other) == (present[CRM].ref, present[GROUPWARE].ref)
        case Skip(side=side, ref=ref, version=version):
            assert (ref, version) == (present[side].ref, present[side].version)


def sound(step: Step) -> Step:
    """Return a step that can be kept and read again as it is, and that says why."""
    assert msgspec.json.decode(msgspec.json.encode(step), type=Step).why == step.why
    assert step.why.strip()
    assert "None" not in step.why
    return step


def _present(base: Snapshot, observation: Observation | None) -> Snapshot:
    return observation.snapshot if isinstance(observation, Seen) else base


def words(steps: tuple[Step, ...]) -> list[str]:
    """Return steps in short: what, where, which fields."""
    return [_words(sound(step)) for step in steps]


def why(steps: tuple[Step, ...]) -> str:
    return " | ".join(step.why for step in steps)


def _words(step: Step) -> str:
    match step:
        case Create(side=side):
            return f"create {side}"
        case Update(side=side, changes=found):
            return f"update {side}: {' '.join(sorted(c.field for c in found))}"
        case Delete(side=side):
            return f"delete {side}"
        case Refile(side=side):
            return f"{step.name} {side}"
        case Pair():
            return "pair"
        case Unpair(forget=True):
            return "forget"
        case Unpair(cause=cause):
            return f"unpair {cause}"
        case Conflict(field=field, winner=winner):
            return f"conflict {field}: {winner or 'open'}"
        case Skip(side=side, parked=parked):
            return f"skip {side}" + (f" ({parked})" if parked else "")
        case Hold(held=held):
            return f"hold {_words(held)}"


def found(steps: tuple[Step, ...], kind: type[Any], side: Side | None = None) -> Any:
    """Return the one step of a type (and side)."""
    (one,) = (s for s in steps if isinstance(s, kind) and (side is None or s.side is side))
    return one
