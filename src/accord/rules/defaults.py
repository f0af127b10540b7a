"""What holds where a rule says nothing: directions, clashes, scope and deletions by kind.

The one place for defaults; `Program`, `check`, `explain` and the reference read them here.
"""

from __future__ import annotations

from accord.model.fields import FIELDS
from accord.model.kinds import Direction, Kind, Side
from accord.rules.rule import Clash, Deletion, FieldRule, OneWay, Rule, Scope

DIRECTIONS: dict[Kind, Direction] = {
    Kind.EVENT: Direction.BOTH,
    Kind.TASK: Direction.OUTBOUND,
    Kind.CONTACT: Direction.OUTBOUND,
    Kind.ABSENCE: Direction.OUTBOUND,
    Kind.MAIL: Direction.NONE,
}
"""The direction of a kind."""

UNSENT = frozenset({"extras", "reminders", "absence_kind", "message", "outside_message"})
"""Fields that travel only where a rule says so."""

INTERNAL = frozenset({"absence_kind", "message", "outside_message"})
"""Fields of an absence that never leave the CRM, whatever a rule says."""

ABSENCE_FIELDS = ("title", "start", "end", "time_zone", "all_day")
"""The fields that an absence shares with its out-of-office entry."""


def groupware_kind(kind: Kind) -> Kind:
    """Return the kind that the groupware side holds: an absence is an entry there."""
    return Kind.EVENT if kind is Kind.ABSENCE else kind


def kind_on(kind: Kind, side: Side) -> Kind:
    """Return the kind that one side of a rule holds."""
    return kind if side is Side.CRM else groupware_kind(kind)


def direction_of(rule: Rule) -> Direction:
    """Return the direction of a rule."""
    return DIRECTIONS[rule.kind] if rule.direction is None else rule.direction


def creates_in(rule: Rule) -> Direction:
    """Return the directions in which a rule creates."""
    return direction_of(rule) if rule.creates is None else rule.creates


def scope_of(rule: Rule) -> Scope:
    """Return the inbound scope of a rule; people make sense for events only."""
    if rule.scope is not None:
        return rule.scope
    return Scope.PEOPLE if rule.kind is Kind.EVENT else Scope.ALL


def group_of(kind: Kind, field: str) -> str:
    """Return the group under which a field clashes; what is no field of the kind, itself."""
    spec = FIELDS[kind].get(field)
    return spec.clash_group if spec else field


def members(kind: Kind, group: str) -> tuple[str, ...]:
    """Return the fields of a group, in table order; of a lone field, itself."""
    return tuple(name for name, spec in FIELDS[kind].items() if spec.clash_group == group)


def rules_of(rule: Rule, field: str) -> list[FieldRule]:
    """Return what a rule says about a field, its group or a group, the group's name first."""
    if ":" in field:
        names: tuple[str, ...] = (field, "extras")
    else:
        kind = groupware_kind(rule.kind)
        group = group_of(kind, field)
        names = (group, *members(kind, group))
    return [rule.fields[name] for name in dict.fromkeys(names) if name in rule.fields]


def field_direction(rule: Rule, field: str) -> Direction:
    """Return the direction of a groupware field under a rule.

    Groups travel as one. A task's status comes back although tasks go out; reminders stay in
    their mailbox; `people` are what Accord itself wrote and never come in; own fields need a
    mapping.
    """
    for part in rules_of(rule, field):
        if part.direction is not None:
            return part.direction
    direction = direction_of(rule)
    if field in UNSENT:
        return Direction.NONE
    if rule.kind is Kind.EVENT and field == "people":
        return Direction.OUTBOUND if direction.reaches(Side.GROUPWARE) else Direction.NONE
    if rule.kind is Kind.TASK and group_of(Kind.TASK, field) == "status":
        return Direction.BOTH if direction is Direction.OUTBOUND else direction
    return direction


def clash_of(rule: Rule, group: str) -> Clash:
    """Return who wins a clash of a group (or of a lone field)."""
    for part in rules_of(rule, group):
        if part.clash is not None:
            return part.clash
    if rule.clash is not None:
        return rule.clash
    return Clash.ORGANIZER if group == "schedule" else Clash.CRM


def one_way_of(rule: Rule, field: str) -> OneWay:
    """Return what becomes of edits on the side a field doesn't come from."""
    for part in rules_of(rule, field):
        if part.one_way is not None:
            return part.one_way
    return rule.one_way


def deletion_of(rule: Rule, to: Side) -> Deletion:
    """Return what a deletion on the other side does to side `to`."""
    said = rule.delete.inbound if to is Side.CRM else rule.delete.outbound
    if said is not None:
        return said
    return Deletion.PROPAGATE if creates_in(rule).reaches(to) else Deletion.KEEP
